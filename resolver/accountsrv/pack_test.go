package accountsrv_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth/authtest"
	"github.com/natsauth/natsauth/resolver"
	"github.com/natsauth/natsauth/resolver/accountsrv"
)

// lines makes n accounts, and the lines that a pack has of them.
func lines(t testing.TB, s *stage, n int) []string {
	t.Helper()
	var all []string
	for i := range n {
		a := s.operator.Account(fmt.Sprint("A", i))
		s.holding(a)
		all = append(all, a.PublicKey()+"|"+a.Token()+"\n")
	}
	slices.Sort(all)
	return all
}

func TestF132Pack(t *testing.T) {
	for _, row := range []struct {
		held  int
		query string
		want  int // -1: 400
	}{
		{0, "", 0}, {1, "", 1}, {2, "", 2}, {3, "", 3}, {4, "", -1}, // MaxPack is 3
		{3, "?max=0", 0}, {3, "?max=1", 1}, {3, "?max=2", 2}, {3, "?max=3", 3}, {3, "?max=4", -1}, {4, "?max=3", 3}, {1, "?max=3", 1},
		{0, "?max=4", -1}, {3, "?max=-1", 3}, {4, "?max=-1", -1}, {3, "?max=", 3}, {4, "?max=", -1}, {3, "?max=x", -1}, {3, "?max=2&max=9", 2}, {3, "?max=0x2", -1},
		{3, "?max=99999999999999999999", -1}, {3, "?max=%zz", -1}, {3, "?other=1", 3},
	} {
		t.Run(fmt.Sprint(row.held, row.query), func(t *testing.T) {
			s := play(t, func(c *accountsrv.Config) { c.MaxPack = 3 })
			all := lines(t, s, row.held)
			got := s.serve().get("/jwt/v1/pack" + row.query)
			require.Equal(t, "text/plain; charset=utf-8", got.header.Get("Content-Type"))
			require.Equal(t, "no-store", got.header.Get("Cache-Control"))
			if row.want < 0 {
				require.Equal(t, 400, got.status)
				require.NotContains(t, got.body, "|")
				return
			}
			require.Equal(t, 200, got.status)
			require.Equal(t, strings.Join(all[:row.want], ""), got.body)
		})
	}
}

// TestF132PackOfEndedTokens: what has ended is not in a pack.
func TestF132PackOfEndedTokens(t *testing.T) {
	for name, row := range map[string]struct {
		end  time.Duration // from now
		want bool
	}{"a second before": {time.Second, true}, "at the end": {0, false}, "a second after": {-time.Second, false}} {
		t.Run(name, func(t *testing.T) {
			s := play(t)
			a := s.operator.Account("A", authtest.Expires(authtest.Now().Add(row.end)))
			b := s.operator.Account("B")
			body := s.holding(a, b).get("/jwt/v1/pack").body
			require.Equal(t, row.want, strings.Contains(body, a.PublicKey()+"|"+a.Token()+"\n"))
			require.Equal(t, row.want, strings.Contains(body, a.PublicKey()))
			require.Contains(t, body, b.PublicKey()+"|"+b.Token()+"\n")
		})
	}
}

func TestB18Pack(t *testing.T) {
	s := play(t)
	all := lines(t, s, 3)
	size := len(strings.Join(all, ""))
	for room, fits := range map[int]bool{size: true, size + 1: true, size - 1: false} {
		h := server(t, accountsrv.Config{Accounts: s.store, MaxPackBytes: room})
		body, err := pack(t, serve(t, h))
		require.Equal(t, fits, err == nil, "%d of %d: %v", room, size, err)
		require.Equal(t, fits, body == strings.Join(all, ""))
	}
}

// pack asks for one, and gives an error if it did not arrive whole.
func pack(t testing.TB, base string) (string, error) {
	t.Helper()
	resp, err := http.Get(base + "/jwt/v1/pack")
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != 200 {
		err = fmt.Errorf("status %d", resp.StatusCode)
	}
	return string(body), err
}

// failing is a store that lists what it is told to, and of the n-th account knows nothing.
type failing struct {
	resolver.Store
	nth  int
	err  error
	list error
	seen int
}

func (f *failing) Resolve(ctx context.Context, key string) (string, error) {
	if f.seen++; f.seen == f.nth {
		return "", f.err
	}
	return f.Store.Resolve(ctx, key)
}

