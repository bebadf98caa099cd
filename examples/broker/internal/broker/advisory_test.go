package broker_test

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth/authtest"
	"github.com/natsauth/natsauth/examples/broker/internal/broker"
)

// watch is a client of the system account that hears everything.
func watch(t *testing.T, w *world, subject string) *client {
	t.Helper()
	c := enter(t, w.addr, w.admin)
	c.send("SUB " + subject + " 1\r\n")
	c.sync()
	return c
}

// TestConnectAdvisory: the system account hears who comes and who goes.
func TestConnectAdvisory(t *testing.T) {
	w := newWorld(t, nil)
	come, gone := watch(t, w, "$SYS.ACCOUNT.*.CONNECT"), watch(t, w, "$SYS.ACCOUNT.*.DISCONNECT")
	subject, _ := come.message() // of the second watcher
	require.Equal(t, "$SYS.ACCOUNT."+w.sys.PublicKey()+".CONNECT", subject)

	c := enter(t, w.addr, w.alice, `"name":"me"`, `"lang":"go"`, `"version":"1"`)
	c.send("SUB a 1\r\nPUB a 2\r\nhi\r\n")
	c.sync()
	subject, m := come.message()
	require.Equal(t, "$SYS.ACCOUNT."+w.a.PublicKey()+".CONNECT", subject)
	require.Equal(t, "io.nats.server.advisory.v1.client_connect", m["type"])
	require.NotEmpty(t, m["id"])
	stamp(t, m["timestamp"])
	require.Equal(t, w.server.ID(), m["server"].(map[string]any)["id"])
	for _, key := range []string{"name", "host", "ver", "seq", "time"} {
		require.Contains(t, m["server"], key)
	}
	who := m["client"].(map[string]any)
	for key, want := range map[string]any{
		"host": "127.0.0.1", "acc": w.a.PublicKey(), "user": w.alice.PublicKey(), "name": "me", "lang": "go", "ver": "1",
		"issuer_key": w.a.PublicKey(), "name_tag": "A", "kind": "Client", "client_type": "nats", "id": 3.0,
	} {
		require.Equal(t, want, who[key], key)
	}
	stamp(t, who["start"])
	require.NotContains(t, m, "auth_reason")

	require.NoError(t, c.nc.Close())
	subject, m = gone.message()
	require.Equal(t, "$SYS.ACCOUNT."+w.a.PublicKey()+".DISCONNECT", subject)
	require.Equal(t, "io.nats.server.advisory.v1.client_disconnect", m["type"])
	require.Equal(t, "Client Closed", m["reason"])
	one := map[string]any{"msgs": 1.0, "bytes": 2.0}
	require.Equal(t, one, m["sent"])
	require.Equal(t, one, m["received"])
	stamp(t, m["client"].(map[string]any)["stop"])
	require.NotContains(t, m, "auth_reason", "nothing was decided")
}

func stamp(t *testing.T, v any) {
	t.Helper()
	_, err := time.Parse(time.RFC3339Nano, v.(string))
	require.NoError(t, err)
}

// TestRefusalAdvisory: the system account hears of every refusal, with our
// reason; the account hears of those that it has issued, and of no stranger's.
func TestRefusalAdvisory(t *testing.T) {
	o := authtest.NewOperator(t)
	a := o.Account("A", authtest.Revoke("eve", authtest.Now()))
	b := o.Account("B", authtest.SigningKey("foreign"))
	sys := o.Account("SYS")
	w := &world{operator: o, a: a, b: b, sys: sys, admin: sys.User("admin")}
	w.server, w.addr = serve(t, o, []*authtest.Account{a, b, sys}, func(o *broker.Options) { o.SystemAccount = sys.PublicKey() })
	system := watch(t, w, "$SYS.SERVER."+w.server.ID()+".CLIENT.AUTH.ERR")
	inside := enter(t, w.addr, a.User("owner"))
	inside.send("SUB $SYS.ACCOUNT.CLIENT.AUTH.ERR 1\r\n")
	inside.sync()
	forged := func() *authtest.User { // of A, by its own word, and signed by B
		return b.User("mallory", authtest.Raw(func(c map[string]any) {
			c["nats"].(map[string]any)["issuer_account"] = a.PublicKey()
		}))
	}
	for _, tt := range []struct {
		name         string
		user         *authtest.User
		spoil        bool
		reason, step string
		inside       bool
	}{
		{"a revoked user", a.User("eve"), false, "user_revoked", "revocation", true},
		{"a wrong signature", a.User("u"), true, "signature_wrong", "possession", false},
		{"a stranger", forged(), false, "signer_unknown", "signer", false},
		{"nobody", nil, false, "token_missing", "token", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := dial(t, w.addr)
			if tt.spoil {
				c.nonce += "x"
			}
			if tt.user == nil {
				c.send("CONNECT {}\r\n")
			} else {
				c.connect(tt.user)
			}
			require.Equal(t, []string{violation}, c.ends())
			subject, m := system.message()
			require.Equal(t, "$SYS.SERVER."+w.server.ID()+".CLIENT.AUTH.ERR", subject)
			require.Equal(t, "io.nats.server.advisory.v1.client_disconnect", m["type"])
			require.Equal(t, "Authentication Failure", m["reason"])
			require.Equal(t, tt.reason, m["auth_reason"])
			require.Equal(t, tt.step, m["auth_step"])
			noSecret(t, m, tt.user, c.nonce)
			got := inside.sync()
			require.Equal(t, tt.inside, len(got) == 1, got)
		})
	}
	early := dial(t, w.addr)
	early.send("PING\r\n")
	early.ends()
	_, m := system.message()
	require.NotContains(t, m, "auth_reason", "there was nothing to decide")
}

