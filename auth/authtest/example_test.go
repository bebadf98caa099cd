package authtest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/auth/authtest"
)

// A scoped signing key gives every clerk of an account the same permissions; one
// of them is revoked in a newer token of the account.
func Example() {
	t := new(testing.T) // a test has its own

	shop := authtest.NewOperator(t).Account("SHOP",
		authtest.Scope("clerk", authtest.PubAllow("orders.{{name()}}.>")),
		authtest.MaxConnections(10))
	ann, bob := shop.User("ann", authtest.SignedBy("clerk")), shop.User("bob", authtest.SignedBy("clerk"))
	newer := shop.Renew(authtest.Revoke("bob", authtest.Now()))

	a := authtest.Authorizer(t, shop.Operator(), []*authtest.Account{newer})
	defer a.Close()
	for _, u := range []*authtest.User{ann, bob} {
		s, err := a.Connect(context.Background(), u.Credentials("what INFO said it is"))
		if refusal := (*auth.Error)(nil); errors.As(err, &refusal) {
			fmt.Println(refusal.Reason)
			continue
		}
		fmt.Println(s.User().Name, s.CanPublish("orders.ann.new"), s.CanPublish("orders.bob.new"))
	}
	// Output:
	// ann true false
	// user_revoked
}
