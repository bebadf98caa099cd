package accountsrv_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth/authtest"
	"github.com/natsauth/natsauth/resolver"
	"github.com/natsauth/natsauth/resolver/accountsrv"
	"github.com/natsauth/natsauth/resolver/resolvertest"
)

func TestF132Account(t *testing.T) {
	s := play(t)
	a := s.operator.Account("A", authtest.Expires(authtest.Now().Add(time.Minute)))
	s.holding(a).serve()
	path := accounts + a.PublicKey()
	for _, row := range []struct{ query, kind string }{
		{"", "application/jwt"},
		{"?text=false", "application/jwt"},
		{"?text=1", "application/jwt"},
		{"?unknown=true", "application/jwt"},
		{"?check=true", "application/jwt"},
		{"?text=true", "text/plain; charset=utf-8"},
		{"?text=TRUE&check=true", "text/plain; charset=utf-8"},
		{"?text=true&text=false", "text/plain; charset=utf-8"},
		{"?text=false&text=true", "application/jwt"},
		{"?text=true&decode=true", "text/plain; charset=utf-8"},
		{"?jti", "application/jwt"},
		{"?jti=&notify=true", "application/jwt"},
	} {
		got := s.get(path + row.query)
		require.Equal(t, 200, got.status, row.query)
		require.Equal(t, row.kind, got.header.Get("Content-Type"), row.query)
		require.Equal(t, a.Token(), got.body)
		require.Equal(t, tag(t, a.Token()), got.header.Get("ETag"))
		require.Equal(t, "max-age=60, stale-while-revalidate=3600, stale-if-error=3600", got.header.Get("Cache-Control"))
		require.Equal(t, fmt.Sprint(len(a.Token())), got.header.Get("Content-Length"))
	}
	for query, want := range map[string]int{"?jti=x": 501, "?check=true;text=true": 400, "?x=%zz": 400} {
		got := s.get(path + query)
		require.Equal(t, want, got.status, query)
		require.Empty(t, got.header.Get("ETag"))
		require.NotContains(t, got.body, a.Token()[:20])
	}
}

func TestF132NotFound(t *testing.T) {
	s := play(t)
	a := s.operator.Account("A")
	got := s.get(accounts + a.PublicKey())
	require.Equal(t, answer{404, got.header, "no matching account JWT\n"}, got)
	require.Equal(t, "no-store", got.header.Get("Cache-Control"))
	require.Equal(t, 200, s.holding(a).get(accounts+a.PublicKey()).status)
}

// TestF132Check: an account whose time is over is there for who does not ask.
func TestF132Check(t *testing.T) {
	for name, row := range map[string]struct {
		end  time.Duration // from now
		want int
	}{"a second before": {time.Second, 200}, "at the end": {0, 404}, "a second after": {-time.Second, 404}} {
		t.Run(name, func(t *testing.T) {
			s := play(t)
			a := s.operator.Account("A", authtest.Expires(authtest.Now().Add(row.end)))
			s.holding(a)
			got := s.get(accounts + a.PublicKey() + "?check=true&text=true")
			require.Equal(t, row.want, got.status)
			require.Equal(t, row.want == 404, got.body == "")
			require.Equal(t, 200, s.get(accounts+a.PublicKey()).status)
			require.Equal(t, 200, s.get(accounts+a.PublicKey()+"?check=false").status)
		})
	}
	s := play(t)
	early := s.operator.Account("A", authtest.NotBefore(authtest.Now().Add(time.Hour)))
	require.Equal(t, 200, s.holding(early).get(accounts+early.PublicKey()+"?check=true").status)
}

