// Package route finds the subscriptions that a message is for, within one
// account.
package route

import (
	"errors"
	"iter"
	"math/rand/v2"
	"strings"

	"github.com/nats-io/nats-server/v2/server/gsl"
)

// Entry is one subscription: what is subscribed to, in which queue group, and
// whoever it is that receives.
type Entry[T any] struct {
	Subject string
	Queue   string // empty: none
	Of      T
}

// Table is the subscriptions of one account. It may be used by several
// goroutines. Make one with [NewTable].
type Table[T any] struct {
	list *gsl.GenericSublist[*Entry[T]]
}

// ErrSubject says that a subject is none to subscribe to.
var ErrSubject = errors.New("route: invalid subject")

// NewTable makes an empty table.
func NewTable[T any]() *Table[T] {
	return &Table[T]{list: gsl.NewSublist[*Entry[T]]()}
}

// Insert adds an entry. The error is [ErrSubject]: a token is empty, or ">" is
// not the last.
func (t *Table[T]) Insert(e *Entry[T]) error {
	if !Valid(e.Subject) {
		return ErrSubject // before the list has made room for its first tokens
	}
	if err := t.list.Insert(e.Subject, e); err != nil {
		return ErrSubject
	}
	return nil
}

// Remove takes an entry out, and says whether it was there.
func (t *Table[T]) Remove(e *Entry[T]) bool { return t.list.Remove(e.Subject, e) == nil }

// Len is how many entries there are.
func (t *Table[T]) Len() int { return int(t.list.Count()) }

// Match gives the entries that a published subject is for. Its tokens are taken
// as they are: "*" in a published subject is a token like any other. No lock is
// held when it returns.
func (t *Table[T]) Match(subject string) Result[T] {
	var r Result[T]
	t.list.Match(subject, r.add)
	return r
}

// Result is what one published subject matches. The zero Result is nothing.
type Result[T any] struct {
	Plain  []*Entry[T]
	groups map[string][]*Entry[T]
}

func (r *Result[T]) add(e *Entry[T]) {
	if e.Queue == "" {
		r.Plain = append(r.Plain, e)
		return
	}
	if r.groups == nil {
		r.groups = make(map[string][]*Entry[T])
	}
	r.groups[e.Queue] = append(r.groups[e.Queue], e)
}

// Empty says whether there is nobody.
func (r Result[T]) Empty() bool { return len(r.Plain) == 0 && len(r.groups) == 0 }

// All gives every entry, in no order.
func (r Result[T]) All() iter.Seq[*Entry[T]] {
	return func(yield func(*Entry[T]) bool) {
		for _, e := range r.Plain {
			if !yield(e) {
				return
			}
		}
		for _, members := range r.groups {
			for _, e := range members {
				if !yield(e) {
					return
				}
			}
		}
	}
}

// Deliver hands the message to every plain entry and to one member of each queue
// group, and says whether anybody took it. A group begins with a member at random
// and goes on to the next while a member does not take the message: who has left
// or may not see it does not lose it for the others.
//
// Behaviour: nats-server v2.15 server/client.go processMsgResults.
func (r Result[T]) Deliver(take func(*Entry[T]) bool) bool {
	taken := false
	for _, e := range r.Plain {
		taken = take(e) || taken
	}
	for _, members := range r.groups {
		taken = one(members, take) || taken
	}
	return taken
}

func one[T any](members []*Entry[T], take func(*Entry[T]) bool) bool {
	first := rand.IntN(len(members)) //nolint:gosec // who serves is no secret
	for i := range members {
		if take(members[(first+i)%len(members)]) {
			return true
		}
	}
	return false
}

// Valid says whether a subject is one to subscribe to: no token is empty, there is no
// white space, and ">" is the last token, if it is there.
func Valid(subject string) bool {
	open := false // ">" was seen
	for token := range strings.SplitSeq(subject, ".") {
		if token == "" || open || strings.ContainsAny(token, "\t\n\f\r ") {
			return false
		}
		open = token == ">"
	}
	return true
}
