package auth

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"

	"github.com/natsauth/natsauth/claims"
	"github.com/natsauth/natsauth/nonce"
)

// This file holds the steps that find out who the client is and who vouches for
// it. The restrictions are in restrictions.go.

// proxy checks the signature of a proxy, if there is one and proxies are trusted
// at all. Without either it decides nothing (nats-server v2.15 server/auth.go
// proxyCheck).
func proxy(_ context.Context, d *decision) *Error {
	if d.live != nil {
		return provenProxy(d)
	}
	sig, keys := d.credentials.ProxySignature, d.trust.proxies
	if sig == "" || len(keys) == 0 {
		return d.skip("no proxy signature, or no trusted proxies")
	}
	i := slices.IndexFunc(keys, func(k string) bool { return nonce.VerifyProxy(d.credentials.Nonce, k, sig) == nil })
	if i < 0 {
		return &Error{Reason: ProxyUntrusted}
	}
	d.proxy = keys[i]
	d.fact("proxy", d.proxy)
	return nil
}

// provenProxy is proxy for a live session: its proxy's signature was good, and has
// to be a trusted proxy's still.
func provenProxy(d *decision) *Error {
	key, keys := d.live.through(), d.trust.proxies
	if key == "" || len(keys) == 0 {
		return d.skip("no proxy signature, or no trusted proxies")
	}
	if !slices.Contains(keys, key) {
		return &Error{Reason: ProxyUntrusted}
	}
	d.proxy = key
	return nil
}

// token chooses the user token and reads it: an MQTT client's password if it is
// a token, else what CONNECT carries, else the sentinel. A token that cannot be
// read gives way to the next; one that can, and breaks a rule, does not
// (nats-server v2.15 server/auth.go).
func token(_ context.Context, d *decision) *Error {
	switch d.path {
	case pathRenew:
		return renewedToken(d)
	case pathReevaluate:
		return knownToken(d)
	}
	shown := [...]string{"", d.credentials.JWT, d.trust.sentinel}
	if d.credentials.ConnectionType.mqtt() {
		shown[0] = d.credentials.Password
	}
	var err *Error
	for i, text := range shown {
		if text == "" {
			continue
		}
		if i == len(shown)-1 {
			d.sentinel = true
			d.fact("sentinel", "stands in")
		}
		if err = d.read(text); err == nil || err.Reason == TokenInvalid {
			return err
		}
	}
	if err == nil {
		return &Error{Reason: TokenMissing}
	}
	return err
}

// renewedToken reads the token that a live session shows: it must be the same
// user's, in the same account (B16). Nothing stands in for it.
func renewedToken(d *decision) *Error {
	if d.credentials.JWT == "" {
		return &Error{Reason: TokenMissing}
	}
	if err := d.read(d.credentials.JWT); err != nil {
		return err
	}
	was := d.live.standing.Load().user
	if d.user.key != was.key || d.user.claims.Account() != was.claims.Account() {
		return &Error{Reason: UserMismatch, Evidence: []Fact{{"session", was.claims.Key}}}
	}
	return nil
}

// knownToken takes the token of a live session as it was read. Whoever came in by
// the sentinel needs the same sentinel still.
func knownToken(d *decision) *Error {
	if !d.live.sentinel {
		return nil
	}
	if u, err := claims.ParseUser(d.trust.sentinel); err == nil && u.Digest == d.user.claims.Digest {
		return nil
	}
	return &Error{Reason: TokenMissing}
}

// read finds a token in the cache, by its exact text, or parses it.
func (d *decision) read(text string) *Error {
	if most := d.authorizer.config.Bounds.TokenBytes; len(text) > most {
		return &Error{Reason: TokenTooLarge, Evidence: []Fact{{"bytes", fmt.Sprint(len(text))}, {"most", fmt.Sprint(most)}}}
	}
	d.text = text
	if d.user = d.authorizer.tokens.find(text, d.trace == nil); d.user == nil {
		c, err := claims.ParseUser(text)
		if err != nil {
			return &Error{Reason: tokenReason(err), Err: err}
		}
		key, err := c.PublicKey()
		if err != nil {
			return &Error{Reason: TokenInvalid, Err: err}
		}
		d.user = &user{claims: *c, key: [ed25519.PublicKeySize]byte(key)}
	}
	if d.trace != nil {
		d.fact("user", d.user.claims.Key)
		d.fact("name", fmt.Sprintf("%q", d.user.claims.Name))
		d.fact("digest", d.user.claims.Digest.String())
	}
	return nil
}

