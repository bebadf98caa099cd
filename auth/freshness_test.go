package auth_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/auth/authtest"
	"github.com/natsauth/natsauth/nonce"
	"github.com/natsauth/natsauth/resolver"
)

// source is a resolver that only answers questions. What it answers may change
// while others ask, and it writes down when it was asked.
type source struct {
	mu     sync.Mutex
	tokens map[string]string // guarded by mu, as what follows
	err    error             // in place of every token
	takes  time.Duration     // how long an answer takes, once it is known
	asked  map[string][]time.Time
	now    int // questions under way
	most   int // there were at the same time
}

func newSource(accounts ...*authtest.Account) *source {
	s := &source{tokens: make(map[string]string), asked: make(map[string][]time.Time)}
	for _, a := range accounts {
		s.tokens[a.PublicKey()] = a.Token()
	}
	return s
}

func (s *source) Resolve(_ context.Context, key string) (string, error) {
	token, takes, err := s.begin(key)
	time.Sleep(takes)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now--
	return token, err
}

func (s *source) begin(key string) (string, time.Duration, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked[key] = append(s.asked[key], time.Now())
	s.now++
	s.most = max(s.most, s.now)
	switch token, ok := s.tokens[key]; {
	case s.err != nil:
		return "", s.takes, s.err
	case !ok:
		return "", s.takes, resolver.ErrNotFound
	default:
		return token, s.takes, nil
	}
}

// change is for whatever a test wants to be otherwise from now on.
func (s *source) change(f func(*source)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s)
}

// holds gives an account another token; "" takes it away. Nothing is wrong any
// more.
func (s *source) holds(key, token string) {
	s.change(func(s *source) {
		s.err = nil
		if s.tokens[key] = token; token == "" {
			delete(s.tokens, key)
		}
	})
}

func (s *source) breaks(err error) { s.change(func(s *source) { s.err = err }) }

func (s *source) slows(d time.Duration) { s.change(func(s *source) { s.takes = d }) }

// times is when somebody asked for an account.
func (s *source) times(key string) []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]time.Time(nil), s.asked[key]...)
}

func (s *source) use(c *auth.Config) { c.Resolver = s }

// freshWorld is a world whose account is looked up in a source.
func freshWorld(t *testing.T, edit func(*jwt.AccountClaims), configs ...func(*auth.Config)) (*world, *source) {
	t.Helper()
	s := newSource()
	w := newWorld(t, edit, append([]func(*auth.Config){s.use}, configs...)...)
	s.holds(w.key, w.account.Token())
	return w, s
}

// newer is a token of the account, issued a second from now: newer than every
// other of this second.
func (w *world) newer(edit func(*jwt.AccountClaims)) string {
	return w.issue(time.Now().Add(time.Second), edit).Token()
}

// untrusted is a newer token of the account that somebody else has signed.
func (w *world) untrusted() string {
	stranger := authtest.Key(nkeys.PrefixByteOperator, "stranger")
	return w.operator.Account("A", authtest.IssuedAt(time.Now().Add(time.Second)), authtest.SignedByKey(stranger)).Token()
}

// revoking revokes one user whatever its token.
func revoking(user string) func(*jwt.AccountClaims) {
	return func(c *jwt.AccountClaims) { c.RevokeAt(user, time.Now().Add(time.Hour)) }
}

// endOf wants a session ended, and gives why.
func endOf(t *testing.T, s *auth.Session) *auth.Error {
	t.Helper()
	var end *auth.Error
	require.ErrorAs(t, s.Err(), &end)
	return end
}

func refreshing(d time.Duration) func(*auth.Config) {
	return func(c *auth.Config) { c.Refresh = d }
}

