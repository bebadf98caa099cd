package authtest

import (
	"crypto/rand"
	"crypto/sha256"
	"time"

	"github.com/nats-io/nkeys"
)

// Now is the time of the kit: noon UTC of 5 January 2026, a Monday. It has the
// shape of auth.Config.Clock.
func Now() time.Time { return time.Date(2026, time.January, 5, 12, 0, 0, 0, time.UTC) }

// issued is the iat of every token that is not told otherwise.
func issued() time.Time { return Now().Add(-time.Hour) }

// Key gives the key pair of a kind that belongs to a path: the same in every run.
// The paths of a chain are "O", "O/A" and "O/A/u", and "O/A#sk" for a signing
// key; any other text is as good, for strangers and proxies. It panics for a kind
// that nkeys does not have.
func Key(kind nkeys.PrefixByte, path string) nkeys.KeyPair {
	seed := sha256.Sum256([]byte("natsauth authtest " + path))
	pair, err := nkeys.FromRawSeed(kind, seed[:])
	if err != nil {
		panic("authtest: no key pair of this kind: " + err.Error())
	}
	return pair
}

// public is the text of a pair's public key.
func public(pair nkeys.KeyPair) string {
	key, err := pair.PublicKey()
	if err != nil {
		panic("authtest: a key pair without a public key: " + err.Error())
	}
	return key
}

func randomPath() string { return rand.Text() }
