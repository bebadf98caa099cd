package auth_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/auth/authtest"
	"github.com/natsauth/natsauth/resolver"
)

func idling(d time.Duration) func(*auth.Config) {
	return func(c *auth.Config) { c.Bounds.Idle = d }
}

// told collects the events of a session.
type told struct {
	mu    sync.Mutex
	kinds []auth.EventKind
}

func tellOf(s *auth.Session) *told {
	l := &told{}
	s.Notify(func(e auth.Event) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.kinds = append(l.kinds, e.Kind)
	})
	return l
}

// so far, once nothing moves any more.
func (l *told) soFar() []auth.EventKind {
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]auth.EventKind(nil), l.kinds...)
}

func ending(at time.Time) func(*jwt.AccountClaims) {
	return func(c *jwt.AccountClaims) { c.Expires = at.Unix() }
}

// TestAccountEnd: when an account's token is over, all its sessions are, and no
// other account's; a session that ends sooner does.
func TestAccountEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		other := authtest.NewOperator(t, authtest.IssuedAt(began)).Account("other", authtest.IssuedAt(began))
		upstream := newSource(other)
		w := newWorld(t, ending(began.Add(time.Hour)), upstream.use)
		upstream.holds(w.key, w.account.Token())
		var all []*auth.Session
		for range 5 {
			all = append(all, w.connect(t, noUser))
		}
		internal := w.client(noUser)
		internal.Internal = true
		own, err := w.authorizer.Connect(t.Context(), internal)
		require.NoError(t, err)
		sooner := w.connect(t, func(c *jwt.UserClaims) { c.Expires = began.Add(time.Minute).Unix() })
		stays, err := (&world{account: other, authorizer: w.authorizer}).authorizer.Connect(t.Context(), (&world{account: other}).client(noUser))
		require.NoError(t, err)
		time.Sleep(time.Hour - 1)
		synctest.Wait()
		require.Equal(t, auth.UserExpired, endOf(t, sooner).Reason)
		for _, s := range all {
			require.NoError(t, s.Err(), "just before")
			require.True(t, s.CanPublish("a"))
		}
		time.Sleep(1)
		synctest.Wait()
		for _, s := range append(all, own) {
			require.Equal(t, auth.AccountExpired, endOf(t, s).Reason)
			require.Equal(t, "Account Authentication Expired", endOf(t, s).Wire())
		}
		require.NoError(t, stays.Err())
		require.Equal(t, auth.AccountExpired, w.refuse(t, w.client(noUser)).Reason)
	})
}

// TestAccountEndMoves: a later end takes the place of the one that was known, an
// earlier one too, and none.
func TestAccountEndMoves(t *testing.T) {
	for _, row := range []struct {
		name  string
		hours int // of the next token; 0: it does not end
		lasts time.Duration
	}{
		{"later", 3, 3 * time.Hour},
		{"earlier", 1, time.Hour},
		{"never", 0, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				w := newWorld(t, ending(began.Add(2*time.Hour)))
				s := w.connect(t, noUser)
				time.Sleep(time.Minute)
				next := w.token(func(c *jwt.AccountClaims) {
					if row.hours != 0 {
						c.Expires = began.Add(time.Duration(row.hours) * time.Hour).Unix()
					}
				})
				_, err := w.authorizer.Apply(t.Context(), next, resolver.Push)
				require.NoError(t, err)
				if row.lasts == 0 {
					require.True(t, s.Expires().IsZero())
					time.Sleep(100 * time.Hour)
					synctest.Wait()
					require.NoError(t, s.Err())
					return
				}
				require.Equal(t, row.lasts, s.Expires().Sub(began))
				time.Sleep(time.Until(s.Expires()) - 1)
				synctest.Wait()
				require.NoError(t, s.Err(), "just before")
				time.Sleep(1)
				synctest.Wait()
				require.Equal(t, auth.AccountExpired, endOf(t, s).Reason)
			})
		})
	}
}

