package permissions

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/natsauth/natsauth/bench/conformance/internal/peer"
)

// Subscription is one that a user makes. Its place in the list is its sid.
type Subscription struct {
	Subject, Queue string
	Decision
}

func (s Subscription) wire(sid int) string {
	return "SUB " + strings.TrimSuffix(s.Subject+" "+s.Queue, " ") + fmt.Sprintf(" %d\r\n", sid)
}

// matches reports whether a message with a literal subject is for the subscription.
func (s Subscription) matches(subject string) bool {
	return server.SubjectMatchesFilter(Tame(subject), Tame(s.Subject))
}

// Delivering is a Script in which a user subscribes and the free one publishes, twice:
// the second time, all subscriptions are there.
type Delivering struct {
	User, Free    Who
	Subscriptions []Subscription
	Messages      []string // subjects
	// Half of the subscriptions and messages come first.
	Pairs []Pair
}

// Pair is a message and who should have it: one subscription, or where there is a queue
// all of the same queue together.
type Pair struct {
	Message int
	Sids    []int
	Decision
}

// half is where the second time begins.
func half(n int) int { return n / 2 }

// Decisions implements [Script].
func (d *Delivering) Decisions() []Decision {
	var out []Decision
	for _, s := range d.Subscriptions {
		out = append(out, s.Decision)
	}
	for _, p := range d.Pairs {
		out = append(out, p.Decision)
	}
	return append(out, Decision{Kind: Other, What: "what nobody should have"})
}

// pair lists what is decided by deliveries: of the subscriptions for which live is
// true, and that are there when the message comes.
func (d *Delivering) pair(live func(sid int) bool, decide func(sid int, message string) Decision) {
	for m, subject := range d.Messages {
		there := half(len(d.Subscriptions))
		if m >= half(len(d.Messages)) {
			there = len(d.Subscriptions)
		}
		groups := map[string]int{} // of a queue, its Pair
		for sid, s := range d.Subscriptions[:there] {
			if !live(sid) || !s.matches(subject) {
				continue
			}
			decision := decide(sid, subject)
			if at, ok := groups[s.Queue]; ok && s.Queue != "" {
				p := &d.Pairs[at]
				p.Sids = append(p.Sids, sid)
				p.Wide = p.Wide && decision.Wide
				continue
			}
			groups[s.Queue] = len(d.Pairs)
			d.Pairs = append(d.Pairs, Pair{m, []int{sid}, decision})
		}
	}
}

// arrivals are the decisions of the pairs.
func (d *Delivering) arrivals() []*Decision {
	var out []*Decision
	for i := range d.Pairs {
		out = append(out, &d.Pairs[i].Decision)
	}
	return out
}

// Play implements [Script].
func (d *Delivering) Play(s *peer.Server) ([]Answer, error) {
	free, err := d.Free.enter(s)
	if err != nil {
		return nil, err
	}
	defer free.Close()
	user, err := d.User.enter(s)
	if err != nil {
		return nil, err
	}
	defer leave(user, len(d.Subscriptions))
	subs, msgs := half(len(d.Subscriptions)), half(len(d.Messages))
	told := ask(user, d.steps(0, subs))
	if err := say(free, d.publish(0, msgs)); err != nil {
		return nil, err
	}
	told = append(told, ask(user, d.steps(subs, len(d.Subscriptions)))...)
	if err := say(free, d.publish(msgs, len(d.Messages))); err != nil {
		return nil, err
	}
	lines, open := user.Flush()
	if !open {
		return nil, fmt.Errorf("permissions: closed while it subscribed: %q", lines)
	}
	told, arrived := sift(told, lines)
	return append(answers(told, nil), d.delivered(arrived)...), nil
}

// steps are the SUB lines of some of the subscriptions.
func (d *Delivering) steps(from, to int) []Step {
	var out []Step
	for sid := from; sid < to; sid++ {
		out = append(out, Step{Wire: d.Subscriptions[sid].wire(sid)})
	}
	return out
}

// publish are the PUB lines of some of the messages.
func (d *Delivering) publish(from, to int) string {
	var b strings.Builder
	for m := from; m < to; m++ {
		fmt.Fprintf(&b, "PUB %s %d\r\n%s\r\n", d.Messages[m], marked, mark(m))
	}
	return b.String()
}

// arrival is a message that came to a subscription.
type arrival struct {
	message int
	sid     string
}

// sift takes the messages out of what a user was told, and adds those of lines.
func sift(told [][]string, lines []string) ([][]string, map[arrival]int) {
	arrived := map[arrival]int{}
	take := func(line string) bool {
		if !strings.HasPrefix(line, "MSG ") {
			return false
		}
		n, _ := markOf(line)
		arrived[arrival{n, strings.Fields(line)[2]}]++
		return true
	}
	for i := range told {
		told[i] = slices.DeleteFunc(told[i], take)
	}
	for _, l := range lines {
		take(l)
	}
	return told, arrived
}

// delivered are the answers to the pairs, how many copies came, and what came besides.
func (d *Delivering) delivered(arrived map[arrival]int) []Answer {
	var out []Answer
	for _, p := range d.Pairs {
		n := 0
		for _, sid := range p.Sids {
			at := arrival{p.Message, strconv.Itoa(sid)}
			n += arrived[at]
			delete(arrived, at)
		}
		out = append(out, Answer{fmt.Sprintf("%d copies", n), n > 0})
	}
	return append(out, Answer{fmt.Sprint(arrived), len(arrived) == 0})
}
