package e2e_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// raw is a client that says what it is told to, and hears every byte.
type raw struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
	info info
}

// info is what the broker says first.
type info struct {
	ServerID     string `json:"server_id"`
	Nonce        string `json:"nonce"`
	AuthRequired bool   `json:"auth_required"`
	Headers      bool   `json:"headers"`
	MaxPayload   int64  `json:"max_payload"`
	ClientID     uint64 `json:"client_id"`
	ConnectInfo  bool   `json:"connect_info"`
	Account      string `json:"remote_account"`
	System       bool   `json:"acc_is_sys"`
}

// dial opens a connection and reads the INFO.
func dial(t *testing.T, s *server) *raw {
	t.Helper()
	c := dialBare(t, s)
	c.info = c.readInfo()
	return c
}

// dialBare opens a connection and reads nothing.
func dialBare(t *testing.T, s *server) *raw {
	t.Helper()
	conn, err := net.DialTimeout("tcp", s.addr, patience)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	return &raw{t: t, conn: conn, in: bufio.NewReader(conn)}
}

// enter opens a connection as a user, with fields of CONNECT beside the usual.
func enter(t *testing.T, s *server, u user, fields ...field) *raw {
	t.Helper()
	c := dial(t, s)
	c.connect(u, fields...)
	c.sync()
	return c
}

// field is a field of CONNECT.
type field struct {
	name  string
	value any
}

// connect sends a CONNECT. Unless the fields say otherwise it is not verbose,
// not pedantic, and of a client that knows headers.
func (c *raw) connect(u user, fields ...field) {
	c.t.Helper()
	c.send("CONNECT %s\r\n", c.connectJSON(u, fields...))
}

func (c *raw) connectJSON(u user, fields ...field) string {
	c.t.Helper()
	m := map[string]any{"verbose": false, "pedantic": false, "headers": true, "lang": "e2e", "jwt": u.token, "sig": u.sign(c.info.Nonce)}
	for _, f := range fields {
		if m[f.name] = f.value; f.value == nil {
			delete(m, f.name)
		}
	}
	text, err := json.Marshal(m)
	require.NoError(c.t, err)
	return string(text)
}

func (c *raw) send(format string, args ...any) {
	c.t.Helper()
	c.conn.SetWriteDeadline(time.Now().Add(patience))
	_, err := fmt.Fprintf(c.conn, format, args...)
	require.NoError(c.t, err)
}

// pub publishes a payload, with a reply subject if it is not empty.
func (c *raw) pub(subject, reply, payload string) {
	c.t.Helper()
	if reply != "" {
		subject += " " + reply
	}
	c.send("PUB %s %d\r\n%s\r\n", subject, len(payload), payload)
}

// line reads a line without its end. It answers the broker's own pings, which
// may come at any time, and says nothing of them.
func (c *raw) line() string {
	c.t.Helper()
	line, err := c.read()
	require.NoError(c.t, err)
	return line
}

func (c *raw) read() (string, error) {
	for {
		c.conn.SetReadDeadline(time.Now().Add(patience))
		line, err := c.in.ReadString('\n')
		if err != nil {
			return line, err
		}
		if line = strings.TrimSuffix(line, "\r\n"); line != "PING" {
			return line, nil
		}
		if _, err := io.WriteString(c.conn, "PONG\r\n"); err != nil {
			return "", err
		}
	}
}

func (c *raw) readInfo() info {
	c.t.Helper()
	line := c.line()
	require.True(c.t, strings.HasPrefix(line, "INFO {"), "%q", line)
	var i info
	require.NoError(c.t, json.Unmarshal([]byte(strings.TrimPrefix(line, "INFO ")), &i))
	return i
}

// want asserts the next lines, exactly.
func (c *raw) want(lines ...string) {
	c.t.Helper()
	for _, want := range lines {
		require.Equal(c.t, want, c.line())
	}
}

// wantErr asserts that an error comes next.
func (c *raw) wantErr(text string) {
	c.t.Helper()
	c.want("-ERR '" + text + "'")
}

// wantMsg asserts that a message comes next.
func (c *raw) wantMsg(subject, sid, reply, payload string) {
	c.t.Helper()
	if reply != "" {
		reply += " "
	}
	c.want(fmt.Sprintf("MSG %s %s %s%d", subject, sid, reply, len(payload)), payload)
}

// sync asserts that the broker has done what it was told so far, and that
// nothing came of it.
func (c *raw) sync() {
	c.t.Helper()
	c.send("PING\r\n")
	c.want("PONG")
}

// settle lets the broker do what it was told so far, and gives the lines that
// came of it.
func (c *raw) settle() []string {
	c.t.Helper()
	c.send("PING\r\n")
	var lines []string
	for {
		line := c.line()
		if line == "PONG" {
			return lines
		}
		lines = append(lines, line)
	}
}

// wantClosed asserts that the connection ends here, without another word.
func (c *raw) wantClosed() {
	c.t.Helper()
	line, err := c.read()
	require.Empty(c.t, line)
	require.Error(c.t, err)
	require.False(c.t, timedOut(err), "the broker keeps the connection open")
}

// wantRefused asserts that the connection ends here with an error.
func (c *raw) wantRefused(text string) {
	c.t.Helper()
	c.wantErr(text)
	c.wantClosed()
}
