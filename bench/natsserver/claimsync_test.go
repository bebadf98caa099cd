package natsserver_test

import (
	"crypto/sha256"
	"encoding/json"
	"flag"
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/auth/authtest"
	"github.com/natsauth/natsauth/resolver"
	"github.com/natsauth/natsauth/resolver/accountsrv"
	"github.com/natsauth/natsauth/resolver/claimsync"
	"github.com/natsauth/natsauth/resolver/full"
	"github.com/natsauth/natsauth/resolver/natskv"
	"github.com/natsauth/natsauth/resolver/resolvertest"
)

// recorded is what nats-server with a full resolver answered, and updates what one did whose accounts are in memory, or come
// from an account server; resolver/claimsync is held to them, too.
const (
	recorded = "../../resolver/claimsync/testdata/answers.json"
	updates  = "../../resolver/claimsync/testdata/updates.json"
)

var update = flag.Bool("update", false, "write what nats-server answers to claims requests anew")

// exchange is a request and what came back.
type exchange struct {
	Name    string
	Loads   string `json:",omitempty"` // an account that is put in force before
	Subject string
	Header  map[string][]string `json:",omitempty"`
	Body    []byte              `json:",omitempty"`
	Answers []string            // in order; of JSON without what differs from server to server
}

// realm is an operator with accounts, the same in every run.
type realm struct {
	operator, other *authtest.Operator
	system, a, b, c *authtest.Account
}

func newRealm(t testing.TB) realm {
	o := authtest.NewOperator(t, authtest.SystemAccount("SYS"))
	return realm{o, authtest.NewOperator(t, authtest.From("other")), o.Account("SYS"), o.Account("A"), o.Account("B"), o.Account("C")}
}

// deletion is a signed request to delete accounts.
func (r realm) deletion(t testing.TB, by nkeys.KeyPair, accounts any, edits ...func(*jwt.GenericClaims)) []byte {
	t.Helper()
	key, err := by.PublicKey()
	require.NoError(t, err)
	c := jwt.NewGenericClaims(key)
	c.Issuer, c.IssuedAt, c.Data["version"], c.Data["accounts"] = key, authtest.Now().Unix(), 2, accounts
	for _, edit := range edits {
		edit(c)
	}
	return []byte(resolvertest.Sign(t, by, c))
}

