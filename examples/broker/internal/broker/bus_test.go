package broker_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/examples/broker/internal/broker"
	"github.com/natsauth/natsauth/resolver"
	"github.com/natsauth/natsauth/resolver/resolvertest"
)

// TestEveryBus: it keeps the promises of every bus.
func TestEveryBus(t *testing.T) {
	resolvertest.RunBus(t, func(t *testing.T) resolver.Bus { return newWorld(t, nil).server.Bus() })
}

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

	_, err = bus.Subscribe("a..b", "", func(resolver.Msg) {})
	require.Error(t, err)
	require.Error(t, bus.Publish(t.Context(), resolver.Msg{}))
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, bus.Publish(ended, resolver.Msg{Subject: "x"}), context.Canceled)
	w.server.Close()
	_, err = bus.Subscribe("a", "", func(resolver.Msg) {})
	require.ErrorIs(t, err, broker.ErrClosed)
}

// TestRelayIsABus once there is a server.
func TestRelayIsABus(t *testing.T) {
	relay := new(broker.Relay)
	require.Error(t, relay.Publish(t.Context(), resolver.Msg{Subject: "x"}))
	_, err := relay.Subscribe("x", "", func(resolver.Msg) {})
	require.Error(t, err)
	newWorld(t, func(o *broker.Options) { o.Relay = relay })
	heard := make(chan resolver.Msg, 1)
	stop, err := relay.Subscribe("x", "", func(m resolver.Msg) { heard <- m })
	require.NoError(t, err)
	require.NoError(t, relay.Publish(t.Context(), resolver.Msg{Subject: "x"}))
	require.Equal(t, "x", (<-heard).Subject)
	require.NoError(t, stop())
}

// TestSubscribed: only a client of the system account, and to that very subject.
func TestSubscribed(t *testing.T) {
	const subject = "$SYS.REQ.ACCOUNT.*.CLAIMS.LOOKUP"
	relay := new(broker.Relay)
	require.False(t, relay.Subscribed(subject))
	w := newWorld(t, func(o *broker.Options) { o.Relay = relay })
	require.False(t, relay.Subscribed(subject))
	_, err := relay.Subscribe(subject, "", func(resolver.Msg) {})
	require.NoError(t, err)
	require.False(t, relay.Subscribed(subject), "the program itself")
	admin, alice := enter(t, w.addr, w.admin), enter(t, w.addr, w.alice)
	alice.send("SUB " + subject + " 1\r\n")
	alice.sync()
	for i, other := range []string{">", "$SYS.>", "$SYS.REQ.ACCOUNT.*.CLAIMS.*", "$SYS.REQ.ACCOUNT.*.*.LOOKUP", "$SYS.REQ.ACCOUNT.A.CLAIMS.LOOKUP", "$SYS.REQ.ACCOUNT.*.CLAIMS.LOOKUP.x"} {
		admin.send(fmt.Sprintf("SUB %s other%d\r\n", other, i))
		admin.sync()
		require.False(t, relay.Subscribed(subject), other)
	}
	for _, line := range []string{"SUB " + subject + " 1", "SUB " + subject + " group 1"} {
		admin.send(line + "\r\n")
		admin.sync()
		require.True(t, relay.Subscribed(subject), line)
		admin.send("UNSUB 1\r\n")
		admin.sync()
		require.False(t, relay.Subscribed(subject), line)
	}
}

// TestBusSharesGroups: of a queue group one member gets the message, be it a client or the program itself; where one cannot
// take it the other does.
func TestBusSharesGroups(t *testing.T) {
	const messages = 200
	w := newWorld(t, nil)
	heard := make(chan struct{}, messages)
	stop, err := w.server.Bus().Subscribe("q", "g", func(resolver.Msg) { heard <- struct{}{} })
	require.NoError(t, err)
	member, sender := enter(t, w.addr, w.admin), enter(t, w.addr, w.admin)
	send := func() (theirs int) {
		sender.send(strings.Repeat("PUB q 0\r\n\r\n", messages))
		sender.sync()
		return strings.Count(strings.Join(member.sync(), "\n"), "MSG q 1 0")
	}
	require.Zero(t, send())
	for range messages {
		<-heard
	}
	member.send("SUB q g 1\r\n")
	member.sync()
	theirs := send()
	require.NotZero(t, theirs)
	require.Less(t, theirs, messages)
	for range messages - theirs {
		<-heard
	}
	require.NoError(t, stop())
	require.Equal(t, messages, send())
	require.Empty(t, heard, "nobody has heard twice")
}

// TestBusIsHeardWithoutClients: the program hears itself where nobody else is in the account.
func TestBusIsHeardWithoutClients(t *testing.T) {
	w := newWorld(t, nil)
	bus := w.server.Bus()
	require.Equal(t, broker.NotHeld, w.server.Listeners(w.admin.Account().PublicKey()))
	heard := make(chan resolver.Msg, 1)
	stop, err := bus.Subscribe("x", "", func(m resolver.Msg) { heard <- m })
	require.NoError(t, err)
	require.NoError(t, bus.Publish(t.Context(), resolver.Msg{Subject: "x", Data: []byte("y")}))
	require.Equal(t, "y", string((<-heard).Data))
	_, err = bus.Subscribe("a..b", "", func(resolver.Msg) {})
	require.Error(t, err)
	require.NoError(t, stop())
	require.Equal(t, broker.NotHeld, w.server.Listeners(w.admin.Account().PublicKey()), "nothing is left of it")
}

// TestBusWithoutSystemAccount says that nobody hears.
func TestBusWithoutSystemAccount(t *testing.T) {
	w := newWorld(t, func(o *broker.Options) { o.SystemAccount = "" })
	require.Error(t, w.server.Bus().Publish(t.Context(), resolver.Msg{Subject: "x"}))
}
