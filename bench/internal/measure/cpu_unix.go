//go:build unix

package measure

import (
	"syscall"
	"time"
)

// cpu is the CPU time of the process so far, all its threads together.
func cpu() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		panic(err) // it has no other error than a wrong argument
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
