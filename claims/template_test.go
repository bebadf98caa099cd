package claims_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/claims"
)

var (
	ann = &claims.User{Header: claims.Header{
		Name: "ann", Key: "UANN",
		Tags: []string{"team:red", "team:blue", "city:bonn", "Upper:x", "k:v:w", "empty:", ":nameless", "star:*", "mail:a@b.c", "team", "teams:green", "nl:a\nb"},
	}}
	acme = &claims.Account{Header: claims.Header{Name: "acme", Key: "AACME", Tags: []string{"env:prod", "env:dev", "city:koeln"}}}
)

func template(p claims.Permissions) claims.Template {
	return claims.Template{Grant: claims.Grant{Permissions: p}}
}

// The rows follow behaviour 3.33-3.42. Each is tried in an allow list and in a deny list, for publishing and for
// subscribing: what an allow list leaves out, a deny list refuses the user for.
func TestExpand(t *testing.T) {
	for _, row := range []struct {
		name    string
		entries []string
		allow   []string               // what an allow list becomes
		deny    claims.TemplateProblem // what a deny list ends with; 0: it becomes the same
		both    claims.TemplateProblem // what either list ends with
	}{
		{name: "no list", entries: nil, allow: nil},
		{name: "no placeholder: as it is", entries: []string{"a", "b.>"}, allow: []string{"a", "b.>"}},
		{name: "no placeholder: not even looked at", entries: []string{"a..b", " ", ""}, allow: []string{"a..b", " ", ""}},
		{name: "a placeholder in one entry has every entry looked at", entries: []string{"a..b", "{{name()}}", "c"}, allow: []string{"ann", "c"}, deny: claims.TemplateSubject},

		{name: "empty braces are text", entries: []string{"{{}}", "{{name()}}"}, allow: []string{"{{}}", "ann"}},
		{name: "braces that do not end are text", entries: []string{"{{name()", "{{name()}", "{{name()}}"}, allow: []string{"{{name()", "{{name()}", "ann"}},
		{name: "single braces are text", entries: []string{"{name()}.{{name()}}"}, allow: []string{"{name()}.ann"}},
		{name: "white space around the function", entries: []string{"{{  name()\t}}"}, allow: []string{"ann"}},
		{name: "white space inside the function", entries: []string{"{{name( )}}"}, both: claims.TemplateFunction},
		{name: "three braces", entries: []string{"{{{name()}}}"}, both: claims.TemplateFunction},

		{name: "the user", entries: []string{"{{name()}}.{{subject()}}"}, allow: []string{"ann.UANN"}},
		{name: "the account", entries: []string{"{{account-name()}}.{{account-subject()}}"}, allow: []string{"acme.AACME"}},
		{name: "names of functions in any case", entries: []string{"{{NAME()}}.{{Account-Subject()}}"}, allow: []string{"ann.AACME"}},
		{name: "inside a token", entries: []string{"$KV.KV_{{tag(city)}}_x.>"}, allow: []string{"$KV.KV_bonn_x.>"}},
		{name: "unknown function", entries: []string{"{{user()}}"}, both: claims.TemplateFunction},
		{name: "no function", entries: []string{"{{name}}"}, both: claims.TemplateFunction},
		{name: "function with something inside", entries: []string{"{{name(x)}}"}, both: claims.TemplateFunction},
		{name: "function that does not end", entries: []string{"{{tag(team}}"}, both: claims.TemplateFunction},
		{name: "function with something behind", entries: []string{"{{name()x}}"}, both: claims.TemplateFunction},
		{name: "parentheses only", entries: []string{"{{()}}"}, both: claims.TemplateFunction},
		{name: "one parenthesis", entries: []string{"{{)}}"}, both: claims.TemplateFunction},
		{name: "unknown function behind a tag that is missing", entries: []string{"{{tag(none)}}.{{user()}}"}, both: claims.TemplateFunction},

		{name: "a tag", entries: []string{"a.{{tag(city)}}"}, allow: []string{"a.bonn"}},
		{name: "a tag of the account", entries: []string{"a.{{account-tag(city)}}"}, allow: []string{"a.koeln"}},
		{name: "argument in capitals", entries: []string{"{{tag(CITY)}}"}, allow: []string{"bonn"}},
		{name: "function in capitals", entries: []string{"{{TAG(city)}}.{{ACCOUNT-tag(CITY)}}"}, allow: []string{"bonn.koeln"}},
		{name: "tag in capitals is another tag", entries: []string{"a.{{tag(Upper)}}", "b"}, allow: []string{"b"}, deny: claims.TemplateMissing},
		{name: "white space belongs to the argument", entries: []string{"a.{{tag( city)}}", "b"}, allow: []string{"b"}, deny: claims.TemplateMissing},
		{name: "value with a colon", entries: []string{"{{tag(k)}}"}, allow: []string{"v:w"}},
		{name: "argument with a colon", entries: []string{"{{tag(k:v)}}"}, allow: []string{"w"}},
		{name: "empty argument", entries: []string{"{{tag()}}"}, allow: []string{"nameless"}},
		{name: "tag without a colon, and one that only begins alike, are others", entries: []string{"{{tag(team)}}"}, allow: []string{"red", "blue"}},

		{name: "several values", entries: []string{"{{tag(team)}}.x"}, allow: []string{"red.x", "blue.x"}},
		{name: "several tags: the last varies fastest", entries: []string{"{{tag(team)}}.{{account-tag(env)}}"}, allow: []string{"red.prod", "red.dev", "blue.prod", "blue.dev"}},
		{name: "one placeholder twice: one value, counted twice", entries: []string{"{{tag(team)}}.{{tag(team)}}"}, allow: []string{"red.red", "red.red", "blue.blue", "blue.blue"}},
		{name: "one tag spelled twice: each its own value", entries: []string{"{{tag(team)}}.{{ tag(team) }}"}, allow: []string{"red.red", "red.blue", "blue.red", "blue.blue"}},
		{name: "entries keep their order", entries: []string{"z", "{{tag(team)}}", "a"}, allow: []string{"z", "red", "blue", "a"}},

		{name: "tag that is missing", entries: []string{"a.{{tag(none)}}", "b"}, allow: []string{"b"}, deny: claims.TemplateMissing},
		{name: "tag that is missing beside one that is not", entries: []string{"{{tag(team)}}.{{tag(none)}}", "b"}, allow: []string{"b"}, deny: claims.TemplateMissing},
		{name: "good entry behind a bad one", entries: []string{"{{tag(none)}}", "{{tag(city)}}"}, allow: []string{"bonn"}, deny: claims.TemplateMissing},
		{name: "empty value as a token", entries: []string{"a.{{tag(empty)}}", "b"}, allow: []string{"b"}, deny: claims.TemplateSubject},
		{name: "empty value inside a token", entries: []string{"a.KV_{{tag(empty)}}"}, allow: []string{"a.KV_"}},
		{name: "empty value beside a star", entries: []string{"a.{{tag(empty)}}*", "b"}, allow: []string{"b"}, deny: claims.TemplateSubject},
		{name: "empty value beside a tail", entries: []string{"a.{{tag(empty)}}>", "b"}, allow: []string{"b"}, deny: claims.TemplateSubject},
		{name: "value beside a star", entries: []string{"a.{{tag(city)}}*"}, allow: []string{"a.bonn*"}},
		{name: "tail not last", entries: []string{">.{{name()}}", "b"}, allow: []string{"b"}, deny: claims.TemplateSubject},
		{name: "wildcards of the template stay", entries: []string{"*.{{name()}}.>"}, allow: []string{"*.ann.>"}},

		{name: "value that is a wildcard (B2)", entries: []string{"a.{{tag(star)}}"}, both: claims.TemplateValue},
		{name: "value with a dot (B2)", entries: []string{"a.{{tag(mail)}}"}, both: claims.TemplateValue},
		{name: "value with a line break (B2)", entries: []string{"a.{{tag(nl)}}"}, both: claims.TemplateValue},
		{name: "value that is a wildcard, beside a tag that is missing (B2)", entries: []string{"{{tag(none)}}.{{tag(star)}}"}, both: claims.TemplateValue},
		{name: "wildcard in a tag that nobody asks for", entries: []string{"a.{{tag(city)}}"}, allow: []string{"a.bonn"}},
	} {
		for _, deny := range []bool{false, true} {
			for _, subscribe := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, deny %v, subscribe %v", row.name, deny, subscribe), func(t *testing.T) {
					in, want, problem := claims.Rules{Allow: row.entries}, claims.Rules{Allow: row.allow}, row.both
					if deny {
						in, want, problem = claims.Rules{Deny: row.entries}, claims.Rules{Deny: row.allow}, max(row.both, row.deny)
					}
					p := claims.Permissions{Publish: in}
					if subscribe {
						p = claims.Permissions{Subscribe: in}
					}
					p, err := claims.Expand(template(p), ann, acme, claims.ExpandOptions{})
					require.Equal(t, problem, problemOf(t, err))
					if problem != 0 {
						require.Equal(t, claims.Permissions{}, p)
						return
					}
					got, other := p.Publish, p.Subscribe
					if subscribe {
						got, other = other, got
					}
					require.Equal(t, want, got)
					require.True(t, other.Empty(), "the other direction")
				})
			}
		}
	}
}

