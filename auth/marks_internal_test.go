package auth

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/claims"
	"github.com/natsauth/natsauth/resolver"
)

// These tests are inside the package because nobody outside can see the marks.

func markOf(n int64) resolver.Mark {
	return resolver.Mark{IssuedAt: n, Digest: claims.Digest{byte(n)}}
}

// TestMarks: what went out first is forgotten first, and coming in again is being
// new.
func TestMarks(t *testing.T) {
	t.Parallel()
	m := marks{limit: 2}
	_, why := m.get("a")
	require.Equal(t, ReasonNone, why)
	m.add(former{"a", markOf(1), ReasonNone})
	m.add(former{"b", markOf(2), AccountRemoved})
	m.add(former{"a", markOf(3), ReasonNone})
	require.Equal(t, 2, m.count())
	m.add(former{"c", markOf(4), ReasonNone})
	require.Equal(t, 2, m.count(), "at the limit")
	for key, want := range map[string]former{"a": {"a", markOf(3), ReasonNone}, "b": {}, "c": {"c", markOf(4), ReasonNone}} {
		mark, why := m.get(key)
		require.Equal(t, want.mark, mark, key)
		require.Equal(t, want.why, why, key)
	}
	m.forget("c")
	m.forget("nobody")
	require.Equal(t, 1, m.count())
	require.Equal(t, 1, m.order.Len())
}

// TestMarksModel: however accounts go out and come in, the marks are those of the
// last ones that went out.
func TestMarksModel(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	for _, limit := range []int{1, 5, 50} {
		m := marks{limit: limit}
		var model []former // the oldest first
		without := func(key string) {
			model = slices.DeleteFunc(model, func(f former) bool { return f.key == key })
		}
		for i := range 2000 {
			key := fmt.Sprint(r.IntN(40))
			without(key)
			if r.IntN(4) == 0 {
				m.forget(key)
			} else {
				f := former{key, markOf(int64(i)), []Reason{AccountRemoved, ReasonNone, AccountStale}[i%3]}
				m.add(f)
				if model = append(model, f); len(model) > limit {
					model = model[1:]
				}
			}
			require.Equal(t, len(model), m.count())
			require.Equal(t, len(model), m.order.Len())
		}
		for _, f := range model {
			mark, why := m.get(f.key)
			require.Equal(t, f, former{f.key, mark, why})
		}
	}
}
