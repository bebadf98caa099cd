package subject_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/natsauth/natsauth/internal/subject"
)

func TestRenamings(t *testing.T) {
	for _, row := range []struct{ from, to, pattern, there, back string }{
		{"a", "b", "b", "a", "b"},
		{"a.*", "a.*", "a.*", "a.x", "a.x"},
		{"a.>", "a.>", "a.>", "a.x.y", "a.x.y"},
		{"a.>", "b.c.>", "b.c.>", "a.x.y", "b.c.x.y"},
		{"a.*", "b.*.c", "b.*.c", "a.x", "b.x.c"},
		{"a.*", "b.$1", "b.*", "a.x", "b.x"},
		{"a.*", "{{wildcard(1)}}.b", "*.b", "a.x", "x.b"},
		{"a.*.*", "b.$2.$1", "b.*.*", "a.x.y", "b.y.x"},
		{"a.*.*.*", "b.$2.$3.$1", "b.*.*.*", "a.x.y.z", "b.y.z.x"},
		{"a.*.*.*.>", "b.$3.$1.$2.>", "b.*.*.*.>", "a.x.y.z.r.s", "b.z.x.y.r.s"},
		{"*.a.*", "$2.{{ Wildcard( 1 ) }}", "*.*", "x.a.y", "y.x"},
		{"a.*.*", "b.*.$2", "b.*.*", "a.x.y", "b.x.y"},
		{"*.*", "$0.$2", "*.*", "x.y", "x.y"}, // below 1 it is the first token
		// as patterns
		{"a.*.*", "b.$2.$1", "b.*.*", "a.*.y", "b.y.*"},
		{"a.*.>", "b.$1.>", "b.*.>", "a.x.>", "b.x.>"},
		{"a.*.>", "b.$1.>", "b.*.>", "a.*.>", "b.*.>"},
	} {
		r, err := subject.NewRenaming(row.from, row.to)
		require.NoError(t, err, "%q -> %q", row.from, row.to)
		require.Equal(t, row.from, r.From())
		require.Equal(t, row.pattern, r.To())
		got, ok := r.There(row.there)
		require.True(t, ok)
		require.Equal(t, row.back, got, "%q -> %q of %q", row.from, row.to, row.there)
		got, ok = r.Back(row.back)
		require.True(t, ok)
		require.Equal(t, row.there, got, "%q <- %q of %q", row.from, row.to, row.back)
		_, ok = r.There("no." + row.there + ".no")
		require.False(t, ok)
		_, ok = r.Back("no." + row.back + ".no")
		require.False(t, ok)
	}
}

// TestManyNamesOfOneSubject: what is literal may be called by whatever a pattern matches.
func TestManyNamesOfOneSubject(t *testing.T) {
	r, err := subject.NewRenaming("a", "b.*")
	require.NoError(t, err)
	got, ok := r.Back("b.x")
	require.True(t, ok)
	require.Equal(t, "a", got)
	got, ok = r.There("a")
	require.False(t, ok, "%q", got)
	require.Empty(t, got)
}

func TestRenamingsThatCannotBe(t *testing.T) {
	for _, row := range []struct {
		from, to string
		want     error
	}{
		{"", "a", subject.ErrSource},
		{"a..b", "a..b", subject.ErrSource},
		{"a", "b.", subject.ErrDestination},
		{"a.>", "b", subject.ErrDestination},
		{"a.*", "b.>", subject.ErrDestination},
		{"a.*", "b", subject.ErrIrreversible},
		{"a.*.*", "b.$1", subject.ErrIrreversible},
		{"a.*", "b.$2", subject.ErrWildcard},
		{"a.>", "b.$1.>", subject.ErrWildcard},
		{"a.*", "b.{{partition(3,1)}}", subject.ErrIrreversible},
		{"a.*.*", "b.$1.$1", subject.ErrTwice},
		{"a.*.*", "b.*.$1", subject.ErrTwice},
		{"a.*.*", "b.$0.$2", subject.ErrTwice}, // the first token is no wildcard
		{"a.*.*", "b.$1.$2.$2", subject.ErrTwice},
		{"$1.*", "b.*", subject.ErrSource}, // on the way back it would be taken for the wildcard
	} {
		r, err := subject.NewRenaming(row.from, row.to)
		require.ErrorIs(t, err, row.want, "%q -> %q", row.from, row.to)
		require.Nil(t, r)
	}
	var none *subject.Renaming
	for _, r := range []*subject.Renaming{none, {}} {
		_, ok := r.There("a")
		require.False(t, ok)
		_, ok = r.Back("a")
		require.False(t, ok)
	}
}

