package subject

// Inside the package, because a collision takes the hash of one index to find.

import (
	"fmt"
	"hash/maphash"
	"testing"

	"github.com/stretchr/testify/require"
)

// collide finds two tokens with the same hash.
func collide(seed maphash.Seed) (string, string) {
	x := index{seed: seed}
	seen := make(map[uint32]string)
	for i := 0; ; i++ {
		t := fmt.Sprint("t", i)
		h := x.hash(&word{text: t})
		if other, ok := seen[h]; ok {
			return other, t
		}
		seen[h] = t
	}
}

func TestTokensOfEqualHashAreToldApart(t *testing.T) {
	seed := maphash.MakeSeed()
	a, b := collide(seed)
	match := func(subject string, rules ...rule) bool {
		x := newIndex(seed, rules)
		c := cutter{depth: 4}
		m := measure(subject)
		w := c.literal(nil, &m)
		var found tally
		x.find(&w, &found)
		if hit, _, forks := x.line(&m, place{}); forks == 0 {
			require.Equal(t, found.plain, hit, subject)
		}
		return found.plain
	}
	both := []rule{{a, ""}, {b, ""}, {a + ".x", ""}, {b + ".y", ""}, {b + ".*.z", ""}, {"m." + a + ".>", ""}, {"m.n", ""}}
	for _, s := range []string{a, b, a + ".x", b + ".y", b + ".k.z", "m." + a + ".k"} {
		require.True(t, match(s, both...), s)
	}
	for _, s := range []string{a + ".y", b + ".x", a + ".k.z", "m." + b + ".k"} {
		require.False(t, match(s, both...), s)
	}
	require.True(t, match(a, rule{a, ""}))
	require.False(t, match(b, rule{a, ""}))
	require.False(t, match(b, rule{a, ""}, rule{"other", ""}))
}
