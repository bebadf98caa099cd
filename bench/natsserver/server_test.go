package natsserver_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/bench/internal/measure"
	"github.com/natsauth/natsauth/bench/internal/world"
)

// quiet are options for a server that speaks only when it is spoken to.
func quiet() *server.Options {
	return &server.Options{
		NoLog: true, NoSigs: true, DontListen: true, MaxControlLine: 4 << 20,
		PingInterval: time.Hour, DisableShortFirstPing: true, AuthTimeout: 60,
	}
}

// judging are options for a server that trusts the world's operator.
func judging(tb testing.TB, w *world.World) *server.Options {
	tb.Helper()
	operator, err := jwt.DecodeOperatorClaims(w.OperatorToken)
	require.NoError(tb, err)
	accounts := &server.MemAccResolver{}
	require.NoError(tb, accounts.Store(w.AccountKey, w.AccountToken))
	o := quiet()
	o.TrustedOperators, o.AccountResolver = []*jwt.OperatorClaims{operator}, accounts
	return o
}

func start(tb testing.TB, o *server.Options) *server.Server {
	tb.Helper()
	s, err := server.NewServer(o)
	require.NoError(tb, err)
	s.Start()
	tb.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	require.True(tb, s.ReadyForConnections(10*time.Second))
	return s
}

// client is a connection that speaks the protocol by hand.
type client struct {
	conn   net.Conn
	lines  *bufio.Reader
	nonce  string
	script []byte
}

// connected is a client that has read the server's INFO.
func connected(tb testing.TB, conn net.Conn, err error) *client {
	tb.Helper()
	require.NoError(tb, err)
	c := &client{conn: conn, lines: bufio.NewReader(conn)}
	line, err := c.lines.ReadString('\n')
	require.NoError(tb, err)
	var info struct{ Nonce string }
	require.NoError(tb, json.Unmarshal([]byte(strings.TrimPrefix(line, "INFO ")), &info))
	c.nonce = info.Nonce
	return c
}

// connect is a CONNECT line.
func connect(token, sig string) string {
	text, err := json.Marshal(map[string]any{
		"jwt": token, "sig": sig, "verbose": false, "pedantic": false, "protocol": 1, "lang": "go", "version": "1",
	})
	if err != nil {
		panic(err) // strings and numbers can be written
	}
	return fmt.Sprintf("CONNECT %s\r\n", text)
}

// answer sends what was prepared and waits for PONG, or gives what came in its
// place: the text of -ERR, or the end of the connection.
func (c *client) answer() error {
	sent := make(chan error, 1)
	go func() {
		_, err := c.conn.Write(c.script)
		sent <- err
	}()
	for {
		line, err := c.lines.ReadString('\n')
		if err != nil {
			return err
		}
		if text, bad := strings.CutPrefix(line, "-ERR "); bad {
			return refusal(strings.Trim(text, "'\r\n"))
		}
		if line == "PONG\r\n" {
			return <-sent
		}
	}
}

// refusal is the text of an -ERR.
type refusal string

func (r refusal) Error() string { return string(r) }

// visitor is a side that sends CONNECT and PING on connections that were made and
// whose nonces were signed before. It takes turns with the users.
type visitor struct {
	tb      testing.TB
	server  *server.Server
	users   []world.User
	clients []*client
}

func visiting(tb testing.TB, s *server.Server, users []world.User, times int) measure.Side {
	v := newVisitor(tb, s, users)
	return measure.Side{Runs: times, Prepare: v.prepare, Run: v.run}
}

func newVisitor(tb testing.TB, s *server.Server, users []world.User) *visitor {
	v := &visitor{tb: tb, server: s, users: users}
	tb.Cleanup(v.leave)
	return v
}

// leave ends the connections, and waits until the server has noticed.
func (v *visitor) leave() {
	for _, c := range v.clients {
		c.conn.Close()
	}
	v.clients = v.clients[:0]
	for v.server.NumClients() > 0 {
		time.Sleep(time.Millisecond)
	}
}

// prepare ends the connections of before, which is not measured either, and makes
// n.
func (v *visitor) prepare(n int) {
	v.leave()
	for i := range n {
		conn, err := v.server.InProcessConn()
		c := connected(v.tb, conn, err)
		u := v.users[i%len(v.users)]
		c.script = []byte(connect(u.Token, u.Sign(c.nonce)) + "PING\r\n")
		v.clients = append(v.clients, c)
	}
	measure.Settle() // what the server does about the closed ones, it does on its own
}

func (v *visitor) run(n int) { answers(v.clients[:n]) }

func answers(clients []*client) {
	for _, c := range clients {
		if err := c.answer(); err != nil {
			panic(err) // a world's users are good
		}
	}
}
