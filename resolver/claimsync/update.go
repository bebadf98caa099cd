package claimsync

import (
	"context"
	"errors"

	"github.com/natsauth/natsauth/claims"
	"github.com/natsauth/natsauth/resolver"
)

// words are what answers to an update say. Tools show them to people.
type words struct{ updated, skipped, empty, invalid, refused string }

// words are those of nats-server v2.15 server/accounts.go DirAccResolver.Start and CacheDirAccResolver.Start, and
// server/events.go accountClaimUpdate.
func (s *Service) words() words {
	const refused, refusedCache = "jwt update resulted in error", "jwt update cache resulted in error"
	switch {
	case s.config.Cache:
		return words{"jwt updated cache", "jwt update cache skipped", refusedCache, "jwt update cache validation failed", refusedCache}
	case s.config.UpdatesOnly:
		return words{"jwt updated", "jwt update skipped", "jwt update error", refused, refused}
	default:
		return words{"jwt updated", "jwt update skipped", refused, "jwt validation failed", refused}
	}
}

var (
	errAnother = errors.New("subject does not match jwt content")
	errEmpty   = errors.New("request body is empty")
)

// update puts the token in force that the request holds; it is of the account in the subject, if there is one there
// (F114). The Authorizer verifies before it saves, and has applied the token when it returns (B5).
func (s *Service) update(ctx context.Context, m resolver.Msg, named string) {
	word, token := s.words(), string(m.Data)
	a, err := claims.ParseAccount(token)
	switch {
	case token == "":
		s.refused(ctx, m, s.unread(token, named, errEmpty), errEmpty)
	case err != nil:
		s.refused(ctx, m, s.unread(token, named, err), err)
	case named != "" && named != a.Key:
		s.refused(ctx, m, named, errAnother)
	case (s.config.Cache || s.config.UpdatesOnly) && !s.inForce(a.Key):
		s.tally.add(func(c *Stats) { c.Skipped++ })
		s.answer(ctx, m.Reply, answer{Data: status{Account: a.Key, Code: codeOK, Message: word.skipped}})
	default:
		s.apply(ctx, m, a.Key, token)
	}
}

func (s *Service) apply(ctx context.Context, m resolver.Msg, account, token string) {
	within, cancel := context.WithTimeout(ctx, s.config.Bounds.RequestTime)
	defer cancel()
	r, err := s.config.Authorizer.Apply(within, token, resolver.Push)
	if err != nil {
		s.refused(ctx, m, account, err)
		return
	}
	s.tally.add(func(c *Stats) { c.Updated++ })
	s.answer(ctx, m.Reply, answer{Data: status{Account: account, Code: codeOK, Message: s.words().updated, Report: &r}})
}

// unread is the account in the answer to a token that is not read, as far as one is known.
func (s *Service) unread(token, named string, err error) string {
	said, _ := claims.Peek(token)
	switch {
	case s.config.UpdatesOnly:
		return named
	case errors.Is(err, claims.ErrInvalid) && claims.IsAccountKey(said.Subject): // all else about the token is in order
		return said.Subject
	case s.config.Cache && named != "":
		return named
	default:
		return "n/a"
	}
}

func (s *Service) inForce(account string) bool {
	_, ok := s.config.Authorizer.InForce(account)
	return ok
}

// refused answers to an update that was not made.
func (s *Service) refused(ctx context.Context, m resolver.Msg, account string, err error) {
	s.tally.add(func(c *Stats) { c.Refused++ })
	word := s.words()
	message := word.refused
	switch {
	case errors.Is(err, errEmpty):
		message = word.empty
	case errors.Is(err, claims.ErrInvalid):
		message = word.invalid
	}
	s.fail(ctx, m.Reply, failure{Account: account}, message, err)
}

// refuseUpdate is for an update that had no room.
func (s *Service) refuseUpdate(ctx context.Context, m resolver.Msg, err error) {
	s.fail(ctx, m.Reply, failure{Account: "n/a"}, s.words().refused, err)
}
