package auth

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/natsauth/natsauth/claims"
	"github.com/natsauth/natsauth/resolver"
)

// directory knows the accounts in force, and finds those that are not. Readers
// of accounts in force take no lock.
type directory struct {
	places sync.Map // account key -> *place

	mu      sync.Mutex
	flights map[string]*flight // guarded by mu
	looks   int                // guarded by mu; explanations that are asking
	misses  misses             // guarded by mu
	closed  bool               // guarded by mu
}

// flight is one look-up under way, and what everybody who waits for it gets.
type flight struct {
	done    chan struct{}
	over    <-chan struct{} // its time is up, whatever the resolver does
	cancel  context.CancelFunc
	account *Account
	err     *Error
}

// place gives the account's place, made when it is first needed.
func (d *directory) place(key string) *place {
	if p, ok := d.places.Load(key); ok {
		return p.(*place)
	}
	p, _ := d.places.LoadOrStore(key, &place{})
	return p.(*place)
}

// inForce gives the view in force, whatever the time.
func (d *directory) inForce(key string) *Account {
	if p, ok := d.places.Load(key); ok {
		return p.(*place).current.Load()
	}
	return nil
}

// room says whether the account has room for one more connection now.
func (d *directory) room(a *Account, c Credentials) Reason {
	p, ok := d.places.Load(a.Key())
	if !ok {
		p = &place{}
	}
	there := p.(*place)
	there.mu.Lock()
	defer there.mu.Unlock()
	return there.room(c.ConnectionType, c.Internal, a.claims.Limits)
}

// close ends the look-ups under way and gives the sessions to be ended.
func (d *directory) close() []*Session {
	d.mu.Lock()
	d.closed = true
	for _, f := range d.flights {
		f.cancel()
	}
	d.mu.Unlock()
	var out []*Session
	d.places.Range(func(_, p any) bool {
		out = append(out, p.(*place).sessions()...)
		return true
	})
	return out
}

// account finds the account that a user names: the view in force while its time
// and its operator's last, or what a look-up brings. Only this may wait.
func (a *Authorizer) account(ctx context.Context, key string, now time.Time) (*Account, *Error) {
	if held := a.directory.inForce(key); held != nil && held.usable(now) {
		return held, nil
	}
	f, err := a.fly(ctx, key, now)
	if err != nil {
		return nil, err
	}
	return f.wait(ctx)
}

// wait gives what the look-up brings, while the caller waits and its time lasts: a
// resolver that does not look at its context keeps its place, and nobody waiting.
func (f *flight) wait(ctx context.Context) (*Account, *Error) {
	select {
	case <-f.done:
	case <-ctx.Done():
		return nil, &Error{Reason: AccountUnavailable, Err: ctx.Err()}
	case <-f.over: // by the end of the look-up, too: then done comes first
	}
	select {
	case <-f.done:
		return f.account, f.err
	default:
		return nil, &Error{Reason: AccountUnavailable, Err: context.DeadlineExceeded}
	}
}

// look is account for an explanation: it asks, within the same bounds, and leaves
// nothing behind.
func (a *Authorizer) look(ctx context.Context, key string, now time.Time) (*Account, *Error) {
	held := a.directory.inForce(key)
	if held != nil && held.usable(now) {
		return held, nil
	}
	if err := a.directory.begin(key, now, a.config.Bounds.Lookups); err != nil {
		return nil, err
	}
	defer a.directory.end()
	ctx, cancel := context.WithTimeout(ctx, a.config.Bounds.LookupTime)
	defer cancel()
	found, err := a.find(ctx, key, false)
	if err != nil || held == nil || held.claims.Digest == found.claims.Digest {
		return found, err
	}
	if err := found.rollback(held); err != nil {
		return nil, err
	}
	return found, nil
}

