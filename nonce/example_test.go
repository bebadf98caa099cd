package nonce_test

import (
	"fmt"

	"github.com/nats-io/nkeys"

	"github.com/natsauth/natsauth/nonce"
)

// A broker makes a text, a client signs it, the broker verifies. The signature is good for that text alone.
func Example() {
	user, err := nkeys.CreateUser()
	if err != nil {
		panic(err)
	}
	public, err := user.PublicKey()
	if err != nil {
		panic(err)
	}

	text := nonce.New() // broker: into INFO
	sig, err := nonce.Sign(text, user)
	if err != nil {
		panic(err)
	}

	fmt.Println(len(text))
	fmt.Println(nonce.Verify(text, public, sig)) // broker: from CONNECT
	fmt.Println(nonce.Verify(nonce.New(), public, sig))
	// Output:
	// 15
	// <nil>
	// nonce: signature does not match
}
