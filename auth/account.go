package auth

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/natsauth/natsauth/claims"
)

// Account is one immutable view of an account: one token, vouched for by a
// trusted operator. A newer token makes a new Account. It may be used by several
// goroutines.
type Account struct {
	claims   *claims.Account
	operator *operator
	strict   bool // identity keys sign nothing (B13)
	system   bool
	place    *place  // nil until it is in force
	defaults *Rights // likewise; without default permissions they allow everything
}

// Revision tells one token of an account from another.
type Revision struct {
	Digest   claims.Digest `json:"digest"`
	IssuedAt int64         `json:"issued_at"` // seconds since 1970
}

// Key is the account's public key.
func (a *Account) Key() string { return a.claims.Key }

// Name is what the account's token calls it.
func (a *Account) Name() string { return a.claims.Name }

// System reports whether it is the system account.
func (a *Account) System() bool { return a.system }

// Revision tells which token this view is of.
func (a *Account) Revision() Revision {
	return Revision{Digest: a.claims.Digest, IssuedAt: a.claims.IssuedAt}
}

// Claims are the token's. They are shared: read them only.
func (a *Account) Claims() *claims.Account { return a.claims }

// Operator is the public key of the operator, or the bare trusted key, that
// vouches for the account.
func (a *Account) Operator() string { return a.operator.key }

// usable says whether now is in the time of the account's token and of its
// operator's. If it is not, another operator may have signed the account anew.
func (a *Account) usable(now time.Time) bool { return timely(a, now) == nil }

// place is where an account stands in this process: the view in force, and the
// sessions. It stays when the view changes.
type place struct {
	current atomic.Pointer[Account] // nil until the first look-up succeeded

	mu          sync.Mutex
	first, last *Session // guarded by mu; in the order in which they came
	connections int64    // guarded by mu; leaf nodes included, internal ones not
	leafNodes   int64    // guarded by mu
}

// admit checks the connection limits and adds the session in one step (B22). It
// reports true if the account has another view by now: then nothing was added.
func (p *place) admit(s *Session) (Reason, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	account := s.account.Load()
	if s.authorizer.closed.Load() {
		return AuthorizerClosed, false
	}
	if p.current.Load() != account {
		return ReasonNone, true
	}
	if reason := p.room(s.kind, s.internal, account.claims.Limits); reason != ReasonNone {
		return reason, false
	}
	p.link(s)
	return ReasonNone, false
}

// room says whether one more connection fits. Leaf nodes count as connections,
// and are themselves held to their own limit only; internal connections are
// neither held nor counted (nats-server v2.15 server/client.go
// registerWithAccount).
func (p *place) room(kind ConnectionType, internal bool, l claims.AccountLimits) Reason {
	switch {
	case internal:
		return ReasonNone
	case kind.leaf() && l.LeafNodes != claims.Unlimited && p.leafNodes >= l.LeafNodes:
		return LeafNodesExceeded
	case !kind.leaf() && l.Connections != claims.Unlimited && p.connections >= l.Connections:
		return ConnectionsExceeded
	default:
		return ReasonNone
	}
}

func (p *place) link(s *Session) {
	if s.previous = p.last; s.previous == nil {
		p.first = s
	} else {
		s.previous.next = s
	}
	p.last = s
	p.count(s, 1)
}

func (p *place) count(s *Session, n int64) {
	if s.internal {
		return
	}
	p.connections += n
	if s.kind.leaf() {
		p.leafNodes += n
	}
}

// remove takes a session out that was admitted before.
func (p *place) remove(s *Session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s.previous == nil {
		p.first = s.next
	} else {
		s.previous.next = s.next
	}
	if s.next == nil {
		p.last = s.previous
	} else {
		s.next.previous = s.previous
	}
	s.previous, s.next = nil, nil
	p.count(s, -1)
}

// sessions gives the sessions of the moment, oldest first.
func (p *place) sessions() []*Session {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []*Session
	for s := p.first; s != nil; s = s.next {
		out = append(out, s)
	}
	return out
}