// TestFreshnessNegative: a duration before now is refused, none and some are not.
func TestFreshnessNegative(t *testing.T) {
	t.Parallel()
	op := authtest.NewOperator(t)
	for _, row := range []struct {
		name string
		set  func(*auth.Config, time.Duration)
	}{
		{"Refresh", func(c *auth.Config, d time.Duration) { c.Refresh = d }},
		{"MaxStale", func(c *auth.Config, d time.Duration) { c.MaxStale = d }},
		{"Warn", func(c *auth.Config, d time.Duration) { c.Warn = d }},
		{"Bounds.Idle", func(c *auth.Config, d time.Duration) { c.Bounds.Idle = d }},
	} {
		for d, want := range map[time.Duration]bool{-1: false, 0: true, 1: true} {
			t.Run(fmt.Sprintf("%s %v", row.name, d), func(t *testing.T) {
				c := auth.Config{Trust: auth.Trust{Operators: []string{op.Token()}}, Resolver: newSource()}
				row.set(&c, d)
				a, err := auth.New(c)
				require.Equal(t, want, err == nil, "%v", err)
				if err != nil {
					require.ErrorContains(t, err, row.name)
					return
				}
				require.NoError(t, a.Close())
			})
		}
	}
}

// TestRefreshSpread: accounts in force are looked up again after between a half and
// the whole of Refresh, and those that came together part.
func TestRefreshSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		op := authtest.NewOperator(t, authtest.IssuedAt(time.Now()))
		var accounts []*authtest.Account
		for i := range 20 {
			accounts = append(accounts, op.Account(fmt.Sprint(i), authtest.IssuedAt(time.Now())))
		}
		s := newSource(accounts...)
		a := authtest.Authorizer(t, op, nil, s.use, refreshing(time.Hour), func(c *auth.Config) { c.Clock, c.Bounds.Idle = nil, 100*time.Hour })
		began := time.Now()
		for _, account := range accounts {
			_, err := a.Account(t.Context(), account.PublicKey())
			require.NoError(t, err)
		}
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		firsts := make(map[time.Duration]bool)
		for _, account := range accounts {
			asked := s.times(account.PublicKey())
			require.GreaterOrEqual(t, len(asked), 24)
			for i := range asked[1:] {
				gap := asked[i+1].Sub(asked[i])
				require.GreaterOrEqual(t, gap, time.Hour/2)
				require.LessOrEqual(t, gap, time.Hour)
			}
			firsts[asked[1].Sub(began)] = true
		}
		require.Greater(t, len(firsts), 10, "they have parted")
	})
}

// TestRefreshNever: without Refresh an account is looked up once.
func TestRefreshNever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, upstream := freshWorld(t, noAccount)
		s := w.connect(t, noUser)
		upstream.holds(w.key, w.newer(revoking(s.User().Key)))
		time.Sleep(48 * time.Hour)
		synctest.Wait()
		require.NoError(t, s.Err())
		require.Len(t, upstream.times(w.key), 1)
	})
}

// TestRefreshRevokes: a revocation reaches a live session through a resolver that
// only answers questions, and nobody else.
func TestRefreshRevokes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, upstream := freshWorld(t, noAccount, refreshing(time.Hour))
		s, other := w.connect(t, noUser), w.connect(t, noUser)
		upstream.holds(w.key, w.newer(revoking(s.User().Key)))
		time.Sleep(time.Hour/2 - 1)
		require.NoError(t, s.Err(), "nobody has asked")
		time.Sleep(time.Hour/2 + 1)
		synctest.Wait()
		end := endOf(t, s)
		require.Equal(t, auth.UserRevoked, end.Reason)
		require.Equal(t, auth.StepLive, end.Step)
		require.Equal(t, "User Authentication Revoked", end.Wire())
		require.NoError(t, other.Err())
		require.True(t, other.CanPublish("a"))
	})
}

