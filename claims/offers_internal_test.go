package claims

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/natsauth/natsauth/internal/subject"
)

// TestOffers is inside the package because the index is: it finds the most specific
// export, of however many.
func TestOffers(t *testing.T) {
	t.Parallel()
	draw := rapid.Custom(func(t *rapid.T) string {
		tokens := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "*"}), 1, 3).Draw(t, "tokens")
		if rapid.Bool().Draw(t, "open") {
			tokens = append(tokens, ">")
		}
		return strings.Join(tokens, ".")
	})
	kinds := rapid.SampledFrom([]Kind{Stream, Service})
	rapid.Check(t, func(t *rapid.T) {
		exporter := &Account{Header: Header{Key: "E"}}
		for _, s := range rapid.SliceOfN(draw, 0, 6).Draw(t, "exports") {
			exporter.Exports = append(exporter.Exports, Export{Subject: s, Kind: kinds.Draw(t, "kind")})
		}
		i := &Import{Subject: draw.Draw(t, "import"), Account: "E", Kind: kinds.Draw(t, "kind")}
		o := NewOffers(exporter)
		want := mostSpecific(exporter, i)
		require.Equal(t, want, o.Find(i))
		i.Account = "X"
		_, err := o.Activate(i, "I", false, time.Time{})
		require.ErrorIs(t, err, ErrExporter, "another exporter's")
		require.Nil(t, (*Offers)(nil).Find(i))
		require.Nil(t, new(Offers).Find(i))
	})
}

// mostSpecific is the same by looking at each.
func mostSpecific(c *Account, i *Import) *Export {
	var best *Export
	for n := range c.Exports {
		e := &c.Exports[n]
		if e.Kind == i.Kind && subject.Subset(i.Subject, e.Subject) && (best == nil || rank(e.Subject) < rank(best.Subject)) {
			best = e
		}
	}
	return best
}

// rank writes a subject so that the more specific one of two that cover a third comes
// first.
func rank(s string) string {
	var out strings.Builder
	for token := range strings.SplitSeq(s, ".") {
		n := strings.Index("  *>", token)
		fmt.Fprint(&out, max(0, n-1))
	}
	return out.String()
}