// TestEveryNameHasOneWayBack draws permutations of any length.
func TestEveryNameHasOneWayBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 5).Draw(t, "wildcards")
		order := rapid.Permutation([]int{1, 2, 3, 4, 5}[:n]).Draw(t, "order")
		from, to, s := []string{"f"}, []string{"t"}, []string{"f"}
		for i := range n {
			if rapid.Bool().Draw(t, "between") {
				from, s = append(from, "x"), append(s, "x")
			}
			from, s = append(from, "*"), append(s, rapid.StringMatching(`[a-c*>]{1,3}`).Draw(t, "token"))
			to = append(to, fmt.Sprint("$", order[i]))
		}
		if rapid.Bool().Draw(t, "open") {
			from, to, s = append(from, ">"), append(to, ">"), append(s, "r", "s")
		}
		r, err := subject.NewRenaming(strings.Join(from, "."), strings.Join(to, "."))
		require.NoError(t, err)
		name, ok := r.There(strings.Join(s, "."))
		require.True(t, ok)
		require.True(t, subject.Match(r.To(), name))
		back, ok := r.Back(name)
		require.True(t, ok)
		require.Equal(t, strings.Join(s, "."), back)
	})
}

func TestRenamingsAllocateTheResult(t *testing.T) {
	for _, row := range []struct {
		from, to, s string
		want        float64
	}{{"a.>", "a.>", "a.b", 0}, {"a", "b", "a", 0}, {"a.*", "b.*", "a.x", 1}} {
		r, err := subject.NewRenaming(row.from, row.to)
		require.NoError(t, err)
		require.Equal(t, row.want, testing.AllocsPerRun(20, func() { r.There(row.s) }), row.from)
	}
}

func FuzzRenaming(f *testing.F) {
	for _, s := range hostile {
		f.Add("foo.*.>", "bar.$1.>", s)
		f.Add(s, s, s)
		f.Add(s, "bar.*", "bar.x")
	}
	f.Add("a.*.*", "$2.{{wildcard(1)}}", "a.b.c")
	f.Fuzz(func(t *testing.T, from, to, s string) {
		r, err := subject.NewRenaming(from, to)
		require.Equal(t, err == nil, r != nil)
		if err != nil {
			known := errors.Is(err, subject.ErrTwice)
			for _, e := range transformErrors {
				known = known || errors.Is(err, e)
			}
			require.True(t, known, "%v", err)
			return
		}
		require.True(t, subject.Valid(r.From()) && subject.Valid(r.To()))
		if name, ok := r.There(s); ok {
			require.True(t, subject.Match(r.To(), name))
			back, ok := r.Back(name)
			require.True(t, ok)
			require.Equal(t, s, back)
		}
		if back, ok := r.Back(s); ok {
			require.True(t, subject.Match(r.From(), back))
		}
	})
}

// TestShapesCoverWhatTransformsMake, whatever the functions.
func TestShapesCoverWhatTransformsMake(t *testing.T) {
	for _, row := range []struct{ source, destination, want string }{
		{"a", "b.c", "b.c"},
		{"a.*", "b.$1", "b.*"},
		{"a.>", "b.>", "b.>"},
		{"*", "b.{{partition(3,1)}}.{{random(4)}}.{{left(1,2)}}", "b.*.*.*"},
		{"*", "b.{{split(1,-)}}.c", "b.>"},
		{"*", "{{sliceFromLeft(1,1)}}.{{splitFromRight(1,1)}}", ">"},
	} {
		transform, err := subject.NewTransform(row.source, row.destination)
		require.NoError(t, err)
		require.Equal(t, row.want, transform.Shape())
	}
	rapid.Check(t, func(t *rapid.T) {
		destination := "d"
		for range rapid.IntRange(1, 4).Draw(t, "parts") {
			destination += "." + drawPart(t, []int{0}).text
		}
		transform, err := subject.NewTransform("*", destination)
		require.NoError(t, err)
		if got, ok := transform.Apply(rapid.StringMatching(`[ab-]{1,6}`).Draw(t, "token"), highest); ok {
			require.True(t, subject.Match(transform.Shape(), got), "%q of %q is not in %q", got, destination, transform.Shape())
		}
	})
}
