package claimsync_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"iter"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth/authtest"
	"github.com/natsauth/natsauth/resolver"
	"github.com/natsauth/natsauth/resolver/full"
	"github.com/natsauth/natsauth/resolver/resolvertest"
)

// failing is a store that does not answer some questions.
type failing struct {
	*resolver.Memory
	resolve, accounts, hash error
}

func (f *failing) Resolve(ctx context.Context, account string) (string, error) {
	if f.resolve != nil {
		return "", f.resolve
	}
	return f.Memory.Resolve(ctx, account)
}

func (f *failing) Accounts(ctx context.Context) iter.Seq2[string, error] {
	if f.accounts == nil {
		return f.Memory.Accounts(ctx)
	}
	return func(yield func(string, error) bool) { yield("", f.accounts) }
}

func (f *failing) Hash(ctx context.Context) ([32]byte, error) {
	if f.hash != nil {
		return [32]byte{}, f.hash
	}
	return f.Memory.Hash(ctx)
}

// readings are the requests that only read, by name.
func (r realm) readings() map[string]string {
	return map[string]string{"lookup": lookup(r.a), "pack": packs, "list": lists}
}

// TestF115Outage: what the store could not say is not answered: an empty answer is "not found".
func TestF115Outage(t *testing.T) {
	r := newRealm(t)
	outage := errors.New("no disk")
	for name, subject := range r.readings() {
		for kind, f := range map[string]failing{
			"resolve": {resolve: outage}, "accounts": {accounts: outage}, "hash": {hash: outage},
			"both": {resolve: errors.Join(resolver.ErrUnavailable, resolver.ErrNotFound)},
		} {
			t.Run(name+" "+kind, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					n := r.node(t, new(resolvertest.Bus), func(s setup) {
						f.Memory = s.claim.Store.(*resolver.Memory)
						s.claim.Store = &f
					})
					n.hold(r.a)
					answers := n.ask(subject, "")
					concerned := kind == "resolve" || kind == "both" || name != "lookup" && kind == "accounts" || name == "pack" && kind == "hash"
					require.Equal(t, concerned, len(answers) == 0)
					require.Equal(t, concerned, n.Stats().Unanswered == 1)
				})
			})
		}
	}
}

// listing is a store that gives its tokens itself, and leaves out what is at fault.
type listing struct {
	failing
	tokens []resolver.Held
}

func (l *listing) Tokens(context.Context) iter.Seq2[resolver.Held, error] {
	return func(yield func(resolver.Held, error) bool) {
		for _, held := range l.tokens {
			if !yield(held, nil) {
				return
			}
		}
	}
}

// TestF116Lister: a store that gives all its tokens is not asked for each, in packs and lists.
func TestF116Lister(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRealm(t)
		n := r.node(t, new(resolvertest.Bus), func(s setup) {
			s.claim.Store = &listing{
				failing{Memory: s.claim.Store.(*resolver.Memory), resolve: resolver.ErrUnavailable, accounts: resolver.ErrUnavailable},
				[]resolver.Held{{Account: r.b.PublicKey(), Token: r.b.Token()}, {Account: r.c.PublicKey(), Token: r.c.Token()}},
			}
		})
		require.Equal(t, []string{line(r.b), line(r.c), ""}, n.ask(packs, ""))
		require.Contains(t, n.ask(lists, "")[0], `"data":["`+r.b.PublicKey()+`","`+r.c.PublicKey()+`"]`)
	})
}

