package claims

import (
	"github.com/nats-io/jwt/v2"
)

// Kind tells streams from services, for exports, imports and activations.
type Kind uint8

// The kinds. The zero Kind is neither.
const (
	Stream Kind = iota + 1
	Service
)

// String gives the word that the tokens use.
func (k Kind) String() string {
	switch k {
	case Stream:
		return "stream"
	case Service:
		return "service"
	default:
		return "unknown"
	}
}

// MarshalText gives the name.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

func newKind(t jwt.ExportType) Kind {
	switch t {
	case jwt.Stream:
		return Stream
	case jwt.Service:
		return Service
	default:
		return 0
	}
}

// Activation is an activation token that was parsed: an exporter's leave for
// one account (Key) to import one subject.
type Activation struct {
	Header
	Kind          Kind
	Subject       string // what may be imported; may have wildcards
	IssuerAccount string // the exporter, if a signing key of it issued the token; else empty
}

// ParseActivation reads an activation token: shape, own signature and content.
// It says nothing of trust or time, nor of the import that the token stands in.
// The error is an [*Error]; then the Activation is nil.
func ParseActivation(token string) (*Activation, error) {
	var doc struct {
		jwt.ActivationClaims
		Type jwt.ClaimType `json:"type"`
	}
	c, digest, err := open(token, target{
		kind: jwt.ActivationClaim, doc: &doc, claims: &doc.ActivationClaims,
		nats: &doc.ActivationClaims.GenericFields, typ: &doc.Type,
	})
	if err != nil {
		return nil, err
	}
	return newActivation(c.(*jwt.ActivationClaims), digest)
}

func newActivation(c *jwt.ActivationClaims, d Digest) (*Activation, error) {
	if !IsAccountKey(c.ClaimsData.Subject) {
		return nil, fault(ErrInvalid, "sub is not the public key of an account: %q", c.ClaimsData.Subject)
	}
	if c.IssuerAccount != "" && !IsAccountKey(c.IssuerAccount) {
		return nil, fault(ErrInvalid, "issuer_account is not the public key of an account: %q", c.IssuerAccount)
	}
	var vr jwt.ValidationResults
	c.Activation.Validate(&vr)
	if err := blocking(&vr); err != nil {
		return nil, err
	}
	if err := checkPlain(string(c.ImportSubject)); err != nil {
		return nil, err
	}
	a := &Activation{
		Header: newHeader(&c.ClaimsData, &c.GenericFields, d),
		Kind:   newKind(c.ImportType), Subject: string(c.ImportSubject), IssuerAccount: c.IssuerAccount,
	}
	if err := a.check(); err != nil {
		return nil, err
	}
	return a, nil
}
