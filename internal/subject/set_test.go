package subject_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/internal/subject"
)

func publishing(allow, deny []string) *subject.Set {
	return subject.Compile(subject.Spec{Publish: subject.Rules{Allow: allow, Deny: deny}})
}

func subscribing(allow, deny []string) *subject.Set {
	return subject.Compile(subject.Spec{Subscribe: subject.Rules{Allow: allow, Deny: deny}})
}

func list(entries ...string) []string { return entries }

func TestNilAndZeroSetsRefuseEverything(t *testing.T) {
	for name, set := range map[string]*subject.Set{"nil": nil, "zero": {}} {
		require.False(t, set.Publish("foo"), name)
		require.False(t, set.Subscribe("foo", ""), name)
		require.False(t, set.Deliver("foo", ""), name)
		want := subject.Decision{Cause: subject.NotCompiled}
		require.Equal(t, want, set.WhyPublish("foo"), name)
		require.Equal(t, want, set.WhySubscribe("foo", ""), name)
		require.Equal(t, want, set.WhyDeliver("foo", ""), name)
		require.Equal(t, subject.Spec{}, set.Spec(), name)
	}
}

func TestAnEmptySpecAllowsEverything(t *testing.T) {
	set := subject.Compile(subject.Spec{})
	require.True(t, set.Publish("foo"))
	require.True(t, set.Subscribe(">", ""))
	require.True(t, set.Subscribe("foo", "q"))
	require.True(t, set.Deliver("foo.bar", "q"))
}

func TestPublish(t *testing.T) {
	type row struct {
		name        string
		allow, deny []string
		subject     string
		want        bool
	}
	for _, r := range []row{
		{"no lists, any subject", nil, nil, "foo", true},
		{"an allow entry matches", list("foo.*"), nil, "foo.bar", true},
		{"no allow entry matches", list("foo.*"), nil, "foo.bar.baz", false},
		{"one of several allow entries matches", list("a", "b", "c.>"), nil, "c.d.e", true},
		{"deny alone refuses its match", nil, list("foo.*"), "foo.bar", false},
		{"deny alone leaves the rest", nil, list("foo.*"), "bar", true},
		{"deny beats the same allow", list("foo"), list("foo"), "foo", false},
		{"deny beats a narrower allow", list("foo.bar"), list("foo.>"), "foo.bar", false},
		{"a wildcard in the subject is a token: not the literal that is denied", nil, list("foo.bar"), "foo.*", true},
		{"a wildcard in the subject is a token: not the literal that is allowed", list("foo.bar"), nil, "foo.*", false},
		{"a tail in the subject is a token that * matches", list("foo.*"), nil, "foo.>", true},
		{"a tail in front is a token too", list("*.foo"), nil, ">.foo", true},
		{"a tail in front is denied as a token", nil, list("*.foo"), ">.foo", false},
		{"empty subject, allow list", list(">"), nil, "", false},
		{"empty subject, no allow list", nil, list(">"), "", true},
		{"empty token, allow list", list(">"), nil, "foo..bar", false},
		{"empty token, not caught by deny", nil, list(">"), "foo..bar", true},
		{"empty last token, allow list", list("foo.>"), nil, "foo.", false},
		{"empty last token, not caught by deny", nil, list("foo.>"), "foo.", true},
		{"line feed, no lists", nil, nil, "foo\n", false},
		{"carriage return, allowed", list(">"), nil, "foo\rbar", false},
		{"space, no lists", nil, nil, "foo bar", false},
		{"null, no lists", nil, nil, "\x00", false},
		{"DEL after an empty token", nil, nil, "foo..\x7f", false},
		{"an allow list of invalid entries allows nothing", list("foo..bar"), nil, "foo", false},
		{"an invalid allow entry is left out", list("foo..bar", "foo"), nil, "foo", true},
		{"an allow entry with a queue is left out", list("foo q"), nil, "foo", false},
		{"an invalid deny entry is left out", nil, list("foo..bar"), "foo", true},
		{"a deny entry with a queue denies its subject", nil, list("foo q"), "foo", false},
		{"and nothing else", nil, list("foo q"), "q", true},
		{"a deny entry of three fields is left out", nil, list("foo q r"), "foo", true},
		{"_INBOX needs an entry like any other", list("foo"), nil, "_INBOX.x", false},
		{"$MQTT is allowed by its entry only", list("foo"), nil, "$MQTT.sub.x", false},
		{"$SYS is not denied by itself", nil, nil, "$SYS.REQ.USER.INFO", true},
		{"a dot is not any byte", list("fooxbar"), nil, "foo.bar", false},
		{"and no byte is a dot", list("foo.bar"), nil, "fooxbar", false},
		{"two ways lead on, by the literal", list("foo.a", "*.b", "foo.c"), nil, "foo.a", true},
		{"two ways lead on, by the star", list("foo.a", "*.b", "foo.c"), nil, "foo.b", true},
		{"two ways lead on, and on from the star", list("a.*.x.c", "a.*.y.c", "a.b.q", "z"), nil, "a.b.x.c", true},
		{"two ways lead on, and not on from the star", list("a.*.x.c", "a.*.y.c", "a.b.q", "z"), nil, "a.b.b.c", false},
		{"two ways lead on, twice", list("a.b.c", "a.*.d", "*.b.e", "*.*.f"), nil, "a.b.f", true},
		{"two ways lead on, twice, in vain", list("a.b.c", "a.*.d", "*.b.e", "*.*.f"), nil, "a.b.g", false},
		{"two ways lead on, neither arrives", list("foo.a", "*.b", "foo.c"), nil, "foo.d", false},
		{"a prefix of text is not a prefix of tokens", list("foo.>"), nil, "foobar.x", false},
	} {
		set := publishing(r.allow, r.deny)
		require.Equal(t, r.want, set.Publish(r.subject), r.name)
		require.Equal(t, r.want, set.WhyPublish(r.subject).Allowed, "why: %s", r.name)
	}
}

