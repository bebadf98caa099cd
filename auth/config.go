package auth

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/natsauth/natsauth/claims"
	"github.com/natsauth/natsauth/resolver"
)

// Config is what an Authorizer is made of. Trust and one of Store and Resolver
// are needed; the zero value of everything else does what its comment says.
type Config struct {
	Trust Trust

	// Store holds account tokens that are ours to write; Resolver is upstream and
	// only read. A look-up asks the Store first, then the Resolver, and saves what
	// the Resolver had. Either may be nil, not both.
	Store    resolver.Store
	Resolver resolver.Resolver
	// Mirror asks the Resolver first, and the Store where it is unavailable.
	Mirror bool

	// MaxSkew is how far ahead of our clock an account token may be issued;
	// 0: five minutes (B4).
	MaxSkew time.Duration
	// Warn is how long before its end a session gets an Expiring event and an
	// operator's end is logged; 0: never.
	Warn time.Duration

	// ServerVersion, major.minor.patch, is what assert_server_version of an
	// operator is held against. Empty is older than every version.
	ServerVersion string
	// Location is where the hours of users count that name no location; nil:
	// time.Local.
	Location *time.Location
	// Clock tells the time; nil: time.Now. A decision goes by one reading of it; a
	// look-up takes another, and so does each question to a session that has an end.
	Clock func() time.Time
	// Logger is told of refused connections (info), of operators whose token ends
	// (warning) and of account tokens that could not be saved (warning); nil: nobody.
	Logger *slog.Logger
	Bounds Bounds

	// AllowDottedTemplateValues lets a value in a scope's template hold dots, for
	// users that are named by e-mail address (B2).
	AllowDottedTemplateValues bool
	// OperatorExpiryCloses ends live sessions when their operator's token expires;
	// without it only new ones are refused (B12).
	OperatorExpiryCloses bool
}

// Bounds are the limits of our own work and memory (B18). A zero field has the
// default that its comment names; a negative one is refused by [New], except
// where it says otherwise.
type Bounds struct {
	// TokenBytes is the largest user or account token; default and most
	// [claims.MaxTokenSize], 1 MiB.
	TokenBytes int
	// Lookups is how many accounts are looked up at the same time; one more is
	// refused with AccountBusy, so that unknown accounts cannot pile up; default
	// 64.
	Lookups int
	// LookupTime is how long one look-up may take; default 5 seconds.
	LookupTime time.Duration
	// Misses is how many failed look-ups are remembered; default 16,384. An outage
	// is not remembered: the next client may be luckier.
	Misses int
	// MissTime is how long a failed look-up is remembered; default 1 second.
	MissTime time.Duration
	// CachedBytes is how much is kept of verified user tokens, each with its text
	// and 512 bytes, so that a reconnect checks one signature in place of two;
	// default 64 MiB; negative: none.
	CachedBytes int
	// Imports and Exports are how many an account may have; default 10,000 each.
	Imports, Exports int
	// Expansions is how many entries a template list may grow to; default
	// [claims.MaxExpansions], 4,096.
	Expansions int
	// ReplyGrants is how many reply subjects one session may owe an answer to; a
	// further one takes the place of the oldest; default 65,536.
	ReplyGrants int
}

// systemBound says whether a store or resolver, if there is one, works through the
// system account.
func systemBound(r resolver.Resolver) bool {
	b, ok := r.(resolver.SystemBound)
	return ok && b.SystemBound()
}

// checked gives the configuration with every default in place.
func (c Config) checked() (Config, error) {
	if c.Store == nil && c.Resolver == nil {
		return c, errors.New("auth: Config needs a Store or a Resolver")
	}
	if c.Mirror && (c.Store == nil || c.Resolver == nil) {
		return c, errors.New("auth: Config.Mirror needs both a Store and a Resolver")
	}
	if c.MaxSkew < 0 {
		return c, errors.New("auth: Config.MaxSkew is negative")
	}
	if c.Warn < 0 {
		return c, errors.New("auth: Config.Warn is negative")
	}
	c.MaxSkew = cmp.Or(c.MaxSkew, 5*time.Minute)
	c.Location = cmp.Or(c.Location, time.Local)
	c.Logger = cmp.Or(c.Logger, slog.New(slog.DiscardHandler))
	if c.Clock == nil {
		c.Clock = time.Now
	}
	var err error
	c.Bounds, err = c.Bounds.checked()
	return c, err
}

// checked gives the bounds with every default in place.
func (b Bounds) checked() (Bounds, error) {
	for _, f := range []struct {
		name     string
		value    *int
		standard int
	}{
		{"TokenBytes", &b.TokenBytes, claims.MaxTokenSize},
		{"Lookups", &b.Lookups, 64},
		{"Misses", &b.Misses, 16_384},
		{"Imports", &b.Imports, 10_000},
		{"Exports", &b.Exports, 10_000},
		{"Expansions", &b.Expansions, claims.MaxExpansions},
		{"ReplyGrants", &b.ReplyGrants, 65_536},
	} {
		if *f.value < 0 {
			return b, fmt.Errorf("auth: Bounds.%s is negative", f.name)
		}
		*f.value = cmp.Or(*f.value, f.standard)
	}
	if b.TokenBytes > claims.MaxTokenSize {
		return b, fmt.Errorf("auth: Bounds.TokenBytes is over %d", claims.MaxTokenSize)
	}
	if b.LookupTime < 0 || b.MissTime < 0 {
		return b, errors.New("auth: Bounds.LookupTime or Bounds.MissTime is negative")
	}
	b.LookupTime = cmp.Or(b.LookupTime, 5*time.Second)
	b.MissTime = cmp.Or(b.MissTime, time.Second)
	b.CachedBytes = cmp.Or(b.CachedBytes, 64<<20)
	return b, nil
}
