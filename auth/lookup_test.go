package auth_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/auth/authtest"
	"github.com/natsauth/natsauth/claims"
	"github.com/natsauth/natsauth/resolver"
)

// asked is a resolver that counts, and answers as a test says.
type asked struct {
	calls  atomic.Int64
	answer func(ctx context.Context, key string) (string, error)
}

func (a *asked) Resolve(ctx context.Context, key string) (string, error) {
	a.calls.Add(1)
	return a.answer(ctx, key)
}

func (a *asked) use(c *auth.Config) { c.Resolver = a }

func gives(token string) func(context.Context, string) (string, error) {
	return func(context.Context, string) (string, error) { return token, nil }
}

func fails(err error) func(context.Context, string) (string, error) {
	return func(context.Context, string) (string, error) { return "", err }
}

// TestB7OneLookup: however many ask for one account, it is looked up once, and
// once it is in force not at all.
func TestB7OneLookup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		upstream := &asked{}
		w := newWorld(t, noAccount, upstream.use)
		upstream.answer = func(context.Context, string) (string, error) {
			time.Sleep(time.Second)
			return w.token(noAccount), nil
		}
		creds := w.client(noUser)
		var admitted atomic.Int64
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				if s, err := w.authorizer.Connect(t.Context(), creds); err == nil {
					admitted.Add(1)
					s.Close()
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 100, admitted.Load())
		w.connect(t, noUser).Close()
		require.EqualValues(t, 1, upstream.calls.Load())
		require.EqualValues(t, 1, w.authorizer.Stats().Lookups)
	})
}

// TestB7ACallerThatLeaves: a look-up serves those who still wait, whoever began
// it.
func TestB7ACallerThatLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		upstream := &asked{}
		w := newWorld(t, noAccount, upstream.use)
		token := w.token(noAccount)
		upstream.answer = func(ctx context.Context, _ string) (string, error) {
			select {
			case <-time.After(time.Second):
				return token, nil
			case <-ctx.Done():
				return "", ctx.Err()
			}
		}
		creds := w.client(noUser)
		impatient, cancel := context.WithCancel(t.Context())
		left := make(chan error, 1)
		go func() {
			_, err := w.authorizer.Connect(impatient, creds)
			left <- err
		}()
		synctest.Wait()
		go cancel()
		s, err := w.authorizer.Connect(t.Context(), creds)
		require.NoError(t, err)
		s.Close()
		var refusal *auth.Error
		require.ErrorAs(t, <-left, &refusal)
		require.Equal(t, auth.AccountUnavailable, refusal.Reason)
		require.ErrorIs(t, refusal, context.Canceled)
		require.EqualValues(t, 1, upstream.calls.Load())
	})
}

// TestB7Misses: a look-up that brought nothing is remembered for MissTime, and
// not a moment longer; an outage is not remembered at all.
func TestB7Misses(t *testing.T) {
	for _, row := range []struct {
		name   string
		answer error
		reason auth.Reason
		calls  [4]int64 // after: the first, a second at once, just before MissTime, at MissTime
	}{
		{"not found", resolver.ErrNotFound, auth.AccountNotFound, [4]int64{1, 1, 1, 2}},
		{"unavailable", resolver.ErrUnavailable, auth.AccountUnavailable, [4]int64{1, 2, 3, 4}},
		{"an error of its own", errors.New("disk on fire"), auth.AccountUnavailable, [4]int64{1, 2, 3, 4}},
		{"no clear no", errUnclear, auth.AccountUnavailable, [4]int64{1, 2, 3, 4}},
	} {
		t.Run(row.name, func(t *testing.T) {
			clock := newClock()
			upstream := &asked{answer: fails(row.answer)}
			w := newWorld(t, noAccount, upstream.use, clock.use, func(c *auth.Config) { c.Bounds.MissTime = time.Second })
			creds := w.client(noUser)
			for i, pass := range []time.Duration{0, 0, time.Second - 1, 1} {
				clock.advance(pass)
				refusal := w.refuse(t, creds)
				require.Equal(t, row.reason, refusal.Reason)
				require.True(t, refusal.Retry())
				require.Equal(t, row.calls[i], upstream.calls.Load(), "call %d", i)
			}
			upstream.answer = gives(w.token(noAccount))
			clock.advance(time.Second)
			s, err := w.authorizer.Connect(t.Context(), creds)
			require.NoError(t, err)
			s.Close()
		})
	}
}

