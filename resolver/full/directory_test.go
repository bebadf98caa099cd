package full_test

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/resolver"
	"github.com/natsauth/natsauth/resolver/full"
	"github.com/natsauth/natsauth/resolver/resolvertest"
)

// write puts a file into a directory as somebody else.
func write(t *testing.T, dir, name, text string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o750))
	require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o640))
}

func read(t *testing.T, dir, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, name))
	require.NoError(t, err)
	return string(data)
}

// names are the files of a directory that are not the store's own.
func names(t *testing.T, dir string) []string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(dir, "[^.]*"))
	require.NoError(t, err)
	for i := range list {
		list[i] = filepath.Base(list[i])
	}
	return list
}

// TestB4AcrossARestart: marks of deleted accounts last.
func TestB4AcrossARestart(t *testing.T) {
	for _, o := range []full.Options{{Delete: full.DeleteHard}, {Delete: full.DeleteRename, Sharded: true}} {
		dirs := make(map[resolver.Store]string)
		opened := func(t *testing.T, dir string) *full.Store {
			s := open(t, dir, o)
			dirs[s] = dir
			return s
		}
		resolvertest.Remembers(t,
			func(t *testing.T, tokens ...string) resolver.Resolver {
				s := opened(t, t.TempDir())
				save(t, s, tokens...)
				return s
			},
			func(t *testing.T, s resolver.Store) resolver.Store {
				require.NoError(t, s.(*full.Store).Close())
				return opened(t, dirs[s])
			})
	}
}

// TestF108Files: where the files are, and what is in them.
func TestF108Files(t *testing.T) {
	key, token := resolvertest.Account(t, 1), resolvertest.Token(t, 1, 100)
	for name, o := range map[string]full.Options{key + ".jwt": {}, key[len(key)-2:] + "/" + key + ".jwt": {Sharded: true}} {
		dir := filepath.Join(t.TempDir(), "made", "for it")
		s := open(t, dir, o)
		save(t, s, resolvertest.Respelt(token))
		require.Equal(t, token, read(t, dir, name))
		info, err := os.Stat(filepath.Join(dir, name))
		require.NoError(t, err)
		require.Zero(t, info.Mode().Perm()&0o137, "nobody else may write or run it")
	}
}

// TestF111Deleting: what becomes of the file.
func TestF111Deleting(t *testing.T) {
	key, token := resolvertest.Account(t, 1), resolvertest.Token(t, 1, 100)
	for _, row := range []struct {
		name string
		mode full.DeleteMode
		want []string
		err  error
	}{
		{"off", full.DeleteOff, []string{key + ".jwt"}, full.ErrDelete},
		{"rename", full.DeleteRename, []string{key + ".jwt.deleted"}, nil},
		{"hard", full.DeleteHard, nil, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, dir, full.Options{Delete: row.mode})
			save(t, s, token)
			require.ErrorIs(t, s.Delete(t.Context(), key), row.err)
			require.Equal(t, row.want, names(t, dir))
			if row.mode != full.DeleteRename {
				return
			}
			require.NoError(t, os.Rename(filepath.Join(dir, key+".jwt.deleted"), filepath.Join(dir, key+".jwt")))
			changed, err := s.Reload(t.Context())
			require.NoError(t, err)
			require.Equal(t, []string{key}, changed)
			resolvertest.Holds(t, s, token)
		})
	}
	_, err := full.Open(t.TempDir(), full.Options{Delete: full.DeleteHard + 1})
	require.Error(t, err)
}

