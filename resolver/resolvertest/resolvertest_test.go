package resolvertest_test

import (
	"context"
	"errors"
	"iter"
	"os"
	"os/exec"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/resolver"
	"github.com/natsauth/natsauth/resolver/resolvertest"
)

// faulty is a store that breaks one promise.
type faulty struct {
	*resolver.Memory
	fault string
}

const fault = "NATSAUTH_RESOLVERTEST_FAULT"

var faults = []string{
	"gives another's token", "finds strangers", "takes not found for an outage", "tells no outage", "waits for nobody",
	"takes older tokens", "takes no override", "takes anything", "says changed", "tells the token", "keeps the spelling",
	"deletes nothing", "deletes with an error", "lists in no order", "lists as it goes", "hashes nothing", "forgets marks",
	"gives tokens in no order", "gives tokens of others", "gives some tokens", "ends tokens without an error",
}

func (s *faulty) Resolve(ctx context.Context, account string) (string, error) {
	token, err := s.Memory.Resolve(ctx, account)
	switch {
	case s.fault == "gives another's token" && err == nil:
		for key := range s.Memory.Accounts(ctx) {
			return s.Memory.Resolve(ctx, key)
		}
	case s.fault == "finds strangers" && errors.Is(err, resolver.ErrNotFound):
		return "x", nil
	case s.fault == "takes not found for an outage" && errors.Is(err, resolver.ErrNotFound):
		return "", resolver.ErrUnavailable
	case s.fault == "tells no outage" && errors.Is(err, resolver.ErrUnavailable):
		return "", resolver.ErrNotFound
	case s.fault == "waits for nobody":
		return s.Memory.Resolve(context.WithoutCancel(ctx), account)
	case s.fault == "keeps the spelling" && err == nil:
		return resolvertest.Respelt(token), nil
	}
	return token, err
}

func (s *faulty) Save(ctx context.Context, token string, m resolver.Mode) (bool, error) {
	switch s.fault {
	case "takes older tokens":
		m = resolver.Override
	case "takes no override":
		if m == resolver.Override {
			m = resolver.Push
		}
	}
	changed, err := s.Memory.Save(ctx, token, m)
	switch {
	case s.fault == "takes anything" && errors.Is(err, resolver.ErrToken):
		return false, nil
	case s.fault == "tells the token" && errors.Is(err, resolver.ErrToken):
		return false, errors.Join(err, errors.New(token))
	case s.fault == "says changed" && err == nil:
		return true, nil
	}
	return changed, err
}

func (s *faulty) Delete(ctx context.Context, account string) error {
	switch s.fault {
	case "deletes nothing":
		return nil
	case "deletes with an error":
		if _, err := s.Memory.Resolve(ctx, account); err != nil {
			return err
		}
	case "forgets marks":
		defer func() {
			next := new(resolver.Memory)
			for key := range s.Memory.Accounts(ctx) {
				token, _ := s.Memory.Resolve(ctx, key)
				next.Save(ctx, token, resolver.Override)
			}
			s.Memory = next
		}()
	}
	return s.Memory.Delete(ctx, account)
}

func (s *faulty) Accounts(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		var keys []string
		for key, err := range s.Memory.Accounts(ctx) {
			if err != nil {
				yield("", err)
				return
			}
			if s.fault != "lists in no order" && s.fault != "lists as it goes" {
				if !yield(key, nil) {
					return
				}
				continue
			}
			keys = append(keys, key)
		}
		slices.Reverse(keys)
		if s.fault == "lists as it goes" {
			slices.Reverse(keys)
		}
		for i, key := range keys {
			_, err := s.Memory.Resolve(ctx, key)
			if i > 0 && err == nil && s.fault == "lists as it goes" {
				for now := range s.Memory.Accounts(ctx) {
					key = now // what is first at this moment
					break
				}
			}
			if !yield(key, nil) {
				return
			}
		}
	}
}

func (s *faulty) Tokens(ctx context.Context) iter.Seq2[resolver.Held, error] {
	return func(yield func(resolver.Held, error) bool) {
		var all []resolver.Held
		for held, err := range resolver.ListerOf(struct{ resolver.Store }{s}).Tokens(ctx) {
			switch {
			case err != nil && s.fault != "ends tokens without an error":
				yield(resolver.Held{}, err)
			case err != nil:
			case s.fault == "gives tokens in no order" || s.fault == "gives tokens of others" || s.fault == "gives some tokens":
				all = append(all, held)
			case !yield(held, nil):
				return
			}
		}
		switch {
		case s.fault == "gives some tokens" && len(all) > 0:
			all = all[1:]
		case s.fault == "gives tokens of others" && len(all) > 1:
			all[0].Token, all[1].Token = all[1].Token, all[0].Token
		}
		slices.Reverse(all)
		if s.fault != "gives tokens in no order" {
			slices.Reverse(all)
		}
		for _, held := range all {
			if !yield(held, nil) {
				return
			}
		}
	}
}

func (s *faulty) Hash(ctx context.Context) ([32]byte, error) {
	if s.fault == "hashes nothing" {
		return [32]byte{}, nil
	}
	return s.Memory.Hash(ctx)
}

// TestFaulty is run by TestRunFindsFaults, in a process of its own, for it is to fail.
func TestFaulty(t *testing.T) {
	open := func(t *testing.T, tokens ...string) resolver.Resolver {
		m, err := resolver.NewMemory(tokens...)
		require.NoError(t, err)
		return &faulty{m, os.Getenv(fault)}
	}
	resolvertest.Run(t, open)
	resolvertest.Remembers(t, open, func(_ *testing.T, s resolver.Store) resolver.Store { return s })
}

// TestRunFindsFaults: a store that breaks a promise does not pass.
func TestRunFindsFaults(t *testing.T) {
	for _, name := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestFaulty$")
			c.Env = append(os.Environ(), fault+"="+name)
			out, err := c.CombinedOutput()
			var failed *exec.ExitError
			require.ErrorAs(t, err, &failed, "%s", out)
			require.Contains(t, string(out), "--- FAIL: TestFaulty")
		})
	}
}