// errUnclear is what no source should say: it knows, and it does not.
var errUnclear = fmt.Errorf("%w: %w", resolver.ErrUnavailable, resolver.ErrNotFound)

// unclear is a store that gives no clear no.
type unclear struct{ resolver.Memory }

func (*unclear) Resolve(context.Context, string) (string, error) { return "", errUnclear }

func (*unclear) Delete(context.Context, string) error { return errUnclear }

// TestB7UnclearStore: what is no clear no of a store is an outage to all who ask or change it.
func TestB7UnclearStore(t *testing.T) {
	t.Parallel()
	store := &unclear{}
	w := newWorld(t, noAccount, func(c *auth.Config) { c.Store, c.Resolver = store, nil })
	require.Equal(t, auth.AccountUnavailable, w.refuse(t, w.client(noUser)).Reason)
	_, err := w.authorizer.Preview(t.Context(), w.token(noAccount), resolver.Push)
	require.Equal(t, auth.AccountUnavailable, reasonOrNone(err))
	_, err = w.authorizer.Remove(t.Context(), w.key)
	require.Equal(t, auth.AccountUnavailable, reasonOrNone(err))
}

// TestB18Misses: how many are remembered is bounded, the oldest is forgotten
// first.
func TestB18Misses(t *testing.T) {
	t.Parallel()
	upstream := &asked{answer: fails(resolver.ErrNotFound)}
	w := newWorld(t, noAccount, upstream.use, newClock().use, func(c *auth.Config) { c.Bounds.Misses = 3 })
	var keys []string
	for range 4 {
		keys = append(keys, newKey(t, nkeys.CreateAccount))
	}
	ask := func(key string) int64 {
		before := upstream.calls.Load()
		_, err := w.authorizer.Account(t.Context(), key)
		require.Error(t, err)
		return upstream.calls.Load() - before
	}
	for _, k := range keys {
		require.EqualValues(t, 1, ask(k))
	}
	require.EqualValues(t, 0, ask(keys[3]))
	require.EqualValues(t, 0, ask(keys[1]))
	require.EqualValues(t, 1, ask(keys[0]), "the oldest of four was forgotten")
}

// TestB18Lookups: unknown accounts that do not answer fill the bound, and known
// users are served all the same.
func TestB18Lookups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = 4
		upstream := &asked{}
		w := newWorld(t, noAccount, upstream.use, func(c *auth.Config) { c.Bounds.Lookups = most })
		upstream.answer = gives(w.token(noAccount))
		w.connect(t, noUser).Close() // now it is known
		upstream.answer = func(ctx context.Context, _ string) (string, error) {
			<-ctx.Done()
			return "", ctx.Err()
		}
		var wg sync.WaitGroup
		for range most {
			key := newKey(t, nkeys.CreateAccount)
			wg.Go(func() {
				_, err := w.authorizer.Account(t.Context(), key)
				refusal := (*auth.Error)(nil)
				if !errors.As(err, &refusal) || refusal.Reason != auth.AccountUnavailable {
					t.Errorf("a look-up that takes too long: %v", err)
				}
			})
		}
		synctest.Wait()
		_, err := w.authorizer.Account(t.Context(), newKey(t, nkeys.CreateAccount))
		refusal := (*auth.Error)(nil)
		require.ErrorAs(t, err, &refusal)
		require.Equal(t, auth.AccountBusy, refusal.Reason)
		require.True(t, refusal.Retry())
		w.connect(t, noUser).Close()
		wg.Wait() // Bounds.LookupTime ends them
		synctest.Wait()
		upstream.answer = fails(resolver.ErrNotFound)
		_, err = w.authorizer.Account(t.Context(), newKey(t, nkeys.CreateAccount))
		require.ErrorAs(t, err, &refusal)
		require.Equal(t, auth.AccountNotFound, refusal.Reason, "there is room again")
	})
}

