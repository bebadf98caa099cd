package claimsync_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth/authtest"
	"github.com/natsauth/natsauth/claims"
	"github.com/natsauth/natsauth/resolver"
	"github.com/natsauth/natsauth/resolver/full"
	"github.com/natsauth/natsauth/resolver/resolvertest"
)

// member is a node whose store is a directory. It may be cut off, closed, and opened again.
type member struct {
	*node  // nil: it is closed
	t      *testing.T
	realm  realm
	gate   *gate
	clock  func() time.Time
	dir    string
	onDisk *full.Store
}

// start opens the directory, and has the node exchange packs each minute.
func (m *member) start() {
	m.t.Helper()
	var err error
	m.onDisk, err = full.Open(m.dir, full.Options{Delete: full.DeleteHard, Clock: m.clock})
	require.NoError(m.t, err)
	_, err = m.onDisk.Save(m.t.Context(), m.realm.system.Token(), resolver.Push)
	require.NoError(m.t, err)
	m.node = m.realm.node(m.t, m.gate, func(s setup) {
		s.auth.Store, s.auth.Clock = m.onDisk, m.clock
		s.claim.Store, s.claim.Clock, s.claim.Interval = m.onDisk, m.clock, time.Minute
	})
}

func (m *member) stop() {
	m.t.Helper()
	require.NoError(m.t, m.Close())
	require.NoError(m.t, m.authorizer.Close())
	require.Empty(m.t, m.onDisk.Faults())
	require.NoError(m.t, m.onDisk.Close())
	m.node = nil
}

// files are what the directory holds, by name.
func (m *member) files() []string {
	m.t.Helper()
	list, err := filepath.Glob(filepath.Join(m.dir, "*.jwt"))
	require.NoError(m.t, err)
	for i := range list {
		list[i] = filepath.Base(list[i])
	}
	return list
}

const historiesEnv = "NATSAUTH_HISTORIES" // how many

// steps are what happens, as often as it is named.
var steps = []string{"push", "push", "push", "push", "push", "cut", "cut", "heal", "restart", "restart", "hostile", "delete", "wait"}

// TestDirectoriesConverge: nodes that keep their tokens in directories come to hold the same, whatever each was given alone,
// while some were cut off or closed; and what is older, malformed or of another operator reaches none of them.
func TestDirectoriesConverge(t *testing.T) {
	r := newRealm(t)
	now := authtest.Now()
	newest := r.operator.Account("A", authtest.IssuedAt(now))
	var tokens []*authtest.Account
	for _, name := range []string{"A", "B", "C"} {
		for iat := range 3 {
			for twin := range 2 {
				tokens = append(tokens, r.operator.Account(name, authtest.Name(fmt.Sprint(twin)),
					authtest.IssuedAt(now.Add(time.Duration(iat-10)*time.Second))))
			}
		}
	}
	old := r.operator.Account("B", authtest.IssuedAt(now.Add(-time.Hour)))
	hostile := []string{
		line(r.stranger), r.stranger.Token(), "x", r.a.PublicKey() + "|x", "../" + line(r.a),
		r.c.PublicKey() + "|" + old.Token(), r.a.PublicKey() + "|" + r.a.User("u").Token(),
	}
	histories := 25
	if text := os.Getenv(historiesEnv); text != "" {
		var err error
		histories, err = strconv.Atoi(text)
		require.NoError(t, err)
	}
	t.Logf("%d histories (%s=500 for more)", histories, historiesEnv)
	for n := range histories {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(uint64(n), 1))
			bus, clock := new(resolvertest.Bus), ticking()
			var members []*member
			for range 3 {
				m := &member{t: t, realm: r, gate: &gate{Bus: bus}, clock: clock, dir: t.TempDir()}
				m.start()
				members = append(members, m)
			}
			pushed := make(map[string]int64) // the latest iat that a node has taken, by account
			deletions := 0
			for range 20 {
				m := members[random.IntN(len(members))]
				step := steps[random.IntN(len(steps))]
				switch {
				case step == "push" && m.node != nil:
					a := tokens[random.IntN(len(tokens))]
					if _, err := m.authorizer.Apply(t.Context(), a.Token(), resolver.Push); err == nil {
						pushed[a.PublicKey()] = max(pushed[a.PublicKey()], issuedAt(t, a.Token()))
					}
				case step == "cut":
					m.gate.cut.Store(true)
				case step == "heal":
					m.gate.cut.Store(false)
				case step == "restart" && m.node != nil:
					m.stop()
				case step == "restart":
					m.start()
				case step == "hostile":
					for _, text := range hostile {
						require.NoError(t, bus.Publish(t.Context(), resolver.Msg{Subject: updates, Data: []byte(text)}))
					}
					stop := peer(t, bus, append(append(hostile, line(old)), "")...)
					time.Sleep(time.Minute)
					require.NoError(t, stop())
				case step == "delete":
					deletions++
					require.NoError(t, m.gate.Publish(t.Context(), resolver.Msg{Subject: deletes, Data: []byte(deletion(t, r.operator.Key(),
						[]string{r.a.PublicKey()}, expires(1e6), func(c *jwt.GenericClaims) { c.ID = fmt.Sprint(deletions) }))}))
				case step == "wait":
					time.Sleep(time.Minute)
				}
				synctest.Wait()
			}
			for _, m := range members {
				m.gate.cut.Store(false)
				if m.node == nil {
					m.start()
				}
			}
			synctest.Wait()
			// Whoever deleted an account takes it back with a newer token only: all are given one.
			if deletions > 0 {
				require.NoError(t, bus.Publish(t.Context(), resolver.Msg{Subject: updates, Data: []byte(newest.Token())}))
				pushed[newest.PublicKey()] = issuedAt(t, newest.Token())
			}
			time.Sleep(5 * time.Minute)
			synctest.Wait()
			for _, again := range []bool{false, true} { // and it is on the disk
				want, err := members[0].onDisk.Hash(t.Context())
				require.NoError(t, err)
				for _, m := range members {
					got, err := m.onDisk.Hash(t.Context())
					require.NoError(t, err)
					require.Equal(t, want, got)
					require.Len(t, m.files(), len(resolvertest.Accounts(t, m.onDisk)))
					require.NotContains(t, m.files(), r.stranger.PublicKey()+".jwt")
					for account, iat := range pushed {
						token, err := m.onDisk.Resolve(t.Context(), account)
						require.NoError(t, err)
						require.Equal(t, iat, issuedAt(t, token), "of what was pushed, the latest")
					}
				}
				for _, m := range members {
					if m.stop(); !again {
						m.start()
					}
				}
			}
		})
		require.False(t, t.Failed(), "history %d", n)
	}
}

// issuedAt is a token's iat.
func issuedAt(t testing.TB, token string) int64 {
	t.Helper()
	a, err := claims.ParseAccount(token)
	require.NoError(t, err)
	return a.IssuedAt
}
