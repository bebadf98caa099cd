package auth_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/auth/authtest"
	"github.com/natsauth/natsauth/claims"
	"github.com/natsauth/natsauth/resolver"
)

// recorder is a Store that tells what it is asked to change, and fails as a test says.
type recorder struct {
	resolver.Memory
	mu      sync.Mutex
	changes []string                 // "save" and "delete"
	saving  func(string) error       // before a token is saved
	after   func(changed bool) error // after it was
	failing error                    // of Delete
}

func (r *recorder) note(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.changes = append(r.changes, what)
}

func (r *recorder) noted() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.changes)
}

func (r *recorder) Save(ctx context.Context, token string, m resolver.Mode) (bool, error) {
	r.note("save")
	if r.saving != nil {
		if err := r.saving(token); err != nil {
			return false, err
		}
	}
	changed, err := r.Memory.Save(ctx, token, m)
	if err == nil && r.after != nil {
		err = r.after(changed)
	}
	return changed, err
}

func (r *recorder) Delete(ctx context.Context, account string) error {
	r.note("delete")
	if r.failing != nil {
		return r.failing
	}
	return r.Memory.Delete(ctx, account)
}

// newStored is a stage with a recorder for its store, and the account in it and in
// force.
func newStored(t *testing.T, account ...authtest.Option) (*stage, *recorder) {
	t.Helper()
	store := &recorder{}
	s := newStage(t, nil, account, func(c *auth.Config) { c.Store = store })
	_, err := s.Account(t.Context(), s.key)
	require.NoError(t, err)
	require.Equal(t, []string{"save"}, store.noted())
	store.changes = nil
	s.upstream.answer = fails(resolver.ErrNotFound)
	return s, store
}

func digestOf(t *testing.T, token string) claims.Digest {
	t.Helper()
	c, err := claims.ParseAccount(token)
	require.NoError(t, err)
	return c.Digest
}

// sight is all that can be seen of an Authorizer and its store.
type sight struct {
	state, stored [32]byte
	stats         auth.Stats
	counts        auth.Counts
	view          *auth.Account
}

func (s *stage) see(store resolver.Store) sight {
	s.t.Helper()
	v := sight{state: s.StateHash(), stats: s.Stats(), counts: s.Counts(s.key)}
	v.stats.SharedGrants, v.stats.SharedRights = 0, 0 // what is compared is held for a while
	v.view, _ = s.InForce(s.key)
	if store != nil {
		hash, err := store.Hash(s.t.Context())
		require.NoError(s.t, err)
		v.stored = hash
	}
	return v
}

// TestB5VerifySaveCommit: what is not vouched for never reaches the store; while it is
// saved the old one is in force; and when Apply returns all has happened.
func TestB5VerifySaveCommit(t *testing.T) {
	t.Parallel()
	s, store := newStored(t)
	session := s.connect(s.user())
	old := session.Account().Revision()
	s.clock.advance(time.Second)
	stranger := s.operator.Account("A", authtest.SignedByKey(authtest.Key(nkeys.PrefixByteOperator, "stranger"))).Token()
	_, err := s.Apply(t.Context(), stranger, resolver.Push)
	require.Equal(t, auth.AccountUntrusted, refusalOf(t, err).Reason)
	require.Empty(t, store.noted())
	store.saving = func(string) error {
		require.Equal(t, old, session.Account().Revision(), "not in force before it is saved")
		require.NoError(t, session.Err())
		return nil
	}
	token := s.token(authtest.Revoke("u", s.clock.read()))
	r, err := s.Apply(t.Context(), token, resolver.Push)
	require.NoError(t, err)
	require.Equal(t, []string{"save"}, store.noted())
	require.Error(t, session.Err(), "closed when Apply returns")
	require.Equal(t, auth.InForce, r.State)
	require.Equal(t, old, r.Old)
	require.Equal(t, digestOf(t, token), r.New.Digest)
	kept, err := store.Resolve(t.Context(), s.key)
	require.NoError(t, err)
	require.Equal(t, r.New.Digest, digestOf(t, kept))
}

// push is one Apply of the table below.
type push struct {
	name  string
	token func(*stage) string
	mode  resolver.Mode
	fail  error       // of the store
	want  auth.Reason // 0: it is in force afterwards
}

