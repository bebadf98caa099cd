package claimsync

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/resolver"
)

// The subjects, all of the system account (nats-server v2.15 server/events.go). In an account's place stands its key.
const (
	subjectUpdate        = "$SYS.REQ.CLAIMS.UPDATE"
	subjectUpdateAccount = "$SYS.REQ.ACCOUNT.*.CLAIMS.UPDATE"
	subjectUpdateOld     = "$SYS.ACCOUNT.*.CLAIMS.UPDATE"
	subjectLookup        = "$SYS.REQ.ACCOUNT.*.CLAIMS.LOOKUP"
	subjectPack          = "$SYS.REQ.CLAIMS.PACK"
	subjectList          = "$SYS.REQ.CLAIMS.LIST"
	subjectDelete        = "$SYS.REQ.CLAIMS.DELETE"

	packQueue = "responder"
)

// ErrBusy says that something was not begun because there is too much of it under way.
var ErrBusy = errors.New("claimsync: busy")

var (
	errClosed    = errors.New("claimsync: the service is not running")
	errTooLarge  = errors.New("the request is too large")
	errLargeList = errors.New("the answer would be too large")

	errUpdatesOnly = errors.New("claimsync: with Config.UpdatesOnly nothing is exchanged")
)

// Service answers the claims protocol for one node, and exchanges packs with others. Make one with [New]. It may be used by
// several goroutines.
type Service struct {
	config Config
	lister resolver.Lister // of the store
	lanes  struct{ write, read, list, pack, refusals *lane }
	seq    atomic.Uint64 // of answers
	done   requests

	exchanging sync.Mutex               // held by the one exchange
	asked      atomic.Pointer[question] // of the exchange under way

	mu      sync.Mutex     // guards what follows
	state   state          // new, running, closed
	working sync.WaitGroup // added to while running only
	end     context.CancelFunc
	atEnd   func(func()) (forget func() bool) // has a function called when it ends
	stops   []func() error

	tally tally
}

type state uint8

const (
	fresh state = iota
	running
	closed
)

// New makes a Service that does nothing yet. The error says what is wrong with c.
func New(c Config) (*Service, error) {
	c, err := c.checked()
	if err != nil {
		return nil, err
	}
	s := &Service{config: c, lister: resolver.ListerOf(c.Store), done: requests{config: &c}}
	b := c.Bounds
	s.lanes.write = newLane(b.Requests, b.RequestBytes, 1)
	s.lanes.read = newLane(b.Requests, b.RequestBytes, 2)
	s.lanes.list = newLane(b.Packs, b.RequestBytes, 1) // each looks at everything: it keeps no LOOKUP waiting
	s.lanes.pack = newLane(b.Packs, b.RequestBytes, 1)
	s.lanes.refusals = newLane(b.Requests, b.RequestBytes, 1)
	return s, nil
}

// request is a kind of request that the service hears.
type request struct {
	subject, queue string
	account        int // the token of the subject that is an account's key; 0: none
	lane           *lane
	do             func(ctx context.Context, m resolver.Msg, account string)
	refuse         func(ctx context.Context, m resolver.Msg, err error) // answers where there is no room; nil: nobody does
}

// requests are what this node answers.
func (s *Service) requests() []request {
	out := []request{
		{subjectUpdateAccount, "", 3, s.lanes.write, s.update, s.refuseUpdate},
		{subjectUpdateOld, "", 2, s.lanes.write, s.update, s.refuseUpdate},
	}
	if s.config.UpdatesOnly {
		return out
	}
	out = append(out,
		request{subjectUpdate, "", 0, s.lanes.write, s.update, s.refuseUpdate},
		request{subjectDelete, "", 0, s.lanes.write, s.delete, s.refuseDelete},
		request{subjectList, "", 0, s.lanes.list, s.list, nil},
	)
	if !s.config.Cache {
		out = append(out,
			request{subjectLookup, "", 3, s.lanes.read, s.lookup, nil},
			request{subjectPack, packQueue, 0, s.lanes.pack, s.pack, nil},
		)
	}
	return out
}

