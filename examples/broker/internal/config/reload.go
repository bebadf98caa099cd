package config

import (
	"context"
	"fmt"

	"github.com/natsauth/natsauth/resolver"
)

// This file is about a file that is read again while the broker runs (F018).

// Replaces says why the configuration cannot take the place of the one that the
// broker runs by; nil: it can. Whom to ask for accounts, and which of them is the
// system's, is settled for as long as the broker runs; and a system account that
// has to be in the file at the start has to stay there.
func (c *Config) Replaces(running *Config) error {
	switch system := c.Trust.SystemAccount; {
	case system != running.Trust.SystemAccount:
		return fmt.Errorf("config: system_account: %q in place of %q is not supported while running", system, running.Trust.SystemAccount)
	case c.folder() != running.folder():
		return fmt.Errorf("config: resolver: %s in place of %s is not supported while running", c.resolver(), running.resolver())
	case system == "" || c.Accounts.Store == nil:
		return nil
	default:
		if _, err := c.Accounts.Store.Resolve(context.Background(), system); err != nil {
			return fmt.Errorf("config: resolver_preload: system account %q: %w", system, err)
		}
		return nil
	}
}

// Folder gives the folder that account tokens are read from; nil: there is none.
func (c *Config) Folder() *Folder {
	f, _ := c.Accounts.Resolver.(*Folder)
	return f
}

// folder is the path of it; empty: there is none.
func (c *Config) folder() string {
	if f := c.Folder(); f != nil {
		return f.Path
	}
	return ""
}

// resolver names for people what accounts are looked up in.
func (c *Config) resolver() string {
	if path := c.folder(); path != "" {
		return fmt.Sprintf("folder %q", path)
	}
	return "memory"
}

// fixed are the keys that count when the broker starts, and not again.
var fixed = []struct {
	key  string
	same func(a, b *Config) bool
}{
	{"listen, host or port", func(a, b *Config) bool { return a.Host == b.Host && a.Port == b.Port }},
	{"server_name", func(a, b *Config) bool { return a.Name == b.Name }},
	{"cluster_name", func(a, b *Config) bool { return a.Cluster == b.Cluster }},
	{"max_payload", func(a, b *Config) bool { return a.MaxPayload == b.MaxPayload }},
	{"max_pending", func(a, b *Config) bool { return a.MaxPending == b.MaxPending }},
	{"max_connections", func(a, b *Config) bool { return a.MaxConnections == b.MaxConnections }},
	{"max_subscriptions", func(a, b *Config) bool { return a.MaxSubscriptions == b.MaxSubscriptions }},
	{"max_subscription_tokens", func(a, b *Config) bool { return a.MaxSubscriptionTokens == b.MaxSubscriptionTokens }},
	{"max_control_line", func(a, b *Config) bool { return a.MaxControlLine == b.MaxControlLine }},
	{"authorization.timeout", func(a, b *Config) bool { return a.AuthTimeout == b.AuthTimeout }},
	{"write_deadline", func(a, b *Config) bool { return a.WriteDeadline == b.WriteDeadline }},
	{"ping_interval", func(a, b *Config) bool { return a.PingInterval == b.PingInterval }},
	{"ping_max", func(a, b *Config) bool { return a.PingMax == b.PingMax }},
	{"debug", func(a, b *Config) bool { return a.Debug == b.Debug }},
}

// Fixed lists the keys in which the configuration is another than the one that the
// broker runs by, and which only a restart can change.
func (c *Config) Fixed(running *Config) []string {
	var out []string
	for _, f := range fixed {
		if !f.same(c, running) {
			out = append(out, f.key)
		}
	}
	return out
}

// preloaded is where to look beside the folder.
func (f *Folder) preloaded() resolver.Resolver {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.next != nil {
		return f.next
	}
	return f.Preload
}

// Reload takes over what the file holds now, and has whoever watches the folder
// look at all accounts again. It does not wait for that.
func (f *Folder) Reload(preload resolver.Resolver) {
	f.mu.Lock()
	f.next = preload
	f.mu.Unlock()
	select {
	case f.signal() <- struct{}{}:
	default: // one look is to come, and will see this too
	}
}

// Watch tells changed after every [Folder.Reload] that any account may be another
// now, until ctx ends; one that was before Watch is told too. Files that change in
// between are noticed with the next Reload. There may be one watcher at a time. It
// is a [resolver.Watcher].
func (f *Folder) Watch(ctx context.Context, changed func(account string)) error {
	for {
		select {
		case <-ctx.Done():
			return fmt.Errorf("config: %w: %w", resolver.ErrUnavailable, context.Cause(ctx))
		case <-f.signal():
			changed("")
		}
	}
}

func (f *Folder) signal() chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.wake == nil {
		f.wake = make(chan struct{}, 1)
	}
	return f.wake
}
