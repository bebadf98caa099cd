// Quickstart tells the whole story in one file: an operator, an account and a
// user come to be, the user connects, publishes what it may and what it may not,
// a stranger is refused, and the session ends when its time is up. Nothing has to
// be installed and nothing listens: this is what a broker does between reading a
// CONNECT and answering it.
//
//	go run ./examples/quickstart
package main

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"os"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/nonce"
	"github.com/natsauth/natsauth/resolver"
)

func main() {
	if err := story(os.Stdout, 3*time.Second); err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

// story tells it to w. The user's token is good for about lifetime.
func story(w io.Writer, lifetime time.Duration) error {
	say := func(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }

	say("1. Three keys and three tokens: this is all that an organisation keeps.")
	c, err := issue(lifetime)
	if err != nil {
		return err
	}
	say("   operator %s signs account %s signs user %s", short(c.operator), short(c.account), short(c.userKey))

	say("2. A broker trusts the operator and gets account tokens from a resolver, here from memory.")
	accounts, err := resolver.NewMemory(c.accountToken)
	if err != nil {
		return err
	}
	a, err := auth.New(auth.Config{
		Trust:    auth.Trust{Operators: []string{c.operatorToken}},
		Resolver: accounts,
	})
	if err != nil {
		return err
	}
	defer a.Close() //nolint:errcheck // Close is documented to give nil

	say("3. The broker sends a nonce, the client signs it: no password, no user database.")
	text := nonce.New()
	sig, err := nonce.Sign(text, c.user)
	if err != nil {
		return err
	}
	credentials := auth.Credentials{
		JWT: c.userToken, Nonce: text, Signature: sig,
		ConnectionType: auth.Standard, Source: netip.MustParseAddr("192.0.2.7"),
	}
	session, err := a.Connect(context.Background(), credentials)
	if err != nil {
		return err
	}
	defer session.Close()
	who := session.User()
	say("   connected: user %q of account %q, at most %d bytes a message", who.Name, who.AccountName, session.Limits().Payload)

	say("4. Every message is asked about, without I/O or allocation.")
	for _, subject := range []string{"orders.new", "orders.audit.2026", "payroll.all"} {
		say("   publish   %-18s %v", subject, session.WhyPublish(subject))
	}
	for _, subject := range []string{"orders.>", ">"} {
		say("   subscribe %-18s %v", subject, session.WhySubscribe(subject, ""))
	}

	say("5. A stranger shows the same token with a signature of its own. The client is told one sentence:")
	stranger, err := nkeys.CreateUser()
	if err != nil {
		return err
	}
	credentials.Nonce = nonce.New()
	if credentials.Signature, err = nonce.Sign(credentials.Nonce, stranger); err != nil {
		return err
	}
	if _, err = a.Connect(context.Background(), credentials); err == nil {
		return fmt.Errorf("the stranger was admitted")
	}
	why := a.Explain(context.Background(), credentials)
	say("   -ERR '%s'", why.Err.Wire())
	say("   and the operator, who asks why, all of it:\n\n%s", why)

	say("6. The user's token expires at %s. Nobody has to do anything.", session.Expires().UTC().Format(time.TimeOnly))
	<-session.Done()
	say("   %v", session.Err())
	say("   publish   %-18s %v", "orders.new", session.WhyPublish("orders.new"))
	return nil
}

// chain is what the three parties hold.
type chain struct {
	operator, account, userKey             string
	operatorToken, accountToken, userToken string
	user                                   nkeys.KeyPair
}

// issue does what the tool nsc does: each party's token is signed by the one
// above it.
func issue(lifetime time.Duration) (*chain, error) {
	operator, operatorKey, err := newKey(nkeys.CreateOperator)
	if err != nil {
		return nil, err
	}
	account, accountKey, err := newKey(nkeys.CreateAccount)
	if err != nil {
		return nil, err
	}
	user, userKey, err := newKey(nkeys.CreateUser)
	if err != nil {
		return nil, err
	}
	c := &chain{operator: operatorKey, account: accountKey, userKey: userKey, user: user}

	oc := jwt.NewOperatorClaims(operatorKey)
	oc.Name = "Acme"
	if c.operatorToken, err = oc.Encode(operator); err != nil {
		return nil, err
	}
	ac := jwt.NewAccountClaims(accountKey)
	ac.Name = "orders"
	if c.accountToken, err = ac.Encode(operator); err != nil {
		return nil, err
	}
	uc := jwt.NewUserClaims(userKey)
	uc.Name = "clerk"
	uc.Expires = time.Now().Add(lifetime).Unix()
	uc.Limits.Payload = 1024
	uc.Pub.Allow.Add("orders.>")
	uc.Pub.Deny.Add("orders.audit.>")
	uc.Sub.Allow.Add("orders.>")
	c.userToken, err = uc.Encode(account)
	return c, err
}

func newKey(create func() (nkeys.KeyPair, error)) (nkeys.KeyPair, string, error) {
	pair, err := create()
	if err != nil {
		return nil, "", err
	}
	public, err := pair.PublicKey()
	return pair, public, err
}

// short names a key for people.
func short(key string) string { return key[:6] + "…" }
