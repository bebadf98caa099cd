package auth_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/netip"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/nonce"
	"github.com/natsauth/natsauth/resolver"
)

// A broker makes one Authorizer, asks it about every client, and asks the
// session about every message.
func Example() {
	accounts, err := resolver.NewMemory(accountToken)
	if err != nil {
		log.Fatal(err)
	}
	authorizer, err := auth.New(auth.Config{
		Trust:    auth.Trust{Operators: []string{operatorToken}},
		Resolver: accounts,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer authorizer.Close()

	challenge := nonce.New() // sent in INFO; what comes back in CONNECT:
	token, signature := client(challenge)
	session, err := authorizer.Connect(context.Background(), auth.Credentials{
		JWT: token, Nonce: challenge, Signature: signature,
		ConnectionType: auth.Standard, Source: netip.MustParseAddr("192.0.2.7"),
	})
	if refusal := (*auth.Error)(nil); errors.As(err, &refusal) {
		fmt.Println("-ERR", refusal.Wire()) // for the client; the log gets refusal itself
		return
	}
	defer session.Close()
	fmt.Println(session.User().Name, "may publish to orders.new:", session.CanPublish("orders.new"))
	fmt.Println(session.User().Name, "may publish to payroll:", session.CanPublish("payroll"))
	// Output:
	// clerk may publish to orders.new: true
	// clerk may publish to payroll: false
}
