package auth_test

import (
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/auth/authtest"
)

// TestExpiry: a session ends by itself, at the earliest end of its chain, and
// says which. In a bubble time passes only when everybody waits.
func TestExpiry(t *testing.T) {
	in := func(d time.Duration) int64 { return time.Now().Add(d).Unix() }
	for _, row := range []struct {
		name    string
		user    func(*jwt.UserClaims)
		account func(*jwt.AccountClaims)
		reason  auth.Reason
		wire    string
		after   time.Duration
	}{
		{
			"the user's token", func(c *jwt.UserClaims) { c.Expires = in(time.Hour) }, noAccount,
			auth.UserExpired, "User Authentication Expired", time.Hour,
		},
		{
			"the account's token", noUser, func(c *jwt.AccountClaims) { c.Expires = in(time.Hour) },
			auth.AccountExpired, "Account Authentication Expired", time.Hour,
		},
		{
			"the user's before the account's", func(c *jwt.UserClaims) { c.Expires = in(time.Minute) },
			func(c *jwt.AccountClaims) { c.Expires = in(time.Hour) },
			auth.UserExpired, "User Authentication Expired", time.Minute,
		},
		{
			"the hours of the user", func(c *jwt.UserClaims) {
				c.Times, c.Locale = []jwt.TimeRange{{Start: "23:00:00", End: "02:30:00"}}, "UTC"
			}, noAccount,
			auth.OutsideTimes, "User Authentication Expired", 2*time.Hour + 30*time.Minute,
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // begins at midnight, UTC
				s := newWorld(t, row.account).connect(t, row.user)
				began := time.Now()
				require.Equal(t, row.after, s.Expires().Sub(began))
				time.Sleep(row.after - 1)
				require.True(t, s.CanPublish("a"), "just before")
				require.NoError(t, s.Err())
				<-s.Done()
				require.Equal(t, row.after, time.Since(began))
				require.False(t, s.CanPublish("a"))
				var end *auth.Error
				require.ErrorAs(t, s.Err(), &end)
				require.Equal(t, row.reason, end.Reason)
				require.Equal(t, auth.StepLive, end.Step)
				require.Equal(t, row.wire, end.Wire())
			})
		})
	}
}

// TestB12OperatorExpiry: the end of an operator's token refuses new sessions, and
// ends live ones only by the switch (B12).
func TestB12OperatorExpiry(t *testing.T) {
	for _, closes := range []bool{false, true} {
		t.Run(map[bool]string{false: "live sessions stay", true: "the switch ends them"}[closes], func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				op := authtest.NewOperator(t, authtest.IssuedAt(time.Now()), authtest.Expires(time.Now().Add(time.Hour)))
				w := newWorldOf(t, op, noAccount, func(c *auth.Config) { c.OperatorExpiryCloses = closes })
				s := w.connect(t, noUser)
				late := w.client(noUser)
				time.Sleep(time.Hour - 1)
				w.connect(t, noUser).Close()
				require.NoError(t, s.Err(), "just before")
				time.Sleep(1)
				synctest.Wait()
				require.Equal(t, auth.OperatorExpired, w.refuse(t, late).Reason)
				require.Equal(t, !closes, s.CanPublish("a"))
				if closes {
					var why *auth.Error
					require.ErrorAs(t, s.Err(), &why)
					require.Equal(t, auth.OperatorExpired, why.Reason)
				}
			})
		})
	}
}

// TestSweep: with a clock of its own a session past its time answers no before
// anybody has looked, and Sweep looks.
func TestSweep(t *testing.T) {
	t.Parallel()
	clock := newClock()
	w := newWorld(t, noAccount, clock.use)
	s := w.connect(t, func(c *jwt.UserClaims) { c.Expires = clock.read().Add(time.Hour).Unix() })
	stays := w.connect(t, noUser)
	clock.advance(time.Hour - 1)
	w.authorizer.Sweep()
	require.True(t, s.CanPublish("a"), "just before")
	clock.advance(1)
	require.False(t, s.CanPublish("a"))
	require.False(t, s.CanSubscribe("a", ""))
	require.False(t, s.CanDeliver("a", ""))
	require.False(t, s.WhyPublish("a").Allowed)
	require.NoError(t, s.Err(), "nobody has looked")
	w.authorizer.Sweep()
	require.Error(t, s.Err())
	require.NoError(t, stays.Err())
	require.True(t, stays.CanPublish("a"))
}

