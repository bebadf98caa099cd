package e2e_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth/authtest"
)

// hangup has the broker read its configuration again, and gives the line in which
// it says what came of it; the reference says nothing.
func (s *server) hangup() string {
	s.t.Helper()
	if runtime.GOOS == "windows" {
		s.t.Skip("windows has no SIGHUP")
	}
	if reference() {
		require.NoError(s.t, s.again())
		return ""
	}
	before := len(s.reloads())
	require.NoError(s.t, s.again())
	waitFor(s.t, "a line about the reload", func() bool { return len(s.reloads()) > before })
	return s.reloads()[before]
}

// reloads are the lines about reloads so far.
func (s *server) reloads() []string {
	var out []string
	for _, line := range s.log.lines() {
		if strings.Contains(line, "msg=reloaded ") || strings.Contains(line, `msg="not reloaded"`) {
			out = append(out, line)
		}
	}
	return out
}

// rewrite puts another configuration into the file.
func (s *server) rewrite(config string) {
	s.t.Helper()
	require.NoError(s.t, os.WriteFile(s.config, []byte(config), 0o600))
}

// reload has the broker go by another configuration, which it must take, and
// gives the line about it.
func (s *server) reload(config string) string {
	s.t.Helper()
	s.rewrite(config)
	line := s.hangup()
	require.NotContains(s.t, line, "not reloaded")
	return line
}

// wantLine asserts what a line about a reload counts, where there is one.
func wantLine(t *testing.T, line string, counts ...string) {
	t.Helper()
	for _, count := range counts {
		if !reference() {
			require.Contains(t, line+" ", " "+count+" ")
		}
	}
}

// member is a client of nats.go that keeps what it is told.
type member struct {
	t      *testing.T
	nc     *nats.Conn
	errs   chan error
	closed chan struct{}
}

// join connects a client that does not come back.
func join(t *testing.T, s *server, u user) *member {
	t.Helper()
	m := &member{t: t, errs: make(chan error, 100), closed: make(chan struct{})}
	m.nc = dialNATS(t, s, u, nats.NoReconnect(),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { m.errs <- err }),
		nats.ClosedHandler(func(*nats.Conn) { close(m.closed) }))
	return m
}

// wantEnd asserts that the connection is ended, and what the client is told
// before, as nats.go names it.
func (m *member) wantEnd(text string) {
	m.t.Helper()
	select {
	case <-m.closed:
	case <-time.After(patience):
		require.Fail(m.t, "the broker keeps the connection open")
	}
	told := []error{m.nc.LastError()}
	for len(m.errs) > 0 {
		told = append(told, <-m.errs)
	}
	for _, err := range told {
		if known := inNATS[text]; known != nil && errors.Is(err, known) || err != nil && strings.Contains(strings.ToLower(err.Error()), strings.ToLower(text)) {
			return
		}
	}
	require.Fail(m.t, "the client was not told", "%q, but %q", text, told)
}

// inNATS are the texts for which nats.go has words of its own.
var inNATS = map[string]error{
	"User Authentication Revoked":                 nats.ErrAuthRevoked,
	"User Authentication Expired":                 nats.ErrAuthExpired,
	"Account Authentication Expired":              nats.ErrAccountAuthExpired,
	"maximum account active connections exceeded": nats.ErrMaxAccountConnectionsExceeded,
	"maximum subscriptions exceeded":              nats.ErrMaxSubscriptionsExceeded,
}

// couple is a client of the raw protocol and one of nats.go that talk to each
// other, on subjects of their own.
type couple struct {
	raw         *raw
	nats        *member
	there, back string
	answers     *nats.Subscription // to back
}

// together lets both in.
func together(t *testing.T, s *server, u user) *couple {
	t.Helper()
	c := &couple{raw: enter(t, s, u), nats: join(t, s, u)}
	c.there, c.back = fmt.Sprintf("there.%d", c.raw.info.ClientID), fmt.Sprintf("back.%d", c.raw.info.ClientID)
	c.raw.send("SUB %s 1\r\n", c.there)
	c.raw.sync()
	var err error
	c.answers, err = c.nats.nc.SubscribeSync(c.back)
	require.NoError(t, err)
	require.NoError(t, c.nats.nc.Flush())
	return c
}

