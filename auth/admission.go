package auth

import (
	"context"

	"github.com/natsauth/natsauth/claims"
)

// This file holds the last steps: what the user may do, and its admission.

// permissions takes the grant's, compiled once for all who have the same, or the
// account's default permissions where the grant has none at all: they are not
// merged (nats-server v2.15 server/accounts.go buildPermissionsFromJwt).
func permissions(_ context.Context, d *decision) *Error {
	if d.compiled == nil {
		d.compiled = d.pool().grant(d.grant)
	}
	d.rights = d.compiled.rights
	if d.rights == nil {
		d.rights, d.source = d.account.defaults, fromAccount
	}
	if d.rights == nil { // an explanation, of an account that is not in force
		d.rights = newRights(d.account.claims.DefaultPermissions)
	}
	d.fact("from", d.source)
	return nil
}

// limits are the strictest of the effective user's and the account's. The step
// refuses nobody: a limit of nothing is found out when something is done.
func limits(_ context.Context, d *decision) *Error {
	d.limits = limitsOf(d.compiled, d.account)
	if d.trace != nil {
		d.fact("subscriptions", limitText(d.limits.Subscriptions))
		d.fact("payload", limitText(d.limits.Payload))
	}
	return nil
}

// connections admits the session if the account has room for it: check and add
// are one step (B22). An explanation only looks, and a session that lives has its
// place: a renewal only changes what it is given there.
func connections(_ context.Context, d *decision) *Error {
	var reason Reason
	var stale bool
	switch d.path {
	case pathReevaluate:
		return d.skip("it has its place")
	case pathExplain:
		reason = d.authorizer.directory.room(d.account, d.credentials)
	case pathRenew:
		d.keep()
		stale = d.account.place.renew(d)
	default:
		d.keep()
		d.session = newSession(d)
		reason, stale = d.account.place.admit(d.session, d.account)
	}
	if stale {
		return errStale
	}
	return exceeded(reason, d.account.claims.Limits)
}

// exceeded makes the error of whoever finds no room; nil for ReasonNone.
func exceeded(r Reason, l claims.AccountLimits) *Error {
	switch r {
	case ReasonNone:
		return nil
	case ConnectionsExceeded:
		return &Error{Reason: r, Evidence: []Fact{{"allowed", limitText(l.Connections)}}}
	case LeafNodesExceeded:
		return &Error{Reason: r, Evidence: []Fact{{"allowed", limitText(l.LeafNodes)}}}
	default:
		return &Error{Reason: r}
	}
}
