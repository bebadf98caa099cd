package resolver_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/natsauth/natsauth/resolver"
)

// A local store and an account server behind it. While the server is down, an account that the store does not hold is
// not "not found": nobody knows.
func ExampleChain() {
	local, err := resolver.NewMemory()
	if err != nil {
		panic(err)
	}
	up := false
	server := resolver.Func(func(context.Context, string) (string, error) {
		if !up {
			return "", errors.New("connection refused")
		}
		return "", resolver.ErrNotFound
	})
	c := resolver.Chain(local, server)

	_, err = c.Resolve(context.Background(), "AC...")
	fmt.Println(errors.Is(err, resolver.ErrNotFound), errors.Is(err, resolver.ErrUnavailable))
	fmt.Println(err)

	up = true
	_, err = c.Resolve(context.Background(), "AC...")
	fmt.Println(errors.Is(err, resolver.ErrNotFound), errors.Is(err, resolver.ErrUnavailable))
	// Output:
	// false true
	// resolver: unavailable: member 1: connection refused
	// true false
}
