package claims

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strings"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"
)

// MaxTokenSize is the largest token, in bytes, that a parser looks at. It is
// checked before anything is decoded, so that nobody can make us decode more.
// The figure is jwt.MaxTokenSize of github.com/nats-io/jwt/v2.
const MaxTokenSize = 1 << 20

// signatureSize is the length in bytes of an Ed25519 signature (RFC 8032).
const signatureSize = 64

// headerV2 is the header that every tool of today writes. Comparing its text
// first saves a base64 and a JSON pass a token.
const headerV2 = "eyJ0eXAiOiJKV1QiLCJhbGciOiJlZDI1NTE5LW5rZXkifQ"

// headerV1 is the spelling that [Canonical] gives to the header of a version 1
// token, where the header is not part of what was signed.
const headerV1 = "eyJ0eXAiOiJqd3QiLCJhbGciOiJlZDI1NTE5In0"

// Digest identifies the signed content of a token: it is the SHA-256 of the
// bytes that the issuer signed. Two spellings of one token have one digest.
// The zero Digest belongs to no token.
type Digest [sha256.Size]byte

// String gives the digest in hexadecimal. It may be logged: it tells nothing of
// the token but its identity.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// MarshalText gives the digest in hexadecimal.
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// raw is a token taken apart at its dots, before anyone believes it.
type raw struct {
	header, body string // as spelled
	payload, sig []byte // decoded
}

// split checks size and shape, and decodes the chunks. The JSON of the payload
// is still unread.
func split(token string) (raw, error) {
	if len(token) > MaxTokenSize {
		return raw{}, fault(ErrSize, "%d bytes, at most %d are read", len(token), MaxTokenSize)
	}
	header, rest, ok := strings.Cut(token, ".")
	body, sig, more := strings.Cut(rest, ".")
	if !ok || !more || strings.Contains(sig, ".") {
		return raw{}, fault(ErrMalformed, "a token is three chunks with a dot between them")
	}
	if err := checkHeader(header); err != nil {
		return raw{}, err
	}
	r := raw{header: header, body: body}
	var err error
	if r.payload, err = base64.RawURLEncoding.DecodeString(body); err != nil {
		return raw{}, fault(ErrMalformed, "the claims are not unpadded base64url")
	}
	if r.sig, err = base64.RawURLEncoding.DecodeString(sig); err != nil {
		return raw{}, fault(ErrMalformed, "the signature is not unpadded base64url")
	}
	return r, nil
}

// checkHeader accepts what jwt/v2 header.go accepts: type JWT and one of the
// two names of the algorithm, whatever the version of the claims.
func checkHeader(chunk string) error {
	if chunk == headerV2 {
		return nil
	}
	text, err := base64.RawURLEncoding.DecodeString(chunk)
	if err != nil {
		return fault(ErrMalformed, "the header is not unpadded base64url")
	}
	var h jwt.Header
	if json.Unmarshal(text, &h) != nil {
		return fault(ErrMalformed, "the header is not a JSON object of the right types")
	}
	if h.Valid() != nil {
		return fault(ErrMalformed, "the header names another type than JWT, or another algorithm than ed25519-nkey")
	}
	return nil
}

// identity is the part of every payload that tells how to read the rest.
type identity struct {
	Type   jwt.ClaimType     `json:"type"` // version 1 only
	Issuer string            `json:"iss"`
	Nats   jwt.GenericFields `json:"nats"`
}

// version is as jwt/v2 decoder.go has it: a top-level type means 1, and so does
// a 1 where version 2 keeps its number.
func (i identity) version() int {
	if i.Type != "" {
		return 1
	}
	return i.Nats.Version
}

func (i identity) kind() jwt.ClaimType {
	if i.Type != "" {
		return i.Type
	}
	return i.Nats.Type
}

// signed is the text that a token of that version has its signature over:
// version 1 signs the claims alone, version 2 the header as well.
func (r raw) signed(version int) string {
	if version <= 1 {
		return r.body
	}
	return r.header + "." + r.body
}

