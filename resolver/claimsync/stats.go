package claimsync

import "sync"

// Stats is what a [Service] has done since [New].
type Stats struct {
	Updated, Skipped, Refused uint64 // requests to update that were taken, that were for no account in force, that were refused
	Found, NotFound           uint64 // look-ups that were answered
	Listed, Packs             uint64 // lists and packs that were sent to their end
	TokensSent                uint64 // of packs
	Deletes, DeletesRefused   uint64 // requests to delete that were heeded, and that were not
	Dropped                   uint64 // requests of any kind that had no room, or were too large
	Unanswered                uint64 // answers that the Store or the Bus kept from being sent
	Exchanges                 uint64 // that came to their end
	ExchangesFailed           uint64
	Taken                     Exchanged // what all exchanges brought
}

// Exchanged is what an exchange of packs brought, in tokens.
type Exchanged struct {
	Same      uint64 // held already
	Changed   uint64 // taken
	Older     uint64 // older than what is held, or was deleted here
	Refused   uint64 // of nobody who is trusted, over, or not of the account that stands before them
	Malformed uint64 // lines that are no token with its key, and messages that are too large
	Failed    uint64 // that could not be looked at or saved now
	Lost      uint64 // that had no room
}

func (e *Exchanged) add(o Exchanged) {
	e.Same += o.Same
	e.Changed += o.Changed
	e.Older += o.Older
	e.Refused += o.Refused
	e.Malformed += o.Malformed
	e.Failed += o.Failed
	e.Lost += o.Lost
}

type tally struct {
	mu sync.Mutex
	c  Stats // guarded by mu
}

func (t *tally) add(f func(*Stats)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f(&t.c)
}

// Stats gives the counts, as of one instant.
func (s *Service) Stats() Stats {
	s.tally.mu.Lock()
	defer s.tally.mu.Unlock()
	return s.tally.c
}
