package sharing

import (
	"strings"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
)

// match says whether a pattern covers a literal subject.
func match(pattern, literal string) bool { return server.SubjectMatchesFilter(literal, pattern) }

// meet says whether two patterns have a subject in common.
func meet(a, b string) bool { return server.SubjectsCollide(a, b) }

// mapped is what an account's mappings make of a subject.
func (a *Account) mapped(subject string) string {
	for source, to := range a.Claims.Mappings {
		if !match(string(source), subject) || to[0].Cluster != "" {
			continue
		}
		return transform(string(source), string(to[0].Subject), subject)
	}
	return subject
}

func transform(source, destination, subject string) string {
	t, err := server.NewSubjectTransform(source, destination)
	if err != nil || t == nil {
		return subject
	}
	return t.TransformSubject(subject)
}

// back is the exporter's name for a subject that the importer knows by the import's name.
func (i *imported) back(subject string) string {
	at := map[string]string{} // of a wildcard of there, by its number, which of here it is
	n := 0
	for t := range strings.SplitSeq(i.local, ".") {
		if t == "*" || strings.HasPrefix(t, "$") {
			n++
			number := strings.TrimPrefix(t, "$")
			if t == "*" {
				number = itoa(n)
			}
			at[number] = itoa(n)
		}
	}
	t := strings.Split(i.there, ".")
	n = 0
	for k, token := range t {
		if token == "*" {
			n++
			t[k] = "$" + at[itoa(n)]
		}
	}
	return transform(i.here, strings.Join(t, "."), subject)
}

func itoa(n int) string { return string(rune('0' + n)) }

// reach is where a message may get, by every import that there is.
type reach struct {
	overlaps bool // several imports, of different names, take it on
	twice    bool // several imports from one account bring it
	tangled  bool // an import that may be on a circle, or whose way comes together again
	shared   bool // an import that shares who asks
	crosses  bool // it leaves its account

	seen map[spot]bool
}

type spot struct {
	account *Account
	subject string
}

// reach follows a message that is published in an account.
func (g *Graph) reach(a *Account, subject string) *reach {
	r := &reach{seen: map[spot]bool{}}
	subject = a.mapped(subject)
	for _, to := range g.Accounts {
		n := 0
		for _, i := range to.imports {
			if i.Type == jwt.Stream && i.from == a && match(i.there, subject) {
				n++
				r.crosses = true
				r.tangled = r.tangled || g.suspicious(to, i)
			}
		}
		r.twice = r.twice || n > 1
	}
	g.follow(r, a, subject)
	return r
}

// follow goes on by services.
func (g *Graph) follow(r *reach, a *Account, subject string) {
	if r.seen[spot{a, subject}] || len(r.seen) > 1000 {
		return
	}
	r.seen[spot{a, subject}] = true
	names := map[string]bool{}
	for _, i := range a.imports {
		if i.Type != jwt.Service || !match(i.here, subject) {
			continue
		}
		names[i.here] = true
		r.crosses = true
		r.shared = r.shared || i.Share
		r.tangled = r.tangled || g.suspicious(a, i)
		g.follow(r, i.from, i.from.mapped(i.back(subject)))
	}
	r.overlaps = r.overlaps || len(names) > 1
}

// suspicious says whether the way of an import leads to an account twice, of those that
// import themselves, or back to the importer: whether that is a circle may depend on more
// than the tokens.
func (g *Graph) suspicious(importer *Account, first *imported) bool {
	arrivals := map[*Account]int{importer: 1}
	var walk func(*Account) bool
	walk = func(a *Account) bool {
		var on []*Account
		for _, i := range a.imports {
			if i.Type == first.Type {
				on = append(on, i.from)
			}
		}
		if arrivals[a]++; arrivals[a] > 1 && (len(on) > 0 || a == importer) {
			return true
		}
		for _, next := range on {
			if walk(next) {
				return true
			}
		}
		return false
	}
	return walk(first.from)
}
