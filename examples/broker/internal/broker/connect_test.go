package broker_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/auth/authtest"
	"github.com/natsauth/natsauth/examples/broker/internal/broker"
	"github.com/natsauth/natsauth/resolver"
)

const violation = "-ERR 'Authorization Violation'"

// TestNew: a server without somebody to ask is none.
func TestNew(t *testing.T) {
	s, err := broker.New(broker.Options{})
	require.ErrorContains(t, err, "broker: ")
	require.Nil(t, s)
}

// TestBounds: a message has to fit into what may wait.
func TestBounds(t *testing.T) {
	a := authtest.Authorizer(t, authtest.NewOperator(t), nil)
	for most, want := range map[int64]bool{99: true, 100: true, 101: false} {
		_, err := broker.New(broker.Options{Authorizer: a, MaxPayload: most, MaxPending: 100})
		require.Equal(t, want, err == nil, err)
	}
}

// TestInfo: the first INFO, and the one after the first PING.
func TestInfo(t *testing.T) {
	w := newWorld(t, func(o *broker.Options) { o.MaxPayload = 4096 })
	c := dial(t, w.addr)
	require.Len(t, c.nonce, 15)
	for key, want := range map[string]any{
		"server_id": w.server.ID(), "server_name": "test", "version": broker.Version, "proto": 1.0, "headers": true,
		"auth_required": true, "max_payload": 4096.0, "client_id": 1.0, "client_ip": "127.0.0.1",
	} {
		require.Equal(t, want, c.info[key], key)
	}
	limited := w.a.User("limited", authtest.Limits(-1, 100))
	c.connect(limited, `"protocol":1`)
	c.send("PING\r\n")
	require.Equal(t, "PONG", c.line())
	second := c.readInfo()
	require.Equal(t, true, second["connect_info"])
	require.Equal(t, w.a.PublicKey(), second["remote_account"])
	require.Equal(t, 100.0, second["max_payload"])
	require.Empty(t, c.sync(), "once")

	require.Empty(t, enter(t, w.addr, w.bob).sync(), "not for who did not ask")
}

// TestConnect: what ends a connection before it begins, and the twin that does
// not.
func TestConnect(t *testing.T) {
	w := newWorld(t, nil)
	revoked := w.a.User("eve")
	for _, tt := range []struct {
		name string
		send func(c *client)
		want []string // nil: it lives
	}{
		{"a good one", func(c *client) { c.connect(w.alice) }, nil},
		{"an operation before", func(c *client) { c.send("PING\r\n") }, []string{violation}},
		{"no operation at all before", func(c *client) { c.send("x") }, []string{violation}},
		{"bad JSON", func(c *client) { c.send("CONNECT {\r\n") }, []string{""}},
		{"nobody", func(c *client) { c.send("CONNECT {}\r\n") }, []string{violation}},
		{"another's signature", func(c *client) { c.nonce += "x"; c.connect(w.alice) }, []string{violation}},
		{"an account of choice", func(c *client) { c.connect(w.alice, `"account":"B"`) }, []string{violation}},
		{"a new account", func(c *client) { c.connect(w.alice, `"new_account":true`) }, []string{violation}},
		{"a protocol of the future", func(c *client) { c.connect(revoked, `"protocol":2`) }, []string{"-ERR 'invalid client protocol'"}},
		{"no responders", func(c *client) { c.connect(w.alice, `"no_responders":true`) }, nil},
		{"no responders without headers", func(c *client) { c.connect(w.alice, `"no_responders":true`, `"headers":false`) },
			[]string{"-ERR 'no responders requires headers support'"}},
		{"no subscriptions at all", func(c *client) { c.connect(w.a.User("none", authtest.Limits(0, -1))) },
			[]string{"-ERR 'maximum subscriptions exceeded'"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := dial(t, w.addr)
			tt.send(c)
			if tt.want == nil {
				require.Empty(t, c.sync())
				return
			}
			require.Equal(t, tt.want, c.ends())
		})
	}
}

// TestAuthTimeout: a client has some time for CONNECT, and no bound afterwards.
func TestAuthTimeout(t *testing.T) {
	w := newWorld(t, func(o *broker.Options) { o.AuthTimeout = 2 * time.Second })
	connected := enter(t, w.addr, w.alice)
	late := dial(t, w.addr)
	require.Equal(t, []string{"-ERR 'Authentication Timeout'"}, late.ends())
	require.Empty(t, connected.sync())
}

// TestHalfOpen: connections that say nothing give way, oldest first, and keep
// nobody out.
func TestHalfOpen(t *testing.T) {
	const most = 3
	w := newWorld(t, func(o *broker.Options) { o.MaxHalfOpen, o.AuthTimeout = most, time.Hour })
	known := enter(t, w.addr, w.alice)
	var silent []*client
	for range 10 {
		silent = append(silent, dial(t, w.addr))
	}
	for _, c := range silent[:len(silent)-most] {
		require.Equal(t, []string{"-ERR 'Authentication Timeout'"}, c.ends())
	}
	require.Empty(t, known.sync())
	for _, c := range silent[len(silent)-most:] {
		c.connect(w.bob)
		require.Empty(t, c.sync(), "one of the last could not connect")
	}
}

