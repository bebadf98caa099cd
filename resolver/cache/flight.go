package cache

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/natsauth/natsauth/resolver"
)

// flight is one question to upstream, and what everybody who waits for it gets.
type flight struct {
	account string
	done    chan struct{}
	over    <-chan struct{} // its time is up, whatever upstream does
	cancel  context.CancelFunc
	token   string
	err     error
}

// load asks upstream, together with whoever asks for the same account, and waits for the answer.
func (c *Cache) load(ctx context.Context, account string) (string, error) {
	f, err := c.fly(ctx, account)
	if err != nil {
		return "", err
	}
	return f.wait(ctx)
}

// fly joins the question about the account that is under way, or asks it.
func (c *Cache) fly(ctx context.Context, account string) (*flight, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f, ok := c.flights[account]; ok {
		return f, nil
	}
	if e := c.held(account); c.state(e) >= due { // it has come meanwhile
		return landed(e.token), nil
	}
	if err := c.turnAway(); err != nil {
		return nil, err
	}
	return c.launch(ctx, account), nil
}

// refresh has upstream asked in the background, if it is not already and there is room for that.
func (c *Cache) refresh(ctx context.Context, account string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, joined := c.flights[account]
	if joined || c.state(c.held(account)) != due || c.turnAway() != nil {
		return
	}
	c.count.refreshes.Add(1)
	c.launch(ctx, account)
}

// turnAway is why upstream may not be asked. c.mu is held.
func (c *Cache) turnAway() error {
	if c.closed {
		return errClosed
	}
	if len(c.running) >= c.options.Loads {
		return errBusy
	}
	return nil
}

// launch asks upstream. The question serves all who wait for it, and outlives the caller that began it. c.mu is held.
func (c *Cache) launch(ctx context.Context, account string) *flight {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.options.Timeout)
	f := &flight{
		account: strings.Clone(account), // it may be part of something larger
		done:    make(chan struct{}), over: ctx.Done(), cancel: cancel,
	}
	c.flights[f.account] = f
	c.running[f] = struct{}{}
	c.landing.Go(func() { c.land(ctx, f) })
	return f
}

// landed is a flight that has come to its end.
func landed(token string) *flight {
	f := &flight{done: make(chan struct{}), token: token}
	close(f.done)
	return f
}

// land ends a flight: what it brought is kept before anybody hears of it.
func (c *Cache) land(ctx context.Context, f *flight) {
	defer f.cancel() // after close: whoever waits sees the end before the time is up
	defer close(f.done)
	began := c.options.Clock()
	f.token, f.err = answer(c.upstream.Resolve(ctx, f.account))
	var next *entry
	if f.err == nil {
		next = c.options.keep(f.account, f.token, began)
	}
	c.count.loaded(f.err)

	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.running, f)
	if c.flights[f.account] == f { // otherwise it was forgotten meanwhile
		delete(c.flights, f.account)
		c.settle(f, next)
	}
}

// answer is what upstream said, with an error that is either resolver.ErrNotFound or resolver.ErrUnavailable.
func answer(token string, err error) (string, error) {
	switch no, outage := errors.Is(err, resolver.ErrNotFound), errors.Is(err, resolver.ErrUnavailable); {
	case err == nil:
		return token, nil
	case no != outage:
		return "", err
	case no: // and both: only a clear no is a no
		err = errors.New(err.Error())
	}
	return "", fmt.Errorf("%w: %w", resolver.ErrUnavailable, err)
}

// settle has the memory hold what a flight has brought. Whatever upstream says takes the place of what was held, also if it
// is not to be kept; if it says nothing, it is left alone for a while. c.mu is held.
func (c *Cache) settle(f *flight, next *entry) {
	switch {
	case errors.Is(f.err, resolver.ErrUnavailable):
		if held := c.held(f.account); held != nil {
			held.pause.Store(int64(c.options.Clock().Sub(held.loaded) + c.options.Retry))
		}
	case next == nil:
		c.memory.Invalidate(f.account)
	default:
		c.count.bytes.Add(int64(len(next.token)))
		c.memory.Set(f.account, next)
		c.memory.CleanUp() // so that the bounds hold when it has landed
	}
}

// wait gives what the flight brings, unless ctx or the time that upstream has ends before.
func (f *flight) wait(ctx context.Context) (string, error) {
	select {
	case <-f.done:
	case <-f.over:
	case <-ctx.Done():
	}
	select {
	case <-f.done:
		return f.token, f.err
	default:
	}
	if err := ctx.Err(); err != nil {
		return "", fmt.Errorf("%w: %w", resolver.ErrUnavailable, err)
	}
	return "", errGivenUp
}