// TestLimit: one account more than there may be is refused, and no other token.
func TestLimit(t *testing.T) {
	s := open(t, t.TempDir(), full.Options{Limit: 2, Delete: full.DeleteHard})
	save(t, s, resolvertest.Token(t, 1, 100), resolvertest.Token(t, 2, 100))
	_, err := s.Save(t.Context(), resolvertest.Token(t, 3, 100), resolver.Push)
	require.ErrorIs(t, err, resolver.ErrFull)
	save(t, s, resolvertest.Token(t, 2, 101))
	resolvertest.Holds(t, s, resolvertest.Token(t, 1, 100), resolvertest.Token(t, 2, 101))
	require.NoError(t, s.Delete(t.Context(), resolvertest.Account(t, 1)))
	save(t, s, resolvertest.Token(t, 3, 100))
	resolvertest.Holds(t, s, resolvertest.Token(t, 2, 101), resolvertest.Token(t, 3, 100))
	for _, o := range []full.Options{{Limit: -1}, {Rescan: -1}} {
		_, err := full.Open(t.TempDir(), o)
		require.Error(t, err)
	}
}

// TestLimitCountsFaults: an account whose file is damaged keeps its place until it has a token again, or is deleted.
func TestLimitCountsFaults(t *testing.T) {
	for _, opened := range []bool{false, true} {
		dir := t.TempDir()
		o := full.Options{Limit: 2, Delete: full.DeleteHard}
		s := open(t, dir, o)
		save(t, s, resolvertest.Token(t, 1, 100), resolvertest.Token(t, 2, 100))
		write(t, dir, resolvertest.Account(t, 2)+".jwt", "no token")
		write(t, dir, "x.jwt", "no account's")
		if opened {
			require.NoError(t, s.Close())
			s = open(t, dir, o)
		}
		_, err := s.Reload(t.Context())
		require.NoError(t, err)
		refused := func() {
			t.Helper()
			_, err := s.Save(t.Context(), resolvertest.Token(t, 3, 100), resolver.Push)
			require.ErrorIs(t, err, resolver.ErrFull)
		}
		require.Len(t, s.Faults(), 2)
		refused()
		save(t, s, resolvertest.Token(t, 2, 100))
		refused()
		write(t, dir, resolvertest.Account(t, 2)+".jwt", "no token")
		_, err = s.Resolve(t.Context(), resolvertest.Account(t, 2))
		require.ErrorIs(t, err, resolver.ErrUnavailable)
		refused()
		require.NoError(t, s.Delete(t.Context(), resolvertest.Account(t, 2)))
		save(t, s, resolvertest.Token(t, 3, 100))
		resolvertest.Holds(t, s, resolvertest.Token(t, 1, 100), resolvertest.Token(t, 3, 100))
	}
}

// TestExpiry: a token is there until its time is over, and not from then on, also for who opens the directory then.
func TestExpiry(t *testing.T) {
	for _, mode := range []full.DeleteMode{full.DeleteOff, full.DeleteRename, full.DeleteHard} {
		for _, closed := range []bool{false, true} {
			var now atomic.Int64
			now.Store(1000)
			o := full.Options{Delete: mode, Clock: func() time.Time { return time.Unix(now.Load(), 0) }}
			dir := t.TempDir()
			s := open(t, dir, o)
			ends, stays := resolvertest.Token(t, 1, 100, resolvertest.Expires(2000)), resolvertest.Token(t, 2, 100)
			far := resolvertest.Token(t, 3, 100, resolvertest.Expires(1<<40))
			save(t, s, ends, stays, far)
			at := func(second int64) *full.Store {
				now.Store(second)
				if closed {
					require.NoError(t, s.Close())
					s = open(t, dir, o)
				}
				return s
			}
			resolvertest.Holds(t, at(1999), ends, stays, far)
			resolvertest.Holds(t, at(2000), stays, far)
			_, err := s.Resolve(t.Context(), resolvertest.Account(t, 1))
			require.ErrorIs(t, err, resolver.ErrNotFound)
			_, err = s.Save(t.Context(), resolvertest.Token(t, 1, 99), resolver.Push)
			require.ErrorIs(t, err, resolver.ErrRollback)
			require.Equal(t, mode == full.DeleteRename, slices.Contains(names(t, dir), resolvertest.Account(t, 1)+".jwt.deleted"))
			resolvertest.Holds(t, at(1<<33), stays, far)
		}
	}
}

