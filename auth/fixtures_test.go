package auth_test

import (
	"context"
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/nonce"
	"github.com/natsauth/natsauth/resolver"
)

// fixtureWants is our answer, by name, to every user and every negative case
// that the real nsc made. OK is auth.ReasonNone.
var fixtureWants = map[string]auth.Reason{
	"user.APP.admin": 0, "user.APP.bearer": 0, "user.APP.cidr_ok": 0, "user.APP.conn_std": 0, "user.APP.limits": 0,
	"user.APP.pub_only": 0, "user.APP.pubsub": 0, "user.APP.responder": 0, "user.APP.sub_only": 0, "user.APP.times": 0,
	"user.APP.viask": 0, "user.CALLOUT.authsvc": 0, "user.DEFPERM.own": 0, "user.DEFPERM.u": 0, "user.IMP.u": 0,
	"user.LIMITED.u": 0, "user.NOBEARER.nb": 0, "user.OPSK.u": 0, "user.REVIMP.u": 0, "user.SCOPED.dev1": 0,
	"user.SCOPED.dev_notag": 0, "user.SCOPED.plain": 0, "user.SCOPED.web1": 0, "user.SYS.sys": 0, "user.SYS.sysadmin": 0,

	"user.APP.cidr_bad":     auth.SourceDisallowed,
	"user.APP.conn_mqtt":    auth.TypeDisallowed,
	"user.APP.conn_ws":      auth.TypeDisallowed,
	"user.APP.expired":      auth.UserExpired,
	"user.APP.notyet":       auth.UserNotYet,
	"user.APP.revoked":      auth.UserRevoked,
	"user.CALLOUT.sentinel": auth.ExternalRequired,
	"user.EXPACC.u":         auth.AccountExpired,
	"user.REVALL.u":         auth.UserRevoked,

	"neg.alg_ed25519_nkey": 0, "neg.bearer_ok_control": 0, "neg.good_control": 0, "neg.v1_user": 0,
	"neg.v1_user_in_v1_account": 0, "neg.v2_user_in_v1_account": 0,

	"neg.account_jwt_as_user":        auth.TokenKind,
	"neg.account_self_signed":        auth.AccountUntrusted,
	"neg.account_subject_mismatch":   auth.AccountMismatch,
	"neg.account_untrusted_operator": auth.AccountUntrusted,
	"neg.activation_as_user":         auth.TokenKind,
	"neg.alg_eddsa":                  auth.TokenMalformed,
	"neg.alg_hs256":                  auth.TokenMalformed,
	"neg.alg_none":                   auth.TokenMalformed,
	"neg.bearer_disallowed":          auth.BearerDisallowed,
	"neg.empty_sig":                  auth.TokenSignature,
	"neg.expired_user":               auth.UserExpired,
	"neg.nonbearer_no_sig":           auth.SignatureMissing,
	"neg.nonce_wrong_key":            auth.SignatureWrong,
	"neg.not_before":                 auth.UserNotYet,
	"neg.operator_jwt_as_user":       auth.TokenKind,
	"neg.padded_b64":                 auth.TokenMalformed,
	"neg.scoped_template_bad_name":   auth.ScopeValue,
	"neg.scoped_template_star":       auth.ScopeValue,
	"neg.scoped_template_wildcard":   auth.ScopeValue,
	"neg.scoped_with_perms":          auth.ScopeConflict,
	"neg.tampered_body":              auth.TokenSignature,
	"neg.tampered_sig":               auth.TokenSignature,
	"neg.two_chunks":                 auth.TokenMalformed,
	"neg.unknown_account":            auth.AccountNotFound,
	"neg.unknown_signing_key":        auth.SignerUnknown,
	"neg.wrong_issuer_key":           auth.SignerUnknown,
}

// differsByB2 are the cases where the reference says OK and we do not: the value
// of a template is not literal text inside one token.
var differsByB2 = map[string]bool{
	"neg.scoped_template_bad_name": true, "neg.scoped_template_star": true, "neg.scoped_template_wildcard": true,
}

// fixture is one client of testdata/nsc: its token, and the seed that it signs
// the nonce with, if it signs.
type fixture struct{ name, token, seed string }

