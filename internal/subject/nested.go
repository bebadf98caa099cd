package subject

import "strings"

// stepsPerToken bounds the work of Nested: how many places it looks at for each
// token in the list. Lists that are not made to be slow take one or two.
const stepsPerToken = 32

// Nested finds two subjects of a list of which one contains the other: inner,
// its tokens taken as they are written, is matched by outer. Two equal subjects
// are nested. Where there are none, both results are empty. The work grows with
// the tokens in the list, not with its pairs: a list whose subjects share so many
// wildcards that it would take more is given up, and ok is false.
func Nested(list []string) (inner, outer string, ok bool) {
	n := nest{next: make(map[step]int32), full: []string{""}}
	for _, s := range list {
		n.work += stepsPerToken * (1 + strings.Count(s, "."))
		if !n.add(s) {
			return s, s, true
		}
	}
	for _, s := range list {
		if outer := n.container(s); outer != "" {
			return s, outer, true
		}
		if n.work < 0 {
			return "", "", false
		}
	}
	return "", "", true
}

// nest is a trie of subjects, one token a level. The root is node 0.
type nest struct {
	next map[step]int32
	full []string // of each node, the subject that ends there, or ""
	work int      // places that may still be looked at
}

// step leads from a node to the next, over a token.
type step struct {
	from  int32
	token string
}

// add reports false if the subject is there already.
func (n *nest) add(s string) bool {
	at := int32(0)
	for token := range strings.SplitSeq(s, ".") {
		to, ok := n.next[step{at, token}]
		if !ok {
			to = int32(len(n.full))
			n.full = append(n.full, "")
			n.next[step{at, token}] = to
		}
		at = to
	}
	if n.full[at] != "" {
		return false
	}
	n.full[at] = s
	return true
}

// container gives a subject, other than s, that matches the tokens of s, or ""; the
// search ends when the work is used up.
func (n *nest) container(s string) string {
	at := []int32{0}
	for rest, more := s, true; more && len(at) > 0; {
		if n.work -= len(at); n.work < 0 {
			return ""
		}
		var token string
		token, rest, more = strings.Cut(rest, ".")
		var to []int32
		for _, from := range at {
			if tail := n.other(n.next[step{from, ">"}], s); tail != "" {
				return tail
			}
			to = n.follow(to, from, token)
		}
		at = to
	}
	for _, end := range at {
		if outer := n.other(end, s); outer != "" {
			return outer
		}
	}
	return ""
}

// follow appends the nodes that a token leads to: its own, and that of "*".
func (n *nest) follow(to []int32, from int32, token string) []int32 {
	if own, ok := n.next[step{from, token}]; ok {
		to = append(to, own)
	}
	if star, ok := n.next[step{from, "*"}]; ok && token != "*" {
		to = append(to, star)
	}
	return to
}

// other gives the subject that ends at a node, unless it is s or there is none.
func (n *nest) other(node int32, s string) string {
	if n.full[node] == s {
		return ""
	}
	return n.full[node]
}
