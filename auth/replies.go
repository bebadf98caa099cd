package auth

import (
	"slices"
	"strings"
	"time"

	"github.com/natsauth/natsauth/claims"
)

// maxReply is the longest reply subject that is owed an answer, in bytes: more
// than the 4 KiB that a control line of the NATS protocol has by default.
const maxReply = 4 << 10

// replyBytes is what a reply subject may take on the average, so that many long
// ones are fewer.
const replyBytes = 256

// owedReplies are the reply subjects that a session may answer (nats-server v2.15
// server/client.go responseAllowed and pruneReplyPerms). They are bounded: a new
// one over [Bounds.ReplyGrants] takes the place of the oldest. They are guarded
// by Session.mu.
type owedReplies struct {
	open  map[string]*reply
	order []*reply // as they came; may hold some that are no longer open
	bytes int      // of their subjects
}

// reply is one subject that may be answered.
type reply struct {
	subject string
	since   time.Time
	used    int
}

// spend uses one response to a reply subject, if the session owes any.
func (s *Session) spend(subject string, r *claims.Responses) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	owed := s.owed(subject)
	if owed == nil {
		return false
	}
	owed.used++
	if !owed.good(r, s.authorizer().config.Clock()) {
		delete(s.extra.replies.open, subject)
		return false
	}
	return true
}

// owed gives the reply that may be answered under a subject, or nil. s.mu is held.
func (s *Session) owed(subject string) *reply {
	if s.extra == nil {
		return nil
	}
	return s.extra.replies.open[subject]
}

// good says whether the response that was just counted is within the bounds.
func (p *reply) good(r *claims.Responses, now time.Time) bool {
	return (r.Max < 0 || p.used <= r.Max) && (r.TTL < 0 || now.Sub(p.since) <= r.TTL)
}

// spent says whether no further response can be good.
func (p *reply) spent(r *claims.Responses, now time.Time) bool {
	return (r.Max >= 0 && p.used >= r.Max) || (r.TTL >= 0 && now.Sub(p.since) > r.TTL)
}

// owe notes a reply subject anew. The subject is the caller's: it is copied.
func (s *Session) owe(subject string, r *claims.Responses) {
	now := s.authorizer().config.Clock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended.Load() != nil {
		return
	}
	s.more().replies.add(&reply{subject: strings.Clone(subject), since: now}, r, s.authorizer().config.Bounds.ReplyGrants)
}

// add keeps one more, and drops from the old end what is spent or replaced: each
// addition looks at two, so that the work is spread evenly. Over the bound the
// oldest that is still open goes.
func (p *owedReplies) add(n *reply, r *claims.Responses, most int) {
	if p.open == nil {
		p.open = make(map[string]*reply)
	}
	p.open[n.subject] = n
	p.order = append(p.order, n)
	p.bytes += len(n.subject)
	for range 2 {
		if len(p.order) > 0 && p.stale(p.order[0], r, n.since) {
			p.drop()
		}
	}
	if len(p.order) > most && len(p.open) <= most/2 {
		p.compact()
	}
	for len(p.order) > most || p.bytes > most*replyBytes {
		p.drop()
	}
}

// compact leaves out what is no longer open.
func (p *owedReplies) compact() {
	p.bytes = 0
	p.order = slices.DeleteFunc(p.order, func(o *reply) bool {
		gone := p.open[o.subject] != o
		if !gone {
			p.bytes += len(o.subject)
		}
		return gone
	})
}

func (p *owedReplies) stale(o *reply, r *claims.Responses, now time.Time) bool {
	return p.open[o.subject] != o || o.spent(r, now)
}

func (p *owedReplies) drop() {
	o := p.order[0]
	p.order[0] = nil
	p.order = p.order[1:]
	p.bytes -= len(o.subject)
	if p.open[o.subject] == o {
		delete(p.open, o.subject)
	}
}

// owes says whether CanPublish would spend a response on the subject.
func (s *Session) owes(subject string, r *Rights) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	owed := s.owed(subject)
	if owed == nil {
		return false
	}
	next := *owed
	next.used++
	return next.good(r.responses, s.authorizer().config.Clock())
}
