package auth

import (
	"cmp"
	"encoding/json"
	"log/slog"
	"strings"
)

// Error is why a connection was refused, or why a session ended. It is for logs
// and for people who look for the cause; the client gets [Error.Wire]. It holds
// public keys, names and times, never a token, a signature or a password (B8).
type Error struct {
	Reason   Reason
	Step     Step
	User     string // the user's public key, as far as it was known
	Account  string // the account's public key, likewise
	Issuer   string // the key that signed the user token, likewise
	Evidence []Fact // what the decision was based on
	Err      error  // the cause, if there is one to unwrap
}

// Fact is one piece of evidence.
type Fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// at is a copy of an error, which may be shared with others, for one step: its
// evidence is fit to be told.
func (e *Error) at(step Step) *Error {
	out := *e
	out.Step = step
	out.Evidence = make([]Fact, 0, len(e.Evidence))
	for _, f := range e.Evidence {
		out.Evidence = append(out.Evidence, Fact{f.Name, line(f.Value)})
	}
	return &out
}

// Error gives the reason as a sentence, with the entities and the evidence.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("auth: ")
	b.WriteString(e.Reason.sentence())
	for _, f := range e.facts() {
		b.WriteString("; " + f.Name + " " + f.Value)
	}
	if e.Err != nil {
		b.WriteString(": " + e.cause())
	}
	return b.String()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Wire is the text that the client is told, in an -ERR of the NATS protocol. A
// refused client learns one constant sentence, whatever was wrong, except that
// it is told of a full account; a session that ends learns what ended it
// (nats-server v2.15 server/errors.go; B15).
func (e *Error) Wire() string {
	if e.Reason >= reasonEnd {
		return wireViolation
	}
	if e.Step == StepLive {
		return cmp.Or(reasons[e.Reason].ended, wireViolation)
	}
	return cmp.Or(reasons[e.Reason].refused, wireViolation)
}

// Retry reports whether the same credentials may be accepted later without the
// user or its broker changing anything: the account could not be looked up or was
// not there yet, something is not valid yet, the hour is not right, or the account
// is full.
func (e *Error) Retry() bool {
	switch e.Reason {
	case AccountUnavailable, AccountBusy, AccountNotFound, AccountStale, ConnectionsExceeded, LeafNodesExceeded,
		UserNotYet, AccountNotYet, OperatorNotYet, AccountAhead, OutsideTimes:
		return true
	default:
		return false
	}
}

// LogValue gives reason, step, entities and evidence as attributes.
func (e *Error) LogValue() slog.Value {
	attrs := []slog.Attr{slog.String("reason", e.Reason.String()), slog.String("step", e.Step.String())}
	for _, f := range e.facts() {
		attrs = append(attrs, slog.String(f.Name, f.Value))
	}
	if e.Err != nil {
		attrs = append(attrs, slog.String("cause", e.cause()))
	}
	return slog.GroupValue(attrs...)
}

func (e *Error) facts() []Fact {
	var out []Fact
	for _, f := range [...]Fact{{"user", e.User}, {"account", e.Account}, {"issuer", e.Issuer}} {
		if f.Value != "" {
			out = append(out, f)
		}
	}
	return append(out, e.Evidence...)
}

// MarshalJSON gives reason, step, entities, evidence, cause and protocol text.
func (e *Error) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Reason   Reason `json:"reason"`
		Step     Step   `json:"step"`
		Text     string `json:"text"`
		User     string `json:"user,omitempty"`
		Account  string `json:"account,omitempty"`
		Issuer   string `json:"issuer,omitempty"`
		Evidence []Fact `json:"evidence,omitempty"`
		Cause    string `json:"cause,omitempty"`
		Wire     string `json:"wire"`
	}{e.Reason, e.Step, e.Reason.sentence(), e.User, e.Account, e.Issuer, e.Evidence, e.cause(), e.Wire()})
}

// maxCause is how much of a cause is told, in bytes: it may quote what somebody else
// wrote.
const maxCause = 1 << 10

// cause is what the cause says, as far as it is for people to read.
func (e *Error) cause() string {
	if e.Err == nil {
		return ""
	}
	text := e.Err.Error()
	if len(text) > maxCause {
		text = strings.ToValidUTF8(text[:maxCause], "") + "..."
	}
	return text
}
