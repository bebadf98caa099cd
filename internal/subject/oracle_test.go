package subject_test

import (
	"strings"

	"pgregory.net/rapid"

	"github.com/natsauth/natsauth/internal/subject"
)

// The oracle says again, naively and with no code of the package, what the
// rules mean: it lists literal subjects and looks at each.

// matches reports whether pattern matches the literal tokens of s.
func matches(pattern, s []string) bool {
	switch {
	case len(pattern) == 1 && pattern[0] == ">":
		return len(s) > 0
	case len(pattern) == 0 || len(s) == 0:
		return len(pattern) == len(s)
	case pattern[0] != "*" && pattern[0] != s[0]:
		return false
	}
	return matches(pattern[1:], s[1:])
}

func split(s string) []string { return strings.Split(s, ".") }

func oracleMatch(pattern, s string) bool { return matches(split(pattern), split(s)) }

// literals are all subjects of 1 to longest tokens over an alphabet.
func literals(alphabet []string, longest int) []string {
	var all []string
	level := alphabet
	for range longest {
		all = append(all, level...)
		var next []string
		for _, s := range level {
			for _, t := range alphabet {
				next = append(next, s+"."+t)
			}
		}
		level = next
	}
	return all
}

// oracleQueue reports whether a queue name is admitted by a queue pattern.
func oracleQueue(pattern, queue string, names []string) bool {
	if pattern == queue {
		return true
	}
	if !strings.ContainsAny(pattern, "*>") {
		return false
	}
	for _, n := range names {
		if oracleMatch(queue, n) && !oracleMatch(pattern, n) {
			return false
		}
	}
	return true
}

// oracleAllowed is the allow part of Allowed(s, q) for a literal s.
func oracleAllowed(allow []string, s, queue string, names []string) bool {
	if len(allow) == 0 {
		return true
	}
	var plain, queued, admitted bool
	for _, entry := range allow {
		subj, q, ok := strings.Cut(entry, " ")
		switch {
		case !oracleMatch(subj, s):
		case !ok:
			plain = true
		default:
			queued = true
			admitted = admitted || queue != "" && oracleQueue(q, queue, names)
		}
	}
	if queue == "" || !queued {
		return plain
	}
	return admitted
}

// oracleDenied is the deny part.
func oracleDenied(deny []string, s, queue string, names []string) bool {
	for _, entry := range deny {
		subj, q, ok := strings.Cut(entry, " ")
		if oracleMatch(subj, s) && (!ok || queue != "" && oracleQueue(q, queue, names)) {
			return true
		}
	}
	return false
}

// world is what the properties draw from: small enough to list all of it.
type world struct{ subjects, queues []string }

const longest = 4 // tokens of a rule

// newWorld lists the literal subjects that tell rules over a and b apart: one
// token more than the rules name, one length more than the rules have.
func newWorld() world {
	return world{literals([]string{"a", "b", "other"}, longest+1), literals([]string{"v", "w", "other"}, 3)}
}

func drawPattern(tokens []string, n int) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		list := rapid.SliceOfN(rapid.SampledFrom(tokens), 1, n).Draw(t, "tokens")
		if rapid.IntRange(0, 3).Draw(t, "tail") == 0 {
			list[len(list)-1] = ">"
		}
		return strings.Join(list, ".")
	})
}

func drawSubject() *rapid.Generator[string] {
	return drawPattern([]string{"a", "b", "*", "*"}, longest)
}

func drawQueue() *rapid.Generator[string] { return drawPattern([]string{"v", "w", "*"}, 2) }

func drawEntries(queues bool, least, most int) *rapid.Generator[[]string] {
	entry := rapid.Custom(func(t *rapid.T) string {
		s := drawSubject().Draw(t, "subject")
		if queues && rapid.Bool().Draw(t, "queued") {
			s += " " + drawQueue().Draw(t, "queue")
		}
		return s
	})
	return rapid.SliceOfN(entry, least, most)
}

func drawSpec() *rapid.Generator[subject.Spec] {
	return rapid.Custom(func(t *rapid.T) subject.Spec {
		return subject.Spec{
			Publish: subject.Rules{
				Allow: drawEntries(false, 0, 6).Draw(t, "publish allow"),
				Deny:  drawEntries(false, 0, 4).Draw(t, "publish deny"),
			},
			Subscribe: subject.Rules{
				Allow: drawEntries(true, 0, 8).Draw(t, "subscribe allow"),
				Deny:  drawEntries(true, 0, 4).Draw(t, "subscribe deny"),
			},
			Closed: rapid.Bool().Draw(t, "closed"),
		}
	})
}

// drawAsked is a queue to ask for, empty for none.
func drawAsked() *rapid.Generator[string] {
	return rapid.OneOf(rapid.Just(""), rapid.Just("v"), rapid.Just("v.w"), drawQueue())
}