// TestClockThatWasAhead: what it ended for a moment comes back from whoever has it, and nothing older does.
func TestClockThatWasAhead(t *testing.T) {
	for _, mode := range []full.DeleteMode{full.DeleteOff, full.DeleteRename, full.DeleteHard} {
		for _, closed := range []bool{false, true} {
			now := time.Unix(1000, 0)
			o := full.Options{Delete: mode, Clock: func() time.Time { return now }}
			dir := t.TempDir()
			s := open(t, dir, o)
			token := resolvertest.Token(t, 1, 100, resolvertest.Expires(5000))
			save(t, s, token)
			now = time.Unix(6000, 0)
			resolvertest.Holds(t, s)
			now = time.Unix(1001, 0)
			if closed {
				require.NoError(t, s.Close())
				s = open(t, dir, o)
			}
			resolvertest.Holds(t, s)
			for _, m := range []resolver.Mode{resolver.Merge, resolver.Push} {
				_, err := s.Save(t.Context(), resolvertest.Token(t, 1, 99, resolvertest.Expires(9000)), m)
				require.ErrorIs(t, err, resolver.ErrRollback)
			}
			changed, err := s.Save(t.Context(), token, resolver.Merge)
			require.NoError(t, err)
			require.True(t, changed)
			resolvertest.Holds(t, s, token)
			now = time.Unix(5000, 0)
			resolvertest.Holds(t, s)
		}
	}
}

// TestClockThatWasAheadOfMany: those that it would have ended next have their own end still.
func TestClockThatWasAheadOfMany(t *testing.T) {
	now := time.Unix(1000, 0)
	s := open(t, t.TempDir(), full.Options{Clock: func() time.Time { return now }})
	const accounts = 40 // more than one call removes
	for n := range accounts {
		save(t, s, resolvertest.Token(t, n, 100, resolvertest.Expires(5000)))
	}
	at := func(second int64, calls int) int {
		now = time.Unix(second, 0)
		for range calls {
			_, err := s.Resolve(t.Context(), resolvertest.Account(t, accounts))
			require.ErrorIs(t, err, resolver.ErrNotFound)
		}
		return len(resolvertest.Accounts(t, s))
	}
	require.Zero(t, at(6000, 1))
	left := at(1001, accounts)
	require.Positive(t, left)
	require.Equal(t, left, at(4999, accounts))
	require.Zero(t, at(5000, accounts))
	resolvertest.Holds(t, s) // and the hash of none
}

// TestEndedAndDeleted: a deletion counts for a token whose time is over, too.
func TestEndedAndDeleted(t *testing.T) {
	now := time.Unix(6000, 0)
	s := open(t, t.TempDir(), full.Options{Delete: full.DeleteHard, Clock: func() time.Time { return now }})
	token := resolvertest.Token(t, 1, 100, resolvertest.Expires(5000))
	save(t, s, token)
	_, err := s.Resolve(t.Context(), resolvertest.Account(t, 1))
	require.ErrorIs(t, err, resolver.ErrNotFound)
	require.NoError(t, s.Delete(t.Context(), resolvertest.Account(t, 1)))
	now = time.Unix(1000, 0)
	_, err = s.Save(t.Context(), token, resolver.Merge)
	require.ErrorIs(t, err, resolver.ErrRollback)
}

