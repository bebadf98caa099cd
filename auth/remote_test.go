package auth_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/auth/authtest"
	"github.com/natsauth/natsauth/nonce"
	"github.com/natsauth/natsauth/resolver"
)

// hall is an account with limits, and those who want to connect to it.
type hall struct {
	t          require.TestingT
	account    *authtest.Account
	key        string
	authorizer *auth.Authorizer
	client     auth.Credentials
}

func newHall(t *testing.T, connections, leafs int64, edits ...func(*auth.Config)) *hall {
	h := &hall{t: t, account: authtest.NewOperator(t).Account("A", authtest.MaxConnections(connections), authtest.MaxLeafNodes(leafs))}
	h.key = h.account.PublicKey()
	h.client = h.account.User("u").Credentials(nonce.New())
	h.authorizer = authtest.Authorizer(t, h.account.Operator(), []*authtest.Account{h.account}, edits...)
	return h
}

// seat connects one client: c is a usual one, l a leaf node, i an internal one.
func (h *hall) seat(kind rune) (*auth.Session, error) {
	c := h.client
	switch kind {
	case 'l':
		c.ConnectionType = auth.LeafNode
	case 'i':
		c.Internal = true
	}
	return h.authorizer.Connect(context.Background(), c)
}

func (h *hall) seats(kinds string) []*auth.Session {
	var out []*auth.Session
	for _, k := range kinds {
		s, err := h.seat(k)
		require.NoError(h.t, err)
		out = append(out, s)
	}
	return out
}

// TestF051Limits tells of connections elsewhere, and wants the newest here closed
// that find no room any more. In ends there is a letter for each seat: C is closed for
// the limit of connections, L for that of leaf nodes. Whoever comes next is in next.
func TestF051Limits(t *testing.T) {
	t.Parallel()
	const any = -1
	n := func(connections, leafs int64) auth.Counts {
		return auth.Counts{Connections: connections, LeafNodes: leafs}
	}
	for _, row := range []struct {
		name               string
		connections, leafs int64
		seats              string
		elsewhere          auth.Counts
		ends               string
		next               string // who is admitted then
	}{
		{"room left", 5, any, "ccc", n(1, 0), "...", "cli"},
		{"just full", 4, any, "ccc", n(1, 0), "...", "li"},
		{"one too many", 4, any, "ccc", n(2, 0), "..C", "li"},
		{"all too many", 4, any, "ccc", n(4, 0), "CCC", "li"},
		{"more than there may be at all", 4, any, "ccc", n(9, 0), "CCC", "li"},
		{"internal ones are not closed", 4, any, "ccici", n(2, 0), "...C.", "li"},
		{"and not counted", 4, any, "iiiicccc", n(0, 0), "........", "li"},
		{"no limit", any, any, "ccc", n(1<<50, 1<<50), "...", "cli"},
		{"nobody may", 0, 0, "i", n(0, 0), ".", "i"},
		{"leaf nodes are connections", 3, any, "clc", n(1, 1), "..C", "li"},
		{"the newest is a leaf node", 3, any, "ccl", n(1, 0), "..C", "li"},
		{"leaf nodes, room left", any, 4, "clcl", n(1, 1), "....", "cli"},
		{"leaf nodes, just full", any, 3, "clcl", n(1, 1), "....", "ci"},
		{"leaf nodes, one too many", any, 3, "clclc", n(2, 2), "...L.", "ci"},
		{"leaf nodes, all too many", any, 3, "clcl", n(7, 7), ".L.L", "ci"},
		{"no leaf nodes elsewhere", any, 2, "clcl", n(7, 0), "....", "ci"},
		{"both limits, one leaf node goes for both", 4, 2, "lcll", n(1, 0), "...C", "i"},
		{"both limits, another goes", 5, 1, "llccc", n(1, 0), ".L..C", "ci"},
		{"negative numbers are none", 4, 1, "cl", n(-5, -5), "..", "ci"},
		{"the smallest number", 4, 1, "cl", n(math.MinInt64, math.MinInt64), "..", "ci"},
		{"the largest number", 4, 1, "cl", n(math.MaxInt64, math.MaxInt64), "CC", "i"},
	} {
		t.Run(row.name, func(t *testing.T) {
			h := newHall(t, any, any)
			seats := h.seats(row.seats)
			limited := h.account.Renew(authtest.MaxConnections(row.connections), authtest.MaxLeafNodes(row.leafs))
			_, err := h.authorizer.Apply(t.Context(), limited.Token(), resolver.Push)
			require.NoError(t, err)
			require.Equal(t, len(seats), live(seats), "the account alone is within its limits")
			report := h.authorizer.SetRemote("n", h.key, row.elsewhere)
			var ends string
			var here auth.Counts
			for i, s := range seats {
				letter := "."
				if err := s.Err(); err != nil {
					letter = map[auth.Reason]string{auth.ConnectionsExceeded: "C", auth.LeafNodesExceeded: "L"}[reasonOf(t, err)]
					var why *auth.Error
					require.ErrorAs(t, err, &why)
					require.Equal(t, "maximum account active connections exceeded", why.Wire())
					require.False(t, s.CanPublish("x"))
				} else if row.seats[i] != 'i' {
					here.Connections++
					if row.seats[i] == 'l' {
						here.LeafNodes++
					}
				}
				ends += letter
			}
			require.Equal(t, row.ends, ends)
			require.Equal(t, here, h.authorizer.Counts(h.key))
			require.Equal(t, auth.InForce, report.State)
			require.Equal(t, report.Old, report.New)
			require.Equal(t, len(seats)-live(seats), report.ClosedCount)
			for _, k := range "cli" {
				s, err := h.seat(k)
				require.Equal(t, slices.Contains([]rune(row.next), k), err == nil, "%c: %v", k, err)
				if err == nil {
					s.Close()
				}
			}
		})
	}
}

