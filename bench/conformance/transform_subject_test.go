package conformance_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/natsauth/natsauth/bench/conformance/internal/permissions"
	"github.com/natsauth/natsauth/internal/subject"
)

func TestTransformIsTheReferences(t *testing.T) {
	made, applied := map[bool]int{}, map[bool]int{}
	rapid.Check(t, func(t *rapid.T) {
		for range questions {
			source, destination := drawSource().Draw(t, "source"), drawDestination().Draw(t, "destination")
			want, err := server.NewSubjectTransform(source, destination)
			valid := err == nil && server.ValidateMapping(source, destination) == nil && ours(source, destination)
			got, err := subject.NewTransform(source, destination)
			require.Equal(t, valid, err == nil, "%q to %q: %v", source, destination, err)
			requireReason(t, err)
			made[valid]++
			if valid {
				s := drawInstance(source).Draw(t, "subject")
				applied[requireSame(t, source, want, got, s)]++
			}
		}
	})
	requireBoth(t, made)
	requireBoth(t, applied)
}

func TestStrictTransformIsTheReferences(t *testing.T) {
	made := map[bool]int{}
	rapid.Check(t, func(t *rapid.T) {
		for range questions {
			source, destination := drawSource().Draw(t, "source"), drawReversible().Draw(t, "destination")
			want, err := server.NewSubjectTransformStrict(source, destination)
			valid := err == nil && ours(source, destination) && !uselessly(source, destination)
			got, err := subject.NewStrictTransform(source, destination)
			require.Equal(t, valid, err == nil, "%q to %q: %v", source, destination, err)
			requireReason(t, err)
			made[valid]++
			if valid {
				requireSame(t, source, want, got, drawInstance(source).Draw(t, "subject"))
			}
		}
	})
	requireBoth(t, made)
}

// ours says that nothing stands in a pair which this library refuses on purpose: no
// source, no destination, a control byte in either, and white space but for spaces in a
// function.
func ours(source, destination string) bool {
	return source != "" && destination != "" && !stricter(source) && !slices.ContainsFunc(strings.Split(destination, "."), func(token string) bool {
		return stricter(strings.ReplaceAll(token, " ", "")) || stricter(token) && !function(token)
	})
}

// function says that a token of a destination that was accepted is a function.
func function(token string) bool {
	return len(token) > len("{{}}") && strings.HasPrefix(token, "{{") && strings.HasSuffix(token, "}}")
}

// uselessly says that a strict destination has a function which no wildcard of its
// source could be put back from.
func uselessly(source, destination string) bool {
	return !subject.HasWildcard(source) && slices.ContainsFunc(strings.Split(destination, "."), function)
}

// requireReason requires that a refusal says what is wrong.
func requireReason(t *rapid.T, err error) {
	if err == nil {
		return
	}
	for _, reason := range []error{
		subject.ErrSource, subject.ErrDestination, subject.ErrFunction, subject.ErrArguments, subject.ErrWildcard, subject.ErrIrreversible,
	} {
		if errors.Is(err, reason) {
			return
		}
	}
	t.Fatalf("no reason: %v", err)
}

// requireSame compares what becomes of a subject, and says whether anything did. As
// the reference does for the mappings of an account (server/accounts.go
// selectMappedSubject), the source is held against the tokens as they are written. Ours
// has no result where the reference's is no subject.
func requireSame(t *rapid.T, source string, reference server.SubjectTransformer, ours *subject.Transform, s string) bool {
	want := ""
	if referenceMatch(">", s) && server.SubjectMatchesFilter(permissions.Tame(s), permissions.Tame(source)) {
		want = reference.TransformSubject(s)
	}
	valid := referenceMatch(">", want) && !stricter(s) && !stricter(want)
	got, ok := ours.Apply(s, func(uint32) uint32 { return 0 })
	require.Equal(t, valid, ok, "of %q the reference makes %q", s, want)
	if ok {
		require.Equal(t, want, got, "of %q", s)
	}
	return ok
}

func drawSource() *rapid.Generator[string] {
	return rapid.OneOf(drawText(4, few), drawText(4, few, few), drawText(2, few, odd, foul), rapid.Just(">"), drawText(40, few))
}

