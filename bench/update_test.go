package bench_test

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/bench/internal/measure"
	"github.com/natsauth/natsauth/bench/internal/world"
	"github.com/natsauth/natsauth/resolver"
)

// goalCrowd is how many sessions the goal about updates speaks of.
const goalCrowd = 10_000

// BenchmarkUpdate is an update of an account with live sessions, from the push until
// the broker has heard of the last close. No signature of a user is checked: what it
// costs follows the sessions that it touches, not those that there are.
func BenchmarkUpdate(b *testing.B) {
	crowds := []int{goalCrowd}
	if *sessions > goalCrowd {
		crowds = append(crowds, *sessions)
	}
	for _, n := range crowds {
		c := world.NewCrowd(world.New(), n)
		for _, row := range []struct {
			name    string
			revoked world.Revoked
			runs    int
			rounds  int // at most: to gather a crowd takes long
		}{
			{"none revoked", world.Stranger, 32, 1 << 20},
			{"one revoked", world.One, 32, 1 << 20},
			{"all revoked", world.Everyone, 1, 5},
		} {
			b.Run(fmt.Sprintf("%d/%s", n, row.name), func(b *testing.B) {
				m := measure.New(measure.Verify(), c.Update(row.revoked, row.runs))
				for b.Loop() {
					if m.Rounds() < row.rounds {
						m.Round()
					}
				}
				took := c.Took()
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(m.Ratio(0), "u/update")
				b.ReportMetric(float64(took)/float64(time.Millisecond), "ms/update")
				r := measure.Row{ID: "P7", What: fmt.Sprintf("update, %d sessions, %s", n, row.name), Got: m.Ratio(0), Unit: "u"}
				if row.revoked == world.Everyone {
					r.Note = fmt.Sprintf("%.3f u a session", r.Got/float64(n))
				}
				report.Tell(r)
			})
		}
		c.Close()
	}
}

// BenchmarkConnectWhileUpdating is how fast clients connect to an account that is
// updated without a pause on the other core, in terms of a core that is as busy with
// something else. It is measured by the wall.
func BenchmarkConnectWhileUpdating(b *testing.B) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	w := world.New()
	crowd := world.NewCrowd(w, goalCrowd)
	defer crowd.Close()
	clients := known(b, crowd.Authorizer, several(someUsers, func() world.User { return w.User() }))
	updates, verify := newFlood(crowd.Authorizer, w), measure.Verify()
	const connects = 1000
	var gains []float64
	for b.Loop() {
		busy := beside(func() { verify.Run(1) }, clients, connects)
		updating := beside(updates.next, clients, connects)
		gains = append(gains, float64(busy)/float64(updating))
	}
	gain, each := measure.Median(gains), float64(updates.applied.Load())/float64(connects*len(gains))
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(gain, "x")
	report.Tell(measure.Row{
		ID: "P7", What: "connects while the account is updated, in terms of without", Got: gain, Unit: "x",
		Note: fmt.Sprintf("%.2f updates a connect, %d sessions", each, goalCrowd),
	})
}

// beside is how long n clients take while something else goes on.
func beside(other func(), clients *clients, n int) time.Duration {
	clients.Prepare(n)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				other()
			}
		}
	}()
	began := time.Now()
	clients.Run(n)
	took := time.Since(began)
	close(stop)
	<-stopped
	return took
}

// flood updates an account again and again.
type flood struct {
	authorizer *auth.Authorizer
	tokens     []string
	applied    atomic.Int64
}

func newFlood(a *auth.Authorizer, w *world.World) *flood {
	return &flood{authorizer: a, tokens: w.Updates(64, world.Stranger, nil)}
}

func (f *flood) next() {
	n := f.applied.Add(1)
	if _, err := f.authorizer.Apply(context.Background(), f.tokens[int(n)%len(f.tokens)], resolver.Override); err != nil {
		panic(err) // a world's tokens are good
	}
}
