package main

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/examples/broker/internal/config"
	"github.com/natsauth/natsauth/resolver"
	"github.com/natsauth/natsauth/resolver/full"
)

// reload reads the configuration file again while the broker runs, and brings the
// authorizer to what it says (F018). Connections, subscriptions and nonces stay;
// which sessions go on is the authorizer's to judge.
type reload struct {
	file, data string         // as the flags say; no file: the demo, of which there is nothing to read
	running    *config.Config // that the broker was started by
	authorizer *auth.Authorizer
	dir        *full.Store // nil: tokens are in no directory
	log        *slog.Logger
}

// follow reloads at every SIGHUP, one after the other, until the function that it
// gives is called, which waits for the one under way. A system without SIGHUP
// never sends one.
func (r reload) follow(ctx context.Context) func() {
	ctx, cancel := context.WithCancel(ctx)
	hangup := make(chan os.Signal, 1) // those that come during a reload are one more
	signal.Notify(hangup, syscall.SIGHUP)
	var running sync.WaitGroup
	running.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-hangup:
				r.again(ctx)
			}
		}
	})
	return func() {
		signal.Stop(hangup)
		cancel()
		running.Wait()
	}
}

// again reads the file once more. One that is wrong changes nothing.
func (r reload) again(ctx context.Context) {
	ctx = auth.By(ctx, "reload "+r.file)
	next, trust, err := r.begin(ctx)
	if err != nil {
		r.log.Error("not reloaded", "file", r.file, "err", err)
		return
	}
	r.notes(next)
	t := &tally{log: r.log}
	t.add(trust)
	r.accounts(ctx, next, t)
	r.log.Info("reloaded", "file", r.file, "accounts", t.applied, "refused", t.refused, "removed", t.removed,
		"closed", t.closed, "changed", t.changed)
}

// begin reads the file and puts its trust set in place, or changes nothing.
func (r reload) begin(ctx context.Context) (*config.Config, auth.Report, error) {
	next, err := r.read()
	if err != nil {
		return nil, auth.Report{}, err
	}
	report, err := r.authorizer.SetTrust(ctx, next.Trust)
	return next, report, err
}

// read gives what the file says now, if the broker can go by it.
func (r reload) read() (*config.Config, error) {
	if r.file == "" {
		return nil, errors.New("broker: the demo has no configuration file")
	}
	next, err := config.Parse(r.file, r.data)
	if err != nil {
		return nil, err
	}
	return next, next.Replaces(r.running)
}

// notes logs what the file asks for and does not get.
func (r reload) notes(next *config.Config) {
	for _, notice := range next.Notices {
		r.log.Warn(notice)
	}
	for _, key := range next.Fixed(r.running) {
		r.log.Warn("config: a change is not supported while running: restart", "key", key, "file", r.file)
	}
}

// accounts brings the accounts to what the file says: it applies the tokens that it
// holds, and removes the accounts that it does not hold any more. With a directory
// it takes over what others have done there, and nothing goes that only the file does not
// hold. An account server is asked for the accounts in force all the time.
func (r reload) accounts(ctx context.Context, next *config.Config, t *tally) {
	mode := resolver.Push
	if r.dir != nil {
		mode = resolver.Merge // a later one that was pushed stays
	}
	for _, key := range slices.Sorted(maps.Keys(next.Accounts.Preload)) {
		r.apply(ctx, next.Accounts.Memory, key, mode, t)
	}
	switch {
	case r.dir != nil:
		r.directory(ctx, t)
		return
	case r.running.Accounts.Kind != config.Memory:
		return
	}
	for key, err := range r.running.Accounts.Memory.Accounts(ctx) {
		if err != nil {
			t.refuse("", err)
			return
		}
		if _, ok := next.Accounts.Preload[key]; !ok {
			r.remove(ctx, key, t)
		}
	}
}

// directory reads the directory again. Accounts of which the file has gone, or which are not
// in force, are left to those who watch the directory.
func (r reload) directory(ctx context.Context, t *tally) {
	changed, err := r.dir.Reload(ctx)
	if err != nil {
		t.refuse("", err)
		return
	}
	for _, key := range changed {
		_, there := r.authorizer.InForce(key)
		if _, err := r.dir.Resolve(ctx, key); there && err == nil {
			r.apply(ctx, r.dir, key, resolver.Push, t)
		}
	}
}

// apply takes one account's token out of what the file holds. One that is refused
// leaves the account as it is (B4, B5).
func (r reload) apply(ctx context.Context, from resolver.Resolver, key string, mode resolver.Mode, t *tally) {
	token, err := from.Resolve(ctx, key)
	if err != nil {
		t.refuse(key, err) // nobody could use it, as the notices say
		return
	}
	report, err := r.authorizer.Apply(ctx, token, mode)
	if mode == resolver.Merge && errors.Is(err, resolver.ErrRollback) {
		return
	}
	if err != nil {
		t.refuse(key, err)
		return
	}
	t.applied++
	t.add(report)
}

func (r reload) remove(ctx context.Context, key string, t *tally) {
	report, err := r.authorizer.Remove(ctx, key)
	if err != nil {
		t.refuse(key, err)
		return
	}
	t.removed++
	t.add(report)
}

// tally is what a reload has come to.
type tally struct {
	log                       *slog.Logger
	applied, refused, removed int // accounts
	closed, changed           int // sessions
}

func (t *tally) add(r auth.Report) {
	t.closed += r.ClosedCount
	t.changed += r.ChangedCount
}

func (t *tally) refuse(account string, err error) {
	t.refused++
	t.log.Warn("account not reloaded", "account", account, "err", err)
}
