package subject

import (
	"math"
	"strings"
)

// Crossing finds those of many subjects that overlap one: some literal subject is matched
// by both. It does not change, and any number of goroutines may use it. A nil Crossing and
// the zero Crossing find nothing.
type Crossing struct {
	nodes []crossing // the first is the root
}

// crossing is a place in a trie of subjects. A run of tokens that does not branch is one
// place, however long.
type crossing struct {
	label       string           // the tokens of the way here, after the first
	ends, tails []int32          // the subjects that end here, and those that do with `>`
	star        int32            // what follows a `*`; 0: nothing
	literals    map[string]int32 // what follows the other tokens
}

// NewCrossing makes a Crossing of subjects, and keeps their text. One that is not [Valid]
// overlaps nothing.
func NewCrossing(subjects []string) *Crossing {
	x := &Crossing{nodes: make([]crossing, 1, 1+len(subjects))}
	for i, s := range subjects {
		if Valid(s) {
			x.add(int32(i), s)
		}
	}
	return x
}

func (x *Crossing) add(i int32, rest string) {
	at := int32(0)
	for rest != "" {
		var token string
		token, rest, _ = strings.Cut(rest, ".")
		if token == tail {
			x.nodes[at].tails = append(x.nodes[at].tails, i)
			return
		}
		to := x.child(at, token)
		if to == 0 {
			x.attach(at, token, rest, i)
			return
		}
		common, after := shared(x.nodes[to].label, rest)
		if common != x.nodes[to].label {
			x.split(to, common)
		}
		at, rest = to, after
	}
	x.nodes[at].ends = append(x.nodes[at].ends, i)
}

// attach makes a place for what is left of a subject.
func (x *Crossing) attach(at int32, token, label string, i int32) {
	n := crossing{label: label}
	switch before, ok := strings.CutSuffix(label, tail); {
	case ok: // a `>` is the last token
		n.label, n.tails = strings.TrimSuffix(before, "."), []int32{i}
	default:
		n.ends = []int32{i}
	}
	x.nodes = append(x.nodes, n)
	x.lead(at, token, int32(len(x.nodes)-1))
}

// split has a place end where its label goes on in two ways.
func (x *Crossing) split(at int32, common string) {
	below := x.nodes[at]
	token, label, _ := strings.Cut(strings.TrimPrefix(below.label[len(common):], "."), ".")
	below.label = label
	x.nodes = append(x.nodes, below)
	x.nodes[at] = crossing{label: common}
	x.lead(at, token, int32(len(x.nodes)-1))
}

// shared gives the tokens that a label and what is left of a subject begin with, and what
// comes after them in the subject.
func shared(label, rest string) (common, after string) {
	size := 0
	for size < len(label) && rest != "" {
		token, onward, _ := strings.Cut(rest, ".")
		same, _, _ := strings.Cut(strings.TrimPrefix(label[size:], "."), ".")
		if token != same {
			break
		}
		if size > 0 {
			size++
		}
		size, rest = size+len(same), onward
	}
	return label[:size], rest
}

// child is the place that a token leads to; 0: there is none.
func (x *Crossing) child(at int32, token string) int32 {
	if token == one {
		return x.nodes[at].star
	}
	return x.nodes[at].literals[token]
}

// lead has a token lead to a place.
func (x *Crossing) lead(at int32, token string, to int32) {
	switch n := &x.nodes[at]; {
	case token == one:
		n.star = to
	case n.literals == nil:
		n.literals = map[string]int32{token: to}
	default:
		n.literals[token] = to
	}
}

// Find appends the places in the list of the subjects that overlap s, in no particular
// order; none where s is not [Valid]. The work grows with the places of the trie that s
// meets, not with the list.
func (x *Crossing) Find(dst []int32, s string) []int32 {
	dst, _ = x.FindWithin(dst, s, math.MaxInt)
	return dst
}

// FindWithin is Find that looks at so many places of the trie and no more. It gives how
// many are left; below 0: there were more to look at, and what was found is not all.
func (x *Crossing) FindWithin(dst []int32, s string, steps int) ([]int32, int) {
	if x == nil || len(x.nodes) == 0 || !Valid(s) {
		return dst, steps
	}
	f := finding{x, dst, steps}
	f.find(0, s)
	return f.found, f.steps
}

// finding is one run of Find.
type finding struct {
	of    *Crossing
	found []int32
	steps int
}

func (f *finding) find(at int32, rest string) {
	n := &f.of.nodes[at]
	f.found = append(f.found, n.tails...)
	token, rest, more := strings.Cut(rest, ".")
	switch token {
	case tail:
		f.below(at)
		return
	case one:
		for _, to := range n.literals {
			f.onward(to, rest, more)
		}
	default:
		f.onward(n.literals[token], rest, more)
	}
	f.onward(n.star, rest, more)
}

// onward is find from the place that a token leads to, if there is one, once its label is
// passed.
func (f *finding) onward(to int32, rest string, more bool) {
	if f.steps--; to == 0 || f.steps < 0 {
		return
	}
	for label := f.of.nodes[to].label; label != ""; {
		var is, token string
		is, label, _ = strings.Cut(label, ".")
		if !more {
			return
		}
		token, rest, more = strings.Cut(rest, ".")
		f.steps--
		switch {
		case token == tail:
			f.whole(to)
			return
		case is != token && is != one && token != one:
			return
		}
	}
	if more {
		f.find(to, rest)
	} else {
		f.found = append(f.found, f.of.nodes[to].ends...)
	}
}

// below appends what has at least one token more than a place.
func (f *finding) below(at int32) {
	n := &f.of.nodes[at]
	for _, to := range n.literals {
		f.whole(to)
	}
	if n.star != 0 {
		f.whole(n.star)
	}
}

// whole appends all that is at a place and below.
func (f *finding) whole(at int32) {
	if f.steps--; f.steps < 0 {
		return
	}
	f.found = append(append(f.found, f.of.nodes[at].ends...), f.of.nodes[at].tails...)
	f.below(at)
}
