package natsserver_test

import (
	"flag"
	"fmt"
	"math"
	"os"
	"strings"
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

// BenchmarkStore is what a directory of tokens costs that do not change: P9.
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
	}{
		{"open", func() { l.theirs(b, theirDir).Close() }, func() {
			require.NoError(b, ours.Close())
			ours = l.ours(b, ourDir)
		}},
		{"save unchanged", func() {
			for i, key := range l.keys {
				if err := theirs.SaveAcc(key, l.tokens[i]); err != nil {
					b.Fatal(err)
				}
			}
		}, func() { saveAll(resolver.Push) }},
		{"pack", func() {
			_, err := theirs.Pack(-1)
			require.NoError(b, err)
		}, func() {
			var out strings.Builder
			i := 0
			for token, err := range ours.Tokens(ctx) {
				require.NoError(b, err)
				out.WriteString(l.keys[i] + "|" + token + "\n")
				i++
			}
			require.Len(b, l.tokens, i)
		}},
		{"merge unchanged", func() { require.NoError(b, theirs.Merge(pack)) }, func() { saveAll(resolver.Merge) }},
	} {
		b.Run(row.what, func(b *testing.B) {
			m := measure.New(measure.Verify(),
				measure.Side{Name: "theirs", Run: func(n int) { times(n, row.theirs) }},
				measure.Side{Name: "ours", Run: func(n int) { times(n, row.ours) }})
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
