package natskv_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/auth/authtest"
	"github.com/natsauth/natsauth/nonce"
	"github.com/natsauth/natsauth/resolver"
	"github.com/natsauth/natsauth/resolver/natskv"
	"github.com/natsauth/natsauth/resolver/resolvertest"
)

var pushes = flag.Int("pushes", 12, "revocations that are pushed at three nodes; to see more: 300")

const shared = "shared" // the bucket of the nodes

// node is a server of a cluster, and a broker with our Authorizer at it.
type node struct {
	options    *server.Options
	server     *server.Server
	nc         *nats.Conn
	store      *natskv.Store
	authorizer *auth.Authorizer
}

// freePort is a port that nobody listens on now.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func (n *node) start(t *testing.T) {
	t.Helper()
	s, err := server.NewServer(n.options)
	require.NoError(t, err)
	s.Start()
	n.server = s
	t.Cleanup(func() { stop(s) })
}

// cluster is three nodes with one bucket, which is on all of them. Each has read everything that is in there.
func cluster(t *testing.T, operator *authtest.Operator, account *authtest.Account) []*node {
	t.Helper()
	if testing.Short() {
		t.Skip("three servers: not under -short")
	}
	nodes := make([]*node, 3)
	var routes []*url.URL
	for i := range nodes {
		port := freePort(t)
		routes = append(routes, &url.URL{Scheme: "nats-route", Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(port))})
		nodes[i] = &node{options: &server.Options{
			ServerName: fmt.Sprint("node-", i), Host: "127.0.0.1", Port: freePort(t), NoLog: true, NoSigs: true, JetStream: true,
			StoreDir: t.TempDir(), Cluster: server.ClusterOpts{Name: "three", Host: "127.0.0.1", Port: port},
		}}
	}
	for _, n := range nodes {
		n.options.Routes = routes
		n.start(t)
	}
	for _, n := range nodes {
		require.True(t, n.server.ReadyForConnections(10*time.Second))
		n.nc = connect(t, n.server)
		n.store = open(t, streams(t, n.nc), in(shared), func(o *natskv.Options) { o.Replicas, o.Poll = 3, 200*time.Millisecond })
	}
	eventually(t, "there is a bucket", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		_, err := nodes[0].store.Save(ctx, account.Token(), resolver.Push)
		return err == nil
	})
	for _, n := range nodes {
		n.authorizer = authtest.Authorizer(t, operator, nil, func(c *auth.Config) {
			c.Resolver, c.Store, c.Watch = nil, n.store, []resolver.Watcher{n.store}
		})
		eventually(t, "it has read everything", func() bool { return n.store.Stats().Accounts == 1 })
	}
	return nodes
}

// enter is a session of a user at a node.
func (n *node) enter(t *testing.T, u *authtest.User) *auth.Session {
	t.Helper()
	s, err := n.authorizer.Connect(t.Context(), u.Credentials(nonce.New()))
	require.NoError(t, err)
	return s
}

// push pushes a token at a node until that has acknowledged it.
func (n *node) push(t *testing.T, a *authtest.Account) {
	t.Helper()
	eventually(t, "it is pushed", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		_, err := n.authorizer.Apply(ctx, a.Token(), resolver.Push)
		require.NotErrorIs(t, err, resolver.ErrRollback)
		return err == nil
	})
}

// holds waits until a node has a token in force.
func (n *node) holds(t *testing.T, a *authtest.Account) {
	t.Helper()
	eventually(t, "it is in force", func() bool { return n.issued(a) == issued(a) })
}

func (n *node) issued(a *authtest.Account) int64 {
	view, ok := n.authorizer.InForce(a.PublicKey())
	if !ok {
		return 0
	}
	return view.Claims().IssuedAt
}

func issued(a *authtest.Account) int64 {
	t, err := resolver.ReadToken(a.Token())
	if err != nil {
		panic(err) // the kit's tokens are tokens
	}
	return t.Mark.IssuedAt
}

func user(i int) string { return fmt.Sprint("u", i) }

