package auth_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	_ "time/tzdata" // locales, wherever the tests run

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/auth/authtest"
	"github.com/natsauth/natsauth/resolver"
)

const vectorFolder = "testdata/vectors"

func readVectors(t *testing.T) []*authtest.Vector {
	t.Helper()
	all, err := authtest.LoadVectors(os.DirFS(vectorFolder))
	require.NoError(t, err)
	return all
}

func byName(all []*authtest.Vector) map[string]*authtest.Vector {
	out := make(map[string]*authtest.Vector, len(all))
	for _, v := range all {
		out[v.File] = v
	}
	return out
}

// TestVectors decides every file in all the ways that lead to a decision, which
// must agree: cold, again, warm (the account in force and the token known from
// the twin), and explained.
func TestVectors(t *testing.T) {
	all := readVectors(t)
	byFile := byName(all)
	for _, v := range all {
		t.Run(v.File, func(t *testing.T) {
			t.Run("cold and again", func(t *testing.T) { vectorCold(t, v) })
			t.Run("explained first", func(t *testing.T) { vectorExplained(t, v) })
			if twin := byFile[v.Twin]; twin != nil && sameBroker(v.Differs) {
				t.Run("warm", func(t *testing.T) { vectorWarm(t, v, twin) })
			}
		})
	}
	entries, err := os.ReadDir(vectorFolder)
	require.NoError(t, err)
	for _, e := range entries {
		require.True(t, byFile[e.Name()] != nil || e.Name() == "README.md", "%s is not run", e.Name())
	}
}

// whileLive are the reasons of changes while sessions live, which no CONNECT meets.
var whileLive = []auth.Reason{
	auth.AccountRemoved, auth.AccountStale, auth.ScopeChanged, auth.UserMismatch, auth.TrustInvalid,
}

// TestVectorOfEveryReason fails for a Reason that no file asks for.
func TestVectorOfEveryReason(t *testing.T) {
	asked := make(map[auth.Reason]bool)
	for _, v := range readVectors(t) {
		asked[v.Reason], asked[v.Ended] = true, true
	}
	for _, r := range auth.Reasons() {
		require.True(t, asked[r] || slices.Contains(whileLive, r), "no vector has the reason %s", r)
	}
}

// broker is an Authorizer made for a vector, with a clock to set.
type broker struct {
	*auth.Authorizer
	now   atomic.Pointer[time.Time]
	asked atomic.Int64  // questions to store and resolver
	under chan struct{} // a question that nobody answers has arrived
}

// countingStore counts what a store is asked.
type countingStore struct {
	resolver.Store
	asked *atomic.Int64
}

func (s countingStore) Resolve(ctx context.Context, key string) (string, error) {
	s.asked.Add(1)
	return s.Store.Resolve(ctx, key)
}

// newBroker makes the broker that a vector describes, with its look-ups under way
// and its connections open.
func newBroker(t *testing.T, v *authtest.Vector) *broker {
	t.Helper()
	b := &broker{under: make(chan struct{}, len(v.Pending))}
	b.now.Store(&v.Now)
	c, err := v.Config()
	require.NoError(t, err)
	c.Clock = func() time.Time { return *b.now.Load() }
	inner := c.Resolver
	c.Resolver = resolver.Func(func(ctx context.Context, key string) (string, error) {
		b.asked.Add(1)
		if slices.Contains(v.Pending, key) {
			b.under <- struct{}{}
		}
		return inner.Resolve(ctx, key)
	})
	if c.Store != nil {
		c.Store = countingStore{c.Store, &b.asked}
	}
	b.Authorizer, err = auth.New(c)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	b.pend(t, v)
	b.connect(t, v)
	b.asked.Store(0)
	return b
}

// pend begins the look-ups that do not end before the broker is closed.
func (b *broker) pend(t *testing.T, v *authtest.Vector) {
	for _, key := range v.Pending {
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, err := b.Account(context.Background(), key)
			if err == nil {
				t.Error("a look-up that does not end has ended")
			}
		}()
		<-b.under
		t.Cleanup(func() {
			require.NoError(t, b.Close())
			<-done
		})
	}
}

// connect opens the connections that are there before the client comes.
func (b *broker) connect(t *testing.T, v *authtest.Vector) {
	t.Helper()
	for _, c := range v.Connected {
		for range c.N {
			client := v.Client
			client.ConnectionType, client.Internal = c.Type, false
			_, err := b.Connect(context.Background(), client)
			require.NoError(t, err, "a connection that is there before")
		}
	}
}

