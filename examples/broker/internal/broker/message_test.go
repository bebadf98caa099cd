package broker_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/jwt/v2"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth/authtest"
	"github.com/natsauth/natsauth/examples/broker/internal/broker"
)

// TestSubjectErrors: which of several faults of a SUB is told.
func TestSubjectErrors(t *testing.T) {
	w := newWorld(t, func(o *broker.Options) { o.MaxTokens = 3 })
	const invalid = "-ERR 'Invalid Subject'"
	refused := func(subject string) string {
		return fmt.Sprintf("-ERR 'Permissions Violation for Subscription to %q'", subject)
	}
	for _, tt := range []struct {
		name, sub string
		rules     []authtest.Option
		want      string // empty: it is taken
	}{
		{"good", "a.b", nil, ""},
		{"an empty token", "a..b", nil, invalid},
		{"an empty token, allowed something", "a..b", []authtest.Option{authtest.SubAllow(">")}, refused("a..b")},
		{"an empty token, denied something", "a..b", []authtest.Option{authtest.SubDeny("a.>")}, invalid},
		{"an open end inside", ">.a", nil, invalid},
		{"an open end inside, allowed", ">.a", []authtest.Option{authtest.SubAllow("*.*")}, invalid},
		{"an open end inside, denied", ">.a", []authtest.Option{authtest.SubDeny("*.a")}, refused(">.a")},
		{"the most tokens", "a.b.c", nil, ""},
		{"too many tokens", "a.b.c.d", nil, `-ERR 'Permissions Violation for Subscription to "a.b.c.d", too many tokens'`},
		{"too many tokens in a group", "a.b.c.d q", nil, `-ERR 'Permissions Violation for Subscription to "a.b.c.d", too many tokens'`},
		{"a group of the servers", "a _sys_", nil, `-ERR 'Permissions Violation for Subscription to "a" using queue "_sys_"'`},
		{"a group of the servers, of no subject", "a. _sys_", nil, `-ERR 'Permissions Violation for Subscription to "a." using queue "_sys_"'`},
		{"a group of anybody", "a sys", nil, ""},
		{"wider than allowed", "a.>", []authtest.Option{authtest.SubAllow("a.*")}, refused("a.>")},
		{"as wide as allowed", "a.*", []authtest.Option{authtest.SubAllow("a.*")}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := enter(t, w.addr, w.a.User("u", tt.rules...))
			c.send("SUB " + tt.sub + " 1\r\n")
			got := strings.Join(c.sync(), "\n")
			require.Equal(t, tt.want, got)
		})
	}
}

// TestMaxSubscriptions: the one that is too many is refused, and there is room
// after UNSUB. A sid in use is no new one.
func TestMaxSubscriptions(t *testing.T) {
	const full = "-ERR 'maximum subscriptions exceeded'"
	for name, tt := range map[string]struct {
		server int
		user   int64
	}{
		"the user's": {0, 2}, "the server's": {2, -1}, "the server's, being less": {2, 3}, "the user's, being less": {3, 2},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(o *broker.Options) { o.MaxSubscriptions = tt.server })
			c := enter(t, w.addr, w.a.User("u", authtest.Limits(tt.user, -1)))
			c.send("SUB a 1\r\nSUB b 1\r\nSUB b 2\r\n")
			require.Empty(t, c.sync())
			c.send("SUB c 3\r\n")
			require.Equal(t, []string{full}, c.sync())
			c.send("UNSUB 1\r\nSUB c 3\r\nPUB a 0\r\n\r\nPUB c 0\r\n\r\n")
			require.Equal(t, []string{"MSG c 3 0|"}, c.sync())
		})
	}
}

