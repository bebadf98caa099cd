package auth_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/auth/authtest"
	"github.com/natsauth/natsauth/claims"
	"github.com/natsauth/natsauth/resolver"
)

// ledger keeps the records of an Authorizer, and its log.
type ledger struct {
	mu      sync.Mutex
	records []auth.AuditRecord
	log     lockedBuffer
}

func (l *ledger) use(c *auth.Config) {
	c.Logger = slog.New(slog.NewJSONHandler(&l.log, nil))
	c.Audit = func(r auth.AuditRecord) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.records = append(l.records, r)
	}
}

// forget begins anew.
func (l *ledger) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.records = nil
	l.log.take()
}

// take gives what was written and begins anew.
func (b *lockedBuffer) take() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.buf.Reset()
	return b.buf.String()
}

// one wants exactly one record, and one line in the log with the same content, and
// no secret in either. It begins anew.
func (l *ledger) one(t *testing.T, secrets ...string) auth.AuditRecord {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	require.Len(t, l.records, 1)
	r := l.records[0]
	l.records = nil
	var lines []string
	for line := range strings.Lines(l.log.take()) {
		if strings.Contains(line, `"audit"`) {
			lines = append(lines, line)
		}
	}
	require.Len(t, lines, 1)
	var line struct {
		Msg   string
		Audit struct {
			Kind, By, Account, Digest, Signer, Operator, State string
			Closed, Changed                                    int
			Error                                              *struct{ Reason, Step string }
		}
	}
	require.NoError(t, json.Unmarshal([]byte(lines[0]), &line))
	require.Equal(t, map[bool]string{true: "authority changed", false: "change of authority refused"}[r.Err == nil], line.Msg)
	require.Equal(t,
		[]any{string(r.Kind), r.By, r.Account, r.Digest.String(), r.Signer, r.Operator, r.Report.ClosedCount, r.Report.ChangedCount},
		[]any{line.Audit.Kind, line.Audit.By, line.Audit.Account, line.Audit.Digest, line.Audit.Signer, line.Audit.Operator, line.Audit.Closed, line.Audit.Changed})
	if require.Equal(t, r.Err == nil, line.Audit.Error == nil); r.Err != nil {
		require.Equal(t, r.Err.Reason.String(), line.Audit.Error.Reason)
	}
	written, err := json.Marshal(r)
	require.NoError(t, err)
	for _, text := range []string{lines[0], string(written), fmt.Sprintf("%v %+v %s", r, r, r.LogValue())} {
		noSecrets(t, text, secrets)
	}
	return r
}

// noSecrets wants no token, signature or seed in a text, nor a long piece of one.
func noSecrets(t *testing.T, text string, secrets []string) {
	t.Helper()
	require.NotContains(t, text, "eyJ")
	for _, s := range secrets {
		for _, part := range append(strings.Split(s, "."), s) {
			for i := 0; i+24 <= len(part); i += 12 {
				require.False(t, strings.Contains(text, part[i:i+24]), "a piece of a secret in %s", text)
			}
		}
	}
}

func (l *ledger) none(t *testing.T) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	require.Empty(t, l.records)
	require.NotContains(t, l.log.take(), `"audit"`)
}

// brokenStore takes nothing and forgets nothing.
type brokenStore struct{ resolver.Memory }

func (*brokenStore) Save(context.Context, string, resolver.Mode) (bool, error) {
	return false, errors.New("disk on fire")
}

func (*brokenStore) Delete(context.Context, string) error { return errors.New("disk on fire") }

