package permissions

import (
	"fmt"
	"strings"

	"github.com/natsauth/natsauth/bench/conformance/internal/peer"
)

// Grouping is a Script in which the user and the free one share queue groups, one
// group after the other: what the user may not have, the other one gets.
type Grouping struct {
	User, Free Who
	Groups     []Group
}

// Group is one queue group and what is published to it.
type Group struct {
	Subscription
	Messages []Member
}

// Member is a message. Where it is the other's alone, the answer says who had it;
// otherwise only how many had.
type Member struct {
	Subject string
	Alone   bool
	Decision
}

// Decisions implements [Script].
func (g *Grouping) Decisions() []Decision {
	var out []Decision
	for _, group := range g.Groups {
		out = append(out, group.Decision)
		for _, m := range group.Messages {
			out = append(out, m.Decision)
		}
	}
	return out
}

// Play implements [Script].
func (g *Grouping) Play(s *peer.Server) ([]Answer, error) {
	var clients [3]*peer.Client // who asks, who shares, who publishes
	for i, w := range []Who{g.User, g.Free, g.Free} {
		c, err := w.enter(s)
		if err != nil {
			return nil, err
		}
		defer c.Close()
		clients[i] = c
	}
	var out []Answer
	for sid, group := range g.Groups {
		more, err := group.play(sid, clients[0], clients[1], clients[2])
		if err != nil {
			return nil, err
		}
		out = append(out, more...)
	}
	return out, nil
}

func (g Group) play(sid int, user, other, publisher *peer.Client) ([]Answer, error) {
	told := ask(user, []Step{{Wire: g.wire(sid)}})
	if err := say(other, g.wire(sid)); err != nil {
		return nil, err
	}
	var b strings.Builder
	for i, m := range g.Messages {
		fmt.Fprintf(&b, "PUB %s %d\r\n%s\r\n", m.Subject, marked, mark(i))
	}
	if err := say(publisher, b.String()); err != nil {
		return nil, err
	}
	out := append(answers(told, nil), g.shared(heard(user), heard(other))...)
	end := fmt.Sprintf("UNSUB %d\r\n", sid)
	ask(user, []Step{{Wire: end}})
	return out, say(other, end)
}

// shared tells of each message who had it.
func (g Group) shared(user, other map[int][]string) []Answer {
	out := make([]Answer, len(g.Messages))
	for i, m := range g.Messages {
		out[i] = Answer{fmt.Sprintf("%d copies", len(user[i])+len(other[i])), !m.Alone || len(user[i]) > 0}
		if m.Alone {
			out[i].Text = fmt.Sprintf("user %d, other %d", len(user[i]), len(other[i]))
		}
	}
	return out
}
