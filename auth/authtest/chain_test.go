package authtest_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/auth/authtest"
	"github.com/natsauth/natsauth/claims"
	"github.com/natsauth/natsauth/resolver"
)

const challenge = "b3BlbiBzZXNhbWU"

func account(t *testing.T, a *authtest.Account) *claims.Account {
	t.Helper()
	c, err := claims.ParseAccount(a.Token())
	require.NoError(t, err)
	return c
}

func user(t *testing.T, u *authtest.User) *claims.User {
	t.Helper()
	c, err := claims.ParseUser(u.Token())
	require.NoError(t, err)
	return c
}

// TestNeverChanges holds the kit to its promise: the same chain has the same
// tokens, to the last byte. Vectors and other people's files depend on it.
func TestNeverChanges(t *testing.T) {
	o := authtest.NewOperator(t, authtest.SigningKeys("os"))
	a := o.Account("A", authtest.SignedBy("os"), authtest.Scope("role", authtest.PubAllow("a")))
	u := a.User("u", authtest.SignedBy("role"))
	again := authtest.NewOperator(t, authtest.SigningKeys("os")).
		Account("A", authtest.SignedBy("os"), authtest.Scope("role", authtest.PubAllow("a"))).
		User("u", authtest.SignedBy("role"))
	require.Equal(t, u.Token(), again.Token())
	require.Equal(t, a.Token(), again.Account().Token())
	require.Equal(t, o.Token(), again.Account().Operator().Token())
	sum := sha256.Sum256([]byte(o.Token() + a.Token() + u.Token()))
	require.Equal(t, "4552845634161c5a86564a32503ff29e718273a226ed8bc3daaeab9f818e1fe6", hex.EncodeToString(sum[:]))
}

// TestKeys wants a key for each name, and others for other names.
func TestKeys(t *testing.T) {
	o := authtest.NewOperator(t)
	seen := make(map[string]string)
	for name, key := range map[string]string{
		"operator": o.PublicKey(), "A": o.Account("A").PublicKey(), "B": o.Account("B").PublicKey(),
		"A/u": o.Account("A").User("u").PublicKey(), "A/v": o.Account("A").User("v").PublicKey(), "B/u": o.Account("B").User("u").PublicKey(),
		"second":   authtest.NewOperator(t, authtest.From("second")).PublicKey(),
		"second/A": authtest.NewOperator(t, authtest.From("second")).Account("A").PublicKey(),
		"random":   authtest.NewOperator(t, authtest.Random()).PublicKey(),
		"random/A": authtest.NewOperator(t, authtest.Random()).Account("A").PublicKey(),
	} {
		require.Empty(t, seen[key], "%s and %s have one key", name, seen[key])
		seen[key] = name
	}
	require.Equal(t, o.Account("A").PublicKey(), o.Account("A", authtest.Name("else")).PublicKey(), "a name in the token is no key")
	require.Equal(t, o.PublicKey(), mustPublic(t, o.Key()))
	require.Panics(t, func() { authtest.Key(nkeys.PrefixBytePrivate, "x") })
}

func mustPublic(t *testing.T, pair nkeys.KeyPair) string {
	t.Helper()
	key, err := pair.PublicKey()
	require.NoError(t, err)
	return key
}

