package auth_test

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/auth/authtest"
	"github.com/natsauth/natsauth/claims"
	"github.com/natsauth/natsauth/nonce"
	"github.com/natsauth/natsauth/resolver"
)

// stage is a broker whose account, trust, clock and upstream a test changes while
// sessions live. It is noon of [authtest.Now], and tokens are an hour old.
type stage struct {
	*auth.Authorizer
	t        *testing.T
	clock    *clock
	operator *authtest.Operator
	account  *authtest.Account // as it was at first; its signing keys sign the users
	key      string            // the account's
	upstream *asked
	trust    auth.Trust
	nonce    string // of the session that is renewed
}

func newStage(t *testing.T, operator, account []authtest.Option, configs ...func(*auth.Config)) *stage {
	t.Helper()
	s := &stage{t: t, clock: &clock{now: authtest.Now()}, upstream: &asked{}, nonce: nonce.New()}
	s.operator = authtest.NewOperator(t, operator...)
	s.account = s.operator.Account("A", account...)
	s.key = s.account.PublicKey()
	s.upstream.answer = gives(s.account.Token())
	s.trust = auth.Trust{Operators: []string{s.operator.Token()}}
	configs = slices.Concat([]func(*auth.Config){s.clock.use, s.upstream.use}, configs, []func(*auth.Config){
		func(c *auth.Config) { s.trust = c.Trust },
	})
	s.Authorizer = authtest.Authorizer(t, s.operator, nil, configs...)
	return s
}

// token is a token of the account, issued now.
func (s *stage) token(opts ...authtest.Option) string {
	return s.operator.Account("A", append([]authtest.Option{authtest.IssuedAt(s.clock.read())}, opts...)...).Token()
}

// apply pushes a token of the account that has these options and no others.
func (s *stage) apply(opts ...authtest.Option) auth.Report {
	s.t.Helper()
	r, err := s.Apply(s.t.Context(), s.token(opts...), resolver.Push)
	require.NoError(s.t, err)
	return r
}

// retrust changes the trust set; with no edit it is another one of the same content,
// by which everybody is judged again.
func (s *stage) retrust(edits ...func(*auth.Trust)) auth.Report {
	s.t.Helper()
	for _, edit := range edits {
		edit(&s.trust)
	}
	r, err := s.SetTrust(s.t.Context(), s.trust)
	require.NoError(s.t, err)
	return r
}

func (s *stage) connect(c auth.Credentials) *auth.Session {
	s.t.Helper()
	session, err := s.Connect(s.t.Context(), c)
	require.NoError(s.t, err)
	return session
}

// user makes a user of the account as it was at first.
func (s *stage) user(opts ...authtest.Option) auth.Credentials {
	return s.account.User("u", opts...).Credentials(nonce.New())
}

// guest makes the credentials of a client for a nonce.
type guest func(s *stage, nonce string) auth.Credentials

// user is a guest that answers well, with a token of these options.
func user(opts ...authtest.Option) guest {
	return func(s *stage, nonce string) auth.Credentials { return s.account.User("u", opts...).Credentials(nonce) }
}

// but is a guest that does something else.
func (c guest) but(edit func(*stage, *auth.Credentials)) guest {
	return func(s *stage, nonce string) auth.Credentials {
		out := c(s, nonce)
		edit(s, &out)
		return out
	}
}

// shows is a guest with another token.
func shows(token func(s *stage, good string) string) guest {
	return user().but(func(s *stage, c *auth.Credentials) { c.JWT = token(s, c.JWT) })
}

// The paths on which a decision is made.
const (
	byConnect    = "connect"
	byRenew      = "renew"
	byReevaluate = "re-evaluate"
	byExplain    = "explain"
)

var everyPath = []string{byConnect, byRenew, byReevaluate, byExplain}

// meeting is one way to meet a reason on several paths.
type meeting struct {
	name     string
	reason   auth.Reason
	config   func(*auth.Config)
	operator []authtest.Option
	account  []authtest.Option // at first
	good     guest             // whose session is renewed, and lives on; nil: a plain user
	bad      guest             // who meets the reason; nil: a plain user
	change   func(*stage)      // from then on the reason holds for bad; nil: it always has
	notice   func(*stage)      // has the live sessions judged, where change has not
	everyone bool              // good is no better than bad, after the change
	wire     string            // of the live session's end; empty: the constant sentence
	never    map[string]string // path -> why it cannot meet the reason
}

const violation = "Authorization Violation"

