package auth

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/natsauth/natsauth/claims"
)

// steps are the decision about one CONNECT, in order. Each looks at one thing
// and returns an error or nothing; none undoes what another decided. Connect and
// Explain take all of them, so that there is one answer (B1): the loop is take in
// decision.go, and the fields there are what the steps hand on. CONTRIBUTING tells
// how to add one.
var steps = [...]struct {
	name Step
	take func(context.Context, *decision) *Error
}{
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

// Authorizer decides who may connect and what they may do. Make one with [New];
// the zero Authorizer refuses everyone. It may be used by several goroutines.
type Authorizer struct {
	config    Config
	trust     *trust
	pool      pool
	tokens    tokens
	directory directory
	calendar  calendar
	counters  counters
	closed    atomic.Bool
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
	if t.system == "" && (systemBound(c.Store) || systemBound(c.Resolver)) {
		return nil, errors.New("auth: the store or the resolver works through the system account, and none is named")
	}
	a := &Authorizer{config: c, trust: t}
	a.tokens.limit = c.Bounds.CachedBytes
	a.calendar.start(a)
	return a, nil
}

// Connect decides about one client. It gives a live [Session], which the caller
// must close when the client is gone, or an [*Error] that tells why not; send the
// client its Wire text. It may wait for one look-up of the account, within ctx
// and [Bounds.LookupTime]; a ctx that ends is AccountUnavailable. Everything before
// that step is free of I/O, and so is the whole of it for an account in force, but
// for the tz database where a token that is read for the first time names a zone.
func (a *Authorizer) Connect(ctx context.Context, c Credentials) (*Session, error) {
	for {
		d := &decision{authorizer: a, credentials: c}
		err := d.take(ctx)
		if err == nil {
			s := d.session
			a.tokens.add(d.text, s.user)
			a.calendar.add(s)
			a.counters.connected.add(s.user.key[0])
			return s, nil
		}
		if err == errStale {
			continue // the account has changed meanwhile: judge by the new one
		}
		a.refused(err, c)
		return nil, err
	}
}

// Explain takes the same steps as [Authorizer.Connect] and tells each one's
// outcome. It admits nobody, and counts, caches, saves and spends nothing; it
// does ask store and resolver for an account that is not in force.
func (a *Authorizer) Explain(ctx context.Context, c Credentials) Explanation {
	d := &decision{authorizer: a, credentials: c, trace: &trace{}}
	err := d.take(ctx)
	return d.explain(err)
}

// Vouch judges an account token by itself: whether it is well formed, within
// bounds, in time, not from the future, and signed by a trusted operator. It
// changes nothing. The error is an [*Error] of StepTrust.
func (a *Authorizer) Vouch(accountToken string) (*claims.Account, error) {
	if a.trust == nil || a.closed.Load() {
		return nil, &Error{Reason: AuthorizerClosed, Step: StepTrust}
	}
	now := a.config.Clock()
	found, err := a.vouch(accountToken, now)
	if err == nil {
		err = timely(found, now)
	}
	if err != nil {
		return nil, err.at(StepTrust)
	}
	return found.claims, nil
}

// Account gives an account by its public key, looking it up if it is not in
// force. The error is an [*Error].
func (a *Authorizer) Account(ctx context.Context, key string) (*Account, error) {
	if a.trust == nil || a.closed.Load() {
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
	if a.trust == nil {
		return nil, false
	}
	found := a.directory.inForce(key)
	if found == nil || !found.usable(a.config.Clock()) {
		return nil, false
	}
	return found, true
}

// Sweep ends the sessions whose time is over now, and sends Expiring events that
// are due. A timer does the same; tests with a clock of their own call it.
func (a *Authorizer) Sweep() {
	if a.trust != nil {
		a.calendar.sweep()
	}
}

// Close ends every session and every look-up. Afterwards everyone is refused.
// Closing again does nothing; the error is always nil.
func (a *Authorizer) Close() error {
	if a.trust == nil || a.closed.Swap(true) {
		return nil
	}
	a.calendar.stop()
	for _, s := range a.directory.close() {
		s.end(&Error{Reason: AuthorizerClosed, Step: StepLive})
	}
	return nil
}

// refused counts and logs one refusal.
func (a *Authorizer) refused(err *Error, c Credentials) {
	a.counters.refused.Add(1)
	if log := a.config.Logger; log != nil { // the zero Authorizer has none
		log.Info("connection refused", "error", err, "client", c.Client.ID, "source", c.Source)
	}
}

// errStale is not a refusal: the account changed between its look-up and the
// admission.
var errStale = &Error{Err: errors.New("auth: the account has changed")}
