package conformance_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/jwt/v2"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/bench/conformance/internal/peer"
	"github.com/natsauth/natsauth/bench/conformance/internal/permissions"
	"github.com/natsauth/natsauth/bench/conformance/internal/verdict"
)

// How many decisions the two runs make at least.
const (
	fewDecisions  = 2_000
	manyDecisions = 20_000
)

// cellsEach is how many cells share a configuration.
const cellsEach = 6

// TestPermissionsAreTheReferences lets users with every kind of permissions try what
// they may do, on both servers, and compares what comes back of every single try.
func TestPermissionsAreTheReferences(t *testing.T) {
	want, least := fewDecisions, 0.15 // of so few of a kind chance makes more
	if full() {
		want, least = manyDecisions, 0.3
	}
	first := seed(t)
	var c census
	for next := first; c.decisions() < want; next++ {
		c.visit(t, permissions.Generate(next, cellsEach))
		if t.Failed() {
			break
		}
	}
	if t.Failed() {
		return
	}
	fmt.Printf("permissions: seed %d, %d decisions (full run %d or more, small run %d)\n", first, c.decisions(), manyDecisions, fewDecisions)
	for _, kind := range permissions.Kinds() {
		n := c.count[kind]
		fmt.Printf("permissions: %-16s %6d, %.0f%% allowed\n", kind, n.asked, 100*n.share())
		require.InDelta(t, 0.5, n.share(), 0.5-least, "%s: at least %.2f of either outcome", kind, least)
	}
	if !peer.Mirrored() {
		fmt.Printf("permissions: %d subscriptions differ by B3\n", c.wide)
		require.Positive(t, c.wide, "no subscription was wider than what is allowed of it (B3)")
	}
}

// census counts what was decided. It may be used by several goroutines.
type census struct {
	mu    sync.Mutex
	count map[permissions.Kind]outcomes // guarded by mu, as is what follows
	wide  int                           // differences that B3 answers for
	told  int                           // of those that nothing answers for
}

// outcomes counts the outcomes of one kind.
type outcomes struct{ asked, allowed int }

func (n outcomes) share() float64 { return float64(n.allowed) / float64(max(n.asked, 1)) }

// decisions is how many decisions by permissions there were.
func (c *census) decisions() int {
	n := 0
	for _, kind := range permissions.Kinds() {
		n += c.count[kind].asked
	}
	return n
}

// visit plays the cells of a universe, two at a time.
func (c *census) visit(t *testing.T, u *permissions.Universe) {
	t.Helper()
	reference, ours := peer.Reference(t, u.Config), peer.Ours(t, u.Config)
	var all sync.WaitGroup
	turn := make(chan struct{}, 2)
	for _, cell := range u.Cells {
		all.Go(func() {
			turn <- struct{}{}
			defer func() { <-turn }()
			for i, script := range cell.Scripts {
				c.compare(t, reference, ours, played{u.Seed, cell, i, script})
			}
		})
	}
	all.Wait()
	require.NoError(t, reference.Stop())
	require.NoError(t, ours.Stop())
}

// played is one script of a cell, and how to find it again.
type played struct {
	seed   uint64
	cell   *permissions.Cell
	number int
	script permissions.Script
}

// compare plays a script on both servers.
func (c *census) compare(t *testing.T, reference, ours *peer.Server, p played) {
	want, err := p.script.Play(reference)
	if err != nil {
		t.Errorf("seed %d, %s script %d, reference: %v\n%s", p.seed, p.cell.Name, p.number, err, p.cell)
		return
	}
	got, err := p.script.Play(ours)
	if err != nil {
		t.Errorf("seed %d, %s script %d, ours: %v\n%s", p.seed, p.cell.Name, p.number, err, p.cell)
		return
	}
	for i, d := range p.script.Decisions() {
		c.judge(t, p, d, want[i], got[i])
	}
}

// judge counts a decision, and reports it where the servers differ and should not.
func (c *census) judge(t *testing.T, p played, d permissions.Decision, want, got permissions.Answer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.add(d.Kind, want.Yes)
	rows.Hit(d.Rows...)
	difference := verdict.Difference{
		Seed: p.seed, Client: fmt.Sprintf("%s script %d: %s", p.cell.Name, p.number, d.What), Facts: verdict.Facts{Wide: d.Wide},
		Reference: []string{want.Text}, Ours: []string{got.Text}, World: p.cell.String(),
	}
	if !d.Expect.Met(want) {
		t.Errorf("the oracle of %s was wrong: %s", difference.Client, difference)
	}
	if want.Text != got.Text && d.Wide && d.Kind != permissions.Deliver {
		c.wide++
	}
	if unclaimed := book.Judge(difference); unclaimed != nil {
		c.report(t, unclaimed)
	}
}