// begin makes room for an explanation to ask, or says why there is none. One of
// an account that is being looked up anyway needs none.
func (d *directory) begin(key string, now time.Time, most int) *Error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, joined := d.flights[key]; !joined {
		if err := d.turnAway(key, now, most); err != nil {
			return err
		}
	}
	d.looks++
	return nil
}

// end frees the room of an explanation.
func (d *directory) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.looks--
}

// turnAway is why no further look-up may begin: it would bring what one has just
// brought, or there are too many. d.mu is held.
func (d *directory) turnAway(key string, now time.Time, most int) *Error {
	if d.closed {
		return &Error{Reason: AuthorizerClosed}
	}
	if err := d.misses.find(key, now); err != nil {
		return err
	}
	if len(d.flights)+d.looks >= most {
		return &Error{Reason: AccountBusy}
	}
	return nil
}

// fly joins the look-up that is under way for the account, or starts one within
// the bounds. One account is looked up once, however many ask (B7).
func (a *Authorizer) fly(ctx context.Context, key string, now time.Time) (*flight, *Error) {
	d := &a.directory
	d.mu.Lock()
	defer d.mu.Unlock()
	if f, ok := d.flights[key]; ok {
		a.counters.lookupsJoined.Add(1)
		return f, nil
	}
	if err := d.turnAway(key, now, a.config.Bounds.Lookups); err != nil {
		a.counters.turnedAway.Add(1)
		return nil, err
	}
	f := &flight{done: make(chan struct{})}
	// The look-up serves all who wait for it: it outlives the caller that began it.
	lookup, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.config.Bounds.LookupTime)
	f.cancel, f.over = cancel, lookup.Done()
	if d.flights == nil {
		d.flights = make(map[string]*flight)
	}
	d.flights[key] = f
	a.counters.lookups.Add(1)
	go a.land(lookup, key, f)
	return f, nil
}

// land ends a look-up: what it found is in force before anybody hears of it.
func (a *Authorizer) land(ctx context.Context, key string, f *flight) {
	defer f.cancel() // after close: whoever waits sees the end before the time is up
	defer close(f.done)
	found, err := a.find(ctx, key, true)
	if err == nil {
		f.account, err = a.install(found)
	}
	f.err = err
	d := &a.directory
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.flights, key)
	if err != nil && err.Reason != AccountUnavailable {
		d.misses.add(key, err, a.config.Clock().Add(a.config.Bounds.MissTime), a.config.Bounds.Misses)
	}
}

// install puts a view in force, unless a newer one is there already (B4).
func (a *Authorizer) install(found *Account) (*Account, *Error) {
	p := a.directory.place(found.Key())
	p.mu.Lock()
	defer p.mu.Unlock()
	held := p.current.Load()
	switch {
	case held == nil:
	case held.claims.Digest == found.claims.Digest:
		return held, nil // one content has one issuer, and so one operator of this trust set
	default:
		if err := found.rollback(held); err != nil {
			return nil, err
		}
	}
	found.place, found.defaults = p, a.pool.right(found.claims.DefaultPermissions)
	p.current.Store(found)
	return found, nil
}

// mark is what the rule about rollbacks needs to know.
func mark(c *claims.Account) resolver.Mark {
	return resolver.Mark{IssuedAt: c.IssuedAt, Digest: c.Digest}
}

// rollback is the error for an account that may not take the place of what is
// held (B4); nil if it may.
func (a *Account) rollback(held *Account) *Error {
	if ok, _ := resolver.Merge.Admits(mark(held.claims), mark(a.claims)); ok {
		return nil
	}
	return &Error{Reason: AccountRollback, Evidence: []Fact{
		{"issued", stamp(a.claims.IssuedAt)}, {"held", stamp(held.claims.IssuedAt)},
	}}
}

