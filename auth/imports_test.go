package auth_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/auth/authtest"
	"github.com/natsauth/natsauth/claims"
	"github.com/natsauth/natsauth/resolver"
)

// market is an exporter, an importer with an activation, and a second one of what is
// public. None of them is in force yet.
type market struct {
	*auth.Authorizer
	t        *testing.T
	clock    *clock
	operator *authtest.Operator
	exporter *authtest.Account
	issued   int // tokens so far, each a second younger
}

func newMarket(t *testing.T) *market {
	t.Helper()
	m := &market{t: t, clock: &clock{now: authtest.Now()}, operator: authtest.NewOperator(t)}
	m.exporter = m.operator.Account("E")
	a, err := auth.New(auth.Config{
		Trust: auth.Trust{Operators: []string{m.operator.Token()}}, Resolver: nobody(), Clock: m.clock.read,
	})
	require.NoError(t, err)
	t.Cleanup(func() { a.Close() })
	m.Authorizer = a
	return m
}

// push applies a token of an account that is made for it, and gives its key.
func (m *market) push(name string, edit func(*jwt.AccountClaims)) auth.Report {
	m.t.Helper()
	r, err := m.Apply(m.t.Context(), m.token(name, edit), resolver.Push)
	require.NoError(m.t, err)
	return r
}

func (m *market) token(name string, edit func(*jwt.AccountClaims)) string {
	m.issued++
	at := authtest.Now().Add(-time.Hour + time.Duration(m.issued)*time.Second)
	return m.operator.Account(name, authtest.IssuedAt(at), authtest.Edit(edit)).Token()
}

// exports one public stream and one that asks for an activation.
func exports(c *jwt.AccountClaims) {
	c.Exports.Add(
		&jwt.Export{Subject: "news.>", Type: jwt.Stream},
		&jwt.Export{Subject: "secret.>", Type: jwt.Stream, TokenReq: true},
	)
}

// imports both, the second with an activation that ends an hour from now.
func (m *market) imports(c *jwt.AccountClaims) {
	act := jwt.NewActivationClaims(c.Subject)
	act.ImportSubject, act.ImportType = "secret.>", jwt.Stream
	act.Expires = authtest.Now().Add(time.Hour).Unix()
	token, err := act.Encode(m.exporter.Key())
	require.NoError(m.t, err)
	c.Imports.Add(
		&jwt.Import{Subject: "news.>", Account: m.exporter.PublicKey(), Type: jwt.Stream},
		&jwt.Import{Subject: "secret.a", Account: m.exporter.PublicKey(), Type: jwt.Stream, Token: token},
	)
}

// states of the imports of an account in force, in the order of its token.
func (m *market) states(key string) []auth.ImportState {
	m.t.Helper()
	view, ok := m.InForce(key)
	require.True(m.t, ok)
	var out []auth.ImportState
	for s := range view.Imports() {
		require.Equal(m.t, s.State == auth.ImportInForce, s.Err == nil)
		require.Equal(m.t, s.Err == nil, s.Why == "")
		require.Equal(m.t, m.exporter.PublicKey(), s.Exporter)
		out = append(out, s.State)
	}
	return out
}