func (c *census) add(kind permissions.Kind, allowed bool) {
	if c.count == nil {
		c.count = map[permissions.Kind]outcomes{}
	}
	n := c.count[kind]
	n.asked++
	if allowed {
		n.allowed++
	}
	c.count[kind] = n
}

// report tells of the first differences whole, and of the others that they are there.
func (c *census) report(t *testing.T, d *verdict.Difference) {
	if c.told++; c.told > 12 {
		t.Fail()
		return
	}
	text := d.String()
	if c.told > 4 {
		text, _, _ = strings.Cut(text, "\ncell ")
	}
	t.Errorf("unclaimed difference; NATSAUTH_SEED=%d begins with it: %s", d.Seed, text)
}

// TestWhatGeneratedPermissionsLeaveOut shows texts of which the two servers think
// otherwise, whatever the rules, and which the generated universes therefore leave out. A
// row that no longer differs goes.
func TestWhatGeneratedPermissionsLeaveOut(t *testing.T) {
	const publish, subscribe = "-ERR 'Permissions Violation for Publish to ", "-ERR 'Permissions Violation for Subscription to "
	for _, tt := range []said{
		{"publish to a subject with a control byte", jwt.Permissions{}, "PUB a\x01b 0\r\n\r\n", publish + `"a\x01b"'`},
		{"publish to a subject with a form feed", jwt.Permissions{}, "PUB a\fb 0\r\n\r\n", publish + `"a\fb"'`},
		{"subscribe to a subject with a control byte", jwt.Permissions{}, "SUB a\x01b 1\r\n", subscribe + `"a\x01b"'`},
		{"a queue with an empty token", jwt.Permissions{}, "SUB a q..r 2\r\n", subscribe + `"a" using queue "q..r"'`},
		{"a queue with a control byte", jwt.Permissions{}, "SUB a q\x01 3\r\n", subscribe + `"a" using queue "q\x01"'`},
		{"a queue's pattern has a token that begins with an asterisk", allowing("a *v.*"), "SUB a w.x 4\r\n", subscribe + `"a" using queue "w.x"'`},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.require(t) })
	}
}

func TestB3ASubscriptionLiesInsideTheAllowRules(t *testing.T) {
	const refused = "-ERR 'Permissions Violation for Subscription to "
	for _, tt := range []said{
		{"wider by length", allowing("foo.*"), "SUB foo.> 1\r\n", refused + `"foo.>"'`},
		{"as long as the rule", allowing("foo.*"), "SUB foo.* 1\r\n", ""},
		{"everything, where one token is allowed", allowing("*"), "SUB > 1\r\n", refused + `">"'`},
		{"everything, which the rules allow together", allowing("*", "*.>"), "SUB > 1\r\n", ""},
		{"a rule for another queue lies inside", allowing("foo.*", "foo.a v"), "SUB foo.* w 1\r\n", refused + `"foo.*" using queue "w"'`},
		{"it is the same queue", allowing("foo.*", "foo.a v"), "SUB foo.* v 1\r\n", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			mine := tt.require(t)
			book.Judge(verdict.Difference{Client: tt.name, Facts: verdict.Facts{Wide: tt.ours != ""}, Ours: mine})
		})
	}
}

// said is an operation to which the reference says nothing, and what ours says; nothing
// if empty.
type said struct {
	name        string
	permissions jwt.Permissions
	wire        string
	ours        string
}

// allowing are permissions to subscribe.
func allowing(entries ...string) jwt.Permissions {
	return jwt.Permissions{Sub: jwt.Permission{Allow: entries}}
}

// require requires that it is so, and gives what ours said.
func (d said) require(t *testing.T) []string {
	t.Helper()
	config, user := permissions.Single(1, d.permissions)
	require.Empty(t, saidTo(t, peer.Reference(t, config), user, d.wire), "the reference")
	if peer.Mirrored() {
		return nil
	}
	mine := saidTo(t, peer.Ours(t, config), user, d.wire)
	require.Equal(t, d.ours, strings.Join(mine, "\n"), "ours")
	return mine
}

// saidTo is what a server says to an operation of a user.
func saidTo(t *testing.T, s *peer.Server, u peer.User, wire string) []string {
	t.Helper()
	c, err := s.Dial()
	require.NoError(t, err)
	defer c.Close()
	require.NoError(t, c.Login(u))
	require.NoError(t, c.Send(wire))
	lines, open := c.Flush()
	require.True(t, open)
	return lines
}
