package peer

import (
	"fmt"
	"sync"
)

// fatal is a nats-server logger that keeps what made the server give up and drops
// the rest. It may be used by several goroutines.
type fatal struct {
	mu   sync.Mutex
	said string // guarded by mu
}

func (f *fatal) Fatalf(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.said += fmt.Sprintf(format, args...) + "\n"
}

func (f *fatal) text() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.said
}

func (*fatal) Noticef(string, ...any) {}
func (*fatal) Warnf(string, ...any)   {}
func (*fatal) Errorf(string, ...any)  {}
func (*fatal) Debugf(string, ...any)  {}
func (*fatal) Tracef(string, ...any)  {}