// TestDelivery: who gets what, and how.
func TestDelivery(t *testing.T) {
	w := newWorld(t, nil)
	plain := `"headers":false`
	for _, tt := range []struct {
		name string
		more string // of CONNECT
		text string
		want []string
	}{
		{"a message", "", "SUB a 1\r\nPUB a 2\r\nhi\r\n", []string{"MSG a 1 2|hi"}},
		{"a reply", "", "SUB a 1\r\nPUB a r 0\r\n\r\n", []string{"MSG a 1 r 0|"}},
		{"another subject", "", "SUB a 1\r\nPUB b 0\r\n\r\n", nil},
		{"headers", "", "SUB a 1\r\nHPUB a 12 14\r\nNATS/1.0\r\n\r\nhi\r\n", []string{"HMSG a 1 12 14|NATS/1.0\r\n\r\nhi"}},
		{"headers of nothing", "", "SUB a 1\r\nHPUB a 0 2\r\nhi\r\n", []string{"MSG a 1 2|hi"}},
		{"one's own", `"echo":true`, "SUB a 1\r\nPUB a 0\r\n\r\n", []string{"MSG a 1 0|"}},
		{"not one's own", `"echo":false`, "SUB a 1\r\nPUB a 0\r\n\r\n", nil},
		{"a sid in use", "", "SUB a 1\r\nSUB b 1\r\nPUB b 0\r\n\r\nPUB a 0\r\n\r\n", []string{"MSG a 1 0|"}},
		{"not any more", "", "SUB a 1\r\nUNSUB 1\r\nPUB a 0\r\n\r\n", nil},
		{"two and no more", "", "SUB a 1\r\nUNSUB 1 2\r\n" + strings.Repeat("PUB a 0\r\n\r\n", 3), []string{"MSG a 1 0|", "MSG a 1 0|"}},
		{"two, one of which is over", "", "SUB a 1\r\nPUB a 0\r\n\r\nUNSUB 1 2\r\n" + strings.Repeat("PUB a 0\r\n\r\n", 3), []string{"MSG a 1 0|", "MSG a 1 0|"}},
		{"two, both of which are over", "", "SUB a 1\r\nPUB a 0\r\n\r\nPUB a 0\r\n\r\nUNSUB 1 2\r\nPUB a 0\r\n\r\n", []string{"MSG a 1 0|", "MSG a 1 0|"}},
		{"a wildcard in a published subject", "", "SUB a.* 1\r\nPUB a.> 0\r\n\r\n", []string{"MSG a.> 1 0|"}},
		{"an empty token", "", "SUB > 1\r\nPUB a..b 0\r\n\r\n", nil},

		{"nobody there", `"no_responders":true`, "SUB r 1\r\nPUB a r 0\r\n\r\n",
			[]string{"HMSG r 1 33 33|NATS/1.0 503\r\nNats-Subject: a\r\n\r\n"}},
		{"nobody there, and nobody asked", "", "SUB r 1\r\nPUB a r 0\r\n\r\n", nil},
		{"nobody there, and no one waits", `"no_responders":true`, "PUB a r 0\r\n\r\n", nil},
		{"somebody there", `"no_responders":true`, "SUB r 1\r\nSUB a 2\r\nPUB a r 0\r\n\r\n", []string{"MSG a 2 r 0|"}},

		{"a routed reply for a subject", "", "PUB _GR_.a 0\r\n\r\n", []string{`-ERR 'Permissions Violation for Publish to "_GR_.a"'`}},
		{"an old one", "", "PUB $GR.a 0\r\n\r\n", []string{`-ERR 'Permissions Violation for Publish to "$GR.a"'`}},
		{"the servers' own", "", "PUB $NRG.a 0\r\n\r\n", []string{`-ERR 'Permissions Violation for Publish to "$NRG.a"'`}},
		{"a routed reply", "", "PUB a _GR_.b 0\r\n\r\n", []string{`-ERR 'Permissions Violation for Publish with Reply of "_GR_.b"'`}},
		{"a service's reply", "", "PUB a _R_. 0\r\n\r\n", []string{`-ERR 'Permissions Violation for Publish with Reply of "_R_."'`}},
		{"an acknowledgement", "", "PUB a $JS.ACK.x 0\r\n\r\n", []string{`-ERR 'Permissions Violation for Publish with Reply of "$JS.ACK.x"'`}},
		{"the prefixes alone", "", "PUB _GR_. $JS.ACK. 0\r\n\r\n", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := dial(t, w.addr)
			var more []string
			if tt.more != "" {
				more = []string{tt.more}
			}
			c.connect(w.alice, more...)
			require.Empty(t, c.sync())
			c.send(tt.text)
			require.Equal(t, tt.want, c.sync())
			w.empties(t, c)
		})
	}

	reader := enter(t, w.addr, w.alice, plain)
	reader.send("SUB a 1\r\n")
	reader.sync()
	writer := enter(t, w.addr, w.alice)
	writer.send("HPUB a 12 14\r\nNATS/1.0\r\n\r\nhi\r\n")
	writer.sync()
	require.Equal(t, []string{"MSG a 1 2|hi"}, reader.sync(), "who takes no headers gets none")

	admin := enter(t, w.addr, w.admin)
	admin.send("SUB $NRG.a 1\r\nPUB $NRG.a 0\r\n\r\n")
	require.Equal(t, []string{"MSG $NRG.a 1 0|"}, admin.sync(), "the system account may")

	stranger := enter(t, w.addr, w.bob)
	stranger.send("SUB > 1\r\n")
	stranger.sync()
	writer.send("PUB a 0\r\n\r\n")
	writer.sync()
	require.Empty(t, stranger.sync(), "another account hears nothing")
}

