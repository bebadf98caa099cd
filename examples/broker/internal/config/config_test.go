package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth/authtest"
	"github.com/natsauth/natsauth/examples/broker/internal/config"
	"github.com/natsauth/natsauth/resolver"
	"github.com/natsauth/natsauth/resolver/full"
)

// parse writes a file and reads it.
func parse(t *testing.T, text string) (*config.Config, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "server.conf")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	return config.Parse(file, "")
}

// memory is a configuration that is enough, and room for one more line.
func memory(o *authtest.Operator, more ...string) string {
	return strings.Join(append([]string{"operator: " + o.Token(), "resolver: MEMORY"}, more...), "\n")
}

// TestNSC reads what nsc generate config has made.
func TestNSC(t *testing.T) {
	const system = "AAQN2WXIGURBHPU5M3TBXINLP25DSVDEYJBDNT6Z7NX5Q4TAF4DW6PPX"
	for _, tt := range []struct {
		file string
		want config.Accounts
	}{
		{"mem-resolver.conf", config.Accounts{}},
		{"nats-resolver.conf", config.Accounts{Kind: config.Full, Dir: "jwt", Interval: 2 * time.Minute, Timeout: 1900 * time.Millisecond}},
		{"nats-resolver-cache.conf", config.Accounts{
			Kind: config.Cache, Dir: "jwt", Interval: time.Minute, Timeout: 1900 * time.Millisecond, TTL: time.Hour,
			Directory: full.Options{Delete: full.DeleteHard, Limit: 1000, Evict: true},
		}},
	} {
		t.Run(tt.file, func(t *testing.T) {
			dir := t.TempDir()
			c, err := config.Parse(filepath.Join("testdata", tt.file), dir)
			require.NoError(t, err)
			require.Len(t, c.Trust.Operators, 1)
			require.Equal(t, system, c.Trust.SystemAccount)
			require.Empty(t, c.Notices)
			token, err := c.Accounts.Memory.Resolve(t.Context(), system)
			require.NoError(t, err)
			require.NotEmpty(t, token)
			require.Contains(t, c.Accounts.Preload, system)
			if tt.want.Dir != "" {
				tt.want.Dir = filepath.Join(dir, tt.want.Dir)
			}
			tt.want.Memory, tt.want.Preload = c.Accounts.Memory, c.Accounts.Preload
			require.Equal(t, tt.want, c.Accounts)
		})
	}
}

// TestResolvers: where accounts may come from, and by which settings.
func TestResolvers(t *testing.T) {
	o := authtest.NewOperator(t)
	base := config.Accounts{Memory: &resolver.Memory{}, Interval: time.Minute, Timeout: 1900 * time.Millisecond, Dir: "/d"}
	with := func(edit func(*config.Accounts)) config.Accounts {
		a := base
		edit(&a)
		return a
	}
	for text, want := range map[string]config.Accounts{
		"MEMORY": {Memory: base.Memory}, "{ type: mem }": {Memory: base.Memory},
		"URL(http://x/jwt/v1/accounts/)":     {Memory: base.Memory, Kind: config.URL, URL: "http://x/jwt/v1/accounts/"},
		"'URL( \"https://x/\" )'":            {Memory: base.Memory, Kind: config.URL, URL: "https://x/"},
		"{ type: full, dir: /d }":            with(func(a *config.Accounts) { a.Kind = config.Full }),
		"{ type: FULL, dir: /d, limit: 5 }":  with(func(a *config.Accounts) { a.Kind, a.Directory.Limit = config.Full, 5 }),
		"{ type: full, dir: /d, limit: -5 }": with(func(a *config.Accounts) { a.Kind = config.Full }),
		"{ type: full, dir: /d, allow_delete: true }": with(func(a *config.Accounts) {
			a.Kind, a.Directory.Delete = config.Full, full.DeleteRename
		}),
		"{ type: full, dir: /d, allow_delete: true, hard_delete: true, interval: 5s, timeout: 2 }": with(func(a *config.Accounts) {
			a.Kind, a.Directory.Delete, a.Interval, a.Timeout = config.Full, full.DeleteHard, 5*time.Second, 2*time.Second
		}),
		"{ type: full, dir: /d, allow_delete: true, hard_delete: false }": with(func(a *config.Accounts) {
			a.Kind, a.Directory.Delete = config.Full, full.DeleteRename
		}),
		"{ type: cache, dir: /d, limit: 7, allow_delete: false }": with(func(a *config.Accounts) {
			a.Kind, a.Directory = config.Cache, full.Options{Limit: 7, Evict: true, Delete: full.DeleteHard}
		}),
	} {
		t.Run(text, func(t *testing.T) {
			c, err := parse(t, "operator: "+o.Token()+"\nresolver: "+text)
			require.NoError(t, err)
			require.Equal(t, want, c.Accounts)
		})
	}
}

