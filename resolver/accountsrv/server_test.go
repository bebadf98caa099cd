package accountsrv_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	urlpkg "net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/auth/authtest"
	"github.com/natsauth/natsauth/claims"
	"github.com/natsauth/natsauth/resolver"
	"github.com/natsauth/natsauth/resolver/accountsrv"
	"github.com/natsauth/natsauth/resolver/resolvertest"
	"github.com/natsauth/natsauth/resolver/url"
)

// look makes a resolver that asks a server, patiently.
func look(t testing.TB, base string) *url.Resolver {
	t.Helper()
	r, err := url.New(base, url.Options{Timeout: time.Minute})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	return r
}

func TestF132Resolver(t *testing.T) {
	for _, row := range []struct{ prefix, path string }{
		{"", "/jwt/v1/accounts"}, {"/tokens", "/tokens/jwt/v2/accounts/"},
	} {
		t.Run(row.path, func(t *testing.T) {
			resolvertest.Run(t, func(t *testing.T, tokens ...string) resolver.Resolver {
				m, err := resolver.NewMemory(tokens...)
				require.NoError(t, err)
				return look(t, serve(t, http.StripPrefix(row.prefix, server(t, accountsrv.Config{Accounts: m})))+row.path)
			})
		})
	}
}

// TestF132AsksForChanges: a client that has a token gets no other until there is one.
func TestF132AsksForChanges(t *testing.T) {
	s := play(t).serve()
	r := look(t, s.url+"/jwt/v1/accounts")
	require.NoError(t, r.Probe(t.Context()))
	a := s.operator.Account("A")
	_, err := r.Resolve(t.Context(), a.PublicKey())
	require.ErrorIs(t, err, resolver.ErrNotFound)
	for i, next := range []*authtest.Account{a, a.Renew()} {
		require.Equal(t, http.StatusOK, s.push(next).status)
		for range 2 {
			token, err := r.Resolve(t.Context(), a.PublicKey())
			require.NoError(t, err)
			require.Equal(t, next.Token(), token)
		}
		require.EqualValues(t, i+1, r.Stats().NotModified)
	}
}

func TestF132Paths(t *testing.T) {
	a := authtest.NewOperator(t).Account("A")
	key := a.PublicKey()
	whole := play(t, func(c *accountsrv.Config) { c.Operator = authtest.NewOperator(t).Token() }).holding(a)
	bare := play(t, func(c *accountsrv.Config) {
		*c = accountsrv.Config{Accounts: resolver.Chain(c.Accounts), Clock: c.Clock}
	})
	_, err := bare.store.Save(t.Context(), a.Token(), resolver.Push)
	require.NoError(t, err)
	const read, write = "GET, HEAD, OPTIONS", "GET, HEAD, OPTIONS, POST"
	for _, row := range []struct {
		path        string
		whole, bare int    // of GET
		allow       string // of the whole one
	}{
		{"/healthz", 200, 200, read},
		{"/jwt/v1/help", 200, 200, read},
		{"/jwt/v2/help", 200, 200, read},
		{"/jwt/v1/operator", 200, 404, read},
		{"/jwt/v2/operator", 200, 404, read},
		{"/jwt/v1/accounts", 200, 200, read},
		{"/jwt/v1/accounts/", 200, 200, read},
		{"/jwt/v2/accounts/", 200, 200, read},
		{"/jwt/v1/accounts/" + key, 200, 200, write},
		{"/jwt/v2/accounts/" + key, 200, 200, write},
		{"/jwt/v1/accounts/x", 404, 404, write},
		{"/jwt/v1/pack", 200, 404, read},
		{"/jwt/v2/pack", 200, 404, read},
		{"/", 404, 404, ""},
		{"/healthz/", 404, 404, ""},
		{"/jwt/v1", 404, 404, ""},
		{"/jwt/v1/", 404, 404, ""},
		{"/jwt/v3/help", 404, 404, ""},
		{"/jwt/v1/helper", 404, 404, ""},
		{"/jwt/v1/operator/", 404, 404, ""},
		{"/jwt/v1/pack/", 404, 404, ""},
		{"/jwt/v1/activations/x", 404, 404, ""},
		{"/x/jwt/v1/help", 404, 404, ""},
	} {
		got := whole.get(row.path)
		require.Equal(t, row.whole, got.status, row.path)
		require.Equal(t, row.bare, bare.get(row.path).status, row.path)
		require.Equal(t, "nosniff", got.header.Get("X-Content-Type-Options"))
		require.NotEmpty(t, got.header.Get("Cache-Control"), row.path)
		head := whole.ask(http.MethodHead, row.path, "")
		require.Equal(t, row.whole, head.status, row.path)
		require.Empty(t, head.body)
		require.Equal(t, got.header, head.header, row.path)
		for _, method := range []string{"PUT", "PATCH", "DELETE", "get", "TRACE", "X", "POST"} {
			refused := whole.ask(method, row.path, "")
			switch {
			case row.allow == "":
				require.Equal(t, 404, refused.status, row.path)
			case method == "POST" && row.allow == write:
				require.Equal(t, 400, refused.status, row.path)
			default:
				require.Equal(t, 405, refused.status, row.path)
				require.Equal(t, row.allow, refused.header.Get("Allow"), row.path)
			}
		}
		if row.bare == 200 {
			refused := bare.ask(http.MethodPost, row.path, a.Token())
			require.Equal(t, 405, refused.status, row.path)
			require.Equal(t, read, refused.header.Get("Allow"))
		}
	}
}