// TestRefreshAnswers: what a look-up of an account in force comes to. Only "not
// found" takes it out; what may not be believed changes nothing.
func TestRefreshAnswers(t *testing.T) {
	for _, row := range []struct {
		name   string
		answer func(t *testing.T, w *world, s *source)
		out    bool
		is     string // the account's name afterwards; "A": as it was
	}{
		{"the same token", func(*testing.T, *world, *source) {}, false, "A"},
		{"a newer token", func(_ *testing.T, w *world, s *source) {
			s.holds(w.key, w.newer(func(c *jwt.AccountClaims) { c.Name = "new" }))
		}, false, "new"},
		{"not found", func(_ *testing.T, w *world, s *source) { s.holds(w.key, "") }, true, ""},
		{"not found, wrapped", func(_ *testing.T, _ *world, s *source) { s.breaks(fmt.Errorf("here: %w", resolver.ErrNotFound)) }, true, ""},
		{"unavailable", func(_ *testing.T, _ *world, s *source) { s.breaks(resolver.ErrUnavailable) }, false, "A"},
		{"an error of its own", func(_ *testing.T, _ *world, s *source) { s.breaks(errors.New("404 not found")) }, false, "A"},
		{"an older token", func(_ *testing.T, w *world, s *source) {
			s.holds(w.key, w.issue(time.Now().Add(-time.Hour), func(c *jwt.AccountClaims) { c.Name = "old" }).Token())
		}, false, "A"},
		{"no token", func(_ *testing.T, w *world, s *source) { s.holds(w.key, "nonsense") }, false, "A"},
		{"a token that nobody trusts", func(_ *testing.T, w *world, s *source) {
			s.holds(w.key, w.untrusted())
		}, false, "A"},
		{"another account's", func(_ *testing.T, w *world, s *source) {
			s.holds(w.key, w.operator.Account("B", authtest.IssuedAt(time.Now())).Token())
		}, false, "A"},
		{"a token of the future", func(_ *testing.T, w *world, s *source) {
			s.holds(w.key, w.issue(time.Now().Add(24*time.Hour), noAccount).Token())
		}, false, "A"},
		{"a token that is over", func(_ *testing.T, w *world, s *source) {
			s.holds(w.key, w.newer(func(c *jwt.AccountClaims) { c.Expires = time.Now().Add(time.Minute).Unix() }))
		}, false, "A"},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, upstream := freshWorld(t, noAccount, refreshing(time.Hour))
				s := w.connect(t, noUser)
				row.answer(t, w, upstream)
				time.Sleep(time.Hour)
				synctest.Wait()
				require.Len(t, upstream.times(w.key), 2, "it was asked again")
				view, in := w.authorizer.InForce(w.key)
				require.Equal(t, !row.out, in)
				if !row.out {
					require.NoError(t, s.Err())
					require.Equal(t, row.is, view.Name())
					w.connect(t, noUser).Close()
					return
				}
				end := endOf(t, s)
				require.Equal(t, auth.AccountRemoved, end.Reason)
				require.Equal(t, "Account Authentication Expired", end.Wire())
				require.Equal(t, auth.AccountNotFound, w.refuse(t, w.client(noUser)).Reason)
				upstream.holds(w.key, w.issue(time.Now().Add(-24*time.Hour), noAccount).Token())
				time.Sleep(time.Second) // Bounds.MissTime
				require.Equal(t, auth.AccountRollback, w.refuse(t, w.client(noUser)).Reason, "its mark is there")
				upstream.holds(w.key, w.account.Token()) // it is back, as it was
				time.Sleep(time.Second)
				w.connect(t, noUser).Close()
			})
		})
	}
}

// TestB9MaxStale: an account that nobody could confirm is in force for MaxStale
// from the first question that was not answered, and comes back with an answer.
func TestB9MaxStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, upstream := freshWorld(t, noAccount, refreshing(10*time.Minute), func(c *auth.Config) { c.MaxStale = time.Hour })
		s := w.connect(t, noUser)
		upstream.breaks(resolver.ErrUnavailable)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		failed := upstream.times(w.key)[1]
		time.Sleep(time.Until(failed.Add(time.Hour)) - 1)
		synctest.Wait()
		require.NoError(t, s.Err(), "just before")
		w.connect(t, noUser).Close()
		time.Sleep(1)
		synctest.Wait()
		end := endOf(t, s)
		require.Equal(t, auth.AccountStale, end.Reason)
		require.Equal(t, "Account Authentication Expired", end.Wire())
		_, in := w.authorizer.InForce(w.key)
		require.False(t, in)
		require.Equal(t, auth.AccountUnavailable, w.refuse(t, w.client(noUser)).Reason)
		time.Sleep(time.Hour)
		require.Equal(t, auth.AccountUnavailable, w.refuse(t, w.client(noUser)).Reason, "after")
		upstream.breaks(nil)
		again := w.connect(t, noUser)
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		require.NoError(t, again.Err())
	})
}

