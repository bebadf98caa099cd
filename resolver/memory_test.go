package resolver_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/claims"
	"github.com/natsauth/natsauth/resolver"
)

var _ resolver.Store = (*resolver.Memory)(nil)

// memory holds the tokens.
func memory(t testing.TB, tokens ...string) *resolver.Memory {
	t.Helper()
	m, err := resolver.NewMemory(tokens...)
	require.NoError(t, err)
	return m
}

// holds asserts that m holds exactly the tokens, whichever way it is asked.
func holds(t testing.TB, m *resolver.Memory, tokens ...string) {
	t.Helper()
	var hash [32]byte
	var keys []string
	for _, text := range tokens {
		a, err := claims.ParseAccount(text)
		require.NoError(t, err)
		canonical, err := claims.Canonical(text)
		require.NoError(t, err)
		got, err := m.Resolve(background, a.Key)
		require.NoError(t, err)
		require.Equal(t, canonical, got)
		keys = append(keys, a.Key)
		for i, b := range sha256.Sum256([]byte(canonical)) {
			hash[i] ^= b
		}
	}
	slices.Sort(keys)
	require.Equal(t, keys, accounts(t, m))
	got, err := m.Hash(background)
	require.NoError(t, err)
	require.Equal(t, hash, got)
}

func accounts(t testing.TB, m *resolver.Memory) []string {
	t.Helper()
	var keys []string
	for key, err := range m.Accounts(background) {
		require.NoError(t, err)
		keys = append(keys, key)
	}
	return keys
}

func TestNewMemory(t *testing.T) {
	lesser, greater := twins(t, 1, 100)
	newer, other := token(t, 1, 101, ""), token(t, 2, 50, "")
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
		{"one token twice", []string{other, respelt(other), other}, []string{other}},
	} {
		t.Run(row.name, func(t *testing.T) { holds(t, memory(t, row.tokens...), row.want...) })
	}
}

func TestNewMemoryNamesTheBadOne(t *testing.T) {
	good := token(t, 1, 100, "")
	bad := good[:len(good)-20]
	m, err := resolver.NewMemory(good, good, bad)
	require.Nil(t, m)
	require.ErrorIs(t, err, resolver.ErrToken)
	require.ErrorContains(t, err, "tokens[2]")
	for _, chunk := range strings.Split(bad, ".") {
		require.NotContains(t, err.Error(), chunk)
	}
}

func TestMemoryResolve(t *testing.T) {
	m := memory(t, respelt(token(t, 1, 100, "")))
	got, err := m.Resolve(background, account(t, 1))
	require.NoError(t, err)
	require.Equal(t, token(t, 1, 100, ""), got) // in the canonical spelling, not as it came

	user := public(t, key(t, nkeys.PrefixByteUser, 1))
	a := account(t, 1)
	for _, text := range []string{account(t, 2), "", "x", user, a + "\n", a[:55], strings.ToLower(a), "../" + a} {
		got, err := m.Resolve(background, text)
		require.ErrorIs(t, err, resolver.ErrNotFound, "%q", text)
		require.NotErrorIs(t, err, resolver.ErrUnavailable)
		require.Empty(t, got)
	}
}

