package broker

import (
	"net"
	"sync"
	"time"
)

// outbound is what waits to be written to one client. Whoever sends only appends
// to it: no socket is written to by anybody but its own goroutine, so that a
// client who does not read holds up nobody, and costs at most limit bytes.
//
// Behaviour: nats-server v2.15 server/client.go queueOutbound and flushOutbound.
type outbound struct {
	nc    net.Conn
	limit int64
	wake  chan struct{} // holds one: there is something to do

	mu     sync.Mutex
	chunks net.Buffers // guarded by mu
	size   int64       // guarded by mu; bytes in chunks and in the write under way
	ending bool        // guarded by mu; nothing more is taken
	broken string      // guarded by mu; why the socket was given up

	deadline time.Duration // guarded by mu; for one write
}

// Why a client's socket is given up.
const (
	tooSlow    = "Slow Consumer (Pending Bytes)"
	tooLate    = "Slow Consumer (Write Deadline)"
	writeError = "Write Error"
)

// chunkSize is how much room is made at a time for what waits.
const chunkSize = 4 << 10

func newOutbound(nc net.Conn, limit int64, deadline time.Duration) *outbound {
	return &outbound{nc: nc, limit: limit, deadline: deadline, wake: make(chan struct{}, 1)}
}

// send queues the parts, which it copies, one behind the other. It says whether
// they were taken: not by a client that is leaving, nor by one for whom more than
// the limit would wait, which is given up at once.
func (o *outbound) send(parts ...[]byte) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ending {
		return false
	}
	for _, p := range parts {
		o.size += int64(len(p))
	}
	if o.size > o.limit {
		o.breakOff(tooSlow)
		return false
	}
	for _, p := range parts {
		o.append(p)
	}
	o.signal()
	return true
}

// append copies p to the end of the chunks. o.mu is held.
func (o *outbound) append(p []byte) {
	if n := len(o.chunks); n > 0 {
		last := o.chunks[n-1]
		room := min(cap(last)-len(last), len(p))
		o.chunks[n-1] = append(last, p[:room]...)
		p = p[room:]
	}
	if len(p) > 0 {
		o.chunks = append(o.chunks, append(make([]byte, 0, max(chunkSize, len(p))), p...))
	}
}

// finishTime is how long a client that is leaving may take to read what waits.
const finishTime = time.Second

// finish lets what waits be written, and nothing more.
func (o *outbound) finish() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ending = true
	o.deadline = min(o.deadline, finishTime)
	o.nc.SetWriteDeadline(time.Now().Add(o.deadline)) //nolint:errcheck // for the write under way
	o.signal()
}

// breakOff drops what waits and closes the socket. What the kernel holds is
// dropped too: it would go on for a client that does not read. o.mu is held.
func (o *outbound) breakOff(why string) {
	o.ending, o.broken, o.chunks, o.size = true, why, nil, 0
	if tcp, ok := o.nc.(*net.TCPConn); ok {
		tcp.SetLinger(0) //nolint:errcheck // then the kernel takes its time
	}
	o.nc.Close() //nolint:errcheck // it is given up
	o.signal()
}

// why tells why the socket was given up; empty: it was not.
func (o *outbound) why() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.broken
}

// pending is how many bytes wait.
func (o *outbound) pending() int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.size
}

func (o *outbound) signal() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// run writes until there is nothing more to come. It is the one goroutine that
// writes to the socket.
func (o *outbound) run() {
	for range o.wake {
		for {
			chunks, more := o.take()
			if len(chunks) == 0 && more {
				break
			}
			if len(chunks) == 0 {
				return
			}
			o.write(chunks)
		}
	}
}

// take gives what waits, and whether there may be more to come.
func (o *outbound) take() (net.Buffers, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	chunks := o.chunks
	o.chunks = nil
	return chunks, !o.ending
}

func (o *outbound) write(chunks net.Buffers) {
	if err := o.allow(); err != nil {
		o.failed(err)
		return
	}
	n, err := chunks.WriteTo(o.nc)
	if err != nil {
		o.failed(err)
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.broken == "" {
		o.size -= n
	}
}

// allow gives the next write its time.
func (o *outbound) allow() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.nc.SetWriteDeadline(time.Now().Add(o.deadline))
}

func (o *outbound) failed(err error) {
	why := writeError
	if late, ok := err.(net.Error); ok && late.Timeout() { //nolint:errorlint // a socket's error is not wrapped
		why = tooLate
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.broken == "" {
		o.breakOff(why)
	}
}
