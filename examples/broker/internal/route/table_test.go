package route_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/examples/broker/internal/route"
)

// takers gives the names of those who take a message, sorted. Who refuses does
// not take it.
func takers(t *route.Table[string], subject string, refuse ...string) []string {
	var out []string
	t.Match(subject).Deliver(func(e *route.Entry[string]) bool {
		if slices.Contains(refuse, e.Of) {
			return false
		}
		out = append(out, e.Of)
		return true
	})
	slices.Sort(out)
	return out
}

func table(t *testing.T, entries ...route.Entry[string]) *route.Table[string] {
	t.Helper()
	out := route.NewTable[string]()
	for _, e := range entries {
		require.NoError(t, out.Insert(&e))
	}
	require.Equal(t, len(entries), out.Len())
	return out
}

func TestMatch(t *testing.T) {
	all := table(t,
		route.Entry[string]{Subject: "a.b", Of: "literal"}, route.Entry[string]{Subject: "a.*", Of: "star"},
		route.Entry[string]{Subject: "a.>", Of: "rest"}, route.Entry[string]{Subject: ">", Of: "all"},
	)
	for _, tt := range []struct {
		subject string
		want    []string
	}{
		{"a.b", []string{"all", "literal", "rest", "star"}},
		{"a.c", []string{"all", "rest", "star"}},
		{"a.b.c", []string{"all", "rest"}},
		{"a", []string{"all"}},
		{"b", []string{"all"}},
		{"a.*", []string{"all", "rest", "star"}}, // a token like any other
		{"a.>", []string{"all", "rest", "star"}},
		{"", nil}, {".", nil}, {"a.", nil}, {".a", nil}, {"a..b", nil},
	} {
		require.Equal(t, tt.want, takers(all, tt.subject), tt.subject)
	}
}

// TestAll: whoever gets a message is there, every member of a group too; who asks may stop.
func TestAll(t *testing.T) {
	all := table(t,
		route.Entry[string]{Subject: "a.b", Of: "one"}, route.Entry[string]{Subject: "a.*", Of: "two"},
		route.Entry[string]{Subject: "a.>", Queue: "g", Of: "three"}, route.Entry[string]{Subject: ">", Queue: "g", Of: "four"},
		route.Entry[string]{Subject: "b", Of: "five"},
	)
	var got []string
	for e := range all.Match("a.b").All() {
		got = append(got, e.Of)
	}
	require.ElementsMatch(t, []string{"one", "two", "three", "four"}, got)
	for stop := range len(got) {
		n := 0
		for range all.Match("a.b").All() {
			if n++; n > stop {
				break
			}
		}
		require.Equal(t, stop+1, n)
	}
}

// TestInsert: what is no subject is refused, and leaves nothing behind.
func TestInsert(t *testing.T) {
	for subject, want := range map[string]error{
		"a": nil, "*": nil, ">": nil, "a.*.>": nil, "a*": nil, "a>b": nil,
		"": route.ErrSubject, ".": route.ErrSubject, "a.": route.ErrSubject, ".a": route.ErrSubject,
		"a..b": route.ErrSubject, ">.a": route.ErrSubject, "a.>.b": route.ErrSubject, ">.>": route.ErrSubject,
	} {
		table := route.NewTable[string]()
		require.ErrorIs(t, table.Insert(&route.Entry[string]{Subject: subject}), want, subject)
		require.Equal(t, want == nil, table.Len() == 1, subject)
		require.Equal(t, want == nil, route.Valid(subject), subject)
	}
}

func TestRemove(t *testing.T) {
	table := route.NewTable[string]()
	one, two := &route.Entry[string]{Subject: "a", Of: "one"}, &route.Entry[string]{Subject: "a", Of: "two"}
	require.NoError(t, table.Insert(one))
	require.NoError(t, table.Insert(two))
	require.True(t, table.Remove(one))
	require.False(t, table.Remove(one))
	require.Equal(t, []string{"two"}, takers(table, "a"))
	require.Equal(t, 1, table.Len())
}

// TestQueue: one of each group takes a message, every member has its turn, and
// who does not take it is passed over.
func TestQueue(t *testing.T) {
	all := table(t,
		route.Entry[string]{Subject: "a", Queue: "q", Of: "q1"}, route.Entry[string]{Subject: "*", Queue: "q", Of: "q2"},
		route.Entry[string]{Subject: "a", Queue: "q", Of: "q3"}, route.Entry[string]{Subject: "a", Queue: "r", Of: "r1"},
		route.Entry[string]{Subject: "a", Of: "plain"},
	)
	turns := map[string]int{}
	for range 1000 {
		got := takers(all, "a")
		require.Len(t, got, 3)
		for _, name := range got {
			turns[name]++
		}
	}
	require.Equal(t, 1000, turns["plain"])
	require.Equal(t, 1000, turns["r1"])
	require.Equal(t, 1000, turns["q1"]+turns["q2"]+turns["q3"])
	for _, name := range []string{"q1", "q2", "q3"} {
		require.Greater(t, turns[name], 200, name) // a third, but for one time in 10^20
	}
	for range 100 {
		require.Equal(t, []string{"plain", "q2", "r1"}, takers(all, "a", "q1", "q3"))
		require.Equal(t, []string{"plain", "r1"}, takers(all, "a", "q1", "q2", "q3"))
	}
}

// TestTaken: somebody took it, or nobody did.
func TestTaken(t *testing.T) {
	all := table(t, route.Entry[string]{Subject: "a", Of: "one"}, route.Entry[string]{Subject: "a", Of: "two"},
		route.Entry[string]{Subject: "b", Queue: "q", Of: "one"}, route.Entry[string]{Subject: "b", Queue: "q", Of: "two"})
	for _, subject := range []string{"a", "b"} {
		for name, tt := range map[string]struct {
			takes []string
			want  bool
		}{
			"nobody": {nil, false}, "the first": {[]string{"one"}, true}, "the second": {[]string{"two"}, true},
		} {
			got := all.Match(subject).Deliver(func(e *route.Entry[string]) bool { return slices.Contains(tt.takes, e.Of) })
			require.Equal(t, tt.want, got, "%s: %s", subject, name)
		}
	}
	require.False(t, all.Match("c").Deliver(func(*route.Entry[string]) bool { return true }))
}
