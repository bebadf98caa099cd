package subject_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/jwt/v2"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/natsauth/natsauth/internal/subject"
)

func TestNested(t *testing.T) {
	for _, row := range []struct {
		name         string
		list         []string
		inner, outer string // empty: none is nested
	}{
		{"nothing", nil, "", ""},
		{"one", []string{"a.>"}, "", ""},
		{"others", []string{"a", "b", "a.b", "b.a"}, "", ""},
		{"equal", []string{"a", "b", "a"}, "a", "a"},
		{"equal wildcards", []string{"*.>", "*.>"}, "*.>", "*.>"},
		{"in a star", []string{"a.b", "a.*"}, "a.b", "a.*"},
		{"in a star that comes first", []string{"a.*", "a.b"}, "a.b", "a.*"},
		{"star in a star", []string{"a.*", "*.*"}, "a.*", "*.*"},
		{"stars that cross", []string{"a.*", "*.b"}, "", ""},
		{"in a tail", []string{"a.b.c", "a.>"}, "a.b.c", "a.>"},
		{"in all", []string{"a.b", ">"}, "a.b", ">"},
		{"a tail is more than what stands before it", []string{"a", "a.>"}, "", ""},
		{"tail in a tail", []string{"a.b.>", "a.>"}, "a.b.>", "a.>"},
		{"tail in a star, to which it is a token", []string{"a.>", "b", "a.*"}, "a.>", "a.*"},
		{"star in a tail, which is a token to the star as well", []string{"a.*", "a.>"}, "a.*", "a.>"},
		{"shorter than the star", []string{"a", "a.*"}, "", ""},
		{"longer than the star", []string{"a.b.c", "a.*"}, "", ""},
		{"a tail that is not last is a token", []string{"a.>.b", "a.x.b"}, "", ""},
		{"a star that is part of a token is none", []string{"a.b*", "a.bc"}, "", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			inner, outer, ok := subject.Nested(row.list)
			require.True(t, ok)
			require.Equal(t, []string{row.inner, row.outer}, []string{inner, outer})
		})
	}
}

// anyNested compares all pairs by the reference's rule.
func anyNested(list []string) bool {
	for i, s := range list {
		for j, o := range list {
			if i != j && jwt.Subject(s).IsContainedIn(jwt.Subject(o)) {
				return true
			}
		}
	}
	return false
}

func TestNestedAgainstAllPairs(t *testing.T) {
	one := rapid.Custom(func(t *rapid.T) string {
		token := rapid.SampledFrom([]string{"a", "b", "c", "*", "*", ">", "a*", ">>", ""})
		s := strings.Join(rapid.SliceOfN(token, 1, 5).Draw(t, "tokens"), ".")
		return s + rapid.SampledFrom([]string{"", ".>", ".*"}).Draw(t, "end")
	}).Filter(func(s string) bool { return s != "" })
	found, free := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(one, 0, 6).Draw(t, "list")
		before := slices.Clone(list)
		inner, outer, ok := subject.Nested(list)
		require.True(t, ok)
		nested := outer != ""
		require.Equal(t, before, list)
		require.Equal(t, anyNested(list), nested, "%q", list)
		if !nested {
			free++
			require.Empty(t, inner+outer)
			return
		}
		found++
		require.True(t, jwt.Subject(inner).IsContainedIn(jwt.Subject(outer)), "%q in %q", inner, outer)
		at := slices.Index(list, inner)
		require.True(t, at >= 0 && slices.Contains(append(list[:at:at], list[at+1:]...), outer), "%q in %q: both of the list", inner, outer)
	})
	require.Positive(t, found)
	require.Positive(t, free)
}

// TestB18NestedGivesUp: a list that is made to be slow is given up, and says so;
// a large one that is not is judged.
func TestB18NestedGivesUp(t *testing.T) {
	slow := func(k int) []string {
		var list []string
		for i := range 1 << k {
			tokens := make([]string, 0, k+1)
			for bit := range k {
				tokens = append(tokens, string("a*"[i>>bit&1]))
			}
			list = append(list, strings.Join(append(tokens, fmt.Sprintf("y%d", i)), "."))
		}
		for i := range 1 << k {
			list = append(list, strings.Repeat("a.", k)+fmt.Sprintf("z%d", i))
		}
		return list
	}
	_, outer, ok := subject.Nested(slow(4))
	require.True(t, ok)
	require.Empty(t, outer)
	_, _, ok = subject.Nested(slow(12))
	require.False(t, ok)

	var plain []string
	for i := range 10_000 {
		plain = append(plain, fmt.Sprintf("app.%d.*.orders", i), fmt.Sprintf("all.%d.>", i))
	}
	_, outer, ok = subject.Nested(plain)
	require.True(t, ok)
	require.Empty(t, outer)
}