// TestFaultyFiles: what is no token is set aside, told by name, and never lost; everything else is there.
func TestFaultyFiles(t *testing.T) {
	key, token := resolvertest.Account(t, 1), resolvertest.Token(t, 1, 100)
	good := resolvertest.Token(t, 2, 100)
	name := key + ".jwt"
	for what, text := range map[string]string{
		"empty": "", "cut": token[:len(token)-1], "one bit": token[:200] + "x" + token[201:], "another account's": good,
		"a page": "<html>", "too long": token + string(make([]byte, 1<<20)), "zeros": string(make([]byte, 1000)),
	} {
		for _, running := range []bool{false, true} {
			t.Run(what, func(t *testing.T) {
				dir := t.TempDir()
				write(t, dir, resolvertest.Account(t, 2)+".jwt", good)
				if running {
					write(t, dir, name, token)
				} else {
					write(t, dir, name, text)
				}
				s := open(t, dir, full.Options{})
				if running {
					resolvertest.Holds(t, s, token, good)
					write(t, dir, name, text)
				}
				_, err := s.Resolve(t.Context(), key)
				require.ErrorIs(t, err, full.ErrFault)
				require.ErrorIs(t, err, resolver.ErrUnavailable)
				require.NotErrorIs(t, err, resolver.ErrNotFound)
				resolvertest.Holds(t, s, good)
				faults := s.Faults()
				require.Len(t, faults, 1)
				require.Equal(t, name, faults[0].File)
				require.ErrorIs(t, faults[0].Err, full.ErrFault)
				require.Equal(t, text, read(t, dir, name))

				save(t, s, token)
				resolvertest.Holds(t, s, token, good)
				require.Empty(t, s.Faults())
				require.Equal(t, text, read(t, dir, name+".aside"))
			})
		}
	}
}

// TestAsideIsNumbered: what is aside stays, too.
func TestAsideIsNumbered(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, full.Options{})
	name := resolvertest.Account(t, 1) + ".jwt"
	require.NoError(t, os.Mkdir(filepath.Join(dir, name+".aside"), 0o750))
	for n, want := range []string{".aside.1", ".aside.2"} {
		write(t, dir, name, "bad "+want)
		save(t, s, resolvertest.Token(t, 1, int64(100+n)))
		require.Equal(t, "bad "+want, read(t, dir, name+want))
	}
	resolvertest.Holds(t, s, resolvertest.Token(t, 1, 101))
}

// TestLinks: a link that leads out of the directory is no token, and goes aside as such.
func TestLinks(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	token := resolvertest.Token(t, 1, 100)
	write(t, other, "x.jwt", token)
	name := resolvertest.Account(t, 1) + ".jwt"
	if err := os.Symlink(filepath.Join(other, "x.jwt"), filepath.Join(dir, name)); err != nil {
		t.Skip(err)
	}
	s := open(t, dir, full.Options{})
	_, err := s.Resolve(t.Context(), resolvertest.Account(t, 1))
	require.ErrorIs(t, err, full.ErrFault)
	save(t, s, resolvertest.Token(t, 1, 50))
	resolvertest.Holds(t, s, resolvertest.Token(t, 1, 50))
	require.Equal(t, token, read(t, other, "x.jwt"))
}

// TestLinksToNowhere: who has the name of a file has no token, which is not that there is none.
func TestLinksToNowhere(t *testing.T) {
	token, key := resolvertest.Token(t, 1, 100), resolvertest.Account(t, 1)
	for _, running := range []bool{false, true} {
		for _, target := range []string{"gone", "gone/token.jwt", key + ".jwt"} {
			t.Run(target, func(t *testing.T) {
				dir := t.TempDir()
				name := filepath.Join(dir, key+".jwt")
				link := func() {
					if err := os.Symlink(target, name); err != nil {
						t.Skip(err)
					}
				}
				if !running {
					link()
				}
				s := open(t, dir, full.Options{Delete: full.DeleteHard})
				if running {
					save(t, s, token)
					require.NoError(t, os.Remove(name))
					link()
				}
				_, err := s.Resolve(t.Context(), key)
				require.ErrorIs(t, err, full.ErrFault)
				require.False(t, resolver.IsNotFound(err))
				require.Len(t, s.Faults(), 1)
				save(t, s, token)
				resolvertest.Holds(t, s, token)
				require.Empty(t, s.Faults())
				there, err := os.Readlink(name + ".aside")
				require.NoError(t, err)
				require.Equal(t, target, there)

				require.NoError(t, os.Remove(name))
				_, err = s.Resolve(t.Context(), key)
				require.True(t, resolver.IsNotFound(err), "no name, no token")
			})
		}
	}
}

