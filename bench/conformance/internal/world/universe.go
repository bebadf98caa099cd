package world

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"github.com/natsauth/natsauth/bench/conformance/internal/peer"
	"github.com/natsauth/natsauth/bench/conformance/internal/verdict"
)

// Universe is one configuration and the clients that try themselves on it. Its
// clients do not meet: each has an account of its own.
type Universe struct {
	Seed    uint64
	Config  string
	Clients []Client

	*World
	nature
	proxy Key      // a trusted proxy, if there is one
	more  Key      // another operator that is trusted, if there is one
	guard string   // the default sentinel, if there is one
	pins  []string // accounts that are pinned
}

// Shared says that clients may end up in one account, so that they must take
// turns.
func (u *Universe) Shared() bool { return u.guard != "" }

// nature is what a universe's configuration has beside operator and accounts.
type nature struct {
	strict, trusted, second, expired bool
	pinned, proxies                  bool
	sentinel                         sentinel
	payload                          int  // the server's max_payload; 0 is unset
	subs                             int  // the server's max_subscriptions; 0 is unset
	short                            bool // the server's max_control_line stays at its default
}

// sentinel is which default_sentinel a universe has.
type sentinel uint8

const (
	noSentinel sentinel = iota
	bearerSentinel
	scopedSentinel
)

// Client is one case: what it tries, and what is known of it.
type Client struct {
	Name  string
	Rows  []string // the rows of the feature table that decide it
	Facts verdict.Facts
	// Script is what the client says, and what is noted of the answers.
	Script func(*peer.Talk) error

	tokens []string
}

// Describe tells what the tokens of a client say, and of its universe; no seeds.
func (u *Universe) Describe(c Client) string {
	var b strings.Builder
	fmt.Fprintf(&b, "universe: %+v\n", u.nature)
	for _, t := range c.tokens {
		fmt.Fprintf(&b, "token: %s\n", Content(t))
	}
	for _, l := range u.Lines {
		if u.guard != "" {
			l = strings.ReplaceAll(l, u.guard, Content(u.guard))
		}
		fmt.Fprintf(&b, "config: %s\n", l)
	}
	return b.String()
}

// chance is true n times of a hundred.
func chance(r *rand.Rand, n int) bool { return r.IntN(100) < n }

// natureOf chooses what a universe is like.
func natureOf(r *rand.Rand) nature {
	n := nature{
		strict: chance(r, 20), second: chance(r, 25), pinned: chance(r, 30),
		proxies: chance(r, 50), short: chance(r, 10), expired: chance(r, 3),
	}
	if chance(r, 8) {
		return nature{trusted: true, pinned: n.pinned, proxies: n.proxies}
	}
	if chance(r, 30) {
		n.sentinel = sentinel(1 + r.IntN(2))
	}
	if chance(r, 30) {
		n.payload = 100 + r.IntN(400)
	}
	if chance(r, 20) {
		n.subs = 1 + r.IntN(4)
	}
	return n
}

// Generate makes a universe with some clients.
func Generate(seed uint64, clients int) *Universe {
	return populate(seed, natureOf(rand.New(rand.NewPCG(seed, 1))), func(u *Universe) {
		for i := range clients {
			u.add(u.draft(i))
		}
	})
}

// populate makes a universe of a nature, has it filled, and writes its
// configuration.
func populate(seed uint64, n nature, fill func(*Universe)) *Universe {
	u := &Universe{Seed: seed, nature: n}
	u.World = New(seed, func(o *jwt.OperatorClaims) {
		o.StrictSigningKeyUsage = n.strict
		if n.expired {
			o.Expires = time.Now().Add(-time.Hour).Unix()
		}
	})
	u.Trusted = n.trusted
	u.furnish()
	fill(u)
	if n.pinned {
		u.line("resolver_pinned_accounts: [%s]", strings.Join(u.pins, ", "))
	}
	u.Config = u.World.Config()
	return u
}

func (u *Universe) line(format string, args ...any) {
	u.Lines = append(u.Lines, fmt.Sprintf(format, args...))
}

// furnish adds what the nature asks for.
func (u *Universe) furnish() {
	u.pins = []string{u.System.Key.Public}
	u.proxy = u.NewKey(nkeys.PrefixByteServer)
	if u.proxies {
		u.line("proxies { trusted: [ { key: %s }, { key: %s } ] }", u.NewKey(nkeys.PrefixByteServer), u.proxy)
	}
	if u.second {
		u.more = u.NewKey(nkeys.PrefixByteOperator)
		c := jwt.NewOperatorClaims(u.more.Public)
		c.Name, c.Type, c.Version, c.SystemAccount = "second", jwt.OperatorClaim, 2, u.System.Key.Public
		u.Trust(Mint(c, u.more, u.Now.Add(-time.Hour)))
	}
	if u.payload > 0 {
		u.line("max_payload: %d", u.payload)
	}
	if u.subs > 0 {
		u.line("max_subscriptions: %d", u.subs)
	}
	if !u.short {
		u.line("max_control_line: 1048576")
	}
	u.watch()
}

// watch adds the default sentinel.
func (u *Universe) watch() {
	if u.sentinel == noSentinel {
		return
	}
	a := u.NewAccount("SENTINEL")
	a.By = u.AccountSigner()
	u.pins = append(u.pins, a.Key.Public)
	by := a.SigningKey()
	if u.sentinel == scopedSentinel {
		by = a.Role(func(s *jwt.UserScope) { s.Template.BearerToken = chance(u.Rand, 70) })
	}
	a.Admit()
	c, _ := a.NewUser("sentinel", by)
	c.BearerToken = u.sentinel == bearerSentinel
	u.guard = Mint(c, by, u.Now.Add(-time.Minute))
	u.line("default_sentinel: %s", u.guard)
}
