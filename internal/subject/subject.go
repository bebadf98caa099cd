package subject

import "strings"

// Wildcard tokens.
const (
	one  = "*" // any one token
	tail = ">" // one or more tokens, at the end
)

// Valid reports whether s is a subject: tokens that are not empty, `>` only as
// the last one, and no white space or control byte of ASCII anywhere. Wildcards
// are fine. Behaviour: nats-server v2.15 server/sublist.go IsValidSubject, and
// every control byte is refused besides.
func Valid(s string) bool {
	start := 0
	for i := range len(s) {
		switch c := s[i]; {
		case foul(c):
			return false
		case c != '.':
		case i == start || s[start:i] == tail:
			return false
		default:
			start = i + 1
		}
	}
	return start < len(s)
}

// Literal reports whether s is [Valid] and no token of it is a wildcard.
func Literal(s string) bool { return Valid(s) && !wild(s) }

// HasWildcard reports whether s is [Valid] and a whole token of it is `*`, or
// its last one `>`.
func HasWildcard(s string) bool { return Valid(s) && wild(s) }

// Match reports whether pattern matches s, whose tokens are taken literally: a
// `*` in s is a token like any other. A pattern that is not [Valid] matches
// nothing; neither is anything matched that has an empty token, white space or a
// control byte. Behaviour: nats-server v2.15 server/sublist.go matchLiteral.
func Match(pattern, s string) bool {
	return Valid(pattern) && measure(s).form == wellFormed && matches(pattern, s)
}

// Subset reports whether b matches every literal subject that a matches; it is
// false where either of them is not [Valid]. `foo.>` is no subset of `foo.*`,
// and `foo` none of `foo.>`.
func Subset(a, b string) bool {
	if !Valid(a) || !Valid(b) {
		return false
	}
	for {
		s, arest, amore := strings.Cut(a, ".")
		t, brest, bmore := strings.Cut(b, ".")
		switch {
		case t == tail:
			return true
		case s == tail || t != one && s != t || amore != bmore:
			return false
		case !amore:
			return true
		}
		a, b = arest, brest
	}
}

// Overlap reports whether some literal subject is matched by a and by b; it is
// false where either of them is not [Valid].
func Overlap(a, b string) bool {
	if !Valid(a) || !Valid(b) {
		return false
	}
	for {
		s, arest, amore := strings.Cut(a, ".")
		t, brest, bmore := strings.Cut(b, ".")
		switch {
		case s == tail || t == tail:
			return true
		case s != one && t != one && s != t || amore != bmore:
			return false
		case !amore:
			return true
		}
		a, b = arest, brest
	}
}

// SplitEntry splits a permission entry, `subject` or `subject queue`, into the
// two; queue is empty where there is none. ok is false if there are more than
// two fields or one of them is not [Valid]. Behaviour: nats-server v2.15
// server/client.go splitSubjectQueue.
func SplitEntry(entry string) (string, string, bool) {
	var fields [2]string
	n := 0
	for f := range strings.FieldsSeq(entry) {
		if n == len(fields) || !Valid(f) {
			return "", "", false
		}
		fields[n] = f
		n++
	}
	return fields[0], fields[1], n > 0
}

// foul is true of white space and control bytes. Everything beyond ASCII is
// part of a name.
func foul(c byte) bool { return c <= ' ' || c == 0x7f }

// plain is true of most bytes of a token: it spares the rest of the questions.
func plain(c byte) bool { return c-'/' < 0x7f-'/' }

// matches compares a valid pattern with a well-formed subject.
func matches(pattern, s string) bool {
	j := 0
	for i := range len(pattern) {
		switch c := pattern[i]; {
		case j == len(s):
			return false
		case c == '>' && alone(pattern, i):
			return true
		case c == '*' && alone(pattern, i):
			j = tokenEnd(s, j)
		case c != s[j]:
			return false
		default:
			j++
		}
	}
	return j == len(s)
}

// alone reports whether the byte at i is a token by itself.
func alone(s string, i int) bool {
	return (i == 0 || s[i-1] == '.') && (i+1 == len(s) || s[i+1] == '.')
}

// tokenEnd is where the token that i is in ends.
func tokenEnd(s string, i int) int {
	for i < len(s) && s[i] != '.' {
		i++
	}
	return i
}

// wild reports whether a valid subject has a wildcard token.
func wild(s string) bool {
	for t := range strings.SplitSeq(s, ".") {
		if t == one || t == tail {
			return true
		}
	}
	return false
}

// queueMatches reports whether the queue part of an entry admits a queue name:
// it is the same text, or a pattern that the name is a subset of. None admits the
// empty name. Behaviour:
// nats-server v2.15 server/client.go queueMatches.
func queueMatches(pattern, queue string) bool {
	return pattern == queue || wild(pattern) && Subset(queue, pattern)
}
