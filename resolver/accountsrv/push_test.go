package accountsrv_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/auth/authtest"
	"github.com/natsauth/natsauth/claims"
	"github.com/natsauth/natsauth/resolver"
	"github.com/natsauth/natsauth/resolver/accountsrv"
	"github.com/natsauth/natsauth/resolver/resolvertest"
)

// TestB5PushEndsSessions: a revocation that is pushed has closed the user's session when it is acknowledged.
func TestB5PushEndsSessions(t *testing.T) {
	s := play(t).serve()
	a := s.operator.Account("A")
	u, stays := a.User("u"), a.User("v")
	got := s.push(a)
	require.Equal(t, 200, got.status)
	require.Contains(t, got.body, "account "+a.PublicKey()+" is saved, by the token "+strings.Trim(tag(t, a.Token()), `"`))
	connect := func(u *authtest.User) *auth.Session {
		session, err := s.authorizer.Connect(t.Context(), u.Credentials("a nonce of the broker"))
		require.NoError(t, err)
		return session
	}
	session, other := connect(u), connect(stays)
	defer other.Close()
	revoked := a.Renew(authtest.Revoke("u", authtest.Now()))
	got = s.push(revoked)
	require.Equal(t, 200, got.status)
	require.Contains(t, got.body, "is in force")
	require.Contains(t, got.body, "1 sessions were closed, 0 have changed")
	var why *auth.Error
	require.ErrorAs(t, session.Err(), &why)
	require.Equal(t, auth.UserRevoked, why.Reason)
	require.NoError(t, other.Err())
	require.Equal(t, revoked.Token(), s.get(accounts+a.PublicKey()).body)

	again := s.push(revoked)
	require.Equal(t, 200, again.status)
	require.Contains(t, again.body, "nothing has changed")
	require.NotContains(t, again.body, "sessions")
}

// TestB5Refused: each refusal has its status and says why; nothing of it reaches the store.
func TestB5Refused(t *testing.T) {
	now := authtest.Now()
	signing := authtest.NewOperator(t, authtest.SigningKeys("sk"), authtest.Strict())
	o := authtest.NewOperator(t)
	held := o.Account("A", authtest.IssuedAt(now.Add(-time.Minute)))
	key := held.PublicKey()
	edit := func(opts ...authtest.Option) string { return held.Renew(opts...).Token() }
	stranger := authtest.NewOperator(t, authtest.From("stranger"))
	by := func(o *authtest.Operator) string { return edit(authtest.SignedByKey(o.Key())) }
	good := edit()
	const noToken = "not an account token: "
	for _, row := range []struct {
		name, body string
		want       int
		says       string
	}{
		{"good", good, 200, "is saved"},
		{"good, in another spelling", resolvertest.Respelt(good), 200, "is saved"},
		{"good, with white space", "\r\n\t " + good + "\n", 200, "is saved"},
		{"held already", held.Token(), 200, "is saved"},
		{"of the same second", edit(authtest.IssuedAt(now.Add(-time.Minute)), authtest.Name("x")), 200, "is saved"},
		{"a second older", edit(authtest.IssuedAt(now.Add(-61 * time.Second))), 409,
			"the account token is older than one that was seen before"},
		{"nothing", "", 400, noToken + "token is malformed"},
		{"white space", " \n", 400, noToken + "token is malformed"},
		{"a page", "<html>s3cret</html>", 400, noToken + "token is malformed"},
		{"half of it", good[:len(good)/2], 400, noToken + "token is malformed"},
		{"two of them", good + "\n" + good, 400, noToken + "token is malformed"},
		{"zipped", "\x1f\x8b\x08\x00", 400, noToken + "token is malformed"},
		{"decorated", "-----X-----\n" + good + "\n-----X-----\n", 400, noToken + "token is malformed"},
		{"with another signature", good[:len(good)-9] + "AAAAAAAAA", 400, noToken + "token has a wrong signature"},
		{"a user's", held.User("u").Token(), 400, noToken + "token is of another kind"},
		{"an operator's", o.Token(), 400, noToken + "token is of another kind"},
		{"another account's", o.Account("B").Token(), 400,
			"the token is of " + o.Account("B").PublicKey() + ", which is not the account in the path"},
		{"issued by a user", edit(authtest.SignedByKey(held.User("u").Key())), 400,
			noToken + "token has a wrong kind of issuer"},
		{"about a user", edit(authtest.Raw(func(c map[string]any) { c["sub"] = held.User("u").PublicKey() })), 400,
			noToken + "token has invalid content"},
		{"a content that breaks a rule", edit(authtest.Edit(func(c *jwt.AccountClaims) { c.SigningKeys.Add("x") })), 400,
			noToken + "token has invalid content"},
		{"signed by itself", edit(authtest.SignedByKey(held.Key())), 400, "no trusted operator signed the account"},
		{"signed by a stranger", by(stranger), 400, "no trusted operator signed the account"},
		{"not yet", edit(authtest.NotBefore(now.Add(time.Second))), 400, "the account token is not valid yet"},
		{"just in time", edit(authtest.NotBefore(now)), 200, "is saved"},
		{"over in a second", edit(authtest.Expires(now.Add(time.Second))), 200, "is saved"},
		{"over now", edit(authtest.Expires(now)), 400, "the account token has expired"},
		{"from the future, as clocks go", edit(authtest.IssuedAt(now.Add(5 * time.Minute))), 200, "is saved"},
		{"from the future", edit(authtest.IssuedAt(now.Add(5*time.Minute + time.Second))), 400,
			"the account token was issued in the future"},
	} {
		t.Run(row.name, func(t *testing.T) {
			b, logged := new(bus), new(bytes.Buffer)
			s := play(t, func(c *accountsrv.Config) {
				c.Bus, c.Logger = b, slog.New(slog.NewTextHandler(logged, nil))
			}).holding(held).serve()
			got := s.ask(http.MethodPost, accounts+key, row.body, "Content-Type", "text/plain", "If-None-Match", "*")
			require.Equal(t, row.want, got.status, got.body)
			require.Contains(t, got.body, row.says)
			require.Equal(t, "text/plain; charset=utf-8", got.header.Get("Content-Type"))
			require.Equal(t, "no-store", got.header.Get("Cache-Control"))
			require.Less(t, len(got.body), 1<<10)
			for _, chunk := range strings.Split(row.body, ".") {
				require.True(t, len(chunk) < 20 || !strings.Contains(got.body+logged.String(), chunk), "a token is shown")
			}
			if row.want == 200 {
				token := strings.TrimSpace(row.body)
				resolvertest.Holds(t, s.store, token)
				require.Equal(t, []resolver.Msg{update(t, key, token)}, b.sent)
				return
			}
			resolvertest.Holds(t, s.store, held.Token())
			require.Empty(t, b.sent)
		})
	}
	t.Run("strict", func(t *testing.T) {
		s := play(t)
		s.authorizer = authtest.Authorizer(t, signing, nil, func(c *auth.Config) { c.Store = s.store })
		s.handler = server(t, accountsrv.Config{Accounts: s.store, Authorizer: s.authorizer})
		require.Equal(t, 400, s.push(signing.Account("A")).status)
		require.Equal(t, 200, s.push(signing.Account("A", authtest.SignedBy("sk"))).status)
	})
	t.Run("deleted", func(t *testing.T) {
		s := play(t).holding(held)
		_, err := s.authorizer.Remove(t.Context(), key)
		require.NoError(t, err)
		got := s.ask(http.MethodPost, accounts+key, edit(authtest.IssuedAt(now.Add(-61*time.Second))))
		require.Equal(t, 409, got.status)
		require.Equal(t, 404, s.get(accounts+key).status)
	})
}

