package natsserver_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/nonce"
	"github.com/natsauth/natsauth/resolver"
)

// fixtures are the tokens that the real nsc made.
const fixtures = "../../auth/testdata/nsc"

// TestAgreesWithServer connects every client of the fixtures to an embedded
// nats-server and to an Authorizer with the same accounts: what the client is
// told is the same, except where known_differences.json says why not.
func TestAgreesWithServer(t *testing.T) {
	s, a := startFixtures(t), fixtureAuthorizer(t)
	var differences map[string]string
	readJSON(t, "testdata/known_differences.json", &differences)
	var oracle struct{ Results map[string]string }
	readJSON(t, filepath.Join(fixtures, "oracle.json"), &oracle)
	subjects := readSubjects(t)
	require.Len(t, subjects, len(oracle.Results))
	for _, c := range subjects {
		t.Run(c.name, func(t *testing.T) {
			theirs, ours := c.connect(t, s), c.ask(t, a)
			require.Equal(t, oracle.Results[c.name] == accepted, theirs == accepted, "nats-server answers as it did: %q", theirs)
			if why, differs := differences[c.name]; differs {
				require.NotEmpty(t, why)
				require.NotEqual(t, theirs, ours, "no difference any more")
				return
			}
			require.Equal(t, theirs, ours)
		})
		delete(oracle.Results, c.name)
	}
	require.Empty(t, oracle.Results, "cases that were not tried")
	for name := range differences {
		require.True(t, hasSubject(subjects, name), "%s is no fixture", name)
	}
}

// accepted is the answer to a client that may connect; a refused one is told why.
const accepted = "OK"

// subject is one client of the fixtures.
type subject struct{ name, token, seed string }

func hasSubject(list []subject, name string) bool {
	for _, c := range list {
		if c.name == name {
			return true
		}
	}
	return false
}

// sign gives the client's signature over a nonce, or none if it signs nothing.
func (c subject) sign(t *testing.T, text string) string {
	t.Helper()
	if c.seed == "" {
		return ""
	}
	pair, err := nkeys.FromSeed([]byte(c.seed))
	require.NoError(t, err)
	sig, err := nonce.Sign(text, pair)
	require.NoError(t, err)
	return sig
}

// connect asks nats-server, over loopback: a restriction on source addresses
// needs one.
func (c subject) connect(t *testing.T, s *server.Server) string {
	t.Helper()
	conn, err := net.Dial("tcp", s.Addr().String())
	client := connected(t, conn, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	client.script = []byte(connect(c.token, c.sign(t, client.nonce)) + "PING\r\n")
	err = client.answer()
	if err == nil {
		return accepted
	}
	var text refusal
	require.ErrorAs(t, err, &text)
	return string(text)
}

// ask asks us.
func (c subject) ask(t *testing.T, a *auth.Authorizer) string {
	t.Helper()
	text := nonce.New()
	s, err := a.Connect(context.Background(), auth.Credentials{
		JWT: c.token, Nonce: text, Signature: c.sign(t, text),
		ConnectionType: auth.Standard, Source: netip.MustParseAddr("127.0.0.1"),
	})
	if err == nil {
		s.Close()
		return accepted
	}
	var refused *auth.Error
	require.ErrorAs(t, err, &refused)
	return refused.Wire()
}

// startFixtures runs nats-server with the configuration that nsc wrote for the
// accounts, and the foreign accounts of negative.json stored beside them.
func startFixtures(t *testing.T) *server.Server {
	t.Helper()
	o, err := server.ProcessConfigFile("testdata/mem-resolver.conf")
	require.NoError(t, err)
	o.Host, o.Port, o.NoLog, o.NoSigs = "127.0.0.1", server.RANDOM_PORT, true, true
	o.AuthTimeout = 0.5 // seconds; CALLOUT.sentinel waits for all of it
	for _, f := range []string{"ROGUE", "SELF", "V1ACC"} {
		token := readText(t, filepath.Join(fixtures, "negative", "account."+f+".jwt"))
		require.NoError(t, o.AccountResolver.Store(subjectOf(t, token), token))
	}
	require.NoError(t, o.AccountResolver.Store(swapped(t), imp(t)))
	return start(t, o)
}

// fixtureAuthorizer has the same accounts, from the files.
func fixtureAuthorizer(t *testing.T) *auth.Authorizer {
	t.Helper()
	var tokens []string
	for _, pattern := range []string{"jwt/account.*.jwt", "negative/account.*.jwt"} {
		files, err := filepath.Glob(filepath.Join(fixtures, pattern))
		require.NoError(t, err)
		require.NotEmpty(t, files)
		for _, f := range files {
			tokens = append(tokens, readText(t, f))
		}
	}
	memory, err := resolver.NewMemory(tokens...)
	require.NoError(t, err)
	key, other := swapped(t), imp(t)
	a, err := auth.New(auth.Config{
		Trust: auth.Trust{Operators: []string{readText(t, filepath.Join(fixtures, "jwt/operator.TESTOP.jwt"))}},
		Resolver: resolver.Func(func(ctx context.Context, account string) (string, error) {
			if account == key {
				return other, nil
			}
			return memory.Resolve(ctx, account)
		}),
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, a.Close()) })
	return a
}

// swapped is the account that is answered with the token of another, imp.
func swapped(t *testing.T) string {
	t.Helper()
	var negative struct {
		Account string `json:"swapped_account"`
	}
	readJSON(t, filepath.Join(fixtures, "negative/negative.json"), &negative)
	require.NotEmpty(t, negative.Account)
	return negative.Account
}

func imp(t *testing.T) string {
	t.Helper()
	return readText(t, filepath.Join(fixtures, "jwt/account.IMP.jwt"))
}

// readSubjects gives the users of the manifest and the negative cases.
func readSubjects(t *testing.T) []subject {
	t.Helper()
	var manifest struct {
		Entities []struct{ Kind, Name, Seed, JWTFile string }
	}
	readJSON(t, filepath.Join(fixtures, "manifest.json"), &manifest)
	var out []subject
	for _, e := range manifest.Entities {
		if e.Kind == "user" {
			out = append(out, subject{"user." + e.Name, readText(t, filepath.Join(fixtures, e.JWTFile)), e.Seed})
		}
	}
	var negative struct {
		Cases []struct{ Name, JWT, Seed string }
	}
	readJSON(t, filepath.Join(fixtures, "negative/negative.json"), &negative)
	for _, c := range negative.Cases {
		out = append(out, subject{"neg." + c.Name, c.JWT, c.Seed})
	}
	return out
}

// subjectOf reads sub, whatever the version of the token.
func subjectOf(t *testing.T, token string) string {
	t.Helper()
	parts := strings.Split(token, ".")
	require.Len(t, parts, 3)
	var claims struct{ Sub string }
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(body, &claims))
	return claims.Sub
}

func readText(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	return strings.TrimSpace(string(text))
}

func readJSON(t *testing.T, name string, v any) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(readText(t, name)), v))
}
