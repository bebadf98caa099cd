package subject

import (
	"cmp"
	"hash/maphash"
	"math/bits"
	"slices"
	"strings"
)

// rule is one entry that is in force.
type rule struct{ subject, queue string }

// index is a trie of rules. Its zero value holds none. It does not change once
// it is built.
type index struct {
	seed     maphash.Seed
	subjects []string // of the rules
	queues   []string // of the rules; nil if none has a queue
	order    []int32  // rules, in the order that nodes refer to
	nodes    []node   // the first is the root
	edges    []edge   // a hash table, open addressing; a power of two long
}

// node is a place in the trie where rules part or end. They agree on all tokens
// before it.
type node struct {
	level             int32 // how many tokens those are
	exact, tails, end int32 // order[exact:tails] end here, order[tails:end] with `>`
	star              ref   // what follows a `*`, none if zero
	literal           bool  // some edge leads on
}

// edge leads from a node to what follows a token with this hash. It is free if
// to is zero.
type edge struct {
	node int32
	hash uint32
	to   ref
}

// ref is a node, or if negative the complement of a rule which is the only one
// there. Nothing leads to the root, so zero is nothing.
type ref int32

// walk offers to t every rule that may match w, from place at on. It ends early
// and returns true once t has seen enough. Every place is reached on one path
// only, so it is visited at most once.
func (x *index) walk(at ref, w *words, t *tally) bool {
	for {
		if t.want != nil && t.want.visit() {
			return true
		}
		if at < 0 {
			return x.offer(int32(^at), w, t)
		}
		n := &x.nodes[at]
		level := int(n.level)
		if w.ends(level) && x.offerAll(x.order[n.exact:n.tails], w, t) {
			return true
		}
		if !w.goesOn(level) {
			return false
		}
		if x.offerAll(x.order[n.tails:n.end], w, t) {
			return true
		}
		next := n.star
		if n.literal && level < len(w.list) {
			if to := x.follow(int32(at), x.hash(&w.list[level])); to != 0 {
				if next != 0 && x.walk(next, w, t) {
					return true
				}
				next = to
			}
		}
		if next == 0 {
			return false
		}
		at = next
	}
}

// place is where a walk along one subject has come to.
type place struct {
	at            ref
	start, behind int // how many tokens are behind, and where the next one begins
}

// many is a number of forks at which a line proves nothing.
const many = 2

// line reports whether a plain rule matches t, on one line from p. Where two ways
// lead on it takes the literal one; it also returns the last place that it left
// out, and how many. A line needs no memory to come back to, and most questions
// take no more than one or two.
func (x *index) line(t *text, p place) (bool, place, int) {
	var fork place
	forks := 0
	for p.at >= 0 {
		n := &x.nodes[p.at]
		level := int(n.level)
		if level >= t.n {
			return level == t.n && x.anyPlain(x.order[n.exact:n.tails], t), fork, forks
		}
		if n.tails < n.end {
			// A miss comes of tokens that were not compared on the way. Only
			// walk bounds what a long subject with many of them costs.
			return x.anyPlain(x.order[n.tails:n.end], t), fork, many
		}
		next := n.star
		if n.literal {
			for ; p.behind < level; p.behind++ {
				p.start = tokenEnd(t.s, p.start) + 1
			}
			token := t.s[p.start:tokenEnd(t.s, p.start)]
			if to := x.follow(int32(p.at), x.digest(token)); to != 0 {
				if next != 0 {
					fork = place{next, p.start, p.behind}
					forks++
				}
				next = to
			}
		}
		if next == 0 {
			return false, fork, forks
		}
		p.at = next
	}
	return x.plain(int32(^p.at), t), fork, forks
}

// plain reports whether rule r has no queue and matches t.
func (x *index) plain(r int32, t *text) bool {
	return x.queue(r) == "" && matches(x.subjects[r], t.s)
}

func (x *index) anyPlain(rules []int32, t *text) bool {
	for _, r := range rules {
		if x.plain(r, t) {
			return true
		}
	}
	return false
}

// hash is the hash of a token; it is never zero. A walk asks for it in every
// place of the token's level, so it is kept.
func (x *index) hash(w *word) uint32 {
	if w.hash == 0 {
		w.hash = x.digest(w.text)
	}
	return w.hash
}

func (x *index) digest(token string) uint32 {
	return uint32(maphash.String(x.seed, token)) | 1
}

// find offers to t every rule that matches w.
func (x *index) find(w *words, t *tally) {
	if len(x.nodes) > 0 {
		x.walk(0, w, t)
	}
}

func (x *index) offerAll(rules []int32, w *words, t *tally) bool {
	for _, r := range rules {
		if x.offer(r, w, t) {
			return true
		}
	}
	return false
}

// offer shows rule r to t if it does match: the way here was a comparison of
// hashes, and only as far as it took to tell r from the others.
func (x *index) offer(r int32, w *words, t *tally) bool {
	reach, ok := w.covered(x.subjects[r])
	return ok && t.add(x.queue(r), reach)
}

func (x *index) queue(r int32) string {
	if x.queues == nil {
		return ""
	}
	return x.queues[r]
}

