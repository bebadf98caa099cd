package auth_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/auth/authtest"
	"github.com/natsauth/natsauth/nonce"
	"github.com/natsauth/natsauth/resolver"
)

// heard is what a session tells, in order.
type heard struct {
	session *auth.Session
	over    chan struct{} // closed with the last event
	mu      sync.Mutex
	kinds   []auth.EventKind
}

func listen(s *auth.Session) *heard {
	h := &heard{session: s, over: make(chan struct{})}
	s.Notify(func(e auth.Event) {
		h.mu.Lock()
		h.kinds = append(h.kinds, e.Kind)
		h.mu.Unlock()
		if e.Kind == auth.Closed {
			close(h.over)
		}
	})
	return h
}

// count is how much it has told so far.
func (h *heard) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.kinds)
}

// all closes the session, and gives what it told before.
func (h *heard) all() []auth.EventKind {
	h.session.Close()
	<-h.over
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]auth.EventKind(nil), h.kinds[:len(h.kinds)-1]...)
}

// renewable is a session that signed s.nonce, and the user whose it is.
func (s *stage) renewable(opts ...authtest.Option) *auth.Session {
	s.t.Helper()
	return s.connect(s.account.User("u", opts...).Credentials(s.nonce))
}

// renew shows a new token of the user, well signed.
func (s *stage) renew(session *auth.Session, opts ...authtest.Option) error {
	c := s.account.User("u", opts...).Credentials(s.nonce)
	return session.Renew(s.t.Context(), c.JWT, c.Signature)
}

// TestB16Renew: the new token's permissions, limits and end take the place of the old
// one's in one step, and events tell what has changed.
func TestB16Renew(t *testing.T) {
	t.Parallel()
	now := authtest.Now()
	for _, row := range []struct {
		name     string
		from, to []authtest.Option
		want     []auth.EventKind
	}{
		{"the same token", nil, nil, nil},
		{"permissions", list(authtest.PubAllow("a")), list(authtest.PubAllow("b")), []auth.EventKind{auth.RightsChanged}},
		{"limits", list(authtest.Limits(1, 10)), list(authtest.Limits(2, 20)), []auth.EventKind{auth.LimitsChanged}},
		{"both", list(authtest.PubAllow("a"), authtest.Limits(1, 10)), list(authtest.PubAllow("b"), authtest.Limits(2, 20)), []auth.EventKind{auth.RightsChanged, auth.LimitsChanged}},
		{"an end", nil, list(authtest.Expires(now.Add(time.Hour))), nil},
		{"a later end", list(authtest.Expires(now.Add(time.Hour))), list(authtest.Expires(now.Add(2 * time.Hour))), nil},
		{"no end", list(authtest.Expires(now.Add(time.Hour))), nil, nil},
		{"an issue time and a name", nil, list(authtest.IssuedAt(now), authtest.Name("n")), nil},
		{"its own permissions for the default ones", nil, list(authtest.PubAllow("a")), []auth.EventKind{auth.RightsChanged}},
		{"a scoped key", list(authtest.PubAllow("a")), list(authtest.SignedBy("sk")), []auth.EventKind{auth.RightsChanged, auth.LimitsChanged}},
		{"an unscoped key", list(authtest.SignedBy("sk")), list(authtest.SignedBy("free"), authtest.PubAllow("a")), []auth.EventKind{auth.RightsChanged, auth.LimitsChanged}},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newStage(t, nil, list(authtest.Scope("sk", authtest.PubAllow("s"), authtest.Limits(3, 30)), authtest.SigningKey("free")))
			session := s.renewable(row.from...)
			h := listen(session)
			require.NoError(t, s.renew(session, row.to...))
			fresh := s.renewable(row.to...)
			require.Equal(t, holds(fresh), holds(session))
			require.Equal(t, fresh.Permissions(), session.Permissions())
			require.Same(t, fresh.Account(), session.Account())
			require.EqualValues(t, 2, s.Stats().Connected, "a renewal is no new connection")
			require.Equal(t, row.want, h.all())
		})
	}
}

