package subject

import (
	"errors"
	"fmt"
	"strings"
)

// MaxTransformed is how many bytes a [Transform] may write and hash for one
// subject, 64 KiB: few bytes of a destination can ask for many, by naming one
// long token again and again (rule: B18).
const MaxTransformed = 64 << 10

// Why a [Transform] cannot be made; test with errors.Is.
var (
	ErrSource       = errors.New("subject: source is not a subject")
	ErrDestination  = errors.New("subject: destination is not a subject, or does not fit its source")
	ErrFunction     = errors.New("subject: unknown function")
	ErrArguments    = errors.New("subject: wrong arguments")
	ErrWildcard     = errors.New("subject: the source has no such wildcard")
	ErrIrreversible = errors.New("subject: destination cannot be reversed")
)

// Transform makes one subject of another. It does not change, and any number of
// goroutines may use it; a nil Transform and the zero Transform apply to nothing.
type Transform struct {
	source string
	shape  string // see Shape
	pieces []piece
	tokens []int32 // of the source, from 0; pieces refer to them
	depth  int     // so many tokens at the beginning of a subject are looked up
}

// piece is one part of a destination: some text, or what a function makes.
type piece struct {
	verb     verb
	from, to int32  // the tokens that it takes: Transform.tokens[from:to]
	n        uint32 // buckets, length or position
	text     string // as it is, or the delimiter
}

// NewTransform makes a Transform from source, which is [Valid], to destination.
// A destination is a subject too, with `>` at its end if and only if the source
// has it and without `*`; whole tokens of it may be functions:
//
//   - `$N` and `{{wildcard(N)}}` are the token that the Nth `*` of the source matched;
//   - `{{partition(n)}}` is a number below n made of the whole subject, and
//     `{{partition(n,N,...)}}` of those tokens: their 32 bit FNV-1a hash modulo n;
//   - `{{split(N,delimiter)}}` cuts a token where the delimiter is, which goes;
//   - `{{splitFromLeft(N,n)}}` cuts it once, after n bytes, and `{{splitFromRight(N,n)}}` before the last n;
//   - `{{sliceFromLeft(N,n)}}` cuts it every n bytes, the last piece may be shorter, and with
//     `{{sliceFromRight(N,n)}}` the first may;
//   - `{{left(N,n)}}` is its first n bytes, `{{right(N,n)}}` its last n;
//   - `{{random(n)}}` is a number below n.
//
// Where a source has no wildcard at all, only partition and random have a
// meaning, and both look at the whole subject. An N below 1 is the first token of
// the subject, a cut that is not inside the token leaves it whole, and of no
// buckets the number is 0. A function's name may have either case where it has a capital and at
// its beginning; spaces around name and numbers are skipped, and so is what
// stands between the braces beside the function. Behaviour: nats-server v2.15
// server/subject_transform.go NewSubjectTransform and server/sublist.go
// ValidateMapping; an empty source is refused, and so is a control byte in either.
func NewTransform(source, destination string) (*Transform, error) {
	return newTransform(source, destination, false)
}

// NewStrictTransform is [NewTransform] for what has to be reversible, an import:
// no function but `$N` and `{{wildcard(N)}}`, and at least as many of these as the
// source has `*`. Behaviour: nats-server v2.15 server/subject_transform.go
// NewSubjectTransformStrict; a source without wildcards has no other functions
// either.
func NewStrictTransform(source, destination string) (*Transform, error) {
	return newTransform(source, destination, true)
}

func newTransform(source, destination string, strict bool) (*Transform, error) {
	if !Valid(source) {
		return nil, fmt.Errorf("%w: %q", ErrSource, source)
	}
	if strings.ContainsFunc(destination, isControl) {
		return nil, fmt.Errorf("%w: %q", ErrDestination, destination)
	}
	c := newComposer(source, destination, strict)
	for at, more := 0, true; more; {
		end := tokenEnd(destination, at)
		if err := c.add(at, end); err != nil {
			return nil, err
		}
		at, more = end+1, end < len(destination)
	}
	if err := c.end(); err != nil {
		return nil, fmt.Errorf("%w: %q", err, destination)
	}
	c.out.shape = strings.Join(c.shape, ".")
	return &c.out, nil
}

// Shape is a pattern that matches every subject that the Transform makes, and perhaps
// others.
func (t *Transform) Shape() string { return t.shape }

// isControl is true of the control bytes of ASCII: a destination may have spaces,
// inside its functions.
func isControl(r rune) bool { return r != ' ' && r <= 0x7f && foul(byte(r)) }

// composer makes a Transform, token by token of the destination.
type composer struct {
	out         Transform
	destination string
	done        int // how much of it is in out
	strict      bool
	wildcards   []int32 // the tokens of the source that are `*`
	fixed       int     // tokens of the source before its `>`
	tail, open  bool    // the source has one; the destination has one by now
	taken       int     // wildcards that the destination names
	shape       []string
}

