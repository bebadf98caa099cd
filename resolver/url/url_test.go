package url_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/claims"
	"github.com/natsauth/natsauth/resolver"
	"github.com/natsauth/natsauth/resolver/resolvertest"
	"github.com/natsauth/natsauth/resolver/url"
)

// server is the handler of an account server that has the tokens.
func server(t testing.TB, tokens ...string) http.Handler {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /jwt/v1/accounts/", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/jwt/v1/accounts/" {
			http.Error(w, "no matching account JWT", http.StatusNotFound)
		}
	})
	for _, token := range tokens {
		a, err := claims.ParseAccount(token)
		require.NoError(t, err)
		whole := reply{200, nil, token + "\r\n"}.with("Content-Type", "application/jwt")
		whole = whole.with("ETag", `"`+a.Key+`"`).with("Cache-Control", "max-age=3600, stale-if-error=3600")
		mux.HandleFunc("GET /jwt/v1/accounts/"+a.Key, func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("If-None-Match") == whole.header["ETag"] {
				w.WriteHeader(http.StatusNotModified)
				return
			}
			says(whole)(w, r)
		})
	}
	return mux
}

func TestResolver(t *testing.T) {
	for name, o := range map[string]url.Options{
		"that asks for changes": {},
		"that keeps nothing":    {Kept: -1},
		"that has room for two": {Kept: 2, MaxAge: time.Hour, StaleIfError: time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			resolvertest.Run(t, func(t *testing.T, tokens ...string) resolver.Resolver {
				return dial(t, serve(t, server(t, tokens...)).URL+"/jwt/v1/accounts", o)
			})
		})
	}
}

// TestF107Base: the key goes to the end of the base, after a slash.
func TestF107Base(t *testing.T) {
	account := resolvertest.Account(t, 1)
	for _, row := range []struct{ name, base, want string }{
		{"host", "http://h", "http://h/"},
		{"host and slash", "http://h/", "http://h/"},
		{"port", "http://h:8080", "http://h:8080/"},
		{"https", "https://h", "https://h/"},
		{"scheme in capitals", "HTTPS://h", "https://h/"},
		{"path", "http://h/jwt/v1/accounts", "http://h/jwt/v1/accounts/"},
		{"path and slash", "http://h/jwt/v1/accounts/", "http://h/jwt/v1/accounts/"},
		{"path as it is written", "http://h//a/../b%2Fc/%20", "http://h//a/../b%2Fc/%20/"},
		{"address", "http://[::1]:80/x", "http://[::1]:80/x/"},
	} {
		t.Run(row.name, func(t *testing.T) {
			rt := scripted(reply{status: 404})
			r, err := url.New(row.base, url.Options{Transport: rt})
			require.NoError(t, err)
			require.Empty(t, rt.asked, "New sends nothing")
			notFound(t, r)
			require.Equal(t, row.want+account, rt.asked[0].URL.String())
			require.Equal(t, http.MethodGet, rt.asked[0].Method)
			require.Equal(t, "url.Resolver{"+row.want+"}", r.String())
		})
	}
}

func TestF107BadBase(t *testing.T) {
	for _, row := range []struct{ name, base, want string }{
		{"nothing", "", "url: base is neither http nor https"},
		{"path", "/jwt/v1", "url: base is neither http nor https"},
		{"host without a scheme", "h:8080", "url: base is neither http nor https"},
		{"file", "file:///etc/passwd", "url: base is neither http nor https"},
		{"nats", "nats://h", "url: base is neither http nor https"},
		{"no host", "http://", "url: base has no host"},
		{"port without a host", "http://:80/", "url: base has no host"},
		{"opaque", "http:h", "url: base has no host"},
		{"query", "http://h/x?key=s3cret", "url: base has a query or a fragment"},
		{"empty query", "http://h/?", "url: base has a query or a fragment"},
		{"fragment", "http://h/#s3cret", "url: base has a query or a fragment"},
		{"empty fragment", "http://h/#", "url: base has a query or a fragment"},
		{"line break", "http://h/s3cret\n", "url: base is not a URL"},
		{"space before", " http://h/s3cret", "url: base is not a URL"},
		{"password with a slash", "http://u:s3/cret@h", "url: base is not a URL"},
		{"password that ends badly", "http://u:s3cret%@h", "url: base is not a URL"},
		{"bad port", "http://h:s3cret", "url: base is not a URL"},
	} {
		t.Run(row.name, func(t *testing.T) {
			r, err := url.New(row.base, url.Options{})
			require.Nil(t, r)
			require.EqualError(t, err, row.want)
		})
	}
}

