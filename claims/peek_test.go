package claims_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/claims"
)

// Peek says what a token says, of any kind, in any spelling and whoever has signed it; it reads what is none as little as
// the parsers do.
func TestPeek(t *testing.T) {
	token := sign2(t, header2, keys().fill(`{"iss":"@O0","sub":"@A0","iat":7,"exp":9,"nats":{"type":"account","version":2}}`))
	want := claims.Peeked{Subject: keys().fill("@A0"), Issuer: keys().fill("@O0"), IssuedAt: 7, Expires: 9}
	for name, text := range spellings(token, 2) {
		said, err := claims.Peek(text)
		require.NoError(t, err, name)
		require.Equal(t, want, said, name)
	}
	forged := token[:strings.LastIndexByte(token, '.')+1] + strings.Repeat("A", 86)
	_, err := claims.ParseAccount(forged)
	require.ErrorIs(t, err, claims.ErrSignature)
	said, err := claims.Peek(forged)
	require.NoError(t, err)
	require.Equal(t, want, said)
	for name, row := range map[string]struct {
		text string
		err  error
	}{
		"nothing":           {"", claims.ErrMalformed},
		"two chunks":        {"a.b", claims.ErrMalformed},
		"a text for a time": {b64(header2) + "." + b64(`{"iat":"7"}`) + ".", claims.ErrMalformed},
		"a list":            {b64(header2) + "." + b64(`[]`) + ".", claims.ErrMalformed},
		"too large":         {strings.Repeat("a", claims.MaxTokenSize+1), claims.ErrSize},
	} {
		said, err := claims.Peek(row.text)
		require.ErrorIs(t, err, row.err, name)
		require.Zero(t, said, name)
	}
}
