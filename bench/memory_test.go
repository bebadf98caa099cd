package bench_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/bench/internal/measure"
	"github.com/natsauth/natsauth/bench/internal/world"
)

// BenchmarkSessionBytes is what an open session holds on the heap: distinct
// users, whose 100 permission subjects are equal and listed in different orders.
// The tokens' text is the caller's, and gone.
func BenchmarkSessionBytes(b *testing.B) {
	for _, row := range []struct {
		name   string
		cached int
		must   float64
		aim    float64
	}{
		{"CacheOff", -1, 600, 400},
		{"CacheOn", standard, 0, 0},
	} {
		bytes := 0.0 // once is enough: it is a size, not a time
		b.Run(row.name, func(b *testing.B) {
			if bytes == 0 {
				bytes = sessionBytes(b, *sessions, row.cached)
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(bytes, "B/session")
			r := measure.Row{ID: "P6", What: fmt.Sprintf("%s, %d sessions", row.name, *sessions), Got: bytes, Unit: "B", Aim: row.aim}
			if row.must != 0 {
				r.Must, r.Bound = row.must, measure.AtMost
			}
			report.Tell(r)
		})
	}
}

func sessionBytes(b *testing.B, n, cached int) float64 {
	w := world.New()
	a := w.Authorizer(cached)
	defer a.Close()
	option := world.Subjects(100)
	open(b, a, w.User(option)).Close() // the account and the compiled set are there before
	held := make([]*auth.Session, n)
	before := heap()
	connectAll(a, held, func() world.User { return w.User(option) })
	bytes := float64(heap()-before) / float64(n)
	runtime.KeepAlive(a)
	runtime.KeepAlive(option)
	for _, s := range held {
		s.Close()
	}
	return bytes
}

// connectAll fills held, on every core: it takes longer to make the users than
// to connect them.
func connectAll(a *auth.Authorizer, held []*auth.Session, mint func() world.User) {
	var group sync.WaitGroup
	cores := runtime.GOMAXPROCS(0)
	for c := range cores {
		group.Go(func() {
			for i := c; i < len(held); i += cores {
				s, err := a.Connect(context.Background(), mint().Credentials())
				if err != nil {
					panic(err) // credentials of a world are good
				}
				held[i] = s
			}
		})
	}
	group.Wait()
}
