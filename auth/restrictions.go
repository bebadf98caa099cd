package auth

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// This file holds the restrictions: one function each, on the effective user.
// What the user is given is in d.grant, never in d.user.claims.Grant; what the
// token says of itself is in d.user.claims, what the account says in d.account: a
// field of it that a step reads has to be known to compare in reevaluate.go.
// CONTRIBUTING tells how to add one.
//
// Evidence in an Error is what somebody needs who asks why; d.fact and d.skip tell
// an explanation what was looked at, and cost nothing otherwise.

// proxyRequired wants a connection that a trusted proxy vouched for.
func proxyRequired(_ context.Context, d *decision) *Error {
	if !d.grant.ProxyRequired {
		return d.skip("no proxy is required")
	}
	if d.proxy == "" {
		return &Error{Reason: ProxyRequired}
	}
	return nil
}

// bearer refuses bearer tokens where the account does not take them, whether the
// token or the scope made the user one.
func bearer(_ context.Context, d *decision) *Error {
	if !d.grant.Bearer {
		return d.skip("no bearer")
	}
	if d.account.claims.Limits.DisallowBearer {
		return &Error{Reason: BearerDisallowed}
	}
	return nil
}

// connectionType wants the way in which the client connects to be one that the
// grant lists, if it lists any. A broker that does not say is refused.
func connectionType(_ context.Context, d *decision) *Error {
	kind := d.credentials.ConnectionType
	d.fact("type", kind.String())
	allowed := newTypes(d.grant.ConnectionTypes)
	if allowed.allow(kind) {
		return nil
	}
	return &Error{Reason: TypeDisallowed, Evidence: []Fact{
		{"type", kind.String()}, {"allowed", strings.Join(d.grant.ConnectionTypes, ",")},
	}}
}

// revocation looks for the user, by key and by "*", among what the account
// revoked (nats-server v2.15 server/accounts.go checkUserRevoked).
func revocation(_ context.Context, d *decision) *Error {
	u := &d.user.claims
	at, revoked := d.account.claims.Revoked(u.Key, u.IssuedAt)
	if !revoked {
		return nil
	}
	return &Error{Reason: UserRevoked, Evidence: []Fact{{"issued", stamp(u.IssuedAt)}, {"revoked", stamp(at)}}}
}

// sourceAddress wants the client's address in one of the grant's ranges.
func sourceAddress(_ context.Context, d *decision) *Error {
	if len(d.grant.Sources) == 0 {
		return d.skip("from anywhere")
	}
	if d.grant.Covers(d.credentials.Source) {
		return nil
	}
	return &Error{Reason: SourceDisallowed, Evidence: []Fact{
		{"source", d.credentials.Source.String()}, {"allowed", fmt.Sprint(d.grant.Sources)},
	}}
}

// times wants the hour to be one of the grant's, and notes when it ends.
func times(_ context.Context, d *decision) *Error {
	if len(d.grant.Times) == 0 {
		return d.skip("at any hour")
	}
	until, open := d.grant.OpenAt(d.now, d.authorizer.config.Location)
	if !open {
		return &Error{Reason: OutsideTimes, Evidence: []Fact{{"now", stamp(d.now.Unix())}}}
	}
	d.hours = until.UnixNano()
	return nil
}

// external refuses the users of an account that leaves the decision to an
// external service, but for those of the service itself: without the service
// nobody may decide in its place.
func external(_ context.Context, d *decision) *Error {
	service := d.account.claims.Callout.Users
	switch {
	case len(service) == 0:
		return d.skip("the account decides by its tokens")
	case slices.Contains(service, d.user.claims.Key):
		return d.skip("a user of the external service itself")
	default:
		return &Error{Reason: ExternalRequired}
	}
}