// TestAuditApply: a token that is pushed leaves one record, accepted or refused, for
// whatever reason; looking ahead leaves none.
func TestAuditApply(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		token  func(*world, time.Time) string
		reason auth.Reason
		known  bool // whose it is
		ctx    func(context.Context) context.Context
		store  resolver.Store
	}{
		{name: "a newer token", token: func(w *world, now time.Time) string { return w.issue(now.Add(time.Second), noAccount).Token() }, known: true},
		{name: "the same token", token: func(w *world, _ time.Time) string { return w.account.Token() }, known: true},
		{name: "an older token", token: func(w *world, now time.Time) string { return w.issue(now.Add(-time.Second), noAccount).Token() }, reason: auth.AccountRollback, known: true},
		{name: "nothing", token: func(*world, time.Time) string { return "" }, reason: auth.AccountInvalid},
		{name: "a piece of a token", token: func(w *world, _ time.Time) string { return w.account.Token()[:200] }, reason: auth.AccountInvalid},
		{name: "a token with another signature", token: func(w *world, _ time.Time) string {
			token, other := w.account.Token(), w.operator.Account("B").Token()
			return token[:strings.LastIndex(token, ".")] + other[strings.LastIndex(other, "."):]
		}, reason: auth.AccountInvalid},
		{name: "a user's token", token: func(w *world, _ time.Time) string { return w.account.User("u").Token() }, reason: auth.AccountInvalid},
		{name: "a token that is too large", token: func(*world, time.Time) string { return strings.Repeat("x", claims.MaxTokenSize+1) }, reason: auth.AccountInvalid},
		{name: "nobody trusts it", token: func(w *world, _ time.Time) string { return w.untrusted() }, reason: auth.AccountUntrusted, known: true},
		{name: "it is of the future", token: func(w *world, now time.Time) string { return w.issue(now.Add(time.Hour), noAccount).Token() }, reason: auth.AccountAhead, known: true},
		{name: "it is over", token: func(w *world, now time.Time) string { return w.issue(now, ending(now)).Token() }, reason: auth.AccountExpired, known: true},
		{name: "it is not valid yet", token: func(w *world, now time.Time) string {
			return w.issue(now, func(c *jwt.AccountClaims) { c.NotBefore = now.Add(time.Minute).Unix() }).Token()
		}, reason: auth.AccountNotYet, known: true},
		{name: "the store is broken", token: func(w *world, now time.Time) string { return w.issue(now.Add(time.Second), noAccount).Token() }, reason: auth.AccountUnavailable, known: true, store: &brokenStore{}},
	} {
		t.Run(row.name, func(t *testing.T) {
			clock := newClock()
			now := clock.read()
			book := &ledger{}
			operator := authtest.NewOperator(t, authtest.IssuedAt(now))
			w := &world{operator: operator}
			w.account = w.issue(now, noAccount)
			w.key = w.account.PublicKey()
			w.authorizer = authtest.Authorizer(t, operator, []*authtest.Account{w.account}, clock.use, book.use, func(c *auth.Config) { c.Store = row.store })
			w.connect(t, noUser)
			book.forget()
			token := row.token(w, now)
			ctx := auth.By(t.Context(), "somebody")
			_, preview := w.authorizer.Preview(ctx, token, resolver.Push)
			book.none(t)
			_, err := w.authorizer.Apply(ctx, token, resolver.Push)
			if row.store == nil {
				require.Equal(t, preview, err, "a preview says the same")
			}
			r := book.one(t, token)
			require.Equal(t, auth.AuditApply, r.Kind)
			require.Equal(t, "somebody", r.By)
			require.Equal(t, now, r.At)
			if row.known {
				require.NotEqual(t, claims.Digest{}, r.Digest)
				require.Equal(t, w.key, r.Account)
				require.NotEmpty(t, r.Signer)
				require.NotZero(t, r.IssuedAt)
			} else {
				require.Zero(t, r.Digest)
			}
			require.Equal(t, row.known && row.reason != auth.AccountUntrusted, r.Operator == operator.PublicKey())
			if row.reason == auth.ReasonNone {
				require.NoError(t, err)
				require.Nil(t, r.Err)
				require.Equal(t, auth.InForce, r.Report.State)
				return
			}
			require.Equal(t, row.reason, r.Err.Reason)
			require.Equal(t, err, error(r.Err))
			require.Zero(t, r.Report)
		})
	}
}

