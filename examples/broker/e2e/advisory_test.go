package e2e_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth/authtest"
)

// advisory is what the system account is told of clients.
type advisory struct {
	Type      string    `json:"type"`
	ID        string    `json:"id"`
	Timestamp time.Time `json:"timestamp"`
	Server    struct {
		Name string `json:"name"`
		ID   string `json:"id"`
	} `json:"server"`
	Client struct {
		Start   time.Time `json:"start"`
		Stop    time.Time `json:"stop"`
		Host    string    `json:"host"`
		ID      uint64    `json:"id"`
		Account string    `json:"acc"`
		User    string    `json:"user"`
		Name    string    `json:"name"`
		Lang    string    `json:"lang"`
		Kind    string    `json:"kind"`
	} `json:"client"`
	Reason     string `json:"reason"`
	AuthReason string `json:"auth_reason"` // of the library
	AuthStep   string `json:"auth_step"`   // where in the list of steps
}

// listener hears advisories, and keeps the text of all of them.
type listener struct {
	t   *testing.T
	nc  *nats.Conn
	sub *nats.Subscription
	all []string
}

func listen(t *testing.T, s *server, u user, subject string) *listener {
	t.Helper()
	nc := dialNATS(t, s, u)
	sub, err := nc.SubscribeSync(subject)
	require.NoError(t, err)
	require.NoError(t, nc.Flush())
	return &listener{t: t, nc: nc, sub: sub}
}

// next waits for an advisory on a subject that satisfies a condition, and passes
// over others.
func (l *listener) next(subject string, is func(advisory) bool) advisory {
	l.t.Helper()
	for {
		m, err := l.sub.NextMsg(patience)
		require.NoError(l.t, err, subject)
		l.all = append(l.all, m.Subject+" "+string(m.Data))
		var a advisory
		if m.Subject == subject && json.Unmarshal(m.Data, &a) == nil && is(a) {
			return a
		}
	}
}

func (l *listener) serverID() string { return l.nc.ConnectedServerId() }

func named(name string) func(advisory) bool {
	return func(a advisory) bool { return a.Client.Name == name }
}

// sysWorld has a system account that listens.
func sysWorld(t *testing.T, opts ...authtest.Option) (*world, *server, *listener) {
	t.Helper()
	w := newWorld(t, opts...)
	s := w.serve(t)
	return w, s, listen(t, s, of(w.sys.User("sys")), "$SYS.>")
}

// TestAdvisories: the system account hears who comes and goes.
func TestAdvisories(t *testing.T) {
	w, s, sys := sysWorld(t)
	u := w.app.User("u")
	c := enter(t, s, of(u), field{"name", "guest"})
	begin := "$SYS.ACCOUNT." + w.app.PublicKey()

	a := sys.next(begin+".CONNECT", named("guest"))
	require.Equal(t, "io.nats.server.advisory.v1.client_connect", a.Type)
	require.NotEmpty(t, a.ID)
	require.Equal(t, sys.serverID(), a.Server.ID)
	require.Equal(t, w.app.PublicKey(), a.Client.Account)
	require.Equal(t, u.PublicKey(), a.Client.User)
	require.Equal(t, c.info.ClientID, a.Client.ID)
	require.Equal(t, "127.0.0.1", a.Client.Host)
	require.Equal(t, "e2e", a.Client.Lang)
	require.Equal(t, "Client", a.Client.Kind)
	require.WithinDuration(t, time.Now(), a.Client.Start, time.Hour)

	c.conn.Close()
	a = sys.next(begin+".DISCONNECT", named("guest"))
	require.Equal(t, "io.nats.server.advisory.v1.client_disconnect", a.Type)
	require.Equal(t, c.info.ClientID, a.Client.ID)
	require.Equal(t, "Client Closed", a.Reason)
	require.False(t, a.Client.Stop.Before(a.Client.Start))
}

