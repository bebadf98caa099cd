package e2e_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth/authtest"
)

// TestSentinel: who shows no user token is taken for the sentinel (F010), and who
// shows one is not.
func TestSentinel(t *testing.T) {
	w := newWorld(t)
	sentinel := w.app.User("sentinel", authtest.Bearer(), authtest.PubAllow("sentinel.>"))
	s := w.with("default_sentinel: " + sentinel.Token()).serve(t)
	for _, u := range []user{{}, {token: "no token"}} {
		c := enter(t, s, u)
		c.pub("sentinel.x", "", "hi")
		c.sync()
		c.pub("x", "", "hi")
		c.wantErr(`Permissions Violation for Publish to "x"`)
	}
	c := dial(t, s)
	c.connect(user{token: w.admin().token})
	c.wantRefused("Authorization Violation")
}

// TestPinnedAccounts: only users of these accounts and of the system account come
// in (F015).
func TestPinnedAccounts(t *testing.T) {
	w := newWorld(t)
	s := w.with("resolver_pinned_accounts: [ " + w.app.PublicKey() + " ]").serve(t)
	enter(t, s, w.admin())
	enter(t, s, of(w.sys.User("sys")))
	c := dial(t, s)
	c.connect(of(w.shop.User("shopper")))
	c.wantRefused("Authorization Violation")
}

// TestTrustedKeys: a broker may know the keys of its operators alone (F008).
func TestTrustedKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	text := func(key nkeys.KeyPair) string {
		public, err := key.PublicKey()
		require.NoError(t, err)
		return strings.Replace(w.config(), "operator: "+w.operator.Token(), "trusted_keys: [ "+public+" ]", 1)
	}
	enter(t, serve(t, text(w.operator.Key())), w.admin())
	if reference() {
		return // it does not start without a system account that it trusts
	}
	other := strings.Replace(text(authtest.NewOperator(t, authtest.From("elsewhere")).Key()), "system_account: "+w.sys.PublicKey(), "", 1)
	c := dial(t, serve(t, other))
	c.connect(w.admin())
	c.wantRefused("Authorization Violation")
}

// TestRemoteConnections: the connections that other brokers tell of count for an
// account's limit (F051), until they tell otherwise. What the broker hears of
// itself does not.
func TestRemoteConnections(t *testing.T) {
	t.Parallel()
	for _, subject := range []string{"$SYS.SERVER.ACCOUNT.%s.CONNS", "$SYS.ACCOUNT.%s.SERVER.CONNS"} {
		t.Run(subject, func(t *testing.T) {
			if subject == "$SYS.ACCOUNT.%s.SERVER.CONNS" {
				differs(t, "heard on both subjects on which brokers tell it")
			}
			w := newWorld(t, authtest.MaxConnections(2))
			s := w.serve(t)
			sys := enter(t, s, of(w.sys.User("sys")))
			tell := func(server string, conns int) {
				m := map[string]any{"server": map[string]any{"id": server, "name": server}, "acc": w.app.PublicKey(), "conns": conns, "total_conns": conns}
				text, err := json.Marshal(m)
				require.NoError(t, err)
				sys.pub(fmt.Sprintf(subject, w.app.PublicKey()), "", string(text))
				sys.sync()
			}
			enter(t, s, w.admin())
			tell("another", 1)
			waitFor(t, "no room", func() bool { return !room(t, s, w.admin()) })
			tell("another", 0)
			waitFor(t, "room again", func() bool { return room(t, s, w.admin()) })
			tell(sys.info.ServerID, 1)
			tell("a third", 0)
			waitFor(t, "room still, for it does not count itself twice", func() bool { return room(t, s, w.admin()) })
		})
	}
}

// room tells whether a user is let in, and lets it go again.
func room(t *testing.T, s *server, u user) bool {
	t.Helper()
	c := dial(t, s)
	defer c.conn.Close()
	c.connect(u)
	c.send("PING\r\n")
	line := c.line()
	if line != "PONG" {
		require.Equal(t, "-ERR 'maximum account active connections exceeded'", line)
	}
	return line == "PONG"
}

// TestStaleConnection: a client that does not answer pings is dropped, and one
// that does is not.
func TestStaleConnection(t *testing.T) {
	t.Parallel()
	w := newWorld(t).with("ping_interval: \"200ms\"").with("ping_max: 1")
	s := w.serve(t)
	lively, dead := enter(t, s, w.admin()), enter(t, s, w.admin())
	lively.send("SUB stale 1\r\n")
	done := make(chan string)
	go func() {
		line, _ := lively.read() // answers pings
		done <- line
	}()
	line := ""
	for line != "-ERR 'Stale Connection'\r\n" {
		var err error
		line, err = dead.in.ReadString('\n')
		require.NoError(t, err)
		if line != "PING\r\n" {
			require.Equal(t, "-ERR 'Stale Connection'\r\n", line)
		}
	}
	dead.wantClosed()
	enter(t, s, w.admin()).pub("stale", "", "hi")
	require.Equal(t, "MSG stale 1 2", <-done)
}
