package auth

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/natsauth/natsauth/claims"
)

// shift is what the next view of one account does to imports: to its own, and to those of
// others. It is found without changing anything, and then either told or made to happen.
type shift struct {
	graph     *graph
	key       string
	old, next *Account
	now       time.Time
	links     []*link        // of next, in the order of its token
	added     []*link        // among them
	dropped   map[*link]bool // of old, and not of next
	unneeded  []*link        // made for next and not needed: there was such a link

	imports []*permit         // of next
	fresh   map[*link]*permit // of those links that have another one
	touched []*place          // of the other accounts whose imports stand otherwise
	retimed []*place          // of those whose imports may have to be judged again at another time

	claims    map[*link]*claims.Import // what the token says now of links that stay
	judged    map[*link]judgement
	cycles    map[*link]error // of those for which it was asked anew; nil: none
	rings     []*ring         // that were found
	dissolved map[*ring]bool  // that were there, and have been asked about anew
	visited   int
	tried     []*link // of graph.undecided, until the bound was reached
}

// judgement are the terms of an import, and the export that they come from.
type judgement struct {
	terms  terms
	export exportKey
}

// plan finds what the next view of an account does; nil: it goes out of force. made are
// the links that were made for next. asked are links of the account itself that have to be
// judged again, for their time has come. g.mu is held.
func (g *graph) plan(key string, old, next *Account, made, asked []*link) *shift {
	s := &shift{
		graph: g, key: key, old: old, next: next, now: g.authorizer.config.Clock(),
		dropped: make(map[*link]bool), claims: make(map[*link]*claims.Import), judged: make(map[*link]judgement),
		cycles: make(map[*link]error), dissolved: make(map[*ring]bool),
	}
	s.match(made)
	for _, l := range asked {
		s.judge(l)
	}
	if p := g.authorizer.directory.known(key); p != nil {
		for _, l := range p.concerned(old, next, s.now) {
			if !s.dropped[l] {
				s.judge(l)
			}
		}
	}
	s.search()
	s.comparePermits()
	return s
}

// match finds which links stay, which are new and which are no more: a token that says
// the same of an import leaves its link as it is.
func (s *shift) match(made []*link) {
	var had []*link
	if s.old != nil {
		had = s.old.links
	}
	if s.next != nil && s.old != nil && s.next.names == s.old.names {
		s.links, s.unneeded = had, made
		return
	}
	byWay := make(map[way][]*link, len(had))
	for _, l := range had {
		byWay[l.way] = append(byWay[l.way], l)
	}
	for _, l := range made {
		if same := byWay[l.way]; len(same) > 0 && (same[0].fault == nil) == (l.fault == nil) {
			byWay[l.way] = same[1:]
			s.keep(same[0], l)
			continue
		}
		s.links, s.added = append(s.links, l), append(s.added, l)
		s.judge(l)
	}
	for _, rest := range byWay {
		for _, l := range rest {
			s.dropped[l] = true
		}
	}
}

// keep goes on with a link for the import that another one was made for.
func (s *shift) keep(l, made *link) {
	s.links, s.unneeded = append(s.links, l), append(s.unneeded, made)
	if sameImport(l.claim, made.claim) {
		return
	}
	s.claims[l] = made.claim
	s.judge(l)
}

// sameImport says whether a token says the same of an import, texts for people apart.
func sameImport(a, b *claims.Import) bool {
	x, y := *a, *b
	if (x.Activation == nil) != (y.Activation == nil) || x.Activation != nil && x.Activation.Digest != y.Activation.Digest {
		return false
	}
	x.Activation, y.Activation, x.Name, y.Name = nil, nil, "", ""
	return x == y
}

// claim is what the importer's token says of a link.
func (s *shift) claim(l *link) *claims.Import {
	if m := s.claims[l]; m != nil {
		return m
	}
	return l.claim
}

// judge asks the exporter's view about a link.
func (s *shift) judge(l *link) {
	var j judgement
	j.terms, j.export = l.judge(s.claim(l), s.importer(l), s.view(l.exporter, l.way.exporter), s.now)
	s.judged[l] = j
}

// view is the view of an account that counts afterwards.
func (s *shift) view(p *place, key string) *Account {
	switch {
	case key == s.key:
		return s.next
	case p == nil:
		return nil
	default:
		return p.current.Load()
	}
}

// terms are what the exporter of a link gives afterwards.
func (s *shift) terms(l *link) *terms {
	if j, ok := s.judged[l]; ok {
		return &j.terms
	}
	return &l.terms
}

