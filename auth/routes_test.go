package auth_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/auth/authtest"
	"github.com/natsauth/natsauth/claims"
	"github.com/natsauth/natsauth/resolver"
)

// pair is an exporter E and an importer I in force.
func pair(t *testing.T, exporter []authtest.Option, importer func(e string) []authtest.Option, edits ...func(*auth.Config)) (a *auth.Authorizer, e, i *auth.Account) {
	t.Helper()
	op := authtest.NewOperator(t)
	from := op.Account("E", exporter...)
	to := op.Account("I", importer(from.PublicKey())...)
	a = authtest.Authorizer(t, op, []*authtest.Account{from, to}, edits...)
	e, err := a.Account(t.Context(), from.PublicKey())
	require.NoError(t, err)
	i, err = a.Account(t.Context(), to.PublicKey())
	require.NoError(t, err)
	return a, e, i
}

// services writes routes as "exporter subject".
func services(view *auth.Account, subject string) []string {
	var out []string
	for _, r := range view.Services(nil, subject) {
		out = append(out, strings.TrimSpace(r.Exporter.Name()+" "+r.Subject))
	}
	return out
}

func streams(view *auth.Account, subscription string) []string {
	var out []string
	for _, r := range view.Streams(nil, subscription) {
		out = append(out, strings.TrimSpace(r.Exporter.Name()+" "+r.Subject))
	}
	return out
}

func everything(kind jwt.ExportType) authtest.Option {
	if kind == jwt.Stream {
		return authtest.StreamExport(">")
	}
	return authtest.ServiceExport(">")
}

// theOldWay writes the local subject into the field that was there before it.
func theOldWay(i *jwt.Import) {
	authtest.To(string(i.LocalSubject))(i)
	i.LocalSubject = ""
}

// TestF084WhereRequestsGo: names of services, old and new, and what they lead to.
func TestF084WhereRequestsGo(t *testing.T) {
	t.Parallel()
	old := theOldWay
	for _, row := range []struct {
		name, subject, local string
		edit                 func(*jwt.Import)
		ask                  string
		want                 string // empty: nowhere
	}{
		{"as it is", "a", "", nil, "a", "a"},
		{"another one", "a", "", nil, "b", ""},
		{"renamed", "a", "b", nil, "b", "a"},
		{"its own name is not known here", "a", "b", nil, "a", ""},
		{"with a wildcard", "a.*", "", nil, "a.x", "a.x"},
		{"with an open end", "a.>", "", nil, "a.x.y", "a.x.y"},
		{"an open end has something", "a.>", "", nil, "a", ""},
		{"the wildcard goes with the name", "a.*", "b.*", nil, "b.x", "a.x"},
		{"by its number", "a.*", "b.$1.c", nil, "b.x.c", "a.x"},
		{"they change places", "a.*.*", "b.$2.$1", nil, "b.x.y", "a.y.x"},
		{"three do", "a.*.*.*", "b.$2.$3.$1", nil, "b.x.y.z", "a.z.x.y"},
		{"and an open end stays", "a.*.>", "b.$1.>", nil, "b.x.y.z", "a.x.y.z"},
		{"a wildcard is a token like any other", "a.*", "b.*", nil, "b.*", "a.*"},
		{"the old way: subject is the name here", "a", "b", old, "a", "b"},
		{"the old way, with wildcards", "a.*", "b.*", old, "a.x", "b.x"},
		{"the old way, all to one", "a.*", "b", old, "a.x", "b"},
		{"no subject at all", "a.>", "", nil, "a..b", ""},
		{"white space", "a.>", "", nil, "a.b c", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			_, _, i := pair(t, []authtest.Option{everything(jwt.Service)}, func(e string) []authtest.Option {
				edit := row.edit
				if edit == nil {
					edit = func(*jwt.Import) {}
				}
				return []authtest.Option{authtest.ServiceImport(e, row.subject, row.local, edit)}
			})
			want := []string(nil)
			if row.want != "" {
				want = []string{"E " + row.want}
			}
			require.Equal(t, want, services(i, row.ask))
			require.Empty(t, streams(i, row.ask), "a service brings nothing")
		})
	}
}

