package natskv

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/claims"
	"github.com/natsauth/natsauth/resolver/resolvertest"
)

// Whatever somebody has put under a key is its account's token in canonical spelling, a tombstone, nothing, or at fault.
func FuzzEntry(f *testing.F) {
	account, token := resolvertest.Account(f, 1), resolvertest.Token(f, 1, 100)
	seeds := []string{
		"", token, token[:40], resolvertest.Respelt(token), resolvertest.Token(f, 2, 100), "deleted 100", "deleted -1", "deleted 1 ", "deleted 01",
	}
	for _, value := range seeds {
		f.Add(account, value)
		f.Add("nobody", value)
	}
	f.Fuzz(func(t *testing.T, key, value string) {
		e := entry{account: key, revision: 1, value: value}
		text, err := e.token()
		issuedAt, deleted := e.deleted()
		mark := e.mark()
		switch {
		case err != nil:
			require.ErrorIs(t, err, ErrFault)
			require.Empty(t, text)
			require.False(t, deleted)
			require.NotEmpty(t, value)
		case deleted:
			require.Empty(t, text)
			require.Equal(t, issuedAt, mark.IssuedAt)
			require.Zero(t, mark.Digest)
		case text == "":
			require.Empty(t, value)
		default:
			said, err := claims.Peek(text)
			require.NoError(t, err)
			require.Equal(t, key, said.Subject)
			again, err := claims.Canonical(text)
			require.NoError(t, err)
			require.Equal(t, text, again)
		}
		var x index
		if got := x.learn(e); (got == nil) != (err == nil) || err != nil && !errors.Is(got, ErrFault) {
			t.Fatalf("learn gave %v, token %v", got, err)
		}
		require.Equal(t, one(text != ""), x.count)
	})
}
