package auth

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/natsauth/natsauth/claims"
)

// This file finds imports that lead back to themselves. From an import one comes to those
// of its exporter, of the same kind, that overlap what it brings: for services what the
// exporter's mappings make of it, too. An import that one can come back to is dead, and so
// is every import on the way: who came first does not matter, only who is there.

// ErrImportCycle says that one comes back to the import by way of those that its exporter,
// and the exporters behind it, import themselves (F086). An error of it is a [*CycleError].
var ErrImportCycle = errors.New("auth: the import leads back to itself")

// ErrImportBound says that it could not be found out within [Bounds.GraphEdges] whether
// the import leads back to itself.
var ErrImportBound = errors.New("auth: too many imports follow one another")

// CycleError is why an import is dead that leads back to itself.
type CycleError struct {
	Path []Hop // from the import itself to the one that leads back to its account; the first hop alone where the bound was reached

	cut bool // the rest is not known
}

// Hop is one import on the way of a cycle.
type Hop struct {
	Account  string `json:"account"`  // the importer's public key
	Subject  string `json:"subject"`  // as the importer knows it
	Exporter string `json:"exporter"` // its public key
	Exported string `json:"exported"` // the subject as the exporter knows it
}

// maxHops is how many hops of a cycle are written out.
const maxHops = 16

// Error gives the way, the longest ones not to the end.
func (e *CycleError) Error() string {
	var b strings.Builder
	b.WriteString(ErrImportCycle.Error() + ": ")
	for i, h := range e.Path {
		if i == maxHops {
			fmt.Fprintf(&b, "and %d more, back to ", len(e.Path)-maxHops)
			break
		}
		fmt.Fprintf(&b, "%s %q -> ", h.Account, h.Subject)
	}
	switch {
	case e.cut:
		b.WriteString("..., and back")
	case len(e.Path) > 0:
		b.WriteString(e.Path[0].Account)
	}
	return b.String()
}

// Unwrap gives ErrImportCycle.
func (e *CycleError) Unwrap() error { return ErrImportCycle }

// ring are links of which each leads to every other. It does not change.
type ring struct{ links []*link }

// search asks again about every link that may be on a cycle now, or may not be any more.
// What changes is the account's own links and those that lead to it, and from one of those
// one goes on by one of its own: so every new cycle has one of them, and nothing else is
// looked at but what can be reached from there. Who imports from the account costs nothing.
func (s *shift) search() {
	roots := s.roots()
	t := &tarjan{shift: s, stations: make(map[*link]*station), passes: make(map[*link]pass)}
	for _, l := range roots { // one after the other
		t.begin(l, s.graph.most-s.graph.most/4-t.visited)
	}
	for i, l := range roots { // one that leads too far leaves to each of the others its share of the rest
		t.begin(l, (s.graph.most-t.visited)/(len(roots)-i))
	}
	t.retry()
	for _, l := range roots {
		if t.stations[l] == nil {
			s.cycles[l] = ErrImportBound
		}
	}
}

// retry spends a quarter of the bound, where it is left, on links that were given up.
func (t *tarjan) retry() {
	most := min(t.graph.most, t.visited+t.graph.most/4)
	for l := range t.graph.undecided.all() {
		if t.visited >= most || len(t.tried) >= most {
			return
		}
		if t.stays(l) {
			t.begin(l, most-t.visited)
		}
		t.tried = append(t.tried, l)
	}
}

// roots gives the links to begin with, in an order that says nothing of who came first.
func (s *shift) roots() []*link {
	found := make(map[*link]bool)
	entered := s.remapped()
	for l, j := range s.judged {
		s.dissolve(l.ring)
		is, was := j.terms.alive(), l.permit != nil && l.terms.alive()
		if is && was {
			continue // one that was given up still is
		}
		s.cycles[l] = nil
		if s.importer(l) == s.key {
			found[l] = true
		} else {
			entered = entered || is
		}
	}
	for l := range s.dropped {
		s.dissolve(l.ring)
	}
	if entered {
		for _, l := range s.links {
			found[l] = true
		}
	}
	if p := s.graph.authorizer.directory.known(s.key); p != nil && s.remapped() {
		for r := range p.rings {
			s.dissolve(r)
		}
	}
	for r := range s.dissolved {
		for _, l := range r.links {
			s.cycles[l], found[l] = nil, true
		}
	}
	var out []*link
	for l := range found {
		if s.stays(l) {
			out = append(out, l)
		}
	}
	slices.SortFunc(out, s.compare)
	return out
}

