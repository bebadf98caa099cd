package claimsync_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/auth/authtest"
	"github.com/natsauth/natsauth/claims"
	"github.com/natsauth/natsauth/resolver"
	"github.com/natsauth/natsauth/resolver/claimsync"
	"github.com/natsauth/natsauth/resolver/resolvertest"
)

var (
	_ resolver.Resolver    = (*claimsync.Resolver)(nil)
	_ resolver.SystemBound = (*claimsync.Resolver)(nil)
)

// TestResolver: what another node has is found, by the promises of every resolver.
func TestResolver(t *testing.T) {
	resolvertest.Run(t, func(t *testing.T, tokens ...string) resolver.Resolver {
		bus := new(resolvertest.Bus)
		store, err := resolver.NewMemory(tokens...)
		require.NoError(t, err)
		newRealm(t).node(t, bus, func(s setup) { s.claim.Store, s.claim.Bounds.RequestTime = store, time.Hour })
		asking, err := claimsync.NewResolver(claimsync.Options{Bus: bus, Peers: func() int { return 1 }, Timeout: time.Hour})
		require.NoError(t, err)
		return asking
	})
}

// reply is what one node answers, and when.
type reply struct {
	after time.Duration
	text  string
	head  map[string][]string
}

// answering has nodes answer every look-up.
func answering(t testing.TB, bus resolver.Bus, replies ...reply) {
	t.Helper()
	for _, r := range replies {
		_, err := bus.Subscribe("$SYS.REQ.ACCOUNT.*.CLAIMS.LOOKUP", "", func(m resolver.Msg) {
			time.Sleep(r.after)
			bus.Publish(context.Background(), resolver.Msg{Subject: m.Reply, Data: []byte(r.text), Header: r.head})
		})
		require.NoError(t, err)
	}
}

// TestF119Lookup: which answers end a look-up, how, and when.
func TestF119Lookup(t *testing.T) {
	r := newRealm(t)
	good, other := r.a.Token(), r.b.Token()
	const never = 100 * time.Hour
	timeout := 1900 * time.Millisecond
	for _, row := range []struct {
		name    string
		peers   int
		replies []reply
		want    string // the token
		err     error
		took    time.Duration
	}{
		{"one has it", 1, []reply{{text: good}}, good, nil, 0},
		{"the second has it", 2, []reply{{}, {after: time.Second, text: good}}, good, nil, time.Second},
		{"the first of two", 2, []reply{{after: time.Second, text: good}, {after: 2 * time.Second}}, good, nil, time.Second},
		{"at the last moment", 1, []reply{{after: timeout - 1, text: good}}, good, nil, timeout - 1},
		{"too late", 1, []reply{{after: timeout + 1, text: good}}, "", resolver.ErrUnavailable, timeout},
		{"none has it", 2, []reply{{}, {after: time.Second}}, "", resolver.ErrNotFound, time.Second},
		{"some have said so", 3, []reply{{}, {}, {after: never}}, "", resolver.ErrUnavailable, timeout},
		{"nobody answers", 1, nil, "", resolver.ErrUnavailable, timeout},
		{"nobody is there", 0, nil, "", resolver.ErrNotFound, 0},
		{"nobody knows how many are there", -1, []reply{{}, {}}, "", resolver.ErrUnavailable, timeout},
		{"and one has it", -1, []reply{{}, {after: time.Second, text: good}}, good, nil, time.Second},
		{"nonsense, then good", 2, []reply{{text: "x"}, {after: time.Second, text: good}}, good, nil, time.Second},
		{"another's, then good", 2, []reply{{text: other}, {after: time.Second, text: good}}, good, nil, time.Second},
		{"nonsense, then none", 2, []reply{{text: "x"}, {after: time.Second}}, "", resolver.ErrUnavailable, time.Second},
		{"another's", 1, []reply{{text: other}}, "", resolver.ErrUnavailable, 0},
		{"a user's", 1, []reply{{text: r.a.User("u").Token()}}, "", resolver.ErrUnavailable, 0},
		{"too large", 1, []reply{{text: strings.Repeat("x", claims.MaxTokenSize+1)}}, "", resolver.ErrUnavailable, 0},
		{"too large, then good", 2, []reply{{text: strings.Repeat("x", claims.MaxTokenSize+1)}, {after: time.Second, text: good}}, good, nil, time.Second},
		{"more than there are", 1, []reply{{}, {after: time.Second, text: good}}, "", resolver.ErrNotFound, 0},
		{"nobody listens", 1, []reply{{head: map[string][]string{"Status": {"503"}}}}, "", resolver.ErrUnavailable, 0},
		{"another status", 1, []reply{{head: map[string][]string{"Status": {"100"}}}, {after: time.Second, text: good}}, good, nil, time.Second},
		{"empty, with a header", 1, []reply{{head: map[string][]string{"K": {"V"}}}}, "", resolver.ErrNotFound, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				bus := new(resolvertest.Bus)
				answering(t, bus, row.replies...)
				asking, err := claimsync.NewResolver(claimsync.Options{Bus: bus, Peers: func() int { return row.peers }})
				require.NoError(t, err)
				began := time.Now()
				token, err := asking.Resolve(t.Context(), r.a.PublicKey())
				require.Equal(t, row.took, time.Since(began))
				require.Equal(t, row.want, token)
				c := asking.Stats()
				if row.err == nil {
					require.NoError(t, err)
					require.EqualValues(t, 1, c.Found)
				} else {
					require.ErrorIs(t, err, row.err)
					require.Equal(t, errors.Is(err, resolver.ErrNotFound), !errors.Is(err, resolver.ErrUnavailable))
					require.Zero(t, c.Found)
				}
				require.Equal(t, len(row.replies), bus.Subscriptions(), "no inbox is left")
				time.Sleep(never + time.Second) // what comes late finds nobody
			})
		})
	}
}

