package subject

// tally takes note of the rules that match a subject.
type tally struct {
	queue string // that is asked for, "" for none
	want  *cover // what a pattern's cover takes; nil for a literal subject

	plain   bool // a rule without a queue matches
	queued  bool // a rule with a queue matches
	matched bool // and its queue part admits queue
}

// add takes note of one matching rule and reports whether no other can change
// the answer.
func (t *tally) add(queue string, r reach) bool {
	if t.want != nil {
		return t.want.add(t.queue, queue, r)
	}
	if queue == "" {
		t.plain = true
		return t.queue == ""
	}
	t.queued = true
	t.matched = t.matched || queueMatches(queue, t.queue)
	return t.matched
}

// cover collects the lengths at which a generic instance of a pattern is
// covered. A length stands for every literal subject of that many tokens that
// the pattern matches: each of its wildcards is a token that no rule names, and
// whatever rule matches that one matches all of them. Rule: B3.
type cover struct {
	work   *int   // places that may still be visited for this question
	plain  bool   // rules without a queue count
	base   int    // the shortest length of the pattern
	open   bool   // it has greater ones too
	onward int    // every length from here on is covered; zero if there is no such
	seen   counts // i: length base+i is covered
}

// add takes note of one rule and reports whether all is covered.
func (c *cover) add(asked, queue string, r reach) bool {
	if queue == "" && !c.plain || queue != "" && !queueMatches(queue, asked) {
		return false
	}
	i := max(r.length-c.base, 0)
	if r.onward {
		if c.onward == 0 || c.base+i < c.onward {
			c.onward = c.base + i
		}
		return c.onward == c.base
	}
	c.seen.add(i)
	return !c.open
}

// gap is the shortest length that is not covered, zero if there is none.
func (c *cover) gap() int {
	for i := 0; ; i++ {
		switch length := c.base + i; {
		case c.onward > 0 && length >= c.onward:
			return 0
		case !c.seen.has(i):
			return length
		case !c.open:
			return 0
		}
	}
}

// counts is a set of small numbers. Up to 63 they take no memory of their own;
// a number beyond comes from a rule that has more tokens than that.
type counts struct {
	near uint64
	far  map[int]bool
}

func (s *counts) add(i int) {
	switch {
	case i < 64:
		s.near |= 1 << i
	case s.far == nil:
		s.far = map[int]bool{i: true}
	default:
		s.far[i] = true
	}
}

func (s *counts) has(i int) bool {
	if i < 64 {
		return s.near&(1<<i) != 0
	}
	return s.far[i]
}

// visit takes note of one place and reports whether there is no work left.
func (c *cover) visit() bool {
	*c.work--
	return *c.work < 0
}

// gap is the shortest length at which the rules do not cover w, zero if they
// do. Queue rules count where they admit queue, others where plain is true. What
// is not found within the work counts as not covered.
func (x *index) gap(w *words, queue string, plain bool, work *int) int {
	c := cover{work: work, plain: plain, base: w.n, open: w.open}
	x.find(w, &tally{queue: queue, want: &c})
	if *work < 0 {
		return c.base
	}
	return c.gap()
}

// maxCoverWork is how many places of the trie one question about a wildcard
// subscription may visit, some milliseconds' worth; more is refused. Rules that
// are not made to be slow take a few for each entry that the subscription meets.
const maxCoverWork = 1 << 18

// shortfall says where an allow list falls short of a pattern, if it does.
type shortfall struct {
	length int   // a length at which it does; zero if there is none
	rule   int32 // the entry that takes it away, for it asks for another queue; or none
}

// none is no rule.
const none int32 = -1

// shortfall finds where an allow list does not allow queue on every subject that
// w stands for. A subject is allowed if an entry that admits the queue matches
// it, or else if a plain one does and no entry for other queues: so all of them
// together must cover w, and the admitting ones alone what others overlap. buf
// is memory to work in. Rule: B3.
func (c *cutter) shortfall(allow *index, buf []word, w *words, queue string) shortfall {
	work := maxCoverWork
	if n := allow.gap(w, queue, true, &work); n > 0 {
		return shortfall{n, none}
	}
	if queue == "" || allow.gap(w, queue, false, &work) == 0 {
		return shortfall{}
	}
	for r, pattern := range allow.queues {
		if pattern == "" || queueMatches(pattern, queue) {
			continue
		}
		both, ok := c.meet(buf, w, allow.subjects[r])
		if !ok {
			continue
		}
		if n := allow.gap(&both, queue, false, &work); n > 0 {
			return shortfall{n, int32(r)}
		}
	}
	return shortfall{}
}