func problemOf(t testing.TB, err error) claims.TemplateProblem {
	t.Helper()
	if err == nil {
		return 0
	}
	var e *claims.TemplateError
	require.ErrorAs(t, err, &e)
	return e.Problem
}

// B2: a value is literal text inside one token, wherever it comes from, and the error names the placeholder.
func TestB2Value(t *testing.T) {
	for _, row := range []struct {
		name, value  string
		want, dotted claims.TemplateProblem // without and with AllowDotted
	}{
		{"a word", "abc", 0, 0},
		{"letters beyond ASCII", "é世", 0, 0},
		{"a dollar and braces", "$1{}{{x}}", 0, 0},
		{"a placeholder is not read again", "{{name()}}", 0, 0},
		{"star", "*", claims.TemplateValue, claims.TemplateValue},
		{"star inside", "a*b", claims.TemplateValue, claims.TemplateValue},
		{"tail", ">", claims.TemplateValue, claims.TemplateValue},
		{"tail inside", "a>b", claims.TemplateValue, claims.TemplateValue},
		{"dot", "a.b", claims.TemplateValue, 0},
		{"e-mail address", "ann@example.org", claims.TemplateValue, 0},
		{"dotted wildcard", "a.*", claims.TemplateValue, claims.TemplateValue},
		{"dotted tail", "a.>", claims.TemplateValue, claims.TemplateValue},
		{"space", "a b", claims.TemplateValue, claims.TemplateValue},
		{"space in front", " a", claims.TemplateValue, claims.TemplateValue},
		{"tab", "a\tb", claims.TemplateValue, claims.TemplateValue},
		{"line feed", "a\nb", claims.TemplateValue, claims.TemplateValue},
		{"carriage return", "a\rb", claims.TemplateValue, claims.TemplateValue},
		{"form feed", "a\fb", claims.TemplateValue, claims.TemplateValue},
		{"zero byte", "a\x00b", claims.TemplateValue, claims.TemplateValue},
		{"delete", "a\x7fb", claims.TemplateValue, claims.TemplateValue},
		{"space that does not break", "a\u00a0b", claims.TemplateValue, claims.TemplateValue},
		{"wide space", "a\u3000b", claims.TemplateValue, claims.TemplateValue},
		{"next line", "a\u0085b", claims.TemplateValue, claims.TemplateValue},
		{"line separator", "a\u2028b", claims.TemplateValue, claims.TemplateValue},
	} {
		u := &claims.User{Header: claims.Header{Name: row.value, Key: row.value, Tags: []string{"x:" + row.value}}}
		a := &claims.Account{Header: u.Header}
		for _, op := range []string{"name()", "subject()", "tag(x)", "TAG(X)", "account-name()", "account-subject()", "account-tag(x)"} {
			t.Run(row.name+" of "+op, func(t *testing.T) {
				for _, deny := range []bool{false, true} {
					rules := claims.Rules{Allow: []string{"p", "a.{{" + op + "}}.b"}}
					if deny {
						rules = claims.Rules{Deny: rules.Allow}
					}
					for dotted, want := range map[bool]claims.TemplateProblem{false: row.want, true: row.dotted} {
						p, err := claims.Expand(template(claims.Permissions{Subscribe: rules}), u, a, claims.ExpandOptions{AllowDotted: dotted})
						require.Equal(t, want, problemOf(t, err))
						if want != 0 {
							require.ErrorContains(t, err, op)
							require.NotContains(t, err.Error(), "\n")
							continue
						}
						require.Equal(t, "a."+row.value+".b", append(p.Subscribe.Allow, p.Subscribe.Deny...)[1])
					}
				}
			})
		}
	}
}

