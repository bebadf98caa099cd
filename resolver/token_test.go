package resolver_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/claims"
	"github.com/natsauth/natsauth/resolver"
	"github.com/natsauth/natsauth/resolver/resolvertest"
)

func TestReadToken(t *testing.T) {
	token := resolvertest.Token(t, 1, 100, resolvertest.Expires(200))
	a, err := claims.ParseAccount(token)
	require.NoError(t, err)
	want := resolver.Token{
		Account: resolvertest.Account(t, 1), Text: token, Mark: resolver.Mark{IssuedAt: 100, Digest: a.Digest}, Expires: 200,
	}
	for _, text := range []string{token, resolvertest.Respelt(token)} {
		got, err := resolver.ReadToken(text)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for _, text := range []string{"", "no token", token[:len(token)-1]} {
		got, err := resolver.ReadToken(text)
		require.ErrorIs(t, err, resolver.ErrToken)
		require.Zero(t, got)
	}
}
