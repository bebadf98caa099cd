package subject_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/natsauth/natsauth/internal/subject"
)

// oracleMoreSpecific says what B10 says, of two subjects that match the same one.
func oracleMoreSpecific(a, b string) int {
	rank := func(token string) int { return slices.Index([]string{"*", ">"}, token) } // -1: literal
	s, t := split(a), split(b)
	for i := range min(len(s), len(t)) {
		if d := rank(s[i]) - rank(t[i]); d != 0 {
			return d
		}
	}
	return 0
}

// openEnd says whether the last token is `>`.
func openEnd(s string) bool { return s == ">" || strings.HasSuffix(s, ".>") }

// oracleFind looks at every subject of the list.
func oracleFind(list []string, s string) (int, bool) {
	best := -1
	for i, p := range list {
		if oracleMatch(p, s) && (!openEnd(s) || openEnd(p)) && (best < 0 || oracleMoreSpecific(p, list[best]) < 0) {
			best = i
		}
	}
	return best, best >= 0
}

func TestB10TheMostSpecificSubjectIsFound(t *testing.T) {
	for _, row := range []struct {
		name, subject, want string
		list                []string
	}{
		{"a literal before a star", "a.b", "a.b", []string{"a.*", "a.b"}},
		{"a star before the rest", "a.b", "a.*", []string{"a.>", "a.*"}},
		{"the rest, where nothing else does", "a.b.c", "a.>", []string{"a.*", "a.>"}},
		{"the first token decides", "a.b", "a.*", []string{"*.b", "a.*"}},
		{"and not how many are literal", "a.b.c.d", "a.>", []string{"*.b.c.d", "a.>"}},
		{"a last > is matched by > only", "a.>", "a.>", []string{"a.*", "a.>"}},
		{"and by no star", "a.>", ">", []string{"a.*", ">"}},
		{"a star is matched as it is written", "a.*", "a.*", []string{"a.*", "a.>"}},
		{"the literal way may be a dead end", "a.b.c", "*.b.c", []string{"a.b.d", "*.b.c"}},
		{"and so may the star's", "a.b.c", ">", []string{"a.*.d", "*.b", ">"}},
		{"longer ones do not matter", "a.b", "a.>", []string{"a.b.c", "a.b.*", "a.b.>", "a.>"}},
		{"the first of equal ones", "a.b", "a.*", []string{"b", "a.*", "a.*"}},
		{"a star in the subject is a token", "a.*", "a.*", []string{"a.b", "a.*"}},
	} {
		ranking, err := subject.NewRanking(row.list)
		require.NoError(t, err)
		got, ok := ranking.Find(row.subject)
		require.True(t, ok, row.name)
		require.Equal(t, slices.Index(row.list, row.want), got, row.name)
	}
}

func TestRankingsFindNothing(t *testing.T) {
	ranking, err := subject.NewRanking([]string{"a.b", "a.*.c", "b.>"})
	require.NoError(t, err)
	for _, s := range []string{"", "a", "b", "a.c", "a.b.d", "a.b.c.d", "c", "b.", "b..c", "b.c d", "b.\n", ">", "a.*.>"} {
		_, ok := ranking.Find(s)
		require.False(t, ok, "%q", s)
	}
	empty, err := subject.NewRanking(nil)
	require.NoError(t, err)
	for _, none := range []*subject.Ranking{nil, {}, empty} {
		_, ok := none.Find("a")
		require.False(t, ok)
	}
	for _, bad := range []string{"", "a.", "a.>.b", "a b"} {
		ranking, err := subject.NewRanking([]string{"a", bad})
		require.EqualError(t, err, fmt.Sprintf("subject: %q is not a subject", bad))
		require.Nil(t, ranking)
	}
}

// TestB10RankingsAgreeWithLookingAtAll draws lists with many ways to go astray.
func TestB10RankingsAgreeWithLookingAtAll(t *testing.T) {
	var patterns []string
	for _, p := range literals([]string{"a", "b", "*", ">"}, 4) {
		if subject.Valid(p) {
			patterns = append(patterns, p)
		}
	}
	subjects := literals([]string{"a", "b", "c", "*", ">"}, 4)
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(rapid.SampledFrom(patterns), 0, 25).Draw(t, "list")
		ranking, err := subject.NewRanking(list)
		require.NoError(t, err)
		for _, s := range subjects {
			want, found := oracleFind(list, s)
			got, ok := ranking.Find(s)
			if ok != found || ok && got != want {
				t.Fatalf("%q in %q: %d %v, want %d %v", s, list, got, ok, want, found)
			}
		}
	})
}

// TestB10CompareIsTheOrderOfRankings: the first of those that match is the one that is found.
func TestB10CompareIsTheOrderOfRankings(t *testing.T) {
	patterns := validPatterns()
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.SampledFrom(patterns).Draw(t, "a"), rapid.SampledFrom(patterns).Draw(t, "b")
		got := subject.Compare(a, b)
		require.Equal(t, got < 0, subject.Compare(b, a) > 0)
		require.Equal(t, a == b, got == 0)
		if want := oracleMoreSpecific(a, b); want != 0 {
			require.Equal(t, want < 0, got < 0, "%q, %q", a, b)
		}
	})
}

func TestRankingsDoNotAllocate(t *testing.T) {
	for _, n := range []int{1, 1_000, 10_000} {
		var list []string
		for i := range n {
			list = append(list, fmt.Sprintf("app.%d.*", i), fmt.Sprintf("app.%d.>", i), fmt.Sprintf("*.%d.x.y", i))
		}
		ranking, err := subject.NewRanking(list)
		require.NoError(t, err)
		for _, s := range []string{"app.0.a", "app.0.a.b", "b.0.x.y", "app.no.such", strings.Repeat("token.", 100) + "end"} {
			require.Zero(t, testing.AllocsPerRun(20, func() { ranking.Find(s) }), "%d, %s", n, s)
		}
	}
}

func FuzzRanking(f *testing.F) {
	for _, s := range hostile {
		f.Add("a.*", "a.>", "*.b", s)
		f.Add(s, "a.>", s, "a.b")
	}
	f.Fuzz(func(t *testing.T, a, b, c, s string) {
		list := []string{a, b, c}
		ranking, err := subject.NewRanking(list)
		require.Equal(t, err == nil, subject.Valid(a) && subject.Valid(b) && subject.Valid(c))
		got, ok := ranking.Find(s)
		if err != nil || !subject.Match(">", s) {
			require.False(t, ok)
			return
		}
		want, found := oracleFind(list, s)
		require.Equal(t, found, ok)
		require.True(t, !ok || got == want)
	})
}
