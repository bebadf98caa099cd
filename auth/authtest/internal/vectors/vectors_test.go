package vectors_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/auth/authtest"
)

var update = flag.Bool("update", false, "write the vectors anew")

// folder is where the files are, from here.
const folder = "../../../testdata/vectors"

// preface stands at the top of every file.
const preface = "# Written by auth/authtest/internal/vectors; the format is in README.md.\n\n"

// TestFiles holds the files to the table: each is there, says the same to the
// last byte, and there is no other.
func TestFiles(t *testing.T) {
	want := make(map[string]string)
	for _, v := range table(t) {
		text, err := v.MarshalText()
		require.NoError(t, err)
		want[v.File] = preface + string(text)
	}
	if *update {
		write(t, want)
	}
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	for _, e := range entries {
		if e.Name() == "README.md" {
			continue
		}
		require.Contains(t, want, e.Name(), "a file that the table does not know")
		have, err := os.ReadFile(filepath.Join(folder, e.Name()))
		require.NoError(t, err)
		require.Equal(t, want[e.Name()], string(have), e.Name())
		delete(want, e.Name())
	}
	require.Empty(t, want, "files that are missing: run with -update and read what changed")
}

func write(t *testing.T, want map[string]string) {
	t.Helper()
	old, err := filepath.Glob(filepath.Join(folder, "*.txt"))
	require.NoError(t, err)
	for _, f := range old {
		require.NoError(t, os.Remove(f))
	}
	for name, text := range want {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644))
	}
}

// TestReadme wants every key of the format explained, and every step and reason.
func TestReadme(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join(folder, "README.md"))
	require.NoError(t, err)
	words := authtest.VectorKeys()
	for _, r := range auth.Reasons() {
		words = append(words, r.String())
	}
	for _, v := range table(t) {
		if v.Step != "" {
			words = append(words, v.Step)
		}
	}
	for _, w := range words {
		require.True(t, strings.Contains(string(readme), "`"+w+"`"), "README.md does not explain %q", w)
	}
}

// TestRules wants rules that exist, and a vector for each that is about CONNECT.
func TestRules(t *testing.T) {
	listed, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "doc", "rules.md"))
	require.NoError(t, err)
	seen := make(map[string]bool)
	for _, v := range table(t) {
		require.NotEmpty(t, v.Rules, v.File)
		for _, r := range v.Rules {
			require.True(t, strings.Contains(string(listed), "\n| "+r+" |"), "%s: doc/rules.md does not list %s", v.File, r)
			seen[r] = true
		}
	}
	for _, r := range strings.Fields(`
		F001 F002 F003 F004 F005 F006 F008 F010 F011 F012 F013 F014 F015 F016 F019 F020 F021
		F027 F028 F029 F030 F031 F033 F034 F035 F036 F037 F038 F039 F040 F041 F042 F043 F044 F045 F046 F047 F048 F049 F050 F052 F053
		B1 B2 B3 B4 B7 B8 B9 B11 B12 B13 B14 B15 B18 B19 B22
		null-objects revocation-time chosen-account deny-overlap no-default-identity size-first
		secret-shown no-exemption same-value line-breaks key-length`) {
		require.True(t, seen[r], "no vector holds %s", r)
	}
}
