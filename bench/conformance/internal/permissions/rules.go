package permissions

import (
	"math/rand/v2"
	"strings"
	"time"

	"github.com/nats-io/jwt/v2"
)

// Lists are the entries of one kind of permissions.
type Lists struct{ Allow, Deny []string }

// Rules are a user's permissions. The zero Rules allow everything.
type Rules struct {
	Publish, Subscribe Lists
	Responses          *jwt.ResponsePermission
	// Closed says that a template left nothing of what it allows to publish.
	Closed bool
}

// JWT is the form in which tokens have the rules.
func (r Rules) JWT() jwt.Permissions {
	return jwt.Permissions{Pub: r.Publish.jwt(), Sub: r.Subscribe.jwt(), Resp: r.Responses}
}

func (l Lists) jwt() jwt.Permission { return jwt.Permission{Allow: l.Allow, Deny: l.Deny} }

// publish is the oracle of what may be published.
func (r Rules) publish() *Oracle {
	return NewPublish(r.Publish.Allow, r.Publish.Deny, r.Closed || r.Responses != nil)
}

// subscribe is the oracle of what may be subscribed to and delivered.
func (r Rules) subscribe() *Oracle { return NewSubscribe(r.Subscribe.Allow, r.Subscribe.Deny) }

// drawer draws subjects and rules.
type drawer struct{ *rand.Rand }

// chance is true n times of a hundred.
func (d drawer) chance(n int) bool { return d.IntN(100) < n }

// pick takes one of the texts.
func (d drawer) pick(from ...string) string { return from[d.IntN(len(from))] }

// Tokens that rules and subjects share. The user's name and a tag's value are among
// them, for the templates.
var literals = []string{"a", "b", "c", userName, tagValue}

const (
	userName = "ann"
	tagValue = "ops"
)

// oddities are tokens like any other, though they look as if they were not.
var oddities = []string{"a*", "*a", ">x", "**", "{{name()}}", "$1", "é"}

// token is a literal; one in twenty has a wildcard's byte in it.
func (d drawer) token() string {
	if d.chance(5) {
		return d.pick(oddities...)
	}
	return d.pick(literals...)
}

// subject is a literal subject of up to most tokens.
func (d drawer) subject(most int) string {
	tokens := make([]string, 1+d.IntN(most))
	for i := range tokens {
		tokens[i] = d.token()
	}
	return strings.Join(tokens, ".")
}

// pattern is a subject of up to most tokens, many of them wildcards.
func (d drawer) pattern(most int) string {
	tokens := strings.Split(d.subject(most), ".")
	for i := range tokens {
		if d.chance(35) {
			tokens[i] = "*"
		}
	}
	if d.chance(25) {
		tokens[len(tokens)-1] = ">"
	}
	return strings.Join(tokens, ".")
}

// queue is a queue's name or, in an entry, what it is held against.
func (d drawer) queue() string { return d.pick("v", "w", "v.x", "v.*", "v.>", "*", "w.y", "*.x") }

// lists are some entries; most of them name a queue where queued is so. share is
// how many of a hundred have an allow list.
func (d drawer) lists(queued, share int) Lists {
	var l Lists
	if d.chance(share) {
		l.Allow = d.entries(1+d.IntN(6), queued)
	}
	if d.chance(75) {
		l.Deny = d.entries(1+d.IntN(4), queued)
	}
	return l
}

// entries are permission entries; queued of a hundred have a queue, and one in
// thirty is not valid, though a token may have it.
func (d drawer) entries(n, queued int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = d.pattern(3)
		switch {
		case d.chance(3):
			out[i] = d.pick("a.>.b", ">.a", ">.>")
		case d.chance(queued):
			out[i] += " " + d.queue()
		}
	}
	return out
}

// rules are a user's, without responses.
func (d drawer) rules() Rules {
	return Rules{Publish: d.lists(0, 70), Subscribe: d.lists(30, 60)}
}

// responses are every kind of bound: none, the default, few, and a time that is over
// as soon as it has begun. Every second cell has some, the others none.
func responses(n uint64) *jwt.ResponsePermission {
	kinds := []jwt.ResponsePermission{
		{MaxMsgs: 1}, {MaxMsgs: -1, Expires: -1}, {MaxMsgs: 0, Expires: time.Hour}, {MaxMsgs: 2, Expires: time.Minute},
		{MaxMsgs: 3, Expires: time.Nanosecond}, {MaxMsgs: -1}, {MaxMsgs: 3, Expires: -time.Hour}, {MaxMsgs: -5, Expires: -1},
	}
	if n%2 == 0 {
		return nil
	}
	return &kinds[n/2%uint64(len(kinds))]
}
