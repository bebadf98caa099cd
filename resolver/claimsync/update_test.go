package claimsync_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/auth/authtest"
	"github.com/natsauth/natsauth/nonce"
	"github.com/natsauth/natsauth/resolver"
	"github.com/natsauth/natsauth/resolver/claimsync"
	"github.com/natsauth/natsauth/resolver/resolvertest"
)

// stub is an Authorizer of which a test answers some questions.
type stub struct {
	claimsync.Authorizer
	apply  func(ctx context.Context, token string, m resolver.Mode) (auth.Report, error)
	remove func(ctx context.Context, account string) (auth.Report, error)
}

func (s stub) Apply(ctx context.Context, token string, m resolver.Mode) (auth.Report, error) {
	if s.apply == nil {
		return s.Authorizer.Apply(ctx, token, m)
	}
	return s.apply(ctx, token, m)
}

func (s stub) Remove(ctx context.Context, account string) (auth.Report, error) {
	if s.remove == nil {
		return s.Authorizer.Remove(ctx, account)
	}
	return s.remove(ctx, account)
}

func TestUpdates(t *testing.T) {
	r := newRealm(t)
	at := func(seconds int64, name string) *authtest.Account {
		return r.operator.Account("A", authtest.Name(name), authtest.IssuedAt(authtest.Now().Add(time.Duration(seconds)*time.Second)))
	}
	held := at(-100, "held")
	for _, row := range []struct {
		name  string
		token *authtest.Account
		want  string // part of the error; empty: taken
	}{
		{"a second before", at(-101, "x"), "older"},
		{"same second, other content", at(-100, "x"), ""},
		{"same token", held, ""},
		{"a second after", at(-99, "x"), ""},
		{"at the edge of the future", at(300, "x"), ""},
		{"from the future", at(301, "x"), "future"},
		{"until now", r.operator.Account("A", authtest.Expires(authtest.Now())), "expired"},
		{"until the next second", r.operator.Account("A", authtest.IssuedAt(authtest.Now()), authtest.Expires(authtest.Now().Add(time.Second))), ""},
		{"by a signing key", r.operator.Account("A", authtest.SignedBy("sk"), authtest.IssuedAt(authtest.Now())), ""},
		{"by another operator", r.other.Account("A", authtest.IssuedAt(authtest.Now())), "trust"},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := r.node(t, new(resolvertest.Bus))
				n.hold(held)
				for _, to := range []string{updates, update(row.token)} {
					got := n.one(to, row.token.Token())
					if row.want == "" {
						require.Nil(t, got.Error)
						require.Equal(t, "jwt updated", got.Data.Message)
						require.Equal(t, row.token.PublicKey(), got.Data.Account)
						require.Equal(t, "saved", got.Data.Report["state"])
						n.holds(r.system, row.token)
						continue
					}
					require.Contains(t, got.description(t), refusal("auth: "))
					require.Contains(t, got.description(t), row.want)
					require.Equal(t, row.token.PublicKey(), got.Error.Account)
					requireHidden(t, got.description(t))
					n.holds(r.system, held)
				}
			})
		})
	}
}

// TestB5UpdateReports: the answer tells what is in force: imports that are dead and why, sessions closed and changed.
func TestB5UpdateReports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRealm(t)
		n := r.node(t, new(resolvertest.Bus))
		n.hold(r.a, r.b)
		for _, name := range []string{"stays", "goes"} {
			_, err := n.authorizer.Connect(t.Context(), r.a.User(name).Credentials(nonce.New()))
			require.NoError(t, err)
		}
		n.loads(r.b)
		got := n.one(updates, r.a.Renew(
			authtest.Revoke("goes", authtest.Now()), authtest.StreamImport(r.b.PublicKey(), "x", "y"),
			authtest.DefaultPermissions(authtest.PubAllow("x")),
		).Token())
		report := got.Data.Report
		require.Equal(t, "in force", report["state"])
		require.Equal(t, 1.0, report["closed_count"])
		require.Equal(t, 1.0, report["changed_count"])
		imports := report["imports"].([]any)
		require.Len(t, imports, 1)
		require.Equal(t, "dead", imports[0].(map[string]any)["state"])
		require.Contains(t, imports[0].(map[string]any)["why"], "not exported")
	})
}

