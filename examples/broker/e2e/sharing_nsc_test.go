package e2e_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"
)

// TestFixtureSharing: the accounts that nsc made share what their tokens say. IMP gets
// every stream and may ask for both services of APP; the activation of REVIMP is revoked,
// so that it gets nothing, and the log says why.
func TestFixtureSharing(t *testing.T) {
	s := serve(t, nscConfig(t))
	app, imp, revoked := connectCreds(t, s, "APP.admin"), connectCreds(t, s, "IMP.u"), connectCreds(t, s, "REVIMP.u")
	impKey, revokedKey := accountKey(t, "IMP"), accountKey(t, "REVIMP")

	for _, tt := range []struct{ published, arrives string }{
		{"metrics.cpu.load", "app.metrics.cpu.load"},
		{"orders.new", "orders.new"},
		{"tenant." + impKey + ".events", "my.events"},
		{"tenant." + revokedKey + ".events", ""},
		{"other", ""},
	} {
		t.Run(tt.published, func(t *testing.T) {
			got, none := listens(t, imp, ">"), listens(t, revoked, ">")
			defer got.Unsubscribe()
			defer none.Unsubscribe()
			publish(t, app, tt.published, "x")
			if tt.arrives != "" {
				require.Equal(t, tt.arrives, next(t, got).Subject)
			}
			wantNone(t, imp, got)
			wantNone(t, revoked, none)
		})
	}

	serves(t, app, "time.now", func(m *nats.Msg) { m.Respond([]byte(m.Header.Get("Nats-Request-Info"))) })
	m, err := imp.Request("app.time", nil, patience)
	require.NoError(t, err)
	require.Contains(t, string(m.Data), subject(t, "IMP.u"), "IMP shares who asks")

	serves(t, app, "billing.*", func(m *nats.Msg) {
		for _, part := range []string{m.Subject, "2", ""} {
			m.Respond([]byte(part))
		}
	})
	answers := listens(t, imp, "answers")
	require.NoError(t, imp.PublishRequest("pay.march", "answers", nil))
	for _, want := range []string{"billing.march", "2", ""} {
		require.Equal(t, want, string(next(t, answers).Data))
	}
	for _, subject := range []string{"app.time", "pay.march", "time.now", "billing.march"} {
		_, err := revoked.Request(subject, nil, patience)
		require.ErrorIs(t, err, nats.ErrNoResponders, subject)
	}

	if reference() {
		return // its log is not looked at
	}
	var dead []string
	waitFor(t, "a line about the revoked import", func() bool {
		dead = slices.DeleteFunc(s.log.lines(), func(line string) bool { return !strings.Contains(line, "import is dead") })
		return len(dead) > 0
	})
	require.Len(t, dead, 1)
	for _, want := range []string{" account=" + revokedKey, " subject=orders.>", "activation is revoked"} {
		require.Contains(t, dead[0], want)
	}
}

// accountKey is the public key of an account that nsc made.
func accountKey(t *testing.T, name string) string {
	t.Helper()
	c, err := jwt.DecodeAccountClaims(readText(t, nscAuth+"/jwt/account."+name+".jwt"))
	require.NoError(t, err)
	return c.Subject
}
