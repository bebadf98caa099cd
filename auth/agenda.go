package auth

import (
	"container/heap"
	"math"
	"sync"
)

// agenda is what has to be done about accounts in force: end the sessions of one
// whose token is over, look it up again, forget one that nobody uses. The calendar's
// timer drives it.
type agenda struct {
	mu     sync.Mutex
	places []*place // guarded by mu; a heap by what is due first
	last   int64    // guarded by mu; when it was last asked what is due
}

// agendum is an account's entry.
type agendum struct {
	due int64 // ns since 1970
	at  int   // its position in the heap and one more; 0: not in it
}

func (g *agenda) Len() int           { return len(g.places) }
func (g *agenda) Less(i, j int) bool { return g.places[i].agendum.due < g.places[j].agendum.due }

func (g *agenda) Swap(i, j int) {
	g.places[i], g.places[j] = g.places[j], g.places[i]
	g.places[i].agendum.at, g.places[j].agendum.at = i+1, j+1
}

func (g *agenda) Push(x any) {
	p := x.(*place)
	g.places = append(g.places, p)
	p.agendum.at = len(g.places)
}

func (g *agenda) Pop() any {
	last := len(g.places) - 1
	p := g.places[last]
	g.places[last] = nil
	g.places = g.places[:last]
	p.agendum.at = 0
	return p
}

// put writes down when an account is due; 0: never.
func (g *agenda) put(p *place, due int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if p.agendum.at != 0 {
		heap.Remove(g, p.agendum.at-1)
	}
	if p.agendum.due = due; due != 0 {
		heap.Push(g, p)
	}
}

// take gives an account that is due, out of the agenda.
func (g *agenda) take(now int64) *place {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.places) == 0 || g.places[0].agendum.due > now {
		return nil
	}
	return heap.Pop(g).(*place)
}

// first is when the first account is due; 0: none is.
func (g *agenda) first() int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.places) == 0 {
		return 0
	}
	return g.places[0].agendum.due
}

// setBack says whether the clock was set back since it was last asked, by more than
// what several who ask may differ: then every plan is too late.
func (g *agenda) setBack(now int64) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	last := g.last
	g.last = now
	return now < last-int64(maxWait)
}

// attendLater writes down when an account has to be looked after next.
func (a *Authorizer) attendLater(p *place) {
	if due := p.schedule(a.config.Clock().UnixNano()); due != 0 {
		a.calendar.wake(due)
	}
}

// schedule plans, and writes the plan down in the same moment: the last plan is the
// one that counts.
func (p *place) schedule(now int64) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	due := p.plan(now)
	p.authorizer.agenda.put(p, due)
	return due
}

// attendAll looks after the accounts that are due, and tells when the next one is.
func (a *Authorizer) attendAll(now int64) int64 {
	if a.agenda.setBack(now) {
		for _, p := range a.directory.all() {
			p.schedule(now)
		}
	}
	for p := a.agenda.take(now); p != nil; p = a.agenda.take(now) {
		a.attend(p, now)
	}
	return a.agenda.first()
}

// plan is when an account has to be looked after next: after now, or never (0).
// p.mu is held.
func (p *place) plan(now int64) int64 {
	if p.gone {
		return 0
	}
	c := &p.authorizer.config
	p.since = min(p.since, now) // a clock that was set back must not hold anything up
	p.idle = min(p.idle, now+int64(c.Bounds.Idle))
	if c.Refresh != 0 {
		p.refresh = min(p.refresh, now+int64(c.Refresh))
	}
	if p.idle == 0 {
		p.idle = now + int64(c.Bounds.Idle)
	}
	due, g, view := p.idle, &p.authorizer.directory.graph, p.current.Load()
	if view != nil || g.wants(p) {
		if c.Refresh != 0 && p.refresh == 0 {
			p.refresh = now + p.authorizer.spread(p.key)
		}
		due = sooner(due, p.refresh) // without Refresh: because a watcher said so, or could not be asked
	}
	if view != nil {
		if view.end.at > now || len(p.groups) > 0 || g.unaware(p) { // who is there when it is over has to be told
			due = sooner(due, view.end.at)
		}
		_, ending := g.due(view, now)
		due = sooner(due, ending)
		if c.Warn != 0 && view.end.at > now && !p.warned {
			due = sooner(due, max(now+1, view.end.at-int64(c.Warn)))
		}
		if c.MaxStale != 0 && p.since != 0 {
			due = sooner(due, p.since+int64(c.MaxStale))
		}
	}
	return max(due, now+1)
}

