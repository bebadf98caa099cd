package auth

import (
	"iter"
	"slices"

	"github.com/natsauth/natsauth/nonce"
)

// Filter picks live sessions. What is empty picks all: the zero Filter is everyone.
type Filter struct {
	Account string // its public key
	User    string // the user's public key
	Signer  string // the key that signed the user's token
	Name    string // what the token calls the user
	Tag     string // one of the user's tags, as written
}

// Sessions gives the live sessions that the filter picks, as of the moment in which
// each account is looked at, in no particular order. No lock is held while it yields:
// a session may have ended when it is given. With an account, and a user or a signer,
// it looks at no other sessions.
func (a *Authorizer) Sessions(f Filter) iter.Seq[*Session] {
	return func(yield func(*Session) bool) {
		for _, p := range a.directory.where(f.Account) {
			for _, s := range p.pick(f) {
				if !yield(s) {
					return
				}
			}
		}
	}
}

// CloseSessions ends the sessions that the filter picks, and gives their number. why
// is for their [Session.Err] and the logs.
func (a *Authorizer) CloseSessions(f Filter, why string) int {
	var n int
	for s := range a.Sessions(f) {
		if s.end(&Error{Reason: SessionClosed, Step: StepLive, Evidence: []Fact{{"why", line(why)}}}) {
			n++
		}
	}
	return n
}

// where gives the place of one account, or of all.
func (d *directory) where(account string) []*place {
	if account != "" {
		if p := d.known(account); p != nil {
			return []*place{p}
		}
		return nil
	}
	return d.all()
}

// pick gives the sessions of an account that the filter wants.
func (p *place) pick(f Filter) []*Session {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []*Session
	for s := range p.likely(f) {
		u := &s.standing.Load().user.claims
		if (f.User == "" || f.User == u.Key) && (f.Signer == "" || f.Signer == u.Issuer) &&
			(f.Name == "" || f.Name == u.Name) && (f.Tag == "" || slices.Contains(u.Tags, f.Tag)) {
			out = append(out, s)
		}
	}
	return out
}

// likely gives the sessions among which those of the filter are. p.mu is held.
func (p *place) likely(f Filter) iter.Seq[*Session] {
	if f.User != "" {
		key, err := nonce.Key(f.User)
		if err != nil {
			return slices.Values([]*Session(nil))
		}
		return slices.Values(p.users.of((*[32]byte)(key)))
	}
	if f.Signer != "" {
		return p.groups[f.Signer].each()
	}
	return p.each()
}