func pushes() []push {
	issued := func(d time.Duration, opts ...authtest.Option) func(*stage) string {
		return func(s *stage) string {
			return s.operator.Account("A", append(list(authtest.IssuedAt(s.clock.read().Add(d))), opts...)...).Token()
		}
	}
	text := func(token string) func(*stage) string { return func(*stage) string { return token } }
	// twin is as old as what is in force, with a greater digest or a lesser one.
	twin := func(greater bool) func(*stage) string {
		return func(s *stage) string {
			held := digestOf(s.t, s.account.Token())
			for i := 0; ; i++ {
				token := s.operator.Account("A", authtest.Name(fmt.Sprint(i))).Token()
				if d := digestOf(s.t, token); (bytes.Compare(d[:], held[:]) > 0) == greater {
					return token
				}
			}
		}
	}
	in := func(d time.Duration) time.Time { return authtest.Now().Add(d) }
	const older = -time.Hour - time.Second // than what is in force
	return []push{
		{name: "newer", token: issued(0)},
		{name: "newer, merged", token: issued(0), mode: resolver.Merge},
		{name: "newer, overriding", token: issued(0), mode: resolver.Override},
		{name: "of another operator", want: auth.AccountUntrusted, token: issued(0, authtest.SignedByKey(authtest.Key(nkeys.PrefixByteOperator, "stranger")))},
		{name: "signed by the account itself", want: auth.AccountUntrusted, token: func(s *stage) string {
			return s.operator.Account("A", authtest.IssuedAt(s.clock.read()), authtest.SignedByKey(s.account.Key())).Token()
		}},
		{name: "no token", want: auth.AccountInvalid, token: text("garbage")},
		{name: "nothing", want: auth.AccountInvalid, token: text("")},
		{name: "a user's", want: auth.AccountInvalid, token: func(s *stage) string { return s.account.User("u").Token() }},
		{name: "tampered with", want: auth.AccountInvalid, token: func(s *stage) string { t := s.token(); return t[:len(t)-4] + "AAAA" }},
		{name: "too large", want: auth.AccountInvalid, token: issued(0, authtest.Name(strings.Repeat("n", 5000)))},
		{name: "too many imports", want: auth.AccountInvalid, token: issued(0, imports(3))},
		{name: "as many imports as allowed", token: issued(0, imports(2))},
		{name: "before its end", token: issued(0, authtest.Expires(in(time.Second)))},
		{name: "at its end", want: auth.AccountExpired, token: issued(0, authtest.Expires(in(0)))},
		{name: "after its end", want: auth.AccountExpired, token: issued(0, authtest.Expires(in(-time.Second)))},
		{name: "before its begin", want: auth.AccountNotYet, token: issued(0, authtest.NotBefore(in(time.Second)))},
		{name: "at its begin", token: issued(0, authtest.NotBefore(in(0)))},
		{name: "ahead, less than MaxSkew", token: issued(5*time.Minute - time.Second)},
		{name: "ahead by MaxSkew", token: issued(5 * time.Minute)},
		{name: "ahead by more than MaxSkew", want: auth.AccountAhead, token: issued(5*time.Minute + time.Second)},
		{name: "ahead by more than MaxSkew, overriding", want: auth.AccountAhead, mode: resolver.Override, token: issued(5*time.Minute + time.Second)},
		{name: "older, pushed", want: auth.AccountRollback, token: issued(older)},
		{name: "older, merged", want: auth.AccountRollback, mode: resolver.Merge, token: issued(older)},
		{name: "older, overriding", mode: resolver.Override, token: issued(older)},
		{name: "as old, greater, pushed", token: twin(true)},
		{name: "as old, lesser, pushed", token: twin(false)},
		{name: "as old, greater, merged", mode: resolver.Merge, token: twin(true)},
		{name: "as old, lesser, merged", mode: resolver.Merge, token: twin(false), want: auth.AccountRollback},
		{name: "as old, lesser, overriding", mode: resolver.Override, token: twin(false)},
		{name: "a mode that is none", mode: 9, token: issued(0), want: auth.AccountInvalid},
		{name: "a store that cannot write", token: issued(0), fail: resolver.ErrFull, want: auth.AccountUnavailable},
		{name: "a store that cannot be reached", token: issued(0), fail: errors.New("no route"), want: auth.AccountUnavailable},
		{name: "a store that knows a newer one", token: issued(0), fail: resolver.ErrRollback, want: auth.AccountRollback},
	}
}

// imports are so many services of another account.
func imports(n int) authtest.Option {
	return authtest.Raw(func(fields map[string]any) {
		var out []any
		for i := range n {
			out = append(out, map[string]any{
				"name": "i", "subject": fmt.Sprintf("s%d", i), "type": "service", "account": authtest.NewOperator(nopTB{}).Account("B").PublicKey(),
			})
		}
		fields["nats"].(map[string]any)["imports"] = out
	})
}

// TestB4B5Apply: what is admitted is in force, and what is refused changes nothing that
// anybody can see, with a store and without. A preview says the same beforehand.
func TestB4B5Apply(t *testing.T) {
	t.Parallel()
	for _, stored := range []bool{true, false} {
		for _, p := range pushes() {
			if p.fail != nil && !stored {
				continue
			}
			t.Run(fmt.Sprintf("%s, stored %v", p.name, stored), func(t *testing.T) { p.run(t, stored) })
		}
	}
}

func (p push) run(t *testing.T, stored bool) {
	var store *recorder
	var kept resolver.Store
	s := newStage(t, nil, nil, func(c *auth.Config) {
		c.Bounds.TokenBytes, c.Bounds.Imports = 4000, 2
		if stored {
			store = &recorder{}
			c.Store, kept = store, store
		}
	})
	session := s.connect(s.user())
	h := listen(session)
	token := p.token(s)
	before := s.see(kept)
	preview, previewed := s.Preview(t.Context(), token, p.mode)
	require.Equal(t, before, s.see(kept), "a preview changes nothing")
	if stored {
		require.Equal(t, []string{"save"}, store.noted(), "that of the look-up")
		store.saving = func(string) error { return p.fail }
	}
	r, err := s.Apply(t.Context(), token, p.mode)
	if p.fail == nil {
		require.Equal(t, r, preview)
		require.Equal(t, err == nil, previewed == nil)
	}
	require.NoError(t, session.Err())
	if p.want != auth.ReasonNone {
		refusal := refusalOf(t, err)
		require.Equal(t, p.want, refusal.Reason, "%v", refusal)
		require.Equal(t, auth.StepTrust, refusal.Step)
		require.Zero(t, r)
		require.Equal(t, before, s.see(kept), "nothing has changed")
		require.Empty(t, h.all())
		if p.fail == nil {
			require.Equal(t, p.want, refusalOf(t, previewed).Reason, "as the preview said")
		} else {
			require.ErrorIs(t, err, p.fail)
		}
		return
	}
	require.NoError(t, err)
	view, ok := s.InForce(s.key)
	require.True(t, ok)
	require.Equal(t, digestOf(t, token), view.Revision().Digest)
	require.Same(t, view, session.Account())
	r.Imports, r.ImportCounts = nil, auth.ImportCounts{} // TestReportedImports is about them
	require.Equal(t, auth.Report{Account: s.key, State: auth.InForce, Old: before.view.Revision(), New: view.Revision()}, r)
	require.NotEqual(t, before.state, s.StateHash())
	if stored {
		require.NotEqual(t, before.stored, s.see(kept).stored)
	}
}