// TestB5SaveLooksAtTheFile: what Save takes for unchanged is there.
func TestB5SaveLooksAtTheFile(t *testing.T) {
	older, newer := resolvertest.Token(t, 1, 100), resolvertest.Token(t, 1, 101)
	require.Len(t, older, len(newer))
	for _, mode := range []resolver.Mode{resolver.Push, resolver.Merge, resolver.Override} {
		t.Run(mode.String(), func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, dir, full.Options{})
			save(t, s, newer)
			for _, bad := range []string{older, newer[:300] + "x" + newer[301:], newer + "x", ""} {
				write(t, dir, resolvertest.Account(t, 1)+".jwt", bad)
				changed, err := s.Save(t.Context(), newer, mode)
				require.NoError(t, err)
				require.True(t, changed)
				require.Equal(t, newer, read(t, dir, resolvertest.Account(t, 1)+".jwt"))
			}
		})
	}
}

// TestExpiryThatFails is tried again after a while, and not for whoever asks for anything.
func TestExpiryThatFails(t *testing.T) {
	var now atomic.Int64
	dir := t.TempDir()
	s := open(t, dir, full.Options{Delete: full.DeleteRename, Clock: func() time.Time { return time.Unix(now.Load(), 0) }})
	save(t, s, resolvertest.Token(t, 1, 100, resolvertest.Expires(2000)))
	gone := resolvertest.Account(t, 1) + ".jwt.deleted"
	write(t, filepath.Join(dir, gone), "full", "x")
	size := func() int { return len(read(t, dir, ".natsauth.marks")) }
	now.Store(2000)
	_, err := s.Resolve(t.Context(), resolvertest.Account(t, 2))
	require.ErrorIs(t, err, resolver.ErrNotFound)
	before := size()
	for range 50 {
		now.Add(60)
		_, err := s.Resolve(t.Context(), resolvertest.Account(t, 2))
		require.ErrorIs(t, err, resolver.ErrNotFound)
	}
	require.Equal(t, before, size())
	require.NoError(t, os.RemoveAll(filepath.Join(dir, gone)))
	now.Add(60)
	resolvertest.Holds(t, s)
}

// TestForeignFiles are left alone.
func TestForeignFiles(t *testing.T) {
	dir := t.TempDir()
	key, token := resolvertest.Account(t, 1), resolvertest.Token(t, 1, 100)
	files := map[string]bool{ // whether it is a fault
		"operator.jwt": true, "x.jwt": true, resolvertest.Operator(t) + ".jwt": true, key[len(key)-2:] + "/" + key + ".jwt": true,
		".backup.jwt2024": false, "." + key + ".jwt": false, "." + key + ".jwtx1": false, "." + key + ".jwt.1": false, ".x.jwt1": false,
		"." + resolvertest.Operator(t) + ".jwt7": false, "..natsauth.index": false, "..natsauth.other1": false, ".natsauth.index7": false,
		"notes.txt": false, key + ".jwt.deleted": false, key + ".jwt.aside": false, ".hidden/x.jwt": false,
	}
	for name := range files {
		write(t, dir, name, token)
	}
	left := []string{"." + key + ".jwt1234", "..natsauth.index1", "..natsauth.marks99"}
	for _, name := range left {
		write(t, dir, name, token[:10])
	}
	s := open(t, dir, full.Options{})
	resolvertest.Holds(t, s)
	var got []string
	for _, f := range s.Faults() {
		got = append(got, f.File)
	}
	for name, fault := range files {
		require.Equal(t, fault, slices.Contains(got, name), name)
		require.Equal(t, token, read(t, dir, name))
	}
	for _, name := range left {
		require.NoFileExists(t, filepath.Join(dir, name), "what a write left behind that did not come to its end")
	}
	require.NoError(t, os.Remove(filepath.Join(dir, "x.jwt")))
	_, err := s.Reload(t.Context())
	require.NoError(t, err)
	require.Len(t, s.Faults(), 3)
}

