package permissions

import (
	"github.com/natsauth/natsauth/bench/conformance/internal/peer"
)

// Responding is a Script in which the free user sends requests and the other one answers,
// in turns.
type Responding struct {
	User, Free Who
	Turns      []Turn
}

// Turn is some requests, and then what the user does, most of it answers.
type Turn struct {
	Requests string // PUB lines
	Steps    []Step
}

// Decisions implements [Script].
func (r *Responding) Decisions() []Decision {
	var out []Decision
	for _, t := range r.Turns {
		out = append(out, decisions(t.Steps)...)
	}
	return out
}

// answers are the decisions by response permissions.
func (r *Responding) answers() []*Decision {
	var out []*Decision
	for _, t := range r.Turns {
		for i := range t.Steps {
			if d := &t.Steps[i].Decision; d.Kind == Reply {
				out = append(out, d)
			}
		}
	}
	return out
}

// Play implements [Script].
func (r *Responding) Play(s *peer.Server) ([]Answer, error) {
	free, err := r.Free.enter(s)
	if err != nil {
		return nil, err
	}
	defer free.Close()
	user, err := r.User.enter(s)
	if err != nil {
		return nil, err
	}
	defer user.Close()
	if err := say(free, "SUB in.> 1\r\n"); err != nil {
		return nil, err
	}
	var out []Answer
	for _, t := range r.Turns {
		if err := say(free, t.Requests); err != nil {
			return nil, err
		}
		user.Flush() // the requests have arrived
		told := ask(user, t.Steps)
		out = append(out, answers(told, heard(free))...)
	}
	return out, nil
}
