package natskv_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/resolver"
	"github.com/natsauth/natsauth/resolver/natskv"
	"github.com/natsauth/natsauth/resolver/resolvertest"
)

var (
	_ resolver.Store   = (*natskv.Store)(nil)
	_ resolver.Watcher = (*natskv.Store)(nil)
	_ resolver.Bus     = (*natskv.Bus)(nil)
)

// The store keeps every promise of a store, and the marks of deleted accounts with whoever opens the bucket next (B4).
func TestStore(t *testing.T) {
	js := streams(t, connect(t, start(t)))
	bucket := make(map[resolver.Store]string)
	fill := func(t *testing.T, tokens ...string) resolver.Resolver {
		var name string
		s := open(t, js, func(o *natskv.Options) { name = o.Bucket })
		bucket[s] = name
		for _, token := range tokens {
			_, err := s.Save(t.Context(), token, resolver.Push)
			require.NoError(t, err)
		}
		return s
	}
	resolvertest.Run(t, fill)
	t.Run("Remembers", func(t *testing.T) {
		resolvertest.Remembers(t, fill, func(t *testing.T, s resolver.Store) resolver.Store {
			next := open(t, js, in(bucket[s]))
			bucket[next] = bucket[s]
			return next
		})
	})
}

func TestNewRefuses(t *testing.T) {
	js := streams(t, connect(t, start(t)))
	for name, o := range map[string]natskv.Options{
		"no bucket":           {},
		"bucket with a dot":   {Bucket: "a.b"},
		"bucket with a space": {Bucket: "a b"},
		"negative replicas":   {Bucket: "a", Replicas: -1},
		"negative size":       {Bucket: "a", MaxBytes: -1},
		"negative poll":       {Bucket: "a", Poll: -1},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := natskv.New(js, o)
			require.Error(t, err)
			require.Nil(t, s)
		})
	}
	_, err := natskv.New(nil, natskv.Options{Bucket: "a"})
	require.Error(t, err)
	token := resolvertest.Token(t, 1, 1)
	_, err = natskv.New(js, natskv.Options{Bucket: "a", Bootstrap: []string{token, token + "x"}})
	require.ErrorIs(t, err, resolver.ErrToken)
	require.ErrorContains(t, err, "tokens[1]")
	secret(t, err.Error(), token)
	_, err = natskv.New(js, natskv.Options{Bucket: "a", Bootstrap: []string{token}})
	require.NoError(t, err)
}

func TestZeroStore(t *testing.T) {
	for name, s := range map[string]*natskv.Store{"nil": nil, "zero": {}} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			_, resolving := s.Resolve(ctx, resolvertest.Account(t, 1))
			_, saving := s.Save(ctx, resolvertest.Token(t, 1, 1), resolver.Push)
			_, hashing := s.Hash(ctx)
			errs := []error{resolving, saving, hashing, s.Delete(ctx, resolvertest.Account(t, 1)), s.Watch(ctx, func(string) {})}
			for _, err := range s.Accounts(ctx) {
				errs = append(errs, err)
			}
			require.Len(t, errs, 6)
			for _, err := range errs {
				require.ErrorIs(t, err, resolver.ErrUnavailable)
			}
			require.Zero(t, s.Stats())
		})
	}
}

// A bucket that is not there is an outage, and no store in which nothing is; it may come later.
func TestNoBucket(t *testing.T) {
	js := streams(t, connect(t, start(t)))
	s := open(t, js, in("later"), func(o *natskv.Options) { o.Replicas = 0 })
	unavailable := func() {
		t.Helper()
		_, err := s.Resolve(t.Context(), resolvertest.Account(t, 1))
		require.ErrorIs(t, err, resolver.ErrUnavailable)
		require.False(t, resolver.IsNotFound(err))
		_, err = s.Save(t.Context(), resolvertest.Token(t, 1, 1), resolver.Push)
		require.ErrorIs(t, err, resolver.ErrUnavailable)
		_, err = s.Hash(t.Context())
		require.ErrorIs(t, err, resolver.ErrUnavailable)
	}
	unavailable()
	_, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "later"})
	require.NoError(t, err)
	_, err = s.Resolve(t.Context(), resolvertest.Account(t, 1))
	require.True(t, resolver.IsNotFound(err))
	changed, err := s.Save(t.Context(), resolvertest.Token(t, 1, 1), resolver.Push)
	require.NoError(t, err)
	require.True(t, changed)
	resolvertest.Holds(t, s, resolvertest.Token(t, 1, 1))
}

