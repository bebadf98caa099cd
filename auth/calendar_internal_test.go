package auth

import (
	"testing"
	"time"

	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/claims"
	"github.com/natsauth/natsauth/resolver"
)

// TestCalendarForgets is inside the package because nobody outside can see what
// the calendar holds: a session that was closed leaves it at once, not when its
// time would have come.
func TestCalendarForgets(t *testing.T) {
	t.Parallel()
	pair, err := nkeys.CreateOperator()
	require.NoError(t, err)
	key, err := pair.PublicKey()
	require.NoError(t, err)
	a, err := New(Config{Trust: Trust{Keys: []string{key}}, Resolver: resolver.Func(nil)})
	require.NoError(t, err)
	defer a.Close()
	account := &Account{claims: &claims.Account{Limits: claims.AccountLimits{Connections: 100}}, place: &place{}}
	account.place.current.Store(account)
	var sessions []*Session
	for i := range 20 {
		s := &Session{authorizer: a, user: &user{}, slot: -1}
		s.user.key[0] = byte(i % 2) // two pages
		s.account.Store(account)
		s.expires.Store(time.Now().Add(time.Hour + time.Duration(i)).UnixNano())
		account.place.admit(s)
		a.calendar.add(s)
		sessions = append(sessions, s)
	}
	held := func() int { return len(a.calendar.pages[0].sessions) + len(a.calendar.pages[1].sessions) }
	require.Equal(t, 20, held())
	for i, s := range sessions {
		s.Close()
		require.Equal(t, 19-i, held())
	}
	require.Nil(t, account.place.first)
	require.Zero(t, account.place.connections)
}

// TestB6StaleAdmission is inside the package because the moment is: an account
// that changes between its look-up and the admission is looked at again.
func TestB6StaleAdmission(t *testing.T) {
	t.Parallel()
	old, now := &Account{claims: &claims.Account{}, place: &place{}}, &Account{}
	old.place.current.Store(now)
	s := &Session{authorizer: &Authorizer{}}
	s.account.Store(old)
	reason, stale := old.place.admit(s)
	require.Equal(t, ReasonNone, reason)
	require.True(t, stale)
	require.Nil(t, old.place.first, "nobody was added")
}
