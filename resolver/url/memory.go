package url

import (
	"container/list"
	"hash/crc32"
	"net/http"
	"sync"
	"time"

	"github.com/natsauth/natsauth/claims"
)

// entry is an answer as it is kept. It does not change once it is in a memory. The nil entry is none.
type entry struct {
	account string
	token   string
	etag    string // or empty
	from    string // the URL that the ETag is of
	window  claims.Window
	policy  policy

	asked, fresh, stale time.Time // asked when, good until when without asking, and when nobody can be asked
}

// date says how long an entry is good for, by the answer's header or else, after "not modified", by the one before. It counts
// from when it was asked for, and options bound it.
func (e *entry) date(asked time.Time, h http.Header, o *Options) {
	if e.asked.IsZero() || h.Get("Cache-Control") != "" {
		e.policy = policyOf(h)
	}
	e.asked = asked
	e.fresh = asked.Add(min(e.policy.fresh, o.MaxAge))
	e.stale = e.fresh.Add(min(e.policy.stale, o.StaleIfError))
}

// isFrom says whether the server at this URL can be asked for changes only.
func (e *entry) isFrom(to string) bool { return e != nil && e.etag != "" && e.from == to }

// freshAt says whether the token may be given without asking.
func (e *entry) freshAt(now time.Time) bool { return e != nil && e.within(now, e.fresh) }

// staleAt says whether the token may be given while nobody can be asked.
func (e *entry) staleAt(now time.Time) bool { return e != nil && e.within(now, e.stale) }

// within is false for a token that has ended, whose successor may be there, and when the clock was set back.
func (e *entry) within(now, until time.Time) bool {
	return !now.Before(e.asked) && now.Before(until) && e.window.At(now) != claims.Closed
}

// useless is an entry that could not be used again.
func (e *entry) useless() bool {
	return e.policy.noStore || e.etag == "" && !e.stale.After(e.asked)
}

func (e *entry) size() int { return len(e.account) + len(e.token) + len(e.etag) + len(e.from) }

// generations is how many counters a memory has. Accounts share them, which costs no more than a request: what is brought for
// one is not kept when another of the same counter was forgotten meanwhile.
const generations = 256

// generation of an account is another one each time that the account is forgotten.
type generation uint64

// memory holds entries up to a number and a size; then the one that was used least recently goes. What was asked for before
// the account was forgotten does not come in.
type memory struct {
	most, mostBytes int

	mu        sync.Mutex // guards what follows
	byAccount map[string]*list.Element
	order     list.List // of *entry, the one used last at the end
	bytes     int
	now       [generations]generation // by counter
}

// counter is the one of an account's generation.
func counter(account string) uint32 { return crc32.ChecksumIEEE([]byte(account)) % generations }

// get gives what is held, and the generation that put wants to see.
func (m *memory) get(account string) (*entry, generation) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now[counter(account)]
	held, ok := m.byAccount[account]
	if !ok {
		return nil, now
	}
	m.order.MoveToBack(held)
	return held.Value.(*entry), now
}

// put takes an entry that was asked for in a generation in place of the one that is held, which goes in any case; unless the
// account was forgotten since: what is held then was asked for later.
func (m *memory) put(e *entry, asked generation) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.now[counter(e.account)] != asked {
		return
	}
	m.remove(e.account)
	if e.useless() || e.size() > m.mostBytes {
		return
	}
	if m.byAccount == nil {
		m.byAccount = make(map[string]*list.Element)
	}
	m.byAccount[e.account] = m.order.PushBack(e)
	m.bytes += e.size()
	for len(m.byAccount) > m.most || m.bytes > m.mostBytes {
		m.remove(m.order.Front().Value.(*entry).account)
	}
}

func (m *memory) drop(account string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now[counter(account)]++
	m.remove(account)
}

func (m *memory) clear() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range m.now {
		m.now[i]++
	}
	clear(m.byAccount)
	m.order.Init()
	m.bytes = 0
}

// remove needs mu.
func (m *memory) remove(account string) {
	held, ok := m.byAccount[account]
	if !ok {
		return
	}
	delete(m.byAccount, account)
	m.bytes -= m.order.Remove(held).(*entry).size()
}

func (m *memory) size() (entries, bytes int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.byAccount), m.bytes
}
