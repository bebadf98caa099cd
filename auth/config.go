package auth

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
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
	// the Resolver had; for an account that is in force the Resolver is asked first.
	// Either may be nil, not both.
	Store    resolver.Store
	Resolver resolver.Resolver
	// Mirror asks the Resolver first, and the Store where it is unavailable.
	Mirror bool

	// Watch are sources of hints: what one says of an account leads to a look-up.
	// They are followed until the Authorizer is closed. Those of the Store and the
	// Resolver are not taken by themselves: name them here.
	Watch []resolver.Watcher
	// Refresh is after how long an account in force is looked up again: between a
	// half and the whole of it. So revocations arrive through a resolver that only
	// answers questions; 0: never. An account in force that a look-up does not find
	// goes out of force.
	Refresh time.Duration
	// MaxStale is how long an account stays in force after a look-up could not be
	// answered; 0: until its own expiry (B9). Without Refresh and Watch nobody asks.
	MaxStale time.Duration
	// OnAccount is told of every account that came into force, has another view, or
	// went out of force, after it has: in order for each account, what changes while
	// it runs together, and in a goroutine that lives only while there is something
	// to tell; of several accounts at the same time. No lock is held, and a slow one holds nobody up. An account that
	// leaves memory because nobody uses it is not told. nil: nobody.
	OnAccount func(AccountEvent)
	// Audit is told of every change of an account or of the trust set, done or
	// refused; nil: nobody, the Logger apart. It is called by whoever made the
	// change, and should return soon: clients wait for a look-up that tells it. It must
	// not ask for the account that it is told of. What
	// SetRemote and CloseSessions do is their caller's to write down.
	Audit func(AuditRecord)

	// MaxSkew is how far ahead of our clock an account token may be issued;
	// 0: five minutes (B4).
	MaxSkew time.Duration
	// Warn is how long before its end a session gets an Expiring event and an
	// operator's end is logged; 0: never.
	Warn time.Duration

	// ServerVersion, major.minor.patch, is what assert_server_version of an
	// operator is held against. Empty is older than every version.
	ServerVersion string
	// Cluster is the name of the broker's cluster, for the destinations of
	// mappings that are for one cluster only; empty: it is in none (F093).
	Cluster string
	// Location is where the hours of users count that name no location; nil:
	// time.Local.
	Location *time.Location
	// Clock tells the time; nil: time.Now. A decision goes by one reading of it; a
	// look-up takes another, and so does each question to a session that has an end.
	Clock func() time.Time
	// Rand chooses among the weighted destinations of mappings, and is behind
	// their random function; nil: a source that is seeded at random. The Authorizer
	// asks it one call at a time, from any goroutine: leave it to one Authorizer.
	Rand *rand.Rand
	// Logger is told of refused connections and of what Audit is told (info), of
	// operators whose token ends, account tokens that could not be saved and watchers
	// that gave up (warning); nil: nobody.
	Logger *slog.Logger
	Bounds Bounds

	// AllowDottedTemplateValues lets a value in a scope's template hold dots, for
	// users that are named by e-mail address (B2).
	AllowDottedTemplateValues bool
	// KeepOnScopeChange gives live users of a scoped signing key what its changed
	// scope gives, in place; without it they are closed, as nats-server does.
	KeepOnScopeChange bool
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
	// 64. Looking accounts in force up again takes half of them at most.
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
	// GraphEdges is how many imports that follow one another may be looked at when an
	// account changes, to find those that lead back to themselves. Imports of the account
	// for which it is not enough are dead, and say so (F086); default 10,000. Looking for
	// what follows counts, too.
	GraphEdges int
	// Expansions is how many entries a template list may grow to; default
	// [claims.MaxExpansions], 4,096.
	Expansions int
	// Marks is how many accounts that are out of force are remembered by the time
	// of their last token, so that no older one comes back (B4); default 65,536.
	Marks int
	// Idle is how long an account stays in memory after its last session, at least,
	// and up to twice that; default 10 minutes.
	Idle time.Duration
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

// reaches says what is missing for the store and the resolver to work.
func (c Config) reaches(t *trust) error {
	if t.system == "" && (systemBound(c.Store) || systemBound(c.Resolver)) {
		return errors.New("auth: the store or the resolver works through the system account, and none is named")
	}
	return nil
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
	if c.Warn < 0 || c.Refresh < 0 || c.MaxStale < 0 {
		return c, errors.New("auth: Config.Warn, Config.Refresh or Config.MaxStale is negative")
	}
	c.MaxSkew = cmp.Or(c.MaxSkew, 5*time.Minute)
	c.Location = cmp.Or(c.Location, time.Local)
	c.Logger = cmp.Or(c.Logger, slog.New(slog.DiscardHandler))
	if c.Clock == nil {
		c.Clock = time.Now
	}
	c.Rand = shared(c.Rand)
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
		{"GraphEdges", &b.GraphEdges, 10_000},
		{"Expansions", &b.Expansions, claims.MaxExpansions},
		{"Marks", &b.Marks, 65_536},
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
	if b.LookupTime < 0 || b.MissTime < 0 || b.Idle < 0 {
		return b, errors.New("auth: Bounds.LookupTime, Bounds.MissTime or Bounds.Idle is negative")
	}
	b.Idle = cmp.Or(b.Idle, 10*time.Minute)
	b.LookupTime = cmp.Or(b.LookupTime, 5*time.Second)
	b.MissTime = cmp.Or(b.MissTime, time.Second)
	b.CachedBytes = cmp.Or(b.CachedBytes, 64<<20)
	return b, nil
}
