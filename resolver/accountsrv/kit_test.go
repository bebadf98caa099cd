package accountsrv_test

import (
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/auth/authtest"
	"github.com/natsauth/natsauth/claims"
	"github.com/natsauth/natsauth/resolver"
	"github.com/natsauth/natsauth/resolver/accountsrv"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const accounts = "/jwt/v1/accounts/"

// stage is an account server with all that belongs to it, at the time of authtest.
type stage struct {
	t          testing.TB
	operator   *authtest.Operator
	store      *resolver.Memory
	authorizer *auth.Authorizer
	handler    http.Handler
	url        string // of serve
}

// play makes a stage; edits have the last word on the configuration.
func play(t testing.TB, edits ...func(*accountsrv.Config)) *stage {
	t.Helper()
	s := &stage{t: t, operator: authtest.NewOperator(t), store: new(resolver.Memory)}
	s.authorizer = authtest.Authorizer(t, s.operator, nil, func(c *auth.Config) { c.Store = s.store })
	c := accountsrv.Config{Accounts: s.store, Authorizer: s.authorizer, Clock: authtest.Now}
	for _, edit := range edits {
		edit(&c)
	}
	s.handler = server(t, c)
	return s
}

func server(t testing.TB, c accountsrv.Config) *accountsrv.Server {
	t.Helper()
	s, err := accountsrv.New(c)
	require.NoError(t, err)
	return s
}

// holding puts tokens into the store.
func (s *stage) holding(list ...*authtest.Account) *stage {
	s.t.Helper()
	for _, a := range list {
		_, err := s.store.Save(s.t.Context(), a.Token(), resolver.Override)
		require.NoError(s.t, err)
	}
	return s
}

// serve starts a real server.
func (s *stage) serve() *stage {
	s.url = serve(s.t, s.handler)
	return s
}

// serve starts a real server, quietly, and gives its URL.
func serve(t testing.TB, h http.Handler) string {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.Start()
	t.Cleanup(s.Close)
	return s.URL
}

// answer is what came.
type answer struct {
	status int
	header http.Header
	body   string
}

// ask sends a request with headers, name and value in turn.
func (s *stage) ask(method, path, body string, header ...string) answer {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, "http://accounts.example"+path, strings.NewReader(body))
	require.NoError(s.t, err)
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	if s.url == "" {
		return record(s.handler, r)
	}
	return send(s.t, s.url, r)
}

func (s *stage) get(path string, header ...string) answer {
	s.t.Helper()
	return s.ask(http.MethodGet, path, "", header...)
}

// push posts an account's token to where it belongs.
func (s *stage) push(a *authtest.Account) answer {
	s.t.Helper()
	return s.ask(http.MethodPost, accounts+a.PublicKey(), a.Token(), "Content-Type", "application/jwt")
}

// record asks a handler without a network.
func record(h http.Handler, r *http.Request) answer {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return answer{w.Code, w.Header(), w.Body.String()}
}

// send asks a server at a URL.
func send(t testing.TB, base string, r *http.Request) answer {
	t.Helper()
	r.URL.Host, r.Host = strings.TrimPrefix(base, "http://"), ""
	resp, err := http.DefaultTransport.RoundTrip(r)
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	return answer{resp.StatusCode, resp.Header, string(body)}
}

// canonical is a token as it is served.
func canonical(t testing.TB, token string) string {
	t.Helper()
	c, err := claims.Canonical(token)
	require.NoError(t, err)
	return c
}

// tag is a token's ETag.
func tag(t testing.TB, token string) string {
	t.Helper()
	a, err := claims.ParseAccount(token)
	require.NoError(t, err)
	return `"` + a.Digest.String() + `"`
}

// update is what a bus is told of a token.
func update(t testing.TB, key, token string) resolver.Msg {
	t.Helper()
	return resolver.Msg{Subject: "$SYS.ACCOUNT." + key + ".CLAIMS.UPDATE", Data: []byte(canonical(t, token))}
}

// broken is a store that saves nothing while it has an error.
type broken struct {
	resolver.Store
	err error
}

func (b *broken) Save(ctx context.Context, token string, m resolver.Mode) (bool, error) {
	if b.err != nil {
		return false, b.err
	}
	return b.Store.Save(ctx, token, m)
}

// errSecret is what no client may see.
var errSecret = errors.New("disk s3cret is full")

// says is a resolver with one answer.
func says(token string, err error) resolver.Resolver {
	return resolver.Func(func(context.Context, string) (string, error) { return token, err })
}

// bus keeps what is published.
type bus struct {
	mu   sync.Mutex
	err  error
	sent []resolver.Msg
}

func (b *bus) Publish(_ context.Context, m resolver.Msg) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil {
		return b.err
	}
	b.sent = append(b.sent, m)
	return nil
}

func (b *bus) Subscribe(string, string, func(resolver.Msg)) (func() error, error) {
	return nil, errors.New("nobody listens here")
}

// applies is an Authorizer of a function.
type applies func(ctx context.Context, token string) (auth.Report, error)

func (f applies) Apply(ctx context.Context, token string, _ resolver.Mode) (auth.Report, error) {
	return f(ctx, token)
}