// TestSources: in which order store and resolver are asked, who is believed, and
// what is saved.
func TestSources(t *testing.T) {
	t.Parallel()
	now := time.Now()
	w := &world{operator: authtest.NewOperator(t)}
	w.account = w.issue(now, noAccount)
	key := w.account.PublicKey()
	tokenOf := func(issued time.Time, name string, edits ...func(*jwt.AccountClaims)) string {
		return w.issue(issued, func(c *jwt.AccountClaims) {
			c.Name = name
			for _, edit := range edits {
				edit(c)
			}
		}).Token()
	}
	token := func(name string, edits ...func(*jwt.AccountClaims)) string { return tokenOf(now, name, edits...) }
	stranger := authtest.NewOperator(t, authtest.Random()).Account("A")
	newer := func(name string) string { return tokenOf(now.Add(time.Second), name) }
	expired := func(c *jwt.AccountClaims) { c.Expires = now.Add(-time.Minute).Unix() }
	for _, row := range []struct {
		name     string
		stored   string // empty: not there
		upstream func(context.Context, string) (string, error)
		mirror   bool
		want     string // name of the account in force, or
		reason   auth.Reason
		asked    int64 // upstream
		saved    string
	}{
		{"the store has it", token("stored"), gives(token("upstream")), false, "stored", 0, 0, "stored"},
		{"the store does not have it", "", gives(token("upstream")), false, "upstream", 0, 1, "upstream"},
		{"what the store has is over", token("stored", expired), gives(newer("upstream")), false, "upstream", 0, 1, "upstream"},
		{"what the store has is over, and newer than upstream's", tokenOf(now.Add(time.Second), "stored", expired), gives(token("upstream")), false, "", auth.AccountRollback, 1, "stored"},
		{"both are over", token("stored", expired), gives(token("upstream", expired)), false, "", auth.AccountExpired, 1, "stored"},
		{"nobody has it", "", fails(resolver.ErrNotFound), false, "", auth.AccountNotFound, 1, ""},
		{"upstream is out and the store empty", "", fails(resolver.ErrUnavailable), false, "", auth.AccountUnavailable, 1, ""},
		{"upstream is out and the store has it", token("stored"), fails(resolver.ErrUnavailable), false, "stored", 0, 0, "stored"},
		{"upstream has another account's", "", gives(stranger.Token()), false, "", auth.AccountUntrusted, 1, ""},
		{"a mirror has a newer one", token("stored"), gives(newer("upstream")), true, "upstream", 0, 1, "upstream"},
		{"a mirror has an older one", newer("stored"), gives(token("upstream")), true, "stored", 0, 1, "stored"},
		{"a mirror has the same", token("stored"), gives(token("stored")), true, "stored", 0, 1, "stored"},
		{"a mirror is out", token("stored"), fails(resolver.ErrUnavailable), true, "stored", 0, 1, "stored"},
		{"a mirror does not know it any more", token("stored"), fails(resolver.ErrNotFound), true, "", auth.AccountNotFound, 1, "stored"},
	} {
		t.Run(row.name, func(t *testing.T) {
			var stored []string
			if row.stored != "" {
				stored = append(stored, row.stored)
			}
			store, err := resolver.NewMemory(stored...)
			require.NoError(t, err)
			upstream := &asked{answer: row.upstream}
			a, err := auth.New(auth.Config{
				Trust: auth.Trust{Operators: []string{w.operator.Token()}}, Store: store, Resolver: upstream, Mirror: row.mirror,
			})
			require.NoError(t, err)
			defer a.Close()
			before := savedName(t, store, key)
			x := a.Explain(t.Context(), w.client(noUser))
			require.Equal(t, before, savedName(t, store, key), "explaining saves nothing")
			require.Zero(t, a.Stats(), "and counts nothing")
			upstream.calls.Store(0)
			found, err := a.Account(t.Context(), key)
			require.Equal(t, row.asked, upstream.calls.Load())
			require.Equal(t, err == nil, x.Err == nil, "an explanation comes to the same")
			if row.want != "" {
				require.NoError(t, err)
				require.Equal(t, row.want, found.Name())
			} else {
				refusal := (*auth.Error)(nil)
				require.ErrorAs(t, err, &refusal)
				require.Equal(t, row.reason, refusal.Reason, "%v", refusal)
				require.Equal(t, row.reason, x.Err.Reason)
			}
			require.Equal(t, row.saved, savedName(t, store, key))
		})
	}
}

func savedName(t *testing.T, store resolver.Store, key string) string {
	t.Helper()
	token, err := store.Resolve(context.Background(), key)
	if errors.Is(err, resolver.ErrNotFound) {
		return ""
	}
	require.NoError(t, err)
	c, err := jwt.DecodeAccountClaims(token)
	require.NoError(t, err)
	return c.Name
}

