package claims

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/natsauth/natsauth/internal/subject"
)

// Why [Activate] refuses an import. Every error of it is an [*ActivationError]
// of one of these; use errors.Is.
var (
	// ErrExporter: the import names another account than the exporter, or there
	// is none.
	ErrExporter = errors.New("claims: import is from another account")
	// ErrNotExported: no export of the import's kind covers its subject.
	ErrNotExported = errors.New("claims: import is of something that is not exported")
	// ErrPosition: the token of the subject that must be the importer's key is
	// something else, a wildcard say.
	ErrPosition = errors.New("claims: import does not have the importer's key where the export wants it")
	// ErrNoActivation: the export asks for an activation, the import has none.
	ErrNoActivation = errors.New("claims: import has no activation")
	// ErrActivationIssuer: neither the exporter nor a signing key of it, in its
	// name, signed the activation.
	ErrActivationIssuer = errors.New("claims: activation is not from the exporter")
	// ErrActivationIdentity: the exporter's own key signed the activation, under
	// strict signing keys (B13).
	ErrActivationIdentity = errors.New("claims: activation is signed by an identity key")
	// ErrActivationImporter: the activation is for another account.
	ErrActivationImporter = errors.New("claims: activation is for another account")
	// ErrActivationKind: the activation is for a service, the import a stream, or
	// the other way round.
	ErrActivationKind = errors.New("claims: activation is of another kind")
	// ErrActivationSubject: the activation does not cover the import's subject.
	ErrActivationSubject = errors.New("claims: activation is for another subject")
	// ErrActivationEarly: now is before the activation's NotBefore.
	ErrActivationEarly = errors.New("claims: activation is not yet valid")
	// ErrActivationExpired: now is the activation's Expires, or later.
	ErrActivationExpired = errors.New("claims: activation is expired")
	// ErrActivationRevoked: the export revokes the activation, by the importer's
	// key or by "*".
	ErrActivationRevoked = errors.New("claims: activation is revoked")
)

// ActivationError is why an import may not use what it names. Its text is short
// and never holds a token, a signature or a seed.
type ActivationError struct {
	Class  error  // one of ErrExporter, ErrNotExported, ErrPosition, ErrNoActivation, ErrActivation...
	Detail string // what was wrong, for people
}

// Error gives class and detail.
func (e *ActivationError) Error() string { return e.Class.Error() + ": " + e.Detail }

// Unwrap gives the class.
func (e *ActivationError) Unwrap() error { return e.Class }

func barred(class error, format string, args ...any) error {
	return &ActivationError{Class: class, Detail: plain(fmt.Sprintf(format, args...))}
}

// Activate says whether an import of the account importer may use what exporter
// exports, at now. It is the whole rule:
//
//   - The import names the exporter, and an export of its kind covers its
//     [Import.ExportedSubject]. Of several the most specific decides: at the
//     first token where two differ, a literal goes before `*`, and that before
//     `>` (B10); of equal ones the first.
//   - An export with an account token position is for the account whose key
//     stands at that place of the subject, and asks for nothing else, whatever
//     TokenRequired says (F073). A wildcard there is nobody's key.
//   - Any other export is public, unless it requires a token. Then the import
//     has an activation: issued by the exporter's own key, but for strict
//     signing keys (B13), or in its name by one of its signing keys, scoped or
//     not (F075); for this importer, kind and subject, all of what the import
//     can match (F074); nbf <= now < exp (B11); and not revoked by the export,
//     for the importer or for "*": a revocation holds for what was issued in its
//     own second or before (F077).
//
// until is when the activation ends, in UTC, and zero where the export asks for
// none or the activation has no end: it is that of the leave, not that of the
// accounts. The error is an [*ActivationError]; then until is zero. What is
// refused as too early may be asked again at the activation's NotBefore.
//
// Importer is the key of an account, and both accounts are in force: that is for
// the caller to know, and so is strict, which their operator says. Signatures
// were verified when the tokens were parsed. Activate only reads, looks at each
// export once, and may run in several goroutines; for many imports of one exporter there
// are [Offers]. A nil import or exporter and their zero values are refused. (nats-server v2.15 server/accounts.go
// checkStreamImportAuthorized, checkServiceImportAuthorized and checkActivation;
// jwt/v2 imports.go.)
func Activate(i *Import, importer string, exporter *Account, strict bool, now time.Time) (until time.Time, err error) {
	return NewOffers(exporter).Activate(i, importer, strict, now)
}

