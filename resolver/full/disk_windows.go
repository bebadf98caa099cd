package full

import (
	"errors"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"strconv"
)

const nonblock = 0

// replace is that of renameio, which is not for Windows.
func (d directory) replace(name string, data []byte) error {
	next := path.Join(path.Dir(name), "."+path.Base(name)+strconv.FormatUint(rand.Uint64(), 10)) //nolint:gosec // G404: a name that nobody has, not a secret
	f, err := d.root.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = d.root.Rename(next, name)
	}
	if err != nil {
		return errors.Join(err, d.root.Remove(next))
	}
	return nil
}

// syncFolder does nothing: Windows has no such thing, and orders what it writes of a folder itself.
func syncFolder(*os.File) error { return nil }

// lock has the directory for this store alone: a file that is open, and not by a root, cannot be removed there.
func (d directory) lock(name string) (*os.File, error) {
	name = filepath.Join(d.root.Name(), name)
	if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, errors.Join(ErrInUse, err)
	}
	return os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, fileMode) //nolint:gosec // G304: the name is ours
}
