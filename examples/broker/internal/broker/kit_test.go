package broker_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/auth/authtest"
	"github.com/natsauth/natsauth/examples/broker/internal/broker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what has to come.
const patience = 30 * time.Second

// serve runs a server until the test ends, and gives its address.
func serve(t *testing.T, o *authtest.Operator, accounts []*authtest.Account, edit func(*broker.Options)) (*broker.Server, string) {
	t.Helper()
	relay := new(broker.Relay)
	options := broker.Options{
		Authorizer: authtest.Authorizer(t, o, accounts, func(c *auth.Config) { c.OnAccount = relay.Account }),
		Relay:      relay, Name: "test",
	}
	if edit != nil {
		edit(&options)
	}
	s, err := broker.New(options)
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Close()
		require.ErrorIs(t, <-ended, broker.ErrClosed)
	})
	return s, l.Addr().String()
}

// client is the other end of a connection.
type client struct {
	t     *testing.T
	nc    net.Conn
	in    *bufio.Reader
	nonce string
	info  map[string]any
}

// dial connects and reads INFO.
func dial(t *testing.T, addr string) *client {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	t.Cleanup(func() { nc.Close() })
	require.NoError(t, nc.SetDeadline(time.Now().Add(patience)))
	c := &client{t: t, nc: nc, in: bufio.NewReader(nc)}
	c.info = c.readInfo()
	c.nonce, _ = c.info["nonce"].(string)
	return c
}

func (c *client) readInfo() map[string]any {
	c.t.Helper()
	text, ok := strings.CutPrefix(c.line(), "INFO ")
	require.True(c.t, ok)
	info := map[string]any{}
	require.NoError(c.t, json.Unmarshal([]byte(text), &info))
	return info
}

// enter connects as a user.
func enter(t *testing.T, addr string, u *authtest.User, more ...string) *client {
	t.Helper()
	c := dial(t, addr)
	c.connect(u, more...)
	c.sync()
	return c
}

// connect sends CONNECT of a user, with more fields: "key", "value" in JSON.
func (c *client) connect(u *authtest.User, more ...string) {
	c.t.Helper()
	c.connectAs(u.Token(), u.Key(), more...)
}

// connectAs is connect with a token and a key that signs.
func (c *client) connectAs(token string, key nkeys.KeyPair, more ...string) {
	c.t.Helper()
	fields := []string{
		`"verbose":false`, `"pedantic":false`, `"headers":true`,
		fmt.Sprintf(`"jwt":%q`, token), fmt.Sprintf(`"sig":%q`, authtest.SignNonce(key, c.nonce)),
	}
	c.send("CONNECT {" + strings.Join(append(fields, more...), ",") + "}\r\n")
}

func (c *client) send(text string) {
	c.t.Helper()
	_, err := io.WriteString(c.nc, text)
	require.NoError(c.t, err)
}

func (c *client) line() string {
	c.t.Helper()
	text, err := c.in.ReadString('\n')
	require.NoError(c.t, err)
	return strings.TrimSuffix(text, "\r\n")
}

// until reads what comes before a line. A message is one text with its payload.
func (c *client) until(end string) []string {
	c.t.Helper()
	var out []string
	for {
		text := c.line()
		if text == end {
			return out
		}
		if strings.HasPrefix(text, "MSG ") || strings.HasPrefix(text, "HMSG ") {
			text += "|" + c.payload(text)
		}
		out = append(out, text)
	}
}

func (c *client) payload(head string) string {
	c.t.Helper()
	words := strings.Fields(head)
	size, err := strconv.Atoi(words[len(words)-1])
	require.NoError(c.t, err)
	data := make([]byte, size+2)
	_, err = io.ReadFull(c.in, data)
	require.NoError(c.t, err)
	return string(data[:size])
}

// sync asks and waits, and gives what came before the answer.
func (c *client) sync() []string {
	c.t.Helper()
	c.send("PING\r\n")
	return c.until("PONG")
}

// ends reads to the end of the connection.
func (c *client) ends() []string {
	c.t.Helper()
	text, err := io.ReadAll(c.in)
	require.NoError(c.t, err)
	return strings.Split(strings.TrimSuffix(string(text), "\r\n"), "\r\n")
}

// message waits for one message and gives its subject and body.
func (c *client) message() (string, map[string]any) {
	c.t.Helper()
	head := c.line()
	words := strings.Fields(head)
	require.Equal(c.t, "MSG", words[0], head)
	body := map[string]any{}
	require.NoError(c.t, json.Unmarshal([]byte(c.payload(head)), &body))
	return words[1], body
}

// world is an operator with two accounts and a system account.
type world struct {
	operator   *authtest.Operator
	a, b, sys  *authtest.Account
	alice, bob *authtest.User
	admin      *authtest.User
	authorizer *auth.Authorizer
	server     *broker.Server
	addr       string
}

func newWorld(t *testing.T, edit func(*broker.Options)) *world {
	t.Helper()
	o := authtest.NewOperator(t)
	w := &world{operator: o, a: o.Account("A"), b: o.Account("B"), sys: o.Account("SYS")}
	w.authorizer = authtest.Authorizer(t, o, []*authtest.Account{w.a, w.b, w.sys}, func(c *auth.Config) {
		c.Trust.SystemAccount = w.sys.PublicKey()
	})
	w.alice, w.bob, w.admin = w.a.User("alice"), w.b.User("bob"), w.sys.User("admin")
	w.server, w.addr = serve(t, o, nil, func(o *broker.Options) {
		o.Authorizer, o.SystemAccount = w.authorizer, w.sys.PublicKey()
		if edit != nil {
			edit(o)
		}
	})
	return w
}

// empties hangs up for the last client of account A, and waits until nothing of it is left.
func (w *world) empties(t *testing.T, last *client) {
	t.Helper()
	last.nc.Close()
	require.Eventually(t, func() bool { return w.server.Listeners(w.a.PublicKey()) == broker.NotHeld }, patience, time.Millisecond)
}
