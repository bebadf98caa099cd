package natskv

import (
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"time"
)

// ErrBucket says that the bucket, which somebody else has made, is not one for account tokens. What wraps it wraps
// resolver.ErrUnavailable, too.
var ErrBucket = errors.New("natskv: the bucket does not suit")

// ErrFault says that the account's entry is neither its token nor what a deletion leaves. What wraps it wraps
// resolver.ErrUnavailable, too: another source may have the token.
var ErrFault = errors.New("natskv: the entry is not the account's token")

// Options of a [Store]. The zero value names no bucket and is refused.
type Options struct {
	// Bucket is the bucket's name: letters, digits, dashes and underscores.
	Bucket string
	// Replicas is on how many servers the bucket is kept that is made where there is none. 0: none is made, and the store
	// is unavailable until somebody else has made it: without a TTL, and, if there is more than one copy, without direct
	// reads, or it is [ErrBucket]. One that was there and is gone is not made again: that it has no
	// accounts any more is for people to say.
	Replicas int
	// MaxBytes is how large such a bucket may become; 0: as large as its account may. Once it is full, a new account is
	// resolver.ErrFull, and a change of another one unavailable: that needs room, too.
	MaxBytes int64
	// Poll is how often a watch asks the bucket whether it has missed something; 0: every 2 seconds.
	Poll time.Duration
	// Bootstrap are tokens that Resolve gives where the bucket has never had one of the account, or cannot be asked: for a
	// broker whose own connection needs an account that is in the bucket, which wants nats.RetryOnFailedConnect(true), too.
	// Watch saves them into the bucket once it is reached, as resolver.Merge; from then on Accounts and Hash know them.
	// Whatever is let in before that has a token signed by an operator, the system account, too (F017).
	Bootstrap []string
	// Clock is for [Stats], and for how long a bucket may say that it has less than was seen; nil: time.Now.
	Clock func() time.Time
	// Logger gets what ended a watch, and which entries are at fault; nil: nobody.
	Logger *slog.Logger
}

// bucketName is what the key-value interface of NATS allows (ADR-8 of NATS).
var bucketName = regexp.MustCompile(`^[a-zA-Z0-9_-]+$`)

// checked fills in what is not set.
func (o Options) checked() (Options, error) {
	if !bucketName.MatchString(o.Bucket) {
		return o, fmt.Errorf("natskv: Options.Bucket: %q is no name of a bucket", o.Bucket)
	}
	if o.Replicas < 0 || o.MaxBytes < 0 || o.Poll < 0 {
		return o, errors.New("natskv: Options.Replicas, Options.MaxBytes or Options.Poll is negative")
	}
	if o.Poll == 0 {
		o.Poll = 2 * time.Second
	}
	if o.Clock == nil {
		o.Clock = time.Now //nolint:forbidigo // the default of Options.Clock is the wall clock
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o, nil
}
