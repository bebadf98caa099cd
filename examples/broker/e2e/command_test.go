package e2e_test

import (
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth/authtest"
)

// TestConfigErrors: a configuration that the broker cannot follow to the letter
// is refused before it listens, and the error says what it is about.
func TestConfigErrors(t *testing.T) {
	t.Parallel()
	ours(t, "its configuration")
	w := newWorld(t)
	base := w.config()
	rogue := authtest.NewOperator(t, authtest.From("elsewhere")).Account("R")
	tests := []struct {
		name string
		text string
		want []string // in what it says; none: it listens
	}{
		{"all well", base, nil},
		{"an unknown key", base + "jetsream: true\n", []string{"jetsream", "unknown key", "server.conf"}},
		{"an unknown key of a map", base + "resolver { type: full, dir: '.', dri: 'x' }\n", []string{"dri", "unknown key"}},
		{"a key of nats-server that is not supported", base + "jetstream { store_dir: 'x' }\n", []string{"jetstream", "not supported"}},
		{"clusters", base + "cluster { port: 6222 }\n", []string{"cluster", "not supported"}},
		{"leaf nodes", base + "leafnodes { port: 7422 }\n", []string{"leafnodes", "not supported"}},
		{"users beside authorization", base + "users [ { user: a, password: b } ]\n", []string{"users", "unknown key"}},
		{"accounts", base + "accounts { A: {} }\n", []string{"accounts", "not supported"}},
		{"users in authorization", base + "authorization { users: [ { user: a, password: b } ] }\n", []string{"users", "not supported"}},
		{"a user for nobody", base + "no_auth_user: a\n", []string{"no_auth_user", "not supported"}},
		{"TLS", base + "tls { cert_file: x }\n", []string{"tls", "not supported"}},
		{"a number that is none", base + "max_payload: many\n", []string{"max_payload"}},
		{"a time that is none", base + "write_deadline: soon\n", []string{"write_deadline"}},
		{"no text", base + "server_name: { a: 1 }\n", []string{"server_name"}},
		{"a brace too few", base + "authorization { timeout: 1\n", []string{"server.conf"}},
		{"an operator that is none", "operator: /no/such/file\nresolver: MEMORY\n", []string{"operator"}},
		{"an account in the operator's place", "operator: " + w.app.Token() + "\nresolver: MEMORY\n", []string{"operator"}},
		{"no resolver", "operator: " + w.operator.Token() + "\n", []string{"resolver"}},
		{"a preload that is no account", base + "resolver_preload: { " + w.app.PublicKey() + ": " + w.operator.Token() + " }\n", []string{"resolver_preload"}},
		{"a system account that nobody knows", base + "system_account: " + rogue.PublicKey() + "\n", []string{"system"}},
		{"a system account that is no key", base + "system_account: SYS\n", []string{"system"}},
		{"nothing", "", []string{"operator"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "server.conf")
			require.NoError(t, os.WriteFile(file, []byte(tt.text), 0o600))
			p := launch(t, "-config", file, "-addr", "127.0.0.1:0")
			if tt.want == nil {
				p.listening()
				p.terminate(syscall.SIGTERM)
				return
			}
			p.wantFailure(tt.want...)
			require.NotContains(t, p.stderr.String(), "eyJ", "a token")
		})
	}
}

// wantFailure asserts that the program ends by itself, and says why in one line
// that people can read.
func (p *process) wantFailure(texts ...string) {
	p.t.Helper()
	require.Equal(p.t, 1, p.exitCode())
	for _, text := range texts {
		require.Contains(p.t, strings.ToLower(p.stderr.String()), text)
	}
	require.NotContains(p.t, p.stderr.String(), "goroutine ")
	require.NotContains(p.t, p.stdout.String(), "listening")
}