// tokenReason names what a parser found.
func tokenReason(err error) Reason {
	switch {
	case errors.Is(err, claims.ErrSize):
		return TokenTooLarge
	case errors.Is(err, claims.ErrKind):
		return TokenKind
	case errors.Is(err, claims.ErrSignature), errors.Is(err, claims.ErrIssuer):
		return TokenSignature
	case errors.Is(err, claims.ErrInvalid):
		return TokenInvalid
	default:
		return TokenMalformed
	}
}

// validity is the time of the user's token (B11).
func validity(_ context.Context, d *decision) *Error {
	w := d.user.claims.Window
	if d.trace != nil {
		d.fact("window", interval(w))
	}
	switch w.At(d.now) {
	case claims.Early:
		return &Error{Reason: UserNotYet, Evidence: []Fact{{"not_before", stamp(w.NotBefore)}}}
	case claims.Closed:
		return &Error{Reason: UserExpired, Evidence: []Fact{{"expired", stamp(w.Expires)}}}
	default:
		return nil
	}
}

// pinned refuses accounts outside the pinned set.
func pinned(_ context.Context, d *decision) *Error {
	if d.trust.pinned == nil {
		return d.skip("no account is pinned")
	}
	if !d.trust.isPinned(d.user.claims.Account()) {
		return &Error{Reason: AccountNotPinned}
	}
	return nil
}

// possession checks that the client holds the user's key, before any I/O (B7).
// A failure is held back only where a scope, which is not known yet, may make
// the user a bearer: issuer_account is set and is not iss, and the token sets no
// grant. heldSignature has the last word on it.
func possession(_ context.Context, d *decision) *Error {
	u := &d.user.claims
	if u.Grant.Bearer {
		return d.skip("a bearer needs no signature")
	}
	err := d.proof()
	if err == nil {
		d.proven = true
		return nil
	}
	refusal := &Error{Reason: signatureReason(err), Err: err}
	if scopeMayExcuse(u) {
		d.held = refusal
		return d.skip("not proven; the scope may excuse it")
	}
	return refusal
}

// proof is what is wrong with the client's proof. What a live session has proven it
// need not prove again.
func (d *decision) proof() error {
	switch {
	case d.path != pathReevaluate:
		return nonce.VerifyKey(d.credentials.Nonce, d.user.key[:], d.credentials.Signature)
	case d.live.proven:
		return nil
	default:
		return nonce.ErrNoSignature
	}
}

// scopeMayExcuse says whether a scope may still make a bearer of the user: it
// names another key than its account's for its issuer, and sets no grant.
func scopeMayExcuse(u *claims.User) bool {
	return u.IssuerAccount != "" && u.IssuerAccount != u.Issuer && u.Bare
}

// signatureReason names what package nonce found.
func signatureReason(err error) Reason {
	switch {
	case errors.Is(err, nonce.ErrNoSignature):
		return SignatureMissing
	case errors.Is(err, nonce.ErrNonce):
		return NonceMissing
	case errors.Is(err, nonce.ErrEncoding):
		return SignatureMalformed
	default:
		return SignatureWrong
	}
}

// heldSignature refuses the client that proved nothing, now that it is known
// whether the scope makes its user a bearer.
func heldSignature(_ context.Context, d *decision) *Error {
	switch {
	case d.held == nil:
		return d.skip("nothing was held back")
	case d.grant.Bearer:
		return d.skip("the scope makes the user a bearer")
	default:
		return d.held
	}
}

