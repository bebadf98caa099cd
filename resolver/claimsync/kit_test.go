package claimsync_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/auth/authtest"
	"github.com/natsauth/natsauth/resolver"
	"github.com/natsauth/natsauth/resolver/claimsync"
	"github.com/natsauth/natsauth/resolver/resolvertest"
)

var _ claimsync.Authorizer = (*auth.Authorizer)(nil)

// realm is an operator with accounts, the same in every run.
type realm struct {
	operator, other *authtest.Operator
	system, a, b, c *authtest.Account
	stranger        *authtest.Account // of the other operator
}

func newRealm(t testing.TB) realm {
	o := authtest.NewOperator(t, authtest.SystemAccount("SYS"), authtest.SigningKeys("sk"))
	other := authtest.NewOperator(t, authtest.From("other"))
	return realm{o, other, o.Account("SYS"), o.Account("A"), o.Account("B"), o.Account("C"), other.Account("Z")}
}

// node is a service with its authorizer and store.
type node struct {
	*claimsync.Service
	t          testing.TB
	bus        resolver.Bus
	store      *resolver.Memory
	authorizer *auth.Authorizer
	log        *log
	sent       atomic.Int64 // by ask
}

// setup is what a test changes about a node.
type setup struct {
	auth  *auth.Config
	claim *claimsync.Config
}

// node makes a node that holds the system account's token, exchanges nothing by itself, and is running.
func (r realm) node(t testing.TB, bus resolver.Bus, edits ...func(setup)) *node {
	t.Helper()
	n := r.resting(t, bus, edits...)
	require.NoError(t, n.Start())
	return n
}

// resting is a node that was not started.
func (r realm) resting(t testing.TB, bus resolver.Bus, edits ...func(setup)) *node {
	t.Helper()
	n := &node{t: t, bus: bus, store: new(resolver.Memory), log: new(log)}
	n.hold(r.system)
	c := claimsync.Config{
		Bus: bus, Store: n.store, Server: claimsync.ServerInfo{Name: "ours"}, SystemAccount: r.system.PublicKey(),
		AllowDelete: true, Interval: -1, Jitter: func(d time.Duration) time.Duration { return d }, Clock: authtest.Now, Logger: n.log.logger(),
	}
	n.authorizer = authtest.Authorizer(t, r.operator, nil, func(a *auth.Config) {
		a.Resolver, a.Store = nil, n.store
		for _, edit := range edits {
			edit(setup{a, &c})
		}
	})
	if c.Authorizer == nil {
		c.Authorizer = n.authorizer
	}
	var err error
	n.Service, err = claimsync.New(c)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, n.Close()) })
	return n
}

// hold puts tokens into the store.
func (n *node) hold(accounts ...*authtest.Account) {
	n.t.Helper()
	for _, a := range accounts {
		_, err := n.store.Save(n.t.Context(), a.Token(), resolver.Push)
		require.NoError(n.t, err)
	}
}

// holds asserts what the store holds.
func (n *node) holds(accounts ...*authtest.Account) {
	n.t.Helper()
	var tokens []string
	for _, a := range accounts {
		tokens = append(tokens, a.Token())
	}
	resolvertest.Holds(n.t, n.store, tokens...)
}

// loads puts an account in force.
func (n *node) loads(a *authtest.Account) {
	n.t.Helper()
	_, err := n.authorizer.Account(n.t.Context(), a.PublicKey())
	require.NoError(n.t, err)
}

// ask publishes a request, and gives all that has come when nothing moves any more.
func (n *node) ask(subject, body string) []string {
	n.t.Helper()
	inbox := fmt.Sprintf("_INBOX.tool.%d", n.sent.Add(1))
	answers := collect(n.t, n.bus, inbox)
	require.NoError(n.t, n.bus.Publish(n.t.Context(), resolver.Msg{Subject: subject, Reply: inbox, Data: []byte(body)}))
	synctest.Wait()
	return answers()
}