// TestB6ApplyTwice: the same token again changes nothing and closes nobody, whatever
// the mode, and however it is spelled.
func TestB6ApplyTwice(t *testing.T) {
	t.Parallel()
	for _, m := range []resolver.Mode{resolver.Push, resolver.Merge, resolver.Override} {
		t.Run(m.String(), func(t *testing.T) {
			s, store := newStored(t)
			session := s.connect(s.user())
			h := listen(session)
			token := s.token(authtest.DefaultPermissions(authtest.PubAllow("d")), authtest.Limits(5, 5))
			r, err := s.Apply(t.Context(), token, m)
			require.NoError(t, err)
			require.Equal(t, 1, r.ChangedCount)
			require.Eventually(t, func() bool { return h.count() == len(bothNews) }, 10*time.Second, time.Millisecond)
			rights, before := session.Rights(), s.see(store)
			for range 2 {
				r, err = s.Apply(t.Context(), token, m)
				require.NoError(t, err)
				require.Equal(t, auth.Report{Account: s.key, State: auth.InForce, Old: r.New, New: r.New}, r)
			}
			require.Equal(t, digestOf(t, token), r.New.Digest)
			require.Same(t, rights, session.Rights())
			require.Equal(t, before, s.see(store))
			require.Same(t, before.view, session.Account(), "the same view")
			require.Equal(t, bothNews, h.all(), "told once")
		})
	}
}

// TestB5ApplyNotInForce: an account that nobody here uses is saved, and not loaded; the
// next client goes by it.
func TestB5ApplyNotInForce(t *testing.T) {
	t.Parallel()
	store := &recorder{}
	s := newStage(t, nil, nil, func(c *auth.Config) { c.Store = store })
	token := s.token(authtest.Name("saved"))
	p, err := s.Preview(t.Context(), token, resolver.Push)
	require.NoError(t, err)
	require.Empty(t, store.noted())
	r, err := s.Apply(t.Context(), token, resolver.Push)
	require.NoError(t, err)
	require.Equal(t, auth.Report{Account: s.key, State: auth.Saved, New: auth.Revision{Digest: digestOf(t, token), IssuedAt: authtest.Now().Unix()}}, r)
	require.Equal(t, r, p)
	_, ok := s.InForce(s.key)
	require.False(t, ok)
	require.Zero(t, s.upstream.calls.Load())
	_, err = s.Apply(t.Context(), s.account.Token(), resolver.Push)
	require.Equal(t, auth.AccountRollback, refusalOf(t, err).Reason, "saved is seen")
	require.Equal(t, "saved", s.connect(s.user()).Account().Name())
}

// TestB4ApplyWithoutStore: nothing else would remember it, so it is put in force; and
// nothing older comes in any more, when it has left memory too.
func TestB4ApplyWithoutStore(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil, nil)
	token := s.token()
	preview, err := s.Preview(t.Context(), token, resolver.Push)
	require.NoError(t, err)
	_, there := s.InForce(s.key)
	require.False(t, there, "a preview changes nothing")
	r, err := s.Apply(t.Context(), token, resolver.Push)
	require.NoError(t, err)
	require.Equal(t, preview, r)
	require.Equal(t, auth.InForce, r.State)
	s.connect(s.user()).Close()
	for range 3 { // idle, and forgotten
		s.clock.advance(11 * time.Minute)
		s.Sweep()
	}
	_, there = s.InForce(s.key)
	require.False(t, there)
	require.Equal(t, auth.AccountRollback, refusedAt(s, s.user()).Reason, "upstream has the older one still")
	s.upstream.answer = gives(token)
	s.clock.advance(time.Second)
	s.connect(s.user()).Close()
}

// TestB4MergeIntoTheStore: of two tokens of one second the store keeps the greater, and
// then that is what counts, whether the account is in force or not.
func TestB4MergeIntoTheStore(t *testing.T) {
	t.Parallel()
	tokens := []string{
		authtest.NewOperator(t).Account("A", authtest.Name("one")).Token(), authtest.NewOperator(t).Account("A", authtest.Name("two")).Token(),
	}
	slices.SortFunc(tokens, func(a, b string) int {
		x, y := digestOf(t, a), digestOf(t, b)
		return bytes.Compare(x[:], y[:])
	})
	older := authtest.NewOperator(t).Account("A", authtest.IssuedAt(authtest.Now().Add(-2*time.Hour))).Token()
	for _, inForce := range []bool{false, true} {
		t.Run(fmt.Sprintf("in force %v", inForce), func(t *testing.T) {
			store := &recorder{}
			s := newStage(t, nil, nil, func(c *auth.Config) { c.Store = store })
			if inForce {
				s.upstream.answer = gives(older)
				s.connect(s.user())
			}
			_, err := store.Memory.Save(t.Context(), tokens[1], resolver.Push) // by another process
			require.NoError(t, err)
			before := s.see(store)
			for _, m := range []func(context.Context, string, resolver.Mode) (auth.Report, error){s.Preview, s.Apply} {
				_, err = m(t.Context(), tokens[0], resolver.Merge)
				require.Equal(t, auth.AccountRollback, refusalOf(t, err).Reason)
				require.Equal(t, before, s.see(store))
			}
			r, err := s.Apply(t.Context(), tokens[1], resolver.Merge)
			require.NoError(t, err, "what the store has already")
			require.Equal(t, digestOf(t, tokens[1]), r.New.Digest)
			r, err = s.Apply(t.Context(), tokens[0], resolver.Push)
			require.NoError(t, err)
			require.Equal(t, digestOf(t, tokens[0]), r.New.Digest)
		})
	}
}