// TestAccountWarn: every session of an account whose end is near is told so once, one
// that comes late too; and again when the account's next token nears its end.
func TestAccountWarn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		w := newWorld(t, ending(began.Add(2*time.Hour)), func(c *auth.Config) { c.Warn = 10 * time.Minute })
		s := w.connect(t, noUser)
		news := tellOf(s)
		time.Sleep(110*time.Minute - 1)
		require.Empty(t, news.soFar(), "just before")
		time.Sleep(1)
		once := []auth.EventKind{auth.Expiring}
		require.Equal(t, once, news.soFar())
		time.Sleep(time.Minute)
		late := tellOf(w.connect(t, noUser))
		require.Equal(t, once, late.soFar())
		time.Sleep(time.Minute)
		w.authorizer.Sweep()
		require.Equal(t, once, news.soFar(), "once")

		_, err := w.authorizer.Apply(t.Context(), w.token(ending(began.Add(4*time.Hour))), resolver.Push)
		require.NoError(t, err)
		require.Empty(t, tellOf(w.connect(t, noUser)).soFar(), "the end is far off")
		require.Equal(t, once, news.soFar())
		time.Sleep(time.Until(began.Add(230*time.Minute)) - 1)
		require.Equal(t, once, news.soFar(), "just before")
		time.Sleep(1)
		require.Equal(t, []auth.EventKind{auth.Expiring, auth.Expiring}, news.soFar())
		time.Sleep(10 * time.Minute)
		require.Equal(t, []auth.EventKind{auth.Expiring, auth.Expiring, auth.Closed}, news.soFar())
		require.Equal(t, []auth.EventKind{auth.Expiring, auth.Expiring, auth.Closed}, late.soFar())
	})
}

// TestIdle: an account without sessions leaves memory after Idle, and before twice
// that; one with a session never does.
func TestIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, upstream := freshWorld(t, noAccount, idling(time.Hour))
		inForce := func() bool {
			synctest.Wait()
			_, in := w.authorizer.InForce(w.key)
			return in
		}
		s := w.connect(t, noUser)
		time.Sleep(10 * time.Hour)
		require.True(t, inForce(), "it is used")
		time.Sleep(time.Minute)
		s.Close()
		time.Sleep(time.Hour - 1)
		require.True(t, inForce(), "just before")
		time.Sleep(time.Hour + 1)
		require.False(t, inForce())
		require.NoError(t, func() error { _, err := w.authorizer.Account(t.Context(), w.key); return err }())
		require.Len(t, upstream.times(w.key), 2)
		time.Sleep(time.Hour - 1)
		require.True(t, inForce(), "just before, never used")
		time.Sleep(1)
		require.False(t, inForce())
		require.NotNil(t, s.Account(), "a session that has ended remembers")
	})
}

// TestIdleMark: what stays of an account that left memory is its mark: an older token
// is refused, the same one and a newer one come in.
func TestIdleMark(t *testing.T) {
	for _, row := range []struct {
		name string
		age  time.Duration // of the token that comes next
		want auth.Reason
	}{
		{"the same", 0, auth.ReasonNone},
		{"a second older", -time.Second, auth.AccountRollback},
		{"a second newer", time.Second, auth.ReasonNone},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				w, upstream := freshWorld(t, noAccount, idling(time.Minute))
				w.connect(t, noUser).Close()
				time.Sleep(time.Hour)
				_, in := w.authorizer.InForce(w.key)
				require.False(t, in)
				upstream.holds(w.key, w.issue(began.Add(row.age), noAccount).Token())
				if row.want == auth.ReasonNone {
					w.connect(t, noUser).Close()
					return
				}
				require.Equal(t, row.want, w.refuse(t, w.client(noUser)).Reason)
			})
		})
	}
}

