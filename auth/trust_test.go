package auth_test

import (
	"context"
	"strings"
	"testing"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/auth/authtest"
	"github.com/natsauth/natsauth/claims"
	"github.com/natsauth/natsauth/nonce"
	"github.com/natsauth/natsauth/resolver"
)

// anchor makes operator tokens and the keys around them.
type anchor struct {
	pair, signing nkeys.KeyPair
	key, second   string
}

func newAnchor(t *testing.T) anchor {
	t.Helper()
	var a anchor
	a.pair, a.key = newPair(t, nkeys.CreateOperator)
	a.signing, a.second = newPair(t, nkeys.CreateOperator)
	return a
}

func newPair(t *testing.T, create func() (nkeys.KeyPair, error)) (nkeys.KeyPair, string) {
	t.Helper()
	pair, err := create()
	require.NoError(t, err)
	key, err := pair.PublicKey()
	require.NoError(t, err)
	return pair, key
}

func newKey(t *testing.T, create func() (nkeys.KeyPair, error)) string {
	t.Helper()
	_, key := newPair(t, create)
	return key
}

// token of the operator, signed by its identity key.
func (a anchor) token(t *testing.T, edits ...func(*jwt.OperatorClaims)) string {
	return a.signed(t, a.pair, edits...)
}

func (a anchor) signed(t *testing.T, by nkeys.KeyPair, edits ...func(*jwt.OperatorClaims)) string {
	t.Helper()
	c := jwt.NewOperatorClaims(a.key)
	for _, edit := range edits {
		edit(c)
	}
	token, err := c.Encode(by)
	require.NoError(t, err)
	return token
}

func lists(key string) func(*jwt.OperatorClaims) {
	return func(c *jwt.OperatorClaims) { c.SigningKeys.Add(key) }
}

func system(key string) func(*jwt.OperatorClaims) {
	return func(c *jwt.OperatorClaims) { c.SystemAccount = key }
}

func asserts(version string) func(*jwt.OperatorClaims) {
	return func(c *jwt.OperatorClaims) { c.AssertServerVersion = version }
}

// userToken is a user of nobody in particular.
func userToken(t *testing.T, edit func(*jwt.UserClaims)) string {
	t.Helper()
	account, _ := newPair(t, nkeys.CreateAccount)
	c := jwt.NewUserClaims(newKey(t, nkeys.CreateUser))
	edit(c)
	token, err := c.Encode(account)
	require.NoError(t, err)
	return token
}