// TestLeftoversOfShards are in the directory, or in the folder of the file, and of no other.
func TestLeftoversOfShards(t *testing.T) {
	dir, key := t.TempDir(), resolvertest.Account(t, 1)
	name, shard := "."+key+".jwt1", key[len(key)-2:]
	for _, folder := range []string{"", shard, "XX"} {
		write(t, dir, filepath.Join(folder, name), "x")
	}
	require.NotEqual(t, "XX", shard)
	open(t, dir, full.Options{Sharded: true})
	require.NoFileExists(t, filepath.Join(dir, name))
	require.NoFileExists(t, filepath.Join(dir, shard, name))
	require.FileExists(t, filepath.Join(dir, "XX", name))
}

// TestF112OthersWriteThere: what others do in the directory is seen when the account is asked for, and by Reload; the
// hash is that of what is there.
func TestF112OthersWriteThere(t *testing.T) {
	file := func(n int) string { return resolvertest.Account(t, n) + ".jwt" }
	lesser, greater := resolvertest.Twins(t, 1, 100)
	for _, row := range []struct {
		name    string
		does    func(t *testing.T, dir string)
		want    []string
		changed bool
	}{
		{"nothing", func(*testing.T, string) {}, []string{greater}, false},
		{"the same, later", func(t *testing.T, dir string) { write(t, dir, file(1), greater) }, []string{greater}, false},
		{"the same in another spelling", func(t *testing.T, dir string) { write(t, dir, file(1), greater+"\n") }, []string{greater}, false},
		{"another token", func(t *testing.T, dir string) { write(t, dir, file(1), lesser) }, []string{lesser}, true},
		{"an older one", func(t *testing.T, dir string) { write(t, dir, file(1), resolvertest.Token(t, 1, 50)) }, []string{resolvertest.Token(t, 1, 50)}, true},
		{"none", func(t *testing.T, dir string) { require.NoError(t, os.Remove(filepath.Join(dir, file(1)))) }, nil, true},
	} {
		for _, asked := range []bool{true, false} {
			t.Run(row.name, func(t *testing.T) {
				dir := t.TempDir()
				s := open(t, dir, full.Options{})
				save(t, s, greater)
				row.does(t, dir)
				if asked {
					token, err := s.Resolve(t.Context(), resolvertest.Account(t, 1))
					if row.want == nil {
						require.ErrorIs(t, err, resolver.ErrNotFound)
					} else {
						require.NoError(t, err)
						require.Equal(t, row.want[0], token)
					}
				} else {
					changed, err := s.Reload(t.Context())
					require.NoError(t, err)
					require.Equal(t, row.changed, len(changed) == 1)
				}
				resolvertest.Holds(t, s, row.want...)
			})
		}
	}
	t.Run("one that is new", func(t *testing.T) {
		dir := t.TempDir()
		s := open(t, dir, full.Options{})
		write(t, dir, file(1), greater)
		write(t, dir, file(2), resolvertest.Token(t, 2, 1))
		got, err := s.Resolve(t.Context(), resolvertest.Account(t, 1))
		require.NoError(t, err)
		require.Equal(t, greater, got)
		resolvertest.Holds(t, s, greater)
		changed, err := s.Reload(t.Context())
		require.NoError(t, err)
		require.Equal(t, []string{resolvertest.Account(t, 2)}, changed)
		resolvertest.Holds(t, s, greater, resolvertest.Token(t, 2, 1))
	})
}

// TestWatcher: the store keeps the promises of every watcher.
func TestWatcher(t *testing.T) {
	resolvertest.RunWatcher(t, func(t *testing.T) (resolver.Watcher, func(string)) {
		dir := t.TempDir()
		return open(t, dir, full.Options{Rescan: 5 * time.Millisecond}), func(token string) {
			read, err := resolver.ReadToken(token)
			require.NoError(t, err)
			write(t, dir, read.Account+".jwt", token)
		}
	})
}

