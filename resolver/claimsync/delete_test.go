package claimsync_test

import (
	"context"
	"errors"
	"math"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/auth/authtest"
	"github.com/natsauth/natsauth/nonce"
	"github.com/natsauth/natsauth/resolver"
	"github.com/natsauth/natsauth/resolver/claimsync"
	"github.com/natsauth/natsauth/resolver/resolvertest"
)

// issued edits the time of a request, in seconds from now; expires likewise.
func issued(seconds int64) func(*jwt.GenericClaims) {
	return func(c *jwt.GenericClaims) { c.IssuedAt = authtest.Now().Unix() + seconds }
}

func expires(seconds int64) func(*jwt.GenericClaims) {
	return func(c *jwt.GenericClaims) { c.Expires = authtest.Now().Unix() + seconds }
}

func named(id string) func(*jwt.GenericClaims) { return func(c *jwt.GenericClaims) { c.ID = id } }

// TestF118Delete: who may have accounts deleted, and which.
func TestF118Delete(t *testing.T) {
	r := newRealm(t)
	signing := authtest.Key(nkeys.PrefixByteOperator, "O#sk")
	account := authtest.Key(nkeys.PrefixByteAccount, "O/A")
	off := func(s setup) { s.claim.AllowDelete = false }
	untold := func(s setup) { s.claim.SystemAccount = "" }
	both := func(s setup) { s.auth.Trust.Operators = append(s.auth.Trust.Operators, r.other.Token()) }
	strict := authtest.NewOperator(t, authtest.SystemAccount("SYS"), authtest.SigningKeys("sk"), authtest.Strict())
	underStrict := func(s setup) { s.auth.Trust.Operators = []string{strict.Token()} }
	a, self := []string{r.a.PublicKey()}, func(*jwt.GenericClaims) {}
	for _, row := range []struct {
		name     string
		by       nkeys.KeyPair
		accounts []string
		edit     func(*jwt.GenericClaims)
		node     func(setup)
		want     string // of the error; empty: deleted
	}{
		{"by the operator", r.operator.Key(), a, self, nil, ""},
		{"by a signing key", signing, a, self, nil, ""},
		{"by the second operator", r.other.Key(), a, self, both, ""},
		{"by an operator that is not trusted", r.other.Key(), a, self, nil, "not trusted"},
		{"by a strict operator's identity key", strict.Key(), a, self, underStrict, "not trusted"},
		{"by a strict operator's signing key", signing, a, self, underStrict, ""},
		{"by an account", account, a, self, nil, "claims: token has a wrong kind of issuer"},
		{"in another's name", r.operator.Key(), a, func(c *jwt.GenericClaims) { c.Subject = r.other.PublicKey() }, nil, "not self signed"},
		{"where it is not allowed", r.operator.Key(), a, self, off, "delete must be enabled in server config"},
		{"with the system account", r.operator.Key(), []string{r.a.PublicKey(), r.system.PublicKey()}, self, nil, "not allowed to delete system account"},
		{"with the system account of the trust set", r.operator.Key(), []string{r.system.PublicKey()}, self, untold, "not allowed to delete system account"},
		{"with a user", r.operator.Key(), []string{r.a.User("u").PublicKey()}, self, nil, "claims: token has invalid content"},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				edits := []func(setup){}
				if row.node != nil {
					edits = append(edits, row.node)
				}
				n := r.node(t, new(resolvertest.Bus), edits...)
				n.hold(r.a, r.b)
				n.authorizer.Account(t.Context(), r.system.PublicKey()) // where the trust set is of another operator it cannot be had
				got := n.one(deletes, deletion(t, row.by, row.accounts, row.edit))
				if row.want != "" {
					require.Contains(t, got.description(t), " failed - "+row.want)
					require.Empty(t, got.Error.Account)
					requireHidden(t, got.description(t))
					n.holds(r.system, r.a, r.b)
					require.EqualValues(t, 1, n.Stats().DeletesRefused)
					return
				}
				require.Nil(t, got.Error)
				require.Equal(t, "deleted 1 accounts", got.Data.Message)
				require.Equal(t, []map[string]any{{"account": r.a.PublicKey(), "state": "absent", "closed_count": 0.0}}, got.Data.Accounts)
				n.holds(r.system, r.b)
			})
		})
	}
}