// TestB9MaxStaleReset: an answer begins anew, one that is not to be believed too:
// upstream is there. Without MaxStale an outage may last.
func TestB9MaxStaleReset(t *testing.T) {
	for _, row := range []struct {
		name   string
		answer func(*world, *source)
		stale  time.Duration
		out    bool
	}{
		{"no answer", func(*world, *source) {}, time.Hour, true},
		{"the same token", func(_ *world, s *source) { s.breaks(nil) }, time.Hour, false},
		{"a newer token", func(w *world, s *source) { s.holds(w.key, w.newer(noAccount)) }, time.Hour, false},
		{"an older token", func(w *world, s *source) {
			s.holds(w.key, w.issue(time.Now().Add(-24*time.Hour), noAccount).Token())
		}, time.Hour, false},
		{"no answer and no MaxStale", func(*world, *source) {}, 0, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, upstream := freshWorld(t, noAccount, refreshing(10*time.Minute), func(c *auth.Config) { c.MaxStale = row.stale })
				s := w.connect(t, noUser)
				upstream.breaks(resolver.ErrUnavailable)
				time.Sleep(50 * time.Minute)
				row.answer(w, upstream)
				time.Sleep(11 * time.Minute) // asked in between
				upstream.breaks(resolver.ErrUnavailable)
				time.Sleep(59 * time.Minute)
				synctest.Wait()
				require.Equal(t, row.out, s.Err() != nil, "%v", s.Err())
			})
		})
	}
}

// TestRefreshBound: however many accounts are looked up again, Bounds.Lookups is
// kept, all get their turn, and clients of accounts that nobody knows yet find room.
func TestRefreshBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const many, most = 1000, 16
		op := authtest.NewOperator(t, authtest.IssuedAt(time.Now()))
		accounts := make([]*authtest.Account, many)
		for i := range accounts {
			accounts[i] = op.Account(fmt.Sprint(i), authtest.IssuedAt(time.Now()))
		}
		w := &world{operator: op}
		w.account = w.issue(time.Now(), noAccount)
		s := newSource(append(accounts, w.account)...)
		hints := newHints()
		w.authorizer = authtest.Authorizer(t, op, nil, s.use, hints.use, func(c *auth.Config) {
			c.Clock, c.Bounds.Idle, c.Bounds.Lookups = nil, 100*time.Hour, most
		})
		for _, account := range accounts {
			_, err := w.authorizer.Account(t.Context(), account.PublicKey())
			require.NoError(t, err)
		}
		s.change(func(s *source) { s.takes, s.most = 100*time.Millisecond, 0 })
		hints.tell("")
		time.Sleep(time.Millisecond)
		w.connect(t, noUser).Close()
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		require.LessOrEqual(t, s.most, most)
		for _, account := range accounts {
			require.Len(t, s.times(account.PublicKey()), 2, "asked again, once")
		}
	})
}

// hints is a Watcher that says what a test has it say.
type hints struct {
	says   chan string
	gives  chan error // up
	mu     sync.Mutex
	starts []time.Time // guarded by mu
	ended  chan struct{}
}

func newHints() *hints {
	return &hints{says: make(chan string), gives: make(chan error), ended: make(chan struct{})}
}

func (h *hints) use(c *auth.Config) { c.Watch = append(c.Watch, h) }

// tell has the watcher say something, and waits until nothing moves any more.
func (h *hints) tell(account string) {
	h.says <- account
	synctest.Wait()
}

func (h *hints) Watch(ctx context.Context, changed func(string)) error {
	h.mu.Lock()
	h.starts = append(h.starts, time.Now())
	h.mu.Unlock()
	for {
		select {
		case account := <-h.says:
			changed(account)
		case err := <-h.gives:
			return err
		case <-ctx.Done():
			close(h.ended)
			return ctx.Err()
		}
	}
}

// TestWatch: a hint leads to a look-up at once, for one account or for all, with
// Refresh and without.
func TestWatch(t *testing.T) {
	for _, refresh := range []time.Duration{0, 24 * time.Hour} {
		for _, all := range []bool{false, true} {
			t.Run(fmt.Sprintf("refresh %v, all %v", refresh, all), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h := newHints()
					w, upstream := freshWorld(t, noAccount, h.use, refreshing(refresh))
					s, other := w.connect(t, noUser), w.connect(t, noUser)
					upstream.holds(w.key, w.newer(revoking(s.User().Key)))
					synctest.Wait()
					require.NoError(t, s.Err(), "nobody has said so")
					account := w.key
					if all {
						account = ""
					}
					h.tell(account)
					time.Sleep(time.Millisecond) // for all: by the next turn of the timer
					synctest.Wait()
					require.Equal(t, auth.UserRevoked, endOf(t, s).Reason)
					require.NoError(t, other.Err())
					require.Len(t, upstream.times(w.key), 2)
					time.Sleep(time.Hour)
					synctest.Wait()
					require.Len(t, upstream.times(w.key), 2, "once for a hint")
				})
			})
		}
	}
}

