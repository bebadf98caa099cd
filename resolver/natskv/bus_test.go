package natskv_test

import (
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/resolver"
	"github.com/natsauth/natsauth/resolver/natskv"
	"github.com/natsauth/natsauth/resolver/resolvertest"
)

func TestBus(t *testing.T) {
	s := start(t)
	resolvertest.RunBus(t, func(t *testing.T) resolver.Bus { return natskv.NewBus(connect(t, s)) })
}

// Where nobody listens NATS says so, in a header.
func TestBusNobodyListens(t *testing.T) {
	b := natskv.NewBus(connect(t, start(t)))
	heard := make(chan resolver.Msg, 1)
	stop, err := b.Subscribe("reply", "", func(m resolver.Msg) { heard <- m })
	require.NoError(t, err)
	require.NoError(t, b.Publish(t.Context(), resolver.Msg{Subject: "nobody", Reply: "reply"}))
	require.Equal(t, []string{"503"}, (<-heard).Header["Status"])
	require.NoError(t, stop())
}

func TestBusRefuses(t *testing.T) {
	nc := connect(t, start(t))
	b := natskv.NewBus(nc)
	stop, err := b.Subscribe("a", "", func(resolver.Msg) {})
	require.NoError(t, err)
	err = b.Publish(t.Context(), resolver.Msg{Subject: "a", Data: []byte(strings.Repeat("x", 2<<20))})
	require.ErrorIs(t, err, nats.ErrMaxPayload)
	closed(t, nc)
	require.ErrorIs(t, b.Publish(t.Context(), resolver.Msg{Subject: "a"}), nats.ErrConnectionClosed)
	_, err = b.Subscribe("a", "", func(resolver.Msg) {})
	require.ErrorIs(t, err, nats.ErrConnectionClosed)
	require.NoError(t, stop())
	for name, b := range map[string]*natskv.Bus{"nil": nil, "zero": {}, "no connection": natskv.NewBus(nil)} {
		t.Run(name, func(t *testing.T) {
			require.Error(t, b.Publish(t.Context(), resolver.Msg{Subject: "a"}))
			_, err := b.Subscribe("a", "", func(resolver.Msg) {})
			require.Error(t, err)
		})
	}
}
