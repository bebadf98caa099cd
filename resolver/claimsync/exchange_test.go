package claimsync_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/auth/authtest"
	"github.com/natsauth/natsauth/resolver"
	"github.com/natsauth/natsauth/resolver/claimsync"
	"github.com/natsauth/natsauth/resolver/resolvertest"
)

// peer answers requests for packs with messages.
func peer(t testing.TB, bus resolver.Bus, messages ...string) (stop func() error) {
	t.Helper()
	stop, err := bus.Subscribe(packs, "responder", func(m resolver.Msg) {
		for _, text := range messages {
			require.NoError(t, bus.Publish(t.Context(), resolver.Msg{Subject: m.Reply, Data: []byte(text)}))
		}
	})
	require.NoError(t, err)
	return stop
}

func line(a *authtest.Account) string { return a.PublicKey() + "|" + a.Token() }

// TestB5Exchange: what a peer sends, by line.
func TestB5Exchange(t *testing.T) {
	r := newRealm(t)
	lesser, greater := r.twins()
	large := r.operator.Account("C", authtest.Name(strings.Repeat("x", 1500)))
	over := r.operator.Account("C", authtest.Expires(authtest.Now()))
	for _, row := range []struct {
		name     string
		held     []*authtest.Account
		messages []string
		want     claimsync.Exchanged
		after    []*authtest.Account
	}{
		{"nothing", nil, nil, claimsync.Exchanged{}, nil},
		{"a token", nil, []string{line(r.a)}, claimsync.Exchanged{Changed: 1}, []*authtest.Account{r.a}},
		{"tokens in one message", nil, []string{line(r.a) + "\n\n" + line(r.b) + "\n"}, claimsync.Exchanged{Changed: 2}, []*authtest.Account{r.a, r.b}},
		{"what is held", []*authtest.Account{r.a}, []string{line(r.a), r.a.PublicKey() + "|" + r.a.Token() + "\n" + line(r.a)}, claimsync.Exchanged{Same: 3}, []*authtest.Account{r.a}},
		{"a newer one", []*authtest.Account{r.a}, []string{line(r.a.Renew())}, claimsync.Exchanged{Changed: 1}, []*authtest.Account{r.a.Renew()}},
		{"an older one", []*authtest.Account{r.a.Renew()}, []string{line(r.a), line(r.b)}, claimsync.Exchanged{Older: 1, Changed: 1}, []*authtest.Account{r.a.Renew(), r.b}},
		{"same second, greater digest", []*authtest.Account{lesser}, []string{line(greater)}, claimsync.Exchanged{Changed: 1}, []*authtest.Account{greater}},
		{"same second, lesser digest", []*authtest.Account{greater}, []string{line(lesser)}, claimsync.Exchanged{Older: 1}, []*authtest.Account{greater}},
		{"of another operator", nil, []string{line(r.stranger), line(r.a)}, claimsync.Exchanged{Refused: 1, Changed: 1}, []*authtest.Account{r.a}},
		{"over", nil, []string{line(over), line(r.a)}, claimsync.Exchanged{Refused: 1, Changed: 1}, []*authtest.Account{r.a}},
		{"behind another's key", nil, []string{r.b.PublicKey() + "|" + r.a.Token(), line(r.b)}, claimsync.Exchanged{Refused: 1, Changed: 1}, []*authtest.Account{r.b}},
		{"a user token", nil, []string{r.a.PublicKey() + "|" + r.a.User("u").Token()}, claimsync.Exchanged{Refused: 1}, nil},
		{"without a key", nil, []string{r.a.Token(), line(r.b)}, claimsync.Exchanged{Malformed: 1, Changed: 1}, []*authtest.Account{r.b}},
		{"with two bars", nil, []string{line(r.a) + "|x", line(r.b)}, claimsync.Exchanged{Malformed: 1, Changed: 1}, []*authtest.Account{r.b}},
		{"a path for a key", nil, []string{"../" + line(r.a), line(r.b)}, claimsync.Exchanged{Malformed: 1, Changed: 1}, []*authtest.Account{r.b}},
		{"no token", nil, []string{r.a.PublicKey() + "|x", r.a.PublicKey() + "|", "\n", "|", "\x00", line(r.b)}, claimsync.Exchanged{Malformed: 4, Changed: 1}, []*authtest.Account{r.b}},
		{"too large", nil, []string{line(large), line(r.b)}, claimsync.Exchanged{Malformed: 1, Changed: 1}, []*authtest.Account{r.b}},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				bus := new(resolvertest.Bus)
				n := r.node(t, bus, func(s setup) { s.claim.Bounds.MessageBytes = 1999 })
				n.hold(row.held...)
				peer(t, bus, append(row.messages, "")...)
				got, err := n.Exchange(t.Context())
				require.NoError(t, err)
				require.Equal(t, row.want, got)
				require.Equal(t, row.want, n.Stats().Taken)
				n.holds(append(row.after, r.system)...)
				require.Equal(t, got.Malformed+got.Refused > 0, strings.Contains(n.log.String(), "not all"))
				require.LessOrEqual(t, strings.Count(n.log.String(), "not all"), 1)
				requireHidden(t, n.log.String())
			})
		})
	}
}

