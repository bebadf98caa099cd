package bench_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/bench/internal/measure"
	"github.com/natsauth/natsauth/bench/internal/world"
)

// BenchmarkReconnect is a user whose token is known, with a fresh nonce, and the
// end of the session.
func BenchmarkReconnect(b *testing.B) {
	w := world.New()
	a := w.Authorizer(standard)
	defer a.Close()
	users := several(someUsers, func() world.User { return w.User() })
	got, allocs := ratio(b, known(b, a, users).side("reconnect"))
	goal("P1", "reconnect", got, 1.10, 0.55)
	allocsOf("P1", "reconnect and close", allocs, 2)
}

// BenchmarkReconnectExpiring is the same for tokens that expire, which is what
// the calendar costs.
func BenchmarkReconnectExpiring(b *testing.B) {
	w := world.New()
	a := w.Authorizer(standard)
	defer a.Close()
	end := world.Expires(time.Now().Add(time.Hour).Unix())
	got, allocs := ratio(b, known(b, a, several(someUsers, func() world.User { return w.User(end) })).side("reconnect"))
	goal("P1", "reconnect, token expires", got, 1.10, 0)
	allocsOf("P1", "reconnect and close, token expires", allocs, 2)
}

// BenchmarkReconnectBearer needs no signature at all.
func BenchmarkReconnectBearer(b *testing.B) {
	w := world.New()
	a := w.Authorizer(standard)
	defer a.Close()
	got, _ := ratio(b, known(b, a, several(someUsers, func() world.User { return w.User(world.Bearer) })).side("reconnect"))
	report.Tell(measure.Row{ID: "P1", What: "reconnect, bearer", Got: got, Unit: "u"})
}

// BenchmarkReconnectScoped is a user whose permissions come from the template of
// a scoped signing key.
func BenchmarkReconnectScoped(b *testing.B) {
	w := world.New()
	a := w.Authorizer(standard)
	defer a.Close()
	got, allocs := ratio(b, known(b, a, several(someUsers, w.Scoped)).side("reconnect"))
	goal("P1", "reconnect, scoped with template", got, 1.10, 0.55)
	allocsOf("P1", "reconnect and close, scoped", allocs, 2)
}

// BenchmarkReconnectSubjects is a user with many permission subjects: the cache
// is keyed by the text of the token, so that they cost little more than the text.
func BenchmarkReconnectSubjects(b *testing.B) {
	for _, row := range []struct {
		subjects  int
		must, aim float64
	}{
		{10, 1.10, 0}, {100, 1.2, 1.15}, {1_000, 1.5, 1.2}, {10_000, 3, 1.5},
	} {
		b.Run(fmt.Sprint(row.subjects), func(b *testing.B) {
			w := world.New()
			a := w.Authorizer(standard)
			defer a.Close()
			users := several(8, func() world.User { return w.User(world.Subjects(row.subjects)) })
			got, _ := ratio(b, known(b, a, users).side("reconnect"))
			goal("P4", fmt.Sprintf("reconnect, %d permission subjects", row.subjects), got, row.must, row.aim)
		})
	}
}

// BenchmarkFirstConnect is a user that nobody has seen before; the account is in
// force.
func BenchmarkFirstConnect(b *testing.B) {
	w := world.New()
	for _, row := range []struct {
		name      string
		mint      func() world.User
		must, aim float64
	}{
		{"Plain", func() world.User { return w.User() }, 2.5, 1.5},
		{"Subjects10", func() world.User { return w.User(world.Subjects(10)) }, 0, 0},
		{"Subjects100", func() world.User { return w.User(world.Subjects(100)) }, 0, 0},
		{"Scoped", w.Scoped, 0, 0},
		{"Bearer", func() world.User { return w.User(world.Bearer) }, 0, 0},
	} {
		b.Run(row.name, func(b *testing.B) {
			a := w.Authorizer(standard)
			defer a.Close()
			known(b, a, several(1, row.mint))
			fresh := &clients{authorizer: a, prepare: func(int) auth.Credentials { return row.mint().Credentials() }}
			got, allocs := ratio(b, fresh.side("first connect"))
			r := measure.Row{ID: "P2", What: "first connect, " + row.name, Got: got, Unit: "u", Aim: row.aim, Note: fmt.Sprintf("; %.0f allocs", allocs)}
			if row.must != 0 {
				r.Must, r.Bound = row.must, measure.AtMost
			}
			report.Tell(r)
		})
	}
}

// BenchmarkCores is P1 on two cores in terms of one. Workers connect to one
// account.
func BenchmarkCores(b *testing.B) {
	const workers = 2
	w := world.New()
	a := w.Authorizer(standard)
	defer a.Close()
	var each [workers]*clients
	for i := range each {
		each[i] = known(b, a, several(someUsers, func() world.User { return w.User() }))
	}
	c := measure.NewCores(workers, measure.Shared{
		Prepare: func(worker, n int) { each[worker].Prepare(n) },
		Run:     func(worker, n int) { each[worker].Run(n) },
	})
	for b.Loop() {
		c.Round()
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(c.Gain(0), "x/2cores")
	report.Tell(
		measure.Row{ID: "P3", What: "reconnect, 1 to 2 cores", Got: c.Gain(0), Unit: "x", Must: 1.8, Bound: measure.AtLeast, Aim: 1.95, Note: "; " + c.Counted(0)},
		measure.Row{ID: "P3", What: "ed25519.Verify alone, 1 to 2 cores", Got: c.Verify(), Unit: "x"},
	)
}
