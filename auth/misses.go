package auth

import "time"

// misses remembers look-ups that brought nothing, for a short time and up to a
// bound: the oldest goes first.
type misses struct {
	known map[string]miss
	order []string // as they came; may name what is gone
}

type miss struct {
	since, until time.Time
	err          *Error
}

func (m *misses) find(key string, now time.Time) *Error {
	known, ok := m.known[key]
	if !ok {
		return nil
	}
	if !now.Before(known.until) || now.Before(known.since) { // a clock that was set back begins anew
		delete(m.known, key)
		return nil
	}
	return known.err
}

func (m *misses) add(key string, err *Error, since, until time.Time, most int) {
	if m.known == nil {
		m.known = make(map[string]miss)
	}
	for len(m.order) >= most {
		delete(m.known, m.order[0])
		m.order = m.order[1:]
	}
	if _, ok := m.known[key]; !ok {
		m.order = append(m.order, key)
	}
	m.known[key] = miss{since: since, until: until, err: err}
}
