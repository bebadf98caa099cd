package measure_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/bench/internal/measure"
)

func TestMedian(t *testing.T) {
	for _, row := range []struct {
		name   string
		values []float64
		want   float64
	}{
		{"nothing", nil, 0},
		{"one", []float64{3}, 3},
		{"odd, out of order, one far off", []float64{2, 900, 1}, 2},
		{"even", []float64{4, 1, 3, 2}, 2.5},
	} {
		t.Run(row.name, func(t *testing.T) { require.InDelta(t, row.want, measure.Median(row.values), 1e-9) })
	}
}

func TestMet(t *testing.T) {
	for _, row := range []struct {
		name string
		row  measure.Row
		want bool
	}{
		{"no bound", measure.Row{Got: 5}, true},
		{"at most, below", measure.Row{Got: 1.09, Must: 1.1, Bound: measure.AtMost}, true},
		{"at most, at", measure.Row{Got: 1.1, Must: 1.1, Bound: measure.AtMost}, true},
		{"at most, above", measure.Row{Got: 1.11, Must: 1.1, Bound: measure.AtMost}, false},
		{"none at all, one", measure.Row{Got: 1, Bound: measure.AtMost}, false},
		{"at least, below", measure.Row{Got: 1.7, Must: 1.8, Bound: measure.AtLeast}, false},
		{"at least, at", measure.Row{Got: 1.8, Must: 1.8, Bound: measure.AtLeast}, true},
		{"at least, above", measure.Row{Got: 1.9, Must: 1.8, Bound: measure.AtLeast}, true},
	} {
		t.Run(row.name, func(t *testing.T) { require.Equal(t, row.want, row.row.Met()) })
	}
}

func TestReport(t *testing.T) {
	var r measure.Report
	var out bytes.Buffer
	r.Print(&out)
	require.Empty(t, out.String(), "nothing was told")

	r.Tell(measure.Row{ID: "P2", What: "later", Got: 9, Unit: "u", Must: 2.5, Bound: measure.AtMost, Aim: 1.5})
	r.Tell(measure.Row{ID: "P1", What: "sooner", Got: 1.06, Unit: "u", Must: 1.1, Bound: measure.AtMost})
	r.Tell(measure.Row{ID: "P2", What: "later", Got: 3, Unit: "u", Must: 2.5, Bound: measure.AtMost, Aim: 1.5})
	r.Print(&out)
	require.Regexp(t, `(?s)P1 \| sooner *\| 1\.06 u *\| <= 1\.10 u *\| *\| met.*P2 \| later *\| 3\.00 u *\| <= 2\.50 u *\| <= 1\.50 u *\| NOT met: 1\.20 of it`, out.String())
	require.NotContains(t, out.String(), "9.00", "told anew")
}

// TestMeter looks at what is counted, not at how long it takes.
func TestMeter(t *testing.T) {
	prepared, ran := 0, 0
	m := measure.New(measure.Verify(), measure.Side{
		Runs:    3,
		Prepare: func(n int) { prepared += n },
		Run: func(n int) {
			require.Equal(t, prepared, ran+n, "prepared anew for each chunk")
			ran += n
		},
	})
	require.Equal(t, 1, ran, "one to warm up")
	m.Round()
	m.Round()
	require.Equal(t, 2, m.Rounds())
	require.Equal(t, 1+2*3, ran)
}