// TestF007OperatorsServer: an operator alone may say where its accounts are, and the file has the last word.
func TestF007OperatorsServer(t *testing.T) {
	at := func(name, server string) string {
		return authtest.NewOperator(t, authtest.Name(name), authtest.From(name),
			authtest.Edit(func(c *jwt.OperatorClaims) { c.AccountServerURL = server })).Token()
	}
	for _, tt := range []struct{ name, text, url, wrong string }{
		{"as it is pushed to", "operator: " + at("O", "http://x/jwt/v1"), "http://x/jwt/v1/accounts", ""},
		{"with a slash", "operator: " + at("O", "https://x/jwt/v1/"), "https://x/jwt/v1/accounts", ""},
		{"the file says another", "operator: " + at("O", "http://x") + "\nresolver: URL(http://y)", "http://y", ""},
		{"the file says another before", "resolver: URL(http://y)\noperator: " + at("O", "http://x"), "http://y", ""},
		{"the file says memory", "operator: " + at("O", "http://x") + "\nresolver: MEMORY", "", ""},
		{"one of two", "operator: [" + at("O", "http://x") + ", " + at("P", "http://x") + "]", "", "resolver is needed"},
		{"it says none", "operator: " + at("O", ""), "", "resolver is needed"},
		{"it pushes over NATS", "operator: " + at("O", "nats://x"), "", "account_server_url: url: base is neither http nor https"},
		{"a preload beside it", "operator: " + at("O", "http://x") + "\nresolver_preload { " + authtest.NewOperator(t).Account("A").PublicKey() + ": " +
			authtest.NewOperator(t).Account("A").Token() + " }", "", "an account server is only read"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := parse(t, tt.text)
			if tt.wrong != "" {
				require.ErrorContains(t, err, tt.wrong)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tt.url, c.Accounts.URL)
			require.Equal(t, tt.url != "", c.Accounts.Kind == config.URL)
		})
	}
}

