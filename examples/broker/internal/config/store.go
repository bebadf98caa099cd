package config

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/jwt/v2"

	"github.com/natsauth/natsauth/claims"
	"github.com/natsauth/natsauth/resolver"
	"github.com/natsauth/natsauth/resolver/full"
	"github.com/natsauth/natsauth/resolver/url"
)

// Accounts says where account tokens come from. It opens nothing.
type Accounts struct {
	Kind Kind
	// Memory is what the file holds itself, but for what nobody could use; all of
	// it is in Preload, account key -> token.
	Memory  *resolver.Memory
	Preload map[string]string

	Dir       string       // of Full and Cache
	Directory full.Options // likewise
	Interval  time.Duration
	Timeout   time.Duration // of a look-up among peers
	TTL       time.Duration // of Cache; 0: as long as the token lasts
	URL       string
	TLS       TLS // of URL
}

// Kind is how account tokens are found.
type Kind uint8

// The kinds.
const (
	Memory Kind = iota // what the file holds
	Full               // a directory that syncs with others over NATS
	Cache              // a directory of what was asked for
	URL                // an account server
)

// The defaults of a directory, those of nats-server v2.15 server/opts.go and
// server/accounts.go.
const (
	defaultInterval   = time.Minute
	defaultTimeout    = 1900 * time.Millisecond
	defaultCacheLimit = 1000
)

var (
	memoryResolver = regexp.MustCompile(`(?i)MEM`)
	urlResolver    = regexp.MustCompile(`(?i)URL(?:\(\s*"?([^\s")]*)"?\s*\))?`)
)

// resolvers reads MEMORY, URL(...), or a block with a type.
func resolvers(p *parser, v value) error {
	p.resolver = true
	if block, err := v.block(); err == nil {
		return p.directoryResolver(block)
	}
	s, err := v.text()
	if err != nil {
		return err
	}
	if memoryResolver.MatchString(s) {
		return nil
	}
	if m := urlResolver.FindStringSubmatch(s); m != nil {
		return p.accountServer(m[1])
	}
	return fmt.Errorf("%q is not MEMORY, URL(...), nor a block with type full or cache", s)
}

// accountServer takes an account server's address.
func (p *parser) accountServer(base string) error {
	p.Accounts.Kind, p.Accounts.URL = URL, base
	_, err := url.New(base, url.Options{})
	return err
}

// directoryKeys are what a resolver's block may hold beside type and dir: whether full
// and cache take it, and where it goes.
var directoryKeys = map[string]struct {
	full, cache bool
	set         func(*Accounts, value) error
}{
	"allow_delete": {true, false, func(a *Accounts, v value) error {
		yes, err := v.flag()
		if yes && a.Directory.Delete == full.DeleteOff {
			a.Directory.Delete = full.DeleteRename
		}
		return err
	}},
	"hard_delete": {true, false, func(a *Accounts, v value) error {
		yes, err := v.flag()
		if yes {
			a.Directory.Delete = full.DeleteHard
		}
		return err
	}},
	"interval": {true, false, spanOf(func(a *Accounts) *time.Duration { return &a.Interval })},
	"ttl":      {false, true, spanOf(func(a *Accounts) *time.Duration { return &a.TTL })},
	"timeout":  {true, true, spanOf(func(a *Accounts) *time.Duration { return &a.Timeout })},
	"limit": {true, true, func(a *Accounts, v value) error {
		n, err := v.number()
		a.Directory.Limit = max(n, 0)
		return err
	}},
}

func isFlag(v value) error { _, err := v.flag(); return err }

func spanOf(field func(*Accounts) *time.Duration) func(*Accounts, value) error {
	return func(a *Accounts, v value) error {
		d, err := v.span()
		if err == nil && d < 0 {
			err = errors.New("a duration is not negative")
		}
		*field(a) = d
		return err
	}
}