// TestF083WhereSubscriptionsLead: a subscription meets what is imported as a whole, in part
// or not at all, and each message has its way back.
func TestF083WhereSubscriptionsLead(t *testing.T) {
	t.Parallel()
	prefix := theOldWay
	for _, row := range []struct {
		name, subject, local string
		edit                 func(*jwt.Import)
		ask, want            string // empty: nowhere
		message, arrives     string // empty: it does not
	}{
		{"equal", "a.b", "", nil, "a.b", "a.b", "a.b", "a.b"},
		{"equal, renamed", "a.b", "x", nil, "x", "a.b", "a.b", "x"},
		{"by the exporter's name", "a.b", "x", nil, "a.b", "", "", ""},
		{"equal, with wildcards", "a.*", "x.*", nil, "x.*", "a.*", "a.1", "x.1"},
		{"more than what is imported", "a.*", "x.*", nil, "x.>", "a.*", "a.1", "x.1"},
		{"everything", "a.*", "x.*", nil, ">", "a.*", "a.1", "x.1"},
		{"less", "a.>", "x.>", nil, "x.1.2", "a.1.2", "a.1.2", "x.1.2"},
		{"less, with a wildcard", "a.>", "x.>", nil, "x.*.2", "a.*.2", "a.1.2", "x.1.2"},
		{"only partly that", "a.*.b", "x.*.b", nil, "x.1.*", "a.1.b", "a.1.b", "x.1.b"},
		{"partly, with an open end", "a.*.b", "x.$1.b", nil, "x.1.>", "a.1.b", "a.1.b", "x.1.b"},
		{"partly, both open", "a.*.>", "x.$1.>", nil, "*.1.>", "a.1.>", "a.1.2.3", "x.1.2.3"},
		{"nothing of it", "a.*", "x.*", nil, "y.*", "", "", ""},
		{"too short", "a.>", "x.>", nil, "x", "", "", ""},
		{"they change places", "a.*.*", "x.$2.$1", nil, "x.1.*", "a.*.1", "a.2.1", "x.1.2"},
		{"three do", "a.*.*.*", "x.$2.$3.$1", nil, "x.1.2.3", "a.3.1.2", "a.3.1.2", "x.1.2.3"},
		{"a prefix", "a.*", "p.q", prefix, "p.q.a.*", "a.*", "a.1", "p.q.a.1"},
		{"without the prefix", "a.*", "p.q", prefix, "a.*", "", "", ""},
		{"a message that it does not bring", "a.*", "x.*", nil, "x.*", "a.*", "b.1", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			_, _, i := pair(t, []authtest.Option{everything(jwt.Stream)}, func(e string) []authtest.Option {
				edit := row.edit
				if edit == nil {
					edit = func(*jwt.Import) {}
				}
				return []authtest.Option{authtest.StreamImport(e, row.subject, row.local, edit)}
			})
			require.Empty(t, services(i, row.ask), "a stream takes nothing")
			routes := i.Streams(nil, row.ask)
			if row.want == "" {
				require.Empty(t, routes)
				return
			}
			require.Len(t, routes, 1)
			require.Equal(t, row.want, routes[0].Subject)
			require.Equal(t, routes[0].ID(), i.Streams(nil, row.ask)[0].ID())
			local, ok := routes[0].Local(row.message)
			require.Equal(t, row.arrives, local)
			require.Equal(t, row.arrives != "", ok)
		})
	}
}

// TestImportsWithoutAName: what the placeholders make no sense of is dead, and says why.
func TestImportsWithoutAName(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		edit func(*jwt.Import)
		want error
	}{
		{"one wildcard stands twice", func(i *jwt.Import) { i.Subject, i.LocalSubject = "a.*.*", "b.$1.$1" }, auth.ErrImportName},
		{"a placeholder for an open end", func(i *jwt.Import) { i.Subject, i.LocalSubject = "a.>", "b.{{wildcard(1)}}.>" }, auth.ErrImportName},
		{"a prefix with a wildcard", func(i *jwt.Import) { i.Subject = "a.*"; authtest.To("b.*")(i) }, auth.ErrImportName},
		{"wildcards that the old name lacks", func(i *jwt.Import) { i.Type, i.Subject = jwt.Service, "a"; authtest.To("b.*")(i) }, auth.ErrImportName},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			_, _, i := pair(t, []authtest.Option{everything(jwt.Stream), everything(jwt.Service)}, func(e string) []authtest.Option {
				return []authtest.Option{authtest.StreamImport(e, "", "", row.edit), authtest.StreamImport(e, "good", "")}
			})
			got := slices.Collect(i.Imports())
			require.Equal(t, auth.ImportDead, got[0].State)
			require.ErrorIs(t, got[0].Err, row.want)
			require.Equal(t, []string{"E good"}, streams(i, ">"), "and the others are as they were")
		})
	}
}

