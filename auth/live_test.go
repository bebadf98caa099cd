package auth_test

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/auth/authtest"
	"github.com/natsauth/natsauth/nonce"
	"github.com/natsauth/natsauth/resolver"
)

// TestSessionsEqualFreshConnects draws histories of updates, removals, changes of
// trust, renewals, hours that pass and clients that come and go. After each step every
// session has what a fresh connect with the same credentials would get from an
// Authorizer that knows nothing but the present, or has ended for the reason for
// which that one refuses. The exceptions are in play.explains and play.excused.
//
// It draws 100 histories, 20 under -short, and what -rapid.checks says.
func TestSessionsEqualFreshConnects(t *testing.T) {
	s := newPlayhouse(t)
	for _, keep := range []bool{false, true} {
		t.Run(fmt.Sprintf("KeepOnScopeChange %v", keep), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) { newPlay(t, s, keep).run() })
		})
	}
}

// playhouse makes the tokens of a play: everything that does not depend on its history.
type playhouse struct {
	tb     testing.TB
	first  [4]*authtest.Operator // "O" in its variants
	second *authtest.Operator
	full   *authtest.Account // A with every key, for its users
	other  *authtest.Account // B, of the second operator
	users  map[casting]string
}

// The variants of the first operator.
const (
	withKey = iota
	withoutKey
	strict
	expiring
)

var proxies = [...]nkeys.KeyPair{
	authtest.Key(nkeys.PrefixByteServer, "proxy 1"), authtest.Key(nkeys.PrefixByteServer, "proxy 2"),
}

func newPlayhouse(t *testing.T) *playhouse {
	s := &playhouse{tb: t, users: make(map[casting]string)}
	s.first = [...]*authtest.Operator{
		withKey:    authtest.NewOperator(t, authtest.SigningKeys("os")),
		withoutKey: authtest.NewOperator(t),
		strict:     authtest.NewOperator(t, authtest.SigningKeys("os"), authtest.Strict()),
		expiring:   authtest.NewOperator(t, authtest.SigningKeys("os"), authtest.Expires(authtest.Now().Add(3*time.Hour))),
	}
	s.second = authtest.NewOperator(t, authtest.From("second"))
	s.full = s.first[withKey].Account("A", authtest.SigningKey("plain"), authtest.Scope("clerk"), authtest.Scope("guard"))
	s.other = s.second.Account("B")
	return s
}

// casting names one user token. The key is by the name alone.
type casting struct {
	name, role string
	late       bool // issued half an hour after the others
	elsewhere  bool // a user of the other account
}

// roles are what user tokens say.
var roles = map[string][]authtest.Option{
	"own":      {authtest.PubAllow("own.>"), authtest.Limits(10, 1000)},
	"defaults": {authtest.Tags("team:red")},
	"plain":    {authtest.SignedBy("plain"), authtest.SubAllow("plain.>", "jobs workers")},
	"clerk":    {authtest.SignedBy("clerk"), authtest.Tags("team:red", "team:blue")},
	"guard":    {authtest.SignedBy("guard"), authtest.Tags("team:blue")},
	"conflict": {authtest.SignedBy("clerk"), authtest.PubAllow("conflict")},
	"bearer":   {authtest.Bearer(), authtest.PubAllow("bearer")},
	"source":   {authtest.Sources("192.0.2.0/24")},
	"times":    {authtest.Times("11:00:00", "15:00:00")},
	"expires":  {authtest.Expires(authtest.Now().Add(90 * time.Minute))},
	"proxied":  {authtest.ProxyRequired()},
	"types":    {authtest.ConnectionTypes("STANDARD", "LEAFNODE")},
}

var roleNames = slices.Sorted(func(yield func(string) bool) {
	for name := range roles {
		if !yield(name) {
			return
		}
	}
})

// token is the text of a user's token.
func (s *playhouse) token(c casting) string {
	if text, ok := s.users[c]; ok {
		return text
	}
	account, opts := s.full, roles[c.role]
	if c.elsewhere {
		account, opts = s.other, roles["own"]
	}
	issued := authtest.Now().Add(-time.Hour)
	if c.late {
		issued = issued.Add(30 * time.Minute)
	}
	s.users[c] = account.User(c.name, slices.Concat(opts, []authtest.Option{authtest.IssuedAt(issued)})...).Token()
	return s.users[c]
}

// sign signs a nonce by the key of a user of that name.
func (s *playhouse) sign(c casting, text string) string {
	path := "O/A/"
	if c.elsewhere {
		path = "second/B/"
	}
	return authtest.SignNonce(authtest.Key(nkeys.PrefixByteUser, path+c.name), text)
}

// versions are what the scope of a signing key says; version 0 is a key that is not
// listed, the last one a key without a scope.
var versions = [][]authtest.Option{
	1:  {authtest.PubAllow("{{name()}}.>", "{{account-name()}}.{{account-tag(region)}}.>"), authtest.SubAllow("team.{{tag(team)}}.>")},
	2:  {authtest.PubAllow("{{name()}}.>", "{{account-name()}}.{{account-tag(region)}}.>"), authtest.SubAllow("team.{{tag(team)}}.>")}, // other texts for people
	3:  {authtest.PubAllow("{{account-tag(region)}}.>")},
	4:  {authtest.Limits(5, 100)},
	5:  {authtest.Sources("10.0.0.0/8")},
	6:  {authtest.ConnectionTypes("WEBSOCKET")},
	7:  {authtest.ProxyRequired()},
	8:  {authtest.Bearer(), authtest.SubAllow("silent.>")},
	9:  {authtest.Times("08:00:00", "13:00:00")},
	10: nil,
}

