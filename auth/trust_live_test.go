package auth_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/auth/authtest"
	"github.com/natsauth/natsauth/nonce"
	"github.com/natsauth/natsauth/resolver"
)

// characters are two operators with an account for each key that they sign with, and
// a client of every kind that a trust set decides about.
type characters struct {
	first, second  *authtest.Operator
	a, k, s        *authtest.Account // signed by the first, by its signing key, by the second
	clients        map[string]auth.Credentials
	proxy, another string // public keys of proxies
}

// everybody is made once: it takes longer than what is tested.
var everybody = sync.OnceValue(func() characters {
	t := new(testing.T)
	c := characters{
		first:  authtest.NewOperator(t, authtest.SigningKeys("os")),
		second: authtest.NewOperator(t, authtest.From("second")),
	}
	c.a = c.first.Account("A", authtest.SigningKey("sk"))
	c.k = c.first.Account("K", authtest.SigningKey("sk"), authtest.SignedBy("os"))
	c.s = c.second.Account("S")
	one, two := authtest.Key(nkeys.PrefixByteServer, "proxy"), authtest.Key(nkeys.PrefixByteServer, "another")
	c.proxy, c.another = publicKey(t, one), publicKey(t, two)
	through := func(u *authtest.User) auth.Credentials {
		out := u.Credentials(nonce.New())
		out.ProxySignature = authtest.SignNonce(one, out.Nonce)
		return out
	}
	c.clients = map[string]auth.Credentials{
		"a": c.a.User("u").Credentials(nonce.New()), "a by sk": c.a.User("u", authtest.SignedBy("sk")).Credentials(nonce.New()),
		"k": c.k.User("u").Credentials(nonce.New()), "k by sk": c.k.User("u", authtest.SignedBy("sk")).Credentials(nonce.New()),
		"s": c.s.User("u").Credentials(nonce.New()), "sentinel": {ConnectionType: auth.Standard},
		"proxied": through(c.a.User("v", authtest.ProxyRequired())), "through": through(c.a.User("w")),
	}
	return c
})

// realm is an Authorizer that knows the characters, and their sessions.
type realm struct {
	characters
	t          *testing.T
	clock      *clock
	authorizer *auth.Authorizer
	sessions   map[string]*auth.Session
	audit      chan auth.AuditRecord // of changes of trust
}

func newRealm(t *testing.T, edits ...func(*realm, *auth.Config)) *realm {
	t.Helper()
	r := &realm{
		characters: everybody(), t: t, clock: &clock{now: authtest.Now()},
		sessions: make(map[string]*auth.Session), audit: make(chan auth.AuditRecord, 100),
	}
	store, err := resolver.NewMemory(r.a.Token(), r.k.Token(), r.s.Token())
	require.NoError(t, err)
	c := auth.Config{
		Trust: r.trust(), Store: store, Clock: r.clock.read, Location: time.UTC,
		Audit: func(record auth.AuditRecord) {
			if record.Kind == auth.AuditTrust {
				r.audit <- record
			}
		},
	}
	for _, edit := range edits {
		edit(r, &c)
	}
	r.authorizer, err = auth.New(c)
	require.NoError(t, err)
	t.Cleanup(func() { _ = r.authorizer.Close() })
	return r
}

func publicKey(t *testing.T, pair nkeys.KeyPair) string {
	t.Helper()
	key, err := pair.PublicKey()
	require.NoError(t, err)
	return key
}

// trust is what the Authorizer begins with, edited.
func (r *realm) trust(edits ...func(*auth.Trust)) auth.Trust {
	t := auth.Trust{
		Operators: []string{r.first.Token(), r.second.Token()}, Proxies: []string{r.proxy},
		Sentinel: r.a.User("sentinel", authtest.Bearer()).Token(),
	}
	for _, edit := range edits {
		edit(&t)
	}
	return t
}

// connect connects every client that is admitted, and gives the reasons of the
// others.
func (r *realm) connect() map[string]auth.Reason {
	refused := make(map[string]auth.Reason)
	for name, c := range r.clients {
		s, err := r.authorizer.Connect(context.Background(), c)
		if err != nil {
			refused[name] = reasonOf(r.t, err)
			continue
		}
		r.sessions[name] = s
	}
	return refused
}

// ended are the reasons of the sessions that have ended.
func (r *realm) ended() map[string]auth.Reason {
	out := make(map[string]auth.Reason)
	for name, s := range r.sessions {
		if err := s.Err(); err != nil {
			out[name] = reasonOf(r.t, err)
		}
	}
	return out
}

