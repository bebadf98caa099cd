package verdict

import (
	"slices"
	"strings"
	"time"
)

// Facts are what is known of a case before a server is asked. The zero Facts claim
// nothing.
type Facts struct {
	// TemplateValues are the values that the template of the user's scope takes from
	// the tokens; B2.
	TemplateValues []string
	// Wide says that a subscription of the case is wider than what the rules allow of
	// it, as a brute force search found; B3.
	Wide bool
	// Refusal says that the case is what others are told of a refused client; B8.
	Refusal bool
	// AccountAhead is how far ahead of now the account's token was issued; B4.
	AccountAhead time.Duration
	// AccountNotYet says that the account's token is not valid yet; B11.
	AccountNotYet bool
	// AtEnd says that now is the second in which the user's token ends; B11.
	AtEnd bool
	// EndNegative says that the user's token ends before 1970; B11.
	EndNegative bool
	// SubjectNoUser says that the subject of the user's token is a key of another
	// kind, and the user a bearer, so that nothing else asks for the key; B19.
	SubjectNoUser bool
	// Styled says that the client gives itself a name beside its token's; B20.
	Styled bool
	// OperatorExpired says that the operator's token has expired; B12.
	OperatorExpired bool
	// Again says that the client shows a token a second time on its connection; B16.
	Again bool
	// Overlaps says that several imports of one account, by different names, have to do
	// with one message; B10.
	Overlaps bool
	// Tangled says that imports come together again in some account, or lead back to
	// their own; B10.
	Tangled bool
	// Shared says that the case is what an account is told of somebody in another one,
	// or in itself, and that more than the account is told; B8.
	Shared bool
}

// Claim is one rule by which ours differs. Holds says from the facts whether it
// shows; Shape, from what came back, whether this is how it shows.
type Claim struct {
	ID    string
	Holds func(Facts) bool
	Shape func(Difference) bool
}

// claims are the rules that show in a protocol that both servers speak, one for
// each line of testdata/known_differences.json.
var claims = []Claim{
	{"B2", func(f Facts) bool { return slices.ContainsFunc(f.TemplateValues, notLiteral) }, refusedByUs},
	{"B3", func(f Facts) bool { return f.Wide }, anyShape},
	{"B4", func(f Facts) bool { return f.AccountAhead > 5*time.Minute }, refusedByUs},
	{"B8", func(f Facts) bool { return f.Refusal || f.Shared }, either(onlyIn("who: "), withoutTokens)},
	{"B10", func(f Facts) bool { return f.Overlaps || f.Tangled }, func(d Difference) bool { return d.Facts.Tangled || lessByUs(d) }},
	{"B11", func(f Facts) bool { return f.AccountNotYet || f.AtEnd || f.EndNegative }, refusedByUs},
	{"B12", func(f Facts) bool { return f.OperatorExpired }, refusedByUs},
	{"B16", func(f Facts) bool { return f.Again }, keptByUs},
	{"B19", func(f Facts) bool { return f.SubjectNoUser }, refusedByUs},
	{"B20", func(f Facts) bool { return f.Styled }, onlyIn("userinfo: MSG ")},
}

// notLiteral says that a value is not literal text inside one subject token.
func notLiteral(value string) bool {
	return strings.ContainsFunc(value, func(r rune) bool { return strings.ContainsRune("*>.", r) || r <= ' ' || r == 0x7f })
}

// refusedByUs says that the answer to the case is that we refuse the connection.
func refusedByUs(d Difference) bool {
	return slices.ContainsFunc(d.Ours, func(l string) bool { return strings.HasSuffix(l, "-ERR 'Authorization Violation'") })
}

// keptByUs says that the connection still has its subscription with us.
func keptByUs(d Difference) bool {
	return slices.ContainsFunc(d.Ours, func(l string) bool { return strings.HasPrefix(l, "kept: MSG ") })
}

// onlyIn says that the transcripts differ in lines of one kind only.
func onlyIn(prefix string) func(Difference) bool {
	return func(d Difference) bool {
		if len(d.Reference) != len(d.Ours) {
			return false
		}
		for i, l := range d.Reference {
			if l != d.Ours[i] && !(strings.HasPrefix(l, prefix) && strings.HasPrefix(d.Ours[i], prefix)) {
				return false
			}
		}
		return true
	}
}

// either says that one of two shapes is there.
func either(a, b func(Difference) bool) func(Difference) bool {
	return func(d Difference) bool { return a(d) || b(d) }
}

// withoutTokens says that all that we leave out is the user's token.
func withoutTokens(d Difference) bool {
	return slices.EqualFunc(d.Reference, d.Ours, func(theirs, ours string) bool {
		return theirs == ours || strings.ReplaceAll(theirs, `"jwt":"a token",`, "") == ours
	})
}

// lessByUs says that everything that comes with us comes with the reference, too, but for
// the news that nothing does.
func lessByUs(d Difference) bool {
	left := map[string]int{}
	for _, l := range d.Reference {
		left[l]++
	}
	for _, l := range d.Ours {
		if left[l]--; left[l] < 0 && !strings.Contains(l, " 503 ") {
			return false
		}
	}
	return true
}

func anyShape(Difference) bool { return true }
