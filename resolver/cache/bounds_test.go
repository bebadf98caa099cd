package cache_test

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/natsauth/natsauth/resolver"
	"github.com/natsauth/natsauth/resolver/cache"
	"github.com/natsauth/natsauth/resolver/resolvertest"
)

// TestB18Entries: as many small tokens as allowed are kept, and no more.
func TestB18Entries(t *testing.T) {
	const most = 20
	u := serves(t)
	for n := range 2 * most {
		u.has(t, resolvertest.Token(t, n, 1))
	}
	for name, bytes := range map[string]int{"the default for Bytes": 0, "all that there is": math.MaxInt} {
		t.Run(name, func(t *testing.T) {
			c := before(t, u, cache.Options{Entries: most, Bytes: bytes})
			for n := range 2 * most {
				gives(t, c, resolvertest.Account(t, n), resolvertest.Token(t, n, 1))
				s := c.Stats()
				require.Equal(t, min(n+1, most), s.Entries)
				require.EqualValues(t, max(0, n+1-most), s.Evictions)
			}
		})
	}
}

// TestB18Bytes: a token that is as large as everything may be is kept, a larger one is given.
func TestB18Bytes(t *testing.T) {
	token := v(t, 1)
	for _, row := range []struct {
		name  string
		bytes int
		kept  int
	}{
		{"a byte more than it has", len(token) + 1, 1},
		{"as many as it has", len(token), 1},
		{"a byte less than it has", len(token) - 1, 0},
		{"one byte", 1, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			u := serves(t, token)
			c := before(t, u, cache.Options{Entries: 1, Bytes: row.bytes})
			for range 2 {
				gives(t, c, one(t), token)
			}
			s := c.Stats()
			require.Equal(t, row.kept, s.Entries)
			require.EqualValues(t, row.kept*len(token), s.Bytes)
			require.Equal(t, 2-row.kept, u.questions())
			require.Zero(t, s.Evictions)
		})
	}
}

// TestB18BoundsHold: whatever is asked for, both bounds hold after every question, and the answer is right.
func TestB18BoundsHold(t *testing.T) {
	const accounts = 12
	names := []string{"", strings.Repeat("a", 300), strings.Repeat("a", 3000)}
	var keys []string
	var tokens [][]string // by account, by version
	for n := range accounts {
		keys = append(keys, resolvertest.Account(t, n))
		var versions []string
		for i, name := range names {
			versions = append(versions, resolvertest.Token(t, n, int64(i), resolvertest.Named(name)))
		}
		tokens = append(tokens, versions)
	}
	rapid.Check(t, func(rt *rapid.T) {
		o := cache.Options{
			Entries: rapid.IntRange(1, accounts+2).Draw(rt, "entries"),
			Bytes:   rapid.IntRange(1, 20_000).Draw(rt, "bytes"),
		}
		m := new(resolver.Memory)
		s, err := cache.NewStore(m, o)
		require.NoError(rt, err)
		defer s.Close()
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			n := rapid.IntRange(0, accounts-1).Draw(rt, "account")
			if rapid.Bool().Draw(rt, "changes") {
				token := tokens[n][rapid.IntRange(0, len(names)-1).Draw(rt, "size")]
				_, err := s.Save(t.Context(), token, resolver.Override)
				require.NoError(rt, err)
			}
			got, err := s.Resolve(t.Context(), keys[n])
			want, missing := m.Resolve(t.Context(), keys[n])
			require.Equal(rt, missing, err)
			require.True(rt, got == want)
			stats := s.Stats()
			require.LessOrEqual(rt, stats.Entries, o.Entries)
			require.LessOrEqual(rt, stats.Bytes, int64(o.Bytes))
			require.GreaterOrEqual(rt, stats.Bytes, int64(0))
			require.Equal(rt, stats.Entries == 0, stats.Bytes == 0)
		}
	})
}