func TestB4Save(t *testing.T) {
	lesser, greater := twins(t, 1, 100)
	before, after := token(t, 1, 99, ""), token(t, 1, 101, "")
	for _, row := range []struct {
		name    string
		held    string
		mode    resolver.Mode
		next    string
		changed bool
		err     error
	}{
		{"push, a second before", lesser, resolver.Push, before, false, resolver.ErrRollback},
		{"push, same second, greater digest", lesser, resolver.Push, greater, true, nil},
		{"push, same second, lesser digest", greater, resolver.Push, lesser, true, nil},
		{"push, same token", lesser, resolver.Push, lesser, false, nil},
		{"push, same token respelt", lesser, resolver.Push, respelt(lesser), false, nil},
		{"push, a second after", lesser, resolver.Push, after, true, nil},
		{"merge, a second before", lesser, resolver.Merge, before, false, resolver.ErrRollback},
		{"merge, same second, greater digest", lesser, resolver.Merge, greater, true, nil},
		{"merge, same second, lesser digest", greater, resolver.Merge, lesser, false, nil},
		{"merge, same token", lesser, resolver.Merge, respelt(lesser), false, nil},
		{"merge, a second after", lesser, resolver.Merge, after, true, nil},
		{"override, a second before", lesser, resolver.Override, before, true, nil},
		{"override, same second, greater digest", lesser, resolver.Override, greater, true, nil},
		{"override, same second, lesser digest", greater, resolver.Override, lesser, true, nil},
		{"override, same token", lesser, resolver.Override, respelt(lesser), false, nil},
		{"override, a second after", lesser, resolver.Override, after, true, nil},
		{"unknown mode", lesser, resolver.Mode(3), after, false, errAny},
	} {
		t.Run(row.name, func(t *testing.T) {
			other := token(t, 2, 1, "")
			m := memory(t, row.held, other)
			changed, err := m.Save(background, row.next, row.mode)
			requireError(t, row.err, err)
			require.Equal(t, row.changed, changed)
			want := row.held
			if row.changed {
				want = row.next
			}
			holds(t, m, want, other)
		})
	}
}

func TestB4SaveAfterDelete(t *testing.T) {
	lesser, greater := twins(t, 1, 100)
	before, after := token(t, 1, 99, ""), token(t, 1, 101, "")
	for _, row := range []struct {
		name    string
		mode    resolver.Mode
		next    string
		changed bool
		err     error
	}{
		{"push, a second before", resolver.Push, before, false, resolver.ErrRollback},
		{"push, the token that was deleted", resolver.Push, greater, true, nil},
		{"push, a second after", resolver.Push, after, true, nil},
		{"merge, a second before", resolver.Merge, before, false, resolver.ErrRollback},
		{"merge, same second, lesser digest", resolver.Merge, lesser, true, nil},
		{"merge, a second after", resolver.Merge, after, true, nil},
		{"override, a second before", resolver.Override, before, true, nil},
		{"unknown mode", resolver.Mode(3), after, false, errAny},
	} {
		t.Run(row.name, func(t *testing.T) {
			m := memory(t, greater)
			require.NoError(t, m.Delete(background, account(t, 1)))
			require.NoError(t, m.Delete(background, account(t, 1))) // again: the mark stays
			holds(t, m)
			changed, err := m.Save(background, row.next, row.mode)
			requireError(t, row.err, err)
			require.Equal(t, row.changed, changed)
			if row.changed {
				holds(t, m, row.next)
			} else {
				holds(t, m)
			}
		})
	}
}

// What an Override put back is the new line: neither what was held before it nor an earlier mark counts any more.
func TestB4OverrideDrawsTheLineAnew(t *testing.T) {
	m := memory(t, token(t, 1, 100, ""))
	require.NoError(t, m.Delete(background, account(t, 1)))
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
		_, err := m.Save(background, token(t, 1, step.iat, ""), step.mode)
		require.ErrorIs(t, err, step.want)
	}
	holds(t, m, token(t, 1, 51, ""))
	require.NoError(t, m.Delete(background, account(t, 1)))
	_, err := m.Save(background, token(t, 1, 50, ""), resolver.Push)
	require.ErrorIs(t, err, resolver.ErrRollback)
	_, err = m.Save(background, token(t, 1, 51, ""), resolver.Push)
	require.NoError(t, err)
}

func TestMemorySaveOfNewAccounts(t *testing.T) {
	for _, mode := range []resolver.Mode{resolver.Push, resolver.Merge, resolver.Override} {
		for _, iat := range []int64{-1, 0, 1} {
			var m resolver.Memory
			changed, err := m.Save(background, token(t, 1, iat, ""), mode)
			require.NoError(t, err)
			require.True(t, changed)
			holds(t, &m, token(t, 1, iat, ""))
		}
	}
	var m resolver.Memory
	changed, err := m.Save(background, token(t, 1, 1, ""), resolver.Mode(3))
	require.Error(t, err)
	require.False(t, changed)
	holds(t, &m)
}