// A bucket that loses entries by itself is none for tokens (TestThreeNodes has one of which copies answer).
func TestBucketSuits(t *testing.T) {
	js := streams(t, connect(t, start(t)))
	stream := func(name string, edit func(*jetstream.StreamConfig)) string {
		c := jetstream.StreamConfig{
			Name: "KV_" + name, Subjects: []string{"$KV." + name + ".>"}, MaxMsgsPerSubject: 1, AllowDirect: true, AllowRollup: true,
			Discard: jetstream.DiscardNew,
		}
		edit(&c)
		_, err := js.CreateStream(t.Context(), c)
		require.NoError(t, err)
		return name
	}
	for _, row := range []struct {
		bucket string
		err    error
	}{
		{stream("plain", func(*jetstream.StreamConfig) {}), nil},
		{stream("history", func(c *jetstream.StreamConfig) { c.MaxMsgsPerSubject = 5 }), nil},
		{stream("ttl", func(c *jetstream.StreamConfig) { c.MaxAge = time.Hour }), natskv.ErrBucket},
		{stream("old", func(c *jetstream.StreamConfig) { c.Discard = jetstream.DiscardOld }), natskv.ErrBucket},
		{stream("more", func(c *jetstream.StreamConfig) { c.Subjects = append(c.Subjects, "more") }), natskv.ErrBucket},
		{stream("mirror", func(c *jetstream.StreamConfig) {
			c.Subjects, c.Mirror = nil, &jetstream.StreamSource{Name: "KV_plain"}
		}), natskv.ErrBucket},
	} {
		t.Run(row.bucket, func(t *testing.T) {
			_, err := open(t, js, in(row.bucket)).Save(t.Context(), resolvertest.Token(t, 1, 100), resolver.Push)
			require.ErrorIs(t, err, row.err)
			if row.err != nil {
				require.ErrorIs(t, err, resolver.ErrUnavailable)
			}
		})
	}
}

// What is in the bucket and no token of its account is a fault: told by name, in nobody's list and hash, and a push mends it.
func TestFaults(t *testing.T) {
	js := streams(t, connect(t, start(t)))
	one, two := resolvertest.Token(t, 1, 100), resolvertest.Token(t, 2, 100)
	for name, row := range map[string]struct{ key, value string }{
		"no token":             {resolvertest.Account(t, 1), "not a token"},
		"another's token":      {resolvertest.Account(t, 1), two},
		"half a token":         {resolvertest.Account(t, 1), one[:len(one)/2]},
		"nearly a tombstone":   {resolvertest.Account(t, 1), "deleted 100 "},
		"a tombstone of a key": {resolvertest.Account(t, 1), "deleted " + resolvertest.Account(t, 1)},
		"a key of nobody":      {"something", one},
	} {
		t.Run(name, func(t *testing.T) {
			var bucket string
			s := open(t, js, func(o *natskv.Options) { bucket = o.Bucket })
			_, err := s.Save(t.Context(), resolvertest.Token(t, 3, 1), resolver.Push)
			require.NoError(t, err)
			kv, err := js.KeyValue(t.Context(), bucket)
			require.NoError(t, err)
			_, err = kv.Put(t.Context(), row.key, []byte(row.value))
			require.NoError(t, err)

			resolvertest.Holds(t, s, resolvertest.Token(t, 3, 1))
			require.Equal(t, 1, s.Stats().Faults)
			_, err = s.Resolve(t.Context(), row.key)
			if row.key == "something" {
				require.True(t, resolver.IsNotFound(err))
				return
			}
			require.ErrorIs(t, err, natskv.ErrFault)
			require.ErrorIs(t, err, resolver.ErrUnavailable)
			require.False(t, resolver.IsNotFound(err))
			secret(t, err.Error(), one, two)
			_, err = s.Save(t.Context(), one, resolver.Merge)
			require.NoError(t, err)
			resolvertest.Holds(t, s, one, resolvertest.Token(t, 3, 1))
			require.Zero(t, s.Stats().Faults)
		})
	}
}