// TestB5OneTurnEach: changes of one account pass one after the other; who waits may
// give up, and another account's do not wait.
func TestB5OneTurnEach(t *testing.T) {
	t.Parallel()
	s, store := newStored(t)
	saving, release := make(chan struct{}), make(chan struct{})
	other := s.operator.Account("B")
	store.saving = func(token string) error {
		if digestOf(t, token) != digestOf(t, other.Token()) {
			close(saving)
			<-release
		}
		return nil
	}
	first := make(chan error, 1)
	one, two := s.token(authtest.Name("one")), s.token(authtest.Name("two"))
	go func() {
		_, err := s.Apply(context.Background(), one, resolver.Push)
		first <- err
	}()
	select {
	case <-saving:
	case err := <-first:
		require.Fail(t, "it was not saved", "%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	waiting := make(chan error, 2)
	go func() {
		_, err := s.Apply(ctx, two, resolver.Push)
		waiting <- err
	}()
	go func() {
		_, err := s.Remove(ctx, s.key)
		waiting <- err
	}()
	_, err := s.Apply(t.Context(), other.Token(), resolver.Push)
	require.NoError(t, err, "another account")
	p, err := s.Preview(t.Context(), two, resolver.Push)
	require.NoError(t, err, "a preview does not wait")
	require.Equal(t, digestOf(t, two), p.New.Digest)
	cancel()
	for range 2 {
		err := refusalOf(t, <-waiting)
		require.Equal(t, auth.AccountUnavailable, err.Reason)
		require.ErrorIs(t, err, context.Canceled)
	}
	close(release)
	require.NoError(t, <-first)
	view, _ := s.InForce(s.key)
	require.Equal(t, "one", view.Name())
	require.Equal(t, []string{"save", "save"}, store.noted())
}

// TestB5ContextOver: a context that is over changes nothing, though nobody has to be
// waited for.
func TestB5ContextOver(t *testing.T) {
	t.Parallel()
	for _, stored := range []bool{true, false} {
		s := newStage(t, nil, nil, func(c *auth.Config) {
			if stored {
				c.Store = &recorder{}
			}
		})
		session := s.connect(s.user())
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for range 20 {
			_, err := s.Apply(ctx, s.token(), resolver.Push)
			require.Equal(t, auth.AccountUnavailable, refusalOf(t, err).Reason)
			_, err = s.Remove(ctx, s.key)
			require.Equal(t, auth.AccountUnavailable, refusalOf(t, err).Reason)
			require.NoError(t, session.Err())
		}
	}
}

// TestB5CrashBeforeCommit: what was saved and did not come into force is in force when
// the process starts again.
func TestB5CrashBeforeCommit(t *testing.T) {
	t.Parallel()
	s, store := newStored(t)
	session := s.connect(s.user())
	store.after = func(bool) error { return errors.New("the process ends here") }
	token := s.token(authtest.Revoke("u", authtest.Now()))
	_, err := s.Apply(t.Context(), token, resolver.Push)
	require.Error(t, err)
	require.NoError(t, session.Err(), "not in force")
	store.after = nil
	again := newStage(t, nil, nil, func(c *auth.Config) { c.Store = store })
	require.Equal(t, auth.UserRevoked, refusedAt(again, again.user()).Reason)
	view, ok := again.InForce(s.key)
	require.True(t, ok)
	require.Equal(t, digestOf(t, token), view.Revision().Digest)
	_, err = again.Apply(t.Context(), s.account.Token(), resolver.Push)
	require.Equal(t, auth.AccountRollback, refusalOf(t, err).Reason)
	require.NoError(t, s.Close())
}

// TestB21Remove: an account that is removed is out of force and of the store at once;
// it comes back with a newer token or by a push, and with nothing older.
func TestB21Remove(t *testing.T) {
	t.Parallel()
	for _, stored := range []bool{true, false} {
		t.Run(fmt.Sprintf("stored %v", stored), func(t *testing.T) {
			var store resolver.Store
			s := newStage(t, nil, nil, func(c *auth.Config) {
				if stored {
					store = &recorder{}
					c.Store = store
				}
			})
			session, internal := s.connect(s.user()), s.user()
			internal.Internal = true
			second := s.connect(internal)
			before := s.see(store)
			p, err := s.PreviewRemove(t.Context(), s.key)
			require.NoError(t, err)
			require.Equal(t, before, s.see(store))
			require.NoError(t, session.Err())
			r, err := s.Remove(t.Context(), s.key)
			require.NoError(t, err)
			require.Equal(t, auth.Absent, r.State)
			require.Equal(t, before.view.Revision(), r.Old)
			require.Zero(t, r.New)
			require.Equal(t, 2, r.ClosedCount)
			sameReport(t, r, p)
			for _, x := range []*auth.Session{session, second} {
				end := refusalOf(t, x.Err())
				require.Equal(t, auth.AccountRemoved, end.Reason)
				require.Equal(t, "Account Authentication Expired", end.Wire())
			}
			_, ok := s.InForce(s.key)
			require.False(t, ok)
			require.NotNil(t, session.Account(), "as it was")
			require.Equal(t, auth.AccountRemoved, s.Explain(t.Context(), s.user()).Err.Reason)
			for range 2 { // upstream has the same one still
				require.Equal(t, auth.AccountRemoved, refusedAt(s, s.user()).Reason)
				s.clock.advance(time.Minute)
			}
			if stored {
				_, err = store.Resolve(t.Context(), s.key)
				require.ErrorIs(t, err, resolver.ErrNotFound, "nobody has put it back")
			}
			state := auth.InForce // where nothing else would remember it
			if stored {
				state = auth.Saved
			}
			revives(t, s, state)
		})
	}
}

// revives wants a removed account refused with older tokens, and back with a push.
func revives(t *testing.T, s *stage, want auth.State) {
	t.Helper()
	older := s.operator.Account("A", authtest.IssuedAt(authtest.Now().Add(-2*time.Hour))).Token()
	for _, m := range []resolver.Mode{resolver.Push, resolver.Merge} {
		_, err := s.Apply(t.Context(), older, m)
		require.Contains(t, []auth.Reason{auth.AccountRollback, auth.AccountRemoved}, refusalOf(t, err).Reason, "%v", m)
	}
	r, err := s.Remove(t.Context(), s.key)
	require.NoError(t, err, "it is gone already")
	require.Equal(t, auth.Report{Account: s.key, State: auth.Absent}, r)
	require.Equal(t, auth.AccountRemoved, refusedAt(s, s.user()).Reason)
	_, err = s.Apply(t.Context(), s.account.Token(), resolver.Merge)
	require.Equal(t, auth.AccountRemoved, refusalOf(t, err).Reason, "another store that has it still")
	r, err = s.Apply(t.Context(), s.account.Token(), resolver.Push)
	require.NoError(t, err)
	require.Equal(t, want, r.State)
	s.connect(s.user()).Close()
}

// TestB21RemovedAndNewer: a newer token brings a removed account back by itself.
func TestB21RemovedAndNewer(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil, nil)
	s.connect(s.user())
	_, err := s.Remove(t.Context(), s.key)
	require.NoError(t, err)
	s.upstream.answer = gives(s.operator.Account("A", authtest.IssuedAt(authtest.Now().Add(-time.Hour+time.Second))).Token())
	s.connect(s.user()).Close()
}

// TestB21RemoveUnused: an account that is in the store, and not in force, is removed
// all the same; and one that was in force once, and is remembered.
func TestB21RemoveUnused(t *testing.T) {
	t.Parallel()
	t.Run("in the store", func(t *testing.T) {
		store := &recorder{}
		s := newStage(t, nil, nil, func(c *auth.Config) { c.Store = store })
		_, err := store.Memory.Save(t.Context(), s.account.Token(), resolver.Push)
		require.NoError(t, err)
		r, err := s.Remove(t.Context(), s.key)
		require.NoError(t, err)
		require.Equal(t, auth.Absent, r.State)
		require.Equal(t, auth.AccountRemoved, refusedAt(s, s.user()).Reason, "upstream has it still")
	})
	t.Run("remembered", func(t *testing.T) {
		s := newStage(t, nil, nil, func(c *auth.Config) { c.Bounds.Idle = time.Minute })
		s.connect(s.user()).Close()
		for range 3 {
			s.clock.advance(time.Minute)
			s.Sweep()
		}
		_, ok := s.InForce(s.key)
		require.False(t, ok)
		_, err := s.Remove(t.Context(), s.key)
		require.NoError(t, err)
		require.Equal(t, auth.AccountRemoved, refusedAt(s, s.user()).Reason)
	})
	t.Run("nobody knows it", func(t *testing.T) {
		s := newStage(t, nil, nil)
		r, err := s.Remove(t.Context(), s.operator.Account("B").PublicKey())
		require.NoError(t, err)
		require.Equal(t, auth.Absent, r.State)
	})
	t.Run("no key", func(t *testing.T) {
		s := newStage(t, nil, nil)
		for _, remove := range []func(context.Context, string) (auth.Report, error){s.Remove, s.PreviewRemove} {
			_, err := remove(t.Context(), "A")
			require.Equal(t, auth.AccountNotFound, refusalOf(t, err).Reason)
		}
	})
}

// TestB21RemoveFails: a store that cannot delete keeps the account as it is, in force
// or not.
func TestB21RemoveFails(t *testing.T) {
	t.Parallel()
	for _, inForce := range []bool{true, false} {
		t.Run(fmt.Sprintf("in force %v", inForce), func(t *testing.T) {
			store := &recorder{failing: resolver.ErrUnavailable}
			s := newStage(t, nil, nil, func(c *auth.Config) { c.Store = store })
			_, err := store.Memory.Save(t.Context(), s.account.Token(), resolver.Push)
			require.NoError(t, err)
			if inForce {
				s.connect(s.user())
			}
			before := s.see(store)
			_, err = s.Remove(t.Context(), s.key)
			refusal := refusalOf(t, err)
			require.Equal(t, auth.AccountUnavailable, refusal.Reason)
			require.ErrorIs(t, refusal, resolver.ErrUnavailable)
			require.Equal(t, s.key, refusal.Account)
			require.Equal(t, before, s.see(store))
			s.connect(s.user())
		})
	}
}

// TestClosedAuthorizerChangesNothing: neither a closed one nor the zero one.
func TestClosedAuthorizerChangesNothing(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil, nil)
	token := s.token()
	require.NoError(t, s.Close())
	for _, a := range []*auth.Authorizer{s.Authorizer, new(auth.Authorizer)} {
		_, err := a.Apply(t.Context(), token, resolver.Push)
		require.Equal(t, auth.AuthorizerClosed, refusalOf(t, err).Reason)
		_, err = a.Preview(t.Context(), token, resolver.Push)
		require.Equal(t, auth.AuthorizerClosed, refusalOf(t, err).Reason)
		_, err = a.Remove(t.Context(), s.key)
		require.Equal(t, auth.AuthorizerClosed, refusalOf(t, err).Reason)
		_, err = a.PreviewRemove(t.Context(), s.key)
		require.Equal(t, auth.AuthorizerClosed, refusalOf(t, err).Reason)
	}
}

