// Broker is a small broker of the NATS protocol that leaves every decision about
// who may connect, and what they may do, to natsauth. Clients of NATS and
// configurations made by nsc work with it.
//
//	go run .                                    a demo: three accounts, creds files to try
//	go run . -config nats.conf -addr :4222      what nsc generate config made
//
// README.md says what is supported.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/examples/broker/internal/broker"
	"github.com/natsauth/natsauth/examples/broker/internal/config"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "broker:", err)
		os.Exit(1)
	}
}

// run is the program: it serves until ctx ends. What people paste goes to out,
// the log to logs.
func run(ctx context.Context, args []string, out, logs io.Writer) error {
	flags := flag.NewFlagSet("broker", flag.ContinueOnError)
	flags.SetOutput(logs)
	file := flags.String("config", "", "configuration `file` of nats-server; without one: a demo")
	addr := flags.String("addr", "", "`host:port` to listen on, in place of the file's; port 0: any that is free")
	data := flags.String("data", "", "`folder` in which relative paths of the file begin; default: the file's")
	if err := flags.Parse(args); err != nil {
		return err
	}
	c, say, done, err := load(*file, *data)
	if err != nil {
		return err
	}
	defer done()
	return serve(ctx, reload{file: *file, data: *data, running: c}, *addr, say, out, logs)
}

// load gives the configuration of a file, or of the demo, with what to say about
// it and what to do in the end.
func load(file, data string) (*config.Config, []string, func(), error) {
	if file == "" {
		d, err := newDemo()
		if err != nil {
			return nil, nil, nil, err
		}
		return d.config, d.lines, d.remove, nil
	}
	c, err := config.Parse(file, data)
	return c, nil, func() {}, err
}

// serve runs a broker by a configuration, and by what becomes of it.
func serve(ctx context.Context, r reload, addr string, say []string, out, logs io.Writer) error {
	c := r.running
	log := logger(c, logs)
	for _, notice := range c.Notices {
		log.Warn(notice)
	}
	relay := new(broker.Relay)
	from, err := open(ctx, c, relay, log)
	if err != nil {
		return err
	}
	defer from.close(log)
	authorizer, err := newAuthorizer(ctx, c, from, relay, log)
	if err != nil {
		return err
	}
	defer authorizer.Close() //nolint:errcheck // documented to give nil
	server, err := broker.New(options(c, authorizer, relay, log))
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", address(c, addr))
	if err != nil {
		return err
	}
	end, err := from.serve(server, authorizer, c, log)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	defer end()
	r.authorizer, r.log, r.dir = authorizer, log, from.dir
	defer r.follow(ctx)()
	context.AfterFunc(ctx, server.Close)
	for _, line := range say {
		fmt.Fprintf(out, line+"\n", listener.Addr())
	}
	fmt.Fprintln(out, "listening on", listener.Addr())
	err = server.Serve(listener)
	server.Close()
	if errors.Is(err, broker.ErrClosed) {
		return nil
	}
	return err
}

func logger(c *config.Config, w io.Writer) *slog.Logger {
	level := slog.LevelInfo
	if c.Debug {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level}))
}

// newAuthorizer makes the one who decides. A system account that is configured
// has to be there, as nats-server v2.15 server/server.go wants it, unless its
// token may still come.
func newAuthorizer(ctx context.Context, c *config.Config, from sources, relay *broker.Relay, log *slog.Logger) (*auth.Authorizer, error) {
	o := from.config(c)
	o.ServerVersion, o.Cluster, o.OnAccount, o.Logger = broker.Version, c.Cluster, relay.Account, log
	a, err := auth.New(o)
	if err != nil {
		return nil, err
	}
	if from.judge != nil {
		from.judge.Store(a)
	}
	look := func() error {
		_, err := a.Account(ctx, c.Trust.SystemAccount)
		if err != nil {
			log.Warn("system account", "err", err)
		}
		return err
	}
	switch {
	case c.Trust.SystemAccount == "":
	case c.Accounts.Kind == config.URL:
		go look() //nolint:errcheck // it has told, and nobody waits for it
	default:
		if err := look(); err != nil && c.Accounts.Kind == config.Memory && !operatorsTime(err) {
			a.Close() //nolint:errcheck // documented to give nil
			return nil, fmt.Errorf("system account: %w", err)
		}
	}
	return a, nil
}

// operatorsTime says whether it is the operator's time that is over or has not
// come: then nobody connects, and the broker runs (B12).
func operatorsTime(err error) bool {
	var why *auth.Error
	return errors.As(err, &why) && (why.Reason == auth.OperatorExpired || why.Reason == auth.OperatorNotYet)
}

func options(c *config.Config, a *auth.Authorizer, relay *broker.Relay, log *slog.Logger) broker.Options {
	o := broker.Options{
		Authorizer: a, Relay: relay, SystemAccount: c.Trust.SystemAccount, Name: c.Name, Cluster: c.Cluster,
		MaxPayload: c.MaxPayload, MaxPending: c.MaxPending, MaxConnections: c.MaxConnections,
		MaxSubscriptions: c.MaxSubscriptions, MaxTokens: c.MaxSubscriptionTokens, MaxControlLine: c.MaxControlLine,
		AuthTimeout: c.AuthTimeout, WriteDeadline: c.WriteDeadline, PingInterval: c.PingInterval, PingMax: c.PingMax,
		Logger: log,
	}
	return o
}

// The defaults of where to listen.
const (
	defaultHost = "127.0.0.1"
	defaultPort = 4222
)

// address is the flag, or what the file says, or the default.
func address(c *config.Config, flag string) string {
	if flag != "" {
		return flag
	}
	host, port := c.Host, c.Port
	if host == "" {
		host = defaultHost
	}
	switch port {
	case 0:
		port = defaultPort
	case -1:
		port = 0
	}
	return net.JoinHostPort(host, strconv.Itoa(port))
}
