package e2e_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth/authtest"
)

// TestPublish: what may be published, and the text for what may not (F056, F057).
func TestPublish(t *testing.T) {
	w := newWorld(t)
	s := w.serve(t)
	allow, deny := authtest.PubAllow, authtest.PubDeny
	tests := []struct {
		name    string
		opts    []authtest.Option
		subject string
		want    bool
	}{
		{"no rule", nil, "a.b", true},
		{"allowed", []authtest.Option{allow("a.*")}, "a.b", true},
		{"not allowed", []authtest.Option{allow("a.*")}, "a.b.c", false},
		{"denied", []authtest.Option{deny("a.>")}, "a.b", false},
		{"not denied", []authtest.Option{deny("a.>")}, "b.a", true},
		{"allowed and denied", []authtest.Option{allow("a.>"), deny("a.b")}, "a.b", false},
		{"allowed and not denied", []authtest.Option{allow("a.>"), deny("a.b")}, "a.c", true},
		{"a wildcard is a token like another, allowed", []authtest.Option{allow("a.*")}, "a.>", true},
		{"a wildcard is a token like another, not allowed", []authtest.Option{allow("a.b")}, "a.*", false},
		{"a wildcard is a token like another, not denied", []authtest.Option{deny("a.b")}, "a.*", true},
		{"the reply is nobody's business", []authtest.Option{allow("a")}, "a secret.place", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := enter(t, s, of(w.app.User(tt.name, tt.opts...)))
			c.send("PUB %s 2\r\nhi\r\n", tt.subject)
			if !tt.want {
				c.wantErr(fmt.Sprintf("Permissions Violation for Publish to %q", tt.subject))
			}
			c.sync()
		})
	}
}

// TestSubscribe: what may be subscribed to, and the text for what may not (F061,
// F062).
func TestSubscribe(t *testing.T) {
	w := newWorld(t)
	s := w.serve(t)
	allow, deny := authtest.SubAllow, authtest.SubDeny
	tests := []struct {
		name    string
		opts    []authtest.Option
		subject string // and a queue group behind a space
		want    bool
		b3      bool // the reference says the opposite
	}{
		{"no rule", nil, ">", true, false},
		{"allowed", []authtest.Option{allow("a.*")}, "a.b", true, false},
		{"allowed, all of it", []authtest.Option{allow("a.*")}, "a.*", true, false},
		{"not allowed", []authtest.Option{allow("a.*")}, "b", false, false},
		{"wider than the rule at the end", []authtest.Option{allow("a.*")}, "a.>", false, true},
		{"wider than the rule of one token", []authtest.Option{allow("*")}, ">", false, true},
		{"the union of rules covers it", []authtest.Option{allow("*", "*.>")}, ">", true, false},
		{"wider than a literal rule", []authtest.Option{allow("a.b")}, "a.*", false, false},
		{"the subject of the wildcard alone", []authtest.Option{allow("a.>")}, "a", false, false},
		{"denied", []authtest.Option{deny("a.>")}, "a.b", false, false},
		{"denied, a wildcard", []authtest.Option{deny("a.*")}, "a.*", false, false},
		{"overlaps a deny", []authtest.Option{deny("a.b")}, "a.*", true, false},
		{"outside a deny", []authtest.Option{deny("a.b")}, "a.c", true, false},
		{"a queue that is allowed", []authtest.Option{allow("a q1")}, "a q1", true, false},
		{"another queue", []authtest.Option{allow("a q1")}, "a q2", false, false},
		{"no queue where one is wanted", []authtest.Option{allow("a q1")}, "a", false, false},
		{"any queue", []authtest.Option{allow("a")}, "a q7", true, false},
		{"a queue beside a plain rule", []authtest.Option{allow("a", "a q1")}, "a q2", false, false},
		{"a queue by pattern", []authtest.Option{allow("a v1.*")}, "a v1.x", true, false},
		{"a queue beside the pattern", []authtest.Option{allow("a v1.*")}, "a v2.x", false, false},
		{"a queue that is denied", []authtest.Option{deny("a q1")}, "a q1", false, false},
		{"a queue that is not denied", []authtest.Option{deny("a q1")}, "a q2", true, false},
		{"no queue, one is denied", []authtest.Option{deny("a q1")}, "a", true, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.b3 {
				differs(t, "B3, a subscription must lie inside the allow rules")
			}
			c := enter(t, s, of(w.app.User(tt.name, tt.opts...)))
			c.send("SUB %s 1\r\n", tt.subject)
			if !tt.want {
				c.wantErr("Permissions Violation for Subscription to " + quoted(tt.subject))
			}
			c.sync()
			c.send("UNSUB 1\r\n")
			c.sync()
		})
	}
}

