package auth

import (
	"context"
	"errors"
	"hash/maphash"
	"time"

	"github.com/natsauth/natsauth/resolver"
)

// This file keeps accounts fresh where nobody pushes: they are looked up again
// now and then, and when a Watcher says so.

// spread is how long an account waits until it is looked up again: between a half and
// the whole of Config.Refresh, so that accounts which came together part.
func (a *Authorizer) spread(key string) int64 {
	half := int64(a.config.Refresh) / 2
	return half + int64(maphash.String(a.seed, key)%uint64(max(1, half))) //nolint:gosec // less than half is no overflow
}

// attendFreshness looks an account up that has not been for a while, and takes one
// out of force that nobody could confirm for too long (B9).
func (a *Authorizer) attendFreshness(p *place, now int64) {
	p.mu.Lock()
	refresh := p.refresh != 0 && p.refresh <= now
	if refresh {
		p.refresh = 0 // the plan says when next
	}
	view := p.current.Load()
	stale := view != nil && a.config.MaxStale != 0 && p.since != 0 && now-p.since >= int64(a.config.MaxStale)
	p.mu.Unlock()
	switch {
	case stale:
		a.lapse(context.Background(), view, AuditStale, AccountStale)
	case refresh && view != nil:
		a.refresh(p.key)
	case refresh:
		a.seekWanted(p.key)
	}
}

// refresh looks up an account in the background. Where there are
// too many look-ups it is tried again soon: half of them is left to clients.
func (a *Authorizer) refresh(key string) {
	if a.directory.again(key) {
		return
	}
	if _, err := a.fly(context.Background(), key, a.config.Clock(), a.background()); err == nil {
		return
	}
	if p := a.directory.known(key); p != nil {
		p.mu.Lock()
		p.refresh = a.config.Clock().Add(retry).UnixNano()
		p.mu.Unlock()
		a.attendLater(p)
	}
}

// retry is how long what could not be asked waits.
const retry = time.Second

// again asks for another look-up after the one under way, whose answer may be older
// than the question.
func (d *directory) again(key string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	f, ok := d.flights[key]
	if ok {
		f.again = true
	}
	return ok
}

// allAgain is again for every look-up under way.
func (d *directory) allAgain() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, f := range d.flights {
		f.again = true
	}
}

// confirmed notes what a look-up of an account in force has come to.
func (a *Authorizer) confirmed(ctx context.Context, key string, got answer) {
	if got.before != nil && got.err != nil && got.err.Reason == AccountNotFound {
		a.lapse(ctx, got.before, AuditLookup, AccountRemoved)
		return
	}
	p := a.directory.known(key)
	if p == nil || p.current.Load() == nil {
		return
	}
	p.mu.Lock()
	switch {
	case !got.unconfirmed && (got.err == nil || got.err.Reason != AccountUnavailable):
		p.since = 0
	case p.since == 0:
		p.since = a.config.Clock().UnixNano()
	}
	p.mu.Unlock()
	a.attendLater(p)
}

// watch follows one watcher until the Authorizer is closed. A watcher that gives up is
// asked again, later each time that it gives up soon; one that never tells anything is not.
func (a *Authorizer) watch(ctx context.Context, w resolver.Watcher) {
	for wait := retry; ctx.Err() == nil; wait = min(2*wait, maxWait) {
		began := a.config.Clock()
		err := w.Watch(ctx, a.hint)
		if errors.Is(err, resolver.ErrNoChanges) {
			a.config.Logger.Warn("a watcher of accounts tells of no changes", "cause", err)
			return
		}
		if err != nil && ctx.Err() == nil {
			a.config.Logger.Warn("a watcher of accounts has given up", "cause", err, "again_in", wait)
		}
		if a.config.Clock().Sub(began) > maxWait {
			wait = retry
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// hint is told by a watcher that an account may have changed; "" is any.
func (a *Authorizer) hint(account string) {
	a.forget(account)
	if account != "" {
		a.directory.forgive(account)
		switch again := a.directory.again(account); {
		case again:
		case a.directory.inForce(account) != nil:
			a.refresh(account)
		default:
			a.seekWanted(account)
		}
		return
	}
	a.directory.forgiveAll()
	a.directory.allAgain()
	now := a.config.Clock().UnixNano()
	for _, p := range a.directory.all() {
		p.mu.Lock()
		p.refresh = now
		p.mu.Unlock()
		a.attendLater(p)
	}
}

// forgive forgets a failed look-up: the next client is answered anew.
func (d *directory) forgive(key string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.misses.known, key)
}

// forgiveAll forgets all failed look-ups.
func (d *directory) forgiveAll() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.misses = misses{}
}
