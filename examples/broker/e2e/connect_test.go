package e2e_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth/authtest"
)

// TestInfo: every connection is greeted with a nonce of its own, and a
// signature over another connection's nonce is none (F019, F020).
func TestInfo(t *testing.T) {
	w := newWorld(t).with("max_payload: 2048")
	s := w.serve(t)
	a, b := dial(t, s), dial(t, s)
	require.True(t, a.info.AuthRequired)
	require.True(t, a.info.Headers)
	require.Len(t, a.info.Nonce, 15)
	require.NotEqual(t, a.info.Nonce, b.info.Nonce)
	require.NotEqual(t, a.info.ClientID, b.info.ClientID)
	require.EqualValues(t, 2048, a.info.MaxPayload)
	require.Len(t, a.info.ServerID, 56)

	a.connect(w.admin(), field{"sig", w.admin().sign(b.info.Nonce)})
	a.wantRefused("Authorization Violation")
	b.connect(w.admin())
	b.sync()
}

// TestFirstPing: a client that takes INFO at any time is told with the first
// PONG where it is; one that does not is not.
func TestFirstPing(t *testing.T) {
	w := newWorld(t)
	s := w.serve(t)
	c := dial(t, s)
	c.connect(w.admin(), field{"protocol", 1})
	c.sync()
	i := c.readInfo()
	require.True(t, i.ConnectInfo)
	require.Equal(t, w.app.PublicKey(), i.Account)
	require.False(t, i.System)
	c.sync()

	sys := dial(t, s)
	sys.connect(of(w.sys.User("sys")), field{"protocol", 1})
	sys.sync()
	require.True(t, sys.readInfo().System)

	old := dial(t, s)
	old.connect(w.admin(), field{"protocol", 0})
	old.sync()
	old.sync()
}

// TestAuthTimeout: who does not say who it is has to go (F022); who has said so
// stays.
func TestAuthTimeout(t *testing.T) {
	t.Parallel()
	w := newWorld(t).with("authorization { timeout: 0.5 }")
	s := w.serve(t)
	known := enter(t, s, w.admin())
	silent := dial(t, s)
	silent.wantRefused("Authentication Timeout")
	known.sync()
}

// TestBeforeConnect: nothing is done for a client that has not connected
// (F023), and all of it for one that has.
func TestBeforeConnect(t *testing.T) {
	w := newWorld(t)
	s := w.serve(t)
	for _, op := range []string{"PING\r\n", "PONG\r\n", "SUB > 1\r\n", "UNSUB 1\r\n", "PUB foo 2\r\nhi\r\n", "HPUB foo 12 14\r\nNATS/1.0\r\n\r\nhi\r\n", "+OK\r\n"} {
		t.Run(strings.Fields(op)[0], func(t *testing.T) {
			c := dial(t, s)
			c.send("%s", op)
			c.wantRefused("Authorization Violation")

			c = enter(t, s, w.admin())
			c.send("%s", op)
			lines := c.settle()
			if op == "PING\r\n" {
				require.Empty(t, lines)
				c.want("PONG")
			}
			c.sync()
		})
	}
}

// TestUnknownOperation: what is no operation ends the connection, before
// CONNECT with the one answer that strangers get.
func TestUnknownOperation(t *testing.T) {
	w := newWorld(t)
	s := w.serve(t)
	for _, op := range []string{"XYZ\r\n", "GET / HTTP/1.1\r\n", "\x00\x01\r\n", "\r\n", "PUBLISH a 1\r\n", "SUBS a 1\r\n", "MSGS a\r\n", "RS+ a\r\n", "A+ a\r\n", "LS+ a\r\n", "PIN\r\n"} {
		t.Run(strings.TrimSpace(op), func(t *testing.T) {
			c := dial(t, s)
			c.send("%s", op)
			c.wantRefused("Authorization Violation")

			c = enter(t, s, w.admin())
			c.send("%s", op)
			c.wantRefused("Unknown Protocol Operation")
		})
	}
	t.Run("operations in any letters, with tabs", func(t *testing.T) {
		c := enter(t, s, w.admin())
		c.send("sub\tfoo\t1\r\nPuB  foo  2\r\nhi\r\n")
		c.wantMsg("foo", "1", "", "hi")
		c.send("unSub 1\r\nping\r\n")
		c.want("PONG")
	})
}

