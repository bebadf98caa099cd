package natskv

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

var (
	errBehind = errors.New("the watch is behind")
	errEnded  = errors.New("the watch was ended")
	errSilent = errors.New("the bucket tells nothing")
	errStale  = errors.New("a server has answered that knows less than was seen")
)

// saying is what the bucket says of itself, when it was asked.
type saying struct {
	at   time.Time
	last uint64 // its last revision
	err  error
}

// ask asks the bucket what it has, and holds what is known to that. A server that was away may have lost what was seen, and
// have had as much written since: it is recognised first.
func (s *Store) ask(ctx context.Context) saying {
	out := saying{at: s.options.Clock()}
	if now := s.life(); s.lives.Swap(now) != now {
		s.doubtful.Store(true)
	}
	if out.last, out.err = s.compare(ctx, out.at); out.err != nil {
		s.doubtful.Store(true)
	}
	return out
}

// life is how often the connection was lost.
func (s *Store) life() uint64 { return s.js.Conn().Stats().Reconnects }

// compare is ask, and gives the last revision.
func (s *Store) compare(ctx context.Context, now time.Time) (uint64, error) {
	if _, err := s.bind(ctx); err != nil {
		return 0, err
	}
	stream, err := s.js.Stream(ctx, s.stream())
	if err != nil {
		return 0, err
	}
	if s.doubtful.Load() {
		if err := s.recognise(ctx, stream); err != nil {
			return 0, err
		}
	}
	info := stream.CachedInfo()
	seen, err := s.index.compare(info.Created, info.State, now)
	if err != nil {
		return 0, err
	}
	if seen >= info.State.LastSeq {
		s.upTo(now)
	}
	return info.State.LastSeq, nil
}

// recognise looks whether the bucket has what was seen last, and forgets everything if not: also where somebody has only
// written over it, which nobody can tell.
func (s *Store) recognise(ctx context.Context, stream jetstream.Stream) error {
	revision, written := s.index.last()
	if revision != 0 {
		m, err := stream.GetMsg(ctx, revision)
		switch {
		case errors.Is(err, jetstream.ErrMsgNotFound), err == nil && !m.Time.Equal(written):
			s.index.doubt()
		case err != nil:
			return err
		}
	}
	s.doubtful.Store(false)
	return nil
}

// upTo says that nothing was missing at a time.
func (s *Store) upTo(at time.Time) {
	for {
		was := s.current.Load()
		if was != nil && !was.Before(at) || s.current.CompareAndSwap(was, &at) {
			return
		}
	}
}

// feed is a watch on the bucket from the first revision that is not known.
type feed struct {
	jetstream.KeyWatcher
	store *Store
	epoch int
	life  uint64 // of the connection
}

func (s *Store) open(ctx context.Context) (*feed, error) {
	bucket, err := s.bind(ctx)
	if err != nil {
		return nil, err
	}
	life := s.lives.Load()
	epoch, next := s.index.next()
	w, err := bucket.WatchAll(ctx, jetstream.ResumeFromRevision(next))
	if err != nil {
		return nil, err
	}
	return &feed{w, s, epoch, life}, nil
}

// take takes in what the feed tells: before this it has told all that is older. Nil says that it has told what there was when
// it began; last was the bucket's last revision then. What comes by a connection that was lost meanwhile is not taken.
func (f *feed) take(ctx context.Context, e jetstream.KeyValueEntry, last uint64) error {
	if f.store.life() != f.life {
		return errBehind
	}
	if e != nil {
		f.store.learn(entryOf(e, f.epoch))
		f.store.index.reach(f.epoch, e.Revision(), e.Created())
		return nil
	}
	if _, next := f.store.index.next(); next <= last && f.store.isGone(ctx, last) {
		f.store.index.reach(f.epoch, last, time.Time{})
	}
	return nil
}

// stop ends the feed. What it still has comes again; a goroutine takes it, because the feed waits for that.
func (f *feed) stop() {
	go func() {
		if err := f.Stop(); err != nil { // it has ended with its connection
			f.store.options.Logger.Debug("natskv: ending a watch", "error", err)
		}
	}()
	go func() {
		for range f.Updates() {
			continue
		}
	}()
}

// isGone says whether somebody has taken a revision out of the bucket, so that no feed tells it.
func (s *Store) isGone(ctx context.Context, revision uint64) bool {
	stream, err := s.js.Stream(ctx, s.stream())
	if err != nil {
		return false
	}
	_, err = stream.GetMsg(ctx, revision)
	return errors.Is(err, jetstream.ErrMsgNotFound)
}

// catchUp takes in what the bucket has that is not known yet, and then asks once more: what was taken out of it is seen by
// whoever knows the rest. One goroutine at a time does it.
func (s *Store) catchUp(ctx context.Context) error {
	select {
	case s.catching <- struct{}{}:
		defer func() { <-s.catching }()
	case <-ctx.Done():
		return ctx.Err()
	}
	for range 2 {
		said := s.ask(ctx)
		if said.err != nil {
			return said.err
		}
		if _, next := s.index.next(); next > said.last {
			return nil
		}
		if err := s.readUpTo(ctx, said.last); err != nil {
			return err
		}
	}
	return nil
}

// silence is how long nothing may come of what there is: as long as jetstream waits for an answer.
const silence = 5 * time.Second

// readUpTo takes in what is not known yet, up to a revision.
func (s *Store) readUpTo(ctx context.Context, last uint64) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	f, err := s.open(ctx)
	if err != nil {
		return err
	}
	defer f.stop()
	silent := time.NewTimer(silence)
	defer silent.Stop()
	for {
		switch epoch, next := s.index.next(); {
		case epoch != f.epoch:
			return errBehind
		case next > last:
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-silent.C:
			return errSilent
		case e, open := <-f.Updates():
			if !open {
				return errEnded
			}
			if err := f.take(ctx, e, last); err != nil {
				return err
			}
			silent.Reset(silence)
		}
	}
}
