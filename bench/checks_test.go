package bench_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/nats-io/jwt/v2"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/bench/internal/measure"
	"github.com/natsauth/natsauth/bench/internal/world"
)

// sizes are how many rules a list has.
var sizes = []int{10, 100, 1_000, 10_000}

// BenchmarkChecks are the three questions of the hot path, with subjects that
// rotate.
func BenchmarkChecks(b *testing.B) {
	w := world.New()
	a := w.Authorizer(standard)
	defer a.Close()
	for _, rules := range sizes {
		s := open(b, a, w.User(both(rules)))
		defer s.Close()
		for _, q := range []struct {
			name string
			ask  func(*auth.Session, string) bool
		}{
			{"publish", (*auth.Session).CanPublish},
			{"subscribe", func(s *auth.Session, subject string) bool { return s.CanSubscribe(subject, "") }},
			{"deliver", func(s *auth.Session, subject string) bool { return s.CanDeliver(subject, "") }},
		} {
			b.Run(fmt.Sprintf("%s/%d", q.name, rules), func(b *testing.B) {
				got, allocs := ratio(b, asking(s, rules, q.ask))
				report.Tell(measure.Row{ID: "P5", What: fmt.Sprintf("%s, %d rules", q.name, rules), Got: got, Unit: "u"})
				allocsOf("P5", fmt.Sprintf("%s, %d rules", q.name, rules), allocs, 0)
			})
		}
	}
}

// both gives a user the rules for both directions.
func both(rules int) world.Option {
	list := world.Rules(rules)
	return func(c *jwt.UserClaims) { c.Pub.Allow, c.Sub.Allow = list, list }
}

// sink keeps the answers from being optimised away.
var sink atomic.Uint64

func asking(s *auth.Session, rules int, ask func(*auth.Session, string) bool) measure.Side {
	messages, next := world.Messages(rules), 0
	return measure.Side{Name: "check", Run: func(n int) {
		var yes uint64
		for range n {
			if ask(s, messages[next%world.Rotation]) {
				yes++
			}
			next++
		}
		sink.Add(yes)
	}}
}
