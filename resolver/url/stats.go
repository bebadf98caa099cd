package url

import "sync/atomic"

// Stats is what a [Resolver] has done since [New], and what it keeps.
type Stats struct {
	Requests    uint64 // sent: further attempts, redirects and probes among them
	Retries     uint64 // pauses before a further attempt
	NotModified uint64 // answers that what is kept is as it was
	FromMemory  uint64 // tokens given without asking, by Options.MaxAge
	Stale       uint64 // tokens given although nobody could be asked, by Options.StaleIfError
	Failures    uint64 // Resolves that ended with resolver.ErrUnavailable after asking

	Kept, KeptBytes int // tokens that are kept now, and their text in bytes
}

type counters struct {
	requests, retries, notModified, fromMemory, stale, failures atomic.Uint64
}

// Stats gives the counts. They are read one after the other. Those of a nil or zero Resolver are zero.
func (r *Resolver) Stats() Stats {
	if r == nil {
		return Stats{}
	}
	c := &r.counts
	entries, bytes := r.memory.size()
	return Stats{
		Requests: c.requests.Load(), Retries: c.retries.Load(), NotModified: c.notModified.Load(),
		FromMemory: c.fromMemory.Load(), Stale: c.stale.Load(), Failures: c.failures.Load(),
		Kept: entries, KeptBytes: bytes,
	}
}
