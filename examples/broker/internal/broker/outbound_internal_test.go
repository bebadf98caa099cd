package broker

// These tests look at the queue of one client, which no client can see.

import (
	"bytes"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// begin makes a queue and the client's end of its connection.
func begin(t *testing.T, limit int64, deadline time.Duration) (*outbound, net.Conn, chan struct{}) {
	t.Helper()
	server, client := net.Pipe()
	o := newOutbound(server, limit, deadline)
	done := make(chan struct{})
	go func() {
		defer close(done)
		o.run()
	}()
	t.Cleanup(func() {
		o.finish()
		client.Close()
		<-done
		server.Close()
	})
	return o, client, done
}

// TestPendingBound: what waits for a client that does not read never exceeds the
// limit, and at the limit it is given up.
func TestPendingBound(t *testing.T) {
	const limit = 10 << 10
	o, _, done := begin(t, limit, time.Hour)
	part := make([]byte, 1000)
	sent := 0
	for o.send(part) {
		sent += len(part)
		require.LessOrEqual(t, o.pending(), int64(limit))
	}
	require.Equal(t, limit/len(part)*len(part), sent)
	require.Equal(t, tooSlow, o.why())
	require.False(t, o.send([]byte("x")), "it was given up")
	<-done
}

// TestPendingExact: the last byte that fits, and the first that does not.
func TestPendingExact(t *testing.T) {
	o, _, _ := begin(t, 10, time.Hour)
	require.True(t, o.send(make([]byte, 9)))
	require.True(t, o.send(make([]byte, 1)))
	require.Empty(t, o.why())
	require.False(t, o.send(make([]byte, 1)))
	require.Equal(t, tooSlow, o.why())
}

// TestOrder: parts arrive whole and in order, and what was queued before the end
// arrives before it.
func TestOrder(t *testing.T) {
	o, client, _ := begin(t, 1<<20, time.Minute)
	var want bytes.Buffer
	for i := range 300 {
		a, b := bytes.Repeat([]byte{byte(i)}, i*7), []byte("\r\n")
		require.True(t, o.send(a, b))
		want.Write(a)
		want.Write(b)
	}
	o.finish()
	require.False(t, o.send([]byte("late")))
	got := make([]byte, want.Len())
	_, err := io.ReadFull(client, got)
	require.NoError(t, err)
	require.Equal(t, want.Bytes(), got)
}

// TestCaughtUp: room that was used is room again when the client has read.
func TestCaughtUp(t *testing.T) {
	o, client, _ := begin(t, 100, time.Minute)
	got := make([]byte, 100)
	for range 50 {
		require.True(t, o.send(make([]byte, 100)))
		_, err := io.ReadFull(client, got)
		require.NoError(t, err)
		require.Eventually(t, func() bool { return o.pending() == 0 }, time.Minute, time.Millisecond)
	}
}

// TestWriteDeadline: a write that takes too long gives the client up.
func TestWriteDeadline(t *testing.T) {
	o, _, done := begin(t, 1<<20, time.Millisecond)
	require.True(t, o.send([]byte("x")))
	require.Eventually(t, func() bool { return o.why() == tooLate }, time.Minute, time.Millisecond)
	<-done
}

// TestGone: so does a client that hung up.
func TestGone(t *testing.T) {
	o, client, done := begin(t, 1<<20, time.Minute)
	require.NoError(t, client.Close())
	require.True(t, o.send([]byte("x")))
	<-done
	require.Equal(t, writeError, o.why())
}

// TestSlowAndFast: with one who does not read in the same account, one who does
// gets every message. The slow one costs no more than its bound.
func TestSlowAndFast(t *testing.T) {
	const limit, messages = 64 << 10, 2000
	slow, _, _ := begin(t, limit, time.Hour)
	fast, client, _ := begin(t, limit, time.Hour)
	got := make(chan int)
	go func() {
		n, _ := io.Copy(io.Discard, io.LimitReader(client, messages*100))
		got <- int(n)
	}()
	for range messages {
		slow.send(make([]byte, 100))
		require.LessOrEqual(t, slow.pending(), int64(limit))
		for fast.pending() > limit/2 { // the publisher asks before it sends more
			time.Sleep(time.Microsecond)
		}
		require.True(t, fast.send(make([]byte, 100)))
	}
	require.Equal(t, messages*100, <-got)
	require.Equal(t, tooSlow, slow.why())
}
