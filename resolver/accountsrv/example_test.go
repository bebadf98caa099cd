package accountsrv_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/resolver"
	"github.com/natsauth/natsauth/resolver/accountsrv"
	"github.com/natsauth/natsauth/resolver/url"
)

// An account server: a store, an Authorizer that judges what comes into it, and the handler. Whoever serves brokers keeps
// the tokens in a directory instead.
func Example() {
	operator := keys(nkeys.CreateOperator())
	store := new(resolver.Memory)
	judge, err := auth.New(auth.Config{Trust: auth.Trust{Keys: []string{operator.public}}, Store: store})
	if err != nil {
		panic(err)
	}
	defer judge.Close()
	handler, err := accountsrv.New(accountsrv.Config{Accounts: store, Authorizer: judge})
	if err != nil {
		panic(err)
	}
	server := httptest.NewUnstartedServer(handler)
	server.Config.ReadHeaderTimeout = 5 * time.Second
	server.Start()
	defer server.Close()
	base := server.URL + "/jwt/v1/accounts/"

	// An administrator pushes a token, as `nsc push` does. A stranger's is refused.
	account := keys(nkeys.CreateAccount())
	for _, signer := range []pair{keys(nkeys.CreateOperator()), operator} {
		token, err := jwt.NewAccountClaims(account.public).Encode(signer.KeyPair)
		if err != nil {
			panic(err)
		}
		answer, err := http.Post(base+account.public, "application/jwt", strings.NewReader(token))
		if err != nil {
			panic(err)
		}
		answer.Body.Close()
		fmt.Println("push:", answer.Status)
	}

	// A broker has a few accounts of its own, and looks the others up here.
	remote, err := url.New(base, url.Options{Timeout: time.Minute})
	if err != nil {
		panic(err)
	}
	defer remote.Close()
	accounts := resolver.Chain(new(resolver.Memory), remote)
	_, err = accounts.Resolve(context.Background(), account.public)
	fmt.Println("there:", err == nil)
	_, err = accounts.Resolve(context.Background(), keys(nkeys.CreateAccount()).public)
	fmt.Println("another is not:", errors.Is(err, resolver.ErrNotFound))
	// Output:
	// push: 400 Bad Request
	// push: 200 OK
	// there: true
	// another is not: true
}

type pair struct {
	nkeys.KeyPair
	public string
}

func keys(p nkeys.KeyPair, err error) pair {
	if err != nil {
		panic(err)
	}
	public, err := p.PublicKey()
	if err != nil {
		panic(err)
	}
	return pair{p, public}
}
