package sharing

import (
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/jwt/v2"

	"github.com/natsauth/natsauth/bench/conformance/internal/world"
)

// drawImports has an account import from others. Without a tangle streams come from the
// account before, and services from the one behind, so that accounts import from one
// another, but no import leads to another one that leads back, or to the same place.
func (g *Graph) drawImports(a *Account) {
	for i := range g.IntN(5) {
		kind := pick(g.drawer, jwt.Stream, jwt.Service)
		from := g.exporter(a, kind)
		if from == nil {
			continue
		}
		g.addImport(a, from, kind, i)
	}
}

// exporter chooses whom to import from.
func (g *Graph) exporter(a *Account, kind jwt.ExportType) *Account {
	at := a.Index - 1
	if kind == jwt.Service {
		at = a.Index + 1
	}
	switch {
	case g.tangle:
		at = g.IntN(len(g.Accounts))
	case g.chance(30): // somebody whom nobody imports from in turn
		at = len(g.Accounts) - 1 - at
	}
	if at < 0 || at >= len(g.Accounts) {
		return nil
	}
	return g.Accounts[at]
}

// addImport adds one import, of what is exported, or not.
func (g *Graph) addImport(a, from *Account, kind jwt.ExportType, n int) {
	var e *export
	for i := range from.exports {
		if from.exports[i].Type == kind && (e == nil || g.chance(50)) {
			e = &from.exports[i]
		}
	}
	if e == nil {
		return
	}
	i := &imported{from: from, there: g.subject(a, e), Import: jwt.Import{Account: from.Key.Public, Type: kind}}
	g.name(a, i, n)
	if e.TokenReq || g.chance(10) {
		i.Token = g.activation(a, from, e, i.there)
	}
	if kind == jwt.Service {
		i.Share = g.chance(25)
		a.hit("F088")
	}
	for _, o := range a.imports {
		if o.Type == kind && o.from == from && (o.there == i.there || kind == jwt.Service && meet(o.here, i.here)) {
			return // the account would be refused, or the second would not count
		}
	}
	a.hit("F071", "F087", "F089", "F091")
	a.imports = append(a.imports, i)
	a.Claims.Imports.Add(&i.Import)
}

// subject chooses what of an export is imported.
func (g *Graph) subject(a *Account, e *export) string {
	if e.AccountTokenPosition > 0 {
		who := pick(g.drawer, a, a, a, g.Accounts[0])
		return pick(g.drawer, e.first+"."+who.Key.Public+".x", e.first+"."+who.Key.Public+".x", e.first+"."+who.Key.Public+".x", string(e.Subject))
	}
	switch {
	case g.chance(5):
		return e.first + ".>" // more than is exported, mostly
	case g.chance(5):
		return "n0." + g.token() // nobody exports it
	case g.chance(60):
		return string(e.Subject)
	default:
		return g.narrow(string(e.Subject))
	}
}

// name chooses the name that an import has in the account.
func (g *Graph) name(a *Account, i *imported, n int) {
	i.here, i.local = i.there, i.there
	switch {
	case g.chance(40):
		i.Subject = jwt.Subject(i.there)
	case g.chance(20) && i.Type == jwt.Stream && !strings.HasPrefix(i.there, "*"):
		prefix := fmt.Sprintf("t%d", n)
		i.Subject, i.To = jwt.Subject(i.there), jwt.Subject(prefix) //nolint:staticcheck // SA1019: tokens have it
		i.here, i.local = prefix+"."+i.there, prefix+"."+i.there
		a.hit("F082")
	case g.chance(20) && i.Type == jwt.Service:
		i.here = fmt.Sprintf("t%d%s", n, wild(i.there))
		i.local = i.here
		i.Subject, i.To = jwt.Subject(i.here), jwt.Subject(i.there) //nolint:staticcheck // likewise
		a.hit("F084")
	default:
		local := g.local(fmt.Sprintf("l%d", n), i.there)
		i.Subject, i.LocalSubject = jwt.Subject(i.there), jwt.RenamingSubject(local)
		i.here, i.local = plain(local), local
		a.hit("F082", "F084", "F085")
	}
}

