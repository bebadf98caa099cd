package cache_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/claims"
	"github.com/natsauth/natsauth/resolver"
	"github.com/natsauth/natsauth/resolver/cache"
	"github.com/natsauth/natsauth/resolver/resolvertest"
)

var (
	_ resolver.Resolver    = (*cache.Cache)(nil)
	_ resolver.Watcher     = (*cache.Cache)(nil)
	_ resolver.SystemBound = (*cache.Cache)(nil)
	_ resolver.Store       = (*cache.Store)(nil)
	_ resolver.Watcher     = (*cache.Store)(nil)
	_ resolver.SystemBound = (*cache.Store)(nil)
)

func TestCache(t *testing.T) {
	resolvertest.Run(t, func(t *testing.T, tokens ...string) resolver.Resolver {
		m, err := resolver.NewMemory(tokens...)
		require.NoError(t, err)
		return before(t, resolver.Func(m.Resolve), cache.Options{})
	})
}

func TestNewRefuses(t *testing.T) {
	const (
		times = "Options.MaxStale, Options.Timeout or Options.Retry is negative"
		ahead = "Options.RefreshAhead is not shorter than Options.TTL"
	)
	r := serves(t)
	for _, row := range []struct {
		name string
		r    resolver.Resolver
		o    cache.Options
		want string
	}{
		{"nothing to wrap", nil, cache.Options{}, "cache: nil Resolver"},
		{"negative Entries", r, cache.Options{Entries: -1}, "cache: Options.Entries is negative"},
		{"negative Bytes", r, cache.Options{Bytes: -1}, "cache: Options.Bytes is negative"},
		{"negative Loads", r, cache.Options{Loads: -1}, "cache: Options.Loads is negative"},
		{"negative MaxStale", r, cache.Options{MaxStale: -1}, "cache: " + times},
		{"negative Timeout", r, cache.Options{Timeout: -1}, "cache: " + times},
		{"negative Retry", r, cache.Options{Retry: -1}, "cache: " + times},
		{"RefreshAhead is the TTL", r, cache.Options{TTL: 9, RefreshAhead: 9}, "cache: " + ahead},
		{"RefreshAhead is the default TTL", r, cache.Options{RefreshAhead: time.Hour}, "cache: " + ahead},
	} {
		t.Run(row.name, func(t *testing.T) {
			c, err := cache.New(row.r, row.o)
			require.Nil(t, c)
			require.EqualError(t, err, row.want)
		})
	}
	s, err := cache.NewStore(nil, cache.Options{})
	require.Nil(t, s)
	require.EqualError(t, err, "cache: nil Store")
	s, err = cache.NewStore(new(resolver.Memory), cache.Options{Entries: -1})
	require.Nil(t, s)
	require.EqualError(t, err, "cache: Options.Entries is negative")
}

func TestNewAccepts(t *testing.T) {
	for name, o := range map[string]cache.Options{
		"defaults":                {},
		"RefreshAhead under TTL":  {TTL: time.Hour, RefreshAhead: time.Hour - 1},
		"the shortest TTL":        {TTL: 1},
		"no end, no refresh":      {TTL: -1, RefreshAhead: time.Hour},
		"the smallest bounds":     {Entries: 1, Bytes: 1, Loads: 1},
		"more Entries than Bytes": {Entries: 1 << 30, Bytes: 1 << 20},
		"more Bytes than tokens":  {Entries: 1, Bytes: 1<<31 - 1},
		"no end to anything":      {MaxStale: 1<<63 - 1, Timeout: 1<<63 - 1, Retry: 1<<63 - 1},
	} {
		t.Run(name, func(t *testing.T) {
			c := before(t, serves(t, v(t, 1)), o)
			gives(t, c, one(t), v(t, 1))
			gives(t, c, one(t), v(t, 1))
			require.Equal(t, o.Bytes != 1 && o.TTL != 1, c.Stats().Hits == 1)
		})
	}
}

func TestNilAndZero(t *testing.T) {
	for _, c := range []*cache.Cache{nil, new(cache.Cache), new(cache.Store).Cache} {
		refuses(t, c, one(t), resolver.ErrUnavailable)
		require.ErrorIs(t, c.Watch(t.Context(), nil), resolver.ErrUnavailable)
		require.False(t, c.SystemBound())
		require.Zero(t, c.Stats())
		c.Forget(one(t))
		c.Forget("")
		require.NoError(t, c.Close())
		require.Zero(t, c.Stats())
	}
}

