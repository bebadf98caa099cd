package auth_test

import (
	"errors"
	"io/fs"
	"net/http"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/auth/authtest"
	"github.com/natsauth/natsauth/claims"
	"github.com/natsauth/natsauth/nonce"
	"github.com/natsauth/natsauth/resolver"
)

// Layers compose: what one cannot answer the next does, and what none can is told for what it is.

// over has ended when it is asked for.
func over() authtest.Option { return authtest.Expires(time.Now().Add(-time.Minute)) }

// outages are what may be wrong with a server, by name.
var outages = map[string]func(*tower, *site){
	"well": func(w *tower, s *site) { s.holds(w.app) },
	"late": func(w *tower, s *site) {
		s.holds(w.app)
		s.dawdles(time.Second)
	},
	"down":  func(_ *tower, s *site) { s.goesDown() },
	"slow":  func(_ *tower, s *site) { s.hangs() },
	"500":   func(_ *tower, s *site) { s.fails(http.StatusInternalServerError) },
	"401":   func(_ *tower, s *site) { s.fails(http.StatusUnauthorized) },
	"404":   func(w *tower, s *site) { s.forgets(w.app) },
	"wrong": func(w *tower, s *site) { s.says(w.sys.Token()) },
	"junk":  func(w *tower, s *site) { s.says(w.app.Token()[:100]) },
	"huge":  func(_ *tower, s *site) { s.says(string(make([]byte, 2<<20))) },
	"over":  func(w *tower, s *site) { s.says(w.newer(over()).Token()) },
	"older": func(w *tower, s *site) { s.holds(w.older()) },
	"foreign": func(w *tower, s *site) {
		s.says(w.newer(authtest.SignedByKey(authtest.Key(nkeys.PrefixByteOperator, "stranger"))).Token())
	},
}

// TestLayersAtFirst: a user of an account that is not in force connects, for each state of the server and the directory.
func TestLayersAtFirst(t *testing.T) {
	const session = auth.ReasonNone
	files := map[string]func(*tower) string{
		"nothing": func(*tower) string { return "" },
		"token":   func(w *tower) string { return w.app.Token() },
		"over": func(w *tower) string {
			return w.operator.Account("APP", authtest.IssuedAt(time.Now().Add(-time.Hour)), over()).Token()
		},
		"damaged":  func(w *tower) string { return w.app.Token()[:200] },
		"anothers": func(w *tower) string { return w.sys.Token() },
		"foreign": func(w *tower) string {
			return w.newer(authtest.SignedByKey(authtest.Key(nkeys.PrefixByteOperator, "stranger"))).Token()
		},
	}
	for _, row := range []struct {
		server string
		want   map[string]auth.Reason // by what the directory has
	}{
		{"well", map[string]auth.Reason{
			"nothing": session, "token": session, "over": session, "damaged": session, "anothers": session,
		}},
		{"down", map[string]auth.Reason{
			"nothing": auth.AccountUnavailable, "token": session, "over": auth.AccountUnavailable,
			"damaged": auth.AccountUnavailable, "anothers": auth.AccountUnavailable, "foreign": auth.AccountUntrusted,
		}},
		{"late", map[string]auth.Reason{"nothing": session, "token": session, "over": session, "damaged": session}},
		{"slow", map[string]auth.Reason{"nothing": auth.AccountUnavailable, "token": session, "damaged": auth.AccountUnavailable}},
		{"500", map[string]auth.Reason{"nothing": auth.AccountUnavailable, "token": session, "damaged": auth.AccountUnavailable}},
		{"401", map[string]auth.Reason{"nothing": auth.AccountUnavailable, "token": session}},
		{"404", map[string]auth.Reason{
			"nothing": auth.AccountNotFound, "token": session, "over": auth.AccountNotFound,
			"damaged": auth.AccountUnavailable, "anothers": auth.AccountUnavailable, "foreign": auth.AccountUntrusted,
		}},
		{"wrong", map[string]auth.Reason{"nothing": auth.AccountUnavailable, "token": session}},
		{"junk", map[string]auth.Reason{"nothing": auth.AccountUnavailable, "token": session}},
		{"huge", map[string]auth.Reason{"nothing": auth.AccountUnavailable, "token": session}},
		{"over", map[string]auth.Reason{"nothing": auth.AccountExpired, "token": session, "damaged": auth.AccountExpired}},
		{"older", map[string]auth.Reason{"nothing": session, "token": session, "damaged": session}},
		{"foreign", map[string]auth.Reason{"nothing": auth.AccountUntrusted, "token": session, "damaged": auth.AccountUntrusted}},
	} {
		for file, want := range row.want {
			for name, build := range builds {
				t.Run("server "+row.server+", file "+file+", "+name, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						w := newTower(t, build)
						w.put(files[file](w))
						outages[row.server](w, w.main)
						w.comesTo(want)
						_, err := w.authorizer.Account(t.Context(), w.sys.PublicKey())
						require.NoError(t, err, "what is pinned is there in any case")
						w.main.recovers()
						w.main.holds(w.app)
						time.Sleep(time.Minute) // misses are forgotten
						if file != "foreign" {
							w.comesTo(session) // what was wrong is not remembered
						}
					})
				})
			}
		}
	}
}

