package auth

import (
	"strings"
	"sync"
)

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

// What an entry costs beside its text, roughly: in any case, and for each
// permission, range, hour, name and tag of the token.
const (
	userOverhead  = 512
	entryOverhead = 96
)

// costOf is what it costs to keep a user with its text.
func costOf(text string, u *user) int {
	g := u.claims.Grant
	n := len(g.Sources) + len(g.Times) + len(g.ConnectionTypes) + len(u.claims.Tags)
	for _, list := range [...][]string{g.Permissions.Publish.Allow, g.Permissions.Publish.Deny, g.Permissions.Subscribe.Allow, g.Permissions.Subscribe.Deny} {
		n += len(list)
	}
	return len(text) + userOverhead + n*entryOverhead
}

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

// add keeps a user, or moves it to the young generation. A text with line breaks,
// of which a token may have any number, is not worth a place.
func (t *tokens) add(text string, u *user) {
	if t.limit <= 0 {
		return
	}
	t.mu.RLock()
	known := t.young[text] == u
	t.mu.RUnlock()
	if known {
		return
	}
	cost := costOf(text, u)
	if cost > t.limit/2 || strings.ContainsAny(text, "\r\n") {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
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
