package broker

import (
	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/examples/broker/internal/route"
	"github.com/natsauth/natsauth/examples/broker/internal/wire"
)

// local delivers to those who listen in the account: its own subscriptions, those of
// accounts that import a stream of it, and the program itself.
type local struct{}

func (local) take(from *conn, in where, m *message) bool {
	if in.account == nil {
		return false
	}
	var met arrivals
	return in.account.table.Match(m.subject).Deliver(func(e *route.Entry[receiver]) bool {
		return e.Of.receive(from, m, &met)
	})
}

// arrivals are the subscriptions that one message has come to by way of imports: it comes
// to each once under one subject, however many of its imports bring it (B10).
type arrivals map[arrival]bool // whether it was taken

type arrival struct {
	sub     *subscription
	subject string
}

// once delivers by a tap, unless the message has come to its subscription under the
// subject before, and says whether it was taken.
func (a *arrivals) once(t *tap, subject string, deliver func() bool) bool {
	if !t.imported {
		return deliver()
	}
	one := arrival{t.sub, subject}
	taken, met := (*a)[one]
	if !met {
		if *a == nil {
			*a = make(arrivals)
		}
		taken = deliver()
		(*a)[one] = taken
	}
	return taken
}

// current gives the connection's session; nil: it has none, as the broker itself, which is no
// connection.
func (c *conn) current() *auth.Session {
	if c == nil {
		return nil
	}
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
	line, head := c.line[:0], m.head
	if c.headers && len(head) > 0 {
		line = wire.AppendHMsg(line, subject, s.sid, m.reply, len(head), len(head)+len(m.body))
	} else {
		head = nil
		line = wire.AppendMsg(line, subject, s.sid, m.reply, len(m.body))
	}
	c.line = line
	c.taken.messages++
	c.taken.bytes += int64(len(head) + len(m.body))
	return c.out.send(line, head, m.body, lineEnd)
}

var lineEnd = []byte("\r\n")
