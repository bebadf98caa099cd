package nonce_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/nonce"
)

// text is a fixed connection text, so that tables can be read.
const text = "PXoWU7zWAMt75FY"

// pair makes the same key pair of a kind in every run.
func pair(t testing.TB, kind nkeys.PrefixByte) nkeys.KeyPair {
	t.Helper()
	seed := make([]byte, ed25519.SeedSize)
	for i := range seed {
		seed[i] = byte(kind) + byte(i)
	}
	p, err := nkeys.FromRawSeed(kind, seed)
	require.NoError(t, err)
	return p
}

func public(t testing.TB, p nkeys.KeyPair) string {
	t.Helper()
	key, err := p.PublicKey()
	require.NoError(t, err)
	return key
}

// rawSig signs with the key pair itself, apart from the code under test.
func rawSig(t testing.TB, p nkeys.KeyPair, over string) []byte {
	t.Helper()
	raw, err := p.Sign([]byte(over))
	require.NoError(t, err)
	require.Len(t, raw, ed25519.SignatureSize)
	return raw
}

func encodeKey(t testing.TB, kind nkeys.PrefixByte, raw []byte) string {
	t.Helper()
	key, err := nkeys.Encode(kind, raw)
	require.NoError(t, err)
	return string(key)
}

func TestNewIsElevenRandomBytes(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		n := nonce.New()
		require.Len(t, n, 15)
		raw, err := base64.RawURLEncoding.Strict().DecodeString(n)
		require.NoError(t, err)
		require.Len(t, raw, 11)
		require.False(t, seen[n], "a text came twice")
		seen[n] = true
	}
}

func TestSign(t *testing.T) {
	user := pair(t, nkeys.PrefixByteUser)
	sig, err := nonce.Sign(text, user)
	require.NoError(t, err)

	// The characters are signed, not the bytes they encode, and spelled without padding in the URL alphabet.
	require.Equal(t, base64.RawURLEncoding.EncodeToString(rawSig(t, user, text)), sig)
	require.NoError(t, nonce.Verify(text, public(t, user), sig))
}

func TestSignRefuses(t *testing.T) {
	user := pair(t, nkeys.PrefixByteUser)
	verifyOnly, err := nkeys.FromPublicKey(public(t, user))
	require.NoError(t, err)
	wiped, err := nkeys.CreateUser()
	require.NoError(t, err)
	wiped.Wipe()
	curve, err := nkeys.CreateCurveKeys()
	require.NoError(t, err)

	for _, row := range []struct {
		name  string
		nonce string
		user  nkeys.KeyPair
		want  error
	}{
		{"no text", "", user, nonce.ErrNonce},
		{"text of 14 characters", text[:14], user, nonce.ErrNonce},
		{"text of 15 characters", text, user, nil},
		{"text of 16 characters", text + "x", user, nil},
		{"text is judged before the key", "", nil, nonce.ErrNonce},
		{"nil pair", text, nil, nonce.ErrKey},
		{"account pair", text, pair(t, nkeys.PrefixByteAccount), nonce.ErrKey},
		{"operator pair", text, pair(t, nkeys.PrefixByteOperator), nonce.ErrKey},
		{"curve pair", text, curve, nonce.ErrKey},
		{"pair without a private key", text, verifyOnly, nonce.ErrKey},
		{"wiped pair", text, wiped, nonce.ErrKey},
	} {
		t.Run(row.name, func(t *testing.T) {
			sig, err := nonce.Sign(row.nonce, row.user)
			require.ErrorIs(t, err, row.want)
			require.Equal(t, row.want == nil, sig != "")
		})
	}
}

func TestErrorsAreDistinctAndSayNoSecret(t *testing.T) {
	all := []error{nonce.ErrNonce, nonce.ErrNoSignature, nonce.ErrEncoding, nonce.ErrKey, nonce.ErrMismatch}
	for i, a := range all {
		require.True(t, strings.HasPrefix(a.Error(), "nonce: "), a.Error())
		for j, b := range all {
			require.Equal(t, i == j, errors.Is(a, b), "%v and %v", a, b)
		}
	}

	user := pair(t, nkeys.PrefixByteUser)
	other := pair(t, nkeys.PrefixByteServer)
	sig, err := nonce.Sign(text, user)
	require.NoError(t, err)
	for _, err := range []error{
		nonce.Verify(text, public(t, user), sig+"!"),
		nonce.Verify(text, public(t, other), sig),
		nonce.Verify(text+"x", public(t, user), sig),
	} {
		require.Error(t, err)
		for _, secret := range []string{text, sig, public(t, user), public(t, other)} {
			require.NotContains(t, err.Error(), secret)
		}
	}
	require.EqualError(t, nonce.ErrMismatch, "nonce: signature does not match")
}