// TestAuditReport: the record says what the change has done.
func TestAuditReport(t *testing.T) {
	t.Parallel()
	book := &ledger{}
	w := newWorld(t, noAccount, book.use)
	s := w.connect(t, noUser)
	w.connect(t, noUser)
	book.forget()
	token := w.newer(revoking(s.User().Key))
	report, err := w.authorizer.Apply(t.Context(), token, resolver.Push)
	require.NoError(t, err)
	r := book.one(t, token)
	require.Empty(t, r.By, "nobody said who")
	require.Equal(t, report, r.Report)
	require.Equal(t, 1, r.Report.ClosedCount)
	require.Equal(t, s.User().Key, r.Report.Closed[0].User)
}

// TestAuditRemove: a removal leaves one record, done or refused, and one of an
// account that nobody knows too.
func TestAuditRemove(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		key    func(*world) string
		store  resolver.Store
		closed int
		reason auth.Reason
	}{
		{"an account in force", func(w *world) string { return w.key }, nil, 1, auth.ReasonNone},
		{"an account that nobody knows", func(*world) string { return newKey(t, nkeys.CreateAccount) }, nil, 0, auth.ReasonNone},
		{"what is no account", func(w *world) string { return w.operator.PublicKey() }, nil, 0, auth.AccountNotFound},
		{"a store that forgets nothing", func(w *world) string { return w.key }, &brokenStore{}, 0, auth.AccountUnavailable},
	} {
		t.Run(row.name, func(t *testing.T) {
			book := &ledger{}
			w := newWorld(t, noAccount, book.use, func(c *auth.Config) { c.Store = row.store })
			w.connect(t, noUser)
			book.forget()
			key := row.key(w)
			ctx := auth.By(t.Context(), "somebody")
			_, err := w.authorizer.PreviewRemove(ctx, key)
			require.Equal(t, row.reason == auth.AccountNotFound, err != nil)
			book.none(t)
			_, err = w.authorizer.Remove(ctx, key)
			require.Equal(t, row.reason == auth.ReasonNone, err == nil)
			r := book.one(t)
			require.Equal(t, []any{auth.AuditRemove, "somebody", key, row.closed}, []any{r.Kind, r.By, r.Account, r.Report.ClosedCount})
			if err != nil {
				require.Equal(t, row.reason, r.Err.Reason)
			}
		})
	}
}

// TestAuditTrust: a change of trust leaves one record, done or refused.
func TestAuditTrust(t *testing.T) {
	t.Parallel()
	book := &ledger{}
	w := newWorld(t, noAccount, book.use)
	w.connect(t, noUser)
	book.forget()
	ctx := auth.By(t.Context(), "somebody")
	seed, err := w.operator.Key().Seed()
	require.NoError(t, err)
	good := auth.Trust{Operators: []string{w.operator.Token()}}
	for name, bad := range map[string]auth.Trust{
		"nobody":             {},
		"a seed":             {Keys: []string{string(seed)}},
		"half a token":       {Operators: []string{w.operator.Token()[:300]}},
		"an account's token": {Operators: []string{w.account.Token()}},
		"a bad sentinel":     {Operators: good.Operators, Sentinel: w.account.User("u").Token()},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := w.authorizer.PreviewTrust(ctx, bad)
			require.Error(t, err)
			book.none(t)
			_, err = w.authorizer.SetTrust(ctx, bad)
			require.Error(t, err)
			r := book.one(t, append(bad.Operators, string(seed), bad.Sentinel)...)
			require.Equal(t, []any{auth.AuditTrust, "somebody", auth.TrustInvalid}, []any{r.Kind, r.By, r.Err.Reason})
			require.ErrorIs(t, r.Err, err)
		})
	}
	_, err = w.authorizer.SetTrust(ctx, good)
	require.NoError(t, err)
	r := book.one(t, good.Operators...)
	require.Equal(t, []any{auth.AuditTrust, "somebody", 0}, []any{r.Kind, r.By, r.Report.ClosedCount})
	require.Nil(t, r.Err)
	_, err = w.authorizer.SetTrust(ctx, auth.Trust{Operators: []string{authtest.NewOperator(t, authtest.Random()).Token()}})
	require.NoError(t, err)
	require.Equal(t, 1, book.one(t).Report.ClosedCount)
}

