package cache

import (
	"math"
	"strings"
	"sync/atomic"
	"time"

	"github.com/natsauth/natsauth/claims"
)

// entry is a token that is kept. Its ages count from when upstream was asked for it.
type entry struct {
	token  string
	loaded time.Time
	kept   time.Duration // the age at which it is gone
	pause  atomic.Int64  // the age, a time.Duration, up to which upstream is not asked: it could not answer just now
}

// state is what an entry is good for.
type state uint8

const (
	gone   state = iota // nothing
	late                // to be given if upstream is asked in vain
	paused              // to be given: upstream was asked in vain a moment ago
	due                 // to be given, and upstream asked meanwhile
	fresh               // to be given
)

// state is what an entry is good for now. No entry is gone.
func (c *Cache) state(e *entry) state {
	now := c.options.Clock()
	if e == nil {
		return gone
	}
	age, ttl := now.Sub(e.loaded), c.options.TTL
	pause := age < time.Duration(e.pause.Load())
	switch {
	case age >= e.kept:
		return gone
	case age >= ttl && pause:
		return paused
	case age >= ttl:
		return late
	case age >= ttl-c.options.RefreshAhead && !pause:
		return due
	default:
		return fresh
	}
}

// keep makes an entry of what upstream gave when it was asked at loaded, or none of what is not to be kept: a token that
// is too large or is over, and anything that package auth would refuse without asking whom it trusts. That costs one
// check of a signature a load, beside the one that auth makes; in exchange nothing but tokens of the accounts that were
// asked for is ever kept, and there is no second way to read one.
func (o Options) keep(account, token string, loaded time.Time) *entry {
	if len(token) > o.room() {
		return nil
	}
	a, err := claims.ParseAccount(token)
	if err != nil || a.Key != account {
		return nil
	}
	kept := min(o.kept(), lifetime(a.Expires, loaded))
	if kept <= 0 {
		return nil
	}
	return &entry{token: strings.Clone(token), loaded: loaded, kept: kept} // it may be part of something larger
}

// lifetime is the age at which a token's own time is over (B11); expires is in seconds since 1970, and 0 is never.
func lifetime(expires int64, loaded time.Time) time.Duration {
	if expires == 0 {
		return math.MaxInt64
	}
	const far = 1 << 40 // in 34,000 years, and still within what time.Time can tell
	return time.Unix(min(expires, far), 0).Sub(loaded)
}