// What keeps a reason from a path.
const (
	wasRead    = "the token of a live session was read and does not change"
	hasShown   = "what a live session has shown is not asked for again"
	asksNobody = "nobody is asked for the account: it is judged as it is"
	keepsPlace = "a session keeps its place among the account's connections"
	onlyLive   = "it is about a change while a session lives"
	nobodys    = "it is the answer to an administrator, of a trust set that changes nothing"
)

// lookedUp is a meeting in which the account's time is over and upstream has an answer.
func lookedUp(reason auth.Reason, answer func(*stage) func(context.Context, string) (string, error)) meeting {
	return meeting{
		name: "looked up again", reason: reason, everyone: true,
		account: []authtest.Option{authtest.Expires(authtest.Now().Add(time.Hour))},
		change: func(s *stage) {
			s.clock.advance(time.Hour)
			s.upstream.answer = answer(s)
		},
		never: map[string]string{byReevaluate: asksNobody},
	}
}

// rescoped is a meeting in which the scope of the user's signing key changes.
func rescoped(reason auth.Reason, before, after []authtest.Option, own ...authtest.Option) meeting {
	return meeting{
		name: "of a scope", reason: reason,
		account: []authtest.Option{authtest.Scope("sk", before...)},
		bad:     user(append([]authtest.Option{authtest.SignedBy("sk")}, own...)...),
		change:  func(s *stage) { s.apply(authtest.Scope("sk", after...)) },
	}
}

func list(opts ...authtest.Option) []authtest.Option { return opts }

func never(why string, paths ...string) map[string]string {
	out := make(map[string]string)
	for _, p := range paths {
		out[p] = why
	}
	return out
}

func (m meeting) with(edit func(*meeting)) meeting {
	edit(&m)
	return m
}

// sweep is the timer: whoever has looked an account up has put it off a little.
func sweep(s *stage) {
	s.clock.advance(1)
	s.Sweep()
}

func retrust(s *stage) { s.retrust() }

func later(d time.Duration) func(*stage) { return func(s *stage) { s.clock.advance(d) } }

func proxyPair(name string) nkeys.KeyPair { return authtest.Key(nkeys.PrefixByteUser, "proxy "+name) }

func proxyText(name string) string {
	key, err := proxyPair(name).PublicKey()
	if err != nil {
		panic(err)
	}
	return key
}

// meetings has a row for every Reason, or several.
func meetings() []meeting {
	now := authtest.Now()
	var out []meeting
	for _, rows := range [][]meeting{tokenMeetings(now), possessionMeetings(), accountMeetings(now), signerMeetings(), restrictionMeetings(now), brokerMeetings()} {
		out = append(out, rows...)
	}
	return out
}

func tokenMeetings(now time.Time) []meeting {
	shown := func(reason auth.Reason, bad guest) meeting {
		return meeting{name: "shown", reason: reason, bad: bad, never: never(wasRead, byReevaluate)}
	}
	tampered := func(_ *stage, good string) string { return good[:len(good)-4] + "AAAA" }
	return []meeting{
		{
			name: "the sentinel goes", reason: auth.TokenMissing,
			config: func(c *auth.Config) {
				c.Trust.Sentinel = authtest.NewOperator(nopTB{}).Account("A").User("sentinel", authtest.Bearer()).Token()
			},
			bad:    shows(func(*stage, string) string { return "" }),
			change: func(s *stage) { s.retrust(func(t *auth.Trust) { t.Sentinel = "" }) },
		},
		shown(auth.TokenTooLarge, user(authtest.Name(strings.Repeat("n", 2000)))).with(func(m *meeting) {
			m.config = func(c *auth.Config) { c.Bounds.TokenBytes = 1500 }
		}),
		shown(auth.TokenMalformed, shows(func(*stage, string) string { return "token" })),
		shown(auth.TokenKind, shows(func(s *stage, _ string) string { return s.account.Token() })),
		shown(auth.TokenSignature, shows(tampered)),
		shown(auth.TokenInvalid, user(authtest.PubAllow("orders..new"))),
		{
			name: "the clock is set back", reason: auth.UserNotYet,
			bad: user(authtest.NotBefore(now.Add(-time.Minute))), change: later(-2 * time.Minute), notice: retrust,
		},
		{
			name: "by the timer", reason: auth.UserExpired, wire: "User Authentication Expired",
			bad: user(authtest.Expires(now.Add(time.Hour))), change: later(time.Hour), notice: sweep,
		},
		{
			name: "by an update", reason: auth.UserExpired, wire: "User Authentication Expired",
			bad: user(authtest.Expires(now.Add(time.Hour))), change: later(time.Hour), notice: retrust,
		},
	}
}

