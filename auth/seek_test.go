package auth_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/auth/authtest"
	"github.com/natsauth/natsauth/claims"
	"github.com/natsauth/natsauth/nonce"
	"github.com/natsauth/natsauth/resolver"
)

// district is an importer I of a stream that E exports, both in a source, and an Authorizer
// that lives by the clock of the bubble.
type district struct {
	t      *testing.T
	op     *authtest.Operator
	e, i   *authtest.Account
	source *source
	a      *auth.Authorizer
}

func newDistrict(t *testing.T, edits ...func(*auth.Config)) *district {
	t.Helper()
	d := &district{t: t, op: authtest.NewOperator(t, authtest.IssuedAt(time.Now()))}
	d.e = d.op.Account("E", authtest.IssuedAt(time.Now()), authtest.StreamExport("a"))
	d.i = d.op.Account("I", authtest.IssuedAt(time.Now()), authtest.StreamImport(d.e.PublicKey(), "a", ""))
	d.source = newSource(d.e, d.i)
	d.a = authtest.Authorizer(t, d.op, nil, append([]func(*auth.Config){d.source.use, func(c *auth.Config) { c.Clock = nil }}, edits...)...)
	return d
}

// connect connects a user of an account.
func (d *district) connect(account *authtest.Account) *auth.Session {
	d.t.Helper()
	s, err := d.a.Connect(context.Background(), account.User("u", authtest.IssuedAt(time.Now())).Credentials(nonce.New()))
	require.NoError(d.t, err)
	return s
}

// state is where the import stands.
func (d *district) state() auth.ImportState {
	d.t.Helper()
	synctest.Wait()
	view, ok := d.a.InForce(d.i.PublicKey())
	require.True(d.t, ok)
	for s := range view.Imports() {
		return s.State
	}
	return 0
}

// asked is how often somebody asked for the exporter.
func (d *district) asked() int { return len(d.source.times(d.e.PublicKey())) }

// TestF090ExportersAreLookedUp when the first client of an importer comes, who waits for
// them: everybody hears of it when the import comes to life.
func TestF090ExportersAreLookedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []auth.AccountEvent
		d := newDistrict(t, func(c *auth.Config) {
			c.OnAccount = func(e auth.AccountEvent) {
				if e.New.Name() == "I" {
					told = append(told, e)
				}
			}
		})
		d.source.slows(time.Second)
		began := time.Now()
		s := d.connect(d.i)
		require.Equal(t, 2*time.Second, time.Since(began), "the account's look-up and its exporter's")
		require.Len(t, s.Account().Streams(nil, "a"), 1)
		require.Equal(t, auth.ImportInForce, d.state())
		require.Len(t, told, 2)
		require.True(t, told[0].Imports && told[0].Old == nil)
		require.True(t, told[1].Imports && told[1].Old == told[0].New && told[1].New == s.Account())
	})
}