// TestImportTwice: the same stream has one name here, the first (F071).
func TestImportTwice(t *testing.T) {
	t.Parallel()
	_, _, i := pair(t, []authtest.Option{everything(jwt.Stream)}, func(e string) []authtest.Option {
		return []authtest.Option{authtest.StreamImport(e, "a", "x"), authtest.StreamImport(e, "a", "y"), authtest.StreamImport(e, "a.*", "y.*")}
	})
	got := slices.Collect(i.Imports())
	require.Equal(t, auth.ImportInForce, got[0].State)
	require.ErrorIs(t, got[1].Err, auth.ErrImportTwice)
	require.Equal(t, auth.ImportInForce, got[2].State)
	require.Equal(t, []string{"E a"}, streams(i, "x"))
	require.Empty(t, streams(i, "y"))
}

// TestB10TheMostSpecificImportTakesTheRequest, in force or not; and those of one name all do.
func TestB10TheMostSpecificImportTakesTheRequest(t *testing.T) {
	t.Parallel()
	op := authtest.NewOperator(t)
	home := func(name string) *authtest.Account {
		return op.Account(name, everything(jwt.Service), everything(jwt.Stream))
	}
	x, y, gone := home("X"), home("Y"), home("GONE")
	importer := op.Account("I",
		authtest.ServiceImport(x.PublicKey(), "a.>", ""),
		authtest.ServiceImport(y.PublicKey(), "a.b", ""),
		authtest.ServiceImport(x.PublicKey(), "both", ""), authtest.ServiceImport(y.PublicKey(), "there", "both"),
		authtest.ServiceImport(gone.PublicKey(), "a.c", ""),
		authtest.StreamImport(x.PublicKey(), "s.>", ""), authtest.StreamImport(x.PublicKey(), "s.b", ""), authtest.StreamImport(y.PublicKey(), "s.*", ""),
	)
	a := authtest.Authorizer(t, op, []*authtest.Account{x, y, importer})
	for _, account := range []*authtest.Account{x, y, importer} {
		_, err := a.Account(t.Context(), account.PublicKey())
		require.NoError(t, err)
	}
	view, _ := a.InForce(importer.PublicKey())
	require.Equal(t, []string{"X a.x"}, services(view, "a.x"))
	require.Equal(t, []string{"Y a.b"}, services(view, "a.b"), "the more specific name takes it")
	require.Equal(t, []string{"X both", "Y there"}, services(view, "both"), "one name, two accounts")
	require.Empty(t, services(view, "a.c"), "whose exporter is not there; nobody else gets it")
	require.Equal(t, []string{"X s.b", "Y s.b", "X s.b"}, streams(view, "s.b"), "streams bring what each has, the more specific first")
}

