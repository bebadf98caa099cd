package subject

import "strings"

// Meet is the intersection of two patterns: the pattern that matches what both match. It
// is false where there is no such subject, or one of the two is not [Valid]. Where one is
// a subset of the other it is that one, without an allocation.
func Meet(a, b string) (string, bool) {
	switch {
	case !Overlap(a, b):
		return "", false
	case Subset(a, b):
		return a, true
	case Subset(b, a):
		return b, true
	default:
		return meet(a, b), true
	}
}

// meet is the intersection of two patterns that overlap.
func meet(a, b string) string {
	long, short := strings.Split(a, "."), strings.Split(b, ".")
	if len(long) < len(short) {
		long, short = short, long
	}
	for i, t := range short {
		if t != tail && (long[i] == one || long[i] == tail) {
			long[i] = t
		}
	}
	return strings.Join(long, ".")
}