func possessionMeetings() []meeting {
	signs := func(reason auth.Reason, edit func(*stage, *auth.Credentials)) meeting {
		return meeting{name: "shown", reason: reason, bad: user().but(edit), never: never(hasShown, byReevaluate)}
	}
	unsigned := func(_ *stage, c *auth.Credentials) { c.Signature = "" }
	return []meeting{
		signs(auth.NonceMissing, func(_ *stage, c *auth.Credentials) { c.Nonce = "" }).with(func(m *meeting) {
			m.good = user(authtest.Bearer()).but(func(_ *stage, c *auth.Credentials) { c.Nonce, c.Signature = "", "" })
		}),
		signs(auth.SignatureMissing, unsigned).with(func(m *meeting) { m.never = nil }).with(func(m *meeting) {
			m.account = list(authtest.Scope("sk", authtest.Bearer()))
			m.bad = user(authtest.SignedBy("sk")).but(unsigned)
			m.change = func(s *stage) { s.apply(authtest.Scope("sk")) }
		}),
		signs(auth.SignatureMalformed, func(_ *stage, c *auth.Credentials) { c.Signature = "!signed!" }),
		signs(auth.SignatureWrong, func(s *stage, c *auth.Credentials) {
			c.Signature = authtest.SignNonce(s.account.User("other").Key(), c.Nonce)
		}),
	}
}

func accountMeetings(now time.Time) []meeting {
	answers := func(token func(*stage) string) func(*stage) func(context.Context, string) (string, error) {
		return func(s *stage) func(context.Context, string) (string, error) { return gives(token(s)) }
	}
	failing := func(err error) func(*stage) func(context.Context, string) (string, error) {
		return func(*stage) func(context.Context, string) (string, error) { return fails(err) }
	}
	hour := now.Add(time.Hour)
	closes := func(c *auth.Config) { c.OperatorExpiryCloses = true }
	byTrust := func(name string, reason auth.Reason, edit func(*stage, *auth.Trust)) meeting {
		return meeting{name: name, reason: reason, everyone: true, change: func(s *stage) {
			s.retrust(func(t *auth.Trust) { edit(s, t) })
		}}
	}
	return []meeting{
		byTrust("others are pinned", auth.AccountNotPinned, func(s *stage, t *auth.Trust) {
			t.PinnedAccounts = []string{s.operator.Account("B").PublicKey()}
		}),
		lookedUp(auth.AccountNotFound, failing(resolver.ErrNotFound)),
		lookedUp(auth.AccountUnavailable, failing(resolver.ErrUnavailable)),
		lookedUp(auth.AccountBusy, hang).with(func(m *meeting) { m.config = func(c *auth.Config) { c.Bounds.Lookups = 1 } }),
		lookedUp(auth.AccountInvalid, answers(func(*stage) string { return "account" })),
		lookedUp(auth.AccountMismatch, answers(func(s *stage) string { return s.operator.Account("B").Token() })),
		lookedUp(auth.AccountRollback, answers(func(s *stage) string {
			return s.operator.Account("A", authtest.IssuedAt(now.Add(-2*time.Hour))).Token()
		})),
		lookedUp(auth.AccountAhead, answers(func(s *stage) string {
			return s.operator.Account("A", authtest.IssuedAt(s.clock.read().Add(6*time.Minute))).Token()
		})).with(func(m *meeting) { m.never = nil; m.name = "looked up again, and the clock is set back" }).with(func(m *meeting) {
			m.notice = func(s *stage) { s.clock.advance(-24 * time.Hour); s.retrust() }
		}),
		{
			name: "the clock is set back", reason: auth.AccountAhead, everyone: true,
			change: func(s *stage) { s.clock.advance(-2 * time.Hour); s.retrust() },
		},
		byTrust("another operator", auth.AccountUntrusted, func(s *stage, t *auth.Trust) {
			t.Operators = []string{authtest.NewOperator(s.t, authtest.From("other")).Token()}
		}),
		lookedUp(auth.AccountUntrusted, answers(func(s *stage) string {
			return s.operator.Account("A", authtest.SignedByKey(authtest.Key(nkeys.PrefixByteOperator, "stranger"))).Token()
		})),
		{
			name: "the clock is set back", reason: auth.AccountNotYet, everyone: true,
			account: list(authtest.NotBefore(now.Add(-time.Minute))), change: later(-2 * time.Minute), notice: retrust,
		},
		{
			name: "by the timer", reason: auth.AccountExpired, everyone: true, wire: "Account Authentication Expired",
			account: list(authtest.Expires(hour)), change: later(time.Hour), notice: sweep,
		},
		{
			name: "by an update", reason: auth.AccountExpired, everyone: true, wire: "Account Authentication Expired",
			account: list(authtest.Expires(hour)), change: later(time.Hour), notice: retrust,
		},
		{
			name: "the clock is set back", reason: auth.OperatorNotYet, everyone: true, config: closes,
			operator: list(authtest.NotBefore(now.Add(-time.Minute))), change: later(-2 * time.Minute), notice: retrust,
		},
		{
			name: "by the timer", reason: auth.OperatorExpired, everyone: true, config: closes, wire: "Account Authentication Expired",
			operator: list(authtest.Expires(hour)), change: later(time.Hour), notice: sweep,
		},
		{
			name: "by an update", reason: auth.OperatorExpired, everyone: true, config: closes, wire: "Account Authentication Expired",
			operator: list(authtest.Expires(hour)), change: later(time.Hour), notice: retrust,
		},
	}
}