// TestKeys: each key that is heeded, and what it changes.
func TestKeys(t *testing.T) {
	o := authtest.NewOperator(t)
	a := o.Account("A")
	proxy, err := authtest.Key(nkeys.PrefixByteServer, "proxy").PublicKey()
	require.NoError(t, err)
	sentinel := a.User("s", authtest.Bearer()).Token()
	for _, tt := range []struct {
		line string
		want func(*config.Config)
	}{
		{"system_account: " + a.PublicKey(), func(c *config.Config) { c.Trust.SystemAccount = a.PublicKey() }},
		{"system: " + a.PublicKey(), func(c *config.Config) { c.Trust.SystemAccount = a.PublicKey() }},
		{"resolver_pinned_accounts: " + a.PublicKey(), func(c *config.Config) { c.Trust.PinnedAccounts = []string{a.PublicKey()} }},
		{"resolver_pinned_accounts: [X, Y]", func(c *config.Config) { c.Trust.PinnedAccounts = []string{"X", "Y"} }},
		{"default_sentinel: " + sentinel, func(c *config.Config) { c.Trust.Sentinel = sentinel }},
		{"proxies { trusted: [ { key: " + proxy + " } ] }", func(c *config.Config) { c.Trust.Proxies = []string{proxy} }},
		{"proxies { trusted: [ { public_key: " + proxy + " } ] }", func(c *config.Config) { c.Trust.Proxies = []string{proxy} }},
		{"no_system_account: true", func(*config.Config) {}},
		{"listen: 10.0.0.1:4333", func(c *config.Config) { c.Host, c.Port = "10.0.0.1", 4333 }},
		{"listen: 4333", func(c *config.Config) { c.Port = 4333 }},
		{`listen: ":4333"`, func(c *config.Config) { c.Port = 4333 }},
		{"host: h\nport: -1", func(c *config.Config) { c.Host, c.Port = "h", -1 }},
		{"net: h", func(c *config.Config) { c.Host = "h" }},
		{"server_name: n1", func(c *config.Config) { c.Name = "n1" }},
		{"cluster_name: c1", func(c *config.Config) { c.Cluster = "c1" }},
		{"max_payload: 1kb", func(c *config.Config) { c.MaxPayload = 1024 }},
		{"max_pending: 10GB", func(c *config.Config) { c.MaxPending = 10 << 30 }},
		{"max_connections: 5", func(c *config.Config) { c.MaxConnections = 5 }},
		{"max_conn: 0", func(c *config.Config) { c.MaxConnections = -1 }},
		{"max_subscriptions: 5", func(c *config.Config) { c.MaxSubscriptions = 5 }},
		{"max_subs: 5", func(c *config.Config) { c.MaxSubscriptions = 5 }},
		{"max_subscription_tokens: 255", func(c *config.Config) { c.MaxSubscriptionTokens = 255 }},
		{"MAX_SUB_TOKENS: 1", func(c *config.Config) { c.MaxSubscriptionTokens = 1 }},
		{"max_control_line: 512", func(c *config.Config) { c.MaxControlLine = 512 }},
		{`write_deadline: "3s"`, func(c *config.Config) { c.WriteDeadline = 3 * time.Second }},
		{"write_deadline: 3", func(c *config.Config) { c.WriteDeadline = 3 * time.Second }},
		{`ping_interval: "1m"`, func(c *config.Config) { c.PingInterval = time.Minute }},
		{"ping_max: 7", func(c *config.Config) { c.PingMax = 7 }},
		{"authorization { timeout: 0.5 }", func(c *config.Config) { c.AuthTimeout = time.Second / 2 }},
		{`authorization { timeout: "4s" }`, func(c *config.Config) { c.AuthTimeout = 4 * time.Second }},
		{"debug: true", func(c *config.Config) { c.Debug = true }},
		{"trace: true\nlogtime: false", func(*config.Config) {}},
		{"N: n2\nserver_name: $N", func(c *config.Config) { c.Name = "n2" }},
	} {
		t.Run(tt.line, func(t *testing.T) {
			c, err := parse(t, memory(o, tt.line))
			require.NoError(t, err)
			want := &config.Config{Accounts: c.Accounts}
			want.Trust.Operators = []string{o.Token()}
			tt.want(want)
			require.Equal(t, want, c)
		})
	}
}

