package claims_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/natsauth/natsauth/claims"
)

// The model of Activate: subjects are sets of short literals, and every cause is looked for on its own, so that
// neither the algebra nor the order of the steps is shared with what it judges.

// words are all literals of up to four tokens; nothing names the token z.
var words = func() [][]string {
	var all [][]string
	last := [][]string{{}}
	for range 4 {
		var next [][]string
		for _, w := range last {
			for _, token := range []string{"a", "b", "A0", "A3", "z"} {
				next = append(next, append(slices.Clone(w), token))
			}
		}
		all, last = append(all, next...), next
	}
	return all
}()

// drawn are the subjects that the property draws: of up to three tokens.
var drawn = []string{
	"a", "b", "*", ">", "a.b", "a.a", "a.*", "a.>", "*.b", "*.*", "*.>", "A0.b", "A3.b", "a.A0", "a.A3", "a.*.b", "a.A0.b", "a.b.>", "*.*.>", "*.b.*", "a.*.>",
}

// sets are the words that each subject of drawn matches.
var sets = func() map[string][]bool {
	out := map[string][]bool{}
	for _, s := range drawn {
		for _, w := range words {
			out[s] = append(out[s], holds(strings.Split(s, "."), w))
		}
	}
	return out
}()

func holds(pattern, word []string) bool {
	switch {
	case len(pattern) == 0 || len(word) == 0:
		return len(pattern) == len(word)
	case pattern[0] == ">":
		return true
	default:
		return (pattern[0] == "*" || pattern[0] == word[0]) && holds(pattern[1:], word[1:])
	}
}

// within says whether every word of a is one of b.
func within(a, b string) bool {
	for n, in := range sets[a] {
		if in && !sets[b][n] {
			return false
		}
	}
	return true
}

// rank spells a subject so that the more specific of two comes first.
func rank(s string) string {
	var out []string
	for t := range strings.SplitSeq(s, ".") {
		switch t {
		case "*":
			t = "1"
		case ">":
			t = "2"
		default:
			t = "0"
		}
		out = append(out, t)
	}
	return strings.Join(out, "")
}

// causes are all that speak against a question: none, and it is allowed.
func causes(l *leave) []error {
	if l.in.Account != l.exporter.Key {
		return []error{claims.ErrExporter}
	}
	s := l.in.Subject
	if l.in.Kind == claims.Service && l.in.To != "" {
		s = l.in.To
	}
	var matching []claims.Export
	for _, e := range l.exporter.Exports {
		if e.Kind == l.in.Kind && within(s, e.Subject) {
			matching = append(matching, e)
		}
	}
	if len(matching) == 0 {
		return []error{claims.ErrNotExported}
	}
	slices.SortStableFunc(matching, func(a, b claims.Export) int { return strings.Compare(rank(a.Subject), rank(b.Subject)) })
	e, tokens := matching[0], strings.Split(s, ".")
	switch {
	case e.AccountTokenPosition > 0 && e.AccountTokenPosition <= len(tokens) && tokens[e.AccountTokenPosition-1] == l.importer:
		return nil
	case e.AccountTokenPosition > 0:
		return []error{claims.ErrPosition}
	case !e.TokenRequired:
		return nil
	case l.in.Activation == nil:
		return []error{claims.ErrNoActivation}
	}
	return against(l, s, e)
}

func against(l *leave, s string, e claims.Export) []error {
	a := l.in.Activation
	var out []error
	add := func(wrong bool, class error) {
		if wrong {
			out = append(out, class)
		}
	}
	_, listed := l.exporter.SigningKeys[a.Issuer]
	named, own := a.IssuerAccount == l.exporter.Key, a.Issuer == l.exporter.Key
	switch {
	case own && (named || a.IssuerAccount == ""):
		add(l.strict, claims.ErrActivationIdentity)
	default:
		add(!named || !listed, claims.ErrActivationIssuer)
	}
	now := l.now.Unix()
	byKey, keyed := e.Revocations[l.importer]
	byAll, all := e.Revocations["*"]
	add(a.Key != l.importer, claims.ErrActivationImporter)
	add(a.Kind != l.in.Kind, claims.ErrActivationKind)
	add(!within(s, a.Subject), claims.ErrActivationSubject)
	add(a.NotBefore > now, claims.ErrActivationEarly)
	add(a.Expires != 0 && a.Expires <= now, claims.ErrActivationExpired)
	add(keyed && byKey >= a.IssuedAt || all && byAll >= a.IssuedAt, claims.ErrActivationRevoked)
	return out
}

