package broker

import (
	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/examples/broker/internal/route"
	"github.com/natsauth/natsauth/examples/broker/internal/wire"
)

// local delivers to the subscriptions of the account.
type local struct{}

func (local) take(from *conn, in *account, m *message) bool {
	return in.table.Match(m.subject).Deliver(func(e *route.Entry[*subscription]) bool {
		return e.Of.conn.deliver(from, e.Of, m)
	})
}

// current gives the connection's session; nil: it has none.
func (c *conn) current() *auth.Session {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.session
}

// deliver hands a message to one subscription, and says whether it was taken.
//
// Behaviour: nats-server v2.15 server/client.go deliverMsg (F063, F066).
func (c *conn) deliver(from *conn, s *subscription, m *message) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if from == c && !c.echo || s.gone || c.session == nil {
		return false
	}
	// A subscription may be wider than what may be seen, and older than the rules.
	if !c.session.CanDeliver(m.subject, s.entry.Queue) {
		return false
	}
	c.counted(s)
	if m.reply != "" {
		c.session.Delivered(m.reply) // before the client can answer
	}
	return c.write(s, m)
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
func (c *conn) write(s *subscription, m *message) bool {
	data, head := m.data, c.head[:0]
	switch {
	case m.header > 0 && c.headers:
		head = wire.AppendHMsg(head, m.subject, s.sid, m.reply, m.header, len(data))
	case m.header > 0:
		data = data[m.header:]
		head = wire.AppendMsg(head, m.subject, s.sid, m.reply, len(data))
	default:
		head = wire.AppendMsg(head, m.subject, s.sid, m.reply, len(data))
	}
	c.head = head
	c.taken.messages++
	c.taken.bytes += int64(len(data))
	return c.out.send(head, data, lineEnd)
}

var lineEnd = []byte("\r\n")
