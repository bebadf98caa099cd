package peer

import (
	"bufio"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"sync"
	"time"
)

// Ports are where a nats-server listens beside its client port; 0 where it does
// not.
func (s *Server) Ports() (leaf, mqtt int, err error) {
	v, err := s.ref.Varz(nil)
	if err != nil {
		return 0, 0, fmt.Errorf("peer: %w", err)
	}
	return v.LeafNode.Port, v.MQTT.Port, nil
}

// InProcess connects to nats-server without a network.
func (s *Server) InProcess() (*Client, error) {
	conn, err := s.ref.InProcessConn()
	if err != nil {
		return nil, fmt.Errorf("peer: %w", err)
	}
	return NewClient(newEager(conn))
}

// eager is a connection whose writes wait for nobody: both ends of a pipe may
// write at once, and neither would read. It is for one goroutine that reads and
// one that writes.
type eager struct {
	net.Conn
	out  chan []byte
	done func()
}

func newEager(conn net.Conn) eager {
	out := make(chan []byte, 64)
	e := eager{conn, out, sync.OnceFunc(func() { close(out) })}
	go func() {
		for p := range e.out {
			if _, err := conn.Write(p); err != nil {
				return
			}
		}
	}()
	return e
}

// Write hands the bytes over; where they go is not known.
func (e eager) Write(p []byte) (int, error) {
	select {
	case e.out <- append([]byte(nil), p...):
		return len(p), nil
	case <-time.After(patience):
		return 0, os.ErrDeadlineExceeded
	}
}

// Close ends the connection, and the handing over.
func (e eager) Close() error {
	e.done()
	return e.Conn.Close()
}

// WebSocket connects to nats-server's WebSocket listener.
func (s *Server) WebSocket() (*Client, error) {
	ports := s.ref.PortsInfo(patience)
	if ports == nil || len(ports.WebSocket) == 0 {
		return nil, errors.New("peer: nats-server has no WebSocket listener")
	}
	at, err := url.Parse(ports.WebSocket[0])
	if err != nil {
		return nil, fmt.Errorf("peer: %w", err)
	}
	conn, err := net.DialTimeout("tcp", "127.0.0.1:"+at.Port(), patience)
	if err != nil {
		return nil, fmt.Errorf("peer: %w", err)
	}
	w, err := upgrade(conn)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("peer: %w", err), conn.Close())
	}
	return NewClient(w)
}

// webSocket is a connection whose bytes go in binary frames. It is for one
// goroutine that reads and one that writes.
type webSocket struct {
	net.Conn
	in   *bufio.Reader
	left uint64 // of the frame that is being read
}

// upgrade asks for the WebSocket protocol.
func upgrade(conn net.Conn) (*webSocket, error) {
	_ = conn.SetDeadline(time.Now().Add(patience))
	key := make([]byte, 16)
	_, _ = rand.Read(key)
	_, err := fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n\r\n", base64.StdEncoding.EncodeToString(key))
	if err != nil {
		return nil, err
	}
	in := bufio.NewReader(conn)
	answer, err := http.ReadResponse(in, nil)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusSwitchingProtocols {
		return nil, fmt.Errorf("no WebSocket: %s", answer.Status)
	}
	return &webSocket{Conn: conn, in: in}, nil
}

// Read gives the bytes of the frames. A frame of another kind than data ends it.
func (w *webSocket) Read(p []byte) (int, error) {
	for w.left == 0 {
		if err := w.frame(); err != nil {
			return 0, err
		}
	}
	n, err := w.in.Read(p[:min(uint64(len(p)), w.left)])
	w.left -= uint64(n)
	return n, err
}

// frame reads the head of a frame.
func (w *webSocket) frame() error {
	head := make([]byte, 2)
	if _, err := io.ReadFull(w.in, head); err != nil {
		return err
	}
	if kind := head[0] & 0x0f; kind > 2 {
		return io.EOF
	}
	w.left = uint64(head[1] & 0x7f)
	more := map[uint64]int{126: 2, 127: 8}[w.left]
	if more == 0 {
		return nil
	}
	size := make([]byte, 8)
	_, err := io.ReadFull(w.in, size[8-more:])
	w.left = binary.BigEndian.Uint64(size)
	return err
}

// Write sends one frame, masked with nothing as a mask.
func (w *webSocket) Write(p []byte) (int, error) {
	frame := binary.BigEndian.AppendUint64([]byte{0x82, 0xff}, uint64(len(p)))
	frame = append(frame, 0, 0, 0, 0)
	if _, err := w.Conn.Write(append(frame, p...)); err != nil {
		return 0, err
	}
	return len(p), nil
}