// trusting is a trust set.
type trusting struct {
	first    int // the variant of the first operator; -1: without it
	second   bool
	keys     bool // bare keys in place of tokens
	pinned   int  // bits: A, B
	sentinel int  // 0: none
	proxies  int  // bits
}

func (s *playhouse) trust(c trusting) auth.Trust {
	var t auth.Trust
	for _, o := range s.operators(c) {
		if c.keys {
			t.Keys = append(t.Keys, o.PublicKey())
		} else {
			t.Operators = append(t.Operators, o.Token())
		}
	}
	for i, key := range [...]string{s.full.PublicKey(), s.other.PublicKey()} {
		if c.pinned&(1<<i) != 0 {
			t.PinnedAccounts = append(t.PinnedAccounts, key)
		}
	}
	for i, p := range proxies {
		if c.proxies&(1<<i) != 0 {
			key, _ := p.PublicKey()
			t.Proxies = append(t.Proxies, key)
		}
	}
	t.Sentinel = [...]string{
		"", s.token(casting{name: "ann", role: "bearer"}), s.token(casting{name: "ann", role: "bearer", late: true}),
		s.token(casting{name: "bob", role: "guard"}),
	}[c.sentinel]
	return t
}

func (s *playhouse) operators(c trusting) []*authtest.Operator {
	var out []*authtest.Operator
	if c.first >= 0 {
		out = append(out, s.first[c.first])
	}
	if c.second {
		out = append(out, s.second)
	}
	return out
}

// edition is what the token of account A says.
type edition struct {
	issuer             int // the first operator's identity key, its signing key, the second operator
	name, region       string
	plain              bool
	clerk, guard       int // versions
	defaults, limits   int
	connections, leafs int64
	noBearers          bool
	callout            bool           // an external service decides, whose user is eve
	revoked            map[string]int // minutes after the first users were issued
	expires            time.Time
}

func (s *playhouse) account(e edition, issued time.Time) string {
	opts := []authtest.Option{
		authtest.Name(e.name), authtest.Tags("region:" + e.region), authtest.IssuedAt(issued),
		authtest.MaxConnections(e.connections), authtest.MaxLeafNodes(e.leafs),
		[...]authtest.Option{{}, authtest.Limits(100, 500), authtest.Limits(7, -1)}[e.limits],
		[...]authtest.Option{{}, authtest.DefaultPermissions(authtest.SubAllow("d.>")), authtest.DefaultPermissions(authtest.PubDeny("x"))}[e.defaults],
	}
	if e.plain {
		opts = append(opts, authtest.SigningKey("plain"))
	}
	opts = append(opts, scope("clerk", e.clerk), scope("guard", e.guard))
	if e.noBearers {
		opts = append(opts, authtest.DisallowBearer())
	}
	if e.callout {
		opts = append(opts, authtest.CalloutUsers("eve"))
	}
	for name, minutes := range e.revoked {
		opts = append(opts, authtest.Revoke(name, authtest.Now().Add(time.Duration(minutes-60)*time.Minute)))
	}
	if !e.expires.IsZero() {
		opts = append(opts, authtest.Expires(e.expires))
	}
	switch e.issuer {
	case 1:
		return s.first[withKey].Account("A", append(opts, authtest.SignedBy("os"))...).Token()
	case 2:
		return s.second.Account("A", append(opts, authtest.From("O/A"))...).Token()
	default:
		return s.first[withKey].Account("A", opts...).Token()
	}
}

// scope lists a signing key as its version says.
func scope(key string, version int) authtest.Option {
	switch version {
	case 0:
		return authtest.Option{}
	case len(versions) - 1:
		return authtest.SigningKey(key)
	case 2:
		return described(key, versions[version])
	default:
		return authtest.Scope(key, versions[version]...)
	}
}

// described is a scope with other texts for people.
func described(key string, template []authtest.Option) authtest.Option {
	made := authtest.NewOperator(new(testing.T)).Account("A", authtest.Scope(key, template...))
	var found jwt.Scope
	c, err := jwt.DecodeAccountClaims(made.Token())
	if err != nil {
		panic(err)
	}
	for _, s := range c.SigningKeys {
		found = s
	}
	return authtest.Edit(func(c *jwt.AccountClaims) {
		s := *found.(*jwt.UserScope)
		s.Role, s.Description = s.Role+" by another name", "for people"
		c.SigningKeys.AddScopedSigner(&s)
	})
}

// play is one history.
type play struct {
	*rapid.T
	ctx    context.Context
	stage  *playhouse
	clock  *clock
	store  *resolver.Memory
	config auth.Config
	live   *auth.Authorizer

	trusting trusting
	edition  edition
	trusted  trusting // of the step before
	before   edition  // likewise
	tokens   []string
	issued   time.Time
	remote   map[string]auth.Counts
	actors   []*actor
	serial   int
	settled  bool // the step has held the account to its limits
	leaving  bool // and that of leaf nodes too
	steps    []string
}

// actor is a client that is connected.
type actor struct {
	casting     casting
	credentials auth.Credentials
	session     *auth.Session
	serial      int
	sentinel    bool
	rights      *auth.Rights
	limits      auth.Limits
}

func (a *actor) String() string {
	return fmt.Sprintf("%s (%s, late %v, elsewhere %v, sentinel %v, internal %v, %v)", a.casting.name, a.casting.role, a.casting.late,
		a.casting.elsewhere, a.sentinel, a.credentials.Internal, a.credentials.ConnectionType)
}

