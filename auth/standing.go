package auth

import (
	"sync/atomic"

	"github.com/natsauth/natsauth/claims"
)

// standing is what one decision gave a session. It does not change: another
// decision makes another one.
type standing struct {
	user     *user
	compiled *compiled
	hours    int64 // when the times of the grant end it, in ns since 1970; 0: never
	until    int64 // its own end: of the user's token or its hours; 0: never

	next atomic.Pointer[pending]
}

// pending is what becomes of a session with one view of its account, prepared
// before that view is in force. The moment in which the view's pointer is stored
// is the moment for all sessions of the account (B6).
type pending struct {
	by       *Account
	standing *standing // nil: the view refuses the session
}

// given is what a session has at one moment: what the user was given, and the view
// of the account that goes with it.
type given struct {
	*standing
	account *Account
}

// given reads both pointers as of one moment, and reports false if the session has
// nothing any more. Readers take no lock: they read again in the rare case that a
// view came into force, or the session was given something else, in between.
func (s *Session) given() (given, bool) {
	if s.place == nil {
		return given{}, false
	}
	for {
		view := s.place.current.Load()
		st := s.standing.Load()
		n := st.next.Load()
		if s.place.current.Load() != view || s.standing.Load() != st {
			continue
		}
		if n != nil && n.by == view {
			st = n.standing
		}
		return given{st, view}, st != nil && view != nil && s.ended.Load() == nil
	}
}

// known is what the session has, or had last.
func (s *Session) known() given {
	if g, ok := s.given(); ok {
		return g
	}
	return given{s.standing.Load(), s.Account()}
}

// rights are the user's own, or the account's default permissions.
func (g given) rights() *Rights {
	if g.compiled.rights != nil {
		return g.compiled.rights
	}
	return g.account.defaults
}

func (g given) limits() Limits { return limitsOf(g.compiled, g.account) }

// end is the earliest end of the chain.
func (g given) end() deadline {
	d := g.account.end
	if g.until != 0 && (d.at == 0 || g.until < d.at) {
		return g.ownEnd()
	}
	return d
}

// ownEnd is when the user's token or its hours end it.
func (s *standing) ownEnd() deadline {
	if s.hours != 0 && s.hours == s.until {
		return deadline{s.until, byTimes}
	}
	return deadline{s.until, byUser}
}

// ownUntil is the time of ownEnd.
func ownUntil(u *claims.User, hours int64) int64 { return sooner(nanos(u.Expires), hours) }

// standing is what the decision gives. d.compiled is set.
func (d *decision) standing() standing {
	return standing{user: d.user, compiled: d.compiled, hours: d.hours, until: ownUntil(&d.user.claims, d.hours)}
}
