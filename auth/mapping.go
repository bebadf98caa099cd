package auth

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/natsauth/natsauth/claims"
	"github.com/natsauth/natsauth/internal/subject"
)

// Map gives the subject that a message takes which a client or a leaf node
// publishes, by the mappings of the account's token, and whether it is delivered
// at all. Ask [Session.CanPublish] about the mapped subject, not about the
// published one (F058): a broker maps first, drops what is not to be delivered, and
// then asks. A mapped subject is not mapped again.
//
// Of several mappings whose source matches, the most specific one counts: at the
// first token in which they differ, a literal goes before `*`, and that before
// `>` (B10). Its destinations for [Config.Cluster] count if it has any, and those
// without a cluster if not; one of them is chosen by weight, at random
// ([Config.Rand]). What their weights leave of 100 stays where it is. If the
// source itself is among the destinations, of whatever cluster, the rest is lost:
// the subject is empty and deliver is false (F093, nats-server v2.15
// server/accounts.go AddWeightedMappings and selectMappedSubject).
//
// The published subject is taken token by token as it is written, as by
// [Session.CanPublish]: `*` in it is a token like any other, so that nobody passes a
// mapping by; a last token `>` is matched by `>` only. Where nothing matches, or the
// subject has an empty token, the result is the published subject, and true, without
// an allocation. What a function of the destination makes of a subject has to be a
// subject too, and at most 64 KiB; else it is lost (F094, B18).
//
// Any number of goroutines may call Map. The zero Account maps nothing.
func (a *Account) Map(subject string) (mapped string, deliver bool) {
	return a.mappings.apply(subject)
}

// mappings are the mappings of one account, as they are in one cluster. They do
// not change; nil are none.
type mappings struct {
	list    []string // the sources
	sources *subject.Ranking
	routes  []route // of the sources, in their order
	random  func(n uint32) uint32

	once sync.Once
	near *subject.Crossing // of the sources, made when it is asked first
}

// reach gives patterns of what the mappings may make of the subjects that s matches,
// besides those themselves: somewhat more than what they do make.
func (m *mappings) reach(s string, steps int) ([]string, int) {
	m.once.Do(func() { m.near = subject.NewCrossing(m.list) })
	var out []string
	at, steps := m.near.FindWithin(nil, s, steps)
	for _, i := range at {
		for _, d := range m.routes[i] {
			if d.to != nil {
				out = append(out, d.to.Shape())
			}
		}
	}
	return out, steps
}

// newMappings compiles the mappings of a token. All of them must make sense, in
// whatever cluster: an account is not in force with a part of them.
func newMappings(m map[string][]claims.Mapping, cluster string, random *rand.Rand) (*mappings, error) {
	if len(m) == 0 {
		return nil, nil
	}
	sources := slices.Sorted(maps.Keys(m))
	out := &mappings{list: sources, routes: make([]route, len(sources)), random: random.Uint32N}
	for i, source := range sources {
		var err error
		if out.routes[i], err = newRoute(source, m[source], cluster); err != nil {
			return nil, fmt.Errorf("auth: mapping of %q: %w", source, err)
		}
	}
	var err error
	out.sources, err = subject.NewRanking(sources)
	return out, err
}

// apply is [Account.Map].
func (m *mappings) apply(s string) (string, bool) {
	if m == nil {
		return s, true
	}
	i, ok := m.sources.Find(s)
	if !ok {
		return s, true
	}
	d, ok := m.routes[i].choose(m.random)
	switch {
	case !ok:
		return "", false
	case d.to == nil:
		return s, true
	default:
		return d.to.Apply(s, m.random)
	}
}

// route is where messages of one source go: a number below 100 chooses the first
// destination whose bound is above it, or none.
type route []destination

type destination struct {
	bound uint32             // its weight and those before it
	to    *subject.Transform // nil: the subject stays
}

// newRoute compiles the destinations of one source. The claims have held their
// weights to 100 in every cluster.
func newRoute(source string, list []claims.Mapping, cluster string) (route, error) {
	if !slices.ContainsFunc(list, func(m claims.Mapping) bool { return m.Cluster == cluster }) {
		cluster = "" // those that are for everywhere else
	}
	var out route
	bound := uint32(0)
	seen := make(map[string]bool, len(list))
	for _, m := range list {
		to, err := subject.NewTransform(source, m.Subject)
		if err != nil {
			return nil, err
		}
		if seen[m.Subject] {
			return nil, fmt.Errorf("two destinations %q", m.Subject)
		}
		seen[m.Subject] = true
		if m.Cluster == cluster {
			bound += uint32(m.Weight) //nolint:gosec // G115: at most 100
			out = append(out, destination{bound, to})
		}
	}
	if bound < 100 && !seen[source] {
		out = append(out, destination{bound: 100})
	}
	return out, nil
}

// choose takes a number only where there is a choice.
func (r route) choose(random func(n uint32) uint32) (destination, bool) {
	if len(r) == 1 && r[0].bound == 100 {
		return r[0], true
	}
	n := random(100)
	for _, d := range r {
		if n < d.bound {
			return d, true
		}
	}
	return destination{}, false
}

// shared makes a random source for several goroutines: of the one that was given,
// which gives the same numbers in the same order, or one that is seeded at random.
func shared(r *rand.Rand) *rand.Rand {
	var source rand.Source = chance{}
	if r != nil {
		source = &dice{rand: r}
	}
	return rand.New(source) //nolint:gosec // G404: it spreads load, it keeps no secret
}

// dice are a source that one goroutine uses at a time.
type dice struct {
	mu   sync.Mutex
	rand *rand.Rand // guarded by mu
}

// Uint64 is of rand.Source.
func (d *dice) Uint64() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.rand.Uint64()
}

// chance is the source of the process, which takes no lock.
type chance struct{}

// Uint64 is of rand.Source.
func (chance) Uint64() uint64 { return rand.Uint64() } //nolint:gosec // G404: as above