// TestMistakes: each is told with its key, its file and its line.
func TestMistakes(t *testing.T) {
	o := authtest.NewOperator(t)
	enough := memory(o)
	for _, tt := range []struct{ name, text, want string }{
		{"an unknown key", enough + "\nmax_paylod: 1", `server.conf:3: unknown key "max_paylod"`},
		{"static accounts", enough + "\naccounts { A { } }", `server.conf:3: broker: "accounts" is not supported`},
		{"static users", enough + "\nauthorization { users: [] }", `broker: "users" is not supported`},
		{"a password", enough + "\nauthorization { user: a, password: b }", "is not supported"},
		{"a callout", enough + "\nauthorization { auth_callout { } }", `broker: "auth_callout" is not supported`},
		{"an unknown key of authorization", enough + "\nauthorization { tiemout: 1 }", `unknown key "tiemout"`},
		{"no_auth_user", enough + "\nno_auth_user: a", `broker: "no_auth_user" is not supported`},
		{"tls", enough + "\ntls { }", `broker: "tls" is not supported`},
		{"jetstream", enough + "\njetstream: enabled", `broker: "jetstream" is not supported`},
		{"a cluster", enough + "\ncluster { name: c }", `broker: "cluster" is not supported`},
		{"leaf nodes", enough + "\nleafnodes { port: 1 }", `broker: "leafnodes" is not supported`},
		{"websockets", enough + "\nwebsocket { port: 1 }", `broker: "websocket" is not supported`},

		{"nobody trusted", "resolver: MEMORY", "nobody is trusted"},
		{"nothing", "", "nobody is trusted"},
		{"no resolver", "operator: " + o.Token(), "resolver is needed"},
		{"a URL that is none", "operator: " + o.Token() + "\nresolver: URL(localhost)", "server.conf:2: resolver: url: base is neither http nor https"},
		{"no URL", "operator: " + o.Token() + "\nresolver: URL()", "server.conf:2: resolver: url: base"},
		{"a URL and a preload", "operator: " + o.Token() + "\nresolver: URL(http://x)\nresolver_preload { " + o.Account("A").PublicKey() + ": " + o.Account("A").Token() + " }", "an account server is only read"},
		{"a negative time", "operator: " + o.Token() + "\nresolver { type: full, dir: d, timeout: '-1s' }", "timeout: a duration is not negative"},
		{"no such resolver", "operator: " + o.Token() + "\nresolver: FILE", `server.conf:2: resolver: "FILE" is not`},
		{"no such file", "resolver: MEMORY\noperator: nowhere.jwt", "server.conf:2: operator: operator: "},
		{"no operator token", "resolver: MEMORY\noperator: " + o.Account("A").Token(), "server.conf:2: operator: "},
		{"no operator key", "trusted_keys: " + o.Account("A").PublicKey(), "is no public operator key"},

		{"a resolver without a folder", "operator: " + o.Token() + "\nresolver { type: full }", "dir: a folder is needed"},
		{"a file for a folder", "operator: " + o.Token() + "\nresolver { type: full, dir: server.conf }", "is no folder"},
		{"a resolver of no type", "operator: " + o.Token() + "\nresolver { type: odd, dir: jwt }", `type "odd" is not`},
		{"full with a ttl", "operator: " + o.Token() + "\nresolver { type: full, dir: jwt, ttl: \"1h\" }", `type full does not take "ttl"`},
		{"cache with an interval", "operator: " + o.Token() + "\nresolver { type: cache, dir: jwt, interval: \"1h\" }", `type cache does not take "interval"`},
		{"hard deletes without deletes", "operator: " + o.Token() + "\nresolver { type: full, dir: jwt, hard_delete: true }", "hard_delete needs allow_delete"},
		{"an unknown key of a resolver", "operator: " + o.Token() + "\nresolver { type: full, dir: jwt, tmeout: 1 }", `unknown key "tmeout"`},

		{"a preload that is no token", enough + "\nresolver_preload { A: x }", `account "A": this is no account token`},
		{"a preload of a user", enough + "\nresolver_preload { A: " + o.Account("A").User("u").Token() + " }", "this is no account token"},
		{"a preload that is no block", enough + "\nresolver_preload: 1", "server.conf:3: resolver_preload: a block in braces is expected"},

		{"a number for text", enough + "\nhost: 1", "server.conf:3: host: text is expected"},
		{"text for a number", enough + "\nport: x", "server.conf:3: port: a number is expected"},
		{"text for another flag", enough + "\nno_sys_acc: x", "server.conf:3: no_sys_acc: true or false is expected"},
		{"text for a flag", enough + "\ndebug: x", "server.conf:3: debug: true or false is expected"},
		{"no duration", enough + "\nping_interval: x", "server.conf:3: ping_interval: "},
		{"too large a number", enough + "\nmax_payload: 3GB", "server.conf:3: max_payload: 3221225472 is too large"},
		{"no tokens at all", enough + "\nmax_sub_tokens: 0", "is not between 1 and 255"},
		{"too many tokens", enough + "\nmax_sub_tokens: 256", "is not between 1 and 255"},
		{"a blank in the name", enough + "\nserver_name: \"a b\"", "a blank in the name"},
		{"a proxy without a key", enough + "\nproxies { trusted: [ { key: x } ] }", `"x" is no public key`},
		{"no such listener", enough + "\nlisten: here", "server.conf:3: listen: "},
		{"a syntax error", enough + "\nresolver_preload {", "server.conf: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := parse(t, tt.text)
			require.ErrorContains(t, err, tt.want)
			require.True(t, strings.HasPrefix(err.Error(), "config: "), err)
			require.NotContains(t, err.Error(), "eyJ", "an error holds a token")
			require.Nil(t, c)
		})
	}
	_, err := config.Parse("nowhere.conf", "")
	require.ErrorIs(t, err, os.ErrNotExist)
}

