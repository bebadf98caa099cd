package natskv_test

import (
	"context"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/resolver"
	"github.com/natsauth/natsauth/resolver/natskv"
	"github.com/natsauth/natsauth/resolver/resolvertest"
)

// A server comes back without its last writes, and has had as many since: the revisions are the same, what they say is not.
func TestBucketThatWentBack(t *testing.T) {
	dir, past := t.TempDir(), t.TempDir()
	first := start(t, func(o *server.Options) { o.StoreDir = dir })
	port := first.Addr().(*net.TCPAddr).Port
	at := func(dir string) func(*server.Options) {
		return func(o *server.Options) { o.StoreDir, o.Port = dir, port }
	}
	nc, other := connect(t, first), connect(t, first)
	connected := func() {
		eventually(t, "both are connected", func() bool { return nc.IsConnected() && other.IsConnected() })
	}
	writer := open(t, streams(t, other), in("back"))
	save := func(n int, iat int64) {
		_, err := writer.Save(t.Context(), resolvertest.Token(t, n, iat), resolver.Push)
		require.NoError(t, err)
	}
	save(1, 100)
	save(2, 100)
	stop(first)
	require.NoError(t, os.CopyFS(past, os.DirFS(dir)))
	second := start(t, at(dir))
	connected()
	save(3, 100)
	save(1, 150)
	s := open(t, streams(t, nc), in("back"), func(o *natskv.Options) { o.Poll = time.Second })
	h := watch(t, s)
	h.begun(t, s, 4)
	stop(second)
	start(t, at(past))
	connected()
	kv, err := streams(t, other).KeyValue(t.Context(), "back") // of a broker that has just begun
	require.NoError(t, err)
	for _, n := range []int{2, 3, 4} { // revisions 3, 4 and 5
		_, err := kv.PutString(t.Context(), resolvertest.Account(t, n), resolvertest.Token(t, n, 200))
		require.NoError(t, err)
	}
	h.told(t, "")
	want := []string{resolvertest.Token(t, 1, 100)}
	for _, n := range []int{2, 3, 4} {
		want = append(want, resolvertest.Token(t, n, 200))
	}
	resolvertest.Holds(t, s, want...)
}

// A broker may read the bucket and not write: what it began with is not saved, and it hears of changes all the same.
func TestBootstrapThatIsNotSaved(t *testing.T) {
	reads := &server.Permissions{Publish: &server.SubjectPermission{Allow: []string{"$JS.API.>"}}}
	s := start(t, func(o *server.Options) {
		o.Users = []*server.User{{Username: "writer", Password: "w"}, {Username: "reader", Password: "r", Permissions: reads}}
	})
	writer := open(t, streams(t, connect(t, s, nats.UserInfo("writer", "w"))), in("read"))
	_, err := writer.Save(t.Context(), resolvertest.Token(t, 1, 100), resolver.Push)
	require.NoError(t, err)
	refused := make(chan error, 16)
	reading := connect(t, s, nats.UserInfo("reader", "r"), nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
		select {
		case refused <- err:
		default:
		}
	}))
	reader := open(t, streams(t, reading), in("read"), func(o *natskv.Options) { o.Bootstrap = []string{resolvertest.Token(t, 2, 100)} })
	h := watch(t, reader)
	h.begun(t, reader, 1)
	require.ErrorIs(t, <-refused, nats.ErrPermissionViolation)
	_, err = writer.Save(t.Context(), resolvertest.Token(t, 1, 101), resolver.Push)
	require.NoError(t, err)
	h.told(t, resolvertest.Account(t, 1))
	got, err := reader.Resolve(t.Context(), resolvertest.Account(t, 2))
	require.NoError(t, err)
	require.Equal(t, resolvertest.Token(t, 2, 100), got)
}