// TestLayersKeepTheDirectory: what came from the server is in the store, also where a damaged file was, which is set aside.
func TestLayersKeepTheDirectory(t *testing.T) {
	for _, file := range []string{"", "damaged"} {
		synctest.Test(t, func(t *testing.T) {
			w := newTower(t, builds["a store, before a cached server"])
			w.put(file)
			w.comesTo(auth.ReasonNone)
			kept, err := os.ReadFile(w.file())
			require.NoError(t, err)
			require.Equal(t, w.app.Token(), string(kept))
			_, err = os.Stat(w.file() + ".aside")
			require.Equal(t, file != "", err == nil, "%v", err)
			require.Empty(t, w.store.Faults())
		})
	}
}

// TestLayersFallBack: a second server has the account when the first cannot say, however slow that is, or does not have it.
// Whoever has a token ends the question, be it good or bad.
func TestLayersFallBack(t *testing.T) {
	fallBack := func(w *tower) auth.Config {
		return auth.Config{Resolver: resolver.Chain(w.pinned, w.remembering(resolver.Chain(w.remote, w.fallback)))}
	}
	for _, row := range []struct {
		first, second string
		want          auth.Reason
	}{
		{"well", "down", auth.ReasonNone},
		{"down", "well", auth.ReasonNone},
		{"slow", "well", auth.ReasonNone},
		{"slow", "late", auth.ReasonNone},
		{"500", "well", auth.ReasonNone},
		{"404", "well", auth.ReasonNone},
		{"wrong", "well", auth.ReasonNone},
		{"junk", "well", auth.ReasonNone},
		{"over", "well", auth.AccountExpired},
		{"foreign", "well", auth.AccountUntrusted},
		{"down", "404", auth.AccountUnavailable},
		{"404", "down", auth.AccountUnavailable},
		{"404", "slow", auth.AccountUnavailable},
		{"slow", "slow", auth.AccountUnavailable},
		{"wrong", "404", auth.AccountUnavailable},
		{"404", "404", auth.AccountNotFound},
	} {
		t.Run("first "+row.first+", second "+row.second, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newTower(t, fallBack)
				outages[row.first](w, w.main)
				outages[row.second](w, w.spare)
				w.comesTo(row.want)
			})
		})
	}
}

// TestLayersWhenTheCacheIsOld: an account that left the authorizer's memory, and whose file is lost, comes from the cache as
// long as that may give it, whatever is wrong with the server; "not found" is believed at once.
func TestLayersWhenTheCacheIsOld(t *testing.T) {
	const idle = 25 * time.Minute // nothing in force any more, and the cache is past its TTL
	for _, row := range []struct {
		server string
		after  time.Duration
		want   auth.Reason
	}{
		{"down", idle, auth.ReasonNone},
		{"slow", idle, auth.ReasonNone},
		{"500", idle, auth.ReasonNone},
		{"wrong", idle, auth.ReasonNone},
		{"junk", idle, auth.ReasonNone},
		{"well", idle, auth.ReasonNone},
		{"down", cacheOptions.TTL + cacheOptions.MaxStale - time.Second, auth.ReasonNone},
		{"down", cacheOptions.TTL + cacheOptions.MaxStale, auth.AccountUnavailable},
		{"404", idle, auth.AccountNotFound},
		{"older", idle, auth.AccountRollback},
		{"over", idle, auth.AccountExpired},
		{"foreign", idle, auth.AccountUntrusted},
	} {
		t.Run(row.server+" after "+row.after.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newTower(t, builds["a store, before a cached server"])
				w.comesTo(auth.ReasonNone)
				time.Sleep(row.after)
				_, held := w.authorizer.InForce(w.app.PublicKey())
				require.False(t, held)
				w.put("")
				outages[row.server](w, w.main)
				w.comesTo(row.want)
			})
		})
	}
}

