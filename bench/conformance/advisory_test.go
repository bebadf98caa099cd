package conformance_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/bench/conformance/internal/peer"
	"github.com/natsauth/natsauth/bench/conformance/internal/verdict"
	"github.com/natsauth/natsauth/bench/conformance/internal/world"
)

// watched is a world with a listener in the system account and one in an account
// where things happen.
type watched struct {
	system, account peer.User
	cases           []visitor
}

// visitor is somebody of whom advisories tell.
type visitor struct {
	name string
	user peer.User
}

// TestAdvisories holds what the system account is told of connections and
// refusals against what nats-server tells it (F024). We tell no tokens, and add
// our reasons.
func TestAdvisories(t *testing.T) {
	t.Parallel()
	w := world.New(5)
	a := w.NewAccount("WATCHED")
	a.By = w.Identity
	good, k := a.NewUser("good", a.Key)
	revoked, rk := a.NewUser("revoked", a.Key)
	a.Claims.Revocations = jwt.RevocationList{rk.Public: w.Now.Unix()}
	good.Tags = jwt.TagList{"team:red"}
	a.Admit()
	v := watched{
		system: w.System.User("listener", w.System.Key), account: a.User("neighbour", a.Key),
		cases: []visitor{
			{"admitted", peer.User{JWT: world.Mint(good, a.Key, w.Now), Seed: k.Seed()}},
			{"revoked", peer.User{JWT: world.Mint(revoked, a.Key, w.Now.Add(-time.Minute)), Seed: rk.Seed()}},
			{"wrong signature", peer.User{JWT: world.Mint(good, a.Key, w.Now), Seed: rk.Seed()}},
			{"no token", peer.User{}},
		},
	}
	theirs, mine := each(t, w.Config(), v.listen)
	for _, c := range v.cases {
		require.NotEmpty(t, theirs[c.name])
		judge(t, "advisories of "+c.name, verdict.Facts{Refusal: c.name != admitted}, theirs[c.name], mine[c.name])
	}
	rows.Hit("F024")
}

const admitted = "admitted"

// listen lets the visitors come one after the other, and gives what the two
// listeners are told of each.
func (v watched) listen(t *testing.T, s *peer.Server) map[string][]string {
	system, account := dial(t, s), dial(t, s)
	for c, u := range map[*peer.Client]peer.User{system: v.system, account: v.account} {
		if err := c.Login(u); err != nil {
			t.Error(err)
		}
	}
	_ = system.Send("SUB $SYS.SERVER.*.CLIENT.AUTH.ERR 1\r\nSUB $SYS.ACCOUNT.*.CONNECT 2\r\nSUB $SYS.ACCOUNT.*.DISCONNECT 3\r\n")
	_ = account.Send("SUB $SYS.ACCOUNT.CLIENT.AUTH.ERR 4\r\n")
	system.Flush()
	account.Flush()
	out := map[string][]string{}
	for _, c := range v.cases {
		visit(t, s, c)
		out[c.name] = told(system, c)
		lines, _ := account.Flush()
		out[c.name] = append(out[c.name], fmt.Sprintf("who: the account is told %d times", len(lines)))
	}
	return out
}

// visit connects, and leaves again if it is let in.
func visit(t *testing.T, s *peer.Server, v visitor) {
	c := dial(t, s)
	o, err := c.Options(v.user)
	if err != nil {
		t.Error(err)
		return
	}
	o["name"] = v.name
	_ = c.Connect(o)
	c.Flush()
	c.Close()
}

// told gives what the system account hears of a visitor, up to the last that
// there is to hear.
func told(c *peer.Client, of visitor) []string {
	last := ".AUTH.ERR"
	if of.name == admitted {
		last = ".DISCONNECT"
	}
	name := strings.Trim(strconv.Quote(strconv.Quote(of.name)), `"`) // as it stands in a quoted payload
	lines, _ := c.Until(func(l string) bool {
		return strings.Contains(l, name) && strings.Contains(strings.Fields(l)[1], last)
	})
	var out []string
	for _, l := range lines {
		if strings.Contains(l, name) {
			out = append(out, advisory(l)...)
		}
	}
	return out
}

// advisory is what two servers should agree on in an advisory: what, why and who,
// not when; and no token.
func advisory(line string) []string {
	at := strings.IndexByte(line, '"')
	text, err := strconv.Unquote(line[max(at, 0):])
	if err != nil {
		return []string{line}
	}
	var a struct {
		Type      string         `json:"type"`
		ID        string         `json:"id"`
		Timestamp time.Time      `json:"timestamp"`
		Server    map[string]any `json:"server"`
		Client    map[string]any `json:"client"`
		Reason    string         `json:"reason"`
		Sent      map[string]any `json:"sent"`
		Received  map[string]any `json:"received"`
	}
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		return []string{line}
	}
	tokens := strings.Split(strings.Fields(line)[1], ".")
	if tokens[1] == "SERVER" {
		tokens[2] = "ID"
	}
	return []string{
		fmt.Sprintf("%s type=%s id=%v time=%v reason=%q sent=%v received=%v", strings.Join(tokens, "."), a.Type,
			a.ID != "", !a.Timestamp.IsZero(), a.Reason, a.Sent, a.Received),
		"client: " + values(a.Client, func(k string) bool { return !slices.Contains(passing, k) && !slices.Contains(entity, k) }),
		"who: " + values(a.Client, func(k string) bool { return slices.Contains(entity, k) }),
		"server: " + keys(a.Server),
	}
}

// passing are fields of a client that differ between two runs, or that only one
// side tells; entity are those that tell whose token it was.
var (
	passing = []string{"start", "stop", "rtt", "id", "jwt"}
	entity  = []string{"acc", "user", "issuer_key", "name_tag", "tags"}
)

func values(m map[string]any, want func(string) bool) string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if want(k) {
			fmt.Fprintf(&b, "%s=%v ", k, m[k])
		}
	}
	return b.String()
}

// keys leaves out what nats-server's operators switch on and off.
func keys(m map[string]any) string {
	delete(m, "feature_flags")
	return strings.Join(slices.Sorted(maps.Keys(m)), ",")
}
