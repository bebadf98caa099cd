package natskv

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

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
	var running sync.WaitGroup
	defer running.Wait()
	within, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	running.Go(func() { ended <- s.follow(within) })
	running.Go(func() { s.seed(within) })
	changed("")
	for {
		select {
		case err := <-ended:
			return outage(err)
		case <-ctx.Done():
			return outage(ctx.Err())
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
		pause(ctx)
	}
}

// pause waits for the next try.
func pause(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(retryTime):
	}
}

// maxStalls is how many times running the bucket says that there is something, and the watch has come no further, until that is
// begun anew: more than one, for what is on its way may be large.
const maxStalls = 2

// followOnce takes in what the bucket tells, from the first revision that is not known, and asks it each Poll what it has. It
// ends when the watch stands still although there is more.
func (s *Store) followOnce(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	was := s.ask(ctx)
	if was.err != nil {
		return was.err
	}
	f, err := s.open(ctx)
	if err != nil {
		return err
	}
	defer f.stop()
	said, asking := make(chan saying, 1), false
	before, stalls := uint64(0), 0
	poll := time.NewTicker(s.options.Poll)
	defer poll.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case e, open := <-f.Updates():
			if !open {
				return errEnded
			}
			if err := f.take(ctx, e, was.last); err != nil {
				return err
			}
		case <-poll.C:
			if !asking { // beside this: the answer may have to wait behind what is told
				asking = true
				go func() { said <- s.ask(ctx) }()
			}
		case now := <-said:
			asking = false
			if now.err != nil {
				s.options.Logger.Debug("natskv: the bucket does not say what it has", "bucket", s.options.Bucket, "error", now.err)
				continue
			}
			epoch, next := s.index.next()
			if next > was.last {
				s.upTo(was.at)
			}
			if stalls++; next > was.last || next != before {
				stalls = 0
			}
			if epoch != f.epoch || stalls == maxStalls {
				return errBehind
			}
			was, before = now, next
		}
	}
}

// seed saves the tokens that the store was begun with, once. It tries until it can, and keeps no watch from beginning.
func (s *Store) seed(ctx context.Context) {
	for !s.seeded.Load() && ctx.Err() == nil {
		err := s.saveBootstrap(ctx)
		if err == nil {
			s.seeded.Store(true)
			return
		}
		s.options.Logger.Debug("natskv: Options.Bootstrap is not saved yet", "bucket", s.options.Bucket, "error", err)
		pause(ctx)
	}
}

func (s *Store) saveBootstrap(ctx context.Context) error {
	for account, err := range s.bootstrap.Accounts(ctx) {
		if err != nil {
			return err
		}
		token, err := s.bootstrap.Resolve(ctx, account)
		if err != nil {
			return err
		}
		if _, err := s.Save(ctx, token, resolver.Merge); err != nil && !errors.Is(err, resolver.ErrRollback) {
			return fmt.Errorf("account %s: %w", account, err)
		}
	}
	return nil
}
