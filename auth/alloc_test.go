package auth_test

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/auth/authtest"
	"github.com/natsauth/natsauth/nonce"
)

// many are n rules in each allow list, and half as many to deny publishing. The
// whole of 10,000 just fits into a token.
func many(n int) func(*jwt.UserClaims) {
	return func(c *jwt.UserClaims) {
		for i := range (n + 1) / 2 {
			c.Pub.Allow.Add(fmt.Sprintf("app.%d.orders.*", i), fmt.Sprintf("all.%d.>", i))
			c.Pub.Deny.Add(fmt.Sprintf("app.%d.orders.secret", i))
			c.Sub.Allow.Add(fmt.Sprintf("app.%d.*.done", i), fmt.Sprintf("app.%d.> workers.*", i))
			c.Sub.Deny.Add(fmt.Sprintf("app.%d.no", i), fmt.Sprintf("app.%d.maybe cleaners", i))
		}
	}
}

func TestChecksDoNotAllocate(t *testing.T) {
	w := newWorld(t, noAccount)
	for _, n := range []int{1, 10, 100, 1_000, 10_000} {
		for name, end := range map[string]int64{"for ever": 0, "for an hour": time.Now().Add(time.Hour).Unix()} {
			s := w.connect(t, func(c *jwt.UserClaims) {
				many(n)(c)
				c.Expires = end
			})
			for _, q := range []struct {
				name string
				want bool
				ask  func() bool
			}{
				{"publish, a wildcard allows it", true, func() bool { return s.CanPublish("app.0.orders.new") }},
				{"publish, > allows it", true, func() bool { return s.CanPublish("all.0.a.b.c") }},
				{"publish, no rule allows it", false, func() bool { return s.CanPublish("app.0.invoices.new") }},
				{"publish, denied", false, func() bool { return s.CanPublish("app.0.orders.secret") }},
				{"subscribe, allowed", true, func() bool { return s.CanSubscribe("app.0.a.done", "") }},
				{"subscribe with a wildcard, allowed", true, func() bool { return s.CanSubscribe("app.0.*.done", "") }},
				{"subscribe with a wildcard, wider than allowed", false, func() bool { return s.CanSubscribe("app.*.a.done", "") }},
				{"subscribe, no rule allows it", false, func() bool { return s.CanSubscribe("nothing.here", "") }},
				{"subscribe, denied", false, func() bool { return s.CanSubscribe("app.0.no", "") }},
				{"subscribe in a queue, allowed", true, func() bool { return s.CanSubscribe("app.0.>", "workers.a") }},
				{"subscribe in a queue, denied", false, func() bool { return s.CanSubscribe("app.0.maybe", "cleaners") }},
				{"deliver, allowed", true, func() bool { return s.CanDeliver("app.0.a.done", "") }},
				{"deliver to a queue, allowed", true, func() bool { return s.CanDeliver("app.0.a.b.c", "workers.a") }},
				{"deliver, no rule allows it", false, func() bool { return s.CanDeliver("nothing.here", "") }},
				{"deliver, denied", false, func() bool { return s.CanDeliver("app.0.no", "") }},
			} {
				require.Equal(t, q.want, q.ask(), "%s, %d rules", q.name, n)
				require.Zero(t, testing.AllocsPerRun(50, func() { q.ask() }), "%s, %d rules, %s", q.name, n, name)
			}
			s.Close()
		}
	}
}

// TestReconnectAllocates two objects at most: the decision and the session.
func TestReconnectAllocates(t *testing.T) {
	w := newWorld(t, noAccount)
	for name, edit := range map[string]func(*jwt.UserClaims){
		"no permissions": noUser, "10 rules": many(10), "expires": func(c *jwt.UserClaims) { c.Expires = time.Now().Add(time.Hour).Unix() },
	} {
		t.Run(name, func(t *testing.T) {
			u := w.account.User(name, authtest.IssuedAt(time.Now()), authtest.Edit(edit))
			const runs = 50
			ready := make([]auth.Credentials, 0, runs+2) // a fresh nonce each
			for range cap(ready) {
				ready = append(ready, u.Credentials(nonce.New()))
			}
			next := 0
			reconnect := func() {
				s, err := w.authorizer.Connect(context.Background(), ready[next])
				if err != nil {
					panic(err)
				}
				s.Close()
				next++
			}
			reconnect()
			before := w.authorizer.Stats().TokenHits
			require.LessOrEqual(t, testing.AllocsPerRun(runs, reconnect), 2.0)
			require.Equal(t, uint64(runs+1), w.authorizer.Stats().TokenHits-before, "each was a reconnect")
		})
	}
}

