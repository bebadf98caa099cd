package subject

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"slices"
	"strings"
)

// Rules are the two lists of one kind of permission. An empty Allow list allows
// everything; Deny wins over Allow.
type Rules struct{ Allow, Deny []string }

// Spec is a set of permissions as it is written down: subjects to publish to,
// and entries `subject` or `subject queue` to subscribe to. The zero Spec allows
// everything.
type Spec struct {
	Publish, Subscribe Rules
	// Closed allows no publishing at all where Publish.Allow is empty, which
	// otherwise allows all of it. Behaviour: nats-server v2.15 server/auth.go
	// validateResponsePermissions.
	Closed bool
}

// Digest identifies the content of s: it is equal for specs that list the same
// entries, in any order and any number of times, and different where an entry,
// the list that it stands in, or Closed differs.
func (s Spec) Digest() [32]byte {
	h := sha256.New()
	for _, list := range s.lists() {
		writeList(h, unique(*list))
	}
	if s.Closed {
		h.Write([]byte{1})
	} else {
		h.Write([]byte{0})
	}
	return [32]byte(h.Sum(nil))
}

// writeList writes the number of entries and then each with its length before
// it, so that no two specs are written alike.
func writeList(h hash.Hash, list []string) {
	var buf []byte
	h.Write(binary.BigEndian.AppendUint64(buf, uint64(len(list))))
	for _, entry := range list {
		buf = binary.BigEndian.AppendUint64(buf[:0], uint64(len(entry)))
		h.Write(append(buf, entry...))
	}
}

// canonical is a copy of s with each list sorted and unique, on memory of its
// own: an entry is often a piece of a large token, which it would keep alive.
func (s Spec) canonical() Spec {
	for _, list := range s.lists() {
		*list = packed(unique(*list))
	}
	return s
}

// lists are the four lists of s, in the order of the digest.
func (s *Spec) lists() [4]*[]string {
	return [4]*[]string{&s.Publish.Allow, &s.Publish.Deny, &s.Subscribe.Allow, &s.Subscribe.Deny}
}

// unique is a sorted copy of list without duplicates, nil if it is empty.
func unique(list []string) []string {
	if len(list) == 0 {
		return nil
	}
	list = slices.Clone(list)
	slices.Sort(list)
	return slices.Compact(list)
}

// packed is list with its texts moved into one piece of memory.
func packed(list []string) []string {
	if len(list) == 0 {
		return nil
	}
	text := strings.Join(list, "")
	out := make([]string, len(list))
	for i, entry := range list {
		out[i], text = text[:len(entry)], text[len(entry):]
	}
	return out
}