func TestPathOfAPush(t *testing.T) {
	s := play(t)
	a := s.operator.Account("A")
	for path, want := range map[string]int{
		accounts + a.PublicKey(): 200, accounts + "x": 400, accounts + a.PublicKey() + "/": 400, accounts + "..": 400,
		accounts + s.operator.Account("B").PublicKey(): 400, accounts: 405, "/jwt/v2/accounts/" + a.PublicKey(): 200,
	} {
		require.Equal(t, want, s.ask(http.MethodPost, path, a.Token()).status, path)
	}
	resolvertest.Holds(t, s.store, a.Token())
}

// TestB18Body: a body is read as far as it may be large, whether it says how large it is or not.
func TestB18Body(t *testing.T) {
	a := authtest.NewOperator(t).Account("A")
	most := len(a.Token())
	for _, row := range []struct {
		name  string
		space int
		want  int
	}{{"a byte less", 9, 200}, {"at the bound", 10, 200}, {"a byte more", 11, 413}, {"without end", 1 << 20, 413}} {
		for _, chunked := range []bool{false, true} {
			t.Run(fmt.Sprint(row.name, chunked), func(t *testing.T) {
				s := play(t, func(c *accountsrv.Config) { c.MaxBody = most + 10 }).serve()
				var body io.Reader = strings.NewReader(a.Token() + strings.Repeat(" ", row.space))
				if chunked {
					body = io.MultiReader(body)
				}
				r, err := http.NewRequest(http.MethodPost, "http://x"+accounts+a.PublicKey(), body)
				require.NoError(t, err)
				got := send(t, s.url, r)
				require.Equal(t, row.want, got.status)
				require.Equal(t, row.want == 413, got.body == "the token is larger than is taken here\n")
			})
		}
	}
}