// fresh are the reasons for which clients are refused now.
func (r *realm) fresh() map[string]auth.Reason {
	out := make(map[string]auth.Reason)
	for name, c := range r.clients {
		s, err := r.authorizer.Connect(context.Background(), c)
		if err != nil {
			out[name] = reasonOf(r.t, err)
			continue
		}
		s.Close()
	}
	return out
}

// only trusts these operators.
func only(operators ...*authtest.Operator) func(*auth.Trust) {
	return func(t *auth.Trust) {
		t.Operators = nil
		for _, o := range operators {
			t.Operators = append(t.Operators, o.Token())
		}
	}
}

func pin(accounts ...*authtest.Account) func(*auth.Trust) {
	return func(t *auth.Trust) {
		for _, a := range accounts {
			t.PinnedAccounts = append(t.PinnedAccounts, a.PublicKey())
		}
	}
}

// all gives every name one reason.
func all(why auth.Reason, names ...string) map[string]auth.Reason {
	out := make(map[string]auth.Reason)
	for _, n := range names {
		out[n] = why
	}
	return out
}

// TestB17SetTrust changes one thing of the trust set, and wants those sessions closed
// that a fresh connect would not admit, and no others; the preview says so before, and
// changes nothing.
func TestB17SetTrust(t *testing.T) {
	t.Parallel()
	base := newRealm(t)
	withoutOS := authtest.NewOperator(t)
	withMore := authtest.NewOperator(t, authtest.SigningKeys("os", "more"))
	strictly := authtest.NewOperator(t, authtest.SigningKeys("os"), authtest.Strict())
	third := authtest.NewOperator(t, authtest.From("third"))
	a, first, second := base.a, base.first, base.second
	ofA := []string{"a", "a by sk", "proxied", "through", "sentinel"}
	strictEnds := all(auth.AccountUntrusted, ofA...)
	strictEnds["k"] = auth.SignerIdentity
	for _, row := range []struct {
		name string
		edit func(*auth.Trust)
		want map[string]auth.Reason
	}{
		{"nothing", func(*auth.Trust) {}, nil},
		{"an operator is added", only(first, second, third), nil},
		{"an operator is removed", only(first), all(auth.AccountUntrusted, "s")},
		{"all but the second are removed", only(second), all(auth.AccountUntrusted, append(ofA, "k", "k by sk")...)},
		{"a signing key is added", only(withMore, second), nil},
		{"a signing key is removed", only(withoutOS, second), all(auth.AccountUntrusted, "k", "k by sk")},
		{"F013 F014 strict signing keys", only(strictly, second), strictEnds},
		{"every account is pinned", pin(a, base.k, base.s), nil},
		{"one account is pinned", pin(a), all(auth.AccountNotPinned, "k", "k by sk", "s")},
		{"the sentinel goes", func(t *auth.Trust) { t.Sentinel = "" }, all(auth.TokenMissing, "sentinel")},
		{"the sentinel in another spelling", func(t *auth.Trust) {
			t.Sentinel = "-----BEGIN NATS USER JWT-----\n" + t.Sentinel + "\n------END NATS USER JWT------\n"
		}, nil},
		{"the system account", func(t *auth.Trust) { t.SystemAccount = a.PublicKey() }, nil},
		{"one account is pinned, and the system account is another", func(t *auth.Trust) {
			t.SystemAccount = base.s.PublicKey()
			pin(a)(t)
		}, all(auth.AccountNotPinned, "k", "k by sk")},
		{"a proxy is added", func(t *auth.Trust) { t.Proxies = append(t.Proxies, base.another) }, nil},
		{"a proxy is replaced", func(t *auth.Trust) { t.Proxies = []string{base.another} }, all(auth.ProxyUntrusted, "proxied", "through")},
		{"no proxy is trusted", func(t *auth.Trust) { t.Proxies = nil }, all(auth.ProxyRequired, "proxied")},
		{"bare keys in place of tokens", func(t *auth.Trust) {
			*t = auth.Trust{Keys: []string{first.PublicKey(), second.PublicKey()}, Proxies: t.Proxies}
		}, map[string]auth.Reason{
			"k": auth.AccountUntrusted, "k by sk": auth.AccountUntrusted, "sentinel": auth.TokenMissing,
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			if row.want == nil {
				row.want = map[string]auth.Reason{}
			}
			r := newRealm(t)
			require.Empty(t, r.connect())
			next, state := r.trust(row.edit), r.authorizer.StateHash()
			preview, err := r.authorizer.PreviewTrust(t.Context(), next)
			require.NoError(t, err)
			require.Equal(t, state, r.authorizer.StateHash())
			require.Empty(t, r.ended(), "a preview ends nothing")
			require.Empty(t, r.fresh(), "and refuses nobody")
			report, err := r.authorizer.SetTrust(auth.By(t.Context(), "the test"), next)
			require.NoError(t, err)
			require.Equal(t, summary(preview), summary(report))
			require.Equal(t, row.want, r.ended())
			require.Equal(t, row.want, r.fresh(), "as those who come now")
			require.Equal(t, len(row.want), report.ClosedCount)
			require.Len(t, report.Closed, len(row.want))
			for name, s := range r.sessions {
				require.Equal(t, row.want[name] == auth.ReasonNone, s.CanPublish("x"), name)
			}
			last := <-r.audit
			require.Equal(t, "the test", last.By)
			require.Equal(t, report, last.Report)
			require.Nil(t, last.Err)
			_, err = r.authorizer.SetTrust(t.Context(), r.trust())
			require.NoError(t, err)
			require.Empty(t, r.fresh())
			require.Equal(t, state, r.authorizer.StateHash(), "and back")
		})
	}
}

