package broker

import (
	"container/list"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/examples/broker/internal/wire"
	"github.com/natsauth/natsauth/nonce"
)

// conn is one connection. Its run goroutine reads, decides and delivers to
// others; a second goroutine writes. Everybody else may deliver to it and close
// it.
type conn struct {
	server *Server
	nc     net.Conn
	id     uint64
	source netip.Addr
	nonce  string
	start  time.Time
	out    *outbound
	in     *wire.Reader
	client clientOptions // the run goroutine's own
	ponged bool          // likewise: the first PING was answered

	payloadLimit atomic.Int64 // -1: none

	waiting *list.Element // guarded by server.mu; its place among the half-open

	authTimer *time.Timer // guarded by mu
	pingTimer *time.Timer // guarded by mu

	mu          sync.Mutex
	session     *auth.Session            // guarded by mu; nil before CONNECT
	account     *account                 // likewise
	stop        func()                   // guarded by mu; ends the session's news
	subs        map[string]*subscription // guarded by mu; by sid
	echo        bool                     // guarded by mu; its own messages are for it too
	headers     bool                     // guarded by mu; it takes HMSG
	began       bool                     // guarded by mu; CONNECT has come
	leaving     bool                     // guarded by mu; it was told that it has too many subscriptions
	closed      bool                     // guarded by mu
	pings       int                      // guarded by mu; without an answer
	pinged      time.Time                // guarded by mu; when the last was sent; zero: it was answered
	rtt         time.Duration            // guarded by mu; how long it takes to the client and back
	heard       time.Time                // guarded by mu; when it last did anything
	sent, taken traffic                  // guarded by mu; from and to the client
	line        []byte                   // guarded by mu; room for the lines of messages
}

// traffic counts messages.
type traffic struct{ messages, bytes int64 }

func newConn(s *Server, nc net.Conn, id uint64) *conn {
	c := &conn{
		server: s, nc: nc, id: id, nonce: nonce.New(), start: time.Now(),
		out:    newOutbound(nc, s.options.MaxPending, s.options.WriteDeadline),
		client: defaultClient(), echo: true,
		subs: make(map[string]*subscription), heard: time.Now(),
	}
	c.payloadLimit.Store(s.options.MaxPayload)
	if at, ok := nc.RemoteAddr().(*net.TCPAddr); ok {
		c.source = at.AddrPort().Addr().Unmap()
	}
	c.in = wire.NewReader(nc, c.limits())
	c.mu.Lock() // for the timers, which may be over at once
	defer c.mu.Unlock()
	c.authTimer = time.AfterFunc(s.options.AuthTimeout, c.authTimeout)
	c.pingTimer = time.AfterFunc(s.options.PingInterval, c.pingTime)
	return c
}

func (c *conn) limits() wire.Limits {
	return wire.Limits{Line: c.server.options.MaxControlLine, Payload: c.payloadLimit.Load(), Headers: c.client.Headers}
}

// run is the connection from INFO to its end.
func (c *conn) run() {
	written := make(chan struct{})
	go func() {
		defer close(written)
		c.out.run()
	}()
	c.serve()
	<-written
	c.linger()
}

// serve reads operations until the connection ends, on whose side ever.
func (c *conn) serve() {
	for {
		op, err := c.next()
		if err != nil {
			c.failed(err)
			return
		}
		if !c.do(op) {
			return
		}
	}
}

// next reads an operation. Before CONNECT there is nothing else to say: one byte
// is enough to know (F023).
func (c *conn) next() (wire.Op, error) {
	first, err := c.in.First()
	if err != nil {
		return nil, err
	}
	if first|0x20 != 'c' && !c.connected() {
		return nil, errBeforeConnect
	}
	c.in.SetLimits(c.limits())
	return c.in.Next()
}

var errBeforeConnect = errors.New("broker: an operation before CONNECT")

func (c *conn) connected() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.began
}

// do does one operation, and says whether to go on.
func (c *conn) do(op wire.Op) bool {
	switch o := op.(type) {
	case wire.Connect:
		return c.connect(o)
	case wire.Pub:
		return c.publish(o)
	case wire.Sub:
		c.subscribe(o)
	case wire.Unsub:
		c.unsubscribe(o)
	case wire.Ping:
		c.ping()
	case wire.Pong:
		c.pong()
	case wire.Info:
		return c.gossip(o)
	case wire.Err:
		c.close("", "Parse Error")
		return false
	}
	return !c.isClosed()
}

// failed ends the connection for what came out of reading it.
func (c *conn) failed(err error) {
	var bad *wire.Error
	switch {
	case errors.Is(err, errBeforeConnect):
		c.refuse(nil)
	case errors.As(err, &bad):
		c.close(bad.Wire(), closedBy(bad))
	case c.out.why() != "":
		c.close("", c.out.why())
	case errors.Is(err, io.EOF):
		c.close("", "Client Closed")
	default:
		c.close("", "Read Error")
	}
}

// closedBy names the end as nats-server v2.15 server/monitor.go ClosedState does.
func closedBy(e *wire.Error) string {
	switch e {
	case wire.ErrPayload:
		return "Maximum Message Payload Exceeded"
	case wire.ErrLine:
		return "Maximum Control Line Exceeded"
	default:
		return "Protocol Violation"
	}
}

// close ends the connection: the client is told the text, if there is one, after
// everything that waits for it, and its reason goes to the advisory. Closing
// again does nothing. It may be called by any goroutine that holds no lock of a
// connection.
func (c *conn) close(text, reason string) {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return
	}
	c.closed = true
	c.authTimer.Stop()
	c.pingTimer.Stop()
	was := c.detach()
	c.mu.Unlock()

	if text != "" {
		c.out.send(wire.AppendErr(nil, text))
	}
	c.out.finish()
	c.leave(was, reason)
	c.server.forget(c)
	c.server.log.Debug("closed", "client", c.id, "reason", reason)
	c.unblock()
}

// unblock lets the run goroutine go: it may wait for bytes that never come.
func (c *conn) unblock() {
	c.nc.SetReadDeadline(time.Unix(1, 0)) //nolint:errcheck // a closed socket does not block
}

// lingerTime is how long a client that was told goodbye may take to hang up.
const lingerTime = 200 * time.Millisecond

// linger closes the socket so that what was written arrives: bytes of the client
// that nobody has read would make the kernel throw it away.
func (c *conn) linger() {
	defer c.nc.Close() //nolint:errcheck // it is over
	if half, ok := c.nc.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		c.nc.SetReadDeadline(time.Now().Add(lingerTime))       //nolint:errcheck // likewise
		io.Copy(io.Discard, io.LimitReader(c.nc, lingerBytes)) //nolint:errcheck // whatever comes is not wanted
	}
}

// lingerBytes is how much of it is read at most.
const lingerBytes = 4 << 20

func (c *conn) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

// tell sends -ERR, and keeps the connection.
func (c *conn) tell(text string) { c.out.send(wire.AppendErr(nil, text)) }

// ok sends +OK to a client that wants to hear it.
func (c *conn) ok() {
	if c.client.Verbose {
		c.out.send([]byte("+OK\r\n"))
	}
}

// gossip takes an INFO of a client, of which nothing is wanted but that it is
// one.
func (c *conn) gossip(o wire.Info) bool {
	if err := isObject(o.JSON); err != nil {
		c.close("", "Protocol Violation")
		return false
	}
	return true
}
