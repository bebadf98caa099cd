package auth

import (
	"context"
	"iter"
	"time"
)

// This file looks up the accounts that others import from. It happens in the background:
// an import whose exporter is not in force waits for it, and a client waits for those that
// nobody has failed to find yet.

// expect has the places of exporters looked after that are not in force: they may be new.
func (a *Authorizer) expect(links []*link) {
	for exporter := range absent(links) {
		a.attendLater(exporter)
	}
}

// seekExporters looks for the exporters of a view that are not in force.
func (a *Authorizer) seekExporters(view *Account) {
	if view == nil {
		return
	}
	for exporter := range absent(view.links) {
		a.seek(wanted{exporter.key, view.Key()})
	}
}

// absent gives the exporters of links that are not in force.
func absent(links []*link) iter.Seq[*place] {
	return func(yield func(*place) bool) {
		for _, l := range links {
			if l.exporter != nil && l.exporter.current.Load() == nil && !yield(l.exporter) {
				return
			}
		}
	}
}

// seekAgain looks for them once more when a client connects, but not all the time: what
// was not there may have come where nobody tells of it.
func (a *Authorizer) seekAgain(view *Account) {
	if !view.lacks {
		return
	}
	now := a.config.Clock().UnixNano()
	last := view.place.seeking.Load()
	if now-last >= int64(maxWait) && view.place.seeking.CompareAndSwap(last, now) {
		a.seekExporters(view)
	}
}

// await waits for the exporters of an account that are being looked up, and for theirs, as
// long as for an account: then the first request of its first client finds who serves it.
// One that was looked for in vain holds up nobody.
func (a *Authorizer) await(ctx context.Context, view *Account) {
	if !view.lacks {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, a.config.Bounds.LookupTime)
	defer cancel()
	seen := make(map[*place]bool)
	for queue := []*Account{view}; len(queue) > 0 && ctx.Err() == nil; {
		coming := a.directory.coming(queue[0], seen)
		if len(coming) == 0 {
			queue = queue[1:]
		}
		for _, f := range coming {
			if exporter, err := f.wait(ctx); err == nil {
				queue = append(queue, exporter)
			}
		}
	}
}

// coming gives the look-ups of a view's exporters that are under way, each only once, but
// for those that the last one did not find.
func (d *directory) coming(view *Account, seen map[*place]bool) []*flight {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []*flight
	for _, l := range view.links {
		if l.exporter == nil || seen[l.exporter] {
			continue
		}
		if f := d.flights[l.exporter.key]; f != nil && !l.exporter.missed.Load() {
			seen[l.exporter] = true
			out = append(out, f)
		}
	}
	return out
}

// seekWanted looks an account up if somebody imports from it.
func (a *Authorizer) seekWanted(key string) {
	if importer := a.directory.graph.importer(key); importer != "" {
		a.seek(wanted{key, importer})
	}
}

// seek looks an exporter up for an importer, in its turn: half of the look-ups are left to
// clients. It says whether there is a look-up more to wait for now.
func (a *Authorizer) seek(w wanted) bool {
	d := &a.directory
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.flights[w.exporter] != nil {
		return false
	}
	switch err := d.turnAway(w.exporter, a.config.Clock(), a.background()); {
	case err == nil:
		a.launch(context.Background(), w.exporter)
		return true
	case err.Reason == AccountBusy:
		d.sought.add(w)
		return true
	default:
		return false
	}
}

// background is how many look-ups may be under way that no client waits for.
func (a *Authorizer) background() int { return (a.config.Bounds.Lookups + 1) / 2 }

// unsought ends the look-up of an account: the next one that waits has its turn, and one
// that could not be asked for comes again.
func (a *Authorizer) unsought(key string, err *Error) {
	a.seekNext()
	p := a.directory.known(key)
	if err == nil || p == nil {
		return
	}
	p.missed.Store(true)
	if err.Reason != AccountUnavailable || !a.directory.graph.wants(p) {
		return
	}
	p.mu.Lock()
	p.postpone(a.config.Clock())
	p.mu.Unlock()
	a.attendLater(p)
}

// postpone plans when an exporter is looked for again that nobody could tell of: soon, and
// later each time. p.mu is held.
func (p *place) postpone(now time.Time) {
	if p.current.Load() == nil {
		p.pause = min(max(retry, 2*p.pause), maxWait)
		p.refresh = now.Add(p.pause).UnixNano()
	}
}

// seekNext gives its turn to an exporter that waits for it, and is not there yet.
func (a *Authorizer) seekNext() {
	for w, ok := a.directory.nextSought(); ok; w, ok = a.directory.nextSought() {
		if a.directory.inForce(w.exporter) == nil && a.seek(w) {
			return
		}
	}
}

func (d *directory) nextSought() (wanted, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	w, ok := d.sought.next()
	return w, ok && !d.closed
}

// sought are exporters that wait to be looked up. The importers take turns, so that nobody
// waits for all that another one imports.
type sought struct {
	waits map[wanted]struct{}
	of    map[string][]string // the exporters, by importer
	turns []string            // the importers
}

// wanted is who waits for whom.
type wanted struct{ exporter, importer string }

func (s *sought) add(w wanted) {
	if _, ok := s.waits[w]; ok {
		return
	}
	if s.waits == nil {
		s.waits, s.of = make(map[wanted]struct{}), make(map[string][]string)
	}
	s.waits[w] = struct{}{}
	if s.of[w.importer] = append(s.of[w.importer], w.exporter); len(s.of[w.importer]) == 1 {
		s.turns = append(s.turns, w.importer)
	}
}

// next takes one out.
func (s *sought) next() (wanted, bool) {
	if len(s.turns) == 0 {
		return wanted{}, false
	}
	importer := s.turns[0]
	w := wanted{s.of[importer][0], importer}
	delete(s.waits, w)
	s.turns = s.turns[1:]
	if s.of[importer] = s.of[importer][1:]; len(s.of[importer]) > 0 {
		s.turns = append(s.turns, importer)
	} else {
		delete(s.of, importer)
	}
	return w, true
}
