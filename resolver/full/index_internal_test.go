package full

import (
	"encoding/binary"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestMemoryOfAccounts: what is kept of an account that is known and not asked for (P11).
func TestMemoryOfAccounts(t *testing.T) {
	const accounts = 1_000_000
	entries := make([]entry, accounts)
	for i := range entries {
		binary.BigEndian.PutUint64(entries[i].key[:], uint64(i))
		binary.BigEndian.PutUint64(entries[i].sum[:], uint64(i))
	}
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	x := newIndex(entries)
	each := float64(heap()-before) / accounts
	runtime.KeepAlive(entries)
	t.Logf("%.1f bytes an account", each)
	require.LessOrEqual(t, each, 64.0)
	require.Equal(t, accounts, x.count)
}

// TestIndexAgreesWithABook holds an index to a map, through everything that may happen to it.
func TestIndexAgreesWithABook(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := newIndex(nil)
		var disk []entry
		book := make(map[rawKey]entry)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			k := rawKey{rapid.Byte().Draw(t, "key") % 12}
			was, held := book[k]
			var sum *[32]byte
			if held {
				sum = &was.sum
			}
			switch rapid.IntRange(0, 3).Draw(t, "step") {
			case 0:
				if held {
					x.drop(k, sum)
					delete(book, k)
				}
			case 1:
				disk = x.merged(disk)
				x = newIndex(disk)
			default:
				e := entry{key: k, sum: [32]byte{rapid.Byte().Draw(t, "sum")}, expires: int64(rapid.IntRange(0, 3).Draw(t, "end"))}
				x.put(e, sum)
				book[k] = e
			}
			requireIndex(t, x, disk, book)
		}
	})
}

func requireIndex(t *rapid.T, x *index, disk []entry, book map[rawKey]entry) {
	var hash [32]byte
	var keys []string
	next := int64(0)
	for k, e := range book {
		r, ok := x.get(k)
		require.True(t, ok)
		require.Equal(t, e.record(), r)
		hash[0] ^= e.sum[0]
		keys = append(keys, k.String())
		if e.expires != 0 && (next == 0 || e.expires < next) {
			next = e.expires
		}
	}
	slices.Sort(keys)
	require.ElementsMatch(t, keys, x.keys(0))
	require.True(t, slices.IsSorted(x.keys(0)))
	require.Equal(t, hash, x.hash)
	require.Len(t, book, x.count)
	require.True(t, x.matches(disk))
	if next != 0 { // it may look too early, and never too late
		require.NotZero(t, x.next)
		require.LessOrEqual(t, x.next, next)
	}
	merged := x.merged(disk)
	again, err := decodeIndex(encodeIndex(merged))
	require.NoError(t, err)
	require.Equal(t, merged, again)
	require.Len(t, merged, len(book))
	for _, e := range merged {
		require.Equal(t, book[e.key], e)
	}
}
