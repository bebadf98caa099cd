package conformance_test

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/nats-io/jwt/v2"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/bench/conformance/internal/peer"
	"github.com/natsauth/natsauth/bench/conformance/internal/world"
	"github.com/natsauth/natsauth/nonce"
	"github.com/natsauth/natsauth/resolver"
)

// The broker listens for plain clients only. For leaf nodes, MQTT, WebSocket and
// connections within a process nats-server is asked over its own listeners, and
// ours is the library itself.

// listening is a world whose nats-server has every listener. JetStream is there
// because MQTT needs it.
func listening(t *testing.T, seed uint64) *world.World {
	t.Helper()
	w := world.New(seed)
	w.Lines = append(w.Lines, "server_name: conformance", fmt.Sprintf("jetstream { store_dir: %q }", t.TempDir()),
		"leafnodes { listen: \"127.0.0.1:-1\" }", "mqtt { listen: \"127.0.0.1:-1\" }", "websocket { listen: \"127.0.0.1:-1\", no_tls: true }")
	return w
}

// storing lets an account store, without which it has no MQTT.
func storing(c *jwt.AccountClaims) {
	c.Limits.JetStreamLimits = jwt.JetStreamLimits{MemoryStorage: -1, DiskStorage: -1, Streams: -1, Consumer: -1}
}

// library is ours for a world.
func library(t *testing.T, w *world.World) *auth.Authorizer {
	t.Helper()
	memory, err := resolver.NewMemory(w.Tokens()...)
	require.NoError(t, err)
	a, err := auth.New(auth.Config{Trust: auth.Trust{Operators: []string{w.OperatorToken()}}, Resolver: memory})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, a.Close()) })
	return a
}

// enter asks the library for a session.
func enter(t *testing.T, a *auth.Authorizer, u peer.User, as auth.ConnectionType) (*auth.Session, bool) {
	t.Helper()
	c := auth.Credentials{JWT: u.JWT, Nonce: nonce.New(), ConnectionType: as}
	if as == auth.MQTT {
		c.JWT, c.Password = "", u.JWT
	}
	if as != auth.InProcess {
		c.Source = netip.MustParseAddr("127.0.0.1")
	}
	sig, err := u.Sign(c.Nonce)
	require.NoError(t, err)
	c.Signature = sig
	s, err := a.Connect(context.Background(), c)
	if err != nil {
		return nil, false
	}
	t.Cleanup(s.Close)
	return s, true
}

// knocks are the ways into nats-server; each says whether a user is admitted.
var knocks = map[auth.ConnectionType]func(*testing.T, *peer.Server, peer.User) bool{
	auth.Standard: func(t *testing.T, s *peer.Server, u peer.User) bool { c, err := s.Dial(); return knock(t, c, err, u) },
	auth.InProcess: func(t *testing.T, s *peer.Server, u peer.User) bool {
		c, err := s.InProcess()
		return knock(t, c, err, u)
	},
	auth.WebSocket: func(t *testing.T, s *peer.Server, u peer.User) bool {
		c, err := s.WebSocket()
		return knock(t, c, err, u)
	},
	auth.LeafNode: func(t *testing.T, s *peer.Server, u peer.User) bool {
		_, lines := leaf(t, s, u)
		return !strings.Contains(lines, "-ERR")
	},
	auth.MQTT: func(t *testing.T, s *peer.Server, u peer.User) bool {
		m, code, err := s.MQTT(nonce.New(), u.JWT)
		require.NoError(t, err)
		t.Cleanup(m.Close)
		return code == 0
	},
}

func knock(t *testing.T, c *peer.Client, err error, u peer.User) bool {
	t.Helper()
	require.NoError(t, err)
	t.Cleanup(c.Close)
	require.NoError(t, c.Login(u))
	_, open := c.Flush()
	return open
}

// leaf connects as a leaf node and gives what comes back.
func leaf(t *testing.T, s *peer.Server, u peer.User) (*peer.Client, string) {
	t.Helper()
	port, _, err := s.Ports()
	require.NoError(t, err)
	c, err := peer.At(fmt.Sprintf("127.0.0.1:%d", port)).Dial()
	require.NoError(t, err)
	t.Cleanup(c.Close)
	sig, err := u.Sign(c.Info().Nonce)
	require.NoError(t, err)
	require.NoError(t, c.Connect(map[string]any{"jwt": u.JWT, "sig": sig, "name": nonce.New(), "version": "2.15.2", "headers": true, "protocol": 1}))
	lines, _ := c.Flush()
	return c, strings.Join(lines, "\n")
}

// TestWaysIn has users that may connect in one way try all of them (F043, F028).
func TestWaysIn(t *testing.T) {
	t.Parallel()
	w := listening(t, 6)
	a := w.Account("WAYS", storing)
	bearer := func(c *jwt.UserClaims) { c.BearerToken = true }
	lists := [][]string{nil, {"STANDARD"}, {"WEBSOCKET"}, {"LEAFNODE"}, {"MQTT"}, {"IN_PROCESS"}, {"mqtt", "Leafnode"}, {"SMOKE"}, {"SMOKE", "MQTT"}}
	users := map[string]peer.User{
		"at home": a.User("home", a.Key, bearer, func(c *jwt.UserClaims) { c.Src.Add("127.0.0.0/8") }),
		"away":    a.User("away", a.Key, bearer, func(c *jwt.UserClaims) { c.Src.Add("10.0.0.0/8") }),
		"signs":   a.User("signs", a.Key),
	}
	for _, l := range lists {
		users["by "+strings.Join(l, "+")] = a.User("u", a.Key, bearer, func(c *jwt.UserClaims) { c.AllowedConnectionTypes = l })
	}
	reference, ours := peer.Reference(t, w.Config()), library(t, w)
	in, out := 0, 0
	for name, u := range users {
		for as, way := range knocks {
			theirs := way(t, reference, u)
			_, mine := enter(t, ours, u, as)
			if name == "signs" && as == auth.MQTT {
				require.False(t, theirs, "MQTT has no nonce")
				continue
			}
			require.Equal(t, theirs, mine, "%s, %s", name, as)
			rows.Hit("F043", "F028", "F021")
			if theirs {
				in++
			} else {
				out++
			}
		}
	}
	require.Greater(t, in, 10)
	require.Greater(t, out, 10)
}

