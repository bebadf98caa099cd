package accountsrv

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/claims"
	"github.com/natsauth/natsauth/resolver"
)

// Config says what a [Server] serves. Accounts is needed; the zero value of everything else does what its comment says, and
// a negative number is an error.
type Config struct {
	// Accounts has the tokens. One that is a [resolver.Store] is served as a pack, too.
	Accounts resolver.Resolver
	// Authorizer judges what is pushed, and keeps it: its Store should be what Accounts reads. Nil: nothing can be pushed.
	Authorizer Authorizer
	// Operator is a token to serve as the operator's, bare or as a decorated file holds it; empty: there is none. Nothing is
	// judged by it.
	Operator string
	// SystemAccount is the token, likewise, of an account that is served where Accounts has none of it: the system account,
	// which must be there before anything can be pushed.
	SystemAccount string

	// Authorize judges pushes, packs and notifications by whatever the request shows, before its body is read. An error is
	// 403 and goes to the log, not to the client. Nil: everybody may; what is pushed is signed anyway. It may be called by
	// several goroutines at once.
	Authorize func(*http.Request) error
	// Bus is told of every push, and of a token by notify=true; nil: nobody is.
	Bus resolver.Bus

	// MaxBody is the largest push in bytes, white space around the token included; default and most [claims.MaxTokenSize],
	// 1 MiB.
	MaxBody int
	// MaxPushes is how many are read and judged at the same time, which bounds their memory to MaxBody each, and what
	// judging takes; default 32. Others wait for their turn, within Timeout.
	MaxPushes int
	// MaxPack is how many tokens a pack has at the most; default 10,000. Whoever asks for more, or for all where there are
	// more, is refused.
	MaxPack int
	// MaxPackBytes is how many bytes that is at the most; default 256 MiB. A pack that would be larger breaks off.
	MaxPackBytes int
	// MaxPacks is how many are under way at the same time; default 4. Others wait as pushes do.
	MaxPacks int
	// Timeout is how long is waited for the store, for a turn, for the body of a push and for the client to take a part of a
	// pack, each by itself; default 10 seconds. For the latter two it takes the place of the http.Server's ReadTimeout and
	// WriteTimeout.
	Timeout time.Duration
	// PackTime is how long a whole pack may take: who reads slowly keeps a turn no longer; default 5 minutes.
	PackTime time.Duration

	// Clock tells whether a token has ended; default time.Now.
	Clock func() time.Time
	// Logger is told of pushes (info), and of what could not be read, saved or published (warning); default: nobody.
	Logger *slog.Logger
}

// Authorizer judges a token that is pushed, saves it and puts it in force, as [auth.Authorizer] does. Its error is an
// [*auth.Error]; any other is answered with 500.
type Authorizer interface {
	Apply(ctx context.Context, accountToken string, m resolver.Mode) (auth.Report, error)
}

// filled gives the configuration with its defaults.
func (c Config) filled() (Config, error) {
	if c.Accounts == nil {
		return c, errors.New("accountsrv: Config.Accounts is needed")
	}
	for _, n := range []struct {
		name      string
		value     *int
		otherwise int
	}{
		{"MaxBody", &c.MaxBody, claims.MaxTokenSize},
		{"MaxPushes", &c.MaxPushes, 32},
		{"MaxPack", &c.MaxPack, 10_000},
		{"MaxPackBytes", &c.MaxPackBytes, 256 << 20},
		{"MaxPacks", &c.MaxPacks, 4},
	} {
		if err := fill(n.name, n.value, n.otherwise); err != nil {
			return c, err
		}
	}
	if err := fill("Timeout", &c.Timeout, 10*time.Second); err != nil {
		return c, err
	}
	if err := fill("PackTime", &c.PackTime, 5*time.Minute); err != nil {
		return c, err
	}
	if c.MaxBody > claims.MaxTokenSize {
		return c, fmt.Errorf("accountsrv: Config.MaxBody is over %d", claims.MaxTokenSize)
	}
	if a, ok := c.Authorizer.(*auth.Authorizer); ok && a == nil {
		c.Authorizer = nil
	}
	if c.Clock == nil {
		c.Clock = time.Now //nolint:forbidigo // the default of the one clock
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c, nil
}

func fill[T int | time.Duration](name string, value *T, otherwise T) error {
	if *value < 0 {
		return fmt.Errorf("accountsrv: Config.%s is negative", name)
	}
	if *value == 0 {
		*value = otherwise
	}
	return nil
}
