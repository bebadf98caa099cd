package claimsync

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/claims"
	"github.com/natsauth/natsauth/resolver"
)

// Authorizer is what a [Service] asks of an [auth.Authorizer]. Apply and Remove verify before they save, and have done
// everything when they return.
type Authorizer interface {
	Apply(ctx context.Context, accountToken string, m resolver.Mode) (auth.Report, error)
	Remove(ctx context.Context, account string) (auth.Report, error)
	Administers(key string) bool
	InForce(key string) (*auth.Account, bool)
}

// Config is what a [Service] is made of. Bus, Authorizer, Store and Server.Name are needed; the zero value of everything
// else does what its comment says.
type Config struct {
	Bus resolver.Bus
	// Authorizer is who decides, and writes to Store.
	Authorizer Authorizer
	// Store is that of the Authorizer. The Service only reads it. With UpdatesOnly it may be nil.
	Store resolver.Store
	// Server is what every answer says of this node.
	Server ServerInfo
	// Resolver is what asks the other nodes for this one, so that the Service does not answer it; nil: nothing does.
	Resolver *Resolver

	// SystemAccount is the key of an account that is never deleted. One in force that says it is the system account is
	// none the less kept.
	SystemAccount string
	// AllowDelete heeds requests to delete accounts; without it they are refused.
	AllowDelete bool
	// Cache is for a node that does not have all accounts: it takes updates of accounts in force only, answers
	// neither LOOKUP nor PACK, and exchanges no packs.
	Cache bool
	// UpdatesOnly is for a node whose accounts come from a configuration or an account server: it takes updates of accounts
	// in force, on the two subjects that name the account, and answers and asks nothing else (F105). What the
	// Authorizer has no Store for lasts as long as the process. Not together with Cache.
	UpdatesOnly bool

	// Interval is the time from one exchange of packs to the next; 0: one minute; negative: none but the calls of
	// [Service.Exchange]. The first is at [Service.Start].
	Interval time.Duration
	// Jitter gives the time to wait for an interval, so that nodes which were started together do not ask together. It is
	// called by one goroutine at a time; nil: a random time between half of it and all of it.
	Jitter func(time.Duration) time.Duration
	// Timeout is how long an exchange waits for the next message; 0: 1.9 seconds (F119).
	Timeout time.Duration

	// MaxRequestAge is how old a request to delete accounts may be that carries no expiry, by its iat; 0: five minutes
	// (B23).
	MaxRequestAge time.Duration
	// MaxSkew is how far ahead of our clock such a request may be issued; 0: five minutes.
	MaxSkew time.Duration
	// Clock tells the time; nil: time.Now.
	Clock func() time.Time
	// Logger is told of exchanges in which something was refused and of answers that would be too large (warning), and of
	// answers and exchanges that failed (debug); nil: nobody.
	Logger *slog.Logger
	Bounds Bounds
}

// Bounds are the limits of a Service's work and memory (B18). A zero field has the default that its comment names; a
// negative one is refused by [New].
type Bounds struct {
	// MessageBytes is the largest message that is read; default 1 MiB, as much as the largest token, and 64 bytes for its
	// key. An answer that would be larger leaves out its lists, and in place of all accounts is an error.
	MessageBytes int
	// Requests is how many requests wait to write (UPDATE and DELETE, which are done in the order in which they came), and
	// how many to read (LOOKUP), and of those that have no room how many wait to be told so; default 1,024.
	Requests int
	// RequestBytes is how many bytes of requests wait to write; default 16 MiB. One has room whatever its size.
	RequestBytes int
	// Packs is how many requests for packs wait, and how many for lists; default 16.
	Packs int
	// RequestTime is how long one request may take, and of a DELETE each account; default 10 seconds.
	RequestTime time.Duration
	// Replays is how many requests to delete are remembered, each until it would be refused for its age; one more is
	// refused. Default 4,096.
	Replays int
	// PackTokens is how many tokens are sent in one pack, and how many messages of one are taken; default 1,000,000.
	PackTokens int
	// PackBytes is how much of a pack may wait until it is looked at; what is over is left for the next exchange. Default
	// 64 MiB.
	PackBytes int
	// PackTime is how long one exchange, or the sending of one pack, may take; default 5 minutes.
	PackTime time.Duration
}

