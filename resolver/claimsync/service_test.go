package claimsync_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/resolver"
	"github.com/natsauth/natsauth/resolver/claimsync"
	"github.com/natsauth/natsauth/resolver/resolvertest"
)

func TestNewRefuses(t *testing.T) {
	r := newRealm(t)
	n := r.resting(t, new(resolvertest.Bus))
	good := claimsync.Config{Bus: n.bus, Authorizer: n.authorizer, Store: n.store, Server: claimsync.ServerInfo{Name: "s"}}
	s, err := claimsync.New(good)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	bare := good
	bare.Store, bare.UpdatesOnly = nil, true
	s, err = claimsync.New(bare)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	for name, edit := range map[string]func(*claimsync.Config){
		"needs a Bus":         func(c *claimsync.Config) { c.Bus = nil },
		"an Authorizer":       func(c *claimsync.Config) { c.Authorizer = nil },
		"and a Store":         func(c *claimsync.Config) { c.Store = nil },
		"exclude each other":  func(c *claimsync.Config) { c.Cache, c.UpdatesOnly = true, true },
		"needs a name":        func(c *claimsync.Config) { c.Server.Name = "" },
		"SystemAccount":       func(c *claimsync.Config) { c.SystemAccount = r.a.User("u").PublicKey() },
		"Timeout":             func(c *claimsync.Config) { c.Timeout = -1 },
		"MaxRequestAge":       func(c *claimsync.Config) { c.MaxRequestAge = -1 },
		"MaxSkew":             func(c *claimsync.Config) { c.MaxSkew = -1 },
		"Bounds.MessageBytes": func(c *claimsync.Config) { c.Bounds.MessageBytes = -1 },
		"Bounds.Requests":     func(c *claimsync.Config) { c.Bounds.Requests = -1 },
		"Bounds.RequestBytes": func(c *claimsync.Config) { c.Bounds.RequestBytes = -1 },
		"Bounds.RequestTime":  func(c *claimsync.Config) { c.Bounds.RequestTime = -1 },
		"Bounds.Packs":        func(c *claimsync.Config) { c.Bounds.Packs = -1 },
		"Bounds.Replays":      func(c *claimsync.Config) { c.Bounds.Replays = -1 },
		"Bounds.PackTokens":   func(c *claimsync.Config) { c.Bounds.PackTokens = -1 },
		"Bounds.PackBytes":    func(c *claimsync.Config) { c.Bounds.PackBytes = -1 },
		"Bounds.PackTime":     func(c *claimsync.Config) { c.Bounds.PackTime = -1 },
	} {
		c := good
		edit(&c)
		s, err := claimsync.New(c)
		require.Nil(t, s)
		require.ErrorContains(t, err, name)
	}
}

// TestStartAndClose: it hears from Start to Close, once.
func TestStartAndClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, bus := newRealm(t), &gate{Bus: new(resolvertest.Bus)}
		n := r.resting(t, bus)
		require.Empty(t, n.ask(lists, ""))
		_, err := n.Exchange(t.Context())
		require.ErrorContains(t, err, "not running")

		bus.broken.Store(true)
		require.ErrorIs(t, n.Start(), errBroken)
		bus.broken.Store(false)
		require.NoError(t, n.Start())
		require.ErrorContains(t, n.Start(), "started before")
		require.Len(t, n.ask(lists, ""), 1)
		require.NoError(t, n.Close())
		require.NoError(t, n.Close())
		require.Empty(t, n.ask(lists, ""))
		require.Error(t, n.Start())

		never := r.resting(t, bus)
		require.NoError(t, never.Close())
		require.Error(t, never.Start())
	})
}

// TestCloseEndsWork: what is under way gives up, what waits is left, and Close waits for it.
func TestCloseEndsWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRealm(t)
		ended := 0
		n := r.node(t, new(resolvertest.Bus), func(s setup) {
			s.claim.Authorizer = stub{apply: func(ctx context.Context, _ string, _ resolver.Mode) (auth.Report, error) {
				<-ctx.Done()
				time.Sleep(time.Minute)
				ended++
				return auth.Report{}, ctx.Err()
			}}
		})
		n.ask(updates, r.a.Token())
		n.ask(updates, r.b.Token())
		require.NoError(t, n.Close())
		require.Equal(t, 1, ended)
	})
}

