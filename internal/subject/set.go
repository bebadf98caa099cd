package subject

import (
	"hash/maphash"
	"slices"
	"strings"
)

// reserved is the queue name that no client may use. Behaviour: nats-server
// v2.15 server/client.go sysGroup.
const reserved = "_sys_"

// Set is a [Spec] made ready to answer. It does not change, and any number of
// goroutines may use it. A nil Set and the zero Set refuse everything.
type Set struct {
	cutter
	spec               Spec
	compiled           bool
	publish, subscribe side
}

// side is one kind of permission.
type side struct {
	listed      bool // there is an allow list: what it does not name is refused
	allow, deny index
}

// Compile makes a Set of s and keeps no part of it. Entries that are not valid
// are left out, and a list is no longer empty for having had one: an allow list
// without a valid entry allows nothing. A publish deny entry with a queue denies
// its subject; a publish allow entry with a queue is not valid. Behaviour:
// nats-server v2.15 server/client.go setPermissions.
func Compile(s Spec) *Set {
	s = s.canonical()
	p := [4][]rule{
		inForce(s.Publish.Allow, publishAllow), inForce(s.Publish.Deny, publishDeny),
		inForce(s.Subscribe.Allow, subscribeEntry), inForce(s.Subscribe.Deny, subscribeEntry),
	}
	seed := maphash.MakeSeed()
	var c cutter
	for _, rules := range p {
		for _, r := range rules {
			c.depth = max(c.depth, 1+strings.Count(r.subject, "."))
		}
	}
	return &Set{
		cutter: c, spec: s, compiled: true,
		publish:   side{s.Closed || len(s.Publish.Allow) > 0, newIndex(seed, p[0]), newIndex(seed, p[1])},
		subscribe: side{len(s.Subscribe.Allow) > 0, newIndex(seed, p[2]), newIndex(seed, p[3])},
	}
}

// inForce are the rules of a sorted list, without the entries that are not valid
// and, where a queue was left out, without most of those that are now the same.
func inForce(list []string, parse func(string) (rule, bool)) []rule {
	rules := make([]rule, 0, len(list))
	for _, entry := range list {
		if r, ok := parse(entry); ok {
			rules = append(rules, r)
		}
	}
	return slices.Compact(rules)
}

// publishAllow reads an entry that may not name a queue.
func publishAllow(entry string) (rule, bool) {
	return rule{subject: entry}, Valid(entry)
}

// publishDeny reads an entry whose queue, should it name one, has no meaning: it
// is left out rather than the entry.
func publishDeny(entry string) (rule, bool) {
	if Valid(entry) {
		return rule{subject: entry}, true
	}
	subject, _, ok := SplitEntry(entry)
	return rule{subject: subject}, ok
}

// subscribeEntry reads an entry that may name a queue.
func subscribeEntry(entry string) (rule, bool) {
	subject, queue, ok := SplitEntry(entry)
	return rule{subject, queue}, ok
}

// Spec returns the lists that s was made of, sorted and without duplicates. They
// are shared: callers must not write to them. A nil Set returns the zero Spec,
// which is not what it answers.
func (s *Set) Spec() Spec {
	if s == nil {
		return Spec{}
	}
	return s.spec
}

// Publish reports whether a message may be published to subject, whose tokens
// count as literals, wildcards too. A subject with an empty token is matched by
// no rule; one with white space or a control byte is refused. It does not
// allocate unless the subject and some rule have more than 32 tokens. Behaviour:
// nats-server v2.15 server/client.go pubAllowedFullCheck.
func (s *Set) Publish(subject string) bool {
	if s == nil || !s.compiled {
		return false
	}
	t := measure(subject)
	switch t.form {
	case foulText:
		return false
	case emptyToken:
		return !s.publish.listed
	}
	return s.allows(&s.publish, &t, "") && !s.denies(&s.publish, &t, "")
}

// Subscribe reports whether a subscription to subject may be made, in a queue
// group if queue is not empty. It may if the allow list allows every literal
// subject that it can match (rule: B3) and no deny entry matches its own tokens,
// taken literally; what deny entries overlap besides is for [Set.Deliver]. A
// subject or queue that is not [Valid] is refused, and so is the queue `_sys_`.
// Behaviour: nats-server v2.15 server/client.go canSubscribeInternal.
func (s *Set) Subscribe(subject, queue string) bool {
	if s == nil || !s.compiled || !Valid(subject) || !queueValid(queue) {
		return false
	}
	t := measure(subject)
	switch d := &s.subscribe; {
	case s.denies(d, &t, queue):
		return false
	case d.listed && wild(subject):
		return s.short(&t, queue).length == 0
	default:
		return s.allows(d, &t, queue)
	}
}

// short is where the subscribe allow list falls short of a wildcard subject.
func (s *Set) short(t *text, queue string) shortfall {
	var buf, met [maxWords]word
	w := s.pattern(buf[:], t)
	return s.shortfall(&s.subscribe.allow, met[:], &w, queue)
}

// Deliver reports whether a message that was published to subject may be handed
// to a subscription in the queue group, or in none if queue is empty. It asks
// the allow and the deny list of the subscribe permissions, so a subscription
// older than the rules receives nothing that they do not allow. A subject with
// an empty token, white space or a control byte is refused, as is a queue that
// is not [Valid] or is `_sys_`. Behaviour: nats-server v2.15 server/client.go
// canSubscribeInternal and checkDenySub.
func (s *Set) Deliver(subject, queue string) bool {
	if s == nil || !s.compiled || !queueValid(queue) {
		return false
	}
	t := measure(subject)
	return t.form == wellFormed && s.allows(&s.subscribe, &t, queue) && !s.denies(&s.subscribe, &t, queue)
}

// queueValid reports whether a subscription may name queue, or none.
func queueValid(queue string) bool {
	return queue == "" || queue != reserved && Valid(queue)
}

// allows reports whether the allow list of d admits t: by an entry for the queue
// where some entry with a queue matches, else by a plain one.
func (s *Set) allows(d *side, t *text, queue string) bool {
	switch {
	case !d.listed:
		return true
	case queue == "" || d.allow.queues == nil:
		return s.plain(&d.allow, t)
	}
	found := s.tally(&d.allow, t, queue)
	return found.matched || found.plain && !found.queued
}

// denies reports whether the deny list of d refuses t: by a plain entry, or by
// one for the queue.
func (s *Set) denies(d *side, t *text, queue string) bool {
	if queue == "" || d.deny.queues == nil {
		return s.plain(&d.deny, t)
	}
	found := s.tally(&d.deny, t, queue)
	return found.plain || found.matched
}

// plain reports whether an entry without a queue matches t.
func (s *Set) plain(x *index, t *text) bool {
	if len(x.nodes) == 0 {
		return false
	}
	hit, fork, forks := x.line(t, place{})
	if !hit && forks == 1 {
		hit, _, forks = x.line(t, fork)
	}
	return hit || forks > 0 && s.tally(x, t, "").plain
}

// tally finds all that matches t.
func (s *Set) tally(x *index, t *text, queue string) tally {
	var buf [maxWords]word
	w := s.literal(buf[:], t)
	found := tally{queue: queue}
	x.find(&w, &found)
	return found
}
