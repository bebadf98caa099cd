package auth

import "context"

// This file changes the trust set while sessions live (B17).

// SetTrust puts another trust set in place of the one in use: operators and their
// keys, pinned accounts, the sentinel, the system account, proxies. Every account in
// force is judged by it, without asking anybody for its token again, and every session
// by the same steps as a fresh connect; what no longer holds is closed. From the
// moment in which it is there nobody is admitted by the old one; the accounts follow
// one after the other, each in one step. The Report counts over all accounts.
//
// The error says which part of the trust set is wrong, as that of [New]; then nothing
// has changed. ctx only carries who is behind it, see [By].
func (a *Authorizer) SetTrust(ctx context.Context, t Trust) (Report, error) {
	if !a.open() {
		err := &Error{Reason: AuthorizerClosed, Step: StepTrust}
		a.audit(ctx, AuditRecord{Kind: AuditTrust, Err: err}, nil, Report{})
		return Report{}, err
	}
	r, err := a.replaceTrust(t)
	if err != nil {
		a.audit(ctx, AuditRecord{Kind: AuditTrust, Err: &Error{Reason: TrustInvalid, Step: StepTrust, Err: err}}, nil, Report{})
		return Report{}, err
	}
	a.audit(ctx, AuditRecord{Kind: AuditTrust}, nil, r)
	return r, nil
}

// replaceTrust goes over to another trust set, one change of it at a time.
func (a *Authorizer) replaceTrust(t Trust) (Report, error) {
	a.changing.Lock()
	defer a.changing.Unlock()
	next, err := a.successor(t)
	if err != nil {
		return Report{}, err
	}
	a.trust.Store(next)
	a.directory.forgiveAll()
	r := Report{State: InForce}
	for _, p := range a.directory.all() {
		r.add(a.reseat(p.key, false).changes)
		r.add(p.owed())
	}
	a.calendar.wake(a.config.Clock().UnixNano()) // the operators' ends are others now
	return r, nil
}

// PreviewTrust gives the report that [Authorizer.SetTrust] would give now, and changes
// nothing: who would be closed if this key went.
func (a *Authorizer) PreviewTrust(_ context.Context, t Trust) (Report, error) {
	if !a.open() {
		return Report{}, &Error{Reason: AuthorizerClosed, Step: StepTrust}
	}
	next, err := a.successor(t)
	if err != nil {
		return Report{}, err
	}
	r := Report{State: InForce}
	for _, p := range a.directory.all() {
		r.add(a.foresee(p, next))
	}
	return r, nil
}

// successor checks a trust set that is to follow. Keys that stay keep their count.
func (a *Authorizer) successor(t Trust) (*trust, error) {
	next, err := newTrust(t, a.config.ServerVersion)
	if err != nil {
		return nil, err
	}
	if err := a.config.reaches(next); err != nil {
		return nil, err
	}
	for key, was := range a.trust.Load().signers {
		if s, ok := next.signers[key]; ok {
			s.use = was.use
			next.signers[key] = s
		}
	}
	return next, nil
}

// foresee is what a trust set would do to an account in force.
func (a *Authorizer) foresee(p *place, t *trust) []change {
	p.mu.Lock()
	defer p.mu.Unlock()
	held := p.current.Load()
	if held == nil {
		return nil
	}
	next, err := a.believe(held, t)
	if err != nil {
		return p.changes(nil, ended(err.at(StepTrust)))
	}
	return p.changes(next, nil)
}

// Administers says whether a key may sign requests to delete accounts: the keys that
// sign accounts may (B23).
func (a *Authorizer) Administers(key string) bool {
	t := a.trust.Load()
	if t == nil {
		return false
	}
	_, ok := t.signers[key]
	return ok
}