// noSecret fails if an advisory holds a token, a seed or a signature.
func noSecret(t *testing.T, m map[string]any, u *authtest.User, nonce string) {
	t.Helper()
	text, err := json.Marshal(m)
	require.NoError(t, err)
	secrets := []string{"eyJ", "SUA", "SAA", "SOA"}
	if u != nil {
		secrets = append(secrets, strings.Split(u.Token(), ".")...)
		secrets = append(secrets, authtest.SignNonce(u.Key(), nonce))
	}
	for _, s := range secrets {
		require.NotContains(t, string(text), s)
	}
}

// TestCounts: servers tell each other how many connections of an account they
// have, and its limit is one for all of them (F051).
func TestCounts(t *testing.T) {
	o := authtest.NewOperator(t)
	a, sys := o.Account("A", authtest.MaxConnections(3)), o.Account("SYS")
	unheard := o.Account("B", authtest.MaxConnections(1))
	w := &world{sys: sys, admin: sys.User("admin")}
	w.server, w.addr = serve(t, o, []*authtest.Account{a, unheard, sys}, func(o *broker.Options) { o.SystemAccount = sys.PublicKey() })
	heard := watch(t, w, "$SYS.ACCOUNT."+a.PublicKey()+".SERVER.CONNS")
	first, second := enter(t, w.addr, a.User("u")), enter(t, w.addr, a.User("u"))
	for want := 1.0; want <= 2; want++ {
		_, m := heard.message()
		require.Equal(t, want, m["conns"])
		require.Equal(t, a.PublicKey(), m["acc"])
		require.Equal(t, "io.nats.server.advisory.v1.account_connections", m["type"])
	}
	other := enter(t, w.addr, sys.User("admin"))
	tell := func(c *client, server, subject string, conns int) {
		body := fmt.Sprintf(`{"server":{"id":%q},"acc":%q,"conns":%d}`, server, a.PublicKey(), conns)
		c.send(fmt.Sprintf("PUB %s %d\r\n%s\r\n", subject, len(body), body))
		require.Empty(t, c.sync())
	}
	subject := "$SYS.SERVER.ACCOUNT." + a.PublicKey() + ".CONNS"
	refused := func() bool {
		c := dial(t, w.addr)
		c.connect(a.User("u"))
		c.send("PING\r\n")
		text := c.line()
		c.nc.Close()
		return text == "-ERR 'maximum account active connections exceeded'"
	}
	tell(other, "N1", subject, 1)
	require.True(t, refused(), "three in all")
	tell(other, w.server.ID(), subject, 9)
	tell(first, "N2", subject, 9)
	require.Empty(t, second.sync(), "our own count, or one from another account, was believed")
	tell(other, "N1", "$SYS.ACCOUNT."+a.PublicKey()+".SERVER.CONNS", 2)
	require.Equal(t, []string{"-ERR 'maximum account active connections exceeded'"}, second.ends(), "the newest goes")
	require.Empty(t, first.sync())
	tell(other, "N1", subject, 0)
	require.False(t, refused())
	tell(other, "N1", "$SYS.SERVER.ACCOUNT.CONNS", 9)
	require.Empty(t, first.sync())

	body := fmt.Sprintf(`{"server":{"id":"N1"},"acc":%q,"conns":1}`, unheard.PublicKey())
	other.send(fmt.Sprintf("PUB %s %d\r\n%s\r\n", subject, len(body), body))
	require.Empty(t, other.sync())
	enter(t, w.addr, unheard.User("u")) // the account was not in force: its count was not kept
}

