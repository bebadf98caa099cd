package measure

import (
	"cmp"
	"fmt"
	"io"
	"runtime"
	"slices"
	"sync"
	"text/tabwriter"
)

// Row is one figure, and what it has to be. A row without a Must only tells.
type Row struct {
	ID, What string
	Got      float64
	Unit     string // "u", "x", "B", "allocs"
	Must     float64
	Bound    Bound
	Aim      float64 // 0: none
	Note     string  // after the verdict
}

// Bound says on which side of Must a figure has to be.
type Bound uint8

// The bounds.
const (
	None Bound = iota
	AtMost
	AtLeast
)

// String gives the sign.
func (b Bound) String() string { return [...]string{"", "<=", ">="}[b] }

// Met says whether a row is as it has to be. A row without a bound is.
func (r Row) Met() bool {
	switch r.Bound {
	case AtMost:
		return r.Got <= r.Must
	case AtLeast:
		return r.Got >= r.Must
	default:
		return true
	}
}

// verdict tells whether the goal is met, and if not by how much.
func (r Row) verdict() string {
	switch {
	case r.Bound == None:
		return ""
	case r.Met():
		return "met"
	case r.Must == 0:
		return "NOT met"
	default:
		return fmt.Sprintf("NOT met: %.2f of it", r.Got/r.Must)
	}
}

func (r Row) must() string {
	if r.Bound == None {
		return ""
	}
	return r.Bound.String() + " " + figure(r.Must) + " " + r.Unit
}

func (r Row) aim() string {
	if r.Aim == 0 {
		return ""
	}
	return r.Bound.String() + " " + figure(r.Aim) + " " + r.Unit
}

// figure writes three digits that mean something.
func figure(v float64) string {
	switch {
	case v == 0:
		return "0"
	case v < 0.1:
		return fmt.Sprintf("%.5f", v)
	case v < 10:
		return fmt.Sprintf("%.2f", v)
	default:
		return fmt.Sprintf("%.0f", v)
	}
}

// Report collects the rows of benchmarks. The zero value is ready; it may be used
// by several goroutines.
type Report struct {
	mu   sync.Mutex
	rows []Row // guarded by mu
}

// Tell notes rows. A benchmark that is run again tells anew.
func (r *Report) Tell(rows ...Row) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, row := range rows {
		same := func(o Row) bool { return o.ID == row.ID && o.What == row.What && o.Unit == row.Unit }
		r.rows = append(slices.DeleteFunc(r.rows, same), row)
	}
}

// Print writes the rows as a table, by ID and then as they came, in the form that
// README.md has it in. Without rows it writes nothing.
func (r *Report) Print(w io.Writer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.rows) == 0 {
		return
	}
	slices.SortStableFunc(r.rows, func(a, b Row) int { return cmp.Compare(a.ID, b.ID) })
	fmt.Fprintf(w, "\n%s, %d cores\n\n", runtime.Version(), runtime.NumCPU())
	t := tabwriter.NewWriter(w, 0, 0, 1, ' ', 0)
	fmt.Fprintln(t, "| id\t| work\t| measured\t| must\t| aim\t| verdict\t|")
	fmt.Fprintln(t, "|---\t|---\t|---\t|---\t|---\t|---\t|")
	for _, row := range r.rows {
		fmt.Fprintf(t, "| %s\t| %s\t| %s %s\t| %s\t| %s\t| %s\t|\n",
			row.ID, row.What, figure(row.Got), row.Unit, row.must(), row.aim(), row.verdict()+row.Note)
	}
	t.Flush() //nolint:errcheck // what cannot be shown is not worth failing for
}
