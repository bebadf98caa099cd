package conformance_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/natsauth/natsauth/bench/conformance/internal/permissions"
	"github.com/natsauth/natsauth/internal/subject"
)

func TestPublishIsTheReferencesButForWhiteSpaceAndControlBytes(t *testing.T) {
	seen := map[bool]int{}
	rapid.Check(t, func(t *rapid.T) {
		spec := drawSpec().Draw(t, "spec")
		set := subject.Compile(spec)
		oracle := permissions.NewPublish(spec.Publish.Allow, spec.Publish.Deny, spec.Closed)
		for range questions {
			s := rapid.OneOf(drawClean(), drawClean(), drawClean(), drawAny()).Draw(t, "subject")
			want := oracle.Allows(s, "") && !stricter(s)
			require.Equal(t, want, set.Publish(s), "publish %q", s)
			require.Equal(t, want, set.WhyPublish(s).Allowed, "why publish %q", s)
			seen[want]++
		}
	})
	requireBoth(t, seen)
}

func TestDeliverIsTheReferencesAllowAndDeny(t *testing.T) {
	seen := map[bool]int{}
	rapid.Check(t, func(t *rapid.T) {
		spec := drawSpec().Draw(t, "spec")
		set := subject.Compile(spec)
		oracle := permissions.NewSubscribe(spec.Subscribe.Allow, spec.Subscribe.Deny)
		for range questions {
			s, q := drawClean().Draw(t, "subject"), drawAsked().Draw(t, "queue")
			want := oracle.Allows(s, q) && deliverable(s) && (q == "" || subject.Valid(q))
			require.Equal(t, want, set.Deliver(s, q), "deliver %q queue %q", s, q)
			require.Equal(t, want, set.WhyDeliver(s, q).Allowed, "why deliver %q queue %q", s, q)
			seen[want]++
		}
	})
	requireBoth(t, seen)
}

// deliverable reports whether the tokens of s could be those of a message that is
// routed: none is empty.
func deliverable(s string) bool { return referenceMatch(">", s) }

func TestB3SubscribeIsTheReferencesInsideTheAllowRules(t *testing.T) {
	plain, narrowed := map[bool]int{}, map[bool]int{}
	rapid.Check(t, func(t *rapid.T) {
		rules := subject.Rules{
			Allow: drawNarrow(5).Draw(t, "allow"),
			Deny:  drawEntries(3, true).Draw(t, "deny"),
		}
		set := subject.Compile(subject.Spec{Subscribe: rules})
		oracle := permissions.NewSubscribe(rules.Allow, rules.Deny)
		for range questions {
			s := rapid.OneOf(drawText(4, few), drawText(3, few, odd), drawTailed()).Draw(t, "subject")
			q := drawAsked().Draw(t, "queue")
			wild := permissions.Wildcard(s)
			reference := oracle.Allows(s, q) && subject.Valid(s) && (q == "" || subject.Valid(q))
			want := reference && (!wild || oracle.Covers(s, q))
			require.Equal(t, want, set.Subscribe(s, q), "subscribe %q queue %q", s, q)
			require.Equal(t, want, set.WhySubscribe(s, q).Allowed, "why subscribe %q queue %q", s, q)
			if reference && wild {
				narrowed[want]++
			}
			plain[want]++
		}
	})
	requireBoth(t, plain)
	requireBoth(t, narrowed)
}

// drawTailed ends with `>`, after tokens that rules share.
func drawTailed() *rapid.Generator[string] {
	return rapid.Map(rapid.SliceOfN(rapid.SampledFrom([]string{"a", "*"}), 0, 2), func(head []string) string {
		return strings.Join(append(head, ">"), ".")
	})
}

// drawNarrow are entries that are short enough to try all that they tell apart, and
// that often cover a subscription only together.
func drawNarrow(most int) *rapid.Generator[[]string] {
	entry := rapid.Custom(func(t *rapid.T) string {
		s := drawText(3, []string{"a", "*", "*"}).Draw(t, "subject")
		if rapid.IntRange(0, 2).Draw(t, "queued") == 0 {
			s += " " + drawText(2, queueTokens).Draw(t, "queue")
		}
		return s
	})
	return rapid.SliceOfN(entry, 0, most)
}

func TestB3TheCoverIsFoundWhereOnlyAllRulesTogetherHaveIt(t *testing.T) {
	for _, tt := range []struct {
		name         string
		allow        []string
		subscription string
		queue        string
		want         bool
	}{
		{"one token and more than one", []string{"*", "*.>"}, ">", "", true},
		{"one token alone", []string{"*"}, ">", "", false},
		{"a rule of the same shape", []string{"foo.*"}, "foo.*", "", true},
		{"a rule that is one token long", []string{"foo.*"}, "foo.>", "", false},
		{"two and three tokens, four are left", []string{"foo.*", "foo.*.*"}, "foo.>", "", false},
		{"the tail is left to the last rule", []string{"foo.*", "foo.*.*", "foo.*.*.>"}, "foo.>", "", true},
		{"a literal does not help a wildcard", []string{"foo.a", "foo.b"}, "foo.*", "", false},
		{"another queue takes one subject away", []string{"foo.*", "foo.a v"}, "foo.*", "w", false},
		{"the queue itself", []string{"foo.*", "foo.a v"}, "foo.*", "v", true},
		{"no queue does not see queues", []string{"foo.*", "foo.a v"}, "foo.*", "", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			oracle := permissions.NewSubscribe(tt.allow, nil)
			set := subject.Compile(subject.Spec{Subscribe: subject.Rules{Allow: tt.allow}})
			require.Equal(t, tt.want, oracle.Covers(tt.subscription, tt.queue), "the oracle")
			require.Equal(t, tt.want, set.Subscribe(tt.subscription, tt.queue), "ours")
		})
	}
}
