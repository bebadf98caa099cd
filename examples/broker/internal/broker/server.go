// Package broker is a small broker of the NATS protocol. Who may connect, and
// what they may do, it asks package auth; what is here are sockets, queues and
// routes.
//
// A reader begins with conn.go, the life of one connection, and follows it to
// connect.go, publish.go, subscribe.go and deliver.go.
package broker

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nkeys"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/examples/broker/internal/wire"
)

// Server serves clients. Make one with [New]. It may be used by several
// goroutines.
type Server struct {
	options  Options
	id       string
	log      *slog.Logger
	accounts *accounts
	sinks    []sink
	info     wire.ServerInfo
	ids      atomic.Uint64 // of connections, counting up
	events   atomic.Uint64 // advisories told
	replies  *auth.Replies
	measures measures
	bus      *bus
	running  sync.WaitGroup

	mu       sync.Mutex
	listener net.Listener   // guarded by mu
	conns    map[*conn]bool // guarded by mu
	halfOpen *list.List     // guarded by mu; of *conn, oldest first
	closed   bool           // guarded by mu
}

// ErrClosed says that the server was closed.
var ErrClosed = errors.New("broker: server closed")

// New makes a server. It serves nobody until [Server.Serve]. The error says that
// there is no authorizer, that bounds contradict one another, or that no server
// key could be made.
func New(o Options) (*Server, error) {
	if o.Authorizer == nil {
		return nil, errors.New("broker: an authorizer is needed")
	}
	id, err := serverID()
	if err != nil {
		return nil, err
	}
	o = o.withDefaults()
	fill(&o.Name, id)
	if o.MaxPayload > o.MaxPending {
		return nil, fmt.Errorf("broker: MaxPayload %d is larger than MaxPending %d", o.MaxPayload, o.MaxPending)
	}
	s := &Server{
		options: o, id: id, log: o.Logger, accounts: newAccounts(),
		conns: make(map[*conn]bool), halfOpen: list.New(), replies: auth.NewReplies(o.Authorizer, 0),
	}
	s.bus = newBus(s)
	s.sinks = []sink{local{}, services{s}, answers{s}, userInfo{s}, remoteCounts{s}}
	o.Relay.connect(s)
	return s, nil
}

// serverID makes the public key by which the server is known. It signs nothing:
// the private part is not kept.
func serverID() (string, error) {
	pair, err := nkeys.CreateServer()
	if err != nil {
		return "", fmt.Errorf("broker: server key: %w", err)
	}
	return pair.PublicKey()
}

// ID is the server's public key.
func (s *Server) ID() string { return s.id }

// Serve accepts clients until [Server.Close], and returns [ErrClosed] then, or
// the listener's error. It may be called once.
func (s *Server) Serve(l net.Listener) error {
	if !s.listen(l) {
		return ErrClosed
	}
	for {
		nc, err := l.Accept()
		if err == nil {
			s.welcome(nc)
			continue
		}
		if s.isClosed() {
			return ErrClosed
		}
		if !temporary(err) {
			return fmt.Errorf("broker: %w", err)
		}
		s.log.Warn("accept", "err", err)
		time.Sleep(acceptPause)
	}
}

// acceptPause is how long the server waits when it is out of file descriptors.
const acceptPause = 50 * time.Millisecond

func temporary(err error) bool {
	var network net.Error
	return errors.As(err, &network) && !errors.Is(err, net.ErrClosed)
}

func (s *Server) listen(l net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.listener = l
	s.info = wire.ServerInfo{
		ID: s.id, Name: s.options.Name, Version: Version, Proto: 1, Go: runtime.Version(),
		Headers: true, AuthRequired: true, MaxPayload: s.options.MaxPayload, Cluster: s.options.Cluster,
	}
	if at, ok := l.Addr().(*net.TCPAddr); ok {
		s.info.Host, s.info.Port = at.IP.String(), at.Port
	}
	return true
}

// welcome begins with one client. Its INFO is sent even if there is no room for
// it, as by nats-server v2.15 server/server.go createClientEx.
func (s *Server) welcome(nc net.Conn) {
	c := newConn(s, nc, s.ids.Add(1))
	c.sendInfo(s.info)
	switch s.admit(c) {
	case full:
		c.close("maximum connections exceeded", "Maximum Connections Exceeded")
	case shut:
		c.close("", "Server Shutdown")
		nc.Close() //nolint:errcheck // nothing runs that would
	}
}

// admission is what becomes of a new connection.
type admission uint8

const (
	admitted admission = iota
	full               // it runs until it has been told
	shut               // it does not run
)

// admit starts the connection's goroutines. Of those that have not connected yet
// the oldest gives way if there are too many, so that a flood of them does not
// keep out whoever has something to say.
func (s *Server) admit(c *conn) admission {
	oldest, got := s.add(c)
	if oldest != nil {
		oldest.close("Authentication Timeout", "Authentication Timeout")
	}
	return got
}

func (s *Server) add(c *conn) (*conn, admission) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, shut
	}
	s.running.Go(c.run)
	if len(s.conns) >= s.options.MaxConnections {
		return nil, full
	}
	s.conns[c] = true
	c.waiting = s.halfOpen.PushBack(c)
	if s.halfOpen.Len() <= s.options.MaxHalfOpen {
		return nil, admitted
	}
	return s.oldest(), admitted
}

// oldest takes the oldest half-open connection off the list. s.mu is held.
func (s *Server) oldest() *conn {
	front := s.halfOpen.Front()
	s.halfOpen.Remove(front)
	c := front.Value.(*conn)
	c.waiting = nil
	return c
}

// connected takes a connection off the list of those that have not connected.
func (s *Server) connected(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle(c)
}

// settle is connected. s.mu is held.
func (s *Server) settle(c *conn) {
	if c.waiting != nil {
		s.halfOpen.Remove(c.waiting)
		c.waiting = nil
	}
}

// forget lets go of a connection that is over.
func (s *Server) forget(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle(c)
	delete(s.conns, c)
}

func (s *Server) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// Close stops listening, closes every connection, and returns when no goroutine
// of the server is left. Closing again waits likewise.
func (s *Server) Close() {
	for _, c := range s.stop() {
		c.close("", "Server Shutdown")
	}
	s.running.Wait()
	s.bus.close()
}

func (s *Server) stop() []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener != nil && !s.closed {
		s.listener.Close() //nolint:errcheck // nothing was written
	}
	s.closed = true
	out := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		out = append(out, c)
	}
	return out
}

// lookup is the context in which a client's account is looked up. The
// authorizer bounds it (auth.Bounds.LookupTime).
func lookup() context.Context { return context.Background() }
