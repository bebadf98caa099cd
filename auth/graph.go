package auth

import (
	"errors"
	"sync"
	"time"

	"github.com/natsauth/natsauth/claims"
)

// graph knows which accounts in force import from which, and what of it stands. Every
// change of a view passes through it in one step: what the change does to imports is
// found by looking at what it concerns, and never at all accounts. Readers of routes do
// not come here; they follow the views.
type graph struct {
	authorizer *Authorizer
	most       int // edges that a search for cycles may visit

	// mu is taken with the mutex of one place held, or of none, and held across no I/O.
	mu        sync.Mutex
	serial    uint64 // of the view that came last
	undecided undecided
	visited   uint64 // edges, in all searches
	peak      int    // in one
}

// node is what the graph keeps of a place. It is guarded by graph.mu.
type node struct {
	held   int                              // links that lead here: the place stays
	in     map[exportKey]map[string][]*link // those of accounts in force, by the export that decides and by importer
	rings  map[*ring]struct{}               // that pass through here
	lapsed bool                             // the importers know that the view's time is over
}

// foresee finds what the next view of an account would do to imports; nil: it goes out of
// force.
func (g *graph) foresee(key string, old, next *Account, made []*link) *shift {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.plan(key, old, next, made, nil)
}

// move puts the next view of a place in force; nil: takes out the one that is. made are the
// links that were made for it, none where it is of the same token as the one before; asked
// are its own links whose time has come, to be judged again. p.mu is held.
func (g *graph) move(p *place, next *Account, made, asked []*link) *shift {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.plan(p.key, p.current.Load(), next, made, asked)
	g.visited += uint64(s.visited) //nolint:gosec // G115: at most the bound
	g.peak = max(g.peak, s.visited)
	if next != nil {
		g.serial++
		next.place, next.serial, next.links = p, g.serial, s.links
		next.setImports(s.imports)
	}
	s.apply(p)
	return s
}

// refreshed gives a view with where its imports stand now; nil: they stand as it says.
func (g *graph) refreshed(view *Account) *Account {
	g.mu.Lock()
	defer g.mu.Unlock()
	imports := make([]*permit, len(view.links))
	changed := false
	for i, l := range view.links {
		imports[i] = l.permit
		changed = changed || l.permit != view.imports[i]
	}
	if !changed {
		return nil
	}
	next := *view
	next.setImports(imports)
	return &next
}

// due gives the links of a view whose time has come, and when the first one's comes or
// came; 0: never.
func (g *graph) due(view *Account, now int64) ([]*link, int64) {
	if len(view.links) == 0 {
		return nil, 0
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	var out []*link
	var next int64
	for _, l := range view.links {
		at := sooner(l.terms.until, l.terms.wake)
		if at != 0 && at <= now {
			out = append(out, l)
		}
		next = sooner(next, at)
	}
	return out, next
}

// work is how many edges searches have visited, and one of them at most.
func (g *graph) work() (uint64, int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.visited, g.peak
}

// unaware says whether accounts import from one whose time is over by a view, and have not
// been told. The place's mutex is held.
func (g *graph) unaware(p *place) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(p.in) > 0 && !p.lapsed
}

// wants says whether accounts in force import from an account.
func (g *graph) wants(p *place) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(p.in) > 0
}

// importer gives one of the accounts in force that import from an account; "": there are
// none.
func (g *graph) importer(key string) string {
	p := g.authorizer.directory.known(key)
	if p == nil {
		return ""
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, importers := range p.in {
		for key := range importers {
			return key
		}
	}
	return ""
}

// wanted is wants by the account's key.
func (g *graph) wanted(key string) bool { return g.importer(key) != "" }

// needs says whether somebody who is there imports from an account, through however many
// others: accounts that only import from one another keep nobody in memory.
func (g *graph) needs(p *place) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	seen := map[*place]bool{p: true}
	for queue := []*place{p}; len(queue) > 0; queue = queue[1:] {
		for _, importers := range queue[0].in {
			for _, links := range importers {
				importer := links[0].importer
				if importer != p && (importer.live.Load() > 0 || len(importer.in) == 0) {
					return true
				}
				if !seen[importer] {
					seen[importer] = true
					queue = append(queue, importer)
				}
			}
		}
	}
	return false
}

// file keeps a link with its exporter, under the export that decides about it.
func (l *link) file(key exportKey) {
	l.decided = key
	n := &l.exporter.node
	if n.in == nil {
		n.in = make(map[exportKey]map[string][]*link)
	}
	if n.in[key] == nil {
		n.in[key] = make(map[string][]*link)
	}
	n.in[key][l.importer.key] = append(n.in[key][l.importer.key], l)
}

// unfile undoes file.
func (l *link) unfile() {
	byImporter := l.exporter.in[l.decided]
	list := byImporter[l.importer.key]
	for i, other := range list {
		if other == l {
			list[i] = list[len(list)-1]
			list[len(list)-1] = nil
			list = list[:len(list)-1]
			break
		}
	}
	if byImporter[l.importer.key] = list; len(list) == 0 {
		delete(byImporter, l.importer.key)
	}
	if len(byImporter) == 0 {
		delete(l.exporter.in, l.decided)
	}
}

// hold makes the links of a view that is about to come into force, and keeps the places of
// its exporters until it has: no lock is held.
func (g *graph) hold(next *Account) []*link {
	places := make(map[string]*place)
	return next.sketch(func(exporter string) *place {
		p := places[exporter]
		if p == nil {
			p = g.authorizer.directory.place(exporter)
		}
		for !g.keep(p) {
			p = g.authorizer.directory.place(exporter)
		}
		places[exporter] = p
		return p
	})
}

// keep counts one more link to a place, unless it is in no directory any more.
func (g *graph) keep(p *place) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if p.gone {
		return false
	}
	p.held++
	return true
}

// unhold lets go of links that did not come into force.
func (g *graph) unhold(links []*link) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, l := range links {
		if l.exporter != nil {
			l.exporter.held--
		}
	}
}

// sketch makes the links of a view, which belong to nobody yet.
func (a *Account) sketch(find func(exporter string) *place) []*link {
	if a.names == nil {
		return nil
	}
	links := make([]*link, len(a.names.list))
	for i := range links {
		m := &a.claims.Imports[i]
		l := &link{way: wayOf(m), renaming: a.names.list[i], fault: a.names.faults[i], claim: m}
		if !errors.Is(l.fault, claims.ErrExporter) {
			l.exporter = find(m.Account)
		}
		links[i] = l
	}
	return links
}

// judge says what a view of the exporter, or none, gives a link; and by which export.
func (l *link) judge(m *claims.Import, importer string, exporter *Account, now time.Time) (terms, exportKey) {
	key := exportKey{kind: l.kind}
	switch {
	case l.fault != nil:
		return terms{err: l.fault}, key
	case exporter == nil || exporter.ended(now.UnixNano()):
		return terms{err: ErrExporterAbsent}, key
	}
	x := exporter.exports.open()
	e := x.offers.Find(m)
	if e != nil {
		key.subject = e.Subject
	}
	until, err := x.offers.Activate(m, importer, exporter.strict, now)
	switch {
	case errors.Is(err, claims.ErrActivationEarly):
		return terms{err: err, wake: nanos(m.Activation.NotBefore)}, key
	case err != nil:
		return terms{err: err}, key
	}
	given := terms{service: x.services[e]}
	if !until.IsZero() {
		given.until = nanos(until.Unix())
	}
	return given, key
}