// vectorCold connects to a broker that has seen nobody, does it again, has both
// explained, and lets happen what happens then.
func vectorCold(t *testing.T, v *authtest.Vector) {
	b := newBroker(t, v)
	s := b.decide(t, v)
	if v.Asked != "" {
		require.Equal(t, v.Asked == "yes", b.asked.Load() > 0, "whether store or resolver was asked")
	}
	if s != nil {
		requireSession(t, v, s)
		s.Close()
		require.Error(t, s.Err())
	}
	b.explain(t, v)
	s = b.decide(t, v)
	if s == nil {
		return
	}
	requireEnd(t, v, b, s)
}

// vectorExplained asks for an explanation before anything else: it leaves nothing
// behind, and is right about what comes.
func vectorExplained(t *testing.T, v *authtest.Vector) {
	b := newBroker(t, v)
	inForce := func() []bool {
		var out []bool
		for _, a := range v.Accounts {
			_, ok := b.InForce(a.Key)
			out = append(out, ok)
		}
		return out
	}
	before := inForce()
	b.explain(t, v)
	require.Equal(t, before, inForce(), "an explanation puts nothing in force")
	if s := b.decide(t, v); s != nil {
		s.Close()
	}
}

// sameBroker says whether twins that differ in this may meet one broker, one
// after the other: its configuration and what it finds stay the same.
func sameBroker(differs string) bool {
	switch differs {
	case "now", "jwt", "password", "nonce", "signature", "proxy_signature", "connection_type", "source", "internal":
		return true
	default:
		return false
	}
}

// vectorWarm admits the twin first: its token is known then, and the account is
// in force. The verdict, reason and step are those of a cold start.
func vectorWarm(t *testing.T, v, twin *authtest.Vector) {
	b := newBroker(t, twin)
	if s := b.decide(t, twin); s != nil {
		s.Close()
	}
	known := b.Stats().TokenHits
	b.now.Store(&v.Now)
	require.Nil(t, b.decide(t, v))
	b.explain(t, v)
	if v.Differs != "jwt" && v.Differs != "password" && v.Step != auth.StepProxy.String() && v.Step != auth.StepToken.String() {
		require.Greater(t, b.Stats().TokenHits, known, "the token was known from the twin")
	}
}

// decide connects the client and holds the answer to the vector.
func (b *broker) decide(t *testing.T, v *authtest.Vector) *auth.Session {
	t.Helper()
	s, err := b.Connect(context.Background(), v.Client)
	if v.Reason == auth.ReasonNone {
		require.NoError(t, err)
		return s
	}
	require.Nil(t, s)
	var refusal *auth.Error
	require.ErrorAs(t, err, &refusal)
	require.Equal(t, v.Reason.String(), refusal.Reason.String(), "%v", refusal)
	require.Equal(t, v.Wire, refusal.Wire())
	require.Equal(t, v.Step, refusal.Step.String())
	requireSilent(t, v, refusal.Error(), logged(t, refusal), printed(refusal), asJSON(t, refusal))
	return nil
}

// explain holds an explanation to the vector, and to its promise to change
// nothing. Which grants are held depends on the garbage collector.
func (b *broker) explain(t *testing.T, v *authtest.Vector) {
	t.Helper()
	counts := func() auth.Stats {
		s := b.Stats()
		s.SharedGrants, s.SharedRights = 0, 0
		return s
	}
	before := counts()
	x := b.Explain(context.Background(), v.Client)
	require.Equal(t, before, counts(), "an explanation counts nothing")
	requireSilent(t, v, x.String(), printed(x), asJSON(t, x))
	if v.Reason == auth.ReasonNone {
		require.Nil(t, x.Err)
		require.Equal(t, v.User, x.User.Key)
		require.Equal(t, v.InAccount, x.User.Account)
		if v.PermissionsFrom != "" {
			require.Equal(t, v.PermissionsFrom, x.Source)
		}
		requireLimits(t, v, x.Limits, x.Expires)
		requireOutcomes(t, x, "")
		return
	}
	require.NotNil(t, x.Err, "admitted by the explanation")
	require.Equal(t, v.Reason.String(), x.Err.Reason.String(), "%v", x.Err)
	require.Equal(t, v.Step, x.Err.Step.String())
	requireOutcomes(t, x, x.Err.Step.String())
}

