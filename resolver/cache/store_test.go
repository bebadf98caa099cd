package cache_test

import (
	"context"
	"fmt"
	"iter"
	"sync"
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

// store makes a Store of s for the time of the test.
func store(t *testing.T, s resolver.Store, o cache.Options) *cache.Store {
	t.Helper()
	c, err := cache.NewStore(s, o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

func memory(t *testing.T, tokens ...string) *resolver.Memory {
	t.Helper()
	m, err := resolver.NewMemory(tokens...)
	require.NoError(t, err)
	return m
}

func overMemory(t *testing.T, tokens ...string) resolver.Resolver {
	return store(t, memory(t, tokens...), cache.Options{})
}

func TestStore(t *testing.T) { resolvertest.Run(t, overMemory) }

func TestB4StoreRemembers(t *testing.T) {
	resolvertest.Remembers(t, overMemory, func(_ *testing.T, s resolver.Store) resolver.Store { return s })
}

func TestZeroStore(t *testing.T) {
	for _, s := range []*cache.Store{nil, new(cache.Store)} {
		refuses(t, s, one(t), resolver.ErrUnavailable)
		changed, err := s.Save(t.Context(), v(t, 1), resolver.Push)
		require.False(t, changed)
		require.ErrorIs(t, err, resolver.ErrUnavailable)
		require.ErrorIs(t, s.Delete(t.Context(), one(t)), resolver.ErrUnavailable)
		hash, err := s.Hash(t.Context())
		require.Zero(t, hash)
		require.ErrorIs(t, err, resolver.ErrUnavailable)
		var errs []error
		for key, err := range s.Accounts(t.Context()) {
			require.Empty(t, key)
			errs = append(errs, err)
		}
		require.Len(t, errs, 1)
		require.ErrorIs(t, errs[0], resolver.ErrUnavailable)
	}
}

// scripted is a store that fails when a test says so, after it has done what it was to do.
type scripted struct {
	*resolver.Memory
	err   error
	saves int
	bound bool
}

func (s *scripted) Save(ctx context.Context, token string, m resolver.Mode) (bool, error) {
	s.saves++
	changed, err := s.Memory.Save(ctx, token, m)
	if s.err != nil {
		return false, s.err
	}
	return changed, err
}

func (s *scripted) Delete(ctx context.Context, account string) error {
	if err := s.Memory.Delete(ctx, account); err != nil {
		return err
	}
	return s.err
}

func (s *scripted) Accounts(ctx context.Context) iter.Seq2[string, error] {
	if s.err != nil {
		return func(yield func(string, error) bool) { yield("", s.err) }
	}
	return s.Memory.Accounts(ctx)
}

func (s *scripted) Tokens(context.Context) iter.Seq2[resolver.Held, error] {
	return func(yield func(resolver.Held, error) bool) { yield(resolver.Held{Account: "its own"}, s.err) }
}

func (s *scripted) Hash(ctx context.Context) ([32]byte, error) {
	hash, err := s.Memory.Hash(ctx)
	if s.err != nil {
		return [32]byte{}, s.err
	}
	return hash, err
}

func (s *scripted) SystemBound() bool { return s.bound }

// TestStoreWritesThrough: what was written is what is read, whatever the answer of the store was, which is passed on.
func TestStoreWritesThrough(t *testing.T) {
	for _, row := range []struct {
		name   string
		held   string
		past   string // written past the Store, after it has read what is held
		err    error
		write  func(s resolver.Store) (any, error)
		answer any
		want   string
		reason error
	}{
		{"a newer token", v(t, 1), "", nil, saving(v(t, 2)), true, v(t, 2), nil},
		{"the same token", v(t, 1), "", nil, saving(v(t, 1)), false, v(t, 1), nil},
		{"an older token", v(t, 2), "", nil, saving(v(t, 1)), false, v(t, 2), resolver.ErrRollback},
		{"a newer token, and an error", v(t, 1), "", errDial, saving(v(t, 2)), false, v(t, 2), errDial},
		{"a token that the store has already", v(t, 1), v(t, 3), nil, saving(v(t, 3)), false, v(t, 3), nil},
		{"a token older than what the store has", v(t, 1), v(t, 3), nil, saving(v(t, 2)), false, v(t, 3), resolver.ErrRollback},
		{"delete", v(t, 1), "", nil, deleting(t), nil, "", nil},
		{"delete, and an error", v(t, 1), "", errDial, deleting(t), nil, "", errDial},
	} {
		t.Run(row.name, func(t *testing.T) {
			under := &scripted{Memory: memory(t, row.held)}
			s := store(t, under, cache.Options{MaxStale: time.Hour})
			gives(t, s, one(t), row.held)
			if row.past != "" {
				_, err := under.Memory.Save(t.Context(), row.past, resolver.Push)
				require.NoError(t, err)
				gives(t, s, one(t), row.held) // it could not know
			}
			under.err = row.err
			answer, err := row.write(s)
			require.Equal(t, row.answer, answer)
			require.ErrorIs(t, err, row.reason)
			if row.want == "" {
				refuses(t, s, one(t), resolver.ErrNotFound)
				return
			}
			gives(t, s, one(t), row.want)
		})
	}
}

func saving(token string) func(resolver.Store) (any, error) {
	return func(s resolver.Store) (any, error) { return s.Save(context.Background(), token, resolver.Push) }
}

func deleting(t *testing.T) func(resolver.Store) (any, error) {
	account := one(t)
	return func(s resolver.Store) (any, error) { return nil, s.Delete(context.Background(), account) }
}

// TestStoreSaveNoToken: what is no token is not passed on, and changes nothing that is kept.
func TestStoreSaveNoToken(t *testing.T) {
	under := &scripted{Memory: memory(t, v(t, 1))}
	s := store(t, under, cache.Options{})
	gives(t, s, one(t), v(t, 1))
	for _, text := range []string{"", "x", v(t, 2)[:100]} {
		changed, err := s.Save(t.Context(), text, resolver.Push)
		require.False(t, changed)
		require.ErrorIs(t, err, resolver.ErrToken)
	}
	require.Zero(t, under.saves)
	require.Equal(t, 1, s.Stats().Entries)
	_, err := s.Save(t.Context(), v(t, 2), resolver.Push)
	require.NoError(t, err)
	require.Equal(t, 1, under.saves)
}

// TestStorePassesErrorsOn, of what only the store knows.
func TestStorePassesErrorsOn(t *testing.T) {
	under := &scripted{Memory: memory(t, v(t, 1)), err: errDial}
	s := store(t, under, cache.Options{})
	hash, err := s.Hash(t.Context())
	require.Zero(t, hash)
	require.ErrorIs(t, err, errDial)
	for key, err := range s.Accounts(t.Context()) {
		require.Empty(t, key)
		require.ErrorIs(t, err, errDial)
	}
	require.ErrorIs(t, tokens(t, s), errDial)
	under.err = nil
	require.NoError(t, tokens(t, s))
}

// tokens asks a store of scripted for all tokens.
func tokens(t *testing.T, s resolver.Lister) error {
	t.Helper()
	n := 0
	var last error
	for held, err := range s.Tokens(t.Context()) {
		require.Equal(t, "its own", held.Account)
		n, last = n+1, err
	}
	require.Equal(t, 1, n)
	return last
}

// TestSaveDuringLoad: what was read from the store before a Save is not kept after it.
func TestSaveDuringLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := serves(t, v(t, 1))
		s := store(t, split{memory(t), u, func() { u.has(t, v(t, 2)) }}, cache.Options{})
		release := u.holds()
		early := asks(t.Context(), s, one(t))
		waits(t, early)
		changed, err := s.Save(t.Context(), v(t, 2), resolver.Push)
		require.NoError(t, err)
		require.True(t, changed)
		release()
		got(t, v(t, 1), early) // it was asked before
		gives(t, s, one(t), v(t, 2))
		gives(t, s, one(t), v(t, 2))
		require.Equal(t, 2, u.questions())
	})
}

