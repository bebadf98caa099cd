package auth

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/natsauth/natsauth/claims"
)

// Graph is a picture of who imports what from whom, at one moment. The zero Graph is empty.
type Graph struct {
	Accounts []GraphAccount `json:"accounts"` // by public key
	Imports  []GraphImport  `json:"imports"`  // by importer, in the order of its token
}

// GraphAccount is an account in the picture.
type GraphAccount struct {
	Key     string `json:"key"`
	Name    string `json:"name,omitempty"` // what its token calls it
	InForce bool   `json:"in_force"`       // false: an import names it, and it is not here
	System  bool   `json:"system,omitempty"`
}

// GraphImport is an import in the picture.
type GraphImport struct {
	Importer string `json:"importer"` // its public key
	ImportStatus
}

// Graph gives the accounts in force, and those that they import from, with every import of
// their tokens. Accounts are looked at one after the other, without I/O; what every account
// imports from the system account is left out.
func (a *Authorizer) Graph() Graph {
	if !a.open() {
		return Graph{}
	}
	var g Graph
	accounts := make(map[string]GraphAccount)
	for view := range a.directory.views() {
		accounts[view.Key()] = GraphAccount{Key: view.Key(), Name: line(view.Name()), InForce: true, System: view.system}
		for s := range view.Imports() {
			g.Imports = append(g.Imports, GraphImport{view.Key(), s})
		}
	}
	for _, m := range g.Imports {
		if _, ok := accounts[m.Exporter]; !ok {
			accounts[m.Exporter] = GraphAccount{Key: m.Exporter}
		}
	}
	g.Accounts = slices.SortedFunc(maps.Values(accounts), func(x, y GraphAccount) int { return cmp.Compare(x.Key, y.Key) })
	slices.SortStableFunc(g.Imports, func(x, y GraphImport) int { return cmp.Compare(x.Importer, y.Importer) })
	return g
}

// Around gives the part of the picture that is about one account: its imports, those that
// others have from it, and whom they are with.
func (g Graph) Around(account string) Graph {
	near := map[string]bool{account: true}
	var out Graph
	for _, m := range g.Imports {
		if m.Importer == account || m.Exporter == account {
			out.Imports = append(out.Imports, m)
			near[m.Importer], near[m.Exporter] = true, true
		}
	}
	for _, n := range g.Accounts {
		if near[n.Key] {
			out.Accounts = append(out.Accounts, n)
		}
	}
	return out
}

// Mermaid writes the picture as a Mermaid flow chart. An arrow goes the way of the
// messages: from the exporter of a stream, to that of a service. It is drawn through for an
// import in force, dotted for a pending one, and ends in a cross for a dead one.
func (g Graph) Mermaid() string {
	b := &strings.Builder{}
	b.WriteString("flowchart LR\n")
	at := make(map[string]int)
	for i, n := range g.Accounts {
		at[n.Key] = i
		fmt.Fprintf(b, "  n%d[\"%s\"]\n", i, mermaidText(n.label()))
	}
	for _, m := range g.Imports {
		from, to := m.way()
		fmt.Fprintf(b, "  n%d %s|\"%s\"| n%d\n", at[from], mermaidArrows[m.State], mermaidText(m.label()), at[to])
	}
	return b.String()
}

var mermaidArrows = [...]string{ImportDead: "--x", ImportPending: "-.->", ImportInForce: "-->"}

// mermaidText writes what stands between quotes; its own escapes begin with #.
func mermaidText(s string) string {
	return strings.NewReplacer("#", "#35;", `"`, "#quot;", "<", "#lt;", ">", "#gt;", "`", "#96;").Replace(s)
}

// DOT writes the picture in the language of Graphviz, with the same arrows as Mermaid.
func (g Graph) DOT() string {
	b := &strings.Builder{}
	b.WriteString("digraph accounts {\n  rankdir=LR\n  node [shape=box]\n")
	at := make(map[string]int)
	for i, n := range g.Accounts {
		at[n.Key] = i
		fmt.Fprintf(b, "  n%d [label=%s%s]\n", i, dotText(n.label()), n.dotStyle())
	}
	for _, m := range g.Imports {
		from, to := m.way()
		fmt.Fprintf(b, "  n%d -> n%d [label=%s%s]\n", at[from], at[to], dotText(m.label()), dotArrows[m.State])
	}
	b.WriteString("}\n")
	return b.String()
}

var dotArrows = [...]string{ImportDead: " style=dashed arrowhead=tee", ImportPending: " style=dotted", ImportInForce: ""}

func (n GraphAccount) dotStyle() string {
	if n.InForce {
		return ""
	}
	return " style=dotted"
}

// dotText writes a quoted identifier. What it has of its own escapes stays text.
func dotText(s string) string { return strconv.Quote(strings.ReplaceAll(s, `\`, `/`)) }

// label is an account for people.
func (n GraphAccount) label() string {
	key := n.Key
	if len(key) > shortKey {
		key = key[:shortKey] + "..."
	}
	switch {
	case n.Name == "":
		return line(key)
	default:
		return n.Name + " " + line(key)
	}
}

// shortKey is how much of a key tells accounts apart for people.
const shortKey = 8

// way gives from where to where messages go.
func (m GraphImport) way() (from, to string) {
	if m.Kind == claims.Service {
		return m.Importer, m.Exporter
	}
	return m.Exporter, m.Importer
}

// label is an import for people.
func (m GraphImport) label() string {
	s := m.Kind.String() + " " + line(m.Subject)
	if m.Here != m.Subject {
		s += " as " + line(m.Here)
	}
	if m.Err != nil {
		s += ": " + m.short()
	}
	return s
}

// short is why an import is not in force, without the particulars: those are in Why.
func (m GraphImport) short() string {
	err := m.Err
	var refused *claims.ActivationError
	var cycle *CycleError
	switch {
	case errors.As(err, &refused):
		err = refused.Class
	case errors.As(err, &cycle):
		err = ErrImportCycle
	}
	_, text, _ := strings.Cut(err.Error(), ": ") // behind the package's name
	return line(text)
}