// requests are what is recorded of a full resolver, in this order.
func (r realm) requests(t testing.TB) []exchange {
	account := func(a *authtest.Account, what string) string {
		return "$SYS.REQ.ACCOUNT." + a.PublicKey() + ".CLAIMS." + what
	}
	invalid := authtest.NewOperator(t, authtest.SystemAccount("SYS")).Account("I",
		authtest.Edit(func(c *jwt.AccountClaims) {
			c.Limits.Imports, c.Imports = 0, jwt.Imports{{Account: r.a.PublicKey(), Subject: "x", Type: jwt.Stream}}
		}))
	var hash [sha256.Size]byte
	for _, a := range []*authtest.Account{r.system, r.a, r.b, r.c} {
		for i, x := range sha256.Sum256([]byte(a.Token())) {
			hash[i] ^= x
		}
	}
	mallory := authtest.Key(nkeys.PrefixByteOperator, "mallory")
	stranger := authtest.Key(nkeys.PrefixByteAccount, "nobody")
	nobody, err := stranger.PublicKey()
	require.NoError(t, err)
	keyOf := func(a *authtest.Account) []string { return []string{a.PublicKey()} }
	return []exchange{
		{Name: "list at first", Subject: "$SYS.REQ.CLAIMS.LIST"},
		{Name: "update", Subject: "$SYS.REQ.CLAIMS.UPDATE", Body: []byte(r.a.Token())},
		{Name: "update again", Subject: "$SYS.REQ.CLAIMS.UPDATE", Body: []byte(r.a.Token())},
		{Name: "update with a header", Subject: "$SYS.REQ.CLAIMS.UPDATE", Header: map[string][]string{"K": {"V"}}, Body: []byte(r.a.Token())},
		{Name: "update by account", Subject: account(r.b, "UPDATE"), Body: []byte(r.b.Token())},
		{Name: "update by account, the old way", Subject: "$SYS.ACCOUNT." + r.c.PublicKey() + ".CLAIMS.UPDATE", Body: []byte(r.c.Token())},
		{Name: "update of another account", Subject: account(r.b, "UPDATE"), Body: []byte(r.a.Token())},
		{Name: "update without a token", Subject: "$SYS.REQ.CLAIMS.UPDATE"},
		{Name: "update by account without a token", Subject: account(r.b, "UPDATE"), Body: []byte("no token")},
		{Name: "update with a user token", Subject: "$SYS.REQ.CLAIMS.UPDATE", Body: []byte(r.a.User("u").Token())},
		{Name: "update with bad content", Subject: "$SYS.REQ.CLAIMS.UPDATE", Body: []byte(invalid.Token())},
		{Name: "look-up", Subject: account(r.a, "LOOKUP")},
		{Name: "look-up of nobody", Subject: "$SYS.REQ.ACCOUNT." + nobody + ".CLAIMS.LOOKUP"},
		{Name: "list", Subject: "$SYS.REQ.CLAIMS.LIST"},
		{Name: "pack", Subject: "$SYS.REQ.CLAIMS.PACK"},
		{Name: "pack by another hash", Subject: "$SYS.REQ.CLAIMS.PACK", Body: make([]byte, sha256.Size)},
		{Name: "pack by the same hash", Subject: "$SYS.REQ.CLAIMS.PACK", Body: hash[:]},
		{Name: "delete without a token", Subject: "$SYS.REQ.CLAIMS.DELETE"},
		{Name: "delete by an unknown key", Subject: "$SYS.REQ.CLAIMS.DELETE", Body: r.deletion(t, mallory, keyOf(r.a))},
		{Name: "delete for another key", Subject: "$SYS.REQ.CLAIMS.DELETE",
			Body: r.deletion(t, r.operator.Key(), keyOf(r.a), func(c *jwt.GenericClaims) { c.Subject = r.other.PublicKey() })},
		{Name: "delete of the system account", Subject: "$SYS.REQ.CLAIMS.DELETE", Body: r.deletion(t, r.operator.Key(), keyOf(r.system))},
		{Name: "delete", Subject: "$SYS.REQ.CLAIMS.DELETE", Body: r.deletion(t, r.operator.Key(), []string{r.b.PublicKey(), r.c.PublicKey()})},
		{Name: "delete of none", Subject: "$SYS.REQ.CLAIMS.DELETE", Body: r.deletion(t, r.operator.Key(), []string{})},
		{Name: "delete of an account that is not there", Subject: "$SYS.REQ.CLAIMS.DELETE", Body: r.deletion(t, r.operator.Key(), []string{nobody})},
		{Name: "list at last", Subject: "$SYS.REQ.CLAIMS.LIST"},
		{Name: "look-up of a deleted account", Subject: account(r.b, "LOOKUP")},
	}
}

