package world

import (
	"strings"
	"time"

	"github.com/nats-io/jwt/v2"

	"github.com/natsauth/natsauth/bench/conformance/internal/peer"
)

var (
	f049 = []string{"F049"}
	f053 = []string{"F053"}
	f054 = []string{"F054", "F053"}
)

// limitWays are limits of user, account and scope, and clients that meet them.
var limitWays = []way{
	{"user payload", f054, measured(func(d *draft) { d.user.NatsLimits.Payload = 50 })},
	{"user payload zero", f054, measured(func(d *draft) { d.user.NatsLimits.Payload = 0 })},
	{"user subs", f054, measured(func(d *draft) { d.user.Subs = 2 })},
	{"user subs zero", f054, doomed(func(d *draft) { d.user.Subs = 0 })},
	{"account payload", f054, measured(func(d *draft) { d.account.Claims.Limits.Payload = 60 })},
	{"account subs", f054, measured(func(d *draft) { d.account.Claims.Limits.Subs = 1 })},
	{"account zero", f054, doomed(func(d *draft) { d.account.Claims.Limits.Payload, d.account.Claims.Limits.Subs = 0, 0 })},
	{"both", f054, measured(func(d *draft) {
		d.user.NatsLimits.Payload, d.user.Subs, d.account.Claims.Limits.Payload, d.account.Claims.Limits.Subs = 80, 3, 40, 2
	})},
	{"user absent", f054, doomed(func(d *draft) {
		d.change(func(m map[string]any) {
			delete(field(m, "nats"), "subs")
			delete(field(m, "nats"), "payload")
		})
	})},
	{"scope", f054, measured(func(d *draft) {
		d.issueBy(d.account.Role(func(s *jwt.UserScope) { s.Template.Payload, s.Template.Subs = 50, 2 }))
	})},
	{"scope zero", f054, measured(func(d *draft) {
		d.issueBy(d.account.Role(func(s *jwt.UserScope) { s.Template.Payload, s.Template.Subs = 0, 0 }))
	})},
	{"negative", f053, doomed(func(d *draft) { d.user.NatsLimits.Payload, d.user.Subs = -7, -7 })},
	{"beyond int32", f053, measured(func(d *draft) { d.user.NatsLimits.Payload, d.user.Subs = 1<<33, 1<<33 })},
	{"none", f053, measured(nothing)},
}

// measured sets limits and has the client measure them: subscriptions one after
// the other, then ever larger payloads.
func measured(set func(*draft)) func(*draft) {
	return func(d *draft) {
		set(d)
		d.script = measure
	}
}

func measure(t *peer.Talk, s *said) error {
	c, err := s.dial(t)
	if err != nil {
		return err
	}
	if in, err := s.login(t, c); err != nil || !in {
		return err
	}
	for i := range 5 {
		if err := c.Send("SUB limit." + itoa(i) + " " + itoa(i) + "\r\n"); err != nil || !t.Flush("sub", c) {
			return err
		}
	}
	for _, n := range []int{0, 1, 39, 40, 41, 49, 50, 51, 60, 61, 80, 499, 1024, 1 << 20, 1<<20 + 1} {
		if err := c.Send(pub("limit.size", n)); err != nil || !t.Flush("pub "+itoa(n), c) {
			return err
		}
	}
	return nil
}

// doomed sets limits that not even a client without a subscription keeps: it is
// admitted, told, and closed (nats-server v2.15 server/client.go
// applyAccountLimits).
func doomed(set func(*draft)) func(*draft) {
	return func(d *draft) {
		set(d)
		d.script = linger
	}
}

// linger connects and waits for the end.
func linger(t *peer.Talk, s *said) error {
	c, err := s.dial(t)
	if err != nil {
		return err
	}
	o, err := s.connectOptions(c)
	if err != nil {
		return err
	}
	if err := c.Connect(o); err != nil {
		return err
	}
	c.Patience(3 * time.Second)
	t.Note("login", c.Rest(), false)
	return nil
}

// connectionWays are accounts that admit so many connections.
var connectionWays = []way{
	{"none", f049, crowd(0)},
	{"one", f049, crowd(1)},
	{"two", f049, crowd(2)},
	{"any", f049, crowd(-1)},
	{"negative", f049, crowd(-2)},
}

