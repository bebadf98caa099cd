package conformance_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/bench/conformance/internal/peer"
	"github.com/natsauth/natsauth/bench/conformance/internal/verdict"
	"github.com/natsauth/natsauth/bench/conformance/internal/world"
)

// stream and service are an export of either kind, with edits.
func stream(subject string, edits ...func(*jwt.Export)) func(*jwt.AccountClaims) {
	return export(jwt.Stream, subject, edits)
}

func service(subject string, edits ...func(*jwt.Export)) func(*jwt.AccountClaims) {
	return export(jwt.Service, subject, edits)
}

func export(kind jwt.ExportType, subject string, edits []func(*jwt.Export)) func(*jwt.AccountClaims) {
	return func(c *jwt.AccountClaims) {
		e := &jwt.Export{Type: kind, Subject: jwt.Subject(subject)}
		for _, edit := range edits {
			edit(e)
		}
		c.Exports.Add(e)
	}
}

// imports is an import of a kind from an account, with edits.
func imports(kind jwt.ExportType, from, subject, local string, edits ...func(*jwt.Import)) func(*jwt.AccountClaims) {
	return func(c *jwt.AccountClaims) {
		i := &jwt.Import{Type: kind, Account: from, Subject: jwt.Subject(subject), LocalSubject: jwt.RenamingSubject(local)}
		for _, edit := range edits {
			edit(i)
		}
		c.Imports.Add(i)
	}
}

// to names an import as tokens did before there was a local subject, or in both ways.
func to(to, local string) func(*jwt.Import) {
	return func(i *jwt.Import) {
		i.To, i.LocalSubject = jwt.Subject(to), jwt.RenamingSubject(local) //nolint:staticcheck // SA1019: tokens have it
	}
}

