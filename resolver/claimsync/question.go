package claimsync

import (
	"bytes"
	"crypto/rand"
	"slices"
	"sync"

	"github.com/natsauth/natsauth/resolver"
)

// inboxes is where answers go, as in all of NATS: tools and users have leave for no other.
const inboxes = "_INBOX."

// newInbox gives a subject that nobody can guess: an empty answer from a stranger would count.
func newInbox() string { return inboxes + rand.Text() }

// ownHeader marks the message by which a service tells its own exchange that it was asked.
var ownHeader = map[string][]string{"Status": {"own"}}

// question is a request that has gone out, and what has come back. Messages wait within bounds: hear keeps nobody waiting.
type question struct {
	inbox       string
	most        int // messages that are taken in all, the empty ones apart
	mostBytes   int // that wait
	mostMessage int
	news        chan struct{} // has room for one

	mu sync.Mutex // guards what follows
	heard
	bytes, count int
}

// heard is what has come since it was last taken.
type heard struct {
	messages [][]byte
	empty    int  // messages with nothing in them
	large    int  // messages that are too large
	lost     int  // messages that had no room
	nobody   bool // the Bus says that nobody listens
	own      bool // this node was asked
}

func newQuestion(inbox string, most, mostBytes, mostMessage int) *question {
	return &question{inbox: inbox, most: most, mostBytes: mostBytes, mostMessage: mostMessage, news: make(chan struct{}, 1)}
}

// hear takes a message. A status, which NATS sends without a body, is no answer: 503 says that nobody listens.
func (q *question) hear(m resolver.Msg) {
	q.mu.Lock()
	q.note(m)
	q.mu.Unlock()
	select {
	case q.news <- struct{}{}:
	default:
	}
}

// note adds a message to what was heard. q.mu is held.
func (q *question) note(m resolver.Msg) {
	size := len(m.Data)
	switch status := m.Header["Status"]; {
	case size == 0 && len(status) > 0:
		q.nobody = q.nobody || status[0] == "503"
		q.own = q.own || slices.Equal(status, ownHeader["Status"])
	case size == 0:
		q.empty++
	case size > q.mostMessage:
		q.large++
	case q.count >= q.most, q.bytes+size > q.mostBytes && len(q.messages) > 0:
		q.lost++
	default:
		q.messages = append(q.messages, bytes.Clone(m.Data))
		q.bytes += size
		q.count++
	}
}

// take gives what was heard since the last time.
func (q *question) take() heard {
	q.mu.Lock()
	defer q.mu.Unlock()
	out := q.heard
	q.heard, q.bytes = heard{}, 0
	return out
}