// TestProtocolErrors: what ends a connection, and what it is told.
func TestProtocolErrors(t *testing.T) {
	w := newWorld(t, nil)
	for text, want := range map[string]string{
		"XYZ\r\n":            "-ERR 'Unknown Protocol Operation'",
		"PUB a 1\r\nxx\r\n":  "-ERR 'Unknown Protocol Operation'",
		"PUB a x\r\n":        "",
		"PUB a 99999999\r\n": "-ERR 'Maximum Payload Violation'",
		"SUB " + strings.Repeat("x", broker.DefaultMaxControlLine+1) + "\r\n": "-ERR 'maximum control line exceeded'",
		"CONNECT {\r\n": "",
		"INFO x\r\n":    "",
	} {
		c := enter(t, w.addr, w.alice)
		c.send(text)
		require.Equal(t, []string{want}, c.ends(), text)
	}
	c := enter(t, w.addr, w.alice, `"headers":false`)
	c.send("HPUB a 0 0\r\n\r\n")
	require.Equal(t, []string{""}, c.ends())
}

// TestFilters: a deny rule filters what a wider subscription gets, and a queue
// group goes on to a member who may have it.
func TestFilters(t *testing.T) {
	w := newWorld(t, nil)
	blind := enter(t, w.addr, w.a.User("blind", authtest.SubDeny("a.secret")))
	blind.send("SUB a.* 1\r\nSUB a.* q 2\r\n")
	blind.sync()
	seeing := enter(t, w.addr, w.alice)
	seeing.send("SUB a.* q 1\r\n")
	seeing.sync()
	writer := enter(t, w.addr, w.alice)
	for range 20 {
		writer.send("PUB a.secret 0\r\n\r\n")
	}
	writer.sync()
	require.Empty(t, blind.sync())
	require.Len(t, seeing.sync(), 20)
	writer.send("PUB a.open 0\r\n\r\n")
	writer.sync()
	require.Contains(t, blind.sync(), "MSG a.open 1 0|")
}

// TestResponses: who is asked may answer, as often as its permissions say.
func TestResponses(t *testing.T) {
	w := newWorld(t, nil)
	answers := enter(t, w.addr, w.a.User("service", authtest.SubAllow("ask"), authtest.Responses(2, 0)))
	answers.send("SUB ask 1\r\nPUB reply 0\r\n\r\n")
	require.Equal(t, []string{`-ERR 'Permissions Violation for Publish to "reply"'`}, answers.sync())
	asks := enter(t, w.addr, w.alice)
	asks.send("SUB reply 1\r\nPUB ask reply 0\r\n\r\n")
	asks.sync()
	require.Equal(t, []string{"MSG ask 1 reply 0|"}, answers.sync())
	answers.send(strings.Repeat("PUB reply 0\r\n\r\n", 3))
	require.Equal(t, []string{`-ERR 'Permissions Violation for Publish to "reply"'`}, answers.sync())
	require.Equal(t, []string{"MSG reply 1 0|", "MSG reply 1 0|"}, asks.sync())
}

// TestMapping: permissions are asked about the subject that a message ends up on
// (F058).
func TestMapping(t *testing.T) {
	o := authtest.NewOperator(t)
	a := o.Account("A", authtest.Edit(func(c *jwt.AccountClaims) {
		c.Mappings = jwt.Mapping{"in.*": {{Subject: "out.{{wildcard(1)}}"}}, "odd": {{Subject: "other"}}}
	}))
	_, addr := serve(t, o, []*authtest.Account{a}, nil)
	c := enter(t, addr, a.User("u", authtest.PubAllow("in.>", "out.>", "odd")))
	c.send("SUB > 1\r\nPUB in.x 2\r\nhi\r\nPUB odd 0\r\n\r\nPUB out.y 0\r\n\r\n")
	require.Equal(t, []string{
		"MSG out.x 1 2|hi", `-ERR 'Permissions Violation for Publish to "other"'`, "MSG out.y 1 0|",
	}, c.sync())
}
