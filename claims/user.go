package claims

import (
	"crypto/ed25519"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"
)

// User is a user token that was parsed, and not trusted by anybody yet.
type User struct {
	Header
	// IssuerAccount is the account that the user belongs to, if a signing key of
	// that account issued the token; empty if the account's own key did.
	IssuerAccount string
	// Grant is the token's own. It is the zero Grant for users of a scoped
	// signing key, whose grant is the scope's template.
	Grant *Grant
	// Bare is true if the token sets nothing of a grant, not even an empty list:
	// what a scoped signing key requires of its users (nats-server v2.15 and
	// jwt/v2 UserScope.ValidateScopedSigner).
	Bare bool
}

// Account is the public key of the account that the token claims to be of:
// issuer_account, or else iss.
func (u *User) Account() string {
	if u.IssuerAccount != "" {
		return u.IssuerAccount
	}
	return u.Issuer
}

// PublicKey gives the 32 bytes of the key, which [ParseUser] has checked. A User
// that it did not make may have none; the error is then an [*Error] of ErrInvalid.
func (u *User) PublicKey() (ed25519.PublicKey, error) {
	raw, err := nkeys.Decode(nkeys.PrefixByteUser, []byte(u.Key))
	if err != nil || len(raw) != ed25519.PublicKeySize {
		return nil, fault(ErrInvalid, "sub is not the public key of a user")
	}
	return raw, nil
}

// ParseUser reads a user token: shape, own signature and content. It says
// nothing of trust, of time, of the account or of the client that showed the
// token. The error is an [*Error]; then the User is nil.
func ParseUser(token string) (*User, error) {
	var doc struct {
		jwt.UserClaims
		Type jwt.ClaimType `json:"type"`
	}
	c, digest, err := open(token, target{
		kind: jwt.UserClaim, doc: &doc, claims: &doc.UserClaims,
		nats: &doc.UserClaims.GenericFields, typ: &doc.Type,
	})
	if err != nil {
		return nil, err
	}
	return newUser(c.(*jwt.UserClaims), digest)
}

func newUser(c *jwt.UserClaims, d Digest) (*User, error) {
	if !IsUserKey(c.Subject) {
		return nil, fault(ErrInvalid, "sub is not the public key of a user: %q", c.Subject)
	}
	if c.IssuerAccount != "" && !IsAccountKey(c.IssuerAccount) {
		return nil, fault(ErrInvalid, "issuer_account is not the public key of an account: %q", c.IssuerAccount)
	}
	var vr jwt.ValidationResults
	c.Permissions.Validate(&vr)
	if err := blocking(&vr); err != nil {
		return nil, err
	}
	g, faults := newGrant(&c.UserPermissionLimits)
	if err := faults.first(); err != nil {
		return nil, fault(ErrInvalid, "%v", err)
	}
	u := &User{
		Header:        newHeader(&c.ClaimsData, &c.GenericFields, d),
		IssuerAccount: c.IssuerAccount, Grant: g, Bare: bare(&c.UserPermissionLimits),
	}
	if err := u.check(); err != nil {
		return nil, err
	}
	return u, nil
}

// blocking gives the first issue for which jwt/v2 would refuse the claims. The
// callers ask it only about parts that do not read the clock.
func blocking(vr *jwt.ValidationResults) error {
	for _, i := range vr.Issues {
		if i.Blocking {
			return fault(ErrInvalid, "%s", i.Description)
		}
	}
	return nil
}

// bare is HasEmptyPermissions of jwt/v2 without reflection, which costs as much as
// the rest of the reading: an empty list that is written is not bare.
// TestBareIsWhole holds it to every field.
func bare(l *jwt.UserPermissionLimits) bool {
	p := &l.Permissions
	return p.Pub.Allow == nil && p.Pub.Deny == nil && p.Sub.Allow == nil && p.Sub.Deny == nil && p.Resp == nil &&
		l.Src == nil && l.Times == nil && l.Locale == "" && l.NatsLimits == jwt.NatsLimits{} &&
		!l.BearerToken && !l.ProxyRequired && l.AllowedConnectionTypes == nil
}