func newPlay(t *rapid.T, s *playhouse, keep bool) *play {
	p := &play{
		T: t, ctx: context.Background(), stage: s, clock: &clock{now: authtest.Now()}, store: &resolver.Memory{},
		trusting: trusting{first: withKey, second: true, pinned: 0, sentinel: 1, proxies: 3},
		edition:  edition{name: "A", region: "eu", plain: true, clerk: 1, guard: 8, connections: -1, leafs: -1},
		remote:   make(map[string]auth.Counts),
		issued:   authtest.Now().Add(-time.Hour),
	}
	p.config = auth.Config{
		Trust: s.trust(p.trusting), Store: p.store, Clock: p.clock.read, Location: time.UTC,
		KeepOnScopeChange: keep, OperatorExpiryCloses: rapid.Bool().Draw(t, "OperatorExpiryCloses"),
	}
	var err error
	p.live, err = auth.New(p.config)
	require.NoError(t, err)
	p.before, p.trusted = p.edition, p.trusting
	p.tokens = []string{s.account(p.edition, p.issued)}
	for _, token := range [...]string{p.tokens[0], s.other.Token()} {
		_, err = p.live.Apply(p.ctx, token, resolver.Push)
		require.NoError(t, err)
	}
	return p
}

// run plays up to 24 steps, and looks at everybody after each.
func (p *play) run() {
	defer p.live.Close()
	defer func() {
		if p.Failed() {
			p.Log(strings.Join(p.steps, "\n"))
		}
	}()
	acts := []struct {
		name string
		act  func()
	}{
		{"connect", p.connect},
		{"connect", p.connect},
		{"connect", p.connect},
		{"apply", p.apply},
		{"apply", p.apply},
		{"apply", p.apply},
		{"trust", p.changeTrust},
		{"trust", p.changeTrust},
		{"renew", p.renew},
		{"renew", p.renew},
		{"wait", p.wait},
		{"remote", p.countElsewhere},
		{"apply an older token", p.rollBack},
		{"remove", p.remove},
		{"close", p.close},
	}
	for range 4 {
		p.connect()
	}
	for range p.draw("steps", 24) + 1 {
		next := acts[p.draw("act", len(acts))]
		p.steps = append(p.steps, next.name)
		p.settled, p.leaving = false, false
		for _, a := range p.actors {
			a.rights, a.limits = a.session.Rights(), a.session.Limits()
		}
		next.act()
		p.look()
		p.before, p.trusted = p.edition, p.trusting
	}
}

func (p *play) draw(what string, n int) int { return rapid.IntRange(0, n-1).Draw(p.T, what) }

func (p *play) note(format string, args ...any) {
	p.steps = append(p.steps, "    "+fmt.Sprintf(format, args...))
}

func (p *play) connect() {
	p.tick()
	a := p.cast()
	s, err := p.live.Connect(p.ctx, a.credentials)
	p.note("%v: %v", a, err)
	fresh, want := p.fresh().Connect(p.ctx, internal(a.credentials))
	if err != nil {
		reason := reasonOf(p, err)
		if reason != auth.ConnectionsExceeded && reason != auth.LeafNodesExceeded {
			require.Equal(p, reasonOf(p, want), reason)
		}
		return
	}
	require.NoError(p, want)
	fresh.Close()
	p.serial++
	a.session, a.serial = s, p.serial
	p.actors = append(p.actors, a)
}

// cast draws a client.
func (p *play) cast() *actor {
	a := &actor{casting: casting{
		name: [...]string{"ann", "bob", "eve"}[p.draw("name", 3)], role: roleNames[p.draw("role", len(roleNames))],
		late: p.draw("late", 2) == 1, elsewhere: p.draw("elsewhere", 8) == 7,
	}}
	c := auth.Credentials{
		Nonce: nonce.New(), Source: netip.MustParseAddr([...]string{"192.0.2.1", "10.0.0.1"}[p.draw("source", 2)]),
		ConnectionType: [...]auth.ConnectionType{auth.Standard, auth.Standard, auth.WebSocket, auth.LeafNode}[p.draw("type", 4)],
		Internal:       p.draw("internal", 6) == 5,
	}
	if a.sentinel = p.draw("sentinel", 6) == 5; !a.sentinel {
		c.JWT = p.stage.token(a.casting)
		if p.draw("signs", 4) != 3 {
			c.Signature = p.stage.sign(a.casting, c.Nonce)
		}
	}
	if by := p.draw("proxy", 4); by < len(proxies) && p.trusting.proxies != 0 { // shown to nobody who looks, it is not kept
		c.ProxySignature = authtest.SignNonce(proxies[by], c.Nonce)
	}
	a.credentials = c
	return a
}

// fresh is an Authorizer that knows nothing but the present.
func (p *play) fresh() *auth.Authorizer {
	c := p.config
	c.Trust = p.stage.trust(p.trusting)
	a, err := auth.New(c)
	require.NoError(p, err)
	p.T.Cleanup(func() { _ = a.Close() })
	return a
}

// internal are credentials for a connection that is not counted.
func internal(c auth.Credentials) auth.Credentials {
	c.Internal = true
	return c
}

func reasonOf(t require.TestingT, err error) auth.Reason {
	var e *auth.Error
	require.ErrorAs(t, err, &e)
	return e.Reason
}

// apply edits the account.
func (p *play) apply() {
	e := p.edition
	for range 1 + p.draw("edits", 2) {
		p.edit(&e)
	}
	p.issued = p.issued.Add(time.Second)
	token := p.stage.account(e, p.issued)
	p.push(token, resolver.Push, func() { p.edition = e; p.tokens = append(p.tokens, token) })
}