// TestCommandLine: files and addresses that are none.
func TestCommandLine(t *testing.T) {
	ours(t, "its command line")
	good := filepath.Join(t.TempDir(), "good.conf")
	require.NoError(t, os.WriteFile(good, []byte(newWorld(t).config()), 0o600))
	missing := filepath.Join(t.TempDir(), "missing.conf")
	launch(t, "-config", missing, "-addr", "127.0.0.1:0").wantFailure("missing.conf")
	launch(t, "-config", t.TempDir(), "-addr", "127.0.0.1:0").wantFailure()
	launch(t, "-config", good, "-addr", "nowhere").wantFailure("nowhere")
	launch(t, "-config", good, "-no-such-flag").wantFailure("no-such-flag")

	p := launch(t, "-config", good, "-addr", "127.0.0.1:0")
	launch(t, "-config", good, "-addr", p.listening()).wantFailure("address already in use")
	p.terminate(syscall.SIGTERM)
}

// TestDemo: without a configuration the broker makes one, and creds files that
// work with nats.go: two accounts that do not hear each other, and a system
// account. They go when it does.
func TestDemo(t *testing.T) {
	t.Parallel()
	ours(t, "its demo")
	p := launch(t, "-addr", "127.0.0.1:0")
	addr := p.listening()
	var files []string
	for _, m := range regexp.MustCompile(`--creds '?([^\s']+\.creds)`).FindAllStringSubmatch(p.stdout.String(), -1) {
		files = append(files, m[1])
	}
	require.GreaterOrEqual(t, len(files), 3, p.stdout.String())
	require.Contains(t, p.stdout.String(), addr)
	heard := map[string]int{}
	var subs []*nats.Subscription
	for _, f := range files {
		nc, err := nats.Connect("nats://"+addr, nats.UserCredentials(f), nats.Timeout(patience))
		require.NoError(t, err, f)
		defer nc.Close()
		sub, err := nc.SubscribeSync("hello")
		require.NoError(t, err)
		require.NoError(t, nc.Flush())
		require.NoError(t, nc.Publish("hello", []byte(f)))
		require.NoError(t, nc.Flush())
		subs = append(subs, sub)
	}
	for i, sub := range subs {
		m, err := sub.NextMsg(patience)
		require.NoError(t, err)
		require.Equal(t, files[i], string(m.Data))
		n, _, err := sub.Pending()
		require.NoError(t, err)
		heard[files[i]] = n
	}
	for f, n := range heard {
		require.Zero(t, n, f)
	}
	_, err := nats.Connect("nats://"+addr, nats.UserCredentials(credsFile("APP.admin")), nats.Timeout(patience))
	require.EqualError(t, err, violation)

	p.terminate(syscall.SIGTERM)
	for _, f := range files {
		require.NoFileExists(t, f)
	}
}

// TestSignals: SIGTERM and SIGINT end the broker with exit code 0, its clients'
// connections too, those that have not said who they are among them.
func TestSignals(t *testing.T) {
	t.Parallel()
	ours(t, "its process")
	if runtime.GOOS == "windows" {
		t.Skip("windows has no such signals")
	}
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(sig.String(), func(t *testing.T) {
			w := newWorld(t)
			s := w.serve(t)
			half, bare, busy := dial(t, s), dialBare(t, s), enter(t, s, w.admin())
			busy.send("SUB > 1\r\n")
			busy.sync()
			process, err := os.FindProcess(s.pid)
			require.NoError(t, err)
			require.NoError(t, process.Signal(sig))
			half.wantEnd()
			bare.wantEnd()
			busy.wantEnd()
			s.end = nil
			require.Zero(t, s.process.exitCode())
		})
	}
}

// wantEnd waits for the end of the connection, whatever is said before.
func (c *raw) wantEnd() {
	c.t.Helper()
	for {
		if _, err := c.read(); err != nil {
			require.False(c.t, timedOut(err), "the broker keeps the connection open")
			return
		}
	}
}

// TestRestart: what a broker knew of clients it does not know after a restart;
// that they are good they show again.
func TestRestart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, authtest.MaxConnections(1))
	s := w.serve(t)
	c := enter(t, s, w.admin())
	s.restart()
	c.wantEnd()
	enter(t, s, w.admin())
}
