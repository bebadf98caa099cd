package subject

import (
	"fmt"
	"hash/maphash"
	"strings"
)

// Ranking finds the most specific of many subjects that match. It does not
// change, and any number of goroutines may use it. A nil Ranking and the zero
// Ranking find nothing.
type Ranking struct{ index index }

// NewRanking makes a Ranking of subjects and keeps no part of the slice. All must be
// [Valid]: the error names one that is not. The work grows with their tokens, but
// for a logarithm.
func NewRanking(subjects []string) (*Ranking, error) {
	rules := make([]rule, len(subjects))
	for i, s := range subjects {
		if !Valid(s) {
			return nil, fmt.Errorf("subject: %q is not a subject", s)
		}
		rules[i] = rule{subject: s}
	}
	return &Ranking{newIndex(maphash.MakeSeed(), rules)}, nil
}

// Find gives the place in the list of the subject that matches s, as [Match] does but
// that a last token `>` of s is matched by `>` only (nats-server v2.15
// server/sublist.go isSubsetMatch), and is the most specific: at the first token where two that match differ, a
// literal goes before `*`, and that before `>` (rule: B10). Of equal ones it is the first
// of the list. It does not allocate, and looks at every subject at most once.
func (r *Ranking) Find(s string) (int, bool) {
	if r == nil || len(r.index.nodes) == 0 {
		return 0, false
	}
	t := measure(s)
	if t.form != wellFormed {
		return 0, false
	}
	best := r.index.best(&t, place{})
	return int(best), best >= 0
}

// Compare orders two subjects by how specific they are: negative where a is the more
// specific one, as [Ranking.Find] has it, and equal ones by their text.
func Compare(a, b string) int {
	for s, t, more := a, b, true; more; {
		var x, y string
		var smore, tmore bool
		x, s, smore = strings.Cut(s, ".")
		y, t, tmore = strings.Cut(t, ".")
		if d := generality(x) - generality(y); d != 0 {
			return d
		}
		more = smore && tmore
	}
	return strings.Compare(a, b)
}

func generality(token string) int {
	switch token {
	case tail:
		return 2
	case one:
		return 1
	default:
		return 0
	}
}

// nothing is the rule that best gives where none matches.
const nothing = -1

// best is the most specific plain rule that matches t, from p on. The rules that
// meet in a node agree up to it; behind it the literal edge leads to the more
// specific ones, then the star, and those that end here with `>` are the last.
func (x *index) best(t *text, p place) int32 {
	if p.at < 0 {
		return x.firstPlain([]int32{int32(^p.at)}, t)
	}
	n := &x.nodes[p.at]
	level := int(n.level)
	if level >= t.n {
		return x.firstPlain(x.order[n.exact:n.tails], t) // a longer one does not match
	}
	if n.literal {
		for ; p.behind < level; p.behind++ {
			p.start = tokenEnd(t.s, p.start) + 1
		}
		to := x.follow(int32(p.at), x.digest(t.s[p.start:tokenEnd(t.s, p.start)]))
		if found := x.onward(t, p, to); found != nothing {
			return found
		}
	}
	if found := x.onward(t, p, n.star); found != nothing {
		return found
	}
	return x.firstPlain(x.order[n.tails:n.end], t)
}

// onward is best from the place that an edge leads to, if there is one.
func (x *index) onward(t *text, p place, to ref) int32 {
	if to == 0 {
		return nothing
	}
	p.at = to
	return x.best(t, p)
}

// openEnd says whether the last token is `>`.
func openEnd(s string) bool { return s == tail || strings.HasSuffix(s, "."+tail) }

func (x *index) firstPlain(rules []int32, t *text) int32 {
	for _, r := range rules {
		if x.plain(r, t) && (!openEnd(t.s) || openEnd(x.subjects[r])) {
			return r
		}
	}
	return nothing
}
