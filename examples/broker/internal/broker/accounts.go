package broker

import (
	"context"
	"errors"
	"sync"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/examples/broker/internal/route"
	"github.com/natsauth/natsauth/resolver"
)

// account is what the broker keeps of one account while somebody is in it, or listens to
// what is published in it. What the account may do is the authorizer's to know.
type account struct {
	key   string
	table *route.Table[receiver]

	users int            // guarded by accounts.mu; connections, taps of other accounts, and listeners
	conns map[*conn]bool // guarded by accounts.mu
}

// receiver listens to what is published in an account: a tap, or a listener of the program's own.
type receiver interface {
	// receive says whether the message was taken. Met are the subscriptions that it has come to.
	receive(from *conn, m *message, met *arrivals) bool
}

// accounts are the accounts that somebody is in or listens to.
type accounts struct {
	mu  sync.Mutex
	all map[string]*account // guarded by mu
}

func newAccounts() *accounts { return &accounts{all: make(map[string]*account)} }

// hold counts one more user of the account, and gives it.
func (l *accounts) hold(key string) *account {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.held(key)
}

// held is hold. l.mu is held.
func (l *accounts) held(key string) *account {
	a, ok := l.all[key]
	if !ok {
		a = &account{key: key, table: route.NewTable[receiver](), conns: make(map[*conn]bool)}
		l.all[key] = a
	}
	a.users++
	return a
}

// release counts one less. An account that has no user is forgotten.
func (l *accounts) release(a *account) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if a.users--; a.users == 0 {
		delete(l.all, a.key)
	}
}

// enter takes a connection into the account, and gives it.
func (l *accounts) enter(key string, c *conn) *account {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.held(key)
	a.conns[c] = true
	return a
}

// leave takes a connection out.
func (l *accounts) leave(a *account, c *conn) {
	l.mu.Lock()
	delete(a.conns, c)
	l.mu.Unlock()
	l.release(a)
}

// find gives an account that has a user; nil: it has none.
func (l *accounts) find(key string) *account {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all[key]
}

// in gives the connections that are in an account.
func (l *accounts) in(key string) []*conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.all[key]
	if a == nil {
		return nil
	}
	out := make([]*conn, 0, len(a.conns))
	for c := range a.conns {
		out = append(out, c)
	}
	return out
}

// Relay stands between an authorizer, which is made first, and the server that is made with
// it: its Account is the authorizer's OnAccount, and it is the server's Bus for what looks
// accounts up. The zero Relay passes nothing on until there is a server.
type Relay struct {
	mu     sync.Mutex
	server *Server // guarded by mu
}

// to is the server; nil: there is none yet.
func (r *Relay) to() *Server {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.server
}

// errNoServer says that there is no server yet.
var errNoServer = errors.New("broker: there is no server yet")

// Publish is that of the server's Bus.
func (r *Relay) Publish(ctx context.Context, m resolver.Msg) error {
	if s := r.to(); s != nil {
		return s.bus.Publish(ctx, m)
	}
	return errNoServer
}

// Subscribe is that of the server's Bus.
func (r *Relay) Subscribe(subject, queue string, fn func(resolver.Msg)) (func() error, error) {
	if s := r.to(); s != nil {
		return s.bus.Subscribe(subject, queue, fn)
	}
	return nil, errNoServer
}

// Subscribed says whether a client of the system account has subscribed to this very subject, wildcards included: one that
// listens to more than that may do so for other reasons.
func (r *Relay) Subscribed(subject string) bool {
	s := r.to()
	if s == nil {
		return false
	}
	a := s.accounts.find(s.options.SystemAccount)
	if a == nil {
		return false
	}
	for e := range a.table.Match(subject).All() { // Match takes the * in it for an ordinary token
		if t, ok := e.Of.(*tap); ok && !t.imported && e.Subject == subject {
			return true
		}
	}
	return false
}

// Account takes one event.
func (r *Relay) Account(e auth.AccountEvent) {
	s := r.to()
	if s != nil && e.Imports && e.New != nil {
		s.logDead(e.New)
		s.reroute(e.New.Key())
	}
}

func (r *Relay) connect(s *Server) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.server = s
}

// maxLogged is how many imports of an account are logged at a time.
const maxLogged = 32

// logDead tells whoever reads the log why an account does not get what it imports.
func (s *Server) logDead(a *auth.Account) {
	n := 0
	for i := range a.Imports() {
		if i.State != auth.ImportDead {
			continue
		}
		if n++; n > maxLogged {
			s.log.Warn("more imports are dead", "account", a.Key())
			return
		}
		s.log.Warn("import is dead", "account", a.Key(),
			"exporter", i.Exporter, "kind", i.Kind, "subject", i.Subject, "here", i.Here, "why", i.Why)
	}
}

// reroute has every connection of an account look again at where its imports lead.
func (s *Server) reroute(key string) {
	for _, c := range s.accounts.in(key) {
		c.reroute()
	}
}