// step is a question at some time after the first.
type step struct {
	at    time.Duration
	want  string // a token, or
	err   error
	asked int // how often upstream was, when all is quiet afterwards
}

// follow asks for account one at the times of the steps.
func follow(t *testing.T, u *upstream, c *cache.Cache, steps []step) {
	t.Helper()
	start := time.Now()
	for i, s := range steps {
		time.Sleep(time.Until(start.Add(s.at)))
		got, err := c.Resolve(t.Context(), one(t))
		require.Equal(t, s.err == nil, err == nil, "step %d: %v", i, err)
		require.True(t, got == s.want, "step %d: another token", i)
		if s.err != nil {
			requireOnly(t, err, s.err)
		}
		synctest.Wait()
		require.Equal(t, s.asked, u.questions(), "step %d", i)
	}
}

// TestF109TTL: a token is the answer until the TTL has passed, and in its last part upstream is asked meanwhile. What
// upstream has then is the answer from then on.
func TestF109TTL(t *testing.T) {
	const ns = time.Nanosecond
	old, new := v(t, 1), v(t, 2)
	ahead := cache.Options{TTL: 100 * time.Second, RefreshAhead: 10 * time.Second}
	plain := cache.Options{TTL: 100 * time.Second, RefreshAhead: -1}
	for _, row := range []struct {
		name  string
		o     cache.Options
		steps []step
	}{
		{"before the TTL", plain, []step{{100*time.Second - ns, old, nil, 1}}},
		{"at the TTL", plain, []step{{100 * time.Second, new, nil, 2}}},
		{"after the TTL", plain, []step{{100*time.Second + ns, new, nil, 2}}},
		{"being asked for does not lengthen it", plain, []step{
			{50 * time.Second, old, nil, 1}, {99 * time.Second, old, nil, 1}, {100 * time.Second, new, nil, 2},
		}},
		{"what came at the TTL has its own", plain, []step{
			{100 * time.Second, new, nil, 2}, {200*time.Second - ns, new, nil, 2}, {200 * time.Second, new, nil, 3},
		}},
		{"no RefreshAhead, as negative as can be", cache.Options{RefreshAhead: -1 << 63}, []step{{59 * time.Minute, old, nil, 1}}},
		{"before RefreshAhead", ahead, []step{{90*time.Second - ns, old, nil, 1}, {90*time.Second - ns, old, nil, 1}}},
		{"at RefreshAhead", ahead, []step{{90 * time.Second, old, nil, 2}, {90 * time.Second, new, nil, 2}}},
		{"after RefreshAhead", ahead, []step{{90*time.Second + ns, old, nil, 2}, {91 * time.Second, new, nil, 2}}},
		{"what came ahead has its own TTL", ahead, []step{
			{90 * time.Second, old, nil, 2}, {180*time.Second - ns, new, nil, 2}, {180 * time.Second, new, nil, 3},
		}},
		{"nobody asks in the time of RefreshAhead", ahead, []step{{100 * time.Second, new, nil, 2}}},
		{"defaults, before RefreshAhead", cache.Options{}, []step{{54*time.Minute - ns, old, nil, 1}}},
		{"defaults, at RefreshAhead", cache.Options{}, []step{{54 * time.Minute, old, nil, 2}, {54 * time.Minute, new, nil, 2}}},
		{"defaults, at the TTL", cache.Options{}, []step{{time.Hour, new, nil, 2}}},
		{"no end", cache.Options{TTL: -1}, []step{{2 * time.Hour, old, nil, 1}}},
		{"no end, no RefreshAhead", cache.Options{TTL: -1, RefreshAhead: -1}, []step{{2 * time.Hour, old, nil, 1}}},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u := serves(t, old)
				c := before(t, u, row.o)
				gives(t, c, one(t), old)
				u.has(t, new)
				follow(t, u, c, row.steps)
			})
		})
	}
}

