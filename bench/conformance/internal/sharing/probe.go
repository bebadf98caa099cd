package sharing

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/nats-io/jwt/v2"

	"github.com/natsauth/natsauth/bench/conformance/internal/verdict"
)

// Probe is a message that somebody publishes in an account.
type Probe struct {
	Account *Account
	Subject string
	Asks    bool // it carries a reply
	Again   bool // and the first answer does, too
	Facts   verdict.Facts
	Rows    []string // of the feature table
	Crosses bool     // an import takes it somewhere, good or not
}

// Name says what is tried.
func (p Probe) Name() string {
	how := ""
	if p.Asks {
		how = " with a reply"
	}
	return fmt.Sprintf("publish %s in account %d%s", p.Subject, p.Account.Index, how)
}

// drawListening chooses what an account listens to: by the names that it gives to what it
// imports, and by those of its own exports.
func (g *Graph) drawListening(a *Account) {
	if g.chance(45) {
		a.Listens = append(a.Listens, Listening{Subject: ">"})
	}
	for _, i := range a.imports {
		if i.Type == jwt.Stream {
			a.Listens = append(a.Listens, Listening{Subject: g.other(i.here)})
		}
	}
	for _, e := range a.exports {
		if g.chance(60) {
			a.Listens = append(a.Listens, Listening{Subject: pick(g.drawer, string(e.Subject), g.narrow(string(e.Subject)))})
		}
	}
	if g.chance(50) && len(a.Listens) > 0 {
		group := Listening{pick(g.drawer, a.Listens...).Subject, fmt.Sprintf("%s.%d", g.Name, a.Index)}
		if !g.ambiguous(a, group.Subject) {
			a.Listens = append(a.Listens, group)
		}
	}
	a.hit("F083")
}

// ambiguous says whether several imports from one account may bring a message: of a queue
// group any of them gets it, under its own name.
func (g *Graph) ambiguous(a *Account, subject string) bool {
	from := map[*Account]int{}
	for _, i := range a.imports {
		if i.Type == jwt.Stream && meet(i.here, subject) {
			if from[i.from]++; from[i.from] > 1 {
				return true
			}
		}
	}
	return false
}

// drawProbes chooses what is published in an account.
func (g *Graph) drawProbes(a *Account) {
	var subjects []string
	for _, i := range a.imports {
		if i.Type == jwt.Service {
			subjects = append(subjects, g.literal(i.here), g.literal(i.here))
		}
	}
	for _, e := range a.exports {
		subjects = append(subjects, g.literal(string(e.Subject)))
	}
	for _, to := range g.Accounts {
		for _, i := range to.imports {
			if i.from == a && g.chance(60) {
				subjects = append(subjects, g.literal(i.there))
			}
		}
	}
	for _, source := range slices.Sorted(maps.Keys(a.Claims.Mappings)) {
		subjects = append(subjects, g.literal(string(source)))
	}
	for _, s := range subjects {
		g.addProbe(a, s)
	}
}

func (g *Graph) addProbe(a *Account, subject string) {
	for _, p := range g.Probes {
		if p.Account == a && p.Subject == subject {
			return
		}
	}
	r := g.reach(a, subject)
	p := Probe{
		Account: a, Subject: subject, Asks: g.chance(75), Crosses: r.crosses,
		Facts: verdict.Facts{Overlaps: r.overlaps || r.twice, Tangled: r.tangled, Shared: r.shared},
	}
	p.Again = p.Asks && g.chance(25)
	if r.tangled {
		p.Rows = append(p.Rows, "F086")
	}
	for at := range r.seen {
		p.Rows = append(p.Rows, at.account.about()...)
	}
	if !r.crosses {
		p.Rows = nil
	}
	g.Probes = append(g.Probes, p)
}

// about are the rows that the account's token is about.
func (a *Account) about() []string {
	return slices.Collect(maps.Keys(a.rows))
}

// keyless writes an account's number in place of its key.
func (g *Graph) keyless(line string) string {
	for _, a := range g.Accounts {
		line = strings.ReplaceAll(line, a.Key.Public, fmt.Sprintf("A%d", a.Index))
	}
	return line
}
