package url_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/resolver"
	"github.com/natsauth/natsauth/resolver/cache"
	"github.com/natsauth/natsauth/resolver/resolvertest"
	"github.com/natsauth/natsauth/resolver/url"
)

// clock stands still until it is set.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

func newClock() *clock { return &clock{time.Unix(1000, 0)} }

// TestConditionalGet: over a real connection, a token that is as it was is not sent again.
func TestConditionalGet(t *testing.T) {
	token, next := resolvertest.Token(t, 1, 100), resolvertest.Token(t, 1, 101)
	now, sent := token, 0
	s := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tag := `"` + now[len(now)-10:] + `"`
		w.Header().Set("ETag", tag)
		if r.Header.Get("If-None-Match") == tag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		sent++
		io.WriteString(w, now)
	}))
	r := dial(t, s.URL, url.Options{})
	for range 3 {
		gives(t, r, token)
	}
	require.Equal(t, 1, sent)
	now = next
	for range 3 {
		gives(t, r, next)
	}
	require.Equal(t, 2, sent)
	require.EqualValues(t, 4, r.Stats().NotModified)
	require.EqualValues(t, 6, r.Stats().Requests, "each Resolve asks")

	none := dial(t, s.URL, url.Options{Kept: -1})
	gives(t, none, next)
	gives(t, none, next)
	require.Equal(t, 4, sent)
}

func TestETags(t *testing.T) {
	token := resolvertest.Token(t, 1, 100)
	long := `"` + strings.Repeat("x", 253) + `"`
	for _, row := range []struct {
		name, tag string
		asked     bool
	}{
		{"none", "", false},
		{"strong", `"x"`, true},
		{"weak", `W/"x"`, true},
		{"empty", `""`, true},
		{"any character", "\"!#\x80\xff,\\\"", true},
		{"a byte less than the longest", long, true},
		{"the longest", `"y` + long[1:], true},
		{"a byte more", `"yy` + long[1:], false},
		{"no quotes", `x`, false},
		{"one quote", `"`, false},
		{"one end", `"x`, false},
		{"the other end", `x"`, false},
		{"a quote inside", `"x"y"`, false},
		{"two", `"x", "y"`, false},
		{"a space", `"x y"`, false},
		{"a control character", "\"x\x7f\"", false},
		{"weak in lower case", `w/"x"`, false},
		{"weak twice", `W/W/"x"`, false},
		{"any", `*`, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			rt := scripted(reply{200, map[string]string{"ETag": row.tag}, token})
			r := open(t, rt, url.Options{Header: http.Header{"If-None-Match": {`"ours"`}}})
			gives(t, r, token)
			require.NotContains(t, rt.asked[0].Header, "If-None-Match")
			gives(t, r, token)
			if row.asked {
				require.Equal(t, []string{row.tag}, rt.asked[1].Header["If-None-Match"])
				require.Equal(t, 1, r.Stats().Kept)
				return
			}
			require.NotContains(t, rt.asked[1].Header, "If-None-Match")
			require.Zero(t, r.Stats().Kept, "it would be of no use")
		})
	}
}

// TestNotModified: 304 is an answer to our question, and about what is kept.
func TestNotModified(t *testing.T) {
	token := resolvertest.Token(t, 1, 100)
	fails(t, open(t, scripted(reply{status: 304}), url.Options{}), url.ErrNotModified)
	for _, row := range []struct {
		name, kept, says string
		ok               bool
	}{
		{"no tag", `"x"`, "", true},
		{"the same", `"x"`, `"x"`, true},
		{"the same, weak", `W/"x"`, `W/"x"`, true},
		{"the same, weak now", `"x"`, `W/"x"`, true},
		{"the same, strong now", `W/"x"`, `"x"`, true},
		{"what is no tag", `"x"`, `x`, true},
		{"another", `"x"`, `"y"`, false},
		{"another, in capitals", `"x"`, `"X"`, false},
		{"another, weak", `W/"x"`, `W/"y"`, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			full := reply{200, map[string]string{"ETag": row.kept}, token}
			rt := scripted(full, reply{304, map[string]string{"ETag": row.says}, ""}, full)
			r := open(t, rt, url.Options{})
			gives(t, r, token)
			if row.ok {
				gives(t, r, token)
				require.EqualValues(t, 1, r.Stats().NotModified)
				return
			}
			fails(t, r, url.ErrNotModified)
			gives(t, r, token)
			require.NotContains(t, rt.asked[2].Header, "If-None-Match", "it is not asked about again")
		})
	}
}

