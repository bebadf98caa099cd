package world

import (
	"strings"
	"time"

	"github.com/nats-io/jwt/v2"
)

var (
	f034 = []string{"F034"}
	f035 = []string{"F035"}
	f036 = []string{"F036"}
	f037 = []string{"F037"}
	f038 = []string{"F038"}
	f039 = []string{"F039"}
	f040 = []string{"F040"}
	f052 = []string{"F052"}
)

// roled has a scoped key sign the user, and then sets a grant of the user's own.
func roled(grant func(*jwt.UserClaims)) func(*draft) {
	return func(d *draft) {
		d.issueBy(d.account.Role())
		grant(d.user)
	}
}

// scopeWays are users of a scoped key with grants of their own, and without.
var scopeWays = []way{
	{"nothing of its own", f034, roled(func(*jwt.UserClaims) {})},
	{"template with permissions", f034, func(d *draft) {
		d.issueBy(d.account.Role(func(s *jwt.UserScope) { s.Template.Pub.Allow.Add("probe.echo", "$SYS.REQ.USER.INFO") }))
	}},
	{"template with limits", []string{"F034", "F053"}, func(d *draft) {
		d.issueBy(d.account.Role(func(s *jwt.UserScope) { s.Template.Payload, s.Template.Subs = 64, 3 }))
	}},
	{"template with source", []string{"F034", "F046"}, func(d *draft) {
		d.issueBy(d.account.Role(func(s *jwt.UserScope) { s.Template.Src.Add("10.0.0.0/8") }))
	}},
	{"template with hours", []string{"F034", "F047"}, func(d *draft) {
		d.issueBy(d.account.Role(func(s *jwt.UserScope) { s.Template.Times = hours(d, "UTC", time.Hour, 2*time.Hour) }))
	}},
	{"template with type", []string{"F034", "F043"}, func(d *draft) {
		d.issueBy(d.account.Role(func(s *jwt.UserScope) { s.Template.AllowedConnectionTypes.Add("MQTT") }))
	}},
	{"usual limits", f034, roled(func(c *jwt.UserClaims) { c.SetScoped(false) })},
	{"payload", f034, roled(func(c *jwt.UserClaims) { c.NatsLimits.Payload = 100 })},
	{"bearer", f034, roled(func(c *jwt.UserClaims) { c.BearerToken = true })},
	{"proxy required", f034, roled(func(c *jwt.UserClaims) { c.ProxyRequired = true })},
	{"source", f034, roled(func(c *jwt.UserClaims) { c.Src.Add("127.0.0.0/8") })},
	{"zone", f034, roled(func(c *jwt.UserClaims) { c.Locale = "UTC" })},
	{"type", f034, roled(func(c *jwt.UserClaims) { c.AllowedConnectionTypes.Add("STANDARD") })},
	{"publish", f034, roled(func(c *jwt.UserClaims) { c.Pub.Allow.Add(">") })},
	{"responses", f034, roled(func(c *jwt.UserClaims) { c.Resp = &jwt.ResponsePermission{MaxMsgs: 1} })},
	{"empty lists", f034, func(d *draft) {
		roled(func(*jwt.UserClaims) {})(d)
		d.change(func(m map[string]any) { field(m, "nats")["pub"] = map[string]any{"allow": []string{}} })
	}},
}

// values puts tags into the tokens and notes every value that the template takes.
func (d *draft) values(user, account []string) {
	d.user.Tags, d.account.Claims.Tags = user, account
	for _, t := range append(user, account...) {
		if _, v, ok := strings.Cut(t, ":"); ok {
			d.facts.TemplateValues = append(d.facts.TemplateValues, v)
		}
	}
}

// open are entries that let a client of a template probe and ask who it is.
var open = []string{"probe.>", "$SYS.REQ.USER.INFO", "conformance.>"}

