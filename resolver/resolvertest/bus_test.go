package resolvertest_test

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/resolver"
	"github.com/natsauth/natsauth/resolver/resolvertest"
)

var _ resolver.Bus = (*resolvertest.Bus)(nil)

// heard keeps what a subscription gets.
type heard struct {
	mu  sync.Mutex
	got []string
}

func (h *heard) hear(m resolver.Msg) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.got = append(h.got, m.Subject+"="+string(m.Data))
}

func (h *heard) all() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.got
}

func listen(t *testing.T, b *resolvertest.Bus, subject, queue string) (*heard, func() error) {
	t.Helper()
	h := new(heard)
	stop, err := b.Subscribe(subject, queue, h.hear)
	require.NoError(t, err)
	return h, stop
}

func TestBus(t *testing.T) {
	resolvertest.RunBus(t, func(*testing.T) resolver.Bus { return new(resolvertest.Bus) })
}

func TestBusQueues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b resolvertest.Bus
		one, stop := listen(t, &b, "a", "q")
		two, _ := listen(t, &b, "*", "q")
		other, _ := listen(t, &b, "a", "r")
		alone, _ := listen(t, &b, "a", "")
		publish := func(n int) {
			for i := range n {
				require.NoError(t, b.Publish(t.Context(), resolver.Msg{Subject: "a", Data: []byte(strconv.Itoa(i))}))
			}
			synctest.Wait()
		}
		publish(10)
		require.Len(t, one.all(), 5)
		require.Len(t, two.all(), 5)
		require.Len(t, other.all(), 10)
		require.Len(t, alone.all(), 10)
		require.Equal(t, "a=0", alone.all()[0])
		require.Equal(t, "a=9", alone.all()[9])
		require.Equal(t, 4, b.Subscriptions())

		require.NoError(t, stop())
		require.NoError(t, stop())
		publish(2)
		require.Len(t, one.all(), 5)
		require.Len(t, two.all(), 7)
		require.Equal(t, 3, b.Subscriptions())
	})
}

// A subscription that waits keeps nobody else waiting, and hears nothing after it was stopped.
func TestBusSlowSubscription(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b resolvertest.Bus
		gate, calls := make(chan struct{}), 0
		stop, err := b.Subscribe("a", "", func(resolver.Msg) { calls++; <-gate })
		require.NoError(t, err)
		quick, _ := listen(t, &b, "a", "")
		for range 3 {
			require.NoError(t, b.Publish(t.Context(), resolver.Msg{Subject: "a"}))
		}
		synctest.Wait()
		require.Len(t, quick.all(), 3)
		require.NoError(t, stop())
		close(gate)
		synctest.Wait()
		require.Equal(t, 1, calls)
	})
}

func TestBusRefuses(t *testing.T) {
	var b resolvertest.Bus
	for _, subject := range []string{"", "a..b", ".", "a b", "a\n", "a.*", "a.>"} {
		require.Error(t, b.Publish(t.Context(), resolver.Msg{Subject: subject}), "%q", subject)
	}
	for _, subject := range []string{"", "a..b", ">.a", "a b"} {
		_, err := b.Subscribe(subject, "", func(resolver.Msg) {})
		require.Error(t, err, "%q", subject)
	}
	_, err := b.Subscribe("a", "", nil)
	require.Error(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, b.Publish(ctx, resolver.Msg{Subject: "a"}), context.Canceled)
	require.Zero(t, b.Subscriptions())
}