// TestB18BodyIsNotRead: one that says that it is too large.
func TestB18BodyIsNotRead(t *testing.T) {
	s := play(t, func(c *accountsrv.Config) { c.MaxBody = 10 })
	r, err := http.NewRequest(http.MethodPost, "http://x"+accounts+"x", &untouched{t})
	require.NoError(t, err)
	r.ContentLength = 11
	require.Equal(t, 413, record(s.handler, r).status)
}

// TestB8Outage: what is ours to mend, or the store's, is not told.
func TestB8Outage(t *testing.T) {
	for _, row := range []struct {
		name string
		err  error
		want int
	}{
		{"the store", &auth.Error{Reason: auth.AccountUnavailable, Err: errSecret}, 503},
		{"too many", &auth.Error{Reason: auth.AccountBusy}, 503},
		{"closed", &auth.Error{Reason: auth.AuthorizerClosed}, 503},
		{"wrapped", fmt.Errorf("x: %w", &auth.Error{Reason: auth.AccountUnavailable}), 503},
		{"rollback", &auth.Error{Reason: auth.AccountRollback, Err: errSecret}, 409},
		{"no auth.Error", errSecret, 500},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := play(t, func(c *accountsrv.Config) {
				c.Authorizer = applies(func(context.Context, string) (auth.Report, error) { return auth.Report{}, row.err })
			})
			got := s.push(s.operator.Account("A"))
			require.Equal(t, row.want, got.status)
			require.NotContains(t, got.body, "s3cret")
			require.Equal(t, row.want == 503, got.header.Get("Retry-After") == "1")
		})
	}
	o := authtest.NewOperator(t)
	store := &broken{Store: new(resolver.Memory), err: errSecret}
	a := authtest.Authorizer(t, o, nil, func(c *auth.Config) { c.Store = store })
	s := play(t, func(c *accountsrv.Config) { c.Accounts, c.Authorizer = store, a })
	require.Equal(t, 503, s.push(o.Account("A")).status)
	store.err = nil
	require.Equal(t, 200, s.push(o.Account("A")).status)
}

func TestAuthorize(t *testing.T) {
	logged := new(bytes.Buffer)
	s := play(t, func(c *accountsrv.Config) {
		c.Logger = slog.New(slog.NewTextHandler(logged, nil))
		c.Authorize = func(r *http.Request) error {
			if r.Header.Get("Authorization") != "Bearer of-the-operator" {
				return errors.New("nobody that we know")
			}
			return nil
		}
	})
	a := s.operator.Account("A")
	unread := &untouched{t}
	r, err := http.NewRequest(http.MethodPost, "http://x"+accounts+a.PublicKey(), unread)
	require.NoError(t, err)
	got := record(s.handler, r)
	require.Equal(t, answer{403, got.header, "you may not do this\n"}, got)
	require.Contains(t, logged.String(), "nobody that we know")
	require.Equal(t, 403, s.get("/jwt/v1/pack").status)
	resolvertest.Holds(t, s.store)

	with := []string{"Authorization", "Bearer of-the-operator"}
	require.Equal(t, 200, s.ask(http.MethodPost, accounts+a.PublicKey(), a.Token(), with...).status)
	require.Equal(t, 200, s.get("/jwt/v1/pack", with...).status)
	require.Equal(t, 200, s.get(accounts+a.PublicKey()).status)
}

// untouched is a body that nobody may read.
type untouched struct{ t *testing.T }

func (u *untouched) Read([]byte) (int, error) {
	u.t.Error("the body was read")
	return 0, io.EOF
}

// TestAudit: who pushed is on record.
func TestAudit(t *testing.T) {
	o := authtest.NewOperator(t)
	var by string
	store := new(resolver.Memory)
	a := authtest.Authorizer(t, o, nil, func(c *auth.Config) {
		c.Store, c.Audit = store, func(r auth.AuditRecord) { by = r.By }
	})
	s := play(t, func(c *accountsrv.Config) { c.Accounts, c.Authorizer = store, a }).serve()
	require.Equal(t, 200, s.push(o.Account("A")).status)
	require.True(t, strings.HasPrefix(by, "127.0.0.1:"), by)
}

// TestUnpublished: a push that nobody could be told of is in force, and is to be repeated until they are.
func TestUnpublished(t *testing.T) {
	b := &bus{err: errSecret}
	s := play(t, func(c *accountsrv.Config) { c.Bus = b })
	a := s.operator.Account("A")
	got := s.push(a)
	require.Equal(t, answer{503, got.header, "the token was taken, but could not be published: push it again\n"}, got)
	resolvertest.Holds(t, s.store, a.Token())
	b.err = nil
	require.Equal(t, 200, s.push(a).status)
	require.Len(t, b.sent, 1)
}