// remapped says whether what the account's mappings make of requests has changed.
func (s *shift) remapped() bool {
	return s.old != nil && s.next != nil && s.old.mappings != s.next.mappings && len(s.links) > 0
}

func (s *shift) dissolve(r *ring) {
	if r != nil {
		s.dissolved[r] = true
	}
}

// stays says whether a link is there afterwards, and its exporter gives it.
func (s *shift) stays(l *link) bool {
	return s.terms(l).alive() && !s.dropped[l]
}

// compare orders links by their importer and what they import.
func (s *shift) compare(a, b *link) int {
	return cmp.Or(strings.Compare(s.importer(a), s.importer(b)), strings.Compare(a.way.exporter, b.way.exporter),
		strings.Compare(a.there, b.there), strings.Compare(a.here, b.here), int(a.kind)-int(b.kind))
}

func (s *shift) importer(l *link) string {
	if l.importer == nil {
		return s.key
	}
	return l.importer.key
}

// tarjan finds the links that lead back to themselves, by Tarjan's algorithm for strongly
// connected components. It visits no more edges than the bound: what is not decided then
// is given up.
type tarjan struct {
	*shift
	stations map[*link]*station
	stack    []*link
	entered  int // stations, also those that were given up
	limit    int // of visited, for the link that it began with
	looked   int // places that overlaps were looked for at, and that count as no edge yet
	passes   map[*link]pass
}

// station is what is known of a link on the way.
type station struct {
	index, low int
	waiting    bool // it is on the stack: not decided yet
	onward     []*link
}

// looks is how many places, looked at to find what overlaps, count as one edge.
const looks = 64

// count takes note of one more edge, and reports false if there is none left.
func (t *tarjan) count() bool {
	if t.visited >= t.limit {
		return false
	}
	t.visited++
	return true
}

// begin visits a link, with so many edges for it at most. If they are not enough, what was
// not decided on the way is forgotten: it may be asked again, with more.
func (t *tarjan) begin(l *link, share int) {
	t.limit = min(t.graph.most, t.visited+share)
	if t.visit(l) {
		return
	}
	for _, given := range t.stack {
		delete(t.stations, given)
	}
	t.stack = t.stack[:0]
}

// visit looks at a link and all that it leads to, and reports false if it gave up.
func (t *tarjan) visit(l *link) bool {
	if m := t.stations[l]; m != nil {
		return true
	}
	m := &station{index: t.entered, low: t.entered, waiting: true}
	t.entered++
	t.stations[l] = m
	t.stack = append(t.stack, l)
	var ok bool
	if m.onward, ok = t.onward(l); !ok {
		return false
	}
	for _, next := range m.onward {
		if !t.visit(next) {
			return false
		}
		if known := t.stations[next]; known.waiting {
			m.low = min(m.low, known.low)
		}
	}
	if m.low == m.index {
		t.close(l)
	}
	return true
}

// close takes the component of a link off the stack, and notes it if it is a cycle.
func (t *tarjan) close(l *link) {
	at := len(t.stack) - 1
	for t.stack[at] != l {
		at--
	}
	component := slices.Clone(t.stack[at:])
	t.stack = t.stack[:at]
	for _, member := range component {
		t.stations[member].waiting = false
	}
	if len(component) == 1 && !slices.Contains(t.stations[l].onward, l) {
		t.cycles[l] = nil
		return
	}
	slices.SortFunc(component, t.compare)
	t.rings = append(t.rings, &ring{component})
	t.findWays(component)
	for _, member := range component {
		t.dissolve(member.ring)
	}
}

