package e2e_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth/authtest"
)

// exchange is a world in which APP imports what SHOP exports.
type exchange struct {
	*world
	t *testing.T
	s *server
}

// newExchange starts a broker for it; imports are made once there is a SHOP to import from.
func newExchange(t *testing.T, exports []authtest.Option, imports func(w *world) []authtest.Option) *exchange {
	t.Helper()
	w := newWorld(t)
	w.shop = w.operator.Account("SHOP", exports...)
	w.app = w.operator.Account("APP", imports(w)...)
	return &exchange{w, t, w.serve(t)}
}

func (x *exchange) buyer(opts ...nats.Option) *nats.Conn {
	x.t.Helper()
	return dialNATS(x.t, x.s, of(x.app.User("buyer")), opts...)
}

func (x *exchange) seller(opts ...nats.Option) *nats.Conn {
	x.t.Helper()
	return dialNATS(x.t, x.s, of(x.shop.User("seller")), opts...)
}

// serves has a connection answer requests to a subject, known to the broker before it
// returns.
func serves(t *testing.T, nc *nats.Conn, subject string, answer func(*nats.Msg)) *nats.Subscription {
	t.Helper()
	sub, err := nc.Subscribe(subject, answer)
	require.NoError(t, err)
	require.NoError(t, nc.Flush())
	return sub
}

// listens has a connection subscribe, known to the broker before it returns.
func listens(t *testing.T, nc *nats.Conn, subject string) *nats.Subscription {
	t.Helper()
	sub, err := nc.SubscribeSync(subject)
	require.NoError(t, err)
	require.NoError(t, nc.Flush())
	return sub
}

// next waits for the next message of a subscription.
func next(t *testing.T, sub *nats.Subscription) *nats.Msg {
	t.Helper()
	m, err := sub.NextMsg(patience)
	require.NoError(t, err)
	return m
}

// wantNone asserts that nothing has come to a subscription whose connection is up to date.
func wantNone(t *testing.T, nc *nats.Conn, sub *nats.Subscription) {
	t.Helper()
	require.NoError(t, nc.Flush())
	n, _, err := sub.Pending()
	require.NoError(t, err)
	require.Zero(t, n)
}

// publish publishes, and returns when the broker has handed the message on.
func publish(t *testing.T, nc *nats.Conn, subject, data string) {
	t.Helper()
	require.NoError(t, nc.Publish(subject, []byte(data)))
	require.NoError(t, nc.Flush())
}

// TestStreams: what one account exports as a stream arrives in another, under the name that
// its import has, whatever part of it is subscribed to (F081 to F083).
func TestStreams(t *testing.T) {
	x := newExchange(t,
		[]authtest.Option{authtest.StreamExport("news.>"), authtest.StreamExport("price.*.*"), authtest.StreamExport("old.*")},
		func(w *world) []authtest.Option {
			key := w.shop.PublicKey()
			return []authtest.Option{
				authtest.StreamImport(key, "news.>", ""),
				authtest.StreamImport(key, "price.*.*", "their.$2.of.$1"),
				authtest.StreamImport(key, "old.*", "", authtest.To("shop")),
			}
		})
	sell, buy := x.seller(), x.buyer()
	for _, tt := range []struct {
		subscribe, publish string
		want               string // empty: nothing
	}{
		{"news.>", "news.a", "news.a"},
		{"news.a", "news.a", "news.a"},
		{"news.a", "news.b", ""},
		{"*.b", "news.b", "news.b"},
		{">", "news.c.d", "news.c.d"},
		{"their.*.of.*", "price.tea.eur", "their.eur.of.tea"},
		{"their.eur.of.*", "price.tea.eur", "their.eur.of.tea"},
		{"their.eur.of.*", "price.tea.usd", ""},
		{"*.eur.*.tea", "price.tea.eur", "their.eur.of.tea"},
		{"price.*.*", "price.tea.eur", ""},
		{"shop.old.*", "old.a", "shop.old.a"},
		{"old.*", "old.a", ""},
		{"other", "other", ""},
	} {
		t.Run(tt.subscribe+" "+tt.publish, func(t *testing.T) {
			sub := listens(t, buy, tt.subscribe)
			defer sub.Unsubscribe()
			publish(t, sell, tt.publish, "x")
			if tt.want == "" {
				wantNone(t, buy, sub)
				return
			}
			m := next(t, sub)
			require.Equal(t, tt.want, m.Subject)
			require.Equal(t, "x", string(m.Data))
			wantNone(t, buy, sub)
		})
	}
	back := listens(t, sell, ">")
	publish(t, buy, "news.a", "x")
	wantNone(t, sell, back)
}

