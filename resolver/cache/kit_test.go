package cache_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/natsauth/natsauth/claims"
	"github.com/natsauth/natsauth/resolver"
	"github.com/natsauth/natsauth/resolver/cache"
	"github.com/natsauth/natsauth/resolver/resolvertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errDial = errors.New("no route to host")

// upstream is a resolver whose answers a test chooses.
type upstream struct {
	mu     sync.Mutex
	tokens map[string]string // by account key
	err    error             // instead of any token
	gate   chan struct{}     // if not nil: an answer that was found is given when it is closed
	deaf   bool              // at the gate, to the end of the context
	asked  int
	ctx    context.Context // of the last question
}

// serves is an upstream that has the tokens.
func serves(t testing.TB, tokens ...string) *upstream {
	t.Helper()
	u := &upstream{tokens: make(map[string]string)}
	for _, token := range tokens {
		u.has(t, token)
	}
	return u
}

// has gives upstream the token.
func (u *upstream) has(t testing.TB, token string) {
	t.Helper()
	a, err := claims.ParseAccount(token)
	require.NoError(t, err)
	u.gives(a.Key, token)
}

func (u *upstream) gives(account, text string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.tokens[account] = text
}

func (u *upstream) forgets(account string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.tokens, account)
}

func (u *upstream) fails(err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.err = err
}

// holds has upstream hold back what it finds from now on, until the function it gives is called.
func (u *upstream) holds() (release func()) {
	u.mu.Lock()
	defer u.mu.Unlock()
	gate := make(chan struct{})
	u.gate = gate
	return func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		u.gate = nil
		close(gate)
	}
}

func (u *upstream) questions() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.asked
}

func (u *upstream) Resolve(ctx context.Context, account string) (string, error) {
	gate, token, err := u.find(ctx, account)
	if gate == nil {
		return token, err
	}
	over := ctx.Done()
	if u.deaf {
		over = nil
	}
	select {
	case <-gate:
		return token, err
	case <-over:
		return "", fmt.Errorf("%w: %w", resolver.ErrUnavailable, ctx.Err())
	}
}

func (u *upstream) find(ctx context.Context, account string) (chan struct{}, string, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.asked++
	u.ctx = ctx
	if u.err != nil {
		return u.gate, "", u.err
	}
	token, ok := u.tokens[account]
	if !ok {
		return u.gate, "", resolver.ErrNotFound
	}
	return u.gate, token, nil
}

// before makes a Cache for the time of the test.
func before(t testing.TB, r resolver.Resolver, o cache.Options) *cache.Cache {
	t.Helper()
	c, err := cache.New(r, o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

// gives asserts an answer.
func gives(t testing.TB, r resolver.Resolver, account, want string) {
	t.Helper()
	got, err := r.Resolve(t.Context(), account)
	require.NoError(t, err)
	require.True(t, got == want, "another token")
}

// refuses asserts that there is no token, for one reason and not the other.
func refuses(t testing.TB, r resolver.Resolver, account string, want error) {
	t.Helper()
	got, err := r.Resolve(t.Context(), account)
	require.Empty(t, got)
	requireOnly(t, err, want)
}

func requireOnly(t testing.TB, err, want error) {
	t.Helper()
	require.ErrorIs(t, err, want)
	for _, e := range []error{resolver.ErrNotFound, resolver.ErrUnavailable} {
		require.Equal(t, errors.Is(want, e), errors.Is(err, e), "%v", err)
	}
}

// one is the key of the account that most tests are about, and v its token that was issued at iat.
func one(t testing.TB) string          { return resolvertest.Account(t, 1) }
func v(t testing.TB, iat int64) string { return resolvertest.Token(t, 1, iat) }
func ending(t testing.TB, exp int64) string {
	return resolvertest.Token(t, 1, 1, resolvertest.Expires(exp))
}
