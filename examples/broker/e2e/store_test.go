package e2e_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth/authtest"
)

// tokens is an account server: GET of a key gives the account's token.
type tokens struct {
	mu   sync.Mutex
	held map[string]string // guarded by mu
}

func (h *tokens) put(accounts ...*authtest.Account) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.held == nil {
		h.held = make(map[string]string)
	}
	for _, a := range accounts {
		h.held[a.PublicKey()] = a.Token()
	}
}

func (h *tokens) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if strings.HasSuffix(r.URL.Path, "/") {
		return // the probe
	}
	token, ok := h.held[path.Base(r.URL.Path)]
	if !ok {
		http.Error(w, "no matching account JWT", http.StatusNotFound)
		return
	}
	fmt.Fprint(w, token)
}

// TestAccountServer: account tokens come over HTTP when they are needed (F107).
func TestAccountServer(t *testing.T) {
	w := newWorld(t)
	held := new(tokens)
	held.put(w.sys, w.app)
	server := httptest.NewServer(held)
	defer server.Close()
	s := serve(t, fmt.Sprintf("operator: %s\nsystem_account: %s\nresolver: URL(%s/jwt/v1/accounts)\n", w.operator.Token(), w.sys.PublicKey(), server.URL))
	enter(t, s, of(w.app.User("u"))).sync()
	stranger := dial(t, s)
	stranger.connect(of(w.shop.User("u")))
	stranger.wantRefused("Authorization Violation")
}

// TestAccountServerIsDown: the broker runs, and admits who it can when the server is there.
func TestAccountServerIsDown(t *testing.T) {
	ours(t, "a start without the account server")
	w := newWorld(t)
	held := new(tokens)
	held.put(w.sys, w.app)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := l.Addr().String()
	require.NoError(t, l.Close())
	s := serve(t, fmt.Sprintf("operator: %s\nsystem_account: %s\nresolver: URL(http://%s/)\n", w.operator.Token(), w.sys.PublicKey(), address))
	c := dial(t, s)
	c.connect(of(w.app.User("u")))
	c.wantRefused("Authorization Violation")
	l, err = net.Listen("tcp", address)
	require.NoError(t, err)
	server := &httptest.Server{Listener: l, Config: &http.Server{Handler: held}}
	server.Start()
	defer server.Close()
	enter(t, s, of(w.app.User("u"))).sync()
	server.CloseClientConnections()
	server.Close()
	enter(t, s, of(w.app.User("u"))).sync()
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
