package broker_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/nats-io/jwt/v2"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/auth/authtest"
	"github.com/natsauth/natsauth/resolver"

	"github.com/natsauth/natsauth/examples/broker/internal/broker"
)

// What accounts do on purpose that share with others (B8, B18).

// together runs a broker in which the accounts are in force already; the first is the
// system account if it is named so.
func together(t *testing.T, o *authtest.Operator, accounts ...*authtest.Account) (*broker.Server, string) {
	t.Helper()
	var system string
	if accounts[0].PublicKey() == o.Account("SYS").PublicKey() {
		system = accounts[0].PublicKey()
	}
	authorizer := authtest.Authorizer(t, o, accounts, func(c *auth.Config) { c.Trust.SystemAccount = system })
	for _, a := range accounts {
		_, err := authorizer.Apply(t.Context(), a.Token(), resolver.Push)
		require.NoError(t, err)
	}
	return serve(t, o, nil, func(o *broker.Options) { o.Authorizer, o.SystemAccount = authorizer, system })
}

func measured(e *jwt.Export) { e.Latency = &jwt.ServiceLatency{Sampling: 100, Results: "lat"} }

// TestB8PassedOnUserInfo: an account that makes the question who somebody is of a request
// learns nothing by it, and breaks nothing by having it measured.
func TestB8PassedOnUserInfo(t *testing.T) {
	for _, system := range []bool{false, true} {
		o := authtest.NewOperator(t)
		shop := o.Account("SHOP", authtest.ServiceExport("y", measured), authtest.Maps("y", "$SYS.REQ.USER.INFO"))
		app := o.Account("APP", authtest.ServiceImport(shop.PublicKey(), "y", "x"))
		accounts := []*authtest.Account{shop, app}
		if system {
			accounts = append([]*authtest.Account{o.Account("SYS")}, accounts...)
		}
		_, addr := together(t, o, accounts...)
		u := app.User("u", authtest.PubAllow("x", "$SYS.>"))
		spy, buy := enter(t, addr, shop.User("spy")), enter(t, addr, u, `"no_responders":true`)
		spy.send("SUB > 1\r\nSUB $SYS.> 2\r\nSUB _R_.> 3\r\n")
		spy.sync()
		buy.send("SUB r 1\r\nPUB x r 0\r\n\r\n")
		buy.sync()
		heard := strings.Join(spy.sync(), "\n")
		require.NotContains(t, heard, "permissions")
		require.NotContains(t, heard, u.PublicKey())
		buy.send("PUB $SYS.REQ.USER.INFO r 0\r\n\r\n")
		require.Contains(t, strings.Join(buy.sync(), "\n"), app.PublicKey(), "who asks directly is told")
	}
}

// TestMeasuredAnswerOfTheBroker: what the broker itself answers may be measured.
func TestMeasuredAnswerOfTheBroker(t *testing.T) {
	o := authtest.NewOperator(t)
	sys := o.Account("SYS", authtest.ServiceExport("$SYS.REQ.USER.*.INFO", measured))
	app := o.Account("APP", authtest.ServiceImport(sys.PublicKey(), "$SYS.REQ.USER.me.INFO", "me"))
	_, addr := together(t, o, sys, app)
	admin, u := enter(t, addr, sys.User("admin")), enter(t, addr, app.User("u"))
	admin.send("SUB lat 1\r\n")
	admin.sync()
	u.send("SUB r 1\r\nPUB me r 0\r\n\r\n")
	require.Contains(t, strings.Join(u.sync(), "\n"), app.PublicKey())
	require.Contains(t, strings.Join(admin.sync(), "\n"), `"status":200`)
}

// TestLongWays: the payload of a request is there once, however many accounts pass it on.
func TestLongWays(t *testing.T) {
	const links, size = 300, 1 << 20
	o := authtest.NewOperator(t)
	keys := [2]string{o.Account("A").PublicKey(), o.Account("B").PublicKey()}
	opts := [2][]authtest.Option{}
	for i := range links {
		opts[i%2] = append(opts[i%2], authtest.ServiceExport(fmt.Sprint("c.", i)), authtest.ServiceImport(keys[1-i%2], fmt.Sprint("c.", i+1), fmt.Sprint("c.", i)))
	}
	opts[links%2] = append(opts[links%2], authtest.ServiceExport(fmt.Sprint("c.", links)))
	a, b := o.Account("A", opts[0]...), o.Account("B", opts[1]...)
	_, addr := together(t, o, a, b)
	ask, serve := enter(t, addr, a.User("u")), enter(t, addr, [2]*authtest.Account{a, b}[links%2].User("u"))
	serve.send(fmt.Sprintf("SUB c.%d 1\r\n", links))
	serve.sync()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	ask.send(fmt.Sprintf("PUB c.0 %d\r\n%s\r\n", size, strings.Repeat("x", size)))
	ask.sync()
	require.Len(t, serve.sync(), 1)
	runtime.ReadMemStats(&after)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(links*size/4))
}

// TestManyArrivals: a message that comes by an import to many subscriptions, and under many
// names to one, comes to each.
func TestManyArrivals(t *testing.T) {
	const subs, names = 500, 100
	sell, buy := market(t, []authtest.Option{authtest.StreamExport("a.>")}, func(shop string) []authtest.Option {
		opts := []authtest.Option{authtest.StreamImport(shop, "a.>", "")}
		for i := range names {
			rest := strings.Repeat("*.", i+1) + ">"
			opts = append(opts, authtest.StreamImport(shop, "a."+rest, fmt.Sprint("n", i, ".")+rest))
		}
		return opts
	})
	var b strings.Builder
	for i := range subs {
		fmt.Fprintf(&b, "SUB a.> %d\r\n", i)
	}
	buy.send(b.String() + "SUB > all\r\n")
	buy.sync()
	subject := "a" + strings.Repeat(".x", names+2)
	sell.send("PUB " + subject + " 0\r\n\r\n")
	sell.sync()
	require.Len(t, buy.sync(), subs+1+names)
}
