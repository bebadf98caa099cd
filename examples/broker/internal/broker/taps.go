package broker

import (
	"maps"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/examples/broker/internal/route"
)

// tap is where a subscription takes messages from: its own account, or one whose stream its
// account imports.
//
// Behaviour: nats-server v2.15 server/client.go addShadowSubscriptions.
type tap struct {
	sub      *subscription
	at       *account
	entry    *route.Entry[receiver]
	imported bool                             // a stream of another account
	route    atomic.Pointer[auth.StreamRoute] // its route, as of now
}

// open puts a tap into its account's table, where it may be found at once.
func (t *tap) open(subject string) error {
	t.entry = &route.Entry[receiver]{Subject: subject, Queue: t.sub.queue, Of: t}
	return t.at.table.Insert(t.entry)
}

// close takes a tap out of its table.
func (t *tap) close(in *accounts) {
	t.at.table.Remove(t.entry)
	if t.imported {
		in.release(t.at)
	}
}

// closeAll takes a subscription, which is gone, out of every table.
func (s *subscription) closeAll(in *accounts) {
	s.own.close(in)
	for _, t := range s.imported {
		t.close(in)
	}
	s.imported = nil
}

// silent says whether nobody listens in an account to a reply subject that a subscription
// was made for. One with wildcards is for no reply in particular.
func (a *account) silent(subject string) bool {
	if strings.ContainsAny(subject, "*>") {
		return false
	}
	return a.table.Match(subject).Empty()
}

// end closes a subscription, which is gone, and gives up the answers that it waited for.
func (s *Server) end(sub *subscription) {
	sub.closeAll(s.accounts)
	at, subject := sub.own.at, sub.own.entry.Subject
	if !at.silent(subject) {
		return
	}
	for _, note := range s.replies.Abandon(at.key, subject) {
		note.(*measure).abandon()
	}
}

// follow has a subscription listen to the streams that its account imports: the taps that
// lead where a route leads stay, the others go. c.mu is held.
func (c *conn) follow(s *subscription) {
	was := s.imported
	s.imported = nil
	for _, r := range c.session.Account().Streams(nil, s.own.entry.Subject) {
		if s.imported == nil {
			s.imported = make(map[auth.StreamID]*tap)
		}
		t := was[r.ID()]
		if t == nil {
			t = &tap{sub: s, at: c.server.accounts.hold(r.Exporter.Key()), imported: true}
			t.route.Store(&r)
			if err := t.open(r.Subject); err != nil { // the library gives subjects
				c.server.accounts.release(t.at)
				continue
			}
		}
		t.route.Store(&r)
		s.imported[r.ID()] = t
	}
	for id, t := range was {
		if s.imported[id] != t {
			t.close(c.server.accounts)
		}
	}
}

// reroute has every subscription follow what the account imports now: one at a time, for
// whoever delivers to the connection waits meanwhile.
func (c *conn) reroute() {
	c.mu.Lock()
	subs := slices.Collect(maps.Values(c.subs))
	c.mu.Unlock()
	for _, s := range subs {
		c.mu.Lock()
		if c.session != nil && !s.gone {
			c.follow(s)
		}
		c.mu.Unlock()
	}
}

// receive delivers to the tap's subscription.
func (t *tap) receive(from *conn, m *message, met *arrivals) bool {
	subject, ok := t.local(m)
	return ok && met.once(t, subject, func() bool { return t.sub.conn.deliver(from, t.sub, subject, m) })
}

// local gives the subject under which a tap's message arrives, and false if it does not, or
// not any more. What came through a service is not for those who import streams.
func (t *tap) local(m *message) (string, bool) {
	if !t.imported {
		return m.subject, true
	}
	if m.foreign {
		return "", false
	}
	return t.route.Load().Local(m.subject)
}