// TestAuthError: the system account hears of every refusal, with the reason that
// the client is not told. Possession comes before the account is looked up (B7).
func TestAuthError(t *testing.T) {
	w, s, sys := sysWorld(t, authtest.Revoke("revoked", time.Now()), authtest.DisallowBearer())
	stranger := authtest.NewOperator(t, authtest.From("elsewhere")).Account("X").User("u")
	good := of(w.app.User("u"))
	tests := []struct {
		name   string
		u      user
		fields []field
		reason string
	}{
		{"no token", user{}, nil, "token_missing"},
		{"no token at all", user{token: "eyJub25lIjoxfQ"}, nil, "token_malformed"},
		{"an account's token", user{w.app.Token(), good.pair}, nil, "token_kind"},
		{"expired", of(w.app.User("old", authtest.Expires(authtest.Now()))), nil, "user_expired"},
		{"revoked", of(w.app.User("revoked")), nil, "user_revoked"},
		{"bearer", of(w.app.User("bearer", authtest.Bearer())), nil, "bearer_disallowed"},
		{"elsewhere", of(w.app.User("far", authtest.Sources("10.0.0.0/8"))), nil, "source_disallowed"},
		{"unsigned", good, []field{{"sig", nil}}, "signature_missing"},
		{"signed by another", good, []field{{"sig", of(stranger).sign("not the nonce")}}, "signature_wrong"},
		{"an unknown account", of(stranger), nil, "account_not_found"},
		{"an unknown account, signed by another (B7)", of(stranger), []field{{"sig", good.sign("not the nonce")}}, "signature_wrong"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := dial(t, s)
			c.connect(tt.u, append(tt.fields, field{"name", tt.name})...)
			c.wantRefused("Authorization Violation")
			a := sys.next("$SYS.SERVER."+sys.serverID()+".CLIENT.AUTH.ERR", named(tt.name))
			require.Equal(t, "io.nats.server.advisory.v1.client_disconnect", a.Type)
			require.Equal(t, "Authentication Failure", a.Reason)
			require.Equal(t, c.info.ClientID, a.Client.ID)
			if !reference() {
				require.Equal(t, tt.reason, a.AuthReason)
				require.NotEmpty(t, a.AuthStep)
			}
		})
	}
	enter(t, s, good, field{"name", "welcome"})
	sys.next("$SYS.ACCOUNT."+w.app.PublicKey()+".CONNECT", named("welcome"))
	require.NotContains(t, strings.Join(sys.all, "\n"), `"name":"welcome","auth_reason"`)
}

// TestAuthErrorInAccount: the account that a refused user names is told too, and
// no other account is; its own users need the right to hear it.
func TestAuthErrorInAccount(t *testing.T) {
	differs(t, "the account is told whenever it is known")
	const subject = "$SYS.ACCOUNT.CLIENT.AUTH.ERR"
	w, s, _ := sysWorld(t, authtest.Revoke("revoked", time.Now()))
	app := listen(t, s, w.admin(), subject)
	shop := listen(t, s, of(w.shop.User("shopper")), subject)

	c := dial(t, s)
	c.connect(of(w.app.User("revoked")), field{"name", "gone"})
	c.wantRefused("Authorization Violation")
	a := app.next(subject, named("gone"))
	require.Equal(t, "user_revoked", a.AuthReason)
	require.Equal(t, w.app.PublicKey(), a.Client.Account)
	require.NoError(t, shop.nc.Flush())
	n, _, err := shop.sub.Pending()
	require.NoError(t, err)
	require.Zero(t, n)

	poor := enter(t, s, of(w.app.User("poor", authtest.SubAllow("a.>"))))
	poor.send("SUB %s 1\r\n", subject)
	poor.wantErr(`Permissions Violation for Subscription to "` + subject + `"`)
	poor.sync()
}

// TestNoSecretTold: nobody hears a token, a seed or a signature, neither in the
// advisories nor in the log.
func TestNoSecretTold(t *testing.T) {
	differs(t, "B8, no token in what is told")
	w, s, sys := sysWorld(t, authtest.Revoke("revoked", time.Now()))
	all := listen(t, s, w.admin(), ">")
	users := []user{w.admin(), of(w.app.User("revoked")), of(w.app.User("old", authtest.Expires(authtest.Now()))), of(w.shop.User("shopper"))}
	var secrets []string
	for _, u := range users {
		c := dial(t, s)
		sig := u.sign(c.info.Nonce)
		c.connect(u, field{"name", "somebody"}, field{"pass", "pa55word"}, field{"auth_token", "t0ken"}, field{"sig", sig})
		c.settleOrEnd()
		c.conn.Close()
		seed, err := u.pair.Seed()
		require.NoError(t, err)
		secrets = append(secrets, sig, string(seed), "pa55word", "t0ken")
		secrets = append(secrets, strings.Split(u.token, ".")[1:]...)
	}
	c := enter(t, s, w.admin(), field{"name", "last"})
	c.conn.Close()
	sys.next("$SYS.ACCOUNT."+w.app.PublicKey()+".DISCONNECT", named("last"))
	c = dial(t, s)
	c.connect(users[1], field{"name", "last"})
	all.next("$SYS.ACCOUNT.CLIENT.AUTH.ERR", named("last"))
	require.NotEmpty(t, s.log.String())
	told := strings.Join(append(sys.all, all.all...), "\n") + s.log.String()
	for _, secret := range secrets {
		require.False(t, strings.Contains(told, secret), "a secret of %d characters", len(secret))
	}
}

// settleOrEnd waits until the broker has judged a CONNECT.
func (c *raw) settleOrEnd() {
	c.t.Helper()
	c.send("PING\r\n")
	for {
		if line, err := c.read(); err != nil || line == "PONG" {
			return
		}
	}
}