// TestB16RenewKeepsItsPlace: a renewal needs no room, gives none away, and does not
// make a session younger.
func TestB16RenewKeepsItsPlace(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil, list(authtest.MaxConnections(2), authtest.SigningKey("sk")))
	first := s.renewable()
	second := s.connect(s.user())
	require.Equal(t, auth.ConnectionsExceeded, refusedAt(s, s.user()).Reason, "it is full")
	for range 3 {
		require.NoError(t, s.renew(first, authtest.SignedBy("sk")))
		require.NoError(t, s.renew(first))
	}
	require.Equal(t, auth.Counts{Connections: 2}, s.Counts(s.key))
	require.Equal(t, auth.ConnectionsExceeded, refusedAt(s, s.user()).Reason)
	require.NoError(t, s.renew(first, authtest.SignedBy("sk")))
	r := s.apply(authtest.MaxConnections(1), authtest.SigningKey("sk"))
	require.Equal(t, 1, r.ClosedCount)
	require.Error(t, second.Err(), "the newest goes")
	require.NoError(t, first.Err(), "which the renewed one is not")
	require.NoError(t, s.renew(first))
	first.Close()
	require.Zero(t, s.Counts(s.key))
	s.connect(s.user()).Close()
}

// refusedAt wants the client refused, and gives the refusal.
func refusedAt(s *stage, c auth.Credentials) *auth.Error {
	s.t.Helper()
	session, err := s.Connect(s.t.Context(), c)
	require.Nil(s.t, session)
	return refusalOf(s.t, err)
}

// TestB16RenewAmongOthers: sessions of several signing keys stay in the order in which
// they came, however often they are renewed under one or the other.
func TestB16RenewAmongOthers(t *testing.T) {
	t.Parallel()
	keys := list(authtest.SigningKey("one"), authtest.SigningKey("two"))
	s := newStage(t, nil, keys)
	under := func(name string) authtest.Option { return authtest.SignedBy(name) }
	var sessions []*auth.Session
	for i := range 6 {
		sessions = append(sessions, s.renewable(under([]string{"one", "two"}[i%2])))
	}
	for _, i := range []int{5, 0, 3, 2, 4, 1, 0} {
		require.NoError(t, s.renew(sessions[i], under([]string{"two", "one"}[i%2])))
	}
	for left := 5; left >= 0; left-- {
		s.clock.advance(time.Second)
		s.apply(append(keys, authtest.MaxConnections(int64(left)))...)
		for i, session := range sessions {
			require.Equal(t, i >= left, session.Err() != nil, "session %d of the %d that may stay", i, left)
		}
	}
}

// TestB16RenewedEnd: after a renewal the old end ends nothing, and the new one does:
// before, at and after.
func TestB16RenewedEnd(t *testing.T) {
	t.Parallel()
	now := authtest.Now()
	at := func(d time.Duration) authtest.Option { return authtest.Expires(now.Add(d)) }
	for _, row := range []struct {
		name     string
		from, to []authtest.Option
		end      time.Duration // 0: never
	}{
		{"later", list(at(time.Hour)), list(at(2 * time.Hour)), 2 * time.Hour},
		{"sooner", list(at(2 * time.Hour)), list(at(time.Hour)), time.Hour},
		{"never", list(at(time.Hour)), nil, 0},
		{"for the first time", nil, list(at(time.Hour)), time.Hour},
		{"by its hours", nil, list(authtest.Times("11:00:00", "13:00:00"), authtest.Locale("UTC")), time.Hour},
		{"no more by its hours", list(authtest.Times("11:00:00", "13:00:00"), authtest.Locale("UTC")), list(at(2 * time.Hour)), 2 * time.Hour},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newStage(t, nil, nil)
			session := s.renewable(row.from...)
			require.NoError(t, s.renew(session, row.to...))
			live := func(want bool) {
				s.Sweep()
				require.Equal(t, want, session.Err() == nil)
				require.Equal(t, want, session.CanPublish("a"))
			}
			if row.end == 0 {
				require.Zero(t, session.Expires())
				s.clock.advance(3 * time.Hour)
				live(true)
				return
			}
			require.True(t, session.Expires().Equal(now.Add(row.end)))
			s.clock.advance(row.end - 1)
			live(true)
			s.clock.advance(1)
			require.Equal(t, auth.StepLive, refusalOf(t, s.renew(session)).Step, "its time is over, though nobody has noticed")
			live(false)
			require.Equal(t, "User Authentication Expired", refusalOf(t, session.Err()).Wire())
		})
	}
}

