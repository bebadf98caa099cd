package auth_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/claims"
)

func TestSessionAnswers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, noAccount)
	s := w.connect(t, func(c *jwt.UserClaims) {
		c.Pub.Allow.Add("orders.>")
		c.Pub.Deny.Add("orders.audit.>")
		c.Sub.Allow.Add("orders.>", "jobs workers")
		c.Sub.Deny.Add("orders.secret")
	})
	type answer struct {
		name string
		got  bool
		why  auth.Verdict
		want bool
		wire string
	}
	publish := func(subject string, want bool, wire string) answer {
		return answer{"publish " + subject, s.CanPublish(subject), s.WhyPublish(subject), want, wire}
	}
	subscribe := func(subject, queue string, want bool, wire string) answer {
		return answer{"subscribe " + subject + " " + queue, s.CanSubscribe(subject, queue), s.WhySubscribe(subject, queue), want, wire}
	}
	deliver := func(subject, queue string, want bool) answer {
		return answer{"deliver " + subject + " " + queue, s.CanDeliver(subject, queue), s.WhyDeliver(subject, queue), want, ""}
	}
	for _, a := range []answer{
		publish("orders.new", true, ""),
		publish("orders.audit.1", false, `Permissions Violation for Publish to "orders.audit.1"`),
		publish("payroll", false, `Permissions Violation for Publish to "payroll"`),
		subscribe("orders.>", "", true, ""),
		subscribe("orders.*", "any", true, ""),
		subscribe(">", "", false, `Permissions Violation for Subscription to ">"`),
		subscribe("orders.secret", "", false, `Permissions Violation for Subscription to "orders.secret"`),
		subscribe("jobs", "workers", true, ""),
		subscribe("jobs", "others", false, `Permissions Violation for Subscription to "jobs" using queue "others"`),
		subscribe("jobs", "", false, `Permissions Violation for Subscription to "jobs"`),
		deliver("orders.new", "", true),
		deliver("orders.secret", "", false),
		deliver("payroll", "", false),
	} {
		require.Equal(t, a.want, a.got, a.name)
		require.Equal(t, a.want, a.why.Allowed, "%s: %v", a.name, a.why)
		require.Equal(t, a.wire, a.why.Wire, a.name)
	}
	s.Close()
	require.False(t, s.CanPublish("orders.new"))
	require.False(t, s.CanSubscribe("orders.>", ""))
	require.False(t, s.CanDeliver("orders.new", ""))
	require.False(t, s.WhyPublish("orders.new").Allowed)
	require.Nil(t, s.Rights())
	require.True(t, s.Permissions().Empty())
}

func TestSessionTells(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *jwt.AccountClaims) {
		c.Limits.Payload, c.Limits.Subs = 500, -1
		c.DefaultPermissions.Pub.Allow.Add("b", "a", "b")
	})
	s := w.connect(t, func(c *jwt.UserClaims) {
		c.Limits.Payload, c.Limits.Subs, c.Limits.Data = 1000, 7, 9
		c.Tags.Add("team:blue")
	})
	defer s.Close()
	require.Equal(t, auth.Limits{Payload: 500, Subscriptions: 7, Data: 9}, s.Limits())
	require.Equal(t, []string{"a", "b"}, s.Permissions().Publish.Allow, "the defaults, sorted and unique")
	require.True(t, s.Expires().IsZero())
	require.NoError(t, s.Err())
	id := s.User()
	require.Equal(t, w.key, id.Account)
	require.Equal(t, w.key, id.Issuer)
	require.Equal(t, "u", id.Name)
	require.Equal(t, []string{"team:blue"}, id.Tags)
	require.EqualValues(t, 9, id.Data, "B22: carried and exposed")
	require.Equal(t, auth.Standard, id.ConnectionType)
	require.Equal(t, "192.0.2.1", s.Source().String())
	held, ok := w.authorizer.InForce(w.key)
	require.True(t, ok)
	require.Same(t, held, s.Account())
	s.Close()
	var end *auth.Error
	require.ErrorAs(t, s.Err(), &end)
	require.Equal(t, auth.SessionClosed, end.Reason)
	require.Equal(t, id.Key, end.User)
}

