package natskv_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth/authtest"
	"github.com/natsauth/natsauth/resolver"
	"github.com/natsauth/natsauth/resolver/natskv"
	"github.com/natsauth/natsauth/resolver/resolvertest"
)

// seam is a store in the place of nats-server's own resolver.
type seam struct{ resolver.Resolver }

func (s seam) Fetch(name string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	token, err := s.Resolve(ctx, name)
	if resolver.IsNotFound(err) {
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

// as is the option by which a user connects.
func as(u *authtest.User) nats.Option {
	return nats.UserJWT(
		func() (string, error) { return u.Token(), nil },
		func(nonce []byte) ([]byte, error) { return u.Key().Sign(nonce) },
	)
}

// TestServerOnItsOwnBucket: a server takes its accounts from a bucket that it keeps itself. The store reaches that as a user
// of an account in there, by the tokens that it begins with (F017); what is pushed into the bucket counts from then on.
func TestServerOnItsOwnBucket(t *testing.T) {
	op := authtest.NewOperator(t, authtest.SystemAccount("SYS"))
	system, client := op.Account("SYS"), op.Account("CLIENT")
	keeper := op.Account("KEEPER", authtest.Edit(func(c *jwt.AccountClaims) {
		c.Limits.JetStreamLimits = jwt.JetStreamLimits{
			MemoryStorage: jwt.NoLimit, DiskStorage: jwt.NoLimit, Streams: jwt.NoLimit, Consumer: jwt.NoLimit,
		}
	}))
	for name, begins := range map[string]bool{"with the tokens": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			port := freePort(t)
			nc, err := nats.Connect(fmt.Sprint("nats://127.0.0.1:", port), as(keeper.User("broker")), nats.RetryOnFailedConnect(true),
				nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond), nats.IgnoreAuthErrorAbort())
			require.NoError(t, err)
			t.Cleanup(func() { closed(t, nc) })
			store := open(t, streams(t, nc), in("own"), func(o *natskv.Options) {
				if begins {
					o.Bootstrap = []string{system.Token(), keeper.Token()}
				}
			})
			operator, err := jwt.DecodeOperatorClaims(op.Token())
			require.NoError(t, err)
			s := start(t, func(o *server.Options) {
				o.Port, o.TrustedOperators, o.SystemAccount, o.AccountResolver = port, []*jwt.OperatorClaims{operator}, system.PublicKey(), seam{store}
			})
			if !begins {
				_, err := nats.Connect(s.ClientURL(), as(keeper.User("broker")))
				require.ErrorIs(t, err, nats.ErrAuthorization)
				return
			}
			watch(t, store)
			eventually(t, "they are saved", func() bool { return store.Stats().Accounts == 2 })
			resolvertest.Holds(t, open(t, streams(t, nc), in("own")), system.Token(), keeper.Token())
			_, err = nats.Connect(s.ClientURL(), as(client.User("u")))
			require.ErrorIs(t, err, nats.ErrAuthorization)
			_, err = store.Save(t.Context(), client.Token(), resolver.Push)
			require.NoError(t, err)
			connect(t, s, as(client.User("u")))

			renewed := keeper.Renew(authtest.Name("renamed"))
			_, err = store.Save(t.Context(), renewed.Token(), resolver.Push)
			require.NoError(t, err)
			token, err := store.Resolve(t.Context(), keeper.PublicKey())
			require.NoError(t, err)
			require.Equal(t, renewed.Token(), token)
		})
	}
}
