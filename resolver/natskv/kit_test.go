package natskv_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/natsauth/natsauth/resolver/natskv"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// start starts a server with JetStream, for the time of the test. The edits change its options.
func start(t testing.TB, edits ...func(*server.Options)) *server.Server {
	t.Helper()
	o := &server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true, JetStream: true, StoreDir: t.TempDir(),
	}
	for _, edit := range edits {
		edit(o)
	}
	s, err := server.NewServer(o)
	require.NoError(t, err)
	s.Start()
	t.Cleanup(func() { stop(s) })
	require.True(t, s.ReadyForConnections(10*time.Second))
	return s
}

func stop(s *server.Server) {
	s.Shutdown()
	s.WaitForShutdown()
}

// connect connects to a server, again and again if need be.
func connect(t testing.TB, s *server.Server, options ...nats.Option) *nats.Conn {
	t.Helper()
	options = append([]nats.Option{nats.MaxReconnects(-1), nats.ReconnectWait(20 * time.Millisecond)}, options...)
	nc, err := nats.Connect(s.ClientURL(), options...)
	require.NoError(t, err)
	t.Cleanup(func() { closed(t, nc) })
	return nc
}

// closed closes a connection and waits for its goroutines.
func closed(t testing.TB, nc *nats.Conn) {
	t.Helper()
	nc.Close()
	require.Eventually(t, nc.IsClosed, 10*time.Second, time.Millisecond)
}

func streams(t testing.TB, nc *nats.Conn) jetstream.JetStream {
	t.Helper()
	js, err := jetstream.New(nc)
	require.NoError(t, err)
	return js
}

var buckets atomic.Int64

// open gives a store on a new bucket; the edits change its options.
func open(t testing.TB, js jetstream.JetStream, edits ...func(*natskv.Options)) *natskv.Store {
	t.Helper()
	o := natskv.Options{Bucket: fmt.Sprintf("accounts-%d", buckets.Add(1)), Replicas: 1, Poll: 50 * time.Millisecond}
	for _, edit := range edits {
		edit(&o)
	}
	s, err := natskv.New(js, o)
	require.NoError(t, err)
	return s
}

// in has a store use a bucket that there may be.
func in(bucket string) func(*natskv.Options) {
	return func(o *natskv.Options) { o.Bucket = bucket }
}

// eventually waits for something that has to happen, whenever.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	require.Eventually(t, is, 30*time.Second, 5*time.Millisecond, what)
}

// secret says that nothing of a token is in a text.
func secret(t testing.TB, text string, tokens ...string) {
	t.Helper()
	for _, token := range tokens {
		require.False(t, strings.Contains(text, token[len(token)-40:]), "a token is told")
	}
}

// hooks are what happens in place of what is asked of a bucket; nil: that. Of watch only the first watch is another.
type hooks struct {
	watch func(jetstream.KeyWatcher) (jetstream.KeyWatcher, error)
	get   func(get func() (jetstream.KeyValueEntry, error)) (jetstream.KeyValueEntry, error)
	write func(write func() (uint64, error)) (uint64, error)
	ask   func() // before the bucket is asked what it has
}

type hookedStreams struct {
	jetstream.JetStream
	hooks hooks
}

type hookedBucket struct {
	jetstream.KeyValue
	hooks hooks
}

// hooked is a JetStream whose buckets have hooks.
func hooked(js jetstream.JetStream, h hooks) jetstream.JetStream { return hookedStreams{js, h} }

func (s hookedStreams) KeyValue(ctx context.Context, bucket string) (jetstream.KeyValue, error) {
	b, err := s.JetStream.KeyValue(ctx, bucket)
	if err != nil {
		return nil, err
	}
	return &hookedBucket{b, s.hooks}, nil
}

func (s hookedStreams) Stream(ctx context.Context, name string) (jetstream.Stream, error) {
	if s.hooks.ask != nil {
		s.hooks.ask()
	}
	return s.JetStream.Stream(ctx, name)
}

func (b *hookedBucket) WatchAll(ctx context.Context, o ...jetstream.WatchOpt) (jetstream.KeyWatcher, error) {
	w, err := b.KeyValue.WatchAll(ctx, o...)
	if err != nil || b.hooks.watch == nil {
		return w, err
	}
	first := b.hooks.watch
	b.hooks.watch = nil
	return first(w)
}

func (b *hookedBucket) Get(ctx context.Context, key string) (jetstream.KeyValueEntry, error) {
	get := func() (jetstream.KeyValueEntry, error) { return b.KeyValue.Get(ctx, key) }
	if b.hooks.get == nil {
		return get()
	}
	return b.hooks.get(get)
}

func (b *hookedBucket) written(write func() (uint64, error)) (uint64, error) {
	if b.hooks.write == nil {
		return write()
	}
	return b.hooks.write(write)
}

func (b *hookedBucket) Create(ctx context.Context, key string, value []byte, o ...jetstream.KVCreateOpt) (uint64, error) {
	return b.written(func() (uint64, error) { return b.KeyValue.Create(ctx, key, value, o...) })
}

func (b *hookedBucket) Update(ctx context.Context, key string, value []byte, revision uint64) (uint64, error) {
	return b.written(func() (uint64, error) { return b.KeyValue.Update(ctx, key, value, revision) })
}