// TestSharedClaims: what an account's token may say of exports, imports and their limits,
// or nobody gets in (F070 to F072, F081, F095).
func TestSharedClaims(t *testing.T) {
	t.Parallel()
	peer.Prepare(t)
	w := world.New(20)
	from := w.Account("EXPORTER", stream("x.*.*"), service("y.>")).Key.Public
	one := func(edit func(*jwt.Import)) func(*jwt.AccountClaims) {
		return imports(jwt.Stream, from, "x.*.*", "", edit)
	}
	local := func(kind jwt.ExportType, subject, local string) func(*jwt.AccountClaims) {
		return imports(kind, from, subject, local)
	}
	limits := func(edit func(*jwt.OperatorLimits)) func(*jwt.AccountClaims) {
		return func(c *jwt.AccountClaims) { edit(&c.Limits) }
	}
	many := func(edits ...func(*jwt.AccountClaims)) func(*jwt.AccountClaims) {
		return func(c *jwt.AccountClaims) {
			for _, e := range edits {
				e(c)
			}
		}
	}
	cases := []struct {
		name string
		edit func(*jwt.AccountClaims)
		in   bool // with the reference
		rows []string
	}{
		{"a stream", stream("a"), true, []string{"F070"}},
		{"an export of no kind", export(jwt.Unknown, "a", nil), false, []string{"F070"}},
		{"a subject that is none", stream("a..b"), false, []string{"F070"}},
		{"a subject with a blank", stream("a b"), false, []string{"F070"}},
		{"a stream with a response type", stream("a", func(e *jwt.Export) { e.ResponseType = jwt.ResponseTypeSingleton }), false, []string{"F070", "F078"}},
		{"a service with a response type of its own", service("a", func(e *jwt.Export) { e.ResponseType = "Many" }), false, []string{"F070", "F078"}},
		{"a stream with a threshold", stream("a", func(e *jwt.Export) { e.ResponseThreshold = time.Second }), false, []string{"F070", "F079"}},
		{"a service with a threshold", service("a", func(e *jwt.Export) { e.ResponseThreshold = time.Second }), true, []string{"F070", "F079"}},
		{"a service with a threshold below zero", service("a", func(e *jwt.Export) { e.ResponseThreshold = -1 }), false, []string{"F070", "F079"}},
		{"a stream that is measured", stream("a", func(e *jwt.Export) { e.Latency = &jwt.ServiceLatency{Sampling: 1, Results: "r"} }), false, []string{"F070", "F080"}},
		{"a service that is measured", service("a", func(e *jwt.Export) { e.Latency = &jwt.ServiceLatency{Sampling: 100, Results: "r"} }), true, []string{"F070", "F080"}},
		{"measured where headers say so", service("a", func(e *jwt.Export) { e.Latency = &jwt.ServiceLatency{Sampling: jwt.Headers, Results: "r"} }), true, []string{"F070", "F080"}},
		{"measured to a wildcard", service("a", func(e *jwt.Export) { e.Latency = &jwt.ServiceLatency{Sampling: 1, Results: "r.*"} }), false, []string{"F070", "F080"}},
		{"a service that is traced", service("a", func(e *jwt.Export) { e.AllowTrace = true }), true, []string{"F070", "F081"}},
		{"a stream that is traced", stream("a", func(e *jwt.Export) { e.AllowTrace = true }), false, []string{"F070", "F081"}},
		{"a position of a wildcard", stream("a.*", func(e *jwt.Export) { e.AccountTokenPosition = 2 }), true, []string{"F070", "F073"}},
		{"a position of another token", stream("a.*", func(e *jwt.Export) { e.AccountTokenPosition = 1 }), false, []string{"F070", "F073"}},
		{"a position behind the subject", stream("a.*", func(e *jwt.Export) { e.AccountTokenPosition = 3 }), false, []string{"F070", "F073"}},
		{"a position of the rest", stream("a.>", func(e *jwt.Export) { e.AccountTokenPosition = 2 }), false, []string{"F070", "F073"}},
		{"a position without a wildcard", stream("a.b", func(e *jwt.Export) { e.AccountTokenPosition = 2 }), false, []string{"F070", "F073"}},
		{"two streams of which one covers the other", many(stream("a.*"), stream("a.b")), false, []string{"F070"}},
		{"two streams of which one seems to cover the other", many(stream("a.*"), stream("a.>")), false, []string{"F070"}},
		{"two streams that overlap", many(stream("a.*.b"), stream("a.c.*")), true, []string{"F070"}},
		{"a stream and a service of one name", many(stream("a"), service("a")), true, []string{"F070"}},

		{"an import", one(func(*jwt.Import) {}), true, []string{"F071"}},
		{"an import of no kind", one(func(i *jwt.Import) { i.Type = jwt.Unknown }), false, []string{"F071"}},
		{"an import from nobody", one(func(i *jwt.Import) { i.Account = "" }), false, []string{"F071"}},
		{"an import of no subject", one(func(i *jwt.Import) { i.Subject = "" }), false, []string{"F071"}},
		{"an import of a subject that is none", one(func(i *jwt.Import) { i.Subject = "a..b" }), false, []string{"F071"}},
		{"a stream that shares", one(func(i *jwt.Import) { i.Share = true }), false, []string{"F071", "F088"}},
		{"a service that shares", imports(jwt.Service, from, "y.>", "", func(i *jwt.Import) { i.Share = true }), true, []string{"F071", "F088"}},
		{"a stream that traces", one(func(i *jwt.Import) { i.AllowTrace = true }), true, []string{"F071", "F081"}},
		{"a service that traces", imports(jwt.Service, from, "y.>", "", func(i *jwt.Import) { i.AllowTrace = true }), false, []string{"F071", "F081"}},
		{"an old name", one(to("p", "")), true, []string{"F071", "F082"}},
		{"an old name and a new one", one(to("p", "q.*.*")), false, []string{"F071", "F082"}},
		{"an activation that is none", one(func(i *jwt.Import) { i.Token = "nonsense" }), false, []string{"F071", "F074"}},
		{"numbers for wildcards", local(jwt.Stream, "x.*.*", "l.$2.$1"), true, []string{"F071", "F085"}},
		{"a number and a wildcard", local(jwt.Stream, "x.*.*", "l.$2.*"), true, []string{"F071", "F085"}},
		{"a number too many", local(jwt.Stream, "x.*.*", "l.$1.$2.$3"), false, []string{"F071", "F085"}},
		{"a number too high", local(jwt.Stream, "x.*.*", "l.$1.$3"), false, []string{"F071", "F085"}},
		{"a wildcard too few", local(jwt.Stream, "x.*.*", "l.*"), false, []string{"F071", "F085"}},
		{"a wildcard in words", local(jwt.Stream, "x.*.*", "l.{{wildcard(1)}}.{{wildcard(2)}}"), false, []string{"F071", "F085"}},
		{"a blank", local(jwt.Stream, "x.*.*", "l .*.*"), false, []string{"F071"}},
		{"the rest", local(jwt.Service, "y.>", "l.>"), true, []string{"F071"}},
		{"no rest", local(jwt.Service, "y.>", "l"), false, []string{"F071"}},
		{"a rest where there is none", local(jwt.Stream, "x.*.*", "l.*.*.>"), false, []string{"F071"}},
		{"two services of one name from one account", many(local(jwt.Service, "y.a", "l"), local(jwt.Service, "y.b", "l")), false, []string{"F071"}},
		{"two services of which one name covers the other", many(local(jwt.Service, "y.*", "l.*"), local(jwt.Service, "y.b", "l.b")), false, []string{"F071"}},
		{"two streams of one name from one account", many(local(jwt.Stream, "x.a.*", "l.*"), local(jwt.Stream, "x.b.*", "l.*")), true, []string{"F071"}},

		{"as many imports as allowed", many(one(func(*jwt.Import) {}), limits(func(l *jwt.OperatorLimits) { l.Imports = 1 })), true, []string{"F072"}},
		{"more imports than allowed", many(one(func(*jwt.Import) {}), limits(func(l *jwt.OperatorLimits) { l.Imports = 0 })), false, []string{"F072"}},
		{"as many exports as allowed", many(stream("a"), limits(func(l *jwt.OperatorLimits) { l.Exports = 1 })), true, []string{"F072"}},
		{"more exports than allowed", many(stream("a"), limits(func(l *jwt.OperatorLimits) { l.Exports = 0 })), false, []string{"F072"}},
		{"a wildcard, where none are allowed", many(stream("a.*"), limits(func(l *jwt.OperatorLimits) { l.Exports, l.WildcardExports = 1, false })), false, []string{"F072"}},
		{"no wildcard, where none are allowed", many(stream("a"), limits(func(l *jwt.OperatorLimits) { l.Exports, l.WildcardExports = 1, false })), true, []string{"F072"}},
		{"a wildcard, where none are allowed and exports have no bound", many(stream("a.*"), limits(func(l *jwt.OperatorLimits) { l.WildcardExports = false })), true, []string{"F072"}},

		{"room for streams", limits(func(l *jwt.OperatorLimits) { l.DiskStorage = 1 }), true, []string{"F095"}},
		{"room in tiers", limits(func(l *jwt.OperatorLimits) {
			l.JetStreamTieredLimits = jwt.JetStreamTieredLimits{"R1": {DiskStorage: 1}}
		}), true, []string{"F095"}},
		{"room in tiers, and without", limits(func(l *jwt.OperatorLimits) {
			l.DiskStorage, l.JetStreamTieredLimits = 1, jwt.JetStreamTieredLimits{"R1": {DiskStorage: 1}}
		}), true, []string{"F095"}},
		{"a tier without a name", limits(func(l *jwt.OperatorLimits) { l.JetStreamTieredLimits = jwt.JetStreamTieredLimits{"": {DiskStorage: 1}} }), false, []string{"F095"}},
		{"a mapping of more than everything", func(c *jwt.AccountClaims) {
			c.Mappings = jwt.Mapping{"a": {{Subject: "b", Weight: 60}, {Subject: "c", Weight: 60}}}
		}, false, []string{"F093"}},
		{"a mapping of everything", func(c *jwt.AccountClaims) {
			c.Mappings = jwt.Mapping{"a": {{Subject: "b", Weight: 60}, {Subject: "c", Weight: 40}}}
		}, true, []string{"F093"}},
	}
	users := map[string]peer.User{}
	for _, c := range cases {
		a := w.Account(c.name, c.edit)
		users[c.name] = a.User("u", a.Key)
	}
	theirs, mine := each(t, w.Config(), func(t *testing.T, s *peer.Server) map[string][]string {
		return all(users, func(u peer.User) []string { return begun(t, s, u) })()
	})
	for _, c := range cases {
		require.Equal(t, c.in, fmt.Sprint(theirs[c.name]) == "[admitted]", "%s: %q", c.name, theirs[c.name])
		judge(t, c.name, verdict.Facts{}, theirs[c.name], mine[c.name])
		rows.Hit(c.rows...)
	}
}

