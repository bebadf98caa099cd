package resolver_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/claims"
	"github.com/natsauth/natsauth/resolver"
	"github.com/natsauth/natsauth/resolver/resolvertest"
)

var _ resolver.Store = (*resolver.Memory)(nil)

// memory holds the tokens.
func memory(t *testing.T, tokens ...string) resolver.Resolver {
	t.Helper()
	m, err := resolver.NewMemory(tokens...)
	require.NoError(t, err)
	return m
}

func TestMemory(t *testing.T) { resolvertest.Run(t, memory) }

// TestB4Deleted: an older token is a rollback after Delete, too.
func TestB4Deleted(t *testing.T) {
	resolvertest.Remembers(t, memory, func(_ *testing.T, s resolver.Store) resolver.Store { return s })
}

func TestNewMemory(t *testing.T) {
	lesser, greater := resolvertest.Twins(t, 1, 100)
	newer, other := resolvertest.Token(t, 1, 101), resolvertest.Token(t, 2, 50)
	for _, row := range []struct {
		name         string
		tokens, want []string
	}{
		{"nothing", nil, nil},
		{"two accounts", []string{lesser, other}, []string{lesser, other}},
		{"the newer last", []string{lesser, newer}, []string{newer}},
		{"the newer first", []string{newer, greater, other}, []string{newer, other}},
		{"one second, greater digest last", []string{lesser, greater}, []string{greater}},
		{"one second, greater digest first", []string{greater, lesser}, []string{greater}},
		{"one token twice", []string{other, resolvertest.Respelt(other), other}, []string{other}},
	} {
		t.Run(row.name, func(t *testing.T) {
			resolvertest.Holds(t, memory(t, row.tokens...).(*resolver.Memory), row.want...)
		})
	}
}

func TestNewMemoryNamesTheBadOne(t *testing.T) {
	good := resolvertest.Token(t, 1, 100)
	bad := good[:len(good)-20]
	m, err := resolver.NewMemory(good, good, bad)
	require.Nil(t, m)
	require.ErrorIs(t, err, resolver.ErrToken)
	require.ErrorContains(t, err, "tokens[2]")
	for _, chunk := range strings.Split(bad, ".") {
		require.NotContains(t, err.Error(), chunk)
	}
}

// What an Override put back is the new line: neither what was held before it nor an earlier mark counts any more.
func TestB4OverrideDrawsTheLineAnew(t *testing.T) {
	m := memory(t, resolvertest.Token(t, 1, 100)).(*resolver.Memory)
	account := resolvertest.Account(t, 1)
	require.NoError(t, m.Delete(t.Context(), account))
	for _, step := range []struct {
		iat  int64
		mode resolver.Mode
		want error
	}{
		{50, resolver.Push, resolver.ErrRollback},
		{50, resolver.Override, nil},
		{49, resolver.Push, resolver.ErrRollback},
		{51, resolver.Push, nil},
	} {
		_, err := m.Save(t.Context(), resolvertest.Token(t, 1, step.iat), step.mode)
		require.ErrorIs(t, err, step.want)
	}
	resolvertest.Holds(t, m, resolvertest.Token(t, 1, 51))
	require.NoError(t, m.Delete(t.Context(), account))
	_, err := m.Save(t.Context(), resolvertest.Token(t, 1, 50), resolver.Push)
	require.ErrorIs(t, err, resolver.ErrRollback)
	_, err = m.Save(t.Context(), resolvertest.Token(t, 1, 51), resolver.Push)
	require.NoError(t, err)
}

func TestZeroMemory(t *testing.T) {
	var m resolver.Memory
	require.NoError(t, m.Delete(t.Context(), resolvertest.Account(t, 1)))
	resolvertest.Holds(t, &m)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	requireUnusable(t, new(resolver.Memory), ctx, context.Canceled)
	changed, err := m.Save(t.Context(), resolvertest.Token(t, 1, 100), resolver.Push)
	require.NoError(t, err)
	require.True(t, changed)
	resolvertest.Holds(t, &m, resolvertest.Token(t, 1, 100))
}

func TestNilMemory(t *testing.T) {
	requireUnusable(t, nil, t.Context(), resolver.ErrUnavailable)
}

func requireUnusable(t *testing.T, m *resolver.Memory, ctx context.Context, want error) {
	t.Helper()
	text, resolveErr := m.Resolve(ctx, resolvertest.Account(t, 1))
	require.Empty(t, text)
	changed, saveErr := m.Save(ctx, resolvertest.Token(t, 1, 200), resolver.Override)
	require.False(t, changed)
	hash, hashErr := m.Hash(ctx)
	require.Zero(t, hash)
	errs := []error{resolveErr, saveErr, hashErr, m.Delete(ctx, resolvertest.Account(t, 1))}
	for key, err := range m.Accounts(ctx) {
		require.Empty(t, key)
		errs = append(errs, err)
	}
	require.Len(t, errs, 5)
	for _, err := range errs {
		require.ErrorIs(t, err, want)
		require.ErrorIs(t, err, resolver.ErrUnavailable)
		require.NotErrorIs(t, err, resolver.ErrNotFound)
	}
}

// FuzzMemorySave: whatever bytes are saved, the store refuses them and is unchanged, or holds them.
func FuzzMemorySave(f *testing.F) {
	good := resolvertest.Token(f, 1, 100)
	f.Add(good)
	f.Add(resolvertest.Respelt(good))
	f.Add(resolvertest.Token(f, 1, 99))
	f.Add(resolvertest.Token(f, 2, 1))
	f.Add(good[:40])
	f.Add("..")
	f.Fuzz(func(t *testing.T, text string) {
		m := memory(t, good).(*resolver.Memory)
		changed, err := m.Save(t.Context(), text, resolver.Push)
		if err != nil || !changed {
			require.False(t, changed)
			resolvertest.Holds(t, m, good)
			return
		}
		a, err := claims.ParseAccount(text)
		require.NoError(t, err)
		if a.Key == resolvertest.Account(t, 1) {
			resolvertest.Holds(t, m, text)
			return
		}
		resolvertest.Holds(t, m, good, text)
	})
}