// hang is an upstream that is busy with another account, and stays so.
func hang(s *stage) func(context.Context, string) (string, error) {
	asked := make(chan struct{})
	s.upstream.answer = func(ctx context.Context, _ string) (string, error) {
		close(asked)
		<-ctx.Done()
		return "", ctx.Err()
	}
	done := make(chan error, 1)
	go func() {
		_, err := s.Account(context.Background(), s.operator.Account("B").PublicKey())
		done <- err
	}()
	select {
	case <-asked:
	case err := <-done:
		require.Fail(s.t, "the account was not looked up", "%v", err)
	}
	return s.upstream.answer
}

func signerMeetings() []meeting {
	scoped := func(opts ...authtest.Option) []authtest.Option { return opts }
	return []meeting{
		{
			name: "the key is removed", reason: auth.SignerUnknown,
			account: list(authtest.SigningKey("sk")), bad: user(authtest.SignedBy("sk")), change: func(s *stage) { s.apply() },
		},
		{
			name: "the scoped key is removed", reason: auth.SignerUnknown,
			account: list(authtest.Scope("sk")), bad: user(authtest.SignedBy("sk")), change: func(s *stage) { s.apply() },
		},
		{
			name: "the operator becomes strict", reason: auth.SignerIdentity,
			operator: list(authtest.SigningKeys("osk")), account: list(authtest.SignedBy("osk"), authtest.SigningKey("sk")),
			good: user(authtest.SignedBy("sk")),
			change: func(s *stage) {
				strict := authtest.NewOperator(s.t, authtest.SigningKeys("osk"), authtest.Strict())
				s.retrust(func(t *auth.Trust) { t.Operators = []string{strict.Token()} })
			},
		},
		rescoped(auth.ScopeConflict, nil, nil, authtest.PubAllow("a")).with(func(m *meeting) {
			m.name, m.account = "the key gets a scope", list(authtest.SigningKey("sk"))
		}),
		rescoped(auth.ScopeTemplate, nil, scoped(authtest.PubDeny("t.{{tag(team)}}.x"))),
		rescoped(auth.ScopeValue, nil, scoped(authtest.PubAllow("u.{{name()}}")), authtest.Name("a*b")),
	}
}