// TestMaxConnections: one more is told so, and there is room when one has left.
func TestMaxConnections(t *testing.T) {
	w := newWorld(t, func(o *broker.Options) { o.MaxConnections = 2 })
	one := enter(t, w.addr, w.alice)
	enter(t, w.addr, w.alice)
	require.Equal(t, []string{"-ERR 'maximum connections exceeded'"}, dial(t, w.addr).ends())
	require.NoError(t, one.nc.Close())
	require.Eventually(t, func() bool {
		c := dial(t, w.addr)
		c.nc.Write([]byte("CONNECT {}\r\n")) // it may have been closed
		text, _ := c.in.ReadString('\n')
		return strings.HasPrefix(text, violation)
	}, patience, time.Millisecond)
}

// TestAccountConnections: the account's limit is told as what it is.
func TestAccountConnections(t *testing.T) {
	o := authtest.NewOperator(t)
	a := o.Account("A", authtest.MaxConnections(1))
	_, addr := serve(t, o, []*authtest.Account{a}, nil)
	enter(t, addr, a.User("u"))
	c := dial(t, addr)
	c.connect(a.User("u"))
	require.Equal(t, []string{"-ERR 'maximum account active connections exceeded'"}, c.ends())
}

// TestB16: the same user in the same account renews; anybody else begins anew.
func TestB16(t *testing.T) {
	w := newWorld(t, nil)
	later := func(opts ...authtest.Option) *authtest.User {
		return w.a.User("alice", append(opts, authtest.IssuedAt(authtest.Now().Add(-time.Minute)))...)
	}
	elsewhere := w.b.User("alice", authtest.Edit(func(c *jwt.UserClaims) { c.Subject = w.alice.PublicKey() })).Token()
	const quiet = "CONNECT {\"verbose\":false}\r\n"
	for _, tt := range []struct {
		name string
		next func(c *client)
		want []string
		kept []string // of subscriptions a and b
	}{
		{"the same token", func(c *client) { c.connect(w.alice) }, nil, []string{"a", "b"}},
		{"the same token, unsaid", func(c *client) { c.send("CONNECT {}\r\n") }, nil, []string{"a", "b"}},
		{"a later token", func(c *client) { c.connect(later()) }, nil, []string{"a", "b"}},
		{"a later token that allows less", func(c *client) { c.connect(later(authtest.SubAllow("a"))) },
			[]string{`-ERR 'Permissions Violation for Subscription to "b" (sid "2")'`}, []string{"a"}},
		{"a bad signature", func(c *client) { c.nonce += "x"; c.connect(w.alice) }, []string{violation}, []string{"a", "b"}},
		{"a bad signature, with another wish", func(c *client) { c.nonce += "x"; c.connect(w.alice, `"verbose":true`) },
			[]string{violation}, []string{"a", "b"}},
		{"less, aloud", func(c *client) { c.connect(later(authtest.SubAllow("a")), `"verbose":true`); c.send(quiet) },
			[]string{`-ERR 'Permissions Violation for Subscription to "b" (sid "2")'`, "+OK"}, []string{"a"}},
		{"the same key, elsewhere", func(c *client) { c.connectAs(elsewhere, w.alice.Key()) }, nil, nil},
		{"another user", func(c *client) { c.connect(w.a.User("carol")) }, nil, nil},
		{"another account", func(c *client) { c.connect(w.bob) }, nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := enter(t, w.addr, w.alice)
			c.send("SUB a 1\r\nSUB b 2\r\n")
			require.Empty(t, c.sync())
			tt.next(c)
			require.Equal(t, tt.want, c.sync())
			c.send("PUB a 0\r\n\r\nPUB b 0\r\n\r\n")
			var kept []string
			for _, m := range c.sync() {
				kept = append(kept, strings.Fields(m)[1])
			}
			require.Equal(t, tt.kept, kept)
		})
	}
	c := enter(t, w.addr, w.alice)
	c.nonce += "x"
	c.connect(w.bob)
	require.Equal(t, []string{violation}, c.ends(), "another's bad signature ends it")
	c = enter(t, w.addr, w.alice)
	c.connect(w.alice, `"account":"B"`)
	require.Equal(t, []string{violation}, c.ends(), "so does an account of choice")
}

