package config_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth/authtest"
	"github.com/natsauth/natsauth/examples/broker/internal/config"
)

// TestFixed: every field of a configuration is one that a reload follows, or one
// of which a change is told.
func TestFixed(t *testing.T) {
	followed := []string{"Trust", "Accounts", "Notices"}
	require.Empty(t, new(config.Config).Fixed(new(config.Config)))
	fields := reflect.TypeFor[config.Config]()
	for i := range fields.NumField() {
		running, next := new(config.Config), new(config.Config)
		switch v := reflect.ValueOf(next).Elem().Field(i); v.Kind() {
		case reflect.String:
			v.SetString("x")
		case reflect.Bool:
			v.SetBool(true)
		case reflect.Int, reflect.Int64:
			v.SetInt(7)
		default:
			require.Contains(t, followed, fields.Field(i).Name)
			continue
		}
		require.Len(t, next.Fixed(running), 1, fields.Field(i).Name)
		require.Equal(t, next.Fixed(running), running.Fixed(next))
		require.Empty(t, next.Fixed(next))
	}
}

// TestReplaces: a configuration takes the place of another one if it asks in the
// same place for accounts, and names the same system account.
func TestReplaces(t *testing.T) {
	o := authtest.NewOperator(t, authtest.SystemAccount("SYS"))
	sys, a := o.Account("SYS"), o.Account("A")
	preload := func(accounts ...*authtest.Account) string {
		lines := []string{"resolver_preload {"}
		for _, a := range accounts {
			lines = append(lines, a.PublicKey()+": "+a.Token())
		}
		return strings.Join(append(lines, "}"), "\n")
	}
	folder := func(dir string) string { return "resolver { type: full, dir: '/" + dir + "' }" }
	for _, tt := range []struct{ name, running, next, want string }{
		{"the same", preload(sys, a), preload(sys, a), ""},
		{"other accounts", preload(sys), preload(sys, a), ""},
		{"other bounds", preload(sys), preload(sys) + "\nmax_payload: 1", ""},
		{"the system account by name", preload(sys), preload(sys) + "\nsystem_account: " + sys.PublicKey(), ""},
		{"another system account", preload(sys, a), preload(sys, a) + "\nsystem_account: " + a.PublicKey(), "config: system_account: "},
		{"its token is gone", preload(sys, a), preload(a), "config: resolver_preload: system account"},
		{"a folder", preload(sys), folder("a"), `config: resolver: full "/a" in place of memory is not supported while running`},
		{"no folder", folder("a"), preload(sys), `config: resolver: memory in place of full "/a"`},
		{"another folder", folder("a"), folder("b"), `config: resolver: full "/b" in place of full "/a"`},
		{"another kind", folder("a"), strings.Replace(folder("a"), "full", "cache", 1), `config: resolver: cache "/a" in place of full "/a"`},
		{"an account server", preload(sys), "resolver: URL(http://x)", "an account server in place of memory"},
		{"the same folder, which need not have the system account", folder("a"), folder("a"), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			running, err := parse(t, memory(o, tt.running))
			require.NoError(t, err)
			next, err := parse(t, memory(o, tt.next))
			require.NoError(t, err)
			err = next.Replaces(running)
			if tt.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, tt.want)
		})
	}
}
