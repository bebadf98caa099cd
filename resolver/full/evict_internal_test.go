package full

import (
	"bytes"
	"errors"
	"log/slog"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/resolver"
	"github.com/natsauth/natsauth/resolver/resolvertest"
)

// TestFaultsOfEviction: whatever fails, at whichever step, there are no more accounts than there may be, the one that was saved
// is there if the store says so, and its mark is not lost with an account.
func TestFaultsOfEviction(t *testing.T) {
	hit := make(map[string]int)
	for left := 0; ; left++ {
		d := newScene(t, t.TempDir())
		o := Options{Limit: 2, Evict: true, Clock: later}
		s := on(t, d, o)
		for _, n := range []int{1, 2} {
			_, err := s.Save(t.Context(), resolvertest.Token(t, n, 100), resolver.Push)
			require.NoError(t, err)
		}
		d.fail, d.left = syscall.EIO, left
		_, err := s.Save(t.Context(), resolvertest.Token(t, 3, 100), resolver.Push)
		d.fail = nil
		if d.failed == "" {
			require.NoError(t, err)
			require.Greater(t, left, 5)
			break
		}
		op, _ := cut(d.failed)
		hit[op]++
		for range 2 {
			keys := resolvertest.Accounts(t, s)
			require.LessOrEqual(t, len(keys), 2, d.failed)
			_, gone := s.Resolve(t.Context(), resolvertest.Account(t, 3))
			if err == nil {
				require.NoError(t, gone, d.failed)
			} else {
				require.ErrorIs(t, err, resolver.ErrUnavailable)
				require.ErrorIs(t, gone, resolver.ErrNotFound, d.failed)
			}
			_, older := s.Save(t.Context(), resolvertest.Token(t, 1, 99), resolver.Push)
			require.ErrorIs(t, older, resolver.ErrRollback, d.failed)
			require.NoError(t, s.Close())
			s = on(t, newScene(t, d.root.Name()), o)
		}
	}
	for _, op := range []string{"read", "extend", "remove", "settle", "write"} {
		require.NotZero(t, hit[op], "no fault of %s", op)
	}
}

// TestEvictionThatFails: where the one that was used longest ago stays, the next one goes; where all stay, nothing comes.
func TestEvictionThatFails(t *testing.T) {
	var log bytes.Buffer
	d := newScene(t, t.TempDir())
	s := on(t, d, Options{Limit: 3, Evict: true, Clock: later, Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	save := func(n int) error {
		_, err := s.Save(t.Context(), resolvertest.Token(t, n, 100), resolver.Push)
		return err
	}
	for n := range 3 {
		require.NoError(t, save(n))
	}
	one := &stuck{scene: d, only: s.options.file(rawOf(t, 0))}
	s.disk = one
	require.NoError(t, save(3))
	require.Equal(t, 1, one.tried)
	resolvertest.Holds(t, s, resolvertest.Token(t, 0, 100), resolvertest.Token(t, 2, 100), resolvertest.Token(t, 3, 100))
	require.Contains(t, log.String(), resolvertest.Account(t, 1))
	require.NotContains(t, log.String(), "eyJ")

	all := &stuck{scene: d}
	s.disk = all
	err := save(4)
	require.ErrorIs(t, err, errStuck)
	require.ErrorIs(t, err, resolver.ErrUnavailable)
	require.NotErrorIs(t, err, resolver.ErrFull)
	require.Equal(t, maxEvictions, all.tried)
	s.disk = d
	resolvertest.Holds(t, s, resolvertest.Token(t, 0, 100), resolvertest.Token(t, 2, 100), resolvertest.Token(t, 3, 100))
	require.NoError(t, save(4))
}

// stuck is a disk that does not remove one token; none, if none is named.
type stuck struct {
	*scene
	only  string
	tried int
}

var errStuck = errors.New("stuck")

func (s *stuck) remove(name string) error {
	if filepath.Ext(name) != extension || s.only != "" && name != s.only {
		return s.scene.remove(name)
	}
	s.tried++
	return errStuck
}

// TestEvictedMarksMakeRoom: however many accounts are evicted, none that was deleted is forgotten for it.
func TestEvictedMarksMakeRoom(t *testing.T) {
	m := marks{byKey: make(map[rawKey]mark)}
	key := func(kind byte, n int) rawKey { return rawKey{byte(n), byte(n >> 8), byte(n >> 16), kind} }
	const deleted = 100
	for n := range deleted {
		m.lines++
		m.add(key('d', n), mark{issuedAt: 1})
	}
	const evicted = maxMarks + maxMarks/4
	for n := range evicted {
		m.lines++
		m.add(key('e', n), mark{issuedAt: 1, evicted: true})
	}
	require.LessOrEqual(t, len(m.byKey), maxMarks+maxMarks/8)
	for n := range deleted {
		if _, ok := m.byKey[key('d', n)]; !ok {
			t.Fatalf("%d is forgotten", n)
		}
	}
	require.Contains(t, m.byKey, key('e', evicted-1))
	require.NotContains(t, m.byKey, key('e', 0))

	d, err := openDirectory(t.TempDir())
	require.NoError(t, err)
	defer d.close()
	require.NoError(t, m.compact(d))
	for k, is := range m.byKey {
		text := is.line(k)
		_, again, ok := parseMark(text + " " + checksum(text))
		require.False(t, ok, "a key that is none") // these have no checksum of their own
		require.Equal(t, is.evicted, again.evicted)
		break
	}
}

// TestEvictRemembersNoStrangers: the order is one of the accounts that are there, whoever comes and goes.
func TestEvictRemembersNoStrangers(t *testing.T) {
	s := on(t, newScene(t, t.TempDir()), Options{Limit: 2, Evict: true, Delete: DeleteHard, Clock: later})
	for n := range 20 {
		_, err := s.Save(t.Context(), resolvertest.Token(t, n, 100), resolver.Push)
		require.NoError(t, err)
		require.LessOrEqual(t, len(s.used.byKey), 4)
		if n%2 == 0 {
			require.NoError(t, s.Delete(t.Context(), resolvertest.Account(t, n)))
		}
	}
}
