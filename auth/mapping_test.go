package auth_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/jwt/v2"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/auth/authtest"
	"github.com/natsauth/natsauth/internal/subject"
)

// to is a destination of everywhere; a weight of 0 is 100.
func to(s string, weight uint8) jwt.WeightedMapping { return in("", s, weight) }

// in is a destination of one cluster.
func in(cluster, s string, weight uint8) jwt.WeightedMapping {
	return jwt.WeightedMapping{Subject: jwt.Subject(s), Weight: weight, Cluster: cluster}
}

// mapped is an account with these mappings.
func mapped(t *testing.T, m jwt.Mapping, configs ...func(*auth.Config)) *auth.Account {
	t.Helper()
	w := newWorld(t, func(c *jwt.AccountClaims) { c.Mappings = m }, configs...)
	return w.connect(t, noUser).Account()
}

// percents is a random source of which every hundred numbers below 100 are 0 to 99.
type percents struct{ n uint64 }

func (p *percents) Uint64() uint64 {
	at := p.n % 100
	p.n++
	return (2*at + 1) << 32 / 200 << 32 // the middle of its hundredth
}

func withPercents(c *auth.Config) { c.Rand = rand.New(&percents{}) }

func TestPercentsAreTheNumbersBelowAHundred(t *testing.T) {
	r := rand.New(&percents{})
	for i := range uint32(200) {
		require.Equal(t, i%100, r.Uint32N(100))
	}
}

// lost stands for what is not delivered.
const lost = "(lost)"

// hundred says where a hundred messages go.
func hundred(a *auth.Account, s string) map[string]int {
	out := make(map[string]int)
	for range 100 {
		got, deliver := a.Map(s)
		if !deliver {
			got += lost
		}
		out[got]++
	}
	return out
}

func TestF093WeightsClustersAndLoss(t *testing.T) {
	for _, row := range []struct {
		name, cluster string
		source        string
		list          []jwt.WeightedMapping
		published     string
		want          map[string]int
	}{
		{"one destination", "", "foo", []jwt.WeightedMapping{to("bar", 100)}, "foo", map[string]int{"bar": 100}},
		{"a weight of 0 is 100", "", "foo", []jwt.WeightedMapping{to("bar", 0)}, "foo", map[string]int{"bar": 100}},
		{"the rest stays", "", "foo", []jwt.WeightedMapping{to("bar", 20)}, "foo", map[string]int{"bar": 20, "foo": 80}},
		{"weights of 1 and 99", "", "foo", []jwt.WeightedMapping{to("a", 1), to("b", 99)}, "foo", map[string]int{"a": 1, "b": 99}},
		{"99, and the rest stays", "", "foo", []jwt.WeightedMapping{to("a", 1), to("b", 98)}, "foo", map[string]int{"a": 1, "b": 98, "foo": 1}},
		{"in the order of the token", "", "foo", []jwt.WeightedMapping{to("a", 50), to("b", 20), to("c", 30)}, "foo", map[string]int{"a": 50, "b": 20, "c": 30}},
		{"the source is listed: the rest is lost", "", "foo", []jwt.WeightedMapping{to("bar", 20), to("foo", 30)}, "foo", map[string]int{"bar": 20, "foo": 30, lost: 50}},
		{"the source alone", "", "foo", []jwt.WeightedMapping{to("foo", 20)}, "foo", map[string]int{"foo": 20, lost: 80}},
		{"the source and nothing lost", "", "foo", []jwt.WeightedMapping{to("bar", 20), to("foo", 80)}, "foo", map[string]int{"bar": 20, "foo": 80}},
		{"a source with >", "", "a.>", []jwt.WeightedMapping{to("a.>", 20)}, "a.b", map[string]int{"a.b": 20, lost: 80}},
		{"a source with *, the rest stays", "", "a.*", []jwt.WeightedMapping{to("b.$1", 20)}, "a.x", map[string]int{"b.x": 20, "a.x": 80}},
		{"its own subject by another spelling is not the source", "", "a.*", []jwt.WeightedMapping{to("a.$1", 20)}, "a.x", map[string]int{"a.x": 100}},

		{"its cluster", "A", "foo", []jwt.WeightedMapping{to("bar", 100), in("A", "baz", 100)}, "foo", map[string]int{"baz": 100}},
		{"another cluster", "B", "foo", []jwt.WeightedMapping{to("bar", 100), in("A", "baz", 100)}, "foo", map[string]int{"bar": 100}},
		{"no cluster", "", "foo", []jwt.WeightedMapping{to("bar", 100), in("A", "baz", 100)}, "foo", map[string]int{"bar": 100}},
		{"names are not folded", "a", "foo", []jwt.WeightedMapping{to("bar", 100), in("A", "baz", 100)}, "foo", map[string]int{"bar": 100}},
		{"its cluster, the rest stays", "A", "foo", []jwt.WeightedMapping{to("bar", 100), in("A", "baz", 40)}, "foo", map[string]int{"baz": 40, "foo": 60}},
		{"only in another cluster", "B", "foo", []jwt.WeightedMapping{in("A", "baz", 40)}, "foo", map[string]int{"foo": 100}},
		{"the source is listed elsewhere: lost here too", "A", "foo", []jwt.WeightedMapping{to("foo", 10), in("A", "baz", 40)}, "foo", map[string]int{"baz": 40, lost: 60}},
		{"the source only in another cluster", "B", "foo", []jwt.WeightedMapping{in("A", "foo", 40)}, "foo", map[string]int{lost: 100}},
		{"every cluster has a hundred", "B", "foo", []jwt.WeightedMapping{to("a", 100), in("A", "b", 100), in("B", "c", 60), in("B", "d", 40)}, "foo", map[string]int{"c": 60, "d": 40}},
	} {
		a := mapped(t, jwt.Mapping{jwt.Subject(row.source): row.list}, withPercents, func(c *auth.Config) { c.Cluster = row.cluster })
		require.Equal(t, row.want, hundred(a, row.published), row.name)
		require.Equal(t, map[string]int{"other": 100}, hundred(a, "other"), row.name)
	}
}

