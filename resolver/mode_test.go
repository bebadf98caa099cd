package resolver_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/claims"
	"github.com/natsauth/natsauth/resolver"
)

func TestModeString(t *testing.T) {
	require.Equal(t, "push", resolver.Push.String())
	require.Equal(t, "merge", resolver.Merge.String())
	require.Equal(t, "override", resolver.Override.String())
	require.Equal(t, "mode(3)", resolver.Mode(3).String())
	require.Equal(t, resolver.Push, *new(resolver.Mode))
}

// What is saved in place of what is held (F110, and B4 beside it).
func TestB4Admits(t *testing.T) {
	mark := func(iat int64, digest byte) resolver.Mark {
		return resolver.Mark{IssuedAt: iat, Digest: claims.Digest{31: digest}}
	}
	held := mark(100, 5)
	type answer struct {
		ok  bool
		err error
	}
	yes, no, back := answer{true, nil}, answer{false, nil}, answer{false, resolver.ErrRollback}
	for _, row := range []struct {
		name                  string
		held, next            resolver.Mark
		push, merge, override answer
	}{
		{"a second before", held, mark(99, 6), back, back, yes},
		{"same second, greater digest", held, mark(100, 6), yes, yes, yes},
		{"same second, lesser digest", held, mark(100, 4), yes, no, yes},
		{"same token", held, held, no, no, no},
		{"a second after", held, mark(101, 4), yes, yes, yes},
		{"after a deletion, a second before", mark(100, 0), mark(99, 5), back, back, yes},
		{"after a deletion, same second", mark(100, 0), mark(100, 5), yes, back, yes},
		{"after a deletion, a second after", mark(100, 0), mark(101, 5), yes, yes, yes},
		{"no iat after no iat, greater digest", mark(0, 5), mark(0, 6), yes, yes, yes},
		{"no iat after no iat, lesser digest", mark(0, 5), mark(0, 4), yes, no, yes},
		{"the ends of time", mark(math.MaxInt64, 5), mark(math.MinInt64, 6), back, back, yes},
		{"the ends of time, forwards", mark(math.MinInt64, 5), mark(math.MaxInt64, 4), yes, yes, yes},
	} {
		t.Run(row.name, func(t *testing.T) {
			for mode, want := range map[resolver.Mode]answer{
				resolver.Push: row.push, resolver.Merge: row.merge, resolver.Override: row.override,
			} {
				ok, err := mode.Admits(row.held, row.next)
				require.Equal(t, want, answer{ok, err}, mode)
			}
		})
	}
}

func TestAdmitsRefusesUnknownModes(t *testing.T) {
	ok, err := resolver.Mode(3).Admits(resolver.Mark{}, resolver.Mark{IssuedAt: 1, Digest: claims.Digest{1}})
	require.False(t, ok)
	require.EqualError(t, err, "resolver: unknown mode(3)")
}
