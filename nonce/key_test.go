package nonce_test

import (
	"crypto/ed25519"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/nonce"
)

func TestKey(t *testing.T) {
	good := public(t, pair(t, nkeys.PrefixByteUser))
	raw, err := nkeys.Decode(nkeys.PrefixByteUser, []byte(good))
	require.NoError(t, err)
	seed, err := pair(t, nkeys.PrefixByteUser).Seed()
	require.NoError(t, err)

	for _, row := range []struct {
		name string
		key  string
		want error
	}{
		{"user key", good, nil},
		{"nothing", "", nonce.ErrKey},
		{"account key", public(t, pair(t, nkeys.PrefixByteAccount)), nonce.ErrKey},
		{"operator key", public(t, pair(t, nkeys.PrefixByteOperator)), nonce.ErrKey},
		{"server key", public(t, pair(t, nkeys.PrefixByteServer)), nonce.ErrKey},
		{"cluster key", public(t, pair(t, nkeys.PrefixByteCluster)), nonce.ErrKey},
		{"curve key of the same bytes", encodeKey(t, nkeys.PrefixByteCurve, raw), nonce.ErrKey},
		{"seed of the user", string(seed), nonce.ErrKey},
		{"kind one bit off, right checksum", oddKind(raw), nonce.ErrKey},
		{"checksum wrong", flipLast(good), nonce.ErrKey},
		{"lower case", strings.ToLower(good), nonce.ErrKey},
		{"padded", good + "=", nonce.ErrKey},
		{"line break after", good + "\n", nonce.ErrKey},
		{"line break inside", good[:20] + "\r\n" + good[20:], nonce.ErrKey},
		{"56 characters, one of them a line break", good[:20] + "\n" + good[20:55], nonce.ErrKey},
		{"space before", " " + good, nonce.ErrKey},
	} {
		t.Run(row.name, func(t *testing.T) {
			key, err := nonce.Key(row.key)
			require.ErrorIs(t, err, row.want)
			if row.want != nil {
				require.Nil(t, key)
				return
			}
			require.Equal(t, ed25519.PublicKey(raw), key)
		})
	}
}

// Every wrong length has the right kind and the right checksum here, so that only the length can refuse it.
func TestKeyOfWrongLength(t *testing.T) {
	sig, err := nonce.Sign(text, pair(t, nkeys.PrefixByteUser))
	require.NoError(t, err)
	for n := range 130 {
		raw := make([]byte, n)
		for i := range raw {
			raw[i] = byte(i + 7)
		}
		key := encodeKey(t, nkeys.PrefixByteUser, raw)
		want, over := nonce.ErrKey, nonce.ErrKey
		if n == ed25519.PublicKeySize {
			want, over = nil, nonce.ErrMismatch
		}
		_, err := nonce.Key(key)
		require.ErrorIs(t, err, want, "%d bytes", n)
		require.ErrorIs(t, nonce.Verify(text, key, sig), over, "%d bytes", n)
		require.ErrorIs(t, nonce.VerifyProxy(text, key, sig), over, "%d bytes", n)
		require.ErrorIs(t, nonce.VerifyKey(text, raw, sig), over, "%d bytes", n)
	}
}

func TestProxyKey(t *testing.T) {
	good := public(t, pair(t, nkeys.PrefixByteServer))
	raw, err := nkeys.Decode(nkeys.PrefixByteServer, []byte(good))
	require.NoError(t, err)
	for _, kind := range []nkeys.PrefixByte{
		nkeys.PrefixByteOperator, nkeys.PrefixByteAccount, nkeys.PrefixByteUser,
		nkeys.PrefixByteServer, nkeys.PrefixByteCluster, nkeys.PrefixByteCurve,
	} {
		key, err := nonce.ProxyKey(encodeKey(t, kind, raw))
		require.NoError(t, err, kind)
		require.Equal(t, ed25519.PublicKey(raw), key)
	}
	for _, bad := range []string{
		"", good[:55], flipLast(good), good[:20] + "\n" + good[20:], oddKind(raw),
		encodeKey(t, nkeys.PrefixBytePrivate, raw), encodeKey(t, nkeys.PrefixByteSeed, raw),
		encodeKey(t, nkeys.PrefixByteServer, raw[:31]),
	} {
		key, err := nonce.ProxyKey(bad)
		require.ErrorIs(t, err, nonce.ErrKey, "%q", bad)
		require.Nil(t, key)
	}
}

// smallOrder are points under which one signature is good for many texts.
var smallOrder = []string{
	"0000000000000000000000000000000000000000000000000000000000000000",
	"0100000000000000000000000000000000000000000000000000000000000000",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
}

func TestKeyOfSmallOrder(t *testing.T) {
	kinds := []nkeys.PrefixByte{nkeys.PrefixByteUser, nkeys.PrefixByteServer, nkeys.PrefixByteCurve}
	for _, h := range smallOrder {
		raw, err := hex.DecodeString(h)
		require.NoError(t, err)
		sig := strings.Repeat("A", 86)
		_, err = nonce.Key(encodeKey(t, nkeys.PrefixByteUser, raw))
		require.ErrorIs(t, err, nonce.ErrKey, h)
		for _, kind := range kinds {
			name := fmt.Sprint(kind, " ", h)
			require.ErrorIs(t, nonce.VerifyProxy(text, encodeKey(t, kind, raw), sig), nonce.ErrKey, name)
		}
	}
}

// oddKind spells a user key whose kind byte has a low bit set, with the checksum of just that.
func oddKind(raw []byte) string {
	body := append([]byte{byte(nkeys.PrefixByteUser) | 1}, raw...)
	sum := crc16(body)
	return base32NoPad(append(body, byte(sum), byte(sum>>8)))
}

func flipLast(key string) string {
	last := byte('A')
	if strings.HasSuffix(key, "A") {
		last = 'B'
	}
	return key[:len(key)-1] + string(last)
}
