package cache

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/natsauth/natsauth/resolver"
)

var (
	errNone    = fmt.Errorf("%w: nil or zero Cache", resolver.ErrUnavailable)
	errClosed  = fmt.Errorf("%w: cache is closed", resolver.ErrUnavailable)
	errBusy    = fmt.Errorf("%w: cache has too many questions under way", resolver.ErrUnavailable)
	errGivenUp = fmt.Errorf("%w: cache has given up waiting for an answer", resolver.ErrUnavailable)
)

// Cache is a resolver.Resolver that remembers what another one gave. The nil and the zero Cache answer
// resolver.ErrUnavailable, and forget and count nothing. A Cache may be used by several goroutines, and must not be copied.
type Cache struct {
	upstream resolver.Resolver
	options  Options
	memory   *otter.Cache[string, *entry] // by account key
	count    counters

	mu      sync.Mutex
	flights map[string]*flight   // guarded by mu; by account key: what a question may join
	running map[*flight]struct{} // guarded by mu; with those that were forgotten
	closed  bool                 // guarded by mu
	landing sync.WaitGroup       // of running
}

// New makes a Cache of r, which is asked for what is not remembered. The caller closes it. The error is about o, or says
// that r is nil.
func New(r resolver.Resolver, o Options) (*Cache, error) {
	if r == nil {
		return nil, errors.New("cache: nil Resolver")
	}
	o, err := o.filled()
	if err != nil {
		return nil, err
	}
	c := &Cache{
		upstream: r, options: o,
		flights: make(map[string]*flight), running: make(map[*flight]struct{}),
	}
	if c.memory, err = otter.New(c.bounds()); err != nil {
		return nil, fmt.Errorf("cache: %w", err)
	}
	return c, nil
}

// bounds are the memory's. It holds two bounds by one sum of weights, see [Options.Bytes], and lets go of what is gone;
// whether an entry is that is for [Cache.state] to say. It does its work in the calls that make it: nothing but its ticks
// runs beside them.
func (c *Cache) bounds() *otter.Options[string, *entry] {
	share := c.options.share()
	return &otter.Options[string, *entry]{
		MaximumWeight: uint64(c.options.room()), //nolint:gosec // G115: room is positive
		Weigher: func(_ string, e *entry) uint32 {
			return uint32(max(len(e.token), share)) //nolint:gosec // G115: neither is above claims.MaxTokenSize
		},
		ExpiryCalculator: otter.ExpiryWritingFunc(func(e otter.Entry[string, *entry]) time.Duration {
			return e.Value.kept
		}),
		OnAtomicDeletion: c.removed,
		Executor:         func(work func()) { work() },
		Clock:            clock(c.options.Clock),
		Logger:           &otter.NoopLogger{},
	}
}

// clock is [Options.Clock] for the memory.
type clock func() time.Time

// NowNano gives the time in nanoseconds since 1970.
func (c clock) NowNano() int64 { return c().UnixNano() }

// Tick tells the memory when to look for what is gone.
func (c clock) Tick(d time.Duration) <-chan time.Time { return time.Tick(d) }

// Resolve gives the token that is remembered, or what upstream gives, as it came. An error of upstream's that is not
// resolver.ErrNotFound wraps resolver.ErrUnavailable. A ctx that ends does not end the question to upstream.
func (c *Cache) Resolve(ctx context.Context, account string) (string, error) {
	if err := c.usable(ctx); err != nil {
		return "", err
	}
	e, _ := c.memory.GetIfPresent(account)
	state := c.state(e)
	if state == due {
		c.refresh(ctx, account)
	}
	if state >= due {
		c.count.hits.Add(1)
		return e.token, nil
	}
	c.count.misses.Add(1)
	if state == paused {
		c.count.stale.Add(1)
		return e.token, nil
	}
	return c.ask(ctx, account)
}

// usable says why nothing can be asked.
func (c *Cache) usable(ctx context.Context) error {
	if c == nil || c.memory == nil {
		return errNone
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%w: %w", resolver.ErrUnavailable, err)
	}
	return nil
}

// ask waits for upstream, and makes do with what is kept if that is in vain. Who does not wait for the end of it is told
// so.
func (c *Cache) ask(ctx context.Context, account string) (string, error) {
	token, err := c.load(ctx, account)
	if !errors.Is(err, resolver.ErrUnavailable) || ctx.Err() != nil {
		return token, err
	}
	if e := c.held(account); c.state(e) != gone {
		c.count.stale.Add(1)
		return e.token, nil
	}
	return "", err
}

// held is what is kept for the account, or nil.
func (c *Cache) held(account string) *entry {
	e, _ := c.memory.GetEntryQuietly(account)
	return e.Value
}

// Forget has the next question about the account asked upstream, and upstream forget what it remembers itself (see
// resolver.Forgetter); "" is every account. When it has returned, nothing that upstream was asked for before is kept or
// given to whoever asks from then on.
func (c *Cache) Forget(account string) {
	if c == nil || c.memory == nil {
		return
	}
	resolver.Forget(c.upstream, account) // first: what is asked for between the two is forgotten again
	c.mu.Lock()
	defer c.mu.Unlock()
	if account == "" {
		clear(c.flights)
		c.memory.InvalidateAll()
		return
	}
	delete(c.flights, account)
	c.memory.Invalidate(account)
}

// Close forgets everything, ends what is under way, and waits for the end of it, for upstream too; afterwards the Cache
// answers resolver.ErrUnavailable, and no goroutine of it is left. It may be called again. What the Cache wraps stays open.
// The error is nil.
func (c *Cache) Close() error {
	if c == nil || c.memory == nil {
		return nil
	}
	c.mu.Lock()
	c.closed = true
	for f := range c.running {
		f.cancel()
	}
	c.mu.Unlock()
	c.landing.Wait()
	c.memory.StopAllGoroutines()
	c.memory.InvalidateAll()
	return nil
}

// SystemBound says whether what the Cache wraps is, see resolver.SystemBound.
func (c *Cache) SystemBound() bool {
	if c == nil {
		return false
	}
	b, ok := c.upstream.(resolver.SystemBound)
	return ok && b.SystemBound()
}
