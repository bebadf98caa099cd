package conformance_test

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/bench/conformance/internal/peer"
	"github.com/natsauth/natsauth/bench/conformance/internal/verdict"
	"github.com/natsauth/natsauth/bench/conformance/internal/world"
)

// The sizes of the runs: universes, and clients in each.
const (
	fullUniverses, smallUniverses = 120, 8
	crowd                         = 30
	// About as many clients as come out of it, with those of world.Each.
	fullClients, smallClients = 4800, 550
)

// seed is where the universes come from: NATSAUTH_SEED, or the time.
func seed(t *testing.T) uint64 {
	t.Helper()
	text := os.Getenv("NATSAUTH_SEED")
	if text == "" {
		return uint64(time.Now().UnixNano() / 1e6 % 1e9)
	}
	n, err := strconv.ParseUint(text, 10, 64)
	require.NoError(t, err)
	return n
}

// TestConnects has generated clients connect to both servers and compares what
// they are told.
func TestConnects(t *testing.T) {
	peer.Prepare(t)
	first, universes := seed(t), smallUniverses
	if full() {
		universes = fullUniverses
	}
	list := world.Each(first, full())
	for i := range universes {
		list = append(list, world.Generate(first+uint64(100+i), crowd))
	}
	tally := tally{seed: first}
	t.Run("universes", func(t *testing.T) {
		for _, u := range list {
			t.Run(fmt.Sprint(u.Seed), func(t *testing.T) {
				t.Parallel()
				compare(t, u, &tally)
			})
		}
	})
	tally.report(t, len(list))
}

// tally counts what became of the clients.
type tally struct {
	admitted, refused atomic.Int64
	seed              uint64 // of the run
}

// report prints the sizes and the shares of the outcomes, and holds each to a
// third or so.
func (y *tally) report(t *testing.T, universes int) {
	t.Helper()
	in, out := y.admitted.Load(), y.refused.Load()
	all := in + out
	fmt.Printf("connects: NATSAUTH_SEED=%d, %d clients in %d universes (full run %d, small run %d), admitted %d%%, refused %d%%\n",
		y.seed, all, universes, fullClients, smallClients, 100*in/max(all, 1), 100*out/max(all, 1))
	require.GreaterOrEqual(t, all, int64(smallClients)-50)
	if full() {
		require.GreaterOrEqual(t, all, int64(2000))
	}
	require.GreaterOrEqual(t, 100*in, 30*all, "too few are admitted")
	require.GreaterOrEqual(t, 100*out, 30*all, "too few are refused")
}

// compare runs one universe on both servers.
func compare(t *testing.T, u *world.Universe, y *tally) {
	reference, ours := peer.Reference(t, u.Config), peer.Ours(t, u.Config)
	theirs, mine := converse(t, reference, u), converse(t, ours, u)
	for i, c := range u.Clients {
		y.count(theirs[i])
		rows.Hit(c.Rows...)
		if d := book.Judge(verdict.Difference{
			Seed: u.Seed, Again: y.again(u), Client: c.Name, Facts: c.Facts, Reference: theirs[i], Ours: mine[i], World: u.Describe(c),
		}); d != nil {
			t.Error(d)
		}
	}
}

// again is the command that runs a universe again.
func (y *tally) again(u *world.Universe) string {
	return fmt.Sprintf("NATSAUTH_SEED=%d NATSAUTH_CONFORMANCE=%s go test -run 'TestConnects/universes/%d$' .",
		y.seed, os.Getenv("NATSAUTH_CONFORMANCE"), u.Seed)
}

// count counts a client by its first login, as the reference answered it.
func (y *tally) count(transcript []string) {
	if slices.ContainsFunc(transcript, func(l string) bool { return strings.HasPrefix(l, "login: admitted") }) {
		y.admitted.Add(1)
		return
	}
	y.refused.Add(1)
}

// converse has every client speak to a server, a few at a time.
func converse(t *testing.T, s *peer.Server, u *world.Universe) [][]string {
	clients, atOnce := u.Clients, 4
	if u.Shared() {
		atOnce = 1
	}
	out := make([][]string, len(clients))
	var next atomic.Int64
	var g sync.WaitGroup
	for range atOnce {
		g.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(clients); i = int(next.Add(1)) - 1 {
				talk := s.Talk()
				if err := clients[i].Script(talk); err != nil {
					t.Errorf("%s: %v\n%s", clients[i].Name, err, s.Log())
				}
				out[i] = talk.Lines()
				talk.Close()
			}
		})
	}
	g.Wait()
	return out
}
