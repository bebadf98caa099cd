package auth

import (
	"context"
	"time"

	"github.com/natsauth/natsauth/claims"
)

// path is on what occasion a decision is made. The steps are the same.
type path uint8

const (
	pathConnect    path = iota
	pathExplain         // look, and tell everything
	pathRenew           // a live session shows a new token
	pathReevaluate      // the account of a live session has changed, or the trust in it
)

// decision is the state of one evaluation: what the steps so far have found. It
// belongs to one goroutine.
type decision struct {
	authorizer  *Authorizer
	trust       *trust // of the moment in which it began
	path        path
	live        *Session // that is judged again; nil for connect and explain
	credentials Credentials
	trace       *trace // nil: nobody asks for the details
	now         time.Time

	proxy    string        // the proxy's key, once its signature is good
	proven   bool          // the client holds the user's key
	sentinel bool          // the client showed no token that counts
	text     string        // the token that was chosen
	user     *user         // as it stands in the token
	held     *Error        // a failed proof of possession that a scope may still excuse
	account  *Account      // that the user names
	distrust *Error        // why the account that was found may not be believed
	scope    *claims.Scope // of the key that signed the user, or nil
	grant    *claims.Grant // the effective user's
	compiled *compiled     // the same, made ready and shared; set early where it is known from before
	source   string        // where the permissions come from
	hours    int64         // when the times of the grant end the session, in ns since 1970; 0: never
	rights   *Rights
	limits   Limits
	session  *Session
}

// Where permissions come from.
const (
	fromToken   = "token"
	fromScope   = "scope"
	fromAccount = "account defaults"
)

// decide makes a decision that has not begun.
func (a *Authorizer) decide(c Credentials, p path) *decision {
	d := &decision{authorizer: a, trust: a.trust.Load(), path: p, credentials: c}
	if d.trust != nil {
		d.now = a.config.Clock()
	}
	return d
}

// take runs the steps until one refuses.
func (d *decision) take(ctx context.Context) *Error {
	if d.trust == nil || d.authorizer.closed.Load() {
		return &Error{Reason: AuthorizerClosed}
	}
	for _, step := range d.authorizer.steps {
		err := step.take(ctx, d)
		d.trace.end(step.name, err)
		if err == nil {
			continue
		}
		if err == errStale {
			return err
		}
		return d.attribute(err, step.name)
	}
	return nil
}

// attribute writes in who was refused and where.
func (d *decision) attribute(err *Error, step Step) *Error {
	e := err.at(step)
	if d.user != nil {
		e.User, e.Account, e.Issuer = d.user.claims.Key, d.user.claims.Account(), d.user.claims.Issuer
	}
	return e
}

// pool is where equal permissions become one; an explanation has one of its own.
func (d *decision) pool() *pool {
	if d.trace != nil {
		return &pool{}
	}
	return &d.authorizer.pool
}

// fact notes what a step looked at, if anybody asks.
func (d *decision) fact(name, value string) {
	if d.trace != nil {
		d.trace.facts = append(d.trace.facts, Fact{name, line(value)})
	}
}

// skip notes that a step has nothing to look at.
func (d *decision) skip(why string) *Error {
	if d.trace != nil {
		d.trace.skipped = why
	}
	return nil
}
