package auth_test

import (
	"context"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth"
)

// FuzzConnect gives the Authorizer whatever a client can send. It must not
// panic; a session comes without an error and an error without a session; and
// Connect and Explain agree.
func FuzzConnect(f *testing.F) {
	fixtures := readFixtures(f)
	if len(fixtures) == 0 {
		f.Fatal("no seeds")
	}
	for _, x := range fixtures {
		c := x.credentials(f)
		f.Add(c.JWT, "", c.Nonce, c.Signature, "", uint8(auth.Standard))
		f.Add("", c.JWT, c.Nonce, c.Signature, c.Signature, uint8(auth.MQTT))
	}
	a, err := auth.New(auth.Config{
		Trust: auth.Trust{
			Operators: []string{readText(f, "jwt/operator.TESTOP.jwt")},
			Sentinel:  readText(f, "jwt/user.APP.bearer.jwt"),
		},
		Resolver: fixtureAccounts(f),
	})
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, token, password, challenge, sig, proxy string, kind uint8) {
		c := auth.Credentials{
			JWT: token, Password: password, Nonce: challenge, Signature: sig, ProxySignature: proxy,
			ConnectionType: auth.ConnectionType(kind), Source: netip.MustParseAddr("127.0.0.1"),
		}
		x := a.Explain(context.Background(), c)
		s, err := a.Connect(context.Background(), c)
		require.Equal(t, err == nil, s != nil)
		require.Equal(t, err == nil, x.Err == nil)
		if err != nil {
			require.Equal(t, x.Err.Reason, err.(*auth.Error).Reason) //nolint:errorlint // Connect promises the type
			return
		}
		s.CanPublish(token)
		s.CanSubscribe(password, challenge)
		s.CanDeliver(sig, proxy)
		s.Delivered(token)
		s.Close()
	})
}

// FuzzSession asks a session with narrow rules about whatever a client can
// write; why agrees with what.
func FuzzSession(f *testing.F) {
	a, err := auth.New(auth.Config{
		Trust:    auth.Trust{Operators: []string{readText(f, "jwt/operator.TESTOP.jwt")}},
		Resolver: fixtureAccounts(f),
	})
	require.NoError(f, err)
	var sessions []*auth.Session
	for _, x := range readFixtures(f) {
		switch x.name {
		case "user.SCOPED.dev1", "user.APP.pubsub", "user.APP.responder", "user.DEFPERM.u":
			c := x.credentials(f)
			s, err := a.Connect(context.Background(), c)
			require.NoError(f, err)
			sessions = append(sessions, s)
		}
	}
	if len(sessions) != 4 {
		f.Fatal("not the sessions that were meant")
	}
	f.Add("orders.new", "q")
	f.Add("sensors.dev1.>", "")
	f.Fuzz(func(t *testing.T, subject, queue string) {
		for _, s := range sessions {
			want := s.WhyPublish(subject).Allowed
			require.Equal(t, want, s.CanPublish(subject))
			require.Equal(t, s.WhySubscribe(subject, queue).Allowed, s.CanSubscribe(subject, queue))
			require.Equal(t, s.WhyDeliver(subject, queue).Allowed, s.CanDeliver(subject, queue))
			s.Delivered(subject)
		}
	})
}