func TestClosedSpecPublishesNothingButItsAllowList(t *testing.T) {
	closed := subject.Compile(subject.Spec{Closed: true})
	require.False(t, closed.Publish("foo"))
	require.False(t, closed.Publish("foo..bar"))
	require.True(t, closed.Subscribe("foo", ""))
	listed := subject.Compile(subject.Spec{Closed: true, Publish: subject.Rules{Allow: list("foo")}})
	require.True(t, listed.Publish("foo"))
	require.False(t, listed.Publish("bar"))
}

// TestSubscribeAllow has the consequences of matching a subscription's tokens
// (behaviour 4.8) where rule B3 leaves them, and what B3 makes of the others.
func TestSubscribeAllow(t *testing.T) {
	type row struct {
		name    string
		allow   []string
		subject string
		want    bool
	}
	for _, r := range []row{
		{"no list, tail", nil, ">", true},
		{"foo.* permits foo.bar", list("foo.*"), "foo.bar", true},
		{"foo.* permits foo.*", list("foo.*"), "foo.*", true},
		{"foo.* does not permit foo.>", list("foo.*"), "foo.>", false},
		{"* does not permit >", list("*"), ">", false},
		{"*.* does not permit *.>", list("*.*"), "*.>", false},
		{"*.bar does not permit >.bar, which is no subject", list("*.bar"), ">.bar", false},
		{"foo.bar does not permit foo.*", list("foo.bar"), "foo.*", false},
		{"foo.> permits foo.>", list("foo.>"), "foo.>", true},
		{"foo.> permits foo.*", list("foo.>"), "foo.*", true},
		{"foo.> permits foo.*.>", list("foo.>"), "foo.*.>", true},
		{"foo.> does not permit foo", list("foo.>"), "foo", false},
		{"foo.> does not permit >", list("foo.>"), ">", false},
		{"*.> does not permit >", list("*.>"), ">", false},
		{"foo.*.baz does not permit foo.>", list("foo.*.baz"), "foo.>", false},
		{"* and *.> together permit >", list("*", "*.>"), ">", true},
		{"a longer tail takes nothing away", list("*", "*.>", "*.*.>"), ">", true},
		{"a dot is not any byte", list("fooxbar.>"), "foo.bar.*", false},
		{"*, *.* and *.*.> together permit >", list("*", "*.*", "*.*.>"), ">", true},
		{"* and *.*.> leave out two tokens", list("*", "*.*.>"), ">", false},
		{"*.* and *.*.> leave out one token", list("*.*", "*.*.>"), ">", false},
		{"foo.* and foo.*.> together permit foo.>", list("foo.*", "foo.*.>"), "foo.>", true},
		{"foo.* and bar.*.> do not", list("foo.*", "bar.*.>"), "foo.>", false},
		{"literals never add up to a wildcard", list("a", "b", "c"), "*", false},
		{"a.* and *.b leave out x.y", list("a.*", "*.b"), "*.*", false},
		{"a.* and *.b permit a.b", list("a.*", "*.b"), "a.b", true},
		{"an allow list of invalid entries permits nothing", list("foo..bar", "a b c"), "foo", false},
		{"an invalid entry is left out", list("foo..bar", "foo"), "foo", true},
		{"$MQTT.sub is not exempt", list("foo"), "$MQTT.sub.x", false},
		{"$MQTT.deliver.pubrel is not exempt", list("foo"), "$MQTT.deliver.pubrel.x", false},
		{"_INBOX.> needs its entry", list("foo"), "_INBOX.>", false},
		{"empty subject", list(">"), "", false},
		{"empty token", list(">"), "foo..bar", false},
		{"empty token, no list", nil, "foo.", false},
		{"tail in front, no list", nil, ">.bar", false},
		{"line feed, no list", nil, "foo\n", false},
	} {
		set := subscribing(r.allow, nil)
		require.Equal(t, r.want, set.Subscribe(r.subject, ""), "B3: %s", r.name)
		require.Equal(t, r.want, set.WhySubscribe(r.subject, "").Allowed, "why: %s", r.name)
	}
}

