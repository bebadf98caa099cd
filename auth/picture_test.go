package auth_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"strings"
	"testing"

	"github.com/nats-io/jwt/v2"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/auth/authtest"
	"github.com/natsauth/natsauth/claims"
	"github.com/natsauth/natsauth/resolver"
)

// nscTokens are the tokens of accounts that nsc made, by their file names.
func nscTokens(names ...string) []string {
	var out []string
	for _, name := range names {
		text, err := os.ReadFile("testdata/nsc/jwt/account." + name + ".jwt")
		if err != nil {
			log.Fatal(err)
		}
		out = append(out, strings.TrimSpace(string(text)))
	}
	return out
}

// sharing is an Authorizer with accounts of nsc in force, by their names: IMP may have all
// that it imports from APP, REVIMP's activation is revoked.
func sharing() (*auth.Authorizer, map[string]*auth.Account) {
	tokens := nscTokens("APP", "IMP", "REVIMP")
	store, err := resolver.NewMemory(tokens...)
	if err != nil {
		log.Fatal(err)
	}
	operator, err := os.ReadFile("testdata/nsc/jwt/operator.TESTOP.jwt")
	if err != nil {
		log.Fatal(err)
	}
	a, err := auth.New(auth.Config{
		Trust: auth.Trust{Operators: []string{string(operator)}}, Resolver: store, ServerVersion: "2.15.2",
	})
	if err != nil {
		log.Fatal(err)
	}
	accounts := make(map[string]*auth.Account)
	for _, token := range tokens {
		parsed, err := claims.ParseAccount(token)
		if err != nil {
			log.Fatal(err)
		}
		if _, err := a.Account(context.Background(), parsed.Key); err != nil {
			log.Fatal(err)
		}
		accounts[parsed.Name], _ = a.InForce(parsed.Key)
	}
	for name, view := range accounts {
		accounts[name], _ = a.InForce(view.Key()) // with those that came after it
	}
	return a, accounts
}

func ExampleAccount_Services() {
	a, accounts := sharing()
	defer a.Close()
	importer := accounts["IMP"]

	subject, _ := importer.Map("app.time") // what the account's own mappings make of it
	for _, route := range importer.Services(nil, subject) {
		there, _ := route.Exporter.Map(route.Subject)
		fmt.Printf("publish to %s in %s; answers: %s\n", there, route.Exporter.Name(), route.Service.Response)
	}
	for _, route := range importer.Services(nil, "pay.march") {
		fmt.Printf("publish to %s in %s; answers: %s\n", route.Subject, route.Exporter.Name(), route.Service.Response)
	}
	fmt.Println(len(importer.Services(nil, "time.now")), "ways for the exporter's own name")
	// Output:
	// publish to time.now in APP; answers: Singleton
	// publish to billing.march in APP; answers: Stream
	// 0 ways for the exporter's own name
}

func ExampleAccount_Streams() {
	a, accounts := sharing()
	defer a.Close()

	for _, route := range accounts["IMP"].Streams(nil, "app.*.cpu") {
		fmt.Println("subscribe to", route.Subject, "in", route.Exporter.Name())
		local, ok := route.Local("metrics.cpu")
		fmt.Println("deliver as", local, ok)
	}
	fmt.Println(len(accounts["REVIMP"].Streams(nil, ">")), "streams for whose activation is revoked")
	for status := range accounts["REVIMP"].Imports() {
		fmt.Println(status.Subject, "is", status.State)
	}
	// Output:
	// subscribe to metrics.cpu in APP
	// deliver as app.metrics.cpu true
	// 0 streams for whose activation is revoked
	// orders.> is dead
}

