package resolver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Chain makes one Resolver of several, which asks them in order until one has the token. It answers [ErrNotFound] only
// if each of them does: where one could not say, and none of the others has the token, the answer wraps
// [ErrUnavailable] and the reasons. A context that has ended stops the chain with the same. Of the time that a context
// leaves, each member has an equal share of what those before it have left over: one that does not answer leaves time to
// ask the next. Whoever has a token ends the question, whatever the token is worth: the chain trusts nobody, and judges
// none. So what a later member has changed is not heard of while an earlier one has a token: what is to be kept of a source
// is in the Store of auth.Config, and not in front of it here.
//
// What its members can do besides, the chain can: it is [SystemBound] if one of them is, a [Forgetter] of them all, and a
// [Watcher] that tells what any of them tells. Its Watch ends when that of one member ends, so that none is missed without
// a word; members that tell of no changes are passed over, and if none does the error wraps [ErrNoChanges].
//
// The empty chain answers ErrNotFound. A nil member answers ErrUnavailable. The chain keeps a copy of the list, and may
// be used by several goroutines.
func Chain(rs ...Resolver) Resolver {
	return chain(slices.Clone(rs))
}

type chain []Resolver

func (c chain) Resolve(ctx context.Context, account string) (string, error) {
	var outage error
	for i, r := range c {
		if err := ended(ctx); err != nil {
			return "", err
		}
		token, err := ask(ctx, r, account, len(c)-i)
		if err == nil {
			return token, nil
		}
		if !IsNotFound(err) {
			outage = remember(outage, i, err)
		}
	}
	if outage != nil {
		return "", fmt.Errorf("%w: %w", ErrUnavailable, outage)
	}
	return "", ErrNotFound
}

// ask asks one of the members that are left, within its share of the time.
func ask(ctx context.Context, r Resolver, account string, left int) (string, error) {
	if r == nil {
		return "", fmt.Errorf("%w: nil Resolver", ErrUnavailable)
	}
	if deadline, ok := ctx.Deadline(); ok && left > 1 {
		share := time.Until(deadline) / time.Duration(left) //nolint:forbidigo // the deadline of a context is one of this clock
		within, cancel := context.WithTimeout(ctx, share)
		defer cancel()
		ctx = within
	}
	return r.Resolve(ctx, account)
}

// remember adds the reason of member i to those before. A reason that would pass for [ErrNotFound] keeps its text only.
func remember(before error, i int, err error) error {
	if errors.Is(err, ErrNotFound) {
		err = errors.New(err.Error())
	}
	if before == nil {
		return fmt.Errorf("member %d: %w", i, err)
	}
	return fmt.Errorf("%w; member %d: %w", before, i, err)
}

// SystemBound says whether a member is.
func (c chain) SystemBound() bool {
	return slices.ContainsFunc(c, func(r Resolver) bool {
		b, ok := r.(SystemBound)
		return ok && b.SystemBound()
	})
}

// Forget has every member forget.
func (c chain) Forget(account string) {
	for _, r := range c {
		Forget(r, account)
	}
}

// Watch follows all members at once, and lets them tell one at a time.
func (c chain) Watch(ctx context.Context, changed func(account string)) error {
	all, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var telling sync.Mutex
	tell := func(account string) {
		telling.Lock()
		defer telling.Unlock()
		changed(account)
	}
	var watching sync.WaitGroup
	for i, r := range c {
		if w, ok := r.(Watcher); ok {
			watching.Go(func() {
				if err := w.Watch(all, tell); !errors.Is(err, ErrNoChanges) {
					stop(fmt.Errorf("member %d has given up: %w", i, cmp.Or(err, errNoMore)))
				}
			})
		}
	}
	watching.Wait()
	if err := ended(ctx); err != nil {
		return err
	}
	return cmp.Or(context.Cause(all), errNoWatcher)
}

var (
	errNoMore    = errors.New("resolver: it sees no more changes")
	errNoWatcher = fmt.Errorf("resolver: nobody in the chain watches: %w", ErrNoChanges)
)
