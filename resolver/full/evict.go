package full

import (
	"bytes"
	"cmp"
	"container/list"
	"errors"
	"math"
	"slices"
	"sync"

	"github.com/natsauth/natsauth/claims"
	"github.com/natsauth/natsauth/resolver"
)

// maxEvictions is how many accounts one Save evicts at most: one, but where [Options].Limit was lowered or files cannot be
// removed.
const maxEvictions = 64

// evictedDigest stands for what an account said that was evicted, or whose token was over: a token that is older is a
// rollback, and every other comes back, in whatever mode, the one that was removed too. It is the least digest but zero: of
// the same second any token is greater, and is taken by resolver.Merge, too.
var evictedDigest = claims.Digest{len(claims.Digest{}) - 1: 1}

// recency is the order in which accounts were used, in memory only. The zero value knows none.
type recency struct {
	mu    sync.Mutex
	order list.List                // guarded by mu; of rawKey, the one that was not used for longest in front
	byKey map[rawKey]*list.Element // guarded by mu
}

// begin takes the accounts of a directory for used when their files were written.
func (r *recency) begin(entries []entry) {
	written := func(e entry) int64 {
		if e.changed == 0 { // just now
			return math.MaxInt64
		}
		return e.changed
	}
	for _, e := range slices.SortedStableFunc(slices.Values(entries), func(a, b entry) int {
		return cmp.Compare(written(a), written(b))
	}) {
		r.touch(e.key)
	}
}

// touch notes that an account is used now.
func (r *recency) touch(k rawKey) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e, ok := r.byKey[k]; ok {
		r.order.MoveToBack(e)
		return
	}
	if r.byKey == nil {
		r.byKey = make(map[rawKey]*list.Element)
	}
	r.byKey[k] = r.order.PushBack(k)
}

func (r *recency) drop(k rawKey) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.remove(k)
}

// remove is drop. r.mu is held.
func (r *recency) remove(k rawKey) {
	if e, ok := r.byKey[k]; ok {
		r.order.Remove(e)
		delete(r.byKey, k)
	}
}

// oldest gives the account of an index that was not used for longest. What came into the directory otherwise was never used.
func (r *recency) oldest(x *index) (rawKey, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.byKey) != x.count {
		r.follow(x)
	}
	if e := r.order.Front(); e != nil {
		return e.Value.(rawKey), true
	}
	return rawKey{}, false
}

// follow has the order be one of the accounts of an index. r.mu is held.
func (r *recency) follow(x *index) {
	there := make(map[rawKey]bool, x.count)
	var others []rawKey
	for rec := range x.all() {
		there[rec.key] = true
		if _, ok := r.byKey[rec.key]; !ok {
			others = append(others, rec.key)
		}
	}
	for k := range r.byKey {
		if !there[k] {
			r.remove(k)
		}
	}
	if r.byKey == nil {
		r.byKey = make(map[rawKey]*list.Element)
	}
	slices.SortFunc(others, func(a, b rawKey) int { return bytes.Compare(b[:], a[:]) })
	for _, k := range others {
		r.byKey[k] = r.order.PushFront(k)
	}
}

// use notes that an account was asked for or saved.
func (s *Store) use(k rawKey) {
	if s.options.Evict {
		s.used.touch(k)
	}
}

// makeRoom makes room for an account that has no token, or says why there is none. s.mu is held.
func (s *Store) makeRoom(next rawKey) error {
	switch {
	case s.hasRoom(next):
		return nil
	case !s.options.Evict:
		return resolver.ErrFull
	}
	evicted, failed := 0, error(nil)
	for range maxEvictions {
		k, ok := s.used.oldest(s.index)
		if !ok || s.hasRoom(next) {
			break
		}
		if err := s.evict(k); err != nil {
			s.used.touch(k) // the others are tried before
			failed = errors.Join(failed, err)
			continue
		}
		evicted++
	}
	switch {
	case evicted == 0 && failed != nil:
		return outage(failed)
	case evicted == 0:
		return resolver.ErrFull // of files at fault
	}
	return nil
}

// evict takes an account out of the directory, and remembers when its token was issued: who lost it by this is not who
// deleted it.
func (s *Store) evict(k rawKey) error {
	held, err := s.observe(k)
	if err == nil && held != nil {
		err = s.drop(held, mark{issuedAt: held.mark.IssuedAt, evicted: true}, false)
	}
	if err != nil && !errors.Is(err, ErrFault) {
		return err
	}
	s.used.drop(k)
	s.options.Logger.Debug("full: evicted", "account", k.String())
	return nil
}