// onward gives the links to which one leads, in order; false: there were too many.
func (t *tarjan) onward(l *link) ([]*link, bool) {
	view := t.view(l.exporter, l.way.exporter)
	if view == nil || view.names == nil {
		return nil, true
	}
	links := view.links
	if view == t.next {
		links = t.links
	}
	at, ok := t.reached(view, l)
	if !ok {
		return nil, false
	}
	var out []*link
	for _, i := range at {
		if !t.count() {
			return nil, false
		}
		if t.stays(links[i]) {
			out = append(out, links[i])
		}
	}
	return out, true
}

// reached gives the imports of an account, by their places in its token, that overlap what
// a link brings there; false: there was too much to look at.
func (t *tarjan) reached(a *Account, l *link) ([]int32, bool) {
	at, ok := t.overlapping(nil, a, l, l.renaming.From())
	if !ok || l.kind != claims.Service || a.mappings == nil {
		return at, ok
	}
	shapes, left := a.mappings.reach(l.renaming.From(), t.left())
	ok = t.look(left)
	for _, s := range shapes {
		if !ok {
			return nil, false
		}
		at, ok = t.overlapping(at, a, l, s)
	}
	slices.Sort(at)
	return slices.Compact(at), ok
}

func (t *tarjan) overlapping(dst []int32, a *Account, l *link, s string) ([]int32, bool) {
	dst, left := a.names.overlapping(dst, l.kind, s, t.left())
	return dst, t.look(left)
}

// left is how many places may still be looked at.
func (t *tarjan) left() int { return (t.limit-t.visited)*looks - t.looked }

// look takes note of how many are left, and reports false if there were too few.
func (t *tarjan) look(left int) bool {
	if left < 0 {
		t.visited, t.looked = t.limit, 0
		return false
	}
	t.looked += t.left() - left
	t.visited += t.looked / looks
	t.looked %= looks
	return true
}

// pass is where a link is on a way that is known.
type pass struct {
	round []Hop // the way, twice
	at    int
}

// findWays writes down, for every link of a component, the shortest way back to itself.
// Where the bound is reached the rest are told a way that is known and passes through
// them, or its beginning alone.
func (t *tarjan) findWays(component []*link) {
	inside := make(map[*link]bool, len(component))
	for _, l := range component {
		inside[l] = true
	}
	for _, l := range component {
		t.cycles[l] = t.way(l, inside)
	}
}

// way gives the shortest way from a link back to itself, or one that is known.
func (t *tarjan) way(from *link, inside map[*link]bool) *CycleError {
	back := make(map[*link]*link) // how one came to a link
	for queue := []*link{from}; len(queue) > 0; queue = queue[1:] {
		for _, next := range t.stations[queue[0]].onward {
			switch {
			case !t.count():
				return t.known(from)
			case next == from:
				return t.walked(from, queue[0], back)
			case inside[next] && back[next] == nil:
				back[next] = queue[0]
				queue = append(queue, next)
			}
		}
	}
	return t.known(from)
}

// known gives a way that passes through a link, from there.
func (t *tarjan) known(l *link) *CycleError {
	if p, ok := t.passes[l]; ok {
		return p.way()
	}
	return &CycleError{Path: []Hop{t.hop(l)}, cut: true}
}

// way is the way from there. All that pass share it.
func (p pass) way() *CycleError {
	end := p.at + len(p.round)/2
	return &CycleError{Path: p.round[p.at:end:end]}
}

// walked writes the way down along which one came to the last link.
func (t *tarjan) walked(from, last *link, back map[*link]*link) *CycleError {
	links := []*link{last}
	for l := last; l != from; {
		l = back[l]
		links = append(links, l)
	}
	slices.Reverse(links)
	round := make([]Hop, 0, 2*len(links))
	for _, l := range links {
		round = append(round, t.hop(l))
	}
	round = append(round, round...)
	for i, l := range links {
		if _, ok := t.passes[l]; !ok {
			t.passes[l] = pass{round, i}
		}
	}
	return pass{round, 0}.way()
}

func (t *tarjan) hop(l *link) Hop {
	return Hop{Account: t.importer(l), Subject: l.here, Exporter: l.way.exporter, Exported: l.there}
}