func TestOptions(t *testing.T) {
	for _, row := range []struct {
		name string
		edit func(*url.Options)
		want string
	}{
		{"all defaults", func(*url.Options) {}, ""},
		{"Timeout", func(o *url.Options) { o.Timeout = -1 }, "url: Options.Timeout is negative"},
		{"Attempts", func(o *url.Options) { o.Attempts = -1 }, "url: Options.Attempts is negative"},
		{"Pause", func(o *url.Options) { o.Pause = -1 }, "url: Options.Pause is negative"},
		{"MaxPause", func(o *url.Options) { o.MaxPause = -1 }, "url: Options.MaxPause is negative"},
		{"MaxAge", func(o *url.Options) { o.MaxAge = -1 }, "url: Options.MaxAge is negative"},
		{"StaleIfError", func(o *url.Options) { o.StaleIfError = -1 }, "url: Options.StaleIfError is negative"},
		{"MaxBody", func(o *url.Options) { o.MaxBody = -1 }, "url: Options.MaxBody is negative"},
		{"MaxBody at its most", func(o *url.Options) { o.MaxBody = claims.MaxTokenSize }, ""},
		{"MaxBody over it", func(o *url.Options) { o.MaxBody = claims.MaxTokenSize + 1 }, "url: Options.MaxBody is over 1048576"},
		{"MaxHeader", func(o *url.Options) { o.MaxHeader = -1 }, "url: Options.MaxHeader is negative"},
		{"KeptBytes", func(o *url.Options) { o.KeptBytes = -1 }, "url: Options.KeptBytes is negative"},
		{"no redirects, nothing kept", func(o *url.Options) { o.Redirects, o.Kept = -1, -1 }, ""},
		{"TLS", func(o *url.Options) { o.TLS = &tls.Config{} }, ""},
		{"TLS, another's transport", func(o *url.Options) { o.TLS, o.Transport = &tls.Config{}, scripted() },
			"url: Options.TLS and Options.MaxHeader are not for another's Transport"},
		{"MaxHeader, another's transport", func(o *url.Options) { o.MaxHeader, o.Transport = 1, scripted() },
			"url: Options.TLS and Options.MaxHeader are not for another's Transport"},
		{"header", func(o *url.Options) { o.Header = http.Header{"X-Key": {"a \tb\x80"}} }, ""},
		{"header without a name", func(o *url.Options) { o.Header = http.Header{"": {"s3cret"}} },
			"url: Options.Header has a name that is not one"},
		{"header with a bad name", func(o *url.Options) { o.Header = http.Header{"X Key": {"s3cret"}} },
			"url: Options.Header has a name that is not one"},
		{"header with a line break", func(o *url.Options) { o.Header = http.Header{"X-Key": {"s3cret\r\nX: y"}} },
			"url: Options.Header has a control character in X-Key"},
		{"authorization", func(o *url.Options) { o.Header = http.Header{"authorization": {"s3cret"}} },
			"url: base has a user, and Options.Header an Authorization"},
	} {
		t.Run(row.name, func(t *testing.T) {
			var o url.Options
			row.edit(&o)
			r, err := url.New("https://u:pa55@h", o)
			if row.want == "" {
				require.NoError(t, err)
				return
			}
			require.Nil(t, r)
			require.EqualError(t, err, row.want)
		})
	}
}

