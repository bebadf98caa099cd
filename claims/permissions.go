package claims

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/nats-io/jwt/v2"
)

// Unlimited is the value of a limit that does not limit. Zero is a limit like
// any other: none are allowed. Other negative values allow nothing either
// (nats-server v2.15 compares them as they are).
const Unlimited = -1

// Rules are the subjects of one direction. An empty Allow allows everything, a
// Deny always wins. Entries of a subscribe list may name a queue group after a
// space: "orders.> workers".
type Rules struct {
	Allow []string `json:"allow,omitempty"`
	Deny  []string `json:"deny,omitempty"`
	// Closed is of a template's allow list from which everything was dropped: it
	// allows nothing, though it is empty.
	Closed bool `json:"closed,omitempty"`
}

// Empty reports whether the rules restrict nothing.
func (r Rules) Empty() bool { return len(r.Allow) == 0 && len(r.Deny) == 0 && !r.Closed }

// Permissions say what a connection may do. The zero value restricts nothing;
// a user token that carries it takes the account's default permissions.
type Permissions struct {
	Publish   Rules `json:"publish,omitzero"`
	Subscribe Rules `json:"subscribe,omitzero"`
	// Responses, if set, lets the connection publish to the reply subjects of
	// what was delivered to it; an empty Publish.Allow then allows nothing else.
	Responses *Responses `json:"responses,omitempty"`
}

// Empty reports whether nothing is set, so that defaults apply in its place
// (nats-server v2.15 server/accounts.go buildPermissionsFromJwt).
func (p Permissions) Empty() bool {
	return p.Publish.Empty() && p.Subscribe.Empty() && p.Responses == nil
}

// Responses bound the answers to one reply subject.
type Responses struct {
	Max int           `json:"max"` // messages; 0 means [DefaultResponses], negative no bound
	TTL time.Duration `json:"ttl"` // since delivery; 0 means [DefaultResponseTTL], negative no bound
}

// The defaults of [Responses], as nats-server v2.15 server/auth.go
// validateResponsePermissions has them.
const (
	DefaultResponses   = 1
	DefaultResponseTTL = 2 * time.Minute
)

// WithDefaults puts the defaults in place of zeros.
func (r Responses) WithDefaults() Responses {
	if r.Max == 0 {
		r.Max = DefaultResponses
	}
	if r.TTL == 0 {
		r.TTL = DefaultResponseTTL
	}
	return r
}

// Limits are what one connection may use. [Unlimited] is -1. The zero value
// allows nothing, and that is what a version 2 user token means that names no
// limits and is not scoped (nats-server v2.15 does the same).
type Limits struct {
	Subscriptions int64 `json:"subscriptions"` // at the same time
	Payload       int64 `json:"payload"`       // bytes of one message
	Data          int64 `json:"data"`          // bytes; carried and exposed, not enforced (B22)
}

// Min gives the stricter of two limits, each by itself.
func (l Limits) Min(o Limits) Limits {
	return Limits{
		Subscriptions: stricter(l.Subscriptions, o.Subscriptions),
		Payload:       stricter(l.Payload, o.Payload),
		Data:          stricter(l.Data, o.Data),
	}
}

func stricter(a, b int64) int64 {
	if a == Unlimited || (b != Unlimited && b < a) {
		return b
	}
	return a
}

// newPermissions takes over what the token lists. A publish allow list that is
// written and empty, beside a deny list, closes publishing; it becomes the deny
// rule `>` that says the same without depending on nil.
func newPermissions(p *jwt.Permissions) Permissions {
	out := Permissions{
		Publish:   Rules{Allow: p.Pub.Allow, Deny: p.Pub.Deny},
		Subscribe: Rules{Allow: p.Sub.Allow, Deny: p.Sub.Deny},
	}
	if p.Pub.Allow != nil && len(p.Pub.Allow) == 0 && len(p.Pub.Deny) > 0 {
		out.Publish.Deny = append(out.Publish.Deny[:len(p.Pub.Deny):len(p.Pub.Deny)], ">")
	}
	if p.Resp != nil {
		out.Responses = &Responses{Max: p.Resp.MaxMsgs, TTL: p.Resp.Expires}
	}
	return out
}

func newLimits(l jwt.NatsLimits) Limits {
	return Limits{Subscriptions: l.Subs, Payload: l.Payload, Data: l.Data}
}

// checkEntries refuses what no tool writes and what would cut a protocol line or
// a log line in two: any white space or control byte but one space between
// subject and queue group.
func checkEntries(p Permissions) error {
	for _, list := range [][]string{p.Publish.Allow, p.Publish.Deny, p.Subscribe.Allow, p.Subscribe.Deny} {
		if err := broken("permission ", list); err != nil {
			return err
		}
	}
	return nil
}

// broken is an error that names the first text with a control byte in it; what is
// such a text, or nothing.
func broken(what string, texts []string) error {
	for _, t := range texts {
		if strings.ContainsFunc(t, isBreak) {
			return fmt.Errorf("%s%q has white space or a control byte in it", what, t)
		}
	}
	return nil
}

// isBreak is true for control bytes, white space that is not a plain space
// included.
func isBreak(r rune) bool { return r < ' ' || r == 0x7f }

// checkPlain refuses control bytes.
func checkPlain(texts ...string) error {
	if err := broken("", texts); err != nil {
		return fault(ErrInvalid, "%v", err)
	}
	return nil
}

// checkLine refuses line breaks and control characters, those of Unicode too, in
// texts that end up in logs and events.
func checkLine(what, text string) error {
	if strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' }) {
		return fault(ErrInvalid, "%s %q has a line break or a control character in it", what, text)
	}
	return nil
}
