package cache_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"github.com/natsauth/natsauth/resolver"
	"github.com/natsauth/natsauth/resolver/cache"
)

// Layers: the system account is pinned, and is asked for nowhere else. All others are remembered for an hour, kept by a
// store of this machine, and known to an account server, which may be down.
func Example() {
	operator := must(nkeys.CreateOperator())
	system, local, remote := newAccount(operator, "SYS"), newAccount(operator, "LOCAL"), newAccount(operator, "REMOTE")

	up := true
	server := resolver.Func(func(_ context.Context, account string) (string, error) {
		switch {
		case !up:
			return "", errors.New("connection refused")
		case account == remote.key:
			return remote.token, nil
		}
		return "", resolver.ErrNotFound
	})
	pinned := must(resolver.NewMemory(system.token))
	kept := must(resolver.NewMemory(local.token)) // or a directory, see resolver/full
	remembered := must(cache.New(resolver.Chain(kept, server), cache.Options{TTL: time.Hour}))
	defer remembered.Close()

	accounts := resolver.Chain(pinned, remembered)
	for _, a := range []named{system, local, remote} {
		token, err := accounts.Resolve(context.Background(), a.key)
		fmt.Println(a.name, token == a.token, err)
	}
	up = false
	for _, a := range []named{remote, newAccount(operator, "OTHER")} {
		token, err := accounts.Resolve(context.Background(), a.key)
		fmt.Println(a.name, token == a.token, errors.Is(err, resolver.ErrUnavailable))
	}
	s := remembered.Stats()
	fmt.Println(s.Entries, "remembered,", s.Hits, "found again")
	// Output:
	// SYS true <nil>
	// LOCAL true <nil>
	// REMOTE true <nil>
	// REMOTE true false
	// OTHER false true
	// 2 remembered, 1 found again
}

// What is saved through a Store is what the next question finds.
func ExampleNewStore() {
	operator := must(nkeys.CreateOperator())
	app := newAccount(operator, "APP")
	s := must(cache.NewStore(new(resolver.Memory), cache.Options{}))
	defer s.Close()

	_, err := s.Resolve(context.Background(), app.key)
	fmt.Println(err)
	changed, err := s.Save(context.Background(), app.token, resolver.Push)
	fmt.Println(changed, err)
	token, err := s.Resolve(context.Background(), app.key)
	fmt.Println(token == app.token, err)
	// Output:
	// resolver: account not found
	// true <nil>
	// true <nil>
}

type named struct{ name, key, token string }

// newAccount makes an account of the operator's.
func newAccount(operator nkeys.KeyPair, name string) named {
	key := must(must(nkeys.CreateAccount()).PublicKey())
	c := jwt.NewAccountClaims(key)
	c.Name = name
	return named{name, key, must(c.Encode(operator))}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