// TestWatchUnderWay: what a look-up brings that was under way when the hint came
// may be older than the hint: there is another one, and one only.
func TestWatchUnderWay(t *testing.T) {
	for _, row := range []struct {
		name  string
		force bool   // it is in force before
		first string // what the look-up under way finds: "old", or "" nothing
		hint  bool
		want  bool // the new one is in force afterwards
	}{
		{"in force", true, "old", true, true},
		{"in force, no hint", true, "old", false, false},
		{"looked up for the first time", false, "old", true, true},
		{"looked up for the first time, no hint", false, "old", false, false},
		{"nobody knew it", false, "", true, true},
		{"in force, and gone for a moment", true, "", true, true},
	} {
		for name, account := range map[string]func(*world) string{
			"the account": func(w *world) string { return w.key }, "all": func(*world) string { return "" },
		} {
			t.Run(row.name+", "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h := newHints()
					w, upstream := freshWorld(t, noAccount, h.use)
					if row.force {
						w.connect(t, noUser)
					}
					before := len(upstream.times(w.key))
					if row.first == "" {
						upstream.holds(w.key, "")
					}
					upstream.slows(time.Second)
					if row.force {
						h.tell(w.key)
					} else {
						go w.authorizer.Account(t.Context(), w.key) // what it finds is looked at below
					}
					synctest.Wait()
					upstream.holds(w.key, w.newer(func(c *jwt.AccountClaims) { c.Name = "new" }))
					for range 5 { // twice is as good as once
						if row.hint {
							h.tell(account(w))
						}
					}
					time.Sleep(10 * time.Second)
					synctest.Wait()
					view, in := w.authorizer.InForce(w.key)
					require.Equal(t, row.want, in && view.Name() == "new")
					want := before + 1
					if row.hint {
						want++
					}
					require.Len(t, upstream.times(w.key), want)
				})
			})
		}
	}
}

// TestWatchNothing: hints that are late, twice, of accounts that nobody uses or of
// none at all change nothing and ask nobody needlessly.
func TestWatchNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHints()
		w, upstream := freshWorld(t, noAccount, h.use)
		s := w.connect(t, noUser)
		hash := w.authorizer.StateHash()
		for range 3 {
			h.tell(w.key)
		}
		require.Len(t, upstream.times(w.key), 4, "each is worth a question")
		unknown := newKey(t, nkeys.CreateAccount)
		for _, text := range []string{unknown, "nonsense", w.operator.PublicKey(), "*"} {
			h.tell(text)
			require.Empty(t, upstream.times(text))
		}
		require.NoError(t, s.Err())
		require.Equal(t, hash, w.authorizer.StateHash())
	})
}

// TestWatchForgives: who was not found a moment ago is asked for anew after a hint,
// of it or of all.
func TestWatchForgives(t *testing.T) {
	for name, hint := range map[string]func(*world) string{
		"the account": func(w *world) string { return w.key },
		"all":         func(*world) string { return "" },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHints()
				w, upstream := freshWorld(t, noAccount, h.use)
				upstream.holds(w.key, "")
				require.Equal(t, auth.AccountNotFound, w.refuse(t, w.client(noUser)).Reason)
				upstream.holds(w.key, w.account.Token())
				require.Equal(t, auth.AccountNotFound, w.refuse(t, w.client(noUser)).Reason, "remembered")
				h.tell(newKey(t, nkeys.CreateAccount))
				require.Equal(t, auth.AccountNotFound, w.refuse(t, w.client(noUser)).Reason, "another account")
				h.tell(hint(w))
				w.connect(t, noUser).Close()
			})
		})
	}
}

