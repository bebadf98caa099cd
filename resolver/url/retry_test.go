package url_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/resolver/resolvertest"
	"github.com/natsauth/natsauth/resolver/url"
)

func TestRetries(t *testing.T) {
	token := reply{200, nil, resolvertest.Token(t, 1, 100)}
	down, busy, wrong := reply{status: 503}, reply{status: 429}, reply{status: 403}
	for _, row := range []struct {
		name     string
		attempts int
		replies  []reply
		want     int // requests
		code     int // of the error
	}{
		{"at once", 0, []reply{token}, 1, 0},
		{"the second time", 0, []reply{down, token}, 2, 0},
		{"the last time", 0, []reply{down, busy, token}, 3, 0},
		{"once too late", 0, []reply{down, busy, down, token}, 3, 503},
		{"one attempt", 1, []reply{down, token}, 1, 503},
		{"five attempts", 5, []reply{down, down, down, down, token}, 5, 0},
		{"five attempts, and all in vain", 5, []reply{down}, 5, 503},
		{"what will not pass", 0, []reply{wrong, token}, 1, 403},
		{"what will not pass, after what may", 0, []reply{down, wrong, token}, 2, 403},
	} {
		t.Run(row.name, func(t *testing.T) {
			rt := scripted(row.replies...)
			r := open(t, rt, url.Options{Attempts: row.attempts})
			if row.code == 0 {
				gives(t, r, token.body)
			} else {
				status(t, fails(t, r, nil), row.code)
			}
			require.Len(t, rt.asked, row.want)
			require.EqualValues(t, row.want-1, r.Stats().Retries)
		})
	}
}

// TestPauses: they double, give or take a half, up to the longest.
func TestPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rt := scripted(reply{status: 500})
		r := open(t, rt, url.Options{Attempts: 7, Pause: time.Second, MaxPause: 5 * time.Second})
		fails(t, r, nil)
		require.Len(t, rt.at, 7)
		for i, seconds := range []time.Duration{1, 2, 4, 5, 5, 5} {
			d, pause := seconds*time.Second, rt.at[i+1].Sub(rt.at[i])
			require.GreaterOrEqual(t, pause, d/2)
			require.LessOrEqual(t, pause, min(d*3/2+1, 5*time.Second))
		}
	})
}

func TestRetryAfter(t *testing.T) {
	const date = "Mon, 02 Jan 2006 15:04:05 GMT"
	const own = 10 * time.Millisecond // give or take a half
	for _, row := range []struct {
		name  string
		after func(now time.Time) string
		left  time.Duration // of the context's time; none without
		want  time.Duration // until the second attempt; none without
	}{
		{"a second", func(time.Time) string { return "1" }, 0, time.Second},
		{"white space", func(time.Time) string { return " 1 " }, 0, time.Second},
		{"a date", func(now time.Time) string { return now.Add(time.Second).UTC().Format(date) }, 0, time.Second},
		{"as long as the longest pause", func(time.Time) string { return "2" }, 0, 2 * time.Second},
		{"longer than that", func(time.Time) string { return "3" }, 0, 0},
		{"a later date", func(now time.Time) string { return now.Add(3 * time.Second).UTC().Format(date) }, 0, 0},
		{"68 years", func(time.Time) string { return "2147483648" }, 0, 0},
		{"more time than that", func(time.Time) string { return "1" }, time.Second + 1, time.Second},
		{"that much time", func(time.Time) string { return "1" }, time.Second, 0},
		{"less time than that", func(time.Time) string { return "1" }, time.Second - 1, 0},
		{"nothing", func(time.Time) string { return "" }, 0, own},
		{"nothing, and no time for a pause", func(time.Time) string { return "" }, own / 2, 0},
		{"no wait", func(time.Time) string { return "0" }, 0, own},
		{"a date that is past", func(now time.Time) string { return now.Add(-time.Hour).UTC().Format(date) }, 0, own},
		{"less than nothing", func(time.Time) string { return "-1" }, 0, own},
		{"more than 68 years", func(time.Time) string { return "2147483649" }, 0, own},
		{"a fraction", func(time.Time) string { return "1.5" }, 0, own},
		{"a word", func(time.Time) string { return "tomorrow" }, 0, own},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel, began := t.Context(), context.CancelFunc(func() {}), time.Now()
				if row.left != 0 {
					ctx, cancel = context.WithTimeout(ctx, row.left)
				}
				defer cancel()
				token := resolvertest.Token(t, 1, 100)
				rt := scripted(reply{status: 503}.with("Retry-After", row.after(began)), reply{200, nil, token})
				got, err := open(t, rt, url.Options{Pause: own}).Resolve(ctx, resolvertest.Account(t, 1))
				if row.want == 0 {
					status(t, err, 503)
					require.Zero(t, time.Since(began), "it is told at once")
					return
				}
				require.NoError(t, err)
				require.True(t, got == token)
				if row.want == own {
					require.InDelta(t, own, rt.at[1].Sub(began), float64(own/2+1))
					return
				}
				require.Equal(t, row.want, rt.at[1].Sub(began))
			})
		})
	}
	wait := fails(t, open(t, scripted(reply{status: 429}.with("Retry-After", "7")), url.Options{}), nil)
	require.Equal(t, 7*time.Second, status(t, wait, 429).RetryAfter)
}

// silent never answers.
var silent = transport(func(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, context.Cause(r.Context())
})

// TestF107Timeout: each attempt has its own time, and the context's is over all of them.
func TestF107Timeout(t *testing.T) {
	for _, row := range []struct {
		name       string
		left, want time.Duration
		attempts   uint64
		timeout    time.Duration
	}{
		{"by default", 0, 1900 * time.Millisecond, 1, 0},
		{"a second", 0, time.Second, 1, time.Second},
		{"a second, thrice", 0, 3 * time.Second, 3, time.Second},
		{"a second, thrice, and two of time", 2 * time.Second, 2 * time.Second, 2, time.Second},
		{"a second, and less of time", time.Second - 1, time.Second - 1, 1, time.Second},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel, began := t.Context(), context.CancelFunc(func() {}), time.Now()
				if row.left != 0 {
					ctx, cancel = context.WithTimeout(ctx, row.left)
				}
				defer cancel()
				attempts := 3
				if row.left == 0 {
					attempts = int(row.attempts)
				}
				r := open(t, silent, url.Options{Timeout: row.timeout, Attempts: attempts})
				_, err := r.Resolve(ctx, resolvertest.Account(t, 1))
				outage(t, err, context.DeadlineExceeded)
				require.InDelta(t, row.want, time.Since(began), 10, "pauses of a nanosecond or two")
				require.Equal(t, row.attempts, r.Stats().Requests)
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		outage(t, open(t, silent, url.Options{}).Probe(t.Context()), context.DeadlineExceeded)
		require.Equal(t, 1900*time.Millisecond, time.Since(began))
	})
}

// TestGivingUp: who does not wait any more gets an answer at once, in a request and in a pause.
func TestGivingUp(t *testing.T) {
	for _, rt := range []http.RoundTripper{silent, scripted(reply{status: 500})} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			began := time.Now()
			time.AfterFunc(10*time.Millisecond, func() { cancel(errors.New("why")) })
			r := open(t, rt, url.Options{Pause: time.Second})
			_, err := r.Resolve(ctx, resolvertest.Account(t, 1))
			outage(t, err, context.Canceled)
			require.Equal(t, 10*time.Millisecond, time.Since(began))
			require.Equal(t, url.Stats{Requests: 1, Failures: 1, Retries: r.Stats().Retries}, r.Stats())
		})
	}
}