func (p *parser) directoryResolver(block map[string]any) error {
	kind, err := optional(block, "type")
	if err != nil {
		return err
	}
	switch kind = strings.ToLower(kind); kind {
	case "mem", "memory":
		return nil
	case "full":
		p.Accounts.Kind = Full
	case "cache":
		p.Accounts.Kind = Cache
	default:
		return fmt.Errorf("type %q is not full, cache or memory", kind)
	}
	if err := p.directoryOptions(block, kind); err != nil {
		return err
	}
	return p.useDirectory(block)
}

// directoryOptions takes the rest of the block, as nats-server v2.15 server/opts.go
// does.
func (p *parser) directoryOptions(block map[string]any, kind string) error {
	a := &p.Accounts
	for _, name := range slices.Sorted(maps.Keys(block)) {
		if name == "type" || name == "dir" {
			continue
		}
		k, ok := directoryKeys[name]
		if !ok {
			return fmt.Errorf("unknown key %q", name)
		}
		v := read(block[name])
		if err := k.set(a, v); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if takes := kind == "full" && k.full || kind == "cache" && k.cache; !takes && v.of != false {
			return fmt.Errorf("type %s does not take %q", kind, name)
		}
	}
	if _, hard := block["hard_delete"]; hard && read(block["allow_delete"]).of != true {
		return errors.New("hard_delete needs allow_delete")
	}
	if a.Kind == Cache {
		a.Directory.Delete = full.DeleteHard // what is asked for comes back
		a.Directory.Limit, a.Directory.Evict = cmp.Or(a.Directory.Limit, defaultCacheLimit), true
	}
	a.Interval, a.Timeout = cmp.Or(a.Interval, defaultInterval), cmp.Or(a.Timeout, defaultTimeout)
	return nil
}

func (p *parser) useDirectory(block map[string]any) error {
	dir, err := optional(block, "dir")
	if err != nil || dir == "" {
		return errors.New("dir: a folder is needed")
	}
	p.Accounts.Dir = p.path(dir)
	if info, err := os.Stat(p.Accounts.Dir); err == nil && !info.IsDir() {
		return fmt.Errorf("dir: %q is no folder", p.Accounts.Dir)
	}
	return nil
}

func optional(block map[string]any, name string) (string, error) {
	raw, ok := block[name]
	if !ok {
		return "", nil
	}
	return read(raw).text()
}

// preloads reads account tokens by account key. Each has to be one; nothing else
// is asked of it here (F016).
func preloads(p *parser, v value) error {
	block, err := v.block()
	if err != nil {
		return err
	}
	p.preload = make(map[string]string, len(block))
	for key, raw := range block {
		token, err := read(raw).text()
		if err != nil {
			return p.at(read(raw), "account %q: %w", key, err)
		}
		if _, err := jwt.DecodeAccountClaims(token); err != nil {
			return p.at(read(raw), "account %q: this is no account token", key)
		}
		p.preload[key] = token
	}
	return nil
}

// accounts takes what the file holds itself. With an account server it holds nothing.
func (p *parser) accounts() error {
	if p.Accounts.Kind == URL && len(p.preload) > 0 {
		return fmt.Errorf("config: %s: resolver_preload: an account server is only read", p.file)
	}
	if p.Accounts.Kind != URL && p.resolverTLS {
		p.Notices = append(p.Notices, "resolver_tls: there is no account server that it is about")
	}
	p.Accounts.Memory, p.Accounts.Preload = &resolver.Memory{}, p.preload
	for _, key := range slices.Sorted(maps.Keys(p.preload)) {
		if err := p.load(p.Accounts.Memory, key, p.preload[key]); err != nil {
			return err
		}
	}
	return nil
}

// load keeps one token of the preload. One that nobody could use is left out, and
// the log says so: the reference would refuse its users, and so do we.
func (p *parser) load(memory *resolver.Memory, key, token string) error {
	account, err := claims.ParseAccount(token)
	if err == nil && account.Key != key {
		err = fmt.Errorf("the token is of %q", account.Key)
	}
	if err != nil {
		p.Notices = append(p.Notices, fmt.Sprintf("resolver_preload: account %q is left out: %v", key, err))
		return nil
	}
	_, err = memory.Save(context.Background(), token, resolver.Merge)
	return err
}