// talk asserts that both are connected, hear each other, and were told nothing
// else.
func (c *couple) talk() {
	c.raw.t.Helper()
	require.NoError(c.raw.t, c.nats.nc.Publish(c.there, []byte("hi")))
	c.raw.wantMsg(c.there, "1", "", "hi")
	c.raw.pub(c.back, "", "ho")
	m, err := c.answers.NextMsg(patience)
	require.NoError(c.raw.t, err)
	require.Equal(c.raw.t, "ho", string(m.Data))
	c.raw.sync()
	require.Empty(c.raw.t, c.nats.errs)
}

// wantEnd asserts that both are told the text, and that their connections end.
// The reference may tell it more than once.
func (c *couple) wantEnd(text string) {
	c.raw.t.Helper()
	if reference() {
		for line := range strings.FieldsFuncSeq(c.raw.rest(), func(r rune) bool { return r == '\n' }) {
			require.Equal(c.raw.t, "-ERR '"+text+"'", line)
		}
	} else {
		c.raw.wantRefused(text)
	}
	c.nats.wantEnd(text)
}

// wantSilentEnd asserts that both connections end without a word, as those do that
// the reference ends for their signing key.
func (c *couple) wantSilentEnd() {
	c.raw.t.Helper()
	c.raw.wantClosed()
	c.nats.wantEnd("EOF")
}

// signingKey is the public part of APP's signing key of that name.
func signingKey(t *testing.T, name string) string {
	t.Helper()
	key, err := authtest.Key(nkeys.PrefixByteAccount, "O/APP#"+name).PublicKey()
	require.NoError(t, err)
	return key
}

// editScope changes APP's scope of that name.
func editScope(t *testing.T, name string, f func(*jwt.UserScope)) authtest.Option {
	key := signingKey(t, name)
	return authtest.Edit(func(c *jwt.AccountClaims) { f(c.SigningKeys[key].(*jwt.UserScope)) })
}

type options []authtest.Option

