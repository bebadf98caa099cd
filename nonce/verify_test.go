package nonce_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/nonce"
)

// spelt finds a text whose signature has a '-' or '_' in the URL alphabet, so that the two alphabets differ.
func spelt(t testing.TB, p nkeys.KeyPair) (over string, raw []byte) {
	t.Helper()
	for c := 'A'; c <= 'Z'; c++ {
		over, raw = text+string(c), rawSig(t, p, text+string(c))
		if strings.ContainsAny(base64.RawURLEncoding.EncodeToString(raw), "-_") {
			return over, raw
		}
	}
	t.Fatal("no text found")
	return "", nil
}

func TestVerifySpellings(t *testing.T) {
	user, proxy := pair(t, nkeys.PrefixByteUser), pair(t, nkeys.PrefixByteServer)
	over, raw := spelt(t, user)
	proxyOver, proxyRaw := spelt(t, proxy)

	for _, row := range []struct {
		name      string
		spell     func(raw []byte) string
		want      error // for a user
		wantProxy error
	}{
		{"URL alphabet", base64.RawURLEncoding.EncodeToString, nil, nil},
		{"standard alphabet, padded", base64.StdEncoding.EncodeToString, nil, nonce.ErrEncoding},
		{"standard alphabet", base64.RawStdEncoding.EncodeToString, nonce.ErrEncoding, nonce.ErrEncoding},
		{"URL alphabet, padded", base64.URLEncoding.EncodeToString, nonce.ErrEncoding, nonce.ErrEncoding},
		{"line breaks in the URL alphabet", broken(base64.RawURLEncoding), nil, nil},
		{"line breaks in padded standard", broken(base64.StdEncoding), nil, nonce.ErrEncoding},
		{"unused bits set", loose(base64.RawURLEncoding), nil, nil},
		{"spaces", spaced, nonce.ErrEncoding, nonce.ErrEncoding},
		{"hexadecimal length", func([]byte) string { return strings.Repeat("0f", 64) }, nonce.ErrEncoding, nonce.ErrEncoding},
		{"raw bytes", func(raw []byte) string { return string(raw) }, nonce.ErrEncoding, nonce.ErrEncoding},
		{"63 bytes", shorter(base64.RawURLEncoding), nonce.ErrEncoding, nonce.ErrEncoding},
		{"63 bytes, standard", shorter(base64.StdEncoding), nonce.ErrEncoding, nonce.ErrEncoding},
		{"65 bytes", longer(base64.RawURLEncoding), nonce.ErrEncoding, nonce.ErrEncoding},
		{"65 bytes, padded standard", longer(base64.StdEncoding), nonce.ErrEncoding, nonce.ErrEncoding},
		{"66 bytes", func(raw []byte) string { return longer(base64.RawURLEncoding)(append(raw[:64:64], 0)) }, nonce.ErrEncoding, nonce.ErrEncoding},
		{"more after the padding", func(raw []byte) string { return base64.StdEncoding.EncodeToString(raw) + "A" }, nonce.ErrEncoding, nonce.ErrEncoding},
		{"nothing", func([]byte) string { return "" }, nonce.ErrNoSignature, nonce.ErrNoSignature},
		{"line breaks only", func([]byte) string { return "\r\n" }, nonce.ErrEncoding, nonce.ErrEncoding},
		{"a megabyte of line breaks before", func(raw []byte) string {
			return strings.Repeat("\n", 1<<20) + base64.RawURLEncoding.EncodeToString(raw)
		}, nil, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			sig := row.spell(raw)
			require.ErrorIs(t, nonce.Verify(over, public(t, user), sig), row.want)
			key, err := nonce.Key(public(t, user))
			require.NoError(t, err)
			require.ErrorIs(t, nonce.VerifyKey(over, key, sig), row.want)
			require.Equal(t, reference(over, public(t, user), sig), row.want == nil)

			proxySig := row.spell(proxyRaw)
			require.ErrorIs(t, nonce.VerifyProxy(proxyOver, public(t, proxy), proxySig), row.wantProxy)
			require.Equal(t, referenceProxy(proxyOver, public(t, proxy), proxySig), row.wantProxy == nil)
		})
	}
}

