package e2e_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"
)

// Where the fixtures are that the real nsc made.
const (
	nscHere = "testdata/nsc"               // creds, configurations
	nscAuth = "../../../auth/testdata/nsc" // tokens, negative cases, the reference's answers
	sysName = "SYS"                        // the system account

	violation = "nats: Authorization Violation" // how nats.go tells of a refusal
)

// TestFixtures: nats.go with every creds file of nsc, and with every token that
// should get nobody in, is answered as the reference answered (oracle.json).
// Three tokens have a template value that is not literal text (B2), and one
// waits for a service that is not there.
func TestFixtures(t *testing.T) {
	b2 := map[string]bool{"neg.scoped_template_bad_name": true, "neg.scoped_template_star": true, "neg.scoped_template_wildcard": true}
	s := serve(t, nscConfig(t))
	clients := nscClients(t)
	results := oracle(t)
	require.Len(t, clients, len(results))
	for name, u := range clients {
		t.Run(name, func(t *testing.T) {
			answer, judged := results[name]
			require.True(t, judged)
			switch {
			case b2[name]:
				differs(t, "B2, a value in a template is literal text")
				require.Equal(t, "OK", answer)
				require.EqualError(t, refuseNATS(t, s, u), violation)
			case name == "user.CALLOUT.sentinel":
				differs(t, "no service decides here, and nobody waits for it")
				require.EqualError(t, refuseNATS(t, s, u), violation)
			case answer == "OK":
				nc := dialNATS(t, s, u)
				require.NoError(t, nc.Flush())
				nc.Close()
			default:
				require.EqualError(t, refuseNATS(t, s, u), answer)
			}
		})
	}
}

// TestFixtureConnections: LIMITED has one connection.
func TestFixtureConnections(t *testing.T) {
	s := serve(t, nscConfig(t))
	first := connectCreds(t, s, "LIMITED.u")
	_, err := nats.Connect(s.url(), nats.UserCredentials(credsFile("LIMITED.u")), nats.Timeout(patience))
	require.ErrorIs(t, err, nats.ErrMaxAccountConnectionsExceeded)
	first.Close()
	waitFor(t, "room for another", func() bool {
		nc, err := nats.Connect(s.url(), nats.UserCredentials(credsFile("LIMITED.u")), nats.Timeout(patience))
		if err == nil {
			nc.Close()
		}
		return err == nil
	})
}

// TestConfigurations: the three configurations that nsc writes are taken as they
// are (F130). Those that name a folder find the accounts there.
func TestConfigurations(t *testing.T) {
	for _, name := range []string{"mem-resolver.conf", "nats-resolver.conf", "nats-resolver-cache.conf"} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			accounts := filepath.Join(dir, "jwt")
			require.NoError(t, os.Mkdir(accounts, 0o700))
			for key, token := range nscAccounts(t) {
				require.NoError(t, os.WriteFile(filepath.Join(accounts, key+".jwt"), []byte(token), 0o600))
			}
			text := readText(t, filepath.Join(nscHere, "conf", name))
			if reference() { // its folder is relative to the process
				text = strings.Replace(text, "'./jwt'", "'"+accounts+"'", 1)
			}
			s := serveIn(t, dir, text)
			nc := connectCreds(t, s, "APP.admin")
			require.NoError(t, nc.Flush())
			require.EqualError(t, refuseNATS(t, s, nscClients(t)["user.APP.revoked"]), violation)
			require.EqualError(t, refuseNATS(t, s, nscClients(t)["user.EXPACC.u"]), violation)
		})
	}
}

// nscConfig is a configuration that knows every account, the foreign ones too,
// and one key that is answered with another account's token.
func nscConfig(t *testing.T, extra ...string) string {
	t.Helper()
	accounts := nscAccounts(t)
	var system string
	for key, token := range accounts {
		if c, err := jwt.DecodeAccountClaims(token); err == nil && c.Name == sysName {
			system = key
		}
	}
	return configText(readText(t, filepath.Join(nscAuth, "jwt/operator.TESTOP.jwt")), system, accounts, extra...)
}

// nscAccounts gives the account tokens by the key that they are looked up by.
func nscAccounts(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, pattern := range []string{"jwt/account.*.jwt", "negative/account.*.jwt"} {
		files, err := filepath.Glob(filepath.Join(nscAuth, pattern))
		require.NoError(t, err)
		require.NotEmpty(t, files)
		for _, f := range files {
			token := readText(t, f)
			c, err := jwt.DecodeAccountClaims(token)
			require.NoError(t, err)
			out[c.Subject] = token
		}
	}
	out[negatives(t).Swapped] = readText(t, filepath.Join(nscAuth, "jwt/account.IMP.jwt"))
	return out
}

// negative is the list of the tokens that no tool would write.
type negative struct {
	Cases   []struct{ Name, JWT, Seed string }
	Swapped string `json:"swapped_account"`
}

func negatives(t *testing.T) negative {
	t.Helper()
	var n negative
	readJSON(t, filepath.Join(nscAuth, "negative/negative.json"), &n)
	require.NotEmpty(t, n.Cases)
	return n
}

// oracle gives the reference's answers by name.
func oracle(t *testing.T) map[string]string {
	t.Helper()
	var o struct{ Results map[string]string }
	readJSON(t, filepath.Join(nscAuth, "oracle.json"), &o)
	return o.Results
}

// nscClients gives every client by its name in oracle.json.
func nscClients(t *testing.T) map[string]user {
	t.Helper()
	out := map[string]user{}
	files, err := filepath.Glob(filepath.Join(nscHere, "creds/*.creds"))
	require.NoError(t, err)
	for _, f := range files {
		out["user."+strings.TrimSuffix(filepath.Base(f), ".creds")] = readCreds(t, f)
	}
	for _, c := range negatives(t).Cases {
		u := user{token: c.JWT}
		if c.Seed != "" {
			u.pair, err = nkeys.FromSeed([]byte(c.Seed))
			require.NoError(t, err)
		}
		out["neg."+c.Name] = u
	}
	return out
}

// readCreds reads a creds file: a token and a seed.
func readCreds(t *testing.T, file string) user {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	token, err := jwt.ParseDecoratedJWT(text)
	require.NoError(t, err)
	pair, err := jwt.ParseDecoratedUserNKey(text)
	require.NoError(t, err)
	return user{token, pair}
}

func credsFile(name string) string { return filepath.Join(nscHere, "creds", name+".creds") }

// connectCreds connects with nats.go and a creds file, and closes the connection
// when the test ends.
func connectCreds(t *testing.T, s *server, name string, opts ...nats.Option) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(s.url(), append([]nats.Option{nats.UserCredentials(credsFile(name)), nats.Timeout(patience)}, opts...)...)
	require.NoError(t, err, name)
	t.Cleanup(nc.Close)
	return nc
}

func readText(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	return strings.TrimSpace(string(b))
}

func readJSON(t *testing.T, file string, v any) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(readText(t, file)), v))
}
