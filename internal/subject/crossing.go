package subject

import "strings"

// Crossing finds those of many subjects that overlap one: some literal subject is matched
// by both. It does not change, and any number of goroutines may use it. A nil Crossing and
// the zero Crossing find nothing.
type Crossing struct {
	nodes []crossing // the first is the root
}

// crossing is a place in a trie of subjects, one token a level.
type crossing struct {
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

func (x *Crossing) add(i int32, s string) {
	at := int32(0)
	for token := range strings.SplitSeq(s, ".") {
		if token == tail {
			x.nodes[at].tails = append(x.nodes[at].tails, i)
			return
		}
		at = x.next(at, token)
	}
	x.nodes[at].ends = append(x.nodes[at].ends, i)
}

// next is the place that a token leads to, made where it is not there.
func (x *Crossing) next(at int32, token string) int32 {
	to := x.nodes[at].star
	if token != one {
		to = x.nodes[at].literals[token]
	}
	if to != 0 {
		return to
	}
	to = int32(len(x.nodes))
	x.nodes = append(x.nodes, crossing{})
	switch n := &x.nodes[at]; {
	case token == one:
		n.star = to
	case n.literals == nil:
		n.literals = map[string]int32{token: to}
	default:
		n.literals[token] = to
	}
	return to
}

// Find appends the places in the list of the subjects that overlap s, in no particular
// order; none where s is not [Valid]. The work grows with the places of the trie that s
// meets, not with the list.
func (x *Crossing) Find(dst []int32, s string) []int32 {
	if x == nil || len(x.nodes) == 0 || !Valid(s) {
		return dst
	}
	return x.find(dst, 0, s)
}

func (x *Crossing) find(dst []int32, at int32, rest string) []int32 {
	n := &x.nodes[at]
	dst = append(dst, n.tails...)
	token, rest, more := strings.Cut(rest, ".")
	switch token {
	case tail:
		return x.below(dst, at)
	case one:
		for _, to := range n.literals {
			dst = x.onward(dst, to, rest, more)
		}
	default:
		dst = x.onward(dst, n.literals[token], rest, more)
	}
	return x.onward(dst, n.star, rest, more)
}

// onward is find from the place that a token leads to, if there is one.
func (x *Crossing) onward(dst []int32, to int32, rest string, more bool) []int32 {
	switch {
	case to == 0:
		return dst
	case more:
		return x.find(dst, to, rest)
	default:
		return append(dst, x.nodes[to].ends...)
	}
}

// below appends what has at least one token more than a place.
func (x *Crossing) below(dst []int32, at int32) []int32 {
	n := &x.nodes[at]
	for _, to := range n.literals {
		dst = x.whole(dst, to)
	}
	if n.star != 0 {
		dst = x.whole(dst, n.star)
	}
	return dst
}

// whole appends all that is at a place and below.
func (x *Crossing) whole(dst []int32, at int32) []int32 {
	dst = append(append(dst, x.nodes[at].ends...), x.nodes[at].tails...)
	return x.below(dst, at)
}
