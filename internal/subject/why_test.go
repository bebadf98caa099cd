package subject_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/internal/subject"
)

func TestWhy(t *testing.T) {
	set := subject.Compile(subject.Spec{
		Publish: subject.Rules{Allow: list("foo.>", "foo.*"), Deny: list("foo.secret.*", "foo.secret.>  q")},
		Subscribe: subject.Rules{
			Allow: list("foo.>", "foo.1", "foo.jobs  workers", "any.*", "any.*.>", "any"),
			Deny:  list("foo.secret", "foo.bin cleaners"),
		},
	})
	open := subject.Compile(subject.Spec{})
	tails := subject.Compile(subject.Spec{Subscribe: subject.Rules{Allow: list(">", "foo.> workers")}})
	type row struct {
		name string
		got  subject.Decision
		want subject.Decision
	}
	yes, no := true, false
	for _, r := range []row{
		{"publish by default", open.WhyPublish("x"), subject.Decision{yes, "", subject.ByDefault, ""}},
		{"publish allowed, the first of two", set.WhyPublish("foo.a"), subject.Decision{yes, "foo.*", subject.ByAllow, ""}},
		{"publish allowed by the other", set.WhyPublish("foo.a.b"), subject.Decision{yes, "foo.>", subject.ByAllow, ""}},
		{"publish not allowed", set.WhyPublish("bar"), subject.Decision{no, "", subject.NotAllowed, ""}},
		{"publish denied", set.WhyPublish("foo.secret.a"), subject.Decision{no, "foo.secret.*", subject.ByDeny, ""}},
		{"publish denied by a queue entry", set.WhyPublish("foo.secret.a.b"), subject.Decision{no, "foo.secret.>  q", subject.ByDeny, ""}},
		{"publish an empty token", set.WhyPublish("foo..a"), subject.Decision{no, "", subject.NotAllowed, ""}},
		{"publish a line feed", set.WhyPublish("foo.\n"), subject.Decision{no, "", subject.Invalid, ""}},
		{"subscribe by default", open.WhySubscribe(">", "q"), subject.Decision{yes, "", subject.ByDefault, ""}},
		{"subscribe allowed", set.WhySubscribe("foo.a", ""), subject.Decision{yes, "foo.>", subject.ByAllow, ""}},
		{"subscribe covered", set.WhySubscribe("foo.*", ""), subject.Decision{yes, "foo.>", subject.ByAllow, ""}},
		{"subscribe covered by two", set.WhySubscribe("any.>", ""), subject.Decision{yes, "any.*", subject.ByAllow, ""}},
		{"subscribe not covered", set.WhySubscribe("*.>", ""), subject.Decision{no, "", subject.NotAllowed, "anyx.anyx"}},
		{"subscribe not covered at one token", set.WhySubscribe(">", ""), subject.Decision{no, "", subject.NotAllowed, "anyx"}},
		{"subscribe not allowed", set.WhySubscribe("bar", ""), subject.Decision{no, "", subject.NotAllowed, ""}},
		{"subscribe denied", set.WhySubscribe("foo.secret", ""), subject.Decision{no, "foo.secret", subject.ByDeny, ""}},
		{"subscribe denied for the queue", set.WhySubscribe("foo.bin", "cleaners"), subject.Decision{no, "foo.bin cleaners", subject.ByDeny, ""}},
		{"subscribe by queue", set.WhySubscribe("foo.jobs", "workers"), subject.Decision{yes, "foo.jobs  workers", subject.ByAllow, ""}},
		{"subscribe by another queue", set.WhySubscribe("foo.jobs", "q"), subject.Decision{no, "foo.jobs  workers", subject.QueueNotAllowed, ""}},
		{"subscribe a pattern by another queue", set.WhySubscribe("foo.*", "q"), subject.Decision{no, "foo.jobs  workers", subject.QueueNotAllowed, "foo.jobs"}},
		{"subscribe a tail by another queue", set.WhySubscribe("foo.>", "q"), subject.Decision{no, "foo.jobs  workers", subject.QueueNotAllowed, "foo.jobs"}},
		{"subscribe below a tail of another queue", tails.WhySubscribe("foo.*.b", "q"), subject.Decision{no, "foo.> workers", subject.QueueNotAllowed, "foo.any.b"}},
		{"subscribe an invalid subject", set.WhySubscribe("foo.", ""), subject.Decision{no, "", subject.Invalid, ""}},
		{"subscribe an invalid queue", set.WhySubscribe("foo.a", "q."), subject.Decision{no, "", subject.Invalid, ""}},
		{"subscribe the reserved queue", set.WhySubscribe("foo.a", "_sys_"), subject.Decision{no, "", subject.ReservedQueue, ""}},
		{"deliver allowed", set.WhyDeliver("foo.a", ""), subject.Decision{yes, "foo.>", subject.ByAllow, ""}},
		{"deliver denied", set.WhyDeliver("foo.secret", ""), subject.Decision{no, "foo.secret", subject.ByDeny, ""}},
		{"deliver a wildcard token", set.WhyDeliver("bar.*", ""), subject.Decision{no, "", subject.NotAllowed, ""}},
		{"deliver an empty token", open.WhyDeliver("a..b", ""), subject.Decision{no, "", subject.Invalid, ""}},
	} {
		require.Equal(t, r.want, r.got, r.name)
	}
}

func TestCausesHaveNames(t *testing.T) {
	seen := make(map[string]bool)
	for c := subject.NotCompiled; c <= subject.ReservedQueue; c++ {
		require.NotEmpty(t, c.String())
		require.NotContains(t, c.String(), "unknown")
		require.False(t, seen[c.String()], c.String())
		seen[c.String()] = true
	}
	require.Equal(t, "unknown cause 8", (subject.ReservedQueue + 1).String())
}
