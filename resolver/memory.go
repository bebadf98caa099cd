package resolver

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
)

// Memory is a [Store] that forgets everything when the process ends. The zero Memory is empty and ready to use; the nil
// Memory answers [ErrUnavailable]. A Memory may be used by several goroutines, and must not be copied.
//
// The marks of the 65,536 accounts that were deleted last stay, so that an older token is [ErrRollback] after Delete as
// it was before (B4). A token of the same second may be pushed again.
type Memory struct {
	mu    sync.RWMutex     // guards what follows
	held  map[string]Token // by account key
	marks marks            // of accounts that are not in held
	hash  [sha256.Size]byte
}

// NewMemory makes a Memory that holds the tokens. They may be in any order: of two for one account the newer is held,
// as with [Merge]. One that is no account token is an error that wraps [ErrToken] and names its index; then there is no
// Memory.
func NewMemory(tokens ...string) (*Memory, error) {
	m := new(Memory)
	for i, token := range tokens {
		_, err := m.Save(context.Background(), token, Merge)
		if err != nil && !errors.Is(err, ErrRollback) {
			return nil, fmt.Errorf("resolver: tokens[%d]: %w", i, err)
		}
	}
	return m, nil
}

// Resolve gives the account's token in canonical spelling, or [ErrNotFound].
func (m *Memory) Resolve(ctx context.Context, account string) (string, error) {
	if err := m.usable(ctx); err != nil {
		return "", err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	held, ok := m.held[account]
	if !ok {
		return "", ErrNotFound
	}
	return held.Text, nil
}

// Save keeps a token as [Store] says. It reads the token with [ReadToken], so that what is held is a token and carries a
// true signature of its issuer, whoever that is; all else is [ErrToken].
func (m *Memory) Save(ctx context.Context, token string, mode Mode) (bool, error) {
	if err := m.usable(ctx); err != nil {
		return false, err
	}
	next, err := ReadToken(token)
	if err != nil {
		return false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	ok, err := mode.Admits(m.mark(next.Account), next.Mark)
	if err != nil || !ok {
		return false, err
	}
	m.put(next)
	return true, nil
}

// mark is the account's mark.
func (m *Memory) mark(key string) Mark {
	if held, ok := m.held[key]; ok {
		return held.Mark
	}
	if mark, ok := m.marks.get(key); ok {
		return mark
	}
	return NoMark
}

func (m *Memory) put(next Token) {
	m.take(next.Account)
	m.marks.drop(next.Account)
	if m.held == nil {
		m.held = make(map[string]Token)
	}
	m.held[next.Account] = next
	m.mix(next.Text)
}

// take removes what is held for the account, if anything is.
func (m *Memory) take(key string) (Token, bool) {
	held, ok := m.held[key]
	if ok {
		delete(m.held, key)
		m.mix(held.Text)
	}
	return held, ok
}

// mix adds a token to the hash, or removes it: XOR is its own inverse.
func (m *Memory) mix(token string) {
	sum := sha256.Sum256([]byte(token))
	for i := range m.hash {
		m.hash[i] ^= sum[i]
	}
}

// Delete forgets the account's token and keeps its mark.
func (m *Memory) Delete(ctx context.Context, account string) error {
	if err := m.usable(ctx); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if held, ok := m.take(account); ok {
		m.marks.add(account, held.Mark.IssuedAt)
	}
	return nil
}

// Accounts gives the keys of the accounts as they are when a loop begins. It ends early, with an error, when ctx does.
func (m *Memory) Accounts(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		if err := m.usable(ctx); err != nil {
			yield("", err)
			return
		}
		for _, key := range m.keys() {
			if err := ended(ctx); err != nil {
				yield("", err)
				return
			}
			if !yield(key, nil) {
				return
			}
		}
	}
}

func (m *Memory) keys() []string {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return slices.Sorted(maps.Keys(m.held))
}

// Hash gives the hash of what is held. It is kept up to date with each change, and costs nothing to ask for.
func (m *Memory) Hash(ctx context.Context) ([32]byte, error) {
	if err := m.usable(ctx); err != nil {
		return [32]byte{}, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.hash, nil
}

func (m *Memory) usable(ctx context.Context) error {
	if m == nil {
		return fmt.Errorf("%w: nil Memory", ErrUnavailable)
	}
	return ended(ctx)
}
