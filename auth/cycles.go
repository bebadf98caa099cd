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
// A new cycle has a link that the change concerns, so nothing else is looked at but what
// can be reached from there.
func (s *shift) search() {
	roots := s.roots()
	t := &tarjan{shift: s, stations: make(map[*link]*station)}
	for _, l := range roots {
		t.visit(l)
	}
	for l := range s.graph.undecided.all() { // what is left of the bound is theirs
		if t.visited >= s.graph.most || len(s.tried) >= s.graph.most {
			break
		}
		if s.stays(l) {
			t.visit(l)
		}
		s.tried = append(s.tried, l)
	}
	for _, l := range roots {
		if t.stations[l] == nil || t.stations[l].waiting {
			s.cycles[l] = ErrImportBound
		}
	}
}

// roots gives the links to begin with, in an order that says nothing of who came first.
func (s *shift) roots() []*link {
	found := make(map[*link]bool)
	for l := range s.judged {
		found[l] = true
		s.dissolve(l.ring)
	}
	for l := range s.dropped {
		s.dissolve(l.ring)
	}
	if s.remapped() {
		for _, l := range s.links {
			found[l] = true
		}
		if p := s.graph.authorizer.directory.known(s.key); p != nil {
			for r := range p.rings {
				s.dissolve(r)
			}
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
// connected components. It visits no more edges than the bound: then what is not decided
// yet is given up.
type tarjan struct {
	*shift
	stations map[*link]*station
	stack    []*link
}

// station is what is known of a link on the way.
type station struct {
	index, low int
	waiting    bool // it is on the stack: not decided yet
	onward     []*link
}

// count takes note of one more edge, and reports false if there is none left.
func (t *tarjan) count() bool {
	if t.visited >= t.graph.most {
		return false
	}
	t.visited++
	return true
}

// visit looks at a link and all that it leads to, and reports false if it gave up.
func (t *tarjan) visit(l *link) bool {
	if m := t.stations[l]; m != nil {
		return true
	}
	m := &station{index: len(t.stations), low: len(t.stations), waiting: true}
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
	ways := t.ways(component)
	for i, member := range component {
		t.dissolve(member.ring)
		t.cycles[member] = ways[i]
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
	var out []*link
	for _, i := range view.reached(l) {
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
// a link brings there.
func (a *Account) reached(l *link) []int32 {
	at := a.names.overlapping(nil, l.kind, l.renaming.From())
	if l.kind != claims.Service || a.mappings == nil {
		return at
	}
	for _, s := range a.mappings.reach(l.renaming.From()) {
		at = a.names.overlapping(at, l.kind, s)
	}
	slices.Sort(at)
	return slices.Compact(at)
}

// ways gives, for every link of a component, the shortest way back to itself. Where the
// bound is reached the rest are told a way that is known and passes through them, or its
// beginning alone.
func (t *tarjan) ways(component []*link) []*CycleError {
	inside := make(map[*link]bool, len(component))
	for _, l := range component {
		inside[l] = true
	}
	out := make([]*CycleError, len(component))
	for i, l := range component {
		if out[i] = t.way(l, inside); out[i] == nil {
			out[i] = through(t.hop(l), out[:i])
		}
	}
	return out
}

// through gives a known way that passes through a hop, from there.
func through(first Hop, known []*CycleError) *CycleError {
	for _, e := range known {
		if at := slices.Index(e.Path, first); at >= 0 && !e.cut {
			return &CycleError{Path: slices.Concat(e.Path[at:], e.Path[:at])}
		}
	}
	return &CycleError{Path: []Hop{first}, cut: true}
}

// way gives the shortest way from a link back to itself, or nil where the bound is reached.
func (t *tarjan) way(from *link, inside map[*link]bool) *CycleError {
	back := make(map[*link]*link) // how one came to a link
	for queue := []*link{from}; len(queue) > 0; queue = queue[1:] {
		for _, next := range t.stations[queue[0]].onward {
			switch {
			case !t.count():
				return nil
			case next == from:
				return t.walked(from, queue[0], back)
			case inside[next] && back[next] == nil:
				back[next] = queue[0]
				queue = append(queue, next)
			}
		}
	}
	return nil
}

// walked writes the way down along which one came to the last link.
func (t *tarjan) walked(from, last *link, back map[*link]*link) *CycleError {
	e := &CycleError{Path: []Hop{t.hop(last)}}
	for l := last; l != from; {
		l = back[l]
		e.Path = append(e.Path, t.hop(l))
	}
	slices.Reverse(e.Path)
	return e
}

func (t *tarjan) hop(l *link) Hop {
	return Hop{Account: t.importer(l), Subject: l.here, Exporter: l.way.exporter, Exported: l.there}
}
