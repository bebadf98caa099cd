package claimsync

import (
	"context"
	"iter"

	"github.com/natsauth/natsauth/claims"
	"github.com/natsauth/natsauth/resolver"
)

// lookup answers with the account's token, and with nothing in the message where there is none. What the store could not
// say is not answered (F115).
func (s *Service) lookup(ctx context.Context, m resolver.Msg, account string) {
	if m.Reply == "" {
		return
	}
	within, cancel := context.WithTimeout(ctx, s.config.Bounds.RequestTime)
	defer cancel()
	token, err := s.config.Store.Resolve(within, account)
	switch {
	case err == nil:
		s.tally.add(func(c *Stats) { c.Found++ })
		s.send(ctx, m.Reply, []byte(token))
	case resolver.IsNotFound(err):
		s.tally.add(func(c *Stats) { c.NotFound++ })
		s.send(ctx, m.Reply, nil)
	default:
		s.unanswered(err)
	}
}

// list answers with the keys of all accounts, or with an error where they have no room in one answer (F117).
func (s *Service) list(ctx context.Context, m resolver.Msg, _ string) {
	if m.Reply == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, s.config.Bounds.PackTime)
	defer cancel()
	keys := []string{} // which is not null
	for t, err := range s.tokens(ctx) {
		if err != nil {
			s.unanswered(err)
			return
		}
		keys = append(keys, t.Account)
	}
	if s.answer(ctx, m.Reply, answer{Data: keys}) {
		s.tally.add(func(c *Stats) { c.Listed++ })
	}
}

// pack sends all tokens, a message each, and an empty one at the end; only that to whoever has the same hash. What the
// store could not say ends it without the end, as silence does (F116).
func (s *Service) pack(ctx context.Context, m resolver.Msg, _ string) {
	if m.Reply == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, s.config.Bounds.PackTime)
	defer cancel()
	ours, err := s.config.Store.Hash(ctx)
	if err != nil {
		s.unanswered(err)
		return
	}
	if string(m.Data) != string(ours[:]) {
		for t, err := range s.tokens(ctx) {
			if err != nil {
				s.unanswered(err)
				return
			}
			if !s.send(ctx, m.Reply, []byte(t.Account+"|"+t.Token)) {
				return
			}
			s.tally.add(func(c *Stats) { c.TokensSent++ })
		}
	}
	s.tally.add(func(c *Stats) { c.Packs++ })
	s.send(ctx, m.Reply, nil)
}

// tokens are all tokens that are not over, up to [Bounds.PackTokens]. What a store leaves out because it is at fault, the
// other nodes have (resolver.Lister).
func (s *Service) tokens(ctx context.Context) iter.Seq2[resolver.Held, error] {
	return func(yield func(resolver.Held, error) bool) {
		left := s.config.Bounds.PackTokens
		for t, err := range s.lister.Tokens(ctx) {
			switch {
			case err != nil:
				yield(resolver.Held{}, err)
				return
			case s.over(t.Token):
				continue
			}
			if left--; left < 0 || !yield(t, nil) {
				return
			}
		}
	}
}

// over says whether a token of the store, which has verified it, has ended. What is no token is over.
func (s *Service) over(token string) bool {
	said, err := claims.Peek(token)
	return err != nil || claims.Window{Expires: said.Expires}.At(s.config.Clock()) == claims.Closed
}