// TestReportedImports: a report says where the account's imports stand, and whose
// imports stand otherwise now.
func TestReportedImports(t *testing.T) {
	t.Parallel()
	const dead, pending, inForce = auth.ImportDead, auth.ImportPending, auth.ImportInForce
	m := newMarket(t)
	e := m.exporter.PublicKey()
	r := m.push("I", m.imports)
	importer := r.Account
	require.Equal(t, auth.ImportCounts{Pending: 2}, r.ImportCounts)
	require.ErrorIs(t, r.Imports[0].Err, auth.ErrExporterAbsent)
	require.Equal(t, []auth.ImportState{pending, pending}, m.states(importer))

	preview, err := m.Preview(t.Context(), m.token("E", exports), resolver.Push)
	require.NoError(t, err)
	require.Equal(t, []string{importer}, preview.Importers)
	require.Equal(t, []auth.ImportState{pending, pending}, m.states(importer), "a preview changes nothing")
	r = m.push("E", exports)
	require.Equal(t, []string{importer}, r.Importers, "an import that waited has come to life")
	require.Equal(t, 1, r.ImporterCount)
	require.Equal(t, []auth.ImportState{inForce, inForce}, m.states(importer))

	r = m.push("E", func(c *jwt.AccountClaims) { exports(c); c.Description = "the same" })
	require.Empty(t, r.Importers, "nothing changes for them")
	r = m.push("E", func(c *jwt.AccountClaims) {
		exports(c)
		c.Exports[1].RevokeAt(importer, time.Now().Add(time.Hour)) // an activation is issued when it is encoded
	})
	require.Equal(t, []string{importer}, r.Importers)
	require.Equal(t, []auth.ImportState{inForce, dead}, m.states(importer))
	r = m.push("I", func(c *jwt.AccountClaims) { m.imports(c); c.Description = "again" })
	require.Equal(t, auth.ImportCounts{InForce: 1, Dead: 1}, r.ImportCounts)
	require.Equal(t, dead, r.Imports[0].State, "the worst first")
	require.ErrorIs(t, r.Imports[0].Err, claims.ErrActivationRevoked)

	m.push("E", exports)
	m.clock.advance(time.Hour - 1)
	require.Equal(t, []auth.ImportState{inForce, inForce}, m.states(importer))
	m.clock.advance(1)
	require.Equal(t, []auth.ImportState{inForce, dead}, m.states(importer), "the activation has run out (B11)")

	gone, err := m.PreviewRemove(t.Context(), e)
	require.NoError(t, err)
	r, err = m.Remove(t.Context(), e)
	require.NoError(t, err)
	require.Equal(t, gone, r)
	require.Equal(t, []string{importer}, r.Importers)
	require.Equal(t, []auth.ImportState{pending, pending}, m.states(importer))
	_, err = m.Remove(t.Context(), importer)
	require.NoError(t, err)
	require.Empty(t, m.push("E", exports).Importers, "nobody is left who imports")
}

// TestReportedImportsAreBounded: the lists end, the counts do not.
func TestReportedImportsAreBounded(t *testing.T) {
	t.Parallel()
	m := newMarket(t)
	for i := range auth.MaxReported + 1 {
		m.push(fmt.Sprint("I", i), func(c *jwt.AccountClaims) {
			c.Imports.Add(&jwt.Import{Subject: "news.>", Account: m.exporter.PublicKey(), Type: jwt.Stream})
		})
	}
	r := m.push("E", exports)
	require.Len(t, r.Importers, auth.MaxReported)
	require.Equal(t, auth.MaxReported+1, r.ImporterCount)
	require.True(t, slices.IsSorted(r.Importers))
	r = m.push("M", func(c *jwt.AccountClaims) {
		for i := range auth.MaxReported + 1 {
			c.Imports.Add(&jwt.Import{Subject: jwt.Subject(fmt.Sprint("news.", i)), Account: m.exporter.PublicKey(), Type: jwt.Stream})
		}
		c.Imports.Add(&jwt.Import{Subject: "secret.a", Account: m.exporter.PublicKey(), Type: jwt.Stream})
	})
	require.Len(t, r.Imports, auth.MaxReported)
	require.Equal(t, auth.ImportCounts{InForce: auth.MaxReported + 1, Dead: 1}, r.ImportCounts)
	require.True(t, errors.Is(r.Imports[0].Err, claims.ErrNoActivation), "the worst first")
}

// TestNscImports: the imports of accounts that nsc made stand as it is written beside
// them.
func TestNscImports(t *testing.T) {
	t.Parallel()
	a, err := auth.New(auth.Config{
		Trust:    auth.Trust{Operators: []string{readText(t, "jwt/operator.TESTOP.jwt")}},
		Resolver: fixtureAccounts(t), ServerVersion: "2.15.2",
	})
	require.NoError(t, err)
	defer a.Close()
	for _, name := range []string{"APP", "IMP", "REVIMP"} {
		parsed, err := claims.ParseAccount(readText(t, "jwt/account."+name+".jwt"))
		require.NoError(t, err)
		_, err = a.Account(t.Context(), parsed.Key)
		require.NoError(t, err)
	}
	standing := func(name string) (int, []error) {
		parsed, err := claims.ParseAccount(readText(t, "jwt/account."+name+".jwt"))
		require.NoError(t, err)
		view, ok := a.InForce(parsed.Key)
		require.True(t, ok)
		good, bad := 0, []error(nil)
		for s := range view.Imports() {
			if s.State == auth.ImportInForce {
				good++
			} else {
				bad = append(bad, s.Err)
			}
		}
		return good, bad
	}
	good, bad := standing("IMP")
	require.NotZero(t, good)
	require.Empty(t, bad)
	good, bad = standing("REVIMP")
	require.Zero(t, good)
	require.Len(t, bad, 1)
	require.ErrorIs(t, bad[0], claims.ErrActivationRevoked)
}