func (p *play) edit(e *edition) {
	switch p.draw("field", 14) {
	case 0:
		e.issuer = p.draw("issuer", 3)
	case 1:
		e.name = [...]string{"A", "Shop"}[p.draw("account name", 2)]
	case 2:
		e.region = [...]string{"eu", "us"}[p.draw("region", 2)]
	case 3:
		e.plain = !e.plain
	case 4, 5:
		e.clerk = p.version()
	case 6, 7:
		e.guard = p.version()
	case 8:
		e.defaults = p.draw("defaults", 3)
	case 9:
		e.limits = p.draw("limits", 3)
	case 10:
		e.connections, e.leafs = int64(p.draw("connections", 6)-1), int64(p.draw("leafs", 4)-1)
	case 11:
		e.noBearers = !e.noBearers
		e.expires = time.Time{}
		if p.draw("expires", 2) == 1 {
			e.expires = p.clock.read().Add(time.Duration(1+p.draw("hours", 3)) * time.Hour)
		}
	case 12:
		e.callout = !e.callout
	case 13:
		who := [...]string{"ann", "bob", "eve", "*"}[p.draw("revoked", 4)]
		was := e.revoked
		e.revoked = map[string]int{who: [...]int{-1, 0, 29, 30}[p.draw("minutes", 4)]}
		if p.draw("unrevoke", 3) != 2 {
			for k, v := range was {
				if _, ok := e.revoked[k]; !ok {
					e.revoked[k] = v
				}
			}
		}
	}
}

// version draws what a scope says: in half of the cases one of two that differ in
// their texts for people alone.
func (p *play) version() int {
	if p.draw("texts", 2) == 1 {
		return 1 + p.draw("text", 2)
	}
	return p.draw("version", len(versions))
}

// rollBack shows a token that was there before: refused, or the same again.
func (p *play) rollBack() {
	at := p.draw("token", len(p.tokens))
	token := p.tokens[at]
	p.push(token, resolver.Push, func() {
		if at != len(p.tokens)-1 {
			require.Fail(p, "an older token came back")
		}
	})
}

// push previews a token, applies it, and holds the two against each other.
func (p *play) push(token string, m resolver.Mode, done func()) {
	state := p.live.StateHash()
	preview, refused := p.live.Preview(p.ctx, token, m)
	require.Equal(p, state, p.live.StateHash(), "a preview changes nothing")
	report, err := p.live.Apply(p.ctx, token, m)
	p.note("%v %v: closed %d, changed %d", err, report.State, report.ClosedCount, report.ChangedCount)
	if err != nil {
		require.Equal(p, reasonOf(p, refused), reasonOf(p, err))
		require.Equal(p, state, p.live.StateHash(), "what is refused changes nothing")
		return
	}
	p.settled = report.State == auth.InForce && report.Old != report.New
	p.reported(preview, report)
	done()
}

// reported holds a report against its preview and against the sessions.
func (p *play) reported(preview, report auth.Report) {
	require.Equal(p, summary(preview), summary(report))
	var closed, changed int
	for _, a := range p.actors {
		switch {
		case a.session.Err() != nil:
			closed++
		case a.session.Rights() != a.rights || a.session.Limits() != a.limits:
			changed++
		}
	}
	require.Equal(p, closed, report.ClosedCount)
	require.Equal(p, changed, report.ChangedCount)
}

// summary is a report without the order in which it lists.
func summary(r auth.Report) []string {
	out := []string{fmt.Sprint(r.Account, r.State, r.Old, r.New, r.ClosedCount, r.ChangedCount)}
	for _, c := range r.Closed {
		out = append(out, fmt.Sprint("closed ", c.User, c.Err))
	}
	for _, c := range r.Changed {
		out = append(out, fmt.Sprint("changed ", c.User, c.Rights, c.Limits))
	}
	slices.Sort(out)
	return out
}

func (p *play) remove() {
	account := [...]string{p.stage.full.PublicKey(), p.stage.other.PublicKey()}[p.draw("removed", 2)]
	preview, err := p.live.PreviewRemove(p.ctx, account)
	require.NoError(p, err)
	report, err := p.live.Remove(p.ctx, account)
	require.NoError(p, err)
	p.reported(preview, report)
}

// changeTrust draws another trust set, which may be none at all.
func (p *play) changeTrust() {
	t := p.trusting
	for range 1 + p.draw("changes", 2) {
		switch p.draw("change", 6) {
		case 0:
			t.first = p.draw("first", len(p.stage.first)+1) - 1
		case 1:
			t.second = !t.second
		case 2:
			t.keys, t.sentinel = !t.keys, 0
		case 3:
			t.pinned = p.draw("pinned", 4)
		case 4:
			t.sentinel = p.draw("sentinel", 4)
		case 5:
			t.proxies = p.draw("proxies", 4)
		}
	}
	state := p.live.StateHash()
	preview, refused := p.live.PreviewTrust(p.ctx, p.stage.trust(t))
	require.Equal(p, state, p.live.StateHash(), "a preview changes nothing")
	report, err := p.live.SetTrust(p.ctx, p.stage.trust(t))
	p.note("%+v: %v: closed %d, changed %d", t, err, report.ClosedCount, report.ChangedCount)
	require.Equal(p, refused, err)
	if err != nil {
		require.Equal(p, state, p.live.StateHash(), "what is refused changes nothing")
		return
	}
	p.trusting, p.settled = t, true
	p.reported(preview, report)
}

