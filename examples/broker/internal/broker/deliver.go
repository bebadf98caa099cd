package broker

import (
	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/examples/broker/internal/route"
	"github.com/natsauth/natsauth/examples/broker/internal/wire"
)

// local delivers to those who listen in the account: its own subscriptions, and those of
// accounts that import a stream of it.
type local struct{}

func (local) take(from *conn, in where, m *message) bool {
	if in.account == nil {
		return false
	}
	var met arrivals
	return in.account.table.Match(m.subject).Deliver(func(e *route.Entry[*tap]) bool {
		subject, ok := e.Of.local(m)
		return ok && met.once(e.Of, subject, func() bool { return e.Of.sub.conn.deliver(from, e.Of.sub, subject, m) })
	})
}

// arrivals are the subscriptions that one message has come to by way of imports: it comes
// to each once under one subject, however many of its imports bring it (B10).
type arrivals []arrival

type arrival struct {
	sub     *subscription
	subject string
	taken   bool
}

// once delivers by a tap, unless the message has come to its subscription under the
// subject before, and says whether it was taken.
func (a *arrivals) once(t *tap, subject string, deliver func() bool) bool {
	if !t.imported {
		return deliver()
	}
	for _, one := range *a {
		if one.sub == t.sub && one.subject == subject {
			return one.taken
		}
	}
	taken := deliver()
	*a = append(*a, arrival{t.sub, subject, taken})
	return taken
}

// current gives the connection's session; nil: it has none.
func (c *conn) current() *auth.Session {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.session
}

// deliver hands a message to one subscription under a subject, and says whether it was
// taken.
//
// Behaviour: nats-server v2.15 server/client.go deliverMsg (F063, F066).
func (c *conn) deliver(from *conn, s *subscription, subject string, m *message) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if from == c && !c.echo || s.gone || c.session == nil {
		return false
	}
	// A subscription may be wider than what may be seen, and older than the rules.
	if !c.session.CanDeliver(subject, s.queue) {
		return false
	}
	c.counted(s)
	if m.reply != "" {
		c.session.Delivered(m.reply) // before the client can answer
	}
	return c.write(s, subject, m)
}

// counted counts a message for the subscription, and ends it with the last one
// that it may have. c.mu is held.
func (c *conn) counted(s *subscription) {
	s.got++
	if s.max > 0 && s.got >= s.max {
		c.drop(s)
	}
}

// write queues the message as the client can read it: without its headers if the
// client takes none. c.mu is held.
func (c *conn) write(s *subscription, subject string, m *message) bool {
	data, head := m.data, c.head[:0]
	switch {
	case m.header > 0 && c.headers:
		head = wire.AppendHMsg(head, subject, s.sid, m.reply, m.header, len(data))
	case m.header > 0:
		data = data[m.header:]
		head = wire.AppendMsg(head, subject, s.sid, m.reply, len(data))
	default:
		head = wire.AppendMsg(head, subject, s.sid, m.reply, len(data))
	}
	c.head = head
	c.taken.messages++
	c.taken.bytes += int64(len(data))
	return c.out.send(head, data, lineEnd)
}

var lineEnd = []byte("\r\n")
