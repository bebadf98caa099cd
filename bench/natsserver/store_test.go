package natsserver_test

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"math"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/bench/internal/measure"
	"github.com/natsauth/natsauth/resolver"
	"github.com/natsauth/natsauth/resolver/full"
	"github.com/natsauth/natsauth/resolver/resolvertest"
)

var stored = flag.Int("stored", 2_000, "accounts of BenchmarkStore; the goal speaks of 100000")

// library is a directory of account tokens.
type library struct {
	keys, tokens []string
}

func newLibrary(tb testing.TB, n int) library {
	var l library
	operator, err := nkeys.CreateOperator()
	require.NoError(tb, err)
	for range n {
		account, err := nkeys.CreateAccount()
		require.NoError(tb, err)
		key, err := account.PublicKey()
		require.NoError(tb, err)
		token, err := jwt.NewAccountClaims(key).Encode(operator)
		require.NoError(tb, err)
		l.keys, l.tokens = append(l.keys, key), append(l.tokens, token)
	}
	return l
}

func (l library) theirs(tb testing.TB, dir string) *server.DirJWTStore {
	s, err := server.NewExpiringDirJWTStore(dir, false, true, server.HardDelete, time.Hour, math.MaxInt64, false, 0, func(string) {})
	require.NoError(tb, err)
	return s
}

func (l library) ours(tb testing.TB, dir string) *full.Store {
	s, err := full.Open(dir, full.Options{Delete: full.DeleteHard})
	require.NoError(tb, err)
	return s
}

// summing is the least that tells whether the tokens of a directory are what they were: the sum of each file.
func (l library) summing(tb testing.TB, dir string) func() {
	if runtime.GOOS != "linux" {
		return nil
	}
	folder, err := os.Open(dir)
	require.NoError(tb, err)
	tb.Cleanup(func() { folder.Close() })
	fd, buf := int(folder.Fd()), make([]byte, 8<<10)
	return func() {
		for _, key := range l.keys {
			n, err := bare(fd, key+".jwt", buf)
			if err != nil {
				tb.Fatal(err)
			}
			sha256.Sum256(buf[:n])
		}
	}
}

// looking is the least that tells whether a token is held and its file is there: its sum and a look at the file.
func (l library) looking(tb testing.TB, dir string) func() {
	return func() {
		for i, key := range l.keys {
			sha256.Sum256([]byte(l.tokens[i]))
			if _, err := os.Lstat(dir + "/" + key + ".jwt"); err != nil {
				tb.Fatal(err)
			}
		}
	}
}

