package cache_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/resolver"
	"github.com/natsauth/natsauth/resolver/cache"
	"github.com/natsauth/natsauth/resolver/resolvertest"
)

// reply is what somebody got who asked in the background.
type reply struct {
	token string
	err   error
}

// asks puts a question in the background.
func asks(ctx context.Context, r resolver.Resolver, account string) <-chan reply {
	got := make(chan reply, 1)
	go func() {
		token, err := r.Resolve(ctx, account)
		got <- reply{token, err}
	}()
	return got
}

// waits asserts that nobody has got an answer.
func waits(t *testing.T, all ...<-chan reply) {
	t.Helper()
	synctest.Wait()
	for _, got := range all {
		require.Empty(t, got)
	}
}

// got asserts that everybody has got the token.
func got(t *testing.T, want string, all ...<-chan reply) {
	t.Helper()
	synctest.Wait()
	for _, got := range all {
		require.Len(t, got, 1)
		r := <-got
		require.NoError(t, r.err)
		require.True(t, r.token == want, "another token")
	}
}

// failed asserts that everybody has got an error.
func failed(t *testing.T, want error, all ...<-chan reply) {
	t.Helper()
	synctest.Wait()
	for _, got := range all {
		require.Len(t, got, 1)
		r := <-got
		require.Empty(t, r.token)
		requireOnly(t, r.err, resolver.ErrUnavailable)
		require.ErrorIs(t, r.err, want)
	}
}

// TestB7OneLoad: however many ask for one account, upstream is asked once.
func TestB7OneLoad(t *testing.T) {
	old := cache.Options{TTL: 100 * time.Second, MaxStale: 100 * time.Second}
	for _, row := range []struct {
		name string
		age  time.Duration // of what is kept; 0: nothing is
		soon bool          // who asks does not wait
	}{
		{"nothing is kept", 0, false},
		{"ahead of time", 95 * time.Second, true},
		{"after the TTL", 100 * time.Second, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u := serves(t, v(t, 1), resolvertest.Token(t, 2, 1))
				c := before(t, u, old)
				if row.age != 0 {
					gives(t, c, one(t), v(t, 1))
					time.Sleep(row.age)
				}
				u.has(t, v(t, 2))
				before, release := u.questions(), u.holds()
				var all []<-chan reply
				for range 100 {
					all = append(all, asks(t.Context(), c, one(t)))
				}
				if row.soon {
					got(t, v(t, 1), all...)
					all = nil
				}
				waits(t, all...)
				release()
				got(t, v(t, 2), all...)
				require.Equal(t, before+1, u.questions())
				gives(t, c, one(t), v(t, 2))
				gives(t, c, resolvertest.Account(t, 2), resolvertest.Token(t, 2, 1)) // another account is another question
				require.Equal(t, before+2, u.questions())
			})
		})
	}
}

// TestB7CameMeanwhile: upstream is not asked for what came between a look at the memory and the question.
func TestB7CameMeanwhile(t *testing.T) {
	for _, row := range []struct {
		name  string
		age   time.Duration // of what is kept, and between two ticks of the memory
		early string        // the answer to who looked before it came
	}{
		{"nothing is kept", 500 * time.Millisecond, v(t, 2)},
		{"ahead of time", 95500 * time.Millisecond, v(t, 1)},
		{"after the TTL", 100500 * time.Millisecond, v(t, 2)},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var stops atomic.Int64 // how many looks at the clock until one that takes its time
				gate := make(chan struct{})
				u := serves(t, v(t, 1))
				clock := func() time.Time {
					if stops.Add(-1) == 0 {
						<-gate
					}
					return time.Now()
				}
				c := before(t, u, cache.Options{TTL: 100 * time.Second, MaxStale: time.Hour, Clock: clock}) // nothing is gone meanwhile
				if row.age > time.Second {
					gives(t, c, one(t), v(t, 1))
				}
				time.Sleep(row.age)
				u.has(t, v(t, 2))
				asked := u.questions()
				stops.Store(2) // the memory looks once, to find what is kept; then the Cache, to judge it
				early := asks(t.Context(), c, one(t))
				waits(t, early)
				_, err := c.Resolve(t.Context(), one(t))
				require.NoError(t, err)
				synctest.Wait()
				require.Equal(t, asked+1, u.questions())
				close(gate)
				got(t, row.early, early)
				gives(t, c, one(t), v(t, 2))
				require.Equal(t, asked+1, u.questions())
			})
		})
	}
}