// TestRoutesCarryWhatHoldsForThem: response types, thresholds, measurements, traces and
// sharing go with a route (F078 to F081, F088).
func TestRoutesCarryWhatHoldsForThem(t *testing.T) {
	t.Parallel()
	_, e, i := pair(t, []authtest.Option{
		authtest.ServiceExport("one"),
		authtest.ServiceExport("many", func(e *jwt.Export) {
			e.ResponseType, e.ResponseThreshold, e.AllowTrace = jwt.ResponseTypeStream, time.Second, true
			e.Latency = &jwt.ServiceLatency{Sampling: 100, Results: "results"}
		}),
		authtest.ServiceExport("parts", func(e *jwt.Export) { e.ResponseType = jwt.ResponseTypeChunked }),
		authtest.ServiceExport("measured", func(e *jwt.Export) { e.Latency = &jwt.ServiceLatency{Sampling: 50, Results: "results"} }),
		authtest.ServiceExport("loop.*", func(e *jwt.Export) { e.Latency = &jwt.ServiceLatency{Sampling: 50, Results: "loop.results"} }),
		authtest.StreamExport("traced"), authtest.StreamExport("quiet"),
	}, func(e string) []authtest.Option {
		share := func(i *jwt.Import) { i.Share = true }
		trace := func(i *jwt.Import) { i.AllowTrace = true }
		return []authtest.Option{
			authtest.ServiceImport(e, "one", "", share), authtest.ServiceImport(e, "many", ""), authtest.ServiceImport(e, "parts", ""),
			authtest.ServiceImport(e, "measured", ""), authtest.ServiceImport(e, "loop.x", ""),
			authtest.StreamImport(e, "traced", "", trace), authtest.StreamImport(e, "quiet", ""),
		}
	})
	route := func(s string) auth.ServiceRoute {
		list := i.Services(nil, s)
		require.Len(t, list, 1, s)
		require.Same(t, e, list[0].Exporter)
		return list[0]
	}
	require.Equal(t, &auth.Service{Subject: "one", Threshold: auth.DefaultThreshold}, route("one").Service)
	require.True(t, route("one").Share)
	require.False(t, route("many").Share)
	require.Equal(t, &auth.Service{Subject: "many", Response: auth.Streamed, Threshold: time.Second, AllowTrace: true}, route("many").Service, "only single answers are measured")
	require.Equal(t, auth.Chunked, route("parts").Service.Response)
	require.Equal(t, 50, route("measured").Service.Latency.Sampling)
	require.Equal(t, "loop.*", route("loop.x").Service.Subject)
	require.Nil(t, route("loop.x").Service.Latency, "what would be measured again is not")
	require.True(t, i.Streams(nil, "traced")[0].Trace)
	require.False(t, i.Streams(nil, "quiet")[0].Trace)

	var exports []string
	for x := range e.Exports() {
		require.Equal(t, x.Service != nil, x.Kind.String() == "service")
		require.False(t, x.Implied)
		exports = append(exports, x.Subject)
	}
	require.Equal(t, []string{"one", "many", "parts", "measured", "loop.*", "traced", "quiet"}, exports)
}

// TestF076RoutesEndWithTheirActivation: to the nanosecond, whatever subject the activation
// names, without a timer or a new view (B11); and the timer makes one.
func TestF076RoutesEndWithTheirActivation(t *testing.T) {
	t.Parallel()
	c := &clock{now: authtest.Now()}
	end := authtest.Now().Add(time.Minute)
	start := authtest.Now().Add(30 * time.Second)
	var events gazette
	op := authtest.NewOperator(t)
	from := op.Account("E", authtest.StreamExport("a.>", required), authtest.ServiceExport("a.>", required))
	me := op.Account("I").PublicKey()
	to := op.Account("I",
		authtest.StreamImport(from.PublicKey(), "a.b", "x", authtest.Activated(from.ActivationFor(me, jwt.Stream, "a.>", authtest.Expires(end)))),
		authtest.ServiceImport(from.PublicKey(), "a.b", "y", authtest.Activated(from.ActivationFor(me, jwt.Service, "a.*", authtest.Expires(end)))),
		authtest.StreamImport(from.PublicKey(), "a.c", "z", authtest.Activated(from.ActivationFor(me, jwt.Stream, "a.c", authtest.NotBefore(start)))),
	)
	events.now, events.told = c.read, make(map[string]*auth.Account)
	a := authtest.Authorizer(t, op, []*authtest.Account{from, to}, c.use, func(c *auth.Config) { c.OnAccount = events.take })
	for _, key := range []string{from.PublicKey(), me} {
		_, err := a.Account(t.Context(), key)
		require.NoError(t, err)
	}
	view, _ := a.InForce(me)
	x := view.Streams(nil, "x")
	require.Len(t, x, 1)
	require.Equal(t, []string{"E a.b"}, services(view, "y"))
	require.Empty(t, streams(view, "z"), "it is too early")
	c.advance(30*time.Second - 1)
	a.Sweep()
	require.Empty(t, streams(view, "z"))
	c.advance(1)
	a.Sweep()
	later, _ := a.InForce(me)
	require.NotSame(t, view, later, "the view is another")
	require.Equal(t, []string{"E a.c"}, streams(later, "z"))

	c.advance(30*time.Second - 1)
	_, ok := x[0].Local("a.b")
	require.True(t, ok)
	require.Equal(t, []string{"E a.b"}, services(view, "y"))
	c.advance(1)
	_, ok = x[0].Local("a.b")
	require.False(t, ok, "the last moment is over, and nobody has swept")
	require.Empty(t, services(view, "y"))
	require.Empty(t, streams(later, "x"))
	require.Equal(t, []string{"E a.c"}, streams(later, "z"))
	for s := range view.Imports() {
		require.True(t, s.Subject == "a.c" || s.State == auth.ImportDead)
	}
	a.Sweep()
	last, _ := a.InForce(me)
	require.NotSame(t, later, last)
	events.settle(t, a, []*authtest.Account{from, to})
}

