package resolver_test

import (
	"context"
	"errors"
	"iter"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/resolver"
	"github.com/natsauth/natsauth/resolver/resolvertest"
)

// answering is a store of which one account's answer is an error.
type answering struct {
	*resolver.Memory
	account string
	err     error
}

func (a answering) Resolve(ctx context.Context, account string) (string, error) {
	if account == a.account {
		return "", a.err
	}
	return a.Memory.Resolve(ctx, account)
}

// TestListerOf: asking one by one leaves out who is not there any more, and nobody else.
func TestListerOf(t *testing.T) {
	outage := errors.New("no disk")
	for _, row := range []struct {
		name string
		err  error
		gone bool
	}{
		{"not found", resolver.ErrNotFound, true},
		{"an outage", outage, false},
		{"both", errors.Join(resolver.ErrNotFound, resolver.ErrUnavailable), false},
	} {
		t.Run(row.name, func(t *testing.T) {
			m := memory(t, resolvertest.Token(t, 1, 1), resolvertest.Token(t, 2, 1), resolvertest.Token(t, 3, 1)).(*resolver.Memory)
			keys := resolvertest.Accounts(t, m)
			var got []string
			var last error
			for held, err := range resolver.ListerOf(answering{m, keys[1], row.err}).Tokens(t.Context()) {
				if last = err; err == nil {
					got = append(got, held.Account)
				} else {
					require.Zero(t, held)
				}
			}
			if row.gone {
				require.NoError(t, last)
				require.Equal(t, []string{keys[0], keys[2]}, got)
				return
			}
			require.ErrorIs(t, last, row.err)
			require.Equal(t, keys[:1], got)
		})
	}
}

// lister is a store that gives its tokens itself.
type lister struct{ resolver.Store }

func (lister) Tokens(context.Context) iter.Seq2[resolver.Held, error] { return nil }

func TestListerOfALister(t *testing.T) {
	l := lister{new(resolver.Memory)}
	require.Equal(t, l, resolver.ListerOf(l))
	for held, err := range resolver.ListerOf(nil).Tokens(t.Context()) {
		require.Zero(t, held)
		require.ErrorIs(t, err, resolver.ErrUnavailable)
	}
}