// TestSweepOrder: many sessions end in the order of their times, each once, and
// those that were closed before never.
func TestSweepOrder(t *testing.T) {
	t.Parallel()
	clock := newClock()
	w := newWorld(t, noAccount, clock.use)
	const many = 200
	var sessions []*auth.Session
	for i := range many {
		s := w.connect(t, func(c *jwt.UserClaims) { c.Expires = clock.read().Unix() + int64(1+(i*37)%many) })
		sessions = append(sessions, s)
	}
	for _, s := range sessions[:many/4] {
		s.Close()
	}
	for range many {
		clock.advance(time.Second)
		w.authorizer.Sweep()
		for _, s := range sessions[many/4:] {
			over := clock.read().Unix() >= s.Expires().Unix()
			require.Equal(t, over, s.Err() != nil)
		}
	}
	require.EqualValues(t, many, w.authorizer.Stats().Ended)
}

// TestNoGoroutineEach: sessions that will end need neither a goroutine nor a
// timer each.
func TestNoGoroutineEach(t *testing.T) {
	w := newWorld(t, noAccount)
	creds := w.client(func(c *jwt.UserClaims) { c.Expires = time.Now().Add(time.Hour).Unix() })
	first, err := w.authorizer.Connect(t.Context(), creds)
	require.NoError(t, err)
	defer first.Close()
	before := runtime.NumGoroutine()
	for range 1000 {
		s, err := w.authorizer.Connect(t.Context(), creds)
		require.NoError(t, err)
		defer s.Close()
		_ = s.Done()
	}
	require.LessOrEqual(t, runtime.NumGoroutine(), before+5)
}

// eventLog is a receiver of events that tests read.
type eventLog struct {
	mu     sync.Mutex
	events []auth.Event
}

func (l *eventLog) tell(e auth.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, e)
}

func (l *eventLog) kinds() []auth.EventKind {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []auth.EventKind
	for _, e := range l.events {
		out = append(out, e.Kind)
	}
	return out
}