// TestF093ASeedGivesTheSameChoices says again, with the numbers of the same seed, what
// is chosen. A function that asks for a number has the next one.
func TestF093ASeedGivesTheSameChoices(t *testing.T) {
	seeded := func() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }
	a := mapped(t, jwt.Mapping{
		"foo": {to("a", 20), to("b.{{random(7)}}", 50), to("foo", 10)},
		"bar": {to("baz", 100)},
	}, func(c *auth.Config) { c.Rand = seeded() })
	r, counts := seeded(), make(map[string]int)
	for range 2_000 {
		want := ""
		switch n := r.Uint32N(100); {
		case n < 20:
			want = "a"
		case n < 70:
			want = fmt.Sprint("b.", r.Uint32N(7))
		case n < 80:
			want = "foo"
		}
		got, deliver := a.Map("foo")
		require.Equal(t, want, got)
		require.Equal(t, want != "", deliver)
		counts[got[:min(1, len(got))]]++
		got, deliver = a.Map("bar") // no choice takes no number
		require.True(t, deliver && got == "baz")
	}
	require.Equal(t, map[string]int{"a": 410, "b": 993, "f": 194, "": 403}, counts)
}

func TestTheDefaultRandomSourceChoosesEach(t *testing.T) {
	a := mapped(t, jwt.Mapping{"foo": {to("a", 50), to("b", 50)}})
	seen := make(map[string]bool)
	for range 1_000 { // all the same: once in 2^999 runs
		got, _ := a.Map("foo")
		seen[got] = true
	}
	require.Equal(t, map[string]bool{"a": true, "b": true}, seen)
}