// updates are what is recorded of a server that keeps nothing, in this order.
func (r realm) updates(t testing.TB) []exchange {
	by := func(a *authtest.Account) string { return "$SYS.REQ.ACCOUNT." + a.PublicKey() + ".CLAIMS.UPDATE" }
	old := func(a *authtest.Account) string { return "$SYS.ACCOUNT." + a.PublicKey() + ".CLAIMS.UPDATE" }
	newer := r.a.Renew()
	untrusted := newer.Renew(authtest.SignedByKey(r.other.Key()))
	return []exchange{
		{Name: "nobody uses the account", Subject: by(r.a), Body: []byte(r.a.Token())},
		{Name: "the same, the old way", Subject: old(r.a), Body: []byte(r.a.Token())},
		{Name: "an account that is in use", Loads: r.a.PublicKey(), Subject: by(r.a), Body: []byte(r.a.Token())},
		{Name: "a newer token", Subject: by(r.a), Body: []byte(newer.Token())},
		{Name: "the same again, the old way", Subject: old(r.a), Body: []byte(newer.Token())},
		{Name: "the same with a header", Subject: by(r.a), Header: map[string][]string{"K": {"V"}}, Body: []byte(newer.Token())},
		{Name: "another account that nobody uses", Subject: by(r.b), Body: []byte(r.b.Token())},
		{Name: "a token of another account", Subject: by(r.a), Body: []byte(r.b.Token())},
		{Name: "a token of another account, the old way", Subject: old(r.a), Body: []byte(r.b.Token())},
		{Name: "nothing", Subject: by(r.a)},
		{Name: "nothing, the old way", Subject: old(r.a)},
		{Name: "no token", Subject: by(r.a), Body: []byte("no token")},
		{Name: "a user's token", Subject: by(r.a), Body: []byte(r.a.User("u").Token())},
		{Name: "a token of nobody who is trusted", Subject: by(r.a), Body: []byte(untrusted.Token())},
	}
}

// full is a server with a full resolver that holds the system account's token.
func (r realm) full(t *testing.T, every time.Duration) *server.Server {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, r.system.PublicKey()+".jwt"), []byte(r.system.Token()), 0o600))
	accounts, err := server.NewDirAccResolver(dir, 0, every, server.HardDelete)
	require.NoError(t, err)
	return r.serve(t, accounts)
}

// memory is a server whose accounts are in its memory.
func (r realm) memory(t *testing.T) *server.Server {
	t.Helper()
	accounts := &server.MemAccResolver{}
	for _, a := range []*authtest.Account{r.system, r.a, r.b} {
		require.NoError(t, accounts.Store(a.PublicKey(), a.Token()))
	}
	return r.serve(t, accounts)
}

// remote is a server whose accounts come over HTTP.
func (r realm) remote(t *testing.T) *server.Server {
	t.Helper()
	held, err := resolver.NewMemory(r.system.Token(), r.a.Token(), r.b.Token())
	require.NoError(t, err)
	handler, err := accountsrv.New(accountsrv.Config{Accounts: held})
	require.NoError(t, err)
	http := httptest.NewServer(handler)
	t.Cleanup(http.Close)
	accounts, err := server.NewURLAccResolver(http.URL + "/jwt/v1/accounts")
	require.NoError(t, err)
	return r.serve(t, accounts)
}

func (r realm) serve(t *testing.T, accounts server.AccountResolver) *server.Server {
	t.Helper()
	operator, err := jwt.DecodeOperatorClaims(r.operator.Token())
	require.NoError(t, err)
	o := quiet()
	o.TrustedOperators, o.AccountResolver, o.SystemAccount = []*jwt.OperatorClaims{operator}, accounts, r.system.PublicKey()
	return start(t, o)
}

// connect is a user of the system account.
func (r realm) connect(t *testing.T, s *server.Server) *nats.Conn {
	t.Helper()
	u := r.system.User("admin")
	nc, err := nats.Connect("", nats.InProcessServer(s), nats.UserJWT(
		func() (string, error) { return u.Token(), nil },
		func(nonce []byte) ([]byte, error) { return u.Key().Sign(nonce) },
	))
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	return nc
}

// does sends the request, and gives what came back: one message, or all of a pack.
func (e exchange) does(t *testing.T, nc *nats.Conn) []string {
	t.Helper()
	inbox := nats.NewInbox()
	sub, err := nc.SubscribeSync(inbox)
	require.NoError(t, err)
	defer sub.Unsubscribe()
	require.NoError(t, nc.PublishMsg(&nats.Msg{Subject: e.Subject, Reply: inbox, Header: e.Header, Data: e.Body}))
	var out []string
	for {
		m, err := sub.NextMsg(10 * time.Second)
		require.NoError(t, err)
		out = append(out, plain(t, string(m.Data)))
		if len(m.Data) == 0 || !strings.HasSuffix(e.Subject, ".PACK") {
			return out
		}
	}
}

