package subject_test

import (
	"errors"
	"fmt"
	"hash/fnv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/natsauth/natsauth/internal/subject"
)

// highest is a random source that always gives the greatest number.
func highest(n uint32) uint32 { return n - 1 }

func TestTransforms(t *testing.T) {
	for _, row := range []struct{ source, destination, subject, want string }{
		{"foo", "bar", "foo", "bar"},
		{"foo", "foo", "foo", "foo"},
		{"foo.bar", "$SYS.bar", "foo.bar", "$SYS.bar"},
		{"foo", "{{}}", "foo", "{{}}"},
		{"foo", "{{x", "foo", "{{x"},
		{"foo.*", "bar", "foo.a", "bar"},
		{"foo.*", "bar.$1", "foo.a", "bar.a"},
		{"*.*", "$2.$1", "a.b", "b.a"},
		{"*.*", "{{wildcard(2)}}.x.{{Wildcard(1)}}", "a.b", "b.x.a"},
		{"a.*.b.*", "$2.$1", "a.x.b.y", "y.x"},
		{"*", "x.$1.$1", "a", "x.a.a"},

		{">", ">", "a.b", "a.b"},
		{">", "all.>", "a.b", "all.a.b"},
		{"foo.>", ">", "foo.a.b", "a.b"},
		{"foo.>", "bar.>", "foo.a.b", "bar.a.b"},
		{"*.foo.>", "bar.$1.>", "x.foo.a.b", "bar.x.a.b"},

		{"foo.*", "x.$0", "foo.a", "x.foo"}, // the first token of the subject
		{"foo.*", "x.$-3", "foo.a", "x.foo"},
		{"foo.*", "x.$+1", "foo.a", "x.a"},
		{"foo.*", "x.$1a", "foo.a", "x.$1a"},
		{">", "{{partition(10,0)}}.>", "a.b", fmt.Sprint(bucketOf("a", 10), ".a.b")},

		{"foo.*", "x.{{ wildcard ( 1 ) }}", "foo.a", "x.a"},
		{"foo.*", "x.{{junk{{wildcard(1)}}junk}}", "foo.a", "x.a"},
		{"foo.*", "x.{{SpLiT{{left(1,2)}}", "foo.abc", "x.ab"},

		{"*", "{{splitFromLeft(1,3)}}", "12345", "123.45"},
		{"*", "{{SplitFromLeft(1,1)}}", "12345", "1.2345"},
		{"*", "{{splitfromleft(1,4)}}", "12345", "1234.5"},
		{"*", "{{splitFromLeft(1,5)}}", "12345", "12345"}, // nothing would be left
		{"*", "{{splitFromLeft(1,6)}}", "12345", "12345"},
		{"*", "{{splitFromLeft(1,0)}}", "12345", "12345"},
		{"*", "{{splitFromLeft(1,-1)}}", "12345", "12345"},
		{"*", "{{splitFromRight(1,3)}}", "12345", "12.345"},
		{"*", "{{splitfromRight(1,4)}}", "12345", "1.2345"},
		{"*", "{{SplitFromRight(1,5)}}", "12345", "12345"},

		{"*", "{{sliceFromLeft(1,2)}}", "12345", "12.34.5"},
		{"*", "{{sliceFromLeft(1,2)}}", "1234", "12.34"},
		{"*", "{{sliceFromLeft(1,1)}}", "123", "1.2.3"},
		{"*", "{{SlicefromLeft(1,4)}}", "12345", "1234.5"},
		{"*", "{{sliceFromLeft(1,5)}}", "12345", "12345"},
		{"*", "{{sliceFromRight(1,2)}}", "12345", "1.23.45"},
		{"*", "{{sliceFromRight(1,2)}}", "1234", "12.34"},
		{"*", "{{sliceFromRight(1,4)}}", "12345", "1.2345"},
		{"*", "{{sliceFromRight(1,5)}}", "12345", "12345"},

		{"*", "{{split(1,-)}}", "a-b--c", "a.b.c"},
		{"*", "{{split(1,-)}}", "-a-", "a"},
		{"*", "{{split(1,-)}}", "a--", "a"},
		{"*", "{{split(1, --)}}", "a-b--c", "a-b.c"},
		{"*", "{{split(1,)}}", "aéb", "a.é.b"},
		{"*", "{{split(1,)})}}", "a)}b", "a.b"},
		{"*", "{{split(1,.)}}", "a", "{{split(1,.)}}"}, // two tokens, and neither is a function
		{"*.*", "x.{{Split(2,-)}}.$1", "a.b-c", "x.b.c.a"},

		{"*", "{{left(1,2)}}", "12345", "12"},
		{"*", "{{Left(1,4)}}", "12345", "1234"},
		{"*", "{{left(1,5)}}", "12345", "12345"},
		{"*", "{{left(1,0)}}", "12345", "12345"},
		{"*", "{{right(1,2)}}", "12345", "45"},
		{"*", "{{Right(1,6)}}", "12345", "12345"},

		// The FNV-1a hashes of "", "a" and "foobar" are among those that its authors publish.
		{"*", "{{partition(2147483647,1)}}", "a", fmt.Sprint(uint32(0xe40c292c) % 2147483647)},
		{"*.*", "{{partition(2147483647,1,2)}}", "foo.bar", fmt.Sprint(uint32(0xbf9cf968) % 2147483647)},
		{"foo", "{{Partition(10)}}", "foo", fmt.Sprint(bucketOf("foo", 10))},
		{"foo.bar", "{{partition(10,7,8)}}", "foo.bar", fmt.Sprint(bucketOf("foo.bar", 10))}, // no wildcards: the whole subject
		{"foo.*.>", "x.{{partition( 5 )}}.>", "foo.a.b", fmt.Sprint("x.", bucketOf("foo.a.b", 5), ".b")},
		{"*.*", "{{partition(7, 2, 1)}}.$1", "a.b", fmt.Sprint(bucketOf("ba", 7), ".a")},
		{"*", "{{partition(0,1)}}", "a", "0"},
		{"*", "{{partition(1,1)}}", "a", "0"},
		{"*", "{{partition(-1,1)}}", "a", fmt.Sprint(uint32(0xe40c292c))}, // by its bits, 2^32-1

		{"foo", "{{random(10)}}", "foo", "9"},
		{"foo.*", "x.{{Random( 10 )}}.$1", "foo.a", "x.9.a"},
		{"foo", "{{random(1)}}", "foo", "0"},
		{"foo", "{{random(0)}}", "foo", "0"},
		{"foo", "{{random(-10)}}", "foo", "9"},
		{"foo", "{{random(2147483647)}}", "foo", "2147483646"},
	} {
		transform, err := subject.NewTransform(row.source, row.destination)
		require.NoError(t, err, "%q -> %q", row.source, row.destination)
		got, ok := transform.Apply(row.subject, highest)
		require.True(t, ok, "%q -> %q of %q", row.source, row.destination, row.subject)
		require.Equal(t, row.want, got, "%q -> %q of %q", row.source, row.destination, row.subject)
	}
}

