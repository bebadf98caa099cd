package permissions

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/natsauth/natsauth/bench/conformance/internal/peer"
)

// Kind is what a decision is about.
type Kind uint8

// The kinds of decisions.
const (
	Publish Kind = iota
	Subscribe
	QueueSubscribe
	Deliver
	Reply
	Other // what is compared and is no decision by permissions
)

// String names the kind.
func (k Kind) String() string {
	return [...]string{"publish", "subscribe", "queue subscribe", "deliver", "reply", "other"}[k]
}

// Kinds are those that are decided by permissions.
func Kinds() []Kind { return []Kind{Publish, Subscribe, QueueSubscribe, Deliver, Reply} }

// Decision is one question that a server is asked.
type Decision struct {
	Kind Kind
	What string   // for people
	Rows []string // of the feature table
	// Wide says that it is about a subscription whose own tokens the rules allow and
	// which matches subjects that they do not (B3).
	Wide bool
	// Expect is what the rules alone say of the reference's answer.
	Expect Expectation
}

// Expectation is the answer that an [Oracle] gives.
type Expectation uint8

// The expectations. What is not put to an oracle is Unknown.
const (
	Unknown Expectation = iota
	Yes
	No
)

func expect(yes bool) Expectation {
	if yes {
		return Yes
	}
	return No
}

// Met reports whether an answer is as it was expected.
func (e Expectation) Met(a Answer) bool { return e == Unknown || a.Yes == (e == Yes) }

// Answer is what a server did about one Decision: the lines that came of it.
type Answer struct {
	Text string
	Yes  bool // it was allowed
}

// weigh takes decisions out of the count, not out of the comparison, where nearly all of
// a list have the same answer.
func weigh(list []*Decision) {
	count := map[Expectation]int{}
	for _, d := range list {
		count[d.Expect]++
	}
	for _, d := range list {
		if count[d.Expect] > 3+2*count[Yes+No-d.Expect] {
			count[d.Expect]--
			d.Kind = Other
		}
	}
}

// Script is what one user, and others of its account, say to a server.
type Script interface {
	// Decisions are what the script asks, in the order of its answers.
	Decisions() []Decision
	// Play asks a server. The error says that a client did not come so far.
	Play(*peer.Server) ([]Answer, error)
}

// Step is one operation of a user, and what is decided by it.
type Step struct {
	Wire string
	Decision
}

// marked is how many bytes of payload say which step a message is of.
const marked = 6

// mark is the payload of a step.
func mark(n int) string { return fmt.Sprintf("%0*d", marked, n) }

// markOf reads the mark at the end of a message's line, which has the payload quoted.
func markOf(line string) (int, bool) {
	line = strings.TrimSuffix(line, `"`)
	if len(line) < marked {
		return 0, false
	}
	n, err := strconv.Atoi(line[len(line)-marked:])
	return n, err == nil
}

// Who is a user and the CONNECT options that it changes.
type Who struct {
	User    peer.User
	Options map[string]any
}

// enter connects and waits until the user is in.
func (w Who) enter(s *peer.Server) (*peer.Client, error) {
	c, err := s.Dial()
	if err != nil {
		return nil, err
	}
	options, err := c.Options(w.User)
	if err != nil {
		return nil, err
	}
	for key, value := range w.Options {
		options[key] = value
	}
	if err := c.Connect(options); err != nil {
		return nil, err
	}
	if lines, open := c.Flush(); !open || slices.ContainsFunc(lines, refusal) {
		return nil, fmt.Errorf("permissions: not admitted: %q", lines)
	}
	return c, nil
}

func refusal(line string) bool { return strings.HasPrefix(line, "-ERR") }

// say sends text and waits until the server has read it.
func say(c *peer.Client, text string) error {
	if err := c.Send(text); err != nil {
		return err
	}
	if lines, open := c.Flush(); !open || slices.ContainsFunc(lines, refusal) {
		return fmt.Errorf("permissions: %q was answered by %q", text, lines)
	}
	return nil
}

// leave ends a connection after its subscriptions, with sids from 0 to below n. What a
// server still takes for a member of a group may get what is meant for the next script.
func leave(c *peer.Client, n int) {
	var all strings.Builder
	for sid := range n {
		fmt.Fprintf(&all, "UNSUB %d\r\n", sid)
	}
	if c.Send(all.String()) == nil {
		c.Flush()
	}
	c.Close()
}

// ask sends steps, each with a PING behind it, and gives what came before each PONG.
// What a server did not come to, since it ended the connection, it is told of.
func ask(c *peer.Client, steps []Step) [][]string {
	var wire strings.Builder
	for _, s := range steps {
		wire.WriteString(s.Wire + "PING\r\n")
	}
	if err := c.Send(wire.String()); err != nil {
		return slices.Repeat([][]string{{err.Error()}}, len(steps))
	}
	left := len(steps)
	lines, open := c.Until(func(line string) bool {
		if line == "PONG" {
			left--
		}
		return left == 0
	})
	if !open {
		lines = append(lines, "(closed)")
	}
	return part(lines, len(steps))
}

// part cuts lines into n pieces, where PONG stands.
func part(lines []string, n int) [][]string {
	out := make([][]string, n)
	at := 0
	for _, l := range lines {
		switch {
		case l == "PONG":
			at++
		case at < n:
			out[at] = append(out[at], l)
		}
	}
	return out
}