// quoted is how an error names a subject, and a queue group behind a space.
func quoted(subject string) string {
	var s, q string
	if n, _ := fmt.Sscan(subject, &s, &q); n == 2 {
		return fmt.Sprintf("%q using queue %q", s, q)
	}
	return fmt.Sprintf("%q", s)
}

// TestB3: a refused subscription is none: what it would have matched does not
// arrive, and what is inside the rules does.
func TestB3(t *testing.T) {
	differs(t, "B3, a subscription must lie inside the allow rules")
	w := newWorld(t)
	s := w.serve(t)
	c := enter(t, s, of(w.app.User("u", authtest.SubAllow("a.*"))))
	c.send("SUB a.> 1\r\n")
	c.wantErr(`Permissions Violation for Subscription to "a.>"`)
	c.send("SUB a.* 2\r\n")
	c.sync()
	peer := enter(t, s, w.admin())
	peer.pub("a.b.c", "", "not for you")
	peer.pub("a.b", "", "for you")
	peer.sync()
	c.wantMsg("a.b", "2", "", "for you")
	c.sync()
}

// TestDenyFiltersDelivery: a deny rule inside a wider subscription keeps its
// subjects from it (F063), for queue groups too: another member gets them.
func TestDenyFiltersDelivery(t *testing.T) {
	w := newWorld(t)
	s := w.serve(t)
	u := of(w.app.User("u", authtest.SubDeny("a.secret", "job.hard q")))
	c, peer := enter(t, s, u), enter(t, s, w.admin())
	c.send("SUB a.> 1\r\nSUB job.* q 2\r\nSUB job.* 3\r\n")
	c.sync()
	peer.pub("a.secret", "", "no")
	peer.pub("a.open", "", "yes")
	peer.pub("job.hard", "", "plain")
	peer.sync()
	c.wantMsg("a.open", "1", "", "yes")
	c.wantMsg("job.hard", "3", "", "plain")
	c.sync()
	peer.send("SUB job.* q 9\r\n")
	for range 20 {
		peer.pub("job.hard", "", "hi")
	}
	require.Len(t, peer.settle(), 2*20)
}