// TestB18NeverBlocks: a request that cannot be done now waits; what has no room is refused where it would have changed
// something, and dropped where not. The Bus is never kept waiting.
func TestB18NeverBlocks(t *testing.T) {
	r := newRealm(t)
	for _, row := range []struct {
		name, subject, body string
		edit                func(*claimsync.Bounds)
		room                int
		answered            string // by whom has no room
	}{
		{"updates", updates, r.a.Token(), func(b *claimsync.Bounds) { b.Requests = 3 }, 3, refusal("claimsync: busy")},
		{"updates, by bytes", updates, r.a.Token(), func(b *claimsync.Bounds) { b.RequestBytes = 2*len(r.a.Token()) + 1 }, 2, refusal("claimsync: busy")},
		{"updates, one has room", updates, r.a.Token(), func(b *claimsync.Bounds) { b.RequestBytes = 1 }, 1, refusal("claimsync: busy")},
		{"deletes", deletes, deletion(t, r.operator.Key(), nil), func(b *claimsync.Bounds) { b.Requests = 3 }, 3, "delete accounts request failed - claimsync: busy"},
		{"look-ups", lookup(r.a), "", func(b *claimsync.Bounds) { b.Requests = 3 }, 3, ""},
		{"lists", lists, "", func(b *claimsync.Bounds) { b.Packs = 3 }, 3, ""},
		{"packs", packs, "", func(b *claimsync.Bounds) { b.Packs = 3 }, 3, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				bus := new(resolvertest.Bus)
				slow := &slowBus{Bus: bus, gate: make(chan struct{})}
				n := r.node(t, slow, func(s setup) { row.edit(&s.claim.Bounds) })
				n.hold(r.a)
				heard := collect(t, bus, "_INBOX.tool.>")
				send := func(n int) {
					for range n {
						require.NoError(t, bus.Publish(t.Context(), resolver.Msg{Subject: row.subject, Reply: "slow.x", Data: []byte(row.body)}))
						synctest.Wait()
					}
				}
				workers := 1
				if row.name == "look-ups" {
					workers = 2
				}
				send(workers + row.room) // under way, and waiting
				require.Zero(t, n.Stats().Dropped)
				n.bus = bus
				answers := n.ask(row.subject, row.body)
				require.EqualValues(t, 1, n.Stats().Dropped)
				send(5)
				require.EqualValues(t, 6, n.Stats().Dropped)
				if row.answered == "" {
					require.Empty(t, answers)
				} else {
					require.Equal(t, row.answered, read(t, answers[0]).description(t))
				}
				close(slow.gate)
				synctest.Wait()
				require.LessOrEqual(t, len(heard()), 1)
				require.NotEmpty(t, n.ask(row.subject, row.body))
				require.EqualValues(t, 6, n.Stats().Dropped, "there is room again")
			})
		})
	}
}

// TestB18ListsKeepNoLookupWaiting: whoever lists all the time does not keep accounts from being found.
func TestB18ListsKeepNoLookupWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRealm(t)
		bus := new(resolvertest.Bus)
		slow := &slowBus{Bus: bus, gate: make(chan struct{})}
		n := r.node(t, slow)
		n.hold(r.a)
		for range 20 {
			require.NoError(t, bus.Publish(t.Context(), resolver.Msg{Subject: lists, Reply: "slow.x"}))
		}
		n.bus = bus
		require.Equal(t, []string{r.a.Token()}, n.ask(lookup(r.a), ""))
		close(slow.gate)
	})
}

// TestAnswersAreNoRequests: an answer does not go where it would be a request.
func TestAnswersAreNoRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRealm(t)
		bus := new(resolvertest.Bus)
		n := r.node(t, bus)
		n.hold(r.a)
		heard, servers := collect(t, bus, "$SYS.REQ.X.>"), collect(t, bus, "$SYS._INBOX.>")
		for _, subject := range []string{lists, packs, lookup(r.a), updates, deletes} {
			for _, reply := range []string{"$SYS.REQ.X.y", "$SYS._INBOX.y"} {
				require.NoError(t, bus.Publish(t.Context(), resolver.Msg{Subject: subject, Reply: reply, Data: []byte(r.b.Token())}))
			}
		}
		synctest.Wait()
		require.Empty(t, heard())
		require.NotEmpty(t, servers())
		n.holds(r.system, r.a, r.b)
	})
}

// slowBus takes messages to slow.x when its gate is open only.
type slowBus struct {
	resolver.Bus
	gate chan struct{}
}

func (s *slowBus) Publish(ctx context.Context, m resolver.Msg) error {
	if m.Subject == "slow.x" {
		<-s.gate
	}
	return s.Bus.Publish(ctx, m)
}

// TestB18MessageBytes: a request is as large as it may be, or is not looked at.
func TestB18MessageBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRealm(t)
		size := len(r.a.Token())
		n := r.node(t, new(resolvertest.Bus), func(s setup) { s.claim.Bounds.MessageBytes = size })
		require.Nil(t, n.one(updates, r.a.Token()).Error)
		require.Equal(t, refusal("the request is too large"), n.one(updates, r.a.Token()+"\n").description(t))
		require.Contains(t, n.one(deletes, strings.Repeat("x", size+1)).description(t), "the request is too large")
		require.Empty(t, n.ask(packs, strings.Repeat("x", size+1)))
		require.EqualValues(t, 3, n.Stats().Dropped)
	})
}