// TestBadConnect: a CONNECT that is no JSON object of the right kinds ends the
// connection (F024), and leaves the client a stranger.
func TestBadConnect(t *testing.T) {
	w := newWorld(t)
	s := w.serve(t)
	for _, arg := range []string{"{", "[]", `"jwt"`, "1", `{"verbose":"yes"}`, `{"jwt":1}`, `{"protocol":"one"}`, `{}{}`} {
		t.Run(arg, func(t *testing.T) {
			c := dial(t, s)
			c.send("CONNECT %s\r\nPING\r\n", arg)
			require.NotContains(t, c.rest(), "PONG")
		})
	}
	for _, arg := range []string{"{}", "null", `{"user":"a","pass":"b"}`, `{"jwt":"eyJ"}`, `{"nkey":"U","sig":"x"}`, `{"auth_token":"t"}`} {
		t.Run(arg, func(t *testing.T) {
			c := dial(t, s)
			c.send("CONNECT %s\r\nPING\r\n", arg)
			c.wantRefused("Authorization Violation")
		})
	}
}

// rest is all that still comes, up to the end of the connection.
func (c *raw) rest() string {
	c.t.Helper()
	var b strings.Builder
	for {
		line, err := c.read()
		b.WriteString(line + "\n")
		if err != nil {
			return b.String()
		}
	}
}

// TestConnectOptions: fields of CONNECT, one at a time.
func TestConnectOptions(t *testing.T) {
	w := newWorld(t)
	s := w.serve(t)
	tests := []struct {
		name   string
		fields []field
		want   []string // lines after CONNECT and PING
	}{
		{"nothing unusual", nil, []string{"PONG"}},
		{"an empty account", []field{{"account", ""}, {"new_account", false}}, []string{"PONG"}},
		{"its own account", []field{{"account", w.app.PublicKey()}}, []string{"-ERR 'Authorization Violation'"}},
		{"another account", []field{{"account", w.shop.PublicKey()}}, []string{"-ERR 'Authorization Violation'"}},
		{"a new account", []field{{"new_account", true}}, []string{"-ERR 'Authorization Violation'"}},
		{"protocol 0", []field{{"protocol", 0}}, []string{"PONG"}},
		{"protocol 2", []field{{"protocol", 2}}, []string{"-ERR 'invalid client protocol'"}},
		{"protocol -1", []field{{"protocol", -1}}, []string{"-ERR 'invalid client protocol'"}},
		{"no responders, with headers", []field{{"no_responders", true}}, []string{"PONG"}},
		{"no responders, without headers", []field{{"no_responders", true}, {"headers", false}}, []string{"-ERR 'no responders requires headers support'"}},
		{"verbose", []field{{"verbose", true}}, []string{"+OK", "PONG"}},
		{"verbose is what is not said otherwise", []field{{"verbose", nil}}, []string{"+OK", "PONG"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := dial(t, s)
			c.connect(w.admin(), tt.fields...)
			c.send("PING\r\n")
			c.want(tt.want...)
			if strings.HasPrefix(tt.want[0], "-ERR") {
				c.wantClosed()
			}
		})
	}
}

// TestB16: a second CONNECT of the same user of the same account renews the
// session: it keeps the subscriptions that the new token allows.
func TestB16(t *testing.T) {
	w := newWorld(t)
	s := w.serve(t)
	narrow := of(w.app.User("u", authtest.SubAllow("a.>"), authtest.PubAllow("a.>")))
	wide := user{renamed(t, w.app, "u", authtest.Name("u2")), narrow.pair}

	t.Run("the same token", func(t *testing.T) {
		differs(t, "B16, a renewal keeps subscriptions")
		c := enter(t, s, narrow)
		c.send("SUB a.b 1\r\n")
		c.connect(narrow)
		c.sync()
		c.pub("a.b", "", "hi")
		c.wantMsg("a.b", "1", "", "hi")
		c.pub("z", "", "hi")
		c.wantErr(`Permissions Violation for Publish to "z"`)
	})
	t.Run("a token that allows more", func(t *testing.T) {
		differs(t, "B16, a renewal keeps subscriptions")
		c := enter(t, s, narrow)
		c.send("SUB a.b 1\r\nSUB z 2\r\n")
		c.wantErr(`Permissions Violation for Subscription to "z"`)
		c.connect(wide)
		c.send("SUB z 2\r\n")
		c.sync()
		c.pub("a.b", "", "one")
		c.wantMsg("a.b", "1", "", "one")
		c.pub("z", "", "two")
		c.wantMsg("z", "2", "", "two")
	})
	t.Run("a token that allows less", func(t *testing.T) {
		differs(t, "B16, a renewal keeps subscriptions")
		c := enter(t, s, wide)
		c.send("SUB a.b 1\r\nSUB z 2\r\n")
		c.sync()
		c.connect(narrow)
		c.wantErr(`Permissions Violation for Subscription to "z" (sid "2")`)
		c.sync()
		peer := enter(t, s, w.admin())
		peer.pub("z", "", "not for you")
		peer.pub("a.b", "", "for you")
		c.wantMsg("a.b", "1", "", "for you")
	})
	t.Run("a refused renewal leaves what was", func(t *testing.T) {
		differs(t, "B16, a refused renewal ends nothing")
		c := enter(t, s, narrow)
		c.send("SUB a.b 1\r\n")
		c.connect(narrow, field{"sig", w.admin().sign(c.info.Nonce)})
		c.wantErr("Authorization Violation")
		c.sync()
		c.pub("a.b", "", "hi")
		c.wantMsg("a.b", "1", "", "hi")
	})
}