// TestResponses: who may only answer answers as often as it may, within the
// time it has, and to whoever asked (F064, F065, F066).
func TestResponses(t *testing.T) {
	w := newWorld(t)
	s := w.serve(t)
	const forever = -1
	t.Run("as often as it may", func(t *testing.T) {
		c, peer := enter(t, s, of(w.app.User("thrice", authtest.Responses(3, forever)))), enter(t, s, w.admin())
		c.send("SUB svc 1\r\n")
		c.pub("re.1", "", "nobody asked")
		c.wantErr(`Permissions Violation for Publish to "re.1"`)
		peer.send("SUB re.* 5\r\n")
		peer.pub("svc", "re.1", "?")
		peer.sync()
		c.wantMsg("svc", "1", "re.1", "?")
		for range 3 {
			c.pub("re.1", "", "!")
			c.sync()
			peer.wantMsg("re.1", "5", "", "!")
		}
		c.pub("re.1", "", "once more")
		c.wantErr(`Permissions Violation for Publish to "re.1"`)
		c.pub("re.2", "", "elsewhere")
		c.wantErr(`Permissions Violation for Publish to "re.2"`)
		peer.sync()
	})
	t.Run("once, when it is not said", func(t *testing.T) {
		c, peer := enter(t, s, of(w.app.User("once", authtest.Responses(0, 0)))), enter(t, s, w.admin())
		c.send("SUB svc 1\r\n")
		c.sync()
		peer.pub("svc", "re.1", "?")
		peer.sync()
		c.wantMsg("svc", "1", "re.1", "?")
		c.pub("re.1", "", "!")
		c.sync()
		c.pub("re.1", "", "!")
		c.wantErr(`Permissions Violation for Publish to "re.1"`)
	})
	t.Run("within its time", func(t *testing.T) {
		hasty := enter(t, s, of(w.app.User("hasty", authtest.Responses(forever, time.Millisecond))))
		calm := enter(t, s, of(w.app.User("calm", authtest.Responses(forever, forever))))
		for _, c := range []*raw{hasty, calm} {
			c.send("SUB svc 1\r\n")
			c.sync()
		}
		peer := enter(t, s, w.admin())
		peer.pub("svc", "re.1", "?")
		peer.sync()
		hasty.wantMsg("svc", "1", "re.1", "?")
		calm.wantMsg("svc", "1", "re.1", "?")
		waitFor(t, "the end of the time to answer", func() bool {
			hasty.pub("re.1", "", "!")
			return len(hasty.settle()) == 1
		})
		calm.pub("re.1", "", "!")
		calm.sync()
	})
	t.Run("whatever else it may publish", func(t *testing.T) {
		u := of(w.app.User("both", authtest.PubAllow("own.>"), authtest.Responses(1, forever)))
		c := enter(t, s, u)
		c.pub("own.x", "", "hi")
		c.sync()
		c.pub("x", "", "hi")
		c.wantErr(`Permissions Violation for Publish to "x"`)
	})
}

// TestReserved: subjects that brokers use among themselves are not for clients,
// neither to publish to nor to be answered at (F059).
func TestReserved(t *testing.T) {
	w := newWorld(t)
	s := w.serve(t)
	tests := []struct{ subject, reply, want string }{
		{"foo", "_INBOX.x", ""},
		{"foo", "_R_.x", `Permissions Violation for Publish with Reply of "_R_.x"`},
		{"foo", "_R_", ""},
		{"foo", "_GR_.x", `Permissions Violation for Publish with Reply of "_GR_.x"`},
		{"foo", "$JS.ACK.x", `Permissions Violation for Publish with Reply of "$JS.ACK.x"`},
		{"foo", "$JS.ACK.", ""},
		{"foo", "$JS.ACKS.x", ""},
		{"_GR_.x.y.z", "", `Permissions Violation for Publish to "_GR_.x.y.z"`},
		{"$NRG.x", "", `Permissions Violation for Publish to "$NRG.x"`},
		{"$NRG", "", ""},
		{"_R_.x", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.subject+" "+tt.reply, func(t *testing.T) {
			c := enter(t, s, w.admin())
			c.send("SUB > 1\r\n")
			c.pub(tt.subject, tt.reply, "hi")
			if tt.want != "" {
				c.wantErr(tt.want)
			} else {
				c.wantMsg(tt.subject, "1", tt.reply, "hi")
			}
			c.sync()
		})
	}
	sys := enter(t, s, of(w.sys.User("sys")))
	sys.pub("$NRG.x", "", "hi")
	sys.sync()
}

// TestMapping: permissions are about where a message goes (F058): an account
// that maps a subject has its users judged by the subject it is mapped to.
func TestMapping(t *testing.T) {
	w := newWorld(t, authtest.Edit(func(c *jwt.AccountClaims) {
		c.Mappings = jwt.Mapping{"old.*": {{Subject: "new.{{wildcard(1)}}"}}}
	}))
	s := w.serve(t)
	watch := enter(t, s, w.admin())
	watch.send("SUB > 1\r\n")
	watch.sync()

	c := enter(t, s, of(w.app.User("by the new name", authtest.PubAllow("new.a"))))
	c.pub("old.a", "", "hi")
	c.sync()
	watch.wantMsg("new.a", "1", "", "hi")

	c = enter(t, s, of(w.app.User("by the old name", authtest.PubAllow("old.a"))))
	c.pub("old.a", "", "hi")
	c.wantErr(`Permissions Violation for Publish to "new.a"`)
	watch.sync()
}