// TestB7Status: one answer means "not found", and nothing else does.
func TestB7Status(t *testing.T) {
	token := resolvertest.Token(t, 1, 100)
	for code := 200; code < 600; code++ {
		rt := scripted(reply{code, map[string]string{"Location": "/x"}, token})
		r := open(t, rt, url.Options{Attempts: 2, MaxPause: time.Nanosecond})
		attempts := 1
		switch code {
		case 200:
			gives(t, r, token)
		case 404, 410:
			notFound(t, r)
		case 301, 302, 303, 307, 308:
			fails(t, r, url.ErrRedirect)
			attempts = 2 // to /x, and not to there again
		case 304:
			fails(t, r, url.ErrNotModified)
		default:
			status(t, fails(t, r, nil), code)
			if code == 429 || code >= 500 {
				attempts = 2
			}
		}
		require.Len(t, rt.asked, attempts, code)
	}
}

func TestStatusErrorText(t *testing.T) {
	require.EqualError(t, &url.StatusError{Code: 500}, "url: status 500 Internal Server Error")
	later := &url.StatusError{Code: 503, RetryAfter: time.Minute}
	require.EqualError(t, later, "url: status 503 Service Unavailable, again after 1m0s")
	require.EqualError(t, &url.StatusError{Code: 599}, "url: status 599")
}

func TestBodies(t *testing.T) {
	token, other := resolvertest.Token(t, 1, 100), resolvertest.Token(t, 2, 100)
	ended := resolvertest.Token(t, 1, 100, resolvertest.Expires(101))
	for _, row := range []struct {
		name, body, want string
		err              error
	}{
		{"the token", token, token, nil},
		{"white space around it", "\r\n\t " + token + " \r\n\n", token, nil},
		{"another spelling", resolvertest.Respelt(token), resolvertest.Respelt(token), nil},
		{"a token that has ended", ended, ended, nil},
		{"another account's", other, "", url.ErrToken},
		{"nothing", "", "", url.ErrToken},
		{"white space", " \n", "", url.ErrToken},
		{"two tokens", token + "\n" + token, "", url.ErrToken},
		{"a page", "<html>log in</html>", "", url.ErrToken},
		{"half of it", token[:len(token)/2], "", url.ErrToken},
		{"another signature", other[:len(other)-5] + "AAAAA", "", url.ErrToken},
	} {
		t.Run(row.name, func(t *testing.T) {
			rt := scripted(reply{200, nil, row.body})
			r := open(t, rt, url.Options{})
			if row.err == nil {
				gives(t, r, row.want)
				return
			}
			err := fails(t, r, row.err)
			for _, chunk := range strings.Split(row.body, ".") {
				require.True(t, len(chunk) < 20 || !strings.Contains(err.Error(), chunk))
			}
			require.Len(t, rt.asked, 1, "a wrong answer is not asked for again")
			require.Equal(t, url.Stats{Requests: 1, Failures: 1}, r.Stats())
		})
	}
}

func TestStrangersAreNotAskedFor(t *testing.T) {
	rt := scripted(reply{status: 500})
	r := open(t, rt, url.Options{})
	for _, account := range resolvertest.Strangers(t) {
		_, err := r.Resolve(t.Context(), account)
		require.ErrorIs(t, err, resolver.ErrNotFound)
	}
	require.Empty(t, rt.asked)
	fails(t, r, nil)
	require.NotEmpty(t, rt.asked)
}

func TestF107Probe(t *testing.T) {
	for _, code := range []int{200, 204, 301, 401, 404, 410, 500} {
		rt := scripted(reply{status: code})
		r := open(t, rt, url.Options{})
		err := r.Probe(t.Context())
		require.Len(t, rt.asked, 1, "once")
		require.Equal(t, "https://accounts.example/jwt/v1/accounts/", rt.asked[0].URL.String())
		switch code {
		case 200:
			require.NoError(t, err)
		case 301:
			outage(t, err, url.ErrRedirect)
		default:
			outage(t, err, nil)
			status(t, err, code)
		}
	}
	base := serve(t, server(t)).URL
	require.NoError(t, dial(t, base+"/jwt/v1/accounts", url.Options{}).Probe(t.Context()))
	status(t, dial(t, base, url.Options{}).Probe(t.Context()), 404)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	outage(t, dial(t, base+"/jwt/v1/accounts", url.Options{}).Probe(ctx), context.Canceled)
}

func TestNobody(t *testing.T) {
	for _, r := range []*url.Resolver{nil, {}} {
		fails(t, r, nil)
		outage(t, r.Probe(t.Context()), nil)
		require.NoError(t, r.Close())
		require.Zero(t, r.Stats())
		require.Equal(t, "url.Resolver{}", r.String())
	}
}