func TestB10TheMostSpecificMappingCounts(t *testing.T) {
	for _, row := range []struct {
		name, published, want string
		sources               []string
	}{
		{"a literal before a star", "a.b", "a.b", []string{"a.*", "a.b", "*.b"}},
		{"a star before the rest", "a.b", "a.*", []string{"a.>", "a.*", ">"}},
		{"left to right", "a.b", "a.*", []string{"*.b", "a.*"}},
		{"left to right, not by count", "a.b.c", "a.>", []string{"*.b.c", "a.>"}},
		{"where the literal way ends in nothing", "a.b.c", "*.b.*", []string{"a.b", "a.*.d", "*.b.*", "*.>"}},
	} {
		m := make(jwt.Mapping)
		for i, source := range row.sources {
			m[jwt.Subject(source)] = []jwt.WeightedMapping{to(destination(i, source), 100)}
		}
		for range 5 { // maps have no order: none may show
			got, deliver := mapped(t, m).Map(row.published)
			require.True(t, deliver)
			for i, source := range row.sources {
				require.Equal(t, source == row.want, strings.HasPrefix(got, fmt.Sprintf("to%d", i)), "%s: %q by %q", row.name, got, source)
			}
		}
	}
}

// destination is one that tells which source it is of.
func destination(i int, source string) string {
	if strings.HasSuffix(source, ">") {
		return fmt.Sprintf("to%d.>", i)
	}
	return fmt.Sprintf("to%d", i)
}

// TestB10MappingsAgreeWithLookingAtAll draws many sources, and one subject after another.
func TestB10MappingsAgreeWithLookingAtAll(t *testing.T) {
	token := rapid.SampledFrom([]string{"a", "b", "*"})
	rapid.Check(t, func(r *rapid.T) {
		m := make(jwt.Mapping)
		names := make(map[string]string) // the first token of the destination -> the source
		for i := range rapid.IntRange(1, 12).Draw(r, "sources") {
			source := strings.Join(rapid.SliceOfN(token, 1, 3).Draw(r, "source"), ".")
			if rapid.IntRange(0, 2).Draw(r, "open") == 0 {
				source += ".>"
			}
			m[jwt.Subject(source)] = []jwt.WeightedMapping{to(destination(i, source), 100)}
			names[fmt.Sprint("to", i)] = source
		}
		a := mapped(t, m)
		for range 20 {
			s := strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c"}), 1, 5).Draw(r, "subject"), ".")
			got, deliver := a.Map(s)
			require.True(t, deliver)
			first, _, _ := strings.Cut(got, ".")
			require.Equal(t, mostSpecific(m, s), names[first], "%s", s)
		}
	})
}

// mostSpecific looks at every source: the one whose tokens are the least, with a
// literal before `*` and that before `>`.
func mostSpecific(m jwt.Mapping, s string) string {
	best, key := "", ""
	for source := range m {
		if k := strings.NewReplacer("a", "0", "b", "0", "*", "1", ">", "2").Replace(string(source)); subject.Match(string(source), s) && (best == "" || k < key) {
			best, key = string(source), k
		}
	}
	return best
}

