package full

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// disk is what the store does to files. All names are inside one directory, separated by slashes. Tests put faults
// between.
type disk interface {
	// read gives a file's content and what the file system says of it. One of more than limit bytes is errTooLong.
	read(name string, limit int64) ([]byte, fs.FileInfo, error)
	// peek gives what a file holds, in buf if there is room, and as fast as the system allows. It says nothing of what the
	// file is, and may give an error where read has none: whoever asks knows the sum of what should be there.
	peek(name string, buf []byte) ([]byte, error)
	stat(name string) (fs.FileInfo, error)
	// list gives the names in a folder.
	list(folder string) ([]string, error)
	// replace puts a whole file in the place of what is there, or fails and leaves what is there.
	replace(name string, data []byte) error
	// extend adds to the end of a file and waits until that is on the disk.
	extend(name string, data []byte) error
	// link gives a file a second name, if nothing has it. There are systems, and things, for which that cannot be.
	link(from, to string) error
	rename(from, to string) error
	remove(name string) error
	// settle waits until what was renamed and removed in a folder is on the disk.
	settle(folder string) error
	// folder makes a folder, if there is none.
	folder(name string) (made bool, err error)
	close() error
}

var errTooLong = errors.New("the file is too long for a token")

// directory is the disk of a real directory. Nothing leads out of it: no name, no link.
type directory struct {
	root  *os.Root
	short short
}

// Permissions as those of nats-server v2.15 server/dirstore.go.
const (
	folderMode = 0o750
	fileMode   = 0o640
)

// openDirectory makes the directory if there is none.
func openDirectory(name string) (directory, error) {
	if name == "" {
		return directory{}, errors.New("full: no directory is named")
	}
	if err := os.MkdirAll(name, folderMode); err != nil {
		return directory{}, fmt.Errorf("full: %w", err)
	}
	root, err := os.OpenRoot(name)
	if err != nil {
		return directory{}, fmt.Errorf("full: %w", err)
	}
	short, err := newShort(root)
	if err != nil {
		return directory{}, errors.Join(fmt.Errorf("full: %w", err), root.Close())
	}
	return directory{root, short}, nil
}

func (d directory) read(name string, limit int64) ([]byte, fs.FileInfo, error) {
	f, err := d.root.OpenFile(name, os.O_RDONLY|nonblock, 0)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close() //nolint:errcheck // it was only read
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, nil, err
	case !info.Mode().IsRegular():
		return nil, info, errors.New("it is no regular file")
	case info.Size() > limit:
		return nil, info, errTooLong
	}
	data := make([]byte, info.Size()) // what is written in this moment is nobody's token yet
	if _, err := io.ReadFull(f, data); err != nil {
		return nil, nil, err
	}
	return data, info, nil
}

func (d directory) stat(name string) (fs.FileInfo, error) { return d.root.Lstat(name) }

func (d directory) list(folder string) ([]string, error) {
	f, err := d.root.Open(folder)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // it was only read
	return f.Readdirnames(-1)
}

func (d directory) extend(name string, data []byte) error {
	f, err := d.root.OpenFile(name, os.O_WRONLY|os.O_APPEND|os.O_CREATE, fileMode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func (d directory) link(from, to string) error   { return d.root.Link(from, to) }
func (d directory) rename(from, to string) error { return d.root.Rename(from, to) }
func (d directory) remove(name string) error     { return d.root.Remove(name) }

func (d directory) settle(folder string) error {
	f, err := d.root.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(syncFolder(f), f.Close())
}

func (d directory) folder(name string) (bool, error) {
	err := d.root.Mkdir(name, folderMode)
	if errors.Is(err, fs.ErrExist) {
		return false, nil
	}
	return err == nil, err
}

func (d directory) close() error { return errors.Join(d.short.close(), d.root.Close()) }
