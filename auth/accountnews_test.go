package auth_test

import (
	"sync"
	"testing"
	"testing/synctest"

	"github.com/nats-io/jwt/v2"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/resolver"
)

// papers keep what is told of accounts.
type papers struct {
	mu    sync.Mutex
	told  []auth.AccountEvent
	block chan struct{} // read before each event, if it is there
}

func (p *papers) use(c *auth.Config) {
	c.OnAccount = func(e auth.AccountEvent) {
		if p.block != nil {
			<-p.block
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.told = append(p.told, e)
	}
}

// take gives what was told since it was last asked, once everybody is at rest.
func (p *papers) take() []auth.AccountEvent {
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	out := p.told
	p.told = nil
	return out
}

func named(name string) func(*jwt.AccountClaims) {
	return func(c *jwt.AccountClaims) { c.Name = name }
}

// TestOnAccount: an account that comes into force, changes and goes out of it is told
// once each, in order, and with what it was before; what changes nothing is not told.
func TestOnAccount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p papers
		w, _ := freshWorld(t, noAccount, p.use)
		require.Empty(t, p.take(), "nobody needs the account yet")
		s := w.connect(t, noUser)
		first := s.Account()
		require.Equal(t, []auth.AccountEvent{{New: first}}, p.take())
		w.connect(t, noUser).Close()
		require.Empty(t, p.take(), "it is in force already")

		next := w.newer(named("next"))
		_, err := w.authorizer.Apply(t.Context(), next, resolver.Push)
		require.NoError(t, err)
		second := s.Account()
		require.Equal(t, []auth.AccountEvent{{Old: first, New: second}}, p.take())
		_, err = w.authorizer.Apply(t.Context(), next, resolver.Push)
		require.NoError(t, err)
		_, err = w.authorizer.Preview(t.Context(), w.newer(named("never")), resolver.Push)
		require.NoError(t, err)
		_, err = w.authorizer.Apply(t.Context(), w.untrusted(), resolver.Push)
		require.Error(t, err)
		require.Empty(t, p.take(), "nothing has changed")

		_, err = w.authorizer.Remove(t.Context(), w.key)
		require.NoError(t, err)
		out := p.take()
		require.Len(t, out, 1)
		require.Equal(t, second, out[0].Old)
		require.Nil(t, out[0].New)
		require.Equal(t, auth.AccountRemoved, out[0].Err.Reason)
		_, err = w.authorizer.Remove(t.Context(), w.key)
		require.NoError(t, err)
		require.Empty(t, p.take())
	})
}

// TestOnAccountSlow: whoever listens slowly holds nobody up, and is told together what
// changed meanwhile; it may ask the Authorizer.
func TestOnAccountSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := papers{block: make(chan struct{})}
		w, _ := freshWorld(t, noAccount, p.use)
		s := w.connect(t, noUser)
		first := s.Account()
		synctest.Wait() // the listener has the first news, and is at it
		for _, name := range []string{"a", "b", "c"} {
			_, err := w.authorizer.Apply(t.Context(), w.newer(named(name)), resolver.Push)
			require.NoError(t, err)
		}
		require.Equal(t, "c", s.Account().Name(), "nobody waits for the listener")
		require.Empty(t, p.take())
		close(p.block)
		require.Equal(t, []auth.AccountEvent{{New: first}, {Old: first, New: s.Account()}}, p.take())
	})
}

// TestOnAccountCallsBack: no lock is held while it runs.
func TestOnAccountCallsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a *auth.Authorizer
		closed := 0
		w, _ := freshWorld(t, noAccount, func(c *auth.Config) {
			c.OnAccount = func(e auth.AccountEvent) {
				if e.New != nil && e.New.Name() == "closing" {
					closed += a.CloseSessions(auth.Filter{Account: e.New.Key()}, "the account said so")
				}
			}
		})
		a = w.authorizer
		s := w.connect(t, noUser)
		_, err := a.Apply(t.Context(), w.newer(named("closing")), resolver.Push)
		require.NoError(t, err)
		synctest.Wait()
		require.Equal(t, 1, closed)
		require.Equal(t, auth.SessionClosed, reasonOf(t, s.Err()))
	})
}
