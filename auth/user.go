package auth

import (
	"crypto/ed25519"
	"slices"
	"sync/atomic"

	"github.com/natsauth/natsauth/claims"
)

// user is a user token that was read. It is shared by the cache and by the
// sessions of the token, and kept by the hundred thousand.
type user struct {
	claims   claims.User
	key      [ed25519.PublicKeySize]byte
	kept     bool                        // small has been here: fit to be shared
	compiled *compiled                   // its own grant, compiled; nil for users of a scope
	scoped   atomic.Pointer[scopedGrant] // what its scope gave it last
}

// scopedGrant is a template filled in for one user by one token of its account.
// It names the token and does not hold the account: a user in the cache keeps no
// view alive.
type scopedGrant struct {
	account  claims.Digest
	operator *operator // under strict signing keys another operator makes another scope
	compiled *compiled
}

// by says whether the grant is of this account's token.
func (s *scopedGrant) by(a *Account) bool {
	return s != nil && s.account == a.claims.Digest && s.operator == a.operator
}

// keep makes the user of the decision fit to be kept, by its session and by the
// cache, and notes what its scope gave it.
func (d *decision) keep() {
	if !d.user.kept {
		d.user = d.user.small(d)
	}
	if d.scope == nil {
		return
	}
	if !d.user.scoped.Load().by(d.account) {
		d.user.scoped.Store(&scopedGrant{account: d.account.claims.Digest, operator: d.account.operator, compiled: d.compiled})
	}
}

// small is the user without what nobody asks for again, and with everything that
// others have as well shared with them: keys of the account, and the grant.
func (u *user) small(d *decision) *user {
	c := u.claims
	c.ID, c.Audience = "", ""
	c.Tags = slices.Clip(c.Tags)
	c.Issuer = d.account.spelling(c.Issuer)
	if c.IssuerAccount != "" {
		c.IssuerAccount = d.account.Key()
	}
	out := &user{claims: c, key: u.key, kept: true}
	if d.scope == nil {
		out.compiled = d.compiled
		out.claims.Grant = &d.compiled.Grant
	} else {
		out.claims.Grant = &noGrant
	}
	return out
}

// noGrant is what users of a scope have of their own. It is only read.
var noGrant claims.Grant

// spelling gives the account's own copy of a key that signs for it, so that its
// users do not keep one each.
func (a *Account) spelling(key string) string {
	if key == a.Key() {
		return a.Key()
	}
	for k := range a.claims.SigningKeys {
		if k == key {
			return k
		}
	}
	return key
}
