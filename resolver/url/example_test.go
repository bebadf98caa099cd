package url_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"github.com/natsauth/natsauth/resolver"
	"github.com/natsauth/natsauth/resolver/url"
)

// Accounts that every node has, and an account server for the others. While the server is down the first are there, and of
// the others nobody knows.
func Example() {
	operator, err := nkeys.CreateOperator()
	if err != nil {
		panic(err)
	}
	system, other, nobody := signed(operator), signed(operator), signed(operator)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("Authorization") != "Bearer of-this-node":
			http.Error(w, "who are you", http.StatusUnauthorized)
		case r.URL.Path == "/jwt/v1/accounts/"+other.key:
			fmt.Fprintln(w, other.token)
		case r.URL.Path != "/jwt/v1/accounts/": // which is what Probe asks for
			http.Error(w, "no matching account JWT", http.StatusNotFound)
		}
	}))

	local, err := resolver.NewMemory(system.token)
	if err != nil {
		panic(err)
	}
	remote, err := url.New(server.URL+"/jwt/v1/accounts", url.Options{
		Header: http.Header{"Authorization": {"Bearer of-this-node"}},
	})
	if err != nil {
		panic(err)
	}
	defer remote.Close()
	accounts := resolver.Chain(local, remote)

	ask := func(key string) string {
		_, err := accounts.Resolve(context.Background(), key)
		switch {
		case err == nil:
			return "a token"
		case errors.Is(err, resolver.ErrNotFound):
			return "none"
		default:
			return "nobody knows"
		}
	}
	fmt.Println("probe:", remote.Probe(context.Background()))
	fmt.Println(ask(system.key), "|", ask(other.key), "|", ask(nobody.key))
	server.Close()
	fmt.Println(ask(system.key), "|", ask(other.key), "|", ask(nobody.key))
	// Output:
	// probe: <nil>
	// a token | a token | none
	// a token | nobody knows | nobody knows
}

type pair struct{ key, token string }

// signed makes an account, and its token by an operator.
func signed(operator nkeys.KeyPair) pair {
	account, err := nkeys.CreateAccount()
	if err != nil {
		panic(err)
	}
	key, err := account.PublicKey()
	if err != nil {
		panic(err)
	}
	token, err := jwt.NewAccountClaims(key).Encode(operator)
	if err != nil {
		panic(err)
	}
	return pair{key, token}
}
