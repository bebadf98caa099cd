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
	first, second := new(conn), new(conn)
	one := l.enter("A", first)
	require.Same(t, one, l.enter("A", second))
	require.ElementsMatch(t, []*conn{first, second}, l.in("A"))
	l.leave(one, first)
	require.Same(t, one, l.find("A"))
	require.Equal(t, []*conn{second}, l.in("A"))
	require.Same(t, one, l.hold("A")) // somebody listens from another account
	l.leave(one, second)
	require.Same(t, one, l.find("A"))
	require.Empty(t, l.in("A"))
	l.release(one)
	require.Nil(t, l.find("A"))
	require.Empty(t, l.all)
	require.NotSame(t, one, l.enter("A", first))
}
