package auth_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/auth/authtest"
	"github.com/natsauth/natsauth/claims"
	"github.com/natsauth/natsauth/internal/subject"
	"github.com/natsauth/natsauth/resolver"
)

// town is some accounts that come, change and go, in an Authorizer without a store. Who is
// in force is known here, so that a naive look at all of them can say where every import
// stands.
type town struct {
	t        *testing.T
	a        *auth.Authorizer
	clock    *clock
	operator *authtest.Operator
	homes    []*authtest.Account // one an account, for its keys
	inForce  map[string]*claims.Account
	issued   int
	news     *gazette
}

func newTown(t *testing.T, n int, edit func(*auth.Config)) *town {
	w := &town{t: t, clock: &clock{now: authtest.Now()}, operator: authtest.NewOperator(t), inForce: make(map[string]*claims.Account)}
	w.news = newGazette(w.clock.read)
	for i := range n {
		w.homes = append(w.homes, w.operator.Account(string(rune('A'+i)), authtest.SigningKey("sk")))
	}
	c := auth.Config{
		Trust: auth.Trust{Operators: []string{w.operator.Token()}}, Resolver: nobody(), Clock: w.clock.read, OnAccount: w.news.take,
	}
	edit(&c)
	a, err := auth.New(c)
	require.NoError(t, err)
	t.Cleanup(func() { a.Close() })
	w.a = a
	return w
}

// put applies a token of an account that is made for it, each a second younger than the
// last, and says whether it is well formed.
func (w *town) put(i int, opts ...authtest.Option) bool {
	w.issued++
	at := authtest.Now().Add(-time.Hour + time.Duration(w.issued)*time.Second)
	account := w.operator.Account(string(rune('A'+i)), append([]authtest.Option{authtest.SigningKey("sk"), authtest.IssuedAt(at)}, opts...)...)
	return w.apply(account.Token())
}

func (w *town) apply(token string) bool {
	parsed, err := claims.ParseAccount(token)
	preview, _ := w.a.Preview(w.t.Context(), token, resolver.Push)
	report, refused := w.a.Apply(w.t.Context(), token, resolver.Push)
	require.Equal(w.t, err == nil, refused == nil, "%v, %v", err, refused)
	w.compare(preview, report)
	if err == nil {
		w.inForce[parsed.Key] = parsed
	}
	return err == nil
}

func (w *town) remove(i int) {
	key := w.homes[i].PublicKey()
	preview, err := w.a.PreviewRemove(w.t.Context(), key)
	require.NoError(w.t, err)
	report, err := w.a.Remove(w.t.Context(), key)
	require.NoError(w.t, err)
	w.compare(preview, report)
	delete(w.inForce, key)
}

// compare holds a preview to what has happened.
func (w *town) compare(preview, report auth.Report) {
	texts := func(r *auth.Report) []string {
		var out []string
		for i := range r.Imports {
			out = append(out, fmt.Sprint(r.Imports[i]))
			r.Imports[i].Err = nil
		}
		return out
	}
	require.Equal(w.t, texts(&report), texts(&preview))
	require.Equal(w.t, report, preview)
}

// fate is what is expected of one import.
type fate struct {
	state auth.ImportState
	why   error // nil: in force
}

// oracleLink is one import, as the oracle sees it.
type oracleLink struct {
	importer string
	m        *claims.Import
	there    string // pattern at the exporter's
	here     string
	why      error
}

// fates looks at every import of every account, and at every pair of them.
func (w *town) fates() map[string][]fate {
	var links []*oracleLink
	out := make(map[string][]fate)
	for key, c := range w.inForce {
		seen := make(map[string]bool)
		for i := range c.Imports {
			links = append(links, w.oracleLink(key, &c.Imports[i], seen))
		}
	}
	back := w.back(links)
	for i, l := range links {
		switch {
		case back[i]:
			out[l.importer] = append(out[l.importer], fate{auth.ImportDead, auth.ErrImportCycle})
		case l.why == nil:
			out[l.importer] = append(out[l.importer], fate{auth.ImportInForce, nil})
		case errors.Is(l.why, auth.ErrExporterAbsent), errors.Is(l.why, claims.ErrActivationEarly):
			out[l.importer] = append(out[l.importer], fate{auth.ImportPending, l.why})
		default:
			out[l.importer] = append(out[l.importer], fate{auth.ImportDead, l.why})
		}
	}
	return out
}