// TestTagsAreOfOneURL: a server to which we are sent is asked about what it gave, and not about another's.
func TestTagsAreOfOneURL(t *testing.T) {
	token, next := resolvertest.Token(t, 1, 100), resolvertest.Token(t, 1, 101)
	one := to("https://one.example/x")
	rt := scripted(
		one, reply{200, map[string]string{"ETag": `"1"`}, token},
		one, reply{304, nil, ""},
		to("https://two.example/x"), reply{200, map[string]string{"ETag": `"1"`}, next},
		reply{304, nil, ""},
	)
	r := open(t, rt, url.Options{})
	gives(t, r, token)
	gives(t, r, token)
	gives(t, r, next)
	fails(t, r, url.ErrNotModified)
	for i, want := range []string{"", "", "", `"1"`, "", "", ""} {
		require.Equal(t, want, rt.asked[i].Header.Get("If-None-Match"), i)
	}
}

// TestMaxAge: an answer is given again without asking as long as both sides allow it.
func TestMaxAge(t *testing.T) {
	plain := resolvertest.Token(t, 1, 100)
	hour := url.Options{MaxAge: time.Hour}
	for _, row := range []struct {
		name    string
		control string
		age     string
		o       url.Options
		after   time.Duration
		asks    bool
	}{
		{"by default it asks", "max-age=60", "", url.Options{}, 0, true},
		{"at once", "max-age=60", "", hour, 0, false},
		{"before the end", "max-age=60", "", hour, time.Minute - 1, false},
		{"at the end", "max-age=60", "", hour, time.Minute, true},
		{"after the end", "max-age=60", "", hour, time.Minute + 1, true},
		{"before our own bound", "max-age=31536000", "", hour, time.Hour - 1, false},
		{"at our own bound", "max-age=31536000", "", hour, time.Hour, true},
		{"the clock was set back", "max-age=60", "", hour, -1, true},
		{"in quotes", `max-age="60"`, "", hour, 0, false},
		{"in capitals, among others", `public , MAX-AGE=60, x="a,no-store,\",b"`, "", hour, 0, false},
		{"as account servers say it",
			"max-age=31536000, stale-while-revalidate=3600, stale-if-error=3600", "", hour, 0, false},
		{"the longest that is believed", "max-age=2147483648", "", hour, 0, false},
		{"longer", "max-age=2147483649", "", hour, 0, true},
		{"absurdly long", "max-age=" + strings.Repeat("9", 400), "", hour, 0, true},
		{"below zero", "max-age=-1796000000", "", hour, 0, true},
		{"zero", "max-age=0", "", hour, 0, true},
		{"no number", "max-age=1e3", "", hour, 0, true},
		{"nothing", "max-age", "", hour, 0, true},
		{"an end of quotes that is missing", `max-age=60, x="`, "", hour, 0, true},
		{"no header", "", "", hour, 0, true},
		{"for others", "s-maxage=60, stale-while-revalidate=60", "", hour, 0, true},
		{"no-cache", "max-age=60, no-cache", "", hour, 0, true},
		{"no-cache for a field", `max-age=60, no-cache="Set-Cookie"`, "", hour, 0, true},
		{"no-store", "No-Store, max-age=60", "", hour, 0, true},
		{"twice the same", "max-age=60, max-age=60", "", hour, 0, false},
		{"twice, and not the same", "max-age=60, max-age=61", "", hour, 0, true},
		{"it was old, before the end", "max-age=60", "10", hour, 50*time.Second - 1, false},
		{"it was old, at the end", "max-age=60", "10", hour, 50 * time.Second, true},
		{"it was older", "max-age=60", "61", hour, 0, true},
		{"it was of no age", "max-age=60", "x", hour, 0, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := newClock()
			row.o.Clock = c.Now
			rt := scripted(reply{200, map[string]string{"Cache-Control": row.control, "Age": row.age}, plain})
			r := open(t, rt, row.o)
			gives(t, r, plain)
			c.now = c.now.Add(row.after)
			gives(t, r, plain)
			require.Equal(t, row.asks, len(rt.asked) == 2)
			require.Equal(t, row.asks, r.Stats().FromMemory == 0)
		})
	}
}