// TestB17AnotherSentinel: another token closes those who came by the one before, and
// stands in for those who come now.
func TestB17AnotherSentinel(t *testing.T) {
	t.Parallel()
	r := newRealm(t)
	require.Empty(t, r.connect())
	newer := r.a.User("sentinel", authtest.Bearer(), authtest.IssuedAt(authtest.Now())).Token()
	_, err := r.authorizer.SetTrust(t.Context(), r.trust(func(t *auth.Trust) { t.Sentinel = newer }))
	require.NoError(t, err)
	require.Equal(t, all(auth.TokenMissing, "sentinel"), r.ended())
	require.Empty(t, r.fresh())
	c := r.clients["sentinel"]
	c.JWT = r.trust().Sentinel // shown by the client itself it is a token like any other
	s, err := r.authorizer.Connect(t.Context(), c)
	require.NoError(t, err)
	_, err = r.authorizer.SetTrust(t.Context(), r.trust(func(t *auth.Trust) { t.Sentinel = "" }))
	require.NoError(t, err)
	require.NoError(t, s.Err())
}

// TestB17RenewedFromSentinel: whoever has shown a token of its own since does not
// depend on the sentinel any more.
func TestB17RenewedFromSentinel(t *testing.T) {
	t.Parallel()
	for _, renews := range []bool{false, true} {
		r := newRealm(t)
		require.Empty(t, r.connect())
		if renews {
			own := r.a.User("sentinel", authtest.Bearer(), authtest.IssuedAt(authtest.Now()))
			require.NoError(t, r.sessions["sentinel"].Renew(t.Context(), own.Token(), ""))
		}
		_, err := r.authorizer.SetTrust(t.Context(), r.trust(func(t *auth.Trust) { t.Sentinel = "" }))
		require.NoError(t, err)
		require.Equal(t, renews, r.sessions["sentinel"].Err() == nil)
	}
}

// TestB17TrustReachesViews: what the views of accounts tell follows the trust set.
func TestB17TrustReachesViews(t *testing.T) {
	t.Parallel()
	r := newRealm(t)
	require.Empty(t, r.connect())
	s := r.sessions["through"]
	require.False(t, s.Account().System())
	require.Equal(t, r.first.PublicKey(), s.Account().Operator())
	require.Equal(t, r.proxy, s.User().Proxy)
	shared := authtest.NewOperator(t, authtest.From("second"), authtest.SigningKeys("x"))
	_, err := r.authorizer.SetTrust(t.Context(), r.trust(only(shared, r.first), func(t *auth.Trust) {
		t.SystemAccount, t.Proxies = r.a.PublicKey(), nil
	}))
	require.NoError(t, err)
	require.True(t, s.Account().System())
	require.Empty(t, s.User().Proxy, "where none is trusted, none counts")
	require.Equal(t, r.second.PublicKey(), r.sessions["s"].Account().Operator())
	_, err = r.authorizer.SetTrust(t.Context(), r.trust())
	require.NoError(t, err)
	require.False(t, s.Account().System())
	require.Equal(t, r.proxy, s.User().Proxy)
}

