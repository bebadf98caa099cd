package sharing

import (
	"testing"

	"github.com/nats-io/jwt/v2"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/bench/conformance/internal/world"
)

// chart makes a graph of accounts with imports.
func chart(t *testing.T, accounts int, imports ...imported) *Graph {
	t.Helper()
	w := world.New(1)
	g := &Graph{world: w}
	for i := range accounts {
		g.Accounts = append(g.Accounts, &Account{Account: w.NewAccount("A"), Index: i, rows: map[string]bool{}})
	}
	for n := range imports {
		i := &imports[n]
		to := g.Accounts[i.Account[0]-'0']
		i.from = g.Accounts[i.Account[1]-'0']
		to.imports = append(to.imports, i)
	}
	return g
}

// brings is an import of a kind; between says by whom and from whom: "01".
func brings(kind jwt.ExportType, between, there, local string) imported {
	i := imported{here: plain(local), there: there, local: local}
	i.Type, i.Account = kind, between
	return i
}

// TestReach: what is known of a message before a server is asked.
func TestReach(t *testing.T) {
	const stream, service = jwt.Stream, jwt.Service
	for _, tt := range []struct {
		name    string
		imports []imported
		account int
		subject string
		want    reach
	}{
		{"nothing", nil, 0, "a", reach{}},
		{"a stream", []imported{brings(stream, "10", "a", "b")}, 0, "a", reach{crosses: true}},
		{"a stream of something else", []imported{brings(stream, "10", "b", "a")}, 0, "a", reach{}},
		{"two streams of it", []imported{brings(stream, "10", "a", "b"), brings(stream, "10", ">", ">")}, 0, "a", reach{crosses: true, twice: true}},
		{"two streams of it, of two", []imported{brings(stream, "10", "a", "b"), brings(stream, "20", ">", ">")}, 0, "a", reach{crosses: true}},
		{"a service", []imported{brings(service, "01", "b", "a")}, 0, "a", reach{crosses: true}},
		{"two services of one name", []imported{brings(service, "01", "b", "a"), brings(service, "02", "b", "a")}, 0, "a", reach{crosses: true}},
		{"two services of two names", []imported{brings(service, "01", "b", "a"), brings(service, "02", "b", "*")}, 0, "a", reach{crosses: true, overlaps: true}},
		{"two names further on", []imported{brings(service, "01", "b", "a"), brings(service, "12", "b", "b"), brings(service, "13", "b", ">")}, 0, "a", reach{crosses: true, overlaps: true}},
		{"a stream behind a service", []imported{brings(service, "01", "b", "a"), brings(stream, "21", "b", "b")}, 0, "a", reach{crosses: true}},
		{"a way back", []imported{brings(service, "01", "b", "a"), brings(service, "10", "a", "c")}, 0, "a", reach{crosses: true, tangled: true}},
		{"a way back of the other kind", []imported{brings(service, "01", "b", "a"), brings(stream, "10", "a", "b")}, 0, "a", reach{crosses: true}},
		{"ways that meet", []imported{brings(service, "01", "b", "a"), brings(service, "12", "b", "b"), brings(service, "13", "c", "c"), brings(service, "24", "b", "b"), brings(service, "34", "c", "c")}, 0, "a", reach{crosses: true}},
		{"ways that meet and go on", []imported{brings(service, "01", "b", "a"), brings(service, "12", "b", "b"), brings(service, "13", "c", "c"), brings(service, "24", "b", "b"), brings(service, "34", "c", "c"), brings(service, "45", "b", "b")}, 0, "a", reach{crosses: true, tangled: true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := chart(t, 6, tt.imports...)
			got := *g.reach(g.Accounts[tt.account], tt.subject)
			got.seen = nil
			require.Equal(t, tt.want, got)
		})
	}
}

// TestBack: the exporter's name of a subject.
func TestBack(t *testing.T) {
	for _, tt := range []struct{ there, local, subject, want string }{
		{"a", "b", "b", "a"},
		{"a.*.*", "b.*.*", "b.x.y", "a.x.y"},
		{"a.*.*", "b.$2.m.$1", "b.x.m.y", "a.y.x"},
		{"a.*.>", "$1.>", "x.y.z", "a.x.y.z"},
	} {
		i := brings(jwt.Service, "01", tt.there, tt.local)
		require.Equal(t, tt.want, i.back(tt.subject), tt.local)
	}
}
