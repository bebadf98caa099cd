package conformance_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/bench/conformance/internal/peer"
	"github.com/natsauth/natsauth/bench/conformance/internal/world"
)

// setting is what a configuration of [TestStarts] is made from.
type setting struct {
	*world.World
	dir string // a folder for files that the configuration names
}

// file writes a file and gives its name.
func (s setting) file(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(s.dir, "operator.jwt")
	require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
	return name
}

// anchored is a configuration with some operators, and a resolver in memory.
func (s setting) anchored(operators string, more ...string) string {
	text := "operator: " + operators + "\nresolver: MEMORY\nresolver_preload { " + s.System.Key.Public + ": " + s.System.Token + " }\n"
	for _, l := range more {
		text += l + "\n"
	}
	return text
}

// operator makes an operator's token, with the claims changed.
func (s setting) operator(change func(*jwt.OperatorClaims)) string {
	change(s.Operator)
	return s.OperatorToken()
}

// decorated is a token as files hold it.
func decorated(token string) string {
	return "-----BEGIN NATS OPERATOR JWT-----\n" + token + "\n------END NATS OPERATOR JWT------\n"
}

// dirResolver is the text of a resolver with a folder.
func (s setting) dirResolver(kind string) string {
	return fmt.Sprintf("resolver { type: %s, dir: %q }", kind, filepath.Join(s.dir, "jwt"))
}

// other is another operator's token with the same system account, or with one of
// its own.
func (s setting) other(shared bool) string {
	k := s.NewKey(nkeys.PrefixByteOperator)
	c := jwt.NewOperatorClaims(k.Public)
	c.Name, c.Type, c.Version, c.SystemAccount = "other", jwt.OperatorClaim, 2, s.System.Key.Public
	if !shared {
		c.SystemAccount = s.NewKey(nkeys.PrefixByteAccount).Public
	}
	return world.Mint(c, k, s.Now)
}

// user is a token of a user that the system account signed, changed.
func (s setting) user(change func(*jwt.UserClaims)) string {
	c, _ := s.System.NewUser("sentinel", s.System.Key)
	change(c)
	return world.Mint(c, s.System.Key, s.Now)
}

// role is a user token of a scoped key.
func (s setting) role(change func(*jwt.UserClaims)) string {
	by := s.System.Role()
	c, _ := s.System.NewUser("sentinel", by)
	change(c)
	return world.Mint(c, by, s.Now)
}

func same(*jwt.OperatorClaims) {}