// TestZeroValues: nothing that was not made says yes.
func TestZeroValues(t *testing.T) {
	t.Parallel()
	var s auth.Session
	require.False(t, s.CanPublish("a"))
	require.False(t, s.CanSubscribe("a", ""))
	require.False(t, s.CanDeliver("a", ""))
	require.False(t, s.WhyPublish("a").Allowed)
	require.False(t, s.WhySubscribe("a", "").Allowed)
	require.False(t, s.WhyDeliver("a", "").Allowed)
	s.Delivered("reply")
	require.False(t, s.CanPublish("reply"))
	require.Nil(t, s.Rights())
	require.Zero(t, s.Limits())
	require.Zero(t, s.User())
	require.Nil(t, s.Account())
	s.Close()
	require.NoError(t, s.Err())
	<-s.Done()
	s.Notify(func(auth.Event) {})()

	var a auth.Authorizer
	_, err := a.Connect(context.Background(), auth.Credentials{})
	require.Error(t, err)
	require.Error(t, a.Explain(context.Background(), auth.Credentials{}).Err)
	_, err = a.Vouch("")
	require.Error(t, err)
	_, err = a.Account(context.Background(), "")
	require.Error(t, err)
	_, ok := a.InForce("")
	require.False(t, ok)
	a.Sweep()
	require.NoError(t, a.Close())

	w := newWorld(t, noAccount)
	require.Equal(t, auth.TokenMissing, w.refuse(t, auth.Credentials{}).Reason)
	c := w.client(noUser)
	c.ConnectionType = auth.Unknown
	require.Equal(t, auth.TypeDisallowed, w.refuse(t, c).Reason)
}

// TestSharedRights: permissions that list the same entries are one set, in
// whatever order, and others are another.
func TestSharedRights(t *testing.T) {
	t.Parallel()
	w := newWorld(t, noAccount)
	list := func(entries ...string) *auth.Session {
		return w.connect(t, func(c *jwt.UserClaims) { c.Pub.Allow.Add(entries...) })
	}
	first, same, other := list("a", "b", "c"), list("c", "a", "b"), list("a", "b")
	defer first.Close()
	defer same.Close()
	defer other.Close()
	require.Same(t, first.Rights(), same.Rights())
	require.NotSame(t, first.Rights(), other.Rights())
	unrestricted := w.connect(t, noUser)
	defer unrestricted.Close()
	require.EqualValues(t, 3, w.authorizer.Stats().SharedRights, "a b c; a b; the account's defaults")
}