// Where two spellings coincide, the one that is not accepted by name is accepted all the same: nats-server cannot tell
// either. A signature without '-' and '_' reads the same in both alphabets.
func TestVerifySpellingsThatCoincide(t *testing.T) {
	user := pair(t, nkeys.PrefixByteUser)
	for n := range 10000 {
		over := text + strings.Repeat("x", n%100) + base64.RawURLEncoding.EncodeToString([]byte{byte(n), byte(n >> 8)})
		raw := rawSig(t, user, over)
		if strings.ContainsAny(base64.RawURLEncoding.EncodeToString(raw), "-_") {
			continue
		}
		require.NoError(t, nonce.Verify(over, public(t, user), base64.RawStdEncoding.EncodeToString(raw)))
		require.NoError(t, nonce.Verify(over, public(t, user), base64.URLEncoding.EncodeToString(raw)))
		return
	}
	t.Fatal("no signature found that reads the same in both alphabets")
}

func TestVerifyOrder(t *testing.T) {
	user := pair(t, nkeys.PrefixByteUser)
	key, sig := public(t, user), base64.RawURLEncoding.EncodeToString(rawSig(t, user, text))
	other, err := nkeys.CreateUser()
	require.NoError(t, err)
	short := base64.RawURLEncoding.EncodeToString(rawSig(t, user, text[:14]))

	for _, row := range []struct {
		name, nonce, key, sig string
		want                  error
	}{
		{"all good", text, key, sig, nil},
		{"all empty", "", "", "", nonce.ErrNonce},
		{"text of 14 characters, properly signed", text[:14], key, short, nonce.ErrNonce},
		{"text good, the rest empty", text, "", "", nonce.ErrNoSignature},
		{"signature no base64, key empty", text, "", "!", nonce.ErrEncoding},
		{"signature well spelled, key empty", text, "", sig, nonce.ErrKey},
		{"key of somebody else", text, public(t, other), sig, nonce.ErrMismatch},
		{"text of another connection", "QXoWU7zWAMt75FY", key, sig, nonce.ErrMismatch},
		{"text longer than was signed", text + "A", key, sig, nonce.ErrMismatch},
		{"signature over the decoded bytes", text, key, overBytes(t, user), nonce.ErrMismatch},
	} {
		t.Run(row.name, func(t *testing.T) {
			require.ErrorIs(t, nonce.Verify(row.nonce, row.key, row.sig), row.want)
			require.ErrorIs(t, nonce.VerifyProxy(row.nonce, row.key, row.sig), row.want)
			raw, err := nonce.Key(row.key)
			if err != nil {
				require.Nil(t, raw) // and nil stands in for the empty key of the row
			}
			require.ErrorIs(t, nonce.VerifyKey(row.nonce, raw, row.sig), row.want)
		})
	}
}

func TestVerifyEveryByteCounts(t *testing.T) {
	user := pair(t, nkeys.PrefixByteUser)
	raw := rawSig(t, user, text)
	for i := range raw {
		for bit := range 8 {
			bad := append([]byte{}, raw...)
			bad[i] ^= 1 << bit
			err := nonce.Verify(text, public(t, user), base64.RawURLEncoding.EncodeToString(bad))
			require.ErrorIs(t, err, nonce.ErrMismatch, "byte %d, bit %d", i, bit)
		}
	}
}

