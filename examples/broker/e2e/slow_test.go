package e2e_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestSlowConsumer: a client that does not read is dropped when too much waits
// for it, and another that reads gets every message: it is asked before more is
// sent, so that it is never behind by more than may wait.
func TestSlowConsumer(t *testing.T) {
	const (
		messages = 1024
		size     = 64 << 10 // 64 MiB in all, against what the kernel may take in and the 1 MiB that may wait
		ahead    = 4        // messages that may be on their way
	)
	w := newWorld(t).with("max_pending: 1048576")
	s := w.serve(t)
	slow := enter(t, s, w.admin())
	slow.send("SUB flood 1\r\n")
	slow.sync() // the last that it reads
	reads := dialNATS(t, s, w.admin())
	sub, err := reads.SubscribeSync("flood")
	require.NoError(t, err)
	require.NoError(t, sub.SetPendingLimits(-1, -1))
	require.NoError(t, reads.Flush())

	boss := dialNATS(t, s, w.admin())
	payload := bytes.Repeat([]byte("x"), size)
	for i := range messages {
		payload[0] = byte(i)
		require.NoError(t, boss.Publish("flood", payload))
		if i%ahead != ahead-1 {
			continue
		}
		require.NoError(t, boss.Flush())
		for j := i - ahead + 1; j <= i; j++ {
			m, err := sub.NextMsg(patience)
			require.NoError(t, err, "message %d", j)
			require.Equal(t, byte(j), m.Data[0])
		}
	}
	require.True(t, reads.IsConnected())
	require.Zero(t, reads.Reconnects)

	slow.conn.SetReadDeadline(time.Now().Add(patience))
	got, err := io.Copy(io.Discard, slow.in)
	require.Less(t, got, int64(messages*size), "everything waited for it")
	require.False(t, timedOut(err), "it was not dropped")
}

// timedOut tells whether the other side of a connection did nothing for so long
// as we waited, and did not end it either.
func timedOut(err error) bool {
	var e net.Error
	return errors.As(err, &e) && e.Timeout()
}

// TestManyAtOnce: a client that asks for more than may wait for it, all at once,
// is bounded too, whatever it then reads.
func TestManyAtOnce(t *testing.T) {
	w := newWorld(t).with("max_pending: 65536").with("max_payload: 4096")
	s := w.serve(t)
	c := enter(t, s, w.admin())
	var b strings.Builder
	for i := range 1000 {
		b.WriteString("SUB x " + string(rune('a'+i%26)) + strings.Repeat("s", i/26) + "\r\n")
	}
	c.send("%s", b.String())
	c.sync()
	msg := "PUB x 4096\r\n" + strings.Repeat("x", 4096) + "\r\n"
	c.conn.SetDeadline(time.Now().Add(patience))
	for range 1000 { // each comes back a thousand times
		if _, err := io.WriteString(c.conn, msg); err != nil {
			require.False(t, timedOut(err), "neither served nor dropped")
			break
		}
	}
	got, err := io.Copy(io.Discard, c.in)
	require.False(t, timedOut(err), "it was not dropped")
	require.Less(t, got, int64(1000*1000*4096))
	enter(t, s, w.admin())
}
