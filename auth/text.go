package auth

import (
	"fmt"
	"time"

	"github.com/natsauth/natsauth/claims"
)

// This file writes numbers and times for people.

// stamp writes seconds since 1970 for people.
func stamp(seconds int64) string { return time.Unix(seconds, 0).UTC().Format(time.RFC3339) }

// limitText writes a limit for people.
func limitText(n int64) string {
	if n == claims.Unlimited {
		return "unlimited"
	}
	return fmt.Sprint(n)
}

// interval writes a window for people.
func interval(w claims.Window) string {
	from, to := "always", "for ever"
	if w.NotBefore != 0 {
		from = stamp(w.NotBefore)
	}
	if w.Expires != 0 {
		to = stamp(w.Expires)
	}
	return from + " to " + to
}