// starts are configurations, and the rows of the feature table that decide
// whether a server starts with them. Broken B-rules of ours are left to the tests
// of the connects.
var starts = []struct {
	name, row string
	want      bool
	config    func(*testing.T, setting) string
}{
	{"operator inline", "F006", true, func(_ *testing.T, s setting) string { return s.anchored(s.operator(same)) }},
	{"operator in a list", "F006", true, func(_ *testing.T, s setting) string { return s.anchored("[" + s.operator(same) + "]") }},
	{"operator in a file", "F006", true, func(t *testing.T, s setting) string {
		return s.anchored(fmt.Sprintf("%q", s.file(t, s.operator(same))))
	}},
	{"operator in a decorated file", "F006", true, func(t *testing.T, s setting) string {
		return s.anchored(fmt.Sprintf("%q", s.file(t, decorated(s.operator(same)))))
	}},
	{"operator in no file", "F006", false, func(_ *testing.T, s setting) string {
		return s.anchored(fmt.Sprintf("%q", filepath.Join(s.dir, "none.jwt")))
	}},
	{"operator garbage", "F006", false, func(_ *testing.T, s setting) string { return s.anchored("eyJgarbage") }},
	{"operator an account", "F006", false, func(_ *testing.T, s setting) string { return s.anchored(s.System.Token) }},
	{"alias roots", "F006", true, func(_ *testing.T, s setting) string {
		return "roots: " + s.anchored(s.operator(same))[len("operator: "):]
	}},
	{"two operators", "F006", true, func(_ *testing.T, s setting) string {
		return s.anchored("["+s.operator(same)+", "+s.other(true)+"]", "system_account: "+s.System.Key.Public)
	}},
	{"no resolver", "F009", false, func(_ *testing.T, s setting) string { return "operator: " + s.operator(same) + "\n" }},
	{"operator and trusted keys", "F009", false, func(_ *testing.T, s setting) string {
		return s.anchored(s.operator(same), "trusted_keys: ["+s.Identity.Public+"]")
	}},
	{"operator and accounts", "F009", false, func(_ *testing.T, s setting) string {
		return s.anchored(s.operator(same), "accounts { A { users: [] } }")
	}},
	{"operator and users", "F009", false, func(_ *testing.T, s setting) string {
		return s.anchored(s.operator(same), `authorization { users: [ { user: a, password: b } ] }`)
	}},
	{"operator and no_auth_user", "F009", false, func(_ *testing.T, s setting) string { return s.anchored(s.operator(same), "no_auth_user: joe") }},
	{"trusted keys", "F008", true, func(_ *testing.T, s setting) string {
		return "trusted_keys: [" + s.Identity.Public + "]\nresolver: MEMORY\n"
	}},
	{"one trusted key", "F008", true, func(_ *testing.T, s setting) string { return "trusted: " + s.Identity.Public + "\nresolver: MEMORY\n" }},
	{"trusted key of an account", "F008", false, func(_ *testing.T, s setting) string {
		return "trusted_keys: [" + s.System.Key.Public + "]\nresolver: MEMORY\n"
	}},
	{"sentinel, bearer", "F010", true, func(_ *testing.T, s setting) string {
		return s.anchored(s.operator(same), "default_sentinel: "+s.user(func(c *jwt.UserClaims) { c.BearerToken = true }))
	}},
	{"sentinel, no bearer", "F010", false, func(_ *testing.T, s setting) string {
		return s.anchored(s.operator(same), "default_sentinel: "+s.user(func(*jwt.UserClaims) {}))
	}},
	{"sentinel, of a role", "F010", true, func(_ *testing.T, s setting) string {
		return s.anchored(s.operator(same), "default_sentinel: "+s.role(func(*jwt.UserClaims) {}))
	}},
	{"sentinel, of a role, with grants", "F010", false, func(_ *testing.T, s setting) string {
		return s.anchored(s.operator(same), "default_sentinel: "+s.role(func(c *jwt.UserClaims) { c.Pub.Allow.Add("a") }))
	}},
	{"sentinel, garbage", "F010", false, func(_ *testing.T, s setting) string {
		return s.anchored(s.operator(same), "default_sentinel: garbage")
	}},
	{"sentinel without operator", "F010", false, func(_ *testing.T, s setting) string {
		return "trusted_keys: [" + s.Identity.Public + "]\nresolver: MEMORY\ndefault_sentinel: " + s.user(func(c *jwt.UserClaims) { c.BearerToken = true }) + "\n"
	}},
	{"system account agrees", "F011", true, func(_ *testing.T, s setting) string {
		return s.anchored(s.operator(same), "system_account: "+s.System.Key.Public)
	}},
	{"system account disagrees", "F011", false, func(_ *testing.T, s setting) string {
		return s.anchored(s.operator(func(c *jwt.OperatorClaims) { c.SystemAccount = s.NewKey(nkeys.PrefixByteAccount).Public }), "system_account: "+s.System.Key.Public)
	}},
	{"no system account", "F011", true, func(_ *testing.T, s setting) string {
		return s.anchored(s.operator(func(c *jwt.OperatorClaims) { c.SystemAccount = "" }))
	}},
	{"no system account, folder", "F011", false, func(_ *testing.T, s setting) string {
		return "operator: " + s.operator(func(c *jwt.OperatorClaims) { c.SystemAccount = "" }) + "\n" + s.dirResolver("full") + "\n"
	}},
	{"no system account, cache", "F011", false, func(_ *testing.T, s setting) string {
		return "operator: " + s.operator(func(c *jwt.OperatorClaims) { c.SystemAccount = "" }) + "\n" + s.dirResolver("cache") + "\n"
	}},
	{"system account, folder", "F011", true, func(_ *testing.T, s setting) string {
		return s.anchored(s.operator(same)) + s.dirResolver("full") + "\n"
	}},
	{"version of today", "F012", true, func(_ *testing.T, s setting) string {
		return s.anchored(s.operator(func(c *jwt.OperatorClaims) { c.AssertServerVersion = "2.10.0" }))
	}},
	{"version to come", "F012", false, func(_ *testing.T, s setting) string {
		return s.anchored(s.operator(func(c *jwt.OperatorClaims) { c.AssertServerVersion = "99.0.0" }))
	}},
	{"version unreadable", "F012", false, func(_ *testing.T, s setting) string {
		return s.anchored(s.operator(func(c *jwt.OperatorClaims) { c.AssertServerVersion = "1.2" }))
	}},
	{"strict", "F013", true, func(_ *testing.T, s setting) string {
		token := s.operator(func(c *jwt.OperatorClaims) { c.StrictSigningKeyUsage = true })
		s.System.By = s.Signers[0]
		s.System.Admit()
		return s.anchored(token)
	}},
	{"strict, system account by identity", "F013", false, func(_ *testing.T, s setting) string {
		token := s.operator(func(c *jwt.OperatorClaims) { c.StrictSigningKeyUsage = true })
		s.System.By = s.Identity
		s.System.Admit()
		return s.anchored(token)
	}},
	{"pinned", "F015", true, func(_ *testing.T, s setting) string {
		return s.anchored(s.operator(same), "resolver_pinned_accounts: ["+s.NewKey(nkeys.PrefixByteAccount).Public+"]")
	}},
	{"pinned user", "F015", false, func(_ *testing.T, s setting) string {
		return s.anchored(s.operator(same), "resolver_pinned_accounts: ["+s.NewKey(nkeys.PrefixByteUser).Public+"]")
	}},
	{"preload garbage", "F016", false, func(_ *testing.T, s setting) string {
		return "operator: " + s.operator(same) + "\nresolver: MEMORY\nresolver_preload { " + s.System.Key.Public + ": garbage }\n"
	}},
	{"preload a user", "F016", false, func(_ *testing.T, s setting) string {
		return "operator: " + s.operator(same) + "\nresolver: MEMORY\nresolver_preload { " + s.System.Key.Public + ": " + s.user(func(*jwt.UserClaims) {}) + " }\n"
	}},
	{"preload foreign", "F016", true, func(_ *testing.T, s setting) string {
		a := s.NewAccount("FOREIGN")
		a.By = s.NewKey(nkeys.PrefixByteOperator)
		a.Admit()
		return s.anchored(s.operator(same), "resolver_preload { "+a.Key.Public+": "+a.Token+", "+s.System.Key.Public+": "+s.System.Token+" }")
	}},
	{"preload expired system account", "F016", false, func(_ *testing.T, s setting) string {
		s.System.Claims.Expires = time.Now().Add(-time.Hour).Unix()
		s.System.Admit()
		return s.anchored(s.operator(same))
	}},
	{"system account foreign", "F011", false, func(_ *testing.T, s setting) string {
		s.System.By = s.NewKey(nkeys.PrefixByteOperator)
		s.System.Admit()
		return s.anchored(s.operator(same))
	}},
	{"system account missing", "F011", false, func(_ *testing.T, s setting) string {
		return "operator: " + s.operator(same) + "\nresolver: MEMORY\n"
	}},
	{"proxy key garbage", "F027", false, func(_ *testing.T, s setting) string {
		return s.anchored(s.operator(same), "proxies { trusted: [ { key: garbage } ] }")
	}},
	{"proxy key of a user", "F027", true, func(_ *testing.T, s setting) string {
		return s.anchored(s.operator(same), "proxies { trusted: [ { key: "+s.NewKey(nkeys.PrefixByteUser).Public+" } ] }")
	}},
	{"unknown key", "F006", false, func(_ *testing.T, s setting) string { return s.anchored(s.operator(same), "colour: green") }},
}

// TestStarts holds whether a server starts with a configuration against whether
// the other does. What they say of it is their own.
func TestStarts(t *testing.T) {
	for i, c := range starts {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := setting{world.New(uint64(i)), t.TempDir()}
			text := c.config(t, s)
			require.Equal(t, c.want, begins(t, peer.StartReference, text), "nats-server")
			require.Equal(t, c.want, begins(t, peer.StartOurs, text), "ours")
			rows.Hit(c.row)
		})
	}
}

// begins says whether a server starts, and ends it again.
func begins(t *testing.T, start func(dir, config string) (*peer.Server, error), text string) bool {
	t.Helper()
	s, err := start(t.TempDir(), text)
	if err != nil {
		t.Log(err)
		return false
	}
	require.NoError(t, s.Stop())
	return true
}