// twins are two tokens of A that were issued in one second, the lesser digest first.
func (r realm) twins() (lesser, greater *authtest.Account) {
	one, two := r.operator.Account("A", authtest.Name("one")), r.operator.Account("A", authtest.Name("two"))
	if m, err := resolver.NewMemory(one.Token(), two.Token()); err != nil {
		panic(err)
	} else if kept, err := m.Resolve(context.Background(), one.PublicKey()); err != nil || kept == one.Token() {
		return two, one
	}
	return one, two
}

// TestExchangeEnds: by the empty message, by silence, by its time, by its caller, or because the Service closes.
func TestExchangeEnds(t *testing.T) {
	r := newRealm(t)
	begin := func(t *testing.T, bus resolver.Bus, edits ...func(setup)) (*node, func(context.Context) chan error) {
		n := r.node(t, bus, edits...)
		return n, func(ctx context.Context) chan error {
			done := make(chan error, 1)
			go func() {
				_, err := n.Exchange(ctx)
				done <- err
			}()
			synctest.Wait()
			return done
		}
	}
	t.Run("silence", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			bus := new(resolvertest.Bus)
			n, exchange := begin(t, bus)
			peer(t, bus, line(r.a))
			done := exchange(t.Context())
			n.holds(r.system, r.a) // what came stays
			time.Sleep(1900*time.Millisecond - 1)
			require.Empty(t, done)
			time.Sleep(1)
			require.ErrorIs(t, <-done, resolver.ErrUnavailable)
			require.EqualValues(t, 1, n.Stats().ExchangesFailed)
			require.Equal(t, 1, n.busSubscriptions()-7, "the peer's, and no inbox")
		})
	})
	t.Run("a peer without an end", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			bus := new(resolvertest.Bus)
			n, exchange := begin(t, bus, func(s setup) { s.claim.Bounds.PackTime = time.Minute })
			inbox := make(chan string, 1)
			_, err := bus.Subscribe(packs, "responder", func(m resolver.Msg) { inbox <- m.Reply })
			require.NoError(t, err)
			done := exchange(t.Context())
			to := <-inbox
			for range 60 {
				require.Empty(t, done)
				require.NoError(t, bus.Publish(t.Context(), resolver.Msg{Subject: to, Data: []byte("x")}))
				time.Sleep(time.Second)
			}
			require.ErrorIs(t, <-done, context.DeadlineExceeded)
			require.EqualValues(t, 60, n.Stats().Taken.Malformed)
		})
	})
	t.Run("its caller", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			bus := new(resolvertest.Bus)
			_, exchange := begin(t, bus)
			peer(t, bus)
			ctx, cancel := context.WithCancel(t.Context())
			done := exchange(ctx)
			require.Empty(t, done)
			cancel()
			err := <-done
			require.ErrorIs(t, err, context.Canceled)
			require.ErrorIs(t, err, resolver.ErrUnavailable)
		})
	})
	t.Run("close", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			bus := new(resolvertest.Bus)
			n, exchange := begin(t, bus)
			peer(t, bus)
			done := exchange(t.Context())
			require.NoError(t, n.Close())
			require.Len(t, done, 1, "Close waits")
			require.ErrorIs(t, <-done, context.Canceled)
			_, err := n.Exchange(t.Context())
			require.ErrorContains(t, err, "not running")
		})
	})
	t.Run("nobody listens", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			bus := new(resolvertest.Bus)
			_, exchange := begin(t, bus, func(s setup) { s.claim.Timeout = time.Hour })
			_, err := bus.Subscribe(packs, "responder", func(m resolver.Msg) {
				bus.Publish(t.Context(), resolver.Msg{Subject: m.Reply, Header: map[string][]string{"Status": {"503"}}})
			})
			require.NoError(t, err)
			began := time.Now()
			require.ErrorIs(t, <-exchange(t.Context()), resolver.ErrUnavailable)
			require.Zero(t, time.Since(began))
		})
	})
	t.Run("there is nobody else", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n, exchange := begin(t, new(resolvertest.Bus))
			require.NoError(t, <-exchange(t.Context()))
			require.Zero(t, n.Stats().Packs, "it does not answer itself")
			require.EqualValues(t, 1, n.Stats().Exchanges)
		})
	})
}

