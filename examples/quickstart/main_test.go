package main

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestStory runs the example on a clock that does not wait, and looks for the
// turns of the story.
func TestStory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		began := time.Now()
		require.NoError(t, story(&out, time.Hour))
		require.WithinDuration(t, began.Add(time.Hour), time.Now(), 2*time.Second, "the session ended when its token did")
		for _, turn := range []string{
			`connected: user "clerk" of account "orders", at most 1024 bytes`,
			"publish   orders.new         allowed",
			"publish   orders.audit.2026  refused",
			"publish   payroll.all        refused",
			"subscribe orders.>           allowed",
			"subscribe >                  refused",
			"-ERR 'Authorization Violation'",
			"possession  refused",
			"the user token has expired",
			"refused: the session has ended",
		} {
			require.Contains(t, out.String(), turn)
		}
	})
}