// back says which links lead back to themselves, by those that are good.
func (w *town) back(links []*oracleLink) []bool {
	reach := make([][]bool, len(links))
	for i, l := range links {
		reach[i] = make([]bool, len(links))
		for j, m := range links {
			reach[i][j] = l.why == nil && m.why == nil && w.leads(l, m)
		}
	}
	for k := range links {
		for i := range links {
			for j := range links {
				reach[i][j] = reach[i][j] || reach[i][k] && reach[k][j]
			}
		}
	}
	out := make([]bool, len(links))
	for i := range links {
		out[i] = reach[i][i]
	}
	return out
}

func (w *town) oracleLink(importer string, m *claims.Import, seen map[string]bool) *oracleLink {
	l := &oracleLink{importer: importer, m: m}
	r, err := subject.NewRenaming(m.ExportedSubject(), m.Here())
	switch {
	case err != nil:
		l.why = auth.ErrImportName
		return l
	case m.Kind == claims.Stream && seen[m.Account+" "+m.Subject]:
		l.why = auth.ErrImportTwice
		return l
	}
	seen[m.Account+" "+m.Subject] = m.Kind == claims.Stream || seen[m.Account+" "+m.Subject]
	l.there, l.here = r.From(), r.To()
	exporter := w.inForce[m.Account]
	if exporter == nil {
		l.why = auth.ErrExporterAbsent
		return l
	}
	_, err = claims.Activate(m, importer, exporter, false, w.clock.read())
	if e := (*claims.ActivationError)(nil); errors.As(err, &e) {
		l.why = e.Class
	}
	return l
}

// leads says whether what an import brings may go on by another one.
func (w *town) leads(l, next *oracleLink) bool {
	if l.m.Account != next.importer || l.m.Kind != next.m.Kind {
		return false
	}
	if subject.Overlap(l.there, next.here) {
		return true
	}
	if l.m.Kind == claims.Stream {
		return false
	}
	for source, list := range w.inForce[l.m.Account].Mappings {
		for _, to := range list {
			transform, err := subject.NewTransform(source, to.Subject)
			if err == nil && subject.Overlap(l.there, source) && subject.Overlap(transform.Shape(), next.here) {
				return true
			}
		}
	}
	return false
}

// check holds every view to the oracle.
func (w *town) check(t require.TestingT) {
	fates := w.fates()
	for _, home := range w.homes {
		key := home.PublicKey()
		view, ok := w.a.InForce(key)
		require.Equal(t, w.inForce[key] != nil, ok)
		if !ok {
			continue
		}
		got := slices.Collect(view.Imports())
		require.Len(t, got, len(fates[key]))
		for i, s := range got {
			want := fates[key][i]
			require.Equal(t, want.state, s.State, "%s %q of %s: %v, want %v", s.Kind, s.Subject, view.Name(), s.Err, want.why)
			if want.why == nil {
				require.NoError(t, s.Err)
				continue
			}
			if revoked := errors.Is(s.Err, claims.ErrActivationRevoked); revoked && errors.Is(want.why, claims.ErrActivationExpired) {
				continue // it was dead when its time came
			}
			require.ErrorIs(t, s.Err, want.why, "%s %q of %s", s.Kind, s.Subject, view.Name())
			if cycle := (*auth.CycleError)(nil); errors.As(s.Err, &cycle) {
				w.walk(t, key, s, cycle.Path)
			}
		}
	}
	require.LessOrEqual(t, w.a.Stats().GraphPeak, 10_000)
}

