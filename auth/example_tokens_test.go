package auth_test

import (
	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"github.com/natsauth/natsauth/nonce"
)

// The tokens of the Example: what an operator and an account owner made with
// their tools, and a client that holds its creds file.
var operatorToken, accountToken, client = exampleTokens()

// systemKey is the key of the operator's system account.
var systemKey = must(must(nkeys.CreateAccount()).PublicKey())

func exampleTokens() (operatorToken, accountToken string, client func(challenge string) (token, sig string)) {
	operator, account, user := must(nkeys.CreateOperator()), must(nkeys.CreateAccount()), must(nkeys.CreateUser())
	ac := jwt.NewAccountClaims(must(account.PublicKey()))
	uc := jwt.NewUserClaims(must(user.PublicKey()))
	uc.Name = "clerk"
	uc.Pub.Allow.Add("orders.>")
	userToken := must(uc.Encode(account))
	return must(jwt.NewOperatorClaims(must(operator.PublicKey())).Encode(operator)), must(ac.Encode(operator)),
		func(challenge string) (string, string) { return userToken, must(nonce.Sign(challenge, user)) }
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