func restrictionMeetings(now time.Time) []meeting {
	via := func(_ *stage, c *auth.Credentials) { c.ProxySignature = authtest.SignNonce(proxyPair("far"), c.Nonce) }
	early, late := authtest.IssuedAt(now.Add(-2*time.Hour)), authtest.IssuedAt(now.Add(-time.Hour))
	revoked := func(name, who string) meeting {
		return meeting{
			name: name, reason: auth.UserRevoked, wire: "User Authentication Revoked", good: user(late), bad: user(early),
			change: func(s *stage) { s.apply(authtest.Revoke(who, now.Add(-2*time.Hour))) },
		}
	}
	hours := user(authtest.Times("11:00:00", "13:00:00"), authtest.Locale("UTC"))
	leaf := user().but(func(_ *stage, c *auth.Credentials) { c.ConnectionType = auth.LeafNode })
	full := "maximum account active connections exceeded"
	return []meeting{
		{
			name: "the proxy goes", reason: auth.ProxyUntrusted, bad: user().but(via),
			config: func(c *auth.Config) { c.Trust.Proxies = []string{proxyText("near"), proxyText("far")} },
			change: func(s *stage) { s.retrust(func(t *auth.Trust) { t.Proxies = t.Proxies[:1] }) },
			never:  never("the connection is the same, and its proxy is judged when the trust set changes", byRenew),
		},
		rescoped(auth.ProxyRequired, nil, list(authtest.ProxyRequired())).with(func(m *meeting) {
			m.config = func(c *auth.Config) { c.Trust.Proxies = []string{proxyText("near")} }
		}),
		{
			name: "no proxy is left", reason: auth.ProxyRequired, bad: user(authtest.ProxyRequired()).but(via),
			config: func(c *auth.Config) { c.Trust.Proxies = []string{proxyText("far")} },
			change: func(s *stage) { s.retrust(func(t *auth.Trust) { t.Proxies = nil }) },
		},
		{
			name: "of a token", reason: auth.BearerDisallowed, bad: user(authtest.Bearer()),
			change: func(s *stage) { s.apply(authtest.DisallowBearer()) },
		},
		rescoped(auth.BearerDisallowed, list(authtest.Bearer()), nil).with(func(m *meeting) {
			m.change = func(s *stage) { s.apply(authtest.Scope("sk", authtest.Bearer()), authtest.DisallowBearer()) }
		}),
		rescoped(auth.TypeDisallowed, nil, list(authtest.ConnectionTypes("MQTT"))),
		revoked("by key", "u"),
		revoked("by everybody's", "*"),
		rescoped(auth.SourceDisallowed, nil, list(authtest.Sources("10.0.0.0/8"))),
		{
			name: "by the timer", reason: auth.OutsideTimes, wire: "User Authentication Expired",
			bad: hours, change: later(time.Hour), notice: sweep,
		},
		{
			name: "by an update", reason: auth.OutsideTimes, wire: "User Authentication Expired",
			bad: hours, change: later(time.Hour), notice: retrust,
		},
		rescoped(auth.OutsideTimes, nil, list(authtest.Times("13:00:00", "14:00:00"), authtest.Locale("UTC"))).with(func(m *meeting) {
			m.wire = "User Authentication Expired"
		}),
		{
			name: "from now on", reason: auth.ExternalRequired, everyone: true,
			change: func(s *stage) { s.apply(authtest.CalloutUsers("service")) },
		},
		{
			name: "the limit is lowered", reason: auth.ConnectionsExceeded, everyone: true, wire: full,
			change: func(s *stage) { s.apply(authtest.MaxConnections(1)) },
			never:  never(keepsPlace, byRenew),
		},
		{
			name: "another node has one", reason: auth.LeafNodesExceeded, everyone: true, wire: full, bad: leaf,
			account: list(authtest.MaxLeafNodes(1)),
			change:  func(s *stage) { s.SetRemote("n", s.key, auth.Counts{LeafNodes: 1}) },
			never:   never(keepsPlace, byRenew),
		},
	}
}

func brokerMeetings() []meeting {
	return []meeting{
		{
			name: "closed by its broker", reason: auth.SessionClosed, everyone: true,
			change: func(s *stage) { s.CloseSessions(auth.Filter{Account: s.key}, "maintenance") },
			never:  never(onlyLive, byConnect, byExplain),
		},
		{
			name: "all closed", reason: auth.AuthorizerClosed, everyone: true,
			change: func(s *stage) { require.NoError(s.t, s.Close()) },
		},
		{
			name: "removed", reason: auth.AccountRemoved, everyone: true, wire: "Account Authentication Expired",
			change: func(s *stage) {
				_, err := s.Remove(s.t.Context(), s.key)
				require.NoError(s.t, err)
			},
		},
		{
			name: "nobody confirms it", reason: auth.AccountStale, everyone: true, wire: "Account Authentication Expired",
			config: func(c *auth.Config) { c.Refresh, c.MaxStale = time.Minute, time.Minute },
			change: func(s *stage) {
				s.upstream.answer = fails(resolver.ErrUnavailable)
				goStale(s)
			},
			never: never("the account is out of force then, and a look-up says why", byConnect, byExplain),
		},
		rescoped(auth.ScopeChanged, nil, list(authtest.PubAllow("a"))).with(func(m *meeting) {
			m.never = never(onlyLive, byConnect, byExplain, byRenew)
		}),
		{
			name: "another user's token", reason: auth.UserMismatch,
			bad:   func(s *stage, nonce string) auth.Credentials { return s.account.User("other").Credentials(nonce) },
			never: never("it is whoever its token says", byConnect, byExplain, byReevaluate),
		},
		{name: "none", reason: auth.TrustInvalid, never: never(nobodys, everyPath...)},
	}
}