func required(e *jwt.Export) { e.TokenReq = true }

// TestRoutesFollowTheExporter: a view that somebody holds gives no more than the exporter's
// view of the moment does; a route that somebody holds neither.
func TestRoutesFollowTheExporter(t *testing.T) {
	t.Parallel()
	op := authtest.NewOperator(t)
	open := op.Account("E", authtest.ServiceExport("a.>"), authtest.StreamExport("s.>"))
	closed := open.Renew(authtest.Edit(func(c *jwt.AccountClaims) { c.Exports = nil }))
	again := closed.Renew(authtest.Edit(func(c *jwt.AccountClaims) {
		c.Exports.Add(&jwt.Export{Subject: "a.b", Type: jwt.Service, ResponseType: jwt.ResponseTypeChunked}, &jwt.Export{Subject: "s.>", Type: jwt.Stream})
	}))
	to := op.Account("I", authtest.ServiceImport(open.PublicKey(), "a.b", ""), authtest.ServiceImport(open.PublicKey(), "a.c", ""), authtest.StreamImport(open.PublicKey(), "s.x", ""))
	a := authtest.Authorizer(t, op, []*authtest.Account{open, to})
	for _, account := range []*authtest.Account{open, to} {
		_, err := a.Account(t.Context(), account.PublicKey())
		require.NoError(t, err)
	}
	first, _ := a.InForce(to.PublicKey())
	held := first.Streams(nil, "s.x")[0]
	look := func(view *auth.Account) string {
		_, ok := held.Local("s.x")
		return fmt.Sprint(services(view, "a.b"), services(view, "a.c"), streams(view, "s.x"), ok)
	}
	require.Equal(t, "[E a.b] [E a.c] [E s.x] true", look(first))
	_, err := a.Apply(t.Context(), closed.Token(), resolver.Push)
	require.NoError(t, err)
	require.Equal(t, "[] [] [] false", look(first))
	second, _ := a.InForce(to.PublicKey())
	require.NotSame(t, first, second)
	require.Equal(t, "[] [] [] false", look(second))
	_, err = a.Apply(t.Context(), again.Token(), resolver.Push)
	require.NoError(t, err)
	require.Equal(t, "[E a.b] [] [E s.x] true", look(first), "by the first view, too: it is the same import")
	require.Equal(t, auth.Chunked, first.Services(nil, "a.b")[0].Service.Response, "and what holds for it is as it is now")
	_, err = a.Remove(t.Context(), open.PublicKey())
	require.NoError(t, err)
	require.Equal(t, "[] [] [] false", look(first))
	require.Empty(t, first.Services(nil, "a.b"))
}

// TestRoutesEndWithTheExporter's token, at once.
func TestRoutesEndWithTheExporter(t *testing.T) {
	t.Parallel()
	c := &clock{now: authtest.Now()}
	end := authtest.Now().Add(time.Minute)
	a, e, i := pair(t, []authtest.Option{everything(jwt.Service), everything(jwt.Stream), authtest.Expires(end)}, func(e string) []authtest.Option {
		return []authtest.Option{authtest.ServiceImport(e, "a", ""), authtest.StreamImport(e, "s", "")}
	}, c.use)
	held := i.Streams(nil, "s")[0]
	c.advance(time.Minute - 1)
	require.Equal(t, []string{"E a"}, services(i, "a"))
	c.advance(1)
	require.Empty(t, services(i, "a"))
	_, ok := held.Local("s")
	require.False(t, ok)
	a.Sweep()
	view, _ := a.InForce(i.Key())
	for s := range view.Imports() {
		require.Equal(t, auth.ImportPending, s.State)
		require.ErrorIs(t, s.Err, auth.ErrExporterAbsent)
	}
	require.Equal(t, e.Key(), view.Claims().Imports[0].Account)
}

