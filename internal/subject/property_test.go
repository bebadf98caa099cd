package subject_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/natsauth/natsauth/internal/subject"
)

// oracleCovers is rule B3's (a) from its definition.
func (w world) oracleCovers(allow []string, pattern, queue string) bool {
	for _, s := range w.subjects {
		if oracleMatch(pattern, s) && !oracleAllowed(allow, s, queue, w.queues) {
			return false
		}
	}
	return true
}

func TestB3SubscribeAllowsOnlyWhatIsAllowedOnEverySubject(t *testing.T) {
	w := newWorld()
	rapid.Check(t, func(t *rapid.T) {
		rules := subject.Rules{
			Allow: drawEntries(true, 0, 10).Draw(t, "allow"),
			Deny:  drawEntries(true, 0, 2).Draw(t, "deny"),
		}
		set := subject.Compile(subject.Spec{Subscribe: rules})
		for range 10 {
			p := drawSubject().Draw(t, "subscription")
			q := drawAsked().Draw(t, "queue")
			want := w.oracleCovers(rules.Allow, p, q) && !oracleDenied(rules.Deny, p, q, w.queues)
			require.Equal(t, want, set.Subscribe(p, q), "subscribe %q queue %q", p, q)
		}
	})
}

// TestB3EveryPairOfShortRules leaves nothing to chance: all allow lists of two
// entries with up to two tokens, against all subscriptions of that size.
func TestB3EveryPairOfShortRules(t *testing.T) {
	w := world{literals([]string{"a", "other"}, 4), literals([]string{"v", "w"}, 1)}
	var patterns, entries []string
	for _, p := range literals([]string{"a", "*", ">"}, 3) {
		if subject.Valid(p) {
			patterns = append(patterns, p)
			entries = append(entries, p, p+" v", p+" w")
		}
	}
	for i, e := range entries {
		for _, f := range entries[i:] {
			allow := []string{e, f}
			set := subject.Compile(subject.Spec{Subscribe: subject.Rules{Allow: allow}})
			for _, p := range patterns {
				for _, q := range []string{"", "v"} {
					if want := w.oracleCovers(allow, p, q); want != set.Subscribe(p, q) {
						t.Fatalf("allow %q, subscribe %q queue %q: want %v", allow, p, q, want)
					}
				}
			}
		}
	}
}

func TestPublishIsAllowWithoutDeny(t *testing.T) {
	w := newWorld()
	rapid.Check(t, func(t *rapid.T) {
		spec := drawSpec().Draw(t, "spec")
		set := subject.Compile(spec)
		for _, s := range rapid.SliceOfN(rapid.SampledFrom(w.subjects), 1, 40).Draw(t, "subjects") {
			want := oracleAllowed(spec.Publish.Allow, s, "", nil) && !oracleDenied(spec.Publish.Deny, s, "", nil)
			if spec.Closed && len(spec.Publish.Allow) == 0 {
				want = false
			}
			require.Equal(t, want, set.Publish(s), s)
		}
	})
}

func TestDeliverIsAllowWithoutDeny(t *testing.T) {
	w := newWorld()
	rapid.Check(t, func(t *rapid.T) {
		spec := drawSpec().Draw(t, "spec")
		set := subject.Compile(spec)
		q := drawAsked().Draw(t, "queue")
		for _, s := range rapid.SliceOfN(rapid.SampledFrom(w.subjects), 1, 40).Draw(t, "subjects") {
			want := oracleAllowed(spec.Subscribe.Allow, s, q, w.queues) && !oracleDenied(spec.Subscribe.Deny, s, q, w.queues)
			require.Equal(t, want, set.Deliver(s, q), s)
		}
	})
}

func TestAddingADenyNeverAllowsMore(t *testing.T) {
	w := newWorld()
	rapid.Check(t, func(t *rapid.T) {
		spec := drawSpec().Draw(t, "spec")
		more := spec
		more.Publish.Deny = append(slices.Clone(spec.Publish.Deny), drawSubject().Draw(t, "publish deny"))
		more.Subscribe.Deny = append(slices.Clone(spec.Subscribe.Deny), drawEntries(true, 1, 1).Draw(t, "subscribe deny")...)
		before, after := subject.Compile(spec), subject.Compile(more)
		q := drawAsked().Draw(t, "queue")
		for _, s := range rapid.SliceOfN(rapid.SampledFrom(w.subjects), 1, 40).Draw(t, "subjects") {
			require.False(t, after.Publish(s) && !before.Publish(s), "publish %q", s)
			require.False(t, after.Deliver(s, q) && !before.Deliver(s, q), "deliver %q", s)
		}
		p := drawSubject().Draw(t, "subscription")
		require.False(t, after.Subscribe(p, q) && !before.Subscribe(p, q), "subscribe %q", p)
	})
}

func TestDeliverRefusesWhatADenyRefusesOfTheSubscription(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spec := drawSpec().Draw(t, "spec")
		set := subject.Compile(spec)
		p, q := drawSubject().Draw(t, "subscription"), drawAsked().Draw(t, "queue")
		if set.WhySubscribe(p, q).Cause == subject.ByDeny {
			require.False(t, set.Deliver(p, q))
		}
	})
}

