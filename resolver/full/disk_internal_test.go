package full

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/claims"
	"github.com/natsauth/natsauth/resolver"
	"github.com/natsauth/natsauth/resolver/resolvertest"
)

// scene is a disk on which things go wrong.
type scene struct {
	directory
	mu      sync.Mutex
	asked   []string // guarded by mu; the operation and the name
	fail    error    // of the operation that comes when left is 0
	left    int
	half    bool // what is written gets there in part, and a rename gets there whole
	failed  string
	broken  map[string]bool // files that cannot be read
	dead    bool            // what comes after that fails, too
	refused string          // an operation that always fails
}

// step notes an operation, and gives its error.
func (s *scene) step(op, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, op+" "+name)
	if op == "read" && s.broken[name] {
		return &fs.PathError{Op: op, Path: name, Err: syscall.EIO}
	}
	if s.refused == op+" "+name {
		return &fs.PathError{Op: op, Path: name, Err: syscall.EIO}
	}
	if s.fail == nil {
		return nil
	}
	if s.left--; s.left >= 0 || s.failed != "" && !s.dead {
		return nil
	}
	s.failed = op + " " + name
	return &fs.PathError{Op: op, Path: name, Err: s.fail}
}

func (s *scene) read(name string, limit int64) ([]byte, fs.FileInfo, error) {
	if err := s.step("read", name); err != nil {
		return nil, nil, err
	}
	return s.directory.read(name, limit)
}

func (s *scene) peek(name string, buf []byte) ([]byte, error) {
	if err := s.step("read", name); err != nil {
		return nil, err
	}
	return s.directory.peek(name, buf)
}

func (s *scene) stat(name string) (fs.FileInfo, error) {
	if err := s.step("stat", name); err != nil {
		return nil, err
	}
	return s.directory.stat(name)
}

func (s *scene) list(folder string) ([]string, error) {
	if err := s.step("list", folder); err != nil {
		return nil, err
	}
	return s.directory.list(folder)
}

func (s *scene) replace(name string, data []byte) error {
	if err := s.step("write", name); err != nil {
		if s.half { // the temporary file is there, with what had room
			return errors.Join(err, s.root.WriteFile("."+filepath.Base(name)+"123", data[:len(data)/2], fileMode))
		}
		return err
	}
	return s.directory.replace(name, data)
}

func (s *scene) extend(name string, data []byte) error {
	if err := s.step("extend", name); err != nil {
		if s.half {
			return errors.Join(err, s.directory.extend(name, data[:len(data)/2]))
		}
		return err
	}
	return s.directory.extend(name, data)
}

func (s *scene) link(from, to string) error {
	if err := s.step("link", from); err != nil {
		return err
	}
	return s.directory.link(from, to)
}

func (s *scene) rename(from, to string) error {
	if err := s.step("rename", from); err != nil {
		return err
	}
	return s.directory.rename(from, to)
}

func (s *scene) remove(name string) error {
	if err := s.step("remove", name); err != nil {
		return err
	}
	return s.directory.remove(name)
}

func (s *scene) settle(folder string) error {
	if err := s.step("settle", folder); err != nil {
		return err
	}
	return s.directory.settle(folder)
}

func (s *scene) folder(name string) (bool, error) {
	if err := s.step("folder", name); err != nil {
		return false, err
	}
	return s.directory.folder(name)
}

func newScene(t *testing.T, dir string) *scene {
	t.Helper()
	d, err := openDirectory(dir)
	require.NoError(t, err)
	return &scene{directory: d}
}