func TestVerifyProxyTakesKeysOfEveryKind(t *testing.T) {
	kinds := []nkeys.PrefixByte{
		nkeys.PrefixByteOperator, nkeys.PrefixByteAccount, nkeys.PrefixByteUser,
		nkeys.PrefixByteServer, nkeys.PrefixByteCluster,
	}
	for _, kind := range kinds {
		p := pair(t, kind)
		sig := base64.RawURLEncoding.EncodeToString(rawSig(t, p, text))
		require.NoError(t, nonce.VerifyProxy(text, public(t, p), sig), kind)
		require.ErrorIs(t, nonce.VerifyProxy(nonce.New(), public(t, p), sig), nonce.ErrMismatch, kind)
		require.True(t, referenceProxy(text, public(t, p), sig), kind)
	}

	// A curve key cannot sign. It is a key nevertheless, and never the one that signed.
	curve, err := nkeys.CreateCurveKeys()
	require.NoError(t, err)
	sig := base64.RawURLEncoding.EncodeToString(rawSig(t, pair(t, nkeys.PrefixByteServer), text))
	require.ErrorIs(t, nonce.VerifyProxy(text, public(t, curve), sig), nonce.ErrMismatch)

	seed, err := pair(t, nkeys.PrefixByteServer).Seed()
	require.NoError(t, err)
	private, err := pair(t, nkeys.PrefixByteServer).PrivateKey()
	require.NoError(t, err)
	raw, err := nkeys.Decode(nkeys.PrefixByteServer, []byte(public(t, pair(t, nkeys.PrefixByteServer))))
	require.NoError(t, err)
	for _, bad := range []string{
		"", "x", string(seed), string(private), flipLast(public(t, curve)),
		encodeKey(t, nkeys.PrefixBytePrivate, raw), encodeKey(t, nkeys.PrefixByteSeed, raw), // as long as a public key
	} {
		require.ErrorIs(t, nonce.VerifyProxy(text, bad, sig), nonce.ErrKey)
		require.False(t, referenceProxy(text, bad, sig))
	}
}

func TestVerifyKeyAllocatesNothing(t *testing.T) {
	user := pair(t, nkeys.PrefixByteUser)
	key, err := nonce.Key(public(t, user))
	require.NoError(t, err)
	raw := rawSig(t, user, text)

	for _, row := range []struct {
		name, nonce, sig string
		want             error
	}{
		{"URL alphabet", text, base64.RawURLEncoding.EncodeToString(raw), nil},
		{"padded", text, base64.StdEncoding.EncodeToString(raw), nil},
		{"line breaks", text, broken(base64.StdEncoding)(raw), nil},
		{"no signature", text, "", nonce.ErrNoSignature},
		{"too long", text, strings.Repeat("A", 1<<16), nonce.ErrEncoding},
	} {
		t.Run(row.name, func(t *testing.T) {
			var got error
			allocs := testing.AllocsPerRun(20, func() { got = nonce.VerifyKey(row.nonce, key, row.sig) })
			require.ErrorIs(t, got, row.want)
			require.Zero(t, allocs)
		})
	}
}

// overBytes signs the bytes that the text encodes, which is not what a client does.
func overBytes(t testing.TB, p nkeys.KeyPair) string {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(text)
	require.NoError(t, err)
	return base64.RawURLEncoding.EncodeToString(rawSig(t, p, string(raw)))
}

func broken(e *base64.Encoding) func([]byte) string {
	return func(raw []byte) string {
		s := e.EncodeToString(raw)
		return "\n" + s[:1] + "\r\n" + s[1:85] + "\r" + s[85:] + "\n\n"
	}
}

// loose sets the bits of the last character that carry nothing.
func loose(e *base64.Encoding) func([]byte) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return func(raw []byte) string {
		s := e.EncodeToString(raw)
		last := strings.IndexByte(alphabet, s[len(s)-1])
		return s[:len(s)-1] + alphabet[last|15:last|15+1]
	}
}

func spaced(raw []byte) string {
	s := base64.RawURLEncoding.EncodeToString(raw)
	return s[:40] + " " + s[40:]
}

func shorter(e *base64.Encoding) func([]byte) string {
	return func(raw []byte) string { return e.EncodeToString(raw[:63]) }
}

func longer(e *base64.Encoding) func([]byte) string {
	return func(raw []byte) string { return e.EncodeToString(append(raw[:len(raw):len(raw)], 0)) }
}