// shaped has a scope with permissions sign the user.
func shaped(p jwt.Permissions, user ...string) func(*draft) {
	return func(d *draft) {
		d.issueBy(d.account.Role(func(s *jwt.UserScope) { s.Template.Permissions = p }))
		d.values(user, []string{"region:eu", "region:us", "one:1"})
	}
}

func publish(allow ...string) jwt.Permissions {
	return jwt.Permissions{Pub: jwt.Permission{Allow: append(allow, open...)}}
}

func only(allow ...string) jwt.Permissions { return jwt.Permissions{Pub: jwt.Permission{Allow: allow}} }

func denied(deny ...string) jwt.Permissions { return jwt.Permissions{Pub: jwt.Permission{Deny: deny}} }

// named gives the user a name, which its template takes.
func named(name string, p jwt.Permissions) func(*draft) {
	return func(d *draft) {
		shaped(p)(d)
		d.user.Name = name
		d.facts.TemplateValues = append(d.facts.TemplateValues, name)
	}
}

// templateWays are templates and what fills them.
var templateWays = []way{
	{"name", f035, named("joe", publish("a.{{name()}}.b"))},
	{"in a token", f035, named("joe", publish("KV_{{name()}}.>"))},
	{"upper case", f035, named("joe", publish("a.{{NAME()}}"))},
	{"spaces around", f035, named("joe", publish("a.{{  name()  }}"))},
	{"spaces within", f035, named("joe", publish("a.{{name( )}}"))},
	{"subject", f035, shaped(publish("a.{{subject()}}"))},
	{"account name", f035, shaped(publish("a.{{account-name()}}"))},
	{"account subject", f035, shaped(publish("a.{{account-subject()}}"))},
	{"account tag", f035, shaped(publish("a.{{account-tag(region)}}"))},
	{"unknown function", f035, shaped(publish("a.{{nobody()}}"))},
	{"unknown function to deny", f035, shaped(denied("a.{{nobody()}}"))},
	{"empty braces", f035, shaped(publish("a.{{}}"))},
	{"open braces", f035, shaped(publish("a.{{name()"))},
	{"subscribe", f035, named("joe", jwt.Permissions{Sub: jwt.Permission{Allow: append([]string{"a.{{name()}}"}, open...)}})},
	{"limits stay", []string{"F035", "F053"}, func(d *draft) {
		d.issueBy(d.account.Role(func(s *jwt.UserScope) { s.Template.Subs = 2; s.Template.Permissions = publish("a.{{subject()}}") }))
	}},
	{"values", f036, shaped(publish("a.{{tag(t)}}"), "t:x", "t:y")},
	{"product", f036, shaped(publish("a.{{tag(t)}}.{{tag(u)}}.{{account-tag(region)}}"), "t:x", "t:y", "u:1", "u:2")},
	{"same twice", f036, shaped(publish("{{tag(t)}}.{{tag(t)}}"), "t:x", "t:y")},
	{"colon in the value", f036, shaped(publish("a.{{tag(t)}}"), "t:x:y")},
	{"two parts", f036, shaped(publish("a.{{tag(k:v)}}"), "k:v:w")},
	{"upper case argument", f036, shaped(publish("a.{{tag(T)}}"), "t:x")},
	{"upper case tag", f036, shaped(publish("a.{{tag(t)}}"), "T:x")},
	{"missing tag", f037, shaped(publish("a.{{tag(t)}}"))},
	{"missing tag to deny", f037, shaped(denied("a.{{tag(t)}}"))},
	{"missing tag, then good", f037, shaped(publish("a.{{tag(t)}}", "b.{{tag(u)}}"), "u:1")},
	{"missing account tag", f037, shaped(publish("a.{{account-tag(none)}}"))},
	{"missing account tag to deny", f037, shaped(denied("a.{{account-tag(none)}}"))},
	{"half missing", f037, shaped(publish("a.{{tag(t)}}.{{tag(u)}}"), "u:1")},
	{"nothing left", f038, shaped(only("a.{{tag(t)}}"))},
	{"nothing left, deny there", f038, shaped(jwt.Permissions{Pub: jwt.Permission{Allow: []string{"a.{{tag(t)}}"}, Deny: []string{"x"}}})},
	{"nothing left to subscribe", f038, shaped(jwt.Permissions{Sub: jwt.Permission{Allow: []string{"a.{{tag(t)}}"}}})},
	{"4096", f039, multiplied(64, 64)},
	{"4097", f039, multiplied(17, 241)},
	{"4097 to deny", f039, func(d *draft) { multiplied(17, 241)(d); d.unshape() }},
	{"plain user", f040, func(d *draft) { d.user.Pub.Allow.Add("a.{{name()}}"); d.user.Pub.Allow.Add(open...) }},
	{"plain user to deny", f040, func(d *draft) { d.user.Pub.Deny.Add("probe.{{name()}}") }},
	{"value star", f035, shaped(publish("a.{{tag(t)}}"), "t:*")},
	{"value rest", f035, shaped(publish("a.{{tag(t)}}"), "t:>")},
	{"value dotted", f035, shaped(publish("a.{{tag(t)}}"), "t:x.y")},
	{"value dot at the end", f035, shaped(publish("a.{{tag(t)}}"), "t:x.")},
	{"value space", f035, shaped(publish("a.{{tag(t)}}"), "t:x y")},
	{"value space to deny", f035, shaped(denied("a.{{tag(t)}}"), "t:x y")},
	{"value with a star", f035, shaped(publish("a.{{tag(t)}}"), "t:x*")},
	{"name dotted", f035, named("joe@example.com", publish("a.{{name()}}"))},
	{"name wild", f035, named("x.>", publish("a.{{name()}}"))},
}

