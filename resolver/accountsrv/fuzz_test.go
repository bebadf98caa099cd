package accountsrv_test

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth/authtest"
	"github.com/natsauth/natsauth/claims"
	"github.com/natsauth/natsauth/resolver"
	"github.com/natsauth/natsauth/resolver/accountsrv"
	"github.com/natsauth/natsauth/resolver/resolvertest"
)

// FuzzServer: whatever is sent, the answer is one that the package tells of, it is small, and only a push that is
// acknowledged has changed anything: to the token that was pushed.
func FuzzServer(f *testing.F) {
	held := authtest.NewOperator(f).Account("A")
	key := held.PublicKey()
	f.Add("GET", accounts+key, "", "", `"x", *`, false)
	f.Add("GET", accounts+key, "check=true&text=true&decode=true&notify=true", "", "", false)
	f.Add("HEAD", "/jwt/v2/accounts/"+key, "jti=x", "", tag(f, held.Token()), false)
	f.Add("POST", accounts+key, "", held.Renew().Token(), "*", false)
	f.Add("POST", accounts+key, "%", resolvertest.Respelt(held.Renew().Token())+"\n", "", true)
	f.Add("POST", accounts+key, "", held.Token()[:300], "", false)
	f.Add("POST", accounts+"..", "", held.Token(), "", true)
	f.Add("OPTIONS", "/jwt/v1/pack", "max=1", "", "", false)
	f.Add("GET", "/jwt/v1/pack", "max=-1", "", "W/", false)
	f.Add("get", "//jwt/v1//help", "max=1&max=2", "", `"`, false)
	f.Add("DELETE", "/healthz", ";", "", `W/"a", `, false)
	f.Add("GET", "/jwt/v1/operator", "decode=true", "x", "", true)
	f.Add("PUT", "/jwt/v1/accounts%2f"+key, "", "", "", false)
	f.Fuzz(func(t *testing.T, method, path, query, body, tags string, listed bool) {
		s := play(t, func(c *accountsrv.Config) {
			c.Operator = authtest.NewOperator(t).Token()
			if !listed {
				c.Accounts = resolver.Chain(c.Accounts)
			}
		}).holding(held)
		to, err := url.ParseRequestURI(path)
		if err != nil {
			to = &url.URL{Path: path} // as somebody might call the handler by himself
		}
		to.RawQuery = query
		r := (&http.Request{
			Method: method, URL: to, Header: http.Header{"If-None-Match": {tags}}, ContentLength: int64(len(body)),
			Body: io.NopCloser(strings.NewReader(body)), RemoteAddr: "192.0.2.1:1",
		}).WithContext(context.Background())
		got := record(s.handler, r)

		require.Contains(t, []int{200, 204, 304, 400, 404, 405, 409, 413, 501}, got.status)
		require.Equal(t, "nosniff", got.header.Get("X-Content-Type-Options"))
		require.Equal(t, got.status == 405, got.header.Get("Allow") != "" && got.status != 204)
		require.Less(t, len(got.body), 64<<10)
		if got.status >= 400 {
			require.Equal(t, "no-store", got.header.Get("Cache-Control"))
			require.NotContains(t, got.body, held.Token()[:100])
		}
		want := held.Token()
		if method == http.MethodPost && got.status == 200 {
			want = canonical(t, strings.TrimSpace(body))
			a, err := claims.ParseAccount(want)
			require.NoError(t, err)
			require.Equal(t, key, a.Key)
		}
		resolvertest.Holds(t, s.store, want)
	})
}
