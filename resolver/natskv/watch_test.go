package natskv_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/resolver"
	"github.com/natsauth/natsauth/resolver/natskv"
	"github.com/natsauth/natsauth/resolver/resolvertest"
)

// hints are what a Watch has told.
type hints struct {
	mu    sync.Mutex
	keys  []string
	ended chan error
	stop  context.CancelFunc
}

func watch(t *testing.T, w resolver.Watcher) *hints {
	ctx, cancel := context.WithCancel(t.Context())
	h := &hints{ended: make(chan error, 1), stop: cancel}
	go func() {
		h.ended <- w.Watch(ctx, func(key string) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.keys = append(h.keys, key)
		})
		close(h.ended)
	}()
	t.Cleanup(func() {
		cancel()
		<-h.ended
	})
	return h
}

// told waits until a key was told, and forgets what was told up to it.
func (h *hints) told(t *testing.T, key string) {
	t.Helper()
	eventually(t, "a hint about "+key, func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		i := slices.Index(h.keys, key)
		h.keys = h.keys[i+1:]
		return i >= 0
	})
}

// begun waits until a watch knows what there is, and forgets what was told so far.
func (h *hints) begun(t *testing.T, s *natskv.Store, revision uint64) {
	t.Helper()
	h.told(t, "")
	eventually(t, "it has read everything", func() bool { return !s.Stats().Current.IsZero() && s.Stats().Revision == revision })
	h.told(t, "")
	h.mu.Lock()
	defer h.mu.Unlock()
	h.keys = nil
}

// The store keeps the promises of every watcher.
func TestWatcher(t *testing.T) {
	js := streams(t, connect(t, start(t)))
	resolvertest.RunWatcher(t, func(t *testing.T) (resolver.Watcher, func(string)) {
		var bucket string
		s := open(t, js, func(o *natskv.Options) { bucket = o.Bucket })
		other := open(t, js, in(bucket))
		return s, func(token string) {
			_, err := other.Save(t.Context(), token, resolver.Push)
			require.NoError(t, err)
		}
	})
}

// Whoever has changed an account, all who watch are told.
func TestWatch(t *testing.T) {
	server := start(t)
	one, two := open(t, streams(t, connect(t, server)), in("watch")), open(t, streams(t, connect(t, server)), in("watch"))
	_, err := one.Save(t.Context(), resolvertest.Token(t, 1, 100), resolver.Push)
	require.NoError(t, err)
	first, second := watch(t, one), watch(t, two)
	first.begun(t, one, 1)
	second.begun(t, two, 1)
	third := watch(t, two) // of a store that knows everything
	third.told(t, "")
	all := []*hints{first, second, third}
	_, err = one.Save(t.Context(), resolvertest.Token(t, 2, 100), resolver.Push)
	require.NoError(t, err)
	for _, h := range all {
		h.told(t, resolvertest.Account(t, 2))
	}
	require.NoError(t, two.Delete(t.Context(), resolvertest.Account(t, 2)))
	for _, h := range all {
		h.told(t, resolvertest.Account(t, 2))
	}
	eventually(t, "both know all", func() bool { return one.Stats().Revision == 3 && two.Stats().Revision == 3 })
	require.Equal(t, 1, two.Stats().Accounts)
	current := two.Stats().Current
	eventually(t, "the age is renewed", func() bool { return two.Stats().Current.After(current) })
	first.stop()
	err = <-first.ended
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, err, resolver.ErrUnavailable)
	require.Zero(t, one.Stats().Resumed)
}

// What was known of another bucket is forgotten, and whoever watches looks at all.
func TestWatchAnotherBucket(t *testing.T) {
	js := streams(t, connect(t, start(t)))
	s := open(t, js, in("bucket"))
	_, err := s.Save(t.Context(), resolvertest.Token(t, 1, 100), resolver.Push)
	require.NoError(t, err)
	h := watch(t, s)
	h.begun(t, s, 1)
	require.NoError(t, js.DeleteKeyValue(t.Context(), "bucket"))
	_, err = s.Resolve(t.Context(), resolvertest.Account(t, 1))
	require.ErrorIs(t, err, resolver.ErrUnavailable, "it is not made again: nothing is known of its accounts")
	again(t, js, "bucket")
	h.told(t, "")
	eventually(t, "it knows the other one", func() bool { return s.Stats().Revision == 0 })
	_, err = s.Save(t.Context(), resolvertest.Token(t, 2, 100), resolver.Push)
	require.NoError(t, err)
	h.told(t, resolvertest.Account(t, 2))
	resolvertest.Holds(t, s, resolvertest.Token(t, 2, 100))
}

// silent is a watch that tells nothing.
type silent struct {
	jetstream.KeyWatcher
	updates chan jetstream.KeyValueEntry
}

func (s silent) Updates() <-chan jetstream.KeyValueEntry { return s.updates }
func (s silent) Stop() error {
	close(s.updates)
	return s.KeyWatcher.Stop()
}

// replaying is a watch that tells everything, and then from the beginning again.
type replaying struct {
	jetstream.KeyWatcher
	updates chan jetstream.KeyValueEntry
}

func (r replaying) Updates() <-chan jetstream.KeyValueEntry { return r.updates }