// live is how many sessions live.
func live(sessions []*auth.Session) int {
	var n int
	for _, s := range sessions {
		if s.Err() == nil {
			n++
		}
	}
	return n
}

// TestF051Nodes adds up what nodes tell: the last number of each counts, and that of
// one that is gone does not.
func TestF051Nodes(t *testing.T) {
	t.Parallel()
	h := newHall(t, 10, -1)
	free := func() int { // how many find room
		var all []*auth.Session
		defer func() {
			for _, s := range all {
				s.Close()
			}
		}()
		for {
			s, err := h.seat('c')
			if err != nil {
				return len(all)
			}
			all = append(all, s)
		}
	}
	set := func(node string, n int64) { h.authorizer.SetRemote(node, h.key, auth.Counts{Connections: n}) }
	require.Equal(t, 10, free())
	set("one", 3)
	require.Equal(t, 7, free())
	set("two", 4)
	require.Equal(t, 3, free(), "the sum")
	set("one", 1)
	require.Equal(t, 5, free(), "the last number")
	set("one", 0)
	require.Equal(t, 6, free())
	h.authorizer.DropRemote("three")
	require.Equal(t, 6, free(), "nobody knows it")
	h.authorizer.DropRemote("two")
	h.authorizer.DropRemote("two")
	require.Equal(t, 10, free())
	for i := range 100 {
		set(fmt.Sprint("node ", i), math.MaxInt64)
	}
	require.Zero(t, free(), "a sum of large numbers is large")
	for i := range 99 {
		h.authorizer.DropRemote(fmt.Sprint("node ", i))
	}
	require.Zero(t, free())
	set("node 99", 9)
	require.Equal(t, 1, free())
}

// TestF051AnyOrder draws what nodes tell of two accounts, and holds the room that is
// left against a table of it.
func TestF051AnyOrder(t *testing.T) {
	h := newHall(t, 6, 3)
	other := h.account.Operator().Account("B", authtest.MaxConnections(6), authtest.MaxLeafNodes(3))
	rapid.Check(t, func(t *rapid.T) {
		a, err := auth.New(auth.Config{
			Trust:    auth.Trust{Operators: []string{h.account.Operator().Token()}},
			Resolver: authtest.Resolver(h.account, other), Clock: authtest.Now,
		})
		require.NoError(t, err)
		defer a.Close()
		accounts := map[string]auth.Credentials{h.key: h.client, other.PublicKey(): other.User("u").Credentials(nonce.New())}
		for _, c := range accounts { // in force, and known
			_, err = a.Connect(context.Background(), internal(c))
			require.NoError(t, err)
		}
		table := make(map[[2]string]auth.Counts)
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			node := rapid.SampledFrom([]string{"1", "2", "3"}).Draw(t, "node")
			key := rapid.SampledFrom([]string{h.key, other.PublicKey()}).Draw(t, "account")
			n := auth.Counts{Connections: rapid.Int64Range(-1, 4).Draw(t, "connections"), LeafNodes: rapid.Int64Range(-1, 2).Draw(t, "leafs")}
			if rapid.IntRange(0, 3).Draw(t, "gone") == 0 {
				a.DropRemote(node)
				delete(table, [2]string{node, h.key})
				delete(table, [2]string{node, other.PublicKey()})
			} else {
				a.SetRemote(node, key, n)
				table[[2]string{node, key}] = auth.Counts{Connections: max(0, n.Connections), LeafNodes: max(0, n.LeafNodes)}
			}
			for other, c := range accounts {
				if other != key && n.Connections != 0 { // now and then both are looked at
					continue
				}
				var sum auth.Counts
				for k, n := range table {
					if k[1] == other {
						sum.Connections += n.Connections
						sum.LeafNodes += n.LeafNodes
					}
				}
				require.Equal(t, sum.Connections < 6, a.Explain(context.Background(), c).Err == nil)
				c.ConnectionType = auth.LeafNode
				require.Equal(t, sum.LeafNodes < 3, a.Explain(context.Background(), c).Err == nil)
			}
		}
	})
}

