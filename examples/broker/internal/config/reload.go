package config

import (
	"context"
	"fmt"
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
	case c.resolver() != running.resolver():
		return fmt.Errorf("config: resolver: %s in place of %s is not supported while running", c.resolver(), running.resolver())
	case system == "" || c.Accounts.Kind != Memory:
		return nil
	default:
		if _, err := c.Accounts.Memory.Resolve(context.Background(), system); err != nil {
			return fmt.Errorf("config: resolver_preload: system account %q: %w", system, err)
		}
		return nil
	}
}

// resolver names for people what accounts are looked up in, by what cannot change.
func (c *Config) resolver() string {
	switch a := &c.Accounts; a.Kind {
	case Full:
		return fmt.Sprintf("full %q", a.Dir)
	case Cache:
		return fmt.Sprintf("cache %q", a.Dir)
	case URL:
		return "an account server"
	default:
		return "memory"
	}
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
	{"resolver_tls", func(a, b *Config) bool { return a.Accounts.TLS == b.Accounts.TLS }},
	{"resolver", func(a, b *Config) bool { return a.Accounts.settings() == b.Accounts.settings() }},
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

// settings are what is not said by resolver.
func (a *Accounts) settings() [6]any {
	return [6]any{a.Directory.Delete, a.Directory.Limit, a.Interval, a.Timeout, a.TTL, a.URL}
}
