package auth

import (
	"context"
	"sync"
)

// turns let the changes of one account pass one after the other, while each may wait
// for its store. The zero turns are free.
type turns struct {
	mu   sync.Mutex
	held map[string]*turn // guarded by mu
}

// turn is one account's. Whoever has put something into ch has it.
type turn struct {
	ch    chan struct{}
	users int // guarded by turns.mu; who has it or waits for it
}

// take waits for the account's turn, within ctx, and gives what ends it.
func (t *turns) take(ctx context.Context, key string) (func(), *Error) {
	if err := ctx.Err(); err != nil {
		return nil, &Error{Reason: AccountUnavailable, Err: err}
	}
	t.mu.Lock()
	mine := t.held[key]
	if mine == nil {
		if t.held == nil {
			t.held = make(map[string]*turn)
		}
		mine = &turn{ch: make(chan struct{}, 1)}
		t.held[key] = mine
	}
	mine.users++
	t.mu.Unlock()
	select {
	case mine.ch <- struct{}{}:
		return func() { <-mine.ch; t.leave(key, mine) }, nil
	case <-ctx.Done():
		t.leave(key, mine)
		return nil, &Error{Reason: AccountUnavailable, Err: ctx.Err()}
	}
}

func (t *turns) leave(key string, mine *turn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if mine.users--; mine.users == 0 {
		delete(t.held, key)
	}
}