// TestLeafLimit fills an account's leaf nodes; clients are not held to that limit,
// but leaf nodes count as connections (F050).
func TestLeafLimit(t *testing.T) {
	t.Parallel()
	w := listening(t, 7)
	a := w.Account("LEAVES", func(c *jwt.AccountClaims) { c.Limits.LeafNodeConn, c.Limits.Conn = 2, 3 })
	reference, ours := peer.Reference(t, w.Config()), library(t, w)
	order := []auth.ConnectionType{auth.LeafNode, auth.LeafNode, auth.LeafNode, auth.Standard, auth.Standard, auth.LeafNode}
	want := []bool{true, true, false, true, false, false}
	for i, as := range order {
		u := a.User(fmt.Sprint(i), a.Key)
		theirs := knocks[as](t, reference, u)
		_, mine := enter(t, ours, u, as)
		require.Equal(t, want[i], theirs, "nats-server, %d: %s", i, as)
		require.Equal(t, theirs, mine, "%d: %s", i, as)
		rows.Hit("F050")
	}
}

// TestLeafPermissions has a leaf node receive and send what it may, and what it
// may not (F068).
func TestLeafPermissions(t *testing.T) {
	t.Parallel()
	w := listening(t, 8)
	a := w.Account("LEAF")
	u := a.User("leaf", a.Key, func(c *jwt.UserClaims) { c.Sub.Allow.Add("in.*"); c.Sub.Deny.Add("in.secret"); c.Pub.Allow.Add("out") })
	reference := peer.Reference(t, w.Config())
	session, ok := enter(t, library(t, w), u, auth.LeafNode)
	require.True(t, ok)
	node, lines := leaf(t, reference, u)
	require.NotContains(t, lines, "-ERR")
	require.NoError(t, node.Send("LS+ in.*\r\n"))
	refused, _ := node.Flush()
	require.Empty(t, refused)
	neighbour := dial(t, reference)
	require.NoError(t, neighbour.Login(a.User("neighbour", a.Key)))
	require.NoError(t, neighbour.Send("SUB out 1\r\nSUB in.news 2\r\nPUB in.news 2\r\nhi\r\nPUB in.secret 2\r\nhi\r\nPUB other 2\r\nhi\r\n"))
	neighbour.Flush()
	require.NoError(t, node.Send("LMSG out 2\r\nhi\r\nLMSG in.news 2\r\nhi\r\n"))
	got, _ := node.Flush()
	heard, _ := neighbour.Flush()
	for _, subject := range []string{"in.news", "in.secret", "other"} {
		require.Equal(t, strings.Contains(strings.Join(got, "\n"), "LMSG "+subject+" "), session.CanDeliver(subject, ""), "%s of %q", subject, got)
	}
	for _, subject := range []string{"out", "in.news"} {
		require.Equal(t, strings.Contains(strings.Join(heard, "\n"), "MSG "+subject+" "), session.CanPublish(subject), "%s of %q", subject, heard)
	}
	another, _ := leaf(t, reference, u)
	require.NoError(t, another.Send("LS+ other\r\n"))
	refused, _ = another.Flush()
	require.Equal(t, []string{`-ERR 'Permissions Violation for Subscription to "other"'`}, refused)
	require.False(t, session.CanSubscribe("other", ""))
	require.True(t, session.CanSubscribe("in.*", ""))
	rows.Hit("F068")
}

// TestMQTTPermissions subscribes over MQTT (F068). nats-server lets its own
// subjects for MQTT pass whatever the user's rules say; ours exempts none (B3):
// who speaks MQTT to a broker of ours is asked about the topic's subject.
func TestMQTTPermissions(t *testing.T) {
	t.Parallel()
	w := listening(t, 9)
	a := w.Account("MQTT", storing)
	u := a.User("device", a.Key, func(c *jwt.UserClaims) { c.BearerToken = true; c.Sub.Allow.Add("news"); c.Pub.Allow.Add(">") })
	m, code, err := peer.Reference(t, w.Config()).MQTT("device", u.JWT)
	require.NoError(t, err)
	require.Zero(t, code)
	t.Cleanup(m.Close)
	session, ok := enter(t, library(t, w), u, auth.MQTT)
	require.True(t, ok)
	for _, topic := range []string{"news", "secrets"} {
		granted, err := m.Subscribe(topic, 0)
		require.NoError(t, err)
		require.Equal(t, granted < 0x80, session.CanSubscribe(topic, ""), topic)
		rows.Hit("F068")
	}
	granted, err := m.Subscribe("news", 1)
	require.NoError(t, err)
	require.EqualValues(t, 1, granted, "over a subscription to $MQTT.sub., which the rules do not name")
	require.False(t, session.CanSubscribe("$MQTT.sub.x", ""))
}
