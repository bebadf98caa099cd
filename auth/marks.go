package auth

import (
	"container/list"
	"sync"

	"github.com/natsauth/natsauth/resolver"
)

// marks remember the last tokens of accounts that are out of force, up to a limit;
// then the one that went out first is forgotten.
type marks struct {
	limit int

	mu    sync.Mutex
	byKey map[string]*list.Element // guarded by mu
	order list.List                // guarded by mu; of former, the oldest first
}

// former is an account that was in force.
type former struct {
	key  string
	mark resolver.Mark
	// why it went: after AccountRemoved the same token does not bring it back by
	// itself, after AccountStale only upstream does.
	why Reason
}

// get gives what an account had, and why it went.
func (m *marks) get(key string) (resolver.Mark, Reason) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.byKey[key]
	if !ok {
		return resolver.Mark{}, ReasonNone
	}
	f := e.Value.(former)
	return f.mark, f.why
}

// add remembers an account as the one that went out last.
func (m *marks) add(f former) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.drop(f.key)
	if m.byKey == nil {
		m.byKey = make(map[string]*list.Element)
	}
	m.byKey[f.key] = m.order.PushBack(f)
	for len(m.byKey) > m.limit {
		m.drop(m.order.Front().Value.(former).key)
	}
}

// forget is for an account that is in force again: its view is the mark.
func (m *marks) forget(key string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.drop(key)
}

// drop takes one out. m.mu is held.
func (m *marks) drop(key string) {
	if e, ok := m.byKey[key]; ok {
		m.order.Remove(e)
		delete(m.byKey, key)
	}
}

// count is how many there are.
func (m *marks) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.byKey)
}
