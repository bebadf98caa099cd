package subject_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/internal/subject"
)

// manyRules are n rules of each list: literal, with `*` inside, with `>`, and
// for subscriptions with a queue.
func manyRules(n int) subject.Spec {
	var s subject.Spec
	for i := range n {
		s.Publish.Allow = append(s.Publish.Allow, fmt.Sprintf("app.%d.orders.*", i), fmt.Sprintf("lit.%d", i), fmt.Sprintf("all.%d.>", i))
		s.Publish.Deny = append(s.Publish.Deny, fmt.Sprintf("app.%d.orders.secret", i))
		s.Subscribe.Allow = append(s.Subscribe.Allow, fmt.Sprintf("app.%d.*.done", i), fmt.Sprintf("app.%d.> workers.*", i), fmt.Sprintf("app.%d.x other", i))
		s.Subscribe.Deny = append(s.Subscribe.Deny, fmt.Sprintf("app.%d.no", i), fmt.Sprintf("app.%d.maybe cleaners", i))
	}
	return s
}

func TestAnswersDoNotAllocate(t *testing.T) {
	long := strings.Repeat("token.", 31) + "end" // 32 tokens
	huge := strings.Repeat("token.", 10_000) + "end"
	for _, n := range []int{0, 1, 10, 1_000, 10_000} {
		set := subject.Compile(manyRules(n))
		questions := map[string]func() bool{
			"publish allowed":                func() bool { return set.Publish("app.0.orders.new") },
			"publish allowed by >":           func() bool { return set.Publish("all.0.a.b.c") },
			"publish missed":                 func() bool { return set.Publish("app.0.invoices.new") },
			"publish denied":                 func() bool { return set.Publish("app.0.orders.secret") },
			"publish 32 tokens":              func() bool { return set.Publish(long) },
			"publish 10,001 tokens":          func() bool { return set.Publish(huge) },
			"subscribe":                      func() bool { return set.Subscribe("app.0.a.done", "") },
			"subscribe wildcard":             func() bool { return set.Subscribe("app.0.*.done", "") },
			"subscribe wildcard not covered": func() bool { return set.Subscribe("app.*.a.done", "") },
			"subscribe >":                    func() bool { return set.Subscribe(">", "") },
			"subscribe denied":               func() bool { return set.Subscribe("app.0.no", "") },
			"subscribe queue":                func() bool { return set.Subscribe("app.0.a.done", "workers.a") },
			"subscribe queue wildcard":       func() bool { return set.Subscribe("app.0.>", "workers.a") },
			"subscribe queue denied":         func() bool { return set.Subscribe("app.0.maybe", "cleaners") },
			"subscribe 32 tokens":            func() bool { return set.Subscribe(long, "") },
			"deliver":                        func() bool { return set.Deliver("app.0.a.done", "") },
			"deliver queue":                  func() bool { return set.Deliver("app.0.a.b.c", "workers.a") },
			"deliver denied":                 func() bool { return set.Deliver("app.0.no", "") },
			"deliver missed":                 func() bool { return set.Deliver("nothing.here", "") },
		}
		for name, ask := range questions {
			require.Zero(t, testing.AllocsPerRun(20, func() { ask() }), "%s, %d rules", name, n)
		}
	}
}

func TestRulesOf32TokensDoNotAllocate(t *testing.T) {
	s := strings.Repeat("token.", 31) + "end"
	p := strings.Repeat("*.", 31) + ">"
	set := subject.Compile(subject.Spec{
		Publish:   subject.Rules{Allow: []string{s, p}, Deny: []string{"token." + p[2:]}},
		Subscribe: subject.Rules{Allow: []string{s, p, p + " q"}},
	})
	require.Zero(t, testing.AllocsPerRun(100, func() {
		set.Publish(s)
		set.Subscribe(p, "")
		set.Subscribe(p, "q")
		set.Subscribe(p, "r")
		set.Deliver(s, "q")
	}))
}
