package full

import (
	"context"
	"fmt"
	"time"

	"github.com/natsauth/natsauth/resolver"
)

// watcher is one Watch under way.
type watcher struct {
	wake chan struct{}
	keys map[rawKey]struct{} // guarded by Store.mu; not told yet
}

func (w *watcher) poke() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// changed has the watchers told. s.mu is held.
func (s *Store) changed(k rawKey) {
	for w := range s.watchers {
		w.keys[k] = struct{}{}
		w.poke()
	}
}

// Watch tells of accounts whose files others have changed: of those that are asked for at once, of the rest when it looks
// at the whole directory, each [Options].Rescan. It begins with "", and does not tell of what is saved and deleted here.
func (s *Store) Watch(ctx context.Context, changed func(account string)) error {
	if err := s.usable(ctx); err != nil {
		return err
	}
	w := &watcher{wake: make(chan struct{}, 1), keys: make(map[rawKey]struct{})}
	if err := s.enlist(w); err != nil {
		return err
	}
	defer s.unwatch(w)
	changed("")
	rescan := time.NewTicker(s.options.Rescan)
	defer rescan.Stop()
	for {
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", resolver.ErrUnavailable, ctx.Err())
		case <-w.wake:
		case <-rescan.C:
			if _, err := s.Reload(ctx); err != nil && ctx.Err() == nil {
				s.options.Logger.Warn("full: the directory was not read again", "error", err)
			}
		}
		if err := s.usable(ctx); err != nil {
			return err
		}
		for _, k := range s.news(w) {
			changed(k.String())
		}
	}
}

// enlist has a watcher told from now on, and when the store is closed.
func (s *Store) enlist(w *watcher) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errClosed
	}
	s.watchers[w] = struct{}{}
	return nil
}

func (s *Store) unwatch(w *watcher) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.watchers, w)
}

// news takes what a watcher was not told yet.
func (s *Store) news(w *watcher) []rawKey {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]rawKey, 0, len(w.keys))
	for k := range w.keys {
		out = append(out, k)
	}
	clear(w.keys)
	return out
}
