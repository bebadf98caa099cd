package permissions

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/nats-io/jwt/v2"

	"github.com/natsauth/natsauth/bench/conformance/internal/peer"
	"github.com/natsauth/natsauth/bench/conformance/internal/world"
)

// Universe is one configuration and the cells in it.
type Universe struct {
	Seed   uint64
	Config string
	Cells  []*Cell
}

// Cell is an account with a user that tries its permissions.
type Cell struct {
	Name    string
	Source  Source
	Rules   Rules // what they come to
	Scripts []Script

	tokens []string
}

// Source is where a user's permissions come from.
type Source uint8

// The sources.
const (
	Token Source = iota
	Scope
	Defaults
)

// String names the source.
func (s Source) String() string { return [...]string{"token", "scope", "defaults"}[s] }

// rows are those of the feature table that the source is about.
func (s Source) rows() []string {
	return [...][]string{{"F040"}, {"F035", "F036", "F037", "F038"}, {"F052"}}[s]
}

// tokenLimit is how many tokens a subscription may have.
const tokenLimit = 6

// Generate makes a universe.
func Generate(seed uint64, cells int) *Universe {
	w := world.New(seed)
	w.Lines = append(w.Lines, "max_control_line: 1048576", fmt.Sprintf("max_subscription_tokens: %d", tokenLimit))
	u := &Universe{Seed: seed}
	d := drawer{rand.New(rand.NewPCG(seed, 2))}
	for i := range cells {
		u.Cells = append(u.Cells, d.cell(w, seed*uint64(cells)+uint64(i)))
	}
	u.Config = w.Config()
	return u
}

// String describes the cell for a report: rules and tokens, no seeds.
func (c *Cell) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "cell %s, permissions from %s\n", c.Name, c.Source)
	fmt.Fprintf(&b, "publish allow %q deny %q\n", c.Rules.Publish.Allow, c.Rules.Publish.Deny)
	fmt.Fprintf(&b, "subscribe allow %q deny %q\n", c.Rules.Subscribe.Allow, c.Rules.Subscribe.Deny)
	if r := c.Rules.Responses; r != nil {
		fmt.Fprintf(&b, "responses max %d ttl %v\n", r.MaxMsgs, r.Expires)
	}
	for _, t := range c.tokens {
		fmt.Fprintf(&b, "token: %s\n", world.Content(t))
	}
	return b.String()
}

// cell makes an account, its users, and what they say. One number after the other
// has every source, and every kind of responses.
func (d drawer) cell(w *world.World, n uint64) *Cell {
	c := &Cell{Name: fmt.Sprintf("C%d", n), Source: Source(n % 3), Rules: d.rules()}
	c.Rules.Responses = responses(n)
	a := w.NewAccount(c.Name)
	a.By = w.AccountSigner()
	user := c.admit(d, a)
	free := a.User("free", a.Key, func(u *jwt.UserClaims) { u.Permissions = everything() })
	c.tokens = []string{a.Token, user.JWT}
	s := scripter{drawer: d, rules: c.Rules, source: c.Source.rows(), publish: c.Rules.publish(), subscribe: c.Rules.subscribe()}
	s.user, s.free = Who{user, d.options()}, Who{free, map[string]any{"echo": false}}
	c.Scripts = []Script{s.publishing(), s.delivering(), s.grouping(), s.silence(), s.reserved(), s.unsubscribing(), &Informing{user}, s.limits(a)}
	if c.Rules.Responses != nil {
		c.Scripts = append(c.Scripts, s.responding())
	}
	return c
}

// everything denies one subject that is not in use, so that no default takes its place
// and no allow list is there.
func everything() jwt.Permissions {
	none := jwt.Permission{Deny: jwt.StringList{"not.in.use"}}
	return jwt.Permissions{Pub: none, Sub: none}
}

// admit puts the account into the configuration and makes its user.
func (c *Cell) admit(d drawer, a *world.Account) peer.User {
	if c.Rules.Responses != nil {
		c.Rules = reachable(c.Rules)
	}
	a.Claims.Mappings = mappings()
	by, change := a.Key, func(u *jwt.UserClaims) { u.Permissions = c.Rules.JWT() }
	switch c.Source {
	case Scope:
		var written Rules
		written, c.Rules = d.template(c.Rules)
		by = a.Role(func(s *jwt.UserScope) { s.Template.Permissions = written.JWT() })
		change = func(u *jwt.UserClaims) { u.Tags = tags }
	case Defaults:
		a.Claims.DefaultPermissions = c.Rules.JWT()
		change = func(u *jwt.UserClaims) { u.Permissions = jwt.Permissions{} }
	}
	a.Admit()
	return a.User(userName, by, change)
}

// reachable lets requests through to a user that may answer them.
func reachable(r Rules) Rules {
	if len(r.Subscribe.Allow) > 0 {
		r.Subscribe.Allow = append(r.Subscribe.Allow, "req.>")
	}
	var deny []string
	for _, e := range r.Subscribe.Deny {
		if !strings.HasPrefix(e, "*") && !strings.HasPrefix(e, ">") {
			deny = append(deny, e)
		}
	}
	r.Subscribe.Deny = deny
	return r
}

// options are what a client may say of itself.
func (d drawer) options() map[string]any {
	return map[string]any{
		"verbose": d.chance(20), "pedantic": d.chance(15), "echo": d.chance(50),
		"headers": true, "no_responders": d.chance(80),
	}
}

// mappings are those of every account: what they make of a subject is in the words
// that rules use.
func mappings() jwt.Mapping {
	to := func(s jwt.Subject) []jwt.WeightedMapping { return []jwt.WeightedMapping{{Subject: s}} }
	return jwt.Mapping{
		"one.*": to("a.$1"), "two.*.*": to("b.{{wildcard(2)}}.$1"), "rest.>": to("c.>"),
		"cut.*": to("{{split(1,-)}}"), "part.*": to("a.{{partition(3,1)}}"), "fixed": to("a.b"),
	}
}

// Single makes a configuration with one user, whose token has the permissions.
func Single(seed uint64, p jwt.Permissions) (string, peer.User) {
	w := world.New(seed)
	a := w.Account("SINGLE")
	user := a.User(userName, a.Key, func(u *jwt.UserClaims) { u.Permissions = p })
	return w.Config(), user
}