// attend does what is due about one account.
func (a *Authorizer) attend(p *place, now int64) {
	if a.forgetIdle(p, now) {
		return
	}
	if view := p.current.Load(); view != nil {
		a.attendEnd(p, view, now)
		a.attendImports(p, now)
	}
	a.attendFreshness(p, now)
	p.schedule(now)
}

// inUse is the serial of no session.
const inUse = math.MaxUint64

// forgetIdle takes an account out of memory that has had no session for a while, and that
// nobody imports from who is there. What is remembered is the mark of its token.
func (a *Authorizer) forgetIdle(p *place, now int64) bool {
	s, gone := p.leaveIdle(now)
	if s != nil {
		a.refreshImporters(s)
	}
	return gone
}

// leaveIdle takes the account's view out of force if it is time, and its place out of the
// directory unless others hold it.
func (p *place) leaveIdle(now int64) (*shift, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.idle > now {
		return nil, false
	}
	d := &p.authorizer.directory
	used := len(p.groups) > 0 || p.serial != p.quiet || d.graph.needs(p)
	p.quiet, p.idle = p.serial, now+int64(p.authorizer.config.Bounds.Idle)
	if len(p.groups) > 0 {
		p.quiet = inUse // its last session may end right after this look
	}
	if used {
		return nil, false
	}
	var s *shift
	if held := p.current.Load(); held != nil {
		d.marks.add(former{p.key, mark(held.claims), ReasonNone})
		p.last.Store(held)
		s = d.graph.move(p, nil, nil, nil)
	}
	return s, d.leave(p)
}

// leave takes a place out of the directory, unless it is held. p.mu is held.
func (d *directory) leave(p *place) bool {
	d.graph.mu.Lock()
	defer d.graph.mu.Unlock()
	if p.held > 0 {
		return false
	}
	p.gone = true
	d.places.CompareAndDelete(p.key, p)
	return true
}

// attendEnd ends the sessions of an account whose time is over, or announces that
// it will be.
func (a *Authorizer) attendEnd(p *place, view *Account, now int64) {
	end := view.end
	switch {
	case end.at == 0:
	case end.at <= now:
		a.end(p, view, end.passed())
	case a.config.Warn != 0 && end.at-int64(a.config.Warn) <= now:
		for _, s := range p.warn() {
			s.announce(Expiring)
		}
	}
}

// end ends all sessions of an account, if the view is the one in force still.
func (a *Authorizer) end(p *place, view *Account, why *Error) {
	p.mu.Lock()
	var ending []change
	if view.sameToken(p.current.Load()) {
		ending = p.settle(p.changes(nil, why))
	}
	p.mu.Unlock()
	a.tell(ending)
}

// attendImports judges imports whose time has come, and tells importers that the account's
// time is over.
func (a *Authorizer) attendImports(p *place, now int64) {
	o := p.reviewImports(now)
	if o.shift != nil {
		a.aftermath(p, o)
	}
}

func (p *place) reviewImports(now int64) outcome {
	p.mu.Lock()
	defer p.mu.Unlock()
	g := &p.authorizer.directory.graph
	held := p.current.Load()
	if held == nil {
		return outcome{}
	}
	asked, _ := g.due(held, now)
	if len(asked) == 0 && !(held.ended(now) && g.unaware(p)) {
		return outcome{}
	}
	next := *held
	s := g.move(p, &next, nil, asked)
	p.news(nil)
	return outcome{old: held, now: &next, shift: s}
}

// warn gives the sessions to be told that the account's end is near: once.
func (p *place) warn() []*Session {
	p.mu.Lock()
	done := p.warned
	p.warned = true
	p.mu.Unlock()
	if done {
		return nil
	}
	return p.sessions()
}
