package auth_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/auth/authtest"
	"github.com/natsauth/natsauth/nonce"
)

// again connects with the same token and a fresh nonce, and closes.
func again(t *testing.T, a *auth.Authorizer, u *authtest.User) {
	t.Helper()
	s, err := a.Connect(t.Context(), u.Credentials(nonce.New()))
	require.NoError(t, err)
	s.Close()
}

// TestB20TokenCache: a token is known by its exact text, and only after somebody
// connected with it.
func TestB20TokenCache(t *testing.T) {
	t.Parallel()
	account := authtest.NewOperator(t).Account("A")
	u := account.User("u")
	a := authtest.Authorizer(t, account.Operator(), []*authtest.Account{account})

	wrong := u.Credentials(nonce.New())
	wrong.Signature = account.User("stranger").Credentials(wrong.Nonce).Signature
	_, err := a.Connect(t.Context(), wrong)
	require.Error(t, err)
	require.Zero(t, a.Stats().CachedTokens, "a stranger fills no cache")

	again(t, a, u)
	require.Equal(t, 1, a.Stats().CachedTokens)
	require.Zero(t, a.Stats().TokenHits)
	again(t, a, u)
	require.EqualValues(t, 1, a.Stats().TokenHits)

	_, err = a.Connect(t.Context(), wrong)
	require.Error(t, err, "a known token proves nothing about who shows it")

	other := u.Credentials(nonce.New())
	other.JWT = respelled(t, u.Token())
	s, err := a.Connect(t.Context(), other)
	require.NoError(t, err)
	require.Equal(t, 2, a.Stats().CachedTokens, "another spelling is another text")
	require.EqualValues(t, 2, a.Stats().TokenHits, "one hit more, of the stranger's")
	require.Equal(t, u.PublicKey(), s.User().Key)

	tampered := u.Credentials(nonce.New())
	tampered.JWT = u.Token()[:len(u.Token())-4] + "AAAA"
	_, err = a.Connect(t.Context(), tampered)
	refusal := (*auth.Error)(nil)
	require.ErrorAs(t, err, &refusal)
	require.Equal(t, auth.TokenSignature, refusal.Reason)
}

// respelled gives another text of the same token: the last character of the
// signature has spare bits.
func respelled(t *testing.T, token string) string {
	t.Helper()
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	at := strings.LastIndexByte(token, '.') + 1
	last := strings.IndexByte(alphabet, token[len(token)-1])
	out := token[:len(token)-1] + string(alphabet[last^1])
	one, err := base64.RawURLEncoding.DecodeString(token[at:])
	require.NoError(t, err)
	two, err := base64.RawURLEncoding.DecodeString(out[at:])
	require.NoError(t, err)
	require.Equal(t, one, two)
	require.NotEqual(t, token, out)
	return out
}

// TestB18CachedBytes: the cache stays within its bound, and can be off.
func TestB18CachedBytes(t *testing.T) {
	t.Parallel()
	account := authtest.NewOperator(t).Account("A")
	one := len(account.User("u0").Token()) + 512 // as the cache reckons
	a := authtest.Authorizer(t, account.Operator(), []*authtest.Account{account}, func(c *auth.Config) { c.Bounds.CachedBytes = 20 * one })
	for i := range 100 {
		again(t, a, account.User("u"+strings.Repeat("x", i%10), authtest.Name(strings.Repeat("n", i))))
		require.LessOrEqual(t, a.Stats().CachedTokens, 22)
	}
	require.GreaterOrEqual(t, a.Stats().CachedTokens, 5)

	off := authtest.Authorizer(t, account.Operator(), []*authtest.Account{account}, func(c *auth.Config) { c.Bounds.CachedBytes = -1 })
	for range 3 {
		again(t, off, account.User("u"))
	}
	require.Zero(t, off.Stats().CachedTokens)
	require.Zero(t, off.Stats().TokenHits)
}

// TestCacheCost: what is large or spelled at length takes no place from others.
func TestCacheCost(t *testing.T) {
	t.Parallel()
	account := authtest.NewOperator(t).Account("A")
	a := authtest.Authorizer(t, account.Operator(), []*authtest.Account{account}, func(c *auth.Config) { c.Bounds.CachedBytes = 64 << 10 })
	again(t, a, account.User("u"))
	require.Equal(t, 1, a.Stats().CachedTokens)
	subjects := make([]string, 400) // 400 entries are more than half of it
	for i := range subjects {
		subjects[i] = fmt.Sprint("s", i)
	}
	again(t, a, account.User("many", authtest.PubAllow(subjects...)))
	require.Equal(t, 1, a.Stats().CachedTokens)
	broken := account.User("v").Credentials(nonce.New())
	broken.JWT += "\n\n"
	s, err := a.Connect(t.Context(), broken)
	require.NoError(t, err)
	s.Close()
	require.Equal(t, 1, a.Stats().CachedTokens)
}

// TestCacheKeepsNoOutcome: everything about a known token is judged again.
func TestCacheKeepsNoOutcome(t *testing.T) {
	t.Parallel()
	clock := &clock{now: authtest.Now()}
	end := authtest.Now().Add(time.Hour)
	op := authtest.NewOperator(t)
	first := op.Account("A", authtest.Expires(end), authtest.Scope("role", authtest.PubAllow("old.{{name()}}"), authtest.Limits(-1, -1)))
	u := first.User("u", authtest.SignedBy("role"))
	upstream := &asked{answer: gives(first.Token())}
	a := authtest.Authorizer(t, op, nil, upstream.use, clock.use)
	s, err := a.Connect(t.Context(), u.Credentials(nonce.New()))
	require.NoError(t, err)
	require.Equal(t, []string{"old.u"}, s.Permissions().Publish.Allow)
	again(t, a, u)

	clock.advance(time.Hour)
	_, err = a.Connect(t.Context(), u.Credentials(nonce.New()))
	require.Error(t, err, "the account is over")

	clock.advance(time.Minute)
	second := op.Account("A", authtest.IssuedAt(end), authtest.Scope("role", authtest.PubAllow("new.{{name()}}"), authtest.Limits(-1, -1)))
	upstream.answer = gives(second.Token())
	s, err = a.Connect(t.Context(), u.Credentials(nonce.New()))
	require.NoError(t, err)
	require.Equal(t, []string{"new.u"}, s.Permissions().Publish.Allow, "the template of the account that is in force")
	require.EqualValues(t, 3, a.Stats().TokenHits)
}
