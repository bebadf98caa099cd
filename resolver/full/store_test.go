package full_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/natsauth/natsauth/resolver"
	"github.com/natsauth/natsauth/resolver/full"
	"github.com/natsauth/natsauth/resolver/resolvertest"
)

var (
	_ resolver.Store       = (*full.Store)(nil)
	_ resolver.Watcher     = (*full.Store)(nil)
	_ resolver.SystemBound = (*full.Store)(nil)
	_ resolver.Lister      = (*full.Store)(nil)
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open opens a directory for the time of the test.
func open(t *testing.T, dir string, o full.Options) *full.Store {
	t.Helper()
	s, err := full.Open(dir, o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// save saves tokens.
func save(t *testing.T, s resolver.Store, tokens ...string) {
	t.Helper()
	for _, token := range tokens {
		_, err := s.Save(t.Context(), token, resolver.Override)
		require.NoError(t, err)
	}
}

func TestStore(t *testing.T) {
	for name, o := range map[string]full.Options{
		"hard": {Delete: full.DeleteHard}, "rename": {Delete: full.DeleteRename}, "sharded": {Delete: full.DeleteHard, Sharded: true},
		"evicting": {Delete: full.DeleteHard, Limit: 1000, Evict: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stored := func(t *testing.T, tokens ...string) resolver.Resolver {
				s := open(t, t.TempDir(), o)
				save(t, s, tokens...)
				return s
			}
			resolvertest.Run(t, stored)
			t.Run("Remembers", func(t *testing.T) {
				resolvertest.Remembers(t, stored, func(_ *testing.T, s resolver.Store) resolver.Store { return s })
			})
		})
	}
}
