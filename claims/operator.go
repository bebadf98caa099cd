package claims

import (
	"slices"

	"github.com/nats-io/jwt/v2"
)

// Operator is an operator token that was parsed. Whether anybody trusts it is
// the configuration's decision.
type Operator struct {
	Header
	SigningKeys         []string // O-keys that may sign in the operator's place
	Strict              bool     // strict_signing_key_usage: the identity key signs no account
	SystemAccount       string   // an A-key, or empty
	AssertServerVersion string   // "a.b.c", the oldest server that may use this operator; or empty
	AccountServerURL    string   // where tools find account tokens; or empty
	ServiceURLs         []string // where tools connect
}

// ParseOperator reads an operator token: shape, own signature and content,
// which nats-server v2.15 leaves unchecked. It says nothing of trust or time.
// The error is an [*Error]; then the Operator is nil.
func ParseOperator(token string) (*Operator, error) {
	var doc struct {
		jwt.OperatorClaims
		Type jwt.ClaimType `json:"type"`
	}
	c, digest, err := open(token, target{
		kind: jwt.OperatorClaim, doc: &doc, claims: &doc.OperatorClaims,
		nats: &doc.OperatorClaims.GenericFields, typ: &doc.Type,
	})
	if err != nil {
		return nil, err
	}
	return newOperator(c.(*jwt.OperatorClaims), digest)
}

func newOperator(c *jwt.OperatorClaims, d Digest) (*Operator, error) {
	if !IsOperatorKey(c.Subject) {
		return nil, fault(ErrInvalid, "sub is not the public key of an operator: %q", c.Subject)
	}
	var vr jwt.ValidationResults
	c.Operator.Validate(&vr)
	if err := blocking(&vr); err != nil {
		return nil, err
	}
	for _, k := range c.SigningKeys {
		if !IsOperatorKey(k) {
			return nil, fault(ErrInvalid, "signing key is not the public key of an operator: %q", k)
		}
	}
	if c.SystemAccount != "" && !IsAccountKey(c.SystemAccount) {
		return nil, fault(ErrInvalid, "system_account is not the public key of an account: %q", c.SystemAccount)
	}
	o := &Operator{
		Header:      newHeader(&c.ClaimsData, &c.GenericFields, d),
		SigningKeys: c.SigningKeys, Strict: c.StrictSigningKeyUsage,
		SystemAccount: c.SystemAccount, AssertServerVersion: c.AssertServerVersion,
		AccountServerURL: c.AccountServerURL, ServiceURLs: c.OperatorServiceURLs,
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	return o, nil
}

// SelfSigned reports whether the token is signed by the operator's identity key
// or by a signing key that the same token lists (B12).
func (o *Operator) SelfSigned() bool {
	return o.Issuer == o.Key || slices.Contains(o.SigningKeys, o.Issuer)
}

// Signers gives the keys that may sign accounts for the operator: its
// signing keys, and its identity key unless it is strict.
func (o *Operator) Signers() []string {
	if o.Strict {
		return slices.Clone(o.SigningKeys)
	}
	return append([]string{o.Key}, o.SigningKeys...)
}