// TestScope: a user of a scoped signing key may do what its role says, with its
// own name in the place kept for it (F035), and is as limited (F053).
func TestScope(t *testing.T) {
	w := newWorld(t, authtest.Scope("sensor",
		authtest.PubAllow("sensors.{{name()}}.>"), authtest.SubAllow("cmd.{{tag(room)}}"), authtest.Limits(1, 16)))
	s := w.serve(t)
	c := enter(t, s, of(w.app.User("t1", authtest.SignedBy("sensor"), authtest.Tags("room:attic"))))
	c.pub("sensors.t1.temp", "", "21")
	c.send("SUB cmd.attic 1\r\n")
	c.sync()
	c.pub("sensors.t2.temp", "", "21")
	c.wantErr(`Permissions Violation for Publish to "sensors.t2.temp"`)
	c.send("SUB cmd.cellar 2\r\n")
	c.wantErr(`Permissions Violation for Subscription to "cmd.cellar"`)
	c.send("SUB cmd.attic 3\r\n")
	c.wantErr("maximum subscriptions exceeded")
	c.send("PUB sensors.t1.temp 17\r\n")
	c.wantRefused("Maximum Payload Violation")
}

// TestUserInfo: a client may ask who it is (F069), if it may publish the
// question.
func TestUserInfo(t *testing.T) {
	w := newWorld(t)
	s := w.serve(t)
	u := w.app.User("curious", authtest.PubAllow("$SYS.REQ.USER.INFO", "a.>"), authtest.SubDeny("b"))
	nc := dialNATS(t, s, of(u))
	m, err := nc.Request("$SYS.REQ.USER.INFO", nil, patience)
	require.NoError(t, err)
	var answer struct {
		Server struct{ ID string }
		Data   struct {
			User, Account string
			AccountName   string `json:"account_name"`
			UserName      string `json:"user_name"`
			Permissions   struct {
				Publish   struct{ Allow, Deny []string }
				Subscribe struct{ Allow, Deny []string }
			}
		}
	}
	require.NoError(t, json.Unmarshal(m.Data, &answer), "%s", m.Data)
	require.Equal(t, nc.ConnectedServerId(), answer.Server.ID)
	require.Equal(t, u.PublicKey(), answer.Data.User)
	require.Equal(t, w.app.PublicKey(), answer.Data.Account)
	require.Equal(t, "curious", answer.Data.UserName)
	require.Equal(t, "APP", answer.Data.AccountName)
	require.ElementsMatch(t, []string{"$SYS.REQ.USER.INFO", "a.>"}, answer.Data.Permissions.Publish.Allow)
	require.Equal(t, []string{"b"}, answer.Data.Permissions.Subscribe.Deny)

	c := enter(t, s, of(w.app.User("dumb", authtest.PubAllow("a.>"))))
	c.pub("$SYS.REQ.USER.INFO", "re.1", "")
	c.wantErr(`Permissions Violation for Publish to "$SYS.REQ.USER.INFO"`)
}

// TestViolationsInNATS: nats.go tells its user of permissions.
func TestViolationsInNATS(t *testing.T) {
	w := newWorld(t)
	s := w.serve(t)
	errs := make(chan error, 4)
	nc := dialNATS(t, s, of(w.app.User("u", authtest.PubAllow("a"), authtest.SubAllow("a"))),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { errs <- err }))
	require.NoError(t, nc.Publish("a", nil))
	require.NoError(t, nc.Publish("b", nil))
	wantViolation(t, errs, `Permissions Violation for Publish to "b"`)
	_, err := nc.SubscribeSync("b")
	require.NoError(t, err)
	wantViolation(t, errs, `Permissions Violation for Subscription to "b"`)
	require.NoError(t, nc.Flush())
	require.Empty(t, errs)
}

// wantViolation waits for what the ErrorHandler is told.
func wantViolation(t *testing.T, errs <-chan error, text string) {
	t.Helper()
	select {
	case err := <-errs:
		require.ErrorIs(t, err, nats.ErrPermissionViolation)
		require.ErrorContains(t, err, text)
	case <-time.After(patience):
		require.Fail(t, "no violation", text)
	}
}