// TestWatchGivesUp: a watcher that gives up is asked again, later each time, and
// what it says then counts. One that has watched for long begins anew.
func TestWatchGivesUp(t *testing.T) {
	for name, cause := range map[string]error{
		"with an error": errors.New("connection lost"), "without one": nil,
		"with one of the system": fmt.Errorf("connection lost: %w", syscall.ENOTSUP),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log lockedBuffer
				h := newHints()
				w, upstream := freshWorld(t, noAccount, h.use, func(c *auth.Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
				s := w.connect(t, noUser)
				began := time.Now()
				for range 4 {
					h.gives <- cause
				}
				h.gives <- cause
				time.Sleep(time.Hour)
				h.gives <- cause
				time.Sleep(time.Minute)
				synctest.Wait()
				var starts []time.Duration
				for _, at := range h.starts {
					starts = append(starts, at.Sub(began))
				}
				sec := time.Second
				require.Equal(t, []time.Duration{0, sec, 3 * sec, 7 * sec, 15 * sec, 31 * sec, 15*sec + time.Hour + sec}, starts)
				require.Equal(t, cause != nil, bytes.Contains(log.bytes(), []byte("connection lost")))
				upstream.holds(w.key, w.newer(revoking(s.User().Key)))
				h.tell(w.key)
				require.Error(t, s.Err())
			})
		})
	}
}

// TestWatchOfNothing: a watcher that says it will never tell anything is logged, and not asked again.
func TestWatchOfNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log lockedBuffer
		h := newHints()
		w, _ := freshWorld(t, noAccount, h.use, func(c *auth.Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
		h.gives <- fmt.Errorf("a cache of a file: %w", resolver.ErrNoChanges)
		time.Sleep(time.Hour)
		synctest.Wait()
		require.Len(t, h.starts, 1)
		require.Equal(t, 1, bytes.Count(log.bytes(), []byte("a watcher of accounts tells of no changes")))
		require.NotContains(t, string(log.bytes()), "again_in")
		w.connect(t, noUser).Close()
	})
}

// lockedBuffer is a log that several goroutines write.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) bytes() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return bytes.Clone(b.buf.Bytes())
}

// TestWatchEnds: Close ends the watching, and a hint that comes afterwards does
// nothing.
func TestWatchEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHints()
		late := make(chan func(string), 1)
		leaky := watchFunc(func(ctx context.Context, changed func(string)) error {
			late <- changed
			<-ctx.Done()
			return ctx.Err()
		})
		w, upstream := freshWorld(t, noAccount, h.use, func(c *auth.Config) { c.Watch = append(c.Watch, leaky) })
		w.connect(t, noUser)
		synctest.Wait() // the watching has begun
		require.NoError(t, w.authorizer.Close())
		<-h.ended
		changed := <-late
		changed(w.key)
		changed("")
		time.Sleep(time.Hour)
		synctest.Wait()
		require.Len(t, upstream.times(w.key), 1)
		require.Len(t, h.starts, 1)
	})
}

type watchFunc func(context.Context, func(string)) error

func (f watchFunc) Watch(ctx context.Context, changed func(string)) error { return f(ctx, changed) }

// TestRefreshByTheClock: with a clock of its own, Sweep looks accounts up that are
// due, and no other.
func TestRefreshByTheClock(t *testing.T) {
	t.Parallel()
	clock := newClock()
	w, upstream := freshWorld(t, noAccount, clock.use, refreshing(time.Hour))
	s := w.connect(t, noUser)
	upstream.holds(w.key, w.newer(revoking(s.User().Key)))
	clock.advance(time.Hour/2 - 1)
	w.authorizer.Sweep()
	require.Len(t, upstream.times(w.key), 1)
	clock.advance(time.Hour/2 + 1)
	w.authorizer.Sweep()
	<-s.Done()
	require.Equal(t, auth.UserRevoked, endOf(t, s).Reason)
	require.Len(t, upstream.times(w.key), 2)
}