// mostly draws the first of a few values two times out of three.
func mostly[T any](r *rapid.T, name string, values ...T) T {
	if rapid.IntRange(0, 2).Draw(r, name+"?") > 0 {
		return values[0]
	}
	return rapid.SampledFrom(values).Draw(r, name)
}

var subjects = rapid.SampledFrom(drawn)

func drawLeave(r *rapid.T) *leave {
	now := int64(1000)
	l := &leave{
		importer: mostly(r, "importer", "A0", "A3"), now: time.Unix(now, 0), strict: rapid.Bool().Draw(r, "strict"),
		exporter: &claims.Account{Header: claims.Header{Key: "A1"}, SigningKeys: map[string]*claims.Scope{}},
	}
	for _, k := range rapid.SliceOfN(rapid.SampledFrom([]string{"A1", "A2", "A3"}), 0, 3).Draw(r, "signing keys") {
		l.exporter.SigningKeys[k] = nil
	}
	for range rapid.IntRange(1, 5).Draw(r, "exports") {
		l.exporter.Exports = append(l.exporter.Exports, drawExport(r))
	}
	s := subjects.Draw(r, "subject")
	l.in = claims.Import{
		Account: mostly(r, "account", "A1", "A1", "A1", "A3"), Subject: s,
		Kind: mostly(r, "kind", claims.Stream, claims.Service), To: rapid.SampledFrom([]string{"", "a", "a.b", "A0.b", ">"}).Draw(r, "to"),
	}
	if mostly(r, "activation", true, false) {
		l.act = &claims.Activation{
			Header: claims.Header{
				Key: mostly(r, "sub", "A0", "A3"), Issuer: mostly(r, "iss", "A1", "A2", "A3"), IssuedAt: rapid.Int64Range(0, 3).Draw(r, "iat"),
				Window: claims.Window{NotBefore: mostly(r, "nbf", 0, now-1, now, now+1), Expires: mostly(r, "exp", 0, now-1, now, now+1, now+2)},
			},
			Kind: mostly(r, "activation's kind", l.in.Kind, claims.Stream, claims.Service), Subject: mostly(r, "activated", ">", s, subjects.Draw(r, "other")),
			IssuerAccount: mostly(r, "issuer account", "", "A1", "A3"),
		}
		if l.act.Issuer != "A1" {
			l.act.IssuerAccount = mostly(r, "issuer account", "A1", "", "A3")
		}
		l.in.Activation = l.act
	}
	return l
}

func drawExport(r *rapid.T) claims.Export {
	e := claims.Export{Subject: subjects.Draw(r, "exported"), Kind: mostly(r, "kind", claims.Stream, claims.Service), TokenRequired: mostly(r, "token", true, false)}
	if strings.Contains(e.Subject, "*") {
		e.AccountTokenPosition = mostly(r, "position", 0, 1+slices.Index(strings.Split(e.Subject, "."), "*"))
	}
	for _, k := range rapid.SliceOfN(rapid.SampledFrom([]string{"A0", "A3", "*"}), 0, 1).Draw(r, "revoked") {
		e.Revocations = map[string]int64{k: rapid.Int64Range(0, 2).Draw(r, "at")}
	}
	return e
}

// Activate allows what nothing speaks against, and the cause that it gives is one.
func TestActivateAgreesWithTheModel(t *testing.T) {
	given := map[error]int{}
	rapid.Check(t, func(r *rapid.T) {
		for range 400 { // so that each cause comes up in a short run too
			l := drawLeave(r)
			want := causes(l)
			until, err := l.ask()
			if len(want) == 0 {
				require.NoError(r, err)
				require.True(r, until.IsZero() || l.act != nil && until.Unix() == l.act.Expires && until.After(l.now))
				given[nil]++
				continue
			}
			require.Zero(r, until)
			var ae *claims.ActivationError
			require.ErrorAs(r, err, &ae)
			require.Contains(r, want, ae.Class)
			given[ae.Class]++
		}
	})
	for _, class := range append([]error{nil}, refusals...) {
		require.Positive(t, given[class], "%v of %v", class, given)
	}
}

