package sharing

import (
	"fmt"
	"time"

	"github.com/nats-io/jwt/v2"
)

// shapes are what may follow the first token of an export.
var shapes = []string{"", ".*", ".>", ".*.*", ".x.*", ".*.>"}

// drawExports gives an account something to export. Those of one kind do not overlap: they
// begin with a token each (F070).
func (g *Graph) drawExports(a *Account) {
	for i := range g.IntN(4) {
		g.addExport(a, jwt.Stream, fmt.Sprintf("s%d", i))
	}
	for i := range g.IntN(4) {
		g.addExport(a, jwt.Service, fmt.Sprintf("q%d", i))
	}
}

func (g *Graph) addExport(a *Account, kind jwt.ExportType, first string) {
	e := export{first: first, Export: jwt.Export{Type: kind, Subject: jwt.Subject(first + pick(g.drawer, shapes...))}}
	switch {
	case g.chance(15):
		e.Subject, e.AccountTokenPosition = jwt.Subject(first+".*.x"), 2
	case g.chance(35):
		e.TokenReq = true
	}
	a.hit("F070", "F073")
	if kind == jwt.Service {
		e.ResponseType = jwt.ResponseType(pick(g.drawer, "", jwt.ResponseTypeSingleton, jwt.ResponseTypeStream, jwt.ResponseTypeChunked))
		a.hit("F078")
	}
	a.exports = append(a.exports, e)
	a.Claims.Exports.Add(&a.exports[len(a.exports)-1].Export)
}

// hit notes what an account's token is about.
func (a *Account) hit(rows ...string) {
	for _, r := range rows {
		a.rows[r] = true
	}
}

// revoke takes leave back that was given at a time.
func (a *Account) revoke(e *export, key string, at time.Time) {
	for _, x := range a.Claims.Exports {
		if x.Type == e.Type && x.Subject == e.Subject {
			x.RevokeAt(key, at)
		}
	}
	a.hit("F077")
}

// mappings are those of which one and the same always comes.
var mappings = []struct {
	source string
	to     []jwt.WeightedMapping
	rows   []string
}{
	{"m0", one("q0.x"), nil},
	{"m1.*", one("s1.$1"), nil},
	{"m2.*.*", one("q2.{{wildcard(2)}}.$1"), []string{"F094"}},
	{"m3.>", one("q1.>"), nil},
	{"m4.*", one("q0.{{partition(3,1)}}"), []string{"F094"}},
	{"m5.*", one("s0.{{splitfromleft(1,1)}}"), []string{"F094"}},
	{"m6", []jwt.WeightedMapping{{Subject: "q0.y", Cluster: "elsewhere"}}, nil},
	{"q0.x", one("q0.y"), nil},
	{"q1.*", one("q1.z"), nil},
	{"s0.*", one("s0.y"), nil},
	{"q2.*.*", one("q2.$2.$1"), nil},
}

func one(to string) []jwt.WeightedMapping {
	return []jwt.WeightedMapping{{Subject: jwt.Subject(to), Weight: 100}}
}

// drawMappings gives an account mappings that do not overlap.
func (g *Graph) drawMappings(a *Account) {
	if !g.chance(50) {
		return
	}
	a.Claims.Mappings = jwt.Mapping{}
	for range 1 + g.IntN(3) {
		m := pick(g.drawer, mappings...)
		a.Claims.Mappings[jwt.Subject(m.source)] = m.to
		a.hit(append(m.rows, "F093")...)
	}
}

// drawLimits gives an account limits that hold and that do not matter here (F072, F095).
func (g *Graph) drawLimits(a *Account) {
	if g.chance(20) {
		a.Claims.Limits.Imports, a.Claims.Limits.Exports = int64(len(a.Claims.Imports)), int64(len(a.Claims.Exports))
		a.hit("F072")
	}
	switch g.IntN(8) {
	case 0:
		a.Claims.Limits.JetStreamLimits = jwt.JetStreamLimits{MemoryStorage: 1 << 20, DiskStorage: 1 << 20, Streams: 3}
		a.hit("F095")
	case 1:
		a.Claims.Limits.JetStreamTieredLimits = jwt.JetStreamTieredLimits{"R1": {DiskStorage: 1 << 20}}
		a.hit("F095")
	}
}
