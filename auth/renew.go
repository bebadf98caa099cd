package auth

import "context"

// Renew puts a new token of the same user, in the same account, in place of the one
// by which the session was admitted (B16): for a client that sends CONNECT again on
// the connection that it has. sig is over the session's nonce, the one that the
// broker sent when the client connected; a bearer needs none. The decision is made as
// by [Authorizer.Connect], and may wait like that one; what the session may do and
// when it ends changes in one moment, and the session keeps its place among the
// account's connections. Events tell what has changed.
//
// The error is an [*Error]; then the session goes on as before, until its own end.
// Reason UserMismatch is for another user's token.
func (s *Session) Renew(ctx context.Context, token, sig string) error {
	if s.place == nil {
		return &Error{Reason: SessionClosed, Step: StepLive}
	}
	a := s.authorizer()
	c := s.credentials()
	c.JWT, c.Signature = token, sig
	for {
		if why := s.finished(); why != nil {
			return why
		}
		d := a.decide(c, pathRenew)
		d.live = s
		err := d.take(ctx)
		if err == nil {
			a.tokens.add(d.text, d.user)
			return nil
		}
		if err != errStale {
			a.refused("renewal refused", err, c)
			return err
		}
	}
}

// finished is why the session has ended, or would have by its own time if anybody had
// noticed. The account's time is for the steps to judge: it may have a newer token.
func (s *Session) finished() *Error {
	if why := s.cause(); why != nil {
		return why
	}
	end := s.standing.Load().ownEnd()
	if end.at == 0 || s.authorizer().config.Clock().UnixNano() < end.at {
		return nil
	}
	return s.attribute(*end.passed())
}

// renew gives a live session what the decision found. It reports true if the
// decision is out of date: the account has another view, or the session has ended.
func (p *place) renew(d *decision) bool {
	s := d.live
	p.mu.Lock()
	if p.stale(d.account) || s.ended.Load() != nil {
		p.mu.Unlock()
		return true
	}
	before := given{s.standing.Load(), d.account}
	made := d.standing()
	p.part(s) // the user and the way in which it is connected stay
	p.authorizer.calendar.change(s, &made)
	p.join(s)
	s.proven, s.sentinel = d.proven, d.sentinel
	p.mu.Unlock()
	after := given{&made, d.account}
	p.authorizer.tell([]change{{
		session: s, standing: &made,
		rights: before.rights() != after.rights(), limits: before.limits() != after.limits(),
	}})
	return false
}
