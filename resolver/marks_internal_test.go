package resolver

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// The bound is too large to reach with signed tokens, so this test is inside: it asks the marks themselves.
func TestMarksDropTheOldest(t *testing.T) {
	var m marks
	for n := range maxMarks {
		m.add(strconv.Itoa(n), int64(n))
	}
	requireMark(t, &m, "0", true)
	m.add("1", 1) // deleted again: the youngest now
	requireMark(t, &m, "0", true)

	m.add("one more", 7)
	requireMark(t, &m, "0", false)
	requireMark(t, &m, "1", true)
	m.add("and one", 7)
	requireMark(t, &m, "2", false)
	requireMark(t, &m, "1", true)
	require.Len(t, m.byKey, maxMarks)
	require.Equal(t, maxMarks, m.order.Len())
	mark, _ := m.get("and one")
	require.Equal(t, Mark{IssuedAt: 7}, mark)
	m.drop("never seen")
	require.Len(t, m.byKey, maxMarks)
}

// A mark stands for a deleted account only: it takes no room while the account is held.
func TestMarksAreOfDeletedAccounts(t *testing.T) {
	var m Memory
	for range 3 {
		m.put(Token{Account: "A", Mark: Mark{IssuedAt: 5}})
		requireMark(t, &m.marks, "A", false)
		require.Zero(t, m.marks.order.Len())
		require.NoError(t, m.Delete(t.Context(), "A"))
		requireMark(t, &m.marks, "A", true)
		require.Equal(t, 1, m.marks.order.Len())
	}
}

func requireMark(t *testing.T, m *marks, key string, want bool) {
	t.Helper()
	_, ok := m.get(key)
	require.Equal(t, want, ok, key)
}