// TestB7OneFailure: who asked together hears together that it was in vain.
func TestB7OneFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := serves(t)
		u.fails(errDial)
		release := u.holds()
		c := before(t, u, cache.Options{})
		first, second := asks(t.Context(), c, one(t)), asks(t.Context(), c, one(t))
		waits(t, first, second)
		release()
		failed(t, errDial, first, second)
		require.Equal(t, 1, u.questions())
	})
}

// TestB7GivingUp: who stops waiting leaves the others what they wait for, whoever came first.
func TestB7GivingUp(t *testing.T) {
	for name, leaver := range map[string]int{"the first": 0, "the second": 1, "the last": 2} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u := serves(t, v(t, 1))
				release := u.holds()
				c := before(t, u, cache.Options{})
				type label struct{}
				var all []<-chan reply
				var leave []context.CancelFunc
				for n := range 3 {
					ctx, cancel := context.WithCancel(context.WithValue(t.Context(), label{}, n))
					defer cancel()
					all, leave = append(all, asks(ctx, c, one(t))), append(leave, cancel)
					synctest.Wait()
				}
				leave[leaver]()
				failed(t, context.Canceled, all[leaver])
				require.NoError(t, u.ctx.Err())
				require.Equal(t, 0, u.ctx.Value(label{}), "the question to upstream is the first caller's")
				all = append(all[:leaver], all[leaver+1:]...)
				waits(t, all...)
				release()
				got(t, v(t, 1), all...)
				require.Equal(t, 1, u.questions())
			})
		})
	}
}

// TestB7NobodyWaits: what was asked for is kept, if nobody waits for it any more.
func TestB7NobodyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := serves(t, v(t, 1))
		release := u.holds()
		c := before(t, u, cache.Options{MaxStale: time.Hour})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		failed(t, context.DeadlineExceeded, wait(asks(ctx, c, one(t)), time.Second))
		release()
		synctest.Wait()
		gives(t, c, one(t), v(t, 1))
		require.Equal(t, 1, u.questions())

		release = u.holds() // the same with an old one: it is not given to who did not wait for the outage
		time.Sleep(time.Hour)
		late, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		failed(t, context.DeadlineExceeded, wait(asks(late, c, one(t)), time.Second))
		release()
	})
}

func wait(got <-chan reply, d time.Duration) <-chan reply {
	time.Sleep(d)
	return got
}

// TestTimeout: upstream has so much time and no more, whether it heeds that or not.
func TestTimeout(t *testing.T) {
	for _, row := range []struct {
		name     string
		deaf     bool
		timeout  time.Duration
		want     time.Duration
		maxStale time.Duration
	}{
		{"default", false, 0, 4 * time.Second, 0},
		{"upstream gives up", false, time.Minute, time.Minute, 0},
		{"upstream does not give up", true, time.Minute, time.Minute, 0},
		{"upstream gives up, an old token is kept", false, time.Minute, time.Minute, time.Hour},
		{"upstream does not give up, an old token is kept", true, time.Minute, time.Minute, time.Hour},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u := serves(t, v(t, 1))
				u.deaf = row.deaf
				c := before(t, u, cache.Options{Timeout: row.timeout, MaxStale: row.maxStale})
				gives(t, c, one(t), v(t, 1))
				time.Sleep(time.Hour)
				release := u.holds()
				first := asks(t.Context(), c, one(t))
				time.Sleep(row.want - time.Nanosecond)
				second := asks(t.Context(), c, one(t))
				waits(t, first, second)
				time.Sleep(time.Nanosecond)
				if row.maxStale > 0 {
					got(t, v(t, 1), first, second)
				} else {
					failed(t, resolver.ErrUnavailable, first, second)
				}
				require.Equal(t, 2, u.questions())
				third := asks(t.Context(), c, one(t)) // who comes later does not wait for upstream that does not give up
				if row.deaf {
					if row.maxStale > 0 {
						got(t, v(t, 1), third)
					} else {
						failed(t, resolver.ErrUnavailable, third)
					}
				}
				release()
				synctest.Wait()
				gives(t, c, one(t), v(t, 1))
			})
		})
	}
}

