package main

import (
	"bufio"
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// patience is how long a test waits for what has to come.
const patience = 30 * time.Second

// program is a broker under test.
type program struct {
	addr  string
	lines []string // printed before it listened
	stop  func() error
}

// start runs the program until the test ends.
func start(t *testing.T, args ...string) *program {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, args, w, io.Discard)
		w.Close()
		ended <- err
	}()
	p := &program{stop: func() error { cancel(); return <-ended }}
	in := bufio.NewScanner(r)
	for in.Scan() {
		addr, ok := strings.CutPrefix(in.Text(), "listening on ")
		if ok {
			p.addr = addr
			return p
		}
		p.lines = append(p.lines, in.Text())
	}
	require.NoError(t, p.stop(), "the program ended before it listened")
	t.Fatal("the program ended before it listened")
	return nil
}

// TestDemo is what somebody does who pastes the demo's lines.
func TestDemo(t *testing.T) {
	p := start(t, "-addr", "127.0.0.1:0")
	require.Len(t, p.lines, 3)
	connect := func(line string) *nats.Conn {
		words := strings.Fields(line)
		require.Equal(t, p.addr, words[2])
		nc, err := nats.Connect(p.addr, nats.UserCredentials(words[4]), nats.Timeout(patience))
		require.NoError(t, err)
		t.Cleanup(nc.Close)
		return nc
	}
	orders, billing := connect(p.lines[0]), connect(p.lines[1])
	here, err := orders.SubscribeSync(">")
	require.NoError(t, err)
	there, err := billing.SubscribeSync(">")
	require.NoError(t, err)
	require.NoError(t, billing.Flush())
	require.NoError(t, orders.Publish("orders.new", []byte("one")))
	m, err := here.NextMsg(patience)
	require.NoError(t, err)
	require.Equal(t, "one", string(m.Data))
	require.NoError(t, billing.Flush())
	n, _, err := there.Pending()
	require.NoError(t, err)
	require.Zero(t, n, "another account heard it")

	_, err = nats.Connect(p.addr, nats.Timeout(patience))
	require.ErrorIs(t, err, nats.ErrAuthorization)
	require.NoError(t, p.stop())
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