// TestMaxAgeEndsWithTheToken: upstream may have its successor.
func TestMaxAgeEndsWithTheToken(t *testing.T) {
	token := resolvertest.Token(t, 1, 100, resolvertest.Expires(1010))
	full := reply{200, map[string]string{"Cache-Control": "max-age=3600, stale-if-error=3600"}, token}
	const end = 10 * time.Second
	for after, asks := range map[time.Duration]bool{end - 1: false, end: true, end + 1: true} {
		c := newClock()
		rt := scripted(full, reply{status: 500})
		r := open(t, rt, url.Options{MaxAge: time.Hour, StaleIfError: time.Hour, Clock: c.Now})
		gives(t, r, token)
		c.now = c.now.Add(after)
		if !asks {
			gives(t, r, token)
			continue
		}
		status(t, fails(t, r, nil), 500)
	}
}

// TestMaxAgeCountsFromTheQuestion: the answer may have been under way for long.
func TestMaxAgeCountsFromTheQuestion(t *testing.T) {
	token := resolvertest.Token(t, 1, 100)
	for after, asks := range map[time.Duration]uint64{50*time.Second - 1: 1, 50 * time.Second: 2} {
		c := newClock()
		r := open(t, transport(func(*http.Request) (*http.Response, error) {
			c.now = c.now.Add(10 * time.Second)
			return reply{200, map[string]string{"Cache-Control": "max-age=60"}, token}.response(), nil
		}), url.Options{MaxAge: time.Hour, Clock: c.Now})
		gives(t, r, token)
		c.now = c.now.Add(after)
		gives(t, r, token)
		require.Equal(t, asks, r.Stats().Requests)
	}
}

// TestNotModifiedRenews: the time counts anew, by what 304 says or else by what was said before.
func TestNotModifiedRenews(t *testing.T) {
	token := resolvertest.Token(t, 1, 100)
	full := reply{200, map[string]string{"ETag": `"x"`, "Cache-Control": "max-age=60"}, token}
	for _, row := range []struct {
		name, control string
		after         time.Duration
		asks          bool
	}{
		{"as before", "", time.Minute - 1, false},
		{"as before, at the end", "", time.Minute, true},
		{"shorter", "max-age=30", 30*time.Second - 1, false},
		{"shorter, at the end", "max-age=30", 30 * time.Second, true},
		{"no more", "no-store", 0, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := newClock()
			rt := scripted(full, reply{304, map[string]string{"Cache-Control": row.control}, ""}, full)
			r := open(t, rt, url.Options{MaxAge: time.Hour, Clock: c.Now})
			gives(t, r, token)
			c.now = c.now.Add(time.Minute)
			gives(t, r, token)
			c.now = c.now.Add(row.after)
			gives(t, r, token)
			require.Equal(t, row.asks, len(rt.asked) == 3)
			require.Equal(t, row.control == "no-store", rt.asked[len(rt.asked)-1].Header.Get("If-None-Match") == "")
		})
	}
}