// TestB5Told: the acknowledgement says which imports are not in force, and why; not all of them.
func TestB5Told(t *testing.T) {
	exporter := authtest.NewOperator(t).Account("E").PublicKey()
	for n, more := range map[int]int{1: 0, 10: 0, 11: 1, 300: 290} {
		s := play(t)
		a := s.operator.Account("A")
		s.push(a)
		session, err := s.authorizer.Connect(t.Context(), a.User("u").Credentials("a nonce of the broker"))
		require.NoError(t, err)
		defer session.Close()
		var imports []authtest.Option
		for i := range n {
			subject := fmt.Sprintf("x.%d.%s", i, strings.Repeat("y", 1000))
			imports = append(imports, authtest.StreamImport(exporter, subject, ""))
		}
		got := s.push(a.Renew(imports...))
		require.Equal(t, 200, got.status)
		why := "\" from " + exporter + " is pending: auth: the exporter is not in force here\n"
		require.Equal(t, min(n, 10), strings.Count(got.body, why), got.body)
		require.Equal(t, more > 0, strings.Contains(got.body, fmt.Sprintf("\n%d more imports are not in force\n", more)))
		require.Less(t, len(got.body), 8<<10)
	}
}

// TestB18SlowBody: somebody who sends no body keeps a turn for so long, and no longer.
func TestB18SlowBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t, func(c *accountsrv.Config) { c.MaxPushes, c.Timeout = 1, time.Minute })
		a := s.operator.Account("A")
		conn := dial(t, s.handler)
		begun := time.Now()
		fmt.Fprintf(conn, "POST %s%s HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\neyJ", accounts, a.PublicKey())
		time.Sleep(time.Second) // in the bubble
		waits := make(chan answer)
		go func() { waits <- s.push(a) }()
		got := read(t, conn)
		require.Equal(t, answer{400, got.header, "the token did not arrive whole, or not in time\n"}, got)
		require.Equal(t, time.Minute, time.Since(begun))
		require.Equal(t, 200, (<-waits).status)
		require.Equal(t, time.Minute, time.Since(begun))
	})
}

// TestB18Turns: who finds no turn waits for one, as long as is allowed.
func TestB18Turns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := time.Second
		s := play(t, func(c *accountsrv.Config) {
			c.MaxPushes, c.Timeout = 2, 10*time.Second
			c.Authorizer = applies(func(ctx context.Context, _ string) (auth.Report, error) {
				select {
				case <-time.After(slow):
					return auth.Report{}, nil
				case <-ctx.Done():
					return auth.Report{}, &auth.Error{Reason: auth.AccountUnavailable, Err: ctx.Err()}
				}
			})
		})
		a := s.operator.Account("A")
		all := func(n int) map[int]int {
			statuses, begun := make(map[int]int), time.Now()
			var mu sync.Mutex
			var pushing sync.WaitGroup
			for range n {
				pushing.Go(func() {
					got := s.push(a)
					mu.Lock()
					defer mu.Unlock()
					statuses[got.status]++
					require.LessOrEqual(t, time.Since(begun), 20*time.Second)
				})
			}
			pushing.Wait()
			return statuses
		}
		require.Equal(t, map[int]int{200: 6}, all(6))
		slow = 9 * time.Second
		require.Equal(t, map[int]int{200: 4, 503: 2}, all(6))
		slow = time.Minute
		require.Equal(t, map[int]int{503: 2}, all(2))
	})
}

// TestConcurrently: pushes, reads and packs of the same accounts. Whoever reads finds one token or another, and never goes
// back.
func TestConcurrently(t *testing.T) {
	s := play(t, func(c *accountsrv.Config) { c.Bus = new(bus) }).serve()
	const editions = 12
	lines := make([][]*authtest.Account, 3)
	for i := range lines {
		lines[i] = []*authtest.Account{s.operator.Account(fmt.Sprint("A", i))}
		for range editions {
			lines[i] = append(lines[i], lines[i][len(lines[i])-1].Renew())
		}
		s.holding(lines[i][0])
	}
	var busy sync.WaitGroup
	for _, line := range lines {
		for _, a := range line {
			busy.Go(func() {
				if got := s.push(a); got.status != 200 && got.status != 409 {
					t.Errorf("%d %s", got.status, got.body)
				}
			})
		}
		busy.Go(func() {
			last := int64(0)
			for range 3 * editions {
				a, err := claims.ParseAccount(s.get(accounts + line[0].PublicKey()).body)
				if err != nil || a.IssuedAt < last {
					t.Errorf("%v, or older than before", err)
					return
				}
				last = a.IssuedAt
			}
		})
	}
	busy.Go(func() {
		for range editions {
			if n := strings.Count(s.get("/jwt/v1/pack").body, "\n"); n != len(lines) {
				t.Errorf("%d lines in a pack", n)
			}
		}
	})
	busy.Wait()
	for _, line := range lines {
		require.Equal(t, line[editions].Token(), s.get(accounts+line[0].PublicKey()).body)
	}
}
