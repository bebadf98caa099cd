package full_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/natsauth/natsauth/resolver"
	"github.com/natsauth/natsauth/resolver/full"
	"github.com/natsauth/natsauth/resolver/resolvertest"
)

// A directory that keeps the accounts used last, in front of where all of them are.
func ExampleOptions_evict() {
	t := new(testing.B) // for the tokens of the example
	dir, err := os.MkdirTemp("", "natsauth")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()

	all, err := resolver.NewMemory(resolvertest.Token(t, 1, 100), resolvertest.Token(t, 2, 100), resolvertest.Token(t, 3, 100))
	if err != nil {
		panic(err)
	}
	near, err := full.Open(dir, full.Options{Limit: 2, Evict: true})
	if err != nil {
		panic(err)
	}
	defer near.Close()
	asked := resolver.Chain(near, all)
	for _, n := range []int{1, 2, 1, 3} {
		token, err := asked.Resolve(ctx, resolvertest.Account(t, n))
		if err != nil {
			panic(err)
		}
		if _, err := near.Save(ctx, token, resolver.Merge); err != nil {
			panic(err)
		}
	}
	for n := range 3 {
		_, err := near.Resolve(ctx, resolvertest.Account(t, n+1))
		fmt.Println("account", n+1, "is near:", err == nil)
	}
	// Output:
	// account 1 is near: true
	// account 2 is near: false
	// account 3 is near: true
}

// A directory of account tokens, over a restart.
func ExampleOpen() {
	t := new(testing.B) // for the tokens of the example
	dir, err := os.MkdirTemp("", "natsauth")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()

	store, err := full.Open(dir, full.Options{Delete: full.DeleteRename})
	if err != nil {
		panic(err)
	}
	changed, err := store.Save(ctx, resolvertest.Token(t, 1, 100), resolver.Push)
	fmt.Println("saved:", changed, err)
	if err := store.Close(); err != nil {
		panic(err)
	}

	store, err = full.Open(dir, full.Options{Delete: full.DeleteRename})
	if err != nil {
		panic(err)
	}
	defer store.Close()
	_, err = store.Resolve(ctx, resolvertest.Account(t, 1))
	fmt.Println("found:", err == nil)
	_, err = store.Save(ctx, resolvertest.Token(t, 1, 99), resolver.Push)
	fmt.Println("an older one is a rollback:", errors.Is(err, resolver.ErrRollback))
	fmt.Println("set aside:", len(store.Faults()))
	// Output:
	// saved: true <nil>
	// found: true
	// an older one is a rollback: true
	// set aside: 0
}
