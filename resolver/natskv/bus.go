package natskv

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/natsauth/natsauth/resolver"
)

// Bus is a resolver.Bus over a connection, for package claimsync: of a user of the system account, as the subjects of the
// claims protocol are there. It may be used by several goroutines. The zero and the nil Bus refuse. Where a subscription
// is slow, the connection drops what is over its limits (nats.Conn's pending limits), and says so to its error handler.
type Bus struct{ nc *nats.Conn }

// NewBus makes a Bus of a connection, which stays its caller's to close.
func NewBus(nc *nats.Conn) *Bus { return &Bus{nc} }

var errNoConnection = errors.New("natskv: there is no connection")

// Publish hands m to the connection, which sends it soon. While the connection is lost it keeps what is published, up to
// its own bound. Headers are passed on. Where nobody listens, NATS itself answers a message with a reply subject: with
// status 503 in the header.
func (b *Bus) Publish(ctx context.Context, m resolver.Msg) error {
	if b == nil || b.nc == nil {
		return errNoConnection
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	err := b.nc.PublishMsg(&nats.Msg{Subject: m.Subject, Reply: m.Reply, Header: m.Header, Data: m.Data})
	if err != nil {
		return fmt.Errorf("natskv: publishing to %q: %w", m.Subject, err)
	}
	return nil
}

// flushTime is how long a server has to take a subscription: it knows of no context.
const flushTime = time.Second

// Subscribe subscribes on the connection, and comes back when the server has it: what is published anywhere after that, fn
// gets. Where the connection is lost just then it refuses. A subscription that loses its connection later is made again by
// itself, and misses what was published meanwhile.
func (b *Bus) Subscribe(subject, queue string, fn func(resolver.Msg)) (func() error, error) {
	if b == nil || b.nc == nil {
		return nil, errNoConnection
	}
	switch {
	case fn == nil:
		return nil, errors.New("natskv: a subscription needs a function")
	case b.nc.IsClosed():
		return nil, nats.ErrConnectionClosed
	case !b.nc.IsConnected():
		return nil, nats.ErrDisconnected
	}
	sub, err := b.nc.QueueSubscribe(subject, queue, func(m *nats.Msg) {
		fn(resolver.Msg{Subject: m.Subject, Reply: m.Reply, Header: m.Header, Data: m.Data})
	})
	if err != nil {
		return nil, fmt.Errorf("natskv: subscribing to %q: %w", subject, err)
	}
	if err := b.nc.FlushTimeout(flushTime); err != nil {
		return nil, errors.Join(fmt.Errorf("natskv: subscribing to %q: %w", subject, err), sub.Unsubscribe())
	}
	return func() error {
		err := sub.Unsubscribe()
		if err == nil || errors.Is(err, nats.ErrBadSubscription) || errors.Is(err, nats.ErrConnectionClosed) {
			return nil // it has ended
		}
		return fmt.Errorf("natskv: unsubscribing from %q: %w", subject, err)
	}, nil
}
