package e2e_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth/authtest"
	"github.com/natsauth/natsauth/examples/broker/internal/tlstest"
	"github.com/natsauth/natsauth/resolver"
	"github.com/natsauth/natsauth/resolver/accountsrv"
)

// accountServer serves the accounts' tokens over HTTP, below accountsPath.
func accountServer(t *testing.T, accounts ...*authtest.Account) http.Handler {
	t.Helper()
	held := new(resolver.Memory)
	for _, a := range accounts {
		_, err := held.Save(t.Context(), a.Token(), resolver.Push)
		require.NoError(t, err)
	}
	h, err := accountsrv.New(accountsrv.Config{Accounts: held})
	require.NoError(t, err)
	return h
}

const accountsPath = "/jwt/v1/accounts"

// TestAccountServer: account tokens come over HTTP when they are needed (F107).
func TestAccountServer(t *testing.T) {
	w := newWorld(t)
	server := httptest.NewServer(accountServer(t, w.sys, w.app))
	defer server.Close()
	s := serve(t, fmt.Sprintf("operator: %s\nsystem_account: %s\nresolver: URL(%s)\n", w.operator.Token(), w.sys.PublicKey(), server.URL+accountsPath))
	enter(t, s, of(w.app.User("u"))).sync()
	stranger := dial(t, s)
	stranger.connect(of(w.shop.User("u")))
	stranger.wantRefused("Authorization Violation")
}

// TestF007OperatorsServer: without a resolver in the file, the one that the operator's token names.
func TestF007OperatorsServer(t *testing.T) {
	w := newWorld(t)
	server := httptest.NewServer(accountServer(t, w.sys, w.app))
	defer server.Close()
	operator := authtest.NewOperator(t, authtest.Edit(func(c *jwt.OperatorClaims) {
		c.AccountServerURL, c.SystemAccount = server.URL+strings.TrimSuffix(accountsPath, "/accounts"), w.sys.PublicKey()
	}))
	require.Equal(t, w.operator.PublicKey(), operator.PublicKey())
	s := serve(t, fmt.Sprintf("operator: %s\n", operator.Token()))
	enter(t, s, of(w.app.User("u"))).sync()
	stranger := dial(t, s)
	stranger.connect(of(w.shop.User("u")))
	stranger.wantRefused("Authorization Violation")
}