// What a broker began with does not come back when the bucket is away that had a later token, or a deletion, of the account.
func TestBootstrapDoesNotComeBack(t *testing.T) {
	for name, deleted := range map[string]bool{"a later token": false, "a deletion": true} {
		t.Run(name, func(t *testing.T) {
			away := start(t)
			nc := connect(t, away)
			s := open(t, streams(t, nc), func(o *natskv.Options) { o.Bootstrap = []string{resolvertest.Token(t, 1, 100)} })
			_, err := s.Save(t.Context(), resolvertest.Token(t, 1, 200), resolver.Push)
			require.NoError(t, err)
			if deleted {
				require.NoError(t, s.Delete(t.Context(), resolvertest.Account(t, 1)))
			}
			stop(away)
			eventually(t, "it is not connected", func() bool { return !nc.IsConnected() })
			_, err = s.Resolve(t.Context(), resolvertest.Account(t, 1))
			require.ErrorIs(t, err, resolver.ErrUnavailable)
			require.False(t, resolver.IsNotFound(err))
		})
	}
}

// Who may write one key takes out no other.
func TestNoRollups(t *testing.T) {
	mine := &server.Permissions{Publish: &server.SubjectPermission{Allow: []string{"$KV.roll.MINE"}}}
	s := start(t, func(o *server.Options) {
		o.Users = []*server.User{{Username: "writer", Password: "w"}, {Username: "other", Password: "o", Permissions: mine}}
	})
	store := open(t, streams(t, connect(t, s, nats.UserInfo("writer", "w"))), in("roll"))
	_, err := store.Save(t.Context(), resolvertest.Token(t, 1, 100), resolver.Push)
	require.NoError(t, err)
	other := connect(t, s, nats.UserInfo("other", "o"))
	for _, what := range []string{jetstream.MsgRollupAll, jetstream.MsgRollupSubject, ""} {
		m := nats.NewMsg("$KV.roll.MINE")
		if what != "" {
			m.Header.Set(jetstream.MsgRollup, what)
		}
		require.NoError(t, other.PublishMsg(m))
	}
	require.NoError(t, other.Flush())
	eventually(t, "the last one is there", func() bool {
		_, err := store.Hash(t.Context())
		return err == nil && store.Stats().Revision == 2
	})
	resolvertest.Holds(t, store, resolvertest.Token(t, 1, 100))
}

// The bucket is asked beside the watch: where its answer is a long time coming, changes are told meanwhile.
func TestWatchWhileTheBucketIsAsked(t *testing.T) {
	js := streams(t, connect(t, start(t)))
	var asked atomic.Int64
	held := make(chan struct{})
	s := open(t, hooked(js, hooks{ask: func() {
		if asked.Add(1) > 3 { // to bind it, and once as the watch begins
			<-held
		}
	}}), in("asked"))
	h := watch(t, s)
	h.begun(t, s, 0)
	eventually(t, "it is being asked", func() bool { return asked.Load() > 3 })
	_, err := open(t, js, in("asked")).Save(t.Context(), resolvertest.Token(t, 1, 100), resolver.Push)
	require.NoError(t, err)
	h.told(t, resolvertest.Account(t, 1))
	close(held)
	eventually(t, "it has answered", func() bool { return s.Stats().Revision == 1 })
	require.Zero(t, s.Stats().Resumed)
}

// Where the newest revision was taken out of the bucket, the watch goes on, and what is taken out after it is told.
func TestWatchWithoutTheNewest(t *testing.T) {
	js := streams(t, connect(t, start(t)))
	s := open(t, js, in("newest"))
	for n := range 3 {
		_, err := s.Save(t.Context(), resolvertest.Token(t, n, 100), resolver.Push)
		require.NoError(t, err)
	}
	h := watch(t, s)
	h.begun(t, s, 3)
	stream, err := js.Stream(t.Context(), "KV_newest")
	require.NoError(t, err)
	for _, n := range []int{2, 1} {
		require.NoError(t, stream.Purge(t.Context(), jetstream.WithPurgeSubject("$KV.newest."+resolvertest.Account(t, n))))
		h.told(t, "")
		eventually(t, "it is seen", func() bool { return s.Stats().Accounts == n })
		current, resumed := s.Stats().Current, s.Stats().Resumed
		eventually(t, "it goes on", func() bool { return s.Stats().Current.After(current.Add(time.Second)) })
		require.LessOrEqual(t, s.Stats().Resumed, resumed+1)
	}
	resolvertest.Holds(t, s, resolvertest.Token(t, 0, 100))
}