// TestF132CORS: every origin may ask, for what there is.
func TestF132CORS(t *testing.T) {
	s := play(t)
	for path, methods := range map[string]string{
		"/jwt/v1/help":     "GET, HEAD, OPTIONS",
		accounts + "x":     "GET, HEAD, OPTIONS, POST",
		"/jwt/v1/accounts": "GET, HEAD, OPTIONS",
	} {
		got := s.ask(http.MethodOptions, path, "", "Origin", "https://example.com", "Access-Control-Request-Method", "POST")
		require.Equal(t, http.StatusNoContent, got.status)
		require.Empty(t, got.body)
		require.Equal(t, "*", got.header.Get("Access-Control-Allow-Origin"))
		require.Equal(t, methods, got.header.Get("Access-Control-Allow-Methods"))
		require.Equal(t, "*, Authorization, Content-Type, If-None-Match", got.header.Get("Access-Control-Allow-Headers"))
		require.Empty(t, got.header.Get("Access-Control-Allow-Credentials"))
	}
	for _, got := range []answer{s.get("/jwt/v1/help"), s.get("/nothing"), s.get(accounts + "x"), s.ask("PUT", "/healthz", "")} {
		require.Equal(t, "*", got.header.Get("Access-Control-Allow-Origin"))
	}
	require.Equal(t, 404, s.ask(http.MethodOptions, "/nothing", "").status)
}

