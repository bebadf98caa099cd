package auth

import "sync"

// tokens keeps users whose tokens were verified, by the exact text of the token
// (B20): whoever shows the same text again needs no second check of its
// signature. It keeps what a token says, never whether somebody may connect with
// it. It is filled after a connection succeeded, so that strangers cannot fill
// it. The zero tokens keeps nothing.
//
// Two generations bound it: what is asked for moves to the young one; when that
// has grown to half the limit, the old one is dropped.
type tokens struct {
	limit int // bytes; <= 0: keep nothing

	mu         sync.RWMutex
	young, old map[string]*user // guarded by mu
	size       int              // guarded by mu; of the young generation
	hits       striped          // finds that found
}

// userOverhead is what an entry costs beside its text, roughly.
const userOverhead = 512

// find gives the user of a token, and counts if it is a connect that asks.
func (t *tokens) find(text string, count bool) *user {
	if t.limit <= 0 {
		return nil
	}
	t.mu.RLock()
	u, young := t.young[text]
	if !young {
		u = t.old[text]
	}
	t.mu.RUnlock()
	if u != nil && count {
		t.hits.add(u.key[0])
	}
	return u
}

// add keeps a user, or moves it to the young generation.
func (t *tokens) add(text string, u *user) {
	if t.limit <= 0 || len(text)+userOverhead > t.limit/2 {
		return
	}
	t.mu.RLock()
	known := t.young[text] == u
	t.mu.RUnlock()
	if known {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	cost := len(text) + userOverhead
	if t.young == nil || t.size+cost > t.limit/2 {
		t.old, t.young, t.size = t.young, make(map[string]*user), 0
	}
	if _, ok := t.young[text]; !ok {
		t.size += cost
	}
	t.young[text] = u
}

// count gives the number of entries of both generations; one that is in both
// counts twice.
func (t *tokens) count() int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(t.young) + len(t.old)
}