// TestF116FaultyFile: one file that is no token keeps nobody else's out of packs and lists.
func TestF116FaultyFile(t *testing.T) {
	r, dir := newRealm(t), t.TempDir()
	store, err := full.Open(dir, full.Options{Clock: authtest.Now})
	require.NoError(t, err)
	defer func() { require.NoError(t, store.Close()) }()
	for _, a := range []*authtest.Account{r.a, r.b, r.c} {
		_, err := store.Save(t.Context(), a.Token(), resolver.Push)
		require.NoError(t, err)
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, r.b.PublicKey()+".jwt"), []byte("no token"), 0o600))
	synctest.Test(t, func(t *testing.T) {
		n := r.node(t, new(resolvertest.Bus), func(s setup) { s.claim.Store = store })
		require.ElementsMatch(t, []string{line(r.a), line(r.c), ""}, n.ask(packs, ""))
		list := n.ask(lists, "")[0]
		require.Contains(t, list, r.a.PublicKey())
		require.Contains(t, list, r.c.PublicKey())
		require.NotContains(t, list, r.b.PublicKey())
	})
}

// TestNoReply: who gives no subject to answer to gets no answer, and an update counts.
func TestNoReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, bus := newRealm(t), new(resolvertest.Bus)
		n := r.node(t, bus)
		for _, subject := range []string{lookup(r.a), packs, lists} {
			require.NoError(t, bus.Publish(t.Context(), resolver.Msg{Subject: subject}))
		}
		require.NoError(t, bus.Publish(t.Context(), resolver.Msg{Subject: updates, Data: []byte(r.a.Token())}))
		require.NoError(t, bus.Publish(t.Context(), resolver.Msg{Subject: updates, Data: []byte("x")}))
		require.NoError(t, bus.Publish(t.Context(), resolver.Msg{Subject: deletes, Data: []byte("x")}))
		synctest.Wait()
		n.holds(r.system, r.a)
		c := n.Stats()
		require.Zero(t, c.Found+c.NotFound+c.Listed+c.Packs+c.Unanswered)
		require.EqualValues(t, 1, c.Updated)
		require.EqualValues(t, 1, c.Refused)
		require.EqualValues(t, 1, c.DeletesRefused)
	})
}

// TestPacksWithoutWhatIsOver: a token is in packs and lists until the second of its expiry.
func TestPacksWithoutWhatIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRealm(t)
		n := r.node(t, new(resolvertest.Bus), func(s setup) { s.claim.Clock = ticking() })
		ending := r.operator.Account("A", authtest.Expires(authtest.Now().Add(10*time.Second)))
		n.hold(ending)
		line := ending.PublicKey() + "|" + ending.Token()
		time.Sleep(10*time.Second - 1)
		require.Contains(t, n.ask(packs, ""), line)
		require.Contains(t, n.ask(lists, "")[0], ending.PublicKey())
		time.Sleep(1)
		require.Equal(t, []string{r.system.PublicKey() + "|" + r.system.Token(), ""}, n.ask(packs, ""))
		require.NotContains(t, n.ask(lists, "")[0], ending.PublicKey())
		require.Equal(t, []string{ending.Token()}, n.ask(lookup(ending), ""), "a look-up gives what there is")
	})
}

func TestB18PackTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRealm(t)
		for _, row := range []struct{ bound, want int }{{1, 1}, {2, 2}, {3, 3}, {4, 3}} {
			n := r.resting(t, new(resolvertest.Bus), func(s setup) { s.claim.Bounds.PackTokens = row.bound })
			n.hold(r.a, r.b)
			require.NoError(t, n.Start())
			require.Len(t, n.ask(packs, ""), row.want+1)
			require.EqualValues(t, row.want, n.Stats().TokensSent)
			require.NoError(t, n.Close())
		}
	})
}

// TestEmptyStore: no accounts are an empty list, not null.
func TestEmptyStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRealm(t)
		n := r.node(t, new(resolvertest.Bus))
		require.NoError(t, n.store.Delete(t.Context(), r.system.PublicKey()))
		require.Contains(t, n.ask(lists, "")[0], `"data":[]`)
		require.Equal(t, []string{""}, n.ask(packs, ""))
		require.Equal(t, []string{""}, n.ask(packs, string(make([]byte, sha256.Size))))
	})
}