func (f *failing) Accounts(ctx context.Context) iter.Seq2[string, error] {
	if f.list != nil {
		return func(yield func(string, error) bool) { yield("", f.list) }
	}
	return f.Store.Accounts(ctx)
}

// TestB7Pack: a pack that is not whole never looks as if it were.
func TestB7Pack(t *testing.T) {
	s := play(t)
	all := lines(t, s, 30) // more than fits into the buffers between
	for _, row := range []struct {
		name  string
		store *failing
		want  string // why not
	}{
		{"whole", &failing{}, ""},
		{"not listed", &failing{list: errSecret}, "status 503"},
		{"the first is not known", &failing{nth: 1, err: resolver.ErrUnavailable}, "status 503"},
		{"the last is not known", &failing{nth: 30, err: resolver.ErrUnavailable}, "unexpected EOF"},
		{"the last is damaged", &failing{nth: 30}, "unexpected EOF"},
		{"deleted meanwhile", &failing{nth: 30, err: resolver.ErrNotFound}, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			row.store.Store = s.store
			logged := new(bytes.Buffer)
			body, err := pack(t, serve(t, server(t, accountsrv.Config{
				Accounts: row.store, Logger: slog.New(slog.NewTextHandler(logged, nil)),
			})))
			if row.want != "" {
				require.ErrorContains(t, err, row.want)
				require.NotContains(t, body, "s3cret")
				require.Contains(t, logged.String(), "level=WARN")
				return
			}
			require.NoError(t, err)
			require.Equal(t, strings.Join(all[:30-min(row.store.nth, 1)], ""), body)
		})
	}
}

// listing is a store that gives its tokens itself, and waits before one of them.
type listing struct {
	resolver.Store
	tokens []resolver.Held
	wait   time.Duration
	before int
	err    error // at the end
}

func (l *listing) Resolve(context.Context, string) (string, error) {
	return "", resolver.ErrUnavailable
}

func (l *listing) Tokens(ctx context.Context) iter.Seq2[resolver.Held, error] {
	return func(yield func(resolver.Held, error) bool) {
		for i, held := range l.tokens {
			if i == l.before {
				select {
				case <-ctx.Done():
					yield(resolver.Held{}, ctx.Err())
					return
				case <-time.After(l.wait):
				}
			}
			if !yield(held, nil) {
				return
			}
		}
		if l.err != nil {
			yield(resolver.Held{}, l.err)
		}
	}
}

// TestF132PackOfALister: a store that gives its tokens itself is asked for all of them, has Timeout for the next, and is
// believed to have no more than it said.
func TestF132PackOfALister(t *testing.T) {
	for _, row := range []struct {
		name string
		edit func(*listing)
		want int
		why  string
	}{
		{"whole", func(*listing) {}, 3, ""},
		{"slow, and in time", func(l *listing) { l.wait, l.before = time.Minute-1, 1 }, 3, ""},
		{"too slow", func(l *listing) { l.wait, l.before = time.Minute+1, 1 }, 0, "503"},
		{"slow to begin, and in time", func(l *listing) { l.wait = time.Minute - 1 }, 3, ""},
		{"too slow to begin", func(l *listing) { l.wait = time.Minute + 1 }, 0, "503"},
		{"an outage at the end", func(l *listing) { l.err = resolver.ErrUnavailable }, 0, "503"},
		{"one less than there was", func(l *listing) { l.tokens = l.tokens[:2] }, 2, ""},
		{"more than may be", func(l *listing) { l.tokens = append(l.tokens, l.tokens[0]) }, 0, "503"},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := play(t)
				all := lines(t, s, 3)
				l := &listing{Store: s.store}
				for _, line := range all {
					account, token, _ := strings.Cut(strings.TrimSpace(line), "|")
					l.tokens = append(l.tokens, resolver.Held{Account: account, Token: token})
				}
				row.edit(l)
				h := server(t, accountsrv.Config{Accounts: l, Timeout: time.Minute, MaxPack: 3})
				got := record(h, httptest.NewRequestWithContext(t.Context(), "GET", "/jwt/v1/pack", nil))
				if row.why != "" {
					require.Equal(t, 503, got.status)
					return
				}
				require.Equal(t, 200, got.status)
				require.Equal(t, strings.Join(all[:row.want], ""), got.body)
			})
		})
	}
}