// TestF109OwnEnd: no option lengthens the time of a token (B11).
func TestF109OwnEnd(t *testing.T) {
	const ns = time.Nanosecond
	for name, o := range map[string]cache.Options{
		"TTL and MaxStale are longer": {MaxStale: time.Hour},
		"no TTL":                      {TTL: -1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				token := ending(t, time.Now().Add(30*time.Second).Unix())
				u := serves(t, token)
				c := before(t, u, o)
				follow(t, u, c, []step{{0, token, nil, 1}, {30*time.Second - ns, token, nil, 1}})
				u.fails(errDial)
				follow(t, u, c, []step{
					{0, token, nil, 1}, {ns, "", resolver.ErrUnavailable, 2}, {ns, "", resolver.ErrUnavailable, 3},
				})
				u.fails(nil)
				follow(t, u, c, []step{{0, token, nil, 4}, {0, token, nil, 5}}) // given as it is, and not kept
			})
		})
	}
	t.Run("far away", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			token := ending(t, 1<<63-1)
			u := serves(t, token)
			follow(t, u, before(t, u, cache.Options{}), []step{{0, token, nil, 1}, {53 * time.Minute, token, nil, 1}})
		})
	})
}

// TestB9MaxStale: an old token is given only if upstream is asked in vain, and for a bounded time.
func TestB9MaxStale(t *testing.T) {
	const ns = time.Nanosecond
	old, down := v(t, 1), resolver.ErrUnavailable
	stale := cache.Options{TTL: 100 * time.Second, RefreshAhead: -1, MaxStale: 50 * time.Second, Retry: ns}
	strict := cache.Options{TTL: 100 * time.Second, RefreshAhead: -1}
	for _, row := range []struct {
		name  string
		o     cache.Options
		steps []step
		stale uint64
	}{
		{"before the TTL upstream is not asked", stale, []step{{100*time.Second - ns, old, nil, 1}}, 0},
		{"at the TTL", stale, []step{{100 * time.Second, old, nil, 2}}, 1},
		{"after the TTL", stale, []step{{100*time.Second + ns, old, nil, 2}, {101 * time.Second, old, nil, 3}}, 2},
		{"before the end of MaxStale", stale, []step{{150*time.Second - ns, old, nil, 2}}, 1},
		{"at the end of MaxStale", stale, []step{{150 * time.Second, "", down, 2}}, 0},
		{"after the end of MaxStale", stale, []step{{150*time.Second + ns, "", down, 2}}, 0},
		{"an answer in between does not lengthen it", stale, []step{
			{149 * time.Second, old, nil, 2}, {150 * time.Second, "", down, 3},
		}, 1},
		{"no MaxStale, before the TTL", strict, []step{{100*time.Second - ns, old, nil, 1}}, 0},
		{"no MaxStale, at the TTL", strict, []step{{100 * time.Second, "", down, 2}, {100 * time.Second, "", down, 3}}, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u := serves(t, old)
				c := before(t, u, row.o)
				gives(t, c, one(t), old)
				u.fails(errDial)
				follow(t, u, c, row.steps)
				require.Equal(t, row.stale, c.Stats().Stale)
				u.fails(nil)
				u.has(t, v(t, 2))
				time.Sleep(time.Minute)
				gives(t, c, one(t), v(t, 2)) // upstream is back
			})
		})
	}
}

// TestSlowUpstream: the ages of a token count from when upstream was asked for it, however late the answer comes.
func TestSlowUpstream(t *testing.T) {
	const ns = time.Nanosecond
	old, new, down := v(t, 1), v(t, 2), resolver.ErrUnavailable
	for _, row := range []struct {
		name  string
		down  bool
		delay time.Duration // of the first answer, and of the last
		at    time.Duration
		want  string
		err   error
	}{
		{"before RefreshAhead", false, 5 * time.Second, 90*time.Second - ns, old, nil},
		{"before the TTL, upstream is asked meanwhile", false, 5 * time.Second, 100*time.Second - ns, old, nil},
		{"at the TTL", false, 5 * time.Second, 100 * time.Second, new, nil},
		{"an outage that is noticed before the end of MaxStale", true, 5 * time.Second, 145*time.Second - ns, old, nil},
		{"an outage that is noticed at the end of MaxStale", true, 5 * time.Second, 145 * time.Second, "", down},
		{"an outage that is noticed after the end of MaxStale", true, 5 * time.Second, 149 * time.Second, "", down},
		{"at the end of MaxStale", true, 5 * time.Second, 150 * time.Second, "", down},
		{"an answer later than the TTL", false, 100 * time.Second, 100 * time.Second, new, nil},
		{"an answer later than MaxStale", true, 150 * time.Second, 150 * time.Second, "", down},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u := serves(t, old)
				c := before(t, u, cache.Options{
					TTL: 100 * time.Second, RefreshAhead: 10 * time.Second, MaxStale: 50 * time.Second, Timeout: time.Hour,
				})
				release := u.holds()
				first := asks(t.Context(), c, one(t))
				time.Sleep(row.delay)
				release()
				got(t, old, first)
				u.has(t, new)
				if row.down {
					u.fails(errDial)
				}
				time.Sleep(row.at - row.delay)
				release = u.holds()
				last := asks(t.Context(), c, one(t))
				time.Sleep(5 * time.Second)
				release()
				if row.err != nil {
					failed(t, row.err, last)
					return
				}
				got(t, row.want, last)
			})
		})
	}
}

// TestNotFoundEndsWhatIsKept: it is an answer, and no outage afterwards brings the old token back.
func TestNotFoundEndsWhatIsKept(t *testing.T) {
	for _, row := range []struct {
		name  string
		steps []step
	}{
		{"ahead of time", []step{{90 * time.Second, v(t, 1), nil, 2}, {90 * time.Second, "", resolver.ErrNotFound, 3}}},
		{"after the TTL", []step{
			{100 * time.Second, "", resolver.ErrNotFound, 2}, {100 * time.Second, "", resolver.ErrNotFound, 3},
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u := serves(t, v(t, 1))
				c := before(t, u, cache.Options{TTL: 100 * time.Second, RefreshAhead: 10 * time.Second, MaxStale: time.Hour})
				gives(t, c, one(t), v(t, 1))
				u.forgets(one(t))
				follow(t, u, c, row.steps)
				u.fails(errDial)
				refuses(t, c, one(t), resolver.ErrUnavailable)
				require.Zero(t, c.Stats().Entries)
			})
		})
	}
}

// TestRetry: after it was asked in vain, upstream is left alone for a while, and who asks does not wait for it.
func TestRetry(t *testing.T) {
	const ns, sec = time.Nanosecond, time.Second
	old := v(t, 1)
	for _, row := range []struct {
		name  string
		retry time.Duration
		steps []step
	}{
		{"ahead of time", 3 * sec, []step{
			{90 * sec, old, nil, 2}, {93*sec - ns, old, nil, 2}, {93 * sec, old, nil, 3}, {93*sec + ns, old, nil, 3},
		}},
		{"after the TTL", 3 * sec, []step{
			{100 * sec, old, nil, 2}, {103*sec - ns, old, nil, 2}, {103 * sec, old, nil, 3}, {103*sec + ns, old, nil, 3},
		}},
		{"over the TTL", 3 * sec, []step{{98 * sec, old, nil, 2}, {101*sec - ns, old, nil, 2}, {101 * sec, old, nil, 3}}},
		{"the default", 0, []step{{100 * sec, old, nil, 2}, {101*sec - ns, old, nil, 2}, {101 * sec, old, nil, 3}}},
		{"longer than there is time", 1<<63 - 1, []step{
			{100 * sec, old, nil, 2}, {110*sec - ns, old, nil, 2}, {110 * sec, "", resolver.ErrUnavailable, 3},
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u := serves(t, old)
				o := cache.Options{TTL: 100 * sec, RefreshAhead: 10 * sec, MaxStale: 10 * sec, Retry: row.retry}
				c := before(t, u, o)
				gives(t, c, one(t), old)
				u.fails(errDial)
				follow(t, u, c, row.steps)
			})
		})
	}
}

