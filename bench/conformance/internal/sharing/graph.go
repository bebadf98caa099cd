package sharing

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/nats-io/jwt/v2"

	"github.com/natsauth/natsauth/bench/conformance/internal/peer"
	"github.com/natsauth/natsauth/bench/conformance/internal/world"
)

// Universe is one configuration, and the graphs in it.
type Universe struct {
	Seed   uint64
	Config string
	Graphs []*Graph
}

// Graph is some accounts that share.
type Graph struct {
	Seed     uint64
	Name     string
	Accounts []*Account
	Probes   []Probe

	drawer
	world  *world.World
	tangle bool // imports may go in circles, and come together again
}

// Account is one of them.
type Account struct {
	*world.Account
	Index     int
	Listens   []Listening
	User      peer.User
	rows      map[string]bool // of the feature table, that its token is about
	exports   []export
	imports   []*imported
	spare     world.Key // signs activations
	dismissed world.Key // did, and does not any more
}

// Listening is a subscription that somebody in the account has.
type Listening struct{ Subject, Queue string }

// export is something that an account exports.
type export struct {
	jwt.Export
	first string // its first token, which no other export of the account has
}

// imported is something that it imports.
type imported struct {
	jwt.Import
	from        *Account
	here, there string // patterns, without placeholders
	local       string // here, perhaps with placeholders
}

// Generate makes a universe of some graphs. One in seven of them may have circles.
func Generate(seed uint64, graphs int) *Universe {
	w := world.New(seed)
	w.Lines = append(w.Lines, "max_control_line: 1048576")
	u := &Universe{Seed: seed}
	for i := range graphs {
		n := seed*uint64(graphs) + uint64(i)
		g := &Graph{Seed: seed, Name: fmt.Sprintf("G%d", n), world: w, drawer: drawer{rand.New(rand.NewPCG(n, 7))}}
		g.tangle = n%7 == 0
		g.draw()
		u.Graphs = append(u.Graphs, g)
	}
	u.Config = w.Config()
	return u
}

// draw makes the accounts and what is tried with them.
func (g *Graph) draw() {
	for i := range 3 + g.IntN(6) {
		a := &Account{Account: g.world.NewAccount(fmt.Sprintf("%s.%d", g.Name, i)), Index: i, rows: map[string]bool{}}
		a.By = g.world.AccountSigner()
		a.spare, a.dismissed = a.SigningKey(), a.SigningKey()
		a.Claims.SigningKeys = jwt.SigningKeys{}
		a.Claims.SigningKeys.Add(a.spare.Public)
		g.Accounts = append(g.Accounts, a)
	}
	for _, a := range g.Accounts {
		g.drawExports(a)
		g.drawMappings(a)
	}
	for _, a := range g.Accounts {
		g.drawImports(a)
	}
	for _, a := range g.Accounts {
		g.drawLimits(a)
		a.Admit()
		a.User = a.Account.User("user", a.Key, func(u *jwt.UserClaims) { u.Tags.Add("team:red") })
	}
	for _, a := range g.Accounts {
		g.drawListening(a)
		g.drawProbes(a)
	}
}

// String describes the graph for a report; no seeds.
func (g *Graph) String() string {
	var b strings.Builder
	for _, a := range g.Accounts {
		fmt.Fprintf(&b, "account %d %s listens to %v\n", a.Index, a.Key, a.Listens)
		for _, e := range a.Claims.Exports {
			fmt.Fprintf(&b, "  exports %s %s, token %v, position %d, %q, revocations %v\n",
				e.Type, e.Subject, e.TokenReq, e.AccountTokenPosition, e.ResponseType, e.Revocations)
		}
		for _, i := range a.imports {
			fmt.Fprintf(&b, "  imports %s %s of account %d as %s, share %v, activation %s\n",
				i.Type, i.there, i.from.Index, i.local, i.Share, world.Content(i.Token))
		}
		for _, source := range slices.Sorted(maps.Keys(a.Claims.Mappings)) {
			fmt.Fprintf(&b, "  maps %s to %v\n", source, a.Claims.Mappings[source])
		}
	}
	return b.String()
}

// drawer draws subjects.
type drawer struct{ *rand.Rand }

// chance is true n times of a hundred.
func (d drawer) chance(n int) bool { return d.IntN(100) < n }

// pick takes one of a list.
func pick[T any](d drawer, from ...T) T { return from[d.IntN(len(from))] }

// tokens that subjects share.
var literals = []string{"x", "y", "z"}

func (d drawer) token() string { return pick(d, literals...) }

// literal makes a subject that a pattern matches.
func (d drawer) literal(pattern string) string {
	t := strings.Split(pattern, ".")
	for i, token := range t {
		switch token {
		case "*":
			t[i] = d.token()
		case ">":
			t[i] = strings.Join([]string{d.token(), d.token()}[:1+d.IntN(2)], ".")
		}
	}
	return strings.Join(t, ".")
}

// narrow makes a pattern that another covers.
func (d drawer) narrow(pattern string) string {
	t := strings.Split(pattern, ".")
	for i, token := range t {
		switch {
		case token == "*" && d.chance(40):
			t[i] = d.token()
		case token == ">" && d.chance(50):
			t[i] = pick(d, "*", d.token(), d.token()+".>", "*.*")
		}
	}
	return strings.Join(t, ".")
}

// other makes a pattern that may overlap another.
func (d drawer) other(pattern string) string {
	t := strings.Split(d.narrow(pattern), ".")
	for i, token := range t {
		if token != ">" && d.chance(25) {
			t[i] = "*"
		}
	}
	if d.chance(20) {
		t = append(t[:len(t)-1], ">")
	}
	return strings.Join(t, ".")
}