// B2 with AllowDotted: a value may fill tokens, but it makes no wildcard of what stands beside it.
func TestB2DottedBesideWildcard(t *testing.T) {
	for _, row := range []struct{ entry, value, want string }{
		{"{{name()}}.*", "a.b", "a.b.*"},
		{"{{name()}}*", "a.b", "a.b*"},
		{"{{name()}}*", "a.", ""},
		{"{{name()}}>", "a.", ""},
		{"*{{name()}}", ".a", ""},
		{"*{{name()}}", "a.b", "*a.b"},
		{"a.{{name()}}", "b.", ""},
		{"a.{{name()}}", "b..c", ""},
		{"a {{name()}}*", "q.", ""},
		{"a {{name()}}.*", "q", "a q.*"},
	} {
		u := &claims.User{Header: claims.Header{Name: row.value}}
		in := template(claims.Permissions{Subscribe: claims.Rules{Deny: []string{row.entry}}})
		p, err := claims.Expand(in, u, acme, claims.ExpandOptions{AllowDotted: true})
		if row.want == "" {
			require.Equal(t, claims.TemplateSubject, problemOf(t, err), row.entry)
			continue
		}
		require.NoError(t, err, row.entry)
		require.Equal(t, []string{row.want}, p.Subscribe.Deny)
	}
}