// walk goes the way that a cycle is said to be, hop by hop.
func (w *town) walk(t require.TestingT, importer string, s auth.ImportStatus, path []auth.Hop) {
	require.NotEmpty(t, path)
	require.Equal(t, auth.Hop{Account: importer, Subject: s.Here, Exporter: s.Exporter, Exported: s.Subject}, path[0])
	for i, h := range path {
		next := path[(i+1)%len(path)]
		require.Equal(t, h.Exporter, next.Account, "the way leads on to where it came")
		require.NotNil(t, w.inForce[h.Account])
		link := func(h auth.Hop) *oracleLink {
			for j := range w.inForce[h.Account].Imports {
				m := &w.inForce[h.Account].Imports[j]
				if m.Kind == s.Kind && m.Account == h.Exporter && m.ExportedSubject() == h.Exported && m.Here() == h.Subject {
					return w.oracleLink(h.Account, m, map[string]bool{})
				}
			}
			return nil
		}
		a, b := link(h), link(next)
		require.NotNil(t, a)
		require.NotNil(t, b)
		require.True(t, w.leads(a, b), "%v does not lead to %v", h, next)
	}
}

// The subjects of the draws.
var (
	literalSubjects  = []string{"a", "b", "a.b", "a.c", "b.c", "b.a"}
	wildcardSubjects = []string{"a.*", "*.b", "b.*", "a.>", "b.>", "*", ">", "*.*"}
	renamings        = map[string][]string{
		"a": {"", "b", "x"}, "b": {"", "a"}, "a.b": {"", "b.a", "a"}, "a.c": {"", "a.b"}, "b.c": {""}, "b.a": {"", "a.b"},
		"a.*": {"", "b.$1", "x.*"}, "*.b": {"", "a.*", "$1.c"}, "b.*": {"", "a.$1"}, "a.>": {"", "b.>"}, "b.>": {"", "a.>", ">"},
		"*": {"", "a.$1"}, ">": {"", "a.>"}, "*.*": {"", "$2.$1", "$1.$1", "x.$1.$2"},
	}
)

// drawToken draws what an account exports, imports and maps.
func (w *town) drawToken(t *rapid.T, self int) []authtest.Option {
	var out []authtest.Option
	all := slices.Concat(literalSubjects, wildcardSubjects)
	for _, option := range []func(string, ...func(*jwt.Export)) authtest.Option{authtest.StreamExport, authtest.ServiceExport} {
		list := []string{">"}
		if rapid.Bool().Draw(t, "narrow") {
			list = rapid.SliceOfN(rapid.SampledFrom(all), 0, 3).Draw(t, "exports")
		}
		for _, s := range list {
			required, revoked := rapid.Bool().Draw(t, "required"), rapid.IntRange(0, 2).Draw(t, "revoked") == 0
			out = append(out, option(s, func(e *jwt.Export) {
				if e.TokenReq = required; required && revoked {
					e.RevokeAt(w.homes[(self+1)%len(w.homes)].PublicKey(), authtest.Now())
				}
			}))
		}
	}
	for range rapid.IntRange(0, 4).Draw(t, "imports") {
		out = append(out, w.drawImport(t, self, all))
	}
	if rapid.IntRange(0, 3).Draw(t, "mapped") == 0 {
		out = append(out, authtest.Maps(rapid.SampledFrom([]string{"a.*", "a", "a.b"}).Draw(t, "source"), "b"))
		if rapid.Bool().Draw(t, "maps with wildcards") {
			out = append(out, authtest.Maps("*.c", "{{split(1,-)}}.b"))
		}
	}
	return out
}

func (w *town) drawImport(t *rapid.T, self int, all []string) authtest.Option {
	s := rapid.SampledFrom(all).Draw(t, "import")
	local := rapid.SampledFrom(renamings[s]).Draw(t, "local")
	from := w.homes[rapid.IntRange(0, len(w.homes)-1).Draw(t, "exporter")]
	kind, option := jwt.ExportType(jwt.Service), authtest.ServiceImport
	if rapid.Bool().Draw(t, "stream") {
		kind, option = jwt.Stream, authtest.StreamImport
	}
	me, now := w.homes[self].PublicKey(), w.clock.read()
	var token string
	switch rapid.IntRange(0, 5).Draw(t, "activation") {
	case 0:
		token = from.ActivationFor(me, kind, s)
	case 1:
		token = from.ActivationFor(me, kind, ">", authtest.SignedBy("sk"))
	case 2:
		token = from.ActivationFor(me, kind, s, authtest.Expires(now.Add(30*time.Second)))
	case 3:
		token = from.ActivationFor(me, kind, s, authtest.NotBefore(now.Add(30*time.Second)))
	}
	return option(from.PublicKey(), s, local, authtest.Activated(token))
}