// find asks store and resolver in their order and gives the first account that
// can be used now. save keeps what came from upstream.
func (a *Authorizer) find(ctx context.Context, key string, save bool) (*Account, *Error) {
	store := func() (*Account, *Error) { return a.askStore(ctx, key) }
	first, second := store, func() (*Account, *Error) { return a.askUpstream(ctx, key, save) }
	if a.config.Mirror {
		first, second = second, first
	}
	found, err := first()
	if err == nil || a.config.Mirror && err.Reason != AccountUnavailable {
		return found, err // a mirror believes what upstream says, "not found" too
	}
	found, other := second()
	if other == nil {
		return found, nil
	}
	return nil, graver(err, other)
}

// graver gives the error that tells more: a rollback before a token that is wrong
// in another way, that before an outage, an outage before "not found", which it
// never becomes.
func graver(a, b *Error) *Error {
	gravity := func(e *Error) int {
		switch e.Reason {
		case AccountNotFound:
			return 0
		case AccountUnavailable:
			return 1
		case AccountRollback:
			return 3
		default:
			return 2
		}
	}
	if gravity(b) > gravity(a) {
		return b
	}
	return a
}

// askStore verifies what the store has.
func (a *Authorizer) askStore(ctx context.Context, key string) (*Account, *Error) {
	token, err := resolve(ctx, a.config.Store, key)
	if err != nil {
		return nil, err
	}
	return a.check(token, key)
}

// askUpstream verifies, then saves what came (B5). Where the store keeps its own
// token, newer or, by B4, the one that counts of two that are equally old, that
// is the answer. A store that cannot write does not keep clients out.
func (a *Authorizer) askUpstream(ctx context.Context, key string, save bool) (*Account, *Error) {
	token, err := resolve(ctx, a.config.Resolver, key)
	if err != nil {
		return nil, err
	}
	found, err := a.check(token, key)
	if err != nil || a.config.Store == nil {
		return found, err
	}
	return a.keepUpstream(ctx, found, token, save)
}

// keepUpstream offers the store what came from upstream, and gives what counts.
func (a *Authorizer) keepUpstream(ctx context.Context, found *Account, token string, save bool) (*Account, *Error) {
	offer := func() (bool, error) { return a.config.Store.Save(ctx, token, resolver.Merge) }
	if !save {
		offer = func() (bool, error) { return a.wouldSave(ctx, found.claims) }
	}
	changed, failed := offer()
	if changed {
		return found, nil
	}
	if failed != nil && !errors.Is(failed, resolver.ErrRollback) {
		if save {
			a.config.Logger.Warn("account token was not saved", "account", found.Key(), "cause", failed)
		}
		return found, nil
	}
	switch kept, err := a.askStore(ctx, found.Key()); {
	case err == nil:
		return kept, nil
	case failed == nil && err.Reason == AccountUnavailable:
		return found, nil // it could be saved and not be read again: nothing speaks against it
	}
	return nil, &Error{Reason: AccountRollback, Err: failed, Evidence: []Fact{{"issued", stamp(found.claims.IssuedAt)}}}
}

// wouldSave answers as the store's Save would, for an explanation, by what the
// store holds. It cannot know what the store remembers of accounts that were
// deleted.
func (a *Authorizer) wouldSave(ctx context.Context, next *claims.Account) (bool, error) {
	text, err := a.config.Store.Resolve(ctx, next.Key)
	if errors.Is(err, resolver.ErrNotFound) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	held, err := claims.ParseAccount(text)
	if err != nil {
		return true, nil // the store would replace what it cannot read
	}
	return resolver.Merge.Admits(mark(held), mark(next))
}

// resolve asks one resolver, if there is it: none knows nothing.
func resolve(ctx context.Context, r resolver.Resolver, key string) (string, *Error) {
	if r == nil {
		return "", &Error{Reason: AccountNotFound}
	}
	token, err := r.Resolve(ctx, key)
	switch {
	case errors.Is(err, resolver.ErrNotFound):
		return "", &Error{Reason: AccountNotFound, Err: err}
	case err != nil:
		return "", &Error{Reason: AccountUnavailable, Err: err}
	default:
		return token, nil
	}
}