// crowd limits the connections of an account, and has three clients connect; then
// the first leaves, and a fourth comes.
func crowd(limit int64) func(*draft) {
	return func(d *draft) {
		d.account.Claims.Limits.Conn = limit
		d.script = func(t *peer.Talk, s *said) error {
			for range 3 {
				c, err := s.dial(t)
				if err != nil {
					return err
				}
				if _, err := s.login(t, c); err != nil {
					return err
				}
			}
			return nil
		}
	}
}

func option(key string, value any) func(*draft) {
	return func(d *draft) {
		d.options = append(d.options, func(_ *peer.Client, o map[string]any) { o[key] = value })
	}
}

// styled gives the client a name of its own choice.
func styled(key, value string) func(*draft) {
	return func(d *draft) {
		option(key, value)(d)
		d.facts.Styled = true
	}
}

// optionWays are what else may stand in CONNECT.
var optionWays = []way{
	{"account", []string{"F026"}, option("account", "ACC")},
	{"new account", []string{"F026"}, option("new_account", true)},
	{"account empty", []string{"F026"}, option("account", "")},
	{"verbose", f020, option("verbose", true)},
	{"pedantic", f020, option("pedantic", true)},
	{"no echo", f020, option("echo", false)},
	{"no headers", f020, option("headers", false)},
	{"no responders without headers", f020, func(d *draft) { option("headers", false)(d); option("no_responders", true)(d) }},
	{"protocol zero", f020, option("protocol", 0)},
	{"user and password", f020, func(d *draft) { styled("user", "joe")(d); option("pass", "secret")(d) }},
	{"auth token", f020, styled("auth_token", "secret")},
	{"nkey", f020, styled("nkey", "UABC")},
	{"unknown option", f020, option("colour", "green")},
	{"verbose and refused", []string{"F024"}, func(d *draft) { option("verbose", true)(d); d.signed = false }},
	{"wrong kind of option", []string{"F024"}, option("verbose", "yes")},
	{"number for a token", []string{"F024"}, option("jwt", 5)},
	{"token in upper case", f020, func(d *draft) {
		d.options = append(d.options, func(_ *peer.Client, o map[string]any) {
			o["JWT"] = o["jwt"]
			delete(o, "jwt")
		})
	}},
}

// earlyWays are clients that begin otherwise than with CONNECT, or with a CONNECT
// that cannot be read.
var earlyWays = []way{
	{"ping", f023, early("PING\r\n")},
	{"publish", f023, early("PUB a 1\r\nx\r\n")},
	{"subscribe", f023, early("SUB a 1\r\n")},
	{"info", f023, early("INFO {}\r\n")},
	{"garbage", f023, early("HELLO\r\n")},
	{"empty line", f023, early("\r\n")},
	{"no JSON", []string{"F024"}, early("CONNECT hello\r\n")},
	{"no argument", []string{"F024"}, early("CONNECT \r\n")},
	{"half of it", []string{"F024"}, early("CONNECT {\"jwt\":\r\n")},
	{"a list", []string{"F024"}, early("CONNECT []\r\n")},
	{"null", []string{"F024"}, early("CONNECT null\r\n")},
	{"lower case", f020, lowerConnect},
	{"too long", []string{"F024"}, early("CONNECT {\"name\":\"" + strings.Repeat("x", 2<<20) + "\"}\r\n")},
}

// early has the client send something ahead, and stop there if that ends it.
func early(text string) func(*draft) { return func(d *draft) { d.before = text } }

func lowerConnect(d *draft) {
	d.script = func(t *peer.Talk, s *said) error {
		c, err := s.dial(t)
		if err != nil {
			return err
		}
		o, err := s.connectOptions(c)
		if err != nil {
			return err
		}
		if err := c.Send("connect\t" + string(must(jsonText(o))) + "\r\n"); err != nil || !t.Admitted(c) {
			return err
		}
		return probe(t, c)
	}
}

