package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/auth/authtest"
	"github.com/natsauth/natsauth/examples/broker/internal/broker"
	"github.com/natsauth/natsauth/examples/broker/internal/config"
)

// chain is an operator with a system account and two others.
type chain struct {
	operator  *authtest.Operator
	sys, a, b *authtest.Account
}

func newChain(t *testing.T) chain {
	o := authtest.NewOperator(t, authtest.SystemAccount("SYS"))
	return chain{o, o.Account("SYS"), o.Account("A"), o.Account("B")}
}

// text is a configuration with these accounts, and more lines.
func (c chain) text(accounts []*authtest.Account, more ...string) string {
	lines := []string{"operator: " + c.operator.Token(), "resolver: MEMORY", "resolver_preload {"}
	for _, a := range accounts {
		lines = append(lines, a.PublicKey()+": "+a.Token())
	}
	return strings.Join(append(append(lines, "}"), more...), "\n")
}

func (c chain) all() []*authtest.Account { return []*authtest.Account{c.sys, c.a, c.b} }

// reloaded is a broker's authorizer, and its log.
type reloaded struct {
	reload
	t   *testing.T
	log *diary
}

// diary is a log that may be read while others write.
type diary struct {
	mu   sync.Mutex
	text strings.Builder // guarded by mu
}

func (d *diary) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.text.Write(p)
}

// String is everything since the last Reset.
func (d *diary) String() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.text.String()
}

func (d *diary) Reset() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.text.Reset()
}

// begin makes an authorizer by a configuration.
func begin(t *testing.T, text string) *reloaded {
	t.Helper()
	file := filepath.Join(t.TempDir(), "server.conf")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	c, err := config.Parse(file, "")
	require.NoError(t, err)
	r := &reloaded{t: t, log: &diary{}}
	log := slog.New(slog.NewTextHandler(r.log, nil))
	relay := new(broker.Relay)
	from, err := open(t.Context(), c, relay, log)
	require.NoError(t, err)
	t.Cleanup(func() { from.close(log) })
	a, err := newAuthorizer(t.Context(), c, from, relay, log)
	require.NoError(t, err)
	t.Cleanup(func() { a.Close() })
	r.reload = reload{file: file, running: c, authorizer: a, dir: from.dir, log: log}
	return r
}

// with reloads another text, and gives what was logged.
func (r *reloaded) with(text string) string {
	r.t.Helper()
	require.NoError(r.t, os.WriteFile(r.file, []byte(text), 0o600))
	r.log.Reset()
	r.again(r.t.Context())
	require.NotContains(r.t, r.log.String(), "eyJ", "a token")
	return r.log.String()
}

// session connects a user.
func (r *reloaded) session(u *authtest.User) *auth.Session {
	r.t.Helper()
	s, err := r.authorizer.Connect(r.t.Context(), u.Credentials("abcdefghijklmno"))
	require.NoError(r.t, err)
	r.t.Cleanup(s.Close)
	return s
}

// reason is why a session ended; zero: it lives.
func reason(err error) auth.Reason {
	var why *auth.Error
	if errors.As(err, &why) {
		return why.Reason
	}
	return 0
}

// TestReloadMistakes: what cannot be followed changes nothing, and the log names
// the key and the file.
func TestReloadMistakes(t *testing.T) {
	c := newChain(t)
	other := authtest.NewOperator(t, authtest.From("elsewhere"), authtest.SystemAccount("SYS"))
	next := chain{c.operator, c.sys, c.a.Renew(authtest.Revoke("*", authtest.Now())), c.b}
	base := next.text(next.all())
	for _, tt := range []struct{ name, text, want string }{
		{"an unknown key", base + "\nmax_paylod: 1", `server.conf:8: unknown key \"max_paylod\"`},
		{"nothing", "", "nobody is trusted"},
		{"the other one as well", base + "\nsystem_account: " + c.b.PublicKey(), "system_account"},
		{"another operator's system account", chain{operator: other}.text(nil), "system_account"},
		{"no system account in it", next.text(next.all()[1:]), "resolver_preload: system account"},
		{"a folder", strings.Replace(base, "MEMORY", "{ type: full, dir: d }", 1), "resolver: full"},
		{"a sentinel that is none", base + "\ndefault_sentinel: " + c.a.User("u").Token(), "Sentinel"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := begin(t, c.text(c.all()))
			s, before := r.session(c.a.User("u")), r.authorizer.StateHash()
			log := r.with(tt.text)
			require.Contains(t, log, "level=ERROR msg=\"not reloaded\" file="+r.file)
			require.Contains(t, log, tt.want)
			require.NotContains(t, log, "msg=reloaded")
			require.Equal(t, before, r.authorizer.StateHash())
			require.NoError(t, s.Err())

			require.Contains(t, r.with(base), "refused=0 removed=0 closed=1 changed=0")
			require.Error(t, s.Err())
		})
	}
}