// TestB17AddedOperator: an account that nobody trusted is looked up anew at once,
// though its refusal was remembered; before, and with another operator, it is not.
func TestB17AddedOperator(t *testing.T) {
	t.Parallel()
	r := newRealm(t, func(r *realm, c *auth.Config) { c.Trust = r.trust(only(r.first)) })
	require.Equal(t, all(auth.AccountUntrusted, "s"), r.connect())
	third := authtest.NewOperator(t, authtest.From("third"))
	_, err := r.authorizer.SetTrust(t.Context(), r.trust(only(r.first, third)))
	require.NoError(t, err)
	require.Equal(t, all(auth.AccountUntrusted, "s"), r.fresh())
	_, err = r.authorizer.SetTrust(t.Context(), r.trust())
	require.NoError(t, err)
	require.Empty(t, r.fresh())
	require.Empty(t, r.ended())
}

// TestB17StrictNoMore: under strict signing keys the accounts' own keys sign nobody,
// without they do.
func TestB17StrictNoMore(t *testing.T) {
	t.Parallel()
	strictly := authtest.NewOperator(t, authtest.SigningKeys("os"), authtest.Strict())
	r := newRealm(t, func(r *realm, c *auth.Config) { c.Trust = r.trust(only(strictly, r.second)) })
	refused := r.connect()
	require.Equal(t, auth.SignerIdentity, refused["k"])
	require.Equal(t, auth.AccountUntrusted, refused["a"])
	require.NotContains(t, refused, "k by sk")
	_, err := r.authorizer.SetTrust(t.Context(), r.trust())
	require.NoError(t, err)
	require.Empty(t, r.fresh())
	require.Empty(t, r.ended())
}

// TestB17RefusedTrust: what New would refuse changes nothing, and is written down.
func TestB17RefusedTrust(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		edit func(*realm, *auth.Trust)
		want string
	}{
		{"nobody", func(_ *realm, t *auth.Trust) { *t = auth.Trust{} }, "nobody is trusted"},
		{"tokens and keys", func(r *realm, t *auth.Trust) { t.Keys = []string{r.first.PublicKey()} }, "both Operators and Keys"},
		{"no operator", func(r *realm, t *auth.Trust) { t.Operators = []string{r.a.Token()} }, "Operators[0]"},
		{"an account for an operator", func(r *realm, t *auth.Trust) { *t = auth.Trust{Keys: []string{r.a.PublicKey()}} }, "Keys[0]"},
		{"a sentinel that has to sign", func(r *realm, t *auth.Trust) { t.Sentinel = r.a.User("u").Token() }, "Sentinel"},
		{"no account pinned", func(r *realm, t *auth.Trust) { t.PinnedAccounts = []string{r.first.PublicKey()} }, "PinnedAccounts[0]"},
		{"no system account", func(r *realm, t *auth.Trust) { t.SystemAccount = "A" }, "SystemAccount"},
		{"no proxy", func(_ *realm, t *auth.Trust) { t.Proxies = []string{"x"} }, "Proxies[0]"},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := newRealm(t)
			require.Empty(t, r.connect())
			state := r.authorizer.StateHash()
			bad := r.trust(func(t *auth.Trust) { row.edit(r, t) })
			_, err := r.authorizer.PreviewTrust(t.Context(), bad)
			require.ErrorContains(t, err, row.want)
			report, err := r.authorizer.SetTrust(auth.By(t.Context(), "the test"), bad)
			require.ErrorContains(t, err, row.want)
			require.Zero(t, report)
			require.Equal(t, state, r.authorizer.StateHash())
			require.Empty(t, r.ended())
			require.Empty(t, r.fresh())
			record := <-r.audit
			require.Equal(t, auth.TrustInvalid, record.Err.Reason)
			require.Equal(t, "the test", record.By)
			require.Empty(t, r.audit)
		})
	}
	r := newRealm(t, func(r *realm, c *auth.Config) {
		c.Trust, c.Resolver = r.trust(func(t *auth.Trust) { t.SystemAccount = r.a.PublicKey() }), syncing(true)
	})
	_, err := r.authorizer.SetTrust(t.Context(), r.trust())
	require.ErrorContains(t, err, "system account", "that the resolver works through")
	require.NoError(t, r.authorizer.Close())
	_, err = r.authorizer.SetTrust(t.Context(), r.trust())
	require.Equal(t, auth.AuthorizerClosed, reasonOf(t, err))
	_, err = r.authorizer.PreviewTrust(t.Context(), r.trust())
	require.Equal(t, auth.AuthorizerClosed, reasonOf(t, err))
}

