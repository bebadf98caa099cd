package claimsync_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/resolver"
	"github.com/natsauth/natsauth/resolver/claimsync"
	"github.com/natsauth/natsauth/resolver/resolvertest"
)

// Two nodes on one bus. What is pushed to one while the other is down is found by the other when it is asked, or comes with
// the next exchange.
func Example() {
	operator, err := nkeys.CreateOperator()
	if err != nil {
		panic(err)
	}
	key, err := operator.PublicKey()
	if err != nil {
		panic(err)
	}
	bus := new(resolvertest.Bus)
	system, _ := accountOf(operator)
	first, second := start("first", bus, key, system), start("second", bus, key, system)
	defer first.Close()
	defer second.Close()

	ctx := context.Background()
	account, token := accountOf(operator)
	first.authorizer.Apply(ctx, token, resolver.Push) // as does a push that only the first node hears
	_, err = second.store.Resolve(ctx, account)
	fmt.Println("the second has it:", !errors.Is(err, resolver.ErrNotFound))

	_, err = second.authorizer.Account(ctx, account) // as does a client that connects to the second node
	fmt.Println("it is in force there:", err == nil)

	_, token = accountOf(operator)
	first.authorizer.Apply(ctx, token, resolver.Push)
	for done := false; !done; { // of all nodes one is asked, which may be the one that asks
		got, err := second.Exchange(ctx)
		done = err == nil && got.Changed == 1
	}
	a, _ := first.store.Hash(ctx)
	b, _ := second.store.Hash(ctx)
	fmt.Println("both have the same:", a == b)
	// Output:
	// the second has it: false
	// it is in force there: true
	// both have the same: true
}

type exampleNode struct {
	*claimsync.Service
	authorizer *auth.Authorizer
	store      *resolver.Memory
}

// Close ends the service before the authorizer that it works for.
func (n exampleNode) Close() {
	n.Service.Close()
	n.authorizer.Close()
}

// start makes a node: the resolver first, the authorizer with it, the service with both.
func start(name string, bus resolver.Bus, operator, system string) exampleNode {
	n := exampleNode{store: new(resolver.Memory)}
	others, err := claimsync.NewResolver(claimsync.Options{Bus: bus, Peers: func() int { return 1 }, Timeout: time.Minute})
	if err != nil {
		panic(err)
	}
	n.authorizer, err = auth.New(auth.Config{
		Trust: auth.Trust{Keys: []string{operator}, SystemAccount: system},
		Store: n.store, Resolver: others, Bounds: auth.Bounds{LookupTime: time.Minute},
	})
	if err != nil {
		panic(err)
	}
	n.Service, err = claimsync.New(claimsync.Config{
		Bus: bus, Authorizer: n.authorizer, Store: n.store, Resolver: others,
		Server: claimsync.ServerInfo{Name: name}, SystemAccount: system, Interval: -1,
	})
	if err != nil {
		panic(err)
	}
	if err := n.Start(); err != nil {
		panic(err)
	}
	return n
}

// accountOf makes an account of the operator.
func accountOf(operator nkeys.KeyPair) (key, token string) {
	account, err := nkeys.CreateAccount()
	if err != nil {
		panic(err)
	}
	if key, err = account.PublicKey(); err != nil {
		panic(err)
	}
	if token, err = jwt.NewAccountClaims(key).Encode(operator); err != nil {
		panic(err)
	}
	return key, token
}
