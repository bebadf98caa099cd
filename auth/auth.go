package auth

import (
	"context"
	"errors"
	"hash/maphash"
	"sync"
	"sync/atomic"

	"github.com/natsauth/natsauth/claims"
)

// steps are the decision about one CONNECT, in order. Each looks at one thing
// and returns an error or nothing; none undoes what another decided. Connect, Renew,
// Explain and the judgement of live sessions take all of them, so that there is one
// answer (B1): the loop is take in
// decision.go, and the fields there are what the steps hand on. CONTRIBUTING tells
// how to add one.
var steps = [...]step{
	// who is it
	{StepProxy, proxy},
	{StepToken, token},
	{StepValidity, validity},
	{StepPinned, pinned},
	{StepPossession, possession},
	// who vouches for it
	{StepAccount, account}, // the only one that may wait
	{StepTrust, trusted},
	{StepSigner, signedByAccount},
	{StepScope, scope},
	// may it connect: the effective user
	{StepProxyRequired, proxyRequired},
	{StepBearer, bearer},
	{StepConnectionType, connectionType},
	{StepSignature, heldSignature},
	{StepRevocation, revocation},
	{StepSource, sourceAddress},
	{StepTimes, times},
	{StepExternal, external},
	// what may it do
	{StepPermissions, permissions},
	{StepLimits, limits},
	{StepConnections, connections},
}

// step is one of them.
type step struct {
	name Step
	take func(context.Context, *decision) *Error
}

// A session stands in the place of its account. What its user was given is its
// standing; the rest it has by the view of the account that is in force there. A new
// view changes both in one moment (commit.go).

// Authorizer decides who may connect and what they may do. Make one with [New];
// the zero Authorizer refuses everyone. It may be used by several goroutines.
type Authorizer struct {
	config    Config
	steps     []step                // the table above, for whoever judges live sessions: its last step leads back there
	trust     atomic.Pointer[trust] // nil for the zero Authorizer
	pool      pool
	tokens    tokens
	directory directory
	calendar  calendar
	agenda    agenda
	counters  counters
	closed    atomic.Bool
	changing  sync.Mutex // held while the trust set changes
	seed      maphash.Seed
	unwatch   context.CancelFunc
}

// New makes an Authorizer. The error says which part of the configuration is
// wrong: nobody trusted, nobody to ask for accounts, tokens and keys that are not
// what they should be, operators that contradict one another or the
// configuration (nats-server v2.15 server/jwt.go validateTrustedOperators), or a
// bound out of range. It does no I/O.
func New(c Config) (*Authorizer, error) {
	c, err := c.checked()
	if err != nil {
		return nil, err
	}
	t, err := newTrust(c.Trust, c.ServerVersion)
	if err != nil {
		return nil, err
	}
	if err := c.reaches(t); err != nil {
		return nil, err
	}
	a := &Authorizer{config: c, steps: steps[:], seed: maphash.MakeSeed()}
	a.trust.Store(t)
	a.tokens.limit = c.Bounds.CachedBytes
	a.directory.authorizer = a
	a.directory.marks.limit = c.Bounds.Marks
	a.directory.graph = graph{authorizer: a, most: c.Bounds.GraphEdges}
	a.calendar.start(a)
	watching, cancel := context.WithCancel(context.Background())
	a.unwatch = cancel
	for _, w := range c.Watch {
		go a.watch(watching, w)
	}
	return a, nil
}

// Connect decides about one client. It gives a live [Session], which the caller
// must close when the client is gone, or an [*Error] that tells why not; send the
// client its Wire text. It may wait for one look-up of the account, within ctx
// and [Bounds.LookupTime]; a ctx that ends is AccountUnavailable. Who is admitted waits
// likewise for the accounts that it imports from, where they are being looked up and
// the last time has not been in vain; when that is over nobody is refused, and the imports
// are pending. Everything before the account is free of I/O, and so is the whole of it for
// one in force whose exporters are, but for the tz database where a token that is read for
// the first time names a zone.
func (a *Authorizer) Connect(ctx context.Context, c Credentials) (*Session, error) {
	for {
		d := a.decide(c, pathConnect)
		err := d.take(ctx)
		if err == nil {
			a.tokens.add(d.text, d.user)
			a.calendar.add(d.session)
			a.counters.connected.add(d.user.key[0])
			a.seekAgain(d.account)
			a.await(ctx, d.account)
			return d.session, nil
		}
		if err == errStale {
			continue // the account has changed meanwhile: judge by the new one
		}
		a.refused("connection refused", err, c)
		return nil, err
	}
}

// Explain takes the same steps as [Authorizer.Connect] and tells each one's
// outcome. It admits nobody, and counts, caches, saves and spends nothing; it
// does ask store and resolver for an account that is not in force.
func (a *Authorizer) Explain(ctx context.Context, c Credentials) Explanation {
	d := a.decide(c, pathExplain)
	d.trace = &trace{}
	err := d.take(ctx)
	return d.explain(err)
}

// Vouch judges an account token by itself: whether it is well formed, within
// bounds, in time, not from the future, and signed by a trusted operator. It
// changes nothing. The error is an [*Error] of StepTrust.
func (a *Authorizer) Vouch(accountToken string) (*claims.Account, error) {
	if !a.open() {
		return nil, &Error{Reason: AuthorizerClosed, Step: StepTrust}
	}
	found, err := a.timelyVouch(accountToken)
	if err != nil {
		return nil, err.at(StepTrust)
	}
	return found.claims, nil
}

// Account gives an account by its public key, looking it up if it is not in
// force. The error is an [*Error].
func (a *Authorizer) Account(ctx context.Context, key string) (*Account, error) {
	if !a.open() {
		return nil, &Error{Reason: AuthorizerClosed, Step: StepAccount, Account: key}
	}
	found, err := a.account(ctx, key, a.config.Clock())
	if err != nil {
		e := err.at(StepAccount)
		e.Account = key
		return nil, e
	}
	return found, nil
}

// InForce gives the view of an account that is in force, without I/O: the last
// one that was found and not expired.
func (a *Authorizer) InForce(key string) (*Account, bool) {
	if !a.open() {
		return nil, false
	}
	found := a.directory.inForce(key)
	if found == nil || !found.usable(a.config.Clock()) {
		return nil, false
	}
	return found, true
}

// Sweep ends the sessions whose time is over now, sends Expiring events that are
// due, and does what is due about accounts: looking them up again, giving up those
// that nobody could confirm or that nobody uses. A timer does the same; tests with a clock of their own call it.
func (a *Authorizer) Sweep() {
	if a.trust.Load() != nil {
		a.calendar.sweep()
	}
}

// Close ends every session and every look-up. Afterwards everyone is refused.
// Closing again does nothing; the error is always nil.
func (a *Authorizer) Close() error {
	if a.trust.Load() == nil || a.closed.Swap(true) {
		return nil
	}
	a.unwatch()
	a.calendar.stop()
	for _, s := range a.directory.close() {
		s.end(&Error{Reason: AuthorizerClosed, Step: StepLive})
	}
	return nil
}

// open says whether there is anything to ask.
func (a *Authorizer) open() bool { return a.trust.Load() != nil && !a.closed.Load() }

// refused counts and logs one refusal.
func (a *Authorizer) refused(what string, err *Error, c Credentials) {
	a.counters.refused.Add(1)
	if log := a.config.Logger; log != nil { // the zero Authorizer has none
		log.Info(what, "error", err, "client", c.Client.ID, "source", c.Source)
	}
}

// errStale is not a refusal: the account changed between its look-up and the
// admission.
var errStale = &Error{Err: errors.New("auth: the account has changed")}