// TestB17KeyUse counts what a key was good for: a key that nobody needs can go.
func TestB17KeyUse(t *testing.T) {
	t.Parallel()
	r := newRealm(t)
	use := func() map[string]auth.KeyUse {
		out := make(map[string]auth.KeyUse)
		list := r.authorizer.KeyUse()
		require.True(t, slices.IsSortedFunc(list, func(a, b auth.KeyUse) int {
			return slices.Compare([]byte(a.Key), []byte(b.Key))
		}))
		for _, u := range list {
			out[u.Key] = u
		}
		return out
	}
	os := publicKey(t, authtest.Key(nkeys.PrefixByteOperator, "O#os"))
	first, second := r.first.PublicKey(), r.second.PublicKey()
	require.Equal(t, map[string]auth.KeyUse{
		first: {Key: first, Operator: first}, os: {Key: os, Operator: first}, second: {Key: second, Operator: second},
	}, use())
	require.Nil(t, r.authorizer.Explain(t.Context(), r.clients["s"]).Err)
	require.Zero(t, use()[second].Connects, "an explanation is no use")
	require.Empty(t, r.connect())
	began := r.clock.read().Local()
	require.Equal(t, map[string]auth.KeyUse{
		first:  {Key: first, Operator: first, Accounts: 1, Connects: 5, Last: began},
		os:     {Key: os, Operator: first, Accounts: 1, Connects: 2, Last: began},
		second: {Key: second, Operator: second, Accounts: 1, Connects: 1, Last: began},
	}, use())
	r.clock.advance(time.Hour)
	c := r.clients["a"]
	require.NoError(t, r.sessions["a"].Renew(t.Context(), c.JWT, c.Signature))
	require.EqualValues(t, 6, use()[first].Connects, "a renewal is one")
	require.Equal(t, began.Add(time.Hour), use()[first].Last)
	refused := r.clients["k"]
	refused.Signature = ""
	_, err := r.authorizer.Connect(t.Context(), refused)
	require.Error(t, err)
	require.EqualValues(t, 2, use()[os].Connects, "it was refused before the key was asked")
	_, err = r.authorizer.SetTrust(t.Context(), r.trust(only(r.first)))
	require.NoError(t, err)
	require.EqualValues(t, 6, use()[first].Connects, "a key that stays keeps its count")
	require.NotContains(t, use(), second)
	_, err = r.authorizer.SetTrust(t.Context(), r.trust())
	require.NoError(t, err)
	require.Equal(t, auth.KeyUse{Key: second, Operator: second}, use()[second], "one that comes back begins anew")
	require.Nil(t, new(auth.Authorizer).KeyUse())
	require.True(t, r.authorizer.Administers(os))
	require.False(t, r.authorizer.Administers(r.a.PublicKey()))
	require.False(t, new(auth.Authorizer).Administers(os))
}

// TestB12OperatorChanges: the end of an operator's token that comes with a new trust
// set ends live sessions by the switch alone, and new ones in any case.
func TestB12OperatorChanges(t *testing.T) {
	t.Parallel()
	at := func(d time.Duration) *authtest.Operator {
		return authtest.NewOperator(t, authtest.SigningKeys("os"), authtest.Expires(authtest.Now().Add(d)))
	}
	for _, row := range []struct {
		name     string
		expires  time.Duration
		advance  time.Duration
		over     bool
		switched bool
	}{
		{"just before", time.Hour, time.Hour - 1, false, true},
		{"at its end", time.Hour, time.Hour, true, true},
		{"after", time.Hour, 2 * time.Hour, true, true},
		{"over when it comes", -time.Second, 0, true, true},
		{"just before, not switched", time.Hour, time.Hour - 1, false, false},
		{"at its end, not switched", time.Hour, time.Hour, true, false},
		{"over when it comes, not switched", -time.Second, 0, true, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := newRealm(t, func(_ *realm, c *auth.Config) { c.OperatorExpiryCloses = row.switched })
			require.Empty(t, r.connect())
			require.True(t, r.sessions["a"].Expires().IsZero())
			_, err := r.authorizer.SetTrust(t.Context(), r.trust(only(at(row.expires), r.second)))
			require.NoError(t, err)
			r.clock.advance(row.advance)
			r.authorizer.Sweep()
			ends := row.over && row.switched
			require.Equal(t, !ends, r.sessions["a"].Err() == nil)
			require.Equal(t, !ends, r.sessions["a"].CanPublish("x"))
			if ends {
				require.Equal(t, auth.OperatorExpired, reasonOf(t, r.sessions["a"].Err()))
			}
			require.NoError(t, r.sessions["s"].Err())
			_, err = r.authorizer.Connect(t.Context(), r.clients["a"])
			require.Equal(t, row.over, err != nil)
			if row.over {
				require.Equal(t, auth.OperatorExpired, reasonOf(t, err))
			}
			if row.switched && !row.over {
				require.Equal(t, authtest.Now().Add(row.expires).Unix(), r.sessions["a"].Expires().Unix())
			}
			_, err = r.authorizer.SetTrust(t.Context(), r.trust())
			require.NoError(t, err)
			require.NotContains(t, r.fresh(), "a")
			if !ends {
				require.True(t, r.sessions["a"].Expires().IsZero(), "a token without an end")
			}
		})
	}
}

