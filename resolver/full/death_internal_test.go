package full

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/resolver"
	"github.com/natsauth/natsauth/resolver/resolvertest"
)

// TestDeathBesideAFault: a process that dies at any step while it saves in the place of a damaged file leaves that, or the
// token, and never an account that is not found; what was damaged is there in any case.
func TestDeathBesideAFault(t *testing.T) {
	token := resolvertest.Token(t, 1, 100)
	for _, o := range []Options{{}, {Sharded: true}} {
		kept := 0
		for left := 0; ; left++ {
			d := newScene(t, t.TempDir())
			name := o.file(rawOf(t, 1))
			require.NoError(t, d.root.MkdirAll(filepath.Dir(name), folderMode))
			require.NoError(t, d.root.WriteFile(name, []byte("no token"), fileMode))
			s := on(t, d, o)
			d.fail, d.left, d.dead = syscall.EIO, left, true
			_, saving := s.Save(t.Context(), token, resolver.Push)

			after := on(t, newScene(t, d.root.Name()), o)
			got, err := after.Resolve(t.Context(), resolvertest.Account(t, 1))
			if err == nil {
				require.Equal(t, token, got)
			} else {
				require.ErrorIs(t, err, ErrFault, d.failed)
				require.Error(t, saving)
				kept++
			}
			require.True(t, holds(t, d, name, "no token") || holds(t, d, name+aside, "no token"), d.failed)
			require.NoError(t, after.Close())
			if saving == nil {
				require.Greater(t, left, 5)
				require.Greater(t, kept, 3)
				break
			}
		}
	}
}

// TestFailedSaveBesideAFault: whatever fails, the damaged file is in its place afterwards, and nowhere else.
func TestFailedSaveBesideAFault(t *testing.T) {
	failures := make(map[string]bool)
	for left := 0; ; left++ {
		d := newScene(t, t.TempDir())
		s := on(t, d, Options{})
		name := s.options.file(rawOf(t, 1))
		require.NoError(t, d.root.WriteFile(name, []byte("no token"), fileMode))
		d.fail, d.left = syscall.EIO, left
		_, err := s.Save(t.Context(), resolvertest.Token(t, 1, 100), resolver.Push)
		if d.failed == "" {
			require.Subset(t, failures, map[string]bool{"write": true, "settle": true, "stat": true})
			return
		}
		if err == nil { // another way was found
			continue
		}
		op, _ := cut(d.failed)
		failures[op] = true
		require.True(t, holds(t, d, name, "no token"), d.failed)
		require.NoFileExists(t, filepath.Join(d.root.Name(), name+aside), d.failed)
		_, err = s.Resolve(t.Context(), resolvertest.Account(t, 1))
		require.ErrorIs(t, err, ErrFault)
		resolvertest.Holds(t, s)
	}
}

func holds(t *testing.T, d *scene, name, text string) bool {
	t.Helper()
	data, err := d.root.ReadFile(name)
	return err == nil && bytes.Equal(data, []byte(text))
}

// TestExpiryIsBounded: tokens that end at once are nobody's at once, and are removed a few with each call.
func TestExpiryIsBounded(t *testing.T) {
	const accounts = 2*maxExpired + 1
	now := time.Unix(1999, 0)
	d := newScene(t, t.TempDir())
	s := on(t, d, Options{Delete: DeleteHard, Clock: func() time.Time { return now }})
	for n := range accounts {
		_, err := s.Save(t.Context(), resolvertest.Token(t, n, 100, resolvertest.Expires(2000)), resolver.Push)
		require.NoError(t, err)
	}
	stays := resolvertest.Token(t, accounts, 100)
	_, err := s.Save(t.Context(), stays, resolver.Push)
	require.NoError(t, err)
	now = time.Unix(2000, 0)
	removed := func(call func()) int {
		d.asked = nil
		call()
		n := 0
		for _, step := range d.asked {
			if strings.HasPrefix(step, "remove ") {
				n++
			}
		}
		return n
	}
	require.Equal(t, maxExpired, removed(func() { require.Equal(t, []string{resolvertest.Account(t, accounts)}, resolvertest.Accounts(t, s)) }))
	last := -1
	for n := range accounts {
		if _, ok := s.index.get(rawOf(t, n)); ok {
			last = n
		}
	}
	require.Equal(t, maxExpired+1, removed(func() { // of which one is asked for
		i := slices.Index(s.index.ended, rawOf(t, last))
		s.index.ended[i], s.index.ended[maxExpired] = s.index.ended[maxExpired], s.index.ended[i]
		_, err := s.Resolve(t.Context(), resolvertest.Account(t, last))
		require.ErrorIs(t, err, resolver.ErrNotFound)
	}))
	require.Zero(t, removed(func() {
		for range 3 {
			resolvertest.Holds(t, s, stays)
		}
	}))
}