// A watch that is silent, one that ends and one that cannot be begun are begun anew, and nothing is missed.
func TestWatchResumes(t *testing.T) {
	for name, first := range map[string]func(jetstream.KeyWatcher) (jetstream.KeyWatcher, error){
		"silent": func(w jetstream.KeyWatcher) (jetstream.KeyWatcher, error) {
			return silent{w, make(chan jetstream.KeyValueEntry)}, nil
		},
		"ended": func(w jetstream.KeyWatcher) (jetstream.KeyWatcher, error) { return w, w.Stop() },
		"refused": func(w jetstream.KeyWatcher) (jetstream.KeyWatcher, error) {
			return nil, errors.Join(nats.ErrTimeout, w.Stop())
		},
	} {
		t.Run(name, func(t *testing.T) {
			js := streams(t, connect(t, start(t)))
			s := open(t, hooked(js, hooks{watch: first}), in("resumes"))
			h := watch(t, s)
			h.begun(t, s, 0)
			other := open(t, js, in("resumes"))
			_, err := other.Save(t.Context(), resolvertest.Token(t, 1, 100), resolver.Push)
			require.NoError(t, err)
			h.told(t, resolvertest.Account(t, 1))
			require.Equal(t, int64(1), s.Stats().Resumed)
			require.NoError(t, other.Delete(t.Context(), resolvertest.Account(t, 1)))
			h.told(t, resolvertest.Account(t, 1))
		})
	}
}

// What a watch tells of the past is no news, and undoes nothing.
func TestWatchReplays(t *testing.T) {
	js := streams(t, connect(t, start(t)))
	kv, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "replays", History: 5})
	require.NoError(t, err)
	for iat := range int64(4) {
		_, err := kv.PutString(t.Context(), resolvertest.Account(t, 1), resolvertest.Token(t, 1, 100+iat))
		require.NoError(t, err)
	}
	feed := make(chan jetstream.KeyValueEntry)
	told := make(chan struct{})
	s := open(t, hooked(js, hooks{watch: func(w jetstream.KeyWatcher) (jetstream.KeyWatcher, error) {
		go func() {
			var past []jetstream.KeyValueEntry
			for e := range w.Updates() {
				if e == nil {
					break
				}
				feed <- e
				past = append(past, e)
			}
			for _, e := range past {
				feed <- e
			}
			close(told)
			for e := range w.Updates() {
				feed <- e
			}
			close(feed)
		}()
		return replaying{w, feed}, nil
	}}), in("replays"))
	watch(t, s)
	<-told
	require.Equal(t, uint64(4), s.Stats().Revision)
	resolvertest.Holds(t, s, resolvertest.Token(t, 1, 103))
}

// A bucket that comes later is followed from then on; a connection that is closed ends the watch.
func TestWatchNoBucket(t *testing.T) {
	nc := connect(t, start(t))
	js := streams(t, nc)
	s := open(t, js, in("late"), func(o *natskv.Options) { o.Replicas = 0 })
	h := watch(t, s)
	eventually(t, "it has tried", func() bool { return s.Stats().Resumed > 0 })
	require.Zero(t, s.Stats().Current)
	other := open(t, js, in("late"))
	_, err := other.Save(t.Context(), resolvertest.Token(t, 1, 100), resolver.Push)
	require.NoError(t, err)
	h.begun(t, s, 1)
	_, err = other.Save(t.Context(), resolvertest.Token(t, 2, 100), resolver.Push)
	require.NoError(t, err)
	h.told(t, resolvertest.Account(t, 2))
	closed(t, nc)
	select {
	case err := <-h.ended:
		require.ErrorIs(t, err, nats.ErrConnectionClosed)
		require.ErrorIs(t, err, resolver.ErrUnavailable)
	case <-time.After(30 * time.Second):
		t.Fatal("the watch goes on")
	}
}

// The tokens by which a broker begins are those of the bucket as soon as that has any, and never take the place of a later
// decision (F017).
func TestBootstrap(t *testing.T) {
	js := streams(t, connect(t, start(t)))
	before, token, after := resolvertest.Token(t, 1, 99), resolvertest.Token(t, 1, 100), resolvertest.Token(t, 1, 101)
	for name, row := range map[string]struct {
		has, want string
		deleted   bool
	}{
		"nothing":       {"", token, false},
		"an older one":  {before, token, false},
		"a newer one":   {after, after, false},
		"it is deleted": {token, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			var bucket string
			other := open(t, js, func(o *natskv.Options) { bucket = o.Bucket })
			s := open(t, js, in(bucket), func(o *natskv.Options) { o.Bootstrap, o.Replicas = []string{token, before}, 0 })
			got, err := s.Resolve(t.Context(), resolvertest.Account(t, 1))
			require.NoError(t, err)
			require.Equal(t, token, got, "there is no bucket yet")
			if row.has != "" {
				_, err := other.Save(t.Context(), row.has, resolver.Push)
				require.NoError(t, err)
			}
			if row.deleted {
				require.NoError(t, other.Delete(t.Context(), resolvertest.Account(t, 1)))
			}
			_, err = other.Hash(t.Context()) // which makes the bucket
			require.NoError(t, err)
			watch(t, s)
			eventually(t, "it was reached", func() bool { return !s.Stats().Current.IsZero() })
			if row.want == "" {
				_, err := s.Resolve(t.Context(), resolvertest.Account(t, 1))
				require.True(t, resolver.IsNotFound(err))
				resolvertest.Holds(t, other)
				return
			}
			eventually(t, "it is saved", func() bool {
				got, err := other.Resolve(t.Context(), resolvertest.Account(t, 1))
				return err == nil && got == row.want
			})
			resolvertest.Holds(t, s, row.want)
		})
	}
}