// TestResponsePermissions holds Delivered and CanPublish to behaviour F064 to
// F066.
func TestResponsePermissions(t *testing.T) {
	t.Parallel()
	clock := newClock()
	w := newWorld(t, noAccount, clock.use)
	responder := func(r jwt.ResponsePermission, edits ...func(*jwt.UserClaims)) *auth.Session {
		return w.connect(t, func(c *jwt.UserClaims) {
			c.Resp = &r
			for _, edit := range edits {
				edit(c)
			}
		})
	}
	answers := func(s *auth.Session, most int) int {
		n := 0
		for n < most && s.CanPublish("reply") {
			n++
		}
		return n
	}

	t.Run("without a delivery there is no response", func(t *testing.T) {
		s := responder(jwt.ResponsePermission{MaxMsgs: 5})
		require.False(t, s.CanPublish("reply"))
		require.False(t, s.CanPublish("anything"), "the blanket allow is off")
		s.Delivered("")
		require.False(t, s.CanPublish(""))
	})
	t.Run("zero means one response", func(t *testing.T) {
		s := responder(jwt.ResponsePermission{})
		s.Delivered("reply")
		require.True(t, s.WhyPublish("reply").Allowed, "why spends nothing")
		require.Equal(t, 1, answers(s, 10))
		require.False(t, s.WhyPublish("reply").Allowed)
	})
	for _, row := range []struct{ deliveries, want int }{{1, 3}, {2, 2}, {3, 1}} {
		t.Run(fmt.Sprintf("three responses, %d deliveries of one reply", row.deliveries), func(t *testing.T) {
			s := responder(jwt.ResponsePermission{MaxMsgs: 3})
			for range row.deliveries {
				s.Delivered("reply")
			}
			require.Equal(t, row.want, answers(s, 10))
		})
	}
	t.Run("an exhausted reply is granted anew", func(t *testing.T) {
		s := responder(jwt.ResponsePermission{MaxMsgs: 1})
		for range 3 {
			s.Delivered("reply")
			require.Equal(t, 1, answers(s, 10))
		}
	})
	t.Run("negative means no bound", func(t *testing.T) {
		s := responder(jwt.ResponsePermission{MaxMsgs: -1, Expires: -1})
		s.Delivered("reply")
		clock.advance(24 * time.Hour)
		require.Equal(t, 1000, answers(s, 1000))
	})
	for _, row := range []struct {
		name    string
		ttl, in time.Duration
		want    bool
	}{
		{"before the end of its time", time.Minute, time.Minute - 1, true},
		{"at the end of its time", time.Minute, time.Minute, true},
		{"after the end of its time", time.Minute, time.Minute + 1, false},
		{"at the end of the default time", 0, 2 * time.Minute, true},
		{"after the end of the default time", 0, 2*time.Minute + 1, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := responder(jwt.ResponsePermission{MaxMsgs: 1, Expires: row.ttl})
			s.Delivered("reply")
			clock.advance(row.in)
			require.Equal(t, row.want, s.WhyPublish("reply").Allowed)
			require.Equal(t, row.want, s.CanPublish("reply"))
		})
	}
	t.Run("a deny rule does not stop a response", func(t *testing.T) {
		s := responder(jwt.ResponsePermission{MaxMsgs: 1}, func(c *jwt.UserClaims) { c.Pub.Deny.Add("reply") })
		require.False(t, s.CanPublish("reply"))
		s.Delivered("reply")
		require.True(t, s.CanPublish("reply"))
	})
	t.Run("what is allowed anyway is not tracked", func(t *testing.T) {
		s := responder(jwt.ResponsePermission{MaxMsgs: 1}, func(c *jwt.UserClaims) { c.Pub.Allow.Add("reply") })
		s.Delivered("reply")
		require.Equal(t, 100, answers(s, 100))
	})
	t.Run("without response permissions nothing is granted", func(t *testing.T) {
		s := w.connect(t, func(c *jwt.UserClaims) { c.Pub.Allow.Add("other") })
		s.Delivered("reply")
		require.False(t, s.CanPublish("reply"))
	})
	t.Run("what is no literal subject is not granted", func(t *testing.T) {
		s := responder(jwt.ResponsePermission{MaxMsgs: 5})
		for _, reply := range []string{"a b", "x\r\nPUB y 0", ">", "a.*", "a..b", ".", strings.Repeat("a", 4097)} {
			s.Delivered(reply)
			require.False(t, s.CanPublish(reply), "%q", reply)
		}
		s.Delivered(strings.Repeat("a", 4096))
		require.True(t, s.CanPublish(strings.Repeat("a", 4096)))
	})
	t.Run("a session that ended owes nothing", func(t *testing.T) {
		s := responder(jwt.ResponsePermission{MaxMsgs: 5})
		s.Delivered("reply")
		s.Close()
		require.False(t, s.CanPublish("reply"))
		s.Delivered("reply")
		require.False(t, s.CanPublish("reply"))
	})
}

// TestB18ReplyGrants: what a session owes is bounded, the oldest goes first, and
// answered ones do not push out those that wait.
func TestB18ReplyGrants(t *testing.T) {
	t.Parallel()
	const most = 8
	w := newWorld(t, noAccount, func(c *auth.Config) { c.Bounds.ReplyGrants = most })
	s := w.connect(t, func(c *jwt.UserClaims) { c.Resp = &jwt.ResponsePermission{MaxMsgs: 2} })
	defer s.Close()
	subject := func(i int) string { return fmt.Sprintf("reply.%d", i) }
	for i := range most + 3 {
		s.Delivered(subject(i))
	}
	open := 0
	for i := range most + 3 {
		if s.WhyPublish(subject(i)).Allowed {
			open++
			require.GreaterOrEqual(t, i, 3, "the oldest went first")
		}
	}
	require.Equal(t, most, open)

	long := w.connect(t, func(c *jwt.UserClaims) { c.Resp = &jwt.ResponsePermission{MaxMsgs: 1} })
	defer long.Close()
	name := func(i int) string { return strings.Repeat("a", 1000) + fmt.Sprint(i) }
	for i := range most {
		long.Delivered(name(i))
	}
	require.True(t, long.WhyPublish(name(most-1)).Allowed)
	require.False(t, long.WhyPublish(name(0)).Allowed, "long ones take the places of several")

	quick := w.connect(t, func(c *jwt.UserClaims) { c.Resp = &jwt.ResponsePermission{MaxMsgs: 1} })
	defer quick.Close()
	quick.Delivered("slow")
	for i := range 100 * most {
		quick.Delivered(subject(i))
		require.True(t, quick.CanPublish(subject(i)))
		require.False(t, quick.CanPublish(subject(i)))
	}
	require.True(t, quick.CanPublish("slow"), "still waiting for its answer")
}

