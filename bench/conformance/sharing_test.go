package conformance_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/bench/conformance/internal/peer"
	"github.com/natsauth/natsauth/bench/conformance/internal/sharing"
	"github.com/natsauth/natsauth/bench/conformance/internal/verdict"
)

// The sizes of the runs: graphs of accounts, several to a configuration.
const (
	fullGraphs, smallGraphs = 500, 50
	graphsEach              = 10
)

// TestSharing has clients in generated graphs of accounts publish, ask and answer on both
// servers, and compares who gets what, and what they are told of who asks.
func TestSharing(t *testing.T) {
	peer.Prepare(t)
	first, graphs := seed(t), smallGraphs
	if full() {
		graphs = fullGraphs
	}
	c := &sharingCensus{seed: first}
	t.Run("universes", func(t *testing.T) {
		for i := range graphs / graphsEach {
			u := sharing.Generate(first+uint64(i), graphsEach)
			t.Run(fmt.Sprint(u.Seed), func(t *testing.T) {
				t.Parallel()
				c.visit(t, u)
			})
		}
	})
	c.report(t)
}

// sharingCensus counts what was tried. It may be used by several goroutines.
type sharingCensus struct {
	seed uint64

	mu      sync.Mutex
	graphs  int // guarded by mu, as what follows
	probes  int
	tried   int // of those, that an import would take somewhere, good or not
	reached int // of those, that did get to another account, with the reference
	plain   int // of those, for which no claim could answer
	told    int
}

func (c *sharingCensus) visit(t *testing.T, u *sharing.Universe) {
	reference, ours := peer.Reference(t, u.Config), peer.Ours(t, u.Config)
	for _, g := range u.Graphs {
		theirFirst, theirs, err := g.Play(reference)
		require.NoError(t, err)
		first, mine, err := g.Play(ours)
		require.NoError(t, err)
		c.judge(t, g, verdict.Difference{Client: "at the start", Reference: theirFirst.Lines, Ours: first.Lines})
		for i, p := range g.Probes {
			c.probe(t, g, p, theirs[i], mine[i])
		}
		c.mu.Lock()
		c.graphs++
		c.mu.Unlock()
	}
}

// probe compares what came of one probe.
func (c *sharingCensus) probe(t *testing.T, g *sharing.Graph, p sharing.Probe, theirs, mine sharing.Answer) {
	rows.Hit(p.Rows...)
	c.count(p, theirs)
	if p.Facts.Tangled && peer.Mirrored() {
		return // the reference goes by who came first, which is not always the same
	}
	same := c.judge(t, g, verdict.Difference{Client: p.Name(), Facts: p.Facts, Reference: theirs.Lines, Ours: mine.Lines})
	if same {
		facts := verdict.Facts{Shared: p.Facts.Shared}
		c.judge(t, g, verdict.Difference{Client: p.Name() + ", who asks", Facts: facts, Reference: theirs.Info, Ours: mine.Info})
	}
}

// count counts a probe.
func (c *sharingCensus) count(p sharing.Probe, theirs sharing.Answer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.probes++
	if !p.Crosses {
		return
	}
	c.tried++
	if !p.Reached(theirs) {
		return
	}
	c.reached++
	if !p.Facts.Overlaps && !p.Facts.Tangled {
		c.plain++
	}
}

// judge says whether two transcripts are the same.
func (c *sharingCensus) judge(t *testing.T, g *sharing.Graph, d verdict.Difference) bool {
	d.Seed, d.Again, d.World = g.Seed, fmt.Sprintf("NATSAUTH_SEED=%d go test -run 'TestSharing$/universes/%d$' .", c.seed, g.Seed), g.String()
	if unclaimed := book.Judge(d); unclaimed != nil {
		c.mu.Lock()
		c.told++
		told := c.told
		c.mu.Unlock()
		if told <= 3 {
			t.Error(unclaimed)
		} else {
			t.Fail()
		}
	}
	return strings.Join(d.Reference, "\n") == strings.Join(d.Ours, "\n")
}

func (c *sharingCensus) report(t *testing.T) {
	t.Helper()
	fmt.Printf("sharing: NATSAUTH_SEED=%d, %d graphs of accounts (full run %d, small run %d), %d messages: %d that imports lead on, %d of which reached another account, %d of those with nothing to claim\n",
		c.seed, c.graphs, fullGraphs, smallGraphs, c.probes, c.tried, c.reached, c.plain)
	require.GreaterOrEqual(t, 100*c.reached, 30*c.tried, "too few get anywhere")
	require.LessOrEqual(t, 100*c.reached, 70*c.tried, "too few are kept back")
	require.GreaterOrEqual(t, 2*c.plain, c.reached, "too much may be claimed")
}