func TestMemorySaveRefusesWhatIsNoAccountToken(t *testing.T) {
	good, other := token(t, 1, 100, ""), token(t, 1, 101, "")
	user := jwt.NewUserClaims(public(t, key(t, nkeys.PrefixByteUser, 1)))
	user.Issuer, user.Type, user.Version = account(t, 1), jwt.UserClaim, 2
	foreign := jwt.NewAccountClaims(public(t, key(t, nkeys.PrefixByteUser, 1)))
	foreign.Issuer, foreign.Type, foreign.Version = public(t, key(t, nkeys.PrefixByteOperator, 0)), jwt.AccountClaim, 2
	cut := strings.LastIndexByte(other, '.')

	for _, row := range []struct{ name, token string }{
		{"nothing", ""},
		{"no token", "not a token"},
		{"signature of another token", other[:cut] + good[strings.LastIndexByte(good, '.'):]},
		{"no signature", other[:cut+1]},
		{"user token", sign(t, key(t, nkeys.PrefixByteAccount, 1), user)},
		{"account token about a user key", sign(t, key(t, nkeys.PrefixByteOperator, 0), foreign)},
	} {
		t.Run(row.name, func(t *testing.T) {
			m := memory(t, good)
			changed, err := m.Save(background, row.token, resolver.Override)
			require.ErrorIs(t, err, resolver.ErrToken)
			require.False(t, changed)
			holds(t, m, good)
		})
	}
}

func TestMemoryDelete(t *testing.T) {
	one, two := token(t, 1, 100, ""), token(t, 2, 100, "")
	m := memory(t, one, two)
	for _, text := range []string{"", "x", account(t, 3)} {
		require.NoError(t, m.Delete(background, text))
	}
	holds(t, m, one, two)
	require.NoError(t, m.Delete(background, account(t, 1)))
	holds(t, m, two)
	_, err := m.Resolve(background, account(t, 1))
	require.ErrorIs(t, err, resolver.ErrNotFound)
	require.NoError(t, m.Delete(background, account(t, 2)))
	holds(t, m)
	require.NoError(t, new(resolver.Memory).Delete(background, account(t, 1)))
}

// The body of a loop may write to the store, and sees the accounts as they were.
func TestMemoryAccountsIsASnapshot(t *testing.T) {
	m := memory(t, token(t, 1, 1, ""), token(t, 2, 1, ""), token(t, 3, 1, ""))
	want := accounts(t, m)
	require.Len(t, want, 3)
	seq := m.Accounts(background)
	var got []string
	for key, err := range seq {
		require.NoError(t, err)
		got = append(got, key)
		require.NoError(t, m.Delete(background, key))
		_, err := m.Save(background, token(t, 10+len(got), 1, ""), resolver.Push)
		require.NoError(t, err)
	}
	require.Equal(t, want, got)
	require.NotEqual(t, want, accounts(t, m))

	seen := 0
	for range seq { // once more: as of now, and ended by the body
		seen++
		break
	}
	require.Equal(t, 1, seen)
}

func TestMemoryHashForgetsTheOrder(t *testing.T) {
	var tokens []string
	for n := range 8 {
		tokens = append(tokens, token(t, n, 100, ""))
	}
	first := memory(t, tokens...)
	slices.Reverse(tokens)
	second := memory(t, append(tokens, token(t, 9, 1, ""))...)
	require.NoError(t, second.Delete(background, account(t, 9)))
	a, err := first.Hash(background)
	require.NoError(t, err)
	b, err := second.Hash(background)
	require.NoError(t, err)
	require.Equal(t, a, b)
	require.NotZero(t, a)
	holds(t, second, tokens...)
}