// drawInstance is a subject that a source matches, or nearly.
func drawInstance(source string) *rapid.Generator[string] {
	token := rapid.SampledFrom([]string{
		"a", "ab", "abc", "abcd", "a-b-c", "-a", "a-", "--", "-", "a_b", "日本", "aXbXc", "12345678901234567", "x,y", "a--b", "*", "*a", strings.Repeat("l", 200),
	})
	return rapid.Custom(func(t *rapid.T) string {
		var out []string
		for _, s := range strings.Split(source, ".") {
			switch s {
			case "*":
				s = token.Draw(t, "token")
			case ">":
				s = strings.Join(rapid.SliceOfN(token, 1, 4).Draw(t, "rest"), ".")
			}
			out = append(out, s)
		}
		if rapid.IntRange(0, 9).Draw(t, "off") == 0 {
			out[len(out)-1] = rapid.SampledFrom([]string{"", "other", "a.b", "a b", "\x00", "*"}).Draw(t, "last")
		}
		return strings.Join(out, ".")
	})
}

// drawReversible names wildcards, mostly in a way that can be reversed.
func drawReversible() *rapid.Generator[string] {
	tokens := []string{"$1", "$1", "$2", "$2", "$3", "{{wildcard(1)}}", "{{wildcard(2)}}", "a", "b", "x"}
	return rapid.OneOf(drawText(3, tokens), drawText(4, tokens), drawText(4, tokens), drawDestination())
}

// drawDestination is a destination with functions, now and then not quite right.
func drawDestination() *rapid.Generator[string] {
	tokens := rapid.OneOf(
		rapid.SampledFrom([]string{"a", "b", "$1", "$2", "{{wildcard(1)}}", "{{partition(3)}}", "{{partition(10,1)}}"}),
		drawCall(), drawCall(),
		rapid.SampledFrom([]string{"$", "$x", "$SYS", "$0", "$-1", "$1x", "$01", "$ 1", "{{}}", "{{x", "{{a}}", "x{{wildcard(1)}}", "{{wildcard(1)}}x",
			"{{wildcard(1)}}{{wildcard(2)}}", "{{}}{{wildcard(1)}}", "*", ">", "", "a b", "é", "a\tb", "\x00", "\v", "{{wildcard(1)", "{wildcard(1)}", "{{{{wildcard(1)}}}}",
			"{{wildcard(1))}}", "{{wildcard((1)}}", "{{left(1,1)}}{{right(1,1)}}", "$99999999999999999999"}),
	)
	return rapid.Custom(func(t *rapid.T) string {
		list := rapid.SliceOfN(tokens, 1, 4).Draw(t, "tokens")
		if rapid.IntRange(0, 3).Draw(t, "tail") == 0 {
			list = append(list, ">")
		}
		return strings.Join(list, ".")
	})
}

// drawCall is one function with arguments.
func drawCall() *rapid.Generator[string] {
	names := []string{
		"wildcard", "Wildcard", "WILDCARD", "partition", "Partition", "split", "Split", "splitFromLeft", "SplitFromLeft", "splitfromleft", "SplitFromRight", "splitfromRight",
		"SliceFromLeft", "slicefromleft", "sliceFromRight", "SliceFromRight", "left", "Left", "right", "Right", "random", "Random", "nothing", "",
	}
	numbers := rapid.SampledFrom([]string{"1", "1", "1", "2", "2", "3", "0", "-1", "10", " 1", "1 ", "+1", "01", "2147483647", "2147483648", "-2147483649", "9223372036854775808", "x", "", "1e3"})
	args := rapid.OneOf(numbers, numbers, numbers, rapid.SampledFrom([]string{"-", "_", "--", "X", "", "a", " ", "é", ")"}))
	return rapid.Custom(func(t *rapid.T) string {
		name := rapid.SampledFrom(names).Draw(t, "name")
		if strings.EqualFold(name, "random") { // what is left to chance is not compared
			return fmt.Sprintf("{{%s(%s)}}", name, rapid.SampledFrom([]string{"1", "0", "-1", "1,2", "", "x", "2147483648"}).Draw(t, "most"))
		}
		open := rapid.SampledFrom([]string{"(", "(", "(", " (", "( "}).Draw(t, "open")
		end := rapid.SampledFrom([]string{")}}", ")}}", ")}}", ") }}", " )}}", "}}"}).Draw(t, "end")
		comma := rapid.SampledFrom([]string{",", ",", ", ", ",  ", " ,", ",\t"}).Draw(t, "comma")
		list := rapid.SliceOfN(args, 0, 3).Draw(t, "arguments")
		return rapid.SampledFrom([]string{"{{", "{{", "{{ ", "{{\t"}).Draw(t, "begin") + name + open + strings.Join(list, comma) + end
	})
}
