package auth_test

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/auth/authtest"
	"github.com/natsauth/natsauth/nonce"
	"github.com/natsauth/natsauth/resolver"
	"github.com/natsauth/natsauth/resolver/accountsrv"
	"github.com/natsauth/natsauth/resolver/cache"
	"github.com/natsauth/natsauth/resolver/full"
	"github.com/natsauth/natsauth/resolver/url"
)

// tower is every layer that account tokens may come through, each the real one: pinned in memory, remembered by a cache,
// kept in a directory, and known to an account server over HTTP. It stands in a bubble of synctest, and goes by its time.
type tower struct {
	t        *testing.T
	operator *authtest.Operator
	sys      *authtest.Account // pinned
	app      *authtest.Account // of the users; the server has it
	dir      string
	main     *site
	spare    *site
	build    func(*tower) auth.Config

	// What a restart makes anew.
	pinned     *resolver.Memory
	store      *full.Store
	cached     *cache.Cache
	remote     *url.Resolver
	fallback   *url.Resolver
	authorizer *auth.Authorizer
	closers    []io.Closer
}

// The ways in which the tests put the layers upon one another.
var builds = map[string]func(*tower) auth.Config{
	"a store, before a cached server": func(w *tower) auth.Config {
		return auth.Config{Store: w.store, Resolver: resolver.Chain(w.pinned, w.remembering(w.remote))}
	},
	"a cached store, before a server": func(w *tower) auth.Config {
		s, err := cache.NewStore(w.store, cacheOptions)
		require.NoError(w.t, err)
		w.cached = s.Cache
		w.closers = append(w.closers, s)
		return auth.Config{Store: s, Resolver: resolver.Chain(w.pinned, w.remote)}
	},
	"one chain, a cached directory and server": func(w *tower) auth.Config {
		return auth.Config{Resolver: resolver.Chain(w.pinned, w.remembering(resolver.Chain(w.store, w.remote)))}
	},
}

var cacheOptions = cache.Options{TTL: 10 * time.Minute, MaxStale: 2 * time.Hour, RefreshAhead: -1}

// remembering puts the tower's cache before r.
func (w *tower) remembering(r resolver.Resolver) resolver.Resolver {
	c, err := cache.New(r, cacheOptions)
	require.NoError(w.t, err)
	w.cached = c
	w.closers = append(w.closers, c)
	return c
}

// newTower builds one, whose server has the account. It is to be called in a bubble.
func newTower(t *testing.T, build func(*tower) auth.Config) *tower {
	t.Helper()
	w := &tower{t: t, dir: t.TempDir(), build: build}
	w.operator = authtest.NewOperator(t, authtest.IssuedAt(time.Now()), authtest.SystemAccount("SYS"))
	w.sys = w.operator.Account("SYS", authtest.IssuedAt(time.Now()))
	w.app = w.operator.Account("APP", authtest.IssuedAt(time.Now()))
	w.main, w.spare = newSite(t, w.operator), newSite(t, w.operator)
	w.main.holds(w.app)
	w.start()
	t.Cleanup(w.stop)
	return w
}

// start is what a process does when it begins.
func (w *tower) start() {
	var err error
	w.pinned, err = resolver.NewMemory(w.sys.Token())
	require.NoError(w.t, err)
	w.store, err = full.Open(w.dir, full.Options{Delete: full.DeleteHard})
	require.NoError(w.t, err)
	w.remote, w.fallback = w.main.client(), w.spare.client()
	w.closers = []io.Closer{w.store, w.remote, w.fallback}
	c := w.build(w)
	c.Trust = auth.Trust{Operators: []string{w.operator.Token()}}
	w.authorizer, err = auth.New(c)
	require.NoError(w.t, err)
	w.closers = append(w.closers, w.authorizer)
}

// stop ends the process: what is in memory is gone, the directory stays.
func (w *tower) stop() {
	for i := len(w.closers) - 1; i >= 0; i-- {
		require.NoError(w.t, w.closers[i].Close())
	}
	w.closers = nil
}

func (w *tower) restart() {
	w.stop()
	w.start()
}

// connect has a user of the account connect, by name.
func (w *tower) connect(name string) (*auth.Session, error) {
	u := w.app.User(name, authtest.IssuedAt(time.Now()))
	return w.authorizer.Connect(context.Background(), u.Credentials(nonce.New()))
}

// comesTo asserts what comes of a user that connects: ReasonNone is a session. "Not found" and "unavailable" are never the
// same, and both are told to the client in the one way.
func (w *tower) comesTo(want auth.Reason) {
	w.t.Helper()
	s, err := w.connect("somebody")
	if want == auth.ReasonNone {
		require.NoError(w.t, err)
		s.Close()
		return
	}
	require.Nil(w.t, s)
	var refusal *auth.Error
	require.ErrorAs(w.t, err, &refusal)
	require.Equal(w.t, want, refusal.Reason, "%v", refusal)
	require.Equal(w.t, "Authorization Violation", refusal.Wire())
	require.Equal(w.t, want == auth.AccountNotFound, resolver.IsNotFound(err), "%v", err)
	if want != auth.AccountUnavailable {
		require.NotErrorIs(w.t, err, resolver.ErrUnavailable)
	}
}

