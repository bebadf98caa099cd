package claims

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// The classes of what can be wrong with a token. Every error of a parser is an
// [*Error] of one of them; use errors.Is.
var (
	// ErrSize: the token is larger than [MaxTokenSize].
	ErrSize = errors.New("claims: token is too large")
	// ErrMalformed: not three chunks, not base64url, not JSON, another header,
	// an unknown version, or a field of the wrong type.
	ErrMalformed = errors.New("claims: token is malformed")
	// ErrKind: a good token of another kind, an account token for a user say.
	ErrKind = errors.New("claims: token is of another kind")
	// ErrSignature: the signature is not that of the key in iss.
	ErrSignature = errors.New("claims: token has a wrong signature")
	// ErrIssuer: iss is not a public key, or not of a kind that may issue such
	// tokens (operator: O; account: O or A; user: A; activation: O or A).
	ErrIssuer = errors.New("claims: token has a wrong kind of issuer")
	// ErrInvalid: the token can be read, and its content breaks a rule: a key of
	// the wrong kind, a bad subject, address, time or limit.
	ErrInvalid = errors.New("claims: token has invalid content")
)

// Error is why a token was refused. Its text is short and never holds the token,
// a signature or a seed, whatever the token has for content. It wraps one of the
// classes above.
type Error struct {
	Class  error  // one of ErrSize, ErrMalformed, ErrKind, ErrSignature, ErrIssuer, ErrInvalid
	Detail string // what was wrong, for people
}

// Error gives class and detail.
func (e *Error) Error() string { return e.Class.Error() + ": " + e.Detail }

// Unwrap gives the class.
func (e *Error) Unwrap() error { return e.Class }

func fault(class error, format string, args ...any) error {
	return &Error{Class: class, Detail: plain(fmt.Sprintf(format, args...))}
}

// maxDetail is how many bytes of text are for people to read, maxScan how many
// are looked through for them.
const (
	maxDetail = 512
	maxScan   = 16 * maxDetail
)

// secret is what seeds, private keys and tokens look like, should one stand
// where a name or a key belongs.
var secret = regexp.MustCompile(`\b[SP][A-Z2-7]{50,}|eyJ[\w-]{17,}(\.[\w-]*)*`)

// plain cuts a text that quotes a token's content down to what may be logged.
// The first cut is made between words, so that no half of a secret is left.
func plain(text string) string {
	if len(text) > maxScan {
		text = strings.TrimRightFunc(text[:maxScan], isWord)
	}
	text = secret.ReplaceAllLiteralString(text, "(hidden)")
	if len(text) > maxDetail {
		text = strings.ToValidUTF8(text[:maxDetail], "") + "..."
	}
	return text
}

// isWord is true for what secrets are made of.
func isWord(r rune) bool {
	return r == '-' || r == '_' || r == '.' || unicode.IsLetter(r) || unicode.IsDigit(r)
}
