package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/claims"
	"github.com/natsauth/natsauth/examples/broker/internal/broker"
	"github.com/natsauth/natsauth/examples/broker/internal/config"
	"github.com/natsauth/natsauth/resolver"
	"github.com/natsauth/natsauth/resolver/claimsync"
	"github.com/natsauth/natsauth/resolver/full"
	"github.com/natsauth/natsauth/resolver/url"
)

// sources are where the authorizer finds accounts, opened as the configuration says.
type sources struct {
	store    resolver.Store
	upstream resolver.Resolver
	watch    []resolver.Watcher
	refresh  time.Duration
	dir      *full.Store         // of full and cache, as peers
	peers    *claimsync.Resolver // who may have an account that is not in dir
	count    func() int          // of peers; negative: that is not known
	judge    *judge              // of what they answer
	closer   io.Closer           // nil: there is nothing to close
}

// refreshTime is how often accounts are looked up again of whose changes nobody tells.
const refreshTime = time.Minute

// open opens what accounts come from, and has it hold what the file holds itself: in a
// directory a later token stays.
func open(ctx context.Context, c *config.Config, relay *broker.Relay, log *slog.Logger) (sources, error) {
	switch a := &c.Accounts; a.Kind {
	case config.Full, config.Cache:
		return openDirectory(ctx, a, relay, log)
	case config.URL:
		return openURL(ctx, a, log)
	default:
		return sources{store: a.Memory}, nil
	}
}

func openDirectory(ctx context.Context, a *config.Accounts, relay *broker.Relay, log *slog.Logger) (sources, error) {
	o := a.Directory
	o.Logger = log
	dir, err := full.Open(a.Dir, o)
	if err != nil {
		return sources{}, err
	}
	s := sources{store: dir, dir: dir, watch: []resolver.Watcher{dir}, closer: dir}
	s.judge, s.count = new(judge), peers(relay)
	s.peers, err = claimsync.NewResolver(claimsync.Options{Bus: relay, Peers: s.count, Vouch: s.judge.vouch, Timeout: a.Timeout})
	if err != nil {
		return sources{}, errors.Join(err, dir.Close())
	}
	s.upstream = s.peers
	if a.Kind == config.Cache {
		s.refresh, s.upstream = a.TTL, resolver.Chain(s.asked(), a.Memory)
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

var errNobodyToAsk = fmt.Errorf("%w: nobody is there to ask", resolver.ErrUnavailable)

// asked are the peers, as a cache asks them: what is not in it was evicted, perhaps, and where nobody is there to ask, nobody
// knows.
func (s sources) asked() resolver.Resolver {
	return resolver.Func(func(ctx context.Context, account string) (string, error) {
		if s.count() == 0 {
			return "", errNobodyToAsk
		}
		return s.peers.Resolve(ctx, account)
	})
}

// judge is the authorizer, once it is there: an answer that nobody trusted has signed does not end a look-up.
type judge struct {
	atomic.Pointer[auth.Authorizer]
}

func (j *judge) vouch(token string) (*claims.Account, error) {
	if a := j.Load(); a != nil {
		return a.Vouch(token)
	}
	return claims.ParseAccount(token)
}

// peers says how many answer when an account is looked for: the broker stands alone, and so nobody, unless a client of the
// system account has subscribed to just such questions. Who listens to everything does not answer.
func peers(relay *broker.Relay) func() int {
	const questions = "$SYS.REQ.ACCOUNT.*.CLAIMS.LOOKUP"
	return func() int {
		if relay.Subscribed(questions) {
			return -1 // who knows how many servers are behind it
		}
		return 0
	}
}

// serve serves the claims protocol in the system account: all of it where there is a directory to keep what is pushed, and
// otherwise updates of accounts in force (F105). The function that it gives ends that.
func (s sources) serve(server *broker.Server, a *auth.Authorizer, c *config.Config, log *slog.Logger) (func(), error) {
	o := claimsync.Config{
		Bus: server.Bus(), Authorizer: a, Store: s.store, Resolver: s.peers, UpdatesOnly: s.dir == nil,
		Server:        claimsync.ServerInfo{Name: cmp.Or(c.Name, server.ID()), ID: server.ID(), Host: cmp.Or(c.Host, defaultHost), Cluster: c.Cluster, Version: broker.Version},
		SystemAccount: c.Trust.SystemAccount,
		AllowDelete:   c.Accounts.Directory.Delete != full.DeleteOff, Cache: c.Accounts.Kind == config.Cache,
		Interval: c.Accounts.Interval, Timeout: c.Accounts.Timeout, Logger: log,
	}
	service, err := claimsync.New(o)
	if err != nil {
		return nil, err
	}
	if err := service.Start(); err != nil {
		return nil, err
	}
	return func() {
		if err := service.Close(); err != nil {
			log.Warn("claims", "err", err)
		}
	}, nil
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
	client, err := a.TLS.Client()
	if err != nil {
		return sources{}, fmt.Errorf("resolver_tls: %w", err)
	}
	r, err := url.New(a.URL, url.Options{TLS: client})
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