// TestEvictions: a change of APP's token in the file ends those whom it concerns,
// who are told why, and nobody else (F097 to F100). Each row has its
// twin: a change one field away that ends nobody.
func TestEvictions(t *testing.T) {
	issued := authtest.Now().Add(-time.Hour)
	dropKey := func(name string) authtest.Option {
		key := signingKey(t, name)
		return authtest.Edit(func(c *jwt.AccountClaims) { delete(c.SigningKeys, key) })
	}
	later := options{authtest.IssuedAt(issued.Add(time.Minute))}
	tests := []struct {
		name      string
		app       options // APP before
		one, rest options // the user whom it concerns, the others
		change    options // of APP
		twin      options // of APP, which ends nobody
		want      string
		silent    bool   // the reference says nothing: ours tells why (B15)
		after     string // a new connect is told; empty: it is let in
	}{
		{
			name:   "a user revoked by key",
			change: options{authtest.Revoke("one", issued)}, twin: options{authtest.Revoke("one", issued.Add(-time.Second))},
			want: "User Authentication Revoked", after: "Authorization Violation",
		},
		{
			name: "all users of a time revoked", rest: later,
			change: options{authtest.Revoke("*", issued)}, twin: options{authtest.Revoke("*", issued.Add(-time.Second))},
			want: "User Authentication Revoked", after: "Authorization Violation",
		},
		{
			name: "a signing key removed", app: options{authtest.SigningKey("a"), authtest.SigningKey("b"), authtest.SigningKey("c")},
			one: options{authtest.SignedBy("a")}, rest: options{authtest.SignedBy("b")},
			change: options{dropKey("a")}, twin: options{dropKey("c")},
			want: "Authorization Violation", silent: true, after: "Authorization Violation",
		},
		{
			name: "a scope changed", app: options{
				authtest.Scope("a", authtest.PubAllow(">"), authtest.SubAllow(">")),
				authtest.Scope("b", authtest.PubAllow(">"), authtest.SubAllow(">")),
				authtest.Scope("c"),
			},
			one: options{authtest.SignedBy("a")}, rest: options{authtest.SignedBy("b")},
			change: options{editScope(t, "a", func(s *jwt.UserScope) { s.Template.Pub.Deny.Add("x") })},
			twin:   options{editScope(t, "c", func(s *jwt.UserScope) { s.Template.Pub.Deny.Add("x") })},
			want:   "Authorization Violation", silent: true,
		},
		{
			name: "bearers disallowed", one: options{authtest.Bearer()},
			change: options{authtest.DisallowBearer()}, twin: options{authtest.Tags("another")},
			want: "Authorization Violation", after: "Authorization Violation",
		},
		{
			name:   "fewer connections", // the newest go
			change: options{authtest.MaxConnections(2)}, twin: options{authtest.MaxConnections(4)},
			want: "maximum account active connections exceeded", after: "maximum account active connections exceeded",
		},
		{
			name:   "fewer subscriptions", // one has three, the others have one
			change: options{authtest.Limits(2, -1)}, twin: options{authtest.Limits(4, -1)},
			want: "maximum subscriptions exceeded",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, tt.app...)
			s := w.serve(t)
			one := of(w.app.User("one", tt.one...))
			rest, shop := together(t, s, of(w.app.User("rest", tt.rest...))), together(t, s, of(w.shop.User("shop")))
			concerned := together(t, s, one)
			concerned.widen(2)

			base := w.app
			w.app = base.Renew(tt.twin...)
			wantLine(t, s.reload(w.config()), "closed=0")
			for _, c := range []*couple{concerned, rest, shop} {
				c.talk()
			}

			w.app = base.Renew(append(tt.change, authtest.IssuedAt(issued.Add(2*time.Second)))...)
			wantLine(t, s.reload(w.config()), "refused=0", "removed=0")
			if reference() && tt.silent {
				concerned.wantSilentEnd()
			} else {
				concerned.wantEnd(tt.want)
			}
			rest.talk()
			shop.talk()
			c := dial(t, s)
			c.connect(one)
			if tt.after == "" {
				c.sync()
				return
			}
			c.wantRefused(tt.after)
		})
	}
}

// widen has each subscribe to more subjects.
func (c *couple) widen(n int) {
	c.raw.t.Helper()
	for i := range n {
		c.raw.send("SUB more.%d m%d\r\n", i, i)
		_, err := c.nats.nc.SubscribeSync(fmt.Sprintf("more.%d", i))
		require.NoError(c.raw.t, err)
	}
	c.raw.sync()
	require.NoError(c.raw.t, c.nats.nc.Flush())
}

// TestNewestGoFirst: with fewer connections the newest ends, and of those that
// are left the newest next (F099).
func TestNewestGoFirst(t *testing.T) {
	w := newWorld(t)
	s := w.serve(t)
	var all []*raw
	for range 4 {
		all = append(all, enter(t, s, w.admin()))
	}
	for most := 3; most > 0; most-- {
		w.app = w.app.Renew(authtest.MaxConnections(int64(most)))
		wantLine(t, s.reload(w.config()), "closed=1")
		all[most].wantRefused("maximum account active connections exceeded")
		for _, c := range all[:most] {
			c.sync()
		}
	}
}

// TestB15TextOfScope: the role and the description of a scope are for people: who
// edits them closes nobody. The reference closes the scope's users.
func TestB15TextOfScope(t *testing.T) {
	differs(t, "B15, a scope's text may change without closing anyone")
	w := newWorld(t, authtest.Scope("a", authtest.PubAllow(">"), authtest.SubAllow(">")))
	s := w.serve(t)
	both := together(t, s, of(w.app.User("u", authtest.SignedBy("a"))))
	w.app = w.app.Renew(editScope(t, "a", func(s *jwt.UserScope) { s.Role, s.Description = "another", "said otherwise" }))
	wantLine(t, s.reload(w.config()), "closed=0", "changed=0")
	both.talk()
}