// file is where the directory has the account.
func (w *tower) file() string { return filepath.Join(w.dir, w.app.PublicKey()+".jwt") }

// put has the directory hold a text for the account, by somebody else's hand; empty: nothing.
func (w *tower) put(text string) {
	w.t.Helper()
	if text == "" {
		require.NoError(w.t, os.RemoveAll(w.file()))
		return
	}
	require.NoError(w.t, os.WriteFile(w.file(), []byte(text), 0o640))
}

// newer is the account issued a second later than before, with options of its own.
func (w *tower) newer(opts ...authtest.Option) *authtest.Account { return w.app.Renew(opts...) }

// older was issued a second before.
func (w *tower) older() *authtest.Account {
	return w.operator.Account("APP", authtest.IssuedAt(time.Now().Add(-24*time.Hour)))
}

// site is an account server: the real one on a store, and what a test has go wrong with it.
type site struct {
	t      *testing.T
	right  http.Handler
	pipes  *pipes
	server *httptest.Server
	tokens *resolver.Memory
	wrong  atomic.Pointer[http.HandlerFunc] // in place of the server
}

func newSite(t *testing.T, o *authtest.Operator) *site {
	t.Helper()
	s := &site{t: t, pipes: newPipes(), tokens: new(resolver.Memory)}
	judge, err := auth.New(auth.Config{Trust: auth.Trust{Operators: []string{o.Token()}}, Store: s.tokens})
	require.NoError(t, err)
	right, err := accountsrv.New(accountsrv.Config{Accounts: s.tokens, Authorizer: judge})
	require.NoError(t, err)
	handler := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if wrong := s.wrong.Load(); wrong != nil {
			(*wrong)(rw, r)
			return
		}
		right.ServeHTTP(rw, r)
	})
	s.right = right
	s.server = &httptest.Server{
		Listener: s.pipes, Config: &http.Server{Handler: handler, ErrorLog: log.New(io.Discard, "", 0)},
	}
	s.server.Start()
	t.Cleanup(func() {
		s.server.Close()
		require.NoError(t, judge.Close())
	})
	return s
}

// holds has the server hold the accounts' tokens, whatever they are.
func (s *site) holds(accounts ...*authtest.Account) {
	for _, a := range accounts {
		_, err := s.tokens.Save(context.Background(), a.Token(), resolver.Override)
		require.NoError(s.t, err)
	}
}

// forgets has it hold nothing of the account.
func (s *site) forgets(a *authtest.Account) {
	require.NoError(s.t, s.tokens.Delete(context.Background(), a.PublicKey()))
}

// says has it answer every request with a text.
func (s *site) says(text string) {
	s.does(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, text) })
}

// fails has it answer every request with a status.
func (s *site) fails(status int) {
	s.does(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, http.StatusText(status), status) })
}

// hangs has it answer nobody.
func (s *site) hangs() { s.does(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }) }

// dawdles has it answer well, and after a while.
func (s *site) dawdles(d time.Duration) {
	s.does(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(d)
		s.right.ServeHTTP(w, r)
	})
}

// goesDown has nobody reach it.
func (s *site) goesDown() { s.pipes.down.Store(true) }

// recovers undoes all that.
func (s *site) recovers() {
	s.wrong.Store(nil)
	s.pipes.down.Store(false)
}

func (s *site) does(f http.HandlerFunc) { s.wrong.Store(&f) }

// client makes a resolver that asks the server, each time over a new connection, so that one that is down is.
func (s *site) client() *url.Resolver {
	r, err := url.New(s.server.URL+"/jwt/v1/accounts", url.Options{
		Transport: &http.Transport{DialContext: s.pipes.dial, DisableKeepAlives: true},
	})
	require.NoError(s.t, err)
	return r
}

// post pushes a token as tools do.
func (s *site) post(a *authtest.Account) {
	s.t.Helper()
	c := http.Client{Transport: &http.Transport{DialContext: s.pipes.dial, DisableKeepAlives: true}}
	r, err := c.Post(s.server.URL+"/jwt/v1/accounts/"+a.PublicKey(), "application/jwt", strings.NewReader(a.Token()))
	require.NoError(s.t, err)
	defer r.Body.Close()
	require.Equal(s.t, http.StatusOK, r.StatusCode)
}

// pipes is a network of one listener, inside the process: a bubble of synctest sees when it is at rest.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
	down   atomic.Bool
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 80} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	if p.down.Load() {
		return nil, errors.New("connection refused")
	}
	ours, theirs := net.Pipe()
	select {
	case p.conns <- theirs:
		return ours, nil
	case <-p.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