// A token that somebody has put there in another spelling is held in the one that is hashed.
func TestRespelt(t *testing.T) {
	js := streams(t, connect(t, start(t)))
	s := open(t, js, in("respelt"))
	token := resolvertest.Token(t, 1, 100)
	resolvertest.Holds(t, s)
	kv, err := js.KeyValue(t.Context(), "respelt")
	require.NoError(t, err)
	_, err = kv.PutString(t.Context(), resolvertest.Account(t, 1), resolvertest.Respelt(token))
	require.NoError(t, err)
	resolvertest.Holds(t, s, token)
	changed, err := s.Save(t.Context(), token, resolver.Push)
	require.NoError(t, err)
	require.False(t, changed)
}

// Others may use the bucket with the tools of NATS: delete keys, and purge what that leaves behind.
func TestByHand(t *testing.T) {
	js := streams(t, connect(t, start(t)))
	_, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "hand"}) // ours has no roll-ups, and so no kv.Purge
	require.NoError(t, err)
	s := open(t, js, in("hand"))
	tokens := []string{resolvertest.Token(t, 1, 100), resolvertest.Token(t, 2, 100), resolvertest.Token(t, 3, 100)}
	for _, token := range tokens {
		_, err := s.Save(t.Context(), token, resolver.Push)
		require.NoError(t, err)
	}
	resolvertest.Holds(t, s, tokens...)
	kv, err := js.KeyValue(t.Context(), "hand")
	require.NoError(t, err)
	require.NoError(t, kv.Delete(t.Context(), resolvertest.Account(t, 1)))
	resolvertest.Holds(t, s, tokens[1:]...)
	require.NoError(t, kv.Purge(t.Context(), resolvertest.Account(t, 2)))
	resolvertest.Holds(t, s, tokens[2])
	_, err = s.Resolve(t.Context(), resolvertest.Account(t, 2))
	require.True(t, resolver.IsNotFound(err))
	require.NoError(t, kv.PurgeDeletes(t.Context(), jetstream.DeleteMarkersOlderThan(-1))) // the last revision, too
	resolvertest.Holds(t, s, tokens[2])
	resolvertest.Holds(t, open(t, js, in("hand")), tokens[2])
	_, err = s.Save(t.Context(), tokens[0], resolver.Merge)
	require.NoError(t, err, "who deletes by hand leaves no mark")
	resolvertest.Holds(t, s, tokens[0], tokens[2])

	// Taken out without a word, the last one and one in the middle.
	stream, err := js.Stream(t.Context(), "KV_hand")
	require.NoError(t, err)
	require.NoError(t, stream.Purge(t.Context(), jetstream.WithPurgeSubject("$KV.hand."+resolvertest.Account(t, 1))))
	resolvertest.Holds(t, s, tokens[2])
	_, err = s.Save(t.Context(), tokens[1], resolver.Push)
	require.NoError(t, err)
	require.NoError(t, stream.Purge(t.Context(), jetstream.WithPurgeSubject("$KV.hand."+resolvertest.Account(t, 3))))
	resolvertest.Holds(t, s, tokens[1])
}

// again makes a bucket that was deleted, once the server has let go of it.
func again(t *testing.T, js jetstream.JetStream, bucket string) (kv jetstream.KeyValue) {
	t.Helper()
	eventually(t, "the bucket is made again", func() bool {
		var err error
		kv, err = js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: bucket})
		return err == nil
	})
	return kv
}

