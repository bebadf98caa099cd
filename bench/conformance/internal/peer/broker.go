package peer

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// built is where the broker's program of this run lies. [Clean] removes it.
func built() string {
	return filepath.Join(os.TempDir(), fmt.Sprintf("natsauth-conformance-%d", os.Getpid()))
}

// Clean removes what was built. Call it when no broker is to be started any more.
func Clean() { _ = os.RemoveAll(built()) }

// broker builds the example broker, once a run, and gives its program.
var broker = sync.OnceValues(func() (string, error) {
	source, err := source()
	if err != nil {
		return "", err
	}
	file := filepath.Join(built(), "broker")
	build := exec.Command("go", "build", "-o", file, ".")
	build.Dir = source
	if said, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("peer: the broker does not build: %w\n%s", err, said)
	}
	return file, nil
})

// Prepare builds the broker, which takes a while, so that what is made afterwards
// is still young when the servers start.
func Prepare(tb testing.TB) {
	tb.Helper()
	if Mirrored() {
		return
	}
	if _, err := broker(); err != nil {
		tb.Fatal(err)
	}
}

// source finds the broker's folder, from the folder of the test upwards.
func source() (string, error) {
	dir, err := os.Getwd()
	for err == nil {
		found := filepath.Join(dir, "examples", "broker")
		if _, missing := os.Stat(filepath.Join(found, "go.mod")); missing == nil {
			return found, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("peer: examples/broker is not there")
		}
		dir = up
	}
	return "", err
}

// tail keeps the end of what a process writes. It may be used by several
// goroutines.
type tail struct {
	mu   sync.Mutex
	text []byte // guarded by mu
}

const tailSize = 1 << 16 // enough for the stack of a crash

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if extra := len(t.text) - tailSize; extra > 0 {
		t.text = append(t.text[:0], t.text[extra:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.text)
}

// runBroker starts the broker with a configuration file and waits until it says
// where it listens.
func runBroker(file string) (*Server, error) {
	program, err := broker()
	if err != nil {
		return nil, err
	}
	said := &tail{}
	cmd := exec.Command(program, "-config", file, "-addr", "127.0.0.1:0")
	cmd.Stderr = said
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, ended: make(chan error, 1)}
	addr, err := p.listening(out)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("peer: broker: %w\n%s", err, said), p.stop())
	}
	return &Server{addr: addr, stop: p.stop, log: said.String}, nil
}

// process is a broker that runs.
type process struct {
	cmd   *exec.Cmd
	ended chan error
}

// listening reads the line that tells the address, and then the rest, until the
// process ends.
func (p *process) listening(out io.Reader) (string, error) {
	first := make(chan string, 1)
	go func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if addr, ok := strings.CutPrefix(lines.Text(), "listening on "); ok {
				first <- addr
			}
		}
		p.ended <- p.cmd.Wait()
		close(first)
	}()
	select {
	case addr, ok := <-first:
		if !ok {
			return "", errors.New("it does not start")
		}
		return addr, nil
	case <-time.After(patience):
		return "", errors.New("it does not say where it listens")
	}
}

// stop asks the process to end and makes sure that it does. A process that had
// ended before, or that ends otherwise than it should, is an error.
func (p *process) stop() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-p.ended:
		if err != nil {
			return fmt.Errorf("peer: the broker ended: %w", err)
		}
		return nil
	case <-time.After(patience):
		return errors.Join(errors.New("peer: the broker does not end"), p.cmd.Process.Kill(), <-p.ended)
	}
}