// bucketOf says again what partition does, with the hash of the standard library.
func bucketOf(key string, n uint32) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(key))
	return h.Sum32() % n
}

func TestTransformsThatCannotBe(t *testing.T) {
	for _, row := range []struct {
		source, destination string
		want                error
	}{
		{"", "bar", subject.ErrSource},
		{"", "bar.>", subject.ErrSource},
		{"foo..bar", "bar", subject.ErrSource},
		{"foo.>.bar", "bar.>", subject.ErrSource},
		{"foo bar", "bar", subject.ErrSource},

		{"foo", "", subject.ErrDestination},
		{"foo", "bar.", subject.ErrDestination},
		{"foo", ".bar", subject.ErrDestination},
		{"foo", "b..r", subject.ErrDestination},
		{"foo", "b r", subject.ErrDestination},
		{"foo", "b\nr", subject.ErrDestination},
		{"*", "{{wildcard(1)\t}}", subject.ErrDestination},
		{"*", "{{split(1,\x7f)}}", subject.ErrDestination},
		{"foo.*", "bar.*", subject.ErrDestination},
		{"foo", "bar.>", subject.ErrDestination},
		{"foo.>", "bar", subject.ErrDestination},
		{"foo.>", "bar.>.$1", subject.ErrDestination},
		{"foo.>", ">.bar", subject.ErrDestination},
		{"foo.>", ">.>", subject.ErrDestination},

		{"foo", "$1", subject.ErrWildcard},
		{"foo", "$0", subject.ErrWildcard},
		{"foo", "{{wildcard(1)}}", subject.ErrWildcard},
		{"foo", "{{split(1,-)}}", subject.ErrWildcard},
		{"foo", "{{left(0,1)}}", subject.ErrWildcard},
		{"foo.>", "$1.>", subject.ErrWildcard},
		{"foo.*", "$2", subject.ErrWildcard},
		{"foo.*", "{{partition(10,1,2)}}", subject.ErrWildcard},
		{"foo.*", "{{sliceFromLeft(2,1)}}", subject.ErrWildcard},

		{"*", "{{wildcard()}}", subject.ErrArguments},
		{"*", "{{wildcard(1,2)}}", subject.ErrArguments},
		{"*", "{{wildcard(x)}}", subject.ErrArguments},
		{"*", "{{wildcard(1)}}{{wildcard(1)}}", subject.ErrArguments},
		{"*", "{{partition()}}", subject.ErrArguments},
		{"*", "{{partition(x)}}", subject.ErrArguments},
		{"*", "{{partition(2147483648)}}", subject.ErrArguments},
		{"*", "{{partition(2,x)}}", subject.ErrArguments},
		{"*", "{{partition(2,)}}", subject.ErrArguments},
		{"*", "{{splitFromLeft(1)}}", subject.ErrArguments},
		{"*", "{{splitFromLeft(1,2,3)}}", subject.ErrArguments},
		{"*", "{{splitFromRight(1,x)}}", subject.ErrArguments},
		{"*", "{{sliceFromLeft(x,1)}}", subject.ErrArguments},
		{"*", "{{sliceFromRight(1,2147483648)}}", subject.ErrArguments},
		{"*", "{{left(1,)}}", subject.ErrArguments},
		{"*", "{{split(1)}}", subject.ErrArguments},
		{"*", "{{split(1,-,-)}}", subject.ErrArguments},
		{"*", "{{split(x,-)}}", subject.ErrArguments},
		{"*", "{{split(1,- -)}}", subject.ErrArguments},
		{"foo", "{{random()}}", subject.ErrArguments},
		{"foo", "{{random(1,2)}}", subject.ErrArguments},
		{"foo", "{{random(2147483648)}}", subject.ErrArguments},

		{"*", "{{x}}", subject.ErrFunction},
		{"*", "{{unknown(1)}}", subject.ErrFunction},
		{"*", "{{WILDCARD(1)}}", subject.ErrFunction},
		{"*", "{{wildCard(1)}}", subject.ErrFunction},
		{"*", "{{split from left(1,1)}}", subject.ErrFunction},
		{"*", "{{wildcard 1}}", subject.ErrFunction},
		{"*", "{{wildcard(1}}", subject.ErrFunction},
		{"foo", "{{wildcard}}", subject.ErrFunction},
	} {
		transform, err := subject.NewTransform(row.source, row.destination)
		require.ErrorIs(t, err, row.want, "%q -> %q", row.source, row.destination)
		require.Nil(t, transform)
	}
	_, err := subject.NewTransform("*", "x.{{nope(1)}}")
	require.EqualError(t, err, `subject: unknown function: "{{nope(1)}}"`)
}

