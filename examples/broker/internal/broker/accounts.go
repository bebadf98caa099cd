package broker

import (
	"sync"

	"github.com/natsauth/natsauth/examples/broker/internal/route"
)

// account is what the broker keeps of one account while somebody is in it. What
// the account may do is the authorizer's to know.
type account struct {
	key   string
	table *route.Table[*subscription]

	conns int // guarded by accounts.mu
}

// accounts are the accounts that somebody is in.
type accounts struct {
	mu  sync.Mutex
	all map[string]*account // guarded by mu
}

func newAccounts() *accounts { return &accounts{all: make(map[string]*account)} }

// enter counts one more connection of the account, and gives it.
func (l *accounts) enter(key string) *account {
	l.mu.Lock()
	defer l.mu.Unlock()
	a, ok := l.all[key]
	if !ok {
		a = &account{key: key, table: route.NewTable[*subscription]()}
		l.all[key] = a
	}
	a.conns++
	return a
}

// leave counts one less. An account that nobody is in is forgotten.
func (l *accounts) leave(a *account) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a.conns--
	if a.conns == 0 {
		delete(l.all, a.key)
	}
}

// find gives an account that somebody is in; nil: nobody is.
func (l *accounts) find(key string) *account {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all[key]
}