// TestB17WaitingConnect changes the trust set while a client waits for its account:
// the client is judged by the new one.
func TestB17WaitingConnect(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, client string
		edit         func(*realm) func(*auth.Trust)
		want         auth.Reason
	}{
		{"nothing changes", "s", func(*realm) func(*auth.Trust) { return func(*auth.Trust) {} }, auth.ReasonNone},
		{"its operator goes", "s", func(r *realm) func(*auth.Trust) { return only(r.first) }, auth.AccountUntrusted},
		{"another operator goes", "s", func(r *realm) func(*auth.Trust) { return only(r.second) }, auth.ReasonNone},
		{"another account is pinned", "s", func(r *realm) func(*auth.Trust) { return pin(r.a) }, auth.AccountNotPinned},
		{"its account is pinned", "s", func(r *realm) func(*auth.Trust) { return pin(r.s) }, auth.ReasonNone},
		{"its proxy goes", "through", func(r *realm) func(*auth.Trust) {
			return func(t *auth.Trust) { t.Proxies = []string{r.another} }
		}, auth.ProxyUntrusted},
		{"the proxies go", "proxied", func(*realm) func(*auth.Trust) {
			return func(t *auth.Trust) { t.Proxies = nil }
		}, auth.ProxyRequired},
		{"the sentinel goes", "sentinel", func(*realm) func(*auth.Trust) {
			return func(t *auth.Trust) { t.Sentinel = "" }
		}, auth.TokenMissing},
	} {
		t.Run(row.name, func(t *testing.T) {
			asks, answer := make(chan struct{}, 10), make(chan struct{})
			r := newRealm(t, func(_ *realm, c *auth.Config) {
				store := c.Store
				c.Store, c.Resolver = nil, resolver.Func(func(ctx context.Context, key string) (string, error) {
					asks <- struct{}{}
					<-answer
					return store.Resolve(ctx, key)
				})
			})
			type outcome struct {
				session *auth.Session
				err     error
			}
			done := make(chan outcome, 1)
			go func() {
				s, err := r.authorizer.Connect(context.Background(), r.clients[row.client])
				done <- outcome{s, err}
			}()
			<-asks
			_, err := r.authorizer.SetTrust(t.Context(), r.trust(row.edit(r)))
			require.NoError(t, err)
			close(answer)
			got := <-done
			if row.want == auth.ReasonNone {
				require.NoError(t, got.err)
				require.NoError(t, got.session.Err())
				return
			}
			require.Error(t, got.err)
			require.Equal(t, row.want, reasonOf(t, got.err))
		})
	}
}

// TestB17NobodyByTheOldTrust connects clients from several goroutines while the trust
// set changes to and fro: once SetTrust has returned nobody lives by what it took
// away, and nobody comes in by it.
func TestB17NobodyByTheOldTrust(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		without func(*realm) func(*auth.Trust)
		want    auth.Reason
	}{
		"operator": {func(r *realm) func(*auth.Trust) { return only(r.first) }, auth.AccountUntrusted},
		"pinned":   {func(r *realm) func(*auth.Trust) { return pin(r.a) }, auth.AccountNotPinned},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRealm(t)
			stop := make(chan struct{})
			var running sync.WaitGroup
			for range 4 {
				running.Go(func() {
					for {
						select {
						case <-stop:
							return
						default:
						}
						if s, err := r.authorizer.Connect(context.Background(), r.clients["s"]); err == nil {
							defer s.Close()
						}
					}
				})
			}
			for round := range 15 {
				_, err := r.authorizer.SetTrust(t.Context(), r.trust(row.without(r)))
				require.NoError(t, err)
				for range 20 {
					for s := range r.authorizer.Sessions(auth.Filter{Account: r.s.PublicKey()}) {
						require.Error(t, s.Err(), fmt.Sprintf("round %d", round))
					}
				}
				_, err = r.authorizer.Connect(t.Context(), r.clients["s"])
				require.Error(t, err)
				require.Equal(t, row.want, reasonOf(t, err))
				_, err = r.authorizer.SetTrust(t.Context(), r.trust())
				require.NoError(t, err)
				s, err := r.authorizer.Connect(t.Context(), r.clients["s"])
				require.NoError(t, err)
				s.Close()
			}
			close(stop)
			running.Wait()
		})
	}
}