func newComposer(source, destination string, strict bool) *composer {
	c := &composer{out: Transform{source: source}, destination: destination, strict: strict}
	for token := range strings.SplitSeq(source, ".") {
		switch token {
		case tail:
			c.tail = true
			continue
		case one:
			c.wildcards = append(c.wildcards, int32(c.fixed))
		}
		c.fixed++
	}
	return c
}

// add reads the token of the destination between two places. Text stays where it
// is until something else follows.
func (c *composer) add(at, end int) error {
	token := c.destination[at:end]
	f, err := readFunction(token)
	switch {
	case err != nil:
		return err
	case c.open || f.verb == verbatim && (token == one || !Valid(token)):
		return fmt.Errorf("%w: %q", ErrDestination, c.destination)
	}
	c.form(token, f.verb)
	switch {
	case token == tail:
		c.open = true
		c.look(c.fixed)
		c.put(piece{verb: remainder, n: uint32(c.fixed)}, at, end)
	case f.verb != verbatim:
		p, err := c.call(token, f)
		if err != nil {
			return err
		}
		c.put(p, at, end)
	}
	return nil
}

// form adds to the shape what a token becomes: what may be several tokens is the last.
func (c *composer) form(token string, v verb) {
	if n := len(c.shape); n > 0 && c.shape[n-1] == tail {
		return
	}
	switch v {
	case verbatim:
	case split, splitFromLeft, splitFromRight, sliceFromLeft, sliceFromRight:
		token = tail
	default:
		token = one
	}
	c.shape = append(c.shape, token)
}

// put adds the text before a token, and what stands for the token.
func (c *composer) put(p piece, at, end int) {
	if c.done < at {
		c.out.pieces = append(c.out.pieces, piece{verb: verbatim, text: c.destination[c.done:at]})
	}
	c.out.pieces = append(c.out.pieces, p)
	c.done = end
}

// end adds the text after the last function, and judges the whole.
func (c *composer) end() error {
	if rest := c.destination[c.done:]; rest != "" {
		c.out.pieces = append(c.out.pieces, piece{verb: verbatim, text: rest})
	}
	switch {
	case c.open != c.tail:
		return ErrDestination
	case c.strict && c.taken < len(c.wildcards):
		return ErrIrreversible
	default:
		return nil
	}
}

// call is what stands for a function.
func (c *composer) call(token string, f function) (piece, error) {
	if c.strict && f.verb != wildcard {
		return piece{}, fmt.Errorf("%w: %q", ErrIrreversible, token)
	}
	if len(c.wildcards) == 0 && !c.tail {
		if f.verb != partition && f.verb != random {
			return piece{}, fmt.Errorf("%w: %q", ErrWildcard, token)
		}
		f.indexes = nil
	}
	p := piece{verb: f.verb, n: f.n, text: f.delimiter, from: int32(len(c.out.tokens))}
	for _, index := range f.indexes {
		if index > len(c.wildcards) {
			return piece{}, fmt.Errorf("%w: %q", ErrWildcard, token)
		}
		c.take(index)
	}
	p.to = int32(len(c.out.tokens))
	return p, nil
}

// take names the token of a wildcard, or the first token if the index is below 1.
func (c *composer) take(index int) {
	token := int32(0)
	if index > 0 {
		token = c.wildcards[index-1]
	}
	c.taken++
	c.out.tokens = append(c.out.tokens, token)
	c.look(int(token))
}

// look has the beginning of a token of the subject found.
func (c *composer) look(token int) { c.out.depth = max(c.out.depth, token+1) }

// Apply gives the subject that s becomes, whose tokens are taken as they are. It is
// false where the source does not match s as [Match] does, where the result would have
// an empty token (of a split, say), white space or a control byte, and where it would
// take more than [MaxTransformed]. random gives a number from 0 to n-1 for
// `{{random(n)}}`, which comes to nothing if random is nil. Apply keeps no
// argument and allocates only the result, if it is up to 512 bytes long and the
// source has up to 32 tokens.
func (t *Transform) Apply(s string, random func(n uint32) uint32) (string, bool) {
	if t == nil || measure(s).form != wellFormed || !matches(t.source, s) {
		return "", false
	}
	if len(t.pieces) == 1 && t.pieces[0].verb == verbatim {
		return t.pieces[0].text, true
	}
	var starts [maxWords]int
	var memory [512]byte
	w := work{subject: s, starts: tokenStarts(starts[:0], s, t.depth), tokens: t.tokens}
	out := memory[:0]
	for i := range t.pieces {
		var ok bool
		if out, ok = w.write(out, &t.pieces[i], random); !ok {
			return "", false
		}
	}
	if s = string(out); measure(s).form != wellFormed {
		return "", false
	}
	return s, true
}