// TestARenewedImportGoesOn: a new activation for the same import leaves its routes as they
// are, and ends those of one that the token has no more.
func TestARenewedImportGoesOn(t *testing.T) {
	t.Parallel()
	c := &clock{now: authtest.Now()}
	op := authtest.NewOperator(t)
	from := op.Account("E", authtest.StreamExport("s.>", required))
	me := op.Account("I").PublicKey()
	token := func(issued time.Duration, end time.Duration, subjects ...string) string {
		opts := []authtest.Option{authtest.IssuedAt(authtest.Now().Add(issued))}
		for _, s := range subjects {
			opts = append(opts, authtest.StreamImport(from.PublicKey(), s, "x."+s,
				authtest.Activated(from.ActivationFor(me, jwt.Stream, "s.>", authtest.Expires(authtest.Now().Add(end))))))
		}
		return op.Account("I", opts...).Token()
	}
	a := authtest.Authorizer(t, op, []*authtest.Account{from}, c.use)
	_, err := a.Account(t.Context(), from.PublicKey())
	require.NoError(t, err)
	_, err = a.Apply(t.Context(), token(-3*time.Minute, time.Minute, "s.a", "s.b"), resolver.Push)
	require.NoError(t, err)
	first, _ := a.InForce(me)
	heldA, heldB := first.Streams(nil, "x.s.a")[0], first.Streams(nil, "x.s.b")[0]
	_, err = a.Apply(t.Context(), token(-2*time.Minute, time.Hour, "s.a"), resolver.Push)
	require.NoError(t, err)
	second, _ := a.InForce(me)
	require.Equal(t, heldA.ID(), second.Streams(nil, "x.s.a")[0].ID())
	_, ok := heldB.Local("s.b")
	require.False(t, ok, "it is not imported any more")
	c.advance(2 * time.Minute)
	_, ok = heldA.Local("s.a")
	require.True(t, ok, "the old activation is over, the new one is not")
}

// TestF092SystemServices: what every account imports from the system account, and what
// that exports.
func TestF092SystemServices(t *testing.T) {
	t.Parallel()
	op := authtest.NewOperator(t, authtest.SystemAccount("SYS"))
	sys := op.Account("SYS")
	me := op.Account("I").PublicKey()
	to := op.Account("I",
		authtest.ServiceImport(sys.PublicKey(), "$SYS.REQ.ACCOUNT."+me+".CONNZ", "mine"),
		authtest.ServiceImport(sys.PublicKey(), "$SYS.REQ.ACCOUNT."+sys.PublicKey()+".STATZ", "theirs"),
		authtest.ServiceImport(sys.PublicKey(), "$SYS.REQ.ACCOUNT.*.CONNZ", "any.*"),
		authtest.ServiceImport(sys.PublicKey(), "$SYS.DEBUG.SUBSCRIBERS", ""),
	)
	a := authtest.Authorizer(t, op, []*authtest.Account{sys, to})
	i, err := a.Account(t.Context(), to.PublicKey())
	require.NoError(t, err)
	require.Eventually(t, func() bool { _, ok := a.InForce(sys.PublicKey()); return ok }, 5*time.Second, time.Millisecond, "it is looked up")
	i, _ = a.InForce(i.Key())
	for ask, want := range map[string]string{
		"$SYS.REQ.USER.INFO":          "SYS $SYS.REQ.USER." + me + ".INFO",
		"$SYS.REQ.ACCOUNT.PING.CONNZ": "SYS $SYS.REQ.ACCOUNT." + me + ".CONNZ",
		"$SYS.REQ.SERVER.PING.CONNZ":  "SYS $SYS.REQ.ACCOUNT." + me + ".CONNZ",
		"$SYS.REQ.ACCOUNT.PING.STATZ": "SYS $SYS.REQ.ACCOUNT." + me + ".STATZ",
		"mine":                        "SYS $SYS.REQ.ACCOUNT." + me + ".CONNZ",
		"$SYS.DEBUG.SUBSCRIBERS":      "SYS $SYS.DEBUG.SUBSCRIBERS",
	} {
		require.Equal(t, []string{want}, services(i, ask), ask)
	}
	for _, ask := range []string{"theirs", "any." + me, "$SYS.REQ.USER", "$SYS.REQ.ACCOUNT.PING.SUBSZ", "SYS.REQ.USER.INFO"} {
		require.Empty(t, services(i, ask), ask)
	}
	who := i.Services(nil, "$SYS.REQ.USER.INFO")[0]
	require.True(t, who.Share)
	require.Equal(t, auth.Singleton, who.Service.Response)
	require.False(t, i.Services(nil, "$SYS.REQ.ACCOUNT.PING.CONNZ")[0].Share)
	require.Equal(t, auth.Streamed, i.Services(nil, "mine")[0].Service.Response)
	states := []auth.ImportState{}
	for s := range i.Imports() {
		states = append(states, s.State)
	}
	require.Equal(t, []auth.ImportState{auth.ImportInForce, auth.ImportDead, auth.ImportDead, auth.ImportInForce}, states)

	s, _ := a.InForce(sys.PublicKey())
	require.Equal(t, []string{"SYS $SYS.REQ.USER." + s.Key() + ".INFO"}, services(s, "$SYS.REQ.USER.INFO"))
	require.Empty(t, services(s, "$SYS.REQ.ACCOUNT.PING.CONNZ"), "it answers that itself")
	n := 0
	for x := range s.Exports() {
		require.True(t, x.Implied)
		n++
	}
	require.Equal(t, 4, n)
	for x := range i.Exports() {
		t.Fatal("it exports", x)
	}
}