// TestF051BeforeTheAccount: what nodes tell of an account that nobody here has asked
// for, or that has left memory, counts once it is in force.
func TestF051BeforeTheAccount(t *testing.T) {
	t.Parallel()
	clock := &clock{now: authtest.Now()}
	store := &resolver.Memory{}
	h := newHall(t, 2, -1, clock.use, func(c *auth.Config) { c.Resolver, c.Store = nil, store })
	_, err := store.Save(t.Context(), h.account.Token(), resolver.Push)
	require.NoError(t, err)
	full := func() bool {
		s, err := h.seat('c')
		if err != nil {
			require.Equal(t, auth.ConnectionsExceeded, reasonOf(t, err))
			return true
		}
		s.Close()
		return false
	}
	report := h.authorizer.SetRemote("n", h.key, auth.Counts{Connections: 2})
	require.Equal(t, auth.Report{Account: h.key}, report, "nothing is in force")
	require.Zero(t, h.authorizer.Counts(h.key))
	require.NotNil(t, h.authorizer.Explain(t.Context(), h.client).Err)
	require.True(t, full())
	clock.advance(time.Hour)
	h.authorizer.Sweep()
	clock.advance(time.Hour)
	h.authorizer.Sweep()
	_, held := h.authorizer.InForce(h.key)
	require.False(t, held, "it has left memory")
	require.True(t, full(), "and comes back to the same sum")
	_, err = h.authorizer.Remove(t.Context(), h.key)
	require.NoError(t, err)
	_, err = h.authorizer.Apply(t.Context(), h.account.Renew().Token(), resolver.Push)
	require.NoError(t, err)
	require.True(t, full(), "so does one that was removed")
	h.authorizer.DropRemote("n")
	require.False(t, full())
	for _, key := range []string{"", "A", h.account.User("u").PublicKey()} {
		require.Equal(t, auth.Report{Account: key}, h.authorizer.SetRemote("n", key, auth.Counts{Connections: 9}))
		require.Zero(t, h.authorizer.Counts(key))
	}
	require.NoError(t, h.authorizer.Close())
	require.Equal(t, auth.Report{Account: h.key}, h.authorizer.SetRemote("n", h.key, auth.Counts{Connections: 9}))
	var zero auth.Authorizer
	require.Equal(t, auth.Report{Account: h.key}, zero.SetRemote("n", h.key, auth.Counts{Connections: 9}))
	zero.DropRemote("n")
	require.Zero(t, zero.Counts(h.key))
}

// TestF051WhileConnecting: at no time, after a node has told its number, are there
// more than there may be, though clients come all the while.
func TestF051WhileConnecting(t *testing.T) {
	t.Parallel()
	h := newHall(t, 20, 8)
	stop := make(chan struct{})
	var running sync.WaitGroup
	for i := range 3 {
		running.Go(func() {
			for n := i; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				if s, err := h.seat([]rune("cli")[n%3]); err == nil && n%3 == 2 {
					s.Close()
				}
			}
		})
	}
	var closed int
	for n := int64(0); closed < 50; n++ {
		elsewhere := auth.Counts{Connections: n % 20, LeafNodes: n % 8}
		report := h.authorizer.SetRemote("n", h.key, elsewhere)
		closed += report.ClosedCount
		here := h.authorizer.Counts(h.key)
		require.LessOrEqual(t, here.LeafNodes+elsewhere.LeafNodes, int64(8))
		// Leaf nodes are held to their own limit when they come.
		require.LessOrEqual(t, here.Connections-here.LeafNodes+elsewhere.Connections, int64(20))
	}
	close(stop)
	running.Wait()
	h.authorizer.SetRemote("n", h.key, auth.Counts{Connections: 20, LeafNodes: 8})
	require.Zero(t, h.authorizer.Counts(h.key))
}
