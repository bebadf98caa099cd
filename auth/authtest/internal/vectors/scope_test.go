package vectors_test

import (
	"github.com/nats-io/jwt/v2"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/auth/authtest"
)

// tagged is a user of a scope whose template may publish what the entries give.
func tagged(entries []string, opts ...authtest.Option) client {
	return scoped(authtest.PubAllow(entries...)).userOf(opts...)
}

func entries(e ...string) []string { return e }

// scopeRows are about what a scope grants.
func scopeRows() []row {
	return []row{
		admits("scope_permissions", "F034 B1", "the scope grants, not the token",
			scoped(authtest.PubAllow("orders.>"), authtest.SubAllow("_INBOX.>"), authtest.Limits(10, 1024)),
			from("scope"), limits(10, 1024), publishes("orders.new"), publishesNot("payroll"), subscribes("_INBOX.x"), subscribesNot("orders.>")),
		admits("scope_empty", "F034 F052", "a scope without permissions: the account's defaults",
			scoped().accountOf(authtest.DefaultPermissions(authtest.PubAllow("news"))),
			from("account defaults"), publishes("news"), publishesNot("orders.new")),
	}
}

// conflictRows are about users of a scope that bring a grant of their own.
func conflictRows() []row {
	var out []row
	for _, c := range []struct {
		file, title string
		own         authtest.Option
	}{
		{"publish", "permissions to publish", authtest.PubAllow("payroll")},
		{"publish_deny", "a deny list", authtest.PubDeny("payroll")},
		{"subscribe", "permissions to subscribe", authtest.SubAllow("payroll")},
		{"responses", "permissions to respond", nats("resp", map[string]any{"max": 1})},
		{"subscriptions", "a limit of subscriptions", authtest.Limits(10, 0)},
		{"payload", "a limit of payload", authtest.Limits(0, -1)},
		{"data", "a limit of data", authtest.Edit(func(c *jwt.UserClaims) { c.Limits.Data = -1 })},
		{"sources", "addresses", authtest.Sources("127.0.0.0/8")},
		{"times", "hours", authtest.Times("08:00:00", "17:00:00")},
		{"locale", "a time zone", authtest.Locale("Europe/Berlin")},
		{"types", "connection types", authtest.ConnectionTypes("STANDARD")},
		{"bearer", "the bearer's mark", authtest.Bearer()},
		{"proxy", "the wish for a proxy", nats("proxy_required", true)},
		{"empty_sources", "a list of addresses that is written out and empty", nats("src", []string{})},
		{"empty_times", "a list of hours that is written out and empty", nats("times", []string{})},
		{"empty_types", "a list of connection types that is written out and empty", nats("allowed_connection_types", []string{})},
		{"empty_publish", "a list of subjects that is written out and empty", nats("pub", map[string]any{"allow": []string{}})},
	} {
		out = append(out, refuses("scope_conflict_"+c.file, "F034", "a user of a scope brings "+c.title, "scope_signed",
			scoped().userOf(c.own), auth.ScopeConflict, auth.StepScope))
	}
	return out
}

