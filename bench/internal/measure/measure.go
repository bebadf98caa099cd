// Package measure compares pieces of work with one another on a machine that
// others use as well. The sides take turns in chunks of some milliseconds, each
// chunk is measured in process CPU time, and the figure is the median of the
// ratios of each round: what slows the machine for a while slows both sides.
package measure

import (
	"cmp"
	"crypto/ed25519"
	"runtime"
	"slices"
	"time"
)

// chunk is how much CPU time one side takes before it is the other's turn.
const chunk = 2 * time.Millisecond

// Side is one piece of work.
type Side struct {
	Name string
	// Prepare makes what the next n runs need, outside the measurement; nil:
	// nothing.
	Prepare func(n int)
	// Run does the work n times.
	Run func(n int)
	// Runs is how many make a chunk; 0: as many as fill some milliseconds. Sides
	// whose difference counts have the same number.
	Runs int
}

// Verify is the unit u: one ed25519.Verify of a 15-byte message.
func Verify() Side {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		panic(err) // crypto/rand ends the program rather than fail
	}
	message := []byte("PXoWU7zWAMt75FY")
	sig := ed25519.Sign(private, message)
	return Side{Name: "ed25519.Verify", Run: func(n int) {
		for range n {
			if !ed25519.Verify(public, message, sig) {
				panic("measure: a good signature was refused")
			}
		}
	}}
}

// Meter compares sides with a unit. It is for one goroutine.
type Meter struct {
	unit   timed
	sides  []timed
	ratios [][]float64 // of each side, one a round
}

// timed is a side and how many runs make a chunk.
type timed struct {
	Side
	n int
}

// New makes a Meter and finds out how many runs of each side make a chunk, which
// warms them up as well.
func New(unit Side, sides ...Side) *Meter {
	m := &Meter{unit: timed{unit, chunkOf(unit)}, ratios: make([][]float64, len(sides))}
	for _, s := range sides {
		m.sides = append(m.sides, timed{s, chunkOf(s)})
	}
	return m
}

// chunkOf doubles the number of runs until they fill a chunk, after one that warms
// up, and then looks once more: the first time often takes longer.
func chunkOf(s Side) int {
	run(s, 1)
	if s.Runs != 0 {
		return s.Runs
	}
	n := 1
	for run(s, n) < chunk/2 {
		n *= 2
	}
	took := min(run(s, n), run(s, n))
	return max(1, int(float64(n)*float64(chunk)/float64(max(took, chunk/8))))
}

// run gives the CPU time of n runs.
func run(s Side, n int) time.Duration {
	if s.Prepare != nil {
		s.Prepare(n)
	}
	before := cpu()
	s.Run(n)
	return cpu() - before
}

// cost is the CPU time of one run, in nanoseconds, by one chunk.
func (t timed) cost() float64 { return float64(run(t.Side, t.n)) / float64(t.n) }

// Round gives every side its turn, the unit before each.
func (m *Meter) Round() {
	for i, s := range m.sides {
		unit := m.unit.cost()
		m.ratios[i] = append(m.ratios[i], s.cost()/unit)
	}
}

// Rounds is how many rounds there were.
func (m *Meter) Rounds() int { return len(m.ratios[0]) }

// Ratio is the median over the rounds of one run of side i, in units.
func (m *Meter) Ratio(i int) float64 { return Median(m.ratios[i]) }

// Factor is the median over the rounds of side i in terms of side j.
func (m *Meter) Factor(i, j int) float64 {
	quotients := make([]float64, len(m.ratios[i]))
	for k := range quotients {
		quotients[k] = m.ratios[i][k] / m.ratios[j][k]
	}
	return Median(quotients)
}

// Beyond is the median over the rounds of what one run of side i costs more than
// one of side j, in units.
func (m *Meter) Beyond(i, j int) float64 {
	rest := make([]float64, len(m.ratios[i]))
	for k := range rest {
		rest[k] = m.ratios[i][k] - m.ratios[j][k]
	}
	return Median(rest)
}

// Memory gives the allocations and bytes of one run of side i: the least of some
// chunks, so that what others of the process allocate meanwhile is left out.
func (m *Meter) Memory(i int) (allocs, bytes float64) {
	s := m.sides[i]
	type sample struct{ allocs, bytes float64 }
	var samples []sample
	for range 5 {
		if s.Prepare != nil {
			s.Prepare(s.n)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		s.Run(s.n)
		runtime.ReadMemStats(&after)
		samples = append(samples, sample{
			float64(after.Mallocs-before.Mallocs) / float64(s.n),
			float64(after.TotalAlloc-before.TotalAlloc) / float64(s.n),
		})
	}
	least := slices.MinFunc(samples, func(a, b sample) int { return cmp.Compare(a.allocs, b.allocs) })
	return least.allocs, least.bytes
}

// Settle waits until the process has nothing to do in the background, for a
// second at most: what comes after is not measured together with what is left of
// before.
func Settle() {
	const pause = time.Millisecond
	for range time.Second / pause {
		before := cpu()
		time.Sleep(pause)
		if cpu()-before < pause/10 {
			return
		}
	}
}

// Median of the values; 0 without any.
func Median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}
