package natskv

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/resolver/resolvertest"
)

// A bucket that says for a while that it has less than was seen is one whose leader was deposed, and not believed; one that
// goes on saying so was set back.
func TestIndexSetBack(t *testing.T) {
	made, now := time.Unix(1, 0), time.Unix(100, 0)
	state := func(last, subjects uint64) jetstream.StreamState {
		return jetstream.StreamState{LastSeq: last, NumSubjects: subjects}
	}
	filled := func() *index {
		var x index
		_, err := x.compare(made, state(7, 1), now)
		require.NoError(t, err)
		require.NoError(t, x.learn(entry{account: resolvertest.Account(t, 1), epoch: 1, revision: 7, value: resolvertest.Token(t, 1, 100)}))
		x.reach(1, 7, now)
		return &x
	}
	for _, row := range []struct {
		name    string
		created time.Time
		state   jetstream.StreamState
		after   time.Duration
		seen    uint64
		err     error
		epoch   int
	}{
		{"as it was", made, state(7, 1), 0, 7, nil, 1},
		{"more", made, state(9, 3), 0, 7, nil, 1},
		{"set back, at first", made, state(6, 1), 0, 0, errStale, 1},
		{"set back, just before", made, state(6, 1), backTime - 1, 0, errStale, 1},
		{"set back, from then on", made, state(6, 1), backTime, 0, nil, 2},
		{"another bucket", made.Add(1), state(6, 1), 0, 0, nil, 2},
		{"a key less", made, state(7, 0), 0, 0, nil, 2},
		{"a key more, which was not told", made, state(7, 2), 0, 0, nil, 2},
	} {
		t.Run(row.name, func(t *testing.T) {
			x := filled()
			w := x.watch()
			if row.after > 0 {
				_, err := x.compare(row.created, row.state, now)
				require.ErrorIs(t, err, errStale)
			}
			seen, err := x.compare(row.created, row.state, now.Add(row.after))
			require.ErrorIs(t, err, row.err)
			require.Equal(t, row.seen, seen)
			require.Equal(t, row.epoch, x.epoch)
			if row.epoch == 1 {
				require.Equal(t, 1, x.count)
				require.Empty(t, x.told(w))
				return
			}
			require.Zero(t, x.count)
			require.Zero(t, x.hash)
			require.Equal(t, []string{""}, x.told(w))
		})
	}
	x := filled() // one that has what was seen again may have it anew
	_, err := x.compare(made, state(6, 1), now)
	require.ErrorIs(t, err, errStale)
	seen, err := x.compare(made, state(7, 1), now)
	require.NoError(t, err)
	require.Zero(t, seen)
	require.Equal(t, 2, x.epoch)
}

// What was asked for before everything was forgotten is no news afterwards.
func TestIndexEpochs(t *testing.T) {
	var x index
	old := entry{account: resolvertest.Account(t, 1), epoch: 0, revision: 7, value: resolvertest.Token(t, 1, 100)}
	_, err := x.compare(time.Unix(1, 0), jetstream.StreamState{LastSeq: 1, NumSubjects: 1}, time.Unix(1, 0))
	require.NoError(t, err)
	require.NoError(t, x.learn(old))
	x.reach(0, 7, time.Unix(1, 0))
	require.Zero(t, x.count)
	epoch, next := x.next()
	require.Equal(t, 1, epoch)
	require.Equal(t, uint64(1), next)
	w := x.watch()
	old.epoch, old.revision = epoch, 1
	require.NoError(t, x.learn(old))
	require.Equal(t, 1, x.count)
	require.Equal(t, []string{old.account}, x.told(w))
	require.NoError(t, x.learn(old))
	require.Empty(t, x.told(w))
}