// TestWaitingForExporters: how long clients wait for the accounts that theirs imports from.
// Nobody is refused for it.
func TestWaitingForExporters(t *testing.T) {
	const span = 5 * time.Second // Bounds.LookupTime
	for _, row := range []struct {
		name  string
		links int           // from the client's account to the last exporter
		slow  time.Duration // each look-up
		down  bool          // nobody can be asked for exporters
		gone  bool          // no exporter exists
		until time.Duration // the client's patience; 0: for ever
		want  time.Duration // how long the exporters are waited for
		state auth.ImportState
		again time.Duration // how long the next client waits
	}{
		{"of one step", 1, time.Second, false, false, 0, time.Second, auth.ImportInForce, 0},
		{"of three", 3, time.Second, false, false, 0, 3 * time.Second, auth.ImportInForce, 0},
		{"just in time", 1, span - 1, false, false, 0, span - 1, auth.ImportInForce, 0},
		{"together too slow", 3, 2 * time.Second, false, false, 0, span, auth.ImportInForce, 0},
		{"that nobody can tell of", 1, time.Second, true, false, 0, time.Second, auth.ImportPending, 0},
		{"that are not there", 1, time.Second, false, true, 0, time.Second, auth.ImportPending, 0},
		{"by a client that goes away", 1, time.Second, false, false, 1500 * time.Millisecond, 500 * time.Millisecond, auth.ImportPending, 500 * time.Millisecond},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				op := authtest.NewOperator(t, authtest.IssuedAt(time.Now()))
				s := newSource()
				last := op.Account("0", authtest.IssuedAt(time.Now()), authtest.StreamExport("a"))
				s.holds(last.PublicKey(), last.Token())
				for n := range row.links {
					last = op.Account(fmt.Sprint(n+1), authtest.IssuedAt(time.Now()), authtest.StreamExport("a"), authtest.StreamImport(last.PublicKey(), "a", ""))
					s.holds(last.PublicKey(), last.Token())
				}
				s.slows(row.slow)
				d := &district{t: t, op: op, source: s, i: last}
				d.a = authtest.Authorizer(t, op, nil, func(c *auth.Config) {
					c.Clock = nil
					c.Resolver = resolver.Func(func(ctx context.Context, key string) (string, error) {
						token, err := s.Resolve(ctx, key)
						switch {
						case err != nil || key == last.PublicKey():
							return token, err
						case row.down:
							return "", errors.New("down")
						case row.gone:
							return "", resolver.ErrNotFound
						}
						return token, err
					})
				})
				ctx := t.Context()
				if row.until != 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, row.until)
					defer cancel()
				}
				began := time.Now()
				session, err := d.a.Connect(ctx, last.User("u", authtest.IssuedAt(time.Now())).Credentials(nonce.New()))
				require.NoError(t, err)
				require.Equal(t, row.want, time.Since(began)-row.slow)
				for s := range session.Account().Imports() {
					require.Equal(t, row.state, s.State)
				}
				began = time.Now()
				d.connect(last)
				require.Equal(t, row.again, time.Since(began))
				time.Sleep(3 * row.slow / 2)
				began = time.Now()
				d.connect(last)
				require.Zero(t, time.Since(began), "what was looked for in vain is not waited for")
				require.NoError(t, d.a.Close())
				time.Sleep(row.slow) // until the source has noticed
			})
		})
	}
}

// TestF091AccountsThatImportFromOneAnother load, however they are tied.
func TestF091AccountsThatImportFromOneAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		op := authtest.NewOperator(t, authtest.IssuedAt(time.Now()))
		key := func(name string) string { return op.Account(name).PublicKey() }
		account := func(name, from, stream, service string) *authtest.Account {
			return op.Account(name, authtest.IssuedAt(time.Now()), authtest.StreamExport("s."+name), authtest.ServiceExport("q."+name),
				authtest.StreamImport(key(from), "s."+from, stream), authtest.ServiceImport(key(from), "q."+from, service))
		}
		accounts := []*authtest.Account{account("A", "B", "x", "x"), account("B", "C", "x", "x"), account("C", "A", "x", "x")}
		s := newSource(accounts...)
		a := authtest.Authorizer(t, op, nil, s.use, func(c *auth.Config) { c.Clock = nil })
		_, err := a.Account(t.Context(), accounts[0].PublicKey())
		require.NoError(t, err)
		synctest.Wait()
		for _, account := range accounts {
			view, ok := a.InForce(account.PublicKey())
			require.True(t, ok)
			for i := range view.Imports() {
				require.Equal(t, auth.ImportInForce, i.State)
			}
			require.Len(t, s.times(account.PublicKey()), 1)
		}
	})
}