// couple is an exporter and an importer, for conversations in raw protocol.
type couple struct {
	exporter, importer *world.Account
	sell, buy          peer.User
}

// newCouple makes both.
func newCouple(w *world.World, exports func(*jwt.AccountClaims), imports func(exporter string) func(*jwt.AccountClaims)) couple {
	c := couple{exporter: w.Account("EXPORTER", exports)}
	c.importer = w.Account("IMPORTER", imports(c.exporter.Key.Public))
	c.sell, c.buy = c.exporter.User("sell", c.exporter.Key), c.importer.User("buy", c.importer.Key)
	return c
}

// enter connects both.
func (c couple) enter(t *testing.T, s *peer.Server) (sell, buy *peer.Client) {
	t.Helper()
	sell, buy = dial(t, s), dial(t, s)
	for to, u := range map[*peer.Client]peer.User{sell: c.sell, buy: c.buy} {
		if err := to.Login(u); err != nil {
			t.Error(err)
		}
		to.Flush()
	}
	return sell, buy
}

// TestThreshold: an answer may take as long as the export says (F079).
func TestThreshold(t *testing.T) {
	t.Parallel()
	peer.Prepare(t)
	w := world.New(21)
	const threshold = 400 * time.Millisecond
	c := newCouple(w, service("ask", func(e *jwt.Export) { e.ResponseThreshold = threshold }),
		func(from string) func(*jwt.AccountClaims) { return imports(jwt.Service, from, "ask", "") })
	theirs, mine := each(t, w.Config(), func(t *testing.T, s *peer.Server) []string {
		sell, buy := c.enter(t, s)
		_ = sell.Send("SUB ask 1\r\n")
		sell.Flush()
		_ = buy.Send("SUB in.* 1\r\n")
		var out []string
		for _, wait := range []time.Duration{0, 3 * threshold} {
			_ = buy.Send(fmt.Sprintf("PUB ask in.%d 0\r\n\r\n", wait))
			buy.Flush()
			asked, _ := sell.Flush()
			if len(asked) != 1 {
				return append(out, asked...)
			}
			time.Sleep(wait)
			_ = sell.Send(fmt.Sprintf("PUB %s 1\r\nx\r\n", strings.Fields(asked[0])[3]))
			sell.Flush()
			lines, _ := buy.Flush()
			out = append(out, fmt.Sprint(wait, lines))
		}
		return out
	})
	require.Equal(t, []string{`0s [MSG in.0 1 1 "x"]`, "1.2s []"}, theirs)
	judge(t, "threshold", verdict.Facts{}, theirs, mine)
	rows.Hit("F079")
}

