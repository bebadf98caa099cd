package auth

import (
	"fmt"

	"github.com/natsauth/natsauth/internal/subject"
)

// Verdict is one answer of a session, and what decided it.
type Verdict struct {
	Allowed bool   `json:"allowed"`
	Rule    string `json:"rule,omitempty"`    // the permission entry that decided, as the token has it; empty: none did
	Why     string `json:"why"`               // for people
	Example string `json:"example,omitempty"` // of what a refused subscription would match and may not
	Wire    string `json:"wire,omitempty"`    // what the client is told, where it is told of a refusal
}

// String gives the verdict in a line.
func (v Verdict) String() string {
	text := "refused: " + v.Why
	if v.Allowed {
		text = "allowed: " + v.Why
	}
	if v.Rule != "" {
		text += " (" + v.Rule + ")"
	}
	if v.Example != "" {
		text += fmt.Sprintf("; it would match %q", v.Example)
	}
	return text
}

// WhyPublish answers as CanPublish would, tells which rule decided, and spends
// nothing.
func (s *Session) WhyPublish(subj string) Verdict {
	r := s.live()
	if r == nil {
		return s.over()
	}
	v := verdict(r.set.WhyPublish(subj))
	if !v.Allowed && r.responses != nil && s.owes(subj, r) {
		return Verdict{Allowed: true, Why: "it is a reply that is owed"}
	}
	return v.wire(fmt.Sprintf("Permissions Violation for Publish to %q", subj))
}

// WhySubscribe answers as CanSubscribe would and tells which rule decided.
func (s *Session) WhySubscribe(subj, queue string) Verdict {
	r := s.live()
	if r == nil {
		return s.over()
	}
	text := fmt.Sprintf("Permissions Violation for Subscription to %q", subj)
	if queue != "" {
		text += fmt.Sprintf(" using queue %q", queue)
	}
	return verdict(r.set.WhySubscribe(subj, queue)).wire(text)
}

// WhyDeliver answers as CanDeliver would and tells which rule decided. A client
// is not told of what is not delivered to it.
func (s *Session) WhyDeliver(subj, queue string) Verdict {
	r := s.live()
	if r == nil {
		return s.over()
	}
	return verdict(r.set.WhyDeliver(subj, queue))
}

func verdict(d subject.Decision) Verdict {
	return Verdict{Allowed: d.Allowed, Rule: d.Rule, Why: d.Cause.String(), Example: d.Example}
}

// wire adds the protocol text (nats-server v2.15 server/client.go
// pubPermissionViolation and subPermissionViolation).
func (v Verdict) wire(text string) Verdict {
	if !v.Allowed {
		v.Wire = text
	}
	return v
}

// over is the verdict of a session that has ended, or is no session.
func (s *Session) over() Verdict {
	if e := s.ended.Load(); e != nil {
		return Verdict{Why: "the session has ended: " + e.Reason.sentence(), Wire: e.Wire()}
	}
	return Verdict{Why: "the session is over", Wire: wireViolation}
}
