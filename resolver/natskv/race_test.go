package natskv_test

import (
	"errors"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/resolver"
	"github.com/natsauth/natsauth/resolver/natskv"
	"github.com/natsauth/natsauth/resolver/resolvertest"
)

// Another broker writes after this one has read and before it writes: both are judged, one after the other (B4).
func TestB4TwoBrokers(t *testing.T) {
	js := streams(t, connect(t, start(t)))
	before, token, after := resolvertest.Token(t, 1, 99), resolvertest.Token(t, 1, 100), resolvertest.Token(t, 1, 101)
	for _, row := range []struct {
		name                 string
		held, between, saved string
		changed              bool
		err                  error
		want                 string
	}{
		{"nothing, then a newer one", "", after, token, false, resolver.ErrRollback, after},
		{"nothing, then an older one", "", before, token, true, nil, token},
		{"nothing, then the same", "", token, token, false, nil, token},
		{"an older one, then a newer one", before, after, token, false, resolver.ErrRollback, after},
		{"an older one, then one between", before, token, after, true, nil, after},
		{"an older one, then the same", before, token, token, false, nil, token},
	} {
		t.Run(row.name, func(t *testing.T) {
			var bucket string
			other := open(t, js, func(o *natskv.Options) { bucket = o.Bucket })
			if row.held != "" {
				_, err := other.Save(t.Context(), row.held, resolver.Push)
				require.NoError(t, err)
			}
			s := open(t, hooked(js, hooks{write: once(func(write func() (uint64, error)) (uint64, error) {
				_, err := other.Save(t.Context(), row.between, resolver.Push)
				require.NoError(t, err)
				return write()
			})}), in(bucket))
			changed, err := s.Save(t.Context(), row.saved, resolver.Push)
			require.ErrorIs(t, err, row.err)
			require.Equal(t, row.changed, changed)
			resolvertest.Holds(t, s, row.want)
			resolvertest.Holds(t, other, row.want)
		})
	}
	t.Run("deletion", func(t *testing.T) {
		var bucket string
		other := open(t, js, func(o *natskv.Options) { bucket = o.Bucket })
		_, err := other.Save(t.Context(), before, resolver.Push)
		require.NoError(t, err)
		s := open(t, hooked(js, hooks{write: once(func(write func() (uint64, error)) (uint64, error) {
			_, err := other.Save(t.Context(), after, resolver.Push)
			require.NoError(t, err)
			return write()
		})}), in(bucket))
		require.NoError(t, s.Delete(t.Context(), resolvertest.Account(t, 1)))
		resolvertest.Holds(t, other)
		_, err = other.Save(t.Context(), token, resolver.Push)
		require.ErrorIs(t, err, resolver.ErrRollback, "the mark is that of the token that came between")
	})
}

// once does something the first time, and what was asked for afterwards.
func once(f func(write func() (uint64, error)) (uint64, error)) func(func() (uint64, error)) (uint64, error) {
	done := false
	return func(write func() (uint64, error)) (uint64, error) {
		if done {
			return write()
		}
		done = true
		return f(write)
	}
}

// Where the answer to a write is lost, what has become of it decides.
func TestLostAnswers(t *testing.T) {
	js := streams(t, connect(t, start(t)))
	before, token := resolvertest.Token(t, 1, 99), resolvertest.Token(t, 1, 100)
	written := func(write func() (uint64, error)) (uint64, error) {
		_, err := write()
		return 0, errors.Join(nats.ErrTimeout, err)
	}
	lost := func(func() (uint64, error)) (uint64, error) { return 0, nats.ErrTimeout }
	for _, row := range []struct {
		name    string
		write   func(func() (uint64, error)) (uint64, error)
		changed bool
		err     error
		want    string
	}{
		{"it is written", written, true, nil, token},
		{"it is not, and then it is", once(lost), true, nil, token},
		{"it is not, twice", lost, false, resolver.ErrUnavailable, before},
	} {
		t.Run(row.name, func(t *testing.T) {
			var bucket string
			other := open(t, js, func(o *natskv.Options) { bucket = o.Bucket })
			_, err := other.Save(t.Context(), before, resolver.Push)
			require.NoError(t, err)
			s := open(t, hooked(js, hooks{write: row.write}), in(bucket))
			changed, err := s.Save(t.Context(), token, resolver.Push)
			require.ErrorIs(t, err, row.err)
			require.Equal(t, row.changed, changed)
			resolvertest.Holds(t, other, row.want)
			err = s.Delete(t.Context(), resolvertest.Account(t, 1))
			require.ErrorIs(t, err, row.err)
			if row.err == nil {
				resolvertest.Holds(t, other)
			}
		})
	}
}

// An answer of a server that knows less than what was seen is none (a revocation would be undone by it).
func TestStaleAnswers(t *testing.T) {
	js := streams(t, connect(t, start(t)))
	before, token := resolvertest.Token(t, 1, 99), resolvertest.Token(t, 1, 100)
	for name, always := range map[string]bool{"once": false, "always": true} {
		t.Run(name, func(t *testing.T) {
			var past jetstream.KeyValueEntry
			stale := false
			s := open(t, hooked(js, hooks{get: func(get func() (jetstream.KeyValueEntry, error)) (jetstream.KeyValueEntry, error) {
				if stale {
					stale = always
					return past, nil
				}
				e, err := get()
				if past == nil {
					past = e
				}
				return e, err
			}}))
			_, err := s.Save(t.Context(), before, resolver.Push)
			require.NoError(t, err)
			past = nil
			_, err = s.Save(t.Context(), token, resolver.Push)
			require.NoError(t, err)
			stale = true
			got, err := s.Resolve(t.Context(), resolvertest.Account(t, 1))
			if always {
				require.ErrorIs(t, err, resolver.ErrUnavailable)
				_, err = s.Save(t.Context(), resolvertest.Token(t, 1, 101), resolver.Push)
				require.ErrorIs(t, err, resolver.ErrUnavailable)
				return
			}
			require.NoError(t, err)
			require.Equal(t, token, got)
		})
	}
}