// TestAnswers: what upstream says is passed on, and an outage is never taken for "not found".
func TestAnswers(t *testing.T) {
	down := fmt.Errorf("%w: %w", resolver.ErrUnavailable, errDial)
	for _, row := range []struct {
		name string
		r    resolver.Resolver
		want error
		text string
	}{
		{"not found", says("", resolver.ErrNotFound), resolver.ErrNotFound, "resolver: account not found"},
		{"not found, wrapped", says("", fmt.Errorf("dir: %w", resolver.ErrNotFound)), resolver.ErrNotFound,
			"dir: resolver: account not found"},
		{"unavailable", says("", down), resolver.ErrUnavailable, "resolver: unavailable: no route to host"},
		{"an error without a name", says("", errDial), resolver.ErrUnavailable, "resolver: unavailable: no route to host"},
		{"both", says("", fmt.Errorf("%w: %w", down, resolver.ErrNotFound)), resolver.ErrUnavailable,
			"resolver: unavailable: resolver: unavailable: no route to host: resolver: account not found"},
		{"an error with a token", says(v(t, 1), errDial), resolver.ErrUnavailable, "resolver: unavailable: no route to host"},
		{"not found with a token", says(v(t, 1), resolver.ErrNotFound), resolver.ErrNotFound, "resolver: account not found"},
		{"nil Func", resolver.Func(nil), resolver.ErrUnavailable, "resolver: unavailable: nil Func"},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := before(t, row.r, cache.Options{MaxStale: time.Hour})
			for range 2 {
				got, err := c.Resolve(t.Context(), one(t))
				require.Empty(t, got)
				requireOnly(t, err, row.want)
				require.EqualError(t, err, row.text)
			}
			s := c.Stats()
			require.EqualValues(t, 2, s.Loads, "errors are not remembered")
			require.Zero(t, s.Entries)
			if errors.Is(row.want, resolver.ErrUnavailable) {
				require.EqualValues(t, 2, s.Failures)
			} else {
				require.Zero(t, s.Failures)
			}
		})
	}
}

// says is a resolver with one answer.
func says(token string, err error) resolver.Resolver {
	return resolver.Func(func(context.Context, string) (string, error) { return token, err })
}

// TestB20Kept: a token is kept as it is spelt, for the account that it is of, and nothing else is.
func TestB20Kept(t *testing.T) {
	good := v(t, 1)
	for _, row := range []struct {
		name, text string
		kept       bool
	}{
		{"token", good, true},
		{"token in another spelling", resolvertest.Respelt(good), true},
		{"token that begins tomorrow", resolvertest.Token(t, 1, 1<<40), true},
		{"nothing", "", false},
		{"a page of HTML", "<html>not here</html>", false},
		{"token of another account", resolvertest.Token(t, 2, 1), false},
		{"token without a true signature", good[:len(good)-4] + "AAAA", false},
		{"token that is over", ending(t, 1), false},
		{"token that was over before 1970", ending(t, -1), false},
		{"token that was over before all time", ending(t, -1<<63), false},
		{"more than a token may have", strings.Repeat("a", claims.MaxTokenSize+1), false},
	} {
		t.Run(row.name, func(t *testing.T) {
			u := serves(t)
			u.gives(one(t), row.text)
			c := before(t, u, cache.Options{})
			gives(t, c, one(t), row.text)
			gives(t, c, one(t), row.text)
			asked, s := 2, cache.Stats{Misses: 2, Loads: 2}
			if row.kept {
				asked, s = 1, cache.Stats{Hits: 1, Misses: 1, Loads: 1, Entries: 1, Bytes: int64(len(row.text))}
			}
			require.Equal(t, asked, u.questions())
			require.Equal(t, s, c.Stats())
		})
	}
}

// TestAnswerTakesThePlace: what upstream says counts, also if it is not to be kept.
func TestAnswerTakesThePlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := serves(t, v(t, 1))
		c := before(t, u, cache.Options{TTL: time.Minute, MaxStale: time.Hour})
		gives(t, c, one(t), v(t, 1))
		over := ending(t, 2)
		u.gives(one(t), over)
		time.Sleep(time.Minute)
		gives(t, c, one(t), over)
		u.fails(errDial)
		refuses(t, c, one(t), resolver.ErrUnavailable)
	})
}

func TestHitsDoNotAllocate(t *testing.T) {
	c := before(t, serves(t, v(t, 1)), cache.Options{})
	account, ctx := one(t), t.Context()
	gives(t, c, account, v(t, 1))
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		if _, err := c.Resolve(ctx, account); err != nil {
			t.Error(err)
		}
	}))
}

