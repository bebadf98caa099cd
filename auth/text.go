package auth

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/natsauth/natsauth/claims"
)

// This file writes numbers and times for people.

// maxLine is how much of a value from a token is for people to read.
const maxLine = 256

// line makes one short line of a value from a token: what somebody else wrote
// must not grow a log, nor look like a line of ours.
func line(value string) string {
	if strings.ContainsFunc(value, func(r rune) bool { return !unicode.IsPrint(r) }) {
		value = strconv.Quote(value)
	}
	if len(value) > maxLine {
		value = strings.ToValidUTF8(value[:maxLine], "") + "..."
	}
	return value
}

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