// TestLayersAndLiveSessions: what goes wrong with the server ends no session, though it is asked again and again; that the
// account is gone does, and so does an outage of more than MaxStale.
func TestLayersAndLiveSessions(t *testing.T) {
	const maxStale = 3 * time.Hour
	build := func(w *tower) auth.Config {
		c := builds["one chain, a cached directory and server"](w)
		c.Refresh, c.MaxStale = 5*time.Minute, maxStale
		return c
	}
	hours := cacheOptions.TTL + cacheOptions.MaxStale + maxStale
	for _, row := range []struct {
		server string
		after  time.Duration
		want   auth.Reason
	}{
		{"well", 2 * hours, auth.ReasonNone},
		{"older", 2 * hours, auth.ReasonNone},
		{"foreign", 2 * hours, auth.ReasonNone},
		{"over", 2 * hours, auth.ReasonNone},
		{"down", hours, auth.ReasonNone}, // the cache's time and then the authorizer's
		{"down", hours + 10*time.Minute, auth.AccountStale},
		{"slow", hours, auth.ReasonNone},
		{"500", hours, auth.ReasonNone},
		{"wrong", hours, auth.ReasonNone},
		{"wrong", hours + 10*time.Minute, auth.AccountStale},
		{"404", cacheOptions.TTL + 5*time.Minute, auth.AccountRemoved},
	} {
		t.Run(row.server+" for "+row.after.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newTower(t, build)
				s, err := w.connect("u")
				require.NoError(t, err)
				outages[row.server](w, w.main)
				time.Sleep(row.after)
				synctest.Wait()
				require.Equal(t, row.want, reasonOrNone(s.Err()))
			})
		})
	}
}

// TestLayersOverARestart: a process that has forgotten everything goes by its directory while the server is down: who was
// revoked stays out, who was not comes in. When the server is there again with an older token, that changes nothing (B4).
func TestLayersOverARestart(t *testing.T) {
	for name, build := range builds {
		if name == "one chain, a cached directory and server" {
			continue // which has nothing to write to
		}
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newTower(t, func(w *tower) auth.Config {
					c := build(w)
					c.Refresh = time.Minute
					return c
				})
				before := w.app
				revoked, err := w.connect("revoked")
				require.NoError(t, err)
				time.Sleep(time.Second)
				w.main.post(w.newer(authtest.Revoke("revoked", time.Now())))
				time.Sleep(cacheOptions.TTL + time.Minute)
				synctest.Wait()
				require.Equal(t, auth.UserRevoked, reasonOrNone(revoked.Err()))

				w.main.goesDown()
				for range 2 {
					w.restart()
					w.app = before
					w.comesTo(auth.ReasonNone)
					old := before.User("revoked", authtest.IssuedAt(time.Now().Add(-time.Hour)))
					_, err = w.authorizer.Connect(t.Context(), old.Credentials(nonce.New()))
					require.Equal(t, auth.UserRevoked, reasonOrNone(err))
					w.main.recovers()
					w.main.holds(before)
					time.Sleep(cacheOptions.TTL + time.Minute)
				}
			})
		})
	}
}