func TestStrictTransforms(t *testing.T) {
	for _, row := range []struct {
		source, destination string
		want                error
	}{
		{"foo", "bar", nil},
		{"foo.>", "bar.>", nil},
		{"*.*", "$2.$1", nil},
		{"*.*", "$2.{{wildcard(1)}}.$1", nil},
		{"*.*", "$1", subject.ErrIrreversible},
		{"*", "bar", subject.ErrIrreversible},
		{"*", "$1.{{partition(3,1)}}", subject.ErrIrreversible},
		{"*", "$1.{{random(3)}}", subject.ErrIrreversible},
		{"*", "{{left(1,3)}}", subject.ErrIrreversible},
		{"foo", "bar.{{partition(3)}}", subject.ErrIrreversible},
		{"*", "$2", subject.ErrWildcard},
		{"*", "bar.*", subject.ErrDestination},
	} {
		transform, err := subject.NewStrictTransform(row.source, row.destination)
		require.Equal(t, err == nil, transform != nil)
		require.ErrorIs(t, err, row.want, "%q -> %q", row.source, row.destination)
	}
}

func TestTransformsThatDoNotApply(t *testing.T) {
	for _, row := range []struct{ name, source, destination, subject string }{
		{"another subject", "foo", "bar", "fo"},
		{"a shorter one", "foo.*", "bar", "foo"},
		{"a longer one", "foo.*", "bar", "foo.a.b"},
		{"no token for >", "foo.>", "bar.>", "foo"},
		{"empty", ">", "bar.>", ""},
		{"an empty token", "*.*.*", "bar", "a..b"},
		{"white space", "*", "bar", "a b"},
		{"a control byte", "*", "bar", "a\x00b"},
		{"split leaves an empty token", "*", "{{split(1,-)}}", "--a"},
		{"split leaves nothing", "*", "bar.{{split(1,-)}}", "--"},
		{"no random source", "foo", "{{random(0)}}", "foo"},
	} {
		transform, err := subject.NewTransform(row.source, row.destination)
		require.NoError(t, err, row.name)
		got, ok := transform.Apply(row.subject, nil)
		require.False(t, ok, row.name)
		require.Empty(t, got, row.name)
	}
	for _, none := range []*subject.Transform{nil, {}} {
		_, ok := none.Apply("foo", highest)
		require.False(t, ok)
	}
}

