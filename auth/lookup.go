package auth

import (
	"context"
	"errors"
	"iter"
	"sync"
	"time"

	"github.com/natsauth/natsauth/claims"
	"github.com/natsauth/natsauth/resolver"
)

// directory knows the accounts in force, and finds those that are not. Readers
// of accounts in force take no lock.
type directory struct {
	authorizer *Authorizer
	places     sync.Map // account key -> *place
	remotes    remotes
	graph      graph
	marks      marks // of accounts that are out of force

	mu      sync.Mutex
	flights map[string]*flight // guarded by mu
	looks   int                // guarded by mu; explanations that are asking
	misses  misses             // guarded by mu
	sought  sought             // guarded by mu; exporters that wait for their look-up
	turns   turns
	closed  bool // guarded by mu
}

// flight is one look-up under way, and what everybody who waits for it gets.
type flight struct {
	before  *Account // in force when it began: what came meanwhile is not its to take away
	done    chan struct{}
	over    <-chan struct{} // its time is up, whatever the resolver does
	cancel  context.CancelFunc
	account *Account
	err     *Error
	again   bool // guarded by directory.mu; somebody wants a later answer
}

// place gives the account's place, made when it is first needed.
func (d *directory) place(key string) *place {
	if p, ok := d.places.Load(key); ok {
		return p.(*place)
	}
	d.remotes.mu.Lock() // what other nodes count is there from the beginning
	defer d.remotes.mu.Unlock()
	p, _ := d.places.LoadOrStore(key, &place{authorizer: d.authorizer, key: key, remote: d.remotes.sums[key]})
	return p.(*place)
}

// known gives the account's place, if it has one.
func (d *directory) known(key string) *place {
	if p, ok := d.places.Load(key); ok {
		return p.(*place)
	}
	return nil
}

// inForce gives the view in force, whatever the time.
func (d *directory) inForce(key string) *Account {
	if p := d.known(key); p != nil {
		return p.current.Load()
	}
	return nil
}

// all gives every place there is.
func (d *directory) all() []*place {
	var out []*place
	d.places.Range(func(_, p any) bool {
		out = append(out, p.(*place))
		return true
	})
	return out
}

// views gives every account in force.
func (d *directory) views() iter.Seq[*Account] {
	return func(yield func(*Account) bool) {
		for _, p := range d.all() {
			if view := p.current.Load(); view != nil && !yield(view) {
				return
			}
		}
	}
}

