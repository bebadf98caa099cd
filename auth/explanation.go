package auth

import (
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/natsauth/natsauth/claims"
)

// Outcome is what became of a step.
type Outcome uint8

// The outcomes.
const (
	NotReached Outcome = iota // an earlier step refused
	Passed
	Skipped // there was nothing to look at, or nothing to refuse yet
	Refused
)

// String gives the outcome's name.
func (o Outcome) String() string {
	names := [...]string{NotReached: "not reached", Passed: "passed", Skipped: "skipped", Refused: "refused"}
	if int(o) >= len(names) {
		return "outcome(" + strconv.Itoa(int(o)) + ")"
	}
	return names[o]
}

// MarshalText gives the outcome's name.
func (o Outcome) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// StepResult is one step of an [Explanation].
type StepResult struct {
	Step    Step    `json:"step"`
	Outcome Outcome `json:"outcome"`
	Why     string  `json:"why,omitempty"` // for skipped and refused steps
	Facts   []Fact  `json:"facts,omitempty"`
}

// Explanation is how a decision came about, or would. Print it for people,
// marshal it to JSON for machines. It holds no token, signature or password. The
// zero Explanation is of nothing, and says so.
type Explanation struct {
	Err         *Error             `json:"error"` // nil: the client would be admitted
	Steps       []StepResult       `json:"steps"` // all of them, in order
	User        Identity           `json:"user"`
	Account     Revision           `json:"account"`
	Operator    string             `json:"operator,omitempty"`
	Permissions claims.Permissions `json:"permissions"`       // effective
	Source      string             `json:"source,omitempty"`  // of the permissions: token, scope or account defaults
	Dropped     []Fact             `json:"dropped,omitempty"` // template entries that were left out, and why
	Limits      Limits             `json:"limits"`
	Expires     time.Time          `json:"expires,omitzero"`     // when the session would end by itself; zero: never
	ExpiresBy   string             `json:"expires_by,omitempty"` // what would end it
}

// trace collects what the steps tell.
type trace struct {
	steps   []StepResult
	facts   []Fact // of the step that is being taken
	skipped string // likewise
	dropped []Fact
}

// end closes a step. A nil trace collects nothing.
func (t *trace) end(step Step, err *Error) {
	if t == nil {
		return
	}
	r := StepResult{Step: step, Outcome: Passed, Facts: t.facts}
	switch {
	case err != nil:
		r.Outcome, r.Why = Refused, err.Reason.sentence()
		r.Facts = append(r.Facts, err.Evidence...)
		if err.Err != nil {
			r.Facts = append(r.Facts, Fact{"cause", err.cause()})
		}
	case t.skipped != "":
		r.Outcome, r.Why = Skipped, t.skipped
	}
	t.steps = append(t.steps, r)
	t.facts, t.skipped = nil, ""
}

// drop notes a template entry that was left out.
func (t *trace) drop(e *claims.TemplateError) {
	t.dropped = append(t.dropped, Fact{line(e.Entry), line(strings.TrimSpace("{{" + e.Placeholder + "}} " + e.Detail))})
}

// explain makes the explanation of a decision that has come to its end.
func (d *decision) explain(err *Error) Explanation {
	x := Explanation{Err: err, Source: d.source}
	if d.trace != nil {
		x.Steps, x.Dropped = d.trace.steps, d.trace.dropped
	}
	for i := len(x.Steps); i < len(steps); i++ {
		x.Steps = append(x.Steps, StepResult{Step: steps[i].name, Outcome: NotReached})
	}
	if d.account == nil {
		d.explainUser(&x)
		return x
	}
	x.Account, x.Operator = d.account.Revision(), d.account.Operator()
	if d.compiled == nil {
		d.explainUser(&x)
		return x
	}
	x.User = identify(d.user, d.account, d.compiled, d.credentials.ConnectionType, d.proxy)
	if d.rights != nil {
		x.Permissions, x.Limits = d.rights.permissions, d.limits
	}
	st := d.standing()
	if end := (given{&st, d.account}).end(); end.at != 0 {
		x.Expires, x.ExpiresBy = time.Unix(0, end.at).UTC(), endings[end.by].name
	}
	return x
}

// explainUser tells what the token alone says of the user, as far as it was
// read.
func (d *decision) explainUser(x *Explanation) {
	if d.user == nil {
		return
	}
	c := &d.user.claims
	x.User = Identity{Key: c.Key, Name: c.Name, Account: c.Account(), Issuer: c.Issuer, IssuedAt: c.IssuedAt, Digest: c.Digest,
		ConnectionType: d.credentials.ConnectionType, Proxy: d.proxy}
}

// String gives the explanation as a table, a step a line, and what it comes to.
func (x Explanation) String() string {
	if len(x.Steps) == 0 {
		return "nothing was decided\n"
	}
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	var rest []string
	for _, s := range x.Steps {
		if s.Outcome == NotReached {
			rest = append(rest, s.Step.String())
			continue
		}
		fmt.Fprintln(w, strings.TrimRight(fmt.Sprintf("%s\t%s\t%s", s.Step, s.Outcome, detail(s)), "\t"))
	}
	w.Flush() //nolint:errcheck // a Builder does not fail
	if len(rest) > 0 {
		fmt.Fprintf(&b, "not reached: %s\n", strings.Join(rest, ", "))
	}
	if x.Err != nil {
		fmt.Fprintf(&b, "refused: %s; the client is told %q\n", x.Err.Reason.sentence(), x.Err.Wire())
		return b.String()
	}
	fmt.Fprintf(&b, "admitted: permissions from %s, payload %s, subscriptions %s, until %s\n",
		x.Source, limitText(x.Limits.Payload), limitText(x.Limits.Subscriptions), x.end())
	for _, d := range x.Dropped {
		fmt.Fprintf(&b, "left out: %s: %s\n", d.Name, d.Value)
	}
	return b.String()
}

func (x Explanation) end() string {
	if x.Expires.IsZero() {
		return "it is closed"
	}
	return x.Expires.Format(time.RFC3339) + " (" + x.ExpiresBy + ")"
}

func detail(s StepResult) string {
	var parts []string
	if s.Why != "" {
		parts = append(parts, s.Why)
	}
	for _, f := range s.Facts {
		parts = append(parts, f.Name+" "+f.Value)
	}
	return strings.Join(parts, "; ")
}