// TestUserInfo: everybody may ask who they are (F069).
func TestUserInfo(t *testing.T) {
	w := newWorld(t, nil)
	end := authtest.Now().Add(time.Hour)
	ask := "SUB me 1\r\nPUB $SYS.REQ.USER.INFO me 0\r\n\r\n"
	answer := func(u *authtest.User) map[string]any {
		c := enter(t, w.addr, u)
		c.send(ask)
		_, m := c.message()
		require.Equal(t, w.server.ID(), m["server"].(map[string]any)["id"])
		return m["data"].(map[string]any)
	}
	plain := answer(w.alice)
	require.Equal(t, map[string]any{
		"user": w.alice.PublicKey(), "account": w.a.PublicKey(), "account_name": "A", "user_name": "alice",
	}, plain)
	require.Equal(t, w.admin.PublicKey(), answer(w.admin)["user"], "in the system account too")

	limited := answer(w.a.User("limited", authtest.Expires(end), authtest.PubAllow("$SYS.REQ.USER.INFO", "a.>.b"),
		authtest.SubAllow("me", "b q"), authtest.SubDeny("c"), authtest.Responses(0, 0)))
	require.Equal(t, map[string]any{
		"publish":   map[string]any{"allow": []any{"$SYS.REQ.USER.INFO"}},
		"subscribe": map[string]any{"allow": []any{"b q", "me"}, "deny": []any{"c"}},
		"responses": map[string]any{"max": 1.0, "ttl": float64(2 * time.Minute)},
	}, limited["permissions"])
	require.Contains(t, limited, "expires")

	c := enter(t, w.addr, w.a.User("mute", authtest.PubDeny("$SYS.>")))
	c.send(ask)
	require.Equal(t, []string{`-ERR 'Permissions Violation for Publish to "$SYS.REQ.USER.INFO"'`}, c.sync())
	c = enter(t, w.addr, w.alice)
	c.send("SUB > 1\r\nPUB $SYS.REQ.USER.INFO 0\r\n\r\n")
	require.Equal(t, []string{"MSG $SYS.REQ.USER.INFO 1 0|"}, c.sync(), "nobody is answered who does not say where")
}

// TestUserEnd: what is told is when the user's own token ends, whether or not the
// account's ends before.
func TestUserEnd(t *testing.T) {
	now := time.Now()
	in := func(d time.Duration) authtest.Option { return authtest.Expires(now.Add(d)) }
	for name, tt := range map[string]struct {
		account, user []authtest.Option
		want          time.Duration
	}{
		"neither":          {nil, nil, 0},
		"the user":         {nil, []authtest.Option{in(time.Hour)}, time.Hour},
		"the account":      {[]authtest.Option{in(time.Hour)}, nil, 0},
		"the user first":   {[]authtest.Option{in(2 * time.Hour)}, []authtest.Option{in(time.Hour)}, time.Hour},
		"the user last":    {[]authtest.Option{in(time.Hour)}, []authtest.Option{in(2 * time.Hour)}, 2 * time.Hour},
		"both at one time": {[]authtest.Option{in(time.Hour)}, []authtest.Option{in(time.Hour)}, time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			o := authtest.NewOperator(t)
			a := o.Account("A", tt.account...)
			_, addr := serve(t, o, []*authtest.Account{a}, nil)
			c := enter(t, addr, a.User("u", tt.user...))
			c.send("SUB me 1\r\nPUB $SYS.REQ.USER.INFO me 0\r\n\r\n")
			_, m := c.message()
			got, told := m["data"].(map[string]any)["expires"].(float64)
			require.Equal(t, tt.want != 0, told)
			require.InDelta(t, float64(tt.want), got, float64(10*time.Minute))
		})
	}
}

// TestSlowConsumer: a client that does not read is let go, and the one beside it
// that does gets every message.
func TestSlowConsumer(t *testing.T) {
	w := newWorld(t, func(o *broker.Options) { o.MaxPending, o.MaxPayload, o.WriteDeadline = 256<<10, 64<<10, time.Hour })
	slow, fast := enter(t, w.addr, w.alice), enter(t, w.addr, w.alice)
	for _, c := range []*client{slow, fast} {
		c.send("SUB flood 1\r\n")
		c.sync()
	}
	gone := watch(t, w, "$SYS.ACCOUNT."+w.a.PublicKey()+".DISCONNECT")
	writer := enter(t, w.addr, w.alice)
	line := "PUB flood 65536\r\n" + strings.Repeat("x", 65536) + "\r\n"
	const messages = 400 // 25 MiB: more than the kernel takes for the slow one
	for range messages {
		writer.send(line)
		writer.sync() // the fast one is never behind by more than one
		require.Len(t, fast.until("MSG flood 1 65536"), 0)
		_, err := io.CopyN(io.Discard, fast.in, 65538)
		require.NoError(t, err)
	}
	_, m := gone.message()
	require.Equal(t, "Slow Consumer (Pending Bytes)", m["reason"])
	require.Empty(t, fast.sync())
}
