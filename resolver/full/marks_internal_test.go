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
		m.add(key(n), int64(n))
	}
	require.GreaterOrEqual(t, len(m.byKey), maxMarks)
	require.LessOrEqual(t, len(m.byKey), maxMarks+maxMarks/8)
	for n := range 2 * maxMarks {
		if _, ok := m.byKey[key(n)]; n >= maxMarks && !ok || n < maxMarks/2 && ok {
			t.Fatalf("%d is remembered: %t", n, ok)
		}
	}
	require.NoError(t, m.compact(d))
	require.Equal(t, len(m.byKey), m.lines)
}