func TestASubscriptionIsDeliveredAllThatNoDenyMatches(t *testing.T) {
	w := newWorld()
	rapid.Check(t, func(t *rapid.T) {
		spec := drawSpec().Draw(t, "spec")
		set := subject.Compile(spec)
		p, q := drawSubject().Draw(t, "subscription"), drawAsked().Draw(t, "queue")
		if !set.Subscribe(p, q) {
			return
		}
		for _, s := range w.subjects {
			if oracleMatch(p, s) {
				require.Equal(t, !oracleDenied(spec.Subscribe.Deny, s, q, w.queues), set.Deliver(s, q), s)
			}
		}
	})
}

func TestWhyAgreesWithTheVerdict(t *testing.T) {
	w := newWorld()
	texts := rapid.OneOf(drawSubject(), rapid.SampledFrom(w.subjects), rapid.SampledFrom([]string{"", "a..b", "a b", ".", ">.a"}))
	rapid.Check(t, func(t *rapid.T) {
		spec := drawSpec().Draw(t, "spec")
		set := subject.Compile(spec)
		s, q := texts.Draw(t, "subject"), drawAsked().Draw(t, "queue")

		publish := set.WhyPublish(s)
		require.Equal(t, set.Publish(s), publish.Allowed)
		checkDecision(t, publish, spec.Publish)
		deliver := set.WhyDeliver(s, q)
		require.Equal(t, set.Deliver(s, q), deliver.Allowed)
		checkDecision(t, deliver, spec.Subscribe)
		subscribe := set.WhySubscribe(s, q)
		require.Equal(t, set.Subscribe(s, q), subscribe.Allowed)
		checkDecision(t, subscribe, spec.Subscribe)
		if e := subscribe.Example; e != "" {
			require.True(t, oracleMatch(s, e), "example %q of %q", e, s)
			require.False(t, oracleAllowed(spec.Subscribe.Allow, e, q, w.queues), "example %q", e)
		}
	})
}

// checkDecision requires that the cause goes with the verdict, and that the rule
// named is an entry of the list that the cause speaks of.
func checkDecision(t *rapid.T, d subject.Decision, rules subject.Rules) {
	require.Equal(t, d.Allowed, d.Cause == subject.ByDefault || d.Cause == subject.ByAllow)
	switch d.Cause {
	case subject.ByAllow, subject.QueueNotAllowed:
		require.Contains(t, rules.Allow, d.Rule)
	case subject.ByDeny:
		require.Contains(t, rules.Deny, d.Rule)
	default:
		require.Empty(t, d.Rule)
	}
	require.True(t, d.Example == "" || d.Cause == subject.NotAllowed || d.Cause == subject.QueueNotAllowed)
}

func TestARefusedPatternHasAnExample(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		allow := drawEntries(true, 1, 6).Draw(t, "allow")
		set := subject.Compile(subject.Spec{Subscribe: subject.Rules{Allow: allow}})
		p, q := drawSubject().Draw(t, "subscription"), drawAsked().Draw(t, "queue")
		d := set.WhySubscribe(p, q)
		require.Equal(t, !d.Allowed && subject.HasWildcard(p), d.Example != "")
	})
}

func TestDigestIgnoresOrderAndDuplicates(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spec := drawSpec().Draw(t, "spec")
		other := spec
		for _, list := range []*[]string{&other.Publish.Allow, &other.Publish.Deny, &other.Subscribe.Allow, &other.Subscribe.Deny} {
			if len(*list) > 0 {
				twice := append(slices.Clone(*list), rapid.SampledFrom(*list).Draw(t, "again"))
				*list = rapid.Permutation(twice).Draw(t, "order")
			}
		}
		require.Equal(t, spec.Digest(), other.Digest())
		require.Equal(t, subject.Compile(spec).Spec(), subject.Compile(other).Spec())
		require.Equal(t, spec.Digest(), subject.Compile(spec).Spec().Digest())
	})
}

func TestDigestTellsSpecsApart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawSpec().Draw(t, "one"), drawSpec().Draw(t, "other")
		require.Equal(t, canonicalText(a) == canonicalText(b), a.Digest() == b.Digest())
	})
}

func canonicalText(s subject.Spec) string {
	var b strings.Builder
	for _, list := range [][]string{s.Publish.Allow, s.Publish.Deny, s.Subscribe.Allow, s.Subscribe.Deny} {
		b.WriteString(strings.Join(slices.Compact(slices.Sorted(slices.Values(list))), ",") + ";")
	}
	if s.Closed {
		b.WriteString("closed")
	}
	return b.String()
}

func TestAlgebraAgreesWithAListOfAllSubjects(t *testing.T) {
	w := newWorld()
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawSubject().Draw(t, "a"), drawSubject().Draw(t, "b")
		subset, overlap := true, false
		for _, s := range w.subjects {
			inA, inB := oracleMatch(a, s), oracleMatch(b, s)
			require.Equal(t, inA, subject.Match(a, s))
			subset = subset && (!inA || inB)
			overlap = overlap || inA && inB
		}
		require.Equal(t, subset, subject.Subset(a, b))
		require.Equal(t, overlap, subject.Overlap(a, b))
	})
}