// verify checks the token's own signature by the key that it names, and that
// this key is of a kind that may issue such tokens.
func (r raw) verify(issuer, signed string, allowed []nkeys.PrefixByte) error {
	if len(r.sig) != signatureSize {
		return fault(ErrSignature, "it is %d bytes long, not %d", len(r.sig), signatureSize)
	}
	key, err := nkeys.FromPublicKey(issuer)
	if err != nil {
		return fault(ErrIssuer, "iss is not a public key")
	}
	if key.Verify([]byte(signed), r.sig) != nil {
		return fault(ErrSignature, "it is not of the key in iss over these claims")
	}
	if !ofKind(issuer, allowed...) {
		return fault(ErrIssuer, "a key of this kind may not issue such a token: %q", issuer)
	}
	return nil
}

// target is where the JSON of one kind of token goes.
type target struct {
	kind   jwt.ClaimType
	doc    any                // pointer to the claims with the top-level type beside them
	claims jwt.Claims         // the claims inside doc
	nats   *jwt.GenericFields // of claims
	typ    *jwt.ClaimType     // the top-level type
}

// open reads, verifies and types a token. What it returns has a true signature
// of its own issuer; its content is still unchecked.
func open(token string, t target) (jwt.Claims, Digest, error) {
	r, err := split(token)
	if err != nil {
		return nil, Digest{}, err
	}
	if json.Unmarshal(r.payload, t.doc) != nil || *t.typ != "" || t.nats.Version != 2 {
		return r.openOther(token, t)
	}
	if err := checkKind(identity{Nats: *t.nats}, t.kind); err != nil {
		return nil, Digest{}, err
	}
	signed := token[:len(r.header)+1+len(r.body)]
	if err := r.verify(t.claims.Claims().Issuer, signed, t.claims.ExpectedPrefixes()); err != nil {
		return nil, Digest{}, err
	}
	return t.claims, sha256.Sum256([]byte(signed)), nil
}

// openOther reads what is not version 2 of the kind asked for: version 1, which
// jwt/v2 knows how to migrate, or something wrong that deserves its own name.
func (r raw) openOther(token string, t target) (jwt.Claims, Digest, error) {
	var id identity
	if json.Unmarshal(r.payload, &id) != nil {
		return nil, Digest{}, fault(ErrMalformed, "the claims are not a JSON object of the right types")
	}
	if err := checkKind(id, t.kind); err != nil {
		return nil, Digest{}, err
	}
	signed := r.signed(id.version())
	if err := r.verify(id.Issuer, signed, t.claims.ExpectedPrefixes()); err != nil {
		return nil, Digest{}, err
	}
	c, err := jwt.Decode(token)
	if err != nil {
		return nil, Digest{}, fault(ErrMalformed, "the claims are not those of %s", article(t.kind))
	}
	return c, sha256.Sum256([]byte(signed)), nil
}

// checkKind refuses tokens of another kind, and versions that jwt/v2 does not
// read.
func checkKind(id identity, want jwt.ClaimType) error {
	if v := id.version(); v > 2 {
		return fault(ErrMalformed, "version %d of the format is newer than the newest that is known, 2", v)
	} else if id.kind() != want {
		return fault(ErrKind, "it is not %s token", article(want))
	} else if v < 1 {
		return fault(ErrMalformed, "version %d of the format is unknown", v)
	}
	return nil
}

func article(kind jwt.ClaimType) string {
	if kind == jwt.UserClaim {
		return "a user"
	}
	return "an " + string(kind)
}

// Canonical gives the one spelling of a token that stores keep, compare and
// hash: what was signed, as it was signed, and the one base64 text of the
// signature. It checks the shape and nothing else: neither signature nor
// content. The digest of a token and of its canonical spelling are the same.
func Canonical(token string) (string, error) {
	r, err := split(token)
	if err != nil {
		return "", err
	}
	if len(r.sig) != signatureSize {
		return "", fault(ErrSignature, "it is %d bytes long, not %d", len(r.sig), signatureSize)
	}
	var id identity
	if json.Unmarshal(r.payload, &id) != nil {
		return "", fault(ErrMalformed, "the claims are not a JSON object of the right types")
	}
	header := r.header
	if id.version() <= 1 {
		header = headerV1
	}
	return header + "." + r.body + "." + base64.RawURLEncoding.EncodeToString(r.sig), nil
}
