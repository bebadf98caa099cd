// The tests of this folder run the broker as a program and talk to it through
// its socket, as nats.go does and as no client would.
//
//	go test ./e2e                             # builds the broker, and runs it
//	NATSAUTH_E2E=reference go test ./e2e      # the same tests against nats-server, embedded
//	NATSAUTH_STORM=10m go test ./e2e -run TestProtocolStorm -timeout 20m -v
//	NATSAUTH_FLOOD=10000 go test ./e2e -run TestFlood -v
//
// What runs against both is what both promise. Where this broker promises
// something else, the test names the rule (B3, B16) and is skipped for the
// reference.
package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	// What the program is made of: a test result is no longer good when it changes.
	_ "github.com/natsauth/natsauth/examples/broker/internal/broker"
	_ "github.com/natsauth/natsauth/examples/broker/internal/config"
)

// patience is how long a test waits for what must happen. Nothing here is
// proven by its running out, except that a test failed.
const patience = 30 * time.Second

// reference tells whether nats-server is under test. It is asked in the tests,
// not before, so that `go test` knows what its cached results depend on.
func reference() bool { return os.Getenv("NATSAUTH_E2E") == "reference" }

// folder holds the broker, once it is built.
var folder string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

// run runs the tests, and looks for goroutines that they left behind: those of
// the clients, for the broker is another process.
func run(m *testing.M) int {
	var err error
	if folder, err = os.MkdirTemp("", "broker-e2e"); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	defer os.RemoveAll(folder)
	code := m.Run()
	if reference() {
		return code // nats-server, in this process, keeps goroutines of its own
	}
	if err := goleak.Find(); code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	return code
}

// program is the broker, built when it is first asked for. What it is made of is
// read as well: a cached result of `go test` is one for these very files, and
// for the packages imported above.
var program = sync.OnceValues(func() (string, error) {
	files, err := filepath.Glob("../*.go")
	if err != nil {
		return "", err
	}
	for _, f := range files {
		if _, err := os.ReadFile(f); err != nil {
			return "", err
		}
	}
	out := filepath.Join(folder, "broker.exe")
	return out, build(out)
})

func build(out string) error {
	args := []string{"build", "-o", out}
	if raced {
		args = append(args, "-race")
	}
	text, err := exec.Command("go", append(args, "..")...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("go build: %w\n%s", err, text)
	}
	return nil
}

// differs ends a test, or a row, that the reference answers otherwise, and says
// which rule of ours it is about.
func differs(t *testing.T, why string) {
	t.Helper()
	if reference() {
		t.Skip("ours differs: " + why)
	}
}

// ours ends a test of what the reference does not have.
func ours(t *testing.T, what string) {
	t.Helper()
	if reference() {
		t.Skip("only of this broker: " + what)
	}
}
