package world

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/bench/internal/measure"
	"github.com/natsauth/natsauth/resolver"
)

// Exchange is an Authorizer with accounts that share. Its accounts are in force while it
// is open.
type Exchange struct {
	Authorizer *auth.Authorizer
	operator   nkeys.KeyPair
	updates    int
}

// NewExchange makes one without accounts.
func NewExchange() *Exchange {
	operator := must(nkeys.CreateOperator())
	oc := jwt.NewOperatorClaims(must(operator.PublicKey()))
	oc.Name = "bench"
	return &Exchange{operator: operator, Authorizer: must(auth.New(auth.Config{
		Trust:    auth.Trust{Operators: []string{must(oc.Encode(operator))}},
		Resolver: must(resolver.NewMemory()),
		Bounds:   auth.Bounds{Idle: 24 * time.Hour}, // nobody connects, and they stay
	}))}
}

// Key makes a key for an account.
func (x *Exchange) Key() string { return must(must(nkeys.CreateAccount()).PublicKey()) }

// Token is a token of an account, of other content every time.
func (x *Exchange) Token(key string, edit func(*jwt.AccountClaims)) string {
	ac := jwt.NewAccountClaims(key)
	x.updates++
	ac.Name, ac.Description = "BENCH", fmt.Sprint(x.updates)
	edit(ac)
	return must(ac.Encode(x.operator))
}

// Apply puts an account into force.
func (x *Exchange) Apply(token string) auth.Report {
	return must(x.Authorizer.Apply(context.Background(), token, resolver.Push))
}

// Account gives an account in force.
func (x *Exchange) Account(key string) *auth.Account {
	a, ok := x.Authorizer.InForce(key)
	if !ok {
		panic("world: the account is not in force")
	}
	return a
}

// Update is a side: pushes of tokens that the edits make in turn, of one account.
func (x *Exchange) Update(key string, edits ...func(*jwt.AccountClaims)) measure.Side {
	var tokens []string
	turn := 0
	return measure.Side{
		Prepare: func(n int) {
			tokens = tokens[:0]
			for range n {
				tokens = append(tokens, x.Token(key, edits[turn%len(edits)]))
				turn++
			}
		},
		Run: func(n int) {
			for _, t := range tokens[:n] {
				x.Apply(t)
			}
		},
	}
}

// Close ends it.
func (x *Exchange) Close() { must(struct{}{}, x.Authorizer.Close()) }

// Exports are n exports of each kind, every other with a wildcard.
func Exports(n int) func(*jwt.AccountClaims) {
	return func(c *jwt.AccountClaims) {
		for i := range n {
			c.Exports.Add(
				&jwt.Export{Type: jwt.Stream, Subject: jwt.Subject(entry("s", i))},
				&jwt.Export{Type: jwt.Service, Subject: jwt.Subject(entry("q", i))},
			)
		}
	}
}

// Imports are n imports of each kind from an account that exports them, under names with a
// prefix.
func Imports(n int, from, prefix string) func(*jwt.AccountClaims) {
	return func(c *jwt.AccountClaims) {
		for i := range n {
			c.Imports.Add(
				&jwt.Import{Type: jwt.Stream, Account: from, Subject: jwt.Subject(entry("s", i)), LocalSubject: jwt.RenamingSubject(prefix + entry("s", i))},
				&jwt.Import{Type: jwt.Service, Account: from, Subject: jwt.Subject(entry("q", i)), LocalSubject: jwt.RenamingSubject(prefix + entry("q", i))},
			)
		}
	}
}

// entry is the i-th subject.
func entry(first string, i int) string {
	if i%2 == 0 {
		return fmt.Sprintf("%s.%d.*", first, i)
	}
	return fmt.Sprintf("%s.%d.x", first, i)
}

// Both makes two edits.
func Both(a, b func(*jwt.AccountClaims)) func(*jwt.AccountClaims) {
	return func(c *jwt.AccountClaims) {
		a(c)
		b(c)
	}
}
