package full_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/natsauth/natsauth/resolver"
	"github.com/natsauth/natsauth/resolver/full"
	"github.com/natsauth/natsauth/resolver/resolvertest"
)

// hasAccounts asserts which accounts a store has, and that no file is there but theirs.
func hasAccounts(t *testing.T, s *full.Store, dir string, want ...int) {
	t.Helper()
	keys := []string{}
	for _, n := range want {
		keys = append(keys, resolvertest.Account(t, n))
	}
	require.ElementsMatch(t, keys, resolvertest.Accounts(t, s))
	hasFiles(t, dir, len(want))
}

func hasFiles(t *testing.T, dir string, want int) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.jwt*"))
	require.NoError(t, err)
	require.Len(t, files, want)
}

// merge saves what another store had.
func merge(t *testing.T, s *full.Store, tokens ...string) {
	t.Helper()
	for _, token := range tokens {
		_, err := s.Save(t.Context(), token, resolver.Merge)
		require.NoError(t, err)
	}
}

func token(t *testing.T, n int) string { return resolvertest.Token(t, n, 100) }

// TestEvict: the limit holds, and what is saved is kept.
func TestEvict(t *testing.T) {
	for _, mode := range []full.DeleteMode{full.DeleteOff, full.DeleteRename, full.DeleteHard} {
		for _, row := range []struct {
			saved int
			want  []int
		}{{2, []int{1, 2}}, {3, []int{1, 2, 3}}, {4, []int{2, 3, 4}}, {7, []int{5, 6, 7}}} {
			t.Run(fmt.Sprint(mode, " ", row.saved), func(t *testing.T) {
				dir := t.TempDir()
				s := open(t, dir, full.Options{Limit: 3, Evict: true, Delete: mode})
				for n := 1; n <= row.saved; n++ {
					changed, err := s.Save(t.Context(), token(t, n), resolver.Push)
					require.NoError(t, err)
					require.True(t, changed)
				}
				hasAccounts(t, s, dir, row.want...)
			})
		}
	}
}

// TestEvictsWhoWasNotUsed: what counts as a use of account 1, and what does not.
func TestEvictsWhoWasNotUsed(t *testing.T) {
	key := resolvertest.Account(t, 1)
	for _, row := range []struct {
		name string
		do   func(t *testing.T, s *full.Store)
		use  bool
	}{
		{"nothing", func(*testing.T, *full.Store) {}, false},
		{"a look-up", func(t *testing.T, s *full.Store) {
			_, err := s.Resolve(t.Context(), key)
			require.NoError(t, err)
		}, true},
		{"a look-up of another", func(t *testing.T, s *full.Store) {
			_, err := s.Resolve(t.Context(), resolvertest.Account(t, 2))
			require.NoError(t, err)
		}, false},
		{"a newer token", func(t *testing.T, s *full.Store) { merge(t, s, resolvertest.Token(t, 1, 101)) }, true},
		{"the same token", func(t *testing.T, s *full.Store) { merge(t, s, token(t, 1)) }, true},
		{"the same token, pushed", func(t *testing.T, s *full.Store) { save(t, s, token(t, 1)) }, true},
		{"the same token in another spelling", func(t *testing.T, s *full.Store) { merge(t, s, resolvertest.Respelt(token(t, 1))) }, true},
		{"an older token", func(t *testing.T, s *full.Store) {
			_, err := s.Save(t.Context(), resolvertest.Token(t, 1, 99), resolver.Push)
			require.ErrorIs(t, err, resolver.ErrRollback)
		}, false},
		{"a list", func(t *testing.T, s *full.Store) { require.Len(t, resolvertest.Accounts(t, s), 3) }, false},
		{"all tokens", func(t *testing.T, s *full.Store) {
			n := 0
			for token, err := range s.Tokens(t.Context()) {
				require.NoError(t, err)
				require.NotEmpty(t, token)
				n++
			}
			require.Equal(t, 3, n)
		}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, dir, full.Options{Limit: 3, Evict: true})
			merge(t, s, token(t, 1), token(t, 2), token(t, 3))
			row.do(t, s)
			merge(t, s, token(t, 4))
			want := []int{2, 3, 4}
			if row.use {
				want = []int{1, 3, 4}
			}
			hasAccounts(t, s, dir, want...)
		})
	}
}

