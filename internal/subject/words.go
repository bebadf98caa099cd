package subject

import "strings"

// maxWords is how many tokens of a subject are looked at without allocating.
// Only rules that are longer than this need more.
const maxWords = 32

// text is a subject whose tokens are literals, wildcards too.
type text struct {
	s    string
	n    int // its tokens
	form form
}

// form is what the text of a subject is good for.
type form uint8

const (
	foulText   form = iota // has white space or a control byte: refused
	emptyToken             // has an empty token: matches no rule
	wellFormed
)

// measure looks at every byte of s once.
func measure(s string) text {
	t := text{s, 1, wellFormed}
	start := 0
	for i := range len(s) {
		switch c := s[i]; {
		case plain(c):
		case c == '.':
			if i == start {
				t.form = emptyToken
			}
			start = i + 1
			t.n++
		case foul(c):
			return text{}
		}
	}
	if start == len(s) {
		t.form = emptyToken
	}
	return t
}

// word is one token of a subject, and its hash once that was asked for.
type word struct {
	text string
	hash uint32
}

// words is a subject cut into tokens, or the generic instance of a pattern: its
// wildcards stand in it as tokens of their own, which no rule names. What the
// rules say of such a token, they say of every token that none of them names.
type words struct {
	list []word // the tokens, at most as many as the longest rule has
	n    int    // how many tokens there are; with open, how many at least
	open bool   // more tokens may follow, in any number, that no rule names
}

// cutter cuts subjects into words for the tries of one Set.
type cutter struct {
	depth int // tokens of the longest rule: beyond it nothing is looked at
}

// literal cuts t into its tokens. buf is memory for them.
func (c *cutter) literal(buf []word, t *text) words {
	return words{list: c.cut(buf[:0], t.s), n: t.n}
}

// pattern is the generic instance of a valid subject of n tokens.
func (c *cutter) pattern(buf []word, t *text) words {
	w := words{n: t.n, open: t.s == tail || strings.HasSuffix(t.s, ".>")}
	w.list = c.cut(buf[:0], t.s)
	if w.open && w.n == len(w.list) {
		w.list = w.list[:w.n-1]
	}
	return w
}

// cut appends the tokens of s, as far as rules go.
func (c *cutter) cut(list []word, s string) []word {
	for len(list) < c.depth {
		end := tokenEnd(s, 0)
		list = append(list, word{text: s[:end]})
		if end == len(s) {
			break
		}
		s = s[end+1:]
	}
	return list
}

// meet is the intersection of p with the subject of a rule, and whether there
// is any: the intersection of two patterns is one pattern.
func (c *cutter) meet(buf []word, p *words, rule string) (words, bool) {
	w := words{list: append(buf[:0], p.list...), n: p.n, open: p.open}
	k := 0
	for t := range strings.SplitSeq(rule, ".") {
		switch {
		case t == tail:
			return w, w.open || k < w.n
		case k >= w.fixed():
			if !w.open {
				return w, false
			}
			w.list = append(w.list, word{text: t})
			w.n++
		case t == one || t == w.list[k].text:
		case w.list[k].text == one:
			w.list[k] = word{text: t}
		default:
			return w, false
		}
		k++
	}
	return words{list: w.list, n: k}, p.ends(k)
}

// fixed is how many tokens of w come before the open end.
func (w *words) fixed() int {
	if w.open {
		return w.n - 1
	}
	return w.n
}

// ends reports whether an instance of w has exactly k tokens.
func (w *words) ends(k int) bool { return k == w.n || w.open && k > w.n }

// goesOn reports whether an instance of w has more than k tokens.
func (w *words) goesOn(k int) bool { return w.open || k < w.n }

// reach is what a rule covers of words: their instances of some length, or of
// that length and every greater one.
type reach struct {
	length int
	onward bool
}

// covered reports whether rule matches instances of w, and which.
func (w *words) covered(rule string) (reach, bool) {
	for k := 0; ; k++ {
		size := 1 // of the rule's token
		switch {
		case !w.goesOn(k):
			return reach{}, false
		case rule == tail:
			return reach{k + 1, true}, true
		case k < len(w.list) && hasToken(rule, w.list[k].text):
			size = len(w.list[k].text)
		case !hasToken(rule, one):
			return reach{}, false
		}
		if size == len(rule) {
			return reach{k + 1, false}, w.ends(k + 1)
		}
		rule = rule[size+1:]
	}
}

// hasToken reports whether t is the first token of rule.
func hasToken(rule, t string) bool {
	n := len(t)
	return len(rule) >= n && (len(rule) == n || rule[n] == '.') && rule[:n] == t
}