// TestSavedAgainAfterItsTime: a token whose time is over is not the one that is held, however many there are.
func TestSavedAgainAfterItsTime(t *testing.T) {
	now := time.Unix(1999, 0)
	s := on(t, newScene(t, t.TempDir()), Options{Delete: DeleteHard, Clock: func() time.Time { return now }})
	token := resolvertest.Token(t, 1, 100, resolvertest.Expires(2000))
	_, err := s.Save(t.Context(), token, resolver.Push)
	require.NoError(t, err)
	_, kept := s.keeps(token, 1999)
	require.True(t, kept)
	_, kept = s.keeps(token, 2000)
	require.False(t, kept)
}

// TestNamesGetToTheDisk: of what is new, the name is on the disk before anything is acknowledged that relies on it, and after
// a failure it is tried again.
func TestNamesGetToTheDisk(t *testing.T) {
	folder := Options{Sharded: true}.folder(resolvertest.Account(t, 1))
	for _, row := range []struct {
		name  string
		o     Options
		does  func(t *testing.T, s *Store) error
		first string // what makes it
	}{
		{"marks", Options{Delete: DeleteHard}, func(t *testing.T, s *Store) error {
			return s.Delete(t.Context(), resolvertest.Account(t, 1))
		}, "extend " + marksFile},
		{"a folder", Options{Sharded: true}, func(t *testing.T, s *Store) error {
			_, err := s.Save(t.Context(), resolvertest.Token(t, 1, 101), resolver.Push)
			return err
		}, "folder " + folder},
	} {
		t.Run(row.name, func(t *testing.T) {
			dir := t.TempDir()
			token := resolvertest.Token(t, 1, 100)
			require.NoError(t, os.MkdirAll(filepath.Join(dir, row.o.folder(resolvertest.Account(t, 1))), folderMode))
			require.NoError(t, os.WriteFile(filepath.Join(dir, row.o.file(rawOf(t, 1))), []byte(token), fileMode))
			d := newScene(t, dir)
			s := on(t, d, row.o)
			d.asked = nil
			d.refused = "settle ."
			require.ErrorIs(t, row.does(t, s), resolver.ErrUnavailable)
			require.Contains(t, d.asked, row.first)
			resolvertest.Holds(t, s, token)

			d.asked, d.refused = nil, ""
			require.NoError(t, row.does(t, s))
			at := slices.Index(d.asked, row.first)
			require.NotEqual(t, -1, at)
			require.Equal(t, "settle .", d.asked[at+1])
		})
	}
}

// TestNamesAreSettledOnce: the second mark, and the second file of a folder, cost nothing more; a folder that was made again
// does.
func TestNamesAreSettledOnce(t *testing.T) {
	dir := t.TempDir()
	d := newScene(t, dir)
	s := on(t, d, Options{Delete: DeleteHard, Sharded: true})
	iat := int64(100)
	settled := func() int {
		d.asked = nil
		iat++
		_, err := s.Save(t.Context(), resolvertest.Token(t, 1, iat), resolver.Push)
		require.NoError(t, err)
		require.NoError(t, s.Delete(t.Context(), resolvertest.Account(t, 1)))
		n := 0
		for _, step := range d.asked {
			if step == "settle ." {
				n++
			}
		}
		return n
	}
	require.Equal(t, 2, settled(), "the folder and the marks")
	require.Zero(t, settled())
	require.NoError(t, os.Remove(filepath.Join(dir, filepath.Dir(s.options.file(rawOf(t, 1))))))
	require.Equal(t, 1, settled(), "the folder")
	require.Zero(t, settled())
}

// TestWatchOfAStoreThatCloses: who comes between looking whether it is closed and waiting is told.
func TestWatchOfAStoreThatCloses(t *testing.T) {
	s := on(t, newScene(t, t.TempDir()), Options{})
	require.NoError(t, s.Close())
	w := &watcher{wake: make(chan struct{}, 1)}
	require.ErrorIs(t, s.enlist(w), ErrClosed)
	require.Empty(t, s.watchers)
}