// TestPackEndsWithTheClient: who is gone is looked up for no further.
func TestPackEndsWithTheClient(t *testing.T) {
	s := play(t)
	lines(t, s, 3)
	ctx, cancel := context.WithCancel(t.Context())
	asked, logged := 0, new(bytes.Buffer)
	store := &answering{s.store, func(key string) (string, error) {
		asked++
		cancel()
		return s.store.Resolve(context.Background(), key) // as a store that does not look at the context
	}}
	h := server(t, accountsrv.Config{Accounts: store, Logger: slog.New(slog.NewTextHandler(logged, nil))})
	got := record(h, httptest.NewRequestWithContext(ctx, "GET", "/jwt/v1/pack", nil))
	require.Equal(t, 503, got.status)
	require.Equal(t, 1, asked)
	require.Empty(t, logged.String(), "anybody can go away, as often as he likes")
}

// answering is a store whose tokens come from a function.
type answering struct {
	resolver.Store
	resolve func(key string) (string, error)
}

func (a *answering) Resolve(_ context.Context, key string) (string, error) { return a.resolve(key) }

// TestB18SlowPack: somebody who does not read keeps a turn, and a token, for so long and no longer.
func TestB18SlowPack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t, func(c *accountsrv.Config) { c.MaxPacks, c.Timeout = 1, time.Minute })
		all := lines(t, s, 30)
		slow := dial(t, s.handler)
		begun := time.Now()
		fmt.Fprint(slow, "GET /jwt/v1/pack HTTP/1.1\r\nHost: x\r\n\r\n")
		synctest.Wait()
		time.Sleep(59 * time.Second) // in the bubble
		next := dial(t, s.handler)
		fmt.Fprint(next, "GET /jwt/v1/pack HTTP/1.1\r\nHost: x\r\n\r\n")
		got := read(t, next)
		require.Equal(t, time.Minute, time.Since(begun))
		require.Equal(t, answer{200, got.header, strings.Join(all, "")}, got)
	})
}

// TestSlowButReading: a pack may take longer than Timeout, as long as some of it is read in each.
func TestSlowButReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t, func(c *accountsrv.Config) { c.Timeout = time.Minute })
		all := lines(t, s, 30)
		conn := dial(t, s.handler)
		begun := time.Now()
		fmt.Fprint(conn, "GET /jwt/v1/pack HTTP/1.1\r\nHost: x\r\n\r\n")
		got := read(t, sleepy{conn})
		require.Equal(t, answer{200, got.header, strings.Join(all, "")}, got)
		require.Greater(t, time.Since(begun), time.Minute)
	})
}

// TestB18SlowReaders: who reads a little all the time keeps a turn for PackTime and no longer.
func TestB18SlowReaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t, func(c *accountsrv.Config) { c.MaxPacks, c.Timeout, c.PackTime = 1, 2*time.Minute, 3*time.Minute })
		all := lines(t, s, 200)
		conn := dial(t, s.handler)
		begun := time.Now()
		fmt.Fprint(conn, "GET /jwt/v1/pack HTTP/1.1\r\nHost: x\r\n\r\n")
		go io.Copy(io.Discard, sleepy{conn})
		time.Sleep(2 * time.Minute) // in the bubble
		next := dial(t, s.handler)
		fmt.Fprint(next, "GET /jwt/v1/pack HTTP/1.1\r\nHost: x\r\n\r\n")
		got := read(t, next)
		require.Equal(t, 3*time.Minute, time.Since(begun))
		require.Equal(t, answer{200, got.header, strings.Join(all, "")}, got)
		conn.Close()
		time.Sleep(time.Minute) // until it has noticed
	})
}

// sleepy reads little, and not often.
type sleepy struct{ net.Conn }

func (s sleepy) Read(b []byte) (int, error) {
	time.Sleep(10 * time.Second) // in the bubble
	return s.Conn.Read(b[:min(len(b), 2048)])
}

// dial connects to a handler without a network, for a bubble.
func dial(t *testing.T, h http.Handler) net.Conn {
	t.Helper()
	server, client := net.Pipe()
	l := &listener{conns: make(chan net.Conn, 1), done: make(chan struct{})}
	l.conns <- server
	s := &http.Server{Handler: h, ErrorLog: log.New(io.Discard, "", 0)}
	go s.Serve(l)
	t.Cleanup(func() {
		client.Close()
		s.Close()
	})
	return client
}

// read reads an answer.
func read(t *testing.T, conn net.Conn) answer {
	t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return answer{resp.StatusCode, resp.Header, string(body)}
}

type listener struct {
	conns chan net.Conn
	done  chan struct{}
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error   { close(l.done); return nil }
func (l *listener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }
