package subject_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/internal/subject"
)

// hostile are texts that no list of subjects should stumble over.
var hostile = []string{
	"", ".", "..", "foo", "foo.bar", "foo.*", "foo.>", ">", "*", ">.>", "*.>", ">.*", "foo..bar", "foo.\n", "foo bar",
	"\x00", "\x7f", "\xff\xfe", "foo.\u00a0q", strings.Repeat("a.", 40) + "b", strings.Repeat("*.", 40) + ">",
}

func FuzzValid(f *testing.F) {
	for _, s := range hostile {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		tokens := strings.Split(s, ".")
		want := true
		for i, token := range tokens {
			want = want && token != "" && (token != ">" || i == len(tokens)-1)
		}
		want = want && strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f }) < 0
		require.Equal(t, want, subject.Valid(s))
		require.Equal(t, want, subject.Literal(s) != subject.HasWildcard(s))
		require.False(t, !want && (subject.Literal(s) || subject.HasWildcard(s)))
		subj, queue, ok := subject.SplitEntry(s)
		require.Equal(t, ok, subject.Valid(subj))
		require.True(t, queue == "" || ok && subject.Valid(queue))
	})
}

func FuzzSubjects(f *testing.F) {
	for _, a := range hostile {
		for _, b := range hostile {
			f.Add(a, b)
		}
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		require.Equal(t, subject.Valid(a), subject.Subset(a, a))
		require.Equal(t, subject.Valid(a), subject.Overlap(a, a))
		require.Equal(t, subject.Overlap(a, b), subject.Overlap(b, a))
		if subject.Subset(a, b) {
			require.True(t, subject.Overlap(a, b))
			require.True(t, subject.Match(b, a))
		}
		if subject.Subset(a, b) && subject.Subset(b, a) {
			require.Equal(t, a, b)
		}
		if subject.Literal(a) {
			require.Equal(t, subject.Match(b, a), subject.Subset(a, b))
			require.Equal(t, subject.Match(b, a), subject.Overlap(a, b))
		}
		set := publishing(list(b, "other"), nil)
		require.Equal(t, subject.Match(b, a) || a == "other", set.Publish(a))
	})
}

// FuzzSet reads lines of `kind text`: an entry of one of the four lists, or a
// question.
func FuzzSet(f *testing.F) {
	f.Add("a foo.*\nd foo.bar\n? foo.bar\n? foo.*")
	f.Add("A foo.*\nA foo.> q\nD foo.x r\n? foo.>\n? foo.x")
	f.Add("A *\nA *.>\n? >\nA * v.*")
	for _, s := range hostile {
		f.Add("a " + s + "\nd " + s + "\nA " + s + "\nD " + s + "\n? " + s)
	}
	f.Fuzz(func(t *testing.T, script string) {
		var spec subject.Spec
		var questions []string
		for line := range strings.SplitSeq(script, "\n") {
			kind, text, _ := strings.Cut(line, " ")
			switch kind {
			case "a":
				spec.Publish.Allow = append(spec.Publish.Allow, text)
			case "d":
				spec.Publish.Deny = append(spec.Publish.Deny, text)
			case "A":
				spec.Subscribe.Allow = append(spec.Subscribe.Allow, text)
			case "D":
				spec.Subscribe.Deny = append(spec.Subscribe.Deny, text)
			case "c":
				spec.Closed = true
			default:
				questions = append(questions, text)
			}
		}
		set := subject.Compile(spec)
		require.Equal(t, spec.Digest(), set.Spec().Digest())
		for _, q := range questions {
			ask(t, set, q)
		}
	})
}

// ask requires of each question that the verdict and its reason agree, and that
// a subscription is allowed no more than its subject is.
func ask(t *testing.T, set *subject.Set, question string) {
	s, queue, _ := strings.Cut(question, " ")
	require.Equal(t, set.Publish(s), set.WhyPublish(s).Allowed)
	require.Equal(t, set.Deliver(s, queue), set.WhyDeliver(s, queue).Allowed)
	why := set.WhySubscribe(s, queue)
	require.Equal(t, set.Subscribe(s, queue), why.Allowed)
	if why.Allowed {
		require.True(t, set.Deliver(s, queue))
	}
	if why.Example != "" {
		require.True(t, subject.Match(s, why.Example))
		require.False(t, set.Deliver(why.Example, queue))
	}
}