// TestLayersRefresh: what is pushed to the server is in force behind all layers after a Refresh and the TTL of the cache at
// the latest, in the directory, too, and who is concerned is told. Who is pinned is not asked about.
func TestLayersRefresh(t *testing.T) {
	const refresh = 5 * time.Minute
	for name, build := range builds {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newTower(t, func(w *tower) auth.Config {
					c := build(w)
					c.Refresh = refresh
					return c
				})
				revoked, err := w.connect("revoked")
				require.NoError(t, err)
				other, err := w.connect("other")
				require.NoError(t, err)
				var told []*auth.Error
				revoked.Notify(func(e auth.Event) { told = append(told, e.Err) })
				next := w.newer(authtest.Revoke("revoked", time.Now()))
				time.Sleep(time.Hour)
				w.main.post(next)
				synctest.Wait()
				require.NoError(t, revoked.Err(), "nobody has looked yet")
				time.Sleep(refresh + cacheOptions.TTL)
				synctest.Wait()
				require.Equal(t, auth.UserRevoked, reasonOrNone(revoked.Err()))
				require.Len(t, told, 1)
				require.NoError(t, other.Err())
				inForce, _ := w.authorizer.InForce(w.app.PublicKey())
				require.Equal(t, digest(t, next), inForce.Revision().Digest)
				if kept, err := os.ReadFile(w.file()); !errors.Is(err, fs.ErrNotExist) {
					require.Equal(t, next.Token(), string(kept))
				}
			})
		})
	}
}

// TestLayersHint: what is pushed is in force at once where somebody tells of it, though the cache remembers otherwise.
func TestLayersHint(t *testing.T) {
	for name, build := range builds {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHints()
				w := newTower(t, func(w *tower) auth.Config {
					c := build(w)
					h.use(&c)
					return c
				})
				s, err := w.connect("revoked")
				require.NoError(t, err)
				w.main.post(w.newer(authtest.Revoke("revoked", time.Now())))
				synctest.Wait()
				require.NoError(t, s.Err())
				h.tell(w.app.PublicKey())
				require.Equal(t, auth.UserRevoked, reasonOrNone(s.Err()))
			})
		})
	}
}

// TestLayersPassAbilitiesOn: what a layer can do besides answering can still be had of what is put before it.
func TestLayersPassAbilitiesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var layers resolver.Resolver
		w := newTower(t, func(w *tower) auth.Config {
			layers = resolver.Chain(w.pinned, w.remembering(resolver.Chain(w.store, w.remote)))
			return auth.Config{Resolver: layers, Watch: []resolver.Watcher{layers.(resolver.Watcher)}}
		})

		// A directory is exchanged through the system account (F011): without one nothing begins.
		_, err := auth.New(auth.Config{
			Trust:    auth.Trust{Operators: []string{authtest.NewOperator(t, authtest.IssuedAt(time.Now())).Token()}},
			Resolver: layers,
		})
		require.ErrorContains(t, err, "system account")

		// What somebody else writes into the directory is heard through chain, cache and chain.
		w.put(w.app.Token())
		s, err := w.connect("revoked")
		require.NoError(t, err)
		require.Zero(t, w.remote.Stats().Requests, "the directory had it")
		w.put(w.newer(authtest.Revoke("revoked", time.Now())).Token())
		time.Sleep(2 * time.Minute) // it looks once a minute
		synctest.Wait()
		require.Equal(t, auth.UserRevoked, reasonOrNone(s.Err()))

		// Forgetting goes through, and each layer counts for itself.
		before := w.cached.Stats()
		for range 3 {
			resolver.Forget(layers, w.app.PublicKey())
			_, err = layers.Resolve(t.Context(), w.app.PublicKey())
			require.NoError(t, err)
		}
		_, err = layers.Resolve(t.Context(), w.app.PublicKey())
		require.NoError(t, err)
		after := w.cached.Stats()
		require.EqualValues(t, 3, after.Loads-before.Loads)
		require.EqualValues(t, 1, after.Hits-before.Hits)
	})
}

// TestLayersArePinned: an account outside Trust.PinnedAccounts costs no layer a question.
func TestLayersArePinned(t *testing.T) {
	for name, build := range builds {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newTower(t, build)
				for _, row := range []struct {
					pinned string
					want   auth.Reason
					asked  uint64
				}{
					{newKey(t, nkeys.CreateAccount), auth.AccountNotPinned, 0},
					{w.app.PublicKey(), auth.ReasonNone, 1},
				} {
					_, err := w.authorizer.SetTrust(t.Context(), auth.Trust{
						Operators: []string{w.operator.Token()}, PinnedAccounts: []string{row.pinned},
					})
					require.NoError(t, err)
					w.comesTo(row.want)
					require.Equal(t, row.asked, w.remote.Stats().Requests)
				}
			})
		})
	}
}

func digest(t *testing.T, a *authtest.Account) claims.Digest {
	t.Helper()
	c, err := claims.ParseAccount(a.Token())
	require.NoError(t, err)
	return c.Digest
}
