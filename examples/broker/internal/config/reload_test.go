package config_test

import (
	"context"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth/authtest"
	"github.com/natsauth/natsauth/examples/broker/internal/config"
	"github.com/natsauth/natsauth/resolver"
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
		{"a folder", preload(sys), folder("a"), `config: resolver: folder "/a" in place of memory is not supported while running`},
		{"no folder", folder("a"), preload(sys), `config: resolver: memory in place of folder "/a"`},
		{"another folder", folder("a"), folder("b"), `config: resolver: folder "/b" in place of folder "/a"`},
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

// TestFolderWatch: whoever watches is told of every reload, of one that was before
// too, and looks in the new place then.
func TestFolderWatch(t *testing.T) {
	a := authtest.NewOperator(t).Account("A")
	next, err := resolver.NewMemory(a.Token())
	require.NoError(t, err)
	f := &config.Folder{Path: t.TempDir(), Preload: &resolver.Memory{}}
	_, err = f.Resolve(t.Context(), a.PublicKey())
	require.ErrorIs(t, err, resolver.ErrNotFound)

	f.Reload(next)
	told, ended := make(chan string, 1), make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { ended <- f.Watch(ctx, func(account string) { told <- account }) }()
	require.Empty(t, within(t, told))
	got, err := f.Resolve(t.Context(), a.PublicKey())
	require.NoError(t, err)
	require.Equal(t, a.Token(), got)

	f.Reload(&resolver.Memory{})
	require.Empty(t, within(t, told))
	_, err = f.Resolve(t.Context(), a.PublicKey())
	require.ErrorIs(t, err, resolver.ErrNotFound)
	cancel()
	require.ErrorIs(t, within(t, ended), context.Canceled)
}

// within waits for what has to come.
func within[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case got := <-from:
		return got
	case <-time.After(30 * time.Second):
		require.Fail(t, "nothing comes")
		panic("not reached")
	}
}