// Another bucket of the same name has nothing of what was known of the first.
func TestAnotherBucket(t *testing.T) {
	js := streams(t, connect(t, start(t)))
	s := open(t, js, in("again"))
	for n := range 5 {
		_, err := s.Save(t.Context(), resolvertest.Token(t, n, 100), resolver.Push)
		require.NoError(t, err)
	}
	require.NoError(t, js.DeleteKeyValue(t.Context(), "again"))
	kv := again(t, js, "again")
	_, err := kv.PutString(t.Context(), resolvertest.Account(t, 1), resolvertest.Token(t, 1, 50))
	require.NoError(t, err)
	token, err := s.Resolve(t.Context(), resolvertest.Account(t, 1))
	require.NoError(t, err)
	require.Equal(t, resolvertest.Token(t, 1, 50), token)
	resolvertest.Holds(t, s, resolvertest.Token(t, 1, 50))
	_, err = s.Save(t.Context(), resolvertest.Token(t, 2, 50), resolver.Push)
	require.NoError(t, err)
	resolvertest.Holds(t, s, resolvertest.Token(t, 1, 50), resolvertest.Token(t, 2, 50))
}

// Once the bucket is full a new account is refused, and what is there stays.
func TestFull(t *testing.T) {
	js := streams(t, connect(t, start(t)))
	s := open(t, js, func(o *natskv.Options) { o.MaxBytes = 4000 })
	var held []string
	var err error
	for n := range 20 {
		token := resolvertest.Token(t, n, 100)
		if _, err = s.Save(t.Context(), token, resolver.Push); err != nil {
			break
		}
		held = append(held, token)
	}
	require.ErrorIs(t, err, resolver.ErrFull)
	require.Greater(t, len(held), 3)
	require.Less(t, len(held), 20)
	resolvertest.Holds(t, s, held...)
	long := resolvertest.Token(t, 0, 101, resolvertest.Named(strings.Repeat("x", 3000)))
	_, err = s.Save(t.Context(), long, resolver.Push)
	require.ErrorIs(t, err, resolver.ErrUnavailable)
	require.NotErrorIs(t, err, resolver.ErrFull)
	resolvertest.Holds(t, s, held...)
}

// A token that is larger than a message may be is refused, with what is held as it was.
func TestTooLarge(t *testing.T) {
	js := streams(t, connect(t, start(t)))
	s := open(t, js)
	small := resolvertest.Token(t, 1, 100)
	_, err := s.Save(t.Context(), small, resolver.Push)
	require.NoError(t, err)
	large := resolvertest.Token(t, 1, 101, resolvertest.Named(strings.Repeat("x", 785_000)))
	require.Less(t, len(large), 1<<20)
	_, err = s.Save(t.Context(), large, resolver.Push)
	if err != nil { // with the message's header it is just too large for the server
		require.ErrorIs(t, err, nats.ErrMaxPayload)
		resolvertest.Holds(t, s, small)
		return
	}
	resolvertest.Holds(t, s, large)
}

// While the server is away the store is unavailable, and afterwards it has what it had.
func TestServerAway(t *testing.T) {
	server := start(t)
	nc := connect(t, server)
	token, boot := resolvertest.Token(t, 1, 100), resolvertest.Token(t, 2, 100)
	s := open(t, streams(t, nc), func(o *natskv.Options) { o.Bootstrap = []string{boot} })
	_, err := s.Save(t.Context(), token, resolver.Push)
	require.NoError(t, err)
	stop(server)
	eventually(t, "it is not connected", func() bool { return !nc.IsConnected() })
	short := func() context.Context {
		ctx, cancel := context.WithTimeout(t.Context(), 100e6)
		t.Cleanup(cancel)
		return ctx
	}
	_, err = s.Resolve(short(), resolvertest.Account(t, 1))
	require.ErrorIs(t, err, resolver.ErrUnavailable)
	got, err := s.Resolve(short(), resolvertest.Account(t, 2))
	require.NoError(t, err)
	require.Equal(t, boot, got)
	_, err = s.Save(short(), resolvertest.Token(t, 1, 101), resolver.Push)
	require.ErrorIs(t, err, resolver.ErrUnavailable)
	require.ErrorIs(t, s.Delete(short(), resolvertest.Account(t, 1)), resolver.ErrUnavailable)
	_, err = s.Hash(short())
	require.ErrorIs(t, err, resolver.ErrUnavailable)
}