// TestUpdate: a newer token of the account changes what its connections may do,
// and ends none that fits.
func TestUpdate(t *testing.T) {
	w := newWorld(t, nil)
	c := enter(t, w.addr, w.alice)
	c.send("SUB a 1\r\nSUB b 2\r\nSUB b q 3\r\n")
	require.Empty(t, c.sync())
	apply := func(a *authtest.Account) {
		_, err := w.authorizer.Apply(t.Context(), a.Token(), resolver.Push)
		require.NoError(t, err)
	}
	less := w.a.Renew(authtest.DefaultPermissions(authtest.SubAllow("a", "b q")))
	apply(less)
	require.Equal(t, `-ERR 'Permissions Violation for Subscription to "b" (sid "2")'`, c.line())
	c.send("PUB a 0\r\n\r\nPUB b 0\r\n\r\n")
	require.Equal(t, []string{"MSG a 1 0|", "MSG b 3 0|"}, c.sync())

	room := less.Renew(authtest.Limits(2, 10))
	apply(room)
	require.Eventually(t, func() bool {
		c := enter(t, w.addr, w.alice, `"protocol":1`)
		return c.readInfo()["max_payload"] == 10.0
	}, patience, time.Millisecond)
	require.Empty(t, c.sync(), "two subscriptions are not too many")
	apply(room.Renew(authtest.Limits(1, 10)))
	require.Equal(t, []string{"-ERR 'maximum subscriptions exceeded'"}, c.ends())
}

// TestSessionEnd: who is ended is told why (F066).
func TestSessionEnd(t *testing.T) {
	w := newWorld(t, nil)
	c := enter(t, w.addr, w.alice)
	other := enter(t, w.addr, w.bob)
	w.authorizer.SetRemote("N1", w.a.PublicKey(), auth.Counts{Connections: 5})
	require.Empty(t, c.sync(), "there is no limit")
	require.Equal(t, 1, w.authorizer.CloseSessions(auth.Filter{Account: w.a.PublicKey()}, "test"))
	got := c.ends()
	require.Len(t, got, 1)
	require.True(t, strings.HasPrefix(got[0], "-ERR '"), got)
	require.Empty(t, other.sync())
}

// TestStale: who does not answer is asked some times, and then ended.
func TestStale(t *testing.T) {
	w := newWorld(t, func(o *broker.Options) { o.PingInterval, o.PingMax = 50*time.Millisecond, 3 })
	require.Equal(t, []string{"PING", "PING", "PING", "-ERR 'Stale Connection'"}, enter(t, w.addr, w.alice).ends())
}

// TestClose: every client is let go, and no goroutine stays (TestMain looks).
func TestClose(t *testing.T) {
	w := newWorld(t, nil)
	c, half := enter(t, w.addr, w.alice), dial(t, w.addr)
	w.server.Close()
	require.Equal(t, []string{""}, c.ends())
	require.Equal(t, []string{""}, half.ends())
	w.server.Close()
	require.ErrorIs(t, w.server.Serve(nil), broker.ErrClosed)
}

// TestVerbose: +OK comes for what went well.
func TestVerbose(t *testing.T) {
	w := newWorld(t, nil)
	c := dial(t, w.addr)
	u := w.a.User("picky", authtest.PubAllow("a"), authtest.SubAllow("a"))
	c.connect(u, `"verbose":true`, `"pedantic":true`)
	require.Equal(t, []string{"+OK"}, c.sync())
	for text, want := range map[string][]string{
		"SUB a 1\r\n":           {"+OK"},
		"SUB b 2\r\n":           {`-ERR 'Permissions Violation for Subscription to "b"'`},
		"SUB b q 2\r\n":         {`-ERR 'Permissions Violation for Subscription to "b" using queue "q"'`},
		"PUB b 0\r\n\r\n":       {`-ERR 'Permissions Violation for Publish to "b"'`},
		"PUB a.* 0\r\n\r\n":     {"-ERR 'Invalid Publish Subject'", `-ERR 'Permissions Violation for Publish to "a.*"'`},
		"UNSUB nobody\r\n":      {"+OK"},
		"PONG\r\n":              nil,
		"INFO {}\r\n+OK\r\n":    nil,
		"PUB a _R_.x 0\r\n\r\n": {`-ERR 'Permissions Violation for Publish with Reply of "_R_.x"'`},
	} {
		c.send(text)
		require.Equal(t, want, c.sync(), text)
	}
	c.send("-ERR 'bye'\r\n")
	require.Equal(t, []string{""}, c.ends())
}

// TestMaxPayload: at the bound, and over it.
func TestMaxPayload(t *testing.T) {
	w := newWorld(t, nil)
	for size, want := range map[int][]string{99: nil, 100: nil, 101: {"-ERR 'Maximum Payload Violation'"}} {
		c := enter(t, w.addr, w.a.User("limited", authtest.Limits(-1, 100)))
		c.send(fmt.Sprintf("PUB a %d\r\n%s\r\n", size, strings.Repeat("x", size)))
		if want == nil {
			require.Empty(t, c.sync())
			continue
		}
		require.Equal(t, want, c.ends())
	}
}
