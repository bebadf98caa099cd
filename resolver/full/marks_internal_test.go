package full

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestMarksAreBounded: those deleted last are remembered, in memory and in the file.
func TestMarksAreBounded(t *testing.T) {
	d, err := openDirectory(t.TempDir())
	require.NoError(t, err)
	defer d.close()
	m := marks{byKey: make(map[rawKey]mark)}
	key := func(n int) rawKey { return rawKey{byte(n), byte(n >> 8), byte(n >> 16)} }
	for n := range 2 * maxMarks {
		m.lines++
		m.add(key(n), mark{issuedAt: int64(n)})
	}
	require.GreaterOrEqual(t, len(m.byKey), maxMarks)
	require.LessOrEqual(t, len(m.byKey), maxMarks+maxMarks/8)
	for n := range 2 * maxMarks {
		if _, ok := m.byKey[key(n)]; n >= maxMarks && !ok || n < maxMarks/2 && ok {
			t.Fatalf("%d is remembered: %t", n, ok)
		}
	}
	m.settled = true
	require.NoError(t, m.compact(d))
	require.Equal(t, len(m.byKey), m.lines)
	require.False(t, m.settled, "it is another file")

	for n := range maxMarks { // those that come now are younger than all before
		m.lines++
		m.add(key(1<<20+n), mark{issuedAt: 1})
	}
	for n := range maxMarks {
		if _, ok := m.byKey[key(1<<20+n)]; !ok {
			t.Fatalf("%d is forgotten", n)
		}
	}
	m.lines = 2 * maxMarks
	require.NoError(t, m.write(d, key(1), mark{issuedAt: 7}))
	require.Equal(t, len(m.byKey), m.lines, "the file is written anew")
	require.NoError(t, m.write(d, key(1), mark{issuedAt: 7}))
	require.Equal(t, len(m.byKey), m.lines, "it is there already")
}