// TestF132CacheControl: no age is negative, and what has no end to wait for is asked for again.
func TestF132CacheControl(t *testing.T) {
	now := authtest.Now().Unix()
	until := func(n int64) string {
		return fmt.Sprintf("max-age=%d, stale-while-revalidate=3600, stale-if-error=3600", n)
	}
	for _, row := range []struct {
		name string
		exp  int64
		want string
	}{
		{"no end", 0, "no-cache"},
		{"an hour to go", now + 3600, until(3600)},
		{"a second to go", now + 1, until(1)},
		{"at the end", now, "no-cache"},
		{"a second too late", now - 1, "no-cache"},
		{"before 1970", math.MinInt64, "no-cache"},
		{"68 years", now + 1<<31, until(1 << 31)},
		{"longer", now + 1<<31 + 1, until(1 << 31)},
		{"for ever", math.MaxInt64, until(1 << 31)},
	} {
		t.Run(row.name, func(t *testing.T) {
			token := resolvertest.Token(t, 1, 100, resolvertest.Expires(row.exp))
			s := play(t, func(c *accountsrv.Config) { c.Accounts = says(token, nil) })
			got := s.get(accounts + resolvertest.Account(t, 1))
			require.Equal(t, 200, got.status)
			require.Equal(t, row.want, got.header.Get("Cache-Control"))
		})
	}
}

// TestB20OneTagForAllSpellings: and one text.
func TestB20OneTagForAllSpellings(t *testing.T) {
	token := resolvertest.Token(t, 1, 100)
	path := accounts + resolvertest.Account(t, 1)
	for _, spelling := range []string{token, resolvertest.Respelt(token)} {
		got := play(t, func(c *accountsrv.Config) { c.Accounts = says(spelling, nil) }).get(path)
		require.Equal(t, canonical(t, token), got.body)
		require.Equal(t, tag(t, token), got.header.Get("ETag"))
	}
	lesser, greater := resolvertest.Twins(t, 1, 100)
	require.NotEqual(t, tag(t, lesser), tag(t, greater))
}

func TestF132IfNoneMatch(t *testing.T) {
	s := play(t)
	a := s.operator.Account("A", authtest.Raw(func(c map[string]any) { c["jti"] = "ITSJTI" }))
	s.holding(a)
	mine := tag(t, a.Token())
	other := `"` + strings.Repeat("0", 64) + `"`
	for _, row := range []struct {
		name   string
		fields []string
		want   int
	}{
		{"nothing", nil, 200},
		{"its tag", []string{mine}, 304},
		{"its tag, called weak", []string{"W/" + mine}, 304},
		{"any", []string{"*"}, 304},
		{"any, with space", []string{" * "}, 304},
		{"another", []string{other}, 200},
		{"one of two", []string{other + ", " + mine}, 304},
		{"one of two, called weak, without space", []string{mine + ",W/" + other}, 304},
		{"neither of two", []string{other + "," + other}, 200},
		{"in the second field", []string{other, mine}, 304},
		{"after nothing", []string{",, ," + mine + ","}, 304},
		{"after one with a comma", []string{`"a,b" , ` + mine}, 304},
		{"inside of another", []string{`"x` + mine[1:]}, 200},
		{"without quotes", []string{strings.Trim(mine, `"`)}, 200},
		{"half in quotes", []string{mine[:len(mine)-1]}, 200},
		{"in small weakness", []string{"w/" + mine}, 200},
		{"its jti", []string{`"ITSJTI"`}, 200},
		{"after what is no tag", []string{"x, " + mine}, 200},
		{"any among others", []string{other + ", *"}, 200},
		{"empty", []string{""}, 200},
		{"a quote", []string{`"`}, 200},
		{"an empty tag", []string{`""`}, 200},
	} {
		t.Run(row.name, func(t *testing.T) {
			var header []string
			for _, field := range row.fields {
				header = append(header, "If-None-Match", field)
			}
			for _, method := range []string{http.MethodGet, http.MethodHead} {
				got := s.ask(method, accounts+a.PublicKey(), "", header...)
				require.Equal(t, row.want, got.status)
				require.Equal(t, mine, got.header.Get("ETag"))
				require.Equal(t, "no-cache", got.header.Get("Cache-Control"))
				require.Equal(t, row.want == 200 && method == http.MethodGet, got.body != "")
			}
		})
	}
	require.Equal(t, 404, s.get(accounts+s.operator.Account("B").PublicKey(), "If-None-Match", "*").status)
}