// arrived says whether an account is in force, once whoever was about to put it there
// has done so: what is remembered of the account before counts for everybody after.
func (d *directory) arrived(key string) bool {
	p := d.known(key)
	if p == nil {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.current.Load() != nil
}

// room says whether the account has room for one more connection now.
func (d *directory) room(a *Account, c Credentials) Reason {
	p := d.known(a.Key())
	if p == nil {
		p = &place{remote: d.remotes.sum(a.Key())}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.room(c.ConnectionType, c.Internal, a.claims.Limits)
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
	for _, p := range d.all() {
		out = append(out, p.sessions()...)
	}
	return out
}

// account finds the account that a user names: the view in force while its time
// and its operator's last, or what a look-up brings. Only this may wait.
func (a *Authorizer) account(ctx context.Context, key string, now time.Time) (*Account, *Error) {
	if held := a.seated(key); held != nil && held.usable(now) {
		return held, nil
	}
	f, err := a.fly(ctx, key, now, a.config.Bounds.Lookups)
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
	if held != nil && held.trust != a.trust.Load() { // it is about to be judged anew
		view, err := a.believe(held, a.trust.Load())
		if err != nil {
			return nil, err
		}
		held = view
	}
	if held != nil && held.usable(now) {
		return held, nil
	}
	if err := a.directory.begin(key, now, a.config.Bounds.Lookups); err != nil {
		return nil, err
	}
	defer a.seekNext()
	defer a.directory.end()
	ctx, cancel := context.WithTimeout(ctx, a.config.Bounds.LookupTime)
	defer cancel()
	got := a.ask(ctx, key, a.directory.inForce(key), false)
	if got.err == nil {
		got.err = a.directory.admits(held, got.account, resolver.Merge)
	}
	if got.err != nil {
		return nil, got.err
	}
	return got.account, nil
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
// the bounds, of which this caller may fill most. One account is looked up once,
// however many ask (B7).
func (a *Authorizer) fly(ctx context.Context, key string, now time.Time, most int) (*flight, *Error) {
	d := &a.directory
	d.mu.Lock()
	defer d.mu.Unlock()
	if f, ok := d.flights[key]; ok {
		a.counters.lookupsJoined.Add(1)
		return f, nil
	}
	if err := d.turnAway(key, now, most); err != nil {
		a.counters.turnedAway.Add(1)
		return nil, err
	}
	return a.launch(ctx, key), nil
}

// launch starts a look-up. It serves all who wait for it, and outlives the caller that
// began it. directory.mu is held.
func (a *Authorizer) launch(ctx context.Context, key string) *flight {
	d := &a.directory
	f := &flight{before: d.inForce(key), done: make(chan struct{})}
	lookup, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.config.Bounds.LookupTime)
	f.cancel, f.over = cancel, lookup.Done()
	if d.flights == nil {
		d.flights = make(map[string]*flight)
	}
	d.flights[key] = f
	a.counters.lookups.Add(1)
	go a.land(lookup, key, f)
	return f
}

// land ends a look-up: what it found is in force before anybody hears of it.
func (a *Authorizer) land(ctx context.Context, key string, f *flight) {
	defer f.cancel() // after close: whoever waits sees the end before the time is up
	defer close(f.done)
	got := a.ask(ctx, key, f.before, true)
	var o outcome
	if got.err == nil {
		o, got.err = a.commit(got.account, resolver.Merge, false)
	}
	f.account, f.err = o.now, got.err
	if f.err != nil && f.err.Reason != AccountNotFound && f.err.Reason != AccountUnavailable {
		a.forget(key) // a token came, and is not believed: whoever remembers it asks again
	}
	a.auditLookup(ctx, key, o, got)
	a.confirmed(ctx, key, got)
	if a.directory.arrive(key, f, a.config.Clock()) {
		defer a.refresh(key)
	}
	a.unsought(key, f.err)
}

// forget has store and resolver forget what they only remember; "" is every account.
func (a *Authorizer) forget(key string) {
	resolver.Forget(a.config.Store, key)
	resolver.Forget(a.config.Resolver, key)
}

// arrive ends a flight, and remembers until then what it did not find. It reports
// whether somebody asked for a later answer; then there is nothing to remember.
func (d *directory) arrive(key string, f *flight, now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.flights, key)
	if f.err != nil && f.err.Reason != AccountUnavailable && !f.again {
		b := &d.authorizer.config.Bounds
		d.misses.add(key, f.err, now, now.Add(b.MissTime), b.Misses)
	}
	return f.again && !d.closed
}

// mark is what the rule about rollbacks needs to know.
func mark(c *claims.Account) resolver.Mark {
	return resolver.Mark{IssuedAt: c.IssuedAt, Digest: c.Digest}
}

// admits is the rule about rollbacks (B4): whether a view may take the place of
// what is held, or, where nothing is, of what was. What was removed comes back with
// a newer token, or by a push.
func (d *directory) admits(held, next *Account, m resolver.Mode) *Error {
	was, why := resolver.Mark{}, ReasonNone
	if held != nil {
		was = mark(held.claims)
	} else {
		was, why = d.marks.get(next.Key())
	}
	have := mark(next.claims)
	back := why == AccountRemoved && m == resolver.Merge && have.IssuedAt <= was.IssuedAt
	if !back && was == have || was == (resolver.Mark{}) {
		return nil
	}
	ok, err := m.Admits(was, have)
	switch {
	case back:
		return &Error{Reason: AccountRemoved, Evidence: []Fact{{"issued", stamp(have.IssuedAt)}}}
	case !ok:
		return &Error{Reason: AccountRollback, Err: err, Evidence: []Fact{
			{"issued", stamp(have.IssuedAt)}, {"held", stamp(was.IssuedAt)},
		}}
	}
	return nil
}

// answer is what a look-up has come to.
type answer struct {
	account     *Account // with an error: the one that it is about, where one was read
	err         *Error
	before      *Account // in force when it was asked
	unconfirmed bool     // the Store's, because upstream could not be asked
}

// ask looks an account up, of which a view was in force before or not. One that nobody could
// confirm for too long comes back when upstream has it, and not before (B9).
func (a *Authorizer) ask(ctx context.Context, key string, before *Account, save bool) answer {
	got := a.find(ctx, key, before != nil, save)
	got.before = before
	if _, why := a.directory.marks.get(key); got.err == nil && got.unconfirmed && why == AccountStale {
		got.err = &Error{Reason: AccountStale}
	}
	return got
}

// find asks store and resolver in their order and gives the first account that can be
// used now. For an account that is in force, and where Mirror is set, upstream comes
// first: it may know more. save keeps what came from there.
func (a *Authorizer) find(ctx context.Context, key string, held, save bool) answer {
	store := func() (*Account, *Error) { return a.askStore(ctx, key) }
	upstream := func() (*Account, *Error) { return a.askUpstream(ctx, key, save) }
	first, second := store, upstream
	turned := a.config.Mirror || a.config.Resolver != nil && held
	if turned {
		first, second = upstream, store
	}
	found, err := first()
	if err == nil || a.config.Mirror && err.Reason != AccountUnavailable {
		return answer{account: found, err: err} // a mirror believes what upstream says, "not found" too
	}
	next, other := second()
	if other == nil || graver(err, other) == other {
		return answer{account: next, err: other, unconfirmed: turned && err.Reason == AccountUnavailable}
	}
	return answer{account: found, err: err}
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
	if err := a.directory.admits(a.directory.inForce(key), found, resolver.Merge); err != nil && err.Reason == AccountRemoved {
		return nil, err // and does not come back into the store either
	}
	return a.keepUpstream(ctx, found, token, save)
}

// keepUpstream offers the store what came from upstream, and gives what counts.
func (a *Authorizer) keepUpstream(ctx context.Context, found *Account, token string, save bool) (*Account, *Error) {
	offer := func() (bool, error) { return a.config.Store.Save(ctx, token, resolver.Merge) }
	if !save {
		offer = func() (bool, error) { return a.wouldSave(ctx, found.claims, resolver.Merge) }
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
	return found, &Error{Reason: AccountRollback, Err: failed, Evidence: []Fact{{"issued", stamp(found.claims.IssuedAt)}}}
}

// wouldSave answers as the store's Save would, for an explanation, by what the
// store holds. It cannot know what the store remembers of accounts that were
// deleted.
func (a *Authorizer) wouldSave(ctx context.Context, next *claims.Account, m resolver.Mode) (bool, error) {
	held, err := a.stored(ctx, next.Key)
	if err != nil {
		return false, err
	}
	if held == nil {
		return true, nil
	}
	return m.Admits(mark(held), mark(next))
}

// stored reads what the Store holds of an account, whoever vouches for it. Nil is
// nothing, or what cannot be read: the Store would replace it.
func (a *Authorizer) stored(ctx context.Context, key string) (*claims.Account, error) {
	token, err := a.config.Store.Resolve(ctx, key)
	switch {
	case err == nil:
	case resolver.IsNotFound(err):
		return nil, nil
	default:
		return nil, err
	}
	held, err := claims.ParseAccount(token)
	if err != nil {
		return nil, nil
	}
	return held, nil
}

// resolve asks one resolver, if there is it: none knows nothing.
func resolve(ctx context.Context, r resolver.Resolver, key string) (string, *Error) {
	if r == nil {
		return "", &Error{Reason: AccountNotFound, Err: resolver.ErrNotFound}
	}
	token, err := r.Resolve(ctx, key)
	switch {
	case err == nil:
		return token, nil
	case resolver.IsNotFound(err):
		return "", &Error{Reason: AccountNotFound, Err: err}
	default:
		return "", &Error{Reason: AccountUnavailable, Err: err}
	}
}

// check judges a token that was found for an account: it must be that account's,
// vouched for, and of this time. An account whose time is over is not an answer:
// another source may have its successor.
func (a *Authorizer) check(token, key string) (*Account, *Error) {
	found, err := a.vouch(token)
	if err != nil {
		return found, err
	}
	if found.Key() != key {
		return found, &Error{Reason: AccountMismatch, Evidence: []Fact{{"found", found.Key()}}}
	}
	return found, timely(found, a.config.Clock())
}