// An answer that was on its way while everything was forgotten is not held to what is not known any more: it is asked again.
func TestAnswerFromBefore(t *testing.T) {
	js := streams(t, connect(t, start(t)))
	kv, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "before"})
	require.NoError(t, err)
	stream, err := js.Stream(t.Context(), "KV_before")
	require.NoError(t, err)
	var s *natskv.Store
	var past jetstream.KeyValueEntry
	s = open(t, hooked(js, hooks{get: func(get func() (jetstream.KeyValueEntry, error)) (jetstream.KeyValueEntry, error) {
		e := past
		if past = nil; e == nil {
			return get()
		}
		require.NoError(t, stream.Purge(t.Context(), jetstream.WithPurgeSubject("$KV.before."+resolvertest.Account(t, 2))))
		eventually(t, "the watch has seen it", func() bool { return s.Stats().Accounts == 1 && s.Stats().Revision == 3 })
		return e, nil
	}}), in("before"))
	for n := 1; n <= 2; n++ {
		_, err := s.Save(t.Context(), resolvertest.Token(t, n, 100), resolver.Push)
		require.NoError(t, err)
	}
	old, err := kv.Get(t.Context(), resolvertest.Account(t, 1))
	require.NoError(t, err)
	_, err = s.Save(t.Context(), resolvertest.Token(t, 1, 200), resolver.Push)
	require.NoError(t, err)
	watch(t, s).begun(t, s, 3)
	past = old
	got, err := s.Resolve(t.Context(), resolvertest.Account(t, 1))
	require.NoError(t, err)
	require.Equal(t, resolvertest.Token(t, 1, 200), got)
}

// dam lets so many bytes of a server's through, and no more: the connection stays, and nothing comes.
type dam struct {
	net.Listener
	left atomic.Int64
}

func newDam(t *testing.T, to string) *dam {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	d := &dam{Listener: l}
	d.left.Store(1 << 40)
	go func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", to)
			if err != nil {
				near.Close()
				return
			}
			t.Cleanup(func() { near.Close(); far.Close() })
			go d.pass(near, far, false)
			go d.pass(far, near, true)
		}
	}()
	return d
}

func (d *dam) pass(from, to net.Conn, bounded bool) {
	buf := make([]byte, 4096)
	for {
		n, err := from.Read(buf)
		if err != nil {
			to.Close()
			return
		}
		if !bounded || d.left.Add(-int64(n)) >= 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
	}
}

// Nobody waits longer than his context says for a server that has stopped telling.
func TestNobodyWaitsForSilence(t *testing.T) {
	behind := start(t)
	kv, err := streams(t, connect(t, behind)).CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "silent"})
	require.NoError(t, err)
	for n := range 6 {
		_, err := kv.PutString(t.Context(), resolvertest.Account(t, n), strings.Repeat("x", 300_000))
		require.NoError(t, err)
	}
	d := newDam(t, behind.Addr().String())
	nc, err := nats.Connect("nats://" + d.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { closed(t, nc) })
	s := open(t, streams(t, nc), in("silent"))
	_, err = s.Resolve(t.Context(), resolvertest.Account(t, 9)) // it is found
	require.True(t, resolver.IsNotFound(err))
	d.left.Store(800_000)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err = s.Hash(ctx)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorIs(t, err, resolver.ErrUnavailable)
}

// A bus whose connection is lost refuses a subscription at once: who asks a chain of sources comes to the next one.
func TestBusWhileLost(t *testing.T) {
	away := start(t)
	nc := connect(t, away)
	stop(away)
	eventually(t, "it is not connected", func() bool { return !nc.IsConnected() })
	_, err := natskv.NewBus(nc).Subscribe("a", "", func(resolver.Msg) {})
	require.ErrorIs(t, err, nats.ErrDisconnected)
}
