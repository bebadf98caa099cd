package cache

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/natsauth/natsauth/claims"
	"github.com/natsauth/natsauth/resolver"
)

// Store is a [Cache] of a resolver.Store, and one itself: what is written goes to the store that it wraps, and the Cache
// forgets it. Whoever asks after Save or Delete has returned gets what the store held then, or what came later. The zero
// Store answers resolver.ErrUnavailable. A Store may be used by several goroutines, and must not be copied.
//
// What is written past it, by another process say, is seen when the TTL is over, or through [Cache.Watch].
type Store struct {
	*Cache
	store  resolver.Store
	lister resolver.Lister // of store
}

// NewStore makes a Store of s. The caller closes it, and s by itself. The error is about o, or says that s is nil.
func NewStore(s resolver.Store, o Options) (*Store, error) {
	if s == nil {
		return nil, errors.New("cache: nil Store")
	}
	c, err := New(s, o)
	if err != nil {
		return nil, err
	}
	return &Store{Cache: c, store: s, lister: resolver.ListerOf(s)}, nil
}

// Resolve is [Cache.Resolve].
func (s *Store) Resolve(ctx context.Context, account string) (string, error) {
	if err := s.usable(ctx); err != nil {
		return "", err
	}
	return s.Cache.Resolve(ctx, account)
}

// Save saves a token in the store that is wrapped, whose answer it gives. The account is forgotten also if nothing has
// changed or there was an error, because an error leaves open what is held. What [claims.ParseAccount] cannot read is
// resolver.ErrToken, and not passed on: nobody could tell whose it is.
func (s *Store) Save(ctx context.Context, token string, m resolver.Mode) (bool, error) {
	if err := s.usable(ctx); err != nil {
		return false, err
	}
	a, err := claims.ParseAccount(token)
	if err != nil {
		return false, fmt.Errorf("%w: %w", resolver.ErrToken, err)
	}
	changed, err := s.store.Save(ctx, token, m)
	s.Forget(a.Key)
	return changed, err
}

// Delete deletes a token in the store that is wrapped, whose answer it gives, and forgets the account in any case.
func (s *Store) Delete(ctx context.Context, account string) error {
	if err := s.usable(ctx); err != nil {
		return err
	}
	err := s.store.Delete(ctx, account)
	s.Forget(account)
	return err
}

// Accounts asks the store that is wrapped: a Cache knows some accounts, not all.
func (s *Store) Accounts(ctx context.Context) iter.Seq2[string, error] {
	if err := s.usable(ctx); err != nil {
		return func(yield func(string, error) bool) { yield("", err) }
	}
	return s.store.Accounts(ctx)
}

// Tokens asks the store that is wrapped, likewise, and remembers nothing of it.
func (s *Store) Tokens(ctx context.Context) iter.Seq2[resolver.Held, error] {
	if err := s.usable(ctx); err != nil {
		return func(yield func(resolver.Held, error) bool) { yield(resolver.Held{}, err) }
	}
	return s.lister.Tokens(ctx)
}

// Hash asks the store that is wrapped, likewise.
func (s *Store) Hash(ctx context.Context) ([32]byte, error) {
	if err := s.usable(ctx); err != nil {
		return [32]byte{}, err
	}
	return s.store.Hash(ctx)
}

func (s *Store) usable(ctx context.Context) error {
	if s == nil {
		return errNone
	}
	return s.Cache.usable(ctx)
}