// TestMeasured: what the account of a service is told of how long it took, but for the
// times (F080). We tell no token of who is shared (B8).
func TestMeasured(t *testing.T) {
	t.Parallel()
	peer.Prepare(t)
	for name, share := range map[string]bool{"not shared": false, "shared": true} {
		w := world.New(22)
		c := newCouple(w, service("ask", func(e *jwt.Export) { e.Latency = &jwt.ServiceLatency{Sampling: 100, Results: "took"} }),
			func(from string) func(*jwt.AccountClaims) {
				return imports(jwt.Service, from, "ask", "", func(i *jwt.Import) { i.Share = share })
			})
		theirs, mine := each(t, w.Config(), func(t *testing.T, s *peer.Server) []string {
			sell, buy := c.enter(t, s)
			_ = sell.Send("SUB took 2\r\n")
			sell.Flush()
			_ = buy.Send("SUB in 1\r\nPUB ask in 0\r\n\r\nPUB ask 0\r\n\r\n") // nobody is there; nobody to answer to
			buy.Flush()
			out := metrics(sell, 2)
			_ = sell.Send("SUB ask 1\r\n")
			sell.Flush()
			_ = buy.Send("PUB ask in 0\r\n\r\n")
			asked, _ := sell.Until(func(l string) bool { return strings.Contains(l, " _R_.") })
			_ = sell.Send(fmt.Sprintf("PUB %s 1\r\nx\r\n", strings.Fields(asked[len(asked)-1])[3]))
			out = append(out, metrics(sell, 1)...)
			_ = buy.Send("SUB gone 3\r\nPUB ask gone 0\r\n\r\nUNSUB 3\r\n")
			return append(out, metrics(sell, 1)...)
		})
		require.Len(t, theirs, 4)
		judge(t, name, verdict.Facts{Shared: true}, theirs, mine)
		rows.Hit("F080")
	}
}