// TestImportsStandAsAllSayTogether draws histories of accounts that share, and holds every
// import after every step to a look at all accounts: whatever the order in which they came,
// and whatever was looked at in the meantime (F086, F090, B10, B18).
func TestImportsStandAsAllSayTogether(t *testing.T) {
	met := make(map[string]int)
	rapid.Check(t, func(rt *rapid.T) {
		w := newTown(t, rapid.IntRange(1, 6).Draw(rt, "accounts"), func(*auth.Config) {})
		for range rapid.IntRange(1, 25).Draw(rt, "steps") {
			self := rapid.IntRange(0, len(w.homes)-1).Draw(rt, "account")
			switch rapid.IntRange(0, 9).Draw(rt, "step") {
			case 0:
				w.remove(self)
			case 1, 2:
				w.clock.advance(20 * time.Second)
				w.a.Sweep()
			default:
				w.put(self, w.drawToken(rt, self)...)
			}
			w.check(rt)
			w.count(met)
		}
		w.news.settle(rt, w.a, w.homes)
	})
	t.Log(met)
	if testing.Short() {
		return // with so few checks it may happen that one is not met
	}
	for _, why := range []string{
		"in force", auth.ErrImportCycle.Error(), auth.ErrExporterAbsent.Error(), auth.ErrImportName.Error(), auth.ErrImportTwice.Error(),
		claims.ErrNotExported.Error(), claims.ErrNoActivation.Error(), claims.ErrActivationRevoked.Error(),
		claims.ErrActivationEarly.Error(), claims.ErrActivationExpired.Error(),
	} {
		require.NotZero(t, met[why], "no import was met that is %s", why)
	}
}

// count notes what became of imports.
func (w *town) count(met map[string]int) {
	for _, fates := range w.fates() {
		for _, f := range fates {
			if f.why == nil {
				met["in force"]++
			} else {
				met[f.why.Error()]++
			}
		}
	}
}

// TestCyclesInEveryOrder: a ring of accounts, of every length, is found in whatever order
// they arrive, and gone when one of them lets go.
func TestCyclesInEveryOrder(t *testing.T) {
	t.Parallel()
	for _, kind := range []jwt.ExportType{jwt.Stream, jwt.Service} {
		for n := 1; n <= 7; n++ {
			t.Run(fmt.Sprint(kind, n), func(t *testing.T) {
				w := newTown(t, n, func(*auth.Config) {})
				member := func(i int, open bool) []authtest.Option {
					out := []authtest.Option{authtest.Edit(func(c *jwt.AccountClaims) {
						c.Exports.Add(&jwt.Export{Subject: ">", Type: kind})
						if !open {
							c.Imports.Add(&jwt.Import{Subject: jwt.Subject(fmt.Sprintf("s%d.>", i)), LocalSubject: jwt.RenamingSubject(fmt.Sprintf("s%d.>", (i+n-1)%n)),
								Type: kind, Account: w.homes[(i+1)%n].PublicKey()})
						}
					})}
					return out
				}
				for range 4 {
					for _, i := range rand.Perm(n) {
						require.True(t, w.put(i, member(i, false)...))
						w.check(t)
					}
					for _, fates := range w.fates() {
						require.Equal(t, []fate{{auth.ImportDead, auth.ErrImportCycle}}, fates)
					}
					require.True(t, w.put(n/2, member(n/2, true)...))
					w.check(t)
					for i := range n {
						w.remove(i)
					}
				}
			})
		}
	}
}

