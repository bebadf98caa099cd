package broker

// What is kept of an account that nobody is in, no client can see.

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAccountsForget: an account is kept while somebody is in it.
func TestAccountsForget(t *testing.T) {
	l := newAccounts()
	require.Nil(t, l.find("A"))
	one := l.enter("A")
	require.Same(t, one, l.enter("A"))
	l.leave(one)
	require.Same(t, one, l.find("A"))
	l.leave(one)
	require.Nil(t, l.find("A"))
	require.Empty(t, l.all)
	require.NotSame(t, one, l.enter("A"))
}