// TestB18TransformsAreBounded has destinations that ask for more than they are long.
func TestB18TransformsAreBounded(t *testing.T) {
	const half = subject.MaxTransformed / 2
	for _, row := range []struct {
		name, destination string
		length            int // of the token
		want              bool
	}{
		{"just below", "$1.$1", half - 1, true},
		{"at, the dot counts", "$1.x$.$1", half - 2, true},
		{"just above", "$1.$1", half, false},
		{"many times a long token", strings.Repeat("$1.", 60_000) + "$1", 4_000, false},
		{"hashes, at", "{{partition(9,1,1)}}", half - 1, true},
		{"hashes, above", "{{partition(9,1,1)}}", half, false},
		{"many hashes", "{{partition(9" + strings.Repeat(",1", 100_000) + ")}}", 4_000, false},
		{"text", strings.Repeat("x", subject.MaxTransformed-1) + ".$1", 1, false},
		{"text alone costs nothing", strings.Repeat("x", 2*subject.MaxTransformed), 1, true},
	} {
		transform, err := subject.NewTransform("*", row.destination)
		require.NoError(t, err, row.name)
		_, ok := transform.Apply(strings.Repeat("a", row.length), nil)
		require.Equal(t, row.want, ok, row.name)
	}
	// What takes long to read would take minutes here: a function that is begun again and again.
	for _, destination := range []string{
		strings.Repeat("{{left(", 150_000) + "}}", "{{" + strings.Repeat("left(1)", 150_000) + "}}", strings.Repeat("{{ ", 300_000) + "}}",
	} {
		_, err := subject.NewTransform("*", destination)
		require.Error(t, err)
	}
}

