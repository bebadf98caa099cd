package natsserver_test

import "syscall"

// bare reads a file with nothing around it.
func bare(folder int, name string, buf []byte) (int, error) {
	f, err := syscall.Openat(folder, name, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	n, err := syscall.Read(f, buf)
	syscall.Close(f)
	return n, err
}