// TestOperators: the six names, and the ways to give an operator (F006).
func TestOperators(t *testing.T) {
	one := authtest.NewOperator(t)
	two := authtest.NewOperator(t, authtest.From("P"))
	dir := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		return file
	}
	decorated, err := jwt.DecorateJWT(one.Token())
	require.NoError(t, err)
	raw := write("raw.jwt", one.Token()+"\n")
	pretty := write("pretty.jwt", string(decorated))
	tests := map[string]struct {
		text string
		want []string
	}{
		"two":                  {"operator: [" + one.Token() + ", " + two.Token() + "]", []string{one.Token(), two.Token()}},
		"a file":               {"operator: \"" + raw + "\"", []string{one.Token()}},
		"a decorated file":     {"operator: \"" + pretty + "\"", []string{one.Token()}},
		"a file, relative":     {"operator: raw.jwt", []string{one.Token()}},
		"a file and one of it": {"operator: [raw.jwt, " + two.Token() + "]", []string{one.Token(), two.Token()}},
	}
	for _, key := range []string{"operator", "operators", "root", "roots", "root_operator", "root_operators"} {
		tests[key] = struct {
			text string
			want []string
		}{key + ": " + one.Token(), []string{one.Token()}}
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c, err := config.Parse(write("server.conf", tt.text+"\nresolver: MEMORY"), "")
			require.NoError(t, err)
			require.Equal(t, tt.want, c.Trust.Operators)
		})
	}
}

// TestTrustedKeys: without operators nothing else is needed (F008).
func TestTrustedKeys(t *testing.T) {
	key := authtest.NewOperator(t).PublicKey()
	for _, text := range []string{"trusted_keys: " + key, "trusted: [" + key + "]"} {
		c, err := parse(t, text)
		require.NoError(t, err)
		require.Equal(t, []string{key}, c.Trust.Keys)
		require.NotNil(t, c.Accounts.Memory)
	}
}

// TestSystemAccount: a single operator's is taken, unless the file names one
// (F011).
func TestSystemAccount(t *testing.T) {
	o := authtest.NewOperator(t, authtest.SystemAccount("SYS"))
	c, err := parse(t, memory(o))
	require.NoError(t, err)
	require.Equal(t, o.Account("SYS").PublicKey(), c.Trust.SystemAccount)
	c, err = parse(t, memory(o, "system_account: "+o.Account("A").PublicKey()))
	require.NoError(t, err)
	require.Equal(t, o.Account("A").PublicKey(), c.Trust.SystemAccount)
}

// TestPreload: a token under another account's key is nobody's (F016).
func TestPreload(t *testing.T) {
	o := authtest.NewOperator(t)
	a, b := o.Account("A"), o.Account("B")
	c, err := parse(t, memory(o, "resolver_preload {", a.PublicKey()+": "+a.Token(), b.PublicKey()+": "+o.Account("C").Token(), "}"))
	require.NoError(t, err)
	require.Len(t, c.Notices, 1)
	require.Contains(t, c.Notices[0], b.PublicKey())
	require.NotContains(t, c.Notices[0], "eyJ")
	for key, want := range map[string]error{
		a.PublicKey(): nil, b.PublicKey(): resolver.ErrNotFound, o.Account("C").PublicKey(): resolver.ErrNotFound,
	} {
		_, err := c.Accounts.Memory.Resolve(t.Context(), key)
		require.ErrorIs(t, err, want)
	}
}
