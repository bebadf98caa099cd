package auth

import (
	"github.com/natsauth/natsauth/resolver"
)

// This file puts views of accounts in force and out of it: look-ups, pushes, removals
// and changes of trust all come here. Only an account that nobody uses leaves by
// forgetIdle.

// outcome is what became of an account.
type outcome struct {
	old, now *Account // in force before and after; nil: none
	changes  []change // of sessions
	shift    *shift   // of imports; nil: the view is the one that was
}

// commit puts a view in force, with everything that follows from it, unless a newer
// one is there already (B4). A dry commit says what would come of it.
func (a *Authorizer) commit(next *Account, m resolver.Mode, dry bool) (outcome, *Error) {
	next.defaults = a.pool.right(next.claims.DefaultPermissions)
	if dry {
		return a.wouldCommit(next, m)
	}
	links := a.directory.graph.hold(next)
	p, o, err := a.seat(next, links, m)
	if o.shift == nil {
		a.directory.graph.unhold(links)
	}
	a.aftermath(p, o) // of a refused one, too: its place may be new
	a.expect(links)
	return o, err
}

// seat finds the account's place and puts a view in force there.
func (a *Authorizer) seat(next *Account, links []*link, m resolver.Mode) (*place, outcome, *Error) {
	for {
		p := a.directory.place(next.Key())
		o, err := p.commit(next, links, m, false)
		switch err {
		case errGone:
			continue
		case errStale: // nobody trusts it in this way any more
			if next, err = a.believe(next, a.trust.Load()); err == nil {
				continue
			}
		}
		return p, o, err
	}
}

// wouldCommit is commit for a preview.
func (a *Authorizer) wouldCommit(next *Account, m resolver.Mode) (outcome, *Error) {
	links := next.sketch(a.directory.known)
	p := a.directory.known(next.Key())
	if p == nil {
		s := a.directory.graph.foresee(next.Key(), nil, next, links)
		return outcome{now: next, shift: s}, a.directory.admits(nil, next, m)
	}
	o, err := p.commit(next, links, m, true)
	if err == errStale || err == errGone { // it changes in this moment
		if next, err = a.believe(next, a.trust.Load()); err == nil {
			return a.wouldCommit(next, m)
		}
	}
	return o, err
}

// aftermath does what a change of an account brings about elsewhere: sessions hear of it,
// other accounts' imports stand otherwise, exporters that nobody needed before are looked
// up. No lock is held.
func (a *Authorizer) aftermath(p *place, o outcome) {
	a.tell(o.changes)
	if o.shift != nil {
		a.refreshImporters(o.shift)
		a.seekExporters(o.now)
	}
	a.attendLater(p)
}

// errGone is no answer: the place was given up while it was looked for.
var errGone = &Error{Reason: AccountUnavailable}

func (p *place) commit(next *Account, links []*link, m resolver.Mode, dry bool) (outcome, *Error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	held := p.current.Load()
	switch {
	case p.gone:
		return outcome{}, errGone
	case next.trust != p.authorizer.trust.Load():
		return outcome{}, errStale
	case held != nil && held.claims.Digest == next.claims.Digest && held.trust == next.trust:
		return outcome{old: held, now: held}, nil
	}
	if err := p.authorizer.directory.admits(held, next, m); err != nil {
		return outcome{}, err
	}
	o := outcome{old: held, now: next, changes: p.changes(next, nil)}
	if dry {
		o.shift = p.authorizer.directory.graph.foresee(p.key, held, next, links)
		return o, nil
	}
	p.put(&o, links)
	return o, nil
}

// put makes a view the one in force, in one moment for the account and all its
// sessions: first every session that it concerns is told what it has under the new
// view, then the view is there, then the old state is tidied away. Imports from the
// account go the same way (shift.go). The changes are afterwards those that have
// happened. p.mu is held.
func (p *place) put(o *outcome, links []*link) {
	for _, c := range o.changes {
		if c.err != nil || c.standing != nil {
			c.session.standing.Load().next.Store(&pending{by: o.now, standing: c.standing})
		}
	}
	o.shift = p.authorizer.directory.graph.move(p, o.now, links, nil)
	p.authorizer.directory.marks.forget(p.key)
	p.since, p.pause, p.warned = 0, 0, false
	p.missed.Store(false)
	p.news(nil)
	o.changes = p.settle(o.changes)
}

