package natsserver_test

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats-server/v2/server/gsl"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/bench/internal/measure"
	"github.com/natsauth/natsauth/bench/internal/world"
)

// report is the table at the end.
var report measure.Report

// TestMain prints the table of what was measured, and what it has to be.
func TestMain(m *testing.M) {
	code := m.Run()
	report.Print(os.Stdout)
	os.Exit(code)
}

// ours connects and closes, each client in a goroutine of its own, as a server has
// them: its stack has to grow, as theirs do. What the goroutine costs besides is
// taken off by idle. who says whose turn it is.
func ours(a *auth.Authorizer, who func(i int) world.User) measure.Side {
	var ready []auth.Credentials
	return measure.Side{
		Prepare: func(n int) {
			ready = ready[:0]
			for i := range n {
				ready = append(ready, who(i).Credentials())
			}
		},
		Run: func(n int) {
			for i := range n {
				alone(func() {
					s, err := a.Connect(context.Background(), ready[i])
					if err != nil {
						panic(err) // a world's users are good
					}
					s.Close()
				})
			}
		},
	}
}

// alone does something in a goroutine of its own, and waits for it.
func alone(fn func()) {
	var group sync.WaitGroup
	group.Go(fn)
	group.Wait()
}

// idle is a goroutine of its own for each client, and nothing in it.
func idle() measure.Side {
	return measure.Side{Run: func(n int) {
		for range n {
			alone(func() {})
		}
	}}
}

// several makes n users.
func several(n int, mint func() world.User) []world.User {
	out := make([]world.User, n)
	for i := range out {
		out[i] = mint()
	}
	return out
}

// inTurn gives the users one after the other.
func inTurn(users []world.User) func(int) world.User {
	return func(i int) world.User { return users[i%len(users)] }
}

// The sides of BenchmarkConnect.
const (
	lines     = iota // the server that asks for no authentication
	reference        // the one that does
	reconnect
	first
	goroutine
	byHand // where there is an embedder
)

// BenchmarkConnect is one decision about a CONNECT with token and nonce.
func BenchmarkConnect(b *testing.B) {
	w := world.New()
	open, judge := start(b, quiet()), start(b, judging(b, w))
	for _, row := range []struct {
		id, name        string
		mint            func() world.User
		again, firstly  float64 // how many times the reference it must be
		againAim, aimed float64
		hand            bool
		times           int // CONNECT lines in a chunk of the servers
	}{
		{"P1", "plain", func() world.User { return w.User() }, 4.5, 2, 9, 3.3, true, 32},
		{"P1", "scoped with template", w.Scoped, 4.5, 2, 9, 3.3, false, 32},
		{"P4", "10 subjects", func() world.User { return w.User(world.Subjects(10)) }, 0, 0, 0, 0, true, 32},
		{"P4", "100 subjects", func() world.User { return w.User(world.Subjects(100)) }, 0, 0, 0, 0, true, 16},
		{"P4", "1000 subjects", func() world.User { return w.User(world.Subjects(1_000)) }, 0, 0, 0, 0, true, 4},
		{"P4", "10000 subjects", func() world.User { return w.User(world.Subjects(10_000)) }, 0, 0, 0, 0, true, 1},
	} {
		b.Run(row.name, func(b *testing.B) {
			// On one core, so that idle threads that look for work do not count as work.
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
			users := several(8, row.mint)
			a := w.Authorizer(0)
			defer a.Close()
			known := ours(a, inTurn(users))
			known.Prepare(len(users))
			known.Run(len(users))
			sides := []measure.Side{
				lines:     visiting(b, open, users, row.times),
				reference: visiting(b, judge, users, row.times),
				reconnect: known,
				first:     ours(a, func(int) world.User { return row.mint() }),
				goroutine: idle(),
			}
			if row.hand {
				account, err := jwt.DecodeAccountClaims(w.AccountToken)
				require.NoError(b, err)
				sides = append(sides, embedder{account}.side(users))
			}
			m := measure.New(measure.Verify(), sides...)
			for b.Loop() {
				m.Round()
			}
			cost, again, fresh := m.Beyond(reference, lines), m.Beyond(reconnect, goroutine), m.Beyond(first, goroutine)
			allocs, bytes := m.Memory(reference)
			otherAllocs, otherBytes := m.Memory(lines)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(cost, "u/reference")
			b.ReportMetric(again, "u/reconnect")
			b.ReportMetric(fresh, "u/first")
			rows := []measure.Row{
				{ID: row.id, What: row.name + ": reference", Got: cost, Unit: "u",
					Note: fmt.Sprintf("%.0f allocs, %.1f KB", allocs-otherAllocs, (bytes-otherBytes)/1000)},
				{ID: row.id, What: row.name + ": reconnect", Got: again, Unit: "u"},
				factor(row.id, row.name+": reference in terms of reconnect", cost/again, row.again, row.againAim),
				{ID: second(row.id), What: row.name + ": first connect", Got: fresh, Unit: "u"},
				factor(second(row.id), row.name+": reference in terms of first connect", cost/fresh, row.firstly, row.aimed),
			}
			if row.hand {
				rows = append(rows, measure.Row{ID: row.id, What: row.name + ": embedder, without permissions", Got: m.Beyond(byHand, goroutine), Unit: "u"})
			}
			report.Tell(rows...)
		})
	}
}

