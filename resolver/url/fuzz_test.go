package url_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/claims"
	"github.com/natsauth/natsauth/resolver"
	"github.com/natsauth/natsauth/resolver/resolvertest"
	"github.com/natsauth/natsauth/resolver/url"
)

// FuzzResolve: whatever a server says, and then says again, the answer is the account's token, or that there is none, which
// takes a 404 or 410, or that nobody knows.
func FuzzResolve(f *testing.F) {
	good := resolvertest.Token(f, 1, 100)
	f.Add(200, good, `"x"`, "max-age=60, stale-if-error=60", "", "", "/y", 304)
	f.Add(200, "\n"+good+" ", `W/"x"`, "max-age=-1", "1", "", "", 200)
	f.Add(503, "", "", "no-store", "", "Mon, 02 Jan 2006 15:04:05 GMT", "", 200)
	f.Add(429, good[:40], `"x`, `max-age="60", private="a,b"`, "x", "-1", "", 404)
	f.Add(302, resolvertest.Token(f, 2, 100), "x", `"`, "", "99999999999999999999", "//h/x#y", 410)
	f.Add(200, resolvertest.Respelt(good), `"`, ",=,", "", "", "http://u@h", 500)
	key := resolvertest.Account(f, 1)
	f.Fuzz(func(t *testing.T, code int, body, tag, control, age, after, location string, second int) {
		said := 0
		rt := transport(func(*http.Request) (*http.Response, error) {
			said = code
			h := map[string]string{"ETag": tag, "Cache-Control": control, "Age": age, "Retry-After": after, "Location": location}
			answer := reply{code, h, body}.response()
			code = second
			return answer, nil
		})
		c := newClock()
		r := open(t, rt, url.Options{Attempts: 1, MaxBody: 64 << 10, MaxAge: time.Hour, StaleIfError: time.Hour, Clock: c.Now})
		for range 3 {
			token, err := r.Resolve(t.Context(), key)
			switch {
			case err == nil:
				a, err := claims.ParseAccount(token)
				require.NoError(t, err)
				require.Equal(t, key, a.Key)
			case errors.Is(err, resolver.ErrNotFound):
				require.Empty(t, token)
				require.NotErrorIs(t, err, resolver.ErrUnavailable)
				require.Contains(t, []int{404, 410}, said)
			default:
				require.Empty(t, token)
				require.ErrorIs(t, err, resolver.ErrUnavailable)
				status := new(url.StatusError)
				require.True(t, !errors.As(err, &status) || status.RetryAfter >= 0)
			}
			require.LessOrEqual(t, r.Stats().Kept, 1)
			c.now = c.now.Add(time.Minute)
		}
	})
}