// TestB18Loads: one question to upstream too many is not put.
func TestB18Loads(t *testing.T) {
	for _, row := range []struct {
		name string
		most int
		fits bool
	}{
		{"one too many", 2, false},
		{"as many as allowed", 3, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u := serves(t, v(t, 1), resolvertest.Token(t, 2, 1), resolvertest.Token(t, 3, 1))
				c := before(t, u, cache.Options{Loads: row.most})
				release := u.holds()
				all := []<-chan reply{asks(t.Context(), c, one(t)), asks(t.Context(), c, resolvertest.Account(t, 2))}
				waits(t, all...)
				last := asks(t.Context(), c, resolvertest.Account(t, 3))
				if row.fits {
					waits(t, last)
				} else {
					failed(t, resolver.ErrUnavailable, last)
				}
				joins := asks(t.Context(), c, one(t)) // no further question
				waits(t, joins)
				release()
				got(t, v(t, 1), all[0], joins)
				gives(t, c, resolvertest.Account(t, 3), resolvertest.Token(t, 3, 1)) // there is room again
			})
		})
	}
}

// TestB18LoadsOfWhatIsKept: a token that is kept is given, if there is no room to ask for the next one.
func TestB18LoadsOfWhatIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := serves(t, v(t, 1), resolvertest.Token(t, 2, 1))
		c := before(t, u, cache.Options{Loads: 1, TTL: 100 * time.Second, MaxStale: time.Hour, Timeout: time.Hour})
		gives(t, c, one(t), v(t, 1))
		release := u.holds()
		other := asks(t.Context(), c, resolvertest.Account(t, 2))
		waits(t, other)
		follow(t, u, c, []step{{95 * time.Second, v(t, 1), nil, 2}, {100 * time.Second, v(t, 1), nil, 2}})
		require.Zero(t, c.Stats().Refreshes)
		require.EqualValues(t, 1, c.Stats().Stale)
		c.Forget(resolvertest.Account(t, 2)) // which does not end the question
		follow(t, u, c, []step{{0, v(t, 1), nil, 2}})
		release()
		got(t, resolvertest.Token(t, 2, 1), other)
	})
}

// TestForgetDuringLoad: what upstream was asked for before is not kept, and nobody who asks afterwards gets it.
func TestForgetDuringLoad(t *testing.T) {
	forget := map[string]func(*cache.Cache){
		"Forget":        func(c *cache.Cache) { c.Forget(resolvertest.Account(t, 1)) },
		"Forget, all":   func(c *cache.Cache) { c.Forget("") },
		"Forget, twice": func(c *cache.Cache) { c.Forget(resolvertest.Account(t, 1)); c.Forget(resolvertest.Account(t, 1)) },
	}
	for name, forget := range forget {
		for _, row := range []struct {
			name string
			age  time.Duration // of what is kept; 0: nothing is
		}{
			{"nothing is kept", 0}, {"ahead of time", 95 * time.Second}, {"after the TTL", 100 * time.Second},
		} {
			for _, first := range []bool{true, false} {
				t.Run(fmt.Sprint(name, ", ", row.name, ", the old answer comes first: ", first), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						u := serves(t, v(t, 1))
						c := before(t, u, cache.Options{TTL: 100 * time.Second, MaxStale: time.Hour})
						if row.age != 0 {
							gives(t, c, one(t), v(t, 1))
							time.Sleep(row.age)
						}
						late := u.holds()
						early := asks(t.Context(), c, one(t))
						synctest.Wait()
						asked := u.questions()
						u.has(t, v(t, 2))
						forget(c)
						require.Zero(t, c.Stats().Entries)
						if first {
							late()
							got(t, v(t, 1), early)
							require.Zero(t, c.Stats().Entries)
							gives(t, c, one(t), v(t, 2))
						} else {
							soon := u.holds()
							next := asks(t.Context(), c, one(t))
							waits(t, next)
							soon()
							got(t, v(t, 2), next)
							late()
							got(t, v(t, 1), early)
						}
						gives(t, c, one(t), v(t, 2))
						require.Equal(t, asked+1, u.questions())
					})
				})
			}
		}
	}
}

// TestForgetDuringFailure: who waits gets nothing that was forgotten meanwhile; nor is it brought back.
func TestForgetDuringFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := serves(t, v(t, 1))
		c := before(t, u, cache.Options{TTL: time.Minute, MaxStale: time.Hour})
		gives(t, c, one(t), v(t, 1))
		time.Sleep(time.Minute)
		u.fails(errDial)
		release := u.holds()
		early := asks(t.Context(), c, one(t))
		waits(t, early)
		c.Forget(one(t))
		release()
		failed(t, errDial, early)
		refuses(t, c, one(t), resolver.ErrUnavailable)
	})
}

