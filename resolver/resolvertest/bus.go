package resolvertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/natsauth/natsauth/resolver"
)

// Bus is a resolver.Bus in memory, for tests: subjects with wildcards, queue groups, and every promise of the interface.
// Of a queue group the subscriptions take turns. It runs a goroutine only while there is a message to hand over, and what
// waits for a slow subscription is not bounded. The zero Bus is ready to use, by several goroutines; it must not be copied.
type Bus struct {
	mu    sync.Mutex
	subs  []*subscription // guarded by mu
	turns map[string]int  // guarded by mu; messages that a queue group had
}

type subscription struct {
	pattern []string
	queue   string
	fn      func(resolver.Msg)

	mu      sync.Mutex
	waiting []resolver.Msg // guarded by mu
	running bool           // guarded by mu; a goroutine is handing over
	stopped bool           // guarded by mu
}

// Publish copies m to whoever has subscribed. The error is that of a context that has ended, or is about the subject.
func (b *Bus) Publish(ctx context.Context, m resolver.Msg) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	subject, err := split(m.Subject)
	if err != nil {
		return err
	}
	if slices.Contains(subject, "*") || slices.Contains(subject, ">") {
		return fmt.Errorf("resolvertest: a message has a subject without wildcards, not %q", m.Subject)
	}
	b.mu.Lock() // until all have it: two messages of one publisher come to all in one order
	defer b.mu.Unlock()
	for _, s := range b.chosen(subject) {
		s.take(clone(m))
	}
	return nil
}

// chosen are the subscriptions that get a message. b.mu is held.
func (b *Bus) chosen(subject []string) []*subscription {
	var out []*subscription
	groups := make(map[string][]*subscription)
	for _, s := range b.subs {
		switch {
		case !matches(s.pattern, subject):
		case s.queue == "":
			out = append(out, s)
		default:
			groups[s.queue] = append(groups[s.queue], s)
		}
	}
	for queue, members := range groups {
		out = append(out, members[b.turns[queue]%len(members)])
		if b.turns == nil {
			b.turns = make(map[string]int)
		}
		b.turns[queue]++
	}
	return out
}

// Subscribe calls fn as resolver.Bus says.
func (b *Bus) Subscribe(subject, queue string, fn func(resolver.Msg)) (func() error, error) {
	pattern, err := split(subject)
	if err != nil {
		return nil, err
	}
	if at := slices.Index(pattern, ">"); at >= 0 && at != len(pattern)-1 {
		return nil, fmt.Errorf("resolvertest: > stands at the end of a subject only: %q", subject)
	}
	if fn == nil {
		return nil, errors.New("resolvertest: a subscription needs a function")
	}
	s := &subscription{pattern: pattern, queue: queue, fn: fn}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.subs = append(b.subs, s)
	return func() error { b.drop(s); return nil }, nil
}

// Subscriptions gives how many subscriptions there are now.
func (b *Bus) Subscriptions() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.subs)
}

func (b *Bus) drop(s *subscription) {
	b.mu.Lock()
	b.subs = slices.DeleteFunc(b.subs, func(x *subscription) bool { return x == s })
	b.mu.Unlock()
	s.mu.Lock()
	s.stopped, s.waiting = true, nil
	s.mu.Unlock()
}

// take queues a message, and sees to it that somebody hands it over.
func (s *subscription) take(m resolver.Msg) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return
	}
	s.waiting = append(s.waiting, m)
	if !s.running {
		s.running = true
		go s.run()
	}
}

func (s *subscription) run() {
	for {
		m, ok := s.next()
		if !ok {
			return
		}
		s.fn(m)
	}
}

func (s *subscription) next() (resolver.Msg, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.waiting) == 0 {
		s.running = false
		return resolver.Msg{}, false
	}
	m := s.waiting[0]
	s.waiting = s.waiting[1:]
	return m, true
}

func clone(m resolver.Msg) resolver.Msg {
	m.Data = slices.Clone(m.Data)
	var header map[string][]string
	for name, values := range m.Header {
		if header == nil {
			header = make(map[string][]string)
		}
		header[name] = slices.Clone(values)
	}
	m.Header = header
	return m
}

// split takes a subject apart.
func split(subject string) ([]string, error) {
	tokens := strings.Split(subject, ".")
	if slices.Contains(tokens, "") || strings.ContainsAny(subject, " \t\r\n") {
		return nil, fmt.Errorf("resolvertest: %q is not a subject", subject)
	}
	return tokens, nil
}

func matches(pattern, subject []string) bool {
	for i, token := range pattern {
		switch {
		case token == ">":
			return len(subject) > i
		case i >= len(subject), token != "*" && token != subject[i]:
			return false
		}
	}
	return len(pattern) == len(subject)
}