// sharers is how many sessions TestEqualPermissionsAreOneSet opens: 10,000, or
// what NATSAUTH_SESSIONS says.
func sharers(t *testing.T) int {
	t.Helper()
	n, err := strconv.Atoi(cmp.Or(os.Getenv("NATSAUTH_SESSIONS"), "10000"))
	require.NoError(t, err)
	require.Positive(t, n)
	t.Logf("%d sessions; NATSAUTH_SESSIONS=100000 for more", n)
	return n
}

// TestEqualPermissionsAreOneSet opens sessions of distinct users whose equal
// permissions are listed in different orders, from several goroutines: they hold
// one compiled set, and it goes with the last of them.
func TestEqualPermissionsAreOneSet(t *testing.T) {
	w := newWorld(t, noAccount, func(c *auth.Config) { c.Bounds.CachedBytes = -1 })
	sessions := make([]*auth.Session, sharers(t))
	w.connect(t, noUser).Close() // the account is in force, and holds the set of its default permissions
	before := w.authorizer.Stats().SharedRights
	by := w.account.Key()
	require.NoError(t, fromSeveral(len(sessions), func(i int) error {
		token, err := mintShuffled(by)
		if err != nil {
			return err
		}
		sessions[i], err = w.authorizer.Connect(context.Background(), auth.Credentials{JWT: token, ConnectionType: auth.Standard})
		return err
	}))
	requireOneSet(t, sessions)
	require.Equal(t, before+1, w.authorizer.Stats().SharedRights)
	requireOther(t, w, sessions[0].Rights())

	require.NoError(t, fromSeveral(len(sessions), func(i int) error { return useAndClose(sessions[i]) }))
	clear(sessions)
	requireRights(t, w.authorizer, before)
	runtime.KeepAlive(w.authorizer)
}

// requireOneSet wants one set, by pointer, for as many users as there are
// sessions.
func requireOneSet(t *testing.T, sessions []*auth.Session) {
	t.Helper()
	first := sessions[0].Rights()
	require.NotNil(t, first)
	users := make(map[string]bool, len(sessions))
	for _, s := range sessions {
		require.True(t, first == s.Rights(), "one set for all")
		users[s.User().Key] = true
	}
	require.Len(t, users, len(sessions))
}

// requireOther wants another set for a user with one more subject.
func requireOther(t *testing.T, w *world, set *auth.Rights) {
	t.Helper()
	s := w.connect(t, func(c *jwt.UserClaims) {
		shuffled(c)
		c.Sub.Allow.Add("one.more")
	})
	require.NotNil(t, s.Rights())
	require.False(t, set == s.Rights())
	s.Close()
}

func useAndClose(s *auth.Session) error {
	if !s.CanPublish("pub.7.new") || s.CanPublish("pub.0.secret") || !s.CanDeliver("sub.3.a.b", "") || s.CanSubscribe("other", "") {
		return errors.New("a wrong answer")
	}
	s.Close()
	if s.CanPublish("pub.7.new") {
		return errors.New("leave after the end")
	}
	return nil
}

// requireRights waits for collections to bring the number of sets down to want.
func requireRights(t *testing.T, a *auth.Authorizer, want int) {
	t.Helper()
	for range 500 {
		runtime.GC()
		if a.Stats().SharedRights == want {
			break
		}
		time.Sleep(time.Millisecond) // cleanups run by themselves after a collection
	}
	require.Equal(t, want, a.Stats().SharedRights)
}

// fromSeveral calls do for each of n from four goroutines, and gives their errors.
func fromSeveral(n int, do func(i int) error) error {
	const several = 4
	var group sync.WaitGroup
	errs := make([]error, several)
	for g := range several {
		group.Go(func() {
			for i := g; i < n && errs[g] == nil; i += several {
				errs[g] = do(i)
			}
		})
	}
	group.Wait()
	return errors.Join(errs...)
}

// mintShuffled makes the token of a new bearer, from a key that nobody holds:
// there are many, and they sign nothing.
func mintShuffled(by nkeys.KeyPair) (string, error) {
	public, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		return "", err
	}
	key, err := nkeys.Encode(nkeys.PrefixByteUser, public)
	if err != nil {
		return "", err
	}
	c := jwt.NewUserClaims(string(key))
	c.BearerToken = true
	shuffled(c)
	return c.Encode(by)
}

// shuffled gives 100 subjects in an order of their own.
func shuffled(c *jwt.UserClaims) {
	for _, i := range rand.Perm(49) {
		c.Pub.Allow = append(c.Pub.Allow, fmt.Sprintf("pub.%d.*", i))
	}
	for _, i := range rand.Perm(49) {
		c.Sub.Allow = append(c.Sub.Allow, fmt.Sprintf("sub.%d.>", i))
	}
	deny := []string{"pub.0.secret", "pub.1.secret"}
	rand.Shuffle(2, func(i, j int) { deny[i], deny[j] = deny[j], deny[i] })
	c.Pub.Deny = deny
}
