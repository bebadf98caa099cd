//go:build !windows

package full

import (
	"errors"
	"os"
	"syscall"

	"github.com/google/renameio/v2"
)

// nonblock has the open of a pipe, which is no token, not wait for who writes there.
const nonblock = syscall.O_NONBLOCK

func (d directory) replace(name string, data []byte) error {
	f, err := renameio.NewPendingFile(name, renameio.WithRoot(d.root), renameio.WithPermissions(fileMode))
	if err != nil {
		return err
	}
	if _, err := f.Write(data); err != nil {
		return errors.Join(err, f.Cleanup())
	}
	if err := f.CloseAtomicallyReplace(); err != nil {
		return errors.Join(err, f.Cleanup())
	}
	return nil
}

func syncFolder(f *os.File) error { return f.Sync() }

// lock has the directory for this store alone, until the file is closed or the process ends.
func (d directory) lock(name string) (*os.File, error) {
	f, err := d.root.OpenFile(name, os.O_RDWR|os.O_CREATE, fileMode)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = ErrInUse
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