// slot is where the search for an edge begins. The hash is as good as random but
// for its last bit; the factor spreads the nodes that an equal token follows.
func (x *index) slot(node int32, hash uint32) uint32 {
	return (hash>>1 ^ uint32(node)*0x9e3779b1) & uint32(len(x.edges)-1)
}

func (x *index) follow(node int32, hash uint32) ref {
	for i := x.slot(node, hash); ; i = (i + 1) & uint32(len(x.edges)-1) {
		if e := &x.edges[i]; e.to == 0 || e.node == node && e.hash == hash {
			return e.to
		}
	}
}

// builder makes an index, one node after the other.
type builder struct {
	out   index
	rest  []string // of each rule, what is not yet behind; "" at its end
	keys  []uint64 // of each rule, what it goes on with
	todo  []span
	edges []edge
}

// span is a node to be made of the rules in perm.
type span struct {
	node  int32
	level int32 // at least so many tokens are behind
	perm  []int32
}

// What a rule goes on with, in the order that a node keeps. A literal is
// keyLiteral and its hash.
const (
	keyEnd uint64 = iota << 32
	keyTail
	keyStar
	keyLiteral
)

func newIndex(seed maphash.Seed, rules []rule) index {
	if len(rules) == 0 {
		return index{}
	}
	b := builder{out: index{seed: seed}, rest: make([]string, len(rules)), keys: make([]uint64, len(rules))}
	b.keep(rules)
	perm := make([]int32, len(rules))
	for i := range perm {
		perm[i] = int32(i)
	}
	b.node(perm, 0)
	for len(b.todo) > 0 {
		next := b.todo[len(b.todo)-1]
		b.todo = b.todo[:len(b.todo)-1]
		b.fill(next)
	}
	b.table()
	return b.out
}

func (b *builder) keep(rules []rule) {
	b.out.subjects = make([]string, len(rules))
	for i, r := range rules {
		b.out.subjects[i] = r.subject
		b.rest[i] = r.subject
		if r.queue != "" && b.out.queues == nil {
			b.out.queues = make([]string, len(rules))
		}
		if r.queue != "" {
			b.out.queues[i] = r.queue
		}
	}
}

// node makes room for a node of the rules in perm.
func (b *builder) node(perm []int32, level int32) ref {
	id := len(b.out.nodes)
	b.out.nodes = append(b.out.nodes, node{})
	b.todo = append(b.todo, span{int32(id), level, perm})
	return ref(id)
}

// place is where the rules in perm continue: a node, if there are several.
func (b *builder) place(perm []int32, level int32) ref {
	if len(perm) == 1 {
		return ^ref(perm[0])
	}
	return b.node(perm, level)
}

// fill groups the rules of s by the first token in which they differ.
func (b *builder) fill(s span) {
	for b.agree(s.perm) {
		s.level++
	}
	slices.SortFunc(s.perm, func(p, q int32) int {
		return cmp.Or(cmp.Compare(b.keys[p], b.keys[q]), cmp.Compare(p, q))
	})
	n := &b.out.nodes[s.node]
	n.level = s.level
	n.exact = int32(len(b.out.order))
	n.tails, n.end = n.exact, n.exact
	for len(s.perm) > 0 {
		key := b.keys[s.perm[0]]
		k := 1
		for k < len(s.perm) && b.keys[s.perm[k]] == key {
			k++
		}
		b.group(s, key, s.perm[:k])
		s.perm = s.perm[k:]
	}
}

// agree takes one token off every rule in perm, and reports whether it is the
// same of them all and they go on.
func (b *builder) agree(perm []int32) bool {
	same := true
	for _, r := range perm {
		b.keys[r] = b.take(r)
		same = same && b.keys[r] == b.keys[perm[0]]
	}
	return same && b.keys[perm[0]] >= keyStar
}

// group puts the rules that go on alike below the node of s.
func (b *builder) group(s span, key uint64, perm []int32) {
	n := &b.out.nodes[s.node]
	switch key {
	case keyEnd:
		b.out.order = append(b.out.order, perm...)
		n.tails = int32(len(b.out.order))
		n.end = n.tails
	case keyTail:
		b.out.order = append(b.out.order, perm...)
		n.end = int32(len(b.out.order))
	case keyStar:
		star := b.place(perm, s.level+1) // may move the nodes
		b.out.nodes[s.node].star = star
	default:
		n.literal = true
		b.edges = append(b.edges, edge{s.node, uint32(key), b.place(perm, s.level+1)})
	}
}

// take moves rule r on by one token and says which it was.
func (b *builder) take(r int32) uint64 {
	if b.rest[r] == "" {
		return keyEnd
	}
	t, rest, _ := strings.Cut(b.rest[r], ".")
	b.rest[r] = rest
	switch t {
	case tail:
		return keyTail
	case one:
		return keyStar
	}
	return keyLiteral | uint64(b.out.digest(t))
}

// table puts the edges into a hash table that is at most two thirds full.
func (b *builder) table() {
	if len(b.edges) == 0 {
		return
	}
	size := 1 << bits.Len(uint(len(b.edges)+len(b.edges)/2))
	b.out.edges = make([]edge, size)
	for _, e := range b.edges {
		i := b.out.slot(e.node, e.hash)
		for b.out.edges[i].to != 0 {
			i = (i + 1) & uint32(size-1)
		}
		b.out.edges[i] = e
	}
}