// TestExportersThatCannotBeAskedFor are asked for again, later each time, up to a minute.
func TestExportersThatCannotBeAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDistrict(t, func(c *auth.Config) { c.Bounds.Idle = 24 * time.Hour })
		d.source.breaks(errors.New("down"))
		_, err := d.a.Apply(t.Context(), d.i.Token(), resolver.Push)
		require.NoError(t, err)
		time.Sleep(10 * time.Minute)
		require.Equal(t, auth.ImportPending, d.state())
		asked := d.source.times(d.e.PublicKey())
		require.Greater(t, len(asked), 10)
		require.Less(t, len(asked), 20)
		for i := range asked[2:] {
			require.GreaterOrEqual(t, asked[i+2].Sub(asked[i+1]), asked[i+1].Sub(asked[i]))
			require.LessOrEqual(t, asked[i+2].Sub(asked[i+1]), time.Minute)
		}
		d.source.breaks(nil)
		time.Sleep(time.Minute)
		require.Equal(t, auth.ImportInForce, d.state())
	})
}

// TestExportersThatDoNotExist are not asked for all the time: when somebody says something
// of them, when Refresh says so, and when a client of the importer connects, at most once a
// minute.
func TestExportersThatDoNotExist(t *testing.T) {
	for _, row := range []struct {
		name string
		edit func(*auth.Config)
		wake func(*district)
	}{
		{"a push", nothing, func(d *district) {
			_, err := d.a.Apply(context.Background(), d.e.Token(), resolver.Push)
			require.NoError(d.t, err)
		}},
		{"a client", nothing, func(d *district) {
			d.source.holds(d.e.PublicKey(), d.e.Token())
			before := d.asked()
			for range 3 {
				d.connect(d.i)
			}
			synctest.Wait()
			require.Equal(d.t, before+1, d.asked())
		}},
		{"Refresh", refreshing(time.Hour), func(d *district) {
			d.source.holds(d.e.PublicKey(), d.e.Token())
			time.Sleep(time.Hour)
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDistrict(t, row.edit, func(c *auth.Config) { c.Bounds.Idle = 24 * time.Hour })
				d.source.holds(d.e.PublicKey(), "")
				s := d.connect(d.i)
				defer s.Close()
				synctest.Wait()
				time.Sleep(20 * time.Minute)
				require.Equal(t, auth.ImportPending, d.state())
				require.Equal(t, 1, d.asked())
				row.wake(d)
				require.Equal(t, auth.ImportInForce, d.state())
			})
		})
	}
}

func nothing(*auth.Config) {}

// TestHintsOfExporters: a watcher's word about an account that somebody waits for leads to
// a look-up.
func TestHintsOfExporters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		said := make(chan string)
		d := newDistrict(t, func(c *auth.Config) { c.Watch = []resolver.Watcher{herald(said)} })
		d.source.holds(d.e.PublicKey(), "")
		d.connect(d.i)
		require.Equal(t, auth.ImportPending, d.state())
		said <- d.op.Account("OTHER").PublicKey()
		require.Equal(t, auth.ImportPending, d.state())
		require.Empty(t, d.source.times(d.op.Account("OTHER").PublicKey()), "nobody waits for that one")
		d.source.holds(d.e.PublicKey(), d.e.Token())
		said <- d.e.PublicKey()
		require.Equal(t, auth.ImportInForce, d.state())
	})
}

// herald is a watcher that says what it is told to.
type herald chan string

func (h herald) Watch(ctx context.Context, changed func(string)) error {
	for {
		select {
		case account := <-h:
			changed(account)
		case <-ctx.Done():
			return nil
		}
	}
}

// TestAPushWakesAPendingImport: with a Store a push of an account that nobody is in is
// saved only, unless somebody imports from it.
func TestAPushWakesAPendingImport(t *testing.T) {
	t.Parallel()
	op := authtest.NewOperator(t)
	e := op.Account("E", authtest.StreamExport("a"))
	i := op.Account("I", authtest.StreamImport(e.PublicKey(), "a", ""))
	store, err := resolver.NewMemory(i.Token())
	require.NoError(t, err)
	a := authtest.Authorizer(t, op, nil, func(c *auth.Config) { c.Resolver, c.Store = nil, store })
	r, err := a.Apply(t.Context(), e.Token(), resolver.Push)
	require.NoError(t, err)
	require.Equal(t, auth.Saved, r.State)
	require.NoError(t, store.Delete(t.Context(), e.PublicKey()))
	_, err = a.Account(t.Context(), i.PublicKey())
	require.NoError(t, err)
	newer := e.Renew()
	preview, err := a.Preview(t.Context(), newer.Token(), resolver.Push)
	require.NoError(t, err)
	r, err = a.Apply(t.Context(), newer.Token(), resolver.Push)
	require.NoError(t, err)
	require.Equal(t, preview, r)
	require.Equal(t, auth.InForce, r.State)
	require.Equal(t, []string{i.PublicKey()}, r.Importers)
}