// goStale passes the time until the account is out of force.
func goStale(s *stage) {
	require.Eventually(s.t, func() bool {
		s.clock.advance(time.Minute)
		s.Sweep()
		_, ok := s.InForce(s.key)
		return !ok
	}, 10*time.Second, time.Millisecond)
}

// nopTB is for options of a configuration, which are made before there is a test.
type nopTB struct{ testing.TB }

func (nopTB) Helper() {}

// TestB1SameVerdictOnEveryPath takes every Reason along every path that can meet it:
// whoever connects, whoever renews, whoever is connected already when things change,
// and whoever asks for an explanation gets the same one. Each row says why a path
// cannot; a Reason that is neither met nor excused on a path fails.
func TestB1SameVerdictOnEveryPath(t *testing.T) {
	met := make(map[auth.Reason]map[string]bool)
	excused := make(map[auth.Reason]map[string]bool)
	for _, r := range auth.Reasons() {
		met[r], excused[r] = make(map[string]bool), make(map[string]bool)
	}
	for _, m := range meetings() {
		for _, p := range everyPath {
			if why, ok := m.never[p]; ok {
				require.NotEmpty(t, why)
				excused[m.reason][p] = true
			} else {
				met[m.reason][p] = true
			}
		}
		t.Run(m.reason.String()+" "+m.name, func(t *testing.T) { m.run(t) })
	}
	for _, r := range auth.Reasons() {
		for _, p := range everyPath {
			require.True(t, met[r][p] || excused[r][p], "%v: no row says what becomes of it on the path %s", r, p)
		}
	}
}

func (m meeting) takes(path string) bool {
	_, ok := m.never[path]
	return !ok
}

func (m meeting) run(t *testing.T) {
	if m.reason == auth.TrustInvalid {
		return
	}
	if m.good == nil {
		m.good = user()
	}
	if m.bad == nil {
		m.bad = user()
	}
	var configs []func(*auth.Config)
	if m.config != nil {
		configs = append(configs, m.config)
	}
	s := newStage(t, m.operator, m.account, configs...)
	renewed := s.connect(m.good(s, s.nonce))
	var live *auth.Session
	if m.takes(byReevaluate) {
		x := s.Explain(t.Context(), m.bad(s, nonce.New()))
		require.Nil(t, x.Err, "before the change")
		live = s.connect(m.bad(s, nonce.New()))
	}
	if m.change != nil {
		m.change(s)
	}
	step := m.explained(s)
	m.renewed(s, renewed, step)
	m.connected(s, step)
	if live != nil {
		m.reevaluated(s, live, step)
	}
	if !m.everyone {
		require.NoError(t, renewed.Err())
		require.True(t, renewed.CanPublish("a"))
		s.connect(m.good(s, nonce.New())).Close()
	}
}

// explained gives the step that refuses, which is the same on the other paths.
func (m meeting) explained(s *stage) auth.Step {
	if !m.takes(byExplain) {
		return auth.StepNone
	}
	x := s.Explain(s.t.Context(), m.bad(s, nonce.New()))
	require.NotNil(s.t, x.Err, byExplain)
	require.Equal(s.t, m.reason, x.Err.Reason, byExplain)
	return x.Err.Step
}

// holding is what a session has.
type holding struct {
	rights  *auth.Rights
	limits  auth.Limits
	expires time.Time
	user    auth.Identity
}

func holds(s *auth.Session) holding { return holding{s.Rights(), s.Limits(), s.Expires(), s.User()} }

func (m meeting) renewed(s *stage, session *auth.Session, step auth.Step) {
	if !m.takes(byRenew) {
		return
	}
	before, ended := holds(session), session.Err() != nil
	c := m.bad(s, s.nonce)
	refusal := refusalOf(s.t, session.Renew(s.t.Context(), c.JWT, c.Signature))
	require.Equal(s.t, m.reason, refusal.Reason, byRenew)
	if ended {
		require.Equal(s.t, auth.StepLive, refusal.Step, "a session that has ended says why it has")
		return
	}
	if step != auth.StepNone {
		require.Equal(s.t, step, refusal.Step, byRenew)
	}
	if session.Err() == nil {
		require.Equal(s.t, before, holds(session), "the old decision stays")
	}
}