// busSubscriptions are how many there are on the node's bus.
func (n *node) busSubscriptions() int { return n.bus.(*resolvertest.Bus).Subscriptions() }

// TestExchangeOneAtATime: what would run beside another does not pile up.
func TestExchangeOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, bus := newRealm(t), new(resolvertest.Bus)
		n := r.resting(t, bus, func(s setup) { s.claim.Interval, s.claim.Timeout = time.Second, time.Minute })
		for range 20 { // so many that the node is not asked itself eight times running, which would end an exchange
			peer(t, bus) // never answers
		}
		require.NoError(t, n.Start())
		time.Sleep(time.Hour)
		asked := n.Stats().ExchangesFailed
		require.InDelta(t, 59, asked, 2)
		_, err := n.Exchange(t.Context())
		require.ErrorIs(t, err, claimsync.ErrBusy)
		require.Equal(t, asked, n.Stats().ExchangesFailed)
	})
}

func TestExchangeOutages(t *testing.T) {
	r := newRealm(t)
	outage := errors.New("no disk")
	t.Run("hash", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := r.node(t, new(resolvertest.Bus), func(s setup) { s.claim.Store = &failing{Memory: new(resolver.Memory), hash: outage} })
			_, err := n.Exchange(t.Context())
			require.ErrorIs(t, err, outage)
			require.ErrorIs(t, err, resolver.ErrUnavailable)
		})
	})
	t.Run("a token", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			bus := new(resolvertest.Bus)
			n := r.node(t, bus, func(s setup) { s.claim.Store = &failing{Memory: new(resolver.Memory), resolve: outage} })
			peer(t, bus, line(r.a), "")
			got, err := n.Exchange(t.Context())
			require.NoError(t, err)
			require.Equal(t, claimsync.Exchanged{Failed: 1}, got)
		})
	})
	for name, err := range map[string]error{"the authorizer": outage, "saving": &auth.Error{Reason: auth.AccountUnavailable}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				bus := new(resolvertest.Bus)
				n := r.node(t, bus, func(s setup) {
					s.claim.Authorizer = stub{apply: func(context.Context, string, resolver.Mode) (auth.Report, error) { return auth.Report{}, err }}
				})
				peer(t, bus, line(r.a), "")
				got, err := n.Exchange(t.Context())
				require.NoError(t, err)
				require.Equal(t, claimsync.Exchanged{Failed: 1}, got)
			})
		})
	}
	t.Run("bus, publishing", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			bus := &gate{Bus: new(resolvertest.Bus)}
			n := r.node(t, bus)
			bus.mute.Store(true)
			_, err := n.Exchange(t.Context())
			require.ErrorIs(t, err, errBroken)
			require.ErrorIs(t, err, resolver.ErrUnavailable)
		})
	})
	t.Run("bus", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			bus := &gate{Bus: new(resolvertest.Bus)}
			n := r.node(t, bus)
			bus.broken.Store(true)
			_, err := n.Exchange(t.Context())
			require.ErrorIs(t, err, errBroken)
			require.ErrorIs(t, err, resolver.ErrUnavailable)
		})
	})
}

