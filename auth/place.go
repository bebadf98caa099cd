package auth

import (
	"iter"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/natsauth/natsauth/claims"
)

// place is where an account stands in this process: the view in force, and the
// sessions. It stays while there are sessions, whatever becomes of the view.
type place struct {
	authorizer *Authorizer
	key        string
	current    atomic.Pointer[Account] // the view in force; nil: none
	last       atomic.Pointer[Account] // the one before nil, for sessions that ended
	seeking    atomic.Int64            // when its exporters were looked for last, in ns since 1970
	missed     atomic.Bool             // the last look-up did not find it

	mu          sync.Mutex
	gone        bool             // guarded by mu, as what follows, and written with graph.mu held: it is in no directory any more
	groups      map[string]group // issuer -> its sessions; by value, for the first of an issuer allocates nothing
	users       userIndex
	serial      uint64       // of the session that came last
	live        atomic.Int64 // sessions; written with mu held
	connections int64        // leaf nodes included, internal ones not
	leafNodes   int64
	remote      Counts // on other nodes
	untold      accountNews
	unreported  []change // that a connect was faster to bring about than SetTrust

	// Likewise, in ns since 1970; 0: not.
	refresh int64         // when it is looked up again
	pause   time.Duration // before the last time, while nobody could tell of it
	since   int64         // since when nobody could confirm it
	idle    int64         // when to see whether anybody uses it
	quiet   uint64        // serial when that was seen last
	warned  bool          // the sessions were told of its end

	agendum agendum // guarded by agenda.mu
	node            // guarded by graph.mu
}

// group are the sessions whose users one key has signed.
type group struct{ first, last *Session }

// admit checks the connection limits and adds the session in one step (B22). It
// reports true if the account has another view by now, or nobody trusts this one in
// this way any more: then nothing was added.
func (p *place) admit(s *Session, account *Account) (Reason, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.authorizer.closed.Load() {
		return AuthorizerClosed, false
	}
	if p.stale(account) {
		return ReasonNone, true
	}
	if reason := p.room(s.kind, s.internal, account.claims.Limits); reason != ReasonNone {
		return reason, false
	}
	if p.warned {
		s.seen = 1 << Expiring // the others were told before it came
	}
	p.serial++
	s.serial = p.serial
	p.link(s)
	return ReasonNone, false
}

// stale says whether a decision by this view is out of date: after the end of the view
// nobody would end the session any more. p.mu is held.
func (p *place) stale(account *Account) bool {
	end := account.end.at
	return p.gone || p.current.Load() != account || account.trust != p.authorizer.trust.Load() ||
		end != 0 && end <= p.authorizer.config.Clock().UnixNano()
}

// room says whether one more connection fits, with those on other nodes. Leaf nodes
// count as connections, and are themselves held to their own limit only; internal
// connections are neither held nor counted (nats-server v2.15 server/client.go
// registerWithAccount). p.mu is held.
func (p *place) room(kind ConnectionType, internal bool, l claims.AccountLimits) Reason {
	switch {
	case internal:
		return ReasonNone
	case kind.leaf() && l.LeafNodes != claims.Unlimited && p.leafNodes+p.remote.LeafNodes >= l.LeafNodes:
		return LeafNodesExceeded
	case !kind.leaf() && l.Connections != claims.Unlimited && p.connections+p.remote.Connections >= l.Connections:
		return ConnectionsExceeded
	default:
		return ReasonNone
	}
}

// link takes a session in. p.mu is held.
func (p *place) link(s *Session) {
	p.join(s)
	p.users.add(s)
	p.count(s, 1)
	p.live.Add(1)
}

// join takes a session into the group of its issuer. p.mu is held.
func (p *place) join(s *Session) {
	issuer := issuerOf(s)
	if p.groups == nil {
		p.groups = make(map[string]group)
	}
	g := p.groups[issuer]
	g.add(s)
	p.groups[issuer] = g
}

// each gives the sessions of the group. place.mu is held.
func (g group) each() iter.Seq[*Session] {
	return func(yield func(*Session) bool) {
		for s := g.first; s != nil && yield(s); s = s.next {
		}
	}
}

// add is for one that came, or was renewed under this key: the order of a group says
// nothing, for keeping it would cost a renewal a walk along the group.
func (g *group) add(s *Session) {
	s.previous = g.last
	if g.last == nil {
		g.first = s
	} else {
		g.last.next = s
	}
	g.last = s
}

func (g *group) remove(s *Session) {
	if s.previous == nil {
		g.first = s.next
	} else {
		s.previous.next = s.next
	}
	if s.next == nil {
		g.last = s.previous
	} else {
		s.next.previous = s.previous
	}
	s.previous, s.next = nil, nil
}

// unlink takes out a session that was linked. p.mu is held.
func (p *place) unlink(s *Session) {
	p.part(s)
	p.users.remove(s)
	p.count(s, -1)
	p.live.Add(-1)
}

// part takes a session out of the group of its issuer. p.mu is held.
func (p *place) part(s *Session) {
	issuer := issuerOf(s)
	g := p.groups[issuer]
	g.remove(s)
	if p.groups[issuer] = g; g.first == nil {
		delete(p.groups, issuer)
	}
}

func (p *place) count(s *Session, n int64) {
	if s.internal {
		return
	}
	p.connections += n
	if s.kind.leaf() {
		p.leafNodes += n
	}
}

// remove takes a session out that was admitted before.
func (p *place) remove(s *Session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.unlink(s)
}

// sessions gives the sessions of the moment.
func (p *place) sessions() []*Session {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Collect(p.each())
}