// TestPayloadLowered: the next message that is larger than the account's new limit
// ends the connection, and one that is as large passes (F100).
func TestPayloadLowered(t *testing.T) {
	w := newWorld(t)
	s := w.serve(t)
	both, rest := together(t, s, w.admin()), together(t, s, of(w.app.User("own", authtest.Limits(-1, 4))))
	rest.talk()
	w.app = w.app.Renew(authtest.Limits(-1, 8))
	wantLine(t, s.reload(w.config()), "closed=0", "changed=2") // not those whose own limit is stricter
	both.raw.pub("x", "", "12345678")
	both.raw.sync()
	require.NoError(t, both.nats.nc.Publish("x", []byte("12345678")))
	require.NoError(t, both.nats.nc.Flush())
	both.talk()
	both.raw.pub("x", "", "123456789")
	require.NoError(t, both.nats.nc.Publish("x", []byte("123456789")))
	both.wantEnd("Maximum Payload Violation")
	rest.talk()
	require.Equal(t, int64(8), second(t, s, w.admin()).MaxPayload, "a new client is told")
}

// second is the INFO that follows the first PONG.
func second(t *testing.T, s *server, u user) info {
	t.Helper()
	c := dial(t, s)
	c.connect(u, field{"protocol", 1})
	c.sync()
	return c.readInfo()
}

// TestDefaultPermissionsNarrowed: who goes by the account's default permissions
// loses the subscriptions that they no longer allow, is told, and stays connected;
// who has permissions of its own keeps everything (F101).
func TestDefaultPermissionsNarrowed(t *testing.T) {
	w := newWorld(t, authtest.DefaultPermissions(authtest.SubAllow(">"), authtest.PubAllow(">")))
	s := w.serve(t)
	both := together(t, s, w.admin())
	own := together(t, s, of(w.app.User("own", authtest.SubAllow(">"), authtest.PubAllow(">"))))
	both.raw.send("SUB x.a 7\r\nSUB x.b q 8\r\n")
	own.raw.send("SUB x.a 7\r\n")
	_, err := both.nats.nc.SubscribeSync("x.a")
	require.NoError(t, err)
	require.NoError(t, both.nats.nc.Flush())
	both.raw.sync()
	own.raw.sync()

	w.app = w.app.Renew(authtest.DefaultPermissions(authtest.SubAllow("there.*", "back.*", "x.b"), authtest.PubAllow("there.*", "back.*")))
	wantLine(t, s.reload(w.config()), "closed=0", "changed=2")
	both.raw.wantErr(`Permissions Violation for Subscription to "x.a" (sid "7")`)
	wantViolation(t, both.nats.errs, `Permissions Violation for Subscription to "x.a" (sid "2")`)
	own.raw.pub("x.a", "", "hi")
	own.raw.wantMsg("x.a", "7", "", "hi")
	own.raw.pub("x.b", "", "hi") // x.b has stayed
	both.raw.wantMsg("x.b", "8", "", "hi")
	both.raw.pub("x.a", "", "hi")
	both.raw.wantErr(`Permissions Violation for Publish to "x.a"`)
	require.NoError(t, both.nats.nc.Flush())
	both.talk()
	own.talk()
}

// soon calls a function with a time that comes soon, and once more with one that
// comes later if it was not quick enough, as it says.
func soon(t *testing.T, quick func(at time.Time) bool) {
	t.Helper()
	for wait := 2 * time.Second; wait < patience; wait *= 2 {
		if quick(time.Now().Add(wait)) {
			return
		}
	}
	require.Fail(t, "this machine is too slow")
}

// TestAccountExpires: an account whose new token has an end is over when that
// comes, for everybody in it and for nobody else (F102).
func TestAccountExpires(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.serve(t)
	both, shop := together(t, s, w.admin()), together(t, s, of(w.shop.User("shop")))
	soon(t, func(at time.Time) bool {
		w.app = w.app.Renew(authtest.Expires(at))
		s.rewrite(w.config())
		line := s.hangup()
		return reference() && time.Now().Before(at.Add(-time.Second)) || strings.Contains(line, "refused=0")
	})
	both.wantEnd("Account Authentication Expired")
	shop.talk()
	c := dial(t, s)
	c.connect(w.admin())
	c.wantRefused("Authorization Violation")
}

