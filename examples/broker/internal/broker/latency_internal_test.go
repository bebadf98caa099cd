package broker

import (
	"fmt"
	"net/textproto"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestMeasuresAreBounded: one account leaves the others room, and all together the broker.
func TestMeasuresAreBounded(t *testing.T) {
	var l measures
	for range maxAccountMeasures {
		require.True(t, l.begin("A"))
	}
	require.False(t, l.begin("A"))
	require.True(t, l.begin("B"))
	l.end("A")
	require.True(t, l.begin("A"))
	l.end("B")
	require.NotContains(t, l.of, "B")
	for i := range maxMeasures - maxAccountMeasures {
		require.True(t, l.begin(fmt.Sprint(i)))
	}
	require.False(t, l.begin("C"))
}

// TestKeptHeaders: what is told of a header is bounded.
func TestKeptHeaders(t *testing.T) {
	with := func(n int) textproto.MIMEHeader {
		return textproto.MIMEHeader{"Traceparent": {"0"}, "Tracestate": {strings.Repeat("x", n)}, "Other": {strings.Repeat("x", maxKeptHeader)}}
	}
	most := maxKeptHeader - len("Traceparent"+"0"+"Tracestate")
	trigger := triggers[len(triggers)-1]
	require.Len(t, trigger.kept(with(most)), 2)
	require.Nil(t, trigger.kept(with(most+1)))
}
