package auth_test

import (
	"sync"
	"time"

	"github.com/natsauth/natsauth/auth"
)

// clock is a time that a test moves by hand. It begins with this second, for
// tokens are stamped by the real one, in seconds.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Now().Truncate(time.Second)} }

func (c *clock) use(config *auth.Config) { config.Clock = c.read }

func (c *clock) read() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}