// on opens a store on a disk, until the test ends.
func on(t *testing.T, d disk, o Options) *Store {
	t.Helper()
	o, err := o.checked()
	require.NoError(t, err)
	s, err := open(d, o)
	require.NoError(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

// TestHostileNames: what is no account key reaches no file.
func TestHostileNames(t *testing.T) {
	d := newScene(t, t.TempDir())
	s := on(t, d, Options{Delete: DeleteHard})
	_, err := s.Save(t.Context(), resolvertest.Token(t, 1, 100), resolver.Push)
	require.NoError(t, err)
	d.asked = nil
	for _, name := range resolvertest.Strangers(t) {
		_, err := s.Resolve(t.Context(), name)
		require.ErrorIs(t, err, resolver.ErrNotFound)
		require.NoError(t, s.Delete(t.Context(), name))
	}
	for _, token := range []string{"", "..", "a.b.c", resolvertest.Token(t, 1, 100)[:50]} {
		_, err := s.Save(t.Context(), token, resolver.Push)
		require.ErrorIs(t, err, resolver.ErrToken)
	}
	require.Empty(t, d.asked)
}

// TestReopenReadsNoToken: what the index says of an unchanged directory is believed, and nothing else.
func TestReopenReadsNoToken(t *testing.T) {
	const accounts = 20
	dir := t.TempDir()
	clock := Options{Clock: later}
	s := on(t, newScene(t, dir), clock)
	for n := range accounts {
		_, err := s.Save(t.Context(), resolvertest.Token(t, n, 100), resolver.Push)
		require.NoError(t, err)
	}
	hash, err := s.Hash(t.Context())
	require.NoError(t, err)
	require.NoError(t, s.Close())

	read := func() int {
		d := newScene(t, dir)
		s := on(t, d, clock)
		got, err := s.Hash(t.Context())
		require.NoError(t, err)
		require.Equal(t, hash, got)
		n := 0
		for _, step := range d.asked {
			if len(step) > 60 && step[:5] == "read " {
				n++
			}
		}
		require.NoError(t, s.Close())
		return n
	}
	require.Zero(t, read())
	name := filepath.Join(dir, resolvertest.Account(t, 3)+extension)
	data, err := os.ReadFile(name)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(name, data, 0o600)) // the same, at another time
	require.Equal(t, 1, read())
	require.Zero(t, read(), "and the index knows it")

	index := filepath.Join(dir, indexFile)
	good, err := os.ReadFile(index)
	require.NoError(t, err)
	for what, bad := range map[string][]byte{
		"empty": {}, "cut": good[:len(good)-1], "one bit": flip(good, len(good)/2), "longer": append(good[:len(good):len(good)], 0), "another version": flip(good, 12),
	} {
		require.NoError(t, os.WriteFile(index, bad, 0o600))
		require.Equal(t, accounts, read(), what)
		require.Zero(t, read(), what)
	}
	require.NoError(t, os.Remove(index))
	require.Equal(t, accounts, read())
}

func flip(data []byte, at int) []byte {
	out := append([]byte(nil), data...)
	out[at] ^= 4
	return out
}

// TestReloadReadsOnce: a file that says the same at another time is read once.
func TestReloadReadsOnce(t *testing.T) {
	dir := t.TempDir()
	d := newScene(t, dir)
	s := on(t, d, Options{Clock: later})
	token := resolvertest.Token(t, 1, 100)
	_, err := s.Save(t.Context(), token, resolver.Push)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, s.options.file(rawOf(t, 1))), []byte(token), fileMode))
	for _, want := range []int{1, 0} {
		d.asked = nil
		changed, err := s.Reload(t.Context())
		require.NoError(t, err)
		require.Empty(t, changed)
		n := 0
		for _, step := range d.asked {
			if step == "read "+s.options.file(rawOf(t, 1)) {
				n++
			}
		}
		require.Equal(t, want, n)
	}
}

// TestSaveBelievesSizeAndTime: a file is not read for a token that it has already, as long as size and time say so; and
// is where they do not, or the time is so near that somebody may write in the same instant.
func TestSaveBelievesSizeAndTime(t *testing.T) {
	token := resolvertest.Token(t, 1, 100)
	now := time.Unix(2_000_000_000, 0)
	for _, row := range []struct {
		name  string
		after time.Duration // since the file was written
		does  func(t *testing.T, file string)
		reads int
	}{
		{"just written", 0, nil, 1},
		{"a nanosecond before it is settled", settleTime - 1, nil, 1},
		{"settled", settleTime, nil, 0},
		{"another time", time.Hour, func(t *testing.T, file string) { require.NoError(t, os.Chtimes(file, now, now.Add(1))) }, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			dir := t.TempDir()
			o := Options{Clock: func() time.Time { return now.Add(row.after) }}
			file := filepath.Join(dir, o.file(rawOf(t, 1)))
			require.NoError(t, os.WriteFile(file, []byte(token), fileMode))
			require.NoError(t, os.Chtimes(file, now, now))
			d := newScene(t, dir)
			s := on(t, d, o)
			if row.does != nil {
				row.does(t, file)
			}
			for _, mode := range []resolver.Mode{resolver.Push, resolver.Merge} {
				d.asked = nil
				changed, err := s.Save(t.Context(), token, mode)
				require.NoError(t, err)
				require.False(t, changed)
				n := 0
				for _, step := range d.asked {
					if step == "read "+s.options.file(rawOf(t, 1)) {
						n++
					}
				}
				require.Equal(t, row.reads, n)
			}
		})
	}
}