// TestB16RenewedWarning: a session that was told of its end is told of the next one.
func TestB16RenewedWarning(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil, nil, func(c *auth.Config) { c.Warn = time.Minute })
	until := func(d time.Duration) authtest.Option { return authtest.Expires(authtest.Now().Add(d)) }
	session := s.renewable(until(time.Hour))
	h := listen(session)
	for i := range 3 {
		s.clock.advance(time.Hour - time.Minute - 1)
		s.Sweep()
		require.Equal(t, i, h.count(), "before")
		s.clock.advance(1)
		s.Sweep()
		require.Eventually(t, func() bool { return h.count() == i+1 }, 10*time.Second, time.Millisecond)
		s.clock.advance(time.Minute - 1)
		s.Sweep()
		require.NoError(t, s.renew(session, until(time.Duration(i+2)*time.Hour)))
		s.clock.advance(1)
	}
	require.Equal(t, []auth.EventKind{auth.Expiring, auth.Expiring, auth.Expiring}, h.all())
}

// TestB16RenewedProof: whether the client has shown that it holds its key counts from
// the renewal on, as it would of a fresh connect.
func TestB16RenewedProof(t *testing.T) {
	t.Parallel()
	bearer := list(authtest.Bearer())
	for _, row := range []struct {
		name     string
		from, to []authtest.Option
		signed   bool
		want     auth.Reason // of the renewal
		ban      auth.Reason // of the session, when bearers are banned
	}{
		{"a bearer stays one", bearer, bearer, false, 0, auth.BearerDisallowed},
		{"a bearer becomes none, and signs", bearer, nil, true, 0, 0},
		{"a bearer becomes none, and does not sign", bearer, nil, false, auth.SignatureMissing, auth.BearerDisallowed},
		{"one who signed becomes a bearer", nil, bearer, false, 0, auth.BearerDisallowed},
		{"one who signed signs again", nil, nil, true, 0, 0},
		{"one who signed does not sign again", nil, nil, false, auth.SignatureMissing, 0},
		{"a scope makes bearers", nil, list(authtest.SignedBy("bearers")), false, 0, auth.BearerDisallowed},
		{"a scope makes none, signed", nil, list(authtest.SignedBy("sk")), true, 0, 0},
		{"a scope makes none, unsigned", nil, list(authtest.SignedBy("sk")), false, auth.SignatureMissing, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			keys := list(authtest.Scope("sk"), authtest.Scope("bearers", authtest.Bearer()))
			s := newStage(t, nil, keys)
			session := s.renewable(row.from...)
			c := s.account.User("u", row.to...).Credentials(s.nonce)
			if !row.signed {
				c.Signature = ""
			}
			err := session.Renew(t.Context(), c.JWT, c.Signature)
			if row.want == auth.ReasonNone {
				require.NoError(t, err)
			} else {
				require.Equal(t, row.want, refusalOf(t, err).Reason)
			}
			s.apply(append(keys, authtest.DisallowBearer())...)
			if row.ban == auth.ReasonNone {
				require.NoError(t, session.Err())
				return
			}
			require.Equal(t, row.ban, refusalOf(t, session.Err()).Reason)
		})
	}
}

// TestB16RenewedScopeBearer: one who renewed without a signature is closed when the
// scope makes bearers no more, one who signed is not.
func TestB16RenewedScopeBearer(t *testing.T) {
	t.Parallel()
	for _, signed := range []bool{false, true} {
		s := newStage(t, nil, list(authtest.Scope("sk", authtest.Bearer())), func(c *auth.Config) { c.KeepOnScopeChange = true })
		session := s.renewable()
		c := s.account.User("u", authtest.SignedBy("sk")).Credentials(s.nonce)
		if !signed {
			c.Signature = ""
		}
		require.NoError(t, session.Renew(t.Context(), c.JWT, c.Signature))
		s.apply(authtest.Scope("sk"))
		require.Equal(t, signed, session.Err() == nil, "signed: %v", signed)
	}
}