// ExportedSubject is the import's subject as the exporter knows it: To of a
// service that names it the old way, and Subject otherwise (nats-server v2.15
// server/accounts.go updateAccountClaimsWithRefresh). It is what [Activate]
// judges, and what must be routed to.
func (i *Import) ExportedSubject() string {
	if i.Kind == Service && i.LocalSubject == "" && i.To != "" {
		return i.To
	}
	return i.Subject
}

// Here is the import's subject as the importer knows it: LocalSubject, or else the old
// ways to name it, a prefix in To for a stream and Subject for a service (nats-server
// v2.15 server/accounts.go updateAccountClaimsWithRefresh). It may have placeholders for
// the wildcards of [Import.ExportedSubject], which make the way between the two.
func (i *Import) Here() string {
	switch {
	case i.LocalSubject != "":
		return i.LocalSubject
	case i.Kind == Stream && i.To != "":
		return i.To + "." + i.Subject
	default:
		return i.Subject
	}
}

// atPosition wants the importer's key where the export says.
func (e *Export) atPosition(s, importer string) error {
	n := 0
	for token := range strings.SplitSeq(s, ".") {
		if n++; n == e.AccountTokenPosition && token == importer && subject.Literal(token) {
			return nil
		}
	}
	return barred(ErrPosition, "token %d of %q is not %q", e.AccountTokenPosition, s, importer)
}

// activated judges the activation of an import, and gives its end.
func (i *Import) activated(importer string, exporter *Account, e *Export, strict bool, now time.Time) (time.Time, error) {
	a := i.Activation
	if a == nil {
		return time.Time{}, barred(ErrNoActivation, "%s %q asks for one", e.Kind, e.Subject)
	}
	if err := a.issuedBy(exporter, strict); err != nil {
		return time.Time{}, err
	}
	if err := a.given(i, importer); err != nil {
		return time.Time{}, err
	}
	if err := a.inForce(e, now); err != nil {
		return time.Time{}, err
	}
	return a.end(), nil
}

// issuedBy wants the exporter's own key, or a signing key that names the
// exporter. A key that is both the exporter's and another account's signing key
// speaks for the account that it names.
func (a *Activation) issuedBy(exporter *Account, strict bool) error {
	if a.IssuerAccount != exporter.Key && (a.IssuerAccount != "" || a.Issuer != exporter.Key) {
		return barred(ErrActivationIssuer, "issued by %q for %q, not for %q", a.Issuer, a.IssuerAccount, exporter.Key)
	}
	if _, ok := exporter.Signer(a.Issuer, strict); ok {
		return nil
	}
	if a.Issuer == exporter.Key {
		return barred(ErrActivationIdentity, "%q signs nothing itself", a.Issuer)
	}
	return barred(ErrActivationIssuer, "%q is not a signing key of %q", a.Issuer, exporter.Key)
}

// given wants an activation of this importer for all that the import asks for.
func (a *Activation) given(i *Import, importer string) error {
	if a.Key != importer {
		return barred(ErrActivationImporter, "for %q, not for %q", a.Key, importer)
	}
	if a.Kind != i.Kind {
		return barred(ErrActivationKind, "%s, the import is a %s", a.Kind, i.Kind)
	}
	if s := i.ExportedSubject(); !subject.Subset(s, a.Subject) {
		return barred(ErrActivationSubject, "%q does not cover %q", a.Subject, s)
	}
	return nil
}

// inForce judges time and revocation.
func (a *Activation) inForce(e *Export, now time.Time) error {
	switch a.At(now) {
	case Open:
	case Early:
		return barred(ErrActivationEarly, "nbf is %d, now is %d", a.NotBefore, now.Unix())
	default:
		return barred(ErrActivationExpired, "exp is %d, now is %d", a.Expires, now.Unix())
	}
	if by, at, ok := revokedIn(e.Revocations, a.Key, a.IssuedAt); ok {
		return barred(ErrActivationRevoked, "issued at %d, %q is revoked until %d", a.IssuedAt, by, at)
	}
	return nil
}

// endless is the last second that an end is given for: time.Time does not
// compare rightly much beyond.
const endless = 1 << 60

// end is the first instant at which the activation no longer holds, or zero.
func (a *Activation) end() time.Time {
	if a.Expires == 0 {
		return time.Time{}
	}
	return time.Unix(min(a.Expires, endless), 0).UTC()
}