// TestGraphEdgesAreBounded: with little to spend, no change looks at more, what it cannot
// tell is dead and says so, and nothing leads back to itself by what is in force. Of a
// cycle that could not be looked at whole, some may be in force.
func TestGraphEdgesAreBounded(t *testing.T) {
	t.Parallel()
	const bound = 3
	given, cut := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		w := newTown(t, 6, func(c *auth.Config) { c.Bounds.GraphEdges = bound })
		for range rapid.IntRange(1, 20).Draw(rt, "steps") {
			self := rapid.IntRange(0, len(w.homes)-1).Draw(rt, "account")
			w.put(self, w.drawToken(rt, self)...)
			require.LessOrEqual(rt, w.a.Stats().GraphPeak, bound)
			fates := w.fates()
			var standing []*oracleLink
			for _, home := range w.homes {
				key := home.PublicKey()
				view, ok := w.a.InForce(key)
				if !ok {
					continue
				}
				for i, s := range slices.Collect(view.Imports()) {
					want := fates[key][i]
					circle := errors.Is(want.why, auth.ErrImportCycle)
					switch {
					case errors.Is(s.Err, auth.ErrImportBound):
						given++
						require.True(rt, want.why == nil || circle)
					case errors.Is(s.Err, auth.ErrImportCycle):
						require.True(rt, circle)
						cycle := (*auth.CycleError)(nil)
						require.ErrorAs(rt, s.Err, &cycle)
						if strings.HasSuffix(s.Why, "..., and back") {
							cut++
							require.Equal(rt, []auth.Hop{{Account: key, Subject: s.Here, Exporter: s.Exporter, Exported: s.Subject}}, cycle.Path)
						} else {
							w.walk(rt, key, s, cycle.Path)
						}
					case s.Err == nil:
						require.True(rt, want.why == nil || circle)
						standing = append(standing, w.oracleLink(key, &w.inForce[key].Imports[i], map[string]bool{}))
					default:
						require.Equal(rt, want.state, s.State)
					}
				}
			}
			require.NotContains(rt, w.back(standing), true)
		}
	})
	t.Log(given, "given up,", cut, "cut")
	require.True(t, given > 0 && cut > 0 || testing.Short(), "the bound was never reached: this tests nothing")
}

// gazette takes the events of accounts.
type gazette struct {
	now  func() time.Time
	mu   sync.Mutex
	told map[string]*auth.Account // guarded by mu; the last view of each
	bad  []string                 // guarded by mu; what should not have been told
}

func newGazette(now func() time.Time) *gazette {
	return &gazette{now: now, told: make(map[string]*auth.Account)}
}

func (g *gazette) take(e auth.AccountEvent) {
	g.mu.Lock()
	defer g.mu.Unlock()
	key := e.Old.Key
	if e.New != nil {
		key = e.New.Key
	}
	if g.told[key()] != e.Old {
		g.bad = append(g.bad, "not told in order: "+key())
	}
	if e.New == nil {
		delete(g.told, key())
		return
	}
	if !g.sameImports(e.Old, e.New) && !e.Imports {
		g.bad = append(g.bad, "a change of imports was not told: "+key())
	}
	g.told[key()] = e.New
}

// sameImports compares the imports of two views at one time.
func (g *gazette) sameImports(a, b *auth.Account) bool {
	for {
		var was []auth.ImportStatus
		now := g.now()
		if a != nil {
			was = slices.Collect(a.Imports())
		}
		same := slices.EqualFunc(was, slices.Collect(b.Imports()), func(a, b auth.ImportStatus) bool {
			return a.State == b.State && a.Exporter == b.Exporter && a.Subject == b.Subject && a.Here == b.Here && a.Kind == b.Kind && a.Until.Equal(b.Until)
		})
		if now.Equal(g.now()) {
			return same
		}
	}
}

// settle waits until everything is told, and holds it to what is.
func (g *gazette) settle(t require.TestingT, a *auth.Authorizer, homes []*authtest.Account) {
	require.Eventually(t, func() bool {
		g.mu.Lock()
		defer g.mu.Unlock()
		for _, home := range homes {
			view, _ := a.InForce(home.PublicKey())
			if g.told[home.PublicKey()] != view {
				return false
			}
		}
		return true
	}, 5*time.Second, time.Millisecond)
	g.mu.Lock()
	defer g.mu.Unlock()
	require.Empty(t, g.bad)
}