// TestB9StaleIfError: an outage shows, unless both sides allow to hide it.
func TestB9StaleIfError(t *testing.T) {
	token := resolvertest.Token(t, 1, 100)
	both := "max-age=60, stale-if-error=60"
	hour := url.Options{MaxAge: time.Hour, StaleIfError: time.Hour}
	for _, row := range []struct {
		name    string
		control string
		o       url.Options
		after   time.Duration
		answer  reply
		stale   bool
	}{
		{"by default it shows", both, url.Options{}, 0, reply{status: 500}, false},
		{"nobody hides it but for MaxAge", both, url.Options{MaxAge: time.Hour}, time.Minute, reply{status: 500}, false},
		{"before the end", both, hour, 2*time.Minute - 1, reply{status: 500}, true},
		{"at the end", both, hour, 2 * time.Minute, reply{status: 500}, false},
		{"our own bound on both", both, url.Options{StaleIfError: time.Second}, time.Second - 1, reply{status: 500}, true},
		{"at our own bound on both", both, url.Options{StaleIfError: time.Second}, time.Second, reply{status: 500}, false},
		{"too many requests", both, hour, time.Minute, reply{status: 429}, true},
		{"the server does not allow it", "max-age=60", hour, time.Minute, reply{status: 500}, false},
		{"it forbids it", both + ", must-revalidate", hour, time.Minute, reply{status: 500}, false},
		{"no-cache forbids it", both + ", no-cache", hour, time.Second, reply{status: 500}, false},
		{"no-store forbids it", both + ", no-store", hour, time.Second, reply{status: 500}, false},
		{"a negative time", "max-age=60, stale-if-error=-60", hour, time.Minute, reply{status: 500}, false},
		{"we are kept out", both, hour, time.Minute, reply{status: 403}, false},
		{"a wrong answer", both, hour, time.Minute, reply{200, nil, "<html>"}, false},
		{"a redirect to nowhere", both, hour, time.Minute, reply{status: 302}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := newClock()
			row.o.Clock = c.Now
			r := open(t, scripted(reply{200, map[string]string{"Cache-Control": row.control}, token}, row.answer), row.o)
			gives(t, r, token)
			c.now = c.now.Add(row.after)
			if row.stale {
				gives(t, r, token)
				require.EqualValues(t, 1, r.Stats().Stale)
				require.Zero(t, r.Stats().Failures)
				return
			}
			fails(t, r, nil)
			require.Zero(t, r.Stats().Stale)
		})
	}
}

// TestNotFoundForgets: what is gone is not given again, whatever was allowed.
func TestNotFoundForgets(t *testing.T) {
	token := resolvertest.Token(t, 1, 100)
	full := reply{200, map[string]string{"ETag": `"x"`, "Cache-Control": "max-age=60, stale-if-error=3600"}, token}
	c := newClock()
	rt := scripted(full, reply{status: 404}, reply{status: 500})
	r := open(t, rt, url.Options{MaxAge: time.Hour, StaleIfError: time.Hour, Clock: c.Now, Attempts: 1})
	gives(t, r, token)
	c.now = c.now.Add(time.Minute)
	notFound(t, r)
	fails(t, r, nil)
	require.Empty(t, rt.asked[2].Header.Get("If-None-Match"))
	require.Zero(t, r.Stats().Kept)
	require.Zero(t, r.Stats().KeptBytes)
}

// TestForget: what is forgotten is asked for again, and whole; what is not stays.
func TestForget(t *testing.T) {
	token := resolvertest.Token(t, 1, 100)
	full := reply{200, map[string]string{"ETag": `"x"`, "Cache-Control": "max-age=60, stale-if-error=3600"}, token}
	for _, row := range []struct {
		name, account string
		asks          int
	}{
		{"the account", resolvertest.Account(t, 1), 2},
		{"another", resolvertest.Account(t, 2), 1},
		{"all", "", 2},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := newClock()
			rt := scripted(full)
			r := open(t, rt, url.Options{MaxAge: time.Hour, StaleIfError: time.Hour, Clock: c.Now})
			gives(t, r, token)
			resolver.Forget(r, row.account)
			require.Equal(t, row.asks == 1, r.Stats().KeptBytes > 0)
			gives(t, r, token)
			require.Len(t, rt.asked, row.asks)
			require.Empty(t, rt.asked[row.asks-1].Header.Get("If-None-Match"))
			gives(t, r, token)
			require.Len(t, rt.asked, row.asks, "and is kept again")
		})
	}
	resolver.Forget((*url.Resolver)(nil), "")
	resolver.Forget(new(url.Resolver), "")
}