func TestF132Decode(t *testing.T) {
	s := play(t)
	a := s.operator.Account("A", authtest.Tags("x"))
	got := s.holding(a).get(accounts + a.PublicKey() + "?decode=true&text=false")
	require.Equal(t, 200, got.status)
	require.Equal(t, "text/plain; charset=utf-8", got.header.Get("Content-Type"))
	d := json.NewDecoder(strings.NewReader(got.body))
	var header, body map[string]any
	require.NoError(t, d.Decode(&header))
	require.NoError(t, d.Decode(&body))
	require.Equal(t, map[string]any{"typ": "JWT", "alg": "ed25519-nkey"}, header)
	require.Equal(t, a.PublicKey(), body["sub"])
	require.Contains(t, got.body, "\n \"sub\": ", "indented")
	require.True(t, strings.HasSuffix(got.body, "\n"+a.Token()[strings.LastIndex(a.Token(), ".")+1:]+"\n"))
}

// TestB18Decode: what is nested as no tool does is shown without indentation, which would make gigabytes of it.
func TestB18Decode(t *testing.T) {
	brackets := strings.Repeat(`[\"{`, 20)
	for _, row := range []struct {
		text     string
		depth    int // and two around it
		indented bool
	}{{"x", 14, true}, {"x", 15, false}, {"x", 5000, false}, {brackets, 1, true}, {strings.Repeat(`]\`, 20), 15, false}} {
		s := play(t)
		a := s.operator.Account("A", authtest.Raw(func(c map[string]any) {
			nested := any(row.text)
			for range row.depth {
				nested = []any{nested}
			}
			c["nats"].(map[string]any)["deep"] = nested
		}))
		got := s.holding(a).get(accounts + a.PublicKey() + "?decode=true")
		require.Equal(t, 200, got.status)
		require.Equal(t, row.indented, strings.Contains(got.body, "\n \"sub\""), "%v", row)
		require.Less(t, len(got.body), 20*len(a.Token()))
	}
}

func TestF132Operator(t *testing.T) {
	o := authtest.NewOperator(t, authtest.Expires(authtest.Now().Add(time.Minute)))
	s := play(t, func(c *accountsrv.Config) { c.Operator = o.Token() })
	for _, path := range []string{"/jwt/v1/operator", "/jwt/v2/operator"} {
		got := s.get(path)
		require.Equal(t, 200, got.status)
		require.Equal(t, o.Token(), got.body)
		require.Equal(t, "application/jwt", got.header.Get("Content-Type"))
		require.Equal(t, "max-age=60, stale-while-revalidate=3600, stale-if-error=3600", got.header.Get("Cache-Control"))
		require.Equal(t, 304, s.get(path, "If-None-Match", got.header.Get("ETag")).status)
		require.Equal(t, "text/plain; charset=utf-8", s.get(path+"?text=true").header.Get("Content-Type"))
		require.Contains(t, s.get(path+"?decode=true").body, `"type": "operator"`)
		require.Equal(t, 400, s.get(path+"?%zz").status)
	}
}

// TestF132SystemAccount: the configured token stands in for one that is not there, and not for one that is not known.
func TestF132SystemAccount(t *testing.T) {
	o := authtest.NewOperator(t)
	configured := o.Account("SYS")
	newer := configured.Renew()
	for _, row := range []struct {
		name  string
		token string
		err   error
		want  int
		body  string
	}{
		{"not there", "", resolver.ErrNotFound, 200, configured.Token()},
		{"there", newer.Token(), nil, 200, newer.Token()},
		{"not known", "", resolver.ErrUnavailable, 503, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := play(t, func(c *accountsrv.Config) {
				c.Accounts, c.SystemAccount = says(row.token, row.err), configured.Token()
			})
			got := s.get(accounts + configured.PublicKey())
			require.Equal(t, row.want, got.status)
			if row.body != "" {
				require.Equal(t, row.body, got.body)
			}
			if row.err != nil {
				require.NotEqual(t, 200, s.get(accounts+o.Account("A").PublicKey()).status, "another account")
			}
		})
	}
}

// TestB7Outage: whatever leaves open whether there is a token is 503, and says nothing of itself.
func TestB7Outage(t *testing.T) {
	token := resolvertest.Token(t, 1, 100)
	for name, accounts := range map[string]resolver.Resolver{
		"unavailable":                    says("", resolver.ErrUnavailable),
		"another error":                  says("", errSecret),
		"unavailable, and not found too": says("", errors.Join(resolver.ErrNotFound, resolver.ErrUnavailable)),
		"no token":                       says("s3cret", nil),
		"nothing":                        says("", nil),
		"a damaged token":                says(token[:len(token)-9]+"AAAAAAAAA", nil),
		"another account's token":        says(resolvertest.Token(t, 2, 100), nil),
		"an operator's token":            says(authtest.NewOperator(t).Token(), nil),
	} {
		t.Run(name, func(t *testing.T) {
			s := play(t, func(c *accountsrv.Config) { c.Accounts = accounts })
			got := s.get("/jwt/v1/accounts/"+resolvertest.Account(t, 1), "If-None-Match", "*")
			require.Equal(t, answer{503, got.header, "account tokens cannot be had now, try again\n"}, got)
			require.Equal(t, "1", got.header.Get("Retry-After"))
			require.Equal(t, "no-store", got.header.Get("Cache-Control"))
			require.Empty(t, got.header.Get("ETag"))
		})
	}
}

// TestB18SlowStore: a store is waited for so long, and no longer.
func TestB18SlowStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t, func(c *accountsrv.Config) { c.Accounts, c.Timeout = stuck{c.Accounts.(resolver.Store)}, time.Minute })
		for _, path := range []string{accounts + s.operator.Account("A").PublicKey(), "/healthz", "/jwt/v1/pack"} {
			begun := time.Now()
			require.Equal(t, 503, s.get(path).status, path)
			require.Equal(t, time.Minute, time.Since(begun), path)
		}
	})
}

// stuck is a store that answers nothing.
type stuck struct{ resolver.Store }

func (stuck) Resolve(ctx context.Context, _ string) (string, error) {
	<-ctx.Done()
	return "", ctx.Err()
}

func (stuck) Accounts(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		<-ctx.Done()
		yield("", ctx.Err())
	}
}

func TestF132Notify(t *testing.T) {
	b := new(bus)
	s := play(t, func(c *accountsrv.Config) { c.Bus = b })
	a := s.operator.Account("A")
	s.holding(a)
	path := accounts + a.PublicKey()
	s.get(path)
	s.get(path + "?notify=false")
	s.ask(http.MethodHead, path+"?notify=true", "")
	s.get(accounts + s.operator.Account("B").PublicKey() + "?notify=true")
	require.Empty(t, b.sent)
	got := s.get(path + "?notify=true")
	require.Equal(t, 200, got.status)
	require.Equal(t, a.Token(), got.body)
	require.Equal(t, []resolver.Msg{update(t, a.PublicKey(), a.Token())}, b.sent)
	b.err = errSecret
	got = s.get(path + "?notify=true")
	require.Equal(t, answer{503, got.header, "the token could not be published, try again\n"}, got)

	unheard := play(t).holding(a)
	got = unheard.get(path + "?notify=true")
	require.Equal(t, answer{200, got.header, a.Token()}, got, "there is nobody to tell")
	forbidden := play(t, func(c *accountsrv.Config) {
		c.Bus, c.Authorize = b, func(*http.Request) error { return errSecret }
	}).holding(a)
	got = forbidden.get(path + "?notify=true")
	require.Equal(t, answer{403, got.header, "you may not do this\n"}, got)
	require.Equal(t, 200, forbidden.get(path).status, "everybody may read")
}
