package url

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// ask attempts until there is an answer, or no hope for one. It gives what attempt gives.
func (r *Resolver) ask(ctx context.Context, account string, old *entry) (*entry, error) {
	p := r.pauses(ctx)
	next, err := backoff.Retry(ctx,
		func() (*entry, error) {
			e, err := r.attempt(ctx, account, old)
			p.last = err
			return e, err
		},
		backoff.WithBackOff(p),
		backoff.WithMaxTries(uint(r.c.Attempts)),
		backoff.WithMaxElapsedTime(0), // the context's is the one that counts
		backoff.WithNotify(func(error, time.Duration) { r.counts.retries.Add(1) }),
	)
	if err != nil {
		return nil, orEnded(ctx, err)
	}
	return next, nil
}

// pauses are those between the attempts of one Resolve. They are a backoff.BackOff.
type pauses struct {
	*backoff.ExponentialBackOff
	most     time.Duration
	deadline time.Time // zero for none
	last     error     // of the attempt before the pause
}

func (r *Resolver) pauses(ctx context.Context) *pauses {
	deadline, _ := ctx.Deadline()
	return &pauses{most: r.c.MaxPause, deadline: deadline, ExponentialBackOff: &backoff.ExponentialBackOff{
		InitialInterval: r.c.Pause, MaxInterval: r.c.MaxPause, Multiplier: 2, RandomizationFactor: 0.5,
	}}
}

// NextBackOff is the next pause: as long as the server asks for, at least. There is none after an error that will not pass,
// nor one that is too long, or would last until nobody waits any more.
func (p *pauses) NextBackOff() time.Duration {
	pause := min(p.ExponentialBackOff.NextBackOff(), p.most)
	var status *StatusError
	if errors.As(p.last, &status) {
		pause = max(pause, status.RetryAfter)
	}
	if !passing(p.last) || pause > p.most || p.late(pause) {
		return backoff.Stop
	}
	return pause
}

func (p *pauses) late(pause time.Duration) bool {
	//nolint:forbidigo // the deadline of a context is one of this clock
	return !p.deadline.IsZero() && pause >= time.Until(p.deadline)
}

// retryAfter reads how long to wait: seconds or a date (RFC 9110, section 10.2.3). What is neither, or over, is zero.
func retryAfter(h http.Header, now time.Time) time.Duration {
	text := strings.TrimSpace(h.Get("Retry-After"))
	if wait, ok := seconds(text); ok {
		return wait
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	return max(0, at.Sub(now))
}
