package claims_test

import (
	"strings"
	"testing"

	"github.com/nats-io/jwt/v2"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/claims"
)

const deletion = `{"iss":"@O0","sub":"@O0","iat":1000,"jti":"once","nats":{"version":2,"accounts":["@A1","@A2"]}}`

// deletionToken is a request with a change, signed in the way of version 2.
func deletionToken(t testing.TB, change string) string {
	t.Helper()
	r := keys()
	return sign2(t, header2, patch(t, r.fill(deletion), r.fill(change)))
}

func TestParseDeletion(t *testing.T) {
	d, err := claims.ParseDeletion(deletionToken(t, `{"exp":2000,"nbf":900}`))
	require.NoError(t, err)
	require.Equal(t, []string{keys()["@A1"], keys()["@A2"]}, d.Accounts)
	require.Equal(t, keys()["@O0"], d.Key)
	require.Equal(t, keys()["@O0"], d.Issuer)
	require.Equal(t, "once", d.ID)
	require.EqualValues(t, 1000, d.IssuedAt)
	require.Equal(t, claims.Window{NotBefore: 900, Expires: 2000}, d.Window)
	require.NotZero(t, d.Digest)
	require.True(t, d.SelfSigned())
}

// What jwt/v2 writes is read, and the digest is that of what was signed, in whatever spelling.
func TestParseDeletionOfTheLibrary(t *testing.T) {
	c := jwt.NewGenericClaims(keys()["@O0"])
	c.Data["accounts"] = []string{keys()["@A1"]}
	token, err := c.Encode(keys().signer(keys()["@O0"]))
	require.NoError(t, err)
	d, err := claims.ParseDeletion(token)
	require.NoError(t, err)
	require.Equal(t, []string{keys()["@A1"]}, d.Accounts)
	for _, text := range spellings(token, 2) {
		again, err := claims.ParseDeletion(text)
		require.NoError(t, err)
		require.Equal(t, d, again)
	}
}

func TestParseDeletionClasses(t *testing.T) {
	r := keys()
	good := deletionToken(t, "")
	cut := strings.LastIndexByte(good, '.')
	other := deletionToken(t, `{"iat":1}`)
	old := r.fill(deletion)
	for _, row := range []struct {
		name, token string
		want        error
	}{
		{"a request", good, nil},
		{"of no accounts", deletionToken(t, `{"nats":{"accounts":[]}}`), nil},
		{"without a version", deletionToken(t, `{"nats":{"version":null}}`), nil},
		{"generic by type", deletionToken(t, `{"nats":{"type":"generic"}}`), nil},
		{"by the algorithm of version 1", sign1(t, header1, old), nil},
		{"by that algorithm, signed as version 2", sign2(t, header1, old), claims.ErrSignature},
		{"by today's algorithm, signed as version 1", sign1(t, header2, old), claims.ErrSignature},
		{"for another key", deletionToken(t, `{"sub":"@O1"}`), nil},
		{"nothing", "", claims.ErrMalformed},
		{"too large", strings.Repeat("*", claims.MaxTokenSize+1), claims.ErrSize},
		{"another's signature", good[:cut] + other[strings.LastIndexByte(other, '.'):], claims.ErrSignature},
		{"no signature", good[:cut+1], claims.ErrSignature},
		{"signed by an account", deletionToken(t, `{"iss":"@A0","sub":"@A0"}`), claims.ErrIssuer},
		{"signed by a user", deletionToken(t, `{"iss":"@U0","sub":"@U0"}`), claims.ErrIssuer},
		{"no issuer", deletionToken(t, `{"iss":null}`), claims.ErrIssuer},
		{"an operator token", deletionToken(t, `{"nats":{"type":"operator"}}`), claims.ErrKind},
		{"an account token", deletionToken(t, `{"nats":{"type":"account"}}`), claims.ErrKind},
		{"an account token of version 1", deletionToken(t, `{"type":"account"}`), claims.ErrKind},
		{"a version to come", deletionToken(t, `{"nats":{"version":3}}`), claims.ErrMalformed},
		{"a user's key", deletionToken(t, `{"nats":{"accounts":["@A1","@U1"]}}`), claims.ErrInvalid},
		{"a path", deletionToken(t, `{"nats":{"accounts":["../@A1"]}}`), claims.ErrInvalid},
		{"null for a key", deletionToken(t, `{"nats":{"accounts":["@A1",""]}}`), claims.ErrInvalid},
		{"no list", deletionToken(t, `{"nats":{"accounts":null}}`), claims.ErrInvalid},
		{"no claims", deletionToken(t, `{"nats":null}`), claims.ErrInvalid},
		{"a text for the list", deletionToken(t, `{"nats":{"accounts":"@A1"}}`), claims.ErrMalformed},
		{"a number for a key", deletionToken(t, `{"nats":{"accounts":[1]}}`), claims.ErrMalformed},
		{"a line break in the name", deletionToken(t, `{"name":"a\nb"}`), claims.ErrInvalid},
	} {
		t.Run(row.name, func(t *testing.T) {
			d, err := claims.ParseDeletion(row.token)
			if row.want == nil {
				require.NoError(t, err)
				_, err = jwt.DecodeGeneric(row.token)
				require.NoError(t, err)
				return
			}
			require.Nil(t, d)
			require.ErrorIs(t, err, row.want)
			require.NotContains(t, err.Error(), "eyJ")
		})
	}
	d, err := claims.ParseDeletion(deletionToken(t, `{"sub":"@O1"}`))
	require.NoError(t, err)
	require.False(t, d.SelfSigned())
}

// FuzzDeletion: a request or an error, what we read the reference reads, and no part of the text in the error; whatever
// stands in the claims, signed or not.
func FuzzDeletion(f *testing.F) {
	seeds := []string{
		keys().fill(deletion), `{}`, `null`, `[]`, `{"nats":null}`, `{"nats":{"accounts":[null]}}`, `{"nats":{"accounts":{}}}`,
		keys().fill(`{"iss":"@O0","nats":{"accounts":null,"tags":[null]}}`), `{"type":null,"iss":1}`,
	}
	for _, payload := range seeds {
		f.Add(sign2(f, header2, payload), payload)
		f.Add(sign1(f, header1, payload), payload)
	}
	f.Fuzz(func(t *testing.T, text, payload string) {
		for _, token := range []string{text, sign2(t, header2, payload), sign1(t, header1, payload)} {
			d, err := claims.ParseDeletion(token)
			if err != nil {
				require.Nil(t, d)
				hidden(t, token, err)
				continue
			}
			_, err = jwt.DecodeGeneric(token)
			require.NoError(t, err)
			require.NotNil(t, d.Accounts)
			for _, key := range d.Accounts {
				require.True(t, claims.IsAccountKey(key))
			}
		}
	})
}