// requireLimits holds what bounds a session to the vector.
func requireLimits(t *testing.T, v *authtest.Vector, l auth.Limits, expires time.Time) {
	t.Helper()
	if v.Subscriptions != nil {
		require.Equal(t, *v.Subscriptions, l.Subscriptions)
	}
	if v.Payload != nil {
		require.Equal(t, *v.Payload, l.Payload)
	}
	if !v.Expires.IsZero() {
		require.True(t, v.Expires.Equal(expires), "expires %s", expires)
	}
}

// requireOutcomes wants every step told: those before the refusal passed or
// skipped, those after it not reached.
func requireOutcomes(t *testing.T, x auth.Explanation, refusing string) {
	t.Helper()
	reached := true
	for _, s := range x.Steps {
		switch {
		case s.Step.String() == refusing:
			require.Equal(t, auth.Refused, s.Outcome, "%s", s.Step)
			reached = false
		case reached:
			require.Contains(t, []auth.Outcome{auth.Passed, auth.Skipped}, s.Outcome, "%s", s.Step)
		default:
			require.Equal(t, auth.NotReached, s.Outcome, "%s", s.Step)
		}
	}
	require.Equal(t, refusing == "", reached, "the step that refuses is told")
}

// requireSession holds a session to the vector.
func requireSession(t *testing.T, v *authtest.Vector, s *auth.Session) {
	t.Helper()
	require.Equal(t, v.User, s.User().Key)
	require.Equal(t, v.InAccount, s.User().Account)
	require.Equal(t, v.InAccount, s.Account().Key())
	requireLimits(t, v, s.Limits(), s.Expires())
	for _, reply := range v.Delivered {
		s.Delivered(reply)
	}
	for _, want := range []struct {
		yes bool
		of  authtest.Questions
	}{{true, v.Allowed}, {false, v.Refused}} {
		requireAnswers(t, s, want.of, want.yes)
	}
}

// requireAnswers asks and asks why, which must be one.
func requireAnswers(t *testing.T, s *auth.Session, q authtest.Questions, want bool) {
	t.Helper()
	for _, subject := range q.Publish {
		require.Equal(t, want, s.WhyPublish(subject).Allowed, "publish %q: %s", subject, s.WhyPublish(subject))
		require.Equal(t, want, s.CanPublish(subject), "publish %q", subject)
	}
	for _, text := range q.Subscribe {
		subject, queue, _ := strings.Cut(text, " ")
		require.Equal(t, want, s.WhySubscribe(subject, queue).Allowed, "subscribe %q: %s", text, s.WhySubscribe(subject, queue))
		require.Equal(t, want, s.CanSubscribe(subject, queue), "subscribe %q", text)
	}
	for _, text := range q.Receive {
		subject, queue, _ := strings.Cut(text, " ")
		require.Equal(t, want, s.WhyDeliver(subject, queue).Allowed, "receive %q: %s", text, s.WhyDeliver(subject, queue))
		require.Equal(t, want, s.CanDeliver(subject, queue), "receive %q", text)
	}
}

// requireEnd lets happen what happens to the session, and holds its end to the
// vector.
func requireEnd(t *testing.T, v *authtest.Vector, b *broker, s *auth.Session) {
	t.Helper()
	switch v.Then.Do {
	case authtest.ActionSweep:
		b.now.Store(&v.Then.At)
		b.Sweep()
	case authtest.ActionClose:
		s.Close()
	case authtest.ActionCloseAll:
		require.NoError(t, b.Close())
		_, err := b.Connect(context.Background(), v.Client)
		require.Error(t, err, "nobody is admitted any more")
	}
	if v.Ended == auth.ReasonNone {
		require.NoError(t, s.Err())
		s.Close()
		return
	}
	var end *auth.Error
	require.ErrorAs(t, s.Err(), &end)
	require.Equal(t, v.Ended.String(), end.Reason.String())
	require.Equal(t, auth.StepLive, end.Step)
	require.Equal(t, v.EndedWire, end.Wire())
	requireSilent(t, v, end.Error(), logged(t, end), printed(end), asJSON(t, end))
	require.False(t, s.CanPublish("a") || s.CanSubscribe("a", "") || s.CanDeliver("a", ""), "a session that has ended answers no")
}

// requireSilent wants none of the vector's secrets in any text (B8).
func requireSilent(t *testing.T, v *authtest.Vector, texts ...string) {
	t.Helper()
	texts = append(texts, printed(v.Client), asJSON(t, v.Client))
	for _, secret := range secrets(v) {
		for _, text := range texts {
			require.False(t, strings.Contains(text, secret), "a secret of the vector in a text: %q", text)
		}
	}
}

