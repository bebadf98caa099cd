package broker_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth/authtest"
	"github.com/natsauth/natsauth/resolver"

	"github.com/natsauth/natsauth/examples/broker/internal/broker"
)

// market is a broker on which one account imports from another.
func market(t *testing.T, exports []authtest.Option, imports func(exporter string) []authtest.Option) (sell, buy *client) {
	t.Helper()
	o := authtest.NewOperator(t)
	shop := o.Account("SHOP", exports...)
	app := o.Account("APP", imports(shop.PublicKey())...)
	_, addr := serve(t, o, []*authtest.Account{shop, app}, nil)
	return enter(t, addr, shop.User("u")), enter(t, addr, app.User("u"))
}

// TestB10OnceEach: a message comes to a subscription once under one name, however many
// imports bring it; and under every name that it has.
func TestB10OnceEach(t *testing.T) {
	sell, buy := market(t,
		[]authtest.Option{authtest.StreamExport("a.>")},
		func(shop string) []authtest.Option {
			return []authtest.Option{
				authtest.StreamImport(shop, "a.>", ""), authtest.StreamImport(shop, "a.*", ""), authtest.StreamImport(shop, "a.b", "x"),
			}
		})
	buy.send("SUB a.b 1\r\nSUB > 2\r\nSUB a.* q 3\r\nSUB a.* q 4\r\n")
	buy.sync()
	sell.send("PUB a.b 1\r\nm\r\n")
	sell.sync()
	got := buy.sync()
	for _, want := range []string{"MSG a.b 1 1|m", "MSG a.b 2 1|m", "MSG x 2 1|m"} {
		require.Contains(t, got, want)
	}
	require.Len(t, got, 4, "%q", got)
	require.Equal(t, 1, strings.Count(strings.Join(got, "\n"), "a.b 3 ")+strings.Count(strings.Join(got, "\n"), "a.b 4 "))
}

// TestUnsubMax: a subscription that may have so many messages counts those that it imports.
func TestUnsubMax(t *testing.T) {
	sell, buy := market(t, []authtest.Option{authtest.StreamExport("a")}, func(shop string) []authtest.Option {
		return []authtest.Option{authtest.StreamImport(shop, "a", "")}
	})
	buy.send("SUB a 1\r\nUNSUB 1 3\r\nPUB a 1\r\n0\r\n")
	require.Equal(t, []string{"MSG a 1 1|0"}, buy.sync())
	sell.send("PUB a 1\r\n1\r\nPUB a 1\r\n2\r\nPUB a 1\r\n3\r\n")
	sell.sync()
	require.Equal(t, []string{"MSG a 1 1|1", "MSG a 1 1|2"}, buy.sync())
}

// TestTapsEnd: nobody is kept who does not listen any more.
func TestTapsEnd(t *testing.T) {
	o := authtest.NewOperator(t)
	shop := o.Account("SHOP", authtest.StreamExport("a"))
	app := o.Account("APP", authtest.StreamImport(shop.PublicKey(), "a", ""))
	s, addr := serve(t, o, []*authtest.Account{shop, app}, nil)
	require.Equal(t, broker.NotHeld, s.Listeners(shop.PublicKey()))
	sell := enter(t, addr, shop.User("u"))
	buy := enter(t, addr, app.User("u"))
	buy.send("SUB a 1\r\nSUB > 2\r\nSUB b 3\r\n")
	buy.sync()
	require.Equal(t, 2, s.Listeners(shop.PublicKey()))
	buy.send("UNSUB 1\r\n")
	buy.sync()
	require.Equal(t, 1, s.Listeners(shop.PublicKey()))
	sell.nc.Close()
	require.Never(t, func() bool { return s.Listeners(shop.PublicKey()) != 1 }, 20*time.Millisecond, time.Millisecond)
	buy.nc.Close()
	require.Eventually(t, func() bool {
		return s.Listeners(shop.PublicKey()) == broker.NotHeld && s.Listeners(app.PublicKey()) == broker.NotHeld
	}, patience, time.Millisecond)
}

// TestCrossingsBound: what many accounts pass on to two others each does not grow without
// bound, and ends (B18).
func TestCrossingsBound(t *testing.T) {
	const depth = 14
	o := authtest.NewOperator(t)
	accounts := make([]*authtest.Account, 2*depth)
	for i := depth - 1; i >= 0; i-- {
		for j := range 2 {
			opts := []authtest.Option{authtest.ServiceExport("s")}
			if i+1 < depth {
				opts = append(opts, authtest.ServiceImport(accounts[2*i+2].PublicKey(), "s", ""), authtest.ServiceImport(accounts[2*i+3].PublicKey(), "s", ""))
			}
			accounts[2*i+j] = o.Account(fmt.Sprint("A", 2*i+j), opts...)
		}
	}
	authorizer := authtest.Authorizer(t, o, accounts)
	for _, a := range accounts {
		_, err := authorizer.Apply(t.Context(), a.Token(), resolver.Push)
		require.NoError(t, err)
	}
	_, addr := serve(t, o, nil, func(o *broker.Options) { o.Authorizer = authorizer })
	last, ask := enter(t, addr, accounts[2*depth-1].User("u")), enter(t, addr, accounts[0].User("u"))
	last.send("SUB s 1\r\n")
	last.sync()
	ask.send("PUB s 0\r\n\r\n")
	ask.sync()
	got := len(last.sync())
	require.Positive(t, got)
	require.LessOrEqual(t, got, 1024, "4096 ways lead there")
}

// TestHostileInfo: however a client writes the header, it is ours that is read.
func TestHostileInfo(t *testing.T) {
	sell, buy := market(t, []authtest.Option{authtest.ServiceExport("s")}, func(shop string) []authtest.Option {
		return []authtest.Option{authtest.ServiceImport(shop, "s", "")}
	})
	sell.send("SUB s 1\r\n")
	sell.sync()
	for _, header := range []string{
		"NATS/1.0\r\nNats-Request-Info: {\"acc\":\"x\"}\r\n\r\n", "NATS/1.0\r\nnats-request-info:{}\r\nNats-Request-Info: {}\r\n\r\n",
		"NATS/1.0\r\n Nats-Request-Info: {}\r\n\r\n", "NATS/1.0\r\nA: b\nNats-Request-Info : {}\r\n\r\n", "", "nonsense",
	} {
		buy.send(fmt.Sprintf("HPUB s %d %d\r\n%sdata\r\n", len(header), len(header)+4, header))
		buy.sync()
		got := sell.sync()
		require.Len(t, got, 1)
		require.Equal(t, 1, strings.Count(strings.ToLower(got[0]), "nats-request-info"), "%q", got)
		require.Regexp(t, `^HMSG s 1 \d+ \d+\|NATS/1.0\r\nNats-Request-Info: {"acc":"A[A-Z0-9]{55}","rtt":\d+}\r\n`, got[0])
		require.True(t, strings.HasSuffix(got[0], "\n\r\ndata"), "%q", got)
	}
}