// TestNewTrust holds New to the rules of behaviour F008 to F015 and B12. Every
// refusing row has an accepting one beside it.
func TestNewTrust(t *testing.T) {
	t.Parallel()
	op, other := newAnchor(t), newAnchor(t)
	sys, sys2, user := newKey(t, nkeys.CreateAccount), newKey(t, nkeys.CreateAccount), newKey(t, nkeys.CreateUser)
	stranger, _ := newPair(t, nkeys.CreateOperator)
	decorated, err := jwt.DecorateJWT(op.token(t))
	require.NoError(t, err)
	sentinel := userToken(t, func(c *jwt.UserClaims) { c.BearerToken = true })
	scoped := userToken(t, func(c *jwt.UserClaims) { c.SetScoped(true); c.IssuerAccount = sys })

	for _, row := range []struct {
		name    string
		trust   auth.Trust
		version string
		want    string // in the error; empty: accepted
	}{
		{"nobody", auth.Trust{}, "", "nobody is trusted"},
		{"an operator", auth.Trust{Operators: []string{op.token(t)}}, "", ""},
		{"an operator's file", auth.Trust{Operators: []string{string(decorated)}}, "", ""},
		{"two operators", auth.Trust{Operators: []string{op.token(t), other.token(t)}}, "", ""},
		{"an operator and a key", auth.Trust{Operators: []string{op.token(t)}, Keys: []string{other.key}}, "", "both Operators and Keys"},
		{"a key", auth.Trust{Keys: []string{op.key}}, "", ""},
		{"a key of a user", auth.Trust{Keys: []string{user}}, "", "Keys[0]"},
		{"a seed for a key", auth.Trust{Keys: []string{op.key, seedOf(t, op.pair)}}, "", "Keys[1]"},
		{"no token", auth.Trust{Operators: []string{"operator.jwt"}}, "", "Operators[0]"},
		{"a user's token", auth.Trust{Operators: []string{sentinel}}, "", "another kind"},

		{"signed by a signing key that it lists", auth.Trust{Operators: []string{op.signed(t, op.signing, lists(op.second))}}, "", ""},
		{"signed by a signing key that it does not list", auth.Trust{Operators: []string{op.signed(t, op.signing)}}, "", "signed neither by itself"},
		{"signed by a stranger", auth.Trust{Operators: []string{op.signed(t, stranger, lists(op.second))}}, "", "signed neither by itself"},

		{"the operator's system account", auth.Trust{Operators: []string{op.token(t, system(sys))}, SystemAccount: sys}, "", ""},
		{"another system account than the operator's", auth.Trust{Operators: []string{op.token(t, system(sys))}, SystemAccount: sys2}, "", "not the one that the operators name"},
		{"a system account that no operator names", auth.Trust{Operators: []string{op.token(t)}, SystemAccount: sys}, "", ""},
		{"the second operator's system account", auth.Trust{Operators: []string{op.token(t, system(sys)), other.token(t, system(sys2))}, SystemAccount: sys2}, "", ""},
		{"a system account that is a user", auth.Trust{Operators: []string{op.token(t)}, SystemAccount: user}, "", "SystemAccount"},
		{"a system account beside a key", auth.Trust{Keys: []string{op.key}, SystemAccount: sys}, "", ""},

		{"an older version asserted", auth.Trust{Operators: []string{op.token(t, asserts("2.9.30"))}}, "2.10.0", ""},
		{"the same version asserted", auth.Trust{Operators: []string{op.token(t, asserts("2.10.0"))}}, "2.10.0", ""},
		{"a newer patch asserted", auth.Trust{Operators: []string{op.token(t, asserts("2.10.1"))}}, "2.10.0", "asserts server version"},
		{"a newer minor asserted", auth.Trust{Operators: []string{op.token(t, asserts("2.11.0"))}}, "2.10.9", "asserts server version"},
		{"a newer major asserted", auth.Trust{Operators: []string{op.token(t, asserts("3.0.0"))}}, "2.10.9", "asserts server version"},
		{"an older major with a newer minor asserted", auth.Trust{Operators: []string{op.token(t, asserts("1.99.99"))}}, "2.0.0", ""},
		{"a version asserted and none given", auth.Trust{Operators: []string{op.token(t, asserts("2.10.0"))}}, "", "asserts server version"},
		{"the second operator asserts a newer version", auth.Trust{Operators: []string{op.token(t), other.token(t, asserts("9.0.0"))}}, "2.10.0", "asserts server version"},
		{"a version that is none", auth.Trust{Operators: []string{op.token(t, asserts("two"))}}, "2.10.0", "version"},
		{"our own version is none", auth.Trust{Keys: []string{op.key}}, "2.x", "Config.ServerVersion"},

		{"pinned accounts", auth.Trust{Keys: []string{op.key}, PinnedAccounts: []string{sys}}, "", ""},
		{"a pinned user", auth.Trust{Keys: []string{op.key}, PinnedAccounts: []string{sys, user}}, "", "PinnedAccounts[1]"},

		{"a bearer sentinel", auth.Trust{Operators: []string{op.token(t)}, Sentinel: sentinel}, "", ""},
		{"a scoped sentinel", auth.Trust{Operators: []string{op.token(t)}, Sentinel: scoped}, "", ""},
		{"a sentinel beside a key", auth.Trust{Keys: []string{op.key}, Sentinel: sentinel}, "", "Sentinel needs Operators"},
		{"a sentinel that would have to sign", auth.Trust{Operators: []string{op.token(t)}, Sentinel: userToken(t, func(*jwt.UserClaims) {})}, "", "neither a bearer"},
		{"a sentinel with permissions of its own", auth.Trust{Operators: []string{op.token(t)}, Sentinel: userToken(t, func(c *jwt.UserClaims) { c.IssuerAccount = sys })}, "", "neither a bearer"},
		{"a sentinel that is no token", auth.Trust{Operators: []string{op.token(t)}, Sentinel: "sentinel"}, "", "Sentinel"},

		{"a proxy", auth.Trust{Keys: []string{op.key}, Proxies: []string{user}}, "", ""},
		{"a proxy that is no key", auth.Trust{Keys: []string{op.key}, Proxies: []string{user, "proxy"}}, "", "Proxies[1]"},
	} {
		t.Run(row.name, func(t *testing.T) {
			a, err := auth.New(auth.Config{Trust: row.trust, Resolver: nobody(), ServerVersion: row.version})
			if row.want == "" {
				require.NoError(t, err)
				require.NoError(t, a.Close())
				return
			}
			require.Nil(t, a)
			require.ErrorContains(t, err, row.want)
			require.NotContains(t, err.Error(), seedOf(t, op.pair), "a seed in an error")
			require.False(t, strings.Contains(err.Error(), "eyJ"), "a token in an error: %v", err)
		})
	}
}

func seedOf(t *testing.T, pair nkeys.KeyPair) string {
	t.Helper()
	seed, err := pair.Seed()
	require.NoError(t, err)
	return string(seed)
}

// nobody knows no account.
func nobody() resolver.Resolver {
	return resolver.Func(func(context.Context, string) (string, error) { return "", resolver.ErrNotFound })
}

