package permissions

import (
	"fmt"
	"slices"
	"strings"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"

	"github.com/natsauth/natsauth/bench/conformance/internal/world"
)

// scripter writes the scripts of one cell. Of what it draws it takes as much that is
// allowed as that is refused, as far as the rules have both.
type scripter struct {
	drawer
	rules              Rules
	source             []string // rows that every decision of the cell hits
	user, free         Who
	publish, subscribe *Oracle
}

// How much of everything a cell has.
const (
	publishes     = 34
	subscriptions = 26
	messages      = 16
)

// some draws until there are so many of which yes says no, and so many of which it says
// yes, or as many draws are used up as make it unlikely.
func some[T any](no, yes int, draw func() T, is func(T) bool) []T {
	var sides [2][]T
	for range 40 * (no + yes) {
		v := draw()
		switch is := is(v); {
		case is && len(sides[1]) < yes:
			sides[1] = append(sides[1], v)
		case !is && len(sides[0]) < no:
			sides[0] = append(sides[0], v)
		}
	}
	return slices.Concat(sides[0], sides[1])
}

// shuffled is a list in another order.
func shuffled[T any](d drawer, list []T) []T {
	d.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list
}

// publishing tries to publish, and again some of it.
func (s scripter) publishing() Script {
	ops := shuffled(s.drawer, some(publishes/2, publishes/2, s.publication, s.publishable))
	ops = append(ops, ops[:len(ops)/5]...)
	a := &Asking{User: s.user, Free: s.free, Listen: ">"}
	for i, p := range ops {
		d := p.Decision
		d.Rows = append(slices.Clone(s.source), d.Rows...)
		d.Expect = expect(s.publishable(p))
		if i >= len(ops)-len(ops)/6 {
			d.Rows = append(d.Rows, "F067")
		}
		a.Steps = append(a.Steps, Step{p.wire(i), d})
	}
	return a
}

// publishable says that the reference takes a message.
func (s scripter) publishable(p publication) bool {
	return !p.reserved() && s.publish.Allows(p.mapped, "")
}

// subscriptionsOf draws what a user subscribes to.
func (s scripter) subscriptionsOf(n int) []Subscription {
	plain := some(n/4, n/4, func() Subscription { return s.subscription("") }, s.live)
	queued := some(n/4, n/4, func() Subscription { return s.subscription(s.asked()) }, s.live)
	return shuffled(s.drawer, slices.Concat(plain, queued))
}

// asked is the name of a queue.
func (d drawer) asked() string {
	return d.pick("v", "v", "w", "v.x", "v.x.y", "w.y", "v.*", "u", "u.x", "_sys_")
}

// live says that the reference takes the subscription.
func (s scripter) live(sub Subscription) bool {
	return s.subscribe.Allows(sub.Subject, sub.Queue) && sub.Queue != "_sys_" && server.IsValidSubject(sub.Subject)
}

// subscription draws one; half of them close to what the rules say.
func (s scripter) subscription(queue string) Subscription {
	sub := Subscription{Subject: s.pattern(4), Queue: queue}
	switch n := s.IntN(100); {
	case n < 50:
		sub.Subject = s.near()
	case n < 65:
		sub.Subject = s.subject(4)
	case n < 70:
		sub.Subject = s.pick("a..b", ".a", "a.", ">.a", "a.>.b", "*.", ">.bar", "*..>")
	}
	sub.Decision = s.subscribed(sub)
	return sub
}

// near is a subject of a subscribe entry, or one that differs from it in a token.
func (s scripter) near() string {
	entries := slices.Concat(s.rules.Subscribe.Allow, s.rules.Subscribe.Deny)
	if len(entries) == 0 {
		return s.pattern(3)
	}
	subject, _, _ := strings.Cut(s.pick(entries...), " ")
	tokens := strings.Split(subject, ".")
	switch s.IntN(4) {
	case 0:
		tokens[len(tokens)-1] = ">"
	case 1:
		tokens[s.IntN(len(tokens))] = "*"
	case 2:
		tokens[s.IntN(len(tokens))] = s.token()
	}
	return strings.Join(tokens, ".")
}

// subscribed is what a SUB decides.
func (s scripter) subscribed(sub Subscription) Decision {
	d := Decision{Kind: Subscribe, What: fmt.Sprintf("SUB %s %s", sub.Subject, sub.Queue), Rows: append([]string{"F061"}, s.source...)}
	if sub.Queue != "" {
		d.Kind = QueueSubscribe
		d.Rows[0] = "F062"
	}
	if !server.IsValidSubject(sub.Subject) {
		d.Rows = append(d.Rows, "F055")
	}
	d.Expect = expect(s.live(sub))
	d.Wide = s.live(sub) && Wildcard(sub.Subject) && !s.subscribe.Covers(sub.Subject, sub.Queue)
	return d
}