// seat is a session of the table below, and what becomes of it.
type seat struct {
	name   string // of its user
	opts   []authtest.Option
	edit   func(*auth.Credentials)
	reason auth.Reason      // why it is closed; 0: it goes on
	told   []auth.EventKind // what it is told then
}

var (
	rightsNews = []auth.EventKind{auth.RightsChanged}
	limitsNews = []auth.EventKind{auth.LimitsChanged}
	bothNews   = []auth.EventKind{auth.RightsChanged, auth.LimitsChanged}
)

func ofBroker(c *auth.Credentials) { c.Internal = true }

func leafNode(c *auth.Credentials) { c.ConnectionType = auth.LeafNode }

func signedBy(name string, more ...authtest.Option) []authtest.Option {
	return append(list(authtest.SignedBy(name)), more...)
}

// eviction is one update of an account with sessions, which sit in the order in which
// they came.
type eviction struct {
	name          string
	before, after []authtest.Option
	keep          bool // Config.KeepOnScopeChange
	seats         []seat
}

// ofRevocations are three users, issued before, at and after the time of a revocation.
func ofRevocations(name, who string, first, second, third, other auth.Reason) eviction {
	at := authtest.Now().Add(-time.Hour)
	issued := func(d time.Duration) []authtest.Option { return list(authtest.IssuedAt(at.Add(d))) }
	return eviction{name: name, after: list(authtest.Revoke(who, at)), seats: []seat{
		{name: "u", opts: issued(-time.Second), reason: first},
		{name: "u", opts: issued(0), reason: second},
		{name: "u", opts: issued(time.Second), reason: third},
		{name: "other", opts: issued(0), reason: other},
		{name: "u", opts: list(authtest.Raw(func(fields map[string]any) { delete(fields, "iat") })), reason: auth.UserRevoked},
	}}
}

