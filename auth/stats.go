package auth

import "sync/atomic"

// Stats are counts since [New], and sizes of the moment.
type Stats struct {
	Connected, Refused, Ended uint64 // sessions; renewals that were refused count as refused
	TokenHits                 uint64 // connects, refused ones too, whose token was known by its text
	Lookups, LookupsJoined    uint64 // look-ups begun, and callers who joined one under way
	TurnedAway                uint64 // callers for whom none was begun: one had just failed, or there were too many
	CachedTokens              int
	SharedGrants              int    // distinct grants of users that are held
	SharedRights              int    // distinct sets of compiled permissions that are held
	GraphEdges                uint64 // imports that were looked at to find those that lead back to themselves
	GraphPeak                 int    // for one change, at most: see [Bounds.GraphEdges]
}

// counters are the counts behind Stats. Those of the path of a connect are
// striped: cores that count do not wait for one another.
type counters struct {
	connected, ended                            striped
	refused, lookups, lookupsJoined, turnedAway atomic.Uint64
}

// Stats gives the counters. They are read one after the other, not at one
// instant.
func (a *Authorizer) Stats() Stats {
	c := &a.counters
	edges, peak := a.directory.graph.work()
	return Stats{
		Connected: c.connected.sum(), Refused: c.refused.Load(), Ended: c.ended.sum(),
		TokenHits: a.tokens.hits.sum(),
		Lookups:   c.lookups.Load(), LookupsJoined: c.lookupsJoined.Load(), TurnedAway: c.turnedAway.Load(),
		CachedTokens: a.tokens.count(),
		SharedGrants: a.pool.grants.size(), SharedRights: a.pool.rights.size(),
		GraphEdges: edges, GraphPeak: peak,
	}
}

// striped is a counter spread over cache lines. The zero value is ready.
type striped struct {
	stripes [8]struct {
		n atomic.Uint64
		_ [56]byte
	}
}

// add counts one; by is any byte that differs between callers.
func (s *striped) add(by byte) { s.stripes[int(by)%len(s.stripes)].n.Add(1) }

func (s *striped) sum() uint64 {
	var n uint64
	for i := range s.stripes {
		n += s.stripes[i].n.Load()
	}
	return n
}
