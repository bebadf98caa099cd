package config

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/nats-io/jwt/v2"

	"github.com/natsauth/natsauth/claims"
	"github.com/natsauth/natsauth/resolver"
)

// Accounts is where account tokens come from, in the words of auth.Config: one of
// Store and Resolver is set. A resolver that keeps a folder and talks to other
// nodes will take the place of [Folder] here.
type Accounts struct {
	Store    resolver.Store
	Resolver resolver.Resolver
	Watch    []resolver.Watcher
	// Preload is what the file holds itself: account key -> token. Those that
	// nobody could use are here too, and not in Store.
	Preload map[string]string
}

// Folder is a folder of account tokens, `<KEY>.jwt` each, that is only read. An
// account that it does not have is looked for among Preload; of two tokens for
// one account the one that was issued later counts (F016). It may be used by
// several goroutines.
type Folder struct {
	Path    string
	Preload resolver.Resolver // until [Folder.Reload]

	mu   sync.Mutex
	next resolver.Resolver // guarded by mu; in place of Preload; nil: there was no reload
	wake chan struct{}     // guarded by mu; made when it is first needed
}

// SystemBound says that a folder wants a system account: tokens will be pushed
// through it.
func (f *Folder) SystemBound() bool { return true }

// Resolve gives the token of an account.
func (f *Folder) Resolve(ctx context.Context, account string) (string, error) {
	filed, err := f.read(account)
	if err != nil && !errors.Is(err, resolver.ErrNotFound) {
		return "", err
	}
	loaded, lost := f.preloaded().Resolve(ctx, account)
	switch {
	case lost != nil:
		return filed, err
	case err != nil:
		return loaded, nil
	}
	return later(filed, loaded), nil
}

// read reads one file. Whatever is no account key never becomes a name, and no
// name leads out of the folder.
func (f *Folder) read(account string) (string, error) {
	if !claims.IsAccountKey(account) {
		return "", resolver.ErrNotFound
	}
	root, err := os.OpenRoot(f.Path)
	if err != nil {
		return "", missing(err)
	}
	defer root.Close() //nolint:errcheck // nothing was written
	file, err := root.Open(account + ".jwt")
	if err != nil {
		return "", missing(err)
	}
	defer file.Close() //nolint:errcheck // nothing was written
	raw, err := io.ReadAll(io.LimitReader(file, claims.MaxTokenSize+1))
	if err != nil {
		return "", missing(err)
	}
	return strings.TrimSpace(string(raw)), nil
}

// missing keeps the two answers apart: there is none, and nobody knows.
func missing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return resolver.ErrNotFound
	}
	return fmt.Errorf("config: %w: %w", resolver.ErrUnavailable, err)
}

func later(a, b string) string {
	x, errX := claims.ParseAccount(a)
	y, errY := claims.ParseAccount(b)
	if errX == nil && errY == nil && y.IssuedAt > x.IssuedAt {
		return b
	}
	return a
}

var (
	memoryResolver = regexp.MustCompile(`(?i)MEM`)
	urlResolver    = regexp.MustCompile(`(?i)URL`)
)

// resolvers reads MEMORY, or a block with a type.
func resolvers(p *parser, v value) error {
	p.resolver = true
	if block, err := v.block(); err == nil {
		return p.folderResolver(block)
	}
	s, err := v.text()
	if err != nil {
		return err
	}
	switch {
	case memoryResolver.MatchString(s):
		return nil
	case urlResolver.MatchString(s):
		return errors.New("broker: a URL resolver is not supported")
	}
	return fmt.Errorf("%q is not MEMORY, nor a block with type full or cache", s)
}

// folderKeys are what a resolver's block may hold beside type and dir, and
// whether full and cache take it. None of them matters to a folder that is only
// read.
var folderKeys = map[string]struct {
	full, cache bool
	check       func(value) error
}{
	"allow_delete": {true, false, isFlag},
	"hard_delete":  {true, false, isFlag},
	"interval":     {true, false, isSpan},
	"ttl":          {false, true, isSpan},
	"limit":        {true, true, isNumber},
	"timeout":      {true, true, isSpan},
}

func isFlag(v value) error   { _, err := v.flag(); return err }
func isSpan(v value) error   { _, err := v.span(); return err }
func isNumber(v value) error { _, err := v.number(); return err }

func (p *parser) folderResolver(block map[string]any) error {
	kind, err := optional(block, "type")
	if err != nil {
		return err
	}
	kind = strings.ToLower(kind)
	switch kind {
	case "mem", "memory":
		return nil
	case "full", "cache":
	default:
		return fmt.Errorf("type %q is not full, cache or memory", kind)
	}
	if err := folderOptions(block, kind); err != nil {
		return err
	}
	return p.useFolder(block, kind)
}

// folderOptions checks the rest of the block, as nats-server v2.15 server/opts.go
// does.
func folderOptions(block map[string]any, kind string) error {
	for name, raw := range block {
		if name == "type" || name == "dir" {
			continue
		}
		k, ok := folderKeys[name]
		if !ok {
			return fmt.Errorf("unknown key %q", name)
		}
		v := read(raw)
		if err := k.check(v); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if takes := kind == "full" && k.full || kind == "cache" && k.cache; !takes && v.of != false {
			return fmt.Errorf("type %s does not take %q", kind, name)
		}
	}
	if _, hard := block["hard_delete"]; hard && read(block["allow_delete"]).of != true {
		return errors.New("hard_delete needs allow_delete")
	}
	return nil
}

func (p *parser) useFolder(block map[string]any, kind string) error {
	dir, err := optional(block, "dir")
	if err != nil || dir == "" {
		return errors.New("dir: a folder is needed")
	}
	p.folder = p.path(dir)
	if info, err := os.Stat(p.folder); err == nil && !info.IsDir() {
		return fmt.Errorf("dir: %q is no folder", p.folder)
	}
	p.Notices = append(p.Notices, fmt.Sprintf(
		"resolver %s: tokens are read from %s; pushes are not served yet, and nothing is written there", kind, p.folder))
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

// accounts makes the place where account tokens come from.
func (p *parser) accounts() error {
	memory := &resolver.Memory{}
	for _, key := range sortedKeys(p.preload) {
		if err := p.load(memory, key, p.preload[key]); err != nil {
			return err
		}
	}
	p.Accounts.Preload = p.preload
	if p.folder != "" {
		f := &Folder{Path: p.folder, Preload: memory}
		p.Accounts.Resolver, p.Accounts.Watch = f, []resolver.Watcher{f}
	} else {
		p.Accounts.Store = memory
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

func sortedKeys(m map[string]string) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
