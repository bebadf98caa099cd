package conformance_test

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/bench/conformance/internal/peer"
	"github.com/natsauth/natsauth/bench/conformance/internal/verdict"
	"github.com/natsauth/natsauth/bench/conformance/internal/world"
)

// judge compares what became of one case on both servers.
func judge(t *testing.T, name string, f verdict.Facts, theirs, mine []string) {
	t.Helper()
	if d := book.Judge(verdict.Difference{Client: name, Facts: f, Reference: theirs, Ours: mine}); d != nil {
		t.Error(d)
	}
}

// each runs a conversation with both servers at the same time.
func each[T any](t *testing.T, config string, say func(*testing.T, *peer.Server) T) (theirs, mine T) {
	t.Helper()
	reference, ours := peer.Reference(t, config), peer.Ours(t, config)
	done := make(chan T)
	go func() { done <- say(t, reference) }()
	mine = say(t, ours)
	return <-done, mine
}

// dial connects, or ends the test.
func dial(t *testing.T, s *peer.Server) *peer.Client {
	t.Helper()
	c, err := s.Dial()
	if err != nil {
		t.Error(err)
		return nil
	}
	t.Cleanup(c.Close)
	return c
}

// linger connects as a user and gives what comes until the end.
func linger(t *testing.T, s *peer.Server, u peer.User) []string {
	c := dial(t, s)
	if c == nil {
		return nil
	}
	if err := c.Login(u); err != nil {
		return []string{err.Error()}
	}
	return c.Rest()
}

// TestNobodyWaits connects and says nothing (F022), or too little.
func TestNobodyWaits(t *testing.T) {
	t.Parallel()
	w := world.New(1)
	w.Lines = append(w.Lines, "authorization { timeout: 0.3 }")
	for _, text := range []string{"", "C", "CONNECT {"} {
		theirs, mine := each(t, w.Config(), func(t *testing.T, s *peer.Server) []string {
			c := dial(t, s)
			if err := c.Send(text); err != nil {
				return []string{err.Error()}
			}
			return c.Rest()
		})
		require.Equal(t, []string{"-ERR 'Authentication Timeout'"}, theirs, "nats-server")
		judge(t, "silent after "+text, verdict.Facts{}, theirs, mine)
		rows.Hit("F022")
	}
}

// TestSessionsEnd lives through the end of tokens and hours (F048).
func TestSessionsEnd(t *testing.T) {
	t.Parallel()
	peer.Prepare(t)
	w := world.New(2)
	soon := w.Now.Add(3 * time.Second)
	open, closing := w.Account("OPEN"), w.Account("CLOSING", func(c *jwt.AccountClaims) { c.Expires = soon.Unix() })
	window := func(c *jwt.UserClaims) {
		c.Locale = "UTC"
		c.Times = []jwt.TimeRange{{Start: soon.UTC().Add(-time.Hour).Format(time.TimeOnly), End: soon.UTC().Format(time.TimeOnly)}}
	}
	users := map[string]peer.User{
		"token ends":                  open.User("a", open.Key, func(c *jwt.UserClaims) { c.Expires = soon.Unix() }),
		"hours end":                   open.User("b", open.Key, window),
		"token ends within the hours": open.User("c", open.Key, func(c *jwt.UserClaims) { window(c); c.Expires = soon.Unix() - 1 }),
		"hours end within the token":  open.User("d", open.Key, func(c *jwt.UserClaims) { window(c); c.Expires = soon.Unix() + 3600 }),
		"account ends":                closing.User("e", closing.Key),
	}
	reference, ours := peer.Reference(t, w.Config()), peer.Ours(t, w.Config())
	theirs, mine := all(users, func(u peer.User) []string { return linger(t, reference, u) }),
		all(users, func(u peer.User) []string { return linger(t, ours, u) })
	for name := range users {
		judge(t, name, verdict.Facts{}, theirs()[name], mine()[name])
		require.Contains(t, fmt.Sprint(mine()[name]), "Expired")
		rows.Hit("F048")
	}
	require.False(t, time.Now().Before(soon.Add(-time.Second)), "they ended too early")
}

// all has users do something at the same time; what comes back waits for the
// answers. Subtests would have to wait for their turn.
func all(users map[string]peer.User, do func(peer.User) []string) func() map[string][]string {
	out := make(map[string][]string, len(users))
	var g sync.WaitGroup
	var mu sync.Mutex
	for name, u := range users {
		g.Go(func() {
			lines := do(u)
			mu.Lock()
			defer mu.Unlock()
			out[name] = lines
		})
	}
	return func() map[string][]string {
		g.Wait()
		return out
	}
}