// TestInterval: an exchange at Start, and one at each interval; the Jitter has the last word, and none is negative.
func TestInterval(t *testing.T) {
	for _, row := range []struct {
		name     string
		interval time.Duration
		jitter   func(time.Duration) time.Duration
		hour     uint64
	}{
		{"default", 0, func(d time.Duration) time.Duration { return d }, 60},
		{"ten minutes", 10 * time.Minute, func(d time.Duration) time.Duration { return d }, 6},
		{"half of it", 10 * time.Minute, func(d time.Duration) time.Duration { return d / 2 }, 12},
		{"a jitter that gives nothing", 10 * time.Minute, func(time.Duration) time.Duration { return 0 }, 6},
		{"none", -1, func(d time.Duration) time.Duration { return d }, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newRealm(t).node(t, new(resolvertest.Bus), func(s setup) { s.claim.Interval, s.claim.Jitter = row.interval, row.jitter })
				synctest.Wait()
				require.Equal(t, min(row.hour, 1), n.Stats().Exchanges)
				time.Sleep(time.Hour - 1)
				synctest.Wait()
				require.Equal(t, row.hour, n.Stats().Exchanges)
				time.Sleep(1)
				synctest.Wait()
				require.Equal(t, row.hour+min(row.hour, 1), n.Stats().Exchanges)
			})
		})
	}
}

func TestDefaultJitter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newRealm(t).node(t, new(resolvertest.Bus), func(s setup) { s.claim.Interval, s.claim.Jitter = time.Minute, nil })
		time.Sleep(time.Hour)
		require.Greater(t, n.Stats().Exchanges, uint64(61))
		require.Less(t, n.Stats().Exchanges, uint64(120))
	})
}

// TestB18PackWaits: what has no room is left for the next exchange, which goes on from there.
func TestB18PackWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, bus := newRealm(t), new(resolvertest.Bus)
		n := r.node(t, bus, func(s setup) { s.claim.Bounds.PackTokens = 2 })
		peer(t, bus, "x", line(r.a), line(r.b), line(r.c), "")
		got, err := n.Exchange(t.Context())
		require.NoError(t, err)
		require.Equal(t, claimsync.Exchanged{Malformed: 1, Changed: 1, Lost: 2}, got)
		n.holds(r.system, r.a)
	})
}

// TestB18PackBytes: while a token is looked at, so much may wait, and at least one message.
func TestB18PackBytes(t *testing.T) {
	r := newRealm(t)
	d := r.operator.Account("D")
	for _, row := range []struct {
		name  string
		bytes int
		lost  uint64
	}{
		{"room for none", 1, 2},
		{"a byte less than two", len(line(r.b)) + len(line(r.c)) - 1, 2},
		{"two", len(line(r.b)) + len(line(r.c)), 1},
		{"three", len(line(r.b)) + len(line(r.c)) + len(line(d)), 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				bus, looking := new(resolvertest.Bus), make(chan struct{})
				n := r.node(t, bus, func(s setup) {
					s.claim.Bounds.PackBytes = row.bytes
					s.claim.Authorizer = stub{apply: func(context.Context, string, resolver.Mode) (auth.Report, error) {
						<-looking
						return auth.Report{}, nil
					}}
				})
				var inbox string
				_, err := bus.Subscribe(packs, "responder", func(m resolver.Msg) { inbox = m.Reply })
				require.NoError(t, err)
				send := func(text string) {
					require.NoError(t, bus.Publish(t.Context(), resolver.Msg{Subject: inbox, Data: []byte(text)}))
					synctest.Wait()
				}
				done := make(chan claimsync.Exchanged)
				go func() {
					got, _ := n.Exchange(t.Context())
					done <- got
				}()
				synctest.Wait()
				for _, text := range []string{line(r.a), line(r.b), line(r.c), line(d), ""} {
					send(text)
				}
				close(looking)
				require.Equal(t, claimsync.Exchanged{Changed: 4 - row.lost, Lost: row.lost}, <-done)
			})
		})
	}
}

