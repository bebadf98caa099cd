package natsserver_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth/authtest"
	"github.com/natsauth/natsauth/resolver"
	"github.com/natsauth/natsauth/resolver/accountsrv"
	"github.com/natsauth/natsauth/resolver/cache"
	"github.com/natsauth/natsauth/resolver/full"
	"github.com/natsauth/natsauth/resolver/url"
)

// seam is a resolver of ours in the place of nats-server's own.
type seam struct{ resolver.Resolver }

func (s seam) Fetch(name string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	token, err := s.Resolve(ctx, name)
	if errors.Is(err, resolver.ErrNotFound) {
		return "", server.ErrMissingAccount
	}
	return token, err
}

func (seam) Store(string, string) error { return errors.New("it is only read") }
func (seam) IsReadOnly() bool           { return true }
func (seam) Start(*server.Server) error { return nil }
func (seam) IsTrackingUpdate() bool     { return false }
func (seam) Reload() error              { return nil }
func (seam) Close()                     {}

// counted counts how often an account was asked for.
func counted(r resolver.Resolver, account string, n *atomic.Int64) resolver.Resolver {
	return resolver.Func(func(ctx context.Context, key string) (string, error) {
		if key == account {
			n.Add(1)
			time.Sleep(20 * time.Millisecond) // so that the others come meanwhile
		}
		return r.Resolve(ctx, key)
	})
}

// TestResolversInNATSServer: nats-server takes accounts from a directory and from an account server of ours; behind a cache
// many first connections are one question.
func TestResolversInNATSServer(t *testing.T) {
	op := authtest.NewOperator(t)
	account := op.Account("A")
	memory, err := resolver.NewMemory(account.Token())
	require.NoError(t, err)
	handler, err := accountsrv.New(accountsrv.Config{Accounts: memory})
	require.NoError(t, err)
	accounts := httptest.NewServer(handler)
	defer accounts.Close()
	for name, open := range map[string]func(t *testing.T) resolver.Resolver{
		"directory": func(t *testing.T) resolver.Resolver {
			s, err := full.Open(t.TempDir(), full.Options{})
			require.NoError(t, err)
			t.Cleanup(func() { s.Close() })
			_, err = s.Save(t.Context(), account.Token(), resolver.Push)
			require.NoError(t, err)
			return s
		},
		"account server": func(t *testing.T) resolver.Resolver {
			r, err := url.New(accounts.URL+"/jwt/v1/accounts/", url.Options{})
			require.NoError(t, err)
			t.Cleanup(func() { r.Close() })
			require.NoError(t, r.Probe(t.Context()))
			return r
		},
	} {
		t.Run(name, func(t *testing.T) {
			var asked atomic.Int64
			c, err := cache.New(counted(open(t), account.PublicKey(), &asked), cache.Options{})
			require.NoError(t, err)
			t.Cleanup(func() { c.Close() })
			o := quiet()
			o.DontListen, o.Host, o.Port = false, "127.0.0.1", server.RANDOM_PORT
			operator, err := jwt.DecodeOperatorClaims(op.Token())
			require.NoError(t, err)
			o.TrustedOperators, o.AccountResolver = []*jwt.OperatorClaims{operator}, seam{c}
			s := start(t, o)
			const clients = 20
			var connecting sync.WaitGroup
			for range clients {
				u := account.User("u")
				connecting.Go(func() {
					nc, err := nats.Connect(s.ClientURL(), nats.UserJWT(
						func() (string, error) { return u.Token(), nil },
						func(nonce []byte) ([]byte, error) { return u.Key().Sign(nonce) },
					))
					if err != nil {
						t.Error(err)
						return
					}
					nc.Close()
				})
			}
			connecting.Wait()
			require.Equal(t, int64(1), asked.Load())

			stranger := op.Account("STRANGER").User("u")
			_, err = nats.Connect(s.ClientURL(), nats.UserJWT(
				func() (string, error) { return stranger.Token(), nil },
				func(nonce []byte) ([]byte, error) { return stranger.Key().Sign(nonce) },
			))
			require.ErrorIs(t, err, nats.ErrAuthorization)
		})
	}
}
