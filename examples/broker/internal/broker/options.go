package broker

import (
	"log/slog"
	"time"

	"github.com/natsauth/natsauth/auth"
)

// Version is the version of nats-server whose behaviour this broker shows.
// Clients look at it in INFO, and operators may ask for a least one.
const Version = "2.15.2"

// The defaults of [Options], those of nats-server v2.15 server/const.go where it
// has them.
const (
	DefaultMaxPayload     = 1 << 20
	DefaultMaxPending     = 64 << 20
	DefaultMaxConnections = 64 << 10
	DefaultMaxHalfOpen    = 1024
	DefaultMaxControlLine = 4096
	DefaultAuthTimeout    = 2 * time.Second
	DefaultWriteDeadline  = 10 * time.Second
	DefaultPingInterval   = 2 * time.Minute
	DefaultPingMax        = 2
)

// Options are what a [Server] is made of. Authorizer is needed; zero numbers and
// durations have the default that their comment names.
type Options struct {
	// Authorizer decides who may connect and what they may do. The server does
	// not close it.
	Authorizer *auth.Authorizer
	// Relay brings news of the accounts from the Authorizer, so that what is imported
	// reaches subscriptions that are older than the import; nil: it does not.
	Relay *Relay
	// SystemAccount is the public key of the account that gets advisories; empty:
	// nobody does.
	SystemAccount string

	Name    string // of the server, in INFO; empty: its id
	Cluster string // likewise

	MaxPayload       int64         // bytes of one message; DefaultMaxPayload
	MaxPending       int64         // bytes that wait for one client; DefaultMaxPending
	MaxConnections   int           // of all clients; DefaultMaxConnections; negative: none
	MaxHalfOpen      int           // of clients that have not connected yet; DefaultMaxHalfOpen
	MaxSubscriptions int           // of one client; 0: no bound but its account's
	MaxTokens        int           // of a subscription's subject; 0: no bound
	MaxControlLine   int           // bytes; DefaultMaxControlLine
	AuthTimeout      time.Duration // until CONNECT; DefaultAuthTimeout
	WriteDeadline    time.Duration // for one write; DefaultWriteDeadline
	PingInterval     time.Duration // DefaultPingInterval
	PingMax          int           // pings that may be without an answer; DefaultPingMax

	Logger *slog.Logger // nil: nobody
}

// withDefaults fills in what is zero.
func (o Options) withDefaults() Options {
	fill(&o.MaxPayload, DefaultMaxPayload)
	fill(&o.MaxPending, DefaultMaxPending)
	fill(&o.MaxConnections, DefaultMaxConnections)
	fill(&o.MaxHalfOpen, DefaultMaxHalfOpen)
	fill(&o.MaxControlLine, DefaultMaxControlLine)
	fill(&o.AuthTimeout, DefaultAuthTimeout)
	fill(&o.WriteDeadline, DefaultWriteDeadline)
	fill(&o.PingInterval, DefaultPingInterval)
	fill(&o.PingMax, DefaultPingMax)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

func fill[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