// TestStateHash: nodes that agree on the trust set and the accounts in force have one
// hash, in whatever order they came to it; each single difference makes another.
func TestStateHash(t *testing.T) {
	t.Parallel()
	connect := func(r *realm, names ...string) {
		for _, n := range names {
			s, err := r.authorizer.Connect(t.Context(), r.clients[n])
			require.NoError(t, err)
			s.Close()
		}
	}
	pinned := func(r *realm) func(*auth.Trust) { return pin(r.a, r.k, r.s) }
	node := func(edit func(*realm, *auth.Trust), names ...string) *realm {
		r := newRealm(t, func(r *realm, c *auth.Config) {
			c.Trust = r.trust(pinned(r), func(t *auth.Trust) {
				t.SystemAccount, t.Proxies = r.k.PublicKey(), append(t.Proxies, r.another)
				edit(r, t)
			})
		})
		connect(r, names...)
		return r
	}
	same := func(*realm, *auth.Trust) {}
	first := node(same, "a", "k", "s")
	want := first.authorizer.StateHash()
	for name, r := range map[string]*realm{
		"another order of accounts": node(same, "s", "k", "a"),
		"another order of trust": node(func(_ *realm, t *auth.Trust) {
			slices.Reverse(t.Operators)
			slices.Reverse(t.PinnedAccounts)
			slices.Reverse(t.Proxies)
		}, "a", "k", "s"),
		"named twice": node(func(_ *realm, t *auth.Trust) {
			t.Operators = append(t.Operators, t.Operators[0])
			t.PinnedAccounts = append(t.PinnedAccounts, t.PinnedAccounts[0])
			t.Proxies = append(t.Proxies, t.Proxies[0])
		}, "a", "k", "s"),
	} {
		require.Equal(t, want, r.authorizer.StateHash(), name)
	}
	seen := map[[32]byte]string{want: "nothing", {}: "the zero Authorizer", new(auth.Authorizer).StateHash(): "the zero Authorizer"}
	other := func(name string, r *realm) {
		h := r.authorizer.StateHash()
		require.Empty(t, seen[h], name)
		seen[h] = name
	}
	other("no account", node(same))
	other("one account less", node(same, "a", "k"))
	other("another account less", node(same, "a", "s"))
	other("an operator more", node(func(_ *realm, c *auth.Trust) {
		c.Operators = append(c.Operators, authtest.NewOperator(t, authtest.From("third")).Token())
	}, "a", "k", "s"))
	other("a signing key more", node(func(r *realm, c *auth.Trust) {
		only(authtest.NewOperator(t, authtest.SigningKeys("os", "more")), r.second)(c)
	}, "a", "k", "s"))
	other("an account unpinned", node(func(r *realm, t *auth.Trust) {
		t.PinnedAccounts = append(t.PinnedAccounts, r.first.Account("more").PublicKey())
	}, "a", "k", "s"))
	other("nobody pinned", node(func(_ *realm, t *auth.Trust) { t.PinnedAccounts = nil }, "a", "k", "s"))
	other("another sentinel", node(func(r *realm, t *auth.Trust) { t.Sentinel = r.a.User("v", authtest.Bearer()).Token() }, "a", "k", "s"))
	other("no sentinel", node(func(_ *realm, t *auth.Trust) { t.Sentinel = "" }, "a", "k", "s"))
	other("another system account", node(func(r *realm, t *auth.Trust) { t.SystemAccount = r.s.PublicKey() }, "a", "k", "s"))
	other("a proxy less", node(func(_ *realm, t *auth.Trust) { t.Proxies = t.Proxies[:1] }, "a", "k", "s"))
	other("bare keys", node(func(r *realm, t *auth.Trust) {
		t.Operators, t.Sentinel = nil, ""
		t.Keys = []string{r.first.PublicKey(), r.second.PublicKey()}
	}, "a", "s"))
	newer := node(same, "a", "k", "s")
	_, err := newer.authorizer.Apply(t.Context(), newer.a.Renew().Token(), resolver.Push)
	require.NoError(t, err)
	other("a newer token", newer)
	_, err = first.authorizer.Apply(t.Context(), newer.a.Renew().Token(), resolver.Push)
	require.NoError(t, err)
	require.Equal(t, newer.authorizer.StateHash(), first.authorizer.StateHash(), "both have it")
	_, err = newer.authorizer.Remove(t.Context(), newer.s.PublicKey())
	require.NoError(t, err)
	other("an account removed", newer)
	_, err = first.authorizer.Remove(t.Context(), first.s.PublicKey())
	require.NoError(t, err)
	require.Equal(t, newer.authorizer.StateHash(), first.authorizer.StateHash(), "both have removed it")
}