// TestThreeNodes: what is pushed at one node is in force at the others, soon, whichever it is.
func TestThreeNodes(t *testing.T) {
	operator := authtest.NewOperator(t)
	account := operator.Account("A")
	nodes := cluster(t, operator, account)
	var took []time.Duration
	for i := range *pushes {
		var sessions []*auth.Session
		for _, n := range nodes {
			sessions = append(sessions, n.enter(t, account.User(user(i))))
		}
		account = account.Renew(authtest.Revoke(user(i), authtest.Now()))
		began := time.Now()
		nodes[i%3].push(t, account)
		for _, s := range sessions {
			<-s.Done()
			var why *auth.Error
			require.ErrorAs(t, s.Err(), &why)
			require.Equal(t, auth.UserRevoked, why.Reason)
		}
		took = append(took, time.Since(began))
		for _, n := range nodes {
			_, err := n.authorizer.Connect(t.Context(), account.User(user(i)).Credentials(nonce.New()))
			require.Error(t, err)
		}
	}
	for _, n := range nodes {
		n.holds(t, account)
		resolvertest.Holds(t, n.store, account.Token())
	}
	js := streams(t, nodes[0].nc)
	_, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "direct", Replicas: 3})
	require.NoError(t, err)
	_, err = open(t, js, in("direct")).Resolve(t.Context(), account.PublicKey())
	require.ErrorIs(t, err, natskv.ErrBucket, "each of its copies answers, also one that has not heard")

	slices.Sort(took)
	fmt.Printf("JetStream KV on three servers, push to the last session's end at three brokers: median %v, longest %v of %d pushes (-pushes)\n",
		took[len(took)/2].Round(time.Microsecond), took[len(took)-1].Round(time.Microsecond), len(took))
}

// TestLeaderStops: while the leader of the bucket is stopped and comes back, no revocation that was acknowledged is lost,
// and none is undone by what a watch tells of the past.
func TestLeaderStops(t *testing.T) {
	operator := authtest.NewOperator(t)
	account := operator.Account("A")
	nodes := cluster(t, operator, account)
	for _, n := range nodes {
		n.enter(t, account.User("stays"))
	}
	leader := slices.IndexFunc(nodes, func(n *node) bool { return n.server.JetStreamIsStreamLeader("$G", "KV_"+shared) })
	require.GreaterOrEqual(t, leader, 0)
	survivors := slices.Delete(slices.Clone(nodes), leader, leader+1)
	never := backwards(nodes, account)

	push := func(i int) {
		account = account.Renew(authtest.Revoke(user(i), authtest.Now()))
		survivors[i%2].push(t, account)
	}
	older := account
	push(0)
	stop(nodes[leader].server)
	for i := 1; i < 6; i++ {
		push(i)
	}
	for _, n := range nodes { // that of the stopped server, too: its connection has found another
		n.holds(t, account)
	}
	nodes[leader].start(t)
	for i := 6; i < 9; i++ {
		push(i)
	}
	for _, n := range nodes {
		n.holds(t, account)
		eventually(t, "it knows all", func() bool {
			hash, err := n.store.Hash(t.Context())
			return err == nil && hash == hashOf(account)
		})
		resolvertest.Holds(t, n.store, account.Token())
		_, err := n.store.Save(t.Context(), older.Token(), resolver.Merge)
		require.ErrorIs(t, err, resolver.ErrRollback)
		for i := range 9 {
			_, err := n.authorizer.Connect(t.Context(), account.User(user(i)).Credentials(nonce.New()))
			var why *auth.Error
			require.True(t, errors.As(err, &why) && why.Reason == auth.UserRevoked, "%v", err)
		}
		n.enter(t, account.User("stays"))
	}
	require.Empty(t, never(), "an older token came back into force")
}

// backwards looks on whether an older token comes into force in place of a newer one, until its result is asked for.
func backwards(nodes []*node, a *authtest.Account) (result func() []string) {
	done, out := make(chan struct{}), make(chan []string)
	go func() {
		var bad []string
		last := make([]int64, len(nodes))
		for {
			select {
			case <-done:
				out <- bad
				return
			default:
			}
			for i, n := range nodes {
				now := n.issued(a)
				if now < last[i] {
					bad = append(bad, fmt.Sprintf("node %d: %d after %d", i, now, last[i]))
				}
				last[i] = now
			}
			time.Sleep(100 * time.Microsecond)
		}
	}()
	return func() []string {
		close(done)
		return <-out
	}
}

// hashOf is what a store says that holds these tokens.
func hashOf(accounts ...*authtest.Account) [32]byte {
	var tokens []string
	for _, a := range accounts {
		tokens = append(tokens, a.Token())
	}
	m, err := resolver.NewMemory(tokens...)
	if err != nil {
		panic(err) // the kit's tokens are tokens
	}
	hash, err := m.Hash(context.Background())
	if err != nil {
		panic(err)
	}
	return hash
}