// TestAuditClosed: who is told no because the Authorizer is closed is written down
// too; the zero Authorizer has nobody to tell.
func TestAuditClosed(t *testing.T) {
	t.Parallel()
	book := &ledger{}
	w := newWorld(t, noAccount, book.use)
	require.NoError(t, w.authorizer.Close())
	for kind, change := range map[auth.AuditKind]func(*auth.Authorizer) error{
		auth.AuditApply:  func(a *auth.Authorizer) error { _, err := a.Apply(t.Context(), w.account.Token(), 0); return err },
		auth.AuditRemove: func(a *auth.Authorizer) error { _, err := a.Remove(t.Context(), w.key); return err },
		auth.AuditTrust:  func(a *auth.Authorizer) error { _, err := a.SetTrust(t.Context(), auth.Trust{}); return err },
	} {
		require.Error(t, change(w.authorizer))
		r := book.one(t, w.account.Token())
		require.Equal(t, kind, r.Kind)
		require.Equal(t, auth.AuthorizerClosed, r.Err.Reason)
		require.Error(t, change(&auth.Authorizer{}))
		book.none(t)
	}
}

// TestAuditLookup: what a look-up changed, or brought and was refused, leaves one
// record. One that brings nothing new, or nothing, leaves none.
func TestAuditLookup(t *testing.T) {
	for _, row := range []struct {
		name   string
		answer func(*testing.T, *world, *source)
		writes bool
		reason auth.Reason
		state  auth.State
		closed int
	}{
		{"the same token", func(*testing.T, *world, *source) {}, false, 0, 0, 0},
		{"unavailable", func(_ *testing.T, _ *world, s *source) { s.breaks(resolver.ErrUnavailable) }, false, 0, 0, 0},
		{"a newer token", func(_ *testing.T, w *world, s *source) { s.holds(w.key, w.newer(noAccount)) }, true, 0, auth.InForce, 0},
		{"a newer token that revokes", func(_ *testing.T, w *world, s *source) { s.holds(w.key, w.newer(revoking(jwt.All))) }, true, 0, auth.InForce, 1},
		{"not found", func(_ *testing.T, w *world, s *source) { s.holds(w.key, "") }, true, 0, auth.Absent, 1},
		{"an older token", func(_ *testing.T, w *world, s *source) {
			s.holds(w.key, w.issue(time.Now().Add(-time.Hour), noAccount).Token())
		}, true, auth.AccountRollback, 0, 0},
		{"no token", func(_ *testing.T, w *world, s *source) { s.holds(w.key, "eyJub25zZW5zZSBub25zZW5zZSBub25zZW5zZSI") }, true, auth.AccountInvalid, 0, 0},
		{"nobody trusts it", func(_ *testing.T, w *world, s *source) {
			s.holds(w.key, w.untrusted())
		}, true, auth.AccountUntrusted, 0, 0},
		{"another account's", func(_ *testing.T, w *world, s *source) {
			s.holds(w.key, w.operator.Account("B", authtest.IssuedAt(time.Now())).Token())
		}, true, auth.AccountMismatch, 0, 0},
		{"it is over", func(_ *testing.T, w *world, s *source) { s.holds(w.key, w.newer(ending(time.Now().Add(time.Second)))) }, true, auth.AccountExpired, 0, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				book, h := &ledger{}, newHints()
				w, upstream := freshWorld(t, noAccount, book.use, h.use)
				_, err := w.authorizer.Connect(auth.By(t.Context(), "a client"), w.client(noUser))
				require.NoError(t, err)
				r := book.one(t, w.account.Token())
				require.Equal(t, []any{auth.AuditLookup, "a client", w.key, auth.InForce}, []any{r.Kind, r.By, r.Account, r.Report.State}, "it came into force")
				w.connect(t, noUser).Close()
				book.none(t)

				time.Sleep(time.Minute)
				row.answer(t, w, upstream)
				token := upstream.tokens[w.key]
				time.Sleep(time.Second)
				w.authorizer.Explain(t.Context(), w.client(noUser))
				book.none(t)
				h.tell(w.key)
				if !row.writes {
					book.none(t)
					return
				}
				r = book.one(t, token)
				require.Equal(t, auth.AuditLookup, r.Kind)
				require.Equal(t, w.key, r.Account)
				require.Equal(t, row.state, r.Report.State)
				require.Equal(t, row.closed, r.Report.ClosedCount)
				require.Equal(t, row.reason != 0, r.Err != nil)
				if row.reason == 0 {
					return
				}
				require.Equal(t, row.reason, r.Err.Reason)
				require.Equal(t, w.key, r.Err.Account)
				if row.reason != auth.AccountInvalid {
					found, err := claims.ParseAccount(token)
					require.NoError(t, err)
					require.Equal(t, []any{found.Digest, found.Issuer, found.IssuedAt}, []any{r.Digest, r.Signer, r.IssuedAt})
				}
			})
		})
	}
}

