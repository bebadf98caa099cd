package natskv

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natsauth/natsauth/resolver"
)

// retryTime is after how long a watch that has ended is begun anew, and a bucket is looked for again that was not reached:
// as often as nats-server looks for its system account (F017).
const retryTime = time.Second

// Stats are figures of a [Store].
type Stats struct {
	Accounts int    // that have a token, as far as is known here
	Faults   int    // entries that are not their account's token
	Revision uint64 // up to here nothing is missing
	Resumed  int64  // watches that were begun anew, because they had ended or were behind

	// Current is up to when nothing is missing: how long ago that was is the age of the watch. It is renewed each
	// Options.Poll while somebody watches and the bucket answers, and by Hash and Accounts. The zero time: not yet.
	Current time.Time
}

// Stats gives the figures as they are now. Those of a Store that nobody has asked for anything are zero.
func (s *Store) Stats() Stats {
	if s == nil {
		return Stats{}
	}
	out := Stats{Resumed: s.resumed.Load()}
	if at := s.current.Load(); at != nil {
		out.Current = *at
	}
	s.index.mu.Lock()
	defer s.index.mu.Unlock()
	out.Accounts, out.Faults, out.Revision = s.index.count, s.index.faults, s.index.seen
	return out
}

// Watch tells of accounts whose entries have changed, by whomever, of which there may be many at first. It begins with "",
// and saves what Options.Bootstrap has. While the bucket cannot be reached it goes on trying; the error is that of ctx, or
// that the connection was closed for good.
func (s *Store) Watch(ctx context.Context, changed func(account string)) error {
	if err := s.usable(ctx); err != nil {
		return err
	}
	w := s.index.watch()
	defer s.index.unwatch(w)
	within, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- s.follow(within) }()
	changed("")
	for {
		select {
		case err := <-ended:
			cancel()
			return outage(err)
		case <-ctx.Done():
			cancel()
			return outage(<-ended)
		case <-w.wake:
		}
		for _, key := range s.index.told(w) {
			changed(key)
		}
	}
}

// follow follows the bucket until ctx ends or the connection is closed.
func (s *Store) follow(ctx context.Context) error {
	for {
		err := s.followOnce(ctx)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case s.js.Conn().IsClosed():
			return nats.ErrConnectionClosed
		case errors.Is(err, errBehind):
			s.options.Logger.Info("natskv: the watch is begun anew", "bucket", s.options.Bucket, "error", err)
			s.resumed.Add(1)
			continue
		}
		s.options.Logger.Warn("natskv: the watch has ended", "bucket", s.options.Bucket, "error", err)
		s.resumed.Add(1)
		select {
		case <-ctx.Done():
		case <-time.After(retryTime):
		}
	}
}

var (
	errBehind = errors.New("the watch is behind")
	errEnded  = errors.New("the watch was ended")
	errStale  = errors.New("a server has answered that knows less than was seen")
)

// followOnce takes in what the bucket tells, from the first revision that is not known. It ends when it has
// told nothing for a Poll of what there was before.
func (s *Store) followOnce(ctx context.Context) error {
	last, err := s.compare(ctx)
	if err != nil {
		return err
	}
	if err := s.seed(ctx); err != nil {
		return err
	}
	feed, err := s.feed(ctx)
	if err != nil {
		return err
	}
	defer feed.stop()
	at, before := s.options.Clock(), uint64(0)
	poll := time.NewTicker(s.options.Poll)
	defer poll.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case e, open := <-feed.Updates():
			if !open {
				return errEnded
			}
			feed.take(e)
		case <-poll.C:
			now := s.options.Clock()
			newest, err := s.compare(ctx)
			if err != nil {
				return err
			}
			epoch, next := s.index.next()
			switch {
			case epoch != feed.epoch, next <= last && next == before:
				return errBehind
			case next > last:
				s.upTo(at)
			}
			last, at, before = newest, now, next
		}
	}
}

// compare asks the bucket what it says of itself, and gives its last revision.
func (s *Store) compare(ctx context.Context) (last uint64, err error) {
	if _, err := s.bind(ctx); err != nil {
		return 0, err
	}
	at := s.options.Clock()
	stream, err := s.js.Stream(ctx, s.stream())
	if err != nil {
		return 0, err
	}
	info := stream.CachedInfo()
	seen, err := s.index.compare(info.Created, info.State, at)
	if err != nil {
		return 0, err
	}
	if seen >= info.State.LastSeq {
		s.upTo(at)
	}
	return info.State.LastSeq, nil
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
}

func (s *Store) feed(ctx context.Context) (*feed, error) {
	bucket, err := s.bind(ctx)
	if err != nil {
		return nil, err
	}
	epoch, next := s.index.next()
	w, err := bucket.WatchAll(ctx, jetstream.ResumeFromRevision(next))
	if err != nil {
		return nil, err
	}
	return &feed{w, s, epoch}, nil
}

// take takes in what the feed tells: before this it has told all that is older.
func (f *feed) take(e jetstream.KeyValueEntry) {
	if e == nil {
		return // it has told what there was when it began
	}
	f.store.learn(entryOf(e, f.epoch))
	f.store.index.reach(f.epoch, e.Revision())
}

// stop ends the feed. What it still has comes again; a goroutine takes it, because the feed waits for that.
func (f *feed) stop() {
	if err := f.Stop(); err != nil { // it has ended with its connection
		f.store.options.Logger.Debug("natskv: ending a watch", "error", err)
	}
	go func() {
		for range f.Updates() {
			continue
		}
	}()
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
		last, err := s.compare(ctx)
		if err != nil {
			return err
		}
		if _, next := s.index.next(); next > last {
			return nil
		}
		if err := s.readUpTo(ctx, last); err != nil {
			return err
		}
	}
	return nil
}

// readUpTo takes in what is not known yet, up to a revision.
func (s *Store) readUpTo(ctx context.Context, last uint64) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	feed, err := s.feed(ctx)
	if err != nil {
		return err
	}
	defer feed.stop()
	for {
		switch epoch, next := s.index.next(); {
		case epoch != feed.epoch:
			return errBehind
		case next > last:
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case e, open := <-feed.Updates():
			if !open {
				return errEnded
			}
			if e == nil && s.isGone(ctx, last) {
				s.index.reach(feed.epoch, last)
			}
			feed.take(e)
		}
	}
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

// seed saves the tokens that the store was begun with, once.
func (s *Store) seed(ctx context.Context) error {
	if s.seeded.Load() {
		return nil
	}
	for account, err := range s.bootstrap.Accounts(ctx) {
		if err != nil {
			return err
		}
		token, err := s.bootstrap.Resolve(ctx, account)
		if err != nil {
			return err
		}
		if _, err := s.Save(ctx, token, resolver.Merge); err != nil && !errors.Is(err, resolver.ErrRollback) {
			return fmt.Errorf("bootstrap: %w", err)
		}
	}
	s.seeded.Store(true)
	return nil
}
