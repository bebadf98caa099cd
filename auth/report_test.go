package auth_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/auth/authtest"
	"github.com/natsauth/natsauth/nonce"
	"github.com/natsauth/natsauth/resolver"
)

// sameReport compares reports whose lists may be in any order.
func sameReport(t *testing.T, want, got auth.Report) {
	t.Helper()
	require.ElementsMatch(t, want.Closed, got.Closed)
	require.ElementsMatch(t, want.Changed, got.Changed)
	want.Closed, want.Changed, got.Closed, got.Changed = nil, nil, nil, nil
	require.Equal(t, want, got)
}

// TestB5Report: the report names who was closed and why, and who goes on with other
// rights or limits; whoever goes on as before is not in it.
func TestB5Report(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil, list(authtest.Scope("sk"), authtest.SigningKey("free")))
	connect := func(name string, opts ...authtest.Option) *auth.Session {
		c := s.account.User(name, opts...).Credentials(nonce.New())
		c.Client.ID = "client of " + name
		return s.connect(c)
	}
	revoked, scoped, unsigned := connect("revoked"), connect("scoped", authtest.SignedBy("sk")), connect("unsigned", authtest.SignedBy("free"))
	connect("defaults", authtest.Limits(1, 1))
	connect("both")
	connect("own", authtest.PubAllow("a"), authtest.Limits(1, 1))
	connect("limited", authtest.PubAllow("a"))
	old, _ := s.InForce(s.key)
	token := s.token(authtest.Revoke("revoked", authtest.Now()), authtest.Scope("sk", authtest.PubAllow("x")),
		authtest.DefaultPermissions(authtest.PubAllow("d")), authtest.Limits(3, 3))
	p, err := s.Preview(t.Context(), token, resolver.Push)
	require.NoError(t, err)
	r, err := s.Apply(t.Context(), token, resolver.Push)
	require.NoError(t, err)
	sameReport(t, r, p)
	now, _ := s.InForce(s.key)
	require.Equal(t, s.key, r.Account)
	require.Equal(t, auth.InForce, r.State)
	require.Equal(t, old.Revision(), r.Old)
	require.Equal(t, now.Revision(), r.New)
	change := func(name string, reason auth.Reason, rights, limits bool) auth.SessionChange {
		c := auth.SessionChange{User: s.account.User(name).PublicKey(), Name: name, Client: "client of " + name, Rights: rights, Limits: limits}
		i := slices.IndexFunc(r.Closed, func(x auth.SessionChange) bool { return x.Name == name })
		if reason != auth.ReasonNone {
			require.GreaterOrEqual(t, i, 0, name)
			c.Err = r.Closed[i].Err
			require.Equal(t, reason, c.Err.Reason, name)
		}
		return c
	}
	require.Equal(t, 3, r.ClosedCount)
	require.ElementsMatch(t, []auth.SessionChange{
		change("revoked", auth.UserRevoked, false, false),
		change("scoped", auth.ScopeChanged, false, false),
		change("unsigned", auth.SignerUnknown, false, false),
	}, r.Closed)
	require.Equal(t, 3, r.ChangedCount)
	require.ElementsMatch(t, []auth.SessionChange{
		change("defaults", 0, true, false), change("both", 0, true, true), change("limited", 0, false, true),
	}, r.Changed)
	for _, x := range []*auth.Session{revoked, scoped, unsigned} {
		end := refusalOf(t, x.Err())
		require.Contains(t, []auth.Reason{auth.UserRevoked, auth.ScopeChanged, auth.SignerUnknown}, end.Reason)
		require.Equal(t, x.User().Key, end.User)
		require.Equal(t, s.key, end.Account)
		require.NotEmpty(t, end.Issuer)
	}
}

// TestB5ReportIsBounded: the lists end at MaxReported, the counts do not.
func TestB5ReportIsBounded(t *testing.T) {
	t.Parallel()
	for _, many := range []int{auth.MaxReported - 1, auth.MaxReported, auth.MaxReported + 1} {
		t.Run(fmt.Sprint(many), func(t *testing.T) {
			s := newStage(t, nil, nil)
			listed := min(many, auth.MaxReported)
			c := s.user()
			var sessions []*auth.Session
			for range many {
				sessions = append(sessions, s.connect(c))
			}
			r := s.apply(authtest.Limits(1, 1))
			require.Equal(t, many, r.ChangedCount)
			require.Len(t, r.Changed, listed)
			require.Zero(t, r.ClosedCount)
			s.clock.advance(time.Second)
			r = s.apply(authtest.Limits(1, 1), authtest.Revoke("*", authtest.Now()))
			require.Equal(t, many, r.ClosedCount)
			require.Len(t, r.Closed, listed)
			require.Zero(t, r.ChangedCount)
			for _, session := range sessions {
				require.Error(t, session.Err())
			}
		})
	}
}

// TestReportPrints: states have names, and a report is JSON that says why.
func TestReportPrints(t *testing.T) {
	t.Parallel()
	for state, want := range map[auth.State]string{
		0: "none", auth.InForce: "in force", auth.Saved: "saved", auth.Absent: "absent", 200: "state(200)",
	} {
		require.Equal(t, want, state.String())
		text, err := state.MarshalText()
		require.NoError(t, err)
		require.Equal(t, want, string(text))
	}
	s := newStage(t, nil, nil)
	s.connect(s.user())
	r, err := s.Remove(t.Context(), s.key)
	require.NoError(t, err)
	text, err := json.Marshal(r)
	require.NoError(t, err)
	require.Contains(t, string(text), `"state":"absent"`)
	require.Contains(t, string(text), `"closed_count":1`)
	require.Contains(t, string(text), `"reason":"account_removed"`)
	require.Contains(t, string(text), `"wire":"Account Authentication Expired"`)
	require.NotContains(t, string(text), "changed\"")
	require.NotContains(t, string(text), "eyJ", "no token")
}
