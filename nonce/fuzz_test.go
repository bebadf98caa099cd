package nonce_test

import (
	"encoding/base64"
	"errors"
	"testing"

	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/nonce"
)

// reference is nats-server's rule for a user (v2.15 server/auth.go processClientOrLeafAuthentication) in other words:
// unpadded URL alphabet, else padded standard; then the key; then the match.
func reference(over, key, sig string) bool {
	raw, err := base64.RawURLEncoding.DecodeString(sig)
	if err != nil {
		raw, err = base64.StdEncoding.DecodeString(sig)
	}
	return err == nil && nkeys.IsValidPublicUserKey(key) && matches(over, key, raw)
}

// referenceProxy is its rule for a proxy (server/auth.go proxyCheck): unpadded URL alphabet, a key of any kind.
func referenceProxy(over, key, sig string) bool {
	raw, err := base64.RawURLEncoding.DecodeString(sig)
	return err == nil && matches(over, key, raw)
}

func matches(over, key string, raw []byte) bool {
	pub, err := nkeys.FromPublicKey(key)
	return err == nil && pub.Verify([]byte(over), raw) == nil
}

// refusals are all the errors that a check may give.
var refusals = []error{nonce.ErrNonce, nonce.ErrNoSignature, nonce.ErrEncoding, nonce.ErrKey, nonce.ErrMismatch}

func isRefusal(err error) bool {
	for _, r := range refusals {
		if errors.Is(err, r) {
			return true
		}
	}
	return false
}

// FuzzVerify holds acceptance to nats-server's rule for any bytes, refusals to the five errors, and the three ways of
// asking to one another.
func FuzzVerify(f *testing.F) {
	user := pair(f, nkeys.PrefixByteUser)
	raw := rawSig(f, user, text)
	key := public(f, user)
	for _, sig := range []string{
		base64.RawURLEncoding.EncodeToString(raw), base64.StdEncoding.EncodeToString(raw),
		base64.RawStdEncoding.EncodeToString(raw), base64.URLEncoding.EncodeToString(raw),
		broken(base64.RawURLEncoding)(raw), broken(base64.StdEncoding)(raw), loose(base64.RawURLEncoding)(raw), "", "=",
	} {
		f.Add(sig, key)
	}
	f.Add(base64.RawURLEncoding.EncodeToString(raw), encodeKey(f, nkeys.PrefixByteUser, raw))
	f.Add(base64.RawURLEncoding.EncodeToString(raw), key[:30]+"\n"+key[30:])

	f.Fuzz(func(t *testing.T, sig, key string) {
		err := nonce.Verify(text, key, sig)
		require.True(t, err == nil || isRefusal(err), "%v", err)
		wanted := len(key) == 56 && reference(text, key, sig) // one spelling of a key, see Key
		require.Equal(t, wanted, err == nil)

		proxy := nonce.VerifyProxy(text, key, sig)
		require.True(t, proxy == nil || isRefusal(proxy), "%v", proxy)
		require.False(t, proxy == nil && !referenceProxy(text, key, sig))

		decoded, keyErr := nonce.Key(key)
		require.Equal(t, keyErr == nil, decoded != nil)
		require.Equal(t, keyErr == nil, len(key) == 56 && nkeys.IsValidPublicUserKey(key))
		require.Equal(t, err, nonce.VerifyKey(text, decoded, sig))
	})
}