// TestB16RenewRefused: what is refused leaves the session as it was; the rows of every
// other reason are in TestB1SameVerdictOnEveryPath.
func TestB16RenewRefused(t *testing.T) {
	t.Parallel()
	now := authtest.Now()
	good := func(s *stage) auth.Credentials { return s.account.User("u").Credentials(s.nonce) }
	for _, row := range []struct {
		name  string
		shown func(*stage) auth.Credentials
		want  auth.Reason // 0: accepted
	}{
		{"the same user", good, 0},
		{"another user", func(s *stage) auth.Credentials { return s.account.User("v").Credentials(s.nonce) }, auth.UserMismatch},
		{"the same user in another account", func(s *stage) auth.Credentials {
			other := s.operator.Account("B")
			c := jwt.NewUserClaims(s.account.User("u").PublicKey())
			token, err := c.Encode(other.Key())
			require.NoError(s.t, err)
			return auth.Credentials{JWT: token, Signature: authtest.SignNonce(s.account.User("u").Key(), s.nonce)}
		}, auth.UserMismatch},
		{"over another nonce", func(s *stage) auth.Credentials { return s.account.User("u").Credentials(nonce.New()) }, auth.SignatureWrong},
		{"by another user's key", func(s *stage) auth.Credentials {
			c := good(s)
			c.Signature = authtest.SignNonce(s.account.User("v").Key(), s.nonce)
			return c
		}, auth.SignatureWrong},
		{"garbage", func(*stage) auth.Credentials { return auth.Credentials{JWT: "garbage"} }, auth.TokenMalformed},
		{"nothing", func(*stage) auth.Credentials { return auth.Credentials{} }, auth.TokenMissing},
		{"expired", func(s *stage) auth.Credentials {
			return s.account.User("u", authtest.Expires(now)).Credentials(s.nonce)
		}, auth.UserExpired},
		{"about to expire", func(s *stage) auth.Credentials {
			return s.account.User("u", authtest.Expires(now.Add(time.Second))).Credentials(s.nonce)
		}, 0},
		{"revoked", func(s *stage) auth.Credentials {
			return s.account.User("u", authtest.IssuedAt(now.Add(-2*time.Hour))).Credentials(s.nonce)
		}, auth.UserRevoked},
		{"issued after the revocation", func(s *stage) auth.Credentials {
			return s.account.User("u", authtest.IssuedAt(now.Add(-2*time.Hour+time.Second))).Credentials(s.nonce)
		}, 0},
		{"of a key that is none of the account's", func(s *stage) auth.Credentials {
			with := s.operator.Account("A", authtest.SigningKey("unlisted"))
			return with.User("u", authtest.SignedBy("unlisted")).Credentials(s.nonce)
		}, auth.SignerUnknown},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newStage(t, nil, list(authtest.Revoke("u", now.Add(-2*time.Hour))), func(c *auth.Config) {
				c.Trust.Sentinel = authtest.NewOperator(nopTB{}).Account("A").User("sentinel", authtest.Bearer()).Token()
			})
			session := s.renewable(authtest.PubAllow("old"), authtest.Expires(now.Add(time.Hour)))
			before := holds(session)
			h := listen(session)
			refusedBefore := s.Stats().Refused
			c := row.shown(s)
			err := session.Renew(t.Context(), c.JWT, c.Signature)
			if row.want == auth.ReasonNone {
				require.NoError(t, err)
				require.True(t, session.CanPublish("new"))
				return
			}
			require.Equal(t, row.want, refusalOf(t, err).Reason)
			require.Equal(t, refusedBefore+1, s.Stats().Refused)
			require.NoError(t, session.Err())
			require.Equal(t, before, holds(session))
			require.True(t, session.CanPublish("old"))
			require.False(t, session.CanPublish("new"))
			require.Empty(t, h.all(), "nothing to tell")
			s.clock.advance(time.Hour)
			require.False(t, session.CanPublish("old"), "until its own end")
		})
	}
}

// TestB16RenewOfTheDead: a session that has ended stays ended, and one that never was
// is not renewed.
func TestB16RenewOfTheDead(t *testing.T) {
	t.Parallel()
	require.Equal(t, auth.SessionClosed, refusalOf(t, new(auth.Session).Renew(t.Context(), "", "")).Reason)
	s := newStage(t, nil, nil)
	session := s.renewable()
	session.Close()
	require.Equal(t, auth.SessionClosed, refusalOf(t, s.renew(session)).Reason)
	require.False(t, session.CanPublish("a"))
	require.Zero(t, s.Counts(s.key))
	s = newStage(t, nil, nil)
	session = s.renewable()
	require.NoError(t, s.Close())
	require.Equal(t, auth.AuthorizerClosed, refusalOf(t, s.renew(session)).Reason)
}

