package resolvertest

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/natsauth/natsauth/resolver"
)

// RunWatcher holds a watcher to what resolver.Watcher promises. Open gives one, for the time of the test, and a function
// that changes an account's token as somebody else would, so that the watcher has to tell.
func RunWatcher(t *testing.T, open func(t *testing.T) (w resolver.Watcher, change func(token string))) {
	t.Run("Tells", func(t *testing.T) { tells(t, open) })
	t.Run("Ends", func(t *testing.T) { endsWatching(t, open) })
	t.Run("EndedContext", func(t *testing.T) {
		w, _ := open(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := w.Watch(ctx, func(string) {}); !isOutage(err, context.Canceled) {
			t.Errorf("Watch gave %v", err)
		}
	})
}

// watched is a Watch under way. What it tells comes through keys.
type watched struct {
	keys   chan string
	ended  chan error
	cancel context.CancelFunc
	beside atomic.Int32 // calls at one time
	late   atomic.Bool  // Watch has returned
}

func watch(t *testing.T, w resolver.Watcher) *watched {
	ctx, cancel := context.WithCancel(t.Context())
	x := &watched{keys: make(chan string, 1024), ended: make(chan error, 1), cancel: cancel}
	go func() {
		err := w.Watch(ctx, func(key string) {
			if x.beside.Add(1) != 1 || x.late.Load() {
				t.Error("changed was called beside another call, or after Watch had returned")
			}
			select {
			case x.keys <- key:
			case <-ctx.Done():
			}
			time.Sleep(time.Millisecond) // so that another one would be met
			x.beside.Add(-1)
		})
		x.late.Store(true)
		x.ended <- err
	}()
	t.Cleanup(func() {
		cancel()
		if !x.late.Load() {
			<-x.ended //nolint:errcheck // whoever asks for it looks at it
		}
	})
	return x
}

// hears waits for a hint that is about an account.
func (x *watched) hears(t *testing.T, account string) {
	t.Helper()
	for end := time.After(patience); ; {
		select {
		case key := <-x.keys:
			if key == account || key == "" {
				return
			}
		case err := <-x.ended:
			t.Fatalf("Watch gave %v", err)
		case <-end:
			t.Fatalf("nothing was told of %s", account)
		}
	}
}

// drain forgets what was told so far.
func (x *watched) drain() {
	for {
		select {
		case <-x.keys:
		case <-time.After(20 * time.Millisecond): // what came of the beginning has come, or is a hint too many
			return
		}
	}
}

func tells(t *testing.T, open func(t *testing.T) (resolver.Watcher, func(string))) {
	w, change := open(t)
	change(Token(t, 1, 100))
	x, y := watch(t, w), watch(t, w) // whatever it missed, it says so at first
	x.hears(t, Account(t, 1))
	y.hears(t, Account(t, 1))
	for iat := range int64(3) {
		x.drain()
		y.drain()
		change(Token(t, 1, 101+iat))
		change(Token(t, 2, 101+iat))
		for _, each := range []*watched{x, y} {
			each.hears(t, Account(t, 1))
		}
	}
}

func endsWatching(t *testing.T, open func(t *testing.T) (resolver.Watcher, func(string))) {
	w, change := open(t)
	for range 2 { // it may be asked again
		x := watch(t, w)
		x.hears(t, "")
		x.cancel()
		if err := <-x.ended; !isOutage(err, context.Canceled) || errors.Is(err, resolver.ErrNoChanges) {
			t.Fatalf("Watch gave %v", err)
		}
		change(Token(t, 1, 100))
	}
}
