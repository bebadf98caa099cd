package e2e_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth/authtest"
)

// user is who connects: a token, and the key pair that signs the nonce. Without
// a pair nothing is signed.
type user struct {
	token string
	pair  nkeys.KeyPair
}

func of(u *authtest.User) user { return user{u.Token(), u.Key()} }

// sign signs a nonce as CONNECT carries it.
func (u user) sign(nonce string) string {
	if u.pair == nil {
		return ""
	}
	return authtest.SignNonce(u.pair, nonce)
}

// option has nats.go connect as the user.
func (u user) option() nats.Option {
	return nats.UserJWT(
		func() (string, error) { return u.token, nil },
		func(nonce []byte) ([]byte, error) {
			if u.pair == nil {
				return nil, nil
			}
			return u.pair.Sign(nonce)
		})
}

// world is an operator with a system account and two others, for tests that
// make users of their own.
type world struct {
	operator       *authtest.Operator
	sys, app, shop *authtest.Account
	extra          []string // more lines of the configuration
}

// newWorld makes the three accounts; the options are for APP.
func newWorld(t *testing.T, opts ...authtest.Option) *world {
	o := authtest.NewOperator(t, authtest.SystemAccount("SYS"))
	return &world{operator: o, sys: o.Account("SYS"), app: o.Account("APP", opts...), shop: o.Account("SHOP")}
}

// with adds a line to the configuration.
func (w *world) with(line string) *world {
	w.extra = append(w.extra, line)
	return w
}

// serve starts a broker for the world.
func (w *world) serve(t *testing.T) *server {
	t.Helper()
	return serve(t, w.config())
}

func (w *world) config() string {
	tokens := map[string]string{}
	for _, a := range []*authtest.Account{w.sys, w.app, w.shop} {
		tokens[a.PublicKey()] = a.Token()
	}
	return configText(w.operator.Token(), w.sys.PublicKey(), tokens, w.extra...)
}

// configText is a configuration with all accounts in memory.
func configText(operator, system string, accounts map[string]string, extra ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "operator: %s\nsystem_account: %s\nresolver: MEMORY\nresolver_preload: {\n", operator, system)
	for key, token := range accounts {
		fmt.Fprintf(&b, "  %s: %s\n", key, token)
	}
	fmt.Fprintf(&b, "}\n%s\n", strings.Join(extra, "\n"))
	return b.String()
}

// admin may do everything in APP.
func (w *world) admin() user { return of(w.app.User("admin")) }

// dialNATS connects with nats.go, and closes the connection when the test ends.
func dialNATS(t *testing.T, s *server, u user, opts ...nats.Option) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(s.url(), append([]nats.Option{u.option(), nats.Timeout(patience)}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	return nc
}

// refuseNATS connects with nats.go and gives the error that it must get.
func refuseNATS(t *testing.T, s *server, u user) error {
	t.Helper()
	nc, err := nats.Connect(s.url(), u.option(), nats.Timeout(patience))
	if err == nil {
		nc.Close()
	}
	require.Error(t, err)
	return err
}