// TestF092ATokenMayCoverThem: then its own word counts.
func TestF092ATokenMayCoverThem(t *testing.T) {
	t.Parallel()
	op := authtest.NewOperator(t, authtest.SystemAccount("SYS"))
	sys := op.Account("SYS", authtest.ServiceExport("$SYS.REQ.ACCOUNT.*.*"))
	other := op.Account("X", authtest.ServiceExport(">"))
	to := op.Account("I",
		authtest.ServiceImport(sys.PublicKey(), "$SYS.REQ.ACCOUNT."+sys.PublicKey()+".STATZ", "theirs"),
		authtest.ServiceImport(sys.PublicKey(), "$SYS.REQ.USER.INFO", ""), // that name is taken
		authtest.ServiceImport(other.PublicKey(), "$SYS.REQ.USER.INFO", ""),
		authtest.ServiceImport(other.PublicKey(), "wide.>", "$SYS.REQ.SERVER.>"),
	)
	a := authtest.Authorizer(t, op, []*authtest.Account{sys, other, to})
	for _, account := range []*authtest.Account{sys, other, to} {
		_, err := a.Account(t.Context(), account.PublicKey())
		require.NoError(t, err)
	}
	i, _ := a.InForce(to.PublicKey())
	require.Equal(t, []string{"SYS $SYS.REQ.ACCOUNT." + sys.PublicKey() + ".STATZ"}, services(i, "theirs"), "without a position it is for all")
	require.Equal(t, []string{"SYS $SYS.REQ.USER." + i.Key() + ".INFO", "X $SYS.REQ.USER.INFO"}, services(i, "$SYS.REQ.USER.INFO"))
	require.Equal(t, []string{"SYS $SYS.REQ.ACCOUNT." + i.Key() + ".CONNZ"}, services(i, "$SYS.REQ.SERVER.PING.CONNZ"), "the more specific name")
	require.Equal(t, []string{"X wide.PING.STATZ"}, services(i, "$SYS.REQ.SERVER.PING.STATZ"))
}

// TestNoRoutes: who is nobody leads nowhere.
func TestNoRoutes(t *testing.T) {
	t.Parallel()
	var nobody auth.Account
	require.Empty(t, nobody.Services(nil, "a"))
	require.Empty(t, nobody.Streams(nil, ">"))
	for range nobody.Imports() {
		t.Fatal("an import of nobody")
	}
	for range nobody.Exports() {
		t.Fatal("an export of nobody")
	}
	_, ok := auth.StreamRoute{}.Local("a")
	require.False(t, ok)
	require.Zero(t, auth.StreamRoute{}.ID())
}