// account finds the account that the user names: issuer_account, or else iss.
// An explanation looks, and leaves nothing behind.
func account(ctx context.Context, d *decision) *Error {
	key, a := d.user.claims.Account(), d.authorizer
	var err *Error
	switch d.path {
	case pathReevaluate: // d.account is what it is judged by
		d.distrust = d.outlived()
	case pathExplain:
		d.account, err = a.look(ctx, key, d.now)
	default:
		d.account, err = a.account(ctx, key, d.now)
		if err == nil && d.account.trust != d.trust {
			return errStale // what was judged by the trust set of before
		}
	}
	switch {
	case err != nil && err.Reason.distrusts():
		d.distrust = err
		return nil
	case err != nil:
		return err
	case d.trace != nil:
		d.fact("account", key)
		d.fact("name", fmt.Sprintf("%q", d.account.Name()))
		d.fact("digest", d.account.claims.Digest.String())
	}
	return nil
}

// outlived is why the account of a live session may not be believed any more. The end
// of an operator's token ends no session but by the switch (B12).
func (d *decision) outlived() *Error {
	err := timely(d.account, d.now)
	if err == nil || d.authorizer.config.OperatorExpiryCloses {
		return err
	}
	if err.Reason == OperatorExpired || err.Reason == OperatorNotYet {
		return d.account.untimely(d.now)
	}
	return err
}

// trusted wants a trusted operator to vouch for the account, both of them at
// this time. The judgement is that of vouch and timely in belief.go, on what is
// in force and on what was found alike.
func trusted(_ context.Context, d *decision) *Error {
	if d.distrust != nil {
		return d.distrust
	}
	if d.path == pathConnect || d.path == pathRenew {
		d.account.trust.signers[d.account.claims.Issuer].use.note(d.now)
	}
	d.fact("operator", d.account.operator.key)
	d.fact("signed_by", d.account.claims.Issuer)
	return nil
}

// signedByAccount wants the key that signed the user to be one of the account's.
func signedByAccount(_ context.Context, d *decision) *Error {
	issuer := d.user.claims.Issuer
	d.fact("issuer", issuer)
	if _, ok := d.account.claims.Signer(issuer, d.account.strict); ok {
		return nil
	}
	if issuer == d.account.Key() {
		return &Error{Reason: SignerIdentity}
	}
	return &Error{Reason: SignerUnknown}
}

// scope makes the effective user: the token's own grant, or, for a scoped
// signing key, the scope's template filled in. Every restriction after this is
// checked on the effective user only (B1).
func scope(_ context.Context, d *decision) *Error {
	u := d.user
	s, _ := d.account.claims.Signer(u.claims.Issuer, d.account.strict)
	if s == nil {
		d.grant, d.compiled, d.source = u.claims.Grant, u.compiled, fromToken
		return d.skip("the signing key has no scope")
	}
	d.scope, d.source = s, fromScope
	d.fact("role", s.Role)
	if !u.claims.Bare {
		return &Error{Reason: ScopeConflict}
	}
	if known := u.scoped.Load(); d.trace == nil && known.by(d.account) {
		d.grant, d.compiled = &known.compiled.Grant, known.compiled
		return nil
	}
	return d.expand(s)
}

// expand fills in the template. An explanation is told what was dropped.
func (d *decision) expand(s *claims.Scope) *Error {
	c := d.authorizer.config
	o := claims.ExpandOptions{AllowDotted: c.AllowDottedTemplateValues, Limit: c.Bounds.Expansions}
	if d.trace != nil {
		o.Dropped = d.trace.drop
	}
	p, err := claims.Expand(s.Template, &d.user.claims, d.account.claims, o)
	if err != nil {
		reason := ScopeTemplate
		if t := (*claims.TemplateError)(nil); errors.As(err, &t) && t.Problem == claims.TemplateValue {
			reason = ScopeValue
		}
		return &Error{Reason: reason, Err: err}
	}
	g := s.Template.Grant
	g.Permissions = p
	d.grant = &g
	return nil
}
