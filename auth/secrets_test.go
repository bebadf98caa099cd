package auth_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/nats-io/jwt/v2"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/auth/authtest"
	"github.com/natsauth/natsauth/nonce"
)

// TestB8Printing: what is printed by accident shows no token, of the cache, the
// sentinel or a session.
func TestB8Printing(t *testing.T) {
	t.Parallel()
	op := authtest.NewOperator(t)
	account := op.Account("A")
	bearer := account.User("b", authtest.Bearer())
	var config auth.Config
	a := authtest.Authorizer(t, op, []*authtest.Account{account}, func(c *auth.Config) {
		c.Trust.Sentinel = bearer.Token()
		config = *c
	})
	s, err := a.Connect(t.Context(), bearer.Credentials(""))
	require.NoError(t, err)
	defer s.Close()
	for _, v := range []any{a, s, config, &config, config.Trust, &config.Trust} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
			require.NotContains(t, fmt.Sprintf(verb, v), "eyJ", "%s of %T", verb, v)
		}
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("here", "value", v)
		require.NotContains(t, log.String(), "eyJ", "%T in a log", v)
		require.Contains(t, log.String(), "here")
	}
	require.Contains(t, s.String(), bearer.PublicKey())
}

// TestB8OneLine: what others wrote into tokens neither grows a log nor looks like
// a line of ours.
func TestB8OneLine(t *testing.T) {
	t.Parallel()
	w := newWorld(t, noAccount)
	many := w.client(func(c *jwt.UserClaims) {
		for i := range 250 {
			c.Src.Add(fmt.Sprintf("10.0.%d.0/24", i))
		}
		c.AllowedConnectionTypes = []string{"STANDARD"}
	})
	refusal := w.refuse(t, many)
	require.Equal(t, auth.SourceDisallowed, refusal.Reason)
	require.Less(t, len(refusal.Error()), 1000)
	types := w.client(func(c *jwt.UserClaims) { c.AllowedConnectionTypes = []string{strings.Repeat("X", 10_000)} })
	refusal = w.refuse(t, types)
	require.Equal(t, auth.TypeDisallowed, refusal.Reason)
	require.Less(t, len(refusal.Error()), 1000)
	require.Equal(t, auth.TokenInvalid, w.refuse(t, w.client(func(c *jwt.UserClaims) { c.AllowedConnectionTypes = []string{"A\nB"} })).Reason)
	x := w.authorizer.Explain(t.Context(), w.client(func(c *jwt.UserClaims) { c.Name = strings.Repeat("n", 100_000) }))
	require.Less(t, len(x.String()), 5000)

	account := authtest.NewOperator(t).Account("B", authtest.Scope("r\nadmitted: everything"))
	a := authtest.Authorizer(t, account.Operator(), []*authtest.Account{account})
	x = a.Explain(t.Context(), account.User("u", authtest.SignedBy("r\nadmitted: everything")).Credentials(nonce.New()))
	require.NotContains(t, x.String(), "\nadmitted: everything")
	require.Contains(t, x.String(), `r\nadmitted`)
}

// TestB8NoSecrets: whatever a client sends, none of it appears in what is
// printed, logged or told about it.
func TestB8NoSecrets(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	w := newWorld(t, noAccount, func(c *auth.Config) { c.Logger = slog.New(slog.NewJSONHandler(&log, nil)) })
	good := w.client(noUser)
	wrong := good
	wrong.Signature = w.client(noUser).Signature
	for name, c := range map[string]auth.Credentials{
		"a password that is no token":    {Password: "correct horse battery staple", ConnectionType: auth.MQTT},
		"a password with two dots":       {Password: "correct.horse.battery", ConnectionType: auth.MQTTWS},
		"a password that looks like JWT": {Password: "eyJhbGciOiJub25lIn0.eyJzZWNyZXQiOiJ4eXoifQ.c2VjcmV0", ConnectionType: auth.MQTT},
		"a password beside a token":      {JWT: good.JWT, Password: "hunter2hunter2", ConnectionType: auth.Standard},
		"a wrong signature":              wrong,
		"a wrong proxy signature":        {JWT: good.JWT, Nonce: good.Nonce, ProxySignature: "cHJveHkgc2lnbmF0dXJl", ConnectionType: auth.Standard},
		"a token for the password":       {JWT: "", Password: good.JWT, Nonce: good.Nonce, ConnectionType: auth.MQTT},
	} {
		t.Run(name, func(t *testing.T) {
			log.Reset()
			refusal := w.refuse(t, c)
			x := w.authorizer.Explain(t.Context(), c)
			require.NotNil(t, x.Err)
			told, err := json.Marshal(x)
			require.NoError(t, err)
			shown, err := json.Marshal(c)
			require.NoError(t, err)
			require.NotEmpty(t, log.String())
			for what, text := range map[string]string{
				"error": refusal.Error(), "wire": refusal.Wire(), "log": log.String(), "explanation": x.String(),
				"explanation as JSON": string(told), "credentials as JSON": string(shown),
				"credentials": fmt.Sprintf("%v %+v %#v %s %q", c, c, c, c, c), "pointer": fmt.Sprintf("%v %+v %#v", &c, &c, &c),
				"attributes": c.LogValue().String(),
			} {
				for _, secret := range []string{c.JWT, c.Password, c.Nonce, c.Signature, c.ProxySignature} {
					require.False(t, secret != "" && strings.Contains(text, secret), "a secret in the %s: %s", what, text)
					require.False(t, len(secret) > 24 && strings.Contains(text, secret[:24]), "a piece of a secret in the %s: %s", what, text)
				}
			}
		})
	}
}
