package measure

import (
	"fmt"
	"math"
	"runtime"
	"sync"
	"time"
)

// Shared is work that several goroutines do at the same time.
type Shared struct {
	// Prepare makes what the next n runs of one worker need; nil: nothing.
	Prepare func(worker, n int)
	// Run does the work n times for one worker.
	Run func(worker, n int)
}

// Cores measures how much faster workers are on as many cores than on one, for
// several kinds of work in turns. It measures by the wall, so others on the
// machine disturb it: before each kind it measures work that shares nothing, and
// rounds in which not even that had its cores are left out.
type Cores struct {
	workers int
	kinds   []Shared // the first shares nothing
	n       []int    // runs of one worker in a chunk
	gains   [][]float64
	rounds  int
}

// NewCores makes a Cores. The chunks are long enough to start and join workers
// unseen.
func NewCores(workers int, kinds ...Shared) *Cores {
	verify := Verify()
	c := &Cores{workers: workers, kinds: append([]Shared{{Run: func(_, n int) { verify.Run(n) }}}, kinds...)}
	c.gains = make([][]float64, len(c.kinds))
	for _, k := range c.kinds {
		first := Side{Run: func(n int) { k.Run(0, n) }}
		if k.Prepare != nil {
			first.Prepare = func(n int) { k.Prepare(0, n) }
		}
		c.n = append(c.n, 3*chunkOf(first))
	}
	return c
}

// Round gives every kind its turn, on one core and on all.
func (c *Cores) Round() {
	c.rounds++
	for i := range c.kinds[1:] {
		alone := c.gain(0)
		shared := c.gain(i + 1)
		if after := c.gain(0); c.undisturbed(alone) && c.undisturbed(after) {
			c.gains[0] = append(c.gains[0], alone, after)
			c.gains[i+1] = append(c.gains[i+1], shared)
		}
	}
}

// undisturbed says whether a gain of work that shares nothing is what the cores
// give when they are ours.
func (c *Cores) undisturbed(gain float64) bool {
	return math.Abs(gain/float64(c.workers)-1) < 0.1
}

// Verify is the median gain of work that shares nothing, in the rounds that count.
func (c *Cores) Verify() float64 { return Median(c.gains[0]) }

// Gain is the median over the rounds that count of how much faster kind i is on
// all cores; 0 if none did.
func (c *Cores) Gain(i int) float64 { return Median(c.gains[i+1]) }

// Counted tells how many rounds of kind i count, and how many there were.
func (c *Cores) Counted(i int) string {
	return fmt.Sprintf("%d of %d rounds had the cores", len(c.gains[i+1]), c.rounds)
}

// gain is one chunk of every worker, on one core in terms of all.
func (c *Cores) gain(kind int) float64 {
	one, all := c.took(kind, 1), c.took(kind, c.workers)
	return float64(one) / float64(all)
}

// took is the wall time of one chunk of every worker.
func (c *Cores) took(kind, cores int) time.Duration {
	k, n := c.kinds[kind], c.n[kind]
	if k.Prepare != nil {
		for w := range c.workers {
			k.Prepare(w, n)
		}
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(cores))
	var group sync.WaitGroup
	start := time.Now()
	for w := range c.workers {
		group.Go(func() { k.Run(w, n) })
	}
	group.Wait()
	return time.Since(start)
}
