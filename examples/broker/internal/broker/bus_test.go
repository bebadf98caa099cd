package broker_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/examples/broker/internal/broker"
	"github.com/natsauth/natsauth/resolver"
)

// TestBus: the program itself listens and publishes in the system account, and nowhere else.
func TestBus(t *testing.T) {
	w := newWorld(t, nil)
	bus := w.server.Bus()
	heard := make(chan resolver.Msg, 10)
	stop, err := bus.Subscribe("a.*", "", func(m resolver.Msg) {
		heard <- m
		if m.Reply != "" {
			if err := bus.Publish(t.Context(), resolver.Msg{Subject: m.Reply, Header: map[string][]string{"B": {"c\r\nd"}}, Data: []byte("yes")}); err != nil {
				t.Error(err)
			}
		}
	})
	require.NoError(t, err)
	admin, alice := enter(t, w.addr, w.admin, `"no_responders":true`), enter(t, w.addr, w.alice, `"no_responders":true`)
	admin.send("SUB in 1\r\nHPUB a.b in 18 20\r\nNATS/1.0\r\nX: y\r\n\r\nhi\r\n")
	require.Equal(t, resolver.Msg{Subject: "a.b", Reply: "in", Header: map[string][]string{"X": {"y"}}, Data: []byte("hi")}, <-heard)
	require.Equal(t, "HMSG in 1 21 24", admin.line())
	require.Equal(t, "NATS/1.0\r\nB: c  d\r\n\r\nyes", admin.payload("HMSG in 1 21 24"))
	alice.send("SUB in 1\r\nPUB a.b in 0\r\n\r\n")
	require.Contains(t, strings.Join(alice.sync(), ""), "503", "another account is not heard")

	group := make(chan int, 10)
	for i := range 3 {
		_, err := bus.Subscribe("q", "g", func(resolver.Msg) { group <- i })
		require.NoError(t, err)
	}
	admin.send("PUB q 0\r\n\r\nPUB q 0\r\n\r\n")
	admin.sync()
	<-group
	<-group
	require.Empty(t, group)

	require.NoError(t, stop())
	require.NoError(t, stop())
	admin.send("PUB a.b in 0\r\n\r\n")
	require.Contains(t, strings.Join(admin.sync(), ""), "503")
	require.Empty(t, heard)

	_, err = bus.Subscribe("a..b", "", nil)
	require.Error(t, err)
	require.Error(t, bus.Publish(t.Context(), resolver.Msg{}))
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, bus.Publish(ended, resolver.Msg{Subject: "x"}), context.Canceled)
	w.server.Close()
	_, err = bus.Subscribe("a", "", nil)
	require.ErrorIs(t, err, broker.ErrClosed)
}

// TestRelayIsABus once there is a server.
func TestRelayIsABus(t *testing.T) {
	relay := new(broker.Relay)
	require.Error(t, relay.Publish(t.Context(), resolver.Msg{Subject: "x"}))
	_, err := relay.Subscribe("x", "", nil)
	require.Error(t, err)
	require.False(t, relay.Heard("x"))
	w := newWorld(t, func(o *broker.Options) { o.Relay = relay })
	heard := make(chan resolver.Msg, 1)
	stop, err := relay.Subscribe("x", "", func(m resolver.Msg) { heard <- m })
	require.NoError(t, err)
	require.NoError(t, relay.Publish(t.Context(), resolver.Msg{Subject: "x"}))
	require.Equal(t, "x", (<-heard).Subject)
	require.NoError(t, stop())
	require.False(t, relay.Heard("x"))
	admin, alice := enter(t, w.addr, w.admin), enter(t, w.addr, w.alice)
	alice.send("SUB x 1\r\n")
	alice.sync()
	require.False(t, relay.Heard("x"), "in another account")
	admin.send("SUB x 1\r\n")
	admin.sync()
	require.True(t, relay.Heard("x"))
}

// TestBusWithoutSystemAccount says that nobody hears.
func TestBusWithoutSystemAccount(t *testing.T) {
	w := newWorld(t, func(o *broker.Options) { o.SystemAccount = "" })
	require.Error(t, w.server.Bus().Publish(t.Context(), resolver.Msg{Subject: "x"}))
}