func (m meeting) connected(s *stage, step auth.Step) {
	if !m.takes(byConnect) {
		return
	}
	session, err := s.Connect(s.t.Context(), m.bad(s, nonce.New()))
	require.Nil(s.t, session)
	refusal := refusalOf(s.t, err)
	require.Equal(s.t, m.reason, refusal.Reason, byConnect)
	if refusal.Step != auth.StepNone {
		require.Equal(s.t, step, refusal.Step, byConnect)
	}
	require.Contains(s.t, []string{violation, "maximum account active connections exceeded"}, refusal.Wire())
}

func (m meeting) reevaluated(s *stage, session *auth.Session, step auth.Step) {
	if m.notice != nil {
		require.NoError(s.t, session.Err(), "nobody has noticed yet")
		m.notice(s)
	}
	require.Error(s.t, session.Err(), "still there: does compare in reevaluate.go know what the step reads?")
	end := refusalOf(s.t, session.Err())
	require.Equal(s.t, m.reason, end.Reason, byReevaluate)
	require.Equal(s.t, auth.StepLive, end.Step)
	if m.wire == "" {
		m.wire = violation
	}
	require.Equal(s.t, m.wire, end.Wire())
	require.False(s.t, session.CanPublish("a"))
	select {
	case <-session.Done():
	default:
		s.t.Error("nobody was told")
	}
	for _, f := range end.Evidence {
		if f.Name == "step" && step != auth.StepNone {
			require.Equal(s.t, step.String(), f.Value, "the step that refused")
		}
	}
}

func refusalOf(t *testing.T, err error) *auth.Error {
	t.Helper()
	var refusal *auth.Error
	require.ErrorAs(t, err, &refusal)
	return refusal
}

// TestB1SameGrantOnEveryPath: what a session may do, and until when, is the same
// whether it connected under the account as it is, lived through the change to it,
// or renewed; and an explanation says the same.
func TestB1SameGrantOnEveryPath(t *testing.T) {
	now := authtest.Now()
	type opts = []authtest.Option
	for _, row := range []struct {
		name          string
		before, after opts
		user          opts
	}{
		{"permissions of its own", nil, opts{authtest.DefaultPermissions(authtest.PubAllow("d"))}, opts{authtest.PubAllow("a"), authtest.SubDeny("b")}},
		{"default permissions", opts{authtest.DefaultPermissions(authtest.PubAllow("d"))}, opts{authtest.DefaultPermissions(authtest.PubAllow("e"), authtest.SubAllow("f q"))}, nil},
		{"no default permissions any more", opts{authtest.DefaultPermissions(authtest.PubAllow("d"))}, nil, nil},
		{"responses", nil, opts{authtest.DefaultPermissions(authtest.Responses(3, time.Minute))}, nil},
		{"the account's limits", nil, opts{authtest.Limits(5, 1000)}, opts{authtest.Limits(7, 500)}},
		{"limits that are lifted", opts{authtest.Limits(5, 1000)}, nil, opts{authtest.Limits(7, 500)}},
		{"the account's end", nil, opts{authtest.Expires(now.Add(time.Hour))}, opts{authtest.Expires(now.Add(2 * time.Hour))}},
		{"an end of the account that is gone", opts{authtest.Expires(now.Add(time.Hour))}, nil, opts{authtest.Expires(now.Add(2 * time.Hour))}},
		{"a scope", opts{authtest.Scope("sk", authtest.PubAllow("a"))}, opts{authtest.Scope("sk", authtest.PubAllow("b"), authtest.Limits(2, 3))}, opts{authtest.SignedBy("sk")}},
		{"a scope's template", opts{authtest.Scope("sk")}, opts{authtest.Scope("sk", authtest.PubAllow("u.{{name()}}", "t.{{tag(team)}}", "a.{{account-tag(of)}}")), authtest.Tags("of:x")}, opts{authtest.SignedBy("sk"), authtest.Tags("team:1", "team:2")}},
		{"an account's tag in a template", opts{authtest.Scope("sk", authtest.PubAllow("a.{{account-tag(of)}}")), authtest.Tags("of:x")}, opts{authtest.Scope("sk", authtest.PubAllow("a.{{account-tag(of)}}")), authtest.Tags("of:y")}, opts{authtest.SignedBy("sk")}},
		{"an account's name in a template", opts{authtest.Scope("sk", authtest.PubAllow("a.{{account-name()}}"))}, opts{authtest.Scope("sk", authtest.PubAllow("a.{{account-name()}}")), authtest.Name("Z")}, opts{authtest.SignedBy("sk")}},
		{"a scope's hours", opts{authtest.Scope("sk")}, opts{authtest.Scope("sk", authtest.Times("11:00:00", "13:00:00"), authtest.Locale("UTC"))}, opts{authtest.SignedBy("sk")}},
		{"a scope's hours that are gone", opts{authtest.Scope("sk", authtest.Times("11:00:00", "13:00:00"), authtest.Locale("UTC"))}, opts{authtest.Scope("sk")}, opts{authtest.SignedBy("sk")}},
		{"a scope that makes bearers", opts{authtest.Scope("sk")}, opts{authtest.Scope("sk", authtest.Bearer())}, opts{authtest.SignedBy("sk")}},
		{"a scope that makes no bearers any more", opts{authtest.Scope("sk", authtest.Bearer())}, opts{authtest.Scope("sk")}, opts{authtest.SignedBy("sk")}},
		{"a scope's role", opts{authtest.Scope("sk")}, opts{role("sk", "other")}, opts{authtest.SignedBy("sk")}},
		{"a key that loses its scope", opts{authtest.Scope("sk", authtest.PubAllow("a"))}, opts{authtest.SigningKey("sk"), authtest.DefaultPermissions(authtest.PubAllow("d"))}, opts{authtest.SignedBy("sk")}},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newStage(t, nil, row.before, func(c *auth.Config) { c.KeepOnScopeChange = true })
			c := s.account.User("u", row.user...).Credentials(s.nonce)
			lived := s.connect(c)
			before := holds(lived)
			renewed := s.connect(s.account.User("u").Credentials(s.nonce))
			s.apply(row.after...)
			fresh := s.connect(c)
			want := holds(fresh)
			require.NoError(t, lived.Err())
			require.Equal(t, want, holds(lived), byReevaluate)
			require.Equal(t, fresh.Permissions(), lived.Permissions())
			require.NoError(t, renewed.Renew(t.Context(), c.JWT, c.Signature))
			require.Equal(t, want, holds(renewed), byRenew)
			x := s.Explain(t.Context(), c)
			require.Nil(t, x.Err)
			require.Equal(t, fresh.Permissions(), x.Permissions, byExplain)
			require.Equal(t, want.limits, x.Limits)
			require.True(t, want.expires.Equal(x.Expires))
			require.Equal(t, want.user, x.User)
			if row.name != "permissions of its own" {
				require.NotEqual(t, before, want, "the change was one")
			}
		})
	}
}

