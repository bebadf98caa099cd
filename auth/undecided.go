package auth

import (
	"container/list"
	"iter"
)

// undecided are the links for which the search for cycles was given up. Each later search
// spends something on them: the accounts take turns, and of one account the link comes
// first that waits longest. They are guarded by graph.mu.
type undecided struct {
	turns  list.List // of *waiting, each of another importer
	of     map[*place]*list.Element
	places map[*link]*list.Element // in waiting.links
}

// waiting are the links of one importer.
type waiting struct {
	links list.List // of *link
}

// add has a link wait, behind all others of its importer, and the importer behind all
// others, also where they have waited before.
func (u *undecided) add(l *link) {
	if u.of == nil {
		u.of, u.places = make(map[*place]*list.Element), make(map[*link]*list.Element)
	}
	turn := u.of[l.importer]
	if turn == nil {
		turn = u.turns.PushBack(new(waiting))
		u.of[l.importer] = turn
	}
	u.turns.MoveToBack(turn)
	links := &turn.Value.(*waiting).links
	if e := u.places[l]; e != nil {
		links.MoveToBack(e)
		return
	}
	u.places[l] = links.PushBack(l)
}

// drop takes out a link that is decided, or is no more.
func (u *undecided) drop(l *link) {
	e := u.places[l]
	if e == nil {
		return
	}
	delete(u.places, l)
	turn := u.of[l.importer]
	links := &turn.Value.(*waiting).links
	if links.Remove(e); links.Len() == 0 {
		u.turns.Remove(turn)
		delete(u.of, l.importer)
	}
}

// all gives them in turn: one of each importer, then the next one of each.
func (u *undecided) all() iter.Seq[*link] {
	return func(yield func(*link) bool) {
		var next []*list.Element
		for turn := u.turns.Front(); turn != nil; turn = turn.Next() {
			next = append(next, turn.Value.(*waiting).links.Front())
		}
		for len(next) > 0 {
			rest := next[:0]
			for _, e := range next {
				if !yield(e.Value.(*link)) {
					return
				}
				if e = e.Next(); e != nil {
					rest = append(rest, e)
				}
			}
			next = rest
		}
	}
}
