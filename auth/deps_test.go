package auth_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestDependencies: whoever imports auth links no HTTP, no cache library and
// nothing of the tests.
func TestDependencies(t *testing.T) {
	t.Parallel()
	deps := listDeps(t, "github.com/natsauth/natsauth/auth")
	require.Contains(t, deps, "github.com/natsauth/natsauth/claims", "the list is one of dependencies")
	var modules []string
	for _, d := range deps {
		require.NotEqual(t, "net/http", d)
		if first, _, _ := strings.Cut(d, "/"); strings.Contains(first, ".") && first != "golang.org" {
			parts := strings.SplitN(d, "/", 4)
			modules = append(modules, strings.Join(parts[:3], "/"))
		}
	}
	slices.Sort(modules)
	require.Equal(t, []string{
		"github.com/nats-io/jwt", "github.com/nats-io/nkeys", "github.com/natsauth/natsauth",
	}, slices.Compact(modules))
}

func listDeps(t *testing.T, pkg string) []string {
	t.Helper()
	out, err := exec.Command("go", "list", "-deps", pkg).Output()
	require.NoError(t, err)
	return strings.Fields(string(out))
}
