package auth

import (
	"encoding/binary"
)

// userIndex finds the sessions of a user among those of an account. It is a table
// of chains through the sessions themselves: an account may have a hundred thousand,
// and a map would cost each of them as much as its permissions. It is guarded by
// place.mu. The zero userIndex is empty.
type userIndex struct {
	slots []*Session // a power of two of them, or none
	count int
}

// slot of a session: by its user's key, which is as good as random. An attacker who
// picks keys picks them for an account that signs them.
func (x *userIndex) slot(key *[32]byte) *(*Session) {
	return &x.slots[binary.LittleEndian.Uint64(key[:])&uint64(len(x.slots)-1)] //nolint:gosec // there are slots
}

func keyOf(s *Session) *[32]byte { return &s.standing.Load().user.key }

func (x *userIndex) add(s *Session) {
	if x.count == len(x.slots) {
		x.resize(max(4, 2*len(x.slots)))
	}
	x.push(s)
	x.count++
}

// push puts a session at the head of its chain.
func (x *userIndex) push(s *Session) {
	slot := x.slot(keyOf(s))
	if s.namesake = *slot; s.namesake != nil {
		s.namesake.homonym = s
	}
	s.homonym, *slot = nil, s
}

// remove takes a session out. Chains go both ways, for one user may have a hundred
// thousand sessions that all end at once.
func (x *userIndex) remove(s *Session) {
	if s.homonym == nil {
		*x.slot(keyOf(s)) = s.namesake
	} else {
		s.homonym.namesake = s.namesake
	}
	if s.namesake != nil {
		s.namesake.homonym = s.homonym
	}
	s.homonym, s.namesake = nil, nil
	x.count--
	if len(x.slots) > 4 && x.count < len(x.slots)/8 {
		x.resize(len(x.slots) / 2)
	}
}

func (x *userIndex) resize(n int) {
	old := x.slots
	x.slots = make([]*Session, n)
	for _, s := range old {
		for s != nil {
			next := s.namesake
			x.push(s)
			s = next
		}
	}
}

// of gives the sessions of a user, by its public key.
func (x *userIndex) of(key *[32]byte) []*Session {
	if x.count == 0 {
		return nil
	}
	var out []*Session
	for s := *x.slot(key); s != nil; s = s.namesake {
		if *keyOf(s) == *key {
			out = append(out, s)
		}
	}
	return out
}