// state is where a link stands afterwards, cycles included.
func (s *shift) state(l *link) terms {
	given := *s.terms(l)
	cycle, asked := s.cycles[l]
	if !asked {
		cycle = l.cycle
	}
	if given.alive() && cycle != nil {
		return terms{err: cycle}
	}
	return given
}

// permit makes the permit of a link as it is afterwards.
func (s *shift) permit(l *link) *permit {
	m := s.claim(l)
	return &permit{link: l, terms: s.state(l), share: m.Share, trace: m.AllowTrace}
}

// concerns gives every link that may stand otherwise afterwards, each once.
func (s *shift) concerns() map[*link]bool {
	out := make(map[*link]bool, len(s.judged)+len(s.cycles))
	for l := range s.judged {
		out[l] = true
	}
	for l := range s.cycles {
		out[l] = true
	}
	for l := range s.claims {
		out[l] = true
	}
	return out
}

// comparePermits finds what the change comes to: which permits are other ones afterwards, and
// whom that touches.
func (s *shift) comparePermits() {
	touched, retimed := make(map[*place]bool), make(map[*place]bool)
	for l, j := range s.judged {
		if l.permit != nil && (l.terms.until != j.terms.until || l.terms.wake != j.terms.wake) {
			retimed[l.importer] = true // though it may be dead before and after
		}
	}
	s.fresh = make(map[*link]*permit)
	for l := range s.concerns() {
		next := s.permit(l)
		if s.dropped[l] || l.permit != nil && l.permit.same(next) {
			continue
		}
		if s.fresh[l] = next; s.importer(l) != s.key {
			touched[l.importer] = true
		}
	}
	for _, l := range s.links {
		if next := s.fresh[l]; next != nil {
			s.imports = append(s.imports, next)
		} else {
			s.imports = append(s.imports, l.permit)
		}
	}
	s.touched = slices.SortedFunc(maps.Keys(touched), func(a, b *place) int { return strings.Compare(a.key, b.key) })
	s.retimed = slices.Collect(maps.Keys(retimed))
}

// apply makes it so for the account's place, up to the moment in which the next view is
// in force: with it the other accounts' links lead to what it gives. g.mu and the place's
// mutex are held.
func (s *shift) apply(p *place) {
	for _, l := range s.added {
		l.importer = p
		if l.exporter != nil {
			l.file(s.judged[l].export)
		}
	}
	s.settle()
	for l, next := range s.fresh {
		if l.way.exporter == s.key && s.next != nil {
			next.from = s.next.serial
		}
		if l.permit != nil {
			l.permit.next.Store(next)
		}
		l.permit = next
	}
	p.lapsed = s.next != nil && s.next.ended(s.now.UnixNano())
	p.current.Store(s.next)
	for l := range s.dropped { // a route that somebody still holds leads nowhere
		l.permit.next.Store(&permit{link: l, terms: terms{err: errImportGone}})
		l.drop()
	}
	for _, l := range s.unneeded {
		if l.exporter != nil {
			l.exporter.held--
		}
	}
}

// settle writes down what was found of the links.
func (s *shift) settle() {
	for l, m := range s.claims {
		l.claim = m
	}
	for l, j := range s.judged {
		if l.terms = j.terms; l.exporter != nil && l.decided != j.export {
			l.unfile()
			l.file(j.export)
		}
	}
	for r := range s.dissolved {
		for _, l := range r.links {
			l.ring = nil
			delete(l.importer.rings, r)
		}
	}
	s.noteCycles()
	for _, r := range s.rings {
		for _, l := range r.links {
			l.ring = r
			if l.importer.rings == nil {
				l.importer.rings = make(map[*ring]struct{})
			}
			l.importer.rings[r] = struct{}{}
		}
	}
}

// noteCycles writes down which links are on cycles, and adds those for which the search was
// given up to graph.undecided, in an order that does not depend on who came first.
func (s *shift) noteCycles() {
	wait := &s.graph.undecided
	for _, l := range s.tried {
		wait.add(l)
	}
	var given []*link
	for l, err := range s.cycles {
		if l.cycle = err; err == ErrImportBound { //nolint:errorlint // it is this one, not wrapped
			given = append(given, l)
		} else {
			wait.drop(l)
		}
	}
	slices.SortFunc(given, s.compare)
	for _, l := range given {
		wait.add(l)
	}
}

// drop takes a link out that is no more.
func (l *link) drop() {
	l.importer.authorizer.directory.graph.undecided.drop(l)
	if l.exporter != nil {
		l.unfile()
		l.exporter.held--
	}
}
