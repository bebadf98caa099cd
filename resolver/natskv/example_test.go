package natskv_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/auth/authtest"
	"github.com/natsauth/natsauth/nonce"
	"github.com/natsauth/natsauth/resolver"
	"github.com/natsauth/natsauth/resolver/natskv"
)

// Two brokers with one bucket: what is pushed at one of them is in force at the other.
func Example() {
	t := new(testing.T) // a test has its own
	operator := authtest.NewOperator(t)
	account := operator.Account("SHOP")
	url, stop := jetStream() // elsewhere, three servers
	defer stop()

	broker := func() (*auth.Authorizer, func()) {
		nc, err := nats.Connect(url, nats.MaxReconnects(-1))
		must(err)
		js, err := jetstream.New(nc)
		must(err)
		store, err := natskv.New(js, natskv.Options{Bucket: "accounts", Replicas: 1})
		must(err)
		a, err := auth.New(auth.Config{
			Trust: auth.Trust{Operators: []string{operator.Token()}},
			Store: store, Watch: []resolver.Watcher{store}, Clock: authtest.Now,
		})
		must(err)
		return a, func() { a.Close(); nc.Close() }
	}
	one, closeOne := broker()
	defer closeOne()
	two, closeTwo := broker()
	defer closeTwo()

	_, err := one.Apply(context.Background(), account.Token(), resolver.Push)
	must(err)
	session, err := two.Connect(context.Background(), account.User("bob").Credentials(nonce.New()))
	must(err)
	fmt.Println("bob may publish to orders.new:", session.CanPublish("orders.new"))

	_, err = one.Apply(context.Background(), account.Renew(authtest.Revoke("bob", authtest.Now())).Token(), resolver.Push)
	must(err)
	<-session.Done()
	why, _ := errors.AsType[*auth.Error](session.Err())
	fmt.Println(why.Reason)
	// Output:
	// bob may publish to orders.new: true
	// user_revoked
}

// jetStream is a server with JetStream.
func jetStream() (url string, stop func()) {
	dir, err := os.MkdirTemp("", "natskv")
	must(err)
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true, JetStream: true, StoreDir: dir,
	})
	must(err)
	s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		panic("the server does not start")
	}
	return s.ClientURL(), func() {
		s.Shutdown()
		s.WaitForShutdown()
		must(os.RemoveAll(dir))
	}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