// split is a store that reads elsewhere, where something happens when it has saved.
type split struct {
	resolver.Store
	reads resolver.Resolver
	then  func()
}

func (s split) Resolve(ctx context.Context, account string) (string, error) {
	return s.reads.Resolve(ctx, account)
}

func (s split) Save(ctx context.Context, token string, m resolver.Mode) (bool, error) {
	changed, err := s.Store.Save(ctx, token, m)
	s.then()
	return changed, err
}

// TestStoreNeverGoesBack: whoever asks after a Save has returned gets that token or a later one, however many read.
func TestStoreNeverGoesBack(t *testing.T) {
	const last = 60
	var tokens []string
	at := make(map[string]int64)
	for iat := range int64(last) {
		tokens = append(tokens, v(t, iat+1))
		at[tokens[iat]] = iat + 1
	}
	s := store(t, memory(t, tokens[0]), cache.Options{})
	account := one(t)
	var saved atomic.Int64
	var reading sync.WaitGroup
	for range 4 {
		reading.Go(func() {
			for saved.Load() < last {
				from := saved.Load()
				token, err := s.Resolve(t.Context(), account)
				if err != nil || at[token] < from {
					t.Errorf("Resolve gave the token of %d after that of %d was saved, %v", at[token], from, err)
					return
				}
			}
		})
	}
	for _, token := range tokens {
		_, err := s.Save(t.Context(), token, resolver.Push)
		require.NoError(t, err)
		saved.Store(at[token])
	}
	reading.Wait()
	resolvertest.Holds(t, s, tokens[last-1])
}

