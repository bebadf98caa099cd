package permissions

import (
	"slices"
	"strings"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats-server/v2/server/gsl"
)

// Oracle says a second time, with the reference's own matcher and with no code of
// the library, what the permissions of one kind mean. Its answers follow F056,
// F057, F061, F062 and, for [Oracle.Covers], B3. It does not change once it is
// made, and several goroutines may use it. The zero Oracle allows everything.
type Oracle struct {
	listed      bool // there is an allow list
	allow, deny *gsl.GenericSublist[entry]
	tokens      [][]string // the literals that allow entries have in each position
}

// entry is one rule of a list. The queue is empty where it names none.
type entry struct{ subject, queue string }

// NewPublish makes the Oracle of publish permissions. Entries that are not valid
// are left out, and closed allows nothing where the allow list is empty (nats-server
// v2.15 server/client.go setPermissions, server/auth.go validateResponsePermissions).
func NewPublish(allow, deny []string, closed bool) *Oracle {
	o := &Oracle{listed: closed || len(allow) > 0}
	o.allow = install(allow, publishAllow)
	o.deny = install(deny, publishDeny)
	return o
}

// NewSubscribe makes the Oracle of subscribe permissions, whose entries may name a
// queue. Entries that are not valid are left out (nats-server v2.15
// server/client.go setPermissions).
func NewSubscribe(allow, deny []string) *Oracle {
	o := &Oracle{listed: len(allow) > 0}
	o.allow = install(allow, subscribeEntry)
	o.deny = install(deny, subscribeEntry)
	for _, text := range allow {
		if e, ok := subscribeEntry(text); ok {
			o.learn(e.subject)
		}
	}
	return o
}

func publishAllow(text string) (entry, bool) {
	return entry{subject: text}, server.IsValidSubject(text)
}

func publishDeny(text string) (entry, bool) {
	if server.IsValidSubject(text) {
		return entry{subject: text}, true
	}
	e, ok := subscribeEntry(text)
	return entry{subject: e.subject}, ok
}

func subscribeEntry(text string) (entry, bool) {
	fields := strings.Fields(text)
	switch {
	case len(fields) == 0 || len(fields) > 2 || !server.IsValidSubject(fields[0]):
		return entry{}, false
	case len(fields) == 1:
		return entry{subject: fields[0]}, true
	}
	return entry{fields[0], fields[1]}, server.IsValidSubject(fields[1])
}

func install(list []string, parse func(string) (entry, bool)) *gsl.GenericSublist[entry] {
	rules := gsl.NewSublist[entry]()
	for _, text := range list {
		if e, ok := parse(text); ok {
			_ = rules.Insert(e.subject, e) // what is valid, it takes
		}
	}
	return rules
}

// learn takes note of the literals of an allow entry.
func (o *Oracle) learn(subject string) {
	for i, t := range strings.Split(subject, ".") {
		if i == len(o.tokens) {
			o.tokens = append(o.tokens, []string{fresh})
		}
		if t != "*" && t != ">" && !slices.Contains(o.tokens[i], t) {
			o.tokens[i] = append(o.tokens[i], t)
		}
	}
}

// fresh is a token that no rule names.
const fresh = "no-rule-names-this"

// Allows is the verdict on the tokens of a subject as they are written, wildcards
// too, and a queue, empty for none: the reference's on a SUB and, without a queue,
// on a PUB. A subject with an empty token is matched by no entry.
func (o *Oracle) Allows(subject, queue string) bool {
	return o.admits(subject, queue) && !o.Denies(subject, queue)
}

// admits is the part of the allow list.
func (o *Oracle) admits(subject, queue string) bool {
	if !o.listed {
		return true
	}
	plain, queued, matched := survey(o.allow, subject, queue)
	if queue != "" && queued {
		return matched
	}
	return plain
}

// Denies reports whether the deny list refuses the tokens of a subject as they are
// written.
func (o *Oracle) Denies(subject, queue string) bool {
	if o.deny == nil {
		return false
	}
	plain, _, matched := survey(o.deny, subject, queue)
	return plain || matched
}

// survey tells which entries match: a plain one, one with a queue, and one whose
// queue admits the queue that is asked for.
func survey(rules *gsl.GenericSublist[entry], subject, queue string) (bool, bool, bool) {
	var plain, queued, matched bool
	rules.Match(subject, func(e entry) {
		plain = plain || e.queue == ""
		queued = queued || e.queue != ""
		matched = matched || queue != "" && e.queue != "" && queueMatches(e.queue, queue)
	})
	return plain, queued, matched
}

// queueMatches reports whether a queue is the pattern, or one of what it stands for.
func queueMatches(pattern, queue string) bool {
	return pattern == queue || Wildcard(pattern) && server.SubjectMatchesFilter(Tame(queue), Tame(pattern))
}

// Wildcard reports whether a whole token of s is a wildcard.
func Wildcard(s string) bool {
	return slices.ContainsFunc(strings.Split(s, "."), func(t string) bool { return t == "*" || t == ">" })
}

// Tame writes s so that none of its tokens begins with a wildcard byte but the
// wildcards themselves. Two subjects are as equal as before, and what compares the
// first byte of a token compares the whole of it.
func Tame(s string) string {
	tokens := strings.Split(s, ".")
	for i, t := range tokens {
		if t != "*" && t != ">" && t != "" {
			tokens[i] = "=" + t
		}
	}
	return strings.Join(tokens, ".")
}

// Covers reports whether the allow list admits queue on every literal subject that
// a subscription can match (B3). It tries them all, as far as the entries can tell
// them apart: in place of each wildcard every literal that some entry has there and
// one that none has, and for `>` every length up to one more than the longest entry.
func (o *Oracle) Covers(subscription, queue string) bool {
	return !o.listed || o.covers(nil, strings.Split(subscription, "."), queue)
}

func (o *Oracle) covers(head, rest []string, queue string) bool {
	switch {
	case len(rest) == 0:
		return o.admits(strings.Join(head, "."), queue)
	case rest[0] == ">":
		return o.coversTail(head, queue)
	case rest[0] != "*":
		return o.covers(append(head, rest[0]), rest[1:], queue)
	}
	for _, t := range o.literals(len(head)) {
		if !o.covers(append(slices.Clip(head), t), rest[1:], queue) {
			return false
		}
	}
	return true
}

// coversTail tries all that may follow head, one token and more.
func (o *Oracle) coversTail(head []string, queue string) bool {
	for _, t := range o.literals(len(head)) {
		longer := append(slices.Clip(head), t)
		if !o.covers(longer, nil, queue) || len(longer) <= len(o.tokens) && !o.coversTail(longer, queue) {
			return false
		}
	}
	return true
}

// literals are the tokens that the entries tell apart in a position.
func (o *Oracle) literals(position int) []string {
	if position < len(o.tokens) {
		return o.tokens[position]
	}
	return []string{fresh}
}
