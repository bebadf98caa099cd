package resolver_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"slices"
	"testing"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/claims"
)

var background = context.Background()

// key makes key pair n of a kind, the same in every run.
func key(t testing.TB, kind nkeys.PrefixByte, n int) nkeys.KeyPair {
	t.Helper()
	seed := make([]byte, ed25519.SeedSize)
	copy(seed, []byte{byte(kind), byte(n), byte(n >> 8)})
	p, err := nkeys.FromRawSeed(kind, seed)
	require.NoError(t, err)
	return p
}

func public(t testing.TB, p nkeys.KeyPair) string {
	t.Helper()
	text, err := p.PublicKey()
	require.NoError(t, err)
	return text
}

// account is the public key of account n.
func account(t testing.TB, n int) string {
	t.Helper()
	return public(t, key(t, nkeys.PrefixByteAccount, n))
}

// token makes a token for account n. The libraries set iat from a clock, so the parts are put together here.
func token(t testing.TB, n int, iat int64, name string) string {
	t.Helper()
	operator := key(t, nkeys.PrefixByteOperator, 0)
	c := jwt.NewAccountClaims(account(t, n))
	c.Issuer, c.IssuedAt, c.Name, c.Type, c.Version = public(t, operator), iat, name, jwt.AccountClaim, 2
	return sign(t, operator, c)
}

func sign(t testing.TB, p nkeys.KeyPair, c any) string {
	t.Helper()
	body, err := json.Marshal(c)
	require.NoError(t, err)
	e := base64.RawURLEncoding
	text := e.EncodeToString([]byte(`{"typ":"JWT","alg":"ed25519-nkey"}`)) + "." + e.EncodeToString(body)
	sig, err := p.Sign([]byte(text))
	require.NoError(t, err)
	return text + "." + e.EncodeToString(sig)
}

// twins are two tokens of one account and one second, the lesser digest first.
func twins(t testing.TB, n int, iat int64) (lesser, greater string) {
	t.Helper()
	both := []string{token(t, n, iat, "one"), token(t, n, iat, "two")}
	slices.SortFunc(both, func(a, b string) int {
		x, y := digest(t, a), digest(t, b)
		return bytes.Compare(x[:], y[:])
	})
	require.NotEqual(t, digest(t, both[0]), digest(t, both[1]))
	return both[0], both[1]
}

func digest(t testing.TB, token string) claims.Digest {
	t.Helper()
	a, err := claims.ParseAccount(token)
	require.NoError(t, err)
	return a.Digest
}

// respelt is the same token in another spelling: base64 skips a line break.
func respelt(token string) string { return token[:len(token)-10] + "\n" + token[len(token)-10:] }
