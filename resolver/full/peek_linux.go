package full

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"github.com/natsauth/natsauth/claims"
)

// short is a short way to the files of a directory, by its own descriptor: no file is registered with the runtime's
// poller, and none is asked for its size.
type short struct {
	folder *os.File
	conn   syscall.RawConn
}

func newShort(root *os.Root) (short, error) {
	folder, err := root.Open(".")
	if err != nil {
		return short{}, err
	}
	conn, err := folder.SyscallConn()
	if err != nil {
		return short{}, errors.Join(err, folder.Close())
	}
	return short{folder, conn}, nil
}

func (s short) close() error { return s.folder.Close() }

// peek reads through the descriptor, which stays open meanwhile. It follows no link.
func (d directory) peek(name string, buf []byte) ([]byte, error) {
	var data []byte
	var err error
	closed := d.short.conn.Control(func(fd uintptr) { data, err = peekAt(int(fd), name, buf) })
	if err = errors.Join(closed, err); err != nil {
		return nil, &fs.PathError{Op: "read", Path: name, Err: err}
	}
	return data, nil
}

// peekAt is peek in the folder of a descriptor. Only its last folder and the file itself are looked up, each by a name of
// its own.
func peekAt(fd int, name string, buf []byte) ([]byte, error) {
	if folder, file, ok := strings.Cut(name, "/"); ok {
		sub, err := openAt(fd, folder, syscall.O_DIRECTORY)
		if err != nil {
			return nil, err
		}
		defer syscall.Close(sub) //nolint:errcheck // it was only read
		fd, name = sub, file
	}
	f, err := openAt(fd, name, nonblock)
	if err != nil {
		return nil, err
	}
	defer syscall.Close(f) //nolint:errcheck // it was only read
	return readAll(f, buf)
}

func openAt(fd int, name string, flags int) (int, error) {
	return again(func() (int, error) {
		return syscall.Openat(fd, name, syscall.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_CLOEXEC|flags, 0)
	})
}

// readAll reads into the buffer, and into a larger one as long as it gets full: a read that does not fill it was the last.
func readAll(f int, buf []byte) ([]byte, error) {
	for n := 0; ; {
		got, err := again(func() (int, error) { return syscall.Read(f, buf[n:]) })
		if err != nil {
			return nil, err
		}
		if n += got; n > claims.MaxTokenSize {
			return nil, errTooLong
		}
		if n < len(buf) {
			return buf[:n], nil
		}
		buf = append(buf, make([]byte, len(buf))...)
	}
}

// again repeats what a signal has interrupted.
func again(f func() (int, error)) (int, error) {
	for {
		if n, err := f(); err != syscall.EINTR { //nolint:errorlint // a bare number of the system
			return n, err
		}
	}
}