// TestSaveSeesTheSameInstant: what somebody writes in the instant of our own write is seen, and so is what has another size.
func TestSaveSeesTheSameInstant(t *testing.T) {
	older, token := resolvertest.Token(t, 1, 100), resolvertest.Token(t, 1, 101)
	require.Len(t, older, len(token))
	for _, row := range []struct {
		name  string
		after time.Duration
		text  string
	}{
		{"in the same instant", settleTime - 1, older},
		{"another size at the same time", time.Hour, older + "\n"},
	} {
		t.Run(row.name, func(t *testing.T) {
			dir := t.TempDir()
			var at time.Time
			s := on(t, newScene(t, dir), Options{Clock: func() time.Time { return at.Add(row.after) }})
			_, err := s.Save(t.Context(), token, resolver.Push)
			require.NoError(t, err)
			file := filepath.Join(dir, s.options.file(rawOf(t, 1)))
			info, err := os.Stat(file)
			require.NoError(t, err)
			at = info.ModTime()
			require.NoError(t, os.WriteFile(file, []byte(row.text), fileMode))
			require.NoError(t, os.Chtimes(file, at, at))
			changed, err := s.Save(t.Context(), token, resolver.Push)
			require.NoError(t, err)
			require.True(t, changed)
		})
	}
}

// world is what a store has acknowledged.
type world map[string]string // tokens by account

func (w world) tokens() []string {
	var out []string
	for _, token := range w {
		out = append(out, token)
	}
	return out
}

// TestFaults: whatever fails, at whichever step, the store says so, holds what it held, and so does the one that opens the
// directory next.
func TestFaults(t *testing.T) {
	causes := []error{syscall.ENOSPC, syscall.EACCES, syscall.EIO}
	hit := make(map[string]int)
	for _, o := range []Options{{Delete: DeleteHard}, {Delete: DeleteRename, Sharded: true}} {
		for round, half := range []bool{false, true} {
			for left := 0; ; left++ {
				d := newScene(t, t.TempDir())
				cause := causes[(left+round)%len(causes)]
				if !faulted(t, d, o, cause, left, half) {
					require.Greater(t, left, 20)
					break
				}
				op, _ := cut(d.failed)
				hit[op]++
			}
		}
	}
	for _, op := range []string{"read", "stat", "list", "write", "extend", "link", "rename", "remove", "settle", "folder"} {
		require.NotZero(t, hit[op], "no fault of %s", op)
	}
}

// faulted lives through a day on which one operation fails, and says whether one did.
func faulted(t *testing.T, d *scene, o Options, cause error, left int, half bool) bool {
	t.Helper()
	o.Clock = later
	s := on(t, d, o)
	has := world{}
	save := func(n int, iat int64, want error) {
		t.Helper()
		token := resolvertest.Token(t, n, iat)
		switch _, err := s.Save(t.Context(), token, resolver.Push); {
		case err == nil:
			require.NoError(t, want)
			has[resolvertest.Account(t, n)] = token
		case want == nil || !errors.Is(err, want):
			require.ErrorIs(t, err, cause)
			require.ErrorIs(t, err, resolver.ErrUnavailable)
		}
	}
	remove := func(n int) {
		t.Helper()
		if err := s.Delete(t.Context(), resolvertest.Account(t, n)); err != nil {
			require.ErrorIs(t, err, cause)
			return
		}
		delete(has, resolvertest.Account(t, n))
	}
	save(1, 100, nil)
	bad := s.options.file(rawOf(t, 9))
	require.NoError(t, os.MkdirAll(filepath.Join(d.root.Name(), filepath.Dir(bad)), folderMode))
	require.NoError(t, os.WriteFile(filepath.Join(d.root.Name(), bad), []byte("no token"), fileMode))

	d.fail, d.left, d.half = cause, left, half
	save(1, 101, nil)
	save(2, 100, nil)
	save(9, 100, nil) // what is in its place goes aside
	remove(1)
	save(1, 99, resolver.ErrRollback) // whether it was deleted or not
	save(3, 100, nil)
	if _, err := s.Reload(t.Context()); err != nil {
		require.ErrorIs(t, err, cause)
	}
	save(3, 101, nil)
	_, err := s.Hash(t.Context())
	require.NoError(t, err)
	d.fail = nil
	resolvertest.Holds(t, s, has.tokens()...)
	require.NoError(t, s.Close())

	again := on(t, newScene(t, d.root.Name()), o)
	resolvertest.Holds(t, again, has.tokens()...)
	data, err := os.ReadFile(filepath.Join(d.root.Name(), bad))
	if has[resolvertest.Account(t, 9)] != "" || errors.Is(err, fs.ErrNotExist) {
		data, err = os.ReadFile(filepath.Join(d.root.Name(), bad+aside))
	}
	require.NoError(t, err, "%s, half: %t", d.failed, half)
	require.Equal(t, "no token", string(data))
	list, err := filepath.Glob(filepath.Join(d.root.Name(), ".[A-Z]*"))
	require.NoError(t, err)
	require.Empty(t, list, "nothing is left half-written")
	require.NoError(t, again.Close())
	return d.failed != ""
}