// templateRows are about templates.
func templateRows() []row {
	team := entries("t.{{tag(team)}}.>")
	named := entries("u.{{name()}}")
	value := func(file, title, name string) row {
		return refuses("template_value_"+file, "B2 F035", title, "template_name", tagged(named, authtest.Name(name)),
			auth.ScopeValue, auth.StepScope)
	}
	denied := func(opts ...authtest.Option) client {
		return scoped(authtest.PubDeny("t.{{tag(team)}}.>")).userOf(opts...)
	}
	three := func(bound int) client {
		return tagged(team, authtest.Tags("team:a", "team:b", "team:c")).with(func(s *scene) { s.Expansions = bound })
	}
	dotted := func(name string) client {
		return tagged(named, authtest.Name(name)).with(func(s *scene) { s.AllowDotted = true })
	}
	of := func(c client, list ...string) client {
		return c.accountOf(authtest.Edit(func(c *jwt.AccountClaims) {
			for _, s := range c.SigningKeys {
				s.(*jwt.UserScope).Template.Pub.Allow = list
			}
		}))
	}
	return []row{
		admits("template_name", "F035", "the name fills one token", tagged(named), publishes("u.u"), publishesNot("u.v", "u.{{name()}}")),
		admits("template_functions", "F035", "names, keys and tags of user and account",
			tagged(entries("n.{{name()}}.{{account-name()}}", "s.{{subject()}}.{{account-subject()}}", "KV_{{Tag(b)}}.{{account-tag(r)}}"),
				authtest.Tags("b:blue")).accountOf(authtest.Tags("r:eu")),
			publishes("n.u.A", "KV_blue.eu", "s."+userKey("O/A/u")+"."+accountKey("O/A")), publishesNot("n.A.u", "KV_eu.blue")),
		admits("template_tags", "F036", "every combination of values",
			tagged(entries("{{tag(x)}}.{{tag(y)}}"), authtest.Tags("x:1", "x:2", "y:3", "y:4")),
			publishes("1.3", "1.4", "2.3", "2.4"), publishesNot("3.1", "1.1")),
		admits("template_tag_missing_allow", "F037", "an allow entry without its tag is left out",
			tagged(entries("t.{{tag(team)}}", "orders.>")), publishes("orders.new"), publishesNot("t.a", "t.")),
		admits("template_nothing_left", "F038", "an allow list without an entry left allows nothing",
			tagged(team), publishesNot("t.a.x", "orders.new")),
		admits("template_not_in_token", "F040", "a token of its own has no templates",
			plain.userOf(authtest.PubAllow("u.{{name()}}", "orders.>")), publishes("orders.new", "u.{{name()}}"), publishesNot("u.u")),

		admits("template_deny", "F037", "a deny entry with its tag", denied(authtest.Tags("team:a")),
			publishes("t.b.x"), publishesNot("t.a.x")),
		refuses("template_deny_missing", "F037", "a deny entry without its tag: leaving it out would allow more", "template_deny",
			denied(), auth.ScopeTemplate, auth.StepScope),
		refuses("template_function_unknown", "F035", "a function that is none", "template_name",
			of(tagged(named), "u.{{secret()}}"), auth.ScopeTemplate, auth.StepScope),
		admits("template_expansions_before", "F039 B18", "one entry fewer than allowed", three(4), publishes("t.c.x")),
		admits("template_expansions_at", "F039 B18", "as many entries as allowed", three(3), publishes("t.c.x")),
		refuses("template_expansions_over", "F039 B18", "one entry more than allowed", "template_expansions_at",
			three(2), auth.ScopeTemplate, auth.StepScope),
		refuses("template_unreadable", "F034 line-breaks", "a template with a line break", "template_name",
			of(tagged(named), "u.{{name()}}\nx"), auth.ScopeTemplate, auth.StepScope),

		value("star", "a name that is a wildcard", "*"),
		value("rest", "a name that is the other wildcard", ">"),
		value("two_tokens", "a name of two tokens", "u.v"),
		value("e_mail", "a name that is an e-mail address", "u@example.com"),
		value("space", "a name with a space", "u v"),
		value("inner_star", "a name with a star inside", "u*"),
		admits("template_tag_value", "B2", "a tag's value fills one token", tagged(team, authtest.Tags("team:a")), publishes("t.a.x")),
		refuses("template_tag_star", "B2", "a tag's value that is a wildcard", "template_tag_value",
			tagged(team, authtest.Tags("team:*")), auth.ScopeValue, auth.StepScope),
		refuses("template_account_tag_star", "B2", "an account's tag that is a wildcard", "template_account_tag",
			tagged(entries("t.{{account-tag(team)}}.>")).accountOf(authtest.Tags("team:*")), auth.ScopeValue, auth.StepScope),
		admits("template_account_tag", "B2", "an account's tag fills one token",
			tagged(entries("t.{{account-tag(team)}}.>")).accountOf(authtest.Tags("team:a")), publishes("t.a.x")),
		admits("template_dotted", "B2", "a name of several tokens, where that is wanted", dotted("u@example.com"),
			publishes("u.u@example.com"), publishesNot("u.u@example")),
		refuses("template_dotted_not", "B2", "a name of several tokens, where that is not wanted", "template_dotted",
			tagged(named, authtest.Name("u@example.com")), auth.ScopeValue, auth.StepScope),
		refuses("template_dotted_star", "B2", "several tokens are wanted, wildcards are not", "template_dotted",
			dotted("u.*"), auth.ScopeValue, auth.StepScope),
	}
}