// TestOptions makes a token with each option and looks for it in what was made.
func TestOptions(t *testing.T) {
	at := authtest.Now()
	op := authtest.NewOperator
	template := func(o ...authtest.Option) string {
		a := account(t, op(t).Account("A", authtest.Scope("role", o...)))
		for _, s := range a.SigningKeys {
			return text(s.Template.Grant) + s.Role
		}
		return ""
	}
	acc := func(o ...authtest.Option) *claims.Account { return account(t, op(t).Account("A", o...)) }
	usr := func(o ...authtest.Option) *claims.User { return user(t, op(t).Account("A").User("u", o...)) }
	operator := func(o ...authtest.Option) *claims.Operator {
		c, err := claims.ParseOperator(op(t, o...).Token())
		require.NoError(t, err)
		return c
	}
	grant := func(o authtest.Option) string {
		own, scope := text(*usr(o).Grant), template(o)
		require.Equal(t, own+"role", scope, "a scope's template takes it too")
		return own
	}
	for _, row := range []struct {
		name      string
		got, want any
	}{
		{"Expires", usr(authtest.Expires(at)).Expires, at.Unix()},
		{"Expires of an account", acc(authtest.Expires(at)).Expires, at.Unix()},
		{"Expires of an operator", operator(authtest.Expires(at)).Expires, at.Unix()},
		{"NotBefore", usr(authtest.NotBefore(at)).NotBefore, at.Unix()},
		{"IssuedAt", usr(authtest.IssuedAt(at)).IssuedAt, at.Unix()},
		{"no IssuedAt", usr().IssuedAt, at.Add(-time.Hour).Unix()},
		{"Name", usr(authtest.Name("x")).Name, "x"},
		{"no Name", usr().Name, "u"},
		{"Tags", usr(authtest.Tags("A:b", "c")).Tags, []string{"A:b", "c"}},
		{"Tags of an account", acc(authtest.Tags("A:b")).Tags, []string{"A:b"}},
		{"Tags of an operator", operator(authtest.Tags("A:b")).Tags, []string{"A:b"}},
		{"PubAllow", grant(authtest.PubAllow("x")), text(granting(func(g *claims.Grant) { g.Permissions.Publish.Allow = []string{"x"} }))},
		{"PubDeny", grant(authtest.PubDeny("x")), text(granting(func(g *claims.Grant) { g.Permissions.Publish.Deny = []string{"x"} }))},
		{"SubAllow", grant(authtest.SubAllow("x q")), text(granting(func(g *claims.Grant) { g.Permissions.Subscribe.Allow = []string{"x q"} }))},
		{"SubDeny", grant(authtest.SubDeny("x")), text(granting(func(g *claims.Grant) { g.Permissions.Subscribe.Deny = []string{"x"} }))},
		{"Responses", grant(authtest.Responses(2, time.Second)), text(granting(func(g *claims.Grant) {
			g.Permissions.Responses = &claims.Responses{Max: 2, TTL: time.Second}
		}))},
		{"Limits", grant(authtest.Limits(3, 4)), text(granting(func(g *claims.Grant) { g.Limits.Subscriptions, g.Limits.Payload = 3, 4 }))},
		{"Limits of an account", acc(authtest.Limits(3, 4)).Limits.Limits, claims.Limits{Subscriptions: 3, Payload: 4, Data: -1}},
		{"Times", len(usr(authtest.Times("08:00:00", "17:00:00")).Grant.Times), 1},
		{"Locale", usr(authtest.Times("08:00:00", "17:00:00"), authtest.Locale("UTC")).Grant.Location.String(), "UTC"},
		{"Sources", fmt.Sprint(usr(authtest.Sources("10.0.0.0/8")).Grant.Sources), "[10.0.0.0/8]"},
		{"ConnectionTypes", grant(authtest.ConnectionTypes("MQTT")), text(granting(func(g *claims.Grant) { g.ConnectionTypes = []string{"MQTT"} }))},
		{"Bearer", grant(authtest.Bearer()), text(granting(func(g *claims.Grant) { g.Bearer = true }))},
		{"ProxyRequired", grant(authtest.ProxyRequired()), text(granting(func(g *claims.Grant) { g.ProxyRequired = true }))},
		{"DisallowBearer", acc(authtest.DisallowBearer()).Limits.DisallowBearer, true},
		{"MaxConnections", acc(authtest.MaxConnections(3)).Limits.Connections, int64(3)},
		{"MaxLeafNodes", acc(authtest.MaxLeafNodes(3)).Limits.LeafNodes, int64(3)},
		{"DefaultPermissions", acc(authtest.DefaultPermissions(authtest.PubAllow("x"))).DefaultPermissions.Publish.Allow, []string{"x"}},
		{"Revoke", acc(authtest.Revoke("u", at)).Revocations, map[string]int64{usr().Key: at.Unix()}},
		{"Revoke all", acc(authtest.Revoke("*", at)).Revocations, map[string]int64{"*": at.Unix()}},
		{"CalloutUsers", acc(authtest.CalloutUsers("u")).Callout.Users, []string{usr().Key}},
		{"SigningKeys", len(operator(authtest.SigningKeys("x", "y")).SigningKeys), 2},
		{"Strict", operator(authtest.Strict()).Strict, true},
		{"SystemAccount", operator(authtest.SystemAccount("A")).SystemAccount, acc().Key},
		{"AssertServerVersion", operator(authtest.AssertServerVersion("2.10.0")).AssertServerVersion, "2.10.0"},
		{"Edit", usr(authtest.Edit(func(c *jwt.UserClaims) { c.Audience = "x" })).Audience, "x"},
		{"Edit of an account", acc(authtest.Edit(func(c *jwt.AccountClaims) { c.Description = "x" })).Description, "x"},
		{"Edit of an operator", operator(authtest.Edit(func(c *jwt.OperatorClaims) { c.AccountServerURL = "http://x" })).AccountServerURL, "http://x"},
		{"Raw", usr(authtest.Raw(func(c map[string]any) { c["aud"] = "x" })).Audience, "x"},
		{"the zero Option", usr(authtest.Option{}).Key, usr().Key},
	} {
		require.Equal(t, row.want, row.got, row.name)
	}
}

