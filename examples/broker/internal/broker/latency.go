package broker

import (
	"encoding/hex"
	"math"
	"math/rand/v2"
	"net/textproto"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/claims"
	"github.com/natsauth/natsauth/examples/broker/internal/wire"
)

// measure is the measurement of one request to a service, told to the service's account
// once: when the answer comes, or there is none. A nil measure measures nothing.
//
// Behaviour: nats-server v2.15 server/accounts.go sendTrackingLatency (F080).
type measure struct {
	server    *Server
	account   string // of the service
	results   string // subject
	requestor requestInfo
	header    textproto.MIMEHeader // that asked for it
	start     time.Time
	timeout   *time.Timer
	abandoned atomic.Bool // nobody listens for the answer any more
	told      atomic.Bool
}

// metric is what is told.
type metric struct {
	event
	Status    int                  `json:"status"`
	Error     string               `json:"description,omitempty"`
	Requestor *requestInfo         `json:"requestor,omitempty"`
	Responder *requestInfo         `json:"responder,omitempty"`
	Header    textproto.MIMEHeader `json:"header,omitempty"`
	Start     time.Time            `json:"start"`
	Service   time.Duration        `json:"service"`
	System    time.Duration        `json:"system"`
	Total     time.Duration        `json:"total"`
}

const latencyType = "io.nats.server.metric.v1.service_latency"

// failure is why a request has no answer.
type failure struct {
	status int
	text   string
}

var (
	badRequest  = failure{400, "Bad Request"}         // it names no reply
	gone        = failure{408, "Request Timeout"}     // nobody listens for the answer any more
	unavailable = failure{503, "Service Unavailable"} // nobody took it
	late        = failure{504, "Service Timeout"}     // nobody answered in time
)

// What measurements may take: so many at a time, and so many of one account; a request over
// that is not measured. What is told of its header is no longer than that, and nobody is
// waited for longer (B18).
const (
	maxMeasures        = 16_384
	maxAccountMeasures = 1_024
	maxKeptHeader      = 4 << 10
	maxMeasureTime     = time.Hour
)

// measures counts those under way, by the account of the service.
type measures struct {
	mu  sync.Mutex
	all int            // guarded by mu
	of  map[string]int // guarded by mu
}

// begin counts one more, if there is room.
func (l *measures) begin(account string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all >= maxMeasures || l.of[account] >= maxAccountMeasures {
		return false
	}
	if l.of == nil {
		l.of = make(map[string]int)
	}
	l.all++
	l.of[account]++
	return true
}

func (l *measures) end(account string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all--
	if l.of[account]--; l.of[account] == 0 {
		delete(l.of, account)
	}
}

// measure begins to measure a request that goes to a service, if it is one to measure; nil
// otherwise.
func (s *Server) measure(r auth.ServiceRoute, m *message, who requestInfo) *measure {
	if r.Service == nil || r.Service.Latency == nil {
		return nil
	}
	sampled, header := sample(r.Service.Latency, m)
	if !sampled || !s.measures.begin(r.Exporter.Key()) {
		return nil
	}
	one := &measure{
		server: s, account: r.Exporter.Key(), results: r.Service.Latency.Results,
		requestor: who, header: header, start: time.Now(),
	}
	if m.reply == "" {
		one.fail(badRequest)
		return nil
	}
	one.timeout = time.AfterFunc(math.MaxInt64, one.expire)
	one.timeout.Reset(min(r.Service.Threshold, maxMeasureTime)) // now that it is known
	return one
}

// expire tells that no answer came, or will come.
func (m *measure) expire() {
	if m.abandoned.Load() {
		m.fail(gone)
		return
	}
	m.fail(late)
}

// abandon is what becomes of it where nobody listens for the answer any more. Locks may be
// held.
func (m *measure) abandon() {
	if m != nil {
		m.abandoned.Store(true)
		m.timeout.Reset(0)
	}
}

// ends says whether this is the end of the measurement. There is one.
func (m *measure) ends() bool {
	if m == nil || m.told.Swap(true) {
		return false
	}
	m.server.measures.end(m.account)
	if m.timeout != nil {
		m.timeout.Stop()
	}
	return true
}

// drop measures no further, and tells nothing.
func (m *measure) drop() { m.ends() }