// TestB4Rollback: without a store, the newest token that this process has seen of
// an account is the mark, even when its time is over.
func TestB4Rollback(t *testing.T) {
	t.Parallel()
	clock := newClock()
	began := clock.read()
	upstream := &asked{}
	w := newWorld(t, noAccount, upstream.use, clock.use)
	upstream.answer = gives(w.issue(began, func(c *jwt.AccountClaims) { c.Expires = began.Add(time.Hour).Unix() }).Token())
	w.connect(t, noUser).Close()
	clock.advance(time.Hour)
	upstream.answer = gives(w.issue(began.Add(-time.Second), noAccount).Token())
	require.Equal(t, auth.AccountRollback, w.authorizer.Explain(t.Context(), w.client(noUser)).Err.Reason)
	require.Equal(t, auth.AccountRollback, w.refuse(t, w.client(noUser)).Reason)
	clock.advance(time.Second)
	upstream.answer = gives(w.issue(began.Add(time.Second), noAccount).Token())
	w.connect(t, noUser).Close()
}

// TestB4MaxSkew: how far ahead an account may be issued is the configuration's.
func TestB4MaxSkew(t *testing.T) {
	t.Parallel()
	clock := newClock()
	ahead := func(d time.Duration) string {
		return (&world{operator: authtest.NewOperator(t)}).issue(clock.read().Add(d), noAccount).Token()
	}
	for name, row := range map[string]struct {
		skew, ahead time.Duration
		want        bool
	}{
		"by default five minutes": {0, 5 * time.Minute, true}, "not a second more": {0, 5*time.Minute + time.Second, false},
		"less": {time.Second, time.Second, true}, "less, and a second more": {time.Second, 2 * time.Second, false},
	} {
		t.Run(name, func(t *testing.T) {
			a := authtest.Authorizer(t, authtest.NewOperator(t), nil, clock.use, func(c *auth.Config) { c.MaxSkew = row.skew })
			_, err := a.Vouch(ahead(row.ahead))
			require.Equal(t, row.want, err == nil, "%v", err)
		})
	}
}

// TestB5FailingStore: a store that cannot write is logged, and keeps nobody out;
// what is not vouched for never reaches it.
func TestB5FailingStore(t *testing.T) {
	t.Parallel()
	good, foreign := authtest.NewOperator(t).Account("A"), authtest.NewOperator(t, authtest.Random()).Account("B")
	store := &fullStore{}
	a, err := auth.New(auth.Config{
		Trust: auth.Trust{Operators: []string{good.Operator().Token()}}, Store: store, Resolver: authtest.Resolver(good, foreign),
	})
	require.NoError(t, err)
	defer a.Close()
	_, err = a.Account(t.Context(), foreign.PublicKey())
	require.Error(t, err)
	require.Zero(t, store.saves.Load(), "nobody vouches for it")
	_, err = a.Account(t.Context(), good.PublicKey())
	require.NoError(t, err)
	require.EqualValues(t, 1, store.saves.Load())
}

// fullStore has nothing and takes nothing.
type fullStore struct {
	resolver.Memory
	saves atomic.Int64
}

func (s *fullStore) Save(context.Context, string, resolver.Mode) (bool, error) {
	s.saves.Add(1)
	return false, fmt.Errorf("%w: no room", resolver.ErrFull)
}

// mute takes what it is given and gives nothing back.
type mute struct{ resolver.Memory }

func (*mute) Save(context.Context, string, resolver.Mode) (bool, error) { return false, nil }

func (*mute) Resolve(context.Context, string) (string, error) { return "", resolver.ErrUnavailable }

// TestMuteStore: a store that has the token and cannot be read keeps nobody out.
func TestMuteStore(t *testing.T) {
	t.Parallel()
	w := newWorld(t, noAccount, func(c *auth.Config) { c.Store = &mute{} })
	w.connect(t, noUser).Close()
}

// TestRenewedAccount: a session goes by the account's newer token from the moment in
// which anybody has found it, and lasts as long as that.
func TestRenewedAccount(t *testing.T) {
	t.Parallel()
	clock := newClock()
	hour := func(c *jwt.AccountClaims) { c.Expires = clock.read().Add(time.Hour).Unix() }
	upstream := &asked{}
	w := newWorld(t, noAccount, upstream.use, clock.use)
	upstream.answer = gives(w.token(hour))
	s := w.connect(t, noUser)
	clock.advance(time.Hour)
	upstream.answer = gives(w.issue(clock.read(), hour).Token()) // an hour more
	next := w.connect(t, noUser)
	w.authorizer.Sweep()
	require.NoError(t, s.Err())
	require.True(t, s.CanPublish("a"))
	require.Equal(t, next.Expires(), s.Expires())
	require.NoError(t, next.Err())
	require.Equal(t, time.Hour, next.Expires().Sub(clock.read()))
}

