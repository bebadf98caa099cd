package auth

import (
	"slices"
	"strconv"
	"time"
)

// EventKind is what happened to a session.
type EventKind uint8

// The kinds, in the order in which one delivery tells them.
const (
	Expiring      EventKind = iota + 1 // it will end by itself, in [Config.Warn] at most
	RightsChanged                      // ask again what it may subscribe to
	LimitsChanged                      // take [Session.Limits] again
	Closed                             // it has ended; the last event
	eventKindEnd
)

// String gives the kind's name.
func (k EventKind) String() string {
	switch k {
	case Expiring:
		return "expiring"
	case RightsChanged:
		return "rights changed"
	case LimitsChanged:
		return "limits changed"
	case Closed:
		return "closed"
	default:
		return "event(" + strconv.Itoa(int(k)) + ")"
	}
}

// Event is one piece of news about a session. The zero Event is none.
type Event struct {
	Kind    EventKind
	Session *Session
	Err     *Error    // why it has ended; nil for other kinds
	At      time.Time // when the news is told
}

// watcher is one receiver of a session's events. It is guarded by the session's
// mu.
type watcher struct {
	tell    func(Event)
	pending uint8 // bits of kinds that were not told yet
	running bool  // a goroutine is telling
	stopped bool
}

// Notify has fn told of every event of the session, in a goroutine that lives
// only while there is something to tell. Events of one kind that come before fn
// has returned are told once. What happened before Notify was called is told
// too. Closed is the last. No lock is held while fn runs, and a slow fn holds
// nobody up. A nil fn is told nothing. The function that comes back ends it; an fn that
// is running runs to its end.
func (s *Session) Notify(fn func(Event)) func() {
	if fn == nil {
		return func() {}
	}
	w := &watcher{tell: fn}
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.more()
	e.watch = append(e.watch, w)
	s.tell(w, s.seen)
	return func() { s.stop(w) }
}

func (s *Session) stop(w *watcher) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.stopped = true
	s.extra.watch = slices.DeleteFunc(s.extra.watch, func(o *watcher) bool { return o == w })
}

// announce tells everybody who asked, and remembers for those who ask later.
func (s *Session) announce(k EventKind) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen |= 1 << k
	if s.extra == nil {
		return
	}
	if k == Closed && s.extra.done != nil {
		close(s.extra.done)
	}
	for _, w := range s.extra.watch {
		s.tell(w, 1<<k)
	}
}

// tell starts a goroutine for a receiver, unless one is at it. s.mu is held.
func (s *Session) tell(w *watcher, kinds uint8) {
	w.pending |= kinds
	if w.pending != 0 && !w.running {
		w.running = true
		go s.run(w)
	}
}

// run tells one event after the other until there is none.
func (s *Session) run(w *watcher) {
	for {
		k, ok := s.nextEvent(w)
		if !ok {
			return
		}
		w.tell(Event{Kind: k, Session: s, Err: s.eventError(k), At: s.authorizer().config.Clock()})
	}
}

// nextEvent takes the next kind that is to be told, or ends the telling.
func (s *Session) nextEvent(w *watcher) (EventKind, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k := Expiring; k < eventKindEnd && !w.stopped; k++ {
		if w.pending&(1<<k) != 0 {
			w.pending &^= 1 << k
			return k, true
		}
	}
	w.running = false
	return 0, false
}

func (s *Session) eventError(k EventKind) *Error {
	if k != Closed {
		return nil
	}
	return s.cause()
}

// Done gives a channel that is closed when the session ends. It is made when it
// is first asked for. The channel of the zero Session is closed.
func (s *Session) Done() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.more()
	if e.done == nil {
		e.done = make(chan struct{})
		if s.place == nil || s.seen&(1<<Closed) != 0 {
			close(e.done)
		}
	}
	return e.done
}
