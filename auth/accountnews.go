package auth

import "slices"

// AccountEvent is news about one account: it has another view, came into force, or
// went out of it. The zero AccountEvent is none.
type AccountEvent struct {
	Old     *Account // that was told last; nil: none, or it has left memory since
	New     *Account // in force now; nil: none
	Imports bool     // where its imports stand or lead is not as it was: re-sync routes
	Err     *Error   // why it went out of force; nil if it did not
}

// accountNews is what has to be told of one account. It is guarded by place.mu.
type accountNews struct {
	told    *Account
	err     *Error
	pending bool
	running bool // a goroutine is telling
}

// news has [Config.OnAccount] told that the view has changed. p.mu is held.
func (p *place) news(err *Error) {
	if p.authorizer.config.OnAccount == nil {
		return
	}
	p.untold.pending, p.untold.err = true, err
	if !p.untold.running {
		p.untold.running = true
		go p.tellNews()
	}
}

// tellNews tells one event after the other until there is none: what changes while
// somebody listens is told together afterwards.
func (p *place) tellNews() {
	for {
		e, ok := p.nextNews()
		if !ok {
			return
		}
		if e.Old != e.New {
			p.authorizer.config.OnAccount(e)
		}
	}
}

func (p *place) nextNews() (AccountEvent, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := &p.untold
	if !n.pending {
		n.running = false
		return AccountEvent{}, false
	}
	e := AccountEvent{Old: n.told, New: p.current.Load()}
	if e.New == nil {
		e.Err = n.err
	} else {
		e.Imports = !slices.Equal(e.Old.permits(), e.New.permits())
	}
	n.told, n.pending = e.New, false
	return e, true
}