// Entries with a queue group survive in subscribe lists, and are none in publish lists. One that cannot be filled in
// refuses the user in an allow list as well: without it other groups would have the subject.
func TestExpandQueues(t *testing.T) {
	for _, row := range []struct {
		name, entry string
		want        string
		problem     claims.TemplateProblem
	}{
		{"plain entry with a group", "a q", "a q", 0},
		{"placeholder in the subject", "a.{{name()}} q", "a.ann q", 0},
		{"placeholder in the group", "a {{tag(city)}}.>", "a bonn.>", 0},
		{"tag that is missing in the subject", "a.{{tag(none)}} q", "", claims.TemplateMissing},
		{"tag that is missing in the group", "a {{tag(none)}}", "", claims.TemplateMissing},
		{"empty subject leaves no group for a subject", "{{tag(empty)}} q", "", claims.TemplateSubject},
		{"empty group leaves no plain subject", "a {{tag(empty)}}", "", claims.TemplateSubject},
		{"two spaces", "a  q.{{name()}}", "", claims.TemplateSubject},
		{"three fields", "a q {{name()}}", "", claims.TemplateSubject},
		{"white space of another kind", "a\u2003{{name()}}", "", claims.TemplateSubject},
		{"space behind", "a.{{name()}} ", "", claims.TemplateSubject},
	} {
		for _, deny := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, deny %v", row.name, deny), func(t *testing.T) {
				rules := claims.Rules{Allow: []string{"{{name()}}", row.entry}}
				if deny {
					rules = claims.Rules{Deny: rules.Allow}
				}
				p, err := claims.Expand(template(claims.Permissions{Subscribe: rules}), ann, acme, claims.ExpandOptions{})
				require.Equal(t, row.problem, problemOf(t, err))
				if err == nil {
					require.Equal(t, []string{"ann", row.want}, append(p.Subscribe.Allow, p.Subscribe.Deny...))
				}
			})
		}
	}
	in := template(claims.Permissions{Publish: claims.Rules{Allow: []string{"{{name()}}", "a q", "a.{{tag(none)}} q"}}})
	p, err := claims.Expand(in, ann, acme, claims.ExpandOptions{})
	require.NoError(t, err)
	require.Equal(t, []string{"ann"}, p.Publish.Allow)
}

