package claims_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/natsauth/natsauth/claims"
	"github.com/natsauth/natsauth/internal/subject"
)

// pieces makes texts of a few parts, most of them awkward.
func pieces(name string, atMost int, parts ...string) *rapid.Generator[string] {
	return rapid.Custom(func(r *rapid.T) string {
		return strings.Join(rapid.SliceOfN(rapid.SampledFrom(parts), 0, atMost).Draw(r, name), "")
	})
}

var (
	entries = rapid.SliceOfN(pieces("entry", 6,
		"a", "b", ".", ".", ".", "*", ">", " q", "{{name()}}", "{{tag(x)}}", "{{TAG(y)}}", "{{account-tag(x)}}", "{{tag(none)}}"), 0, 3)
	// probable entries come out as subjects, and meet one another.
	probable = rapid.SliceOfN(rapid.SampledFrom([]string{
		"a", "a", "*", ">", "a.{{name()}}", "{{tag(x)}}", "{{tag(y)}}", "a.{{tag(x)}}", "*.{{tag(x)}}.>", "k{{tag(x)}}", "{{tag(x)}}.{{tag(y)}}",
	}), 0, 4)
	groups = rapid.SampledFrom([]string{"", "", " q", " {{tag(x)}}", " {{tag(y)}}", " *"})
	values = pieces("value", 3, "a", "b", "é", "", ".", "*", ">", " ", "\n", "\u2003", "{{name()}}")
	clean  = rapid.SampledFrom([]string{"a", "b", "c", ""})
)

func person(r *rapid.T, value *rapid.Generator[string]) (*claims.User, *claims.Account) {
	u := &claims.User{Header: claims.Header{Name: value.Draw(r, "name"), Key: "U"}}
	a := &claims.Account{Header: claims.Header{Name: "acc", Key: "A"}}
	for range rapid.IntRange(0, 3).Draw(r, "tags") {
		u.Tags = append(u.Tags, rapid.SampledFrom([]string{"x:", "y:"}).Draw(r, "tag")+value.Draw(r, "value"))
	}
	if rapid.Bool().Draw(r, "account tag") {
		a.Tags = []string{"x:" + value.Draw(r, "account value")}
	}
	return u, a
}

// wildTokens are the wildcards of an entry, in order.
func wildTokens(entry string) string {
	var out []string
	for _, t := range strings.FieldsFunc(entry, func(r rune) bool { return r == '.' || r == ' ' }) {
		if t == "*" || t == ">" {
			out = append(out, t)
		}
	}
	return strings.Join(out, "")
}

// mask puts a word in the place of each placeholder that the generators know.
var mask = strings.NewReplacer("{{name()}}", "word", "{{tag(x)}}", "word", "{{tag(y)}}", "word", "{{TAG(y)}}", "word", "{{account-tag(x)}}", "word", "{{tag(none)}}", "word")

// B2: whatever the values are, an expansion has the wildcards that the template has, and is an entry.
func TestB2NoNewWildcard(t *testing.T) {
	made := 0
	rapid.Check(t, func(r *rapid.T) {
		for range 20 {
			u, a := person(r, rapid.OneOf(values, clean))
			in := claims.Permissions{
				Publish:   claims.Rules{Allow: entries.Draw(r, "publish"), Deny: probable.Draw(r, "not publish")},
				Subscribe: claims.Rules{Allow: entries.Draw(r, "subscribe"), Deny: grouped(r, probable.Draw(r, "not subscribe"))},
			}
			o := claims.ExpandOptions{AllowDotted: rapid.Bool().Draw(r, "dotted")}
			p, err := claims.Expand(template(in), u, a, o)
			if err != nil {
				require.Equal(r, claims.Permissions{}, p)
				continue
			}
			made++
			soundRules(r, in.Publish, p.Publish, false)
			soundRules(r, in.Subscribe, p.Subscribe, true)
		}
	})
	require.Greater(t, made, enough())
}