// plain leaves out of a JSON answer what differs from server to server: of the server the names of the fields are left.
func plain(t testing.TB, text string) string {
	t.Helper()
	if !strings.HasPrefix(text, "{") {
		return text
	}
	var doc map[string]any
	require.NoError(t, json.Unmarshal([]byte(text), &doc))
	doc["server"] = slices.Sorted(maps.Keys(doc["server"].(map[string]any)))
	out, err := json.Marshal(doc)
	require.NoError(t, err)
	return string(out)
}

// TestClaimsAnswersAreRecorded: nats-server answers as is recorded. What is recorded is what resolver/claimsync is held to.
func TestClaimsAnswersAreRecorded(t *testing.T) {
	r := newRealm(t)
	isRecorded(t, recorded, answersTo(t, r, r.full(t, time.Hour), r.requests(t)))
}

// TestF105UpdatesAreRecorded: a server that keeps nothing hears of updates by account, and of nothing else of the protocol.
func TestF105UpdatesAreRecorded(t *testing.T) {
	for name, start := range map[string]func(realm, *testing.T) *server.Server{"memory": realm.memory, "account server": realm.remote} {
		t.Run(name, func(t *testing.T) {
			r := newRealm(t)
			s := start(r, t)
			isRecorded(t, updates, answersTo(t, r, s, r.updates(t)))
			nc := r.connect(t, s)
			for _, subject := range []string{
				"$SYS.REQ.CLAIMS.UPDATE", "$SYS.REQ.CLAIMS.LIST", "$SYS.REQ.CLAIMS.PACK", "$SYS.REQ.CLAIMS.DELETE",
				"$SYS.REQ.ACCOUNT." + r.a.PublicKey() + ".CLAIMS.LOOKUP",
			} {
				_, err := nc.Request(subject, []byte(r.a.Token()), 10*time.Second)
				require.ErrorIs(t, err, nats.ErrNoResponders, subject)
			}
		})
	}
}

// answersTo has a server answer requests.
func answersTo(t *testing.T, r realm, s *server.Server, requests []exchange) []exchange {
	t.Helper()
	nc := r.connect(t, s)
	for i, e := range requests {
		if e.Loads != "" {
			_, err := s.LookupAccount(e.Loads)
			require.NoError(t, err)
		}
		requests[i].Answers = e.does(t, nc)
	}
	return requests
}

// isRecorded asserts that what was answered is what the file says.
func isRecorded(t *testing.T, file string, have []exchange) {
	t.Helper()
	if *update {
		text, err := json.MarshalIndent(have, "", "\t")
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(file, append(text, '\n'), 0o600))
	}
	var want []exchange
	readJSON(t, file, &want)
	require.Greater(t, len(want), 10)
	require.Equal(t, want, have)
}

// node is one of ours at a server.
type node struct {
	*claimsync.Service
	store      *full.Store
	authorizer *auth.Authorizer
	nc         *nats.Conn
}

func (r realm) node(t *testing.T, s *server.Server, edits ...func(*claimsync.Config)) *node {
	t.Helper()
	store, err := full.Open(t.TempDir(), full.Options{Delete: full.DeleteHard})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	n := &node{store: store, nc: r.connect(t, s)}
	_, err = n.store.Save(t.Context(), r.system.Token(), resolver.Push)
	require.NoError(t, err)
	n.authorizer = authtest.Authorizer(t, r.operator, nil, func(c *auth.Config) { c.Resolver, c.Store = nil, n.store })
	c := claimsync.Config{
		Bus: natskv.NewBus(n.nc), Authorizer: n.authorizer, Store: n.store, Server: claimsync.ServerInfo{Name: "ours"},
		SystemAccount: r.system.PublicKey(), AllowDelete: true, Interval: -1, Clock: authtest.Now,
	}
	for _, edit := range edits {
		edit(&c)
	}
	n.Service, err = claimsync.New(c)
	require.NoError(t, err)
	require.NoError(t, n.Start())
	t.Cleanup(func() { n.Close() })
	return n
}