func TestSubscribeDenyMatchesTheSubscriptionsOwnTokens(t *testing.T) {
	type row struct {
		name, deny, subject string
		want                bool
	}
	for _, r := range []row{
		{"foo.bar leaves foo.* to the delivery", "foo.bar", "foo.*", true},
		{"foo.bar refuses foo.bar", "foo.bar", "foo.bar", false},
		{"foo.* refuses foo.>", "foo.*", "foo.>", false},
		{"foo.* refuses foo.*", "foo.*", "foo.*", false},
		{"foo.* refuses foo.bar", "foo.*", "foo.bar", false},
		{"foo.* leaves foo.bar.baz", "foo.*", "foo.bar.baz", true},
		{"foo.> refuses foo.*", "foo.>", "foo.*", false},
		{"foo.> leaves foo", "foo.>", "foo", true},
		{"* refuses >", "*", ">", false},
		{"foo.* leaves > to the delivery", "foo.*", ">", true},
		{"foo.> leaves > to the delivery", "foo.>", ">", true},
		{"*.> leaves > to the delivery", "*.>", ">", true},
		{"> refuses everything", ">", "foo.*", false},
		{"an entry for a queue leaves plain subscriptions", "foo q", "foo", true},
		{"an invalid entry is left out", "foo..bar", "foo", true},
	} {
		for _, allow := range [][]string{nil, list(">")} {
			set := subscribing(allow, list(r.deny))
			require.Equal(t, r.want, set.Subscribe(r.subject, ""), r.name)
			require.Equal(t, r.want, set.WhySubscribe(r.subject, "").Allowed, "why: %s", r.name)
		}
	}
}