// TestUserExpires: a reload neither hastens the end of a user nor puts it off.
func TestUserExpires(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.serve(t)
	var both *couple
	soon(t, func(at time.Time) bool {
		u := of(w.app.User("short", authtest.Expires(at)))
		if !room(t, s, u) || time.Until(at) < time.Second {
			return false
		}
		both = together(t, s, u)
		return true
	})
	rest := together(t, s, w.admin())
	w.app = w.app.Renew(authtest.Tags("another"))
	s.reload(w.config())
	both.wantEnd("User Authentication Expired")
	rest.talk()
}

// without is the configuration without APP.
func (w *world) without() string {
	return strings.Replace(w.config(), fmt.Sprintf("  %s: %s\n", w.app.PublicKey(), w.app.Token()), "", 1)
}

// TestAccountRemoved: an account that is not in the file any more is over, and one
// that comes back lives again (F018, F103, B21).
func TestAccountRemoved(t *testing.T) {
	w, s, sys := sysWorld(t)
	both, shop := together(t, s, w.admin()), together(t, s, of(w.shop.User("shop")))
	wantLine(t, s.reload(w.without()), "accounts=2", "removed=1", "closed=2", "refused=0")
	text := "Account Authentication Expired" // as for an account that is deleted (F103)
	if reference() {
		text = "Authorization Violation" // it forgets the account, and lets nobody in again
	}
	both.wantEnd(text)
	shop.talk()
	if !reference() {
		a := sys.next("$SYS.ACCOUNT."+w.app.PublicKey()+".DISCONNECT", func(a advisory) bool { return a.Client.ID == both.raw.info.ClientID })
		require.Equal(t, "Authentication Expired", a.Reason)
		require.Equal(t, "account_removed", a.AuthReason)
	}
	c := dial(t, s)
	c.connect(w.admin())
	c.wantRefused("Authorization Violation")

	wantLine(t, s.reload(w.without()), "removed=0", "closed=0")
	wantLine(t, s.reload(w.config()), "accounts=3", "refused=0", "closed=0")
	together(t, s, w.admin()).talk()
	shop.talk()
}

// TestNonceHeld: a client that was told its nonce before the reload may sign it
// afterwards, and is judged by what holds then (F018).
func TestNonceHeld(t *testing.T) {
	differs(t, "F018, its reload ends connections that have not said who they are")
	w := newWorld(t)
	s := w.serve(t)
	held, revoked := dial(t, s), dial(t, s)
	w.app = w.app.Renew(authtest.Revoke("gone", authtest.Now()))
	s.reload(w.config())
	held.connect(w.admin())
	held.sync()
	revoked.connect(of(w.app.User("gone")))
	revoked.wantRefused("Authorization Violation")
}

// TestOperatorKeys: an operator's signing key that is not in its token any more
// vouches for nobody (B17).
func TestOperatorKeys(t *testing.T) {
	ours(t, "operators change while it runs (B17)")
	w := newWorld(t)
	operator := func(keys ...string) *authtest.Operator {
		return authtest.NewOperator(t, authtest.SystemAccount("SYS"), authtest.SigningKeys(keys...))
	}
	w.operator = operator("k1", "k2")
	w.app = w.operator.Account("APP", authtest.SignedBy("k1"))
	s := w.serve(t)
	both, shop := together(t, s, w.admin()), together(t, s, of(w.shop.User("shop")))
	held := dial(t, s)
	w.operator = operator("k1")
	wantLine(t, s.reload(w.config()), "closed=0")
	both.talk()
	w.operator = operator("k2")
	wantLine(t, s.reload(w.config()), "closed=2", "refused=1")
	both.wantEnd("Authorization Violation")
	held.connect(w.admin())
	held.wantRefused("Authorization Violation")
	shop.talk()

	w.app = operator("k2").Account("APP", authtest.SignedBy("k2")).Renew()
	wantLine(t, s.reload(w.config()), "closed=0", "refused=0")
	together(t, s, w.admin()).talk()
	shop.talk()
}

