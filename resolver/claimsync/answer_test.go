package claimsync_test

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth/authtest"
	"github.com/natsauth/natsauth/resolver/resolvertest"
)

// recorded is what a nats-server v2.15 answered to requests, in order. bench/natsserver records it, and holds the server to it.
type recorded struct {
	Name    string
	Loads   string // an account that is put in force before
	Subject string
	Header  map[string][]string
	Body    []byte
	Answers []string
}

// TestF114AnswersAsRecorded: every request is answered as a nats-server with a full resolver answers it, but for the words
// after " - ", which say why, for what is ours to add, and for the names of the server.
func TestF114AnswersAsRecorded(t *testing.T) {
	answersAsRecorded(t, "testdata/answers.json", func(setup) {})
}

// TestF105AnswersAsRecorded is the same with one whose accounts are in memory, or come from an account server.
func TestF105AnswersAsRecorded(t *testing.T) {
	answersAsRecorded(t, "testdata/updates.json", func(s setup) { s.claim.UpdatesOnly = true }, "A", "B")
}

// answersAsRecorded has a node that holds accounts answer what was recorded.
func answersAsRecorded(t *testing.T, file string, edit func(setup), accounts ...string) {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var all []recorded
	require.NoError(t, json.Unmarshal(text, &all))
	require.Greater(t, len(all), 10)
	synctest.Test(t, func(t *testing.T) {
		// The operator of the record has no signing keys.
		o := authtest.NewOperator(t, authtest.SystemAccount("SYS"))
		r := realm{operator: o, system: o.Account("SYS")}
		n := r.node(t, new(resolvertest.Bus), edit, func(s setup) { s.claim.Server.FeatureFlags = map[string]bool{"x": true} })
		for _, name := range accounts {
			n.hold(o.Account(name))
		}
		for _, e := range all {
			if e.Loads != "" {
				_, err := n.authorizer.Account(t.Context(), e.Loads)
				require.NoError(t, err)
			}
			var ours, theirs []string
			for _, text := range n.ask(e.Subject, string(e.Body)) {
				ours = append(ours, plain(t, text))
			}
			for _, text := range e.Answers {
				theirs = append(theirs, plain(t, text))
			}
			require.Equal(t, theirs, ours, e.Name)
		}
	})
}

// plain is an answer without what may differ.
func plain(t testing.TB, text string) string {
	t.Helper()
	if !strings.HasPrefix(text, "{") {
		return text
	}
	var doc map[string]any
	require.NoError(t, json.Unmarshal([]byte(text), &doc))
	if server, ok := doc["server"].(map[string]any); ok {
		doc["server"] = slices.Sorted(maps.Keys(server))
	}
	for _, part := range []string{"data", "error"} {
		if fields, ok := doc[part].(map[string]any); ok {
			delete(fields, "report")
			delete(fields, "accounts")
			if d, ok := fields["description"].(string); ok {
				fields["description"], _, _ = strings.Cut(d, " - ")
			}
		}
	}
	out, err := json.Marshal(doc)
	require.NoError(t, err)
	return string(out)
}

// TestServerInfo: an answer says of the server all that was configured, counts, and has the time.
func TestServerInfo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newRealm(t).node(t, new(resolvertest.Bus), func(s setup) {
			s.claim.Server.Host, s.claim.Server.ID, s.claim.Server.Version = "h", "i", "2.15.2"
			s.claim.Server.Cluster, s.claim.Server.Domain, s.claim.Server.Tags = "c", "d", []string{"t"}
			s.claim.Server.Metadata = map[string]string{"k": "v"}
		})
		n.one(updates, "x")
		require.Equal(t, map[string]any{
			"name": "ours", "host": "h", "id": "i", "ver": "2.15.2", "cluster": "c", "domain": "d", "tags": []any{"t"},
			"metadata": map[string]any{"k": "v"}, "jetstream": false, "flags": 0.0, "seq": 2.0, "time": "2026-01-05T12:00:00Z",
		}, n.one(updates, "x").Server)
	})
}