// granting is the grant of a user without options, changed.
func granting(edit func(*claims.Grant)) claims.Grant {
	g := claims.Grant{Limits: claims.Limits{Subscriptions: -1, Payload: -1, Data: -1}}
	edit(&g)
	return g
}

func text(g claims.Grant) string {
	b, err := json.Marshal(g)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// TestSignedBy wants iss and issuer_account as tools write them.
func TestSignedBy(t *testing.T) {
	o := authtest.NewOperator(t, authtest.SigningKeys("os"))
	stranger := authtest.Key(nkeys.PrefixByteAccount, "stranger")
	a := o.Account("A", authtest.SignedBy("os"), authtest.SigningKey("sk"), authtest.Scope("role"))
	require.NotEqual(t, o.PublicKey(), account(t, a).Issuer)
	for _, row := range []struct {
		name   string
		opts   []authtest.Option
		issuer func(string) bool
		in     string
		bare   bool
	}{
		{"the account itself", nil, func(k string) bool { return k == a.PublicKey() }, "", false},
		{"a signing key", []authtest.Option{authtest.SignedBy("sk")}, func(k string) bool { _, ok := account(t, a).SigningKeys[k]; return ok }, a.PublicKey(), false},
		{"a scoped one", []authtest.Option{authtest.SignedBy("role")}, func(k string) bool { return account(t, a).SigningKeys[k] != nil }, a.PublicKey(), true},
		{"a stranger", []authtest.Option{authtest.SignedByKey(stranger)}, func(k string) bool { return k == mustPublic(t, stranger) }, "", false},
	} {
		u := user(t, a.User("u", row.opts...))
		require.True(t, row.issuer(u.Issuer), row.name)
		require.Equal(t, row.in, u.IssuerAccount, row.name)
		require.Equal(t, row.bare, u.Bare, row.name)
	}
	self, err := claims.ParseOperator(authtest.NewOperator(t, authtest.SigningKeys("os"), authtest.SignedBy("os")).Token())
	require.NoError(t, err)
	require.True(t, self.SelfSigned())
	require.NotEqual(t, self.Key, self.Issuer)
}

// stop is a test that notes how it is ended.
type stop struct {
	testing.TB
	text string
}

func (s *stop) Helper() {}

func (s *stop) Fatalf(format string, args ...any) {
	s.text = fmt.Sprintf(format, args...)
	panic(s)
}

// TestMisfits wants an option in the wrong place to end the test.
func TestMisfits(t *testing.T) {
	for _, row := range []struct {
		want string
		make func(testing.TB)
	}{
		{"Bearer is not for the account A", func(tb testing.TB) { authtest.NewOperator(tb).Account("A", authtest.Bearer()) }},
		{"Strict is not for the user u", func(tb testing.TB) { authtest.NewOperator(tb).Account("A").User("u", authtest.Strict()) }},
		{"SigningKey is not for an operator", func(tb testing.TB) { authtest.NewOperator(tb, authtest.SigningKey("x")) }},
		{"Limits is not for an operator", func(tb testing.TB) { authtest.NewOperator(tb, authtest.Limits(1, 1)) }},
		{"Name is not for the scope role of the account A", func(tb testing.TB) {
			authtest.NewOperator(tb).Account("A", authtest.Scope("role", authtest.Name("x")))
		}},
		{"Tags is not for the scope", func(tb testing.TB) { authtest.NewOperator(tb).Account("A", authtest.Scope("role", authtest.Tags("x"))) }},
		{"Raw is not for default permissions", func(tb testing.TB) {
			authtest.NewOperator(tb).Account("A", authtest.DefaultPermissions(authtest.Raw(func(map[string]any) {})))
		}},
		{"Edit is not for the account A", func(tb testing.TB) {
			authtest.NewOperator(tb).Account("A", authtest.Edit(func(*jwt.UserClaims) {}))
		}},
		{`the user u is to be signed by "sk", which its issuer does not list`, func(tb testing.TB) {
			authtest.NewOperator(tb).Account("A").User("u", authtest.SignedBy("sk"))
		}},
		{"nobody is trusted", func(tb testing.TB) {
			authtest.Authorizer(tb, authtest.NewOperator(tb), nil, func(c *auth.Config) { c.Trust = auth.Trust{} })
		}},
	} {
		s := &stop{TB: t}
		require.PanicsWithValue(t, s, func() { row.make(s) }, row.want)
		require.Contains(t, s.text, row.want)
	}
}

// TestRevokeTwice: an option that was used once means the same user when it is used
// again.
func TestRevokeTwice(t *testing.T) {
	a := authtest.NewOperator(t).Account("A", authtest.Revoke("u", authtest.Now()))
	want := map[string]int64{a.User("u").PublicKey(): authtest.Now().Unix()}
	for range 2 {
		parsed, err := claims.ParseAccount(a.Token())
		require.NoError(t, err)
		require.Equal(t, want, parsed.Revocations)
		a = a.Renew()
	}
}

// TestRenew wants a newer token of the same account, with what it had and more.
func TestRenew(t *testing.T) {
	for _, opts := range [][]authtest.Option{{authtest.SigningKey("sk")}, {authtest.SigningKey("sk"), authtest.Random()}} {
		a := authtest.NewOperator(t).Account("A", opts...)
		b := a.Renew(authtest.MaxConnections(1))
		c := b.Renew(authtest.IssuedAt(authtest.Now()))
		require.Equal(t, a.PublicKey(), b.PublicKey())
		require.Equal(t, a.PublicKey(), c.PublicKey())
		require.Equal(t, account(t, a).IssuedAt+1, account(t, b).IssuedAt)
		require.Equal(t, authtest.Now().Unix(), account(t, c).IssuedAt)
		require.Equal(t, account(t, a).SigningKeys, account(t, c).SigningKeys)
		require.EqualValues(t, 1, account(t, c).Limits.Connections)
		require.EqualValues(t, -1, account(t, a).Limits.Connections, "the older token stays as it is")
		u := c.User("u", authtest.SignedBy("sk"))
		_, err := authtest.Authorizer(t, a.Operator(), []*authtest.Account{a, c}).Connect(context.Background(), u.Credentials(challenge))
		require.NoError(t, err)
	}
}

// TestResolver gives the last token of an account, whatever it is.
func TestResolver(t *testing.T) {
	a := authtest.NewOperator(t).Account("A")
	bad := a.Renew(authtest.Raw(func(c map[string]any) { c["nats"] = 1 }))
	r := authtest.Resolver(a, bad)
	token, err := r.Resolve(context.Background(), a.PublicKey())
	require.NoError(t, err)
	require.Equal(t, bad.Token(), token)
	token, err = r.Resolve(context.Background(), a.Operator().Account("B").PublicKey())
	require.ErrorIs(t, err, resolver.ErrNotFound)
	require.Empty(t, token)
}

// TestSign makes a token of anything.
func TestSign(t *testing.T) {
	pair := authtest.Key(nkeys.PrefixByteAccount, "x")
	parts := strings.Split(authtest.Sign(pair, "head", "body"), ".")
	require.Len(t, parts, 3)
	sig, err := base64.RawURLEncoding.DecodeString(parts[2])
	require.NoError(t, err)
	require.NoError(t, pair.Verify([]byte(parts[0]+"."+parts[1]), sig))
	public, err := nkeys.FromPublicKey(mustPublic(t, pair))
	require.NoError(t, err)
	require.Panics(t, func() { authtest.Sign(public, "head", "body") })
	require.Panics(t, func() { authtest.SignNonce(public, challenge) })
}
