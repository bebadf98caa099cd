package claimsync

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/claims"
	"github.com/natsauth/natsauth/resolver"
)

// exchangeTries is how often an exchange asks when it is this node itself that was asked: of all nodes one is.
const exchangeTries = 8

// exchangeOften exchanges at once, and then at every interval.
func (s *Service) exchangeOften(ctx context.Context) {
	for {
		// Another may be under way: then nothing is missed.
		if _, err := s.exchange(ctx); err != nil && ctx.Err() == nil && !errors.Is(err, ErrBusy) {
			s.config.Logger.Debug("claims protocol: an exchange failed", "cause", err)
		}
		wait := s.config.Jitter(s.config.Interval)
		if wait <= 0 {
			wait = s.config.Interval
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// Exchange asks another node for the tokens that this one does not have, and takes them, as happens at every
// [Config.Interval]: for a broker that knows that it has been cut off. Which node answers is for the Bus to choose, and
// where there is no other there is nothing to take. Tokens that were taken before an error stay.
//
// The error wraps [resolver.ErrUnavailable] where nobody answered to the end or the Store could not say what it has, ctx's
// own where that ended, and [ErrBusy] where an exchange is under way: there is one at a time. With [Config.UpdatesOnly]
// nothing is ever exchanged, with an error that says so.
func (s *Service) Exchange(ctx context.Context) (Exchanged, error) {
	if s.config.UpdatesOnly {
		return Exchanged{}, errUpdatesOnly
	}
	ctx, leave, err := s.join(ctx)
	if err != nil {
		return Exchanged{}, err
	}
	defer leave()
	return s.exchange(ctx)
}

func (s *Service) exchange(ctx context.Context) (Exchanged, error) {
	if !s.exchanging.TryLock() {
		return Exchanged{}, fmt.Errorf("%w: an exchange is under way", ErrBusy)
	}
	defer s.exchanging.Unlock()
	ctx, cancel := context.WithTimeout(ctx, s.config.Bounds.PackTime)
	defer cancel()
	var got Exchanged
	err := s.ask(ctx, &got)
	s.tally.add(func(c *Stats) {
		c.Taken.add(got)
		if err != nil {
			c.ExchangesFailed++
		} else {
			c.Exchanges++
		}
	})
	if got.Refused+got.Malformed+got.Failed+got.Lost > 0 {
		s.config.Logger.Warn("claims protocol: not all that another node sent was taken", "refused", got.Refused,
			"malformed", got.Malformed, "failed", got.Failed, "lost", got.Lost, "changed", got.Changed)
	}
	return got, err
}

// ask sends our hash, and takes what comes.
func (s *Service) ask(ctx context.Context, got *Exchanged) error {
	b := s.config.Bounds
	q := newQuestion(newInbox(), b.PackTokens, b.PackBytes, b.MessageBytes)
	stop, err := s.config.Bus.Subscribe(q.inbox, "", q.hear)
	if err != nil {
		return fmt.Errorf("%w: %w", resolver.ErrUnavailable, err)
	}
	defer stop() //nolint:errcheck // nothing is heard any more, whatever it says
	s.asked.Store(q)
	defer s.asked.Store(nil)
	for range exchangeTries {
		hash, err := s.config.Store.Hash(ctx)
		if err != nil {
			return fmt.Errorf("%w: %w", resolver.ErrUnavailable, err)
		}
		if err := s.config.Bus.Publish(ctx, resolver.Msg{Subject: subjectPack, Reply: q.inbox, Data: hash[:]}); err != nil {
			return fmt.Errorf("%w: %w", resolver.ErrUnavailable, err)
		}
		if own, err := s.receivePack(ctx, q, got); !own {
			return err
		}
	}
	return nil // there is nobody else
}

// receivePack takes what comes until its end, which is an empty message. own says that this node was asked.
func (s *Service) receivePack(ctx context.Context, q *question, got *Exchanged) (own bool, err error) {
	for {
		if err := s.hearOf(ctx, q); err != nil {
			return false, err
		}
		h := q.take()
		got.Malformed += uint64(h.large) //nolint:gosec // G115: a count
		got.Lost += uint64(h.lost)       //nolint:gosec // G115: a count
		for _, message := range h.messages {
			s.unpack(ctx, message, got)
		}
		switch {
		case ctx.Err() != nil:
			return false, fmt.Errorf("%w: %w", resolver.ErrUnavailable, ctx.Err())
		case h.empty > 0:
			return false, nil
		case h.own:
			return true, nil
		case h.nobody:
			return false, fmt.Errorf("%w: nobody answers", resolver.ErrUnavailable)
		}
	}
}

// hearOf waits for the next message.
func (s *Service) hearOf(ctx context.Context, q *question) error {
	silence := time.NewTimer(s.config.Timeout)
	defer silence.Stop()
	select {
	case <-q.news:
		return nil
	case <-silence.C:
		return fmt.Errorf("%w: the pack has no end", resolver.ErrUnavailable)
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", resolver.ErrUnavailable, ctx.Err())
	}
}

// unpack takes the tokens of one message: lines of a key, a bar and a token. One line that is wrong does not keep others
// out.
func (s *Service) unpack(ctx context.Context, message []byte, got *Exchanged) {
	for line := range bytes.SplitSeq(message, []byte("\n")) {
		if len(line) == 0 {
			continue
		}
		if ctx.Err() != nil {
			return
		}
		key, token, ok := strings.Cut(string(line), "|")
		if !ok || strings.Contains(token, "|") || !claims.IsAccountKey(key) {
			got.Malformed++
			continue
		}
		*s.merge(ctx, key, token, got)++
	}
}

// merge takes one token, and gives the count that it adds to. What is held already costs no signature. The Authorizer
// verifies whatever else comes before anything is saved (B5).
func (s *Service) merge(ctx context.Context, key, token string, got *Exchanged) *uint64 {
	canonical, err := claims.Canonical(token)
	if err != nil {
		return &got.Malformed
	}
	switch held, err := s.config.Store.Resolve(ctx, key); {
	case err == nil && held == canonical:
		return &got.Same
	case err != nil && !resolver.IsNotFound(err):
		return &got.Failed
	}
	if a, err := claims.ParseAccount(canonical); err != nil || a.Key != key {
		return &got.Refused
	}
	_, err = s.config.Authorizer.Apply(auth.By(ctx, subjectPack), canonical, resolver.Merge)
	var why *auth.Error
	switch {
	case err == nil:
		return &got.Changed
	case !errors.As(err, &why):
		return &got.Failed
	}
	switch why.Reason {
	case auth.AccountRollback, auth.AccountRemoved:
		return &got.Older
	case auth.AccountUnavailable, auth.AuthorizerClosed:
		return &got.Failed
	default:
		return &got.Refused
	}
}