// TestIdleMarksBound: marks are kept of Bounds.Marks accounts, those that went out
// last.
func TestIdleMarksBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		op := authtest.NewOperator(t, authtest.IssuedAt(began))
		upstream := newSource()
		a := authtest.Authorizer(t, op, nil, upstream.use, idling(time.Minute), func(c *auth.Config) { c.Clock, c.Bounds.Marks = nil, 2 })
		var keys []string
		for i := range 3 {
			account := op.Account(fmt.Sprint(i), authtest.IssuedAt(began))
			keys = append(keys, account.PublicKey())
			upstream.holds(keys[i], account.Token())
			_, err := a.Account(t.Context(), keys[i])
			require.NoError(t, err)
			time.Sleep(time.Minute)
			synctest.Wait()
			upstream.holds(keys[i], op.Account(fmt.Sprint(i), authtest.IssuedAt(began.Add(-time.Second))).Token())
		}
		for i, want := range []bool{true, false, false} {
			_, err := a.Account(t.Context(), keys[i])
			require.Equal(t, want, err == nil, "%d: %v", i, err)
		}
	})
}

// TestIdleWhileConnecting: an account that is given up while clients connect takes
// none of them along: every session is known to its Authorizer as long as it lives.
func TestIdleWhileConnecting(t *testing.T) {
	t.Parallel()
	const clients, each, least = 4, 200, 10 // least: how often the account has to be given up for this to test anything
	w, _ := freshWorld(t, noAccount, idling(1))
	creds := w.client(noUser)
	stop := make(chan struct{})
	var sweeping, connecting sync.WaitGroup
	sweeping.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				w.authorizer.Sweep()
			}
		}
	})
	for range clients {
		connecting.Go(func() {
			for n := 0; n < each || n < 1000*each && w.authorizer.Stats().Lookups <= least; n++ {
				if !connectsAndIsKnown(w, creds) {
					t.Error("a session is in a place that was given up, or was refused")
					return
				}
			}
		})
	}
	connecting.Wait()
	close(stop)
	sweeping.Wait()
	for range w.authorizer.Sessions(auth.Filter{}) {
		t.Error("a session is left")
	}
	require.Zero(t, w.authorizer.Counts(w.key))
	require.Greater(t, w.authorizer.Stats().Lookups, uint64(least), "the account was given up in between")
}

func connectsAndIsKnown(w *world, creds auth.Credentials) bool {
	s, err := w.authorizer.Connect(context.Background(), creds)
	if err != nil {
		return false
	}
	defer s.Close()
	for known := range w.authorizer.Sessions(auth.Filter{Account: w.key}) {
		if known == s {
			return true
		}
	}
	return false
}

// TestAgendaCosts: hundreds of accounts in force that end, are refreshed and announced
// need no goroutine each; their tokens end at their times all the same.
func TestAgendaCosts(t *testing.T) {
	const many = 300
	clock := newClock()
	began := clock.read()
	op := authtest.NewOperator(t, authtest.IssuedAt(began))
	upstream := newSource()
	a := authtest.Authorizer(t, op, nil, clock.use, upstream.use, refreshing(1000*time.Hour), idling(1000*time.Hour), func(c *auth.Config) {
		c.Warn, c.MaxStale = time.Minute, time.Hour
	})
	before := runtime.NumGoroutine()
	var sessions []*auth.Session
	for i := range many {
		account := op.Account(fmt.Sprint(i), authtest.IssuedAt(began), authtest.Edit(ending(began.Add(time.Hour+time.Duration(i)*time.Second))))
		upstream.holds(account.PublicKey(), account.Token())
		w := &world{account: account, authorizer: a}
		sessions = append(sessions, w.connect(t, noUser))
	}
	require.Eventually(t, func() bool { return runtime.NumGoroutine() <= before+2 }, 10*time.Second, time.Millisecond)
	clock.advance(time.Hour - 1)
	for i := range many {
		a.Sweep()
		require.NoError(t, sessions[i].Err(), "just before")
		clock.advance(1)
		a.Sweep()
		require.Equal(t, auth.AccountExpired, endOf(t, sessions[i]).Reason)
		clock.advance(time.Second - 1)
	}
	require.Eventually(t, func() bool { return runtime.NumGoroutine() <= before+2 }, 10*time.Second, time.Millisecond)
}