// TestStreamPermissions: it is the importer's own permissions that count, by the name that
// the message has there.
func TestStreamPermissions(t *testing.T) {
	x := newExchange(t, []authtest.Option{authtest.StreamExport("news.>")}, func(w *world) []authtest.Option {
		return []authtest.Option{authtest.StreamImport(w.shop.PublicKey(), "news.>", "shop.>")}
	})
	sell := x.seller()
	buy := dialNATS(t, x.s, of(x.app.User("limited", authtest.SubAllow("shop.>"), authtest.SubDeny("shop.secret"))))
	sub := listens(t, buy, "shop.>")
	publish(t, sell, "news.secret", "x")
	publish(t, sell, "news.open", "x")
	require.Equal(t, "shop.open", next(t, sub).Subject)
	wantNone(t, buy, sub)
}

// TestStreamQueue: a queue group is one across accounts.
func TestStreamQueue(t *testing.T) {
	x := newExchange(t, []authtest.Option{authtest.StreamExport("jobs")}, func(w *world) []authtest.Option {
		return []authtest.Option{authtest.StreamImport(w.shop.PublicKey(), "jobs", "")}
	})
	sell := x.seller()
	var subs []*nats.Subscription
	for _, nc := range []*nats.Conn{x.buyer(), x.buyer(), x.seller()} {
		sub, err := nc.QueueSubscribeSync("jobs", "workers")
		require.NoError(t, err)
		require.NoError(t, nc.Flush())
		subs = append(subs, sub)
	}
	const jobs = 30
	for range jobs {
		require.NoError(t, sell.Publish("jobs", nil))
	}
	require.NoError(t, sell.Flush())
	waitFor(t, "every job to arrive", func() bool { return pending(t, subs) >= jobs })
	require.Equal(t, jobs, pending(t, subs))
}

func pending(t *testing.T, subs []*nats.Subscription) int {
	t.Helper()
	sum := 0
	for _, sub := range subs {
		n, _, err := sub.Pending()
		require.NoError(t, err)
		sum += n
	}
	return sum
}

// service is an exchange whose SHOP serves "ask.*", for APP by the name "shop.ask.*".
func service(t *testing.T, edits ...func(*jwt.Export)) *exchange {
	t.Helper()
	return newExchange(t, []authtest.Option{authtest.ServiceExport("ask.*", edits...)}, func(w *world) []authtest.Option {
		return []authtest.Option{authtest.ServiceImport(w.shop.PublicKey(), "ask.*", "shop.ask.*")}
	})
}

// TestService: a request and its answer, with headers, and nothing of either account in the
// other but these.
func TestService(t *testing.T) {
	x := service(t)
	sell, buy := x.seller(), x.buyer()
	serves(t, sell, "ask.price", func(m *nats.Msg) {
		answer := nats.NewMsg(m.Reply)
		answer.Data = append([]byte("you asked "+m.Subject+" "), m.Data...)
		answer.Header.Set("Mine", m.Header.Get("Yours"))
		m.RespondMsg(answer)
	})
	spy := listens(t, sell, "_INBOX.>")
	request := nats.NewMsg("shop.ask.price")
	request.Data = []byte("tea")
	request.Header.Set("Yours", "x")
	m, err := buy.RequestMsg(request, patience)
	require.NoError(t, err)
	require.Equal(t, "you asked ask.price tea", string(m.Data))
	require.Equal(t, "x", m.Header.Get("Mine"))
	require.True(t, strings.HasPrefix(m.Subject, "_INBOX."))
	wantNone(t, sell, spy)

	_, err = buy.Request("ask.price", nil, 100*time.Millisecond)
	require.ErrorIs(t, err, nats.ErrNoResponders, "the exporter's own name means nothing here")
}