// TestB21DeleteClosesSessions: the answer tells what is the case afterwards.
func TestB21DeleteClosesSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRealm(t)
		n := r.node(t, new(resolvertest.Bus))
		n.hold(r.a)
		s, err := n.authorizer.Connect(t.Context(), r.a.User("u").Credentials(nonce.New()))
		require.NoError(t, err)
		got := n.one(deletes, deletion(t, r.operator.Key(), []string{r.a.PublicKey(), r.b.PublicKey()}))
		require.Equal(t, "deleted 2 accounts", got.Data.Message)
		require.Equal(t, []map[string]any{
			{"account": r.a.PublicKey(), "state": "absent", "closed_count": 1.0},
			{"account": r.b.PublicKey(), "state": "absent", "closed_count": 0.0},
		}, got.Data.Accounts)
		require.Error(t, s.Err())
		n.holds(r.system)
		_, err = n.authorizer.Connect(t.Context(), r.a.User("u").Credentials(nonce.New()))
		require.Error(t, err)
	})
}

func TestDeletePartly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRealm(t)
		var n *node
		n = r.node(t, new(resolvertest.Bus), func(s setup) {
			s.claim.Authorizer = authorizers{func() claimsync.Authorizer {
				return stub{Authorizer: n.authorizer, remove: func(ctx context.Context, account string) (auth.Report, error) {
					if account == r.b.PublicKey() {
						return auth.Report{}, errors.New("no disk")
					}
					return n.authorizer.Remove(ctx, account)
				}}
			}}
		})
		n.hold(r.a, r.b, r.c)
		got := n.one(deletes, deletion(t, r.operator.Key(), []string{r.a.PublicKey(), r.b.PublicKey(), r.c.PublicKey()}))
		require.Equal(t, "deleted 2 accounts, failed for 1 - no disk", got.description(t))
		require.Equal(t, []map[string]any{
			{"account": r.b.PublicKey(), "state": "none", "closed_count": 0.0, "error": "no disk"},
			{"account": r.a.PublicKey(), "state": "absent", "closed_count": 0.0},
			{"account": r.c.PublicKey(), "state": "absent", "closed_count": 0.0},
		}, got.Error.Accounts)
		n.holds(r.system, r.b)
	})
}

// authorizers finds its authorizer when it is asked.
type authorizers struct{ get func() claimsync.Authorizer }

func (a authorizers) Apply(ctx context.Context, token string, m resolver.Mode) (auth.Report, error) {
	return a.get().Apply(ctx, token, m)
}
func (a authorizers) Remove(ctx context.Context, account string) (auth.Report, error) {
	return a.get().Remove(ctx, account)
}
func (a authorizers) Administers(key string) bool              { return a.get().Administers(key) }
func (a authorizers) InForce(key string) (*auth.Account, bool) { return a.get().InForce(key) }