// More leave is never less: an activation is taken away, ended or revoked, and nothing is allowed that was not.
func TestActivateIsMonotone(t *testing.T) {
	asked := 0
	rapid.Check(t, func(r *rapid.T) {
		for range 40 {
			l := drawLeave(r)
			if _, err := l.ask(); err == nil {
				continue
			}
			asked++
			l.strict = true
			if l.act != nil {
				l.act.Expires = mostly(r, "ends", 1, l.act.Expires)
			}
			for n := range l.exporter.Exports {
				l.exporter.Exports[n].Revocations = map[string]int64{"*": math.MaxInt64}
			}
			delete(l.exporter.SigningKeys, mostly(r, "withdrawn", "A2", "A1", "A3"))
			_, err := l.ask()
			require.Error(r, err)
		}
	})
	require.Greater(t, asked, enough())
}

// FuzzActivate takes any text for a subject or a key, and any number for a time: no panic, an answer or an error, and
// nothing that jwt/v2 would not let an import name.
func FuzzActivate(f *testing.F) {
	accepted := 0
	add := func(q question) {
		f.Add(q.issuer, q.importer, q.subject, q.to, q.one, q.other, q.activated, q.flags, q.position, q.iat, q.nbf, q.exp, q.revoked, q.now)
		if q.hold(f) {
			accepted++
		}
	}
	for _, s := range []string{"", "a", "a.b", "a.*", "a.>", ">", "*", "a..b", ".", "a b", "a.\n", "*a", "é.*"} {
		for flags := range uint8(32) {
			add(question{"A1", "A0", s, "", "a.*", "a.>", "a.>", flags, 0, 5, 0, 9, 4, 7})
			add(question{"A1", "A0", s, s, s, ">", s, flags + 16, int(flags&7) - 2, -1, 1, math.MaxInt64, math.MinInt64, 7})
		}
	}
	require.Greater(f, accepted, 50)
	f.Fuzz(func(t *testing.T, issuer, importer, s, to, one, other, activated string, flags uint8, position int, iat, nbf, exp, revoked, now int64) {
		question{issuer, importer, s, to, one, other, activated, flags, position, iat, nbf, exp, revoked, now}.hold(t)
	})
}

// question is what the fuzzer makes up.
type question struct {
	issuer, importer, subject, to, one, other, activated string

	flags                       uint8 // bit 0: one asks for an activation; 1: so does other; 2: strict; from 4: the kind
	position                    int   // of one
	iat, nbf, exp, revoked, now int64
}

func (q question) flag(n int) bool { return q.flags>>n&1 == 1 }

func (q question) leave() *leave {
	kind := claims.Kind(q.flags >> 4 & 3)
	exporter := &claims.Account{Header: claims.Header{Key: "A1"}, SigningKeys: map[string]*claims.Scope{"A2": nil}, Exports: []claims.Export{
		{Subject: q.one, Kind: kind, TokenRequired: q.flag(0), AccountTokenPosition: q.position},
		{Subject: q.other, Kind: kind, TokenRequired: q.flag(1), Revocations: map[string]int64{q.importer: q.revoked}},
	}}
	in := claims.Import{Account: "A1", Subject: q.subject, To: q.to, Kind: kind, Activation: &claims.Activation{
		Header: claims.Header{Key: "A0", Issuer: q.issuer, IssuedAt: q.iat, Window: claims.Window{NotBefore: q.nbf, Expires: q.exp}},
		Kind:   kind, Subject: q.activated,
	}}
	return &leave{in: in, act: in.Activation, importer: q.importer, exporter: exporter, strict: q.flag(2), now: time.Unix(q.now, 0)}
}

// hold holds the answer to what is promised, and says whether it was yes.
func (q question) hold(t testing.TB) bool {
	if q.now < -1<<40 || q.now > 1<<40 {
		return false // no clock says so
	}
	l := q.leave()
	until, err := l.ask()
	if err != nil {
		var ae *claims.ActivationError
		require.True(t, errors.As(err, &ae) && slices.Contains(refusals, ae.Class))
		require.LessOrEqual(t, len(err.Error()), 700)
		require.Zero(t, until)
		return false
	}
	there := jwt.Subject(l.in.ExportedSubject())
	require.True(t, there.IsContainedIn(jwt.Subject(q.one)) || there.IsContainedIn(jwt.Subject(q.other)))
	if !until.IsZero() {
		require.True(t, until.After(l.now))
		require.True(t, there.IsContainedIn(jwt.Subject(q.activated)))
		require.Equal(t, []string{"A0", "A1"}, []string{q.importer, q.issuer})
	}
	return true
}