// TestNoSharedResponders: who asks where nobody answers is told at once (F089).
func TestNoSharedResponders(t *testing.T) {
	x := service(t)
	buy := x.buyer()
	_, err := buy.Request("shop.ask.price", nil, patience)
	require.ErrorIs(t, err, nats.ErrNoResponders)
	sell := x.seller()
	serves(t, sell, "ask.price", func(m *nats.Msg) { m.Respond(nil) })
	_, err = buy.Request("shop.ask.price", nil, patience)
	require.NoError(t, err)
	_, err = buy.Request("shop.ask.other", nil, patience)
	require.ErrorIs(t, err, nats.ErrNoResponders)
}

// TestSharedResponses: how many messages answer a request is the export's to say (F078).
func TestSharedResponses(t *testing.T) {
	for _, tt := range []struct {
		kind jwt.ResponseType
		want []string
	}{
		{"", []string{"1"}},
		{jwt.ResponseTypeSingleton, []string{"1"}},
		{jwt.ResponseTypeStream, []string{"1", "2", ""}},
		{jwt.ResponseTypeChunked, []string{"1", "2", ""}},
	} {
		t.Run(string(tt.kind), func(t *testing.T) {
			x := service(t, func(e *jwt.Export) { e.ResponseType = tt.kind })
			sell, buy := x.seller(), x.buyer()
			serves(t, sell, "ask.all", func(m *nats.Msg) {
				for _, part := range []string{"1", "2", "", "over"} {
					m.Respond([]byte(part))
				}
				sell.Publish("done", nil)
			})
			done := listens(t, sell, "done")
			answers := listens(t, buy, "answers")
			require.NoError(t, buy.PublishRequest("shop.ask.all", "answers", nil))
			next(t, done)
			for _, want := range tt.want {
				require.Equal(t, want, string(next(t, answers).Data))
			}
			wantNone(t, buy, answers)
		})
	}
}

// TestResponder: who answers needs leave to, and may have it for the answer alone; who
// knows the subject of an answer can do nothing with it elsewhere (F087).
func TestResponder(t *testing.T) {
	x := service(t)
	sell := dialNATS(t, x.s, of(x.shop.User("limited", authtest.SubAllow("ask.>"), authtest.PubAllow("none"), authtest.Responses(1, time.Minute))))
	buy := x.buyer()
	answers := listens(t, buy, "answers")
	replies := make(chan string, 10)
	serves(t, sell, "ask.*", func(m *nats.Msg) { replies <- m.Reply })

	require.NoError(t, buy.PublishRequest("shop.ask.one", "answers", nil))
	reply := <-replies
	require.Regexp(t, `^_R_\.[\w-]+\.[\w-]+$`, reply)
	publish(t, x.buyer(), reply, "from the account that asks")
	publish(t, dialNATS(t, x.s, of(x.sys.User("u"))), reply, "from another")
	wantNone(t, buy, answers)
	publish(t, sell, reply, "right")
	require.Equal(t, "right", string(next(t, answers).Data))
	publish(t, sell, reply, "again")
	wantNone(t, buy, answers)
}

// TestRequestor: the account that serves learns which account asks, and who, if the
// importer shares it; what a client writes of itself is not believed (F088).
func TestRequestor(t *testing.T) {
	for _, share := range []bool{false, true} {
		x := newExchange(t, []authtest.Option{authtest.ServiceExport("ask")}, func(w *world) []authtest.Option {
			return []authtest.Option{authtest.ServiceImport(w.shop.PublicKey(), "ask", "", func(i *jwt.Import) { i.Share = share })}
		})
		sell := x.seller()
		asked := listens(t, sell, "ask")
		u := x.app.User("buyer", authtest.Tags("blue"))
		buy := dialNATS(t, x.s, of(u), nats.Name("till"))
		request := nats.NewMsg("ask")
		request.Header.Set("Nats-Request-Info", `{"acc":"SOMEBODY","user":"ELSE"}`)
		request.Header.Set("Other", "x")
		require.NoError(t, buy.PublishMsg(request))
		m := next(t, asked)
		require.Equal(t, "x", m.Header.Get("Other"))
		require.Len(t, m.Header.Values("Nats-Request-Info"), 1)
		var info map[string]any
		require.NoError(t, json.Unmarshal([]byte(m.Header.Get("Nats-Request-Info")), &info))
		require.Equal(t, x.app.PublicKey(), info["acc"])
		require.Positive(t, info["rtt"])
		if !share {
			require.Len(t, info, 2)
			continue
		}
		require.Equal(t, u.PublicKey(), info["user"])
		require.Equal(t, "till", info["name"])
		require.Equal(t, []any{"blue"}, info["tags"])
		require.Equal(t, "Client", info["kind"])
		require.Equal(t, "nats", info["client_type"])
		for _, field := range []string{"start", "host", "id", "lang", "ver", "server", "issuer_key", "name_tag"} {
			require.Contains(t, info, field)
		}
		if !reference() {
			require.NotContains(t, info, "jwt") // B8
		}
	}
}

