package conformance_test

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/bench/conformance/internal/hits"
	"github.com/natsauth/natsauth/bench/conformance/internal/peer"
	"github.com/natsauth/natsauth/bench/conformance/internal/verdict"
)

// What all tests of the folder write into, and TestMain judges at the end.
var (
	rows hits.Table
	book verdict.Book
)

// TestMain prints what was met. Where all tests ran, a row of the feature table
// that nothing met is a failure, and so is a difference that no longer shows.
func TestMain(m *testing.M) {
	flag.Parse()
	_ = flag.Set("test.parallel", "8") // most tests wait, for servers or for the clock
	code := m.Run()
	peer.Clean()
	switch {
	case code != 0:
	case peer.Mirrored():
		code = quiet()
	case whole():
		code = settle()
	}
	os.Exit(code)
}

// whole says that all tests ran, and against the broker.
func whole() bool {
	for _, name := range []string{"test.run", "test.skip", "test.list", "test.bench"} {
		if flag.Lookup(name).Value.String() != "" {
			return false
		}
	}
	return !testing.Short()
}

// quiet says that a server does not differ from itself, on purpose or otherwise.
func quiet() int {
	if used := book.Used(); len(used) > 0 {
		fmt.Println("FAIL: one server, and still it differs:", used)
		return 1
	}
	return 0
}

func settle() int {
	rows.Print(os.Stdout, hits.Rows())
	book.Print(os.Stdout)
	wrong := book.Stale()
	for _, row := range rows.Missing(hits.Rows()) {
		wrong = append(wrong, row+" was not met")
	}
	for _, w := range wrong {
		fmt.Println("FAIL:", w)
	}
	return min(len(wrong), 1)
}

// TestSentences holds that every claim has its sentence, and every sentence its
// claim.
func TestSentences(t *testing.T) {
	sentences, err := verdict.Sentences("testdata/known_differences.json")
	require.NoError(t, err)
	require.Empty(t, verdict.Unexplained(sentences))
	require.Len(t, verdict.Unexplained(map[string]string{"B99": "made up"}), len(sentences)+1, "it can fail")
}

// full says that the long run is wanted.
func full() bool { return os.Getenv("NATSAUTH_CONFORMANCE") == "full" }