// TestStats: each question is a hit or a miss, each question to upstream a load.
func TestStats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := serves(t, v(t, 1))
		c := before(t, u, cache.Options{TTL: 100 * time.Second, MaxStale: 100 * time.Second})
		want, size := cache.Stats{}, int64(len(v(t, 1)))
		check := func() {
			t.Helper()
			synctest.Wait()
			require.Equal(t, want, c.Stats())
		}
		check()
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		c.Resolve(ended, one(t))
		check()
		gives(t, c, one(t), v(t, 1))
		want.Misses, want.Loads, want.Entries, want.Bytes = 1, 1, 1, size
		check()
		gives(t, c, one(t), v(t, 1))
		want.Hits++
		check()
		refuses(t, c, resolvertest.Account(t, 2), resolver.ErrNotFound)
		want.Misses, want.Loads = 2, 2
		check()
		time.Sleep(90 * time.Second)
		gives(t, c, one(t), v(t, 1))
		want.Hits, want.Loads, want.Refreshes = 2, 3, 1
		check()
		u.fails(errDial)
		time.Sleep(100 * time.Second)
		gives(t, c, one(t), v(t, 1))
		want.Misses, want.Loads, want.Failures, want.Stale = 3, 4, 1, 1
		check()
		gives(t, c, one(t), v(t, 1)) // without asking
		want.Misses, want.Stale = 4, 2
		check()
		u.fails(nil)
		u.has(t, resolvertest.Token(t, 1, 2, resolvertest.Named("a longer one")))
		time.Sleep(time.Second)
		c.Resolve(t.Context(), one(t))
		want.Misses, want.Loads, want.Bytes = 5, 5, int64(len(resolvertest.Token(t, 1, 2, resolvertest.Named("a longer one"))))
		check()
		c.Forget(one(t))
		want.Entries, want.Bytes = 0, 0
		check()
	})
}

// TestGoneIsLetGo: what is over goes without anybody asking.
func TestGoneIsLetGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := before(t, serves(t, v(t, 1)), cache.Options{TTL: time.Minute, MaxStale: time.Minute})
		gives(t, c, one(t), v(t, 1))
		time.Sleep(2*time.Minute - time.Nanosecond)
		require.Equal(t, 1, c.Stats().Entries)
		time.Sleep(5 * time.Second)
		require.Zero(t, c.Stats().Entries)
		require.Zero(t, c.Stats().Bytes)
		require.Zero(t, c.Stats().Evictions)
	})
}

// TestClock: a Cache goes by the clock that it is given.
func TestClock(t *testing.T) {
	const year = 365 * 24 * 3600
	for _, row := range []struct {
		name string
		ttl  time.Duration
		at   []int64 // seconds
		want int     // questions to upstream
	}{
		{"a minute", time.Minute, []int64{0, 53, 60, 61}, 2},
		{"a minute, set back in between", time.Minute, []int64{0, -year, 53}, 1},
		{"no end", -1, []int64{0, 100 * year, 200 * year}, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			var now atomic.Int64
			u := serves(t, v(t, 1))
			c := before(t, u, cache.Options{TTL: row.ttl, Clock: func() time.Time { return time.Unix(now.Load(), 0) }})
			for _, at := range row.at {
				now.Store(1000 + at)
				gives(t, c, one(t), v(t, 1))
			}
			require.Equal(t, row.want, u.questions())
		})
	}
}

// FuzzAnswers: whatever upstream gives is given, and kept only if it is a token of the account.
func FuzzAnswers(f *testing.F) {
	good := v(f, 1)
	for _, text := range []string{
		good, resolvertest.Respelt(good), resolvertest.Token(f, 2, 1), ending(f, 1), good[:40], "..", "",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		u := serves(t)
		u.gives(one(t), text)
		c := before(t, u, cache.Options{})
		gives(t, c, one(t), text)
		gives(t, c, one(t), text)
		a, err := claims.ParseAccount(text)
		kept := err == nil && a.Key == one(t) && a.At(time.Now()) != claims.Closed
		require.Equal(t, kept, c.Stats().Entries == 1)
		require.Equal(t, kept, u.questions() == 1)
	})
}
