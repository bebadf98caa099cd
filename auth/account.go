package auth

import (
	"time"

	"github.com/natsauth/natsauth/claims"
)

// Account is one view of an account: one token, vouched for by a trusted operator, and where
// its imports stand. A newer token makes a new Account, and so does a change of an import. It
// does not change, but that a route which an exporter has taken back since leads nowhere. It
// may be used by several goroutines.
type Account struct {
	claims   *claims.Account
	operator *operator
	strict   bool // identity keys sign nothing (B13)
	system   bool
	mappings *mappings // nil: none
	exports  *exports
	names    *names   // of what it imports; nil: nothing
	trust    *trust   // by which it was judged
	end      deadline // of its own token, and of the operator's where that closes

	// Until it is in force it has none of these.
	place    *place
	defaults *Rights   // without default permissions they allow everything
	serial   uint64    // grows with every view of any account
	links    []*link   // its imports, in the order of its token
	imports  []*permit // what each of them may use
	lacks    bool      // one of them waits for its exporter
}

// Revision tells one token of an account from another.
type Revision struct {
	Digest   claims.Digest `json:"digest"`
	IssuedAt int64         `json:"issued_at"` // seconds since 1970
}

// Key is the account's public key.
func (a *Account) Key() string { return a.read().Key }

// Name is what the account's token calls it.
func (a *Account) Name() string { return a.read().Name }

// System reports whether it is the system account.
func (a *Account) System() bool { return a.system }

// Revision tells which token this view is of.
func (a *Account) Revision() Revision {
	return Revision{Digest: a.read().Digest, IssuedAt: a.read().IssuedAt}
}

// read gives the claims; the zero Account says nothing.
func (a *Account) read() *claims.Account {
	if a.claims == nil {
		return &claims.Account{}
	}
	return a.claims
}

// Claims are the token's, nil for the zero Account. They are shared: read them only.
func (a *Account) Claims() *claims.Account { return a.claims }

// Operator is the public key of the operator, or the bare trusted key, that
// vouches for the account.
func (a *Account) Operator() string {
	if a.operator == nil {
		return ""
	}
	return a.operator.key
}

// usable says whether now is in the time of the account's token and of its
// operator's. If it is not, another operator may have signed the account anew.
func (a *Account) usable(now time.Time) bool { return timely(a, now) == nil }