// An allow list from which everything was dropped must not become one that is not there.
func TestExpandNothingLeft(t *testing.T) {
	for _, row := range []struct {
		name     string
		in, want claims.Rules
	}{
		{"everything dropped", claims.Rules{Allow: []string{"{{tag(none)}}"}}, claims.Rules{Allow: []string{}, Deny: []string{">"}, Closed: true}},
		{"everything dropped, beside a deny", claims.Rules{Allow: []string{"{{tag(none)}}"}, Deny: []string{"x"}}, claims.Rules{Allow: []string{}, Deny: []string{"x", ">"}, Closed: true}},
		{"everything dropped, all denied already", claims.Rules{Allow: []string{"{{tag(none)}}"}, Deny: []string{">"}}, claims.Rules{Allow: []string{}, Deny: []string{">"}, Closed: true}},
		{"nothing came out as a subject", claims.Rules{Allow: []string{"{{tag(empty)}}"}}, claims.Rules{Allow: []string{}, Deny: []string{">"}, Closed: true}},
		{"something left", claims.Rules{Allow: []string{"{{tag(none)}}", "x"}}, claims.Rules{Allow: []string{"x"}}},
		{"nothing there to drop", claims.Rules{Deny: []string{"x"}}, claims.Rules{Deny: []string{"x"}}},
	} {
		t.Run(row.name, func(t *testing.T) {
			p, err := claims.Expand(template(claims.Permissions{Publish: row.in, Subscribe: row.in}), ann, acme, claims.ExpandOptions{})
			require.NoError(t, err)
			require.Equal(t, row.want, p.Publish)
			require.Equal(t, row.want, p.Subscribe)
		})
	}
}

func TestExpandChangesNothing(t *testing.T) {
	deny := append(make([]string, 0, 4), "x", "y")
	in := template(claims.Permissions{Publish: claims.Rules{Allow: []string{"{{tag(none)}}"}, Deny: deny}, Responses: &claims.Responses{Max: 7}})
	p, err := claims.Expand(in, ann, acme, claims.ExpandOptions{})
	require.NoError(t, err)
	require.Equal(t, []string{"x", "y", ">"}, p.Publish.Deny)
	require.Equal(t, []string{"x", "y", "", ""}, deny[:4], "the template's own list has room, and stays as it is")
	require.Equal(t, 7, p.Responses.Max)
}

func TestExpandTellsWhatItDropped(t *testing.T) {
	var told []string
	in := template(claims.Permissions{Publish: claims.Rules{Allow: []string{"a.{{tag(none)}}", "{{tag(empty)}}", "b"}}})
	_, err := claims.Expand(in, ann, acme, claims.ExpandOptions{Dropped: func(e *claims.TemplateError) { told = append(told, e.Error()) }})
	require.NoError(t, err)
	require.Equal(t, []string{
		`claims: template entry "a.{{tag(none)}}": {{tag(none)}} is a tag that is not there`,
		`claims: template entry "{{tag(empty)}}": gives "", which is not such a subject`,
	}, told)
}

