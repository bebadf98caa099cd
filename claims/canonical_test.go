package claims_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/claims"
)

// spellings are texts of one token, the first of them the canonical one.
func spellings(token string, version int) map[string]string {
	part := strings.Split(token, ".")
	head, sig := part[0]+"."+part[1]+".", part[2]
	all := map[string]string{
		"as it was made":                     token,
		"line break behind":                  token + "\n",
		"line breaks behind":                 token + "\r\n\r\n",
		"line break before the signature":    head + "\n" + sig,
		"line breaks inside the signature":   head + sig[:10] + "\r" + sig[10:40] + "\n\n" + sig[40:],
		"line break before the last letter":  head + sig[:85] + "\n" + sig[85:],
		"a spare bit of the last letter":     head + spare(sig, 1),
		"more spare bits of the last letter": head + spare(sig, 15),
		"spare bits and line breaks":         head + "\n" + spare(sig, 7) + "\r",
	}
	if version == 1 {
		for _, h := range []string{`{"typ":"JWT","alg":"ed25519"}`, header2, `{"alg":"ED25519","typ":"jwt","x":1}`} {
			all["header "+h] = b64(h) + "." + part[1] + "." + sig
		}
		all["line break inside the header"] = part[0][:5] + "\r\n" + part[0][5:] + "." + part[1] + "." + sig
	}
	return all
}

// spare changes bits of the last letter of a signature's base64 that no byte depends on: 64 bytes are 86 letters,
// and the last one says four bits too many.
func spare(sig string, bits byte) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	n := byte(strings.IndexByte(letters, sig[85])) &^ 15
	return sig[:85] + string(letters[n|bits])
}

func TestB20OneTokenManySpellings(t *testing.T) {
	each(func(kind string) {
		for version, token := range map[int]string{1: mint1(t, kind, ""), 2: mint(t, kind, "")} {
			was, err := parsers[kind](t, token)
			require.NoError(t, err)
			seen := map[string]bool{}
			for name, text := range spellings(token, version) {
				t.Run(fmt.Sprintf("%s, version %d, %s", kind, version, name), func(t *testing.T) {
					seen[text] = true
					outcome(t, kind, text, nil)
					h, err := parsers[kind](t, text)
					require.NoError(t, err)
					require.Equal(t, was, h, "everything that is read is the same, the digest too")
					canonical, err := claims.Canonical(text)
					require.NoError(t, err)
					require.Equal(t, token, canonical)
				})
			}
			require.Greater(t, len(seen), 8, "spellings differ")
		}
	})
}

func TestB20OtherContentOtherDigest(t *testing.T) {
	digests := map[claims.Digest]string{}
	each(func(kind string) {
		for name, token := range map[string]string{
			"version 1":                  mint1(t, kind, ""),
			"version 2":                  mint(t, kind, ""),
			"version 2, another second":  mint(t, kind, `{"iat":1001}`),
			"version 2, another name":    mint(t, kind, `{"name":"n"}`),
			"version 2, another header":  sign2(t, `{"typ":"jwt","alg":"ed25519-nkey"}`, patch(t, keys().fill(base[kind]), "{}")),
			"version 2, a space more":    sign2(t, header2, patch(t, keys().fill(base[kind]), "{}")+" "),
			"version 1 by another field": sign1(t, header1, patch(t, keys().fill(base1[kind]), `{"x":1}`)),
		} {
			h, err := parsers[kind](t, token)
			require.NoError(t, err, kind+" "+name)
			require.NotZero(t, h.Digest)
			require.Empty(t, digests[h.Digest], kind+" "+name)
			digests[h.Digest] = kind + " " + name
			require.Len(t, h.Digest.String(), 64)
		}
	})
}

// Canonical looks at the shape alone: what it refuses has none.
func TestCanonicalRefuses(t *testing.T) {
	good := mint(t, "user", "")
	part := strings.Split(good, ".")
	for _, row := range []struct {
		name, token string
		want        error
	}{
		{"a token", good, nil},
		{"a token whose signature is wrong", part[0] + "." + part[1] + "." + strings.Repeat("A", 86), nil},
		{"a token of nobody", sign2(t, header2, `{}`), nil},
		{"two chunks", part[0] + "." + part[1], claims.ErrMalformed},
		{"four chunks", good + ".", claims.ErrMalformed},
		{"another algorithm", sign2(t, `{"typ":"JWT","alg":"none"}`, `{}`), claims.ErrMalformed},
		{"no JSON", sign2(t, header2, `x`), claims.ErrMalformed},
		{"JSON of the wrong type", sign2(t, header2, `{"type":1}`), claims.ErrMalformed},
		{"padding", good + "==", claims.ErrMalformed},
		{"no signature", part[0] + "." + part[1] + ".", claims.ErrSignature},
		{"signature a byte short", part[0] + "." + part[1] + "." + strings.Repeat("A", 84), claims.ErrSignature},
		{"signature a byte long", part[0] + "." + part[1] + "." + strings.Repeat("A", 87), claims.ErrSignature},
	} {
		t.Run(row.name, func(t *testing.T) {
			text, err := claims.Canonical(row.token)
			require.ErrorIs(t, err, row.want)
			if row.want != nil {
				require.Empty(t, text)
				return
			}
			again, err := claims.Canonical(text)
			require.NoError(t, err)
			require.Equal(t, text, again)
		})
	}
}

// fixtures are the real tokens, by file name.
func fixtures(t testing.TB) map[string]string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.jwt")
	require.NoError(t, err)
	negative, err := filepath.Glob("testdata/negative/*.jwt")
	require.NoError(t, err)
	require.Greater(t, len(files), 20)
	require.Greater(t, len(negative), 30)
	all := map[string]string{}
	for _, f := range append(files, negative...) {
		text, err := os.ReadFile(f)
		require.NoError(t, err)
		all[strings.TrimPrefix(f, "testdata/")] = claims.Undecorate(string(text)) // nsc decorates activations
	}
	return all
}

// refused are the fixtures that are no good as the kind that their name says; the others are, whoever refuses them later.
var refused = map[string]error{
	"negative/user.account_jwt_as_user.jwt":  claims.ErrKind,
	"negative/user.activation_as_user.jwt":   claims.ErrKind,
	"negative/user.operator_jwt_as_user.jwt": claims.ErrKind,
	"negative/user.alg_eddsa.jwt":            claims.ErrMalformed,
	"negative/user.alg_hs256.jwt":            claims.ErrMalformed,
	"negative/user.alg_none.jwt":             claims.ErrMalformed,
	"negative/user.padded_b64.jwt":           claims.ErrMalformed,
	"negative/user.two_chunks.jwt":           claims.ErrMalformed,
	"negative/user.empty_sig.jwt":            claims.ErrSignature,
	"negative/user.tampered_body.jwt":        claims.ErrSignature,
	"negative/user.tampered_sig.jwt":         claims.ErrSignature,
}

func TestFixtures(t *testing.T) {
	left := len(refused)
	for name, token := range fixtures(t) {
		kind, _, _ := strings.Cut(filepath.Base(name), ".")
		t.Run(name, func(t *testing.T) {
			outcome(t, kind, token, refused[name])
			canonical, err := claims.Canonical(token)
			if refused[name] == nil || errors.Is(refused[name], claims.ErrKind) {
				require.NoError(t, err)
				require.Equal(t, token, canonical)
			}
		})
		if refused[name] != nil {
			left--
		}
	}
	require.Zero(t, left, "a name in the list belongs to no fixture")
}
