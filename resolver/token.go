package resolver

import (
	"fmt"

	"github.com/natsauth/natsauth/claims"
)

// Token is an account token as a [Store] needs it. The zero Token is none.
type Token struct {
	Account string // the public key
	Text    string // in canonical spelling, which is what is kept and hashed
	Mark    Mark
	Expires int64 // seconds since 1970; 0: never
}

// ReadToken reads a token in any spelling, with the signature of whoever has issued it, but says nothing of trust. The error
// wraps [ErrToken] and the reason, and never holds the token. Stores call it for what is saved.
func ReadToken(token string) (Token, error) {
	a, err := claims.ParseAccount(token)
	if err != nil {
		return Token{}, fmt.Errorf("%w: %w", ErrToken, err)
	}
	text, err := claims.Canonical(token)
	if err != nil {
		return Token{}, fmt.Errorf("%w: %w", ErrToken, err)
	}
	return Token{Account: a.Key, Text: text, Mark: Mark{a.IssuedAt, a.Digest}, Expires: a.Expires}, nil
}
