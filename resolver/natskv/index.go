package natskv

import (
	"crypto/sha256"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// index is what is known of the bucket. Of each key the newest revision counts, in whichever order and however often one
// is told.
type index struct {
	mu       sync.Mutex
	keys     map[string]record // every key of the bucket, of accounts without a token, too
	created  time.Time         // when the bucket was made that this is about
	epoch    int               // how often everything was forgotten: what was asked for before that is no news
	seen     uint64            // up to here nothing is missing
	written  time.Time         // when the revision that was seen last was written; zero: nobody has said
	backward time.Time         // since when the bucket says that it has less than was seen; zero: it does not
	newest   uint64            // of what is known
	count    int               // accounts that have a token
	faults   int
	hash     [sha256.Size]byte
	watchers map[*watcher]struct{}
}

// record is what is known of a key.
type record struct {
	revision uint64
	sum      [sha256.Size]byte // of the token in canonical spelling; zero: there is none
	fault    bool
}

// agrees says whether what the bucket has answered is not older than what is known. Of a key that somebody has deleted by
// hand it gives no revision.
func (r record) agrees(e entry) bool {
	return e.revision >= r.revision || e.revision == 0 && !r.held() && !r.fault
}

func (r record) held() bool { return r.sum != [sha256.Size]byte{} }

// watcher is one Watch under way.
type watcher struct {
	wake chan struct{}
	news map[string]struct{} // guarded by index.mu; not told yet
}

func (x *index) watch() *watcher {
	w := &watcher{wake: make(chan struct{}, 1), news: make(map[string]struct{})}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.watchers == nil {
		x.watchers = make(map[*watcher]struct{})
	}
	x.watchers[w] = struct{}{}
	return w
}

func (x *index) unwatch(w *watcher) {
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.watchers, w)
}

// told takes what a watcher was not told yet. To look at all is more than to look at some.
func (x *index) told(w *watcher) []string {
	x.mu.Lock()
	defer x.mu.Unlock()
	out := slices.Sorted(maps.Keys(w.news))
	clear(w.news)
	if len(out) > 0 && out[0] == "" {
		return out[:1]
	}
	return out
}

// tell has the watchers told of a key; "": of all. x.mu is held.
func (x *index) tell(key string) {
	for w := range x.watchers {
		w.news[key] = struct{}{}
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
}

// learn takes in what a key has, and reports what is wrong with it. What is older than what is known is no news.
func (x *index) learn(e entry) error {
	text, err := e.token()
	next := record{revision: e.revision, fault: err != nil}
	if text != "" {
		next.sum = sha256.Sum256([]byte(text))
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	was := x.keys[e.account]
	if e.epoch != x.epoch || e.revision <= was.revision {
		return nil
	}
	x.count += one(next.held()) - one(was.held())
	x.faults += one(next.fault) - one(was.fault)
	for i := range x.hash {
		x.hash[i] ^= was.sum[i] ^ next.sum[i]
	}
	if x.keys == nil {
		x.keys = make(map[string]record)
	}
	x.keys[e.account] = next
	x.newest = max(x.newest, e.revision)
	x.tell(e.account)
	return err
}

func one(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// reach says that nothing up to a revision is missing, and when that was written.
func (x *index) reach(epoch int, revision uint64, written time.Time) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if epoch == x.epoch && revision > x.seen {
		x.seen, x.written = revision, written
	}
}

// last is the revision that was seen last, and when it was written.
func (x *index) last() (revision uint64, written time.Time) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.seen, x.written
}

// known is what is known of a key, and in which epoch.
func (x *index) known(key string) (epoch int, r record) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.epoch, x.keys[key]
}

// next is the first revision that may be missing, and the epoch.
func (x *index) next() (epoch int, revision uint64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.epoch, x.seen + 1
}

// backTime is how long a bucket has to say that it has less than was seen before that is believed: longer than a server
// goes on answering that leads no longer and does not know yet.
const backTime = 30 * time.Second

// compare holds what is known to what the bucket says of itself, and gives up to where nothing is missing. What is known
// of another bucket, of one that was set back, and of keys that were taken out without a word is forgotten.
func (x *index) compare(created time.Time, state jetstream.StreamState, now time.Time) (seen uint64, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	same := created.Equal(x.created)
	back := same && state.LastSeq < x.seen
	if back && x.backward.IsZero() {
		x.backward = now
	}
	gone := x.seen == state.LastSeq && x.newest <= state.LastSeq && uint64(len(x.keys)) != state.NumSubjects
	switch {
	case back && now.Sub(x.backward) < backTime:
		return 0, errStale
	case !same || !x.backward.IsZero() || gone: // what came after it went back may have taken the place of what is known
		x.forget()
		x.created = created
	}
	return x.seen, nil
}

// forget begins anew. x.mu is held.
func (x *index) forget() {
	x.epoch++
	x.seen, x.newest, x.count, x.faults = 0, 0, 0, 0
	x.hash, x.written, x.backward = [sha256.Size]byte{}, time.Time{}, time.Time{}
	clear(x.keys)
	x.tell("")
}

// doubt forgets everything.
func (x *index) doubt() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.forget()
}

// accounts gives the keys of the accounts that have a token, in order.
func (x *index) accounts() []string {
	x.mu.Lock()
	defer x.mu.Unlock()
	out := make([]string, 0, x.count)
	for key, r := range x.keys {
		if r.held() {
			out = append(out, key)
		}
	}
	slices.Sort(out)
	return out
}

func (x *index) sum() [sha256.Size]byte {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.hash
}
