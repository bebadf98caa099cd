package cache

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/natsauth/natsauth/claims"
)

// Options say how much is kept, and how long. Each zero value stands for its default. A negative one is an error, but
// where the field says otherwise.
//
// They are those of nats-server's resolver of type cache as far as it has them: Entries is `limit`, TTL is `ttl`, Timeout
// is `timeout` (F109, nats-server v2.15 server/opts.go).
type Options struct {
	// Entries is how many tokens are kept at the most; default 10,000. While one is taken in it is one more, until the
	// one that is least likely to be asked for again is gone.
	Entries int

	// Bytes is how large the tokens that are kept may be together; default 64 MiB. A token that is larger by itself is
	// given and not kept. Both bounds hold at once because a token counts for an equal share of Bytes (Bytes divided by
	// Entries) at the least: few large tokens are kept, or many small ones, and of a mixture fewer than either.
	Bytes int

	// TTL is how long a token is the answer after upstream was asked for it; default an hour. Being asked for does not
	// lengthen it, so whoever asks sees what upstream has revoked after a TTL at the latest. Negative: without end but the
	// token's own, as a `ttl` of zero is in nats-server's configuration; then only Forget has a revocation seen.
	TTL time.Duration

	// RefreshAhead is the last part of the TTL, in which a question has upstream asked again in the background, and is
	// answered without waiting; default a tenth of the TTL. It has to be shorter than that. Negative: none.
	RefreshAhead time.Duration

	// MaxStale is for how long after the TTL a token is given if upstream is asked and is unavailable; default not at
	// all. Package auth keeps accounts in force by itself while upstream is unavailable (B9), if it sees that; what is
	// given here looks confirmed to it, so that this and its own MaxStale add up. It is for accounts that are not in force
	// at the time: their users can connect.
	MaxStale time.Duration

	// Timeout is how long upstream may take to answer; default 4 seconds, a little less than a look-up may take by the
	// default of package auth, so that MaxStale can answer in time.
	Timeout time.Duration

	// Retry is for how long upstream is not asked again for a token that is kept, after it could not be had; default a
	// second.
	Retry time.Duration

	// Loads is how many questions to upstream may be under way at the same time; default 256. One more is
	// resolver.ErrUnavailable, or answered from memory if MaxStale allows that.
	Loads int

	// Clock is what tells the time; default time.Now. It is asked by several goroutines.
	Clock func() time.Time
}

// filled gives the options with their defaults. Then a TTL without end is the longest that there is, and no RefreshAhead
// is zero.
func (o Options) filled() (Options, error) {
	for _, f := range []struct {
		name string
		size *int
		not  int
	}{
		{"Entries", &o.Entries, 10_000}, {"Bytes", &o.Bytes, 64 << 20}, {"Loads", &o.Loads, 256},
	} {
		if *f.size < 0 {
			return Options{}, fmt.Errorf("cache: Options.%s is negative", f.name)
		}
		*f.size = cmp.Or(*f.size, f.not)
	}
	if o.MaxStale < 0 || o.Timeout < 0 || o.Retry < 0 {
		return Options{}, errors.New("cache: Options.MaxStale, Options.Timeout or Options.Retry is negative")
	}
	o.Timeout, o.Retry = cmp.Or(o.Timeout, 4*time.Second), cmp.Or(o.Retry, time.Second)
	o.Retry = min(o.Retry, math.MaxInt64/2) // an age is added to it
	if o.Clock == nil {
		o.Clock = time.Now //nolint:forbidigo // the one default
	}
	return o.aged()
}

// aged fills in what has to do with the age of a token.
func (o Options) aged() (Options, error) {
	o.TTL = cmp.Or(o.TTL, time.Hour)
	if o.TTL < 0 {
		o.TTL, o.RefreshAhead = math.MaxInt64, 0
		return o, nil
	}
	o.RefreshAhead = max(0, cmp.Or(o.RefreshAhead, o.TTL/10))
	if o.RefreshAhead >= o.TTL {
		return Options{}, errors.New("cache: Options.RefreshAhead is not shorter than Options.TTL")
	}
	return o, nil
}

// kept is for how long a token is kept.
func (o Options) kept() time.Duration {
	return o.TTL + min(o.MaxStale, math.MaxInt64-o.TTL)
}

// share is what a token counts for at the least. No token is larger than claims.MaxTokenSize: a share beyond that would
// change nothing.
func (o Options) share() int {
	return min(max(1, o.Bytes/o.Entries), claims.MaxTokenSize)
}

// room is how many bytes there are to share out: never more than Bytes, and so many that Entries tokens fit if none is
// larger than its share.
func (o Options) room() int {
	return o.share() * min(o.Entries, o.Bytes)
}
