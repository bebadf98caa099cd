package auth

import (
	"fmt"
	"time"

	"github.com/natsauth/natsauth/claims"
)

// This file says whether an account's token may be believed: by itself, by the trust
// set, and by the time.

// vouch judges an account token by itself: its size, its content, our bounds, its
// issue time, and whether a trusted key signed it. An account that nobody trusts
// comes with the error, for those who say which it is.
func (a *Authorizer) vouch(token string) (*Account, *Error) {
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
	m, err := newMappings(c.Mappings, a.config.Cluster, a.config.Rand)
	if err != nil {
		return nil, &Error{Reason: AccountInvalid, Err: err}
	}
	return a.believe(&Account{claims: c, mappings: m, names: newNames(c.Imports)}, a.trust.Load())
}

// believe makes the view of an account by a trust set, which has to know the key that
// signed it, of one that was read.
func (a *Authorizer) believe(read *Account, t *trust) (*Account, *Error) {
	now, c := a.config.Clock(), read.claims
	s, ok := t.signers[c.Issuer]
	view := &Account{
		claims: c, mappings: read.mappings, names: read.names, exports: read.exports, defaults: read.defaults,
		operator: s.operator, strict: s.strict, system: c.Key == t.system, trust: t,
	}
	if view.exports == nil || view.exports.system != view.system {
		view.exports = &exports{claims: c, system: view.system}
	}
	switch {
	case c.IssuedAt > now.Add(a.config.MaxSkew).Unix():
		return view, &Error{Reason: AccountAhead, Evidence: []Fact{{"issued", stamp(c.IssuedAt)}}}
	case !ok:
		return view, &Error{Reason: AccountUntrusted, Evidence: []Fact{{"signed_by", c.Issuer}}}
	}
	view.end.earlier(nanos(c.Expires), byAccount)
	if a.config.OperatorExpiryCloses {
		view.end.earlier(nanos(s.operator.window().Expires), byOperator)
	}
	return view, nil
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

// ended says whether the time of the account is over, as its sessions see it.
func (a *Account) ended(now int64) bool { return a.end.at != 0 && a.end.at <= now }

// timely is the rule about the time of account and operator (B11, B12).
func timely(a *Account, now time.Time) *Error {
	if err := within(a.operator.window(), now, OperatorNotYet, OperatorExpired); err != nil {
		return err
	}
	return a.untimely(now)
}

// untimely is what is wrong with the time of the account's own token.
func (a *Account) untimely(now time.Time) *Error {
	return within(a.claims.Window, now, AccountNotYet, AccountExpired)
}

func within(w claims.Window, now time.Time, early, closed Reason) *Error {
	switch w.At(now) {
	case claims.Early:
		return &Error{Reason: early, Evidence: []Fact{{"not_before", stamp(w.NotBefore)}}}
	case claims.Closed:
		return &Error{Reason: closed, Evidence: []Fact{{"expired", stamp(w.Expires)}}}
	default:
		return nil
	}
}