// renew shows another token on a connection.
func (p *play) renew() {
	if len(p.actors) == 0 {
		return
	}
	a := p.actors[p.draw("who", len(p.actors))]
	next := a.casting
	next.role, next.late = roleNames[p.draw("role", len(roleNames))], p.draw("late", 2) == 1
	if p.draw("stranger", 8) == 7 {
		next.name = [...]string{"ann", "bob", "eve"}[p.draw("name", 3)]
	}
	c := a.credentials
	c.JWT, c.Signature = p.stage.token(next), ""
	if p.draw("signs", 4) != 3 {
		c.Signature = p.stage.sign(next, c.Nonce)
	}
	p.tick()
	if a.session.Err() != nil {
		return
	}
	was := a.session.User()
	err := a.session.Renew(p.ctx, c.JWT, c.Signature)
	p.note("%v as %v: %v", a, next, err)
	fresh, want := p.fresh().Connect(p.ctx, internal(c))
	switch {
	case err == nil:
		require.NoError(p, want)
		fresh.Close()
		a.casting, a.credentials, a.sentinel = next, c, false
	case reasonOf(p, err) == auth.UserMismatch:
		require.Equal(p, was, a.session.User())
		require.True(p, next.name != a.casting.name || a.sentinel)
	default:
		require.Equal(p, reasonOf(p, want), reasonOf(p, err))
		require.Equal(p, was, a.session.User())
	}
}

// tick lets a second pass, after which failed look-ups are forgotten.
func (p *play) tick() {
	p.clock.advance(time.Second)
	p.live.Sweep()
}

// wait lets time pass.
func (p *play) wait() {
	p.clock.advance([...]time.Duration{time.Second, 20 * time.Minute, time.Hour}[p.draw("time", 3)])
	p.live.Sweep()
	p.note("%v", p.clock.read())
}

func (p *play) countElsewhere() {
	node := [...]string{"n1", "n2"}[p.draw("node", 2)]
	n := auth.Counts{Connections: int64(p.draw("connections", 5) - 1), LeafNodes: int64(p.draw("leafs", 3) - 1)}
	if p.draw("gone", 3) == 2 {
		p.live.DropRemote(node)
		_, p.leaving = p.remote[node]
		delete(p.remote, node)
	} else {
		p.live.SetRemote(node, p.stage.full.PublicKey(), n)
		p.remote[node] = auth.Counts{Connections: max(0, n.Connections), LeafNodes: max(0, n.LeafNodes)}
		p.leaving = true
	}
	p.settled = p.leaving
	p.note("%s %+v", node, n)
}

func (p *play) close() {
	if len(p.actors) == 0 {
		return
	}
	at := p.draw("who", len(p.actors))
	p.actors[at].session.Close()
	p.actors = slices.Delete(p.actors, at, at+1)
}

// look holds everybody against a fresh connect, and forgets those who have ended.
func (p *play) look() {
	authorizers := []*auth.Authorizer{p.fresh()}
	if p.draw("itself", 3) == 0 { // with all that it remembers it says the same
		p.tick()
		authorizers = append(authorizers, p.live)
	}
	var left, right []*actor
	for _, a := range p.actors {
		for _, by := range authorizers {
			p.compare(a, by)
		}
		if a.session.Err() == nil {
			left = append(left, a)
		} else {
			right = append(right, a)
		}
	}
	p.crowd(left, right)
	p.actors = left
}

// compare holds one session against a fresh connect.
func (p *play) compare(a *actor, by *auth.Authorizer) {
	s := a.session
	f, err := by.Connect(p.ctx, internal(a.credentials))
	if f != nil {
		defer f.Close()
	}
	if s.Err() != nil {
		p.ended(a, by, err)
		return
	}
	if err != nil {
		require.True(p, p.excused(reasonOf(p, err)), "%v lives, and would be refused: %v", a, err)
		return
	}
	require.Equal(p, f.User(), s.User(), "%v", a)
	require.Equal(p, f.Permissions(), s.Permissions(), "%v", a)
	require.Equal(p, f.Limits(), s.Limits(), "%v", a)
	require.Equal(p, f.Expires(), s.Expires(), "%v", a)
	require.Equal(p, f.Account().Revision(), s.Account().Revision(), "%v", a)
	require.Equal(p, f.Account().Operator(), s.Account().Operator(), "%v", a)
	for _, subject := range [...]string{"own.a", "x", "d.a", "ann.a", "Shop.eu.a"} {
		require.Equal(p, f.CanPublish(subject), s.CanPublish(subject), "%v", a)
		require.Equal(p, f.CanSubscribe(subject, ""), s.CanSubscribe(subject, ""), "%v", a)
	}
}

// excused says whether a session may live that would be refused: the end of an
// operator's token ends none but by the switch (B12).
func (p *play) excused(refusal auth.Reason) bool {
	return refusal == auth.OperatorExpired && !p.config.OperatorExpiryCloses
}

// ended holds the end of a session against a fresh connect.
func (p *play) ended(a *actor, by *auth.Authorizer, refusal error) {
	why := reasonOf(p, a.session.Err())
	switch why {
	case auth.ConnectionsExceeded, auth.LeafNodesExceeded: // see crowd
		return
	case auth.ScopeChanged: // the switch
		require.False(p, p.config.KeepOnScopeChange)
		require.True(p, p.rescoped(a.casting.role) || a.sentinel, "%v: its scope is what it was", a)
		return
	case auth.TokenMissing: // another sentinel would stand in for the client now, or none
		require.True(p, a.sentinel)
		require.NotEqual(p, p.trusted.sentinel, p.trusting.sentinel)
		return
	}
	require.Error(p, refusal, "%v ended, and would be admitted: %v", a, a.session.Err())
	if want := reasonOf(p, refusal); want != why {
		require.True(p, p.explains(why, want, a, by), "%v: %v in place of %v", a, why, want)
	}
}