// TestRemovedExportersStayAway: nobody looks for what an administrator has removed.
func TestRemovedExportersStayAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDistrict(t)
		d.connect(d.i)
		require.Equal(t, auth.ImportInForce, d.state())
		_, err := d.a.Remove(t.Context(), d.e.PublicKey())
		require.NoError(t, err)
		d.connect(d.i)
		time.Sleep(time.Hour)
		d.connect(d.i)
		require.Equal(t, auth.ImportPending, d.state())
		_, ok := d.a.InForce(d.e.PublicKey())
		require.False(t, ok)
	})
}

// TestManyExportersTakeTurns: however many an account imports from, they take half of the
// look-ups, and all of them have their turn.
func TestManyExportersTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const exporters = 50
		op := authtest.NewOperator(t, authtest.IssuedAt(time.Now()))
		s := newSource()
		opts := []authtest.Option{authtest.IssuedAt(time.Now())}
		for n := range exporters {
			e := op.Account(fmt.Sprint("E", n), authtest.IssuedAt(time.Now()), authtest.StreamExport("a"))
			s.holds(e.PublicKey(), e.Token())
			opts = append(opts, authtest.StreamImport(e.PublicKey(), "a", fmt.Sprint("a", n)))
		}
		i := op.Account("I", opts...)
		a := authtest.Authorizer(t, op, nil, s.use, func(c *auth.Config) { c.Clock, c.Bounds.Lookups = nil, 8 })
		s.slows(time.Second)
		_, err := a.Apply(t.Context(), i.Token(), resolver.Push)
		require.NoError(t, err)
		time.Sleep(exporters*time.Second/4 + time.Second)
		synctest.Wait()
		s.change(func(s *source) { require.Equal(t, 4, s.most) })
		view, _ := a.InForce(i.PublicKey())
		for m := range view.Imports() {
			require.Equal(t, auth.ImportInForce, m.State)
		}
	})
}

// TestImportersTakeTurns: an importer of many exporters does not keep others waiting for
// theirs.
func TestImportersTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDistrict(t, func(c *auth.Config) { c.Bounds.Lookups = 8 })
		d.source.slows(time.Second)
		opts := []authtest.Option{authtest.IssuedAt(time.Now())}
		for n := range 400 {
			opts = append(opts, authtest.StreamImport(d.op.Account(fmt.Sprint("nobody", n)).PublicKey(), "a", fmt.Sprint("a", n)))
		}
		_, err := d.a.Apply(t.Context(), d.op.Account("H", opts...).Token(), resolver.Push)
		require.NoError(t, err)
		_, err = d.a.Apply(t.Context(), d.i.Token(), resolver.Push)
		require.NoError(t, err)
		time.Sleep(2*time.Second + 1)
		require.Equal(t, auth.ImportInForce, d.state())
		time.Sleep(98 * time.Second)
		asked := 0
		for n := range 400 {
			asked += min(1, len(d.source.times(d.op.Account(fmt.Sprint("nobody", n)).PublicKey())))
		}
		require.Equal(t, 400, asked, "and all had their turn")
		require.NoError(t, d.a.Close())
		time.Sleep(time.Second)
	})
}

