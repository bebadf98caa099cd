package e2e_test

import (
	"net"
	"strconv"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"
)

// startReference runs nats-server in this process, with the same configuration
// and at the same address.
func (s *server) startReference() {
	s.t.Helper()
	opts, err := s.referenceOptions()
	require.NoError(s.t, err)
	ns, err := natsserver.NewServer(opts)
	require.NoError(s.t, err)
	ns.Start()
	require.True(s.t, ns.ReadyForConnections(patience))
	s.addr, s.log = ns.Addr().String(), newOutput()
	s.again = func() error {
		next, err := s.referenceOptions()
		if err != nil {
			return err
		}
		return ns.ReloadOptions(next)
	}
	s.end = func() {
		ns.Shutdown()
		ns.WaitForShutdown()
	}
}

// referenceOptions are what the file says, at our address.
func (s *server) referenceOptions() (*natsserver.Options, error) {
	s.t.Helper()
	opts, err := natsserver.ProcessConfigFile(s.config)
	if err != nil {
		return nil, err
	}
	opts.Host, opts.Port = s.hostPort()
	opts.NoLog, opts.NoSigs = true, true
	return opts, nil
}

// hostPort gives the address as nats-server wants it: any port is -1.
func (s *server) hostPort() (string, int) {
	s.t.Helper()
	host, text, err := net.SplitHostPort(s.addr)
	require.NoError(s.t, err)
	port, err := strconv.Atoi(text)
	require.NoError(s.t, err)
	if port == 0 {
		port = natsserver.RANDOM_PORT
	}
	return host, port
}
