package peer

import (
	"encoding/base64"
	"fmt"

	"github.com/nats-io/nkeys"
)

// User is a client's token and the seed of its key. The zero User has neither:
// it sends CONNECT without a token and signs nothing.
type User struct {
	JWT  string
	Seed []byte
}

// String names the type only: a seed is a secret.
func (User) String() string { return "peer.User" }

// GoString is [User.String].
func (u User) GoString() string { return u.String() }

// Sign gives the signature over a nonce as clients send it: base64url without
// padding; empty without a seed or a nonce.
func (u User) Sign(nonce string) (string, error) {
	raw, err := u.Signature(nonce)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(raw), nil
}

// Signature gives the bytes of the signature over a nonce; none without a seed or
// a nonce.
func (u User) Signature(nonce string) ([]byte, error) {
	if len(u.Seed) == 0 || nonce == "" {
		return nil, nil
	}
	pair, err := nkeys.FromSeed(u.Seed)
	if err != nil {
		return nil, fmt.Errorf("peer: user: %w", err)
	}
	return pair.Sign([]byte(nonce))
}