func soundRules(r *rapid.T, in, out claims.Rules, queues bool) {
	soundList(r, in.Allow, out.Allow, queues, false)
	soundList(r, in.Deny, out.Deny, queues, true)
	if len(in.Allow) > 0 && len(out.Allow) == 0 {
		require.Contains(r, out.Deny, ">", "nothing left of an allow list")
	}
}

func soundList(r *rapid.T, in, out []string, queues, deny bool) {
	if !strings.Contains(strings.Join(in, ""), "{{") {
		require.Equal(r, in, out[:len(in)])
		return
	}
	var known []string
	for _, e := range in {
		known = append(known, wildTokens(mask.Replace(e)))
	}
	for _, e := range out {
		if deny && e == ">" {
			continue // what is put there in the place of an allow list
		}
		require.Contains(r, known, wildTokens(e), "%q of %q", e, in)
		s, queue, ok := subject.SplitEntry(e)
		require.True(r, ok, "%q of %q", e, in)
		require.True(r, queue == "" || queues, "%q of %q", e, in)
		require.Equal(r, e, strings.TrimSpace(s+" "+queue))
	}
}

// probes are subjects and queue groups to ask for.
var probes = []string{"a", "b", "c", "k", "ka", "kb", "a.a", "a.b", "b.a", "c.c", "a.a.a", "*", "a.*", "*.b", ">", "a.>", "*.>"}

// Without a tag that the template asks for a user may do nothing that it could not do with it.
func TestExpandMissingTagAllowsNoMore(t *testing.T) {
	compared := 0
	rapid.Check(t, func(r *rapid.T) {
		u, a := person(r, clean)
		u.Tags = append(u.Tags, "x:"+clean.Draw(r, "x"), "y:"+clean.Draw(r, "y"))
		less := *u
		less.Tags = slices.DeleteFunc(slices.Clone(u.Tags), func(t string) bool { return strings.HasPrefix(t, "x:") })
		for range 20 {
			in := template(claims.Permissions{
				Publish:   claims.Rules{Allow: probable.Draw(r, "publish"), Deny: probable.Draw(r, "not publish")},
				Subscribe: claims.Rules{Allow: grouped(r, probable.Draw(r, "subscribe")), Deny: grouped(r, probable.Draw(r, "not subscribe"))},
			})
			with, err := claims.Expand(in, u, a, claims.ExpandOptions{})
			if err != nil {
				continue
			}
			without, err := claims.Expand(in, &less, a, claims.ExpandOptions{})
			if err == nil {
				compared++
				noMore(r, with, without)
			}
		}
	})
	require.Greater(t, compared, enough())
}

// enough is how many comparisons a property has to come to, for fewer checks with
// -short.
func enough() int {
	if testing.Short() {
		return 10
	}
	return 100
}

// grouped puts queue groups behind some entries.
func grouped(r *rapid.T, list []string) []string {
	out := slices.Clone(list)
	for i := range out {
		out[i] += groups.Draw(r, "group")
	}
	return out
}

func noMore(r *rapid.T, with, without claims.Permissions) {
	more, fewer := compile(with), compile(without)
	for _, s := range probes {
		require.True(r, more.Publish(s) || !fewer.Publish(s), "publish %s: %v, %v", s, with, without)
		for _, q := range []string{"", "q", "a", "b", "c", "z"} {
			require.True(r, more.Subscribe(s, q) || !fewer.Subscribe(s, q), "subscribe %s %s: %v, %v", s, q, with, without)
			require.True(r, more.Deliver(s, q) || !fewer.Deliver(s, q), "deliver %s %s: %v, %v", s, q, with, without)
		}
	}
}

func compile(p claims.Permissions) *subject.Set {
	return subject.Compile(subject.Spec{
		Publish:   subject.Rules{Allow: p.Publish.Allow, Deny: p.Publish.Deny},
		Subscribe: subject.Rules{Allow: p.Subscribe.Allow, Deny: p.Subscribe.Deny},
		Closed:    p.Publish.Closed,
	})
}