// role gives a scoped signing key another text for people.
func role(name, text string) authtest.Option {
	pair := authtest.Key(nkeys.PrefixByteAccount, "O/A#"+name)
	key, err := pair.PublicKey()
	if err != nil {
		panic(fmt.Sprintf("a signing key without a public key: %v", err))
	}
	return authtest.Edit(func(c *jwt.AccountClaims) {
		scope := jwt.NewUserScope()
		scope.Key, scope.Role, scope.Description = key, text, text
		c.SigningKeys.AddScopedSigner(scope)
	})
}

// TestPathsAreOfOneHost: the source, the way and the client of a live session are
// those that it connected with, on every path.
func TestPathsAreOfOneHost(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil, list(authtest.Scope("sk", authtest.Sources("192.0.2.0/24"), authtest.ConnectionTypes("WEBSOCKET"))))
	from := func(c auth.Credentials) auth.Credentials {
		c.Source, c.ConnectionType, c.Client.ID = netip.MustParseAddr("192.0.2.7"), auth.WebSocket, "7"
		return c
	}
	c := from(s.account.User("u", authtest.SignedBy("sk")).Credentials(s.nonce))
	session := s.connect(c)
	require.NoError(t, session.Renew(t.Context(), c.JWT, c.Signature))
	s.retrust()
	require.NoError(t, session.Err())
	require.Equal(t, "7", session.Client().ID)
	require.Equal(t, c.Source, session.Source())
	require.EqualValues(t, claims.Unlimited, session.Limits().Payload)
	r := s.apply(authtest.Scope("sk", authtest.Sources("192.0.2.0/28"), authtest.ConnectionTypes("WEBSOCKET", "MQTT")))
	require.Equal(t, auth.ScopeChanged, r.Closed[0].Err.Reason, "it fits the new scope, which is another")
	session = s.connect(c)
	r = s.apply(authtest.Scope("sk", authtest.Sources("192.0.2.8/32"), authtest.ConnectionTypes("WEBSOCKET")))
	require.Equal(t, auth.SourceDisallowed, r.Closed[0].Err.Reason)
	require.Equal(t, "7", r.Closed[0].Client)
	require.Error(t, session.Err())
}