// TestB4Evicted: of an evicted account an older token is a rollback still, and its own comes back, also after a restart. One
// that was deleted does not.
func TestB4Evicted(t *testing.T) {
	for _, restarted := range []bool{false, true} {
		for _, row := range []struct {
			name    string
			deleted bool
			token   string
			mode    resolver.Mode
			want    error
		}{
			{"older", false, resolvertest.Token(t, 1, 99), resolver.Push, resolver.ErrRollback},
			{"older, of another store", false, resolvertest.Token(t, 1, 99), resolver.Merge, resolver.ErrRollback},
			{"older, on purpose", false, resolvertest.Token(t, 1, 99), resolver.Override, nil},
			{"the same", false, token(t, 1), resolver.Push, nil},
			{"the same, of another store", false, token(t, 1), resolver.Merge, nil},
			{"another of the same second", false, resolvertest.Token(t, 1, 100, resolvertest.Named("x")), resolver.Merge, nil},
			{"newer", false, resolvertest.Token(t, 1, 101), resolver.Merge, nil},
			{"deleted afterwards, of another store", true, token(t, 1), resolver.Merge, resolver.ErrRollback},
			{"deleted afterwards, newer", true, resolvertest.Token(t, 1, 101), resolver.Merge, nil},
		} {
			t.Run(fmt.Sprint(row.name, ", restarted: ", restarted), func(t *testing.T) {
				dir, o := t.TempDir(), full.Options{Limit: 2, Evict: true, Delete: full.DeleteHard}
				s := open(t, dir, o)
				merge(t, s, token(t, 1), token(t, 2), token(t, 3))
				hasAccounts(t, s, dir, 2, 3)
				_, err := s.Resolve(t.Context(), resolvertest.Account(t, 1))
				require.ErrorIs(t, err, resolver.ErrNotFound)
				if row.deleted {
					require.NoError(t, s.Delete(t.Context(), resolvertest.Account(t, 1)))
				}
				if restarted {
					require.NoError(t, s.Close())
					s = open(t, dir, o)
				}
				changed, err := s.Save(t.Context(), row.token, row.mode)
				require.ErrorIs(t, err, row.want)
				require.Equal(t, row.want == nil, changed)
				want := []int{2, 3}
				if row.want == nil {
					want = []int{1, 3}
				}
				hasAccounts(t, s, dir, want...)
			})
		}
	}
}

// TestEvictAfterOpen: then the files' times say who was used last, and what others have put there was not used at all.
func TestEvictAfterOpen(t *testing.T) {
	dir, o := t.TempDir(), full.Options{Limit: 4, Evict: true, Delete: full.DeleteHard}
	s := open(t, dir, o)
	merge(t, s, token(t, 1), token(t, 2), token(t, 3))
	require.NoError(t, s.Close())
	for n, age := range map[int]time.Duration{1: 2 * time.Hour, 2: 3 * time.Hour, 3: time.Hour} {
		at := time.Now().Add(-age)
		require.NoError(t, os.Chtimes(filepath.Join(dir, resolvertest.Account(t, n)+".jwt"), at, at))
	}
	s = open(t, dir, o)
	write(t, dir, resolvertest.Account(t, 9)+".jwt", token(t, 9))
	_, err := s.Reload(t.Context())
	require.NoError(t, err)
	for _, row := range []struct {
		saved int
		want  []int
	}{{4, []int{1, 2, 3, 4}}, {5, []int{1, 3, 4, 5}}, {6, []int{3, 4, 5, 6}}, {7, []int{4, 5, 6, 7}}} {
		merge(t, s, token(t, row.saved))
		hasAccounts(t, s, dir, row.want...)
	}

	// A file that has gone has made room itself; one that is no token any more keeps its place.
	require.NoError(t, os.Remove(filepath.Join(dir, resolvertest.Account(t, 5)+".jwt")))
	_, err = s.Reload(t.Context())
	require.NoError(t, err)
	merge(t, s, token(t, 8))
	hasAccounts(t, s, dir, 4, 6, 7, 8)
	write(t, dir, resolvertest.Account(t, 4)+".jwt", "no token")
	merge(t, s, token(t, 1))
	require.Len(t, s.Faults(), 1)
	require.Equal(t, "no token", read(t, dir, resolvertest.Account(t, 4)+".jwt"))
	require.Len(t, resolvertest.Accounts(t, s), 3)
	hasFiles(t, dir, 4)
}