// TestTokensLeaveOut: some files that cannot be read keep back no other, and many are an outage.
func TestTokensLeaveOut(t *testing.T) {
	for _, row := range []struct {
		accounts, unread int
		outage           bool
	}{
		{0, 0, false}, {1, 0, false}, {1, 1, true}, {2, 1, false}, {2, 2, true}, {3, 1, false}, {3, 2, true},
		{40, maxUnread, false}, {40, maxUnread + 1, true}, {batch + 20, maxUnread, false}, {batch + 20, maxUnread + 1, true},
	} {
		t.Run(fmt.Sprint(row.unread, " of ", row.accounts), func(t *testing.T) {
			d := newScene(t, t.TempDir())
			want := make([]resolver.Held, row.accounts)
			for n := range want {
				want[n] = resolver.Held{Account: resolvertest.Account(t, n), Token: resolvertest.Token(t, n, 100)}
				require.NoError(t, d.root.WriteFile(want[n].Account+extension, []byte(want[n].Token), fileMode))
			}
			slices.SortFunc(want, func(a, b resolver.Held) int { return strings.Compare(a.Account, b.Account) })
			logged := new(bytes.Buffer)
			s := on(t, d, Options{Logger: slog.New(slog.NewTextHandler(logged, nil))})
			d.broken = make(map[string]bool)
			for _, held := range want[row.accounts-row.unread:] { // so that those before are given
				d.broken[held.Account+extension] = true
			}
			var got []resolver.Held
			var err error
			for held, failed := range s.Tokens(t.Context()) {
				if err = failed; err == nil {
					got = append(got, held)
					continue
				}
				require.Zero(t, held)
			}
			require.Equal(t, row.unread, strings.Count(logged.String(), "was not read"))
			if row.outage {
				require.ErrorIs(t, err, syscall.EIO)
				require.ErrorIs(t, err, resolver.ErrUnavailable)
				return
			}
			require.NoError(t, err)
			require.Equal(t, want[:row.accounts-row.unread], append([]resolver.Held{}, got...))
		})
	}
}

// TestTokensAreReadInBatches: whoever is slow to take tokens has few of them in memory.
func TestTokensAreReadInBatches(t *testing.T) {
	const most = 32 << 20 // bytes
	require.LessOrEqual(t, batch*claims.MaxTokenSize, most)
	d := newScene(t, t.TempDir())
	for n := range batch + 1 {
		require.NoError(t, d.root.WriteFile(resolvertest.Account(t, n)+extension, []byte(resolvertest.Token(t, n, 100)), fileMode))
	}
	s := on(t, d, Options{})
	seen := 0
	for _, err := range s.Tokens(t.Context()) {
		require.NoError(t, err)
		if seen++; seen == 1 { // those of the first batch are read, and no other
			keys := resolvertest.Accounts(t, s)
			for _, key := range keys {
				require.NoError(t, d.root.WriteFile(key+extension, []byte("no token"), fileMode))
			}
		}
	}
	require.Equal(t, batch, seen)
}

// TestTokensOfFaults: files that are no tokens are left out, however many there are.
func TestTokensOfFaults(t *testing.T) {
	const accounts = 2 * maxUnread
	d := newScene(t, t.TempDir())
	s := on(t, d, Options{})
	for n := range accounts {
		_, err := s.Save(t.Context(), resolvertest.Token(t, n, 100), resolver.Push)
		require.NoError(t, err)
		require.NoError(t, d.root.WriteFile(s.options.file(rawOf(t, n)), []byte("no token"), fileMode))
	}
	for held, err := range s.Tokens(t.Context()) {
		require.Fail(t, "a token", "%v, %v", held, err)
	}
	require.Len(t, s.Faults(), accounts)
}

func rawOf(t *testing.T, n int) rawKey {
	t.Helper()
	k, ok := parseKey(resolvertest.Account(t, n))
	require.True(t, ok)
	return k
}

// later is some years from now: a time at which every file is settled.
func later() time.Time { return time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC) }