// under signs the accounts of the world by another operator, a second later.
func (w *world) under(o *authtest.Operator) *world {
	account := func(name string) *authtest.Account { return o.Account(name, authtest.From("O/"+name)).Renew() }
	return &world{operator: o, sys: account("SYS"), app: account("APP"), shop: account("SHOP"), extra: w.extra}
}

// TestOperatorReplaced: with another operator at once everybody has to come again;
// with both for a while nobody notices (B17).
func TestOperatorReplaced(t *testing.T) {
	ours(t, "operators change while it runs (B17)")
	other := authtest.NewOperator(t, authtest.From("elsewhere"))
	t.Run("at once", func(t *testing.T) {
		w := newWorld(t)
		s := w.serve(t)
		both, held := together(t, s, w.admin()), dial(t, s)
		next := w.under(other)
		wantLine(t, s.reload(next.config()), "closed=2", "refused=0", "accounts=3")
		both.wantEnd("Authorization Violation")
		held.connect(w.admin())
		held.sync()
		together(t, s, w.admin()).talk()
	})
	t.Run("one after the other", func(t *testing.T) {
		w := newWorld(t)
		s := w.serve(t)
		both, next := together(t, s, w.admin()), w.under(other)
		for _, operators := range []string{
			fmt.Sprintf("[ %s, %s ]", w.operator.Token(), other.Token()),
			other.Token(),
		} {
			text := strings.Replace(next.config(), "operator: "+other.Token(), "operator: "+operators, 1)
			wantLine(t, s.reload(text), "closed=0", "refused=0", "accounts=3")
			both.talk()
		}
		w.app = w.app.Renew().Renew()
		stranger := strings.Replace(next.config(), next.app.Token(), w.app.Token(), 1)
		wantLine(t, s.reload(stranger), "closed=0", "refused=1")
		both.talk() // what the old operator signs counts for nothing
	})
}

// TestPinnedChanged: users of an account that is not among the pinned any more are
// let go, and one that is gets in again (F015, B17).
func TestPinnedChanged(t *testing.T) {
	ours(t, "pinned accounts change while it runs (B17)")
	w := newWorld(t)
	s := w.serve(t)
	both, shop, sys := together(t, s, w.admin()), together(t, s, of(w.shop.User("shop"))), enter(t, s, of(w.sys.User("sys")))
	w.with("resolver_pinned_accounts: [ " + w.shop.PublicKey() + " ]")
	wantLine(t, s.reload(w.config()), "closed=2")
	both.wantEnd("Authorization Violation")
	shop.talk()
	sys.sync()
	c := dial(t, s)
	c.connect(w.admin())
	c.wantRefused("Authorization Violation")
	w.extra = nil
	wantLine(t, s.reload(w.config()), "closed=0")
	together(t, s, w.admin()).talk()
	shop.talk()
}

// TestSentinelChanged: from the reload on it is the new sentinel that stands in
// for no token (F010, B17).
func TestSentinelChanged(t *testing.T) {
	w := newWorld(t)
	sentinel := func(name string) string {
		return "default_sentinel: " + w.app.User(name, authtest.Bearer(), authtest.SubAllow(name)).Token()
	}
	w.extra = []string{sentinel("first")}
	s := w.serve(t)
	enter(t, s, user{}, field{"jwt", nil}).send("SUB first 1\r\n")
	w.extra = []string{sentinel("second")}
	s.reload(w.config())
	c := enter(t, s, user{})
	c.send("SUB second 1\r\n")
	c.sync()
	c.send("SUB first 2\r\n")
	c.wantErr(`Permissions Violation for Subscription to "first"`)
}