// TestB17ReportsWhatOthersDid: a connect in the midst of a change of trust may be the
// first to have an account judged; who is closed by that is in the report all the same.
func TestB17ReportsWhatOthersDid(t *testing.T) {
	t.Parallel()
	var midst atomic.Pointer[func()]
	operator := authtest.NewOperator(t, authtest.IssuedAt(time.Now()))
	other := authtest.NewOperator(t, authtest.From("elsewhere"), authtest.IssuedAt(time.Now()))
	w := newWorldOf(t, operator, noAccount, func(c *auth.Config) {
		c.Clock = func() time.Time {
			if f := midst.Swap(nil); f != nil {
				(*f)()
			}
			return time.Now()
		}
	})
	b := operator.Account("B", authtest.IssuedAt(time.Now()))
	_, err := w.authorizer.Apply(t.Context(), b.Token(), resolver.Push)
	require.NoError(t, err)
	clients := []auth.Credentials{w.client(noUser), b.User("u").Credentials(nonce.New())}
	for _, c := range clients {
		_, err := w.authorizer.Connect(t.Context(), c)
		require.NoError(t, err)
	}
	var connects sync.WaitGroup
	rush := func() {
		tried := make(chan struct{}, len(clients))
		for _, c := range clients {
			connects.Go(func() {
				_, err := w.authorizer.Connect(t.Context(), c)
				tried <- struct{}{}
				assert.Error(t, err)
			})
		}
		select {
		case <-tried: // the other one waits for the account that is being judged
		case <-time.After(100 * time.Millisecond):
		}
	}
	trust := auth.Trust{Operators: []string{other.Token()}}
	foreseen, err := w.authorizer.PreviewTrust(t.Context(), trust)
	require.NoError(t, err)
	require.Equal(t, 2, foreseen.ClosedCount)
	midst.Store(&rush)
	r, err := w.authorizer.SetTrust(t.Context(), trust)
	require.NoError(t, err)
	require.Equal(t, 2, r.ClosedCount)
	connects.Wait()
}

// TestB17LosesNoPush: an account's token that is applied while the trust set changes is
// in force afterwards. The clock is read in the midst of the change: that is where the
// push comes in, and has a moment to be done with where nothing holds it back.
func TestB17LosesNoPush(t *testing.T) {
	t.Parallel()
	var midst atomic.Pointer[func()]
	w := newWorld(t, noAccount, func(c *auth.Config) {
		c.Clock = func() time.Time {
			if f := midst.Swap(nil); f != nil {
				(*f)()
			}
			return time.Now()
		}
	})
	s := w.connect(t, noUser)
	next := w.issue(time.Now().Add(2*time.Second), revoking(s.User().Key)).Token()
	done := make(chan error, 1)
	push := func() {
		pushed := make(chan struct{})
		go func() {
			_, err := w.authorizer.Apply(t.Context(), next, resolver.Push)
			close(pushed)
			done <- err
		}()
		select {
		case <-pushed:
		case <-time.After(100 * time.Millisecond):
		}
	}
	midst.Store(&push)
	_, err := w.authorizer.SetTrust(t.Context(), auth.Trust{Operators: []string{w.operator.Token()}})
	require.NoError(t, err)
	require.NoError(t, <-done)
	require.Error(t, s.Err(), "it is revoked")
	now, ok := w.authorizer.InForce(w.key)
	require.True(t, ok)
	require.Len(t, now.Claims().Revocations, 1)
}