// TestResolverVouches: a node that answers first with a token of nobody who is trusted does not keep the others from being
// heard.
func TestResolverVouches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, bus := newRealm(t), new(resolvertest.Bus)
		forged := authtest.NewOperator(t, authtest.From("mallory")).Account("A", authtest.From("O/A"))
		require.Equal(t, r.a.PublicKey(), forged.PublicKey())
		answering(t, bus, reply{text: forged.Token()}, reply{after: time.Second, text: r.a.Token()})
		authorizer := authtest.Authorizer(t, r.operator, []*authtest.Account{r.system})
		for _, row := range []struct {
			vouch func(string) (*claims.Account, error)
			want  string
			bad   uint64
		}{{authorizer.Vouch, r.a.Token(), 1}, {nil, forged.Token(), 0}} {
			asking, err := claimsync.NewResolver(claimsync.Options{Bus: bus, Vouch: row.vouch, Peers: func() int { return 2 }})
			require.NoError(t, err)
			token, err := asking.Resolve(t.Context(), r.a.PublicKey())
			require.NoError(t, err)
			require.Equal(t, row.want, token)
			require.Equal(t, row.bad, asking.Stats().Bad)
			time.Sleep(time.Second)
		}
	})
}

// TestOwnQuestion: a node does not tell itself that nobody has an account.
func TestOwnQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, bus := newRealm(t), new(resolvertest.Bus)
		asking, err := claimsync.NewResolver(claimsync.Options{Bus: bus, Peers: func() int { return 1 }})
		require.NoError(t, err)
		n := r.node(t, bus, func(s setup) { s.claim.Resolver, s.auth.Resolver = asking, asking })
		_, err = asking.Resolve(t.Context(), r.a.PublicKey())
		require.ErrorIs(t, err, resolver.ErrUnavailable, "the one other is silent")
		require.Zero(t, n.Stats().NotFound)
		require.Len(t, n.ask(lookup(r.a), ""), 1, "others are answered")

		// And the Authorizer finds what a second node has, and keeps it.
		second := r.node(t, bus)
		second.hold(r.a)
		n.loads(r.a)
		n.holds(r.system, r.a)
		_, err = n.authorizer.Account(t.Context(), r.b.PublicKey())
		var why *auth.Error
		require.ErrorAs(t, err, &why)
		require.Equal(t, auth.AccountNotFound, why.Reason)
	})
}

func TestResolverContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, bus := newRealm(t), new(resolvertest.Bus)
		asking, err := claimsync.NewResolver(claimsync.Options{Bus: bus})
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		_, err = asking.Resolve(ctx, r.a.PublicKey())
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, resolver.ErrUnavailable)
		require.Equal(t, time.Second, time.Since(began))
	})
}

// TestB18Lookups: as many as there is room for, and one more is refused at once.
func TestB18Lookups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, bus := newRealm(t), new(resolvertest.Bus)
		asking, err := claimsync.NewResolver(claimsync.Options{Bus: bus, Lookups: 2})
		require.NoError(t, err)
		var ended atomic.Int32
		for range 2 {
			go func() {
				asking.Resolve(t.Context(), r.a.PublicKey())
				ended.Add(1)
			}()
		}
		synctest.Wait()
		_, err = asking.Resolve(t.Context(), r.b.PublicKey())
		require.ErrorIs(t, err, claimsync.ErrBusy)
		require.ErrorIs(t, err, resolver.ErrUnavailable)
		require.Equal(t, 2, bus.Subscriptions())
		require.EqualValues(t, 0, ended.Load())
		time.Sleep(2 * time.Second)
		require.EqualValues(t, 2, ended.Load())
		_, err = asking.Resolve(t.Context(), r.b.PublicKey())
		require.NotErrorIs(t, err, claimsync.ErrBusy)
		require.Equal(t, claimsync.ResolverStats{Lookups: 3, Unavailable: 3, Busy: 1}, asking.Stats())
	})
}

// TestB18Answers: of a flood that is nonsense only so much is looked at.
func TestB18Answers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, bus := newRealm(t), new(resolvertest.Bus)
		_, err := bus.Subscribe("$SYS.REQ.ACCOUNT.*.CLAIMS.LOOKUP", "", func(m resolver.Msg) {
			for range 1000 {
				bus.Publish(context.Background(), resolver.Msg{Subject: m.Reply, Data: []byte("x")})
			}
		})
		require.NoError(t, err)
		asking, err := claimsync.NewResolver(claimsync.Options{Bus: bus, Answers: 5})
		require.NoError(t, err)
		_, err = asking.Resolve(t.Context(), r.a.PublicKey())
		require.ErrorIs(t, err, resolver.ErrUnavailable)
		require.EqualValues(t, 5, asking.Stats().Bad)
	})
}

func TestResolverOutage(t *testing.T) {
	bus := &gate{Bus: new(resolvertest.Bus)}
	bus.broken.Store(true)
	asking, err := claimsync.NewResolver(claimsync.Options{Bus: bus})
	require.NoError(t, err)
	_, err = asking.Resolve(t.Context(), resolvertest.Account(t, 1))
	require.ErrorIs(t, err, errBroken)
	require.ErrorIs(t, err, resolver.ErrUnavailable)
	bus.broken.Store(false)
	bus.mute.Store(true)
	_, err = asking.Resolve(t.Context(), resolvertest.Account(t, 1))
	require.ErrorIs(t, err, errBroken)
	require.ErrorIs(t, err, resolver.ErrUnavailable)

	var none *claimsync.Resolver
	_, err = none.Resolve(t.Context(), resolvertest.Account(t, 1))
	require.ErrorIs(t, err, resolver.ErrUnavailable)
	require.Zero(t, none.Stats())
	require.True(t, none.SystemBound())
}

func TestNewResolverRefuses(t *testing.T) {
	bus := new(resolvertest.Bus)
	for name, o := range map[string]claimsync.Options{
		"a Bus": {}, "Timeout": {Bus: bus, Timeout: -1}, "Lookups": {Bus: bus, Lookups: -1}, "Answers": {Bus: bus, Answers: -1},
		"MessageBytes is negative": {Bus: bus, MessageBytes: -1}, "MessageBytes is over": {Bus: bus, MessageBytes: claims.MaxTokenSize + 1},
	} {
		r, err := claimsync.NewResolver(o)
		require.Nil(t, r)
		require.ErrorContains(t, err, name)
	}
}