// evictions are those of nats-server v2.15 server/accounts.go updateAccountClaims, and
// what does not evict.
func evictions() []eviction {
	perm := func(subjects ...string) authtest.Option {
		return authtest.DefaultPermissions(authtest.PubAllow(subjects...))
	}
	scoped := func(opts ...authtest.Option) []authtest.Option { return list(authtest.Scope("sk", opts...)) }
	full := auth.ConnectionsExceeded
	return []eviction{
		ofRevocations("a user is revoked by key", "u", auth.UserRevoked, auth.UserRevoked, 0, 0),
		ofRevocations("everybody is revoked", "*", auth.UserRevoked, auth.UserRevoked, 0, auth.UserRevoked),
		{"a revocation is moved ahead", list(authtest.Revoke("u", authtest.Now().Add(-2*time.Hour))), list(authtest.Revoke("u", authtest.Now())), false, []seat{
			{name: "u", reason: auth.UserRevoked}, {name: "other"},
		}},
		{"a revocation is lifted", list(authtest.Revoke("v", authtest.Now())), nil, false, []seat{{name: "u"}}},
		{"a revoked user of a scope", scoped(), append(scoped(), authtest.Revoke("u", authtest.Now())), false, []seat{
			{name: "u", opts: signedBy("sk"), reason: auth.UserRevoked}, {name: "u", reason: auth.UserRevoked},
			{name: "other", opts: signedBy("sk")},
		}},
		{"an internal session is revoked too", nil, list(authtest.Revoke("u", authtest.Now())), false, []seat{{name: "u", edit: ofBroker, reason: auth.UserRevoked}}},

		{"a signing key is removed", list(authtest.SigningKey("one"), authtest.SigningKey("two")), list(authtest.SigningKey("two")), false, []seat{
			{name: "u", opts: signedBy("one"), reason: auth.SignerUnknown}, {name: "v", opts: signedBy("two")}, {name: "w"},
		}},
		{"a signing key is added", list(authtest.SigningKey("one")), list(authtest.SigningKey("one"), authtest.SigningKey("two")), false, []seat{
			{name: "u", opts: signedBy("one")}, {name: "w"},
		}},
		{"a signing key is replaced", list(authtest.SigningKey("one")), list(authtest.SigningKey("two")), false, []seat{
			{name: "u", opts: signedBy("one"), reason: auth.SignerUnknown}, {name: "w"},
		}},

		{"a scope changes", scoped(), scoped(authtest.PubAllow("a")), false, []seat{{name: "u", opts: signedBy("sk"), reason: auth.ScopeChanged}, {name: "v"}}},
		{"a scope changes, in place", scoped(), scoped(authtest.PubAllow("a")), true, []seat{{name: "u", opts: signedBy("sk"), told: rightsNews}, {name: "v"}}},
		{"a scope's limits change, in place", scoped(), scoped(authtest.Limits(1, 1)), true, []seat{{name: "u", opts: signedBy("sk"), told: limitsNews}, {name: "v"}}},
		{"all of a scope changes, in place", scoped(), scoped(authtest.Limits(1, 1), authtest.SubDeny("a")), true, []seat{{name: "u", opts: signedBy("sk"), told: bothNews}, {name: "v"}}},
		{"a scope that does not fit any more, in place", scoped(), scoped(authtest.Sources("192.0.2.0/24")), true, []seat{{name: "u", opts: signedBy("sk"), reason: auth.SourceDisallowed}, {name: "v"}}},
		{"a scope's texts change", list(authtest.Scope("sk"), role("sk", "one")), list(role("sk", "two")), false, []seat{{name: "u", opts: signedBy("sk")}, {name: "v"}}},
		{"another scope is added", scoped(), list(authtest.Scope("sk"), authtest.Scope("two", authtest.PubAllow("a"))), false, []seat{{name: "u", opts: signedBy("sk")}}},
		{"a key gets a scope", list(authtest.SigningKey("sk")), scoped(), true, []seat{{name: "u", opts: signedBy("sk"), reason: auth.ScopeConflict}}},
		{"a key loses its scope", scoped(), list(authtest.SigningKey("sk")), false, []seat{{name: "u", opts: signedBy("sk"), reason: auth.ScopeChanged}}},
		{"the account's tag in a template", append(scoped(authtest.PubAllow("a.{{account-tag(of)}}")), authtest.Tags("of:x")), append(scoped(authtest.PubAllow("a.{{account-tag(of)}}")), authtest.Tags("of:y")), false, []seat{
			{name: "u", opts: signedBy("sk"), told: rightsNews}, {name: "v"},
		}},

		{"bearers are banned", scoped(authtest.Bearer()), append(scoped(authtest.Bearer()), authtest.DisallowBearer()), false, []seat{
			{name: "u", opts: list(authtest.Bearer()), reason: auth.BearerDisallowed}, {name: "v", opts: signedBy("sk"), reason: auth.BearerDisallowed}, {name: "w"},
		}},
		{"bearers are taken again", list(authtest.DisallowBearer()), nil, false, []seat{{name: "w"}}},

		{"the newest of too many go", nil, list(authtest.MaxConnections(2)), false, []seat{
			{name: "u"}, {name: "v"}, {name: "w", reason: full}, {name: "u", reason: full},
		}},
		{"internal ones do not count, and stay", nil, list(authtest.MaxConnections(1)), false, []seat{
			{name: "u", edit: ofBroker}, {name: "v"}, {name: "w", reason: full}, {name: "x", edit: ofBroker},
		}},
		{"leaf nodes count, and go", nil, list(authtest.MaxConnections(1)), false, []seat{
			{name: "u", edit: leafNode}, {name: "v", reason: full}, {name: "w", edit: leafNode, reason: full},
		}},
		{"nobody may be there", nil, list(authtest.MaxConnections(0)), false, []seat{
			{name: "u", reason: full}, {name: "v", reason: full}, {name: "w", edit: ofBroker},
		}},
		{"exactly as many as may", nil, list(authtest.MaxConnections(2)), false, []seat{{name: "u"}, {name: "v"}}},
		{"who goes for another reason makes room", nil, list(authtest.MaxConnections(2), authtest.Revoke("u", authtest.Now())), false, []seat{
			{name: "u", reason: auth.UserRevoked}, {name: "v"}, {name: "w"},
		}},
		{"who goes for both goes for the first", nil, list(authtest.MaxConnections(1), authtest.Revoke("w", authtest.Now())), false, []seat{
			{name: "u"}, {name: "v", reason: full}, {name: "w", reason: auth.UserRevoked},
		}},
		{"an internal one that goes makes no room", nil, list(authtest.MaxConnections(1), authtest.Revoke("u", authtest.Now())), false, []seat{
			{name: "u", edit: ofBroker, reason: auth.UserRevoked}, {name: "v"}, {name: "w", reason: full},
		}},
		{"who would go on with other rights goes", nil, list(authtest.MaxConnections(1), perm("d"), authtest.Limits(1, 1)), false, []seat{
			{name: "u", told: bothNews}, {name: "v", reason: full},
		}},
		{"fewer leaf nodes", nil, list(authtest.MaxLeafNodes(0)), false, []seat{{name: "u", edit: leafNode}, {name: "v"}}},

		{"payload", nil, list(authtest.Limits(-1, 100)), false, []seat{
			{name: "u", told: limitsNews}, {name: "v", opts: list(authtest.Limits(-1, 100))}, {name: "w", opts: list(authtest.Limits(-1, 101)), told: limitsNews},
		}},
		{"subscriptions", list(authtest.Limits(5, -1)), list(authtest.Limits(10, -1)), false, []seat{
			{name: "u", told: limitsNews}, {name: "v", opts: list(authtest.Limits(5, -1))}, {name: "w", opts: list(authtest.Limits(6, -1)), told: limitsNews},
		}},
		{"default permissions", list(perm("a")), list(perm("b")), false, []seat{
			{name: "u", told: rightsNews}, {name: "v", opts: list(authtest.PubAllow("c"))}, {name: "w", opts: list(authtest.Responses(1, 0))},
		}},
		{"default permissions for the first time", scoped(), append(scoped(), perm("b")), false, []seat{
			{name: "u", told: rightsNews}, {name: "v", opts: list(authtest.SubDeny("c"))}, {name: "w", opts: signedBy("sk"), told: rightsNews},
		}},
		{"default permissions no more", list(perm("b")), nil, false, []seat{{name: "u", told: rightsNews}}},
		{"default permissions in another order", list(perm("a", "b")), list(perm("b", "a")), false, []seat{{name: "u"}}},

		{"a service decides", nil, list(authtest.CalloutUsers("service")), false, []seat{
			{name: "u", reason: auth.ExternalRequired}, {name: "service"},
		}},
		{"a service decides no more", list(authtest.CalloutUsers("service")), nil, false, []seat{{name: "service"}}},
		{"an end", nil, list(authtest.Expires(authtest.Now().Add(time.Hour))), false, []seat{{name: "u"}}},
		{"a name", nil, list(authtest.Name("B")), false, []seat{{name: "u"}}},
	}
}

