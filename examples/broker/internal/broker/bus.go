package broker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/natsauth/natsauth/examples/broker/internal/route"
	"github.com/natsauth/natsauth/examples/broker/internal/wire"
	"github.com/natsauth/natsauth/resolver"
)

// bus is the system account as seen from inside the program: what is served there listens and
// publishes by it (F114 to F118). It is a [resolver.Bus]. Its listeners are in the account's table as the subscriptions of
// clients are, so that of a queue group one member gets the message, whoever that is.
type bus struct {
	server *Server

	mu        sync.Mutex
	listeners map[*listener]bool // guarded by mu
	closed    bool               // guarded by mu
	running   sync.WaitGroup
}

// maxHeard is how many messages wait for one listener; those over that are dropped.
const maxHeard = 1024

// listener is one subscription.
type listener struct {
	at    *account
	entry *route.Entry[receiver]
	fn    func(resolver.Msg)
	heard chan resolver.Msg
	done  chan struct{}

	mu   sync.Mutex
	gone bool // guarded by mu
}

func newBus(s *Server) *bus {
	return &bus{server: s, listeners: make(map[*listener]bool)}
}

// Bus is the system account, for what the program itself serves there. Without a system account nothing
// is ever heard, and what is published is heard by nobody.
func (s *Server) Bus() resolver.Bus { return s.bus }

// Publish publishes in the system account, as one of its users who may do so would.
func (b *bus) Publish(ctx context.Context, m resolver.Msg) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("broker: %w", err)
	}
	if !literal(m.Subject) || m.Reply != "" && !literal(m.Reply) {
		return fmt.Errorf("broker: a message to %q with the reply subject %q cannot be published", m.Subject, m.Reply)
	}
	o := b.server.options
	if o.SystemAccount == "" {
		return errors.New("broker: there is no system account")
	}
	view, _ := o.Authorizer.InForce(o.SystemAccount)
	in := where{b.server.accounts.find(o.SystemAccount), view}
	b.server.publish(nil, in, &message{subject: m.Subject, reply: m.Reply, head: wire.Block(m.Header), body: m.Data})
	return nil
}

// Subscribe listens in the system account.
func (b *bus) Subscribe(subject, queue string, fn func(resolver.Msg)) (func() error, error) {
	if fn == nil {
		return nil, errors.New("broker: a subscription needs a function")
	}
	l := &listener{fn: fn, heard: make(chan resolver.Msg, maxHeard), done: make(chan struct{})}
	l.entry = &route.Entry[receiver]{Subject: subject, Queue: queue, Of: l}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, ErrClosed
	}
	l.at = b.server.accounts.hold(b.server.options.SystemAccount)
	if err := l.at.table.Insert(l.entry); err != nil {
		b.server.accounts.release(l.at)
		return nil, err
	}
	b.listeners[l] = true
	b.running.Go(l.run)
	return func() error { b.stop(l); return nil }, nil
}

func (b *bus) stop(l *listener) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.listeners[l] {
		return
	}
	delete(b.listeners, l)
	l.at.table.Remove(l.entry)
	b.server.accounts.release(l.at)
	l.mu.Lock()
	l.gone = true
	l.mu.Unlock()
	close(l.done)
}

// close stops every listener, and waits for those that are busy.
func (b *bus) close() {
	b.mu.Lock()
	b.closed = true
	all := make([]*listener, 0, len(b.listeners))
	for l := range b.listeners {
		all = append(all, l)
	}
	b.mu.Unlock()
	for _, l := range all {
		b.stop(l)
	}
	b.running.Wait()
}

// receive puts a message in the queue, if there is room.
func (l *listener) receive(_ *conn, m *message, _ *arrivals) bool {
	heard := resolver.Msg{Subject: m.subject, Reply: m.reply, Data: slices.Clone(m.body)}
	if len(m.head) > 0 {
		heard.Header = wire.Headers(m.head)
	}
	select {
	case l.heard <- heard:
		return true
	default:
		return false
	}
}

func (l *listener) run() {
	for {
		select {
		case <-l.done:
			return
		case m := <-l.heard:
			if !l.begin() {
				return
			}
			l.fn(m)
		}
	}
}

// begin says whether one more call may begin.
func (l *listener) begin() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.gone
}