// TestB9MirrorGoesStale: what the Store remembers is no confirmation while upstream is
// out, neither for who is there nor, once it was too long, for who comes.
func TestB9MirrorGoesStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, err := resolver.NewMemory()
		require.NoError(t, err)
		w, upstream := freshWorld(t, noAccount, refreshing(10*time.Minute), func(c *auth.Config) {
			c.MaxStale, c.Store, c.Mirror = time.Hour, store, true
		})
		s := w.connect(t, noUser)
		upstream.breaks(resolver.ErrUnavailable)
		time.Sleep(50 * time.Minute)
		synctest.Wait()
		require.NoError(t, s.Err())
		w.connect(t, noUser).Close()
		time.Sleep(3 * time.Hour)
		synctest.Wait()
		require.Equal(t, auth.AccountStale, reasonOf(t, s.Err()))
		require.Equal(t, auth.AccountStale, w.refuse(t, w.client(noUser)).Reason)
		upstream.holds(w.key, w.token(noAccount))
		time.Sleep(time.Minute) // the miss is forgotten
		w.connect(t, noUser).Close()
	})
}

// TestRefreshAsksUpstream: a Store that answers first when an account comes in does
// not keep upstream's news from one that is in force.
func TestRefreshAsksUpstream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, err := resolver.NewMemory()
		require.NoError(t, err)
		w, upstream := freshWorld(t, noAccount, refreshing(10*time.Minute), func(c *auth.Config) { c.Store = store })
		s, other := w.connect(t, noUser), w.connect(t, noUser)
		upstream.holds(w.key, w.newer(revoking(s.User().Key)))
		time.Sleep(time.Hour)
		synctest.Wait()
		require.Equal(t, auth.UserRevoked, reasonOf(t, s.Err()))
		require.NoError(t, other.Err())
	})
}

// TestLateNotFound: an answer that is older than a push takes nothing out of force,
// neither of the first look-up nor of a later one.
func TestLateNotFound(t *testing.T) {
	t.Run("of the first look-up", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w, upstream := freshWorld(t, noAccount)
			upstream.holds(w.key, "")
			upstream.slows(2 * time.Second)
			go w.authorizer.Connect(context.Background(), w.client(noUser))
			time.Sleep(time.Second)
			r, err := w.authorizer.Apply(t.Context(), w.token(noAccount), resolver.Push)
			require.NoError(t, err)
			require.Equal(t, auth.InForce, r.State)
			s := w.connect(t, noUser)
			time.Sleep(2 * time.Second)
			synctest.Wait()
			require.NoError(t, s.Err())
		})
	})
	t.Run("of a refresh", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w, upstream := freshWorld(t, noAccount, refreshing(time.Minute))
			s := w.connect(t, noUser)
			upstream.holds(w.key, "")
			upstream.slows(4 * time.Second)
			for len(upstream.times(w.key)) < 2 {
				time.Sleep(time.Second)
			}
			next := w.newer(noAccount)
			upstream.holds(w.key, next)
			_, err := w.authorizer.Apply(t.Context(), next, resolver.Push)
			require.NoError(t, err)
			time.Sleep(5 * time.Second)
			synctest.Wait()
			require.NoError(t, s.Err())
		})
	})
}

// TestClockSetBack: a clock that is set back holds up neither the next look-up of an
// account in force nor the next try after one that failed.
func TestClockSetBack(t *testing.T) {
	t.Parallel()
	clock := newClock()
	w, upstream := freshWorld(t, noAccount, clock.use, refreshing(10*time.Minute))
	s := w.connect(t, noUser)
	w.authorizer.Sweep()
	stranger := w.operator.Account("B")
	c := stranger.User("u").Credentials(nonce.New())
	_, err := w.authorizer.Connect(t.Context(), c)
	require.Error(t, err)
	clock.advance(-6 * time.Hour)
	upstream.holds(stranger.PublicKey(), w.operator.Account("B", authtest.IssuedAt(clock.read())).Token())
	_, err = w.authorizer.Connect(t.Context(), c)
	require.NotEqual(t, auth.AccountNotFound, reasonOrNone(err), "it is asked for again")
	upstream.holds(w.key, w.issue(clock.read(), func(a *jwt.AccountClaims) { a.RevokeAt(s.User().Key, clock.read().Add(24*time.Hour)) }).Token())
	looked := len(upstream.times(w.key))
	w.authorizer.Sweep() // plans anew
	clock.advance(11 * time.Minute)
	w.authorizer.Sweep()
	require.Eventually(t, func() bool { return len(upstream.times(w.key)) > looked }, time.Minute, time.Millisecond)
}

func reasonOrNone(err error) auth.Reason {
	if e := (*auth.Error)(nil); errors.As(err, &e) {
		return e.Reason
	}
	return auth.ReasonNone
}
