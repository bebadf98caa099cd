package bench_test

import (
	"context"
	"flag"
	"os"
	"runtime"
	"testing"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/bench/internal/measure"
	"github.com/natsauth/natsauth/bench/internal/world"
)

var sessions = flag.Int("sessions", 5_000, "open sessions of BenchmarkSessionBytes, and of BenchmarkUpdate beside 10000; the goal of the first speaks of 100000")

// report is the table at the end.
var report measure.Report

// TestMain prints the table of what was measured, and what it has to be.
func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	report.Print(os.Stdout)
	os.Exit(code)
}

// ratio measures one side in units, a round an iteration, and its memory.
func ratio(b *testing.B, s measure.Side) (units, allocs float64) {
	b.Helper()
	b.ReportAllocs()
	m := measure.New(measure.Verify(), s)
	for b.Loop() {
		m.Round()
	}
	allocs, bytes := m.Memory(0)
	b.ReportMetric(0, "ns/op") // a bare time says more of the machine than of the work
	b.ReportMetric(m.Ratio(0), "u/op")
	b.ReportMetric(allocs, "allocs/op")
	b.ReportMetric(bytes, "B/op")
	return m.Ratio(0), allocs
}

// goal tells of a figure in units that has a bound and an aim.
func goal(id, what string, got, must, aim float64) {
	report.Tell(measure.Row{ID: id, What: what, Got: got, Unit: "u", Must: must, Bound: measure.AtMost, Aim: aim})
}

// allocsOf tells of allocations that have a bound.
func allocsOf(id, what string, got, must float64) {
	report.Tell(measure.Row{ID: id, What: what, Got: got, Unit: "allocs", Must: must, Bound: measure.AtMost})
}

// clients connect and close, each time with the next credentials that were
// prepared: a fresh nonce and its signature every time.
type clients struct {
	authorizer *auth.Authorizer
	prepare    func(i int) auth.Credentials
	ready      []auth.Credentials
}

func (c *clients) Prepare(n int) {
	c.ready = c.ready[:0]
	for i := range n {
		c.ready = append(c.ready, c.prepare(i))
	}
}

func (c *clients) Run(n int) {
	for i := range n {
		s, err := c.authorizer.Connect(context.Background(), c.ready[i])
		if err != nil {
			panic(err) // credentials of a world are good
		}
		s.Close()
	}
}

func (c *clients) side(name string) measure.Side {
	return measure.Side{Name: name, Prepare: c.Prepare, Run: c.Run}
}

// standard is the cache of a default configuration.
const standard = 0

// known makes clients of users that were connected before: what follows are
// reconnects.
func known(b *testing.B, a *auth.Authorizer, users []world.User) *clients {
	b.Helper()
	c := &clients{authorizer: a, prepare: func(i int) auth.Credentials { return users[i%len(users)].Credentials() }}
	c.Prepare(len(users))
	c.Run(len(users))
	return c
}

// several makes n users.
func several(n int, mint func() world.User) []world.User {
	out := make([]world.User, n)
	for i := range out {
		out[i] = mint()
	}
	return out
}

// someUsers take turns, so that no single one stays in the processor's cache.
const someUsers = 64

// open gives a live session.
func open(b *testing.B, a *auth.Authorizer, u world.User) *auth.Session {
	b.Helper()
	s, err := a.Connect(context.Background(), u.Credentials())
	if err != nil {
		b.Fatal(err)
	}
	return s
}

// heap is what is reachable now.
func heap() uint64 {
	for range 3 { // what cleanups let go of is found by the next collection
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
