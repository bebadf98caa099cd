package conformance_test

import (
	"strings"

	"pgregory.net/rapid"

	"github.com/natsauth/natsauth/internal/subject"
)

// The tokens that the properties draw from.
var (
	// few meet one another often.
	few = []string{"a", "b", "*", "*"}
	// odd are bytes of wildcards inside of tokens, which are tokens like any other.
	odd = []string{"a", "b", "*", "a*", "*a", "**", ">x", "x>", ">>", "a>b", "é", "日本", "$SYS", "-", "\\", "\xff\xfe", strings.Repeat("l", 300)}
	// foul have white space or a control byte, or nothing at all.
	foul = []string{"", " ", "\t", "\n", "\r", "\f", "\v", "\x00", "\x7f", "\x01", "a b", "b\t", "\nb", "b\x00", "\x1bb", "a\x7f"}
)

// drawText joins tokens of an alphabet; one text in four ends with `>`.
func drawText(most int, alphabets ...[]string) *rapid.Generator[string] {
	var tokens []*rapid.Generator[string]
	for _, a := range alphabets {
		tokens = append(tokens, rapid.SampledFrom(a))
	}
	return rapid.Custom(func(t *rapid.T) string {
		list := rapid.SliceOfN(rapid.OneOf(tokens...), 1, most).Draw(t, "tokens")
		if rapid.IntRange(0, 3).Draw(t, "tail") == 0 {
			list[len(list)-1] = ">"
		}
		return strings.Join(list, ".")
	})
}

// drawAny is everything: what is valid and what is not, short and of up to 70
// tokens, more than either side looks at without allocating.
func drawAny() *rapid.Generator[string] {
	return rapid.OneOf(
		drawText(4, few), drawText(4, odd), drawText(4, few, odd, few, foul), drawText(70, few),
		drawText(3, foul), rapid.String(), rapid.StringMatching(`[a*>. ]{0,8}`),
	)
}

// drawClean has no white space and no control byte; it may have empty tokens.
func drawClean() *rapid.Generator[string] {
	return rapid.OneOf(drawText(4, few), drawText(4, few), drawText(4, few, odd), drawText(40, few), drawText(4, few, []string{"", ">"}))
}

// drawAsked is a queue to ask for, empty for none.
func drawAsked() *rapid.Generator[string] {
	return rapid.OneOf(rapid.Just(""), rapid.SampledFrom([]string{"v", "v.w", "w", "*v", "v.>"}), drawText(2, queueTokens))
}

var queueTokens = []string{"v", "w", "*", "*v"}

// drawEntries are entries of a permission list, of which some are not valid: an
// entry `subject queue` where queued is true, and now and then one with three fields,
// with white space around it, or with a subject that is none.
func drawEntries(most int, queued bool) *rapid.Generator[[]string] {
	entry := rapid.Custom(func(t *rapid.T) string {
		s := rapid.OneOf(drawText(3, few), drawText(3, few), drawText(3, few, odd), drawText(40, few)).Draw(t, "subject")
		switch n := rapid.IntRange(0, 19).Draw(t, "kind"); {
		case n == 0:
			return drawAny().Draw(t, "anything")
		case n == 1:
			return s + " " + drawText(2, queueTokens).Draw(t, "queue") + rapid.SampledFrom([]string{" third", " ", "\t"}).Draw(t, "end")
		case queued && n < 10:
			return s + " " + drawText(2, queueTokens).Draw(t, "queue")
		}
		return s
	})
	return rapid.SliceOfN(entry, 0, most)
}

func drawSpec() *rapid.Generator[subject.Spec] {
	return rapid.Custom(func(t *rapid.T) subject.Spec {
		return subject.Spec{
			Publish: subject.Rules{
				Allow: drawEntries(8, false).Draw(t, "publish allow"),
				Deny:  drawEntries(5, false).Draw(t, "publish deny"),
			},
			Subscribe: subject.Rules{
				Allow: drawEntries(8, true).Draw(t, "subscribe allow"),
				Deny:  drawEntries(5, true).Draw(t, "subscribe deny"),
			},
			Closed: rapid.IntRange(0, 3).Draw(t, "closed") == 0,
		}
	})
}
