package e2e_test

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth/authtest"
)

// halfOpen is how many connections the broker keeps whose clients have not said
// who they are: DefaultMaxHalfOpen of internal/broker.
const halfOpen = 1024

// floodSize is how many clients a flood has: NATSAUTH_FLOOD, or a number for
// every day.
func floodSize(t *testing.T, everyDay int) int {
	t.Helper()
	n := everyDay
	if text := os.Getenv("NATSAUTH_FLOOD"); text != "" {
		var err error
		n, err = strconv.Atoi(text)
		require.NoError(t, err)
	}
	t.Logf("%d clients (%d every day, NATSAUTH_FLOOD=n for n)", n, everyDay)
	return n
}

// regular is a user who goes on with its work while others flood the broker: it
// was there before, and it can come anew.
type regular struct {
	t  *testing.T
	s  *server
	u  user
	nc *nats.Conn
	n  int
}

func newRegular(t *testing.T, s *server, u user) *regular {
	t.Helper()
	return &regular{t: t, s: s, u: u, nc: dialNATS(t, s, u, nats.NoReconnect())}
}

// served asserts that it receives what it publishes, on its old connection and
// on a new one.
func (r *regular) served() {
	r.t.Helper()
	fresh, err := nats.Connect(r.s.url(), r.u.option(), nats.Timeout(patience))
	require.NoError(r.t, err)
	defer fresh.Close()
	r.hears(r.nc, fresh)
	r.hears(fresh, r.nc)
}

func (r *regular) hears(to, from *nats.Conn) {
	r.t.Helper()
	r.n++
	subject := fmt.Sprintf("regular.%d", r.n)
	sub, err := to.SubscribeSync(subject)
	require.NoError(r.t, err)
	require.NoError(r.t, to.Flush())
	require.NoError(r.t, from.Publish(subject, []byte(subject)))
	m, err := sub.NextMsg(patience)
	require.NoError(r.t, err)
	require.Equal(r.t, subject, string(m.Data))
	require.NoError(r.t, sub.Unsubscribe())
}

// TestFloodOfHalfOpen: clients that connect and say nothing keep nobody out: when
// there are too many, the one that has been silent longest goes.
func TestFloodOfHalfOpen(t *testing.T) {
	w := newWorld(t).with("authorization { timeout: 600 }")
	s := w.serve(t)
	known := newRegular(t, s, w.admin())
	n := floodSize(t, halfOpen+200)
	var flood []net.Conn
	defer func() {
		for _, c := range flood {
			c.Close()
		}
	}()
	for i := range n {
		c, err := net.DialTimeout("tcp", s.addr, patience)
		require.NoError(t, err)
		flood = append(flood, c)
		if i%(n/4) == 0 {
			known.served()
		}
	}
	known.served()
	late := dial(t, s)
	late.connect(w.admin())
	late.sync()

	if n > halfOpen+1 && !reference() {
		require.True(t, ended(t, flood[0]), "the oldest stays")
	}
}

// ended waits for the end of a connection whose client says nothing.
func ended(t *testing.T, c net.Conn) bool {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(patience))
	buf := make([]byte, 4096)
	for {
		if _, err := c.Read(buf); err != nil {
			return !timedOut(err)
		}
	}
}

// TestFloodOfUnknownAccounts: users of accounts that nobody knows, all signed as
// they should be, are refused, and keep nobody out (B7).
func TestFloodOfUnknownAccounts(t *testing.T) {
	w := newWorld(t)
	s := w.serve(t)
	known := newRegular(t, s, w.admin())
	n := floodSize(t, 400)
	stranger := authtest.NewOperator(t, authtest.From("elsewhere"))
	jobs := make(chan user)
	var wg sync.WaitGroup
	refused := make(chan string, n)
	for range 8 {
		wg.Go(func() {
			for u := range jobs {
				refused <- answer(s, u)
			}
		})
	}
	for i := range n {
		jobs <- of(stranger.Account(fmt.Sprintf("account %d", i)).User("u"))
		if i%(n/4) == 0 {
			known.served()
		}
	}
	close(jobs)
	wg.Wait()
	known.served()
	require.Len(t, refused, n)
	for range n {
		require.Equal(t, violation, <-refused)
	}
}

// answer is what nats.go gets for a user.
func answer(s *server, u user) string {
	nc, err := nats.Connect(s.url(), u.option(), nats.Timeout(patience))
	if err != nil {
		return err.Error()
	}
	nc.Close()
	return "welcome"
}
