package full

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/resolver/resolvertest"
)

// FuzzIndex: whatever is in the file of the index, it is refused, or is what is written of it.
func FuzzIndex(f *testing.F) {
	f.Add([]byte(nil))
	f.Add(encodeIndex(nil))
	f.Add(encodeIndex([]entry{{key: rawKey{1}, expires: 5, size: 6, changed: 7}, {key: rawKey{2}}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		entries, err := decodeIndex(data)
		if err == nil {
			require.Equal(t, data, encodeIndex(entries))
		}
	})
}

// FuzzMarks: whatever is in the file of the marks, those that can be read are, and one that is written after it, too.
func FuzzMarks(f *testing.F) {
	key := resolvertest.Account(f, 1)
	f.Add([]byte(nil))
	f.Add([]byte(key + " 5 " + checksum(key+" 5") + "\n"))
	f.Add([]byte(key + " 5 " + checksum(key+" 5") + "\n" + key + " 7"))
	f.Add([]byte(key + " 5 evicted " + checksum(key+" 5 evicted") + "\n"))
	f.Add([]byte(key + " -3 " + checksum(key+" -3") + "\n"))
	f.Add([]byte("\n\n  \n\x00"))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := openDirectory(dir)
		require.NoError(t, err)
		defer d.close()
		require.NoError(t, d.root.WriteFile(marksFile, data, 0o600))
		m, err := loadMarks(d)
		require.NoError(t, err)
		k, _ := parseKey(key)
		for _, evicted := range []bool{true, false, true} {
			require.NoError(t, m.write(d, k, mark{issuedAt: -3, evicted: evicted}))
			again, err := loadMarks(d)
			require.NoError(t, err)
			require.Equal(t, int64(-3), again.byKey[k].issuedAt)
			require.Equal(t, evicted, again.byKey[k].evicted)
			require.Len(t, again.byKey, len(m.byKey))
		}
	})
}

// FuzzFile: whatever is in the file of an account, it is its token or set aside, and stays.
func FuzzFile(f *testing.F) {
	good := resolvertest.Token(f, 1, 100)
	for _, s := range []string{"", good, good + "\n", good[:50], resolvertest.Token(f, 2, 100), resolvertest.Respelt(good)} {
		f.Add([]byte(s))
	}
	o, err := Options{Clock: later}.checked()
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, data []byte) {
		d := newScene(t, t.TempDir())
		k, _ := parseKey(resolvertest.Account(t, 1))
		require.NoError(t, d.root.WriteFile(o.file(k), data, 0o600))
		s := on(t, d, o)
		token, err := s.Resolve(t.Context(), k.String())
		if err == nil {
			resolvertest.Holds(t, s, token)
		} else {
			require.ErrorIs(t, err, ErrFault)
			resolvertest.Holds(t, s)
		}
		subject(string(data))
		after, err := os.ReadFile(d.root.Name() + "/" + o.file(k))
		require.NoError(t, err)
		require.Equal(t, string(data), string(after))
	})
}
