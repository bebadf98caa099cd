package peer

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// patience is how long anything may take before a test gives up on it.
const patience = 20 * time.Second

// Server is a running server. It may be used by several goroutines. The zero
// Server has no address and nothing to stop.
type Server struct {
	addr string
	stop func() error
	log  func() string
	ref  *server.Server
}

// Reference starts nats-server with the text of a configuration file, on a free
// port of 127.0.0.1 whatever the text says. It is stopped when the test ends.
func Reference(tb testing.TB, config string) *Server {
	tb.Helper()
	s, err := StartReference(tb.TempDir(), config)
	return started(tb, s, err)
}

// Ours starts the example broker in the same way. Where
// NATSAUTH_CONFORMANCE_OURS is "reference", a second nats-server takes its place,
// so that the comparison itself can be held to finding nothing.
func Ours(tb testing.TB, config string) *Server {
	tb.Helper()
	s, err := StartOurs(tb.TempDir(), config)
	return started(tb, s, err)
}

// Mirrored reports whether a second nats-server takes the broker's place.
func Mirrored() bool { return os.Getenv("NATSAUTH_CONFORMANCE_OURS") == "reference" }

func started(tb testing.TB, s *Server, err error) *Server {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Stop(); err != nil {
			tb.Errorf("%v\n%s", err, s.Log())
		}
	})
	return s
}

// StartReference starts nats-server with a configuration that is written into
// dir. The error says why it does not start.
func StartReference(dir, config string) (*Server, error) {
	file, err := write(dir, config)
	if err != nil {
		return nil, err
	}
	o, err := server.ProcessConfigFile(file)
	if err != nil {
		return nil, fmt.Errorf("peer: nats-server: %w", err)
	}
	o.Host, o.Port, o.NoLog, o.NoSigs = "127.0.0.1", server.RANDOM_PORT, true, true
	n, err := server.NewServer(o)
	if err != nil {
		return nil, fmt.Errorf("peer: nats-server: %w", err)
	}
	return runReference(n)
}

func runReference(n *server.Server) (*Server, error) {
	failed := &fatal{}
	n.SetLoggerV2(failed, false, false, false)
	n.Start()
	s := &Server{ref: n, log: failed.text, stop: func() error {
		n.Shutdown()
		n.WaitForShutdown()
		return nil
	}}
	if !n.ReadyForConnections(patience) || failed.text() != "" {
		_ = s.stop()
		return nil, fmt.Errorf("peer: nats-server does not start: %s", failed.text())
	}
	s.addr = n.Addr().String()
	return s, nil
}

// StartOurs starts the broker with a configuration that is written into dir. The
// error says why it does not start.
func StartOurs(dir, config string) (*Server, error) {
	if Mirrored() {
		return StartReference(dir, config)
	}
	file, err := write(dir, config)
	if err != nil {
		return nil, err
	}
	return runBroker(file)
}

func write(dir, config string) (string, error) {
	file := filepath.Join(dir, "server.conf")
	return file, os.WriteFile(file, []byte(config), 0o600)
}

// At is a server that runs somewhere already, to be spoken to.
func At(addr string) *Server { return &Server{addr: addr, log: func() string { return "" }} }

// Addr is where the server listens, host:port.
func (s *Server) Addr() string { return s.addr }

// Embedded is the nats-server behind a Server that [Reference] started; nil for
// the broker.
func (s *Server) Embedded() *server.Server { return s.ref }

// Log is what the server has said of itself so far: the broker's standard error,
// or what made nats-server give up.
func (s *Server) Log() string { return s.log() }

// Stop ends the server and waits for its end. Stopping again does nothing. The
// error says that a broker did not end as it should.
func (s *Server) Stop() error {
	if s.stop == nil {
		return nil
	}
	stop := s.stop
	s.stop = nil
	return stop()
}
