package resolvertest

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"github.com/natsauth/natsauth/claims"
)

// Pair gives key pair n of a kind, the same in every run.
func Pair(t testing.TB, kind nkeys.PrefixByte, n int) nkeys.KeyPair {
	t.Helper()
	seed := make([]byte, ed25519.SeedSize)
	copy(seed, fmt.Sprint(kind, " ", n))
	p, err := nkeys.FromRawSeed(kind, seed)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Operator gives the public key that signs every [Token].
func Operator(t testing.TB) string {
	t.Helper()
	return public(t, Pair(t, nkeys.PrefixByteOperator, 0))
}

// Account gives the public key of account n.
func Account(t testing.TB, n int) string {
	t.Helper()
	return public(t, Pair(t, nkeys.PrefixByteAccount, n))
}

// Token gives a token of account n that was issued at iat, in seconds since 1970. The edits change what it says before
// it is signed.
func Token(t testing.TB, n int, iat int64, edits ...func(*jwt.AccountClaims)) string {
	t.Helper()
	c := jwt.NewAccountClaims(Account(t, n))
	c.Issuer, c.IssuedAt, c.Type, c.Version = Operator(t), iat, jwt.AccountClaim, 2
	for _, edit := range edits {
		edit(c)
	}
	return Sign(t, Pair(t, nkeys.PrefixByteOperator, 0), c)
}

// Named gives a token's account a name: tokens that differ in nothing else have different digests.
func Named(name string) func(*jwt.AccountClaims) {
	return func(c *jwt.AccountClaims) { c.Name = name }
}

// Expires gives a token an end, in seconds since 1970.
func Expires(at int64) func(*jwt.AccountClaims) {
	return func(c *jwt.AccountClaims) { c.Expires = at }
}

// Sign makes a token of claims, as they are. The libraries would set iat from a clock.
func Sign(t testing.TB, p nkeys.KeyPair, c any) string {
	t.Helper()
	body, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	e := base64.RawURLEncoding
	text := e.EncodeToString([]byte(`{"typ":"JWT","alg":"ed25519-nkey"}`)) + "." + e.EncodeToString(body)
	sig, err := p.Sign([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + e.EncodeToString(sig)
}

// Twins gives two tokens of one account and one second, the lesser digest first.
func Twins(t testing.TB, n int, iat int64) (lesser, greater string) {
	t.Helper()
	one, two := Token(t, n, iat, Named("one")), Token(t, n, iat, Named("two"))
	x, y := parse(t, one).Digest, parse(t, two).Digest
	if bytes.Compare(x[:], y[:]) > 0 {
		return two, one
	}
	return one, two
}

// Respelt gives the same token in another spelling: base64 skips a line break.
func Respelt(token string) string { return token[:len(token)-10] + "\n" + token[len(token)-10:] }

func public(t testing.TB, p nkeys.KeyPair) string {
	t.Helper()
	text, err := p.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func parse(t testing.TB, token string) *claims.Account {
	t.Helper()
	a, err := claims.ParseAccount(token)
	if err != nil {
		t.Fatal(err)
	}
	return a
}