// metrics waits for some, and gives what two servers should agree on of each.
func metrics(c *peer.Client, n int) []string {
	var out []string
	for range n {
		lines, _ := c.Until(func(l string) bool { return strings.HasPrefix(l, "MSG took ") })
		out = append(out, lasting(lines[len(lines)-1]))
	}
	return out
}

// own are the fields of a metric that are the server's or the moment's.
var own = []string{"id", "timestamp", "start", "service", "system", "total", "rtt", "server", "host"}

// lasting writes a metric without what is a server's own.
func lasting(line string) string {
	text, err := strconv.Unquote(line[strings.IndexByte(line, '"'):])
	if err != nil {
		return line
	}
	var m map[string]any
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		return text
	}
	blank(m)
	out, err := json.Marshal(m)
	if err != nil {
		return err.Error()
	}
	return string(out)
}

// blank leaves of what is a server's own that it is there, and of a token that it is one.
func blank(m map[string]any) {
	for key, value := range m {
		if inner, ok := value.(map[string]any); ok {
			blank(inner)
		}
		if slices.Contains(own, key) {
			m[key] = true
		}
		if key == "jwt" {
			m[key] = "a token"
		}
	}
}

// TestLateExporter: an import waits for its exporter, and comes to life with it, for
// subscriptions and requests of a connection that is older (F090).
func TestLateExporter(t *testing.T) {
	t.Parallel()
	peer.Prepare(t)
	run := func(start func(testing.TB, string) *peer.Server) []string {
		w := world.New(23)
		late := w.NewAccount("LATE")
		late.By = w.Identity
		stream("news")(late.Claims)
		service("ask")(late.Claims)
		importer := w.NewAccount("IMPORTER")
		importer.By = w.Identity
		imports(jwt.Stream, late.Key.Public, "news", "")(importer.Claims)
		imports(jwt.Service, late.Key.Public, "ask", "")(importer.Claims)
		dir := filepath.Join(t.TempDir(), "jwt")
		require.NoError(t, os.MkdirAll(dir, 0o700))
		put := func(a *world.Account) {
			a.Admit()
			require.NoError(t, os.WriteFile(filepath.Join(dir, a.Key.Public+".jwt"), []byte(a.Token), 0o600))
		}
		put(importer)
		s := start(t, w.Anchored(fmt.Sprintf("resolver { type: full, dir: %q }", dir)))
		buy := dial(t, s)
		require.NoError(t, buy.Login(importer.User("u", importer.Key)))
		_ = buy.Send("SUB in 1\r\nPUB ask in 0\r\n\r\n")
		lines, _ := buy.Flush()
		put(late)
		u := late.User("u", late.Key)
		out := append(lines, admittedAtLast(t, s, u))
		sell := dial(t, s)
		require.NoError(t, sell.Login(u))
		_ = sell.Send("SUB ask 1\r\n")
		sell.Flush()
		_ = buy.Send("SUB news 2\r\n")
		buy.Flush()
		_ = sell.Send("PUB news 0\r\n\r\n")
		sell.Flush()
		_ = buy.Send("PUB ask in 0\r\n\r\n")
		lines, _ = buy.Flush()
		asked, _ := sell.Flush()
		return append(append(out, lines...), fmt.Sprint(len(asked), " asked"))
	}
	theirs, mine := run(peer.Reference), run(peer.Ours)
	require.Equal(t, []string{`HMSG in 1 35 35 "NATS/1.0 503\r\nNats-Subject: ask\r\n\r\n"`, "admitted", `MSG news 2 0 ""`, "1 asked"}, theirs)
	judge(t, "late exporter", verdict.Facts{}, theirs, mine)
	rows.Hit("F090")
}