// TestSystemBound: a Cache is bound to the system account if what it wraps is.
func TestSystemBound(t *testing.T) {
	for _, bound := range []bool{true, false} {
		under := &scripted{Memory: new(resolver.Memory), bound: bound}
		require.Equal(t, bound, store(t, under, cache.Options{}).SystemBound())
		require.Equal(t, bound, before(t, under, cache.Options{}).SystemBound())
	}
	require.False(t, before(t, new(resolver.Memory), cache.Options{}).SystemBound())
}

// watched is a resolver that tells what it is told to.
type watched struct {
	*upstream
	hints chan string
}

func (w watched) Watch(ctx context.Context, changed func(string)) error {
	for {
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", resolver.ErrUnavailable, ctx.Err())
		case account, ok := <-w.hints:
			if !ok {
				return errDial
			}
			changed(account)
		}
	}
}

// TestWatch: when a change is told, what it is about has been forgotten.
func TestWatch(t *testing.T) {
	two := resolvertest.Account(t, 2)
	for _, row := range []struct {
		name, hint string
		left       int
	}{
		{"one account", one(t), 1}, {"all", "", 0}, {"an account that is not kept", resolvertest.Account(t, 3), 2},
	} {
		for _, way := range []string{"wrapped", "in a chain that is", "followed"} {
			t.Run(row.name+", "+way, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := watched{serves(t, v(t, 1), resolvertest.Token(t, 2, 1)), make(chan string)}
					c := before(t, map[string]resolver.Resolver{
						"wrapped": w, "in a chain that is": resolver.Chain(memory(t), w), "followed": w.upstream,
					}[way], cache.Options{})
					watcher := resolver.Watcher(c)
					if way == "followed" {
						watcher = c.Follow(w)
					}
					gives(t, c, one(t), v(t, 1))
					gives(t, c, two, resolvertest.Token(t, 2, 1))
					w.has(t, v(t, 2))
					var heard []string
					ended := make(chan error, 1)
					go func() {
						ended <- watcher.Watch(t.Context(), func(account string) {
							heard = append(heard, account)
							require.Equal(t, row.left, c.Stats().Entries)
						})
					}()
					w.hints <- row.hint
					close(w.hints)
					require.ErrorIs(t, <-ended, errDial)
					require.Equal(t, []string{row.hint}, heard)
				})
			})
		}
	}
}

func TestWatchEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		c := before(t, watched{serves(t), make(chan string)}, cache.Options{})
		ended := make(chan error, 1)
		go func() { ended <- c.Watch(ctx, func(string) {}) }()
		synctest.Wait()
		require.Empty(t, ended)
		cancel()
		require.ErrorIs(t, <-ended, context.Canceled)
		require.ErrorIs(t, c.Watch(ctx, func(string) {}), context.Canceled)
	})
	c := before(t, serves(t), cache.Options{})
	require.EqualError(t, c.Watch(t.Context(), nil), "cache: what is wrapped does not watch: resolver: it tells of no changes")
	require.ErrorIs(t, c.Watch(t.Context(), nil), resolver.ErrNoChanges)
}

// TestB20StoreSpelling: a token that is saved in another spelling is read as the store spells it.
func TestB20StoreSpelling(t *testing.T) {
	s := store(t, memory(t), cache.Options{})
	_, err := s.Save(t.Context(), resolvertest.Respelt(v(t, 1)), resolver.Push)
	require.NoError(t, err)
	want, err := claims.Canonical(v(t, 1))
	require.NoError(t, err)
	for range 2 {
		gives(t, s, one(t), want)
	}
}