// TestAuditStale: an account that nobody could confirm for too long leaves one
// record when it goes.
func TestAuditStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		book := &ledger{}
		w, upstream := freshWorld(t, noAccount, book.use, refreshing(time.Minute), func(c *auth.Config) { c.MaxStale = time.Hour })
		w.connect(t, noUser)
		book.forget()
		upstream.breaks(resolver.ErrUnavailable)
		time.Sleep(59 * time.Minute)
		synctest.Wait()
		book.none(t)
		time.Sleep(time.Hour)
		synctest.Wait()
		r := book.one(t)
		require.Equal(t, []any{auth.AuditStale, w.key, auth.Absent, 1}, []any{r.Kind, r.Account, r.Report.State, r.Report.ClosedCount})
		require.Equal(t, auth.AccountStale, r.Report.Closed[0].Err.Reason)
	})
}

// TestAuditMayChangeTrust: no lock is held while a change of trust is told.
func TestAuditMayChangeTrust(t *testing.T) {
	t.Parallel()
	var a *auth.Authorizer
	var again []error
	operator := authtest.NewOperator(t, authtest.IssuedAt(time.Now()))
	trust := auth.Trust{Operators: []string{operator.Token()}}
	w := newWorldOf(t, operator, noAccount, func(c *auth.Config) {
		c.Audit = func(r auth.AuditRecord) {
			if r.Kind == auth.AuditTrust && len(again) == 0 {
				again = append(again, nil)
				_, again[0] = a.SetTrust(context.Background(), trust)
			}
		}
	})
	a = w.authorizer
	_, err := a.SetTrust(t.Context(), trust)
	require.NoError(t, err)
	require.Equal(t, []error{nil}, again)
}

// TestLongTexts: what somebody else wrote makes no log line, report or record long.
func TestLongTexts(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 300_000)
	var text bytes.Buffer
	var records []auth.AuditRecord
	w := newWorld(t, noAccount, func(c *auth.Config) {
		c.Logger = slog.New(slog.NewTextHandler(&text, nil))
		c.Audit = func(r auth.AuditRecord) { records = append(records, r) }
	})
	s := w.connect(t, func(c *jwt.UserClaims) { c.Name = long })
	_, err := w.authorizer.Apply(t.Context(), w.issue(time.Now().Add(time.Second), revoking(s.User().Key)).Token(), resolver.Push)
	require.NoError(t, err)
	require.Equal(t, long, s.User().Name, "the session itself tells all of it")
	bad := w.issue(time.Now().Add(2*time.Second), func(c *jwt.AccountClaims) {
		c.AddMapping("a", jwt.WeightedMapping{Subject: jwt.Subject("{{" + long + "(1)}}")})
	})
	_, err = w.authorizer.Apply(t.Context(), bad.Token(), resolver.Push)
	require.Error(t, err)
	require.Less(t, len(err.Error()), 4096)
	require.Less(t, text.Len(), 16<<10)
	require.NotEmpty(t, records)
	for _, r := range records {
		out, err := json.Marshal(r)
		require.NoError(t, err)
		require.Less(t, len(out), 8<<10, "%s", r.Kind)
	}
}