// one is ask where there is one answer.
func (n *node) one(subject, body string) told {
	n.t.Helper()
	all := n.ask(subject, body)
	require.Len(n.t, all, 1)
	return read(n.t, all[0])
}

// collect listens, and gives what it has heard.
func collect(t testing.TB, bus resolver.Bus, subject string) func() []string {
	t.Helper()
	var mu sync.Mutex
	var got []string
	_, err := bus.Subscribe(subject, "", func(m resolver.Msg) {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, string(m.Data))
	})
	require.NoError(t, err)
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return got
	}
}

// told is an answer as a tool reads it.
type told struct {
	Server map[string]any
	Data   struct {
		Account, Message string
		Code             int
		Report           map[string]any
		Accounts         []map[string]any
	}
	Error *struct {
		Account, Description string
		Code                 int
		Accounts             []map[string]any
	}
}

func read(t testing.TB, text string) told {
	t.Helper()
	var out told
	require.NoError(t, json.Unmarshal([]byte(text), &out), text)
	return out
}

// description is the error that an answer has.
func (a told) description(t testing.TB) string {
	t.Helper()
	require.NotNil(t, a.Error)
	require.Equal(t, 500, a.Error.Code)
	require.Empty(t, a.Data)
	return a.Error.Description
}

func update(a *authtest.Account) string { return subject(a, "UPDATE") }
func lookup(a *authtest.Account) string { return subject(a, "LOOKUP") }
func subject(a *authtest.Account, what string) string {
	return "$SYS.REQ.ACCOUNT." + a.PublicKey() + ".CLAIMS." + what
}

const (
	updates = "$SYS.REQ.CLAIMS.UPDATE"
	packs   = "$SYS.REQ.CLAIMS.PACK"
	lists   = "$SYS.REQ.CLAIMS.LIST"
	deletes = "$SYS.REQ.CLAIMS.DELETE"
)

// deletion is a request to delete accounts, signed by the pair.
func deletion(t testing.TB, by nkeys.KeyPair, accounts []string, edits ...func(*jwt.GenericClaims)) string {
	t.Helper()
	key, err := by.PublicKey()
	require.NoError(t, err)
	c := jwt.NewGenericClaims(key)
	c.Issuer, c.IssuedAt, c.Data["version"], c.Data["accounts"] = key, authtest.Now().Unix(), 2, accounts
	for _, edit := range edits {
		edit(c)
	}
	return resolvertest.Sign(t, by, c)
}

// ticking is a clock that starts at authtest.Now and goes with the time of a synctest bubble.
func ticking() func() time.Time {
	began := time.Now()
	return func() time.Time { return authtest.Now().Add(time.Since(began)) }
}

// gate is a bus that can be cut off, for a node that then hears nothing and is not heard, and that can be kept from
// publishing.
type gate struct {
	resolver.Bus
	cut    atomic.Bool
	broken atomic.Bool
	mute   atomic.Bool // broken for messages, not for subscriptions
}

var errBroken = errors.New("the bus is broken")

func (g *gate) Publish(ctx context.Context, m resolver.Msg) error {
	if g.broken.Load() || g.mute.Load() {
		return errBroken
	}
	if g.cut.Load() {
		return nil
	}
	return g.Bus.Publish(ctx, m)
}

func (g *gate) Subscribe(subject, queue string, fn func(resolver.Msg)) (func() error, error) {
	if g.broken.Load() {
		return nil, errBroken
	}
	return g.Bus.Subscribe(subject, queue, func(m resolver.Msg) {
		if !g.cut.Load() {
			fn(m)
		}
		clear(m.Data) // it is fn's until it returns
	})
}

// requireHidden: no token is in what was logged or told.
func requireHidden(t testing.TB, texts ...string) {
	t.Helper()
	for _, text := range texts {
		require.NotContains(t, text, "eyJ")
	}
}

// refusal is the start of every error that a full node gives to an update.
func refusal(why string) string { return "jwt update resulted in error - " + why }
