package natsserver_test

import (
	"flag"
	"fmt"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/bench/internal/measure"
	"github.com/natsauth/natsauth/bench/internal/world"
)

var crowd = flag.Int("crowd", 1_000, "connections of BenchmarkUpdate; the goal speaks of 10000")

// BenchmarkUpdate is an update of an account with live connections, until the last
// close: for the reference, that its client sees the end of the connection; for us,
// that the broker hears of it. Both read and verify the account's token.
func BenchmarkUpdate(b *testing.B) {
	// On one core, so that idle threads that look for work do not count as work.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	w := world.New()
	theirs := newAudience(b, w, *crowd)
	ours := world.NewCrowd(world.New(), *crowd)
	defer ours.Close()
	for _, row := range []struct {
		name      string
		revoked   world.Revoked
		must, aim float64
		rounds    int // at most: to gather takes long
	}{
		{"none revoked", world.Stranger, 0, 0, 20},
		{"one revoked", world.One, 200, 1000, 20},
		{"all revoked", world.Everyone, 0, 0, 3},
	} {
		b.Run(row.name, func(b *testing.B) {
			runs := 32
			if row.revoked == world.Everyone {
				runs = 1
			}
			m := measure.New(measure.Verify(), theirs.update(row.revoked), ours.Update(row.revoked, runs))
			for b.Loop() {
				if m.Rounds() < row.rounds {
					m.Round()
				}
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(m.Factor(0, 1), "x")
			what := fmt.Sprintf("update, %d sessions, %s: ", *crowd, row.name)
			report.Tell(
				measure.Row{ID: "P7", What: what + "reference", Got: m.Ratio(0), Unit: "u"},
				measure.Row{ID: "P7", What: what + "ours", Got: m.Ratio(1), Unit: "u"},
				factor("P7", what+"reference in terms of ours", m.Factor(0, 1), row.must, row.aim),
			)
		})
	}
}

// audience are the connections of a server, each of a user of its own.
type audience struct {
	tb      testing.TB
	world   *world.World
	server  *server.Server
	account *server.Account
	users   []world.User
	seats   []*seat
	closing sync.WaitGroup // whose end was not seen yet
}

// seat is a user's connection, and whether it has ended.
type seat struct {
	*client
	gone atomic.Bool
}

func newAudience(tb testing.TB, w *world.World, n int) *audience {
	a := &audience{tb: tb, world: w, server: start(tb, judging(tb, w)), seats: make([]*seat, n)}
	a.users = several(n, func() world.User { return w.User() })
	var err error
	a.account, err = a.server.LookupAccount(w.AccountKey)
	require.NoError(tb, err)
	tb.Cleanup(a.leave)
	return a
}

// leave ends the connections.
func (a *audience) leave() {
	for _, s := range a.seats {
		if s != nil && !s.gone.Load() {
			a.closing.Add(1)
			s.conn.Close()
		}
	}
	a.closing.Wait()
}

// gather takes back what was revoked, and connects who is not.
func (a *audience) gather() {
	a.apply(a.world.Updates(1, world.Stranger, nil)[0])
	for i, u := range a.users {
		if a.seats[i] != nil && !a.seats[i].gone.Load() {
			continue
		}
		conn, err := a.server.InProcessConn()
		s := &seat{client: connected(a.tb, conn, err)}
		s.script = []byte(connect(u.Token, u.Sign(s.nonce)) + "PING\r\n")
		require.NoError(a.tb, s.answer())
		a.seats[i] = s
		go a.listen(s)
	}
}

// listen reads until the connection ends.
func (a *audience) listen(s *seat) {
	_, _ = io.Copy(io.Discard, s.lines)
	s.conn.Close()
	s.gone.Store(true)
	a.closing.Done()
}

// apply is what the server does with a token that was pushed, as far as it is
// exported.
func (a *audience) apply(token string) {
	c, err := jwt.DecodeAccountClaims(token)
	if err != nil {
		panic(err) // a world's tokens are good
	}
	a.server.UpdateAccountClaims(a.account, c)
}

// update is the side, one update a chunk.
func (a *audience) update(r world.Revoked) measure.Side {
	closes := map[world.Revoked]int{world.One: 1, world.Everyone: len(a.users)}[r]
	var tokens []string
	return measure.Side{
		Runs: 1,
		Prepare: func(n int) {
			a.gather()
			for a.server.NumClients() != len(a.users) {
				time.Sleep(time.Millisecond)
			}
			tokens = a.world.Updates(n, r, a.users)
			measure.Settle()
		},
		Run: func(n int) {
			for _, token := range tokens[:n] {
				a.closing.Add(closes)
				a.apply(token)
				a.closing.Wait()
			}
		},
	}
}
