package route

// What a list keeps for subjects that it refused, nobody outside can see.

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestNothingLeft: a subject that is refused takes no room.
func TestNothingLeft(t *testing.T) {
	table := NewTable[int]()
	for _, subject := range []string{"a.b..c", "a.b.>.c", "a."} {
		require.ErrorIs(t, table.Insert(&Entry[int]{Subject: subject}), ErrSubject)
		require.False(t, table.list.HasInterestStartingIn("a"), subject)
	}
	require.NoError(t, table.Insert(&Entry[int]{Subject: "a.b"}))
	require.True(t, table.list.HasInterestStartingIn("a"))
}