// delivering subscribes and sees what comes.
func (s scripter) delivering() Script {
	d := &Delivering{User: s.user, Free: s.free, Subscriptions: s.subscriptionsOf(subscriptions)}
	var live []Subscription
	for _, sub := range d.Subscriptions {
		if s.live(sub) {
			live = append(live, sub)
		}
	}
	d.Messages = shuffled(s.drawer, some(messages/4, messages*3/4, func() string { return s.message(live) }, func(m string) bool { return s.withheld(live, m) }))
	d.pair(func(sid int) bool { return s.live(d.Subscriptions[sid]) }, func(sid int, message string) Decision {
		return s.arrives(d.Subscriptions[sid], message)
	})
	weigh(d.arrivals())
	return d
}

// message is a literal subject, which one of the subscriptions matches if there is any.
func (s scripter) message(live []Subscription) string {
	if len(live) == 0 || s.chance(10) {
		return s.subject(4)
	}
	return s.instance(live[s.IntN(len(live))].Subject)
}

// instance is a literal subject that a pattern matches.
func (d drawer) instance(pattern string) string {
	tokens := strings.Split(pattern, ".")
	for i, t := range tokens {
		switch t {
		case "*":
			tokens[i] = d.token()
		case ">":
			tokens[i] = d.subject(2)
		}
	}
	return strings.Join(tokens, ".")
}

// withheld says that some subscription matches a message and may not have it.
func (s scripter) withheld(live []Subscription, message string) bool {
	return slices.ContainsFunc(live, func(sub Subscription) bool {
		return sub.matches(message) && s.subscribe.Denies(message, sub.Queue)
	})
}

// arrives is what a delivery decides.
func (s scripter) arrives(sub Subscription, message string) Decision {
	return Decision{
		Kind: Deliver, What: fmt.Sprintf("message %s for %s", message, sub.What), Wide: sub.Wide,
		Rows: append([]string{"F063"}, s.source...), Expect: expect(!s.subscribe.Denies(message, sub.Queue)),
	}
}

// grouping shares queues with another client.
func (s scripter) grouping() Script {
	g := &Grouping{User: s.user, Free: s.free}
	for range 3 {
		sub := s.subscription(s.pick("v", "w", "v.x", "w.y", "v.x.y"))
		if !server.IsValidSubject(sub.Subject) {
			continue
		}
		group := Group{Subscription: sub}
		for _, m := range some(3, 3, func() string { return s.instance(sub.Subject) }, func(m string) bool { return s.subscribe.Allows(m, sub.Queue) }) {
			decision := s.arrives(sub, m)
			decision.Kind, decision.Rows[0], decision.Expect = Other, "F062", Unknown
			alone := !s.live(sub) || s.subscribe.Denies(m, sub.Queue)
			group.Messages = append(group.Messages, Member{m, alone, decision})
		}
		g.Groups = append(g.Groups, group)
	}
	return g
}

// silence publishes where nobody listens, with and without a subscription to the reply.
func (s scripter) silence() Script {
	a := &Asking{User: s.user}
	for i, reply := range []string{"a.b", "b.c", "a.b.c", "c", "ann.ops"} {
		sub := s.subscribed(Subscription{Subject: reply})
		a.Steps = append(a.Steps,
			Step{fmt.Sprintf("SUB %s %d\r\n", reply, i), sub},
			Step{fmt.Sprintf("PUB %s %s %d\r\n%s\r\n", s.pick("b.a", "c.c.c", "a.c"), reply, marked, mark(2*i+1)),
				Decision{Kind: Other, What: "a request that nobody hears, reply " + reply, Rows: []string{"F060"}}},
		)
	}
	return a
}

// reserved tries the subjects and replies that servers keep to themselves, and those that
// only look like them, as a user who may do everything.
func (s scripter) reserved() Script {
	a := &Asking{User: s.free, Free: s.free, Listen: ">"}
	for _, subject := range reservedSubjects {
		for _, p := range []publication{{subject: subject}, {subject: "a", reply: subject}} {
			d := Decision{Kind: Other, What: fmt.Sprintf("PUB %s %s", p.subject, p.reply), Rows: []string{"F059"}, Expect: expect(!p.reserved())}
			a.Steps = append(a.Steps, Step{p.wire(len(a.Steps)), d})
		}
	}
	return a
}

