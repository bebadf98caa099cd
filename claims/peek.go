package claims

import "encoding/json"

// Peeked is what a token says of itself, and nobody has verified: for stores, of tokens that were verified when they came,
// and for logs. The times are in seconds since 1970; no Expires is 0.
type Peeked struct {
	Subject  string `json:"sub"`
	Issuer   string `json:"iss"`
	IssuedAt int64  `json:"iat"`
	Expires  int64  `json:"exp"`
}

// Peek reads a token of any kind without its signature. It says nothing of trust, and not even that the token is one:
// [ParseAccount] and the others do. The error is [ErrSize] or [ErrMalformed].
func Peek(token string) (Peeked, error) {
	r, err := split(token)
	if err != nil {
		return Peeked{}, err
	}
	var p Peeked
	if json.Unmarshal(r.payload, &p) != nil {
		return Peeked{}, fault(ErrMalformed, "the claims are not a JSON object of the right types")
	}
	return p, nil
}
