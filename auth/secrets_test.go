package auth_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth"
)

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
