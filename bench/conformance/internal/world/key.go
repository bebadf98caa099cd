package world

import (
	"math/rand/v2"

	"github.com/nats-io/nkeys"
)

// Key is a key pair that was derived from a seed. The zero Key signs nothing.
type Key struct {
	Public string
	pair   nkeys.KeyPair
}

// newKey derives a key of a kind.
func newKey(r *rand.Rand, kind nkeys.PrefixByte) Key {
	raw := make([]byte, 32)
	for i := range raw {
		raw[i] = byte(r.Uint32())
	}
	pair := must(nkeys.FromRawSeed(kind, raw))
	return Key{Public: must(pair.PublicKey()), pair: pair}
}

// Seed is the secret half, as a creds file holds it.
func (k Key) Seed() []byte {
	if k.pair == nil {
		return nil
	}
	return must(k.pair.Seed())
}

// Sign signs bytes.
func (k Key) Sign(text []byte) []byte { return must(k.pair.Sign(text)) }

// String names the public half.
func (k Key) String() string { return k.Public }

// GoString is [Key.String].
func (k Key) GoString() string { return k.Public }

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
