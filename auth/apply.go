package auth

import (
	"context"
	"errors"
	"fmt"

	"github.com/natsauth/natsauth/claims"
	"github.com/natsauth/natsauth/resolver"
)

// Apply takes a new token of an account: it is verified, saved where there is a
// Store, put in force in one step where the account is in force, and the sessions
// that it touches are judged again; no signature of a user is checked anew. When
// Apply returns, all that has happened (B5, B6). An account that is not in force here
// is saved and not loaded, unless one that is in force imports from it; without a Store it
// is put in force, for nothing else would remember it. The same token again changes nothing.
//
// m says what becomes of an older token, and of one issued in the same second:
// [resolver.Push] for what an administrator sends. The error is an [*Error]: why the
// token is not vouched for, AccountRollback, or AccountUnavailable where ctx ended or
// the Store could not write; then nothing has changed.
func (a *Authorizer) Apply(ctx context.Context, accountToken string, m resolver.Mode) (Report, error) {
	r, next, err := a.apply(ctx, accountToken, m, false)
	a.audit(ctx, AuditRecord{Kind: AuditApply, Err: err}, next, r)
	if err != nil {
		return Report{}, err
	}
	return r, nil
}

// Preview gives the report that [Authorizer.Apply] would give now, and changes
// nothing.
func (a *Authorizer) Preview(ctx context.Context, accountToken string, m resolver.Mode) (Report, error) {
	r, _, err := a.apply(ctx, accountToken, m, true)
	if err != nil {
		return Report{}, err
	}
	return r, nil
}

func (a *Authorizer) apply(ctx context.Context, token string, m resolver.Mode, dry bool) (Report, *Account, *Error) {
	if !a.open() {
		return Report{}, nil, &Error{Reason: AuthorizerClosed, Step: StepTrust}
	}
	next, err := a.timelyVouch(token)
	if err == nil && m > resolver.Override {
		err = &Error{Reason: AccountInvalid, Err: fmt.Errorf("auth: %v is no mode to apply a token in", m)}
	}
	if err != nil {
		return Report{}, next, named(err, next)
	}
	if !dry {
		release, err := a.directory.turns.take(ctx, next.Key())
		if err != nil {
			return Report{}, next, named(err, next)
		}
		defer release()
		if next, err = a.believe(next, a.trust.Load()); err != nil { // the trust set may be another by now
			return Report{}, next, named(err, next)
		}
	}
	if err = a.store(ctx, token, next, m, dry); err == nil {
		var r Report
		if r, err = a.replace(next, m, dry); err == nil {
			return r, next, nil
		}
	}
	return Report{}, next, named(err, next)
}

// timelyVouch judges a token by itself, and by its time. The account comes with an
// error where it could be read.
func (a *Authorizer) timelyVouch(token string) (*Account, *Error) {
	found, err := a.vouch(token)
	if err == nil {
		err = timely(found, a.config.Clock())
	}
	return found, err
}

// named writes in whose token it was, as far as it could be read.
func named(err *Error, a *Account) *Error {
	e := err.at(StepTrust)
	if a != nil {
		e.Account, e.Issuer = a.Key(), a.claims.Issuer
	}
	return e
}

// store saves a token, if it may take the place of what is in force. A dry run asks
// whether the Store would.
func (a *Authorizer) store(ctx context.Context, token string, next *Account, m resolver.Mode, dry bool) *Error {
	if err := a.directory.admits(a.directory.inForce(next.Key()), next, m); err != nil {
		return err
	}
	if a.config.Store == nil {
		return nil
	}
	save := func() (bool, error) { return a.config.Store.Save(ctx, token, m) }
	if dry {
		save = func() (bool, error) { return a.wouldSave(ctx, next.claims, m) }
	}
	changed, err := save()
	switch {
	case err == nil && (changed || !a.outranked(ctx, next)):
		return nil
	case err == nil, errors.Is(err, resolver.ErrRollback):
		return &Error{Reason: AccountRollback, Err: err, Evidence: []Fact{{"issued", stamp(next.claims.IssuedAt)}}}
	default:
		return &Error{Reason: AccountUnavailable, Err: err}
	}
}