// TestEvictions: an update closes exactly those whom it no longer admits, tells exactly
// those of whom it changes something, and a preview names the same.
func TestEvictions(t *testing.T) {
	t.Parallel()
	for _, e := range evictions() {
		t.Run(e.name, func(t *testing.T) { e.run(t) })
	}
}

func (e eviction) run(t *testing.T) {
	s := newStage(t, nil, e.before, func(c *auth.Config) { c.KeepOnScopeChange = e.keep })
	var sessions []*auth.Session
	var ears []*heard
	closed, changed := 0, 0
	for _, x := range e.seats {
		c := s.account.User(x.name, x.opts...).Credentials(s.nonce)
		if x.edit != nil {
			x.edit(&c)
		}
		sessions = append(sessions, s.connect(c))
		ears = append(ears, listen(sessions[len(sessions)-1]))
		if x.reason != auth.ReasonNone {
			closed++
		} else if x.told != nil {
			changed++
		}
	}
	token := s.token(e.after...)
	before := s.see(nil)
	p, err := s.Preview(t.Context(), token, resolver.Push)
	require.NoError(t, err)
	require.Equal(t, before, s.see(nil))
	r, err := s.Apply(t.Context(), token, resolver.Push)
	require.NoError(t, err)
	sameReport(t, r, p)
	require.Equal(t, closed, r.ClosedCount, "closed")
	require.Equal(t, changed, r.ChangedCount, "changed")
	for i, x := range e.seats {
		x.judge(t, fmt.Sprintf("session %d, of %s", i, x.name), sessions[i], ears[i])
	}
	require.Empty(t, slices.Collect(s.Sessions(auth.Filter{})))
	require.Zero(t, s.Counts(s.key))
}