// renamed is a token of another content for the keys of a user of that name.
func renamed(t *testing.T, a *authtest.Account, name string, opts ...authtest.Option) string {
	t.Helper()
	twin := authtest.NewOperator(t, authtest.SystemAccount("SYS")).Account("APP")
	require.Equal(t, a.PublicKey(), twin.PublicKey())
	return twin.User(name, opts...).Token()
}

// TestSecondConnect: a second CONNECT of somebody else is a new client: no
// subscription stays, and a refusal ends the connection (F025).
func TestSecondConnect(t *testing.T) {
	w := newWorld(t)
	s := w.serve(t)
	shopper := of(w.shop.User("shopper"))
	tests := []struct {
		name string
		next user
		pub  user // who publishes after that
		want bool // whether a new subscription gets it
	}{
		{"another user of the account", of(w.app.User("other")), w.admin(), true},
		{"a user of another account, its new home", shopper, shopper, true},
		{"a user of another account, its old home", shopper, w.admin(), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := enter(t, s, w.admin())
			c.send("SUB foo old\r\n")
			c.connect(tt.next)
			c.send("SUB foo new\r\n")
			c.sync()
			peer := enter(t, s, tt.pub)
			peer.pub("foo", "", "hi")
			peer.sync()
			if tt.want {
				c.wantMsg("foo", "new", "", "hi")
			}
			c.sync()
		})
	}
	t.Run("refused", func(t *testing.T) {
		c := enter(t, s, w.admin())
		c.send("SUB foo old\r\n")
		c.connect(shopper, field{"sig", w.admin().sign(c.info.Nonce)})
		c.wantRefused("Authorization Violation")
	})
}

// TestAccountConnections: an account has its connections and no more (F049); one
// that is gone makes room.
func TestAccountConnections(t *testing.T) {
	w := newWorld(t, authtest.MaxConnections(2))
	s := w.serve(t)
	first := enter(t, s, w.admin())
	enter(t, s, w.admin())
	third := dial(t, s)
	third.connect(w.admin())
	third.wantRefused("maximum account active connections exceeded")
	enter(t, s, of(w.shop.User("elsewhere")))

	first.conn.Close()
	waitFor(t, "room for another", func() bool { return room(t, s, w.admin()) })
}

// TestMaxConnections: the broker takes so many clients and no more.
func TestMaxConnections(t *testing.T) {
	w := newWorld(t).with("max_connections: 3")
	s := w.serve(t)
	for range 3 {
		enter(t, s, w.admin())
	}
	c := dialBare(t, s)
	lines := c.rest()
	require.Contains(t, lines, "-ERR 'maximum connections exceeded'")
}

// TestExpiry: a session ends when its user's token does (F048), and only then.
// The system account hears why.
func TestExpiry(t *testing.T) {
	t.Parallel()
	w, s, sys := sysWorld(t)
	short := of(w.app.User("short", authtest.Expires(time.Now().Add(3*time.Second))))
	c := enter(t, s, short)
	stays := enter(t, s, of(w.app.User("long", authtest.Expires(time.Now().Add(time.Hour)))))
	c.wantRefused("User Authentication Expired")
	stays.sync()
	a := sys.next("$SYS.ACCOUNT."+w.app.PublicKey()+".DISCONNECT", func(a advisory) bool { return a.Client.ID == c.info.ClientID })
	require.Equal(t, "Authentication Expired", a.Reason)
	if !reference() {
		require.Equal(t, "user_expired", a.AuthReason)
	}
	t.Run("and does not begin again", func(t *testing.T) {
		differs(t, "B11, a token is not valid in the second of its expiry")
		c := dial(t, s)
		c.connect(short)
		c.wantRefused("Authorization Violation")
	})
}
