package auth_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/auth/authtest"
	"github.com/natsauth/natsauth/nonce"
	"github.com/natsauth/natsauth/resolver"
)

// TestNoGoroutineIsLeft connects, renews and closes sessions with receivers while the
// account and the trust set change, and wants no goroutine left when all are closed,
// though the Authorizer is open.
func TestNoGoroutineIsLeft(t *testing.T) {
	before := goleak.IgnoreCurrent()
	o := authtest.NewOperator(t)
	account := o.Account("A", authtest.Scope("clerk", authtest.PubAllow("{{name()}}")))
	c := auth.Config{
		Trust: auth.Trust{Operators: []string{o.Token()}}, Resolver: authtest.Resolver(account), Clock: authtest.Now,
		OnAccount: func(auth.AccountEvent) {}, KeepOnScopeChange: true,
	}
	a, err := auth.New(c)
	require.NoError(t, err)
	defer a.Close()
	var told sync.WaitGroup
	for i := range 60 {
		u := account.User(fmt.Sprint(i%20), authtest.SignedBy("clerk"), authtest.IssuedAt(authtest.Now().Add(time.Duration(i-100)*time.Minute)))
		creds := u.Credentials(nonce.New())
		s, err := a.Connect(context.Background(), creds)
		require.NoError(t, err)
		told.Add(1)
		s.Notify(func(e auth.Event) {
			if e.Kind == auth.Closed {
				told.Done()
			}
		})
		_ = s.Done()
		if i%3 == 0 {
			require.NoError(t, s.Renew(context.Background(), creds.JWT, creds.Signature))
		}
		if i%2 == 0 {
			s.Close()
		}
	}
	_, err = a.Apply(context.Background(), account.Renew(authtest.Revoke("*", authtest.Now().Add(-60*time.Minute))).Token(), resolver.Push)
	require.NoError(t, err)
	_, err = a.SetTrust(context.Background(), c.Trust)
	require.NoError(t, err)
	a.CloseSessions(auth.Filter{}, "all")
	told.Wait()
	goleak.VerifyNone(t, before)
	require.Zero(t, a.Counts(account.PublicKey()))
	for range a.Sessions(auth.Filter{}) {
		t.Error("a session is left")
	}
}

// TestNoPermissionsAreLeft: what sessions were given goes with them, and what an
// account's former tokens gave with those tokens.
func TestNoPermissionsAreLeft(t *testing.T) {
	o := authtest.NewOperator(t)
	version := func(n int) *authtest.Account {
		return o.Account("A", authtest.IssuedAt(authtest.Now().Add(time.Duration(n)*time.Second)),
			authtest.Scope("clerk", authtest.PubAllow(fmt.Sprintf("v%d.{{name()}}", n))),
			authtest.DefaultPermissions(authtest.PubAllow(fmt.Sprintf("d%d", n))))
	}
	account := version(0)
	a := authtest.Authorizer(t, o, []*authtest.Account{account}, func(c *auth.Config) {
		c.KeepOnScopeChange, c.Bounds.CachedBytes = true, -1
	})
	var sessions []*auth.Session
	for i := range 10 {
		for _, opts := range [][]authtest.Option{{authtest.SignedBy("clerk")}, {}, {authtest.PubAllow(fmt.Sprint("own.", i))}} {
			s, err := a.Connect(t.Context(), account.User(fmt.Sprint(i), opts...).Credentials(nonce.New()))
			require.NoError(t, err)
			sessions = append(sessions, s)
		}
	}
	settles := func(grants, rights int, why string) {
		t.Helper()
		require.Eventually(t, func() bool {
			runtime.GC()
			s := a.Stats()
			return s.SharedGrants == grants && s.SharedRights == rights
		}, 20*time.Second, 10*time.Millisecond, "%s: %+v", why, a.Stats())
	}
	// A grant for each clerk, one for all without permissions, and one each with their
	// own; rights for each that has some, and the defaults.
	settles(21, 21, "at first")
	for n := range 3 {
		_, err := a.Apply(t.Context(), version(n+1).Token(), resolver.Push)
		require.NoError(t, err)
	}
	settles(21+10, 21+10, "after changes; what a session was admitted with stays with it")
	for _, s := range sessions {
		require.NotNil(t, s.Rights())
		s.Close()
	}
	clear(sessions)
	settles(0, 1, "the account's defaults")
	_, err := a.Remove(t.Context(), account.PublicKey())
	require.NoError(t, err)
	runtime.KeepAlive(a)
}
