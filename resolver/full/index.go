package full

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"iter"
	"math"
	"slices"
)

// entry is what the index knows of an account's file.
type entry struct {
	key     rawKey
	sum     [sha256.Size]byte // of the token in canonical spelling
	expires int64             // seconds since 1970; 0: never
	size    int64             // of the file
	changed int64             // the file's time, in ns since 1970; 0: not to be believed
}

// record is an entry as it is held in memory, where there may be millions: the rest is in the index on disk. Half of a
// sum is enough to tell whether a token is the one that is held.
type record struct {
	key     rawKey
	sum     [sumSize]byte
	expires [4]byte // seconds since 1970, as far as they go
	changed [8]byte // as that of the entry
}

const sumSize = 16

func (e *entry) record() record {
	r := record{key: e.key, sum: [sumSize]byte(e.sum[:])}
	binary.LittleEndian.PutUint32(r.expires[:], uint32(min(max(e.expires, 0), math.MaxUint32)))
	binary.LittleEndian.PutUint64(r.changed[:], uint64(e.changed)) //nolint:gosec // G115: the bits of a number
	return r
}

// due says whether the token's time is over; one of after 2106 is not.
func (r *record) due(now int64) bool {
	at := r.end()
	return at != 0 && at != math.MaxUint32 && at <= now
}

func (r *record) end() int64 { return int64(binary.LittleEndian.Uint32(r.expires[:])) }

// at is the file's time, in ns since 1970; 0: not to be believed.
func (r *record) at() int64 {
	return int64(binary.LittleEndian.Uint64(r.changed[:])) //nolint:gosec // G115: the bits of a number
}

// is says whether a token in canonical spelling is the one that is held, by its sum.
func (r *record) is(sum [sha256.Size]byte) bool { return r.sum == [sumSize]byte(sum[:]) }

// index knows which accounts have a token. What changed since it was written to the disk is in recent.
type index struct {
	base   []record          // by key; what is on the disk, in its order
	recent map[rawKey]*entry // nil: not there any more
	count  int
	hash   [sha256.Size]byte
	next   int64    // no token's time is over before, but those of ended; 0: none's ever is
	ended  []rawKey // the time of their tokens was over when it was looked; to be removed
	room   int      // how many may be recent before that is written, at least
}

// newIndex makes an index of entries, which are in order.
func newIndex(entries []entry) *index {
	x := &index{base: make([]record, len(entries)), recent: make(map[rawKey]*entry), count: len(entries)}
	for i := range entries {
		x.base[i] = entries[i].record()
		x.mix(entries[i].sum)
		x.await(&x.base[i])
	}
	return x
}

// mix adds a sum to the hash, or takes it out.
func (x *index) mix(sum [sha256.Size]byte) {
	for i := range x.hash {
		x.hash[i] ^= sum[i]
	}
}

// await remembers the first end.
func (x *index) await(r *record) {
	if at := r.end(); at != 0 && at != math.MaxUint32 && (x.next == 0 || at < x.next) {
		x.next = at
	}
}

func (x *index) get(k rawKey) (record, bool) {
	if e, ok := x.recent[k]; ok {
		if e == nil {
			return record{}, false
		}
		return e.record(), true
	}
	i, ok := slices.BinarySearchFunc(x.base, k, func(r record, k rawKey) int { return bytes.Compare(r.key[:], k[:]) })
	if !ok {
		return record{}, false
	}
	return x.base[i], true
}

// put takes an entry in, in place of one whose token had the sum was; nil: there was none.
func (x *index) put(e entry, was *[sha256.Size]byte) {
	x.out(was)
	x.mix(e.sum)
	x.recent[e.key] = &e
	x.count++
	r := e.record()
	x.await(&r)
}

// touch takes over size and time of a file whose token is the same.
func (x *index) touch(e entry) {
	if r, ok := x.get(e.key); ok && r.is(e.sum) {
		x.recent[e.key] = &e
	}
}

// drop takes an entry out.
func (x *index) drop(k rawKey, was *[sha256.Size]byte) {
	x.out(was)
	x.recent[k] = nil
}

// lose takes out an entry of which nobody knows the sum any more: the hash is wrong from then on.
func (x *index) lose(k rawKey) {
	x.recent[k] = nil
	x.count--
}

func (x *index) out(was *[sha256.Size]byte) {
	if was != nil {
		x.mix(*was)
		x.count--
	}
}

// all gives every record, in no order.
func (x *index) all() iter.Seq[record] {
	return func(yield func(record) bool) {
		for _, r := range x.base {
			if _, changed := x.recent[r.key]; !changed && !yield(r) {
				return
			}
		}
		for _, e := range x.recent {
			if e != nil && !yield(e.record()) {
				return
			}
		}
	}
}

// keys gives the keys of the accounts in ascending order of their text, without those whose tokens' time is over.
func (x *index) keys(now int64) []string {
	out := make([]string, 0, x.count)
	for r := range x.all() {
		if !r.due(now) {
			out = append(out, r.key.String())
		}
	}
	slices.Sort(out)
	return out
}

// due says whether there may be tokens whose time is over.
func (x *index) due(now int64) bool { return len(x.ended) > 0 || x.next != 0 && x.next <= now }

// over gives some accounts whose tokens' time is over, each once. It looks at all when it has given those that it knows, and
// learns when the next one's is. Where the clock was set back since, what it knew is awaited once more.
func (x *index) over(now int64, most int) []rawKey {
	if len(x.ended) == 0 {
		x.next = 0
		for r := range x.all() {
			if r.due(now) {
				x.ended = append(x.ended, r.key)
			} else {
				x.await(&r)
			}
		}
	}
	n := min(most, len(x.ended))
	out := x.ended[:n]
	if x.ended = x.ended[n:]; len(x.ended) == 0 {
		x.ended = nil
	}
	return slices.DeleteFunc(out, func(k rawKey) bool { return x.awaits(k, now) })
}

// awaits says whether an account's token, if it has one, is not over, and remembers its end.
func (x *index) awaits(k rawKey, now int64) bool {
	r, ok := x.get(k)
	if !ok || r.due(now) {
		return !ok
	}
	x.await(&r)
	return true
}

// full says whether so much has changed that the index on the disk should be written anew.
func (x *index) full() bool { return len(x.recent) > max(x.room, 4096+len(x.base)/32) }

// merged gives what the index knows, in order, with what is on the disk of the entries that have not changed.
func (x *index) merged(disk []entry) []entry {
	out := make([]entry, 0, x.count)
	for _, e := range disk {
		if _, changed := x.recent[e.key]; !changed {
			out = append(out, e)
		}
	}
	for _, e := range x.recent {
		if e != nil {
			out = append(out, *e)
		}
	}
	sortEntries(out)
	return out
}

func sortEntries(entries []entry) {
	slices.SortFunc(entries, func(a, b entry) int { return bytes.Compare(a.key[:], b.key[:]) })
}

// find gives the entry of a key.
func find(entries []entry, k rawKey) *entry {
	i, ok := slices.BinarySearchFunc(entries, k, func(e entry, k rawKey) int { return bytes.Compare(e.key[:], k[:]) })
	if !ok {
		return nil
	}
	return &entries[i]
}

// matches says whether the records of memory are those of the disk, in their order: then nobody else wrote there.
func (x *index) matches(disk []entry) bool {
	return slices.EqualFunc(x.base, disk, func(r record, e entry) bool { return r == e.record() })
}
