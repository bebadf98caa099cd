package full

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/claims"
)

// TestPeek: whole files, whatever room the buffer has.
func TestPeek(t *testing.T) {
	const room = 64
	d := newScene(t, t.TempDir())
	defer d.close()
	require.NoError(t, d.root.Mkdir("AB", folderMode))
	for _, row := range []struct {
		name string
		size int
		err  error
	}{
		{"empty", 0, nil},
		{"a byte less than there is room for", room - 1, nil},
		{"as much as there is room for", room, nil},
		{"a byte more", room + 1, nil},
		{"much more", 100 * room, nil},
		{"the largest token", claims.MaxTokenSize, nil},
		{"a byte more than the largest token", claims.MaxTokenSize + 1, errTooLong},
	} {
		t.Run(row.name, func(t *testing.T) {
			want := make([]byte, row.size)
			for i := range want {
				want[i] = byte(i * 7)
			}
			for _, name := range []string{"x", "AB/x"} {
				require.NoError(t, d.root.WriteFile(name, want, fileMode))
				got, err := d.peek(name, make([]byte, room))
				require.ErrorIs(t, err, row.err)
				if row.err == nil {
					require.Equal(t, want, got)
				} else {
					require.Nil(t, got)
				}
			}
		})
	}
	for _, name := range []string{"none", "AB/none", "CD/none"} {
		_, err := d.peek(name, make([]byte, room))
		require.ErrorIs(t, err, fs.ErrNotExist)
	}
	_, err := d.peek("AB", make([]byte, room))
	require.Error(t, err, "a folder")
}

// TestPeekLeadsNowhere: no link leads out of the directory.
func TestPeekLeadsNowhere(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(other, "x"), []byte("x"), fileMode))
	for from, to := range map[string]string{"x": filepath.Join(other, "x"), "AB": other} {
		if err := os.Symlink(to, filepath.Join(dir, from)); err != nil {
			t.Skip(err)
		}
	}
	d := newScene(t, dir)
	defer d.close()
	for _, name := range []string{"x", "AB/x"} {
		_, err := d.peek(name, make([]byte, 64))
		require.Error(t, err, name)
		require.NotErrorIs(t, err, fs.ErrNotExist)
	}
}

// TestPeekAfterClose: the descriptor is not used any more, whosever its number is then.
func TestPeekAfterClose(t *testing.T) {
	d := newScene(t, t.TempDir())
	require.NoError(t, d.root.WriteFile("x", []byte("x"), fileMode))
	require.NoError(t, d.close())
	_, err := d.peek("x", make([]byte, 64))
	require.Error(t, err)
}