// moment is a second of the clock relative to the making of a world.
type moment struct {
	name  string
	at    time.Duration
	users map[string]peer.User
}

// TestTheSecondItself connects just before, in and just after the second in which
// a token ends or begins (B11).
func TestTheSecondItself(t *testing.T) {
	t.Parallel()
	peer.Prepare(t)
	w := world.New(3)
	edge := w.Now.Add(5 * time.Second)
	open := w.Account("OPEN")
	ending := func(c *jwt.AccountClaims) { c.Expires = edge.Unix() }
	begins := open.User("b", open.Key, func(c *jwt.UserClaims) { c.NotBefore = edge.Unix() })
	ends := open.User("a", open.Key, func(c *jwt.UserClaims) { c.Expires = edge.Unix() })
	moments := []moment{{"before", -time.Second, nil}, {"at", 0, nil}, {"after", time.Second, nil}}
	for i, m := range moments { // an account is looked up once, so each moment has its own
		a := w.Account("ENDING "+m.name, ending)
		moments[i].users = map[string]peer.User{"user begins": begins, "user ends": ends, "account ends": a.User("c", a.Key)}
	}
	reference, ours := peer.Reference(t, w.Config()), peer.Ours(t, w.Config())
	for _, m := range moments {
		time.Sleep(time.Until(edge.Add(m.at + 50*time.Millisecond)))
		theirs, mine := all(m.users, func(u peer.User) []string { return begun(t, reference, u) }),
			all(m.users, func(u peer.User) []string { return begun(t, ours, u) })
		said, answered := theirs(), mine()
		if time.Now().Unix() != edge.Add(m.at).Unix() {
			t.Skip("the machine is too slow to hit a second")
		}
		for name := range m.users {
			judge(t, name+" "+m.name, verdict.Facts{AtEnd: name == "user ends" && m.at == 0}, said[name], answered[name])
			rows.Hit("F029", "F005")
		}
	}
}

// begun connects as a user and gives the answer, and what comes right behind it.
func begun(t *testing.T, s *peer.Server, u peer.User) []string {
	c := dial(t, s)
	if c == nil {
		return nil
	}
	if err := c.Login(u); err != nil {
		return []string{err.Error()}
	}
	lines, open := c.Flush()
	if !open {
		return lines
	}
	more, _ := c.Flush()
	return append(append(lines, "admitted"), more...)
}

// TestAccountComesBack lets an account end and puts a newer token in its place,
// where the folder keeps it (F032).
func TestAccountComesBack(t *testing.T) {
	t.Parallel()
	peer.Prepare(t)
	run := func(start func(testing.TB, string) *peer.Server) []string {
		w := world.New(4)
		a := w.NewAccount("AGAIN")
		a.By, a.Claims.Expires = w.Identity, w.Now.Add(3*time.Second).Unix()
		old := world.Mint(a.Claims, a.By, w.Now.Add(-time.Hour))
		a.Claims.Expires = 0
		next := world.Mint(a.Claims, a.By, w.Now.Add(-time.Minute))
		u := a.User("u", a.Key)
		dir := filepath.Join(t.TempDir(), "jwt")
		file := filepath.Join(dir, a.Key.Public+".jwt")
		require.NoError(t, os.MkdirAll(dir, 0o700))
		require.NoError(t, os.WriteFile(file, []byte(old), 0o600))
		s := start(t, w.Anchored(fmt.Sprintf("resolver { type: full, dir: %q }", dir)))
		lines := linger(t, s, u)
		lines = append(lines, linger(t, s, u)...)
		require.NoError(t, os.WriteFile(file, []byte(next), 0o600))
		return append(lines, admittedAtLast(t, s, u))
	}
	theirs, mine := run(peer.Reference), run(peer.Ours)
	require.Equal(t, []string{"-ERR 'Account Authentication Expired'", "-ERR 'Authorization Violation'", "admitted"}, theirs)
	judge(t, "account comes back", verdict.Facts{}, theirs, mine)
	rows.Hit("F032")
}

// admittedAtLast connects again and again, until it is admitted.
func admittedAtLast(t *testing.T, s *peer.Server, u peer.User) string {
	t.Helper()
	for end := time.Now().Add(15 * time.Second); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		c := dial(t, s)
		require.NoError(t, c.Login(u))
		lines, open := c.Flush()
		c.Close()
		if open && len(lines) == 0 {
			return "admitted"
		}
	}
	return "never admitted"
}
