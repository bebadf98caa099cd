package auth_test

import (
	"context"
	"crypto/rand"
	"net/netip"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/auth/authtest"
	"github.com/natsauth/natsauth/nonce"
)

// world is one operator with one account, and an Authorizer that lives by the
// clock of the test, which synctest may hold. Its tokens are issued now.
type world struct {
	operator   *authtest.Operator
	account    *authtest.Account
	key        string // the account's
	authorizer *auth.Authorizer
}

// noUser and noAccount change nothing.
func noUser(*jwt.UserClaims)       {}
func noAccount(*jwt.AccountClaims) {}

func newWorld(t *testing.T, edit func(*jwt.AccountClaims), configs ...func(*auth.Config)) *world {
	t.Helper()
	return newWorldOf(t, authtest.NewOperator(t, authtest.IssuedAt(time.Now())), edit, configs...)
}

// newWorldOf is newWorld with an operator that the test has made.
func newWorldOf(t *testing.T, operator *authtest.Operator, edit func(*jwt.AccountClaims), configs ...func(*auth.Config)) *world {
	t.Helper()
	w := &world{operator: operator}
	w.account = w.issue(time.Now(), edit)
	w.key = w.account.PublicKey()
	configs = append([]func(*auth.Config){func(c *auth.Config) { c.Clock = nil }}, configs...)
	w.authorizer = authtest.Authorizer(t, operator, []*authtest.Account{w.account}, configs...)
	return w
}

// issue makes a token of the account.
func (w *world) issue(at time.Time, edit func(*jwt.AccountClaims)) *authtest.Account {
	return w.operator.Account("A", authtest.IssuedAt(at), authtest.Edit(edit))
}

// token is a token of the account, issued now.
func (w *world) token(edit func(*jwt.AccountClaims)) string {
	return w.issue(time.Now(), edit).Token()
}

// client makes the credentials of a user of the account that nobody has seen
// before.
func (w *world) client(edit func(*jwt.UserClaims)) auth.Credentials {
	u := w.account.User(rand.Text(), authtest.Name("u"), authtest.IssuedAt(time.Now()), authtest.Edit(edit))
	c := u.Credentials(nonce.New())
	c.Source = netip.MustParseAddr("192.0.2.1")
	return c
}

func (w *world) connect(t *testing.T, edit func(*jwt.UserClaims)) *auth.Session {
	t.Helper()
	s, err := w.authorizer.Connect(context.Background(), w.client(edit))
	require.NoError(t, err)
	return s
}

// refuse wants the client refused, and gives the refusal.
func (w *world) refuse(t *testing.T, c auth.Credentials) *auth.Error {
	t.Helper()
	s, err := w.authorizer.Connect(context.Background(), c)
	require.Nil(t, s)
	var refusal *auth.Error
	require.ErrorAs(t, err, &refusal)
	return refusal
}