// TestNewConfig holds New to what Config and Bounds promise.
func TestNewConfig(t *testing.T) {
	t.Parallel()
	op := newAnchor(t)
	memory, err := resolver.NewMemory()
	require.NoError(t, err)
	for _, row := range []struct {
		name string
		edit func(*auth.Config)
		want string
	}{
		{"a resolver", func(*auth.Config) {}, ""},
		{"a store", func(c *auth.Config) { c.Resolver, c.Store = nil, memory }, ""},
		{"neither", func(c *auth.Config) { c.Resolver = nil }, "a Store or a Resolver"},
		{"a mirror of both", func(c *auth.Config) { c.Store, c.Mirror = memory, true }, ""},
		{"a mirror without a store", func(c *auth.Config) { c.Mirror = true }, "Mirror needs both"},
		{"a negative skew", func(c *auth.Config) { c.MaxSkew = -1 }, "MaxSkew"},
		{"a negative lead", func(c *auth.Config) { c.Warn = -1 }, "Warn"},
		{"the largest token", func(c *auth.Config) { c.Bounds.TokenBytes = claims.MaxTokenSize }, ""},
		{"a token over the largest", func(c *auth.Config) { c.Bounds.TokenBytes = claims.MaxTokenSize + 1 }, "TokenBytes"},
		{"negative look-ups", func(c *auth.Config) { c.Bounds.Lookups = -1 }, "Lookups"},
		{"negative misses", func(c *auth.Config) { c.Bounds.Misses = -1 }, "Misses"},
		{"negative imports", func(c *auth.Config) { c.Bounds.Imports = -1 }, "Imports"},
		{"negative exports", func(c *auth.Config) { c.Bounds.Exports = -1 }, "Exports"},
		{"negative expansions", func(c *auth.Config) { c.Bounds.Expansions = -1 }, "Expansions"},
		{"negative reply grants", func(c *auth.Config) { c.Bounds.ReplyGrants = -1 }, "ReplyGrants"},
		{"a negative look-up time", func(c *auth.Config) { c.Bounds.LookupTime = -1 }, "LookupTime"},
		{"a negative miss time", func(c *auth.Config) { c.Bounds.MissTime = -1 }, "MissTime"},
		{"no token cache", func(c *auth.Config) { c.Bounds.CachedBytes = -1 }, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := auth.Config{Trust: auth.Trust{Keys: []string{op.key}}, Resolver: nobody()}
			row.edit(&c)
			a, err := auth.New(c)
			if row.want == "" {
				require.NoError(t, err)
				require.NoError(t, a.Close())
				return
			}
			require.Nil(t, a)
			require.ErrorContains(t, err, row.want)
		})
	}
}

// TestSharedSigningKey: an account that is signed by a key of two operators uses
// strict signing keys if either of them wants it, in whatever order they come.
func TestSharedSigningKey(t *testing.T) {
	t.Parallel()
	strict := authtest.NewOperator(t, authtest.From("strict"), authtest.Strict(), authtest.SigningKeys("shared"))
	lax := authtest.NewOperator(t, authtest.From("lax"), authtest.Edit(func(c *jwt.OperatorClaims) {
		o, err := claims.ParseOperator(strict.Token())
		require.NoError(t, err)
		c.SigningKeys = o.SigningKeys
	}))
	account := strict.Account("A", authtest.SignedBy("shared"), authtest.SigningKey("sk"))
	for name, operators := range map[string][]string{
		"the strict one first": {strict.Token(), lax.Token()}, "the strict one last": {lax.Token(), strict.Token()},
	} {
		t.Run(name, func(t *testing.T) {
			a := authtest.Authorizer(t, strict, []*authtest.Account{account}, func(c *auth.Config) { c.Trust.Operators = operators })
			_, err := a.Connect(t.Context(), account.User("u").Credentials(nonce.New()))
			refusal := (*auth.Error)(nil)
			require.ErrorAs(t, err, &refusal)
			require.Equal(t, auth.SignerIdentity, refusal.Reason)
			s, err := a.Connect(t.Context(), account.User("u", authtest.SignedBy("sk")).Credentials(nonce.New()))
			require.NoError(t, err)
			s.Close()
		})
	}
}

// syncing is a resolver that works through the system account, or not.
type syncing bool

func (s syncing) SystemBound() bool { return bool(s) }

func (s syncing) Resolve(context.Context, string) (string, error) { return "", resolver.ErrNotFound }

// TestSystemBound: what works through the system account needs one (F011).
func TestSystemBound(t *testing.T) {
	t.Parallel()
	op, sys := newAnchor(t), newKey(t, nkeys.CreateAccount)
	for _, row := range []struct {
		name  string
		bound bool
		trust auth.Trust
		want  bool
	}{
		{"bound, and none is named", true, auth.Trust{Operators: []string{op.token(t)}}, false},
		{"bound, and the operator names one", true, auth.Trust{Operators: []string{op.token(t, system(sys))}}, true},
		{"bound, and the configuration names one", true, auth.Trust{Keys: []string{op.key}, SystemAccount: sys}, true},
		{"not bound", false, auth.Trust{Operators: []string{op.token(t)}}, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			a, err := auth.New(auth.Config{Trust: row.trust, Resolver: syncing(row.bound)})
			require.Equal(t, row.want, err == nil, "%v", err)
			if err == nil {
				require.NoError(t, a.Close())
			}
		})
	}
}