// TestAccountServerIsDown: the broker runs, and admits who it can when the server is there.
func TestAccountServerIsDown(t *testing.T) {
	ours(t, "a start without the account server")
	w := newWorld(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := l.Addr().String()
	require.NoError(t, l.Close())
	s := serve(t, fmt.Sprintf("operator: %s\nsystem_account: %s\nresolver: URL(http://%s)\n", w.operator.Token(), w.sys.PublicKey(), address+accountsPath))
	c := dial(t, s)
	c.connect(of(w.app.User("u")))
	c.wantRefused("Authorization Violation")
	l, err = net.Listen("tcp", address)
	require.NoError(t, err)
	server := &httptest.Server{Listener: l, Config: &http.Server{Handler: accountServer(t, w.sys, w.app)}}
	server.Start()
	defer server.Close()
	enter(t, s, of(w.app.User("u"))).sync()
	server.CloseClientConnections()
	server.Close()
	enter(t, s, of(w.app.User("u"))).sync()
}

// TestF107ResolverTLS: an account server is known by its CA, and knows the broker by its certificate.
func TestF107ResolverTLS(t *testing.T) {
	ca, stranger := tlstest.New(t, "ca"), tlstest.New(t, "stranger")
	cert, key := ca.Issue("broker")
	strange, strangeKey := stranger.Issue("broker")
	pair := func(cert, key string) string { return "cert_file: '" + cert + "', key_file: '" + key + "'\n" }
	trust := func(ca *tlstest.CA) string { return "ca_file: '" + ca.File + "'\n" }
	for _, tt := range []struct {
		name, block string
		newest      uint16 // version that the server speaks
		admitted    bool
	}{
		{"each knows the other", trust(ca) + pair(cert, key), tls.VersionTLS13, true},
		{"nothing is known of the server", pair(cert, key), tls.VersionTLS13, false},
		{"another CA", trust(stranger) + pair(cert, key), tls.VersionTLS13, false},
		{"whatever the server is", "insecure: true\n" + pair(cert, key), tls.VersionTLS13, true},
		{"no certificate", trust(ca), tls.VersionTLS13, false},
		{"a certificate of another CA", trust(ca) + pair(strange, strangeKey), tls.VersionTLS13, false},
		{"an old version", trust(ca) + pair(cert, key), tls.VersionTLS12, true},
		{"too old a version", trust(ca) + pair(cert, key) + "min_version: \"1.3\"\n", tls.VersionTLS12, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if !tt.admitted {
				ours(t, "a start without the account server")
			}
			w := newWorld(t)
			server := httptest.NewUnstartedServer(accountServer(t, w.sys, w.app))
			server.Config.ErrorLog = log.New(io.Discard, "", 0)
			server.TLS = ca.Server()
			server.TLS.MaxVersion = tt.newest
			server.StartTLS()
			t.Cleanup(server.Close)
			s := serve(t, fmt.Sprintf("operator: %s\nsystem_account: %s\nresolver: URL(%s)\nresolver_tls {\n%s}\n",
				w.operator.Token(), w.sys.PublicKey(), server.URL+accountsPath, tt.block))
			if tt.admitted {
				enter(t, s, of(w.app.User("u"))).sync()
			} else {
				c := dial(t, s)
				c.connect(of(w.app.User("u")))
				c.wantRefused("Authorization Violation")
			}
			if !reference() {
				require.Equal(t, strings.Contains(tt.block, "insecure"), strings.Contains(s.log.String(), "insecure"))
			}
		})
	}
}

// TestDirectoryKeepsWhatItHas: what the file preloads is in the directory, unless that has a
// later token, and what is damaged there is set aside.
func TestDirectoryKeepsWhatItHas(t *testing.T) {
	ours(t, "its directory")
	w := newWorld(t)
	dir := t.TempDir()
	file := func(a *authtest.Account) string { return filepath.Join(dir, "jwt", a.PublicKey()+".jwt") }
	require.NoError(t, os.Mkdir(filepath.Join(dir, "jwt"), 0o700))
	later := w.app.Renew(authtest.Revoke("gone", authtest.Now()))
	require.NoError(t, os.WriteFile(file(w.app), []byte(later.Token()), 0o600))
	require.NoError(t, os.WriteFile(file(w.shop), []byte("no token"), 0o600))
	s := serveIn(t, dir, fmt.Sprintf("operator: %s\nsystem_account: %s\nresolver { type: full, dir: jwt }\nresolver_preload {\n%s: %s\n%s: %s\n}\n",
		w.operator.Token(), w.sys.PublicKey(), w.sys.PublicKey(), w.sys.Token(), w.app.PublicKey(), w.app.Token()))
	enter(t, s, of(w.app.User("u"))).sync()
	gone := dial(t, s)
	gone.connect(of(w.app.User("gone")))
	gone.wantRefused("Authorization Violation")
	shop := dial(t, s)
	shop.connect(of(w.shop.User("u")))
	shop.wantRefused("Authorization Violation")
	require.Contains(t, s.log.String(), w.shop.PublicKey()+".jwt")
	data, err := os.ReadFile(file(w.sys))
	require.NoError(t, err)
	require.Equal(t, w.sys.Token(), string(data))
}