// TestForgetDuringRequest: what was asked for before is not kept, and what has been asked for since is not lost to it.
func TestForgetDuringRequest(t *testing.T) {
	old, next := resolvertest.Token(t, 1, 100), resolvertest.Token(t, 1, 101)
	header := map[string]string{"ETag": `"x"`, "Cache-Control": "max-age=60"}
	full, unchanged := reply{200, header, old}, reply{304, header, ""}
	late := reply{200, header, next}
	for _, row := range []struct {
		name    string
		kept    bool // the old token, from before
		account string
		first   reply // the answer that is under way
		want    string
		asks    int
	}{
		{"the account", false, resolvertest.Account(t, 1), full, next, 2},
		{"the account, of which a token is kept", true, resolvertest.Account(t, 1), full, next, 3},
		{"the account, which has not changed yet", true, resolvertest.Account(t, 1), unchanged, next, 3},
		{"all", false, "", full, next, 2},
		{"all, and a token is kept", true, "", unchanged, next, 3},
		{"another", false, resolvertest.Account(t, 2), full, old, 1},
		{"another, and a token is kept", true, resolvertest.Account(t, 2), unchanged, old, 2},
	} {
		for _, meanwhile := range []bool{false, true} { // somebody asks before the old answer is there
			t.Run(row.name, func(t *testing.T) {
				c := newClock()
				script, slow := scripted(row.first, late), 0
				if row.kept {
					script, slow = scripted(full, row.first, late), 1
				}
				var r *url.Resolver
				rt := transport(func(req *http.Request) (*http.Response, error) {
					hinted := len(script.asked) == slow
					resp, err := script.RoundTrip(req)
					if hinted {
						r.Forget(row.account)
						if meanwhile && row.want == next {
							gives(t, r, next)
						}
					}
					return resp, err
				})
				r = open(t, rt, url.Options{MaxAge: time.Hour, Clock: c.Now})
				if row.kept {
					gives(t, r, old)
					c.now = c.now.Add(time.Minute)
				}
				gives(t, r, old) // who asked before the hint may get what was true then
				gives(t, r, row.want)
				gives(t, r, row.want)
				require.Len(t, script.asked, row.asks)
				require.Equal(t, row.want == old && row.kept, script.asked[row.asks-1].Header.Get("If-None-Match") != "")
			})
		}
	}
}

// TestForgetDuringRequestBehindACache: what a cache forgets does not come back from here.
func TestForgetDuringRequestBehindACache(t *testing.T) {
	old, next := resolvertest.Token(t, 1, 100), resolvertest.Token(t, 1, 101)
	header := map[string]string{"Cache-Control": "max-age=60"}
	script := scripted(reply{200, header, old}, reply{200, header, next})
	var c *cache.Cache
	rt := transport(func(req *http.Request) (*http.Response, error) {
		if len(script.asked) == 0 {
			c.Forget(resolvertest.Account(t, 1))
		}
		return script.RoundTrip(req)
	})
	c, err := cache.New(open(t, rt, url.Options{MaxAge: time.Hour}), cache.Options{})
	require.NoError(t, err)
	defer c.Close()
	_, err = c.Resolve(t.Context(), resolvertest.Account(t, 1))
	require.NoError(t, err)
	gives(t, c, next)
}

