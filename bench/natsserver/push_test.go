package natsserver_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/auth/authtest"
	"github.com/natsauth/natsauth/bench/internal/measure"
	"github.com/natsauth/natsauth/nonce"
	"github.com/natsauth/natsauth/resolver"
	"github.com/natsauth/natsauth/resolver/accountsrv"
	"github.com/natsauth/natsauth/resolver/full"
	"github.com/natsauth/natsauth/resolver/natskv"
	"github.com/natsauth/natsauth/resolver/url"
)

// refresh is the Config.Refresh of who asks an account server.
const refresh = 100 * time.Millisecond

// pushed is a kind of store, as whoever pushes and whoever is connected see it.
type pushed interface {
	authorizer() *auth.Authorizer                        // whose sessions are told
	push(ctx context.Context, a *authtest.Account) error // returns when it is acknowledged
}

// stores are the kinds of stores, by name. Each is opened with an account, for the time of a benchmark.
var stores = []struct {
	name string
	open func(b *testing.B, first *authtest.Account) pushed
}{
	{"memory", func(b *testing.B, first *authtest.Account) pushed {
		return own{keeping(b, first, new(resolver.Memory))}
	}},
	{"full, on the disk", func(b *testing.B, first *authtest.Account) pushed {
		dir, err := full.Open(b.TempDir(), full.Options{})
		require.NoError(b, err)
		b.Cleanup(func() { require.NoError(b, dir.Close()) })
		return own{keeping(b, first, dir)}
	}},
	{fmt.Sprintf("URL, Refresh %v", refresh), overHTTP},
	{"JetStream KV, at another broker", inBucket},
}

// BenchmarkPushToInForce is the time from the beginning of a push until a session of a user whom it revokes is told, by the
// wall. An iteration is a push.
func BenchmarkPushToInForce(b *testing.B) {
	for _, kind := range stores {
		b.Run(kind.name, func(b *testing.B) {
			began := time.Now().Add(-12 * time.Hour)
			operator := authtest.NewOperator(b, authtest.IssuedAt(began), authtest.SystemAccount("SYS"))
			edition := func(n int) *authtest.Account { // each a second later than the one before, and of other content
				user := fmt.Sprint("u", n)
				return operator.Account("A", authtest.IssuedAt(began.Add(time.Duration(n)*time.Second)), authtest.Revoke(user, began))
			}
			store := kind.open(b, edition(0))
			var took, units []float64
			for b.Loop() {
				next, user := edition(len(took)+1), fmt.Sprint("u", len(took)+1)
				told := sit(b, store.authorizer(), next.User(user, authtest.IssuedAt(began.Add(-time.Hour))))
				unit := verifying()
				time.Sleep(rand.N(refresh)) // so as not to keep step with who looks up
				start := time.Now()
				require.NoError(b, store.push(b.Context(), next))
				took = append(took, float64((<-told).Sub(start)))
				units = append(units, took[len(took)-1]/unit)
			}
			ms := measure.Median(took) / float64(time.Millisecond)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(ms, "ms/push")
			report.Tell(measure.Row{
				ID: "push", What: "push to in force: " + kind.name, Got: measure.Median(units), Unit: "u",
				Note: fmt.Sprintf("%.2f ms, the longest of %d %.0f u, %.2f ms",
					ms, len(took), slices.Max(units), slices.Max(took)/float64(time.Millisecond)),
			})
		})
	}
}

// sit connects a user, and gives when its session is told that it has ended.
func sit(b *testing.B, a *auth.Authorizer, u *authtest.User) <-chan time.Time {
	s, err := a.Connect(b.Context(), u.Credentials(nonce.New()))
	require.NoError(b, err)
	told := make(chan time.Time, 1)
	s.Notify(func(e auth.Event) {
		if e.Kind != auth.Closed {
			return
		}
		told <- time.Now()
		if e.Err.Reason != auth.UserRevoked {
			b.Errorf("the session was told %v", e.Err)
		}
	})
	return told
}

// verifying is how long an ed25519.Verify takes now, by the wall, in nanoseconds.
func verifying() float64 {
	const n = 32
	unit := measure.Verify()
	unit.Run(n)
	start := time.Now()
	unit.Run(n)
	return float64(time.Since(start)) / n
}

// keeping is an Authorizer with a store of its own, which holds the account.
func keeping(b *testing.B, first *authtest.Account, s resolver.Store) *auth.Authorizer {
	_, err := s.Save(b.Context(), first.Token(), resolver.Push)
	require.NoError(b, err)
	return deciding(b, first, func(c *auth.Config) { c.Store = s })
}

func deciding(b *testing.B, first *authtest.Account, edit func(*auth.Config)) *auth.Authorizer {
	return authtest.Authorizer(b, first.Operator(), nil, func(c *auth.Config) {
		c.Clock, c.Resolver = nil, nil
		edit(c)
	})
}

// own is an Authorizer to which tokens are pushed itself.
type own struct{ *auth.Authorizer }

func (o own) authorizer() *auth.Authorizer { return o.Authorizer }

func (o own) push(ctx context.Context, a *authtest.Account) error {
	_, err := o.Apply(ctx, a.Token(), resolver.Push)
	return err
}

// remote is an Authorizer that asks an account server now and then, to which tokens are pushed.
type remote struct {
	*auth.Authorizer
	server *httptest.Server
}

func overHTTP(b *testing.B, first *authtest.Account) pushed {
	tokens := new(resolver.Memory)
	handler, err := accountsrv.New(accountsrv.Config{Accounts: tokens, Authorizer: keeping(b, first, tokens)})
	require.NoError(b, err)
	server := httptest.NewServer(handler)
	b.Cleanup(server.Close)
	r, err := url.New(server.URL+"/jwt/v1/accounts", url.Options{})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, r.Close()) })
	return remote{deciding(b, first, func(c *auth.Config) { c.Resolver, c.Refresh = r, refresh }), server}
}

func (r remote) authorizer() *auth.Authorizer { return r.Authorizer }

func (r remote) push(ctx context.Context, a *authtest.Account) error {
	to := r.server.URL + "/jwt/v1/accounts/" + a.PublicKey()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, strings.NewReader(a.Token()))
	if err != nil {
		return err
	}
	resp, err := r.server.Client().Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("a push was answered with %s", resp.Status)
	}
	return nil
}

// neighbour is an Authorizer that watches a bucket, into which another one's tokens are pushed.
type neighbour struct {
	*auth.Authorizer
	at own
}

func inBucket(b *testing.B, first *authtest.Account) pushed {
	o := quiet()
	o.JetStream, o.StoreDir = true, b.TempDir()
	s := start(b, o)
	store := func() *natskv.Store {
		nc, err := nats.Connect("", nats.InProcessServer(s))
		require.NoError(b, err)
		b.Cleanup(nc.Close)
		js, err := jetstream.New(nc)
		require.NoError(b, err)
		kv, err := natskv.New(js, natskv.Options{Bucket: "accounts", Replicas: 1})
		require.NoError(b, err)
		return kv
	}
	at := own{keeping(b, first, store())}
	kv := store()
	return neighbour{deciding(b, first, func(c *auth.Config) { c.Store, c.Watch = kv, []resolver.Watcher{kv} }), at}
}

func (n neighbour) authorizer() *auth.Authorizer { return n.Authorizer }

func (n neighbour) push(ctx context.Context, a *authtest.Account) error { return n.at.push(ctx, a) }
