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
// publishes by it (F114 to F118). It is a [resolver.Bus], and a sink.
type bus struct {
	server *Server
	table  *route.Table[*listener]

	mu        sync.Mutex
	listeners map[*listener]bool // guarded by mu
	closed    bool               // guarded by mu
	running   sync.WaitGroup
}

// maxHeard is how many messages wait for one listener; those over that are dropped.
const maxHeard = 1024

// listener is one subscription.
type listener struct {
	entry *route.Entry[*listener]
	fn    func(resolver.Msg)
	heard chan resolver.Msg
	done  chan struct{}

	mu   sync.Mutex
	gone bool // guarded by mu
}

func newBus(s *Server) *bus {
	return &bus{server: s, table: route.NewTable[*listener](), listeners: make(map[*listener]bool)}
}

// Bus is the system account, for what the program itself serves there. Without a system account nothing
// is ever heard, and what is published is heard by nobody.
func (s *Server) Bus() resolver.Bus { return s.bus }

// Publish publishes in the system account, as one of its users who may do so would.
func (b *bus) Publish(ctx context.Context, m resolver.Msg) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("broker: %w", err)
	}
	if m.Subject == "" {
		return errors.New("broker: a message has no subject")
	}
	o := b.server.options
	if o.SystemAccount == "" {
		return errors.New("broker: there is no system account")
	}
	view, _ := o.Authorizer.InForce(o.SystemAccount)
	in := where{b.server.accounts.find(o.SystemAccount), view}
	out := &message{subject: m.Subject, reply: m.Reply, head: wire.Block(m.Header), body: m.Data}
	if b.server.publish(nil, in, out); !in.of(o.SystemAccount) {
		b.deliver(out) // nobody is in it, and nothing of it in force: the program itself hears
	}
	return nil
}

// Subscribe listens in the system account.
func (b *bus) Subscribe(subject, queue string, fn func(resolver.Msg)) (func() error, error) {
	l := &listener{fn: fn, heard: make(chan resolver.Msg, maxHeard), done: make(chan struct{})}
	l.entry = &route.Entry[*listener]{Subject: subject, Queue: queue, Of: l}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, ErrClosed
	}
	if err := b.table.Insert(l.entry); err != nil {
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
	b.table.Remove(l.entry)
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

// take has whoever listens hear a message that is published in the system account.
func (b *bus) take(_ *conn, in where, m *message) bool {
	return in.of(b.server.options.SystemAccount) && b.table.Len() > 0 && b.deliver(m)
}

func (b *bus) deliver(m *message) bool {
	return b.table.Match(m.subject).Deliver(func(e *route.Entry[*listener]) bool {
		heard := resolver.Msg{Subject: m.subject, Reply: m.reply, Data: slices.Clone(m.body)}
		if len(m.head) > 0 {
			heard.Header = wire.Headers(m.head)
		}
		return e.Of.hear(heard)
	})
}

// hear puts a message in the queue, if there is room.
func (l *listener) hear(m resolver.Msg) bool {
	select {
	case l.heard <- m:
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