func TestQueueSubscriptions(t *testing.T) {
	type row struct {
		name           string
		allow, deny    []string
		subject, queue string
		want           bool
	}
	for _, r := range []row{
		{"plain entry, plain subscription", list("foo"), nil, "foo", "", true},
		{"plain entry, any queue", list("foo"), nil, "foo", "q", true},
		{"queue entry, plain subscription", list("foo v1"), nil, "foo", "", false},
		{"queue entry, its queue", list("foo v1"), nil, "foo", "v1", true},
		{"queue entry, another queue", list("foo v1"), nil, "foo", "v2", false},
		{"both entries, plain subscription", list("foo", "foo v1"), nil, "foo", "", true},
		{"both entries, the queue", list("foo", "foo v1"), nil, "foo", "v1", true},
		{"both entries, another queue: plain is ignored", list("foo", "foo v1"), nil, "foo", "v2", false},
		{"a queue entry on another subject changes nothing", list("foo", "bar v1"), nil, "foo", "v2", true},
		{"two queue entries, the second", list("foo v1", "foo v2"), nil, "foo", "v2", true},
		{"queue pattern v1.*", list("foo v1.*"), nil, "foo", "v1.prod", true},
		{"queue pattern v1.*, one token more", list("foo v1.*"), nil, "foo", "v1.prod.eu", false},
		{"queue pattern v1.*, the same text", list("foo v1.*"), nil, "foo", "v1.*", true},
		{"queue pattern v1.*, a wider name", list("foo v1.*"), nil, "foo", "v1.>", false},
		{"queue pattern *", list("foo *"), nil, "foo", "q", true},
		{"queue pattern *, two tokens", list("foo *"), nil, "foo", "q.r", false},
		{"queue pattern >", list("foo >"), nil, "foo", "q.r", true},
		{"a queue name is no pattern", list("foo v1"), nil, "foo", "*", false},

		{"plain deny refuses every queue", nil, list("foo"), "foo", "q", false},
		{"queue deny refuses its queue", nil, list("foo q"), "foo", "q", false},
		{"queue deny leaves other queues", nil, list("foo q"), "foo", "r", true},
		{"queue deny leaves plain", nil, list("foo q"), "foo", "", true},
		{"queue deny by pattern", nil, list("foo v1.*"), "foo", "v1.prod", false},
		{"queue deny beats its allow", list("foo q"), list("foo q"), "foo", "q", false},
		{"queue deny on the subscription's own tokens", nil, list("foo.* q"), "foo.>", "q", false},
		{"queue deny that is narrower is for the delivery", nil, list("foo.bar q"), "foo.*", "q", true},

		{"the reserved queue, no lists", nil, nil, "foo", "_sys_", false},
		{"the reserved queue, allowed by name", list("foo _sys_"), nil, "foo", "_sys_", false},
		{"a queue like the reserved one", nil, nil, "foo", "_sys", true},
		{"a queue with an empty token", nil, nil, "foo", "q..r", false},
		{"a queue with a space", nil, nil, "foo", "q r", false},
		{"a queue with a line feed", nil, nil, "foo", "q\n", false},
		{"a queue with a tail in front", nil, nil, "foo", ">.q", false},
	} {
		set := subscribing(r.allow, r.deny)
		require.Equal(t, r.want, set.Subscribe(r.subject, r.queue), r.name)
		require.Equal(t, r.want, set.WhySubscribe(r.subject, r.queue).Allowed, "why: %s", r.name)
		if subject.Literal(r.subject) {
			require.Equal(t, r.want, set.Deliver(r.subject, r.queue), "deliver: %s", r.name)
		}
	}
}

func TestB3QueueCovers(t *testing.T) {
	type row struct {
		name           string
		allow          []string
		subject, queue string
		want           bool
	}
	for _, r := range []row{
		{"a queue entry covers its pattern", list("foo.* q"), "foo.*", "q", true},
		{"and no wider one", list("foo.* q"), "foo.>", "q", false},
		{"plain and queue entries add up", list("*", "*.> q"), ">", "q", true},
		{"for plain subscriptions they do not", list("*", "*.> q"), ">", "", false},
		{"an entry for another queue takes its subjects away", list(">", "foo.bar other"), "foo.*", "q", false},
		{"unless one for the queue covers them too", list(">", "foo.bar other", "foo.* q"), "foo.*", "q", true},
		{"the same for the tail of everything", list(">", "foo.bar other", "foo.* q"), ">", "q", true},
		{"unless it does not overlap", list(">", "bar.* other"), "foo.*", "q", true},
		{"a plain subscription loses nothing to queue entries", list(">", "foo.bar other"), "foo.*", "", true},
		{"an overlap with a tail", list(">", "foo.> other", "foo.* q"), "foo.>", "q", false},
		{"an overlap with a tail, covered in two pieces", list(">", "foo.> other", "foo.* q", "foo.*.> q"), "foo.>", "q", true},
		{"an overlap across", list(">", "*.bar other", "foo.bar q"), "foo.*", "q", true},
		{"an overlap across that is wider", list(">", "*.bar other", "foo.bar q"), "*.*", "q", false},
	} {
		set := subscribing(r.allow, nil)
		require.Equal(t, r.want, set.Subscribe(r.subject, r.queue), r.name)
		require.Equal(t, r.want, set.WhySubscribe(r.subject, r.queue).Allowed, "why: %s", r.name)
	}
}

func TestDeliver(t *testing.T) {
	type row struct {
		name           string
		allow, deny    []string
		subject, queue string
		want           bool
	}
	for _, r := range []row{
		{"no lists", nil, nil, "foo.bar", "", true},
		{"allowed", list("foo.*"), nil, "foo.bar", "", true},
		{"not allowed any more", list("foo.*"), nil, "foo.bar.baz", "", false},
		{"denied within what is subscribed", list("foo.>"), list("foo.secret"), "foo.secret", "", false},
		{"denied for this queue", nil, list("foo.secret q"), "foo.secret", "q", false},
		{"denied for another queue", nil, list("foo.secret q"), "foo.secret", "r", true},
		{"denied for a queue, delivered to none", nil, list("foo.secret q"), "foo.secret", "", true},
		{"a wildcard in the subject is a token", nil, list("foo.bar"), "foo.*", "", true},
		{"a tail in front is a token", nil, list("*.foo"), ">.foo", "", false},
		{"empty token", nil, nil, "foo..bar", "", false},
		{"empty", nil, nil, "", "", false},
		{"line feed", nil, nil, "foo\n", "", false},
		{"invalid queue", nil, nil, "foo", "q..r", false},
		{"reserved queue", nil, nil, "foo", "_sys_", false},
	} {
		set := subscribing(r.allow, r.deny)
		require.Equal(t, r.want, set.Deliver(r.subject, r.queue), r.name)
		require.Equal(t, r.want, set.WhyDeliver(r.subject, r.queue).Allowed, "why: %s", r.name)
	}
}