// TestB16ClosedMeanwhile: a client that leaves while its renewal waits for a look-up
// is not brought back.
func TestB16ClosedMeanwhile(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil, list(authtest.Expires(authtest.Now().Add(time.Hour))))
	session := s.renewable()
	s.clock.advance(time.Hour)
	next := s.token()
	asked, release := make(chan struct{}), make(chan struct{})
	s.upstream.answer = func(context.Context, string) (string, error) {
		close(asked)
		<-release
		return next, nil
	}
	done := make(chan error, 1)
	go func() { done <- s.renew(session) }()
	select {
	case <-asked:
	case err := <-done:
		require.Fail(t, "the account was not looked up", "%v", err)
	}
	session.Close()
	close(release)
	require.Equal(t, auth.SessionClosed, refusalOf(t, <-done).Reason)
	require.Zero(t, s.Counts(s.key))
	require.Empty(t, slices.Collect(s.Sessions(auth.Filter{})))
	s.connect(s.user()).Close()
}

// TestB16RenewWithinContext: a renewal waits for a look-up as long as its caller does.
func TestB16RenewWithinContext(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil, list(authtest.Expires(authtest.Now().Add(time.Hour))))
	session := s.renewable()
	s.clock.advance(time.Hour)
	s.upstream.answer = func(ctx context.Context, _ string) (string, error) {
		<-ctx.Done()
		return "", ctx.Err()
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c := s.account.User("u").Credentials(s.nonce)
	refusal := refusalOf(t, session.Renew(ctx, c.JWT, c.Signature))
	require.Equal(t, auth.AccountUnavailable, refusal.Reason)
	require.ErrorIs(t, refusal, context.Canceled)
	require.NoError(t, session.Err())
}

// TestB16RenewUnderAnotherKey: a session that was renewed belongs to the key that
// signed its last token, and to no other.
func TestB16RenewUnderAnotherKey(t *testing.T) {
	t.Parallel()
	both := list(authtest.SigningKey("one"), authtest.SigningKey("two"))
	for _, row := range []struct {
		name   string
		keys   []authtest.Option
		closes bool
	}{
		{"the new key goes", list(authtest.SigningKey("one")), true},
		{"the old key goes", list(authtest.SigningKey("two")), false},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newStage(t, nil, both)
			session := s.renewable(authtest.SignedBy("one"))
			stays := s.connect(s.user())
			require.NoError(t, s.renew(session, authtest.SignedBy("two")))
			require.Len(t, slices.Collect(s.Sessions(auth.Filter{Signer: session.User().Issuer})), 1)
			s.apply(row.keys...)
			require.NoError(t, stays.Err())
			if row.closes {
				require.Equal(t, auth.SignerUnknown, refusalOf(t, session.Err()).Reason)
				return
			}
			require.NoError(t, session.Err())
		})
	}
}

// TestB16RenewedSentinel: whoever came in by the sentinel, and showed a token of its
// own since, stays when the sentinel goes.
func TestB16RenewedSentinel(t *testing.T) {
	t.Parallel()
	for _, renews := range []bool{false, true} {
		s := newStage(t, nil, nil, func(c *auth.Config) {
			c.Trust.Sentinel = authtest.NewOperator(nopTB{}).Account("A").User("sentinel", authtest.Bearer()).Token()
		})
		session := s.connect(auth.Credentials{Nonce: s.nonce, ConnectionType: auth.Standard})
		if renews {
			c := s.account.User("sentinel").Credentials(s.nonce)
			require.NoError(t, session.Renew(t.Context(), c.JWT, c.Signature))
		}
		s.retrust(func(t *auth.Trust) { t.Sentinel = "" })
		require.Equal(t, renews, session.Err() == nil, "renewed: %v", renews)
	}
}

// TestB16RenewAmidUpdates: renewals and updates at once lose nobody's place, and end
// in what the last of both says. Run it with -race.
func TestB16RenewAmidUpdates(t *testing.T) {
	t.Parallel()
	const rounds, crowd = 25, 8
	keys := list(authtest.SigningKey("one"), authtest.Scope("sk", authtest.PubAllow("s")))
	s := newStage(t, nil, keys, func(c *auth.Config) { c.KeepOnScopeChange = true })
	var wg sync.WaitGroup
	var sessions []*auth.Session
	signers := []string{"one", "sk"}
	for range crowd {
		sessions = append(sessions, s.renewable(authtest.SignedBy("one"), authtest.PubAllow("old")))
	}
	for _, session := range sessions {
		wg.Go(func() {
			for i := range rounds {
				opts := list(authtest.SignedBy(signers[i%2]))
				if i%2 == 0 {
					opts = append(opts, authtest.PubAllow("own"))
				}
				if err := s.renew(session, opts...); err != nil {
					t.Errorf("renewal %d: %v", i, err)
				}
				if session.CanPublish("old") {
					t.Error("what the old token granted stays")
				}
			}
		})
	}
	for i := range rounds {
		token := s.operator.Account("A", append(list(
			authtest.IssuedAt(s.clock.read().Add(time.Duration(i)*time.Second)), authtest.Limits(int64(i), -1),
		), keys...)...).Token()
		_, err := s.Apply(t.Context(), token, resolver.Push)
		require.NoError(t, err)
	}
	wg.Wait()
	require.Equal(t, auth.Counts{Connections: crowd}, s.Counts(s.key))
	for _, session := range sessions {
		require.True(t, session.CanPublish("own"))
		require.EqualValues(t, rounds-1, session.Limits().Subscriptions)
		session.Close()
	}
	require.Zero(t, s.Counts(s.key))
	require.Empty(t, slices.Collect(s.Sessions(auth.Filter{})))
}

