package cache

import (
	"context"
	"fmt"

	"github.com/natsauth/natsauth/resolver"
)

// Watch passes on what the resolver that is wrapped tells, after the Cache has forgotten what it names, so that whoever
// hears of it and asks gets what upstream has now. It does what resolver.Watcher says, if that resolver is one; otherwise
// it returns an error at once, which wraps resolver.ErrNoChanges.
func (c *Cache) Watch(ctx context.Context, changed func(account string)) error {
	if err := c.usable(ctx); err != nil {
		return err
	}
	w, ok := c.upstream.(resolver.Watcher)
	if !ok {
		return fmt.Errorf("cache: what is wrapped does not watch: %w", resolver.ErrNoChanges)
	}
	return c.Follow(w).Watch(ctx, changed)
}

// Follow makes a Watcher that tells what w tells, after the Cache has forgotten what it names. It is for a w that knows of
// changes behind what is wrapped, which does not pass them on itself. A resolver.Chain does. w is not nil.
func (c *Cache) Follow(w resolver.Watcher) resolver.Watcher { return follower{c, w} }

type follower struct {
	cache   *Cache
	watcher resolver.Watcher
}

func (f follower) Watch(ctx context.Context, changed func(account string)) error {
	return f.watcher.Watch(ctx, func(account string) {
		f.cache.Forget(account)
		changed(account)
	})
}