// tagged has n values of the tag x.
func tagged(n int) *claims.User {
	u := &claims.User{}
	for i := range n {
		u.Tags = append(u.Tags, fmt.Sprintf("x:%d", i))
	}
	return u
}

func TestB18Expansions(t *testing.T) {
	for _, row := range []struct {
		name    string
		values  int
		entries []string
		limit   int
		want    int
		problem claims.TemplateProblem
	}{
		{"one under", 4095, []string{"{{tag(x)}}"}, 0, 4095, 0},
		{"at the limit", 4096, []string{"{{tag(x)}}"}, 0, 4096, 0},
		{"one over", 4097, []string{"{{tag(x)}}"}, 0, 0, claims.TemplateTooMany},
		{"a product at the limit", 64, []string{"{{tag(x)}}.{{ tag(x)}}"}, 0, 4096, 0},
		{"a product over", 65, []string{"{{tag(x)}}.{{ tag(x)}}"}, 0, 0, claims.TemplateTooMany},
		{"one placeholder twice counts twice", 65, []string{"{{tag(x)}}.{{tag(x)}}"}, 0, 0, claims.TemplateTooMany},
		{"a sum at the limit", 2048, []string{"a.{{tag(x)}}", "b.{{tag(x)}}"}, 0, 4096, 0},
		{"a sum over", 2049, []string{"a.{{tag(x)}}", "b.{{tag(x)}}"}, 0, 0, claims.TemplateTooMany},
		{"plain entries count for the tags behind them", 1, []string{"a", "b", "{{tag(x)}}"}, 2, 0, claims.TemplateTooMany},
		{"and not by themselves", 1, []string{"{{tag(x)}}", "a", "b"}, 2, 3, 0},
		{"a limit of one", 1, []string{"{{tag(x)}}"}, 1, 1, 0},
		{"a limit of one, two values", 2, []string{"{{tag(x)}}"}, 1, 0, claims.TemplateTooMany},
		{"a tag that is missing counts as one", 2, []string{"{{tag(x)}}.{{tag(none)}}", "a"}, 2, 1, 0},
		{"over the limit before a tag that is missing", 3, []string{"{{tag(x)}}.{{tag(none)}}", "a"}, 2, 0, claims.TemplateTooMany},
		{"a product beyond all numbers", 4096, []string{strings.Repeat("{{tag(x)}}.", 40) + "x"}, math.MaxInt, 0, claims.TemplateTooMany},
	} {
		t.Run(row.name, func(t *testing.T) {
			in := template(claims.Permissions{Publish: claims.Rules{Allow: row.entries}})
			p, err := claims.Expand(in, tagged(row.values), acme, claims.ExpandOptions{Limit: row.limit})
			require.Equal(t, row.problem, problemOf(t, err))
			require.Len(t, p.Publish.Allow, row.want)
		})
	}
}

// Bounds on entries are not enough: what a template, a name and tags multiply to is bounded in bytes and looks too.
func TestB18Text(t *testing.T) {
	long := strings.Repeat("n", 500_000)
	for _, row := range []struct {
		name, entry, value string
		problem            claims.TemplateProblem
	}{
		{"a long value once", "a.{{name()}}", long, 0},
		{"a long value in every place of a long entry", strings.Repeat("{{name()}}", 50_000), long, claims.TemplateTooMany},
		{"short values in every place of a long entry", strings.Repeat("{{name()}}", 50_000), "n", 0},
		{"a long entry for many values", long + ".{{tag(x)}}", "", claims.TemplateTooMany},
		{"many placeholders times many tags", distinct("{{tag(%d)}}", 50_000), "", claims.TemplateTooMany},
		{"many placeholders, one text each", distinct("{{ tag(a%d) }}", 200), "", 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			u := tagged(4000)
			u.Name = row.value
			in := template(claims.Permissions{Publish: claims.Rules{Allow: []string{"p", row.entry}}})
			var err error
			spent := allocated(func() { _, err = claims.Expand(in, u, acme, claims.ExpandOptions{}) })
			require.Equal(t, row.problem, problemOf(t, err))
			require.Less(t, spent, uint64(256<<20))
			if err != nil {
				require.Less(t, len(err.Error()), 2048)
			}
		})
	}
}