// BenchmarkStore is what a directory of tokens costs that do not change: P9. Beside it is what part of the work costs that no
// way around it saves.
func BenchmarkStore(b *testing.B) {
	l := newLibrary(b, *stored)
	theirDir, ourDir := b.TempDir(), b.TempDir()
	theirs := l.theirs(b, theirDir)
	for i, key := range l.keys {
		require.NoError(b, theirs.SaveAcc(key, l.tokens[i]))
		require.NoError(b, os.WriteFile(ourDir+"/"+key+".jwt", []byte(l.tokens[i]), 0o600))
	}
	time.Sleep(3 * time.Second) // a file that was written just now is read again
	ours := l.ours(b, ourDir)
	require.NoError(b, ours.Close())
	ours = l.ours(b, ourDir)
	pack, err := theirs.Pack(-1)
	require.NoError(b, err)
	ctx := b.Context()
	saveAll := func(m resolver.Mode) {
		for _, token := range l.tokens {
			if changed, err := ours.Save(ctx, token, m); changed || err != nil {
				b.Fatal(changed, err)
			}
		}
	}
	for _, row := range []struct {
		what         string
		theirs, ours func()
		least        string
		floor        func() // nil: it is not measured
	}{
		{"open", func() { l.theirs(b, theirDir).Close() }, func() {
			require.NoError(b, ours.Close())
			ours = l.ours(b, ourDir)
		}, "", nil},
		{"save unchanged", func() {
			for i, key := range l.keys {
				if err := theirs.SaveAcc(key, l.tokens[i]); err != nil {
					b.Fatal(err)
				}
			}
		}, func() { saveAll(resolver.Push) }, "a sum and a stat", l.looking(b, ourDir)},
		{"pack", func() { // as each sends it: a message a token
			sent := 0
			require.NoError(b, theirs.PackWalk(1, func(m string) { sent += len(m) }))
			require.Equal(b, len(pack)-*stored+1, sent)
		}, func() {
			sent := 0
			for held, err := range ours.Tokens(ctx) {
				if err != nil {
					b.Fatal(err)
				}
				sent += len([]byte(held.Account + "|" + held.Token))
			}
			require.Equal(b, len(pack)-*stored+1, sent)
		}, "to open, read and close a file, and its sum", l.summing(b, ourDir)},
		{"merge unchanged", func() { require.NoError(b, theirs.Merge(pack)) }, func() { saveAll(resolver.Merge) }, "", nil},
	} {
		b.Run(row.what, func(b *testing.B) {
			sides := []measure.Side{
				{Name: "theirs", Run: func(n int) { times(n, row.theirs) }},
				{Name: "ours", Run: func(n int) { times(n, row.ours) }},
			}
			if row.floor != nil {
				sides = append(sides, measure.Side{Name: "floor", Run: func(n int) { times(n, row.floor) }})
			}
			m := measure.New(measure.Verify(), sides...)
			for b.Loop() {
				if m.Rounds() < 10 {
					m.Round()
				}
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(m.Factor(0, 1), "x")
			what := fmt.Sprintf("directory of %d tokens, %s: ", *stored, row.what)
			each := float64(*stored)
			report.Tell(
				measure.Row{ID: "P9", What: what + "reference, each token", Got: m.Ratio(0) / each, Unit: "u"},
				measure.Row{ID: "P9", What: what + "ours, each token", Got: m.Ratio(1) / each, Unit: "u"},
				factor("P9", what+"reference in terms of ours", m.Factor(0, 1), 10, 0),
			)
			if row.floor != nil {
				report.Tell(
					measure.Row{ID: "P9", What: what + row.least + ", each token", Got: m.Ratio(2) / each, Unit: "u"},
					factor("P9", what+"reference in terms of that", m.Factor(0, 2), 0, 0),
				)
			}
		})
	}
	require.NoError(b, ours.Close())
	theirs.Close()
}

func times(n int, f func()) {
	for range n {
		f()
	}
}

// TestOneDirectoryForBoth: what one writes the other opens, with the same hash (F108, F113).
func TestOneDirectoryForBoth(t *testing.T) {
	l := newLibrary(t, 20)
	for _, sharded := range []bool{false, true} {
		dir := t.TempDir()
		theirs := func() *server.DirJWTStore {
			s, err := server.NewExpiringDirJWTStore(dir, sharded, true, server.RenameDeleted, time.Hour, math.MaxInt64, false, 0, func(string) {})
			require.NoError(t, err)
			return s
		}
		ours := func() *full.Store {
			s, err := full.Open(dir, full.Options{Delete: full.DeleteRename, Sharded: sharded})
			require.NoError(t, err)
			return s
		}
		a := theirs()
		for i, key := range l.keys[:10] {
			require.NoError(t, a.SaveAcc(key, l.tokens[i]))
		}
		hash := a.Hash()
		a.Close()
		b := ours()
		require.Empty(t, b.Faults())
		got, err := b.Hash(t.Context())
		require.NoError(t, err)
		require.Equal(t, hash, got)
		resolvertest.Holds(t, b, l.tokens[:10]...)
		for _, token := range l.tokens[10:] {
			_, err := b.Save(t.Context(), token, resolver.Push)
			require.NoError(t, err)
		}
		require.NoError(t, b.Delete(t.Context(), l.keys[0]))
		got, err = b.Hash(t.Context())
		require.NoError(t, err)
		require.NoError(t, b.Close())
		a = theirs()
		require.Equal(t, got, a.Hash())
		for i, key := range l.keys {
			token, err := a.LoadAcc(key)
			if i == 0 {
				require.Error(t, err)
				continue
			}
			require.NoError(t, err)
			require.Equal(t, l.tokens[i], token)
		}
		a.Close()
	}
}