func TestMemoryEndedContext(t *testing.T) {
	m := memory(t, token(t, 1, 100, ""))
	ctx, cancel := context.WithCancel(background)
	cancel()
	requireUnusable(t, m, ctx, context.Canceled)
	holds(t, m, token(t, 1, 100, ""))
	requireUnusable(t, new(resolver.Memory), ctx, context.Canceled)
}

func TestMemoryContextThatEndsInTheLoop(t *testing.T) {
	m := memory(t, token(t, 1, 100, ""), token(t, 2, 100, ""))
	ctx, cancel := context.WithCancel(background)
	defer cancel()
	var errs []error
	for _, err := range m.Accounts(ctx) {
		errs = append(errs, err)
		cancel()
	}
	require.Len(t, errs, 2)
	require.NoError(t, errs[0])
	require.ErrorIs(t, errs[1], context.Canceled)
}

func TestNilMemory(t *testing.T) {
	requireUnusable(t, nil, background, resolver.ErrUnavailable)
}

func requireUnusable(t *testing.T, m *resolver.Memory, ctx context.Context, want error) {
	t.Helper()
	text, resolveErr := m.Resolve(ctx, account(t, 1))
	require.Empty(t, text)
	changed, saveErr := m.Save(ctx, token(t, 1, 200, ""), resolver.Override)
	require.False(t, changed)
	hash, hashErr := m.Hash(ctx)
	require.Zero(t, hash)
	errs := []error{resolveErr, saveErr, hashErr, m.Delete(ctx, account(t, 1))}
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

// Several goroutines push, merge and delete in any order while others read: the newest remains, and the hash is that of
// what is held.
func TestMemoryConcurrently(t *testing.T) {
	const shared, last, writers = 4, 12, 4
	var tokens, want []string
	for n := range shared {
		for iat := range last {
			tokens = append(tokens, token(t, n, int64(iat+1), ""))
		}
		want = append(want, tokens[len(tokens)-1])
	}
	var m resolver.Memory
	write := func(w int) {
		own := token(t, 20+w, 1, "")
		for i := range tokens {
			_, err := m.Save(background, tokens[(i*(2*w+1)+w)%len(tokens)], resolver.Mode(w%2))
			if err != nil && !errors.Is(err, resolver.ErrRollback) {
				t.Errorf("writer %d: %v", w, err)
			}
			m.Save(background, own, resolver.Push)
			m.Delete(background, account(t, 20+w))
		}
	}
	reads := []func(){
		func() { m.Hash(background) },
		func() { m.Resolve(background, account(t, 0)) },
		func() {
			for key, err := range m.Accounts(background) {
				if key == "" || err != nil {
					t.Errorf("key %q, error %v", key, err)
				}
			}
		},
	}
	run(writers, write, reads)
	holds(t, &m, want...)
}

// run calls write once in each of several goroutines, and each of reads over and over until they are done.
func run(writers int, write func(int), reads []func()) {
	var writing, reading sync.WaitGroup
	var done atomic.Bool
	for _, read := range reads {
		reading.Go(func() {
			for !done.Load() {
				read()
			}
		})
	}
	for w := range writers {
		writing.Go(func() { write(w) })
	}
	writing.Wait()
	done.Store(true)
	reading.Wait()
}

// FuzzMemorySave: whatever bytes are saved, the store refuses them and is unchanged, or holds them.
func FuzzMemorySave(f *testing.F) {
	good := token(f, 1, 100, "")
	f.Add(good)
	f.Add(respelt(good))
	f.Add(token(f, 1, 99, ""))
	f.Add(token(f, 2, 1, ""))
	f.Add(good[:40])
	f.Add("..")
	f.Fuzz(func(t *testing.T, text string) {
		m := memory(t, good)
		changed, err := m.Save(background, text, resolver.Push)
		if err != nil || !changed {
			require.False(t, changed)
			holds(t, m, good)
			return
		}
		a, err := claims.ParseAccount(text)
		require.NoError(t, err)
		if a.Key == account(t, 1) {
			holds(t, m, text)
			return
		}
		holds(t, m, good, text)
	})
}
