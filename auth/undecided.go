package auth

import (
	"container/list"
	"iter"
)

// undecided are the links for which the search for cycles was given up. Each later search
// spends on them what it has left: the one that waits longest comes first, whoever it is of.
// They are guarded by graph.mu.
type undecided struct {
	order list.List // of *link
	at    map[*link]*list.Element
}

// add has a link wait, behind all others, also where it has waited before.
func (u *undecided) add(l *link) {
	if e := u.at[l]; e != nil {
		u.order.MoveToBack(e)
		return
	}
	if u.at == nil {
		u.at = make(map[*link]*list.Element)
	}
	u.at[l] = u.order.PushBack(l)
}

// drop takes out a link that is decided, or is no more.
func (u *undecided) drop(l *link) {
	if e := u.at[l]; e != nil {
		u.order.Remove(e)
		delete(u.at, l)
	}
}

// all gives them, the one that waits longest first.
func (u *undecided) all() iter.Seq[*link] {
	return func(yield func(*link) bool) {
		for e := u.order.Front(); e != nil; e = e.Next() {
			if !yield(e.Value.(*link)) {
				return
			}
		}
	}
}
