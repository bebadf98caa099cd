package subject

import (
	"slices"
	"strconv"
	"strings"
)

// Cause says on what grounds a [Decision] was made.
type Cause uint8

// Causes. The zero Cause is of a Set that was not compiled, which refuses.
const (
	NotCompiled     Cause = iota // the Set is nil or zero: refused
	ByDefault                    // there is no allow list and no deny entry matches: allowed
	ByAllow                      // an allow entry names it: allowed
	ByDeny                       // a deny entry matches: refused
	NotAllowed                   // there is an allow list and it does not cover this: refused
	QueueNotAllowed              // an allow entry matches which asks for another queue: refused
	Invalid                      // the subject or queue is not valid: refused
	ReservedQueue                // the queue is not for clients: refused
)

var causes = [...]string{
	NotCompiled:     "no permissions compiled",
	ByDefault:       "allowed by default",
	ByAllow:         "allowed by an entry",
	ByDeny:          "denied by an entry",
	NotAllowed:      "no allow entry covers it",
	QueueNotAllowed: "allowed for other queues only",
	Invalid:         "invalid subject or queue",
	ReservedQueue:   "reserved queue",
}

// String names c for a person.
func (c Cause) String() string {
	if int(c) < len(causes) {
		return causes[c]
	}
	return "unknown cause " + strconv.Itoa(int(c))
}

// Decision is a verdict and what it rests on. The zero Decision refuses.
type Decision struct {
	Allowed bool
	// Rule is the entry that decided, as it was written, and empty where none
	// did. Where several do it is the first by the order of [Set.Spec]; where a
	// pattern is covered only by several together, it is one of them.
	Rule  string
	Cause Cause
	// Example is, for a pattern that the allow list does not cover, a literal
	// subject that the pattern matches and the list does not allow.
	Example string
}

// WhyPublish is [Set.Publish] with its reason. It may allocate, and looks at
// every rule.
func (s *Set) WhyPublish(subject string) Decision {
	switch {
	case s == nil || !s.compiled:
		return Decision{Cause: NotCompiled}
	case measure(subject).form == foulText:
		return Decision{Cause: Invalid}
	}
	if entry, ok := denying(s.spec.Publish.Deny, publishDeny, subject, ""); ok {
		return Decision{Rule: entry, Cause: ByDeny}
	}
	if !s.publish.listed {
		return Decision{Allowed: true, Cause: ByDefault}
	}
	return allowing(s.spec.Publish.Allow, publishAllow, subject, "")
}

// WhySubscribe is [Set.Subscribe] with its reason. It may allocate, and looks at
// every rule.
func (s *Set) WhySubscribe(subject, queue string) Decision {
	return s.why(subject, queue, Valid(subject), wild(subject))
}

// WhyDeliver is [Set.Deliver] with its reason. It may allocate, and looks at
// every rule.
func (s *Set) WhyDeliver(subject, queue string) Decision {
	return s.why(subject, queue, measure(subject).form == wellFormed, false)
}

func (s *Set) why(subject, queue string, valid, pattern bool) Decision {
	switch {
	case s == nil || !s.compiled:
		return Decision{Cause: NotCompiled}
	case queue == reserved:
		return Decision{Cause: ReservedQueue}
	case !valid || !queueValid(queue):
		return Decision{Cause: Invalid}
	}
	if entry, ok := denying(s.spec.Subscribe.Deny, subscribeEntry, subject, queue); ok {
		return Decision{Rule: entry, Cause: ByDeny}
	}
	switch {
	case !s.subscribe.listed:
		return Decision{Allowed: true, Cause: ByDefault}
	case pattern:
		return s.whyCovered(subject, queue)
	}
	return allowing(s.spec.Subscribe.Allow, subscribeEntry, subject, queue)
}

// denying is the first entry of a deny list that refuses a literal subject.
func denying(list []string, parse func(string) (rule, bool), subject, queue string) (string, bool) {
	for _, entry := range list {
		if r, ok := parse(entry); ok && r.admits(queue) && Match(r.subject, subject) {
			return entry, true
		}
	}
	return "", false
}

// admits reports whether r speaks of a queue: it is plain, or its queue part
// admits it.
func (r rule) admits(queue string) bool {
	return r.queue == "" || queueMatches(r.queue, queue)
}

// allowing is the verdict of an allow list on a literal subject.
func allowing(list []string, parse func(string) (rule, bool), subject, queue string) Decision {
	var plain, other string
	for _, entry := range list {
		r, ok := parse(entry)
		switch {
		case !ok || !Match(r.subject, subject):
		case r.queue == "":
			plain = first(plain, entry)
		case r.admits(queue):
			return Decision{Allowed: true, Rule: entry, Cause: ByAllow}
		case queue != "":
			other = first(other, entry)
		}
	}
	switch {
	case other != "":
		return Decision{Rule: other, Cause: QueueNotAllowed}
	case plain != "":
		return Decision{Allowed: true, Rule: plain, Cause: ByAllow}
	}
	return Decision{Cause: NotAllowed}
}

func first(have, entry string) string {
	if have != "" {
		return have
	}
	return entry
}

// whyCovered is the verdict of the subscribe allow list on a pattern.
func (s *Set) whyCovered(subject, queue string) Decision {
	t := measure(subject)
	short := s.short(&t, queue)
	switch {
	case short.length == 0:
		return Decision{Allowed: true, Rule: s.covering(subject, queue), Cause: ByAllow}
	case short.rule == none:
		return Decision{Cause: NotAllowed, Example: s.example(subject, short.length)}
	}
	x := &s.subscribe.allow
	r := rule{x.subjects[short.rule], x.queue(short.rule)}
	return Decision{
		Rule: s.written(r), Cause: QueueNotAllowed,
		Example: s.example(meet(subject, r.subject), short.length),
	}
}

// covering is an entry that has part in the cover of subject: one that covers it
// alone, if there is one.
func (s *Set) covering(subject, queue string) string {
	var part string
	for _, entry := range s.spec.Subscribe.Allow {
		r, ok := subscribeEntry(entry)
		switch {
		case !ok || !r.admits(queue):
		case Subset(subject, r.subject):
			return entry
		case Overlap(subject, r.subject):
			part = first(part, entry)
		}
	}
	return part
}

// written is the entry of the subscribe allow list that r was read from.
func (s *Set) written(r rule) string {
	i := slices.IndexFunc(s.spec.Subscribe.Allow, func(entry string) bool {
		read, ok := subscribeEntry(entry)
		return ok && read == r
	})
	if i < 0 {
		return ""
	}
	return s.spec.Subscribe.Allow[i]
}

// example is the literal subject of length tokens that pattern matches, each
// wildcard a token that no rule names.
func (s *Set) example(pattern string, length int) string {
	name := s.unnamed()
	list := strings.Split(pattern, ".")
	if list[len(list)-1] == tail {
		list = list[:len(list)-1]
	}
	for i, t := range list {
		if t == one {
			list[i] = name
		}
	}
	for len(list) < length {
		list = append(list, name)
	}
	return strings.Join(list, ".")
}

// unnamed is a token that no entry of the subscribe allow list contains.
func (s *Set) unnamed() string {
	const name = "any"
	for i := 0; ; i++ {
		t := name + strings.Repeat("x", i)
		if !slices.ContainsFunc(s.spec.Subscribe.Allow, func(e string) bool { return strings.Contains(e, t) }) {
			return t
		}
	}
}
