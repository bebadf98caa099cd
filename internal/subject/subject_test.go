package subject_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/internal/subject"
)

func TestWhatASubjectIs(t *testing.T) {
	type row struct {
		name, text           string
		valid, literal, wild bool
	}
	for _, r := range []row{
		{"one token", "foo", true, true, false},
		{"two tokens", "foo.bar", true, true, false},
		{"one byte", "a", true, true, false},
		{"star alone", "*", true, false, true},
		{"tail alone", ">", true, false, true},
		{"star first", "*.foo", true, false, true},
		{"star between", "foo.*.bar", true, false, true},
		{"star last", "foo.*", true, false, true},
		{"tail last", "foo.>", true, false, true},
		{"star and tail", "*.>", true, false, true},
		{"star inside a token is a byte", "foo*.b*r", true, true, false},
		{"tail inside a token is a byte", "foo>.b>", true, true, false},
		{"two stars are a token", "foo.**", true, true, false},
		{"beyond ASCII", "größe.\u00a0", true, true, false},
		{"a byte that is no UTF-8", "a.\xff", true, true, false},
		{"the byte after space", "!", true, true, false},
		{"the byte before DEL", "~", true, true, false},
		{"the byte after DEL", "\x80", true, true, false},
		{"empty", "", false, false, false},
		{"dot alone", ".", false, false, false},
		{"empty first token", ".foo", false, false, false},
		{"empty last token", "foo.", false, false, false},
		{"empty token between", "foo..bar", false, false, false},
		{"tail first", ">.foo", false, false, false},
		{"tail between", "foo.>.bar", false, false, false},
		{"two tails", ">.>", false, false, false},
		{"empty token after tail", ">.", false, false, false},
		{"space", "foo bar", false, false, false},
		{"space alone", " ", false, false, false},
		{"tab", "foo.\tbar", false, false, false},
		{"line feed", "foo\n", false, false, false},
		{"carriage return", "\rfoo", false, false, false},
		{"form feed", "foo.\f", false, false, false},
		{"vertical tab", "a\vb", false, false, false},
		{"null", "foo\x00", false, false, false},
		{"the byte before space", "foo.\x1f.bar", false, false, false},
		{"DEL", "foo.\x7f", false, false, false},
		{"star with a line feed", "*.\n", false, false, false},
	} {
		require.Equal(t, r.valid, subject.Valid(r.text), "Valid: %s", r.name)
		require.Equal(t, r.literal, subject.Literal(r.text), "Literal: %s", r.name)
		require.Equal(t, r.wild, subject.HasWildcard(r.text), "HasWildcard: %s", r.name)
	}
}

func TestMatchTakesTheSubjectLiterally(t *testing.T) {
	type row struct {
		pattern, subject string
		want             bool
	}
	for _, r := range []row{
		{"foo", "foo", true},
		{"foo", "bar", false},
		{"foo", "fo", false},
		{"foo", "fooo", false},
		{"foo", "foo.bar", false},
		{"foo.bar", "foo", false},
		{"*", "foo", true},
		{"*", "foo.bar", false},
		{"*.bar", "foo.bar", true},
		{"*.bar", "foo.baz", false},
		{">", "foo", true},
		{">", "foo.bar.baz", true},
		{"foo.>", "foo", false},
		{"foo.>", "foo.a", true},
		{"foo.>", "foo.a.b", true},
		{"foo.*", "foo.*", true},
		{"foo.*", "foo.>", true},
		{"foo.bar", "foo.*", false},
		{"foo.bar", "foo.>", false},
		{"*.foo", ">.foo", true},
		{">", ">", true},
		{"*", "*", true},
		{"foo.b*", "foo.b*", true},
		{"foo.b*", "foo.bar", false},
		{"foo>.b", "foo>.b", true},
		{"foo>.b", "foox.c", false},
		{">", "", false},
		{">", ".", false},
		{">", "foo.", false},
		{">", ".foo", false},
		{">", "foo..bar", false},
		{"foo.*.bar", "foo..bar", false},
		{">", "foo bar", false},
		{">", "foo\r\n", false},
		{"", "", false},
		{">.foo", ">.foo", false},
		{"foo..bar", "foo..bar", false},
	} {
		require.Equal(t, r.want, subject.Match(r.pattern, r.subject), "Match(%q, %q)", r.pattern, r.subject)
	}
}