// TestCloseAndGoOn: Close takes nothing away.
func TestCloseAndGoOn(t *testing.T) {
	token := resolvertest.Token(t, 1, 100)
	r := dial(t, serve(t, server(t, token)).URL+"/jwt/v1/accounts", url.Options{})
	gives(t, r, token)
	require.NoError(t, r.Close())
	gives(t, r, token)
}

// TestB8NothingSecretIsShown: however it is printed, and whatever a server makes of what it was sent.
func TestB8NothingSecretIsShown(t *testing.T) {
	token := resolvertest.Token(t, 1, 100)
	o := url.Options{Header: http.Header{"X-Key": {"s3cret"}}}
	r := dial(t, "https://u:s3cret@accounts.example/x", o)
	var b bytes.Buffer
	for _, l := range []*slog.Logger{slog.New(slog.NewTextHandler(&b, nil)), slog.New(slog.NewJSONHandler(&b, nil))} {
		l.Info("x", "options", o, "resolver", r)
	}
	for _, v := range []any{o, &o, r, struct{ R *url.Resolver }{r}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
			fmt.Fprintf(&b, verb, v)
		}
	}
	require.Contains(t, b.String(), "url.Options")
	require.Contains(t, b.String(), "url.Resolver{https://accounts.example/x/}")
	require.NotContains(t, b.String(), "s3cret")

	for _, first := range []string{
		"s3cret " + token, "HTTP/1.1 s3cret\r\n\r\n", "HTTP/1.1 200 OK\r\ns3cret " + token + "\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: s3cret\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\ns3cret\r\n",
		"HTTP/1.1 302 Found\r\nLocation: https://s3cret:s3cret@h/s3cret\r\n\r\n",
		"HTTP/1.1 302 Found\r\nLocation: %s3cret\r\n\r\n", "HTTP/1.1 500 s3cret\r\n\r\n",
		"HTTP/1.1 204 s3cret\r\nRetry-After: s3cret\r\n\r\n",
	} {
		err := fails(t, dial(t, raw(t, first), url.Options{Header: o.Header, Attempts: 1}), nil)
		require.NotContains(t, err.Error(), "s3cret")
		require.NotContains(t, err.Error(), token[:20])
	}
	quoting := transport(func(*http.Request) (*http.Response, error) { return nil, errors.New("s3cret") })
	require.NotContains(t, fails(t, open(t, quoting, url.Options{}), url.ErrNoAnswer).Error(), "s3cret")
}

// TestLogin: name and password of the base become a header.
func TestLogin(t *testing.T) {
	rt := scripted(reply{status: 404})
	r, err := url.New("https://u:p%40ss@h/x", url.Options{Transport: rt})
	require.NoError(t, err)
	notFound(t, r)
	user, password, ok := rt.asked[0].BasicAuth()
	require.True(t, ok)
	require.Equal(t, [2]string{"u", "p@ss"}, [2]string{user, password})
	require.Nil(t, rt.asked[0].URL.User)
}

// TestOddTransports: what a transport gets wrong is an outage.
func TestOddTransports(t *testing.T) {
	for _, rt := range []transport{
		func(*http.Request) (*http.Response, error) { return nil, nil },
		func(*http.Request) (*http.Response, error) { return new(http.Response), nil },
		func(*http.Request) (*http.Response, error) { return nil, resolver.ErrNotFound },
		func(*http.Request) (*http.Response, error) { return nil, fmt.Errorf("%w", resolver.ErrNotFound) },
	} {
		fails(t, open(t, rt, url.Options{}), url.ErrNoAnswer)
	}
}

// TestCausesAreNotAnswers: why a context ended is not what the server said.
func TestCausesAreNotAnswers(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	rt := transport(func(r *http.Request) (*http.Response, error) {
		cancel(resolver.ErrNotFound)
		return nil, context.Cause(r.Context())
	})
	_, err := open(t, rt, url.Options{}).Resolve(ctx, resolvertest.Account(t, 1))
	outage(t, err, context.Canceled)
}
