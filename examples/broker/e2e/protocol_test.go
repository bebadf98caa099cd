package e2e_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth/authtest"
)

// TestVerbose: a verbose client gets +OK for what was done, an error for what
// was not, and nothing for a PING but the PONG.
func TestVerbose(t *testing.T) {
	w := newWorld(t)
	s := w.serve(t)
	u := of(w.app.User("u", authtest.PubAllow("a.>"), authtest.SubAllow("a.>")))
	c := dial(t, s)
	c.connect(u, field{"verbose", true})
	tests := []struct {
		send string
		want []string
	}{
		{"", []string{"+OK"}}, // the CONNECT
		{"PING\r\n", []string{"PONG"}},
		{"SUB a.b 1\r\n", []string{"+OK"}},
		{"SUB a.b 1\r\n", []string{"+OK"}}, // the sid is in use: nothing changes
		{"SUB b 2\r\n", []string{`-ERR 'Permissions Violation for Subscription to "b"'`}},
		{"SUB a..b 3\r\n", []string{`-ERR 'Permissions Violation for Subscription to "a..b"'`}},
		{"PUB a.b 2\r\nhi\r\n", []string{"+OK", "MSG a.b 1 2", "hi"}},
		{"PUB b 2\r\nhi\r\n", []string{`-ERR 'Permissions Violation for Publish to "b"'`}},
		{"HPUB a.b 12 14\r\nNATS/1.0\r\n\r\nhi\r\n", []string{"+OK", "HMSG a.b 1 12 14", "NATS/1.0", "", "hi"}},
		{"UNSUB 1\r\n", []string{"+OK"}},
		{"UNSUB 99\r\n", []string{"+OK"}},
		{"PONG\r\nPING\r\n", []string{"PONG"}},
		{"+OK\r\nPING\r\n", []string{"PONG"}},
	}
	for _, tt := range tests {
		c.send("%s", tt.send)
		c.want(tt.want...)
	}
	c.sync()
}

// TestPedantic: a pedantic client hears of subjects with wildcards, which go
// their way all the same; any other client does not.
func TestPedantic(t *testing.T) {
	w := newWorld(t)
	s := w.serve(t)
	for _, subject := range []string{"foo.*", "foo.>", "foo..bar", ".foo"} {
		t.Run(subject, func(t *testing.T) {
			c := enter(t, s, w.admin(), field{"pedantic", true})
			c.pub(subject, "", "hi")
			c.wantErr("Invalid Publish Subject")
			c.sync()
			c = enter(t, s, w.admin())
			c.pub(subject, "", "hi")
			c.sync()
		})
	}
	c := enter(t, s, w.admin(), field{"pedantic", true})
	c.pub("foo.bar", "", "hi")
	c.sync()
}

// TestInvalidSubject: a subscription needs a subject.
func TestInvalidSubject(t *testing.T) {
	w := newWorld(t)
	s := w.serve(t)
	c := enter(t, s, w.admin())
	for i, subject := range []string{"foo..bar", ".foo", "foo.", "foo.>.bar", ">.foo"} {
		c.send("SUB %s %d\r\n", subject, i)
		c.wantErr("Invalid Subject")
	}
	for i, subject := range []string{"foo.*.bar", "foo.>", "*", "foo*.bar>"} {
		c.send("SUB %s %d\r\n", subject, i)
	}
	c.sync()
}

// TestMalformed: a line with the wrong number of words, or a number that is none,
// ends the connection and is not done.
func TestMalformed(t *testing.T) {
	w := newWorld(t)
	s := w.serve(t)
	for _, text := range []string{
		"SUB foo\r\n", "SUB foo q 1 more\r\n", "UNSUB 1 2 3\r\n", "PUB foo\r\n", "PUB foo x\r\n", "PUB foo -1\r\n", "PUB foo a b 2\r\n",
		"PUB foo 99999999999999999999\r\n", "HPUB foo 12\r\n", "HPUB foo 14 12\r\n", "HPUB foo x 12\r\n", "PUB foo 2\r\nhixx", "PUB foo 2\r\nhi\rx",
	} {
		t.Run(strings.ReplaceAll(text, "\r\n", " "), func(t *testing.T) {
			watch := enter(t, s, w.admin())
			watch.send("SUB > 1\r\n")
			watch.sync()
			c := enter(t, s, w.admin())
			c.send("%s", text)
			c.send("PING\r\n")
			require.NotContains(t, c.rest(), "PONG")
			watch.sync()
		})
	}
}

