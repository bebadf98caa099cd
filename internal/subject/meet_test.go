package subject_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/natsauth/natsauth/internal/subject"
)

func TestMeet(t *testing.T) {
	for _, row := range []struct{ a, b, want string }{
		{"a", "a", "a"},
		{"a.*", "a.b", "a.b"},
		{"a.>", "a.b.*", "a.b.*"},
		{">", "a", "a"},
		{">", ">", ">"},
		{"a.*", "*.b", "a.b"},
		{"*.b.>", "a.>", "a.b.>"},
		{"a.*.>", "*.b.c", "a.b.c"},
		{"*.*.>", "a.>", "a.*.>"},
	} {
		for _, pair := range [][2]string{{row.a, row.b}, {row.b, row.a}} {
			got, ok := subject.Meet(pair[0], pair[1])
			require.True(t, ok, "%q", pair)
			require.Equal(t, row.want, got, "%q", pair)
		}
	}
	for _, pair := range [][2]string{{"a", "b"}, {"a.*", "a"}, {"a.>", "a"}, {"a.*", "a.b.c"}, {"", ""}, {"", ">"}, {"a..b", ">"}, {"a b", "a b"}} {
		got, ok := subject.Meet(pair[0], pair[1])
		require.False(t, ok, "%q", pair)
		require.Empty(t, got)
	}
	for _, pair := range [][2]string{{"a.b", "a.b"}, {"a.>", "a.b.c"}} {
		require.Zero(t, testing.AllocsPerRun(10, func() { subject.Meet(pair[0], pair[1]) }), "%q", pair)
	}
}

// validPatterns are all patterns of up to four tokens over a small alphabet.
func validPatterns() []string {
	var out []string
	for _, p := range literals([]string{"a", "b", "*", ">"}, 4) {
		if subject.Valid(p) {
			out = append(out, p)
		}
	}
	return out
}

// TestMeetIsWhatBothMatch holds Meet to the literal subjects themselves.
func TestMeetIsWhatBothMatch(t *testing.T) {
	patterns, subjects := validPatterns(), literals([]string{"a", "b", "c"}, 5)
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.SampledFrom(patterns).Draw(t, "a"), rapid.SampledFrom(patterns).Draw(t, "b")
		both, ok := subject.Meet(a, b)
		for _, s := range subjects {
			require.Equal(t, oracleMatch(a, s) && oracleMatch(b, s), ok && oracleMatch(both, s), "%q, %q, %q", a, b, s)
		}
	})
}

// TestCrossingsAgreeWithLookingAtAll compares the trie with a look at every pair.
func TestCrossingsAgreeWithLookingAtAll(t *testing.T) {
	patterns := validPatterns()
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(rapid.SampledFrom(append(patterns, "", "a..b")), 0, 25).Draw(t, "list")
		x := subject.NewCrossing(list)
		for _, s := range append(patterns, "", "a b", "a.") {
			var want []int32
			for i, p := range list {
				if subject.Overlap(p, s) {
					want = append(want, int32(i))
				}
			}
			require.ElementsMatch(t, want, x.Find(nil, s), "%q in %q", s, list)
			requireWithin(t, x, s, want)
		}
	})
	for _, none := range []*subject.Crossing{nil, {}, subject.NewCrossing(nil)} {
		require.Empty(t, none.Find(nil, ">"))
	}
	require.Equal(t, []int32{7, 0}, subject.NewCrossing([]string{"a"}).Find([]int32{7}, ">"), "it appends")
}

// requireWithin: with fewer steps less is found, and it is told.
func requireWithin(t *rapid.T, x *subject.Crossing, s string, want []int32) {
	all, left := x.FindWithin(nil, s, 1000)
	require.ElementsMatch(t, want, all)
	need := 1000 - left
	for _, steps := range []int{0, need / 2, need - 1, need} {
		found, left := x.FindWithin(nil, s, steps)
		require.Equal(t, steps < need, left < 0, "%d of %d steps", steps, need)
		require.Subset(t, append(want, -1), append(found, -1))
	}
}

// TestLongSubjects: what is kept of a subject grows with its text, and so does the look at it.
func TestLongSubjects(t *testing.T) {
	long := strings.Repeat("a.", 100_000)
	x := subject.NewCrossing([]string{long + "b", long + "c.>", long + "*"})
	for s, want := range map[string][]int32{
		">": {0, 1, 2}, long + "b": {0, 2}, long + "c.d": {1}, long + "c": {2}, long + "a": {2}, "*." + long[2:] + "b": {0, 2}, "b." + long + "b": nil, "a": nil,
	} {
		require.ElementsMatch(t, want, x.Find(nil, s))
	}
	require.Less(t, testing.AllocsPerRun(1, func() { subject.NewCrossing([]string{long + "b"}) }), 20.0)
}

func FuzzMeet(f *testing.F) {
	for _, a := range hostile {
		for _, b := range hostile {
			f.Add(a, b)
		}
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		both, ok := subject.Meet(a, b)
		require.Equal(t, subject.Overlap(a, b), ok)
		require.Equal(t, ok, len(subject.NewCrossing([]string{a}).Find(nil, b)) == 1)
		if !ok {
			require.Empty(t, both)
			return
		}
		require.True(t, subject.Subset(both, a) && subject.Subset(both, b))
		again, ok := subject.Meet(b, a)
		require.True(t, ok)
		require.Equal(t, both, again)
	})
}