// TestDeafResolver: a resolver that does not look at its context keeps its place
// among the look-ups, and nobody waiting.
func TestDeafResolver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		upstream := &asked{answer: func(context.Context, string) (string, error) {
			<-release
			return "", resolver.ErrNotFound
		}}
		w := newWorld(t, noAccount, upstream.use, func(c *auth.Config) { c.Bounds.LookupTime, c.Bounds.Lookups = time.Second, 1 })
		began := time.Now()
		refusal := w.refuse(t, w.client(noUser))
		require.Equal(t, auth.AccountUnavailable, refusal.Reason)
		require.ErrorIs(t, refusal, context.DeadlineExceeded)
		require.Equal(t, time.Second, time.Since(began))
		_, err := w.authorizer.Account(t.Context(), newKey(t, nkeys.CreateAccount))
		require.ErrorAs(t, err, &refusal)
		require.Equal(t, auth.AccountBusy, refusal.Reason)
		close(release)
		synctest.Wait()
	})
}

// TestB18Explanations: explanations that ask are counted among the look-ups.
func TestB18Explanations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		upstream := &asked{answer: func(ctx context.Context, _ string) (string, error) {
			<-ctx.Done()
			return "", ctx.Err()
		}}
		w := newWorld(t, noAccount, upstream.use, func(c *auth.Config) { c.Bounds.Lookups = 2 })
		creds := w.client(noUser)
		var busy atomic.Int64
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if w.authorizer.Explain(t.Context(), creds).Err.Reason == auth.AccountBusy {
					busy.Add(1)
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 8, busy.Load())
		require.EqualValues(t, 2, upstream.calls.Load())
		upstream.answer = gives(w.account.Token())
		w.connect(t, noUser).Close()
	})
}

// TestB4EqualAge: of two tokens of one second the greater digest counts, with a
// store and without, whichever came first.
func TestB4EqualAge(t *testing.T) {
	t.Parallel()
	began := time.Now().Truncate(time.Second)
	ends := func(c *jwt.AccountClaims) { c.Expires = began.Add(time.Hour).Unix() }
	for _, stored := range []bool{false, true} {
		admitted, kept := 0, 0
		for i := range 20 {
			clock := &clock{now: began}
			upstream := &asked{}
			w := newWorld(t, noAccount, upstream.use, clock.use, func(c *auth.Config) {
				if stored {
					memory, err := resolver.NewMemory()
					require.NoError(t, err)
					c.Store = memory
				}
			})
			first := w.issue(began, func(c *jwt.AccountClaims) { ends(c); c.Description = fmt.Sprint("first ", i) }).Token()
			second := w.issue(began, func(c *jwt.AccountClaims) { c.Description = fmt.Sprint("second ", i) }).Token()
			upstream.answer = gives(first)
			w.connect(t, noUser).Close()
			clock.advance(time.Hour)
			upstream.answer = gives(second)
			one, err := claims.ParseAccount(first)
			require.NoError(t, err)
			two, err := claims.ParseAccount(second)
			require.NoError(t, err)
			x := w.authorizer.Explain(t.Context(), w.client(noUser))
			if two.Digest.String() > one.Digest.String() {
				admitted++
				require.Nil(t, x.Err)
				w.connect(t, noUser).Close()
				continue
			}
			kept++
			require.Equal(t, auth.AccountRollback, x.Err.Reason)
			require.Equal(t, auth.AccountRollback, w.refuse(t, w.client(noUser)).Reason)
		}
		require.Positive(t, admitted)
		require.Positive(t, kept)
	}
}

// TestCloseEndsLookups: nobody waits for a look-up of a closed Authorizer.
func TestCloseEndsLookups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		upstream := &asked{answer: func(ctx context.Context, _ string) (string, error) {
			<-ctx.Done()
			return "", ctx.Err()
		}}
		w := newWorld(t, noAccount, upstream.use)
		began := time.Now()
		done := make(chan error, 1)
		go func() {
			_, err := w.authorizer.Account(t.Context(), w.key)
			done <- err
		}()
		synctest.Wait()
		require.NoError(t, w.authorizer.Close())
		require.Error(t, <-done)
		require.Zero(t, time.Since(began))
	})
}