// TestClaimsBothAnswer: a tool that pushes, lists and deletes gets an answer of the server and one of ours, with the same
// account, code and message.
func TestClaimsBothAnswer(t *testing.T) {
	r := newRealm(t)
	s := r.full(t, time.Hour)
	r.node(t, s)
	tool := r.connect(t, s)
	for _, e := range r.requests(t) {
		if strings.HasSuffix(e.Subject, ".PACK") || strings.HasSuffix(e.Subject, ".LOOKUP") {
			continue
		}
		t.Run(e.Name, func(t *testing.T) {
			inbox := nats.NewInbox()
			sub, err := tool.SubscribeSync(inbox)
			require.NoError(t, err)
			require.NoError(t, tool.PublishMsg(&nats.Msg{Subject: e.Subject, Reply: inbox, Header: e.Header, Data: e.Body}))
			var told [2]struct {
				Server struct{ Name, ID, Ver string }
				Data   any
				Error  *struct {
					Account, Description string
					Code                 int
				}
			}
			for i := range told {
				m, err := sub.NextMsg(10 * time.Second)
				require.NoError(t, err)
				require.NoError(t, json.Unmarshal(m.Data, &told[i]))
				require.NotEmpty(t, told[i].Server.Name)
				if data, ok := told[i].Data.(map[string]any); ok {
					delete(data, "report")
					delete(data, "accounts")
				}
				if told[i].Error != nil { // the cause is in each one's own words
					told[i].Error.Description, _, _ = strings.Cut(told[i].Error.Description, " - ")
				}
			}
			require.NotEqual(t, told[0].Server.Name, told[1].Server.Name)
			told[0].Server, told[1].Server = struct{ Name, ID, Ver string }{}, struct{ Name, ID, Ver string }{}
			require.Equal(t, told[0], told[1])
		})
	}
}

// pull is what a tool gets that asks for all there is.
func pull(t *testing.T, nc *nats.Conn) []string {
	t.Helper()
	return exchange{Subject: "$SYS.REQ.CLAIMS.PACK"}.does(t, nc)
}

// TestClaimsConverge: ours and a full resolver come to hold the same, whichever had what; what is untrusted, older or
// malformed stays where it is.
func TestClaimsConverge(t *testing.T) {
	r := newRealm(t)
	s := r.full(t, 50*time.Millisecond)
	theirs := r.connect(t, s)
	push := func(token string) {
		exchange{Subject: "$SYS.REQ.CLAIMS.UPDATE", Body: []byte(token)}.does(t, theirs)
	}
	newer := r.b.Renew(authtest.Edit(func(c *jwt.AccountClaims) { c.ID = "newer" })) // by which the server tells tokens apart
	push(r.a.Token())
	push(r.b.Token())
	untrusted := r.other.Account("Z", authtest.From("other/Z"))
	push(untrusted.Token()) // which it keeps, and offers

	ours := r.node(t, s, func(c *claimsync.Config) { c.Interval = 50 * time.Millisecond })
	for _, token := range []string{newer.Token(), r.c.Token()} {
		_, err := ours.authorizer.Apply(t.Context(), token, resolver.Push)
		require.NoError(t, err)
	}
	want := []string{r.system.Token(), r.a.Token(), newer.Token(), r.c.Token()}
	require.Eventually(t, func() bool {
		hash, err := ours.store.Hash(t.Context())
		require.NoError(t, err)
		return hash == hashOf(want...) && dirHash(s) == hashOf(append(want, untrusted.Token())...)
	}, 20*time.Second, 20*time.Millisecond)
	resolvertest.Holds(t, ours.store, want...)
	require.NotZero(t, ours.Stats().Taken.Refused, "what is untrusted was offered")

	// Deleted at both. The server remembers nothing of what it deleted, and may be given it again by one that has not heard
	// yet: so the tool asks once more.
	want = want[:3]
	times := 0
	require.Eventually(t, func() bool {
		times++
		gone := r.deletion(t, r.operator.Key(), []string{r.c.PublicKey()}, func(c *jwt.GenericClaims) { c.ID = strconv.Itoa(times) })
		require.NoError(t, theirs.Publish("$SYS.REQ.CLAIMS.DELETE", gone))
		require.NoError(t, theirs.Flush())
		hash, err := ours.store.Hash(t.Context())
		require.NoError(t, err)
		return hash == hashOf(want...) && dirHash(s) == hashOf(append(want, untrusted.Token())...)
	}, 20*time.Second, 20*time.Millisecond)

	// A request that only the server has seen: ours hears of newer tokens, and takes back nothing that was deleted here.
	_, err := ours.authorizer.Remove(t.Context(), r.a.PublicKey())
	require.NoError(t, err)
	before := ours.Stats()
	require.Eventually(t, func() bool {
		now := ours.Stats()
		return now.Exchanges > before.Exchanges+3 && now.Taken.Older > before.Taken.Older
	}, 20*time.Second, 20*time.Millisecond)
	resolvertest.Holds(t, ours.store, r.system.Token(), newer.Token())
	require.Contains(t, pull(t, theirs), r.system.PublicKey()+"|"+r.system.Token())
}