// ServerInfo is what an answer says of the node that gives it, under the names that nats-server v2.15 server/events.go
// ServerInfo has. Tools want the name, and count answers by it.
type ServerInfo struct {
	Name         string            `json:"name"`
	Host         string            `json:"host"`
	ID           string            `json:"id"`
	Cluster      string            `json:"cluster,omitempty"`
	Domain       string            `json:"domain,omitempty"`
	Version      string            `json:"ver"`
	Tags         []string          `json:"tags,omitempty"`
	Metadata     map[string]string `json:"metadata,omitempty"`
	FeatureFlags map[string]bool   `json:"feature_flags,omitempty"`
	JetStream    bool              `json:"jetstream"`
	Flags        uint64            `json:"flags"`
}

// defaultMessageBytes has room for the largest token and, in a pack, its key.
const defaultMessageBytes = claims.MaxTokenSize + 64

// checked gives the configuration with every default in place.
func (c Config) checked() (Config, error) {
	switch {
	case c.Bus == nil || c.Authorizer == nil || c.Store == nil && !c.UpdatesOnly:
		return c, errors.New("claimsync: Config needs a Bus, an Authorizer and a Store; with UpdatesOnly no Store")
	case c.Server.Name == "":
		return c, errors.New("claimsync: Config.Server needs a name: tools refuse answers without one")
	case c.Cache && c.UpdatesOnly:
		return c, errors.New("claimsync: Config.Cache and Config.UpdatesOnly exclude each other")
	case c.SystemAccount != "" && !claims.IsAccountKey(c.SystemAccount):
		return c, errors.New("claimsync: Config.SystemAccount is not the public key of an account")
	}
	for _, f := range []struct {
		name     string
		value    *time.Duration
		standard time.Duration
	}{
		{"Timeout", &c.Timeout, defaultTimeout},
		{"MaxRequestAge", &c.MaxRequestAge, 5 * time.Minute},
		{"MaxSkew", &c.MaxSkew, 5 * time.Minute},
		{"Bounds.RequestTime", &c.Bounds.RequestTime, 10 * time.Second},
		{"Bounds.PackTime", &c.Bounds.PackTime, 5 * time.Minute},
	} {
		if err := fill("Config."+f.name, f.value, f.standard); err != nil {
			return c, err
		}
	}
	c.Interval = cmp.Or(c.Interval, time.Minute)
	c.Logger = cmp.Or(c.Logger, slog.New(slog.DiscardHandler))
	c.Server.Tags = slices.Clone(c.Server.Tags)
	c.Server.Metadata, c.Server.FeatureFlags = maps.Clone(c.Server.Metadata), maps.Clone(c.Server.FeatureFlags)
	if c.Clock == nil {
		c.Clock = time.Now //nolint:forbidigo // the default of the one clock
	}
	if c.Jitter == nil {
		c.Jitter = func(d time.Duration) time.Duration {
			return d/2 + rand.N(d/2+1) //nolint:gosec // G404: it spreads nodes, and keeps nothing secret
		}
	}
	var err error
	c.Bounds, err = c.Bounds.checked()
	return c, err
}

func (b Bounds) checked() (Bounds, error) {
	for _, f := range []struct {
		name     string
		value    *int
		standard int
	}{
		{"MessageBytes", &b.MessageBytes, defaultMessageBytes},
		{"Requests", &b.Requests, 1024},
		{"RequestBytes", &b.RequestBytes, 16 << 20},
		{"Packs", &b.Packs, 16},
		{"Replays", &b.Replays, 4096},
		{"PackTokens", &b.PackTokens, 1_000_000},
		{"PackBytes", &b.PackBytes, 64 << 20},
	} {
		if err := fill("Bounds."+f.name, f.value, f.standard); err != nil {
			return b, err
		}
	}
	return b, nil
}

// fill puts a default in the place of zero.
func fill[T int | time.Duration](name string, value *T, standard T) error {
	if *value < 0 {
		return fmt.Errorf("claimsync: %s is negative", name)
	}
	*value = cmp.Or(*value, standard)
	return nil
}