// TestMaxPayload: a message is as large as the broker, the account and the user
// allow, and no larger (F053, F054).
func TestMaxPayload(t *testing.T) {
	tests := []struct {
		name string
		w    *world
		u    func(*world) user
		max  int
	}{
		{"of the broker", newWorld(t).with("max_payload: 1024"), (*world).admin, 1024},
		{"of the account", newWorld(t, authtest.Limits(-1, 128)).with("max_payload: 1024"), (*world).admin, 128},
		{"of the user", newWorld(t, authtest.Limits(-1, 128)).with("max_payload: 1024"), small, 64},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := tt.w.serve(t)
			u := tt.u(tt.w)
			c := enter(t, s, u)
			c.send("SUB foo 1\r\n")
			for _, size := range []int{0, tt.max - 1, tt.max} {
				payload := strings.Repeat("x", size)
				c.pub("foo", "", payload)
				c.wantMsg("foo", "1", "", payload)
			}
			c.send("PUB foo %d\r\n", tt.max+1) // the size is enough
			c.wantRefused("Maximum Payload Violation")

			c = enter(t, s, u)
			c.send("HPUB foo 12 %d\r\n", tt.max+1) // headers count
			c.wantRefused("Maximum Payload Violation")
		})
	}
}

func small(w *world) user { return of(w.app.User("small", authtest.Limits(-1, 64))) }

// TestMaxSubscriptions: a client has so many subscriptions, and the connection
// goes on when it wants more (F054). One that it gives up makes room.
func TestMaxSubscriptions(t *testing.T) {
	tests := []struct {
		name string
		w    *world
		u    func(*world) user
		max  int
	}{
		{"of the user", newWorld(t, authtest.Limits(3, -1)), func(w *world) user { return of(w.app.User("u", authtest.Limits(2, -1))) }, 2},
		{"of the account", newWorld(t, authtest.Limits(3, -1)), (*world).admin, 3},
		{"of the broker", newWorld(t).with("max_subscriptions: 2"), (*world).admin, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := tt.w.serve(t)
			c := enter(t, s, tt.u(tt.w))
			for i := range tt.max {
				c.send("SUB foo.%d %d\r\n", i, i)
			}
			c.sync()
			c.send("SUB foo.more 9\r\n")
			c.wantErr("maximum subscriptions exceeded")
			c.pub("foo.more", "", "hi")
			c.sync()
			c.send("UNSUB 0\r\nSUB foo.more 9\r\n")
			c.pub("foo.more", "", "hi")
			c.wantMsg("foo.more", "9", "", "hi")
		})
	}
}

// TestControlLine: a line is as long as the configuration says. What follows the
// operation counts; its end does not.
func TestControlLine(t *testing.T) {
	w := newWorld(t)
	tests := []struct {
		name  string
		extra string
		max   int
	}{
		{"the default", "", 4096},
		{"as configured", "max_control_line: 2048", 2048},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := serve(t, w.config()+tt.extra)
			for _, over := range []int{-1, 0, 1, 10_000} {
				c := enter(t, s, w.admin())
				c.send("SUB %s 1\r\n", strings.Repeat("s", tt.max+over-len(" 1")))
				if over <= 0 {
					c.sync()
					continue
				}
				c.wantRefused("maximum control line exceeded")
			}
			c := dial(t, s)
			c.send("CONNECT %s\r\n", `{"name":"`+strings.Repeat("n", tt.max)+`"}`)
			c.wantRefused("maximum control line exceeded")

			c = dial(t, s)
			c.send("CONNECT %s", strings.Repeat("n", tt.max+1)) // and no end
			c.wantRefused("maximum control line exceeded")
		})
	}
}

// TestMaxSubTokens: the broker may bound how many tokens a subscription has.
func TestMaxSubTokens(t *testing.T) {
	w := newWorld(t).with("max_subscription_tokens: 3")
	s := w.serve(t)
	c := enter(t, s, w.admin())
	c.send("SUB a.b 1\r\nSUB a.b.c 2\r\n")
	c.sync()
	c.send("SUB a.b.c.d 3\r\n")
	c.wantErr(`Permissions Violation for Subscription to "a.b.c.d", too many tokens`)
	c.sync()
}