// A request from IMP to a service of APP, and its answer.
func ExampleReplies() {
	a, accounts := sharing()
	defer a.Close()
	replies := auth.NewReplies(a, 0)
	importer := accounts["IMP"] // of the session that publishes "app.time" with the reply "_INBOX.1"

	subject, _ := importer.Map("app.time") // and CanPublish is asked about what comes of it
	for _, route := range importer.Services(nil, subject) {
		there, _ := route.Exporter.Map(route.Subject)
		reply, ok := replies.Open(route, importer, "_INBOX.1", nil)
		fmt.Println("deliver", there, "in", route.Exporter.Name(), "with a reply of our own:", ok)

		// Somebody in APP publishes to that reply.
		for range 2 {
			answer, ok := replies.Take(route.Exporter, reply, false)
			if !ok {
				fmt.Println("nobody waits for one more")
				continue
			}
			back, _ := answer.Requestor.Map(answer.Subject)
			fmt.Println("deliver", back, "in", answer.Requestor.Name())
		}
	}
	// Output:
	// deliver time.now in APP with a reply of our own: true
	// deliver _INBOX.1 in IMP
	// nobody waits for one more
}

// TestReadmePicture: the picture in the README is that of ExampleAuthorizer_Graph.
func TestReadmePicture(t *testing.T) {
	t.Parallel()
	a, _ := sharing()
	defer a.Close()
	text, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	require.Contains(t, string(text), "```mermaid\n"+a.Graph().Mermaid()+"```\n")
}

func ExampleAuthorizer_Graph() {
	a, _ := sharing()
	defer a.Close()
	fmt.Print(a.Graph().Mermaid())
	// Output:
	// flowchart LR
	//   n0["REVIMP AAR4B7R3..."]
	//   n1["APP ACCCORUA..."]
	//   n2["IMP ADDCVOEP..."]
	//   n1 --x|"stream orders.#gt;: activation is revoked"| n0
	//   n2 -->|"service billing.* as pay.*"| n1
	//   n1 -->|"stream metrics.#gt; as app.metrics.#gt;"| n2
	//   n1 -->|"stream orders.#gt;"| n2
	//   n1 -->|"stream tenant.ADDCVOEPMMM4GWMORZXJ6XLGJR7YK42X2YYIXR4RCJKGJHRGQ44X32Y7.events as my.events"| n2
	//   n2 -->|"service time.now as app.time"| n1
}

// TestGraphPictures: both languages, every kind of arrow, and texts that mean something to
// them.
func TestGraphPictures(t *testing.T) {
	t.Parallel()
	op := authtest.NewOperator(t)
	e := op.Account("E", authtest.StreamExport("a"), authtest.ServiceExport("b"), authtest.Name("<e> \"#1\"\\"))
	gone := op.Account("GONE")
	i := op.Account("I",
		authtest.StreamImport(e.PublicKey(), "a", "x"), authtest.ServiceImport(e.PublicKey(), "b", ""),
		authtest.StreamImport(gone.PublicKey(), "c", ""), authtest.ServiceImport(e.PublicKey(), "d", ""),
		authtest.Edit(func(c *jwt.AccountClaims) {
			c.Imports.Add(&jwt.Import{Account: "n\"o\\body", Subject: "q", Type: jwt.Stream})
		}),
	)
	a := authtest.Authorizer(t, op, []*authtest.Account{e, i})
	require.Empty(t, a.Graph())
	for _, account := range []*authtest.Account{e, i} {
		_, err := a.Account(t.Context(), account.PublicKey())
		require.NoError(t, err)
	}
	g := a.Graph()
	require.Len(t, g.Accounts, 4)
	require.Len(t, g.Imports, 5)
	require.Equal(t, g, g.Around(i.PublicKey()))
	require.Len(t, g.Around(e.PublicKey()).Imports, 3)
	require.Len(t, g.Around(e.PublicKey()).Accounts, 2)
	require.Empty(t, g.Around("nobody"))

	mermaid := g.Mermaid()
	for _, want := range []string{
		`["#lt;e#gt; #quot;#35;1#quot;\ `, `-->|"stream a as x"|`, `-->|"service b"|`, `-.->|"stream c: the exporter is not in force here"|`,
		`--x|"service d: import is of something that is not exported"|`,
	} {
		require.Contains(t, mermaid, want)
	}
	dot := g.DOT()
	for _, want := range []string{
		`[label="<e> \"#1\"/ `, `[label="stream a as x"]`, ` style=dotted]`, ` style=dashed arrowhead=tee]`, "digraph accounts {\n", "}\n",
	} {
		require.Contains(t, dot, want)
	}
	require.NoError(t, a.Close())
	require.Empty(t, a.Graph())
	require.Empty(t, new(auth.Authorizer).Graph())
}
