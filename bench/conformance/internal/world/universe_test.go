package world_test

import (
	"strings"
	"testing"

	"github.com/nats-io/jwt/v2"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/bench/conformance/internal/world"
)

// TestSeeds has equal seeds make equal universes, and different ones different.
func TestSeeds(t *testing.T) {
	names := func(seed uint64) (out []string) {
		for _, c := range world.Generate(seed, 20).Clients {
			out = append(out, c.Name)
		}
		return out
	}
	require.Equal(t, names(1), names(1))
	require.NotEqual(t, names(1), names(2))
	require.Equal(t, world.New(3).Identity.Public, world.New(3).Identity.Public)
	require.NotEqual(t, world.New(3).Identity.Public, world.New(4).Identity.Public)
}

// TestTokensAreGood has the tokens that are written here read by the library that
// wrote the format.
func TestTokensAreGood(t *testing.T) {
	w := world.New(5)
	a := w.Account("A")
	_, err := jwt.DecodeOperatorClaims(w.OperatorToken())
	require.NoError(t, err)
	ac, err := jwt.DecodeAccountClaims(a.Token)
	require.NoError(t, err)
	require.Equal(t, a.Key.Public, ac.Subject)
	u, err := jwt.DecodeUserClaims(a.User("u", a.Key).JWT)
	require.NoError(t, err)
	require.Equal(t, a.Key.Public, u.Issuer)
	_, err = jwt.DecodeUserClaims(a.User("u", a.Key).JWT + "x")
	require.Error(t, err)
}

// TestEach meets every feature in the small run too.
func TestEach(t *testing.T) {
	met := map[string]bool{}
	for _, u := range world.Each(1, false) {
		for _, c := range u.Clients {
			_, what, _ := strings.Cut(c.Name, " ")
			met[what] = true
		}
	}
	require.Greater(t, len(met), 250)
	for _, what := range []string{"plain/user", "proxy/trusted", "again/refused", "signature/another nonce", "pinned/not pinned"} {
		require.Contains(t, met, what)
	}
}

// TestDescribe shows what tokens say, and no seed and no token.
func TestDescribe(t *testing.T) {
	u := world.Generate(9, 5)
	for _, c := range u.Clients {
		text := u.Describe(c)
		require.Contains(t, text, `"sub":"A`)
		require.NotContains(t, text, "eyJ")
	}
}
