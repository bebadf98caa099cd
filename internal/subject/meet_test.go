package subject_test

import (
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
		}
	})
	for _, none := range []*subject.Crossing{nil, {}, subject.NewCrossing(nil)} {
		require.Empty(t, none.Find(nil, ">"))
	}
	require.Equal(t, []int32{7, 0}, subject.NewCrossing([]string{"a"}).Find([]int32{7}, ">"), "it appends")
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