func distinct(format string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

// A template is not judged when the account is read, but when it is used: what cannot be read refuses the scope's users.
func TestTemplateThatCannotBeRead(t *testing.T) {
	for _, row := range []struct {
		name, template string
		want           claims.TemplateProblem
	}{
		{"as it should be", `{"pub":{"allow":["{{name()}}"]}}`, 0},
		{"line break in an entry", `{"pub":{"allow":["a\nb"]}}`, claims.TemplateUnreadable},
		{"zero byte in a queue group", `{"sub":{"deny":["a q\u0000"]}}`, claims.TemplateUnreadable},
		{"bad hour", `{"times":[{"start":"25:00:00","end":"26:00:00"}]}`, claims.TemplateUnreadable},
		{"bad zone", `{"times":[{"start":"01:00:00","end":"02:00:00"}],"times_location":"Mars"}`, claims.TemplateUnreadable},
		{"bad zone without hours restricts nothing", `{"times_location":"Mars"}`, 0},
		{"bad source is for Covers to stop at", `{"src":["x"]}`, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			a := account(t, `{"nats":{"signing_keys":[{"kind":"user_scope","key":"@A1","template":`+row.template+`}]}}`)
			_, err := claims.Expand(a.SigningKeys[keys()["@A1"]].Template, ann, a, claims.ExpandOptions{})
			require.Equal(t, row.want, problemOf(t, err))
		})
	}
}

func TestTemplateErrorText(t *testing.T) {
	for _, row := range []struct {
		err  claims.TemplateError
		want string
	}{
		{claims.TemplateError{Detail: "d"}, "claims: template: d"},
		{claims.TemplateError{Entry: "e", Detail: "d"}, `claims: template entry "e": d`},
		{claims.TemplateError{Entry: "e", Placeholder: "p", Detail: "d"}, `claims: template entry "e": {{p}} d`},
	} {
		require.Equal(t, row.want, row.err.Error())
	}
	require.False(t, errors.Is(&claims.TemplateError{}, claims.ErrInvalid), "it is no fault of a token")
}

// The scope of a real account, for a user that has the tags.
func TestExpandFixture(t *testing.T) {
	all := fixtures(t)
	a, err := claims.ParseAccount(all["account.SCOPED.jwt"])
	require.NoError(t, err)
	for name, want := range map[string]claims.TemplateProblem{
		"user.SCOPED.dev1.jwt":                       0,
		"negative/user.scoped_template_star.jwt":     claims.TemplateValue,
		"negative/user.scoped_template_wildcard.jwt": claims.TemplateValue,
		"negative/user.scoped_template_bad_name.jwt": claims.TemplateValue,
	} {
		u, err := claims.ParseUser(all[name])
		require.NoError(t, err)
		require.True(t, u.Bare)
		scope, ok := a.Signer(u.Issuer, true)
		require.True(t, ok)
		p, err := claims.Expand(scope.Template, u, a, claims.ExpandOptions{})
		require.Equal(t, want, problemOf(t, err), name)
		if want == 0 {
			require.Equal(t, claims.Rules{Allow: []string{"acct.SCOPED.>", "sensors.dev1.>"}}, p.Publish)
			require.Equal(t, claims.Rules{Allow: []string{"cmd." + u.Key, "reg.eu.>", "reg.us.>"}}, p.Subscribe)
			require.Equal(t, &claims.Responses{Max: 1}, p.Responses)
		}
	}
}
