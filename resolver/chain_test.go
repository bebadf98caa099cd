package resolver_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/resolver"
	"github.com/natsauth/natsauth/resolver/resolvertest"
)

// says is a resolver with one answer.
func says(token string, err error) resolver.Resolver {
	return resolver.Func(func(context.Context, string) (string, error) { return token, err })
}

func TestChain(t *testing.T) {
	errDial, errDisk := errors.New("no route to host"), errors.New("disk gone")
	down, odd := says("", fmt.Errorf("%w: %w", resolver.ErrUnavailable, errDial)), says("", errDial)
	missing, found, second := says("", resolver.ErrNotFound), says("token", nil), says("second", nil)
	wrapped := says("", fmt.Errorf("store: %w", resolver.ErrNotFound))
	both := says("", fmt.Errorf("%w: %w", resolver.ErrUnavailable, resolver.ErrNotFound))
	unavailable := []error{resolver.ErrUnavailable}
	cause := []error{resolver.ErrUnavailable, errDial}

	for _, row := range []struct {
		name  string
		chain []resolver.Resolver
		want  string
		errs  []error
	}{
		{"empty", nil, "", []error{resolver.ErrNotFound}},
		{"found", []resolver.Resolver{found}, "token", nil},
		{"found by both, the first is asked", []resolver.Resolver{found, second}, "token", nil},
		{"not found", []resolver.Resolver{missing}, "", []error{resolver.ErrNotFound}},
		{"not found by any", []resolver.Resolver{missing, wrapped, missing}, "", []error{resolver.ErrNotFound}},
		{"found by the last", []resolver.Resolver{missing, wrapped, second}, "second", nil},
		{"found behind an outage", []resolver.Resolver{down, found}, "token", nil},
		{"outage", []resolver.Resolver{down}, "", cause},
		{"outage, then not found", []resolver.Resolver{down, missing}, "", cause},
		{"not found, then outage", []resolver.Resolver{missing, down}, "", cause},
		{"error without a name, then not found", []resolver.Resolver{odd, missing}, "", cause},
		{"two outages", []resolver.Resolver{says("", errDisk), missing, down}, "", append(cause, errDisk)},
		{"two outages, the first says not found too", []resolver.Resolver{both, down, missing}, "", cause},
		{"outage that says not found too", []resolver.Resolver{both, missing}, "", unavailable},
		{"nil member", []resolver.Resolver{nil}, "", unavailable},
		{"nil member, then not found", []resolver.Resolver{nil, missing}, "", unavailable},
		{"nil member, then found", []resolver.Resolver{nil, found}, "token", nil},
		{"nil Func", []resolver.Resolver{resolver.Func(nil), missing}, "", unavailable},
		{"nil Memory", []resolver.Resolver{(*resolver.Memory)(nil), missing}, "", unavailable},
		{"chain of chains, outage inside", []resolver.Resolver{resolver.Chain(missing, down), missing}, "", cause},
		{"chain of chains, not found", []resolver.Resolver{resolver.Chain(missing), resolver.Chain()}, "", []error{resolver.ErrNotFound}},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, err := resolver.Chain(row.chain...).Resolve(t.Context(), resolvertest.Account(t, 1))
			require.Equal(t, row.want, got)
			if row.errs == nil {
				require.NoError(t, err)
				return
			}
			for _, want := range row.errs {
				require.ErrorIs(t, err, want)
			}
			outage := errors.Is(row.errs[0], resolver.ErrUnavailable)
			require.Equal(t, outage, errors.Is(err, resolver.ErrUnavailable))
			require.Equal(t, !outage, errors.Is(err, resolver.ErrNotFound))
		})
	}
}

func TestChainPassesTheQuestionOn(t *testing.T) {
	type label struct{}
	ctx := context.WithValue(t.Context(), label{}, "mine")
	c := resolver.Chain(resolver.Func(func(ctx context.Context, key string) (string, error) {
		return fmt.Sprint(ctx.Value(label{}), " ", key), nil
	}))
	got, err := c.Resolve(ctx, "A")
	require.NoError(t, err)
	require.Equal(t, "mine A", got)
}

func TestChainKeepsItsOwnList(t *testing.T) {
	list := []resolver.Resolver{says("mine", nil)}
	c := resolver.Chain(list...)
	list[0] = says("yours", nil)
	got, err := c.Resolve(t.Context(), "A")
	require.NoError(t, err)
	require.Equal(t, "mine", got)
}

func TestChainStopsWhenTheContextEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var asked []int
	member := func(n int, do func()) resolver.Resolver {
		return resolver.Func(func(context.Context, string) (string, error) {
			asked = append(asked, n)
			do()
			return "", resolver.ErrNotFound
		})
	}
	c := resolver.Chain(member(0, func() {}), member(1, cancel), member(2, func() {}))
	for _, want := range [][]int{{0, 1}, nil} { // ended on the way, ended before
		asked = nil
		got, err := c.Resolve(ctx, "A")
		require.Empty(t, got)
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, err, resolver.ErrUnavailable)
		require.NotErrorIs(t, err, resolver.ErrNotFound)
		require.Equal(t, want, asked)
	}
}

// TestChainSharesTheTime: of the time that there is, a member that does not answer leaves its share to each of those after
// it. Without an end all wait as long as they like.
func TestChainSharesTheTime(t *testing.T) {
	began := func(at *time.Duration) resolver.Resolver { // takes all its time
		return resolver.Func(func(ctx context.Context, _ string) (string, error) {
			deadline, ok := ctx.Deadline()
			if !ok {
				*at = -1
				return "", resolver.ErrNotFound
			}
			*at = time.Until(deadline)
			<-ctx.Done()
			return "", fmt.Errorf("%w: %w", resolver.ErrUnavailable, ctx.Err())
		})
	}
	for _, row := range []struct {
		name string
		time time.Duration // 0: without end
		want [3]time.Duration
		err  error
	}{
		{"six seconds", 6 * time.Second, [3]time.Duration{2 * time.Second, 2 * time.Second, 2 * time.Second}, resolver.ErrUnavailable},
		{"without end", 0, [3]time.Duration{-1, -1, -1}, resolver.ErrNotFound},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := t.Context(), context.CancelFunc(func() {})
				if row.time != 0 {
					ctx, cancel = context.WithTimeout(ctx, row.time)
				}
				defer cancel()
				var got [3]time.Duration
				_, err := resolver.Chain(memory(t), began(&got[0]), began(&got[1]), began(&got[2])).Resolve(ctx, "A")
				require.ErrorIs(t, err, row.err)
				require.Equal(t, row.want, got)
			})
		})
	}
}

func TestFunc(t *testing.T) {
	got, err := says("token", nil).Resolve(t.Context(), "A")
	require.NoError(t, err)
	require.Equal(t, "token", got)

	got, err = resolver.Func(nil).Resolve(t.Context(), "A")
	require.ErrorIs(t, err, resolver.ErrUnavailable)
	require.Empty(t, got)
}

func TestErrorsAreDistinct(t *testing.T) {
	all := []error{
		resolver.ErrNotFound, resolver.ErrUnavailable, resolver.ErrRollback, resolver.ErrFull, resolver.ErrToken,
	}
	for i, a := range all {
		for j, b := range all {
			require.Equal(t, i == j, errors.Is(a, b), "%v and %v", a, b)
		}
	}
	require.EqualError(t, resolver.ErrNotFound, "resolver: account not found")
}