// TestExportersStayWhileTheyAreNeeded, and no longer: accounts that only import from one
// another keep nobody in memory.
func TestExportersStayWhileTheyAreNeeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		op := authtest.NewOperator(t, authtest.IssuedAt(time.Now()))
		key := func(name string) string { return op.Account(name).PublicKey() }
		account := func(name string, from ...string) *authtest.Account {
			opts := []authtest.Option{authtest.IssuedAt(time.Now()), authtest.StreamExport("s." + name)}
			for _, f := range from {
				opts = append(opts, authtest.StreamImport(key(f), "s."+f, "x."+f))
			}
			return op.Account(name, opts...)
		}
		// I <- E <- F, and E and F import from one another; Z and Y, too, and nobody from them.
		accounts := []*authtest.Account{account("I", "E"), account("E", "F"), account("F", "E"), account("Z", "Y"), account("Y", "Z")}
		s := newSource(accounts...)
		d := &district{t: t, op: op, source: s, i: accounts[0]}
		d.a = authtest.Authorizer(t, op, nil, s.use, func(c *auth.Config) { c.Clock, c.Bounds.Idle = nil, time.Minute })
		here := func() []string {
			synctest.Wait()
			var out []string
			for _, account := range accounts {
				if _, ok := d.a.InForce(account.PublicKey()); ok {
					out = append(out, account.PublicKey())
				}
			}
			return out
		}
		_, err := d.a.Account(t.Context(), key("Z"))
		require.NoError(t, err)
		session := d.connect(d.i)
		require.Len(t, here(), 5)
		time.Sleep(10 * time.Minute)
		require.Equal(t, []string{key("I"), key("E"), key("F")}, here(), "a session of I needs them")
		session.Close()
		time.Sleep(10 * time.Minute)
		require.Empty(t, here())
		session = d.connect(d.i)
		require.Len(t, slices.Collect(session.Account().Imports()), 1)
		require.Equal(t, auth.ImportInForce, d.state(), "and they come back")
	})
}

// TestExportersThatNobodyConfirms go out of force, and are looked for until upstream has
// them (B9).
func TestExportersThatNobodyConfirms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var down atomic.Bool
		d := newDistrict(t, func(c *auth.Config) {
			c.Refresh, c.MaxStale = time.Minute, 5*time.Minute
			upstream := c.Resolver
			c.Resolver = resolver.Func(func(ctx context.Context, key string) (string, error) {
				token, err := upstream.Resolve(ctx, key)
				if parsed, _ := claims.ParseAccount(token); parsed != nil && parsed.Name == "E" && down.Load() {
					return "", errors.New("down")
				}
				return token, err
			})
		})
		s := d.connect(d.i)
		defer s.Close()
		require.Equal(t, auth.ImportInForce, d.state())
		down.Store(true)
		time.Sleep(5 * time.Minute)
		require.Equal(t, auth.ImportInForce, d.state(), "stale, and usable")
		time.Sleep(2 * time.Minute)
		require.Equal(t, auth.ImportPending, d.state())
		_, ok := d.a.InForce(d.e.PublicKey())
		require.False(t, ok)
		down.Store(false)
		time.Sleep(2 * time.Minute)
		require.Equal(t, auth.ImportInForce, d.state())
		require.NoError(t, s.Err())
	})
}

// TestImportsFromNoAccount: a name that is no account is not looked up.
func TestImportsFromNoAccount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		op := authtest.NewOperator(t, authtest.IssuedAt(time.Now()))
		s := newSource()
		i := op.Account("I", authtest.IssuedAt(time.Now()), authtest.Edit(func(c *jwt.AccountClaims) {
			c.Imports.Add(&jwt.Import{Account: "nobody", Subject: "a", Type: jwt.Stream})
		}))
		a := authtest.Authorizer(t, op, nil, s.use, func(c *auth.Config) { c.Clock = nil })
		_, err := a.Apply(t.Context(), i.Token(), resolver.Push)
		require.NoError(t, err)
		synctest.Wait()
		require.Empty(t, s.times("nobody"))
		view, _ := a.InForce(i.PublicKey())
		for m := range view.Imports() {
			require.Equal(t, auth.ImportDead, m.State)
			require.ErrorContains(t, m.Err, `"nobody" is no account`)
		}
	})
}
