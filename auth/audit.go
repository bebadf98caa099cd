package auth

import (
	"cmp"
	"context"
	"log/slog"
	"time"

	"github.com/natsauth/natsauth/claims"
)

// AuditKind is what somebody tried to change.
type AuditKind string

// The kinds.
const (
	AuditApply  AuditKind = "apply"  // a token was pushed
	AuditLookup AuditKind = "lookup" // a token came with a look-up, or none where one was in force
	AuditStale  AuditKind = "stale"  // nobody could confirm an account for [Config.MaxStale]
	AuditRemove AuditKind = "remove"
	AuditTrust  AuditKind = "trust"
)

// AuditRecord is one change of an account or of the trust set, done or refused. It
// holds public keys and digests, never a token.
type AuditRecord struct {
	At       time.Time     `json:"at"`
	Kind     AuditKind     `json:"kind"`
	By       string        `json:"by,omitempty"` // whoever [By] named
	Account  string        `json:"account,omitempty"`
	Digest   claims.Digest `json:"digest,omitzero"`
	IssuedAt int64         `json:"issued_at,omitempty"` // seconds since 1970
	Signer   string        `json:"signer,omitempty"`    // the operator's key that signed the token
	Operator string        `json:"operator,omitempty"`
	Report   Report        `json:"report,omitzero"`
	Err      *Error        `json:"error,omitempty"` // why it was refused; nil: it was done
}

// LogValue gives the record as attributes, without the list of sessions.
func (r AuditRecord) LogValue() slog.Value {
	attrs := []slog.Attr{
		slog.String("kind", string(r.Kind)), slog.String("by", r.By), slog.String("account", r.Account),
		slog.String("digest", r.Digest.String()), slog.String("signer", r.Signer), slog.String("operator", r.Operator),
		slog.String("state", r.Report.State.String()), slog.Int("closed", r.Report.ClosedCount), slog.Int("changed", r.Report.ChangedCount),
	}
	if r.Err != nil {
		attrs = append(attrs, slog.Any("error", r.Err))
	}
	return slog.GroupValue(attrs...)
}

type actor struct{}

// By names who is behind the changes that are made with the context, for the audit:
// a client's key, a file, an address. The name is the caller's own, and nothing is
// decided by it.
func By(ctx context.Context, who string) context.Context {
	return context.WithValue(ctx, actor{}, who)
}

// auditLookup writes down what a look-up has changed, or what it brought and was
// refused. One that brought nothing, or what is in force, is not worth a record.
func (a *Authorizer) auditLookup(ctx context.Context, key string, o outcome, got answer) {
	r, err := AuditRecord{Kind: AuditLookup, Account: key}, got.err
	switch {
	case err == nil && o.old == o.now:
		return
	case err == nil:
		a.audit(ctx, r, o.now, newReport(key, o.old, o.now, o.changes))
		return
	case err.Reason == AccountNotFound, err.Reason == AccountUnavailable:
		return
	}
	r.Err = err.at(StepAccount)
	r.Err.Account = key
	a.audit(ctx, r, got.account, Report{})
}

// lapse takes a view out of force whose account a look-up did not find, or that nobody
// could confirm, and writes that down. What was applied meanwhile stays.
func (a *Authorizer) lapse(ctx context.Context, view *Account, kind AuditKind, reason Reason) {
	back := ReasonNone // what was not found may be found again
	if reason == AccountStale {
		back = AccountStale
	}
	key := view.Key()
	if o := a.vacate(key, view, &Error{Reason: reason, Step: StepLive}, back); o.old != nil {
		a.audit(ctx, AuditRecord{Kind: kind, Account: key}, nil, newReport(key, o.old, nil, o.changes))
	}
}

// audit writes down a change, done or refused.
func (a *Authorizer) audit(ctx context.Context, r AuditRecord, token *Account, report Report) {
	if a.config.Clock == nil { // the zero Authorizer
		return
	}
	r.At, r.Report = a.config.Clock(), report
	r.By, _ = ctx.Value(actor{}).(string)
	if token != nil {
		c := token.claims
		r.Account = cmp.Or(r.Account, c.Key) // a look-up's is the one that was asked for
		r.Digest, r.IssuedAt, r.Signer = c.Digest, c.IssuedAt, c.Issuer
		if token.operator != nil {
			r.Operator = token.operator.key
		}
	}
	text := "authority changed"
	if r.Err != nil {
		text = "change of authority refused"
	}
	a.config.Logger.Info(text, "audit", r)
	if a.config.Audit != nil {
		a.config.Audit(r)
	}
}
