package e2e_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth/authtest"
)

// metric is a measurement of a service, as it is told.
type metric struct {
	Type        string
	Status      int
	Description string
	Requestor   map[string]any
	Responder   map[string]any
	Header      map[string][]string
	Start       time.Time
	Service     time.Duration
	System      time.Duration
	Total       time.Duration
}

// measured is an exchange whose service is measured, and the metrics.
type measured struct {
	*exchange
	sell, buy *nats.Conn
	metrics   *nats.Subscription
}

func newMeasured(t *testing.T, sampling int, share bool) *measured {
	t.Helper()
	x := newExchange(t,
		[]authtest.Option{authtest.ServiceExport("ask", func(e *jwt.Export) {
			e.Latency = &jwt.ServiceLatency{Sampling: jwt.SamplingRate(sampling), Results: "took"}
			e.ResponseThreshold = 500 * time.Millisecond
		})},
		func(w *world) []authtest.Option {
			return []authtest.Option{authtest.ServiceImport(w.shop.PublicKey(), "ask", "", func(i *jwt.Import) { i.Share = share })}
		})
	m := &measured{exchange: x, sell: x.seller(), buy: x.buyer()}
	m.metrics = listens(t, m.sell, "took")
	return m
}

// next waits for the next metric.
func (m *measured) next() metric {
	m.t.Helper()
	var got metric
	require.NoError(m.t, json.Unmarshal(next(m.t, m.metrics).Data, &got))
	require.Equal(m.t, "io.nats.server.metric.v1.service_latency", got.Type)
	require.WithinDuration(m.t, time.Now(), got.Start, patience)
	return got
}

// TestLatency: the account of a service hears how long each answer took (F080).
func TestLatency(t *testing.T) {
	for _, share := range []bool{false, true} {
		m := newMeasured(t, 100, share)
		serves(t, m.sell, "ask", func(m *nats.Msg) {
			time.Sleep(50 * time.Millisecond)
			m.Respond(nil)
		})
		_, err := m.buy.Request("ask", nil, patience)
		require.NoError(t, err)
		got := m.next()
		require.Equal(t, 200, got.Status)
		require.GreaterOrEqual(t, got.Total, 50*time.Millisecond)
		require.GreaterOrEqual(t, got.Total, got.Service)
		require.Positive(t, got.Service)
		require.Equal(t, m.shop.PublicKey(), got.Responder["acc"])
		require.Contains(t, got.Responder, "user")
		require.Equal(t, m.app.PublicKey(), got.Requestor["acc"])
		require.Equal(t, share, got.Requestor["user"] != nil)
		require.Empty(t, got.Header)
		wantNone(t, m.sell, m.metrics)
	}
}

// TestLatencyFailures: and why there was no answer.
func TestLatencyFailures(t *testing.T) {
	m := newMeasured(t, 100, false)
	_, err := m.buy.Request("ask", nil, patience)
	require.ErrorIs(t, err, nats.ErrNoResponders)
	require.Equal(t, 503, m.next().Status, "nobody is there")

	sub := serves(t, m.sell, "ask", func(*nats.Msg) {})
	publish(t, m.buy, "ask", "")
	require.Equal(t, 400, m.next().Status, "nobody to answer to")

	require.NoError(t, m.buy.PublishRequest("ask", "answers", nil))
	require.Equal(t, 504, m.next().Status, "nobody answers")

	answers := listens(t, m.buy, "answers")
	require.NoError(t, m.buy.PublishRequest("ask", "answers", nil))
	require.NoError(t, m.buy.Flush())
	require.NoError(t, answers.Unsubscribe())
	require.Equal(t, 408, m.next().Status, "nobody listens")
	require.NoError(t, sub.Unsubscribe())
	wantNone(t, m.sell, m.metrics)
}

// TestLatencyHeaders: with a sampling of none, requests that are traced are measured.
func TestLatencyHeaders(t *testing.T) {
	m := newMeasured(t, 0, false)
	serves(t, m.sell, "ask", func(m *nats.Msg) { m.Respond(nil) })
	for _, tt := range []struct {
		name   string
		header map[string]string
		want   bool
	}{
		{"none", nil, false},
		{"another", map[string]string{"A": "b"}, false},
		{"uber", map[string]string{"Uber-Trace-Id": "479fefe9525eddb:5adb976bfc1f95c1:479fefe9525eddb:1", "Uberctx-X": "y"}, true},
		{"uber, two digits", map[string]string{"Uber-Trace-Id": "1:1:1:0b"}, true},
		{"uber, unsampled", map[string]string{"Uber-Trace-Id": "1:1:1:2"}, false},
		{"uber, broken", map[string]string{"Uber-Trace-Id": "1:1:1"}, false},
		{"b3 sampled", map[string]string{"X-B3-Sampled": "1"}, true},
		{"b3 not sampled", map[string]string{"X-B3-Sampled": "0", "X-B3-TraceId": "80f198ee56343ba864fe8b2a57d3eff7"}, false},
		{"b3 left to us", map[string]string{"X-B3-TraceId": "80f198ee56343ba864fe8b2a57d3eff7", "X-B3-SpanId": "a"}, true},
		{"b3 in one", map[string]string{"B3": "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1-05e3ac9a4f6e3b90"}, true},
		{"b3 in one, not sampled", map[string]string{"B3": "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-0-05e3ac9a4f6e3b90"}, false},
		{"b3 in one, alone", map[string]string{"B3": "0"}, false},
		{"w3c", map[string]string{"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "tracestate": "a=b"}, true},
		{"w3c, not sampled", map[string]string{"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"}, false},
		{"w3c, broken", map[string]string{"traceparent": "00-1"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			request := nats.NewMsg("ask")
			for name, value := range tt.header {
				request.Header.Set(name, value)
			}
			request.Header.Set("Not-Told", "x")
			_, err := m.buy.RequestMsg(request, patience)
			require.NoError(t, err)
			if !tt.want {
				wantNone(t, m.sell, m.metrics)
				return
			}
			got := m.next()
			require.Equal(t, 200, got.Status)
			require.Len(t, got.Header, len(tt.header))
		})
	}
}