func readFixtures(t testing.TB) []fixture {
	t.Helper()
	var manifest struct {
		Entities []struct{ Kind, Name, Seed, JWTFile string }
	}
	readJSON(t, "manifest.json", &manifest)
	var out []fixture
	for _, e := range manifest.Entities {
		if e.Kind == "user" {
			out = append(out, fixture{"user." + e.Name, readText(t, e.JWTFile), e.Seed})
		}
	}
	var negative struct {
		Cases []struct{ Name, JWT, Seed string }
	}
	readJSON(t, "negative/negative.json", &negative)
	for _, c := range negative.Cases {
		out = append(out, fixture{"neg." + c.Name, c.JWT, c.Seed})
	}
	return out
}

func readText(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "nsc", name))
	require.NoError(t, err)
	return strings.TrimSpace(string(b))
}

func readJSON(t testing.TB, name string, v any) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(readText(t, name)), v))
}

// fixtureAccounts is the resolver that the reference had: every account, the
// foreign ones too, and one key that is answered with another account's token.
func fixtureAccounts(t testing.TB) resolver.Resolver {
	t.Helper()
	var files []string
	for _, pattern := range []string{"jwt/account.*.jwt", "negative/account.*.jwt"} {
		found, err := filepath.Glob(filepath.Join("testdata", "nsc", pattern))
		require.NoError(t, err)
		require.NotEmpty(t, found)
		files = append(files, found...)
	}
	var tokens []string
	for _, f := range files {
		b, err := os.ReadFile(f)
		require.NoError(t, err)
		tokens = append(tokens, strings.TrimSpace(string(b)))
	}
	memory, err := resolver.NewMemory(tokens...)
	require.NoError(t, err)
	var negative struct {
		Swapped string `json:"swapped_account"`
	}
	readJSON(t, "negative/negative.json", &negative)
	swapped := readText(t, "jwt/account.IMP.jwt")
	return resolver.Func(func(ctx context.Context, key string) (string, error) {
		if key == negative.Swapped {
			return swapped, nil
		}
		return memory.Resolve(ctx, key)
	})
}

// TestFixtures decides every client that the real nsc made as the reference
// decided it; TestB2 has its three differences here.
func TestFixtures(t *testing.T) {
	a, err := auth.New(auth.Config{
		Trust:    auth.Trust{Operators: []string{readText(t, "jwt/operator.TESTOP.jwt")}},
		Resolver: fixtureAccounts(t),
	})
	require.NoError(t, err)
	defer a.Close()
	var oracle struct{ Results map[string]string }
	readJSON(t, "oracle.json", &oracle)
	fixtures := readFixtures(t)
	require.Len(t, fixtures, len(oracle.Results))
	require.Len(t, fixtures, len(fixtureWants))
	for _, f := range fixtures {
		t.Run(f.name, func(t *testing.T) {
			want, known := fixtureWants[f.name]
			require.True(t, known)
			answer, judged := oracle.Results[f.name]
			require.True(t, judged)
			require.Equal(t, answer == "OK", want == auth.ReasonNone || differsByB2[f.name], "our table against the oracle")
			s, err := a.Connect(context.Background(), f.credentials(t))
			if want == auth.ReasonNone {
				require.NoError(t, err)
				s.Close()
				return
			}
			var refusal *auth.Error
			require.ErrorAs(t, err, &refusal)
			require.Nil(t, s)
			require.Equal(t, want, refusal.Reason, "%v", refusal)
			require.Equal(t, "Authorization Violation", refusal.Wire())
		})
	}
}

func (f fixture) credentials(t testing.TB) auth.Credentials {
	t.Helper()
	c := auth.Credentials{
		JWT: f.token, Nonce: nonce.New(), ConnectionType: auth.Standard, Source: netip.MustParseAddr("127.0.0.1"),
	}
	if f.seed != "" {
		c.Nonce, c.Signature = nonceFor(t, f.seed)
	}
	return c
}

// nonceFor gives a nonce and the signature of a seed over it.
func nonceFor(t testing.TB, seed string) (challenge, sig string) {
	t.Helper()
	pair, err := nkeys.FromSeed([]byte(seed))
	require.NoError(t, err)
	challenge = nonce.New()
	sig, err = nonce.Sign(challenge, pair)
	require.NoError(t, err)
	return challenge, sig
}