// part is a piece of a destination, and says naively what becomes of it.
type part struct {
	text string
	make func(tokens []string) string // of the subject
}

// drawPart draws a part for a source whose wildcards are these tokens.
func drawPart(t *rapid.T, wildcards []int) part {
	n := rapid.IntRange(1, 6).Draw(t, "n")
	if len(wildcards) == 0 || rapid.IntRange(0, 3).Draw(t, "plain") == 0 {
		return rapid.SampledFrom([]part{
			{"x", func([]string) string { return "x" }},
			{"$y", func([]string) string { return "$y" }},
			{fmt.Sprintf("{{partition(%d)}}", n), func(tokens []string) string { return fmt.Sprint(bucketOf(strings.Join(tokens, "."), uint32(n))) }},
		}).Draw(t, "text")
	}
	w := rapid.IntRange(1, len(wildcards)).Draw(t, "wildcard")
	of := func(tokens []string) string { return tokens[wildcards[w-1]] }
	cut := func(name string, cut func(s string) string) part {
		return part{fmt.Sprintf("{{%s(%d,%d)}}", name, w, n), func(tokens []string) string {
			if s := of(tokens); n < len(s) {
				return cut(s)
			}
			return of(tokens)
		}}
	}
	return rapid.SampledFrom([]part{
		{fmt.Sprint("$", w), of},
		{fmt.Sprintf("{{wildcard(%d)}}", w), of},
		{fmt.Sprintf("{{partition(%d,%d,1)}}", n, w), func(tokens []string) string { return fmt.Sprint(bucketOf(of(tokens)+tokens[wildcards[0]], uint32(n))) }},
		cut("splitFromLeft", func(s string) string { return s[:n] + "." + s[n:] }),
		cut("splitFromRight", func(s string) string { return s[:len(s)-n] + "." + s[len(s)-n:] }),
		cut("left", func(s string) string { return s[:n] }),
		cut("right", func(s string) string { return s[len(s)-n:] }),
		cut("sliceFromLeft", func(s string) string { return dotted(s, func(i int) bool { return i%n == 0 }) }),
		cut("sliceFromRight", func(s string) string { return dotted(s, func(i int) bool { return (len(s)-i)%n == 0 }) }),
		{fmt.Sprintf("{{split(%d,-)}}", w), func(tokens []string) string {
			return strings.Join(strings.FieldsFunc(of(tokens), func(r rune) bool { return r == '-' }), ".")
		}},
	}).Draw(t, "function")
}

// dotted has a dot before every byte, but the first, where before says so.
func dotted(s string, before func(i int) bool) string {
	var b strings.Builder
	for i := range len(s) {
		if i > 0 && before(i) {
			b.WriteByte('.')
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// TestTransformsDoWhatTheirPartsDo compares whole transforms with the naive parts.
func TestTransformsDoWhatTheirPartsDo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		source := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "*", "*"}), 1, 6).Draw(t, "source")
		tokens := append([]string(nil), source...)
		var wildcards []int
		for i, token := range source {
			if token == "*" {
				wildcards = append(wildcards, i)
				tokens[i] = rapid.StringMatching(`[ab*>é-]{0,3}[ab][ab*>-]{0,8}`).Draw(t, "token")
			}
		}
		fixed := len(source)
		open := rapid.Bool().Draw(t, "open")
		if open {
			source = append(source, ">")
			tokens = append(tokens, rapid.SliceOfN(rapid.SampledFrom([]string{"t", "u-v", ">x"}), 1, 3).Draw(t, "rest")...)
		}
		var destination, want []string
		for range rapid.IntRange(1, 5).Draw(t, "parts") {
			p := drawPart(t, wildcards)
			if strings.HasPrefix(p.text, "{{split(") && strings.Contains(strings.Join(tokens, "."), "--") {
				continue // two delimiters at the beginning leave an empty token: a row of its own
			}
			destination, want = append(destination, p.text), append(want, p.make(tokens))
		}
		if open || len(destination) == 0 {
			destination, want = append(destination, "z"), append(want, "z")
		}
		if open {
			destination, want = append(destination, ">"), append(want, tokens[fixed:]...)
		}
		transform, err := subject.NewTransform(strings.Join(source, "."), strings.Join(destination, "."))
		require.NoError(t, err)
		got, ok := transform.Apply(strings.Join(tokens, "."), highest)
		require.Equal(t, subject.Match(">", strings.Join(want, ".")), ok)
		if ok {
			require.Equal(t, strings.Join(want, "."), got)
		}
	})
}

