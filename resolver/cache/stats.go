package cache

import (
	"errors"
	"sync/atomic"

	"github.com/maypok86/otter/v2"

	"github.com/natsauth/natsauth/resolver"
)

// Stats are what a Cache has counted since it was made. The zero Stats are those of a new one. They are read one after
// the other, while it works.
type Stats struct {
	Hits   uint64 // questions that were answered from memory within the TTL
	Misses uint64 // all others that were put while the ctx had not ended
	Stale  uint64 // of Misses: answered with a token older than the TTL, see [Options.MaxStale]

	Loads     uint64 // questions to upstream that have ended
	Failures  uint64 // of Loads: upstream was unavailable
	Refreshes uint64 // questions to upstream that were begun ahead of time, see [Options.RefreshAhead]

	Evictions uint64 // tokens that had to go because of [Options.Entries] and [Options.Bytes]
	Entries   int    // tokens that are kept now
	Bytes     int64  // how large they are together
}

// counters are what Stats are read from.
type counters struct {
	hits, misses, stale  atomic.Uint64
	loads, failures      atomic.Uint64
	refreshes, evictions atomic.Uint64
	bytes                atomic.Int64
}

// Stats gives what was counted.
func (c *Cache) Stats() Stats {
	if c == nil || c.memory == nil {
		return Stats{}
	}
	n := &c.count
	return Stats{
		Hits: n.hits.Load(), Misses: n.misses.Load(), Stale: n.stale.Load(),
		Loads: n.loads.Load(), Failures: n.failures.Load(), Refreshes: n.refreshes.Load(),
		Evictions: n.evictions.Load(), Entries: c.memory.EstimatedSize(), Bytes: n.bytes.Load(),
	}
}

// loaded counts an answer of upstream's.
func (n *counters) loaded(err error) {
	n.loads.Add(1)
	if errors.Is(err, resolver.ErrUnavailable) {
		n.failures.Add(1)
	}
}

// removed counts what the memory lets go of, for whatever reason.
func (c *Cache) removed(e otter.DeletionEvent[string, *entry]) {
	c.count.bytes.Add(-int64(len(e.Value.token)))
	if e.Cause == otter.CauseOverflow {
		c.count.evictions.Add(1)
	}
}