func TestF094MappingsTransform(t *testing.T) {
	a := mapped(t, jwt.Mapping{
		"orders.*.*":  {to("shop.$2.{{wildcard(1)}}", 100)},
		"hash.*":      {to("hash.{{partition(3,1)}}", 100)},
		"cut.*":       {to("cut.{{split(1,-)}}", 100)},
		"left.*":      {to("l.{{left(1,2)}}.{{right(1,2)}}", 100)},
		"slice.*":     {to("s.{{sliceFromLeft(1,2)}}.{{splitFromRight(1,2)}}", 100)},
		"rest.>":      {to("r.>", 100)},
		"again":       {to("again.x", 100)},
		"again.x":     {to("never", 100)},
		"literal":     {to("p.{{partition(1)}}.{{random(1)}}", 100)},
		"$SYS.REQ.>":  {to("$SYS.OTHER.>", 100)},
		"$1.x":        {to("dollar", 50)},
		"{{x}}.brace": {to("brace", 100)},
	}, withPercents)
	for _, row := range []struct {
		published, want string
		deliver         bool
	}{
		{"orders.a.b", "shop.b.a", true},
		{"orders.a", "orders.a", true},
		{"orders.a.b.c", "orders.a.b.c", true},
		{"hash.a", "hash.1", true}, // 0xe40c292c modulo 3
		{"cut.a-b--c", "cut.a.b.c", true},
		{"left.12345", "l.12.45", true},
		{"slice.12345", "s.12.34.5.123.45", true},
		{"rest.a.b", "r.a.b", true},
		{"rest", "rest", true},
		{"again", "again.x", true},
		{"literal", "p.0.0", true},
		{"$SYS.REQ.a", "$SYS.OTHER.a", true},
		{"$1.x", "dollar", true}, // 0 of 100
		{"{{x}}.brace", "brace", true},

		{"cut.--a", "", false}, // an empty token
		{"cut.a-*", "cut.a.*", true},
		{"left.*a", "l.*a.*a", true},
		{"left.*ab", "l.*a.ab", true},
		{"left.a>", "l.a>.a>", true},

		{"orders.*.b", "shop.b.*", true}, // the token is taken as it is written
		{"rest.>", "r.>", true},
		{"rest.a..b", "rest.a..b", true},
		{"rest.a b", "rest.a b", true},
		{"", "", true},
	} {
		got, deliver := a.Map(row.published)
		require.Equal(t, row.want, got, "%q", row.published)
		require.Equal(t, row.deliver, deliver, "%q", row.published)
	}
}

func TestAccountsWithMappingsThatMakeNoSense(t *testing.T) {
	for _, row := range []struct {
		name string
		good bool
		m    jwt.Mapping
	}{
		{"none", true, nil},
		{"a wildcard", true, jwt.Mapping{"a.*": {to("b.$1", 100)}}},
		{"a wildcard that the source has not", false, jwt.Mapping{"a.*": {to("b.$2", 100)}}},
		{"> on both sides", true, jwt.Mapping{"a.>": {to("b.>", 100)}}},
		{"> on one", false, jwt.Mapping{"a.>": {to("b", 100)}}},
		{"a star to map to", false, jwt.Mapping{"a.*": {to("a.*", 100)}}},
		{"> inside the source", false, jwt.Mapping{"a.>.b": {to("c.>", 100)}}},
		{"an unknown function", false, jwt.Mapping{"a.*": {to("{{upper(1)}}", 100)}}},
		{"a bad argument", false, jwt.Mapping{"a.*": {to("{{left(1,x)}}", 100)}}},
		{"two destinations", true, jwt.Mapping{"a": {to("b", 50), to("c", 50)}}},
		{"the same twice", false, jwt.Mapping{"a": {to("b", 50), to("b", 50)}}},
		{"the same in two clusters", false, jwt.Mapping{"a": {in("A", "b", 50), in("B", "b", 50)}}},
		{"in a cluster that is not ours", false, jwt.Mapping{"a": {to("b", 100), in("X", "$1", 100)}}},
		{"100 in all", true, jwt.Mapping{"a": {to("b", 99), to("c", 1)}}},
		{"101 in all", false, jwt.Mapping{"a": {to("b", 99), to("c", 2)}}},
		{"101 in a cluster", false, jwt.Mapping{"a": {in("A", "b", 99), in("A", "c", 2)}}},
		{"101 over clusters", true, jwt.Mapping{"a": {in("A", "b", 99), in("B", "c", 2)}}},
		{"a weight of 101", false, jwt.Mapping{"a": {to("b", 101)}}},
		{"an empty destination", false, jwt.Mapping{"a": {to("", 100)}}},
		{"an empty source", false, jwt.Mapping{"": {to("b", 100)}}},
		{"white space", false, jwt.Mapping{"a": {to("b c", 100)}}},
		{"a line end", false, jwt.Mapping{"a": {to("b\r\nc", 100)}}},
		{"one of many", false, jwt.Mapping{"a": {to("b", 100)}, "c": {to("$1", 100)}, "d": {to("e", 100)}}},
	} {
		w := newWorld(t, func(c *jwt.AccountClaims) { c.Mappings = row.m })
		if row.good {
			w.connect(t, noUser)
			continue
		}
		require.Equal(t, auth.AccountInvalid, w.refuse(t, w.client(noUser)).Reason, row.name)
	}
}