// A file at fault keeps its place: others make room, and where there are none the store is full.
func TestEvictLeavesFaults(t *testing.T) {
	for limit, err := range map[int]error{2: resolver.ErrFull, 3: nil} {
		dir := t.TempDir()
		s := open(t, dir, full.Options{Limit: limit, Evict: true, Delete: full.DeleteHard})
		save(t, s, token(t, 1), token(t, 2))
		for n := 1; n <= 2; n++ {
			write(t, dir, resolvertest.Account(t, n)+".jwt", "no token")
			_, err := s.Resolve(t.Context(), resolvertest.Account(t, n))
			require.ErrorIs(t, err, full.ErrFault)
		}
		for n := 3; n < 6; n++ {
			_, got := s.Save(t.Context(), token(t, n), resolver.Push)
			require.ErrorIs(t, got, err)
			hasFiles(t, dir, limit)
		}
	}
}

// TestEvictToALowerLimit: what is over goes with the accounts that are saved, so many at a time.
func TestEvictToALowerLimit(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, full.Options{})
	for n := range 70 {
		merge(t, s, token(t, n))
	}
	require.NoError(t, s.Close())
	s = open(t, dir, full.Options{Limit: 2, Evict: true})
	hasFiles(t, dir, 70)
	merge(t, s, token(t, 80))
	hasFiles(t, dir, 70-64+1)
	merge(t, s, token(t, 81))
	hasAccounts(t, s, dir, 80, 81)
}

// TestEvictAgreesWithAList: whatever is done, a store holds what a list of the accounts used last does.
func TestEvictAgreesWithAList(t *testing.T) {
	var keys, tokens [7]string
	for n := range keys {
		keys[n], tokens[n] = resolvertest.Account(t, n), token(t, n)
	}
	rapid.Check(t, func(rt *rapid.T) {
		limit := rapid.IntRange(1, 4).Draw(rt, "limit")
		dir, err := os.MkdirTemp("", "natsauth")
		require.NoError(rt, err)
		defer os.RemoveAll(dir)
		s, err := full.Open(dir, full.Options{Limit: limit, Evict: true, Delete: full.DeleteHard})
		require.NoError(rt, err)
		defer s.Close()
		var used []int // last the one used last
		use := func(n int) { used = append(slices.DeleteFunc(used, func(m int) bool { return m == n }), n) }
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			n := rapid.IntRange(1, 6).Draw(rt, "account")
			held := slices.Contains(used, n)
			switch rapid.IntRange(0, 4).Draw(rt, "step") {
			case 0:
				_, err := s.Resolve(t.Context(), keys[n])
				require.Equal(rt, held, err == nil)
				if held {
					use(n)
				}
			case 1:
				require.NoError(rt, s.Delete(t.Context(), keys[n]))
				used = slices.DeleteFunc(used, func(m int) bool { return m == n })
			default:
				_, err := s.Save(t.Context(), tokens[n], resolver.Push)
				require.NoError(rt, err)
				use(n)
				used = used[max(0, len(used)-limit):]
			}
			want := []string{}
			for _, n := range used {
				want = append(want, keys[n])
			}
			require.ElementsMatch(rt, want, resolvertest.Accounts(t, s))
		}
	})
}