// TestChain: a service that an account imports it may export again; the last learns from
// which account it came, and through which (F086).
func TestChain(t *testing.T) {
	w := newWorld(t)
	last := w.operator.Account("SYS", authtest.ServiceExport("deep"))
	w.sys = last
	w.shop = w.operator.Account("SHOP", authtest.ServiceImport(last.PublicKey(), "deep", "ask"), authtest.ServiceExport("ask"))
	w.app = w.operator.Account("APP", authtest.ServiceImport(w.shop.PublicKey(), "ask", "shop.ask"))
	x := &exchange{w, t, w.serve(t)}
	serving := dialNATS(t, x.s, of(last.User("u")))
	serves(t, serving, "deep", func(m *nats.Msg) { m.Respond([]byte(m.Header.Get("Nats-Request-Info"))) })
	m, err := x.buyer().Request("shop.ask", nil, patience)
	require.NoError(t, err)
	var info map[string]any
	require.NoError(t, json.Unmarshal(m.Data, &info))
	require.Equal(t, w.app.PublicKey(), info["acc"])
	require.Equal(t, w.shop.PublicKey(), info["svc"])
	require.NotContains(t, info, "user")
	require.NotContains(t, info, "tags")

	_, err = x.seller().Request("ask", nil, patience)
	require.NoError(t, err)
}

// TestSharedMappings: the exporter's mappings apply to what comes to its service (F085).
func TestSharedMappings(t *testing.T) {
	x := newExchange(t, []authtest.Option{authtest.ServiceExport("ask.*"), authtest.Maps("ask.old", "ask.new")},
		func(w *world) []authtest.Option {
			return []authtest.Option{authtest.ServiceImport(w.shop.PublicKey(), "ask.*", "shop.*"), authtest.Maps("mine", "shop.old")}
		})
	serves(t, x.seller(), "ask.*", func(m *nats.Msg) { m.Respond([]byte(m.Subject)) })
	buy := x.buyer()
	for subject, want := range map[string]string{"shop.old": "ask.new", "shop.new": "ask.new", "mine": "ask.new", "shop.x": "ask.x"} {
		m, err := buy.Request(subject, nil, patience)
		require.NoError(t, err)
		require.Equal(t, want, string(m.Data), subject)
	}
}

// TestSharedUserInfo: everybody asks the system account who they are.
func TestSharedUserInfo(t *testing.T) {
	w := newWorld(t)
	s := w.serve(t)
	u := w.app.User("u")
	m, err := dialNATS(t, s, of(u)).Request("$SYS.REQ.USER.INFO", nil, patience)
	require.NoError(t, err)
	var got struct {
		Data struct{ User, Account string }
	}
	require.NoError(t, json.Unmarshal(m.Data, &got))
	require.Equal(t, u.PublicKey(), got.Data.User)
	require.Equal(t, w.app.PublicKey(), got.Data.Account)

	admin := dialNATS(t, s, of(w.sys.User("admin")))
	seen := listens(t, admin, "$SYS.REQ.USER.*.INFO")
	_, err = dialNATS(t, s, of(u)).Request("$SYS.REQ.USER.INFO", nil, patience)
	require.NoError(t, err)
	require.Equal(t, "$SYS.REQ.USER."+w.app.PublicKey()+".INFO", next(t, seen).Subject)
}