// TestCacheEvicts: a cache keeps the accounts that were used last, goes on with the sessions of the others, and finds these where
// they came from.
func TestCacheEvicts(t *testing.T) {
	ours(t, "a peer that is a client")
	w := newWorld(t)
	dir := t.TempDir()
	s := serveIn(t, dir, fmt.Sprintf("operator: %s\nsystem_account: %s\nresolver { type: cache, dir: jwt, limit: 2 }\nresolver_preload { %s: %s }\n",
		w.operator.Token(), w.sys.PublicKey(), w.sys.PublicKey(), w.sys.Token()))
	held := func(accounts ...*authtest.Account) {
		t.Helper()
		var want []string
		for _, a := range accounts {
			want = append(want, a.PublicKey()+".jwt")
		}
		var have []string
		files, err := filepath.Glob(filepath.Join(dir, "jwt", "*.jwt"))
		require.NoError(t, err)
		for _, f := range files {
			have = append(have, filepath.Base(f))
		}
		require.ElementsMatch(t, want, have)
	}
	peer := dialNATS(t, s, of(w.sys.User("peer")))
	third := w.operator.Account("THIRD")
	asked := make(chan string, 100)
	sub, err := peer.Subscribe("$SYS.REQ.ACCOUNT.*.CLAIMS.LOOKUP", func(m *nats.Msg) {
		for _, a := range []*authtest.Account{w.app, w.shop, third} {
			if strings.Contains(m.Subject, a.PublicKey()) {
				asked <- a.PublicKey()
				if err := m.Respond([]byte(a.Token())); err != nil {
					t.Error(err)
				}
			}
		}
	})
	require.NoError(t, err)
	require.NoError(t, peer.Flush())

	held(w.sys)
	app := enter(t, s, of(w.app.User("u")))
	held(w.sys, w.app)
	shop := enter(t, s, of(w.shop.User("u")))
	held(w.app, w.shop)
	enter(t, s, of(third.User("u"))).sync()
	held(w.shop, third)
	app.sync()
	shop.sync()
	dialNATS(t, s, of(w.sys.User("admin"))).Close()
	require.Len(t, asked, 3)

	peer.Close()
	s.restart()
	peer = dialNATS(t, s, of(w.sys.User("peer"))) // the file has its account still
	held(w.sys, third)
	require.Error(t, refuseNATS(t, s, of(w.app.User("u"))), "nobody is there to ask")
	_, err = peer.Subscribe(sub.Subject, func(m *nats.Msg) { m.Respond([]byte(w.app.Token())) })
	require.NoError(t, err)
	require.NoError(t, peer.Flush())
	enter(t, s, of(w.app.User("u"))).sync()
	held(w.sys, w.app)
}

// TestB7WhoIsAPeer: who listens to all that happens in the system account leaves "not found" an answer; who listens to look-ups
// and does not answer is an outage.
func TestB7WhoIsAPeer(t *testing.T) {
	ours(t, "its log")
	for _, tt := range []struct{ subject, want string }{
		{"$SYS.>", "account_not_found"}, {">", "account_not_found"}, {"$SYS.REQ.ACCOUNT.*.CLAIMS.LOOKUP", "account_unavailable"},
	} {
		t.Run(tt.subject, func(t *testing.T) {
			w := newWorld(t)
			dir := t.TempDir()
			s := serveIn(t, dir, fmt.Sprintf("operator: %s\nsystem_account: %s\nresolver { type: full, dir: jwt, timeout: 50ms }\nresolver_preload { %s: %s }\n",
				w.operator.Token(), w.sys.PublicKey(), w.sys.PublicKey(), w.sys.Token()))
			watching := dialNATS(t, s, of(w.sys.User("watching")))
			_, err := watching.SubscribeSync(tt.subject)
			require.NoError(t, err)
			require.NoError(t, watching.Flush())
			require.Error(t, refuseNATS(t, s, of(w.app.User("u"))))
			waitFor(t, "the refusal in the log", func() bool { return strings.Contains(s.log.String(), "connection refused") })
			require.Contains(t, s.log.String(), "error.reason="+tt.want)
		})
	}
}
