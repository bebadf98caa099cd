package url_test

import (
	"cmp"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/natsauth/natsauth/resolver"
	"github.com/natsauth/natsauth/resolver/resolvertest"
	"github.com/natsauth/natsauth/resolver/url"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// transport answers without a network, so that it may run in a bubble of testing/synctest.
type transport func(*http.Request) (*http.Response, error)

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }

// reply is one answer.
type reply struct {
	status int
	header map[string]string
	body   string
}

func (r reply) response() *http.Response {
	h := make(http.Header)
	for name, value := range r.header {
		h.Set(name, value)
	}
	return &http.Response{StatusCode: r.status, Header: h, Body: io.NopCloser(strings.NewReader(r.body)), ContentLength: -1}
}

// with adds to an answer's header.
func (r reply) with(name, value string) reply {
	h := maps.Clone(r.header)
	if h == nil {
		h = make(map[string]string)
	}
	h[name] = value
	r.header = h
	return r
}

// answers gives one reply after the other, and the last one for ever. It counts.
type answers struct {
	replies []reply
	asked   []*http.Request
	at      []time.Time
}

func (a *answers) RoundTrip(r *http.Request) (*http.Response, error) {
	a.asked, a.at = append(a.asked, r), append(a.at, time.Now())
	return a.replies[min(len(a.asked), len(a.replies))-1].response(), nil
}

func scripted(replies ...reply) *answers { return &answers{replies: replies} }

// open makes a Resolver that asks a transport.
func open(t testing.TB, rt http.RoundTripper, o url.Options) *url.Resolver {
	t.Helper()
	o.Transport = rt
	return dial(t, "https://accounts.example/jwt/v1/accounts", o)
}

// dial makes a Resolver that leaves no connection behind.
func dial(t testing.TB, base string, o url.Options) *url.Resolver {
	t.Helper()
	if o.Pause == 0 {
		o.Pause = time.Nanosecond
	}
	if o.Transport == nil {
		o.Timeout = cmp.Or(o.Timeout, time.Minute) // a busy machine is no slow server
	}
	r, err := url.New(base, o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	return r
}

// serve starts an account server, quietly.
func serve(t testing.TB, h http.Handler, edits ...func(*httptest.Server)) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	start := s.Start
	for _, edit := range edits {
		edit(s)
		start = s.StartTLS
	}
	start()
	t.Cleanup(s.Close)
	return s
}

// says is a handler that always says the same.
func says(a reply) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for name, value := range a.header {
			w.Header().Set(name, value)
		}
		w.WriteHeader(a.status)
		io.WriteString(w, a.body)
	}
}

// gives asserts that the answer is the token.
func gives(t testing.TB, r resolver.Resolver, token string) {
	t.Helper()
	got, err := r.Resolve(t.Context(), resolvertest.Account(t, 1))
	require.NoError(t, err)
	require.True(t, got == token, "another token") // not printed
}

// fails asserts that it is not known whether there is a token, for a reason.
func fails(t testing.TB, r resolver.Resolver, why error) error {
	t.Helper()
	got, err := r.Resolve(t.Context(), resolvertest.Account(t, 1))
	require.Empty(t, got)
	outage(t, err, why)
	return err
}

func outage(t testing.TB, err, why error) {
	t.Helper()
	require.ErrorIs(t, err, resolver.ErrUnavailable)
	require.NotErrorIs(t, err, resolver.ErrNotFound)
	if why != nil {
		require.ErrorIs(t, err, why)
	}
}

// notFound asserts that there is none.
func notFound(t testing.TB, r resolver.Resolver) {
	t.Helper()
	got, err := r.Resolve(t.Context(), resolvertest.Account(t, 1))
	require.Empty(t, got)
	require.ErrorIs(t, err, resolver.ErrNotFound)
	require.NotErrorIs(t, err, resolver.ErrUnavailable)
}

// status asserts that the reason is a status.
func status(t testing.TB, err error, code int) *url.StatusError {
	t.Helper()
	var s *url.StatusError
	require.ErrorAs(t, err, &s)
	require.Equal(t, code, s.Code)
	return s
}