// explains says whether a session may have ended for another reason than that for
// which a fresh connect is refused, which tells of the first thing that is wrong: the
// account is out of force, for all of its sessions alike, or of several ends that have
// come the session met another one first.
func (p *play) explains(why, refusal auth.Reason, a *actor, by *auth.Authorizer) bool {
	_, err := by.Account(p.ctx, a.session.User().Account)
	out := auth.ReasonNone
	if err != nil {
		out = reasonOf(p, err)
	}
	ends := []auth.Reason{auth.UserExpired, auth.OutsideTimes, auth.AccountExpired, auth.OperatorExpired}
	switch why {
	case auth.AccountRemoved:
		return out == auth.AccountNotFound
	case auth.AccountUntrusted:
		return out == auth.AccountUntrusted
	default:
		return slices.Contains(ends, why) && slices.Contains(ends, refusal)
	}
}

// rescoped says whether the step has changed the scope of the key that signs a role.
func (p *play) rescoped(role string) bool {
	was, is := p.before.clerk, p.edition.clerk
	if role == "guard" {
		was, is = p.before.guard, p.edition.guard
	}
	same := func(v int) int { // the texts for people do not count
		if v == 2 {
			return 1
		}
		return v
	}
	return same(was) != same(is)
}

// crowd holds those who stay and those who had to go to the limits of account A: the
// newest go, as many as have to, and internal ones never.
func (p *play) crowd(left, right []*actor) {
	var here auth.Counts
	oldest := map[bool]int{false: p.serial + 1, true: p.serial + 1}
	for _, a := range right {
		why := reasonOf(p, a.session.Err())
		if why != auth.ConnectionsExceeded && why != auth.LeafNodesExceeded {
			continue
		}
		require.False(p, a.credentials.Internal)
		require.True(p, p.settled)
		onlyLeafs := why == auth.LeafNodesExceeded
		oldest[onlyLeafs] = min(oldest[onlyLeafs], a.serial)
	}
	for _, a := range left {
		if a.credentials.Internal || a.session.User().Account != p.stage.full.PublicKey() {
			continue
		}
		leaf := a.credentials.ConnectionType == auth.LeafNode
		here.Connections++
		require.Less(p, a.serial, oldest[false], "%v: an older one had to go", a)
		if leaf {
			here.LeafNodes++
			require.Less(p, a.serial, oldest[true], "%v: an older one had to go", a)
		}
	}
	require.Equal(p, here, p.live.Counts(p.stage.full.PublicKey()))
	p.full(here, oldest)
}

// full wants as many connections as there may be, where some had to go, and never
// more where the limits were looked at.
func (p *play) full(here auth.Counts, oldest map[bool]int) {
	var away auth.Counts
	for _, n := range p.remote {
		away.Connections += n.Connections
		away.LeafNodes += n.LeafNodes
	}
	for leaf, row := range map[bool]struct{ limit, here, away int64 }{
		false: {p.edition.connections, here.Connections, away.Connections},
		true:  {p.edition.leafs, here.LeafNodes, away.LeafNodes},
	} {
		if row.limit >= 0 && p.settled && (!leaf || p.leaving) {
			require.LessOrEqual(p, row.here, max(0, row.limit-row.away))
		}
		if oldest[leaf] <= p.serial && !leaf {
			require.NotEqual(p, int64(-1), row.limit)
			if !p.leaving { // where leaf nodes had to go as well, there may be room again
				require.Equal(p, max(0, row.limit-row.away), row.here)
			}
		}
	}
}

// flip is an account whose token changes between two, A and B, in everything that
// its sessions notice. B revokes the user "gone".
type flip struct {
	operator   *authtest.Operator
	account    *authtest.Account
	authorizer *auth.Authorizer
	gone       atomic.Pointer[auth.Session] // one that was admitted by A
	plain      *auth.Session                // goes by the defaults
	clerks     []*auth.Session              // go by the scope
}

// side is what a view of A or B says.
type side struct {
	name     string
	publish  string // what the defaults and the scope allow
	defaults auth.Limits
	scoped   auth.Limits
}

var sides = map[string]side{
	"A": {"A", "a.x", auth.Limits{Subscriptions: 11, Payload: 111, Data: -1}, auth.Limits{Subscriptions: 5, Payload: 111, Data: -1}},
	"B": {"B", "b.x", auth.Limits{Subscriptions: 22, Payload: 222, Data: -1}, auth.Limits{Subscriptions: 6, Payload: 222, Data: -1}},
}

// token is the account's token of one side, issued so many seconds later.
func (f *flip) token(side string, seconds int) *authtest.Account {
	opts := []authtest.Option{
		authtest.Name(side), authtest.IssuedAt(authtest.Now().Add(-30*time.Minute + time.Duration(seconds)*time.Second)),
	}
	if side == "A" {
		opts = append(opts, authtest.Limits(11, 111), authtest.DefaultPermissions(authtest.PubAllow("a.>")),
			authtest.Scope("clerk", authtest.PubAllow("a.>", "{{name()}}"), authtest.Limits(5, -1)))
	} else {
		opts = append(opts, authtest.Limits(22, 222), authtest.DefaultPermissions(authtest.PubAllow("b.>")),
			authtest.Scope("clerk", authtest.PubAllow("b.>", "{{name()}}"), authtest.Limits(6, -1),
				authtest.Times("08:00:00", fmt.Sprintf("%d:00:00", 23-seconds%10))),
			authtest.Revoke("gone", authtest.Now()))
	}
	return f.operator.Account("A", opts...)
}

