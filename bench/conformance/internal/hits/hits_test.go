package hits_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/bench/conformance/internal/hits"
)

func TestTable(t *testing.T) {
	var h hits.Table
	require.Equal(t, []string{"F1"}, h.Missing([]string{"F1"}), "the zero Table has no hits")
	h.Hit("F1", "F2")
	h.Hit("F1")
	require.Equal(t, []string{"F3"}, h.Missing([]string{"F1", "F2", "F3"}))
	var out bytes.Buffer
	h.Print(&out, []string{"F3"})
	require.Equal(t, "F1     2  F2     1  F3     0  \n", out.String())
}

func TestRows(t *testing.T) {
	require.Len(t, hits.Rows(), 79)
	require.Contains(t, hits.Rows(), "F095")
	require.NotContains(t, hits.Rows(), "F096")
}
