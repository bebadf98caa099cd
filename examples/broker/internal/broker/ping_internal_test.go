package broker

// When a silent client is asked is judged here by times that the test names.

import (
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth/authtest"
)

// TestSilence: a client is asked when it has said nothing for the interval, and
// has some questions to leave without an answer.
func TestSilence(t *testing.T) {
	const every, most = time.Hour, 2
	s, err := New(Options{
		Authorizer:   authtest.Authorizer(t, authtest.NewOperator(t), nil),
		PingInterval: every, PingMax: most,
	})
	require.NoError(t, err)
	server, client := net.Pipe()
	defer client.Close()
	c := newConn(s, server, 1)
	at := func(d time.Duration) silence { return c.silence(c.heard.Add(d)) }

	require.Equal(t, none, at(every-1))
	require.Equal(t, some, at(every))
	require.Equal(t, some, at(every+1))
	require.Equal(t, tooLong, at(every))
	c.pong()
	require.Equal(t, some, at(every), "it has answered")
	require.Equal(t, some, at(every))
	require.Equal(t, none, at(every-1), "it has done something since")
	require.Equal(t, tooLong, at(every))

	c.close("", "")
	require.Equal(t, none, at(every), "it is over")
	server.Close()
}
