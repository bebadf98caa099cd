package world

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/bench/internal/measure"
	"github.com/natsauth/natsauth/resolver"
)

// Revoked says whom an account update revokes.
type Revoked uint8

// The kinds of updates.
const (
	Stranger Revoked = iota // a user who is not connected
	One                     // of the users who are
	Everyone
)

// Updates are n tokens of the account, each of other content, that revoke some of
// the users: each of them one stranger, another one of the users, or everyone.
func (w *World) Updates(n int, r Revoked, users []User) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = w.Account(func(c *jwt.AccountClaims) {
			c.Description = must(must(nkeys.CreateUser()).PublicKey()) // no two are the same
			switch r {
			case Everyone:
				c.Revoke(jwt.All)
			case One:
				c.Revoke(users[i].Key)
			default:
				c.Revoke(c.Description)
			}
		})
	}
	return out
}

// Crowd is an Authorizer with live sessions, each of a user of its own, whose ends
// the broker hears of.
type Crowd struct {
	Authorizer *auth.Authorizer
	world      *World
	users      []User
	sessions   []*auth.Session
	closing    sync.WaitGroup // whose end was not heard of yet
	took       []time.Duration
}

// NewCrowd connects n users.
func NewCrowd(w *World, n int) *Crowd {
	c := &Crowd{Authorizer: w.Authorizer(0), world: w, users: make([]User, n), sessions: make([]*auth.Session, n)}
	must(c.Authorizer.Account(context.Background(), w.AccountKey)) // what is in force can be updated
	c.share(func(i int) { c.users[i] = w.User() })
	c.gather()
	return c
}

// share does something for every user, on every core.
func (c *Crowd) share(each func(i int)) {
	var group sync.WaitGroup
	cores := runtime.GOMAXPROCS(0)
	for first := range cores {
		group.Go(func() {
			for i := first; i < len(c.users); i += cores {
				each(i)
			}
		})
	}
	group.Wait()
}

// gather takes back what was revoked, and connects who is not.
func (c *Crowd) gather() {
	c.apply(c.world.Updates(1, Stranger, nil)[0])
	c.share(func(i int) {
		if c.sessions[i] != nil && c.sessions[i].Err() == nil {
			return
		}
		s := must(c.Authorizer.Connect(context.Background(), c.users[i].Credentials()))
		s.Notify(func(e auth.Event) {
			if e.Kind == auth.Closed {
				c.closing.Done()
			}
		})
		c.sessions[i] = s
	})
}

func (c *Crowd) apply(token string) {
	must(c.Authorizer.Apply(context.Background(), token, resolver.Push))
}

// Update is a side: an update until the broker has heard of the last close. runs is
// how many make a chunk.
func (c *Crowd) Update(r Revoked, runs int) measure.Side {
	closes := map[Revoked]int{One: 1, Everyone: len(c.users)}[r]
	var tokens []string
	return measure.Side{
		Runs: runs,
		Prepare: func(n int) {
			c.gather()
			tokens = c.world.Updates(n, r, c.users)
			measure.Settle()
		},
		Run: func(n int) {
			for _, token := range tokens[:n] {
				began := time.Now()
				c.closing.Add(closes)
				c.apply(token)
				c.closing.Wait()
				c.took = append(c.took, time.Since(began))
			}
		},
	}
}

// Took is the median wall time of the updates since it was asked last.
func (c *Crowd) Took() time.Duration {
	took := slices.Sorted(slices.Values(c.took))
	c.took = nil
	return took[len(took)/2]
}

// Close ends the sessions.
func (c *Crowd) Close() {
	for _, s := range c.sessions {
		if s.Err() == nil {
			c.closing.Add(1)
		}
	}
	must(struct{}{}, c.Authorizer.Close())
	c.closing.Wait()
}
