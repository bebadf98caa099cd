package auth

import (
	"context"
	"time"

	"github.com/natsauth/natsauth/claims"
)

// decision is the state of one evaluation: what the steps so far have found. It
// belongs to one goroutine.
type decision struct {
	authorizer  *Authorizer
	credentials Credentials
	trace       *trace // nil: nobody asks for the details
	now         time.Time

	proxy    string        // the proxy's key, once its signature is good
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

// take runs the steps until one refuses.
func (d *decision) take(ctx context.Context) *Error {
	a := d.authorizer
	if a.trust == nil || a.closed.Load() {
		return &Error{Reason: AuthorizerClosed}
	}
	d.now = a.config.Clock()
	for i := range steps {
		err := steps[i].take(ctx, d)
		d.trace.end(steps[i].name, err)
		if err == nil {
			continue
		}
		if err == errStale {
			return err
		}
		return d.attribute(err, steps[i].name)
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