// second is where first connects stand in the table.
func second(id string) string {
	if id == "P1" {
		return "P2"
	}
	return id
}

// factor is a row of how many times something is better.
func factor(id, what string, got, must, aim float64) measure.Row {
	r := measure.Row{ID: id, What: what, Got: got, Unit: "x", Aim: aim}
	if must != 0 {
		r.Must, r.Bound = must, measure.AtLeast
	}
	return r
}

// BenchmarkCores is the reference and us on two cores in terms of one, by the
// wall. The reference's figure has the reading of its lines in it, which two
// connections do side by side.
func BenchmarkCores(b *testing.B) {
	const workers = 2
	w := world.New()
	judge := start(b, judging(b, w))
	a := w.Authorizer(0)
	defer a.Close()
	c := measure.NewCores(workers, ourWorkers(a, w, workers), serverWorkers(b, judge, w, workers))
	for b.Loop() {
		c.Round()
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(c.Gain(0), "x/ours")
	b.ReportMetric(c.Gain(1), "x/reference")
	report.Tell(
		measure.Row{ID: "P3", What: "ed25519.Verify alone, 1 to 2 cores", Got: c.Verify(), Unit: "x"},
		measure.Row{ID: "P3", What: "reconnect, 1 to 2 cores", Got: c.Gain(0), Unit: "x", Must: 1.8, Bound: measure.AtLeast, Aim: 1.95, Note: "; " + c.Counted(0)},
		measure.Row{ID: "P3", What: "reference, 1 to 2 cores", Got: c.Gain(1), Unit: "x", Note: c.Counted(1)},
	)
}

func ourWorkers(a *auth.Authorizer, w *world.World, workers int) measure.Shared {
	var sides []measure.Side
	for range workers {
		users := several(32, func() world.User { return w.User() })
		s := ours(a, inTurn(users))
		s.Prepare(len(users))
		s.Run(len(users))
		sides = append(sides, s)
	}
	return together(sides)
}

// serverWorkers are clients of one server. Their connections are made together,
// and each worker has its part of them.
func serverWorkers(b *testing.B, s *server.Server, w *world.World, workers int) measure.Shared {
	v := newVisitor(b, s, several(32, func() world.User { return w.User() }))
	return measure.Shared{
		Prepare: func(worker, n int) {
			if worker == 0 {
				v.prepare(workers * n)
			}
		},
		Run: func(worker, n int) { answers(v.clients[worker*n : (worker+1)*n]) },
	}
}

// together is one side for each worker.
func together(sides []measure.Side) measure.Shared {
	return measure.Shared{
		Prepare: func(worker, n int) { sides[worker].Prepare(n) },
		Run:     func(worker, n int) { sides[worker].Run(n) },
	}
}

// sink keeps the answers from being optimised away.
var sink atomic.Uint64

// BenchmarkPublish is Session.CanPublish beside the list that the reference has
// for it, by itself: what it asks where its small cache has no answer. Subjects
// rotate.
func BenchmarkPublish(b *testing.B) {
	w := world.New()
	a := w.Authorizer(0)
	defer a.Close()
	for _, n := range []int{10, 100, 1_000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			rules := world.Rules(n)
			s, err := a.Connect(context.Background(), w.User(func(c *jwt.UserClaims) { c.Pub.Allow = rules }).Credentials())
			require.NoError(b, err)
			defer s.Close()
			list := gsl.NewSimpleSublist()
			for _, r := range rules {
				require.NoError(b, list.Insert(r, struct{}{}))
			}
			sameAnswers(b, s, list, n)
			m := measure.New(measure.Verify(), asking(n, list.HasInterest), asking(n, s.CanPublish))
			for b.Loop() {
				m.Round()
			}
			allocs, _ := m.Memory(1)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(m.Factor(1, 0), "x/gsl")
			report.Tell(
				measure.Row{ID: "P5", What: fmt.Sprintf("%d rules: gsl HasInterest", n), Got: m.Ratio(0), Unit: "u"},
				measure.Row{ID: "P5", What: fmt.Sprintf("%d rules: CanPublish", n), Got: m.Ratio(1), Unit: "u"},
				measure.Row{ID: "P5", What: fmt.Sprintf("%d rules: CanPublish in terms of gsl", n), Got: m.Factor(1, 0), Unit: "x",
					Must: 1, Bound: measure.AtMost, Aim: 0.5},
				measure.Row{ID: "P5", What: fmt.Sprintf("%d rules: CanPublish", n), Got: allocs, Unit: "allocs", Bound: measure.AtMost},
			)
		})
	}
}

// sameAnswers makes sure that both sides are asked for the same thing, and that
// neither always says the same.
func sameAnswers(b *testing.B, s *auth.Session, list *gsl.SimpleSublist, rules int) {
	b.Helper()
	yes := 0
	for _, m := range world.Messages(rules) {
		allowed := s.CanPublish(m)
		require.Equal(b, list.HasInterest(m), allowed, m)
		if allowed {
			yes++
		}
	}
	require.InDelta(b, 0.42, float64(yes)/world.Rotation, 0.1)
}

func asking(rules int, ask func(string) bool) measure.Side {
	messages, next := world.Messages(rules), 0
	return measure.Side{Run: func(n int) {
		var yes uint64
		for range n {
			if ask(messages[next%world.Rotation]) {
				yes++
			}
			next++
		}
		sink.Add(yes)
	}}
}
