package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/examples/broker/internal/config"
	"github.com/natsauth/natsauth/resolver"
	"github.com/natsauth/natsauth/resolver/full"
	"github.com/natsauth/natsauth/resolver/url"
)

// sources are where the authorizer finds accounts, opened as the configuration says.
type sources struct {
	store    resolver.Store
	upstream resolver.Resolver
	watch    []resolver.Watcher
	refresh  time.Duration
	dir      *full.Store // of full and cache
	closer   io.Closer   // nil: there is nothing to close
}

// refreshTime is how often accounts are looked up again of whose changes nobody tells.
const refreshTime = time.Minute

// open opens what accounts come from, and has it hold what the file holds itself: in a
// directory a later token stays.
func open(ctx context.Context, c *config.Config, log *slog.Logger) (sources, error) {
	switch a := &c.Accounts; a.Kind {
	case config.Full, config.Cache:
		return openDirectory(ctx, a, log)
	case config.URL:
		return openURL(ctx, a, log)
	default:
		return sources{store: a.Memory}, nil
	}
}

func openDirectory(ctx context.Context, a *config.Accounts, log *slog.Logger) (sources, error) {
	o := a.Directory
	o.Logger = log
	dir, err := full.Open(a.Dir, o)
	if err != nil {
		return sources{}, err
	}
	s := sources{store: dir, dir: dir, watch: []resolver.Watcher{dir}, closer: dir}
	if a.Kind == config.Cache {
		s.refresh = a.TTL
	}
	for key, err := range a.Memory.Accounts(ctx) {
		if err == nil {
			err = preload(ctx, dir, a.Memory, key)
		}
		if err != nil {
			return sources{}, errors.Join(fmt.Errorf("resolver_preload: account %q: %w", key, err), dir.Close())
		}
	}
	return s, nil
}

func preload(ctx context.Context, dir resolver.Store, from resolver.Resolver, key string) error {
	token, err := from.Resolve(ctx, key)
	if err != nil {
		return err
	}
	if _, err = dir.Save(ctx, token, resolver.Merge); errors.Is(err, resolver.ErrRollback) {
		return nil
	}
	return err
}

// openURL asks the server once whether it is there, and does not wait for that.
func openURL(ctx context.Context, a *config.Accounts, log *slog.Logger) (sources, error) {
	r, err := url.New(a.URL, url.Options{})
	if err != nil {
		return sources{}, err
	}
	ctx, cancel := context.WithCancel(ctx)
	probed := make(chan struct{})
	go func() {
		defer close(probed)
		if err := r.Probe(ctx); err != nil {
			log.Warn("the account server does not answer", "err", err)
		}
	}()
	return sources{upstream: r, refresh: refreshTime, closer: closing(func() error {
		cancel()
		<-probed
		return r.Close()
	})}, nil
}

type closing func() error

func (f closing) Close() error { return f() }

func (s sources) close(log *slog.Logger) {
	if s.closer == nil {
		return
	}
	if err := s.closer.Close(); err != nil {
		log.Warn("accounts", "err", err)
	}
}

// config is what the authorizer is told of them.
func (s sources) config(c *config.Config) auth.Config {
	return auth.Config{Trust: c.Trust, Store: s.store, Resolver: s.upstream, Watch: s.watch, Refresh: s.refresh}
}