// TestB19Paths: what is written in a request line, and leads nowhere. No store is asked for what is not a key.
func TestB19Paths(t *testing.T) {
	a := authtest.NewOperator(t).Account("A")
	asked := 0
	counting := resolver.Func(func(context.Context, string) (string, error) { asked++; return a.Token(), nil })
	base := serve(t, server(t, accountsrv.Config{Accounts: counting}))
	key := a.PublicKey()
	require.Equal(t, 200, raw(t, base, "GET "+accounts+key+" HTTP/1.1\r\nHost: x\r\n\r\n"))
	require.Equal(t, 1, asked)
	targets := []string{
		"/jwt/v1/accounts/../accounts/" + key, "/jwt/v1/./accounts/" + key, "/jwt//v1/accounts/" + key, "//jwt/v1/accounts/" + key,
		"/jwt/v1/accounts%2F" + key, "/jwt/v1/accounts//" + key, accounts + "%2F" + key, accounts + key + "/", accounts + key + "%00",
		accounts + "%41" + key[1:], accounts + key + "%0d%0aX:%20y", accounts + strings.ToLower(key), accounts + key + ".jwt",
		accounts + "%2e%2e%2f%2e%2e%2fetc%2fpasswd", accounts + "../../../etc/passwd", accounts + `..\` + key, accounts + key + ";x",
		accounts + "%c3%a9" + key[2:], accounts + "%ff", accounts + strings.Repeat("A", 60_000), "/%6awt/v1/help", "/jwt/v1/help%3f",
		accounts + key[:55], accounts + key + "A", accounts + authtest.NewOperator(t).PublicKey(), "/\u00e9", "/..", "/%2f",
	}
	for _, account := range resolvertest.Strangers(t) {
		targets = append(targets, accounts+urlpkg.PathEscape(account)+"x")
	}
	for _, target := range targets {
		require.Contains(t, []int{400, 404}, raw(t, base, "GET "+target+" HTTP/1.1\r\nHost: x\r\n\r\n"), target)
	}
	for _, request := range []string{
		"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", "CONNECT x:1 HTTP/1.1\r\nHost: x:1\r\n\r\n",
		"GET http://h" + accounts + "x HTTP/1.1\r\nHost: x\r\n\r\n", "POST " + accounts + key + " HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET " + accounts + "x HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("y", 2<<20) + "\r\n\r\n",
		"GET " + accounts + "x HTTP/1.1\r\nHost: x\r\nX-HTTP-Method-Override: POST\r\n\r\n",
	} {
		require.Contains(t, []int{200, 400, 404, 405, 431}, raw(t, base, request), "%.60q", request)
	}
	require.Equal(t, 1, asked)
}

// raw sends bytes and gives the status of the answer.
func raw(t testing.TB, base, request string) int {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
	require.NoError(t, err)
	defer conn.Close()
	go conn.Write([]byte(request))
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err, "%.200q", request)
	require.NoError(t, resp.Body.Close())
	return resp.StatusCode
}

func TestHelp(t *testing.T) {
	got := play(t).get("/jwt/v1/help")
	require.Equal(t, "text/plain; charset=utf-8", got.header.Get("Content-Type"))
	for _, path := range []string{"/jwt/v1/operator", accounts + "<key>", "/jwt/v1/pack", "/healthz"} {
		require.Contains(t, got.body, path)
	}
}

func TestF132Probe(t *testing.T) {
	s := play(t, func(c *accountsrv.Config) { c.Accounts = says("", resolver.ErrUnavailable) })
	for _, path := range []string{"/jwt/v1/accounts", accounts} {
		got := s.get(path)
		require.Equal(t, 200, got.status)
		require.Equal(t, "no-cache", got.header.Get("Cache-Control"))
		require.Empty(t, got.body)
	}
}

func TestF132Health(t *testing.T) {
	a := authtest.NewOperator(t).Account("A")
	for _, row := range []struct {
		name  string
		token string
		err   error
		want  int
	}{
		{"no such account", "", resolver.ErrNotFound, 200},
		{"an account", a.Token(), nil, 200},
		{"an outage", "", resolver.ErrUnavailable, 503},
		{"another error", "", errSecret, 503},
		{"an outage that says not found", "", fmt.Errorf("%w: %w", resolver.ErrUnavailable, resolver.ErrNotFound), 503},
	} {
		t.Run(row.name, func(t *testing.T) {
			var asked string
			accounts := resolver.Func(func(_ context.Context, key string) (string, error) {
				asked = key
				return row.token, row.err
			})
			got := play(t, func(c *accountsrv.Config) { c.Accounts = accounts }).get("/healthz")
			require.Equal(t, row.want, got.status)
			require.Equal(t, "no-store", got.header.Get("Cache-Control"))
			require.Equal(t, row.want == 200, got.body == "ok\n")
			require.NotContains(t, got.body, "s3cret")
			require.True(t, claims.IsAccountKey(asked), "stores answer for what is no key without looking")
		})
	}
}

func TestNobody(t *testing.T) {
	for _, s := range []*accountsrv.Server{nil, {}} {
		for _, method := range []string{"GET", "POST", "OPTIONS"} {
			got := record(s, httptest.NewRequest(method, "/healthz", nil))
			require.Equal(t, 503, got.status)
			require.Equal(t, "1", got.header.Get("Retry-After"))
		}
	}
}

func TestConfig(t *testing.T) {
	o := authtest.NewOperator(t)
	a := o.Account("A")
	none := (*auth.Authorizer)(nil)
	for _, row := range []struct {
		name string
		edit func(*accountsrv.Config)
		want string
	}{
		{"defaults", func(*accountsrv.Config) {}, ""},
		{"Accounts", func(c *accountsrv.Config) { c.Accounts = nil }, "accountsrv: Config.Accounts is needed"},
		{"MaxBody", func(c *accountsrv.Config) { c.MaxBody = -1 }, "accountsrv: Config.MaxBody is negative"},
		{"MaxBody at its most", func(c *accountsrv.Config) { c.MaxBody = claims.MaxTokenSize }, ""},
		{"MaxBody over it", func(c *accountsrv.Config) { c.MaxBody = claims.MaxTokenSize + 1 },
			"accountsrv: Config.MaxBody is over 1048576"},
		{"MaxPushes", func(c *accountsrv.Config) { c.MaxPushes = -1 }, "accountsrv: Config.MaxPushes is negative"},
		{"MaxPack", func(c *accountsrv.Config) { c.MaxPack = -1 }, "accountsrv: Config.MaxPack is negative"},
		{"MaxPackBytes", func(c *accountsrv.Config) { c.MaxPackBytes = -1 }, "accountsrv: Config.MaxPackBytes is negative"},
		{"MaxPacks", func(c *accountsrv.Config) { c.MaxPacks = -1 }, "accountsrv: Config.MaxPacks is negative"},
		{"PackTime", func(c *accountsrv.Config) { c.PackTime = -1 }, "accountsrv: Config.PackTime is negative"},
		{"Timeout", func(c *accountsrv.Config) { c.Timeout = -1 }, "accountsrv: Config.Timeout is negative"},
		{"Operator", func(c *accountsrv.Config) { c.Operator = o.Token() }, ""},
		{"Operator, decorated", func(c *accountsrv.Config) { c.Operator = "-----X-----\n" + o.Token() + "\n-----X-----\n" }, ""},
		{"an account for an operator", func(c *accountsrv.Config) { c.Operator = a.Token() },
			"accountsrv: Config.Operator: claims: token is of another kind: it is not an operator token"},
		{"SystemAccount", func(c *accountsrv.Config) { c.SystemAccount = a.Token() }, ""},
		{"an operator for the system account", func(c *accountsrv.Config) { c.SystemAccount = o.Token() },
			"accountsrv: Config.SystemAccount: claims: token is of another kind: it is not an account token"},
		{"no Authorizer", func(c *accountsrv.Config) { c.Authorizer = none }, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := accountsrv.Config{Accounts: new(resolver.Memory)}
			row.edit(&c)
			s, err := accountsrv.New(c)
			if row.want != "" {
				require.Nil(t, s)
				require.EqualError(t, err, row.want)
				return
			}
			require.NoError(t, err)
			require.Equal(t, 405, record(s, httptest.NewRequest("POST", accounts+a.PublicKey(), nil)).status)
		})
	}
}