// unsubscribing is all that can be done with sids, by a user who may do everything.
func (s scripter) unsubscribing() Script {
	who := Who{s.free.User, map[string]any{"echo": s.chance(80), "verbose": s.chance(20)}}
	a := &Asking{User: who}
	for _, op := range []string{
		"SUB u.a 1", "UNSUB 1 2", "PUB", "PUB", "PUB", "SUB u.a 2", "UNSUB 2 1", "SUB u.a 2", "PUB", "PUB", "UNSUB 9",
		"SUB u.a 3", "SUB u.b 3", "PUB", "UNSUB 3", "PUB", "SUB u.a 4", "PUB", "PUB", "UNSUB 4 1", "PUB",
		"SUB u.* v 5", "UNSUB 5 1", "PUB", "PUB", "SUB u.> 6", "UNSUB 6 3", "PUB", "PUB", "PUB", "PUB", "UNSUB 6 0",
	} {
		if op == "PUB" {
			op = fmt.Sprintf("PUB u.a %d\r\n%s", marked, mark(len(a.Steps)))
		}
		a.Steps = append(a.Steps, Step{op + "\r\n", Decision{Kind: Other, What: op}})
	}
	return a
}

// limits goes up to the limits of a user, and over them.
func (s scripter) limits(a *world.Account) Script {
	subs, payload := int64(1+s.IntN(4)), int64(marked+s.IntN(3)*20)
	user := a.User("limited", a.Key, func(u *jwt.UserClaims) {
		u.Permissions, u.Subs, u.NatsLimits.Payload = everything(), subs, payload
	})
	ask := &Asking{User: Who{user, map[string]any{"verbose": s.chance(20)}}, Free: s.free, Listen: "l.>"}
	do := func(wire string, rows ...string) {
		ask.Steps = append(ask.Steps, Step{wire, Decision{Kind: Other, What: strings.TrimSpace(wire), Rows: rows}})
	}
	do("SUB l.1.2.3.4.5.6 t\r\n")
	for i := range subs + 2 {
		do(fmt.Sprintf("SUB k.%d %d\r\n", i, i), "F053", "F054")
	}
	do("UNSUB 0\r\nSUB k.again again\r\n", "F054")
	for _, size := range []int64{marked, payload, payload + 1} {
		text := strings.Repeat("x", int(size)-marked) + mark(len(ask.Steps))
		do(fmt.Sprintf("PUB l.x %d\r\n%s\r\n", size, text), "F053", "F054")
	}
	return ask
}

// responding has requests answered, once and more often.
func (s scripter) responding() Script {
	requests := s.subscribed(Subscription{Subject: "req.>"})
	first := Turn{Steps: []Step{{"SUB req.> 1\r\n", requests}}}
	r := &Responding{User: s.user, Free: s.free, Turns: []Turn{first}}
	known := newTracker(s.rules.Responses)
	for n := range 4 {
		r.Turns = append(r.Turns, s.turn(known, n == 0, "in.a", "in.b", "in.c", "in.a.b", "in.ops", "in.e", "in.f", "in.g"))
	}
	weigh(r.answers())
	return r
}

// turn is a request now and then, or everywhere, and some answers, whether there was one
// or not.
func (s scripter) turn(known *tracker, everywhere bool, replies ...string) Turn {
	var t Turn
	for _, reply := range replies {
		if everywhere || s.chance(50) {
			t.Requests += s.request(known, reply)
		}
	}
	for _, reply := range replies {
		for range s.IntN(4) {
			wire := fmt.Sprintf("PUB %s %d\r\n%s\r\n", reply, marked, mark(len(t.Steps)))
			t.Steps = append(t.Steps, Step{wire, s.answered(known, reply)})
		}
	}
	return t
}

// request is a request, and takes note of it if it arrives and its reply needs to be
// remembered.
func (s scripter) request(known *tracker, reply string) string {
	subject := "req." + s.token()
	if s.subscribe.Allows("req.>", "") && !s.subscribe.Denies(subject, "") && !s.publish.Allows(reply, "") {
		known.delivered(reply)
	}
	return fmt.Sprintf("PUB %s %s %d\r\n%s\r\n", subject, reply, marked, mark(0))
}

// answered is what an answer decides: where the rules allow it anyway, it is like
// anything else that is published.
func (s scripter) answered(known *tracker, reply string) Decision {
	if s.publish.Allows(reply, "") {
		return Decision{Kind: Publish, What: "answer to " + reply, Rows: append([]string{"F056"}, s.source...), Expect: Yes}
	}
	rows := append([]string{"F064", "F065", "F066"}, s.source...)
	return Decision{Kind: Reply, What: "answer to " + reply, Rows: rows, Expect: expect(known.answer(reply))}
}