// TestB5AcknowledgedAfterwards: nobody is answered before the token is in force, and one request does not overtake another.
func TestB5AcknowledgedAfterwards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, bus := newRealm(t), new(resolvertest.Bus)
		gate, applied := make(chan struct{}), 0
		n := r.node(t, bus, func(s setup) {
			s.claim.Authorizer = stub{apply: func(context.Context, string, resolver.Mode) (auth.Report, error) {
				<-gate
				applied++
				return auth.Report{}, nil
			}}
		})
		require.Empty(t, n.ask(updates, r.a.Token()))
		require.Empty(t, n.ask(updates, r.b.Token()))
		require.Zero(t, applied)
		answers := collect(t, bus, "_INBOX.tool.>")
		gate <- struct{}{}
		synctest.Wait()
		require.Len(t, answers(), 1)
		require.Equal(t, r.a.PublicKey(), read(t, answers()[0]).Data.Account)
		gate <- struct{}{}
		synctest.Wait()
		require.Len(t, answers(), 2)
		require.Equal(t, 2, applied)
	})
}

// TestLastPushWins: of two pushes of one second the one that was sent last is in force.
func TestLastPushWins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, bus := newRealm(t), new(resolvertest.Bus)
		n := r.node(t, bus)
		var last *authtest.Account
		for _, name := range []string{"1", "2", "3", "4", "5", "6"} {
			last = r.operator.Account("A", authtest.Name(name))
			require.NoError(t, bus.Publish(t.Context(), resolver.Msg{Subject: update(last), Data: []byte(last.Token())}))
		}
		synctest.Wait()
		n.holds(r.system, last)
		require.EqualValues(t, 6, n.Stats().Updated)
		require.Zero(t, n.Stats().Unanswered)
	})
}

// TestUpdateOfAnother: what stands in the subject is whom the token is of.
func TestUpdateOfAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRealm(t)
		n := r.node(t, new(resolvertest.Bus))
		for _, to := range []string{update(r.b), "$SYS.ACCOUNT." + r.b.PublicKey() + ".CLAIMS.UPDATE", "$SYS.ACCOUNT.x.CLAIMS.UPDATE"} {
			require.Equal(t, refusal("subject does not match jwt content"), n.one(to, r.a.Token()).description(t))
		}
		n.holds(r.system)
		require.EqualValues(t, 3, n.Stats().Refused)
	})
}

func TestCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRealm(t)
		n := r.node(t, new(resolvertest.Bus), func(s setup) { s.claim.Cache, s.claim.Interval = true, time.Second })
		n.hold(r.a, r.b)
		n.loads(r.a)

		got := n.one(updates, r.b.Renew().Token())
		require.Equal(t, "jwt update cache skipped", got.Data.Message)
		require.Equal(t, 200, got.Data.Code)
		require.Nil(t, got.Data.Report)
		newer := r.a.Renew()
		got = n.one(update(newer), newer.Token())
		require.Equal(t, "jwt updated cache", got.Data.Message)
		require.Equal(t, "in force", got.Data.Report["state"])
		n.holds(r.system, newer, r.b)

		got = n.one(updates, r.a.Token())
		require.Contains(t, got.description(t), "jwt update cache resulted in error - auth: ")
		got = n.one(update(r.b), "x")
		require.Contains(t, got.description(t), "jwt update cache resulted in error - claims: ")
		require.Equal(t, r.b.PublicKey(), got.Error.Account)
		require.Equal(t, "n/a", n.one(updates, "x").Error.Account)
		got = n.one(updates, r.operator.Account("A", authtest.Edit(func(c *jwt.AccountClaims) { c.Limits.Subs, c.InfoURL = -1, ":" })).Token())
		require.Contains(t, got.description(t), "jwt update cache validation failed - claims: ")
		require.Equal(t, r.a.PublicKey(), got.Error.Account)

		require.Empty(t, n.ask(lookup(r.a), ""))
		require.Empty(t, n.ask(packs, ""))
		time.Sleep(time.Minute)
		require.Zero(t, n.Stats().Exchanges+n.Stats().ExchangesFailed)
		require.Len(t, n.ask(lists, ""), 1)
		got = n.one(deletes, deletion(t, r.operator.Key(), []string{r.a.PublicKey()}))
		require.Equal(t, "deleted 1 accounts", got.Data.Message)
		n.holds(r.system, r.b)
	})
}

