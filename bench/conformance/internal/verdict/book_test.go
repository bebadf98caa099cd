package verdict_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/bench/conformance/internal/verdict"
)

const (
	violation = "login: -ERR 'Authorization Violation'"
	entered   = "login: admitted"
)

// TestJudge has a row for every claim, and beside it what the claim does not
// answer for.
func TestJudge(t *testing.T) {
	in, out := []string{entered}, []string{violation}
	for _, c := range []struct {
		name         string
		facts        verdict.Facts
		theirs, ours []string
		want         string // the claim; "-" is none
	}{
		{"the same", verdict.Facts{}, in, in, ""},
		{"the same, though a claim would hold", verdict.Facts{AtEnd: true}, in, in, ""},
		{"refused, nothing known", verdict.Facts{}, in, out, "-"},
		{"a value with a wildcard", verdict.Facts{TemplateValues: []string{"a", "x*"}}, in, out, "B2"},
		{"a value with white space", verdict.Facts{TemplateValues: []string{"x y"}}, in, out, "B2"},
		{"plain values", verdict.Facts{TemplateValues: []string{"a", "b"}}, in, out, "-"},
		{"a value with a wildcard, admitted", verdict.Facts{TemplateValues: []string{"*"}}, out, in, "-"},
		{"wider than the rules", verdict.Facts{Wide: true}, in, out, "B3"},
		{"issued ahead", verdict.Facts{AccountAhead: 5*time.Minute + 1}, in, out, "B4"},
		{"issued not too far ahead", verdict.Facts{AccountAhead: 5 * time.Minute}, in, out, "-"},
		{"told of a refusal", verdict.Facts{Refusal: true}, []string{"x", "who: $G"}, []string{"x", "who: A"}, "B8"},
		{"told something else of a refusal", verdict.Facts{Refusal: true}, []string{"x", "who: $G"}, []string{"y", "who: A"}, "-"},
		{"told more often of a refusal", verdict.Facts{Refusal: true}, []string{"who: $G"}, []string{"who: $G", "who: $G"}, "-"},
		{"more told of who asks", verdict.Facts{Shared: true}, []string{`{"acc":"A","jwt":"a token","user":"U"}`}, []string{`{"acc":"A","user":"U"}`}, "B8"},
		{"more told of who asks, and somebody else", verdict.Facts{Shared: true}, []string{`{"acc":"A","jwt":"a token","user":"U"}`}, []string{`{"acc":"A","user":"V"}`}, "-"},
		{"only an account told, and a token", verdict.Facts{}, []string{`{"acc":"A","jwt":"a token","user":"U"}`}, []string{`{"acc":"A","user":"U"}`}, "-"},
		{"imports that overlap, less", verdict.Facts{Overlaps: true}, []string{"x", "x", "y"}, []string{"x", "y"}, "B10"},
		{"imports that overlap, nothing", verdict.Facts{Overlaps: true}, []string{"x"}, []string{`inbox: in 1 "" 503 map[]`}, "B10"},
		{"imports that overlap, more", verdict.Facts{Overlaps: true}, []string{"x"}, []string{"x", "x"}, "-"},
		{"imports that overlap, something else", verdict.Facts{Overlaps: true}, []string{"x"}, []string{"z"}, "-"},
		{"imports that come together again", verdict.Facts{Tangled: true}, []string{"x"}, []string{"z"}, "B10"},
		{"imports that neither overlap nor come together", verdict.Facts{}, []string{"x", "x"}, []string{"x"}, "-"},
		{"account not yet", verdict.Facts{AccountNotYet: true}, in, out, "B11"},
		{"the last second", verdict.Facts{AtEnd: true}, in, out, "B11"},
		{"before all time", verdict.Facts{EndNegative: true}, in, out, "B11"},
		{"the last second, admitted", verdict.Facts{AtEnd: true}, out, in, "-"},
		{"operator over", verdict.Facts{OperatorExpired: true}, in, out, "B12"},
		{"again, and still there", verdict.Facts{Again: true}, in, []string{entered, "kept: MSG a 1 0"}, "B16"},
		{"again, and gone", verdict.Facts{Again: true}, in, out, "-"},
		{"a subject of another kind", verdict.Facts{SubjectNoUser: true}, in, out, "B19"},
		{"a name of its own", verdict.Facts{Styled: true}, []string{"userinfo: MSG joe"}, []string{"userinfo: MSG U"}, "B20"},
		{"a name of its own, refused", verdict.Facts{Styled: true}, in, out, "-"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b verdict.Book
			left := b.Judge(verdict.Difference{Client: "c", Facts: c.facts, Reference: c.theirs, Ours: c.ours})
			require.Equal(t, c.want == "-", left != nil)
			if c.want == "" || c.want == "-" {
				require.Empty(t, b.Used())
				return
			}
			require.Equal(t, []string{c.want}, b.Used())
			require.NotContains(t, b.Stale(), c.want+" no longer differs")
		})
	}
}

// TestStale says of an empty book that nothing differs any more.
func TestStale(t *testing.T) {
	var b verdict.Book
	require.Contains(t, b.Stale(), "B2 no longer differs")
	var out bytes.Buffer
	b.Print(&out)
	require.Contains(t, out.String(), "B2       0")
}

// TestReport shows all that is needed to look into a difference.
func TestReport(t *testing.T) {
	d := verdict.Difference{Seed: 7, Again: "go test", Client: "c", Reference: []string{"r"}, Ours: []string{"o"}, World: "w"}
	require.Equal(t, "go test\nuniverse 7, client c, facts ", d.String()[:len("go test\nuniverse 7, client c, facts ")])
	require.Contains(t, d.String(), "reference:\n  r\nours:\n  o\nw")
}

func TestSentencesCannotBeRead(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.json")
	_, err := verdict.Sentences(file)
	require.Error(t, err)
	require.NoError(t, os.WriteFile(file, []byte("{"), 0o600))
	_, err = verdict.Sentences(file)
	require.Error(t, err)
}
