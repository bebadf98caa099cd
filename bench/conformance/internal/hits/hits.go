// Package hits counts how often each row of the feature table was put to the
// test, so that a row that nothing meets any more is noticed.
package hits

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
)

// Table counts hits by row, "F046" say. It may be used by several goroutines. The
// zero Table has no hits.
type Table struct {
	mu     sync.Mutex
	counts map[string]int // guarded by mu
}

// Hit counts one compared case for each of the rows.
func (t *Table) Hit(rows ...string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.counts == nil {
		t.counts = map[string]int{}
	}
	for _, row := range rows {
		t.counts[row]++
	}
}

// Missing gives the rows among those wanted that have no hit.
func (t *Table) Missing(wanted []string) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []string
	for _, row := range wanted {
		if t.counts[row] == 0 {
			out = append(out, row)
		}
	}
	return out
}

// Print writes the rows with their hits, in order, several a line: those wanted,
// and the others that were met.
func (t *Table) Print(w io.Writer, wanted []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := slices.Sorted(maps.Keys(t.counts))
	all = append(all, wanted...)
	slices.Sort(all)
	for i, row := range slices.Compact(all) {
		end := "  "
		if i%8 == 7 {
			end = "\n"
		}
		fmt.Fprintf(w, "%s %5d%s", row, t.counts[row], end)
	}
	fmt.Fprintln(w)
}

// Rows are the rows of the feature table whose rule is about the nonce, the
// connect, the permissions and what accounts share: F010, F014 and F019 to F095.
func Rows() []string {
	out := []string{"F010", "F014"}
	for i := 19; i <= 95; i++ {
		out = append(out, fmt.Sprintf("F%03d", i))
	}
	return out
}