// TestSystemServices: what every account may ask the system account without an import of
// its own, and what it may import of it (F092).
func TestSystemServices(t *testing.T) {
	t.Parallel()
	peer.Prepare(t)
	w := world.New(24)
	other := w.Account("OTHER").Key.Public
	asker := w.NewAccount("ASKER")
	asker.By = w.Identity
	system := w.System.Key.Public
	for local, subject := range map[string]string{
		"mine": "$SYS.REQ.ACCOUNT." + asker.Key.Public + ".CONNZ", "theirs": "$SYS.REQ.ACCOUNT." + other + ".CONNZ",
		"all.*": "$SYS.REQ.ACCOUNT.*.CONNZ", "stats": "$SYS.REQ.ACCOUNT." + asker.Key.Public + ".STATZ", "else": "$SYS.REQ.SERVER.PING",
	} {
		imports(jwt.Service, system, subject, local)(asker.Claims)
	}
	asker.Admit()
	u, admin := asker.User("u", asker.Key), w.System.User("admin", w.System.Key)
	subjects := []string{
		"mine", "theirs", "all." + asker.Key.Public, "stats", "else", "$SYS.REQ.USER.INFO",
		"$SYS.REQ.ACCOUNT.PING.CONNZ", "$SYS.REQ.ACCOUNT.PING.STATZ", "$SYS.REQ.SERVER.PING.CONNZ", "$SYS.REQ.SERVER.PING",
		"$SYS.REQ.ACCOUNT." + asker.Key.Public + ".CONNZ", "$SYS.REQ.USER." + asker.Key.Public + ".INFO",
	}
	theirs, mine := each(t, w.Config(), func(t *testing.T, s *peer.Server) []string {
		listens, asks := dial(t, s), dial(t, s)
		for to, u := range map[*peer.Client]peer.User{listens: admin, asks: u} {
			if err := to.Login(u); err != nil {
				t.Error(err)
			}
			to.Flush()
		}
		_ = listens.Send("SUB $SYS.REQ.> 1\r\n")
		listens.Flush()
		var out []string
		for _, subject := range subjects {
			_ = asks.Send("PUB " + subject + " in 0\r\n\r\n")
			asks.Flush()
			lines, _ := listens.Flush()
			for _, l := range lines {
				if heard := strings.Fields(l)[1]; !strings.HasSuffix(heard, ".CONNS") { // a server asks the others by itself
					out = append(out, subject+" is heard as "+heard)
				}
			}
		}
		return out
	})
	require.Len(t, theirs, 6, "%q", theirs)
	judge(t, "system services", verdict.Facts{}, theirs, mine)
	rows.Hit("F092")
}

// TestWhatGeneratedGraphsLeaveOut shows names of imports of which the two servers think
// otherwise, whoever exports: with us one name leads to the other and back, so that every
// wildcard stands there once. A row that no longer differs goes.
func TestWhatGeneratedGraphsLeaveOut(t *testing.T) {
	t.Parallel()
	peer.Prepare(t)
	for _, tt := range []struct {
		name           string
		kind           jwt.ExportType
		subject, local string
		from, to       string // what is published, where the import leads
		theirs, ours   string // the subject under which it arrives
	}{
		{"a stream whose wildcards go round", jwt.Stream, "x.*.*.*", "l.$2.$3.$1", "x.c.a.b", "l.a.b.c", "", "l.a.b.c"},
		{"a service whose wildcards go round", jwt.Service, "x.*.*.*", "l.$2.$3.$1", "l.a.b.c", "x.>", "x.b.c.a", "x.c.a.b"},
		{"a stream whose wildcard is there twice", jwt.Stream, "x.*.*", "l.$1.$1", "x.a.b", "l.>", "l.a.a", ""},
		{"a service whose wildcard is there twice", jwt.Service, "x.*.*", "l.$1.$1", "l.a.a", "x.>", "x.a.a", ""},
	} {
		w := world.New(25)
		c := newCouple(w, export(tt.kind, strings.SplitAfter(tt.subject, "x.")[0]+">", nil),
			func(from string) func(*jwt.AccountClaims) { return imports(tt.kind, from, tt.subject, tt.local) })
		theirs, mine := each(t, w.Config(), func(t *testing.T, s *peer.Server) string {
			sell, buy := c.enter(t, s)
			says, hears := sell, buy
			if tt.kind == jwt.Service {
				says, hears = buy, sell
			}
			_ = hears.Send("SUB " + tt.to + " 1\r\n")
			hears.Flush()
			_ = says.Send("PUB " + tt.from + " 0\r\n\r\n")
			says.Flush()
			lines, _ := hears.Flush()
			if len(lines) != 1 {
				return strings.Join(lines, "\n")
			}
			return strings.Fields(lines[0])[1]
		})
		require.Equal(t, tt.theirs, theirs, tt.name+", the reference")
		if !peer.Mirrored() {
			require.Equal(t, tt.ours, mine, tt.name+", ours")
		}
	}
}
