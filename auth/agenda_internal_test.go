package auth

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/claims"
	"github.com/natsauth/natsauth/resolver"
)

// These tests are inside the package because nobody outside can see the agenda.

// TestAgendaOrder: accounts come in the order in which they are due, whatever was
// written down before, and each once.
func TestAgendaOrder(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var g agenda
		due := make(map[*place]int64)
		places := make([]*place, 40)
		for i := range places {
			places[i] = &place{}
		}
		for range 400 { // written, moved and struck out
			p, at := places[r.IntN(len(places))], r.Int64N(100)
			g.put(p, at)
			if due[p] = at; at == 0 {
				delete(due, p)
			}
		}
		wantPositions(t, &g)
		require.Equal(t, len(due), len(g.places))
		want := make([]int64, 0, len(due))
		for _, at := range due {
			want = append(want, at)
		}
		slices.Sort(want)
		require.Equal(t, want[0], g.first())
		require.Nil(t, g.take(want[0]-1), "just before")
		var got []int64
		for p := g.take(100); p != nil; p = g.take(100) {
			require.Zero(t, p.agendum.at)
			got = append(got, due[p])
		}
		require.Equal(t, want, got)
		require.Zero(t, g.first())
	}
}

func wantPositions(t *testing.T, g *agenda) {
	t.Helper()
	for i, p := range g.places {
		require.Equal(t, i+1, p.agendum.at)
	}
}

// testPlace is a place with a view in force, of an Authorizer that nothing wakes.
func testPlace(t *testing.T, edit func(*Config)) *place {
	t.Helper()
	c := Config{Bounds: Bounds{Idle: 1000}, Clock: func() time.Time { return time.Unix(0, 0) }}
	edit(&c)
	a := &Authorizer{config: c}
	p := &place{authorizer: a, key: "A"}
	p.current.Store(&Account{claims: &claims.Account{}})
	return p
}

// TestPlan: an account is looked after when the first thing is due, which is always
// later than now.
func TestPlan(t *testing.T) {
	t.Parallel()
	nothing := func(*Config) {}
	for _, row := range []struct {
		name string
		edit func(*Config)
		set  func(*place)
		now  int64
		want int64
	}{
		{"nobody uses it", nothing, func(*place) {}, 5, 1005},
		{"nobody uses it, seen before", nothing, func(p *place) { p.idle = 700 }, 5, 700},
		{"its end is sooner", nothing, func(p *place) { p.current.Load().end.at = 300 }, 5, 300},
		{"its end is later", nothing, func(p *place) { p.current.Load().end.at = 3000 }, 5, 1005},
		{"its end is over", nothing, func(p *place) { p.current.Load().end.at = 5 }, 5, 1005},
		{"its end is to be announced", func(c *Config) { c.Warn = 100 }, func(p *place) { p.current.Load().end.at = 300 }, 5, 200},
		{"its end is near", func(c *Config) { c.Warn = 100 }, func(p *place) { p.current.Load().end.at = 300 }, 250, 251},
		{"its end was announced", func(c *Config) { c.Warn = 100 }, func(p *place) { p.current.Load().end.at, p.warned = 300, true }, 250, 300},
		{"its end was missed", func(c *Config) { c.Warn = 100 }, func(p *place) { p.current.Load().end.at = 300 }, 400, 1400},
		{"it is to be looked up", func(c *Config) { c.Refresh = 60 }, func(p *place) { p.refresh = 50 }, 5, 50},
		{"the clock was set back since it was planned", func(c *Config) { c.Refresh = 20 }, func(p *place) { p.refresh, p.idle = 5000, 9000 }, 5, 25},
		{"the same, nobody uses it", nothing, func(p *place) { p.idle = 9000 }, 5, 1005},
		{"the same, nobody could confirm it", func(c *Config) { c.MaxStale = 40 }, func(p *place) { p.since = 9000 }, 60, 100},
		{"a watcher has spoken", nothing, func(p *place) { p.refresh = 50 }, 5, 50},
		{"it should have been looked up", nothing, func(p *place) { p.refresh = 5 }, 9, 10},
		{"it will be stale", func(c *Config) { c.MaxStale = 40 }, func(p *place) { p.since = 50 }, 60, 90},
		{"it may be stale", nothing, func(p *place) { p.since = 50 }, 60, 1060},
		{"it is out of force", func(c *Config) { c.Refresh = 20 }, func(p *place) { p.refresh = 50; p.current.Store(nil) }, 5, 1005},
		{"it was given up", nothing, func(p *place) { p.gone = true }, 5, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			p := testPlace(t, row.edit)
			row.set(p)
			require.Equal(t, row.want, p.plan(row.now))
		})
	}
}

// TestAgendaForgets: an account that is given up is in no agenda, and neither is one
// that was refused when it came in.
func TestAgendaForgets(t *testing.T) {
	t.Parallel()
	pair, err := nkeys.CreateOperator()
	require.NoError(t, err)
	key, err := pair.PublicKey()
	require.NoError(t, err)
	now := time.Unix(1_000_000, 0)
	a, err := New(Config{
		Trust: Trust{Keys: []string{key}}, Resolver: resolver.Func(nil), Clock: func() time.Time { return now },
		Bounds: Bounds{Idle: time.Minute},
	})
	require.NoError(t, err)
	defer a.Close()
	view := func(account string, issued int64) *Account {
		v, refused := a.believe(&Account{claims: &claims.Account{Header: claims.Header{Key: account, Issuer: key, IssuedAt: issued, Digest: claims.Digest{byte(issued)}}}}, a.trust.Load())
		require.Nil(t, refused)
		return v
	}
	held := func() (places int) {
		a.directory.places.Range(func(any, any) bool { places++; return true })
		require.Equal(t, places, len(a.agenda.places), "what is in memory is looked after")
		return places
	}
	_, refused := a.commit(view("A", 10), resolver.Merge, false)
	require.Nil(t, refused)
	a.directory.marks.add(former{"B", mark(view("B", 20).claims), ReasonNone})
	_, refused = a.commit(view("B", 10), resolver.Merge, false)
	require.Equal(t, AccountRollback, refused.Reason)
	require.Equal(t, 2, held())
	now = now.Add(time.Minute - 1)
	a.Sweep()
	require.Equal(t, 2, held(), "just before")
	given := a.directory.known("A")
	now = now.Add(1)
	a.Sweep()
	require.Zero(t, held())
	_, refused = given.commit(view("A", 20), nil, resolver.Merge, false)
	require.Equal(t, errGone, refused, "who found the place before it was given up looks again")
	require.Nil(t, given.current.Load())
	require.Equal(t, 2, a.directory.marks.count())
}