// TestB23Times: a request is in time until its expiry, or while it is young.
func TestB23Times(t *testing.T) {
	r := newRealm(t)
	minute := func(s setup) { s.claim.MaxRequestAge, s.claim.MaxSkew = time.Minute, 10*time.Second }
	for _, row := range []struct {
		name  string
		edits []func(*jwt.GenericClaims)
		want  string
	}{
		{"young", []func(*jwt.GenericClaims){issued(-59)}, ""},
		{"at the age", []func(*jwt.GenericClaims){issued(-60)}, ""},
		{"a second over the age", []func(*jwt.GenericClaims){issued(-61)}, "the request is too old"},
		{"a little ahead", []func(*jwt.GenericClaims){issued(9)}, ""},
		{"as far ahead as may be", []func(*jwt.GenericClaims){issued(10)}, ""},
		{"a second further", []func(*jwt.GenericClaims){issued(11)}, "the request is from the future"},
		{"not dated", []func(*jwt.GenericClaims){func(c *jwt.GenericClaims) { c.IssuedAt = 0 }}, "neither an expiry"},
		{"at the beginning of time", []func(*jwt.GenericClaims){func(c *jwt.GenericClaims) { c.IssuedAt = math.MinInt64 }}, "the request is too old"},
		{"at the end of time", []func(*jwt.GenericClaims){func(c *jwt.GenericClaims) { c.IssuedAt = math.MaxInt64 }}, "the request is from the future"},
		{"old, until the next second", []func(*jwt.GenericClaims){issued(-1000), expires(1)}, ""},
		{"old, until now", []func(*jwt.GenericClaims){issued(-1000), expires(0)}, "the request is expired"},
		{"old, until the second before", []func(*jwt.GenericClaims){issued(-1000), expires(-1)}, "the request is expired"},
		{"young, and over", []func(*jwt.GenericClaims){issued(-1), expires(0)}, "the request is expired"},
		{"not dated, until the next second", []func(*jwt.GenericClaims){func(c *jwt.GenericClaims) { c.IssuedAt = 0 }, expires(1)}, ""},
		{"from the future, with an end", []func(*jwt.GenericClaims){issued(11), expires(100)}, "the request is from the future"},
		{"valid from now", []func(*jwt.GenericClaims){func(c *jwt.GenericClaims) { c.NotBefore = authtest.Now().Unix() }}, ""},
		{"valid from the next second", []func(*jwt.GenericClaims){func(c *jwt.GenericClaims) { c.NotBefore = authtest.Now().Unix() + 1 }}, "the request is not valid yet"},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := r.node(t, new(resolvertest.Bus), minute)
				n.hold(r.a)
				got := n.one(deletes, deletion(t, r.operator.Key(), []string{r.a.PublicKey()}, row.edits...))
				if row.want == "" {
					require.Nil(t, got.Error)
					n.holds(r.system)
					return
				}
				require.Contains(t, got.description(t), row.want)
				n.holds(r.system, r.a)
			})
		})
	}
}

// TestB23Replays: a request counts once, in whatever spelling, as long as it is in time; then it is too old.
func TestB23Replays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRealm(t)
		n := r.node(t, new(resolvertest.Bus), func(s setup) {
			s.claim.Clock, s.claim.MaxRequestAge, s.claim.Bounds.Replays = ticking(), time.Minute, 3
		})
		ask := func(request string) string {
			t.Helper()
			got := n.one(deletes, request)
			if got.Error == nil {
				return ""
			}
			return got.description(t)
		}
		a := []string{r.a.PublicKey()}
		first := deletion(t, r.operator.Key(), a)
		require.Empty(t, ask(first))
		require.Contains(t, ask(first), "the request was made before")
		require.Contains(t, ask(resolvertest.Respelt(first)), "the request was made before")
		require.Empty(t, ask(deletion(t, r.operator.Key(), a, named("x"))), "another request of the same second")
		ending := deletion(t, r.operator.Key(), a, expires(70))
		require.Empty(t, ask(ending))
		require.Contains(t, ask(deletion(t, r.operator.Key(), a, named("y"))), "too many requests are remembered")

		time.Sleep(time.Minute)
		require.Contains(t, ask(first), "the request was made before", "at the end of its time")
		require.Contains(t, ask(deletion(t, r.operator.Key(), a, issued(60))), "too many requests are remembered")
		time.Sleep(time.Second)
		require.Contains(t, ask(first), "the request is too old")
		require.Contains(t, ask(ending), "the request was made before")
		for i := range 2 { // those that are over made room
			require.Empty(t, ask(deletion(t, r.operator.Key(), a, issued(60), named(strconv.Itoa(i)))))
		}
		require.Contains(t, ask(deletion(t, r.operator.Key(), a, issued(60), named("z"))), "too many requests are remembered")
		time.Sleep(8 * time.Second)
		require.Contains(t, ask(ending), "the request was made before")
		time.Sleep(time.Second)
		require.Contains(t, ask(ending), "the request is expired")
		require.Empty(t, ask(deletion(t, r.operator.Key(), a, issued(60), named("z"))), "it made room")
	})
}