// Start subscribes, and begins to exchange packs. The error is the Bus's, or says that the Service was started or closed
// before; then it hears nothing. Start once.
func (s *Service) Start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != fresh {
		return errors.New("claimsync: the service was started before")
	}
	for _, r := range s.requests() {
		stop, err := s.config.Bus.Subscribe(r.subject, r.queue, s.receive(r))
		if err != nil {
			err = fmt.Errorf("claimsync: subscribing to %s: %w", r.subject, err)
			return errors.Join(err, s.stop())
		}
		s.stops = append(s.stops, stop)
	}
	ctx, end := context.WithCancel(context.Background())
	s.state, s.end = running, end
	s.atEnd = func(f func()) func() bool { return context.AfterFunc(ctx, f) }
	for _, l := range []*lane{s.lanes.write, s.lanes.read, s.lanes.list, s.lanes.pack, s.lanes.refusals} {
		for range l.workers {
			s.working.Go(func() { l.run(ctx) })
		}
	}
	if s.config.Interval > 0 && !s.config.Cache && !s.config.UpdatesOnly {
		s.working.Go(func() { s.exchangeOften(ctx) })
	}
	return nil
}

// Close ends the subscriptions and whatever is under way, and waits for it. Requests that wait are not done. The error is
// what the Bus said of the subscriptions. Close may be called again, and before Start, which is refused then.
func (s *Service) Close() error {
	s.mu.Lock()
	was := s.state
	s.state = closed
	err := s.stop()
	s.mu.Unlock()
	if was == running {
		s.end()
	}
	s.working.Wait()
	return err
}

// stop ends the subscriptions. s.mu is held.
func (s *Service) stop() error {
	var errs []error
	for _, stop := range s.stops {
		errs = append(errs, stop())
	}
	s.stops = nil
	return errors.Join(errs...)
}

// join lets the caller work while the Service runs: Close waits until leave is called. The context ends with the Service,
// too.
func (s *Service) join(ctx context.Context) (joined context.Context, leave func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != running {
		return nil, nil, errClosed
	}
	s.working.Add(1)
	joined, cancel := context.WithCancel(ctx)
	forget := s.atEnd(cancel)
	return joined, func() { forget(); cancel(); s.working.Done() }, nil
}

// receive hands a message to its lane, and keeps nobody waiting. It is copied: headers are not read, and a body only where
// it says something.
func (s *Service) receive(r request) func(resolver.Msg) {
	return func(m resolver.Msg) {
		if s.own(m) {
			return
		}
		kept := resolver.Msg{Subject: m.Subject, Reply: answerable(m.Reply)}
		switch {
		case len(m.Data) > s.config.Bounds.MessageBytes:
			s.refuse(r, kept, errTooLarge)
			return
		case r.lane != s.lanes.read && r.lane != s.lanes.list:
			kept.Data = bytes.Clone(m.Data)
		}
		do := func(ctx context.Context, m resolver.Msg) { r.do(auth.By(ctx, m.Subject), m, r.key(m.Subject)) }
		if !r.lane.offer(job{do, kept}) {
			s.refuse(r, kept, ErrBusy)
		}
	}
}

// answerable is the reply subject of a request, unless the answer would be a request of this protocol, or an event: then there
// is none. Servers wait for answers below the one prefix.
func answerable(reply string) string {
	if strings.HasPrefix(reply, "$SYS.") && !strings.HasPrefix(reply, "$SYS._INBOX.") {
		return ""
	}
	return reply
}

// own says whether a message is of this node's own: a question of its Resolver, which knows what is here, or the request of
// its exchange, which is told so.
func (s *Service) own(m resolver.Msg) bool {
	if q := s.asked.Load(); q != nil && q.inbox == m.Reply {
		q.hear(resolver.Msg{Header: ownHeader})
		return true
	}
	return s.config.Resolver.owns(m.Reply)
}

// key is the account that the subject names.
func (r request) key(subject string) string {
	tokens := strings.Split(subject, ".")
	if r.account == 0 || r.account >= len(tokens) {
		return ""
	}
	return tokens[r.account]
}

// refuse counts a request that has no room, and has it answered if that may be.
func (s *Service) refuse(r request, m resolver.Msg, why error) {
	s.tally.add(func(c *Stats) { c.Dropped++ })
	if r.refuse != nil {
		m.Data = nil
		s.lanes.refusals.offer(job{func(ctx context.Context, m resolver.Msg) { r.refuse(ctx, m, why) }, m})
	}
}
