package resolver

import "container/list"

// maxMarks is how many deleted accounts a [Memory] remembers: 65,536, so that accounts which come and go without end do
// not fill the memory, and so many that an old token is unlikely to outlive its mark.
const maxMarks = 1 << 16

// marks remember when the tokens of deleted accounts were issued, up to maxMarks; then the oldest is dropped. The zero
// value remembers nothing yet.
type marks struct {
	byKey map[string]*list.Element
	order list.List // of tombstone, oldest first
}

type tombstone struct {
	key      string
	issuedAt int64
}

func (m *marks) get(key string) (Mark, bool) {
	e, ok := m.byKey[key]
	if !ok {
		return Mark{}, false
	}
	return Mark{IssuedAt: e.Value.(tombstone).issuedAt}, true
}

// add remembers a key, as the youngest.
func (m *marks) add(key string, issuedAt int64) {
	m.drop(key)
	if m.byKey == nil {
		m.byKey = make(map[string]*list.Element)
	}
	m.byKey[key] = m.order.PushBack(tombstone{key, issuedAt})
	for len(m.byKey) > maxMarks {
		m.drop(m.order.Front().Value.(tombstone).key)
	}
}

func (m *marks) drop(key string) {
	if e, ok := m.byKey[key]; ok {
		m.order.Remove(e)
		delete(m.byKey, key)
	}
}