func newFlip(t *testing.T, clerks int, edits ...func(*auth.Config)) *flip {
	f := &flip{operator: authtest.NewOperator(t)}
	f.account = f.token("A", 0)
	f.authorizer = authtest.Authorizer(t, f.operator, []*authtest.Account{f.account},
		append(edits, func(c *auth.Config) { c.KeepOnScopeChange = true })...)
	f.plain = f.connect(t, "plain")
	clerk := f.account.User("clerk", authtest.SignedBy("clerk"), authtest.Name("x")).Credentials(nonce.New())
	for range clerks {
		s, err := f.authorizer.Connect(t.Context(), clerk)
		require.NoError(t, err)
		f.clerks = append(f.clerks, s)
	}
	return f
}

func (f *flip) connect(t require.TestingT, name string, opts ...authtest.Option) *auth.Session {
	opts = append(opts, authtest.Name("x"))
	s, err := f.authorizer.Connect(context.Background(), f.account.User(name, opts...).Credentials(nonce.New()))
	require.NoError(t, err)
	return s
}

// TestB6NoMixture reads from several goroutines while the account's token changes to
// and fro: whoever sees a view in force sees no session that it refuses, and every
// session as that view has it. It changes 16 times, 6 under -short, and more until
// both sides were read.
func TestB6NoMixture(t *testing.T) {
	f := newFlip(t, 600)
	changes := 16
	if testing.Short() {
		changes = 6
	}
	t.Logf("%d changes; 6 under -short", changes)
	stop := make(chan struct{})
	found := make(chan string, 100)
	var seen [2]atomic.Int64 // that could be judged: by A, by B
	var readers sync.WaitGroup
	for i := range 2 {
		readers.Go(func() {
			for n := i; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				mixtures, side := f.read(n)
				if side != "" {
					seen[side[0]-'A'].Add(1)
				}
				for _, m := range mixtures {
					select {
					case found <- m:
					default:
					}
				}
			}
		})
	}
	seldom := func() bool { return seen[0].Load() == 0 || seen[1].Load() == 0 }
	for n := 0; n < changes || seldom() && n < 100*changes; n++ {
		side := [...]string{"A", "B"}[n%2]
		report, err := f.authorizer.Apply(t.Context(), f.token(side, n+1).Token(), resolver.Push)
		require.NoError(t, err)
		if side == "A" {
			f.gone.Store(f.connect(t, "gone"))
		} else if n > 1 {
			require.Equal(t, 1, report.ClosedCount)
			require.Equal(t, auth.UserRevoked, reasonOf(t, f.gone.Load().Err()))
		}
		require.Empty(t, f.mixtures(f.clerks[n%len(f.clerks)], side), "afterwards")
	}
	close(stop)
	readers.Wait()
	close(found)
	for m := range found {
		t.Error(m)
	}
	t.Logf("%d readings of A, %d of B", seen[0].Load(), seen[1].Load())
	require.Positive(t, seen[0].Load())
	require.Positive(t, seen[1].Load())
}

// TestB6OneMoment looks at every session in the midst of a change. The clock is asked
// before a view comes into force, and again while sessions are given what they have by
// it, for their hours end sooner than anything that was planned: from there the test
// looks around.
func TestB6OneMoment(t *testing.T) {
	t.Parallel()
	var armed, looking atomic.Bool
	var f *flip
	seen := make(map[string]int)
	look := func() {
		view, _ := f.authorizer.InForce(f.account.PublicKey())
		seen[view.Name()]++
		for _, s := range append(f.clerks, f.plain) {
			require.Empty(t, f.mixtures(s, view.Name()))
		}
		if gone := f.gone.Load(); gone != nil {
			require.Equal(t, view.Name() == "A", gone.CanPublish("a.x"))
		}
	}
	f = newFlip(t, 5, func(c *auth.Config) {
		c.Bounds.Idle = 1000 * time.Hour
		c.Clock = func() time.Time {
			if armed.Load() && looking.CompareAndSwap(false, true) {
				look()
				looking.Store(false)
			}
			return authtest.Now()
		}
	})
	for n := range 4 {
		f.gone.Store(f.connect(t, "gone"))
		clear(seen)
		armed.Store(true)
		_, err := f.authorizer.Apply(t.Context(), f.token("B", 2*n+1).Token(), resolver.Push)
		armed.Store(false)
		require.NoError(t, err)
		require.Positive(t, seen["A"], "before")
		require.Positive(t, seen["B"], "in the midst of it")
		f.gone.Store(nil)
		armed.Store(true)
		_, err = f.authorizer.Apply(t.Context(), f.token("A", 2*n+2).Token(), resolver.Push)
		armed.Store(false)
		require.NoError(t, err)
	}
}

// read looks at some sessions while one view is in force, and gives what does not
// belong to it; and which view it was, empty if it changed meanwhile.
func (f *flip) read(n int) ([]string, string) {
	gone := f.gone.Load() // before the view: a B that is seen is later than its A
	view, _ := f.authorizer.InForce(f.account.PublicKey())
	side := sides[view.Name()]
	var out []string
	if gone != nil && side.name == "B" && (gone.CanPublish(side.publish) || gone.CanPublish("a.x") || gone.Rights() != nil) {
		out = append(out, "B is in force, and a session that it refuses may publish")
	}
	var mixed []string
	for _, s := range [...]*auth.Session{f.clerks[0], f.clerks[len(f.clerks)-1], f.clerks[n%len(f.clerks)], f.plain} {
		mixed = append(mixed, f.mixtures(s, side.name)...)
	}
	if after, _ := f.authorizer.InForce(f.account.PublicKey()); after != view {
		return out, ""
	}
	return append(out, mixed...), side.name
}

