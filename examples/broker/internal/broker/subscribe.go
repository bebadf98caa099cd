package broker

import (
	"fmt"
	"slices"
	"strings"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/examples/broker/internal/route"
	"github.com/natsauth/natsauth/examples/broker/internal/wire"
)

// subscription is one subscription of a connection.
type subscription struct {
	conn     *conn
	sid      string
	queue    string // empty: none
	own      *tap
	imported map[auth.StreamID]*tap // guarded by conn.mu

	got  int  // guarded by conn.mu; messages delivered
	max  int  // guarded by conn.mu; how many there may be; 0: no end
	gone bool // guarded by conn.mu; it is not in the table any more, or will not be
}

const (
	tooManySubs = "maximum subscriptions exceeded"

	// reservedQueue is a queue group that servers keep to themselves.
	reservedQueue = "_sys_"
)

// subscribe is SUB. One that is refused leaves the connection as it is.
//
// Behaviour: nats-server v2.15 server/client.go processSubEx, whose order of
// checks this is (F055, F061, F062).
func (c *conn) subscribe(o wire.Sub) {
	c.alive()
	session := c.current()
	if session == nil {
		return
	}
	rights := session.Rights()
	if !maySubscribe(session, o) {
		c.complain(session, subViolation(o.Subject, o.Queue))
		return
	}
	if most := c.server.options.MaxTokens; most > 0 && strings.Count(o.Subject, ".")+1 > most {
		c.tell(subViolation(o.Subject, "") + ", too many tokens")
		return
	}
	if text := c.insert(o); text != "" {
		c.tell(text)
		return
	}
	// What was allowed may have changed between the question and the insertion.
	if session.Rights() != rights {
		c.prune()
	}
	c.ok()
}

// maySubscribe asks the session. What is no subject is asked about as it is
// written, token by token, and fails when it is inserted: the client is told of a
// rule that refuses it first. Nothing matches an empty token, so that it is only
// an allow list that refuses one.
func maySubscribe(session *auth.Session, o wire.Sub) bool {
	switch {
	case o.Queue == reservedQueue:
		return false // whatever the subject
	case route.Valid(o.Subject):
		return session.CanSubscribe(o.Subject, o.Queue)
	case slices.Contains(strings.Split(o.Subject, "."), ""):
		return len(session.Permissions().Subscribe.Allow) == 0
	default:
		return session.CanDeliver(o.Subject, o.Queue)
	}
}

// insert adds a subscription, or gives the text for why not. One whose sid is in
// use stays what it is.
func (c *conn) insert(o wire.Sub) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session == nil {
		return ""
	}
	if c.full() {
		return tooManySubs
	}
	if c.subs[o.SID] != nil {
		return ""
	}
	s := &subscription{conn: c, sid: o.SID, queue: o.Queue}
	s.own = &tap{sub: s, at: c.account}
	if s.own.open(o.Subject) != nil {
		return "Invalid Subject"
	}
	c.follow(s)
	c.subs[o.SID] = s
	return ""
}

// full says whether there is no room for one more subscription. c.mu is held.
func (c *conn) full() bool {
	most := c.mostSubs()
	return most != -1 && int64(len(c.subs)) >= most
}

// over says whether there are more subscriptions than there may be, or there may
// be none. c.mu is held.
func (c *conn) over() bool {
	most := c.mostSubs()
	return most == 0 || most != -1 && int64(len(c.subs)) > most
}

// mostSubs is how many subscriptions there may be; -1: no bound. c.mu is held.
func (c *conn) mostSubs() int64 {
	if c.session == nil {
		return -1
	}
	server := int64(c.server.options.MaxSubscriptions)
	if server == 0 {
		server = -1
	}
	return least(c.session.Limits().Subscriptions, server)
}

// unsubscribe is UNSUB. One for a sid that is not in use does nothing.
//
// Behaviour: nats-server v2.15 server/client.go processUnsub.
func (c *conn) unsubscribe(o wire.Unsub) {
	c.alive()
	c.ok()
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.subs[o.SID]
	if s == nil {
		return
	}
	if o.Max > s.got {
		s.max = o.Max
		return
	}
	c.drop(s)
}

// drop takes a subscription off the connection. c.mu is held.
func (c *conn) drop(s *subscription) {
	s.gone = true
	delete(c.subs, s.sid)
	c.server.end(s)
}

// prune asks again about every subscription, after what is allowed has changed,
// and drops those that are not allowed any more. The client is told of each before
// anything that comes of what is allowed now.
func (c *conn) prune() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session == nil || c.session.Rights() == nil {
		return // it has ended, and so will the connection
	}
	for _, s := range c.subs {
		if subject := s.own.entry.Subject; !c.session.CanSubscribe(subject, s.queue) {
			c.drop(s)
			c.tell(fmt.Sprintf("%s (sid %q)", subViolation(subject, s.queue), s.sid))
		}
	}
}

func subViolation(subject, queue string) string {
	text := fmt.Sprintf("Permissions Violation for Subscription to %q", subject)
	if queue != "" {
		text += fmt.Sprintf(" using queue %q", queue)
	}
	return text
}
