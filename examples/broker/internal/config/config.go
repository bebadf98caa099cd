// Package config reads a configuration file of nats-server, as far as this broker
// goes: every key is either used, or refused by name.
package config

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/conf"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/claims"
)

// Config is what a file says. A zero number or duration is the broker's default.
type Config struct {
	Trust auth.Trust
	// Accounts is where account tokens come from.
	Accounts Accounts

	Host, Name, Cluster        string
	Port                       int // 0: the default; -1: any that is free
	MaxPayload                 int64
	MaxPending                 int64
	MaxConnections             int // -1: none may connect
	MaxSubscriptions           int // of one connection; 0: no bound
	MaxSubscriptionTokens      int // 0: no bound
	MaxControlLine, PingMax    int
	AuthTimeout, WriteDeadline time.Duration
	PingInterval               time.Duration
	Debug                      bool
	Notices                    []string // what the file asks for and does not get in full, for the log
}

// Parse reads a file. Relative folders and files in it are looked for in base;
// empty: where the file is. The error names the key, and the file and line where
// it stands.
func Parse(file, base string) (*Config, error) {
	if base == "" {
		base = filepath.Dir(file)
	}
	m, err := conf.ParseFileWithChecks(file)
	if err != nil {
		return nil, fmt.Errorf("config: %s: %w", file, err)
	}
	p := &parser{Config: &Config{}, file: file, base: base}
	if err := p.all(m); err != nil {
		return nil, err
	}
	return p.Config, nil
}

// parser fills a Config from the file's values.
type parser struct {
	*Config
	file, base string
	resolver   bool              // the file has one
	preload    map[string]string // account key -> token

	resolverTLS bool // the file has it
}

// all reads the keys in order, so that of several mistakes the same one is told
// every time, and then what depends on more than one of them.
func (p *parser) all(m map[string]any) error {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if err := p.key(name, m[name]); err != nil {
			return err
		}
	}
	return p.finish()
}

// key hands one value to its setter.
func (p *parser) key(name string, raw any) error {
	v := read(raw)
	key := strings.ToLower(name)
	set, ok := supported[key]
	switch {
	case ok:
		if err := set(p, v); err != nil {
			return p.at(v, "%s: %w", name, err)
		}
		return nil
	case unsupported[key] != "":
		return p.at(v, "broker: %q is not supported: %s", name, unsupported[key])
	case v.variable:
		return nil // it was only there to be named elsewhere
	default:
		return p.at(v, "unknown key %q", name)
	}
}

// at says where in which file a mistake is.
func (p *parser) at(v value, format string, args ...any) error {
	file := v.file
	if file == "" {
		file = p.file
	}
	return fmt.Errorf("config: %s:%d: %w", file, v.line, fmt.Errorf(format, args...))
}

// finish puts together what the keys have brought.
func (p *parser) finish() error {
	if len(p.Trust.Operators) == 0 && len(p.Trust.Keys) == 0 {
		return fmt.Errorf("config: %s: nobody is trusted: operator or trusted_keys is needed", p.file)
	}
	if err := p.operatorSays(); err != nil {
		return err
	}
	if !p.resolver && len(p.Trust.Operators) > 0 {
		return fmt.Errorf("config: %s: resolver is needed, or an operator alone whose token names an account server", p.file)
	}
	return p.accounts()
}

// operatorSays takes what the token of a single operator says and the file does not: the system account (F011), and the
// account server, under the path that tools push to (F007).
func (p *parser) operatorSays() error {
	if len(p.Trust.Operators) != 1 {
		return nil
	}
	o, err := claims.ParseOperator(claims.Undecorate(p.Trust.Operators[0]))
	if err != nil {
		return nil // who trusts it says what is wrong with it
	}
	if p.Trust.SystemAccount == "" {
		p.Trust.SystemAccount = o.SystemAccount
	}
	if p.resolver || o.AccountServerURL == "" {
		return nil
	}
	p.resolver = true
	if err := p.accountServer(strings.TrimSuffix(o.AccountServerURL, "/") + "/accounts"); err != nil {
		return fmt.Errorf("config: %s: operator: account_server_url: %w", p.file, err)
	}
	return nil
}
