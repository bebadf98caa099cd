package subject

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ErrTwice says that a [Renaming] cannot be made, for a wildcard does not stand in the
// new name once. Its other errors are those of a [Transform].
var ErrTwice = errors.New("subject: every wildcard has to stand in the new name once")

// Renaming gives what one pattern matches other names, and takes them back: an imported
// subject has one name where it comes from and another here. It does not change, and any
// number of goroutines may use it. The zero Renaming and nil rename nothing.
type Renaming struct {
	from, to    string
	there, back *Transform // nil where from and to are the same, or from is literal
}

// NewRenaming makes a Renaming of the subjects that from matches, which is [Valid]. The
// names that they get are written as the destination of a strict [Transform], in which
// `*` is the next wildcard of from in turn, `$1` for the first `*` and so on. Every
// wildcard of from stands there once: only then every name has one way back (F085;
// nats-server v2.15 server/accounts.go AddMappedStreamImportWithClaim counts the
// placeholders). A literal from may have many names, all that to matches: then [Renaming.There]
// gives none.
func NewRenaming(from, to string) (*Renaming, error) {
	if Valid(from) && from == to || Literal(from) && Valid(to) {
		return &Renaming{from: from, to: to}, nil
	}
	there, err := NewStrictTransform(from, numbered(to))
	if err != nil {
		return nil, err
	}
	pattern, template, err := reversed(there, from, to)
	if err != nil {
		return nil, err
	}
	back, err := NewStrictTransform(pattern, template)
	if err != nil {
		return nil, err
	}
	return &Renaming{from: from, to: pattern, there: there, back: back}, nil
}

// From is the pattern of the subjects as they are.
func (r *Renaming) From() string { return r.from }

// To is the pattern of their names.
func (r *Renaming) To() string { return r.to }

// There gives the name of a subject. A pattern that is a subset of From is renamed, too.
func (r *Renaming) There(s string) (string, bool) {
	if r == nil {
		return "", false
	}
	return apply(r.there, r.from, r.to, s)
}

// Back gives the subject that has a name, or the pattern of those that a subset of To
// names.
func (r *Renaming) Back(s string) (string, bool) {
	if r == nil {
		return "", false
	}
	return apply(r.back, r.to, r.from, s)
}

// apply is the transform of a pattern to another, or without one what the two say.
func apply(t *Transform, from, to, s string) (string, bool) {
	switch {
	case t != nil:
		return t.Apply(s, nil)
	case !Match(from, s):
		return "", false
	case from == to:
		return s, true
	case wild(to): // which of them?
		return "", false
	default:
		return to, true
	}
}

// numbered writes `$1`, `$2` and so on for the wildcards of a name.
func numbered(name string) string {
	if !strings.Contains(name, one) {
		return name
	}
	tokens := strings.Split(name, ".")
	n := 0
	for i, t := range tokens {
		if t == one {
			n++
			tokens[i] = "$" + strconv.Itoa(n)
		}
	}
	return strings.Join(tokens, ".")
}

// reversed gives the pattern of the names that a strict transform makes, and what makes
// the subjects of them again.
func reversed(there *Transform, from, to string) (pattern, template string, err error) {
	names, subjects := strings.Split(to, "."), strings.Split(from, ".")
	for _, token := range subjects {
		if f, err := readFunction(token); err != nil || f.verb != verbatim {
			return "", "", fmt.Errorf("%w: %q", ErrSource, from) // it would be read as a placeholder on the way back
		}
	}
	n := 0
	for i, token := range names {
		if f, _ := readFunction(token); token != one && f.verb != wildcard {
			continue
		}
		source := there.tokens[n]
		n++
		if subjects[source] != one { // it stands there already, or is no wildcard
			return "", "", fmt.Errorf("%w: %q", ErrTwice, to)
		}
		names[i], subjects[source] = one, "$"+strconv.Itoa(n)
	}
	return strings.Join(names, "."), strings.Join(subjects, "."), nil
}
