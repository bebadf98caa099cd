package conformance_test

import (
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats-server/v2/server/gsl"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/natsauth/natsauth/bench/conformance/internal/permissions"
	"github.com/natsauth/natsauth/internal/subject"
)

// questions is how many answers are compared for one draw of a property.
const questions = 20

// stricter reports whether s has a byte that this library refuses everywhere: white
// space or a control byte of ASCII.
func stricter(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f })
}

func TestValidIsTheReferencesButForControlBytes(t *testing.T) {
	seen := map[bool]int{}
	rapid.Check(t, func(t *rapid.T) {
		for range questions {
			s := drawAny().Draw(t, "subject")
			require.Equal(t, server.IsValidSubject(s) && !stricter(s), subject.Valid(s), "valid %q", s)
			require.Equal(t, server.IsValidPublishSubject(s) && !stricter(s), subject.Literal(s), "literal %q", s)
			require.Equal(t, subject.Valid(s) && !server.IsValidPublishSubject(s), subject.HasWildcard(s), "wildcard %q", s)
			seen[subject.Valid(s)]++
		}
	})
	requireBoth(t, seen)
}

func TestMatchIsTheReferencesOnTokensAsTheyAreWritten(t *testing.T) {
	seen := map[bool]int{}
	rapid.Check(t, func(t *rapid.T) {
		for range questions {
			pattern, s := drawAny().Draw(t, "pattern"), drawAny().Draw(t, "subject")
			if rapid.Bool().Draw(t, "near") {
				pattern, s = drawText(3, few).Draw(t, "pattern"), drawText(3, few, few, []string{"", "*a"}).Draw(t, "subject")
			}
			want := referenceMatch(pattern, s) && !stricter(pattern) && !stricter(s)
			require.Equal(t, want, subject.Match(pattern, s), "%q against %q", s, pattern)
			seen[want]++
		}
	})
	requireBoth(t, seen)
}

// referenceMatch asks the reference's matcher for one pattern.
func referenceMatch(pattern, s string) bool {
	list := gsl.NewSublist[int]()
	return server.IsValidSubject(pattern) && list.Insert(pattern, 0) == nil && list.HasInterest(s)
}

func TestSubsetAndOverlapAreTheReferences(t *testing.T) {
	subsets, overlaps := map[bool]int{}, map[bool]int{}
	rapid.Check(t, func(t *rapid.T) {
		for range questions {
			a, b := drawPair(t)
			valid := subject.Valid(a) && subject.Valid(b)
			tameA, tameB := permissions.Tame(a), permissions.Tame(b)
			subset := valid && server.SubjectMatchesFilter(tameA, tameB)
			overlap := valid && server.SubjectsCollide(tameA, tameB)
			require.Equal(t, subset, subject.Subset(a, b), "%q within %q", a, b)
			require.Equal(t, overlap, subject.Overlap(a, b), "%q and %q", a, b)
			if tamed := a == untame(tameA) && b == untame(tameB); tamed && valid {
				require.Equal(t, server.SubjectMatchesFilter(a, b), subset, "as they are, %q within %q", a, b)
				require.Equal(t, server.SubjectsCollide(a, b), overlap, "as they are, %q and %q", a, b)
			}
			subsets[subset]++
			overlaps[overlap]++
		}
	})
	requireBoth(t, subsets)
	requireBoth(t, overlaps)
}

// drawPair draws two subjects that are often alike.
func drawPair(t *rapid.T) (string, string) {
	if rapid.IntRange(0, 3).Draw(t, "any") == 0 {
		return drawAny().Draw(t, "a"), drawAny().Draw(t, "b")
	}
	return drawText(3, few, few, odd).Draw(t, "a"), drawText(3, few, few, odd).Draw(t, "b")
}

// untame is s without what Tame added, as long as no token of it begins like a
// wildcard; else it is empty.
func untame(s string) string {
	if strings.Contains(s, "=*") || strings.Contains(s, "=>") {
		return ""
	}
	return strings.ReplaceAll(s, "=", "")
}

// TestATokenThatBeginsLikeAWildcardIsATokenLikeAnyOther shows where the properties
// above have to write the subjects another way for the reference. A row that no
// longer differs goes, and with it the need for permissions.Tame.
func TestATokenThatBeginsLikeAWildcardIsATokenLikeAnyOther(t *testing.T) {
	for _, tt := range []struct {
		name            string
		a, b            string
		subset, overlap bool // the reference's; ours are both false
	}{
		{"a token that begins with an asterisk", "a", "*b", true, false},
		{"the same beside a wildcard", "a.x", "*b.*", true, true},
		{"both with wildcards", "a.*", "*b.*", true, true},
		{"a token that begins with an angle", "a.*", ">b.*", false, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			require.False(t, subject.Subset(tt.a, tt.b))
			require.False(t, subject.Overlap(tt.a, tt.b))
			require.Equal(t, tt.subset, server.SubjectMatchesFilter(tt.a, tt.b))
			require.Equal(t, tt.overlap, server.SubjectsCollide(tt.a, tt.b))
		})
	}
}

// requireBoth requires that a property has seen both answers often.
func requireBoth(t *testing.T, seen map[bool]int) {
	t.Helper()
	total := seen[true] + seen[false]
	t.Logf("%d answers, %d yes", total, seen[true])
	require.Greater(t, min(seen[true], seen[false])*50, total, "one answer is too rare: %v", seen)
}