// settle ends the sessions that are refused, and gives the others what they have
// now. p.mu is held.
func (p *place) settle(changes []change) []change {
	happened := changes[:0]
	for _, c := range changes {
		switch {
		case c.err != nil && !c.session.halt(c.err):
			continue // the client was faster
		case c.err != nil:
			p.unlink(c.session)
		case c.standing != nil:
			p.authorizer.calendar.change(c.session, c.standing)
		}
		happened = append(happened, c)
	}
	return happened
}

// tell tells the sessions what became of them. No lock is held.
func (a *Authorizer) tell(changes []change) {
	for _, c := range changes {
		if c.err != nil {
			c.session.leave()
			continue
		}
		if c.rights {
			c.session.announce(RightsChanged)
		}
		if c.limits {
			c.session.announce(LimitsChanged)
		}
	}
}

// vacate takes an account out of force, and ends its sessions: the view that is named,
// unless one of another token has come since, or with nil whichever there is. What is
// remembered of it says how it comes back.
func (a *Authorizer) vacate(key string, view *Account, why *Error, back Reason) outcome {
	p := a.directory.known(key)
	if p == nil {
		return outcome{}
	}
	p.mu.Lock()
	held := p.current.Load()
	if held == nil || view != nil && !view.sameToken(held) {
		p.mu.Unlock()
		return outcome{now: held}
	}
	o := p.clear(why, back)
	p.mu.Unlock()
	a.aftermath(p, o)
	return o
}

// sameToken says whether two views are of one token, by one trust set: they may differ in
// where imports stand.
func (a *Account) sameToken(o *Account) bool {
	return o != nil && a.claims == o.claims && a.trust == o.trust
}

// clear is vacate for the view in force. p.mu is held.
func (p *place) clear(why *Error, back Reason) outcome {
	held := p.current.Load()
	changes := p.changes(nil, why)
	p.authorizer.directory.marks.add(former{p.key, mark(held.claims), back})
	p.last.Store(held)
	s := p.authorizer.directory.graph.move(p, nil, nil, nil)
	if back == AccountStale {
		p.postpone(p.authorizer.config.Clock())
	}
	p.news(why)
	return outcome{old: held, changes: p.settle(changes), shift: s}
}

// wouldVacate is what vacate would come to.
func (a *Authorizer) wouldVacate(key string, why *Error) outcome {
	p := a.directory.known(key)
	if p == nil {
		return outcome{}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	held := p.current.Load()
	if held == nil {
		return outcome{}
	}
	return outcome{old: held, changes: p.changes(nil, why), shift: a.directory.graph.foresee(key, held, nil, nil)}
}

// seated gives the view in force, judged by the trust set of now.
func (a *Authorizer) seated(key string) *Account {
	held := a.directory.inForce(key)
	if held == nil || held.trust == a.trust.Load() {
		return held
	}
	a.reseat(key, true)
	return a.directory.inForce(key)
}

// owed gives what somebody else was faster to do than the change of trust that is
// under way.
func (p *place) owed() []change {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := p.unreported
	p.unreported = nil
	return out
}

// reseat judges an account in force by the trust set of now. It is one step, so that
// no token that comes meanwhile is lost. What others bring about on the way of a
// connect is kept for the report of whoever changes the trust set.
func (a *Authorizer) reseat(key string, others bool) outcome {
	p := a.directory.known(key)
	if p == nil {
		return outcome{}
	}
	p.mu.Lock()
	held, t := p.current.Load(), a.trust.Load()
	if held == nil || held.trust == t {
		p.mu.Unlock()
		return outcome{old: held, now: held}
	}
	var o outcome
	if next, err := a.believe(held, t); err != nil {
		o = p.clear(ended(err.at(StepTrust)), ReasonNone)
	} else {
		o = outcome{old: held, now: next, changes: p.changes(next, nil)}
		p.put(&o, nil)
	}
	if others {
		p.unreported = append(p.unreported, o.changes...)
	}
	p.mu.Unlock()
	a.aftermath(p, o)
	return o
}