// TestCompileCopies requires that a Set keeps to the rules that it was made of.
func TestCompileCopies(t *testing.T) {
	allow := list("foo", "bar")
	set := publishing(allow, nil)
	allow[0], allow[1] = "x", "y"
	require.True(t, set.Publish("foo"))
	require.False(t, set.Publish("x"))
	require.Equal(t, list("bar", "foo"), set.Spec().Publish.Allow)
}

func TestSpecOfASetKeepsWhatWasWritten(t *testing.T) {
	set := subject.Compile(subject.Spec{
		Publish:   subject.Rules{Allow: list("b", "a", "b", "a..b")},
		Subscribe: subject.Rules{Deny: list("foo  q", "", "foo q")},
		Closed:    true,
	})
	require.Equal(t, subject.Spec{
		Publish:   subject.Rules{Allow: list("a", "a..b", "b")},
		Subscribe: subject.Rules{Deny: list("", "foo  q", "foo q")},
		Closed:    true,
	}, set.Spec())
}

func TestDigestCountsEveryField(t *testing.T) {
	full := func() subject.Spec {
		return subject.Spec{
			Publish:   subject.Rules{Allow: list("a", "b"), Deny: list("c")},
			Subscribe: subject.Rules{Allow: list("d"), Deny: list("e")},
		}
	}
	for name, change := range map[string]func(*subject.Spec){
		"publish allow":              func(s *subject.Spec) { s.Publish.Allow = list("a") },
		"publish deny":               func(s *subject.Spec) { s.Publish.Deny = nil },
		"subscribe allow":            func(s *subject.Spec) { s.Subscribe.Allow = list("D") },
		"subscribe deny":             func(s *subject.Spec) { s.Subscribe.Deny = list("e", "f") },
		"closed":                     func(s *subject.Spec) { s.Closed = true },
		"an entry that is not valid": func(s *subject.Spec) { s.Publish.Deny = list("c", "") },
		"two entries run together":   func(s *subject.Spec) { s.Publish.Allow = list("ab") },
		"an entry in another list":   func(s *subject.Spec) { s.Publish.Allow, s.Publish.Deny = list("a"), list("b", "c") },
		"the lists of the other kind": func(s *subject.Spec) {
			s.Publish, s.Subscribe = s.Subscribe, s.Publish
		},
	} {
		other := full()
		change(&other)
		require.NotEqual(t, full().Digest(), other.Digest(), name)
	}
	cut, elsewhere := full(), full()
	cut.Publish.Allow, elsewhere.Publish.Allow = list("ab", "c"), list("a", "bc")
	require.NotEqual(t, cut.Digest(), elsewhere.Digest())
	same := full()
	same.Publish.Allow = list("b", "a", "a")
	require.Equal(t, full().Digest(), same.Digest())
	require.Equal(t, subject.Spec{}.Digest(), subject.Spec{Publish: subject.Rules{Allow: list()}}.Digest())
}

// alternatives are all subjects of n tokens that are each `a` or `*`.
func alternatives(n int) []string {
	return literals([]string{"a", "*"}, n)[1<<n-2:]
}

// TestRulesThatAllAgree would not end if a walk tried one way to a place after
// the other: 8,192 rules share no more than 16,384 places.
func TestRulesThatAllAgree(t *testing.T) {
	rules := alternatives(13)
	require.Len(t, rules, 8192)
	var ends []string
	for _, r := range rules {
		ends = append(ends, r+".z", r+".z q")
	}
	set := subject.Compile(subject.Spec{
		Publish:   subject.Rules{Allow: ends},
		Subscribe: subject.Rules{Allow: ends, Deny: ends},
	})
	as := strings.Repeat("a.", 13)
	require.True(t, set.Publish(as+"z"))
	require.False(t, set.Publish(as+"y"))
	require.False(t, set.Publish(strings.Repeat(strings.Repeat("a", 5_000)+".", 13)+"y"))
	require.False(t, set.Deliver(as+"y", "q"))
	require.False(t, set.Subscribe(as+">", ""))
	require.False(t, set.Subscribe(as+"*", "r"))
	require.False(t, set.Subscribe(strings.Repeat("*.", 13)+"z", "r"))
}