// outranked says whether the Store keeps another token, which counts there.
func (a *Authorizer) outranked(ctx context.Context, next *Account) bool {
	kept, err := a.stored(ctx, next.Key())
	return err == nil && kept != nil && kept.Digest != next.claims.Digest
}

// replace puts a token in force that is saved, if its account is in force. Otherwise
// it is remembered, so that a look-up under way brings nothing older.
func (a *Authorizer) replace(next *Account, m resolver.Mode, dry bool) (Report, *Error) {
	key := next.Key()
	if a.config.Store != nil && a.directory.inForce(key) == nil {
		if !dry {
			a.directory.marks.add(former{key, mark(next.claims), ReasonNone})
			a.directory.forgive(key)
		}
		if !a.directory.arrived(key) && !a.directory.graph.wanted(key) {
			return Report{Account: key, State: Saved, New: next.Revision()}, nil
		}
	}
	o, err := a.commit(next, m, dry)
	if err != nil {
		return Report{}, err
	}
	return a.report(key, o), nil
}

// Remove takes an account out of force, and out of the Store: its sessions are closed,
// and new ones refused, until a newer token turns up or an administrator applies
// one (B21). An account that nobody knows is no error: the report says Absent; if only
// the Resolver has it, it comes in when it is first needed, for nothing is known of the
// token that was meant. The
// error is an [*Error] of AccountUnavailable where ctx ended or the Store could not
// delete; then nothing has changed.
func (a *Authorizer) Remove(ctx context.Context, account string) (Report, error) {
	r, err := a.remove(ctx, account, false)
	a.audit(ctx, AuditRecord{Kind: AuditRemove, Account: account, Err: err}, nil, r)
	if err != nil {
		return Report{}, err
	}
	return r, nil
}

// PreviewRemove gives the report that [Authorizer.Remove] would give now, and changes
// nothing.
func (a *Authorizer) PreviewRemove(ctx context.Context, account string) (Report, error) {
	r, err := a.remove(ctx, account, true)
	if err != nil {
		return Report{}, err
	}
	return r, nil
}

func (a *Authorizer) remove(ctx context.Context, key string, dry bool) (Report, *Error) {
	refuse := func(e *Error) (Report, *Error) {
		e = e.at(StepLive)
		e.Account = key
		return Report{}, e
	}
	switch {
	case !a.open():
		return refuse(&Error{Reason: AuthorizerClosed})
	case !claims.IsAccountKey(key):
		return refuse(&Error{Reason: AccountNotFound})
	}
	if !dry {
		release, err := a.directory.turns.take(ctx, key)
		if err != nil {
			return refuse(err)
		}
		defer release()
		if err := a.erase(ctx, key); err != nil {
			return refuse(err)
		}
	}
	why := &Error{Reason: AccountRemoved, Step: StepLive}
	if dry {
		return a.report(key, a.wouldVacate(key, why)), nil
	}
	return a.report(key, a.vacate(key, nil, why, AccountRemoved)), nil
}

// report tells what became of an account.
func (a *Authorizer) report(key string, o outcome) Report {
	r := newReport(key, o.old, o.now, o.changes)
	r.exchange(o, a.config.Clock)
	return r
}

// erase deletes an account in the Store, and remembers what it had.
func (a *Authorizer) erase(ctx context.Context, key string) *Error {
	was := a.former(ctx, key)
	if a.config.Store != nil {
		err := a.config.Store.Delete(ctx, key)
		if err != nil && !resolver.IsNotFound(err) {
			return &Error{Reason: AccountUnavailable, Err: err}
		}
	}
	if was != (resolver.Mark{}) && a.directory.inForce(key) == nil {
		a.directory.marks.add(former{key, was, AccountRemoved})
	}
	return nil
}

// former is the last that is known of an account that is not in force.
func (a *Authorizer) former(ctx context.Context, key string) resolver.Mark {
	was, _ := a.directory.marks.get(key)
	if a.config.Store == nil {
		return was
	}
	kept, err := a.stored(ctx, key)
	if err != nil || kept == nil || kept.IssuedAt < was.IssuedAt {
		return was
	}
	return mark(kept)
}
