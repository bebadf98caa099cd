package resolvertest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nkeys"

	"github.com/natsauth/natsauth/claims"
	"github.com/natsauth/natsauth/resolver"
)

// Open gives a resolver that has the tokens and no others, for the time of the test. Each is of another account.
type Open func(t *testing.T, tokens ...string) resolver.Resolver

// Run holds a resolver to what resolver.Resolver promises and, if it is a resolver.Store, to what that does.
func Run(t *testing.T, open Open) {
	t.Run("Resolve", func(t *testing.T) { resolves(t, open) })
	t.Run("NotFound", func(t *testing.T) { notFound(t, open) })
	t.Run("EndedContext", func(t *testing.T) { endedContext(t, open) })
	t.Run("ResolveConcurrently", func(t *testing.T) { resolvesConcurrently(t, open) })
	if _, ok := open(t).(resolver.Store); ok {
		runStore(t, func(t *testing.T, tokens ...string) resolver.Store { return open(t, tokens...).(resolver.Store) })
	}
}

func resolves(t *testing.T, open Open) {
	one, two := Respelt(Token(t, 1, 100)), Token(t, 2, 100)
	r := open(t, one, two)
	for _, token := range []string{one, two, one} {
		answers(t, r, token)
	}
}

// answers asserts that the resolver gives the token, in whichever spelling.
func answers(t testing.TB, r resolver.Resolver, token string) {
	t.Helper()
	want := parse(t, token)
	got, err := r.Resolve(t.Context(), want.Key)
	if err != nil {
		t.Fatalf("Resolve: %v", err)
	}
	if parse(t, got).Digest != want.Digest {
		t.Fatal("Resolve gave another token")
	}
}

// Strangers are texts that are the key of no account, and some of them the name of something else.
func Strangers(t testing.TB) []string {
	t.Helper()
	a := Account(t, 1)
	return []string{
		"", "x", "..", ".", "/", "A", a + "\n", a + "\x00", a[:55], a + "A", strings.ToLower(a), a[:55] + "a",
		"../" + a, a + "/..", "/" + a, `..\` + a, a + ".jwt", "%2e%2e/" + a, a + "?x=y", a + "#", "*", ">", a + "|" + a,
		public(t, Pair(t, nkeys.PrefixByteUser, 1)), Operator(t), strings.Repeat("A", 56), strings.Repeat("A", 1<<16), "A\u00e9" + a[2:],
	}
}

func notFound(t *testing.T, open Open) {
	r := open(t, Token(t, 1, 100))
	for _, account := range append(Strangers(t), Account(t, 2)) {
		if token, err := r.Resolve(t.Context(), account); token != "" || !resolver.IsNotFound(err) {
			t.Errorf("Resolve(%.80q) gave %q, %v", account, token, err)
		}
	}
	answers(t, r, Token(t, 1, 100))
}

func endedContext(t *testing.T, open Open) {
	r := open(t, Token(t, 1, 100))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, account := range []string{Account(t, 1), Account(t, 2)} {
		if token, err := r.Resolve(ctx, account); token != "" || !isOutage(err, context.Canceled) {
			t.Errorf("Resolve gave %q, %v", token, err)
		}
	}
	answers(t, r, Token(t, 1, 100))
}

func isOutage(err, why error) bool {
	return errors.Is(err, resolver.ErrUnavailable) && errors.Is(err, why) && !errors.Is(err, resolver.ErrNotFound)
}

func resolvesConcurrently(t *testing.T, open Open) {
	tokens := []string{Token(t, 1, 100), Token(t, 2, 100), Token(t, 3, 100)}
	r := open(t, tokens...)
	wanted := make(map[string]claims.Digest)
	for _, token := range tokens {
		a := parse(t, token)
		wanted[a.Key] = a.Digest
	}
	nobody := Account(t, 4)
	var asking sync.WaitGroup
	for range 8 {
		asking.Go(func() {
			for range 20 {
				for key, want := range wanted {
					token, err := r.Resolve(t.Context(), key)
					if a, bad := claims.ParseAccount(token); err != nil || bad != nil || a.Digest != want {
						t.Errorf("Resolve gave %v, another token: %t", err, bad == nil)
					}
				}
				if _, err := r.Resolve(t.Context(), nobody); !resolver.IsNotFound(err) {
					t.Errorf("Resolve of nobody gave %v", err)
				}
			}
		})
	}
	asking.Wait()
}