func TestSubsetAndOverlap(t *testing.T) {
	type row struct {
		a, b            string
		subset, overlap bool
	}
	for _, r := range []row{
		{"foo", "foo", true, true},
		{"foo", "bar", false, false},
		{"foo", "*", true, true},
		{"*", "foo", false, true},
		{"foo.bar", "foo.*", true, true},
		{"foo.*", "foo.>", true, true},
		{"foo.>", "foo.*", false, true},
		{"foo", "foo.>", false, false},
		{"foo.>", "foo", false, false},
		{"foo.>", ">", true, true},
		{">", "foo.>", false, true},
		{">", "*", false, true},
		{"*", ">", true, true},
		{"*.>", ">", true, true},
		{">", "*.>", false, true},
		{"*.*", "*.>", true, true},
		{"*.bar", "foo.*", false, true},
		{"*.bar", "foo.baz", false, false},
		{"foo.*.baz", "foo.>", true, true},
		{"foo.>", "foo.*.baz", false, true},
		{"foo.>", "*.bar.>", false, true},
		{"foo.>", "bar.>", false, false},
		{"foo.*", "foo.*.*", false, false},
		{"", "", false, false},
		{"", ">", false, false},
		{"foo..bar", ">", false, false},
		{"foo", "foo..bar", false, false},
		{">.foo", ">", false, false},
		{"foo bar", ">", false, false},
	} {
		require.Equal(t, r.subset, subject.Subset(r.a, r.b), "Subset(%q, %q)", r.a, r.b)
		require.Equal(t, r.overlap, subject.Overlap(r.a, r.b), "Overlap(%q, %q)", r.a, r.b)
		require.Equal(t, r.overlap, subject.Overlap(r.b, r.a), "Overlap(%q, %q)", r.b, r.a)
	}
}

func TestSplitEntry(t *testing.T) {
	type row struct {
		entry, subject, queue string
		want                  bool
	}
	for _, r := range []row{
		{"foo", "foo", "", true},
		{"foo.* q", "foo.*", "q", true},
		{"foo v1.*", "foo", "v1.*", true},
		{"foo >", "foo", ">", true},
		{" foo  q ", "foo", "q", true},
		{"foo\tq", "foo", "q", true},
		{"foo\u00a0q", "foo", "q", true},
		{"", "", "", false},
		{" ", "", "", false},
		{"foo q r", "", "", false},
		{"foo..bar", "", "", false},
		{"foo..bar q", "", "", false},
		{"foo q..r", "", "", false},
		{"foo >.q", "", "", false},
		{"foo q\x00", "", "", false},
	} {
		s, q, ok := subject.SplitEntry(r.entry)
		require.Equal(t, r.want, ok, "%q", r.entry)
		require.Equal(t, [2]string{r.subject, r.queue}, [2]string{s, q}, "%q", r.entry)
	}
}

func TestHugeSubjects(t *testing.T) {
	long := strings.Repeat("a.", 30_000)
	require.True(t, subject.Literal(long+"a"))
	require.False(t, subject.Valid(long))
	require.True(t, subject.Match(long+"*", long+"a"))
	require.False(t, subject.Match(long+"*", long+"a.a"))
	require.True(t, subject.Subset(long+"a.a", long+">"))
	require.False(t, subject.Subset(long+">", long+"*"))
	require.True(t, subject.Overlap(long+">", strings.Repeat("*.", 30_000)+"b"))
}
