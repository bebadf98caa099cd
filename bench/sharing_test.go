package bench_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/bench/internal/measure"
	"github.com/natsauth/natsauth/bench/internal/world"
)

// goalEntries is how many imports and exports the goal about them speaks of.
const goalEntries = 1_000

// BenchmarkSharingApply is an update of an account with imports and exports, half of them
// streams, all of whose imports are in force: each gets another name, or none does.
func BenchmarkSharingApply(b *testing.B) {
	x := world.NewExchange()
	defer x.Close()
	renamed := []string{"all renamed", "none renamed"}
	var took [2][2]float64 // of each, with fewer and with more entries
	for i, n := range []int{goalEntries / 10, goalEntries} {
		from, key := x.Key(), x.Key()
		x.Apply(x.Token(from, world.Exports(n/2)))
		one := world.Both(world.Exports(n/2), world.Imports(n/2, from, "a."))
		two := world.Both(world.Exports(n/2), world.Imports(n/2, from, "b."))
		for k, edits := range [][]func(*jwt.AccountClaims){{one, two}, {two}} {
			what := renamed[k]
			b.Run(fmt.Sprint(n, " ", what), func(b *testing.B) {
				if r := x.Apply(x.Token(key, two)); r.ImportCounts.InForce != n {
					b.Fatalf("%+v", r.ImportCounts)
				}
				update := x.Update(key, edits...)
				m := measure.New(measure.Verify(), update)
				for b.Loop() {
					m.Round()
				}
				took[k][i] = m.Ratio(0)
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(m.Ratio(0), "u/update")
				report.Tell(measure.Row{
					ID: "P8", What: fmt.Sprintf("update, %d imports and %d exports, %s", n, n, what), Got: m.Ratio(0), Unit: "u", Note: wall(update),
				})
			})
		}
	}
	for k, pair := range took {
		report.Tell(measure.Row{ID: "P8", What: "ten times the entries, " + renamed[k], Got: pair[1] / pair[0], Unit: "x", Must: 12, Bound: measure.AtMost})
	}
}

// wall is the wall time of one run of a side, the least of some.
func wall(s measure.Side) string {
	least := time.Hour
	for range 9 {
		s.Prepare(1)
		began := time.Now()
		s.Run(1)
		least = min(least, time.Since(began))
	}
	return fmt.Sprintf("%.1f ms by the wall, the least of nine", float64(least)/float64(time.Millisecond))
}

// manyImporters is how many accounts import from one.
const manyImporters = 10_000

// BenchmarkExporterApply is an update of an account from which many import: it costs what
// it changes for them.
func BenchmarkExporterApply(b *testing.B) {
	x := world.NewExchange()
	defer x.Close()
	from := x.Key()
	stream := func(subject string) func(*jwt.AccountClaims) {
		return func(c *jwt.AccountClaims) {
			c.Exports.Add(&jwt.Export{Type: jwt.Stream, Subject: jwt.Subject(subject)})
		}
	}
	x.Apply(x.Token(from, world.Both(stream("all.>"), stream("one"))))
	for i := range manyImporters {
		x.Apply(x.Token(x.Key(), func(c *jwt.AccountClaims) {
			c.Imports.Add(&jwt.Import{Type: jwt.Stream, Account: from, Subject: "all.>"})
			if i == 0 {
				c.Imports.Add(&jwt.Import{Type: jwt.Stream, Account: from, Subject: "one"})
			}
		}))
	}
	for _, row := range []struct {
		name  string
		edits []func(*jwt.AccountClaims)
	}{
		{"nothing that is imported", []func(*jwt.AccountClaims){world.Both(stream("all.>"), stream("one"))}},
		{"what one imports", []func(*jwt.AccountClaims){stream("all.>"), world.Both(stream("all.>"), stream("one"))}},
		{"what all import", []func(*jwt.AccountClaims){stream("one"), world.Both(stream("all.>"), stream("one"))}},
	} {
		b.Run(row.name, func(b *testing.B) {
			m := measure.New(measure.Verify(), x.Update(from, row.edits...))
			for b.Loop() {
				m.Round()
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(m.Ratio(0), "u/update")
			report.Tell(measure.Row{
				ID: "P8", What: fmt.Sprintf("update, %d accounts import, changed: %s", manyImporters, row.name), Got: m.Ratio(0), Unit: "u",
				Note: wall(x.Update(from, row.edits...)),
			})
		})
	}
}

// BenchmarkRoutes is what a broker asks on the way of a message.
func BenchmarkRoutes(b *testing.B) {
	x := world.NewExchange()
	defer x.Close()
	from := x.Key()
	x.Apply(x.Token(from, world.Exports(goalEntries/2)))
	for _, n := range []int{10, goalEntries} {
		key, other := x.Key(), x.Key()
		x.Apply(x.Token(key, world.Imports(n/2, from, "a.")))
		x.Apply(x.Token(other, world.Imports(n/2, from, "")))
		a, same := x.Account(key), x.Account(other)
		replies := auth.NewReplies(x.Authorizer, 0)
		service, stream := make([]auth.ServiceRoute, 0, 4), make([]auth.StreamRoute, 0, 4)
		route := a.Services(nil, "a.q.1.x")[0]
		renamed, kept := a.Streams(nil, "a.s.2.*")[0], same.Streams(nil, "s.2.*")[0]
		for _, row := range []struct {
			name   string
			allocs float64 // at most; -1: as many as it takes
			run    func()
		}{
			{"services, none", 0, func() { service = a.Services(service[:0], "b.c.d") }},
			{"services, a name", 0, func() { service = a.Services(service[:0], "a.q.1.x") }},
			{"services, a pattern of the same name", 0, func() { service = same.Services(service[:0], "q.2.y") }},
			{"services, a pattern of another name", -1, func() { service = a.Services(service[:0], "a.q.2.y") }},
			{"a stream's message, of the same name", 0, func() { kept.Local("s.2.y") }},
			{"a stream's message, of another name", -1, func() { renamed.Local("s.2.y") }},
			{"streams, none", -1, func() { stream = a.Streams(stream[:0], "b.c.d") }},
			{"streams, a pattern", -1, func() { stream = a.Streams(stream[:0], "a.s.2.*") }},
			{"a reply, opened and taken", -1, func() {
				subject, _ := replies.Open(route, a, "_INBOX.x", nil)
				replies.Take(route.Exporter, subject, false)
			}},
		} {
			b.Run(fmt.Sprintf("%d imports/%s", n, row.name), func(b *testing.B) {
				units, allocs := ratio(b, measure.Side{Name: row.name, Run: func(n int) {
					for range n {
						row.run()
					}
				}})
				what := fmt.Sprintf("%d imports: %s", n, row.name)
				report.Tell(measure.Row{ID: "P8", What: what, Got: units, Unit: "u", Note: fmt.Sprintf("%.0f allocs", allocs)})
				if row.allocs >= 0 {
					allocsOf("P8", what, allocs, row.allocs)
				}
			})
		}
	}
}