func hashOf(tokens ...string) (out [sha256.Size]byte) {
	for _, token := range tokens {
		for i, x := range sha256.Sum256([]byte(token)) {
			out[i] ^= x
		}
	}
	return out
}

func dirHash(s *server.Server) [sha256.Size]byte {
	return s.AccountResolver().(*server.DirAccResolver).Hash()
}

// TestClaimsLookup: our Resolver finds what a full resolver has, ours and theirs, and knows when nobody has it.
func TestClaimsLookup(t *testing.T) {
	r := newRealm(t)
	s := r.full(t, time.Hour)
	nc := r.connect(t, s)
	exchange{Subject: "$SYS.REQ.CLAIMS.UPDATE", Body: []byte(r.a.Token())}.does(t, nc)
	asking, err := claimsync.NewResolver(claimsync.Options{Bus: natskv.NewBus(r.connect(t, s)), Peers: func() int { return 1 }})
	require.NoError(t, err)
	token, err := asking.Resolve(t.Context(), r.a.PublicKey())
	require.NoError(t, err)
	require.Equal(t, r.a.Token(), token)
	_, err = asking.Resolve(t.Context(), r.b.PublicKey())
	require.ErrorIs(t, err, resolver.ErrNotFound)
	require.NotErrorIs(t, err, resolver.ErrUnavailable)

	// The other way round: the server asks ours.
	ours := r.node(t, s, func(c *claimsync.Config) { c.Resolver = asking })
	_, err = ours.authorizer.Apply(t.Context(), r.b.Token(), resolver.Push)
	require.NoError(t, err)
	u := r.b.User("u")
	client, err := nats.Connect("", nats.InProcessServer(s), nats.UserJWT(
		func() (string, error) { return u.Token(), nil },
		func(nonce []byte) ([]byte, error) { return u.Key().Sign(nonce) },
	))
	require.NoError(t, err)
	client.Close()
}

// TestClaimsNobodyListens: what NATS says where nobody listens is not the empty answer of somebody who has no token.
func TestClaimsNobodyListens(t *testing.T) {
	s := start(t, quiet())
	nc, err := nats.Connect("", nats.InProcessServer(s))
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	asking, err := claimsync.NewResolver(claimsync.Options{Bus: natskv.NewBus(nc), Peers: func() int { return 1 }, Timeout: time.Minute})
	require.NoError(t, err)
	_, err = asking.Resolve(t.Context(), resolvertest.Account(t, 1))
	require.ErrorIs(t, err, resolver.ErrUnavailable)
	require.NotErrorIs(t, err, resolver.ErrNotFound)
}
