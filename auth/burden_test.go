package auth_test

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/nats-io/jwt/v2"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/auth/authtest"
	"github.com/natsauth/natsauth/resolver"
)

// What accounts may do that are made to be a burden, and whom it concerns (B18).

// burden is an Authorizer for accounts that are pushed.
type burden struct {
	t  *testing.T
	op *authtest.Operator
	a  *auth.Authorizer
}

func newBurden(t *testing.T, edits ...func(*auth.Config)) *burden {
	op := authtest.NewOperator(t)
	return &burden{t, op, authtest.Authorizer(t, op, nil, edits...)}
}

func (b *burden) key(name string) string { return b.op.Account(name).PublicKey() }

func (b *burden) push(account *authtest.Account) {
	b.t.Helper()
	_, err := b.a.Apply(b.t.Context(), account.Token(), resolver.Push)
	require.NoError(b.t, err)
}

// states counts how the imports of an account stand.
func (b *burden) states(account string) map[auth.ImportState]int {
	view, ok := b.a.InForce(b.key(account))
	require.True(b.t, ok)
	out := make(map[auth.ImportState]int)
	for i := range view.Imports() {
		out[i.State]++
	}
	return out
}

// chain pushes two accounts that import one service from one another so often, each time
// under the next name; round: the last one leads back to the first.
func (b *burden) chain(one, two string, links int, round bool) {
	opts := [2][]authtest.Option{{authtest.ServiceExport("c.>")}, {authtest.ServiceExport("c.>")}}
	for i := range links {
		next := i + 1
		if round {
			next %= links
		}
		opts[i%2] = append(opts[i%2], authtest.ServiceImport(b.key([2]string{two, one}[i%2]), fmt.Sprint("c.", next), fmt.Sprint("c.", i)))
	}
	b.push(b.op.Account(one, opts[0]...))
	b.push(b.op.Account(two, opts[1]...))
}

// TestLongCycles: what is kept of a cycle grows with its length, and no faster.
func TestLongCycles(t *testing.T) {
	const links = 3000
	b := newBurden(t)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	b.chain("A", "B", links, true)
	runtime.ReadMemStats(&after)
	require.Equal(t, map[auth.ImportState]int{auth.ImportDead: links / 2}, b.states("A"))
	require.Equal(t, map[auth.ImportState]int{auth.ImportDead: links / 2}, b.states("B"))
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(200<<20), "of which reading the tokens is most")
	view, _ := b.a.InForce(b.key("A"))
	for i := range view.Imports() {
		var cycle *auth.CycleError
		require.ErrorAs(t, i.Err, &cycle)
		require.Len(t, cycle.Path, links)
		require.Equal(t, auth.Hop{Account: b.key("A"), Subject: i.Here, Exporter: i.Exporter, Exported: i.Subject}, cycle.Path[0])
	}
}

// TestWorkForOneEdge: what has to be looked at to find the imports that follow is bounded
// with them, mappings included.
func TestWorkForOneEdge(t *testing.T) {
	const imports, maps, importers = 500, 500, 200
	b := newBurden(t)
	h := []authtest.Option{authtest.ServiceExport("a.>")}
	for i := range imports {
		h = append(h, authtest.ServiceImport(b.key("LEAF"), fmt.Sprint("l.", i), fmt.Sprint("a.", i)))
	}
	for i := range maps {
		h = append(h, authtest.Maps(fmt.Sprintf("a.m%d.*", i), "a.{{split(1,-)}}"))
	}
	b.push(b.op.Account("H", h...))
	var x []authtest.Option
	for i := range importers {
		x = append(x, authtest.ServiceImport(b.key("H"), "a.>", fmt.Sprintf("x%d.>", i)))
	}
	b.push(b.op.Account("LEAF", authtest.ServiceExport(">")))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	b.push(b.op.Account("X", x...))
	runtime.ReadMemStats(&after)
	require.Less(t, after.Mallocs-before.Mallocs, uint64(imports*maps), "once would be that, and there are 200 imports")
	require.LessOrEqual(t, b.a.Stats().GraphPeak, 10_000)
}

// TestImportersOfOneExporter do not use up what the search may spend for one another.
func TestImportersOfOneExporter(t *testing.T) {
	b := newBurden(t, func(c *auth.Config) { c.Bounds.GraphEdges = 100 })
	b.push(b.op.Account("G", authtest.ServiceExport("svc.>")))
	for n := range 20 {
		var opts []authtest.Option
		for i := range 50 {
			opts = append(opts, authtest.ServiceImport(b.key("E"), fmt.Sprint("svc.", i), ""))
		}
		b.push(b.op.Account(fmt.Sprint("X", n), opts...))
	}
	e := b.op.Account("E", authtest.ServiceExport("svc.>"), authtest.ServiceImport(b.key("G"), "svc.>", ""))
	b.push(e)
	for n := range 20 {
		require.Equal(t, map[auth.ImportState]int{auth.ImportInForce: 50}, b.states(fmt.Sprint("X", n)))
	}
	b.push(e.Renew(authtest.Edit(func(c *jwt.AccountClaims) { c.Exports[0].Description = "new" })))
	require.Equal(t, map[auth.ImportState]int{auth.ImportInForce: 50}, b.states("X19"))
	require.LessOrEqual(t, b.a.Stats().GraphPeak, 2)
}

// TestExportersOfOneImporter: an import that leads too far is dead, and leaves the others
// of its account what they need.
func TestExportersOfOneImporter(t *testing.T) {
	b := newBurden(t)
	b.chain("H1", "H2", 11_000, false)
	b.push(b.op.Account("GOOD", authtest.ServiceExport("g.*")))
	b.push(b.op.Account("E", authtest.ServiceExport("g.*"), authtest.ServiceImport(b.key("GOOD"), "g.*", "")))
	opts := []authtest.Option{authtest.ServiceImport(b.key("H1"), "c.0", "x.0"), authtest.ServiceImport(b.key("H1"), "c.2", "x.2")}
	for i := range 50 {
		opts = append(opts, authtest.ServiceImport(b.key("E"), fmt.Sprint("g.", i), ""))
	}
	b.push(b.op.Account("A", opts...))
	require.Equal(t, map[auth.ImportState]int{auth.ImportInForce: 50, auth.ImportDead: 2}, b.states("A"))
}

// TestUndecidedTakeTurns: of many imports that wait to be looked at again those of one
// account do not keep the others waiting.
func TestUndecidedTakeTurns(t *testing.T) {
	b := newBurden(t, func(c *auth.Config) { c.Bounds.GraphEdges = 80 })
	b.chain("H1", "H2", 400, false)
	hog := func(name string, n int) {
		var opts []authtest.Option
		for i := range n {
			opts = append(opts, authtest.ServiceImport(b.key("H1"), "c.0", fmt.Sprintf("x%d", i)))
		}
		b.push(b.op.Account(name, opts...))
	}
	hog("HOG", 300)
	hog("I", 1)
	require.Equal(t, map[auth.ImportState]int{auth.ImportDead: 1}, b.states("I"))
	b.push(b.op.Account("H1", authtest.ServiceExport("c.>"))) // and all is short
	for n := range 4 {
		b.push(b.op.Account(fmt.Sprint("OTHER", n)))
	}
	require.Equal(t, map[auth.ImportState]int{auth.ImportInForce: 1}, b.states("I"))
}