// TestUnsub: a subscription ends at once, or after as many messages as it is
// given, those counted that it had before.
func TestUnsub(t *testing.T) {
	w := newWorld(t)
	s := w.serve(t)
	tests := []struct {
		name   string
		script string // m publishes a message
		want   int    // messages delivered
	}{
		{"not at all", "SUB foo 1\r\nm", 1},
		{"at once", "SUB foo 1\r\nUNSUB 1\r\nm", 0},
		{"another", "SUB foo 1\r\nUNSUB 2\r\nm", 1},
		{"after two", "SUB foo 1\r\nUNSUB 1 2\r\nmmm", 2},
		{"after two, one had", "SUB foo 1\r\nmUNSUB 1 2\r\nmmm", 2},
		{"after two, two had", "SUB foo 1\r\nmmUNSUB 1 2\r\nmmm", 2},
		{"after two, three had", "SUB foo 1\r\nmmmUNSUB 1 2\r\nm", 3},
		{"after none", "SUB foo 1\r\nUNSUB 1 0\r\nm", 0},
		{"after two, then at once", "SUB foo 1\r\nUNSUB 1 2\r\nmUNSUB 1\r\nm", 1},
		{"after two, then after three", "SUB foo 1\r\nUNSUB 1 2\r\nmUNSUB 1 3\r\nmmm", 3},
		{"the sid is free again", "SUB foo 1\r\nUNSUB 1 1\r\nmmSUB foo 1\r\nm", 2},
		{"the sid in use again", "SUB foo 1\r\nSUB foo 1\r\nm", 1},
		{"the sid in use for another subject", "SUB foo 1\r\nSUB bar 1\r\nm", 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := enter(t, s, w.admin())
			c.send("%s", strings.ReplaceAll(tt.script, "m", "PUB foo 2\r\nhi\r\n"))
			c.send("PUB bar 2\r\nhi\r\n")
			lines := c.settle()
			require.Len(t, lines, 2*tt.want, "%q", lines)
			require.NotContains(t, lines, "MSG bar 1 2")
		})
	}
}

// TestNoResponders: who asks where nobody listens is told so, if it asked to be,
// and has a subscription for it.
func TestNoResponders(t *testing.T) {
	w := newWorld(t)
	s := w.serve(t)
	tests := []struct {
		name   string
		asked  bool
		script string
		want   []string
	}{
		{"nobody there", true, "SUB in.* 7\r\nPUB svc in.1 2\r\nhi\r\n", []string{"HMSG in.1 7 35 35", "NATS/1.0 503", "Nats-Subject: svc", "", ""}},
		{"nobody there, with headers", true, "SUB in.1 7\r\nHPUB svc in.1 12 14\r\nNATS/1.0\r\n\r\nhi\r\n", []string{"HMSG in.1 7 35 35", "NATS/1.0 503", "Nats-Subject: svc", "", ""}},
		{"not asked to be told", false, "SUB in.* 7\r\nPUB svc in.1 2\r\nhi\r\n", nil},
		{"without a subscription for the reply", true, "SUB other 7\r\nPUB svc in.1 2\r\nhi\r\n", nil},
		{"without a reply", true, "SUB in.* 7\r\nPUB svc 2\r\nhi\r\n", nil},
		{"somebody there", true, "SUB in.* 7\r\nSUB svc 8\r\nPUB svc in.1 2\r\nhi\r\n", []string{"MSG svc 8 in.1 2", "hi"}},
		{"somebody gone", true, "SUB in.* 7\r\nSUB svc 8\r\nUNSUB 8\r\nPUB svc in.1 2\r\nhi\r\n", []string{"HMSG in.1 7 35 35", "NATS/1.0 503", "Nats-Subject: svc", "", ""}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := enter(t, s, w.admin(), field{"no_responders", tt.asked})
			c.send("%s", tt.script)
			require.Equal(t, tt.want, c.settle())
		})
	}
}