// check judges a token that was found for an account: it must be that account's,
// vouched for, and of this time. An account whose time is over is not an answer:
// another source may have its successor.
func (a *Authorizer) check(token, key string) (*Account, *Error) {
	now := a.config.Clock()
	found, err := a.vouch(token, now)
	if err != nil {
		return nil, err
	}
	if found.Key() != key {
		return nil, &Error{Reason: AccountMismatch, Evidence: []Fact{{"found", found.Key()}}}
	}
	if err := timely(found, now); err != nil {
		return nil, err
	}
	return found, nil
}

// vouch judges an account token by itself: its size, its content, our bounds,
// its issue time, and whether a trusted key signed it.
func (a *Authorizer) vouch(token string, now time.Time) (*Account, *Error) {
	if len(token) > a.config.Bounds.TokenBytes {
		return nil, &Error{Reason: AccountInvalid, Err: fmt.Errorf("auth: %d bytes are over Bounds.TokenBytes", len(token))}
	}
	c, err := claims.ParseAccount(token)
	if err != nil {
		return nil, &Error{Reason: AccountInvalid, Err: err}
	}
	if err := a.config.Bounds.account(c); err != nil {
		return nil, &Error{Reason: AccountInvalid, Err: err}
	}
	if c.IssuedAt > now.Add(a.config.MaxSkew).Unix() {
		return nil, &Error{Reason: AccountAhead, Evidence: []Fact{{"issued", stamp(c.IssuedAt)}}}
	}
	s, ok := a.trust.signers[c.Issuer]
	if !ok {
		return nil, &Error{Reason: AccountUntrusted, Evidence: []Fact{{"signed_by", c.Issuer}}}
	}
	return &Account{
		claims: c, operator: s.operator, strict: s.strict,
		system: c.Key == a.trust.system,
	}, nil
}

// account holds what an account has many of to the bounds.
func (b Bounds) account(c *claims.Account) error {
	if n := len(c.Imports); n > b.Imports {
		return fmt.Errorf("auth: %d imports are over Bounds.Imports", n)
	}
	if n := len(c.Exports); n > b.Exports {
		return fmt.Errorf("auth: %d exports are over Bounds.Exports", n)
	}
	return nil
}

// timely is the rule about the time of account and operator (B11, B12).
func timely(a *Account, now time.Time) *Error {
	for _, w := range []struct {
		window        claims.Window
		early, closed Reason
	}{
		{a.operator.window(), OperatorNotYet, OperatorExpired},
		{a.claims.Window, AccountNotYet, AccountExpired},
	} {
		switch w.window.At(now) {
		case claims.Early:
			return &Error{Reason: w.early, Evidence: []Fact{{"not_before", stamp(w.window.NotBefore)}}}
		case claims.Closed:
			return &Error{Reason: w.closed, Evidence: []Fact{{"expired", stamp(w.window.Expires)}}}
		}
	}
	return nil
}

// misses remembers look-ups that brought nothing, for a short time and up to a
// bound: the oldest goes first.
type misses struct {
	known map[string]miss
	order []string // as they came; may name what is gone
}

type miss struct {
	until time.Time
	err   *Error
}

func (m *misses) find(key string, now time.Time) *Error {
	known, ok := m.known[key]
	if !ok {
		return nil
	}
	if !now.Before(known.until) {
		delete(m.known, key)
		return nil
	}
	return known.err
}

func (m *misses) add(key string, err *Error, until time.Time, most int) {
	if m.known == nil {
		m.known = make(map[string]miss)
	}
	for len(m.order) >= most {
		delete(m.known, m.order[0])
		m.order = m.order[1:]
	}
	if _, ok := m.known[key]; !ok {
		m.order = append(m.order, key)
	}
	m.known[key] = miss{until: until, err: err}
}