// secrets are what nothing may show, whole tokens and their chunks alike.
func secrets(v *authtest.Vector) []string {
	c := v.Client
	whole := slices.Concat([]string{c.JWT, c.Password, c.Nonce, c.Signature, c.ProxySignature, v.Trust.Sentinel}, v.Trust.Operators, v.Stored)
	for _, a := range v.Accounts {
		whole = append(whole, a.Token)
	}
	var out []string
	for _, text := range whole {
		out = append(out, text)
		out = append(out, strings.Split(text, ".")...)
	}
	return slices.DeleteFunc(out, func(s string) bool { return len(s) < 7 })
}

func logged(t *testing.T, err *auth.Error) string {
	t.Helper()
	var b bytes.Buffer
	slog.New(slog.NewTextHandler(&b, nil)).Info("refused", "error", err, "value", err.LogValue())
	require.NotEmpty(t, b.String())
	return b.String()
}

// printed is a value in the formats that logs use, behind its pointer too.
func printed(v any) string {
	return fmt.Sprintf("%v %+v %#v %s", v, v, v, v)
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	require.NoError(t, err)
	return string(b)
}

// TestVectorTwins wants every refusing vector to have an accepting one that
// differs in the one field that it names, and tokens in one claim.
func TestVectorTwins(t *testing.T) {
	all := readVectors(t)
	byFile := byName(all)
	for _, v := range all {
		if v.Twin == "" {
			continue
		}
		twin := byFile[v.Twin]
		require.NotNil(t, twin, "the twin of %s", v.File)
		require.Equal(t, auth.ReasonNone, twin.Reason, "%s is no accepting twin of %s", v.Twin, v.File)
		require.Equal(t, auth.ReasonNone, twin.Ended, "%s is no accepting twin of %s", v.Twin, v.File)
		require.Equal(t, []string{v.Differs}, v.Diff(twin), "what %s differs in", v.File)
		requireOneClaim(t, v, twin)
	}
}

// requireOneClaim compares the values of the field in which twins differ: one of
// them differs, or is there or not, and if both are tokens one claim does.
func requireOneClaim(t *testing.T, v, twin *authtest.Vector) {
	t.Helper()
	a, b := v.Values(v.Differs), twin.Values(v.Differs)
	a, b = without(a, b), without(b, a)
	require.LessOrEqual(t, max(len(a), len(b)), 1, "%s differs in several values of %q", v.File, v.Differs)
	if len(a) != 1 || len(b) != 1 {
		return
	}
	one, other := lastWord(a[0]), lastWord(b[0])
	left, ok := decodeToken(one)
	right, also := decodeToken(other)
	if !ok || !also {
		return
	}
	paths := differingPaths("", left, right)
	require.LessOrEqual(t, len(paths), 1, "%s and its twin differ in several claims: %v", v.File, paths)
	require.NotEqual(t, one, other)
}

func without(list, of []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(of, s) })
}

func lastWord(text string) string { return text[strings.LastIndexByte(text, ' ')+1:] }

// decodeToken gives header and claims as JSON has them.
func decodeToken(token string) (any, bool) {
	chunks := strings.Split(token, ".")
	if len(chunks) != 3 {
		return nil, false
	}
	out := make(map[string]any)
	for i, name := range []string{"header", "claims"} {
		text, err := base64.RawURLEncoding.DecodeString(chunks[i])
		var part any
		if err != nil || json.Unmarshal(text, &part) != nil {
			return nil, false
		}
		out[name] = part
	}
	return out, true
}

// differingPaths names the places in which two JSON values differ. A list is one
// place, and so is an object that stands against something else.
func differingPaths(path string, a, b any) []string {
	left, okLeft := object(a)
	right, okRight := object(b)
	if !okLeft || !okRight {
		if reflect.DeepEqual(a, b) {
			return nil
		}
		return []string{path}
	}
	var out []string
	for key := range left {
		out = append(out, differingPaths(path+"."+key, left[key], right[key])...)
	}
	for key := range right {
		if _, both := left[key]; !both {
			out = append(out, differingPaths(path+"."+key, nil, right[key])...)
		}
	}
	return out
}

func object(v any) (map[string]any, bool) {
	m, ok := v.(map[string]any)
	return m, ok
}
