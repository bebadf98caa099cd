package claims

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"
)

// Deletion is a request to delete accounts that was parsed, and not trusted by anybody yet.
type Deletion struct {
	Header
	Accounts []string // A-keys, as the request lists them; one may be there twice, and there may be none
}

// ParseDeletion reads a request to delete accounts: generic claims of an operator's key with the keys of the accounts in
// `accounts`. It checks shape, own signature and content, and says nothing of trust, of time, or of whom the request is
// about: [Deletion.SelfSigned] does of the last. The error is an [*Error]; then the Deletion is nil.
//
// As in jwt/v2 genericlaims.go DecodeGeneric, the name of the algorithm says what was signed, and a version is not needed.
func ParseDeletion(token string) (*Deletion, error) {
	r, err := split(token)
	if err != nil {
		return nil, err
	}
	var doc struct {
		jwt.ClaimsData
		Type jwt.ClaimType `json:"type"`
		Nats struct {
			jwt.GenericFields
			Accounts []string `json:"accounts"`
		} `json:"nats"`
	}
	if json.Unmarshal(r.payload, &doc) != nil {
		return nil, fault(ErrMalformed, "the claims are not those of a request to delete accounts")
	}
	id := identity{Type: doc.Type, Nats: doc.Nats.GenericFields}
	if v := id.version(); v > 2 {
		return nil, fault(ErrMalformed, "version %d of the format is newer than the newest that is known, 2", v)
	}
	if k := id.kind(); k != "" && !jwt.IsGenericClaimType(string(k)) {
		return nil, fault(ErrKind, "it is a token of type %q, not generic claims", k)
	}
	signed := r.signed(r.algorithmVersion())
	if err := r.verify(doc.Issuer, signed, []nkeys.PrefixByte{nkeys.PrefixByteOperator}); err != nil {
		return nil, err
	}
	d := &Deletion{Header: newHeader(&doc.ClaimsData, &doc.Nats.GenericFields, sha256.Sum256([]byte(signed))), Accounts: doc.Nats.Accounts}
	if err := d.check(); err != nil {
		return nil, err
	}
	return d, nil
}

// algorithmVersion is the version whose signature the header names.
func (r raw) algorithmVersion() int {
	var h jwt.Header
	text, err := base64.RawURLEncoding.DecodeString(r.header)
	if err == nil && json.Unmarshal(text, &h) == nil && strings.EqualFold(h.Algorithm, jwt.AlgorithmNkeyOld) {
		return 1
	}
	return 2
}

func (d *Deletion) check() error {
	if d.Accounts == nil {
		return fault(ErrInvalid, "it lists no accounts")
	}
	for _, key := range d.Accounts {
		if !IsAccountKey(key) {
			return fault(ErrInvalid, "accounts has what is not the public key of an account: %q", key)
		}
	}
	return d.Header.check()
}

// SelfSigned reports whether the request is about the key that signed it, as it has to be.
func (d *Deletion) SelfSigned() bool { return d.Issuer == d.Key }