// TestF105UpdatesOnly: accounts in force are updated by the subjects that name them, whether or not there is a Store; the rest
// of the protocol is not heard.
func TestF105UpdatesOnly(t *testing.T) {
	for _, row := range []struct {
		name string
		edit func(setup)
	}{
		{"memory", func(s setup) {}},
		{"an account server", func(s setup) { s.auth.Store, s.auth.Resolver, s.claim.Store = nil, s.claim.Store, nil }},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRealm(t)
				n := r.node(t, new(resolvertest.Bus), func(s setup) { s.claim.UpdatesOnly, s.claim.Interval = true, time.Second }, row.edit)
				n.hold(r.a, r.b)
				session, err := n.authorizer.Connect(t.Context(), r.a.User("goes").Credentials(nonce.New()))
				require.NoError(t, err)

				issued := func() int64 {
					a, ok := n.authorizer.InForce(r.a.PublicKey())
					require.True(t, ok)
					return a.Claims().IssuedAt
				}
				was := issued()
				newer := r.a.Renew(authtest.Revoke("goes", authtest.Now()))
				got := n.one(update(r.a), newer.Token())
				require.Equal(t, "jwt updated", got.Data.Message)
				require.Equal(t, "in force", got.Data.Report["state"])
				require.Equal(t, 1.0, got.Data.Report["closed_count"])
				require.False(t, session.CanPublish("x"))
				require.Equal(t, was+1, issued())

				require.Contains(t, n.one(update(r.a), r.a.Token()).description(t), "older")
				require.Contains(t, n.one(update(r.a), newer.Renew(authtest.SignedByKey(r.other.Key())).Token()).description(t), "trust")
				broken := newer.Renew(authtest.Edit(func(c *jwt.AccountClaims) { c.InfoURL = ":" }))
				got = n.one(update(r.a), broken.Token())
				require.Contains(t, got.description(t), refusal("claims: "))
				require.Equal(t, r.a.PublicKey(), got.Error.Account)
				got = n.one(update(r.a), r.b.Renew(authtest.Edit(func(c *jwt.AccountClaims) { c.InfoURL = ":" })).Token())
				require.Equal(t, r.a.PublicKey(), got.Error.Account)
				require.Equal(t, was+1, issued())

				got = n.one(update(r.b), r.b.Renew().Token())
				require.Equal(t, "jwt update skipped", got.Data.Message)
				require.Equal(t, 200, got.Data.Code)
				require.Nil(t, got.Data.Report)
				_, ok := n.authorizer.InForce(r.b.PublicKey())
				require.False(t, ok)
				if row.name == "memory" {
					n.holds(r.system, newer, r.b)
				} else {
					n.holds(r.system, r.a, r.b)
				}

				for _, subject := range []string{updates, packs, lists, deletes, lookup(r.a)} {
					require.Empty(t, n.ask(subject, newer.Token()), subject)
				}
				time.Sleep(time.Minute)
				_, err = n.Exchange(t.Context())
				require.ErrorContains(t, err, "UpdatesOnly")
				c := n.Stats()
				require.EqualValues(t, 1, c.Updated)
				require.EqualValues(t, 1, c.Skipped)
				require.EqualValues(t, 4, c.Refused)
				require.Zero(t, c.Exchanges+c.ExchangesFailed+c.Unanswered+c.Dropped)
			})
		})
	}
}
