package resolver_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/resolver"
)

// bound is a resolver that works through the system account, or not.
type bound bool

func (b bound) SystemBound() bool { return bool(b) }

func (b bound) Resolve(context.Context, string) (string, error) { return "", resolver.ErrNotFound }

// TestChainIsSystemBound: as soon as a member is.
func TestChainIsSystemBound(t *testing.T) {
	yes, no, plain := resolver.Resolver(bound(true)), resolver.Resolver(bound(false)), says("", resolver.ErrNotFound)
	for _, row := range []struct {
		name  string
		chain []resolver.Resolver
		want  bool
	}{
		{"empty", nil, false},
		{"members that know nothing of it", []resolver.Resolver{plain, nil, memory(t)}, false},
		{"one that is not", []resolver.Resolver{plain, no}, false},
		{"one that is", []resolver.Resolver{plain, yes}, true},
		{"one that is, before one that is not", []resolver.Resolver{yes, no}, true},
		{"one in a chain", []resolver.Resolver{plain, resolver.Chain(nil, yes)}, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			b, ok := resolver.Chain(row.chain...).(resolver.SystemBound)
			require.True(t, ok)
			require.Equal(t, row.want, b.SystemBound())
		})
	}
}

// forgetter is a resolver that writes down what it is to forget.
type forgetter struct {
	resolver.Resolver
	forgot []string
}

func (f *forgetter) Forget(account string) { f.forgot = append(f.forgot, account) }

// TestChainForgets: every member that can, whichever that is.
func TestChainForgets(t *testing.T) {
	one, two := &forgetter{}, &forgetter{}
	c := resolver.Chain(memory(t), one, nil, resolver.Chain(two))
	resolver.Forget(c, "A")
	resolver.Forget(c, "")
	resolver.Forget(nil, "A")
	resolver.Forget(memory(t), "A")
	require.Equal(t, []string{"A", ""}, one.forgot)
	require.Equal(t, one.forgot, two.forgot)
}

// teller is a watcher that tells what a test gives it, until that is closed; then it returns err.
type teller struct {
	resolver.Resolver
	hints chan string
	err   error
	ended atomic.Bool
}

func newTeller(err error) *teller {
	return &teller{Resolver: says("", resolver.ErrNotFound), hints: make(chan string), err: err}
}

func (w *teller) Watch(ctx context.Context, changed func(string)) error {
	defer w.ended.Store(true)
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case account, ok := <-w.hints:
			if !ok {
				return w.err
			}
			changed(account)
		}
	}
}

// watch watches r in the background; what comes out is what it returns.
func watch(ctx context.Context, t *testing.T, r resolver.Resolver, changed func(string)) <-chan error {
	t.Helper()
	w, ok := r.(resolver.Watcher)
	require.True(t, ok)
	out := make(chan error, 1)
	go func() { out <- w.Watch(ctx, changed) }()
	return out
}

// TestChainWatch: what any member tells is told, also from a chain inside, and members that tell nothing are passed over.
func TestChainWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		one, two, mute := newTeller(nil), newTeller(nil), newTeller(fmt.Errorf("nothing to tell: %w", resolver.ErrNoChanges))
		close(mute.hints)
		var heard []string
		ended := watch(ctx, t, resolver.Chain(memory(t), one, mute, nil, resolver.Chain(memory(t)), resolver.Chain(two)),
			func(account string) { heard = append(heard, account) })
		one.hints <- "A1"
		synctest.Wait()
		two.hints <- ""
		synctest.Wait()
		one.hints <- "A2"
		synctest.Wait()
		require.Equal(t, []string{"A1", "", "A2"}, heard)
		require.Empty(t, ended)
		cancel()
		err := <-ended
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, err, resolver.ErrUnavailable)
		require.NotErrorIs(t, err, resolver.ErrNoChanges)
		require.True(t, one.ended.Load() && two.ended.Load(), "nobody watches any more")
	})
}

// TestChainWatchTellsOneAtATime: members tell at the same time, and the callee is called by one of them.
func TestChainWatchTellsOneAtATime(t *testing.T) {
	const hints = 500
	one, two := newTeller(nil), newTeller(nil)
	var inside, most atomic.Int64
	heard := 0 // by one goroutine at a time
	ended := watch(t.Context(), t, resolver.Chain(one, two), func(string) {
		most.Store(max(most.Load(), inside.Add(1)))
		heard++
		runtime.Gosched()
		inside.Add(-1)
	})
	var telling sync.WaitGroup
	for _, w := range []*teller{one, two} {
		telling.Go(func() {
			for range hints {
				w.hints <- "A"
			}
		})
	}
	telling.Wait()
	close(one.hints)
	require.Error(t, <-ended)
	require.EqualValues(t, 1, most.Load())
	require.Equal(t, 2*hints, heard)
}

// TestChainWatchEnds: when one member can see no more, nor can the chain, and says which it was.
func TestChainWatchEnds(t *testing.T) {
	errLost := errors.New("connection lost")
	for _, row := range []struct {
		name string
		err  error
		want string
	}{
		{"with an error", errLost, "member 1 has given up: connection lost"},
		{"with the system's", syscall.ENOSYS, "member 1 has given up: " + syscall.ENOSYS.Error()},
		{"with one that passes for it", errors.ErrUnsupported, "member 1 has given up: unsupported operation"},
		{"without one", nil, "member 1 has given up: resolver: it sees no more changes"},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				stays, leaves := newTeller(nil), newTeller(row.err)
				ended := watch(t.Context(), t, resolver.Chain(stays, leaves), func(string) {})
				synctest.Wait()
				require.Empty(t, ended)
				close(leaves.hints)
				err := <-ended
				require.EqualError(t, err, row.want)
				require.NotErrorIs(t, err, resolver.ErrNoChanges)
				require.True(t, stays.ended.Load(), "nobody watches any more")
			})
		})
	}
}

// TestChainWatchOfNobody: a chain that has nothing to tell says so at once.
func TestChainWatchOfNobody(t *testing.T) {
	mute := newTeller(resolver.ErrNoChanges)
	close(mute.hints)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, r := range []resolver.Resolver{
		resolver.Chain(), resolver.Chain(nil, memory(t)), resolver.Chain(mute, resolver.Chain(mute)),
	} {
		require.ErrorIs(t, <-watch(t.Context(), t, r, nil), resolver.ErrNoChanges)
		require.ErrorIs(t, <-watch(ended, t, r, nil), context.Canceled)
	}
}