// wild is what of a pattern has wildcards, token for token.
func wild(pattern string) string {
	out := ""
	for t := range strings.SplitSeq(pattern, ".") {
		if t == "*" || t == ">" {
			out += "." + t
		}
	}
	return out
}

// local makes a local subject: every wildcard once, as it is or by its number; two of them
// in either order.
func (g *Graph) local(first, pattern string) string {
	var stars []string
	rest := ""
	for t := range strings.SplitSeq(pattern, ".") {
		switch t {
		case "*":
			stars = append(stars, fmt.Sprintf("$%d", len(stars)+1))
		case ">":
			rest = ".>"
		}
	}
	switch {
	case len(stars) == 2 && g.chance(40):
		stars[0], stars[1] = stars[1], stars[0]
	case g.chance(40):
		for i := range stars {
			stars[i] = "*"
		}
	}
	out := first
	for _, s := range stars {
		if g.chance(20) {
			out += ".m"
		}
		out += "." + s
	}
	return out + rest
}

// plain is a local subject with wildcards in place of placeholders.
func plain(local string) string {
	t := strings.Split(local, ".")
	for i, token := range t {
		if strings.HasPrefix(token, "$") {
			t[i] = "*"
		}
	}
	return strings.Join(t, ".")
}

// activation is leave to import, or what is none.
type activation struct {
	weight int
	rows   []string
	make   func(*leave)
}

// leave is an activation that is being made.
type leave struct {
	*Graph
	*jwt.ActivationClaims
	from, to *Account
	export   *export
	by       world.Key
	issued   time.Time
}

var activations = []activation{
	{40, []string{"F074"}, func(*leave) {}},
	{20, []string{"F075"}, func(l *leave) { l.by = l.from.spare }},
	{8, []string{"F074"}, func(l *leave) { l.ImportSubject = l.export.Subject }},
	{6, []string{"F076"}, func(l *leave) { l.Expires = l.issued.Add(time.Minute).Unix() }},
	{4, []string{"F076"}, func(l *leave) { l.Expires = time.Now().Add(time.Hour).Unix() }},
	{4, []string{"F074"}, func(l *leave) { l.NotBefore = time.Now().Add(time.Hour).Unix() }},
	{6, []string{"F077"}, func(l *leave) { l.from.revoke(l.export, l.to.Key.Public, l.issued) }},
	{3, []string{"F077"}, func(l *leave) { l.from.revoke(l.export, jwt.All, l.issued) }},
	{3, []string{"F077"}, func(l *leave) { l.from.revoke(l.export, l.to.Key.Public, l.issued.Add(-time.Second)) }},
	{4, []string{"F075"}, func(l *leave) { l.by = l.from.dismissed }},
	{1, []string{"F074"}, func(l *leave) { l.Subject = l.Accounts[0].Key.Public }},
	{1, []string{"F074"}, func(l *leave) { l.ImportSubject = "other" }},
	{1, []string{"F074"}, func(l *leave) { l.ImportType = jwt.Stream + jwt.Service - l.ImportType }},
	{1, []string{"F074"}, func(l *leave) { l.by, l.IssuerAccount = l.to.Key, l.to.Key.Public }},
}

// activation chooses one, or none.
func (g *Graph) activation(a, from *Account, e *export, subject string) string {
	if g.chance(8) {
		return ""
	}
	l := &leave{Graph: g, from: from, to: a, export: e, by: from.Key, issued: g.world.Now.Add(-30 * time.Minute)}
	l.ActivationClaims = jwt.NewActivationClaims(a.Key.Public)
	l.Activation.Type, l.Version = jwt.ActivationClaim, 2
	l.ImportSubject, l.ImportType = jwt.Subject(subject), e.Type
	sum := 0
	for _, one := range activations {
		sum += one.weight
	}
	n := g.IntN(sum)
	for _, one := range activations {
		if n -= one.weight; n < 0 {
			one.make(l)
			a.hit(one.rows...)
			break
		}
	}
	if l.by.Public != from.Key.Public && l.IssuerAccount == "" {
		l.IssuerAccount = from.Key.Public
	}
	return world.Mint(l.ActivationClaims, l.by, l.issued)
}