// wires are what clients are told that lose their connection (F048, F049, B15).
var wires = map[auth.Reason]string{
	auth.UserRevoked: "User Authentication Revoked", auth.ConnectionsExceeded: "maximum account active connections exceeded",
	auth.AccountRemoved: "Account Authentication Expired", auth.AccountExpired: "Account Authentication Expired",
}

func (x seat) judge(t *testing.T, which string, s *auth.Session, h *heard) {
	t.Helper()
	if x.reason == auth.ReasonNone {
		require.NoError(t, s.Err(), which)
		require.Equal(t, x.told, h.all(), which)
		return
	}
	end := refusalOf(t, s.Err())
	require.Equal(t, x.reason, end.Reason, which)
	require.Equal(t, auth.StepLive, end.Step, which)
	want, ok := wires[x.reason]
	if !ok {
		want = violation
	}
	require.Equal(t, want, end.Wire(), which)
	require.False(t, s.CanPublish("a"), which)
	require.Empty(t, h.all(), "%s: told of nothing but its end", which)
}

// TestB15ScopeTexts: role and description of a scope are for people: who reads them
// reads the new ones, and nobody is closed or told.
func TestB15ScopeTexts(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil, list(authtest.Scope("sk"), role("sk", "one")))
	session := s.connect(s.account.User("u", authtest.SignedBy("sk")).Credentials(s.nonce))
	h := listen(session)
	require.Equal(t, "one", session.User().Role)
	r := s.apply(role("sk", "two"))
	require.Zero(t, r.ClosedCount)
	require.Zero(t, r.ChangedCount)
	require.Equal(t, "two", session.User().Role)
	require.Empty(t, h.all())
}

// TestUpdatedEnd: the end that a newer token of the account sets is the end of its
// sessions, and an older token's is not any more: before, at and after.
func TestUpdatedEnd(t *testing.T) {
	t.Parallel()
	end := func(d time.Duration) []authtest.Option { return list(authtest.Expires(authtest.Now().Add(d))) }
	for _, row := range []struct {
		name          string
		before, after []authtest.Option
		want          time.Duration // 0: never
	}{
		{"for the first time", nil, end(time.Hour), time.Hour},
		{"sooner", end(2 * time.Hour), end(time.Hour), time.Hour},
		{"later", end(time.Hour), end(2 * time.Hour), 2 * time.Hour},
		{"never", end(time.Hour), nil, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newStage(t, nil, row.before, func(c *auth.Config) { c.Bounds.Idle = 100 * time.Hour })
			session, mine := s.connect(s.user()), s.user()
			mine.Internal = true
			broker := s.connect(mine)
			s.apply(row.after...)
			if row.want == 0 {
				s.clock.advance(10 * time.Hour)
				s.Sweep()
				require.NoError(t, session.Err())
				return
			}
			s.clock.advance(row.want - 1)
			s.Sweep()
			require.NoError(t, session.Err(), "before")
			require.True(t, session.CanPublish("a"))
			s.clock.advance(1)
			require.False(t, session.CanPublish("a"), "at its end")
			s.Sweep()
			for _, x := range []*auth.Session{session, broker} {
				require.Equal(t, auth.AccountExpired, refusalOf(t, x.Err()).Reason)
				require.Equal(t, wires[auth.AccountExpired], refusalOf(t, x.Err()).Wire())
			}
			_, ok := s.InForce(s.key)
			require.False(t, ok)
			r := s.apply() // and with a newer token it is back
			require.Equal(t, auth.InForce, r.State)
			s.connect(s.user()).Close()
		})
	}
}

// TestEndAmidConnects: whoever is refused because the account's time is over does not
// put off the end of those who are connected.
func TestEndAmidConnects(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil, list(authtest.Expires(authtest.Now().Add(time.Hour))), func(c *auth.Config) { c.Bounds.Idle = 100 * time.Hour })
	session := s.connect(s.user())
	s.clock.advance(time.Hour)
	for range 5 {
		require.Equal(t, auth.AccountExpired, refusedAt(s, s.user()).Reason)
		s.clock.advance(time.Second)
	}
	require.NoError(t, session.Err(), "nobody has looked")
	s.Sweep()
	require.Equal(t, auth.AccountExpired, refusalOf(t, session.Err()).Reason)
}