// TestLargeAnswers: an answer that is too large goes without its lists.
func TestLargeAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, report := newRealm(t), auth.Report{State: auth.InForce, ClosedCount: 100}
		n := r.node(t, new(resolvertest.Bus), func(s setup) {
			s.claim.Bounds.MessageBytes = 2000
			s.claim.Authorizer = stub{Authorizer: s.claim.Authorizer, apply: func(context.Context, string, resolver.Mode) (auth.Report, error) {
				return report, nil
			}}
		})
		report.Closed = make([]auth.SessionChange, 10)
		require.Len(t, n.one(updates, r.a.Token()).Data.Report["closed"], 10)
		report.Closed = make([]auth.SessionChange, 200)
		got := n.one(updates, r.a.Token())
		require.Equal(t, 100.0, got.Data.Report["closed_count"])
		require.NotContains(t, got.Data.Report, "closed")

		n.Close()
		var fails error
		n = r.node(t, n.bus, func(s setup) {
			s.claim.Bounds.MessageBytes = 4000
			s.claim.Authorizer = authorizers{func() claimsync.Authorizer {
				return stub{Authorizer: n.authorizer, remove: func(context.Context, string) (auth.Report, error) { return auth.Report{}, fails }}
			}}
		})
		request := func(n int) string { return deletion(t, r.operator.Key(), slices.Repeat([]string{r.a.PublicKey()}, n)) }
		require.Len(t, n.one(deletes, request(2)).Data.Accounts, 2)
		require.Empty(t, n.one(deletes, request(40)).Data.Accounts)
		fails = errors.New("no disk")
		require.Len(t, n.one(deletes, request(3)).Error.Accounts, 3)
		require.Empty(t, n.one(deletes, request(41)).Error.Accounts)
	})
}

// TestF117LargeList: a list that is too large is an error that says so, and not part of it.
func TestF117LargeList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRealm(t)
		list := func(bound int) (*node, string) {
			n := r.node(t, new(resolvertest.Bus), func(s setup) { s.claim.Bounds.MessageBytes = bound })
			n.hold(r.a, r.b, r.c)
			return n, n.ask(lists, "")[0]
		}
		_, all := list(0)
		for _, bound := range []int{len(all), len(all) + 1} {
			n, text := list(bound)
			require.Equal(t, all, text)
			require.NotContains(t, n.log.String(), "too large")
			require.EqualValues(t, 1, n.Stats().Listed)
		}
		n, text := list(len(all) - 1)
		require.Less(t, len(text), len(all))
		require.NotContains(t, text, r.a.PublicKey())
		require.Equal(t, "list accounts failed - the answer would be too large: 4 accounts", read(t, text).description(t))
		require.Contains(t, n.log.String(), "level=WARN")
		require.Contains(t, n.log.String(), "too large")
		require.Zero(t, n.Stats().Listed+n.Stats().Unanswered)
	})
}

// TestRequestTime: what takes too long gives up, and the next has its turn.
func TestRequestTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, bus := newRealm(t), new(resolvertest.Bus)
		n := r.node(t, bus, func(s setup) {
			s.claim.Authorizer = stub{apply: func(ctx context.Context, _ string, _ resolver.Mode) (auth.Report, error) {
				<-ctx.Done()
				return auth.Report{}, ctx.Err()
			}}
		})
		answers := collect(t, bus, "_INBOX.tool.1")
		n.ask(updates, r.a.Token())
		time.Sleep(10*time.Second - 1)
		require.Empty(t, answers())
		time.Sleep(1)
		synctest.Wait()
		require.Len(t, answers(), 1)
		require.Equal(t, refusal("context deadline exceeded"), read(t, answers()[0]).description(t))
	})
}

// TestBrokenBus: an answer that cannot be sent is counted, and the Service goes on.
func TestBrokenBus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, inner := newRealm(t), new(resolvertest.Bus)
		bus := &gate{Bus: inner}
		n := r.node(t, bus)
		n.bus = inner
		bus.broken.Store(true)
		require.Empty(t, n.ask(updates, r.a.Token()))
		require.Empty(t, n.ask(packs, ""))
		require.EqualValues(t, 2, n.Stats().Unanswered)
		require.Contains(t, n.log.String(), errBroken.Error())
		n.holds(r.system, r.a)
		bus.broken.Store(false)
		require.Len(t, n.ask(lists, ""), 1)
	})
}
