package conformance_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/bench/conformance/internal/peer"
	"github.com/natsauth/natsauth/bench/conformance/internal/verdict"
	"github.com/natsauth/natsauth/bench/conformance/internal/world"
)

// TestOtherServers tells a server how many connections of an account another
// server has, in the way in which servers tell each other: the newest here is
// closed where there are too many, the next is refused, and one is admitted again
// when the other server has fewer (F051).
func TestOtherServers(t *testing.T) {
	t.Parallel()
	w := world.New(10)
	c := cluster{
		account: w.Account("COUNTED", func(c *jwt.AccountClaims) { c.Limits.Conn = 3 }),
		system:  w.System.User("teller", w.System.Key), other: w.NewKey(nkeys.PrefixByteServer).Public,
	}
	for i := range 4 {
		c.users = append(c.users, c.account.User(fmt.Sprint("user", i), c.account.Key))
	}
	theirs, mine := each(t, w.Config(), c.play)
	require.Equal(t, []string{
		"first: admitted", "second: admitted",
		"second: -ERR 'maximum account active connections exceeded'", "second: closed", "first: open",
		"third: -ERR 'maximum account active connections exceeded'", "third: closed", "fourth: admitted",
	}, theirs)
	judge(t, "other servers", verdict.Facts{}, theirs, mine)
	rows.Hit("F051")
}

// cluster is an account that another server, too, has connections of.
type cluster struct {
	account *world.Account
	users   []peer.User
	system  peer.User
	other   string
}

// play goes through it all with one server.
func (c cluster) play(t *testing.T, s *peer.Server) []string {
	var out []string
	note := func(who string, lines []string, open bool, state string) {
		for _, l := range lines {
			out = append(out, who+": "+l)
		}
		if !open {
			state = "closed"
		}
		out = append(out, who+": "+state)
	}
	enter := func(u peer.User) (*peer.Client, []string, bool) {
		n := dial(t, s)
		_ = n.Login(u)
		lines, open := n.Flush()
		return n, lines, open
	}
	teller, _, _ := enter(c.system)
	first, lines, open := enter(c.users[0])
	note("first", lines, open, "admitted")
	second, lines, open := enter(c.users[1])
	note("second", lines, open, "admitted")
	c.tell(teller, 2)
	note("second", second.Rest(), false, "")
	lines, open = first.Flush()
	note("first", lines, open, "open")
	_, lines, open = enter(c.users[2])
	note("third", lines, open, "admitted")
	c.tell(teller, 0)
	note("fourth", nil, true, admittedAtLast(t, s, c.users[3]))
	return out
}

// tell publishes what the other server would.
func (c cluster) tell(teller *peer.Client, n int) {
	text := fmt.Sprintf(`{"type":"io.nats.server.advisory.v1.account_connections","id":"x","timestamp":"2026-01-01T00:00:00Z",`+
		`"server":{"name":"other","host":"127.0.0.1","id":%q,"ver":"2.15.2","jetstream":false,"flags":0,"seq":1,"time":"2026-01-01T00:00:00Z"},`+
		`"acc":%q,"conns":%d,"leafnodes":0,"total_conns":%d}`, c.other, c.account.Key.Public, n, n)
	_ = teller.Send(fmt.Sprintf("PUB $SYS.SERVER.ACCOUNT.%s.CONNS %d\r\n%s\r\n", c.account.Key, len(text), text))
	teller.Flush()
}

// TestNeighbours is the small print of TestOtherServers: what one server tells the
// others of itself is what they understand.
func TestNeighbours(t *testing.T) {
	t.Parallel()
	w := world.New(11)
	a := w.Account("TOLD")
	system, u := w.System.User("listener", w.System.Key), a.User("u", a.Key)
	theirs, mine := each(t, w.Config(), func(t *testing.T, s *peer.Server) string {
		ear, guest := dial(t, s), dial(t, s)
		_ = ear.Login(system)
		_ = ear.Send("SUB $SYS.ACCOUNT." + a.Key.Public + ".SERVER.CONNS 1\r\n")
		ear.Flush()
		_ = guest.Login(u)
		guest.Flush()
		lines, _ := ear.Until(func(l string) bool { return strings.Contains(l, `\"conns\":1`) })
		return fmt.Sprint(strings.Contains(lines[len(lines)-1], a.Key.Public))
	})
	require.Equal(t, "true", theirs)
	require.Equal(t, theirs, mine)
	rows.Hit("F051")
}