func TestTheZeroAccountMapsNothing(t *testing.T) {
	got, deliver := new(auth.Account).Map("foo")
	require.True(t, deliver)
	require.Equal(t, "foo", got)
}

func TestMapAllocatesNothingForWhatStays(t *testing.T) {
	many := make(jwt.Mapping)
	for i := range 2_000 {
		many[jwt.Subject(fmt.Sprintf("app.%d.*", i))] = []jwt.WeightedMapping{to("x.$1", 50)}
	}
	many["fixed.>"] = []jwt.WeightedMapping{to("all.>", 100)}
	many["const.*"] = []jwt.WeightedMapping{to("const", 100)}
	for _, row := range []struct {
		name      string
		m         jwt.Mapping
		published string
		want      float64
	}{
		{"no mappings", nil, "app.1.x", 0},
		{"none that matches", many, "app.no.x", 0},
		{"taken as it is written, and no source", many, "app.no.*", 0},
		{"not a subject", many, "app..x", 0},
		{"a fixed destination", many, "const.x", 0},
		{"a new subject", many, "fixed.x", 1},
	} {
		a := mapped(t, row.m)
		require.Equal(t, row.want, testing.AllocsPerRun(50, func() { a.Map(row.published) }), row.name)
	}
	stays := mapped(t, jwt.Mapping{"a.*": {to("never", 1)}}, func(c *auth.Config) { c.Rand = rand.New(last{}) })
	require.Zero(t, testing.AllocsPerRun(50, func() { stays.Map("a.b") }))
}

// last is a source of the greatest number only.
type last struct{}

func (last) Uint64() uint64 { return 1<<64 - 1 }

// TestManyMapAtTheSameTime is for -race: all take numbers from one source, and
// together exactly those that one goroutine alone would get.
func TestManyMapAtTheSameTime(t *testing.T) {
	a := mapped(t, jwt.Mapping{"foo": {to("bar", 30)}}, withPercents)
	var mu sync.Mutex
	var group sync.WaitGroup
	counts := make(map[string]int)
	for range 4 {
		group.Go(func() {
			for s, n := range hundred(a, "foo") {
				mu.Lock()
				counts[s] += n
				mu.Unlock()
			}
		})
	}
	group.Wait()
	require.Equal(t, map[string]int{"bar": 120, "foo": 280}, counts)
}

func FuzzMap(f *testing.F) {
	for _, row := range [][3]string{
		{"a.*", "b.$1", "a.x"}, {"a.>", "b.>", "a.x.y"}, {"*", "{{split(1,-)}}", "a--b"}, {"a", "{{random(3)}}", "a"},
		{"*.*", "{{partition(9,2,1)}}.{{left(1,1)}}", "*a.b"}, {"a.>.b", "c.>", "a.b"}, {"", "", ""}, {"a b", "{{", "a b"},
	} {
		f.Add(row[0], row[1], uint8(50), row[2])
	}
	f.Fuzz(func(t *testing.T, source, destination string, weight uint8, published string) {
		operator := authtest.NewOperator(t)
		account := operator.Account("A", authtest.Edit(func(c *jwt.AccountClaims) {
			c.Mappings = jwt.Mapping{jwt.Subject(source): {to(destination, weight)}}
		}))
		authorizer := authtest.Authorizer(t, operator, []*authtest.Account{account}, withPercents)
		s, err := authorizer.Connect(context.Background(), account.User("u").Credentials("0123456789abcdef"))
		if err != nil {
			var refusal *auth.Error
			require.ErrorAs(t, err, &refusal)
			require.Equal(t, auth.AccountInvalid, refusal.Reason)
			return
		}
		defer s.Close()
		for range 3 {
			got, deliver := s.Account().Map(published)
			require.True(t, deliver || got == "")
			require.True(t, !deliver || got == published || subject.Match(">", got))
			if !subject.Match(source, published) {
				require.True(t, deliver && got == published)
			}
		}
	})
}