// TestB18WhatIsKeptIsBounded: in number and in bytes; the one that was not asked for longest goes.
func TestB18WhatIsKeptIsBounded(t *testing.T) {
	texts := make(map[string]string)
	for n := range 4 {
		texts[resolvertest.Account(t, n)] = resolvertest.Token(t, n, 100)
	}
	conditional := func(t *testing.T, o url.Options, asks ...int) (got []bool, r *url.Resolver) {
		rt := transport(func(req *http.Request) (*http.Response, error) {
			got = append(got, req.Header.Get("If-None-Match") != "")
			key := req.URL.Path[strings.LastIndexByte(req.URL.Path, '/')+1:]
			return reply{200, map[string]string{"ETag": `"x"`}, texts[key]}.response(), nil
		})
		r = open(t, rt, o)
		for _, n := range asks {
			_, err := r.Resolve(t.Context(), resolvertest.Account(t, n))
			require.NoError(t, err)
		}
		return got, r
	}
	_, one := conditional(t, url.Options{}, 0)
	size := one.Stats().KeptBytes
	require.Greater(t, size, len(texts[resolvertest.Account(t, 0)]))
	for _, row := range []struct {
		name string
		o    url.Options
		asks []int
		want []bool
		kept int
	}{
		{"as many as there is room for", url.Options{Kept: 2}, []int{0, 1, 0, 1}, []bool{false, false, true, true}, 2},
		{"one more", url.Options{Kept: 2}, []int{0, 1, 2, 1, 2, 0}, []bool{false, false, false, true, true, false}, 2},
		{"one more, the first was used", url.Options{Kept: 2}, []int{0, 1, 0, 2, 0, 1},
			[]bool{false, false, true, false, true, false}, 2},
		{"none", url.Options{Kept: -1}, []int{0, 0}, []bool{false, false}, 0},
		{"bytes for two", url.Options{KeptBytes: 2*size + 1}, []int{0, 1, 0, 1}, []bool{false, false, true, true}, 2},
		{"bytes for two, three asked for", url.Options{KeptBytes: 2*size + 1}, []int{0, 1, 2, 0},
			[]bool{false, false, false, false}, 2},
		{"bytes for one", url.Options{KeptBytes: size}, []int{0, 0}, []bool{false, true}, 1},
		{"a byte too little", url.Options{KeptBytes: size - 1}, []int{0, 0}, []bool{false, false}, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, r := conditional(t, row.o, row.asks...)
			require.Equal(t, row.want, got)
			require.Equal(t, row.kept, r.Stats().Kept)
			require.Equal(t, row.kept*size, r.Stats().KeptBytes)
		})
	}
}

// TestB18WhatIsUsedStays: without asking, too; and what has no room takes none from others.
func TestB18WhatIsUsedStays(t *testing.T) {
	large := resolvertest.Token(t, 3, 100, resolvertest.Named(strings.Repeat("x", 5000)))
	rt := transport(func(req *http.Request) (*http.Response, error) {
		for n := range 3 {
			if strings.HasSuffix(req.URL.Path, resolvertest.Account(t, n)) {
				return reply{200, map[string]string{"Cache-Control": "max-age=60"}, resolvertest.Token(t, n, 100)}.response(), nil
			}
		}
		return reply{200, map[string]string{"Cache-Control": "max-age=60"}, large}.response(), nil
	})
	r := open(t, rt, url.Options{Kept: 2, KeptBytes: 5000, MaxAge: time.Hour, Clock: newClock().Now})
	for i, step := range []struct {
		account, kept int
		fromMemory    uint64
	}{{0, 1, 0}, {1, 2, 0}, {0, 2, 1}, {2, 2, 1}, {0, 2, 2}, {3, 2, 2}, {2, 2, 3}, {0, 2, 4}, {1, 2, 4}, {3, 2, 4}} {
		_, err := r.Resolve(t.Context(), resolvertest.Account(t, step.account))
		require.NoError(t, err)
		require.Equal(t, step.kept, r.Stats().Kept, i)
		require.Equal(t, step.fromMemory, r.Stats().FromMemory, i)
	}
}