// TestRoutesDoNotAllocate, but for the text of a subject that wildcards make another one.
func TestRoutesDoNotAllocate(t *testing.T) {
	_, _, i := pair(t, []authtest.Option{everything(jwt.Service), everything(jwt.Stream)}, func(e string) []authtest.Option {
		opts := []authtest.Option{
			authtest.ServiceImport(e, "lit", "literal"), authtest.ServiceImport(e, "same.>", ""), authtest.ServiceImport(e, "w.*", "wild.*"), authtest.StreamImport(e, "s.>", ""),
		}
		for n := range 500 {
			opts = append(opts, authtest.ServiceImport(e, fmt.Sprint("many.", n), ""))
		}
		return opts
	})
	buf := make([]auth.ServiceRoute, 0, 4)
	for ask, want := range map[string]float64{"literal": 0, "same.a.b": 0, "many.77": 0, "none": 0, "$SYS.REQ.USER.INFO": 0, "wild.x": 1} {
		require.Equal(t, want, testing.AllocsPerRun(50, func() { buf = i.Services(buf[:0], ask) }), ask)
	}
	held := i.Streams(nil, "s.a")[0]
	require.Zero(t, testing.AllocsPerRun(50, func() { held.Local("s.a") }))
	require.Equal(t, []auth.ServiceRoute{{}}, i.Services([]auth.ServiceRoute{{}}, "none"), "it appends")
}

// TestB6RoutesChangeWithTheExporter: while the exporter changes again and again, a route is
// always one of the view that it names, with what holds for it there; and what every view
// gives is given at every moment.
func TestB6RoutesChangeWithTheExporter(t *testing.T) {
	t.Parallel()
	op := authtest.NewOperator(t)
	chunked := func(e *jwt.Export) { e.ResponseType = jwt.ResponseTypeChunked }
	odd := []authtest.Option{authtest.ServiceExport("a"), authtest.ServiceExport("c"), authtest.StreamExport("s")}
	even := []authtest.Option{authtest.ServiceExport("b"), authtest.ServiceExport("c", chunked), authtest.StreamExport("t"), authtest.StreamExport("s")}
	e := op.Account("E", odd...)
	i := op.Account("I",
		authtest.ServiceImport(e.PublicKey(), "a", ""), authtest.ServiceImport(e.PublicKey(), "b", ""), authtest.ServiceImport(e.PublicKey(), "c", ""),
		authtest.StreamImport(e.PublicKey(), "s", ""), authtest.StreamImport(e.PublicKey(), "t", ""),
	)
	a := authtest.Authorizer(t, op, []*authtest.Account{e, i})
	for _, account := range []*authtest.Account{e, i} {
		_, err := a.Account(t.Context(), account.PublicKey())
		require.NoError(t, err)
	}
	held, _ := a.InForce(i.PublicKey())
	stop := make(chan struct{})
	var g sync.WaitGroup
	for range 2 {
		g.Go(func() {
			var routes []auth.ServiceRoute
			for {
				select {
				case <-stop:
					return
				default:
				}
				now, _ := a.InForce(i.PublicKey())
				for _, view := range []*auth.Account{held, now} {
					for _, s := range []string{"a", "b", "c"} {
						routes = view.Services(routes[:0], s)
						if s == "c" && len(routes) != 1 {
							t.Errorf("c is always exported, and leads to %v", routes)
							return
						}
						for _, r := range routes {
							if !exported(r) {
								t.Errorf("%s is not what %v exports", s, slices.Collect(r.Exporter.Exports()))
								return
							}
						}
					}
					if list := view.Streams(nil, "s"); len(list) != 1 {
						t.Errorf("s is always exported, and leads to %v", list)
						return
					}
				}
			}
		})
	}
	for n := range 300 {
		opts := odd
		if n%2 == 0 {
			opts = even
		}
		at := authtest.IssuedAt(authtest.Now().Add(-time.Hour + time.Duration(n+1)*time.Second))
		_, err := a.Apply(t.Context(), op.Account("E", append([]authtest.Option{at}, opts...)...).Token(), resolver.Push)
		require.NoError(t, err)
	}
	close(stop)
	g.Wait()
}

// exported says whether a route is one that its exporter's view gives.
func exported(r auth.ServiceRoute) bool {
	for x := range r.Exporter.Exports() {
		if x.Kind == claims.Service && x.Subject == r.Subject {
			return r.Service.Response == x.Service.Response
		}
	}
	return false
}