// againWays are clients that send CONNECT twice.
var againWays = []way{
	{"same token", f025, again(func(d *draft) peer.User { return peer.User{} }, true)},
	{"another user of the account", f025, again((*draft).sister, false)},
	{"a user of another account", f025, again((*draft).stranger, false)},
	{"refused", []string{"F025", "F024"}, again(func(d *draft) peer.User {
		u := d.stranger()
		u.Seed = d.key.Seed()
		return u
	}, false)},
	{"garbage", f025, again(func(*draft) peer.User { return peer.User{JWT: "garbage"} }, false)},
	{"same user, renewed", f025, again((*draft).renewed, true)},
	{"same user, expired", f025, again(func(d *draft) peer.User {
		d.user.Expires = d.Now.Add(-time.Hour).Unix()
		u := d.renewed()
		d.user.Expires = 0
		return u
	}, true)},
	{"same user, worse signature", f025, again(func(d *draft) peer.User {
		return peer.User{JWT: "same", Seed: d.NewKey(userKind).Seed()}
	}, true)},
}

// renewed is the client's user with a newer token.
func (d *draft) renewed() peer.User {
	issued := d.issued
	d.issued = d.Now
	token := d.mint()
	d.issued = issued
	d.tokens = append(d.tokens, token)
	return peer.User{JWT: token, Seed: d.key.Seed()}
}

// again connects, subscribes, connects as the next user, and looks what is left.
// The zero next is the same user.
func again(next func(*draft) peer.User, renews bool) func(*draft) {
	return func(d *draft) {
		d.facts.Again = renews
		n := next(d)
		d.script = func(t *peer.Talk, s *said) error { return twice(t, s, n) }
	}
}

func twice(t *peer.Talk, s *said, next peer.User) error {
	c, err := s.dial(t)
	if err != nil {
		return err
	}
	if in, err := s.login(t, c); err != nil || !in {
		return err
	}
	if err := c.Send("SUB probe.echo 1\r\n"); err != nil || !t.Flush("sub", c) {
		return err
	}
	switch next.JWT {
	case "":
		next = s.user
	case "same":
		next.JWT = s.user.JWT
	}
	if in, err := t.Login(c, next); err != nil || !in {
		return err
	}
	if err := c.Send(pub("probe.echo", 4)); err != nil || !t.Flush("kept", c) {
		return err
	}
	return probe(t, c)
}

// permissionWays are users with permissions of their own.
var permissionWays = []way{
	{"allow", []string{"F056"}, func(d *draft) { d.user.Pub.Allow.Add("probe.echo", "$SYS.REQ.USER.INFO") }},
	{"deny", []string{"F056"}, func(d *draft) { d.user.Pub.Deny.Add("probe.*") }},
	{"no user info", []string{"F069"}, func(d *draft) { d.user.Pub.Deny.Add("$SYS.>") }},
	{"user info", []string{"F069"}, func(d *draft) { d.user.Pub.Allow.Add("$SYS.REQ.USER.INFO"); d.user.Sub.Allow.Add("conformance.>") }},
	{"user info of all", []string{"F069"}, func(d *draft) {
		d.user.Pub = jwt.Permission{Allow: jwt.StringList{">"}, Deny: jwt.StringList{"x", "y.>"}}
		d.user.Sub = jwt.Permission{Allow: jwt.StringList{"z.>", "probe.queue workers", "conformance.>"}, Deny: jwt.StringList{"z.x"}}
		d.user.Resp = &jwt.ResponsePermission{MaxMsgs: 3, Expires: 5e9}
	}},
	{"subscribe allow", []string{"F061"}, func(d *draft) { d.user.Sub.Allow.Add("probe.queue", "conformance.>") }},
	{"subscribe deny", []string{"F061"}, func(d *draft) { d.user.Sub.Deny.Add("probe.echo") }},
	{"queue", []string{"F062"}, func(d *draft) { d.user.Sub.Allow.Add("probe.queue other", "conformance.>") }},
	{"queue denied", []string{"F062"}, func(d *draft) { d.user.Sub.Deny.Add("probe.queue workers") }},
	{"responses", []string{"F064"}, func(d *draft) { d.user.Resp = &jwt.ResponsePermission{MaxMsgs: -1, Expires: -1} }},
}