// TestForgetGoesUpstream: what stands behind and remembers forgets as well.
func TestForgetGoesUpstream(t *testing.T) {
	for _, account := range []string{one(t), ""} {
		synctest.Test(t, func(t *testing.T) {
			u := serves(t, v(t, 1))
			c := before(t, resolver.Chain(before(t, u, cache.Options{})), cache.Options{})
			gives(t, c, one(t), v(t, 1))
			u.has(t, v(t, 2))
			gives(t, c, one(t), v(t, 1))
			c.Forget(account)
			gives(t, c, one(t), v(t, 2))
		})
	}
}

// TestForgetLeavesOthers: the other accounts stay, and so does what is asked for them.
func TestForgetLeavesOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		two, token := resolvertest.Account(t, 2), resolvertest.Token(t, 2, 1)
		u := serves(t, v(t, 1), token)
		c := before(t, u, cache.Options{})
		gives(t, c, one(t), v(t, 1))
		release := u.holds()
		other := asks(t.Context(), c, two)
		waits(t, other)
		c.Forget(resolvertest.Account(t, 3))
		release()
		got(t, token, other)
		c.Forget(resolvertest.Account(t, 3))
		gives(t, c, one(t), v(t, 1))
		gives(t, c, two, token)
		require.Equal(t, 2, u.questions())
		c.Forget("")
		require.Zero(t, c.Stats().Entries)
		gives(t, c, one(t), v(t, 1))
		gives(t, c, two, token)
		require.Equal(t, 4, u.questions())
	})
}

// TestClose: whoever waits is told, upstream is not asked any more, and nothing is left.
func TestClose(t *testing.T) {
	for name, forgotten := range map[string]bool{"during a load": false, "during a load that was forgotten": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u := serves(t, v(t, 1), resolvertest.Token(t, 2, 1))
				c := before(t, u, cache.Options{Timeout: time.Hour, MaxStale: time.Hour})
				gives(t, c, one(t), v(t, 1))
				defer u.holds()()
				waiting := asks(t.Context(), c, resolvertest.Account(t, 2))
				waits(t, waiting)
				if forgotten {
					c.Forget(resolvertest.Account(t, 2))
				}
				start := time.Now()
				require.NoError(t, c.Close())
				require.NoError(t, c.Close())
				require.Zero(t, time.Since(start))
				failed(t, resolver.ErrUnavailable, waiting)
				asked := u.questions()
				refuses(t, c, one(t), resolver.ErrUnavailable)
				refuses(t, c, resolvertest.Account(t, 2), resolver.ErrUnavailable)
				require.Equal(t, asked, u.questions())
				require.Zero(t, c.Stats().Entries)
				require.Zero(t, c.Stats().Bytes)
			})
		})
	}
}

// TestCloseWaits: Close returns when upstream has, also if that takes long.
func TestCloseWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := serves(t, v(t, 1))
		u.deaf = true
		c := before(t, u, cache.Options{})
		release := u.holds()
		waiting := asks(t.Context(), c, one(t))
		waits(t, waiting)
		closed := make(chan error, 2)
		for range cap(closed) {
			go func() { closed <- c.Close() }()
		}
		failed(t, resolver.ErrUnavailable, waiting) // at once
		require.Empty(t, closed)
		release()
		synctest.Wait()
		require.Len(t, closed, 2)
		require.Zero(t, c.Stats().Entries)
	})
}

// TestConcurrentUse runs everything against everything, for the race detector; the answers are of the account asked for.
func TestConcurrentUse(t *testing.T) {
	const accounts, workers, calls = 4, 8, 300
	var keys, tokens []string
	for n := range accounts {
		keys, tokens = append(keys, resolvertest.Account(t, n)), append(tokens, resolvertest.Token(t, n, 1))
	}
	o := cache.Options{TTL: time.Microsecond, MaxStale: time.Microsecond, Entries: 3, Loads: 3}
	c, err := cache.New(serves(t, tokens...), o)
	require.NoError(t, err)
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			for i := range calls {
				n := (i + w) % accounts
				switch {
				case w == 0 && i == calls-10:
					c.Close()
				case i%20 == w:
					c.Forget(keys[n])
				case i%50 == w:
					c.Forget("")
				default:
					token, err := c.Resolve(context.Background(), keys[n])
					if err == nil && token != tokens[n] || err != nil && !errors.Is(err, resolver.ErrUnavailable) {
						t.Errorf("another token, or %v", err)
					}
				}
				if s := c.Stats(); s.Entries > 3+1 { // one more while it is taken in
					t.Errorf("%d entries", s.Entries)
				}
			}
		})
	}
	all.Wait()
	refuses(t, c, keys[0], resolver.ErrUnavailable)
	require.Zero(t, c.Stats().Entries)
	require.Zero(t, c.Stats().Bytes)
}