// TestConnectionLimits holds the limits to F049 and F050, and B22: check and add
// are one step, so that any number of connects at once never exceed them.
func TestConnectionLimits(t *testing.T) {
	t.Parallel()
	const most = 10
	w := newWorld(t, func(c *jwt.AccountClaims) { c.Limits.Conn = most })
	creds := w.client(noUser)
	var mu sync.Mutex
	var sessions []*auth.Session
	var wg sync.WaitGroup
	for range 8 * most {
		wg.Go(func() {
			s, err := w.authorizer.Connect(context.Background(), creds)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				sessions = append(sessions, s)
				return
			}
			refusal := err.(*auth.Error) //nolint:errorlint // Connect promises the type
			if refusal.Reason != auth.ConnectionsExceeded || refusal.Wire() != "maximum account active connections exceeded" {
				t.Errorf("refused for %v", refusal)
			}
		})
	}
	wg.Wait()
	require.Len(t, sessions, most)
	internal := creds
	internal.Internal = true
	s, err := w.authorizer.Connect(context.Background(), internal)
	require.NoError(t, err, "internal connections are not held to the limit")
	sessions[0].Close()
	s.Close()
	again, err := w.authorizer.Connect(context.Background(), creds)
	require.NoError(t, err, "a place that was left is free; an internal one never counted")
	again.Close()
	again.Close()
	again, err = w.authorizer.Connect(context.Background(), creds)
	require.NoError(t, err, "a session that is closed twice leaves one place")
	require.Equal(t, auth.ConnectionsExceeded, w.refuse(t, creds).Reason)
	again.Close()
}

// TestLeafNodeLimits: leaf nodes count as connections, and are held to their own
// limit alone.
func TestLeafNodeLimits(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *jwt.AccountClaims) { c.Limits.Conn, c.Limits.LeafNodeConn = 2, 3 })
	plain := w.client(noUser)
	leaf := plain
	leaf.ConnectionType = auth.LeafNode
	for range 3 {
		s, err := w.authorizer.Connect(context.Background(), leaf)
		require.NoError(t, err)
		defer s.Close()
	}
	require.Equal(t, auth.LeafNodesExceeded, w.refuse(t, leaf).Reason)
	require.Equal(t, auth.ConnectionsExceeded, w.refuse(t, plain).Reason, "three leaf nodes fill two places")
}

// TestLimitsAreMinima: user, scope and account, each limit by itself.
func TestLimitsAreMinima(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name                string
		user, account, want int64
	}{
		{"both unlimited", -1, -1, -1},
		{"the user's", 10, -1, 10},
		{"the account's", -1, 10, 10},
		{"the user's is stricter", 10, 20, 10},
		{"the account's is stricter", 20, 10, 10},
		{"none for the user", 0, -1, 0},
		{"none for the account", -1, 0, 0},
		{"beyond 32 bits", 1 << 40, -1, 1 << 40},
		{"other negative values stay as they are", -5, -1, -5},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t, func(c *jwt.AccountClaims) { c.Limits.Payload = row.account })
			creds := w.client(func(c *jwt.UserClaims) { c.Limits.Payload = row.user })
			require.Equal(t, row.want, w.authorizer.Explain(t.Context(), creds).Limits.Payload)
			s, err := w.authorizer.Connect(t.Context(), creds)
			require.NoError(t, err)
			defer s.Close()
			require.Equal(t, row.want, s.Limits().Payload)
			require.EqualValues(t, claims.Unlimited, s.Limits().Subscriptions)
		})
	}
}