// TestConverge: nodes that were given anything in any order, while some of them were cut off, come to hold the same.
func TestConverge(t *testing.T) {
	r := newRealm(t)
	newest := r.operator.Account("A", authtest.IssuedAt(authtest.Now()))
	var tokens []*authtest.Account
	for _, name := range []string{"A", "B", "C"} {
		for iat := range 3 {
			for twin := range 2 {
				tokens = append(tokens, r.operator.Account(name, authtest.Name(fmt.Sprint(twin)),
					authtest.IssuedAt(authtest.Now().Add(time.Duration(iat-10)*time.Second))))
			}
		}
	}
	rapid.Check(t, func(rt *rapid.T) {
		synctest.Test(t, func(t *testing.T) {
			bus := new(resolvertest.Bus)
			var nodes []*node
			var gates []*gate
			for range 3 {
				g := &gate{Bus: bus}
				gates = append(gates, g)
				nodes = append(nodes, r.node(t, g, func(s setup) { s.claim.Clock, s.claim.Interval = ticking(), time.Minute }))
			}
			synctest.Wait()
			deleted := 0
			for range rapid.IntRange(1, 12).Draw(rt, "steps") {
				g := rapid.SampledFrom(gates).Draw(rt, "node")
				switch rapid.SampledFrom([]string{"push", "push", "push", "cut", "heal", "untrusted", "delete", "wait"}).Draw(rt, "step") {
				case "push":
					token := rapid.SampledFrom(tokens).Draw(rt, "token").Token()
					require.NoError(t, g.Publish(t.Context(), resolver.Msg{Subject: updates, Data: []byte(token)}))
				case "cut":
					g.cut.Store(true)
				case "heal":
					g.cut.Store(false)
				case "untrusted":
					require.NoError(t, bus.Publish(t.Context(), resolver.Msg{Subject: updates, Data: []byte(r.stranger.Token())}))
				case "delete":
					deleted++
					require.NoError(t, bus.Publish(t.Context(), resolver.Msg{Subject: deletes, Data: []byte(deletion(t, r.operator.Key(),
						[]string{r.a.PublicKey()}, expires(1e6), func(c *jwt.GenericClaims) { c.ID = fmt.Sprint(deleted) }))}))
				case "wait":
					time.Sleep(time.Minute)
				}
				synctest.Wait()
			}
			for _, g := range gates {
				g.cut.Store(false)
			}
			// Whoever deleted an account takes it back with a newer token only: all are given one.
			if deleted > 0 {
				require.NoError(t, bus.Publish(t.Context(), resolver.Msg{Subject: updates, Data: []byte(newest.Token())}))
			}
			time.Sleep(5 * time.Minute)
			synctest.Wait()
			want, err := nodes[0].store.Hash(t.Context())
			require.NoError(t, err)
			for _, n := range nodes[1:] {
				got, err := n.store.Hash(t.Context())
				require.NoError(t, err)
				require.Equal(t, want, got)
				require.NotContains(t, resolvertest.Accounts(t, n.store), r.stranger.PublicKey())
			}
			for _, n := range nodes {
				require.NoError(t, n.Close())
			}
		})
	})
}