func TestHugeRulesAndSubjects(t *testing.T) {
	long := strings.Repeat("a.", 30_000)
	set := subject.Compile(subject.Spec{
		Publish:   subject.Rules{Allow: list(long+"b", long+"*.c", "x.>"), Deny: list(long + "d.*")},
		Subscribe: subject.Rules{Allow: list(strings.Repeat("*.", 30_000)+">", long+"b q"), Deny: list(long + "no")},
	})
	require.True(t, set.Publish(long+"b"))
	require.True(t, set.Publish("x."+long+"b"))
	require.True(t, set.Publish(long+"b.c"))
	require.False(t, set.Publish(long+"c"))
	require.False(t, set.Publish(long+"d.c"))
	require.False(t, set.Publish(long+"b.c.d"))
	require.True(t, set.Subscribe(long+"b", ""))
	require.True(t, set.Subscribe(long+">", ""))
	require.False(t, set.Subscribe(long+">", "r"))
	require.False(t, set.Subscribe(">", ""))
	require.False(t, set.Subscribe(long+"no", ""))
	require.True(t, set.Deliver(long+"b", "q"))
	require.False(t, set.Deliver(long+"b", "r"))
}

// TestB3LongRulesAddUp has a cover that takes more lengths than fit a word.
func TestB3LongRulesAddUp(t *testing.T) {
	var allow []string
	for n := range 100 {
		allow = append(allow, strings.Repeat("*.", n)+"*")
	}
	tail := strings.Repeat("*.", 100) + ">"
	require.False(t, subscribing(allow, nil).Subscribe(">", ""))
	require.True(t, subscribing(append(list(tail), allow...), nil).Subscribe(">", ""))
	for _, missing := range []int{0, 62, 63, 64, 65, 99} {
		less := append(list(tail), allow[:missing]...)
		less = append(less, allow[missing+1:]...)
		set := subscribing(less, nil)
		require.False(t, set.Subscribe(">", ""), missing)
		require.Equal(t, missing, strings.Count(set.WhySubscribe(">", "").Example, "."))
	}
}

func TestASetServesManyGoroutines(t *testing.T) {
	set := subject.Compile(manyRules(100))
	var group sync.WaitGroup
	for i := range 4 {
		group.Go(func() {
			for j := range 200 {
				n := (i*37 + j) % 100
				if !set.Publish(fmt.Sprintf("app.%d.orders.x", n)) || set.Deliver(fmt.Sprintf("app.%d.no", n), "") {
					t.Error("wrong answer")
				}
				set.Subscribe(fmt.Sprintf("app.%d.*.done", n), "workers.x")
			}
		})
	}
	group.Wait()
}

// TestB18CoverGivesUp: rules that are made to be slow to compare with a wildcard
// subscription refuse it, rather than hold everybody up; and a few thousand
// entries for other queues that are not are compared.
func TestB18CoverGivesUp(t *testing.T) {
	const k, n = 12, 8000
	var slow []string
	for i := range 1 << k {
		tokens := make([]string, 0, k+1)
		for bit := range k {
			tokens = append(tokens, string("a*"[i>>bit&1]))
		}
		slow = append(slow, strings.Join(append(tokens, "y"), ".")+" w")
	}
	for i := range n {
		slow = append(slow, strings.Repeat("a.", k)+fmt.Sprintf("z%d q", i))
	}
	slow = append(slow, strings.Repeat("a.", k)+"> v")
	s := subject.Compile(subject.Spec{Subscribe: subject.Rules{Allow: slow}})
	require.False(t, s.Subscribe(strings.Repeat("a.", k)+"*", "w"))
	require.False(t, s.WhySubscribe(strings.Repeat("a.", k)+"*", "w").Allowed)

	many := []string{"jobs.> w"}
	for i := range n {
		many = append(many, fmt.Sprintf("jobs.%d other", i))
	}
	s = subject.Compile(subject.Spec{Subscribe: subject.Rules{Allow: many}})
	require.True(t, s.Subscribe("jobs.*", "w"))
	require.False(t, s.Subscribe("jobs.*", "x"))
}