func TestTransformsAllocateTheResult(t *testing.T) {
	for _, row := range []struct {
		source, destination, subject string
		want                         float64
	}{
		{"foo.*", "bar", "foo.a", 0},
		{"foo.*", "bar.$1", "foo.a", 1},
		{"*.*.>", "{{partition(10,1,2)}}.$2.{{partition(3)}}.>", "a.b.c.d", 1},
		{"*", "{{split(1,-)}}.{{split(1,)}}", "a-b-c", 1},
		{"*", "{{splitFromLeft(1,2)}}.{{splitFromRight(1,2)}}.{{sliceFromLeft(1,2)}}.{{sliceFromRight(1,2)}}.{{left(1,2)}}.{{right(1,2)}}", "12345", 1},
		{"foo", "x.{{random(10)}}", "foo", 1},
		{strings.Repeat("*.", 31) + "*", "$32.$1", strings.Repeat("token.", 31) + "end", 1},
		{"foo.*", "bar.$1", "foo.*", 1},
		{"foo.*", "bar.$1", "bar.a", 0},
	} {
		transform, err := subject.NewTransform(row.source, row.destination)
		require.NoError(t, err)
		got := testing.AllocsPerRun(100, func() { transform.Apply(row.subject, highest) })
		require.LessOrEqual(t, got, row.want, "%q -> %q of %q", row.source, row.destination, row.subject)
	}
}

// transformErrors are all that NewTransform gives.
var transformErrors = []error{
	subject.ErrSource, subject.ErrDestination, subject.ErrFunction, subject.ErrArguments, subject.ErrWildcard, subject.ErrIrreversible,
}

func FuzzTransform(f *testing.F) {
	for _, s := range hostile {
		f.Add("foo.*.>", "bar.$1.>", s)
		f.Add(s, "bar.$1", s)
		f.Add("*.>", s, "a-b.c")
	}
	for _, d := range []string{
		"{{partition(3,1)}}.>", "{{split(1,-)}}.>", "{{ sliceFromLeft( 1 , 2 ) }}.>", "{{splitFromRight(1,-1)}}.>",
		"{{random(5)}}.>", "{{{{left(1,1)}}}}.>", "$0.{{right(-1,2)}}.>",
	} {
		f.Add("*.>", d, "a--*b.c")
	}
	f.Fuzz(func(t *testing.T, source, destination, s string) {
		transform, err := subject.NewTransform(source, destination)
		require.Equal(t, err == nil, transform != nil)
		known := err == nil
		for _, e := range transformErrors {
			known = known || errors.Is(err, e)
		}
		require.True(t, known, "%v", err)
		strict, strictly := subject.NewStrictTransform(source, destination)
		require.Equal(t, strictly == nil, strict != nil)
		require.False(t, strictly == nil && err != nil)
		got, ok := transform.Apply(s, highest)
		require.True(t, ok || got == "")
		require.True(t, !ok || subject.Match(source, s) && subject.Match(">", got))
		if strictly == nil {
			again, same := strict.Apply(s, nil)
			require.Equal(t, ok, same)
			require.Equal(t, got, again)
		}
	})
}