// TestWatch tells what others write: at once where it is asked for, and each Rescan.
func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		s, err := full.Open(dir, full.Options{Rescan: time.Hour})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		told, ended := make(chan string, 10), make(chan error, 1)
		go func() { ended <- s.Watch(ctx, func(account string) { told <- account }) }()
		require.Empty(t, <-told)
		save(t, s, resolvertest.Token(t, 1, 100))
		write(t, dir, resolvertest.Account(t, 2)+".jwt", resolvertest.Token(t, 2, 100))
		write(t, dir, resolvertest.Account(t, 3)+".jwt", resolvertest.Token(t, 3, 100))
		synctest.Wait()
		require.Empty(t, told)
		_, err = s.Resolve(t.Context(), resolvertest.Account(t, 2))
		require.NoError(t, err)
		require.Equal(t, resolvertest.Account(t, 2), <-told)
		began := time.Now()
		require.Equal(t, resolvertest.Account(t, 3), <-told)
		require.Equal(t, time.Hour, time.Since(began))
		cancel()
		require.ErrorIs(t, <-ended, context.Canceled)

		go func() { ended <- s.Watch(t.Context(), func(account string) { told <- account }) }()
		require.Empty(t, <-told)
		require.NoError(t, s.Close())
		require.ErrorIs(t, <-ended, full.ErrClosed)
		require.Empty(t, told)
	})
}

// TestInUse: a directory is one store's.
func TestInUse(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, full.Options{})
	_, err := full.Open(dir, full.Options{})
	require.ErrorIs(t, err, full.ErrInUse)
	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
	open(t, dir, full.Options{})
}

// TestUnusable: stores that are none, and that are none any more.
func TestUnusable(t *testing.T) {
	closed := open(t, t.TempDir(), full.Options{Delete: full.DeleteHard})
	require.NoError(t, closed.Close())
	for _, s := range []*full.Store{nil, {}, closed} {
		_, resolving := s.Resolve(t.Context(), resolvertest.Account(t, 1))
		changed, saving := s.Save(t.Context(), resolvertest.Token(t, 1, 1), resolver.Push)
		require.False(t, changed)
		_, hashing := s.Hash(t.Context())
		_, reloading := s.Reload(t.Context())
		errs := []error{resolving, saving, hashing, reloading, s.Delete(t.Context(), resolvertest.Account(t, 1)), s.Watch(t.Context(), nil)}
		for _, err := range s.Accounts(t.Context()) {
			errs = append(errs, err)
		}
		for _, err := range s.Tokens(t.Context()) {
			errs = append(errs, err)
		}
		require.Len(t, errs, 8)
		for _, err := range errs {
			require.ErrorIs(t, err, resolver.ErrUnavailable)
			require.Equal(t, s == closed, err != nil && s == closed && closedBy(err))
		}
		require.NoError(t, s.Close())
	}
	_, err := full.Open("", full.Options{})
	require.Error(t, err)
	file := filepath.Join(t.TempDir(), "file")
	write(t, filepath.Dir(file), "file", "")
	_, err = full.Open(file, full.Options{})
	require.Error(t, err)
}

func closedBy(err error) bool { return errors.Is(err, full.ErrClosed) }

// TestTokens gives what asking for each comes to.
func TestTokens(t *testing.T) {
	const accounts = 600
	dir := t.TempDir()
	s := open(t, dir, full.Options{Delete: full.DeleteHard})
	want := make(map[string]string)
	for n := range accounts {
		token := resolvertest.Token(t, n, 100)
		want[resolvertest.Account(t, n)] = token
		write(t, dir, resolvertest.Account(t, n)+".jwt", token)
	}
	_, err := s.Reload(t.Context())
	require.NoError(t, err)
	var got []resolver.Held
	for held, err := range s.Tokens(t.Context()) {
		require.NoError(t, err)
		got = append(got, held)
		if len(got) == 1 { // what goes in the meantime is left out
			last := slices.Sorted(maps.Keys(want))[accounts-1]
			require.NoError(t, s.Delete(t.Context(), last))
			delete(want, last)
			middle := slices.Sorted(maps.Keys(want))[accounts/2]
			write(t, dir, middle+".jwt", "no token")
			delete(want, middle)
		}
	}
	i := 0
	for _, key := range slices.Sorted(maps.Keys(want)) {
		require.Equal(t, resolver.Held{Account: key, Token: want[key]}, got[i])
		i++
	}
	require.Len(t, got, i)
}