// mixtures are what a session has that is not of this side.
func (f *flip) mixtures(s *auth.Session, name string) []string {
	own, limits := sides[name], sides[name].defaults
	if s != f.plain {
		limits = own.scoped
	}
	var out []string
	for _, other := range sides {
		if s.CanPublish(other.publish) != (other.name == name) {
			out = append(out, fmt.Sprintf("%s is in force, and publishing to %s is %v", name, other.publish, other.name != name))
		}
	}
	if s.Limits() != limits {
		out = append(out, fmt.Sprintf("%s is in force, and the limits are %+v", name, s.Limits()))
	}
	if r := s.Rights(); r == nil || !slices.Contains(r.Permissions().Publish.Allow, own.publish[:2]+">") {
		out = append(out, name+" is in force, and the rights are others")
	}
	if s.Account().Name() != name {
		out = append(out, name+" is in force, and the session goes by another view")
	}
	return out
}

// TestSessionsFilter picks sessions by each property, and by two; a filter that
// nobody fits, a key that is none among them, picks nobody.
func TestSessionsFilter(t *testing.T) {
	t.Parallel()
	o := authtest.NewOperator(t)
	a, b := o.Account("A", authtest.SigningKey("one"), authtest.Scope("two")), o.Account("B")
	authorizer := authtest.Authorizer(t, o, []*authtest.Account{a, b})
	users := map[string]*authtest.User{
		"ann":        a.User("ann", authtest.Tags("red", "Team:X")),
		"ann by one": a.User("ann", authtest.SignedBy("one"), authtest.Tags("red")),
		"bob by one": a.User("bob", authtest.SignedBy("one"), authtest.Tags("blue")),
		"bob by two": a.User("bob", authtest.SignedBy("two"), authtest.Name("robert")),
		"ann of B":   b.User("ann", authtest.Tags("red")),
	}
	sessions := make(map[string]*auth.Session)
	connect := func() {
		for name, u := range users {
			if s := sessions[name]; s == nil || s.Err() != nil {
				c := u.Credentials(nonce.New())
				c.Client.ID = name
				s, err := authorizer.Connect(t.Context(), c)
				require.NoError(t, err)
				sessions[name] = s
			}
		}
	}
	connect()
	signer := func(u string) string { return sessions[u].User().Issuer }
	for _, row := range []struct {
		name   string
		filter auth.Filter
		want   []string
	}{
		{"everyone", auth.Filter{}, []string{"ann", "ann by one", "ann of B", "bob by one", "bob by two"}},
		{"an account", auth.Filter{Account: a.PublicKey()}, []string{"ann", "ann by one", "bob by one", "bob by two"}},
		{"the other", auth.Filter{Account: b.PublicKey()}, []string{"ann of B"}},
		{"an account that is not there", auth.Filter{Account: o.Account("C").PublicKey()}, nil},
		{"no account", auth.Filter{Account: "A"}, nil},
		{"a user", auth.Filter{User: users["ann"].PublicKey()}, []string{"ann", "ann by one"}},
		{"no user", auth.Filter{User: "U"}, nil},
		{"an account for a user", auth.Filter{User: a.PublicKey()}, nil},
		{"a user of the other account", auth.Filter{User: users["ann"].PublicKey(), Account: b.PublicKey()}, nil},
		{"a signing key", auth.Filter{Signer: signer("ann by one")}, []string{"ann by one", "bob by one"}},
		{"the account's own key", auth.Filter{Signer: a.PublicKey()}, []string{"ann"}},
		{"a signer that is none", auth.Filter{Signer: "x"}, nil},
		{"a user by a signing key", auth.Filter{User: users["bob by one"].PublicKey(), Signer: signer("bob by two")}, []string{"bob by two"}},
		{"a name", auth.Filter{Name: "ann"}, []string{"ann", "ann by one", "ann of B"}},
		{"a name in an account", auth.Filter{Name: "ann", Account: a.PublicKey()}, []string{"ann", "ann by one"}},
		{"a part of a name", auth.Filter{Name: "rob"}, nil},
		{"a name by a signer", auth.Filter{Name: "robert", Signer: signer("bob by two")}, []string{"bob by two"}},
		{"a tag", auth.Filter{Tag: "red"}, []string{"ann", "ann by one", "ann of B"}},
		{"a tag as it is written", auth.Filter{Tag: "Team:X"}, []string{"ann"}},
		{"in other letters", auth.Filter{Tag: "team:x"}, nil},
		{"a tag and a name", auth.Filter{Tag: "blue", Name: "bob"}, []string{"bob by one"}},
		{"a tag and another name", auth.Filter{Tag: "blue", Name: "ann"}, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			connect()
			var got []string
			for s := range authorizer.Sessions(row.filter) {
				got = append(got, s.Client().ID)
			}
			slices.Sort(got)
			require.Equal(t, row.want, got)
			require.Equal(t, len(row.want), authorizer.CloseSessions(row.filter, "because\nof the test"))
			for name, s := range sessions {
				if !slices.Contains(row.want, name) {
					require.NoError(t, s.Err(), name)
					continue
				}
				var why *auth.Error
				require.ErrorAs(t, s.Err(), &why)
				require.Equal(t, auth.SessionClosed, why.Reason)
				require.Equal(t, s.User().Key, why.User)
				require.Contains(t, why.Error(), "of the test")
				require.NotContains(t, why.Error(), "\n", "one line of a log")
			}
			require.Zero(t, authorizer.CloseSessions(row.filter, "again"))
		})
	}
	connect()
	for s := range authorizer.Sessions(auth.Filter{}) { // one that is enough, and the others may go meanwhile
		require.Equal(t, len(users), authorizer.CloseSessions(auth.Filter{}, ""))
		require.Error(t, s.Err())
		break
	}
	var zero auth.Authorizer
	require.Zero(t, zero.CloseSessions(auth.Filter{}, ""))
}