// TestAdmittedInTime: whoever was judged before the account's end, and would be
// admitted after it, is judged again: the end has been seen to, and nobody would
// come for the session any more.
func TestAdmittedInTime(t *testing.T) {
	t.Parallel()
	end := authtest.Now().Add(time.Hour)
	for _, late := range []bool{false, true} {
		var readings []time.Time // that the clock gives next; then the end
		var mu sync.Mutex
		read := func() time.Time {
			mu.Lock()
			defer mu.Unlock()
			if len(readings) == 0 {
				return end
			}
			first := readings[0]
			readings = readings[1:]
			return first
		}
		operator := authtest.NewOperator(t)
		account := operator.Account("A", authtest.Expires(end))
		before := slices.Repeat([]time.Time{authtest.Now()}, 100) // so early that no timer reads them
		readings = before
		a := authtest.Authorizer(t, operator, []*authtest.Account{account}, func(c *auth.Config) { c.Clock = read })
		_, err := a.Account(t.Context(), account.PublicKey())
		require.NoError(t, err)
		mu.Lock()
		readings = before
		if late {
			readings = before[:1]
		}
		mu.Unlock()
		session, err := a.Connect(t.Context(), account.User("u").Credentials(nonce.New()))
		if !late {
			require.NoError(t, err)
			session.Close()
			continue
		}
		require.Nil(t, session)
		require.Equal(t, auth.AccountExpired, refusalOf(t, err).Reason)
	}
}

// TestManyOfOneUser: a user may have any number of sessions; that there are many makes
// the end and the renewal of one of them no dearer. Of each kind the best of several
// tries counts, and the bound is far above what noise makes of equal costs.
func TestManyOfOneUser(t *testing.T) {
	const tried, few, many, most = 500, 500, 20_000, 20
	best := func(n int, do func(*stage, *auth.Session, auth.Credentials)) time.Duration {
		s := newStage(t, nil, nil)
		c := s.account.User("u", authtest.Bearer()).Credentials(s.nonce)
		sessions := make([]*auth.Session, n)
		for i := range sessions {
			sessions[i] = s.connect(c)
		}
		least := time.Hour
		for tries := sessions[:tried]; len(tries) > 0; tries = tries[tried/5:] {
			began := time.Now()
			for _, session := range tries[:tried/5] { // the oldest
				do(s, session, c)
			}
			least = min(least, time.Since(began))
		}
		return least
	}
	for name, do := range map[string]func(*stage, *auth.Session, auth.Credentials){
		"renewal": func(s *stage, session *auth.Session, c auth.Credentials) {
			require.NoError(t, session.Renew(t.Context(), c.JWT, ""))
		},
		"end": func(_ *stage, session *auth.Session, _ auth.Credentials) { session.Close() },
	} {
		alone, crowded := best(few, do), best(many, do)
		require.Less(t, crowded, most*alone, "%s of 100: %v among %d, %v among %d", name, alone, few, crowded, many)
	}
}

// TestHoursOfAnotherDay: whoever is judged again in the same hours of a later day, before
// anybody has noticed that those of the first were over, has the end that a fresh
// connect has.
func TestHoursOfAnotherDay(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil, nil)
	hours := list(authtest.Times("11:00:00", "13:00:00"), authtest.Locale("UTC"))
	session := s.connect(s.user(hours...))
	s.clock.advance(24 * time.Hour)
	require.False(t, session.CanPublish("a"))
	s.retrust()
	require.Equal(t, s.connect(s.user(hours...)).Expires(), session.Expires())
	require.True(t, session.Expires().Equal(authtest.Now().Add(25*time.Hour)))
	require.True(t, session.CanPublish("a"))
}