// TestReloadMistakes: a file that is wrong changes nothing, and the log says where
// the mistake is.
func TestReloadMistakes(t *testing.T) {
	w := newWorld(t)
	s := w.serve(t)
	both := together(t, s, w.admin())
	revoked := newWorld(t)
	revoked.app = w.app.Renew(authtest.Revoke("*", authtest.Now()))
	base := revoked.config()
	lines := strings.Count(base, "\n")
	system := strings.Replace(base, "system_account: "+w.sys.PublicKey(), "system_account: "+w.shop.PublicKey(), 1)
	lost := strings.Replace(base, fmt.Sprintf("  %s: %s\n", w.sys.PublicKey(), w.sys.Token()), "", 1)
	for _, tt := range []struct {
		name, text string
		want       []string
		reference  bool // it refuses this, too
	}{
		{"an unknown key", base + "max_paylod: 1\n", []string{"max_paylod", fmt.Sprintf("server.conf:%d", lines+1)}, true},
		{"a brace too few", base + "authorization { timeout: 1\n", []string{"server.conf"}, true},
		{"a key of something else", base + "jetstream: true\n", []string{"jetstream", fmt.Sprintf("server.conf:%d", lines+1)}, false},
		{"an account that is none", strings.Replace(base, w.shop.Token(), w.operator.Token(), 1), []string{"resolver_preload", w.shop.PublicKey(), "server.conf:"}, true},
		{"no operator", strings.Replace(base, "operator: ", "#", 1), []string{"server.conf", "operator"}, true},
		{"another system account", system, []string{"server.conf", "system_account", "not supported while running"}, false},
		{"the system account is gone", lost, []string{"server.conf", "resolver_preload", w.sys.PublicKey()}, false},
		{"another resolver", strings.Replace(base, "resolver: MEMORY", "resolver { type: full, dir: jwt }", 1), []string{"server.conf", "resolver", "not supported while running"}, false},
		{"a sentinel that is none", base + "default_sentinel: " + w.app.User("u").Token() + "\n", []string{"Sentinel", "server.conf"}, false},
		{"nothing", "", []string{"server.conf"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s.rewrite(tt.text)
			if reference() {
				if !tt.reference {
					t.Skip("the reference takes this, or changes what this broker does not")
				}
				require.Error(t, s.again())
			} else {
				line := s.hangup()
				require.Contains(t, line, "not reloaded")
				for _, want := range tt.want {
					require.Contains(t, line, want)
				}
			}
			both.talk()
			enter(t, s, w.admin())
		})
	}
	if !reference() {
		require.NoError(t, os.Remove(s.config))
		require.Contains(t, s.hangup(), "server.conf")
		require.NotContains(t, s.log.String(), "eyJ", "a token")
	}
	both.talk()
	wantLine(t, s.reload(base), "refused=0")
	both.wantEnd("User Authentication Revoked")
}

// TestFixedKeys: what counts only at the start is named in the log and stays as it
// was, while the rest of the file is followed.
func TestFixedKeys(t *testing.T) {
	ours(t, "its keys")
	w := newWorld(t)
	s := w.serve(t)
	both := together(t, s, w.admin())
	w.extra = []string{"listen: 127.0.0.1:1", "max_payload: 10", "max_connections: 1", "ping_max: 7"}
	w.app = w.app.Renew(authtest.Revoke("gone", authtest.Now()))
	wantLine(t, s.reload(w.config()), "closed=0", "refused=0")
	for _, key := range []string{`key="listen, host or port"`, "key=max_payload", "key=max_connections", "key=ping_max"} {
		require.Contains(t, s.log.String(), key)
	}
	require.NotContains(t, s.log.String(), "key=max_pending")
	both.talk()
	require.Equal(t, int64(1<<20), dial(t, s).info.MaxPayload)
	c := dial(t, s)
	c.connect(of(w.app.User("gone")))
	c.wantRefused("Authorization Violation")
}