// fail tells that there is no answer.
func (m *measure) fail(why failure) {
	if m.ends() {
		m.tell(metric{Status: why.status, Error: why.text})
	}
}

// succeed tells how long the answer took that a connection, nil for the broker itself, gives.
// How long it is on the way between the broker and either side is estimated, by the time
// that a ping takes.
func (m *measure) succeed(from *conn) {
	if !m.ends() {
		return
	}
	took := time.Since(m.start)
	e := metric{Status: 200, Service: took, Total: took + m.requestor.RTT}
	if session := from.current(); session != nil {
		responder := from.requestInfo(session, true)
		e.Responder, e.Service = &responder, max(0, took-responder.RTT)
	}
	m.tell(e)
}

func (m *measure) tell(e metric) {
	e.event = newEvent(latencyType)
	e.Requestor, e.Header, e.Start = &m.requestor, m.header, m.start.Add(-m.requestor.RTT).UTC()
	m.server.toAccount(m.account, m.results, e)
}

// sample says whether a request is measured: by chance, or because a header of it, which is
// given, says that its sender follows it.
func sample(l *claims.Latency, m *message) (bool, textproto.MIMEHeader) {
	if l.Sampling > 0 && rand.IntN(100) < l.Sampling { //nolint:gosec // which is measured is no secret
		return true, nil
	}
	if len(m.head) == 0 {
		return false, nil
	}
	all := wire.Headers(m.head)
	for _, t := range triggers {
		if v := all[t.name]; len(v) > 0 {
			return t.sampled(v[0]), t.kept(all)
		}
	}
	return false, nil
}

// trigger is a header by which a request may ask to be measured, or not to be. The first
// that it has decides.
//
// Behaviour: nats-server v2.15 server/accounts.go shouldSample.
type trigger struct {
	name    string // in its usual capitals
	sampled func(value string) bool
	with    []string // that are told along with it; a name that ends with "-" begins others
}

var b3 = []string{"X-B3-Sampled", "X-B3-Traceid", "X-B3-Parentspanid", "X-B3-Spanid"}

var triggers = []trigger{
	{"Uber-Trace-Id", uberSampled, []string{"Uberctx-"}},
	{"X-B3-Sampled", func(v string) bool { return v == "1" }, b3},
	{"X-B3-Traceid", func(string) bool { return true }, b3},
	{"B3", b3Sampled, nil},
	{"Traceparent", traceparentSampled, []string{"Tracestate"}},
}

// kept gives the headers that are told; nil: they are too long.
func (t trigger) kept(all textproto.MIMEHeader) textproto.MIMEHeader {
	out := textproto.MIMEHeader{t.name: all[t.name]}
	for name, values := range all {
		for _, with := range t.with {
			if name == with || strings.HasSuffix(with, "-") && strings.HasPrefix(name, with) {
				out[name] = values
			}
		}
	}
	size := 0
	for name, values := range out {
		for i, v := range values {
			size += len(name) + len(v)
			values[i] = strings.Clone(v) // and not the whole block with it
		}
	}
	if size > maxKeptHeader {
		return nil
	}
	return out
}

// uberSampled looks at the flags of {trace}:{span}:{parent}:{flags}, one or two hex digits.
func uberSampled(v string) bool {
	t := strings.Split(v, ":")
	return len(t) == 4 && len(t[3]) <= 2 && odd(t[3])
}

// b3Sampled looks at {trace}-{span}-{sampled}-{parent}, or {sampled} alone: 0 is no.
func b3Sampled(v string) bool {
	t := strings.Split(v, "-")
	return !(len(t) > 2 && t[2] == "0" || len(t) == 1 && t[0] == "0")
}

// traceparentSampled looks at the flags of {version}-{trace}-{parent}-{flags}, two hex
// digits.
func traceparentSampled(v string) bool {
	t := strings.Split(v, "-")
	return len(t) == 4 && len(t[3]) == 2 && odd(t[3])
}

// odd says whether a number in hex digits is.
func odd(digits string) bool {
	if len(digits) == 1 {
		digits = "0" + digits
	}
	n, err := hex.DecodeString(digits)
	return err == nil && len(n) > 0 && n[len(n)-1]&1 == 1
}