// TestReloadAccounts: what the file says of accounts, and what becomes of a live
// user of A.
func TestReloadAccounts(t *testing.T) {
	c := newChain(t)
	revoked := c.a.Renew(authtest.Revoke("u", authtest.Now()))
	line := func(key, token string) string { return "\nresolver_preload { " + key + ": " + token + " }" }
	without := c.text(nil) + line(c.sys.PublicKey(), c.sys.Token())
	stranger := authtest.NewOperator(t, authtest.From("elsewhere")).Account("A", authtest.From("O/A"))
	for _, tt := range []struct {
		name, text string
		want       string      // of the line about it
		ended      auth.Reason // of the session
	}{
		{"the same", c.text(c.all()), "accounts=3 refused=0 removed=0 closed=0 changed=0", 0},
		{"a revocation", c.text([]*authtest.Account{c.sys, revoked, c.b}), "accounts=3 refused=0 removed=0 closed=1 changed=0", auth.UserRevoked},
		{"others are gone", c.text([]*authtest.Account{c.sys, c.a}), "accounts=2 refused=0 removed=1 closed=0 changed=0", 0},
		{"it is gone", c.text([]*authtest.Account{c.sys, c.b}), "accounts=2 refused=0 removed=1 closed=1 changed=0", auth.AccountRemoved},
		{"all but the system account are gone", without, "accounts=1 refused=0 removed=2 closed=1 changed=0", auth.AccountRemoved},
		{"one more", c.text(append(c.all(), c.operator.Account("C"))), "accounts=4 refused=0 removed=0 closed=0 changed=0", 0},
		{"a token that nobody vouches for", c.text([]*authtest.Account{c.sys, stranger.Renew(), c.b}), "accounts=2 refused=1 removed=0 closed=0 changed=0", 0},
		{"another account's token under its key", strings.Replace(c.text(c.all()), c.a.Token(), c.operator.Account("C").Token(), 1), "accounts=2 refused=1 removed=0 closed=0 changed=0", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := begin(t, c.text(c.all()))
			s := r.session(c.a.User("u"))
			log := r.with(tt.text)
			require.Contains(t, log, tt.want)
			require.Equal(t, tt.ended, reason(s.Err()))
		})
	}
}

// TestReloadRefused: of the tokens in the file each that is refused is named, with
// the reason, and the others count.
func TestReloadRefused(t *testing.T) {
	c := newChain(t)
	newer := chain{c.operator, c.sys, c.a.Renew(), c.b}
	r := begin(t, newer.text(newer.all()))
	a, b := r.session(c.a.User("u")), r.session(c.b.User("u"))
	revoked := c.b.Renew(authtest.Revoke("u", authtest.Now()))
	log := r.with(c.text([]*authtest.Account{c.sys, c.a, revoked}))
	require.Contains(t, log, fmt.Sprintf(`msg="account not reloaded" account=%s err.reason=account_rollback`, c.a.PublicKey()))
	require.Contains(t, log, "accounts=2 refused=1 removed=0 closed=1")
	require.Contains(t, log, fmt.Sprintf(`audit.kind=apply audit.by="reload %s" audit.account=%s`, r.file, c.b.PublicKey()))
	require.Contains(t, log, fmt.Sprintf(`audit.kind=trust audit.by="reload %s"`, r.file))
	require.NoError(t, a.Err())
	require.Error(t, b.Err())
}

// TestReloadFixed: keys that only a restart changes are named.
func TestReloadFixed(t *testing.T) {
	c := newChain(t)
	r := begin(t, c.text(c.all()))
	log := r.with(c.text(c.all(), "max_payload: 10", "port: 1"))
	require.Contains(t, log, "level=WARN msg=\"config: a change is not supported while running: restart\" key=max_payload file="+r.file)
	require.Contains(t, log, `key="listen, host or port"`)
	require.Equal(t, 2, strings.Count(log, "not supported while running"))
	require.Contains(t, log, "msg=reloaded")
	require.NotContains(t, r.with(c.text(c.all())), "not supported while running")
}

// TestReloadDirectory: what is written in the directory is taken over, and what the file
// holds now where it is later.
func TestReloadDirectory(t *testing.T) {
	c := newChain(t)
	dir := t.TempDir()
	folder := func(accounts ...*authtest.Account) string {
		return strings.Replace(c.text(accounts), "MEMORY", "{ type: full, dir: '"+dir+"' }", 1)
	}
	r := begin(t, folder(c.all()...))
	a, b := r.session(c.a.User("u")), r.session(c.b.User("u"))
	log := r.with(folder(c.sys, c.a.Renew(authtest.Revoke("u", authtest.Now())), c.b))
	require.Contains(t, log, "msg=reloaded")
	wantOver(t, a)
	require.Equal(t, auth.UserRevoked, reason(a.Err()))
	require.NoError(t, b.Err())

	require.NoError(t, os.WriteFile(filepath.Join(dir, c.b.PublicKey()+".jwt"), []byte(c.b.Renew(authtest.Revoke("*", authtest.Now())).Token()), 0o600))
	log = r.with(folder(c.sys, c.a)) // an older token than the one that is there
	require.NotContains(t, log, "refused=1")
	wantOver(t, b)
	require.Equal(t, auth.UserRevoked, reason(b.Err()))
	view, ok := r.authorizer.InForce(c.a.PublicKey())
	require.True(t, ok)
	require.NotEmpty(t, view.Claims().Revocations)
}

// wantOver waits for the end of a session.
func wantOver(t *testing.T, s *auth.Session) {
	t.Helper()
	select {
	case <-s.Done():
	case <-time.After(patience):
		require.Fail(t, "the session goes on")
	}
}

// TestReloadOfDemo: there is nothing to read.
func TestReloadOfDemo(t *testing.T) {
	r := begin(t, newChain(t).text(newChain(t).all()))
	r.file = ""
	r.again(t.Context())
	require.Contains(t, r.log.String(), "the demo has no configuration file")
}