// TestRefusedTokens: a token in the file that is older than the one in force (B4),
// or that nobody vouches for, is named and changes nothing; the others count.
func TestRefusedTokens(t *testing.T) {
	ours(t, "what it refuses (B4)")
	old := newWorld(t)
	w := newWorld(t)
	w.app = w.app.Renew(authtest.Revoke("gone", authtest.Now()))
	s := w.serve(t)
	both, shop := together(t, s, w.admin()), together(t, s, of(w.shop.User("shop")))
	w.shop = w.shop.Renew(authtest.Revoke("shop", authtest.Now()))
	w.app = old.app
	line := s.reload(w.config())
	wantLine(t, line, "refused=1", "accounts=2", "closed=2")
	require.Contains(t, s.log.String(), "account="+w.app.PublicKey()+" err.reason=account_rollback")
	shop.wantEnd("User Authentication Revoked")
	both.talk()
	c := dial(t, s)
	c.connect(of(w.app.User("gone")))
	c.wantRefused("Authorization Violation")
	require.Contains(t, s.log.String(), `audit.by="reload `+s.config)
}

// TestReloadOfFolder: with a folder the accounts in force are looked up again:
// files that are newer count, and what has no file any more is over (F018).
func TestReloadOfFolder(t *testing.T) {
	differs(t, "F018, its reload leaves accounts as they are that a folder has other tokens of")
	w := newWorld(t)
	dir := t.TempDir()
	file := func(a *authtest.Account) string { return filepath.Join(dir, "jwt", a.PublicKey()+".jwt") }
	require.NoError(t, os.Mkdir(filepath.Join(dir, "jwt"), 0o700))
	put := func(a *authtest.Account) { require.NoError(t, os.WriteFile(file(a), []byte(a.Token()), 0o600)) }
	for _, a := range []*authtest.Account{w.sys, w.app, w.shop} {
		put(a)
	}
	s := serveIn(t, dir, fmt.Sprintf("operator: %s\nsystem_account: %s\nresolver { type: full, dir: jwt }\n", w.operator.Token(), w.sys.PublicKey()))
	one, rest, shop := together(t, s, of(w.app.User("one"))), together(t, s, w.admin()), together(t, s, of(w.shop.User("shop")))

	put(w.app.Renew(authtest.Revoke("one", authtest.Now())))
	s.hangup()
	one.wantEnd("User Authentication Revoked")
	rest.talk()
	shop.talk()

	require.NoError(t, os.Remove(file(w.app)))
	s.hangup()
	rest.wantEnd("Account Authentication Expired")
	shop.talk()
	c := dial(t, s)
	c.connect(w.admin())
	c.wantRefused("Authorization Violation")

	require.NoError(t, os.Rename(file(w.shop), file(w.shop)+".not"))
	require.NoError(t, os.Mkdir(file(w.shop), 0o700)) // cannot be read: nobody knows
	s.hangup()
	shop.talk()
}

// TestEvictedWhileBusy: whoever is evicted hears of that, and not of what it could
// not do in the moment before.
func TestEvictedWhileBusy(t *testing.T) {
	w := newWorld(t)
	s := w.serve(t)
	busy := make([]*raw, 4)
	for i := range busy {
		busy[i] = enter(t, s, of(w.app.User("busy")))
		go func() {
			for {
				busy[i].conn.SetWriteDeadline(time.Now().Add(patience))
				if _, err := busy[i].conn.Write([]byte("PUB x 2\r\nhi\r\nSUB y 1\r\nUNSUB 1\r\n")); err != nil {
					return
				}
			}
		}()
	}
	w.app = w.app.Renew(authtest.Revoke("busy", authtest.Now()))
	s.reload(w.config())
	for _, c := range busy {
		c.wantErr("User Authentication Revoked")
		_, err := c.read()
		require.Error(t, err)
	}
}

// TestHangupInDemo: the demo has no file to read again, and goes on.
func TestHangupInDemo(t *testing.T) {
	ours(t, "its demo")
	p := launch(t, "-addr", "127.0.0.1:0")
	s := &server{t: t, addr: p.listening(), log: p.stderr, again: func() error { return p.cmd.Process.Signal(syscall.SIGHUP) }}
	require.Contains(t, s.hangup(), "not reloaded")
	dial(t, s)
	p.terminate(syscall.SIGTERM)
}
