package broker

import (
	"slices"
	"strings"

	"github.com/natsauth/natsauth/auth"
)

// path is the way that one message has gone through accounts since a client published it.
// The zero path is a message that has crossed nowhere.
type path struct {
	services []*auth.Service // that led on
	info     requestInfo     // of who asks, as the last account was told
	share    bool            // the last import lets its exporter see it
	left     *int            // how often the message may still cross, in all directions
}

// maxCrossings is how often one message may cross into another account: a name that
// imports from several accounts have leads to all of those, and so may each of theirs (B18).
const maxCrossings = 1024

// mayCross counts one more crossing, and says whether there may be one: a service does not lead
// to itself, whatever becomes of accounts while a message is on its way.
func (p *path) mayCross(s *auth.Service) bool {
	if p.left == nil {
		most := maxCrossings
		p.left = &most
	}
	if *p.left == 0 || s != nil && slices.Contains(p.services, s) {
		return false
	}
	*p.left--
	return true
}

// services takes requests to the accounts that serve them. What the broker says itself is
// no request.
//
// Behaviour: nats-server v2.15 server/client.go processServiceImport (F084 to F089).
type services struct{ server *Server }

func (s services) take(from *conn, in where, m *message) bool {
	if from == nil || in.view == nil {
		return false
	}
	taken := false
	for _, r := range in.view.Services(nil, m.subject) {
		if m.path.mayCross(r.Service) {
			taken = s.request(from, in, r, m) || taken
		}
	}
	return taken
}

// request takes a request to one account, and says whether anybody took it there.
func (s services) request(from *conn, in where, r auth.ServiceRoute, m *message) bool {
	session := from.current()
	if session == nil {
		return false
	}
	next := &message{foreign: true, path: s.server.along(from, session, in, r, m)}
	next.subject, _ = r.Exporter.Map(r.Subject) // one that is lost has no subject, which matches nothing
	if err := next.informed(m); err != nil {
		s.server.log.Error("request info", "client", from.id, "err", err)
		return false
	}
	measured := s.server.measure(r, m, next.path.info)
	var opened bool
	if next.reply, opened = s.server.replies.Open(r, in.view, m.reply, measured); !opened || next.reply == m.reply {
		measured.drop() // the answer will not come this way
	}
	if s.server.publish(from, s.server.at(r.Exporter), next) {
		return true
	}
	s.server.replies.Forget(next.reply)
	measured.fail(unavailable)
	return false
}

// along is the path of a message behind one more import.
func (s *Server) along(from *conn, session *auth.Session, in where, r auth.ServiceRoute, m *message) path {
	p := path{services: append(slices.Clip(m.path.services), r.Service), share: r.Share, left: m.path.left}
	if len(m.path.services) == 0 {
		p.info = from.requestInfo(session, r.Share)
	} else {
		p.info = m.path.info
		p.info.Service = in.view.Key()
	}
	// Who has shared all of it told the server before.
	if !m.path.share && (p.share || s.system(where{view: r.Exporter})) {
		p.info.Server, p.info.Cluster = s.options.Name, s.options.Cluster
	}
	return p
}

// answers takes what is published to a reply subject of a request back to who asked. Who
// answers is not told whether anybody waits.
//
// Behaviour: likewise, for responses (F078, F079, F087).
type answers struct{ server *Server }

func (a answers) take(from *conn, in where, m *message) bool {
	if !strings.HasPrefix(m.subject, a.server.replies.Prefix()) {
		return false
	}
	a.answer(from, in, m)
	return true
}

func (a answers) answer(from *conn, in where, m *message) {
	replies := a.server.replies
	if !m.path.mayCross(nil) {
		return
	}
	to, ok := replies.Take(in.view, m.subject, len(m.head)+len(m.body) == 0)
	if !ok {
		return
	}
	next := &message{foreign: true, head: m.head, body: m.body, path: m.path}
	next.subject, _ = to.Requestor.Map(to.Subject)
	// An answer may be a question, too.
	back := auth.ServiceRoute{Exporter: to.Requestor, Service: to.Service}
	next.reply, _ = replies.Open(back, in.view, m.reply, (*measure)(nil))
	to.Note.(*measure).succeed(from)
	if !a.server.publish(from, a.server.at(to.Requestor), next) {
		replies.Forget(next.reply)
		replies.Forget(m.subject)
	}
}
