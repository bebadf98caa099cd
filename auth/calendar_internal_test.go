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
	account := &Account{
		claims: &claims.Account{Limits: claims.AccountLimits{Connections: 100}},
		place:  &place{authorizer: a}, trust: a.trust.Load(),
	}
	account.place.current.Store(account)
	var sessions []*Session
	for i := range 20 {
		s := &Session{place: account.place, slot: -1}
		s.admitted.user, s.admitted.until = &user{}, time.Now().Add(time.Hour+time.Duration(i)).UnixNano()
		s.admitted.user.key[0] = byte(i % 2) // two pages
		s.standing.Store(&s.admitted)
		account.place.admit(s, account)
		a.calendar.add(s)
		sessions = append(sessions, s)
	}
	held := func() int { return len(a.calendar.pages[0].sessions) + len(a.calendar.pages[1].sessions) }
	require.Equal(t, 20, held())
	for i, s := range sessions {
		s.Close()
		require.Equal(t, 19-i, held())
	}
	require.Empty(t, account.place.groups)
	require.Zero(t, account.place.users.count)
	require.Zero(t, account.place.connections)
}

// TestB6StaleAdmission is inside the package because the moment is: an account
// that changes between its look-up and the admission is looked at again.
func TestB6StaleAdmission(t *testing.T) {
	t.Parallel()
	a := &Authorizer{}
	trusted, another := &trust{}, &trust{}
	a.trust.Store(trusted)
	p := &place{authorizer: a}
	view := &Account{claims: &claims.Account{Limits: claims.AccountLimits{Connections: 100}}, place: p, trust: trusted}
	for name, change := range map[string]func(){
		"another view":      func() { p.current.Store(&Account{}) },
		"no view":           func() { p.current.Store(nil) },
		"another trust set": func() { a.trust.Store(another) },
		"given up":          func() { p.gone = true },
	} {
		s := &Session{place: p}
		s.admitted.user = &user{}
		s.standing.Store(&s.admitted)
		p.gone = false
		p.current.Store(view)
		a.trust.Store(trusted)
		change()
		reason, stale := p.admit(s, view)
		require.Equal(t, ReasonNone, reason, name)
		require.True(t, stale, name)
		require.Empty(t, p.groups, "nobody was added")
	}
	a.trust.Store(trusted)
	p.gone = false
	p.current.Store(view)
	s := &Session{place: p}
	s.admitted.user = &user{}
	s.standing.Store(&s.admitted)
	_, stale := p.admit(s, view)
	require.False(t, stale, "as it was decided")
	require.Len(t, p.groups, 1)
}
