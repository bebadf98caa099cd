package permissions

import (
	"slices"
	"strings"

	"github.com/natsauth/natsauth/bench/conformance/internal/peer"
)

// Asking is a Script in which one user does one thing after the other, and another
// one may listen.
type Asking struct {
	User   Who
	Free   Who
	Listen string // what the free user subscribes to; empty for nothing
	Steps  []Step
}

// Decisions implements [Script].
func (a *Asking) Decisions() []Decision { return decisions(a.Steps) }

func decisions(steps []Step) []Decision {
	out := make([]Decision, len(steps))
	for i, s := range steps {
		out[i] = s.Decision
	}
	return out
}

// Play implements [Script].
func (a *Asking) Play(s *peer.Server) ([]Answer, error) {
	var listener *peer.Client
	if a.Listen != "" {
		c, err := a.Free.enter(s)
		if err != nil {
			return nil, err
		}
		defer leave(c, 2)
		if err := say(c, "SUB "+a.Listen+" 1\r\n"); err != nil {
			return nil, err
		}
		listener = c
	}
	user, err := a.User.enter(s)
	if err != nil {
		return nil, err
	}
	defer user.Close()
	return answers(ask(user, a.Steps), heard(listener)), nil
}

// heard are the messages that a client was sent, by their marks; a mark that is not
// there has none. A nil client heard nothing.
func heard(c *peer.Client) map[int][]string {
	out := map[int][]string{}
	if c == nil {
		return out
	}
	lines, _ := c.Flush()
	for _, l := range lines {
		n, _ := markOf(l)
		out[n] = append(out[n], l)
	}
	return out
}

// refused says that a step was not done. To a pedantic client some are done that it is
// told of.
func refused(line string) bool { return refusal(line) && line != pedantic }

const pedantic = "-ERR 'Invalid Publish Subject'"

// repeated says that a line was told twice. The reference reads a PUB line again where
// what it could read at once ended inside the payload (nats-server v2.15
// server/parser.go clonePubArg).
func repeated(line, next string) bool { return line == pedantic && next == pedantic }

// answers put together what the user was told of each step and what others heard of
// it.
func answers(told [][]string, heard map[int][]string) []Answer {
	out := make([]Answer, len(told))
	for i, lines := range told {
		lines = slices.CompactFunc(lines, repeated)
		text := strings.Join(lines, " | ")
		out[i] = Answer{Yes: !slices.ContainsFunc(lines, refused)}
		out[i].Text = text + " -> " + strings.Join(heard[i], " | ")
	}
	return out
}