// TestQueueGroup: each message goes to one member of every group, each member
// gets some, and who is in no group gets all.
func TestQueueGroup(t *testing.T) {
	w := newWorld(t)
	s := w.serve(t)
	const messages, members = 300, 3
	var group []*raw
	for range members {
		c := enter(t, s, w.admin())
		c.send("SUB job.* workers 1\r\nSUB job.> other 2\r\n")
		c.sync()
		group = append(group, c)
	}
	alone := enter(t, s, w.admin())
	alone.send("SUB job.new 3\r\n")
	alone.sync()
	for i := range messages {
		alone.pub("job.new", "", fmt.Sprintf("m%03d", i))
	}
	require.Len(t, alone.settle(), 2*messages)
	seen := map[string]int{}
	for _, c := range group {
		lines := c.settle()
		require.NotEmpty(t, slices.DeleteFunc(slices.Clone(lines), func(l string) bool { return l != "MSG job.new 1 4" }), "a member without work")
		for i := 0; i < len(lines); i += 2 {
			seen[lines[i]+lines[i+1]]++
		}
	}
	require.Len(t, seen, 2*messages)
	for what, times := range seen {
		require.Equal(t, 1, times, what)
	}
}

// TestQueueMemberGone: what a group is sent goes to the members that are there.
func TestQueueMemberGone(t *testing.T) {
	w := newWorld(t)
	s := w.serve(t)
	leaves, stays, boss := enter(t, s, w.admin()), enter(t, s, w.admin()), enter(t, s, w.admin())
	leaves.send("SUB job q 1\r\n")
	stays.send("SUB job q 1\r\n")
	leaves.sync()
	stays.sync()
	leaves.send("UNSUB 1\r\n")
	leaves.sync()
	for range 20 {
		boss.pub("job", "", "hi")
	}
	boss.sync()
	leaves.sync()
	require.Len(t, stays.settle(), 2*20)
}

// TestEcho: a client may ask not to hear itself; others hear it.
func TestEcho(t *testing.T) {
	w := newWorld(t)
	s := w.serve(t)
	peer := enter(t, s, w.admin())
	peer.send("SUB foo 1\r\n")
	peer.sync()
	for _, tt := range []struct {
		name  string
		value any
		want  bool
	}{{"echo", true, true}, {"no echo", false, false}, {"not said", nil, true}} {
		t.Run(tt.name, func(t *testing.T) {
			c := enter(t, s, w.admin(), field{"echo", tt.value})
			c.send("SUB foo 1\r\n")
			c.pub("foo", "", "hi")
			if tt.want {
				c.wantMsg("foo", "1", "", "hi")
			}
			c.sync()
			peer.wantMsg("foo", "1", "", "hi")
		})
	}
}

// TestHeaders: headers reach who knows of them, and only the rest the others.
func TestHeaders(t *testing.T) {
	w := newWorld(t)
	s := w.serve(t)
	const msg = "HPUB foo re 20 22\r\nNATS/1.0\r\nA: bcd\r\n\r\nhi\r\n"
	c := enter(t, s, w.admin())
	c.send("SUB foo 1\r\n" + msg)
	c.want("HMSG foo 1 re 20 22", "NATS/1.0", "A: bcd", "", "hi")
	old := enter(t, s, w.admin(), field{"headers", false})
	old.send("SUB foo 1\r\n")
	old.sync()
	c.send(msg)
	c.settle()
	old.wantMsg("foo", "1", "re", "hi")

	old.send(msg)
	require.NotContains(t, old.rest(), "PONG")
}

// TestPieces: a client may send its bytes one by one.
func TestPieces(t *testing.T) {
	w := newWorld(t)
	s := w.serve(t)
	c := dial(t, s)
	text := fmt.Sprintf("CONNECT %s\r\nSUB foo 1\r\nPUB foo re 5\r\nhe\r\nl\r\nHPUB foo 12 14\r\nNATS/1.0\r\n\r\nhi\r\nPING\r\n", c.connectJSON(w.admin()))
	for i := range len(text) {
		c.send("%s", text[i:i+1])
	}
	c.want("MSG foo 1 re 5", "he", "l", "HMSG foo 1 12 14", "NATS/1.0", "", "hi", "PONG")
}

// TestAccountsApart: what is published in an account stays there.
func TestAccountsApart(t *testing.T) {
	w := newWorld(t)
	s := w.serve(t)
	app, shop := enter(t, s, w.admin()), enter(t, s, of(w.shop.User("shopper")))
	app.send("SUB > 1\r\n")
	shop.send("SUB > 1\r\n")
	app.sync()
	shop.sync()
	app.pub("foo", "", "hi")
	app.wantMsg("foo", "1", "", "hi")
	shop.sync()
}