// multiplied makes a template of m times n entries.
func multiplied(m, n int) func(*draft) {
	return func(d *draft) {
		var tags []string
		for i := range m {
			tags = append(tags, "m:"+itoa(i))
		}
		for i := range n {
			tags = append(tags, "n:"+itoa(i))
		}
		shaped(only("a.{{tag(m)}}.{{tag(n)}}"), tags...)(d)
		d.facts.TemplateValues = nil
	}
}

// unshape turns the allow list of the scope into a deny list.
func (d *draft) unshape() {
	s, _ := d.account.Claims.SigningKeys.GetScope(d.by.Public)
	scope := s.(*jwt.UserScope)
	scope.Template.Pub.Allow, scope.Template.Pub.Deny = nil, scope.Template.Pub.Allow
}

// defaultWays are accounts with default permissions, and users with their own.
var defaultWays = []way{
	{"used", f052, defaults(publish("a.>"), func(*draft) {})},
	{"used to subscribe", f052, defaults(jwt.Permissions{Sub: jwt.Permission{Allow: []string{"probe.queue", "conformance.>"}}}, nothing)},
	{"denying", f052, defaults(denied("probe.echo"), nothing)},
	{"responses", f052, defaults(jwt.Permissions{Resp: &jwt.ResponsePermission{MaxMsgs: 1}}, nothing)},
	{"own to publish", f052, defaults(denied("probe.>"), func(d *draft) { d.user.Pub.Allow.Add(open...) })},
	{"own to subscribe", f052, defaults(denied("probe.>"), func(d *draft) { d.user.Sub.Deny.Add("x") })},
	{"own responses", f052, defaults(denied("probe.>"), func(d *draft) { d.user.Resp = &jwt.ResponsePermission{} })},
	{"scope without", f052, defaults(denied("probe.>"), func(d *draft) { d.issueBy(d.account.Role()) })},
	{"scope with", f052, defaults(denied("probe.>"), func(d *draft) {
		d.issueBy(d.account.Role(func(s *jwt.UserScope) { s.Template.Pub.Deny.Add("x") }))
	})},
	{"invalid", f052, defaults(denied("a..b"), nothing)},
}

func defaults(p jwt.Permissions, then func(*draft)) func(*draft) {
	return func(d *draft) {
		d.account.Claims.DefaultPermissions = p
		then(d)
	}
}