func TestNotify(t *testing.T) {
	warn := func(c *auth.Config) { c.Warn = time.Minute }
	hour := func(c *jwt.UserClaims) { c.Expires = time.Now().Add(time.Hour).Unix() }
	bubble := func(name string, f func(*testing.T)) {
		t.Run(name, func(t *testing.T) { synctest.Test(t, f) })
	}
	bubble("announces the end, then tells it", func(t *testing.T) {
		s := newWorld(t, noAccount, warn).connect(t, hour)
		var log eventLog
		s.Notify(log.tell)
		time.Sleep(59*time.Minute - 1)
		require.Empty(t, log.kinds())
		time.Sleep(1)
		synctest.Wait()
		require.Equal(t, []auth.EventKind{auth.Expiring}, log.kinds())
		require.True(t, s.CanPublish("a"))
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Equal(t, []auth.EventKind{auth.Expiring, auth.Closed}, log.kinds())
		require.Nil(t, log.events[0].Err)
		require.Equal(t, auth.UserExpired, log.events[1].Err.Reason)
		require.Same(t, s, log.events[1].Session)
	})
	bubble("a life shorter than the lead is announced at once", func(t *testing.T) {
		s := newWorld(t, noAccount, warn).connect(t, func(c *jwt.UserClaims) { c.Expires = time.Now().Add(time.Second).Unix() })
		var log eventLog
		s.Notify(log.tell)
		synctest.Wait()
		require.Equal(t, []auth.EventKind{auth.Expiring}, log.kinds())
	})
	bubble("without a lead nothing is announced", func(t *testing.T) {
		s := newWorld(t, noAccount).connect(t, hour)
		var log eventLog
		s.Notify(log.tell)
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		require.Equal(t, []auth.EventKind{auth.Closed}, log.kinds())
	})
	bubble("what was missed is told", func(t *testing.T) {
		s := newWorld(t, noAccount, warn).connect(t, hour)
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		var log eventLog
		s.Notify(log.tell)
		synctest.Wait()
		require.Equal(t, []auth.EventKind{auth.Expiring, auth.Closed}, log.kinds())
	})
	bubble("closing is told once, to everybody", func(t *testing.T) {
		s := newWorld(t, noAccount).connect(t, noUser)
		var one, two eventLog
		s.Notify(one.tell)
		s.Notify(two.tell)
		s.Close()
		s.Close()
		synctest.Wait()
		require.Equal(t, []auth.EventKind{auth.Closed}, one.kinds())
		require.Equal(t, one.kinds(), two.kinds())
	})
	bubble("nothing is told after stop", func(t *testing.T) {
		s := newWorld(t, noAccount).connect(t, noUser)
		var log eventLog
		stop := s.Notify(log.tell)
		stop()
		stop()
		s.Close()
		synctest.Wait()
		require.Empty(t, log.kinds())
	})
	bubble("nothing more is told after stop, though it has happened", func(t *testing.T) {
		s := newWorld(t, noAccount, warn).connect(t, hour)
		release := make(chan struct{})
		var log eventLog
		stop := s.Notify(func(e auth.Event) { <-release; log.tell(e) })
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		stop()
		close(release)
		synctest.Wait()
		require.Equal(t, []auth.EventKind{auth.Expiring}, log.kinds(), "the one that was being told")
	})
	bubble("a slow receiver holds nobody up", func(t *testing.T) {
		w := newWorld(t, noAccount, warn)
		s := w.connect(t, hour)
		release := make(chan struct{})
		var slow, quick eventLog
		s.Notify(func(e auth.Event) { <-release; slow.tell(e) })
		s.Notify(quick.tell)
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		require.Equal(t, []auth.EventKind{auth.Expiring, auth.Closed}, quick.kinds())
		require.Empty(t, slow.kinds())
		w.connect(t, noUser).Close()
		close(release)
		synctest.Wait()
		require.Equal(t, quick.kinds(), slow.kinds())
	})
	bubble("nobody is told of a nil receiver", func(t *testing.T) {
		s := newWorld(t, noAccount).connect(t, noUser)
		s.Notify(nil)()
		s.Close()
		synctest.Wait()
	})
	bubble("a receiver may call the session", func(t *testing.T) {
		s := newWorld(t, noAccount).connect(t, noUser)
		var got []error
		s.Notify(func(e auth.Event) {
			got = append(got, e.Session.Err())
			e.Session.Close()
			<-e.Session.Done()
		})
		s.Close()
		synctest.Wait()
		require.Len(t, got, 1)
		require.Error(t, got[0])
	})
}

// TestClose: an Authorizer that is closed ends its sessions and refuses everyone.
func TestClose(t *testing.T) {
	t.Parallel()
	w := newWorld(t, noAccount)
	one, two := w.connect(t, noUser), w.connect(t, func(c *jwt.UserClaims) { c.Expires = time.Now().Add(time.Hour).Unix() })
	creds := w.client(noUser)
	require.NoError(t, w.authorizer.Close())
	for _, s := range []*auth.Session{one, two} {
		<-s.Done()
		var why *auth.Error
		require.ErrorAs(t, s.Err(), &why)
		require.Equal(t, auth.AuthorizerClosed, why.Reason)
	}
	require.Equal(t, auth.AuthorizerClosed, w.refuse(t, creds).Reason)
	_, err := w.authorizer.Account(t.Context(), w.key)
	require.Error(t, err)
	require.NoError(t, w.authorizer.Close())
}

// TestCloseWhileConnecting: whoever gets in while the Authorizer closes is ended
// by it.
func TestCloseWhileConnecting(t *testing.T) {
	t.Parallel()
	for range 20 {
		w := newWorld(t, noAccount)
		creds := w.client(noUser)
		sessions := make([][]*auth.Session, 4)
		var wg sync.WaitGroup
		for i := range sessions {
			wg.Go(func() {
				for {
					s, err := w.authorizer.Connect(t.Context(), creds)
					if err != nil {
						return
					}
					sessions[i] = append(sessions[i], s)
				}
			})
		}
		runtime.Gosched()
		require.NoError(t, w.authorizer.Close())
		wg.Wait()
		for _, s := range slices.Concat(sessions...) {
			require.Error(t, s.Err())
		}
	}
}
