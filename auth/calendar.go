package auth

import (
	"container/heap"
	"sync"
	"sync/atomic"
	"time"
)

// calendar ends sessions when their time is over, with one timer for all of
// them. It is split into pages so that connects do not wait for one another.
type calendar struct {
	authorizer *Authorizer
	pages      [16]page

	mu    sync.Mutex
	timer *time.Timer  // guarded by mu
	next  atomic.Int64 // when the timer has to fire, in ns since 1970; 0: never
}

// maxWait is how long the timer waits at most before the clock is asked again:
// a clock that is set, or a machine that sleeps, is noticed by then.
const maxWait = time.Minute

// page is one part of the calendar: a heap by what is due first.
type page struct {
	mu       sync.Mutex
	sessions []*Session // guarded by mu
	warn     int64      // ns before its end at which a session is announced; 0: not
}

func (p *page) Len() int           { return len(p.sessions) }
func (p *page) Less(i, j int) bool { return p.due(p.sessions[i]) < p.due(p.sessions[j]) }

func (p *page) Swap(i, j int) {
	p.sessions[i], p.sessions[j] = p.sessions[j], p.sessions[i]
	p.sessions[i].slot, p.sessions[j].slot = int32(i), int32(j)
}

func (p *page) Push(x any) {
	s := x.(*Session)
	s.slot = int32(len(p.sessions))
	p.sessions = append(p.sessions, s)
}

func (p *page) Pop() any {
	last := len(p.sessions) - 1
	s := p.sessions[last]
	p.sessions[last] = nil
	p.sessions = p.sessions[:last]
	s.slot = -1
	return s
}

// due is when something has to be done about a session: announce its end, then
// end it.
func (p *page) due(s *Session) int64 {
	at := s.standing.Load().until
	if s.warned || p.warn == 0 || at == 0 {
		return at
	}
	return at - p.warn
}

func (c *calendar) start(a *Authorizer) {
	c.authorizer = a
	for i := range c.pages {
		c.pages[i].warn = int64(a.config.Warn)
	}
	if next := c.operators(a.config.Clock().UnixNano()); next != 0 {
		c.wake(next)
	}
}

// page of a session: by a byte of its user's key, which is as good as random.
func (c *calendar) page(s *Session) *page {
	return &c.pages[int(s.standing.Load().user.key[0])%len(c.pages)]
}

// add takes a session in, if it has an end of its own; that of its account is in
// the agenda.
func (c *calendar) add(s *Session) {
	if s.standing.Load().until == 0 {
		return
	}
	p := c.page(s)
	p.mu.Lock()
	due := p.enter(s)
	p.mu.Unlock()
	c.wake(due)
}

// enter writes a session down, and gives when it is due; 0: never. p.mu is held.
func (p *page) enter(s *Session) int64 {
	due := p.due(s)
	if due != 0 && s.slot < 0 && s.ended.Load() == nil {
		heap.Push(p, s)
	}
	return due
}

// change gives a session another standing, and with it another end.
func (c *calendar) change(s *Session, st *standing) {
	p := c.page(s)
	p.mu.Lock()
	if s.slot >= 0 {
		heap.Remove(p, int(s.slot))
	}
	old := s.standing.Load()
	s.warned = s.warned && old.until == st.until
	s.standing.Store(st)
	old.next.Store(nil) // the first one stays with its session, and would hold all that came after it
	due := p.enter(s)
	p.mu.Unlock()
	if due != 0 {
		c.wake(due)
	}
}

func (c *calendar) remove(s *Session) {
	p := c.page(s)
	p.mu.Lock()
	defer p.mu.Unlock()
	if s.slot >= 0 {
		heap.Remove(p, int(s.slot))
	}
}

// wake makes sure that the timer fires at that time, or before.
func (c *calendar) wake(at int64) {
	if next := c.next.Load(); next != 0 && next <= at {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if next := c.next.Load(); next != 0 && next <= at || c.authorizer.closed.Load() {
		return
	}
	wait := max(0, min(maxWait, time.Duration(at-c.authorizer.config.Clock().UnixNano())))
	c.next.Store(at)
	if c.timer == nil {
		c.timer = time.AfterFunc(wait, c.ring)
	} else {
		c.timer.Reset(wait)
	}
}

// ring is the timer.
func (c *calendar) ring() {
	c.next.Store(0)
	c.sweep()
}

// sweep does what is due, and sets the timer for what comes next.
func (c *calendar) sweep() {
	now := c.authorizer.config.Clock().UnixNano()
	next := c.operators(now)
	for i := range c.pages {
		for s := c.pages[i].take(now); s != nil; s = c.pages[i].take(now) {
			c.settle(s, now)
		}
		next = sooner(next, c.pages[i].first())
	}
	next = sooner(next, c.authorizer.attendAll(now))
	if next != 0 {
		c.wake(next)
	}
}

// take gives a session that is due, out of the page.
func (p *page) take(now int64) *Session {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.sessions) == 0 || p.due(p.sessions[0]) > now {
		return nil
	}
	return heap.Pop(p).(*Session)
}

// first is when the page's first session is due; 0: it has none.
func (p *page) first() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.sessions) == 0 {
		return 0
	}
	return p.due(p.sessions[0])
}

// settle ends a session, or announces its end and writes it down for later.
func (c *calendar) settle(s *Session, now int64) {
	end := s.standing.Load().ownEnd()
	if end.at == 0 { // it was renewed meanwhile, and has none
		return
	}
	if end.at <= now {
		s.end(end.passed())
		return
	}
	p := c.page(s)
	p.mu.Lock()
	warn := !s.warned && p.warn != 0 && end.at-p.warn <= now
	s.warned = s.warned || warn
	p.mu.Unlock()
	if warn {
		s.announce(Expiring)
	}
	c.add(s)
}

// endState is how far the end of an operator's token has come.
type endState uint8

const (
	farOff endState = iota
	nearing
	over
)

// operators logs, once each, that an operator's token is about to expire and
// that it has (B12), and tells when to look again.
func (c *calendar) operators(now int64) int64 {
	var next int64
	for _, o := range c.authorizer.trust.Load().operators {
		end := nanos(o.window().Expires)
		if end == 0 {
			continue
		}
		state := farOff
		switch warn := end - int64(c.authorizer.config.Warn); {
		case now >= end:
			state = over
		case now >= warn:
			state, next = nearing, sooner(next, end)
		default:
			next = sooner(next, warn)
		}
		if c.news(o, state) {
			c.logOperator(o, state)
		}
	}
	return next
}

// news says whether a state was not logged yet.
func (c *calendar) news(o *operator, s endState) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s <= o.told {
		return false
	}
	o.told = s
	return true
}

func (c *calendar) logOperator(o *operator, s endState) {
	text := "operator token is about to expire"
	if s == over {
		text = "operator token has expired: new connections are refused"
	}
	c.authorizer.config.Logger.Warn(text, "operator", o.key, "expires", stamp(o.window().Expires))
}

// sooner gives the earlier of two times, 0 being none.
func sooner(a, b int64) int64 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

func (c *calendar) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timer != nil {
		c.timer.Stop()
	}
}
