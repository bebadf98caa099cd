package broker

import (
	"fmt"
	"strings"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/examples/broker/internal/wire"
)

// message is one message on its way.
type message struct {
	subject, reply string
	head           []byte // the block of headers; empty: it has none
	body           []byte
	foreign        bool // it came from another account by a service, as a request or an answer
	path           path // on which it came
}

// publish is PUB and HPUB. A message that is refused is dropped, and the
// connection stays; one whose bytes cannot be followed ends it. It says whether
// to go on.
func (c *conn) publish(o wire.Pub) bool {
	if c.client.Pedantic && !literal(o.Subject) {
		c.tell("Invalid Publish Subject") // and the message goes its way
	}
	data, err := c.in.Payload()
	if err != nil {
		c.failed(err)
		return false
	}
	c.count(len(data))
	header := max(0, o.Header) // PUB has none
	c.inbound(&message{subject: o.Subject, reply: o.Reply, head: data[:header:header], body: data[header:]})
	return !c.isClosed()
}

func (c *conn) count(n int) {
	c.alive()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sent.messages++
	c.sent.bytes += int64(n)
}

// inbound takes a message from the client to whoever it is for.
//
// Behaviour: nats-server v2.15 server/client.go processInboundClientMsg, whose
// order of checks this is (F056, F058 to F060).
func (c *conn) inbound(m *message) {
	session := c.current()
	if session == nil {
		return
	}
	// The account's mappings come first: permissions are asked about the subject
	// that the message ends up on, and the client is told that one.
	m.subject, _ = session.Account().Map(m.subject) // one that is lost has no subject, which matches nothing
	if text := c.refusal(session, m); text != "" {
		c.complain(session, text)
		return
	}
	c.ok()
	c.mu.Lock()
	a := c.account
	c.mu.Unlock()
	if a == nil {
		return
	}
	if !c.server.publish(c, where{a, session.Account()}, m) && m.reply != "" && c.client.NoResponders {
		c.nobody(a, m)
	}
}

// complain tells a client what it may not do. One whose session has ended may do
// nothing, and is about to be told why.
func (c *conn) complain(session *auth.Session, text string) {
	if session.Rights() != nil {
		c.tell(text)
	}
}

// The subjects that servers keep to themselves.
const (
	routedReply    = "_GR_."
	oldRoutedReply = "$GR."
	raftPrefix     = "$NRG."
	serviceReply   = "_R_."
	ackPrefix      = "$JS.ACK."
)

// refusal gives the text for why the message may not be published; empty: it may.
func (c *conn) refusal(session *auth.Session, m *message) string {
	switch {
	case longer(m.subject, routedReply), longer(m.subject, oldRoutedReply), !session.CanPublish(m.subject):
		return fmt.Sprintf("Permissions Violation for Publish to %q", m.subject)
	case strings.HasPrefix(m.subject, raftPrefix) && !session.Account().System():
		return fmt.Sprintf("Permissions Violation for Publish to %q", m.subject)
	case strings.HasPrefix(m.reply, serviceReply), longer(m.reply, ackPrefix),
		longer(m.reply, routedReply), longer(m.reply, oldRoutedReply):
		return fmt.Sprintf("Permissions Violation for Publish with Reply of %q", m.reply)
	}
	return ""
}

// longer says whether the subject begins with the prefix and goes on.
func longer(subject, prefix string) bool {
	return len(subject) > len(prefix) && strings.HasPrefix(subject, prefix)
}

// nobody tells the publisher of a request that there was nobody to take it, on
// the subscription that waits for the answer.
func (c *conn) nobody(a *account, m *message) {
	for _, e := range a.table.Match(m.reply).Plain {
		if t, ok := e.Of.(*tap); ok && t.sub.conn == c {
			head := "NATS/1.0 503\r\nNats-Subject: " + m.subject + "\r\n\r\n"
			line := wire.AppendHMsg(nil, m.reply, t.sub.sid, "", len(head), len(head))
			c.out.send(line, []byte(head), []byte("\r\n"))
			return
		}
	}
}

// literal says whether a subject is one to publish to: no token is empty or a
// wildcard; nats-server v2.15 server/sublist.go IsValidLiteralSubject.
func literal(subject string) bool {
	for token := range strings.SplitSeq(subject, ".") {
		if token == "" || token == "*" || token == ">" || strings.ContainsAny(token, "\t\n\f\r ") {
			return false
		}
	}
	return true
}

// where is an account in which a message is published.
type where struct {
	account *account      // nil: nobody is in it or listens to it
	view    *auth.Account // what is in force of it; nil: nothing
}

// at is the place that an account's view is of.
func (s *Server) at(view *auth.Account) where {
	return where{s.accounts.find(view.Key()), view}
}

// sink is somewhere a published message may go.
type sink interface {
	// take says whether anybody took the message. From is nil for the broker's
	// own messages. The message is not kept.
	take(from *conn, in where, m *message) bool
}

// publish hands a message to every sink, and says whether anybody took it. The
// broker's own messages come this way too. The caller holds no lock.
func (s *Server) publish(from *conn, in where, m *message) bool {
	taken := false
	for _, to := range s.sinks {
		taken = to.take(from, in, m) || taken
	}
	return taken
}
