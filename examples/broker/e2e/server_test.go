package e2e_test

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// server is the broker under test. It is stopped when the test ends.
type server struct {
	t      *testing.T
	config string       // the file
	data   string       // the folder of -data
	addr   string       // 127.0.0.1:0 until it listens, then where it listens, also after a restart
	end    func()       // ends it, and asserts that it ends well; nil once it was called
	pid    int          // of the process; 0 for the reference, which has none of its own
	again  func() error // has it read the configuration again

	process *process
	log     *output
}

// serve starts a broker with the text of a configuration.
func serve(t *testing.T, config string) *server {
	t.Helper()
	return serveIn(t, t.TempDir(), config)
}

// serveIn starts a broker whose relative folders are below dir.
func serveIn(t *testing.T, dir, config string) *server {
	t.Helper()
	file := filepath.Join(dir, "server.conf")
	require.NoError(t, os.WriteFile(file, []byte(config), 0o600))
	s := &server{t: t, config: file, data: dir, addr: "127.0.0.1:0"}
	s.start()
	return s
}

func (s *server) start() {
	s.t.Helper()
	if reference() {
		s.startReference()
	} else {
		s.startProcess()
	}
	s.t.Cleanup(s.stop) // after the clean-up of the process, so that it is done before
}

// stop ends the broker, unless it was ended before.
func (s *server) stop() {
	s.t.Helper()
	if end := s.end; end != nil {
		s.end = nil
		end()
	}
}

// restart stops the broker and starts it again at the same address.
func (s *server) restart() {
	s.t.Helper()
	s.stop()
	s.start()
}

func (s *server) url() string { return "nats://" + s.addr }

// startProcess runs the program and waits until it says that it listens.
func (s *server) startProcess() {
	s.t.Helper()
	p := launch(s.t, "-config", s.config, "-addr", s.addr, "-data", s.data)
	s.addr, s.pid, s.log, s.process = p.listening(), p.cmd.Process.Pid, p.stderr, p
	s.again = func() error { return p.cmd.Process.Signal(syscall.SIGHUP) }
	s.end = func() { p.terminate(syscall.SIGTERM) }
}

// process is the program, running.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	stdout *output
	stderr *output
	exited chan struct{}
}

// launch starts the program with these arguments. It is killed when the test
// ends, if it has not ended before.
func launch(t *testing.T, args ...string) *process {
	t.Helper()
	file, err := program()
	require.NoError(t, err)
	p := &process{t: t, cmd: exec.Command(file, args...), stdout: newOutput(), stderr: newOutput(), exited: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = p.stdout, p.stderr
	p.cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0") // at every end of a raced broker, a second otherwise
	require.NoError(t, p.cmd.Start())
	go func() {
		defer close(p.exited)
		p.cmd.Wait() // the state is in cmd.ProcessState
	}()
	t.Cleanup(func() {
		p.cmd.Process.Kill()
		<-p.exited
		if t.Failed() {
			t.Logf("the broker's log:\n%s", p.stderr.tail(4000))
		}
	})
	return p
}

// listening waits for the line that names the address.
func (p *process) listening() string {
	p.t.Helper()
	const begin = "listening on "
	var addr string
	waitFor(p.t, "a line that says where it listens", func() bool {
		select {
		case <-p.exited:
			require.Fail(p.t, "the broker ended before it listened", p.stderr.String())
		default:
		}
		for _, line := range p.stdout.lines() {
			if strings.HasPrefix(line, begin) {
				addr = strings.TrimPrefix(line, begin)
			}
		}
		return addr != ""
	})
	return addr
}

// terminate sends a signal and asserts a clean end: exit code 0, no panic and
// no data race.
func (p *process) terminate(sig os.Signal) {
	p.t.Helper()
	select {
	case <-p.exited:
		require.Fail(p.t, "the broker had ended before it was told to", p.stderr.tail(4000))
	default:
	}
	require.NoError(p.t, p.cmd.Process.Signal(sig))
	require.Zero(p.t, p.exitCode(), p.stderr.tail(4000))
	for _, bad := range []string{"DATA RACE", "panic:", "goroutine "} {
		require.NotContains(p.t, p.stderr.String(), bad)
	}
}

// exitCode waits for the end of the process.
func (p *process) exitCode() int {
	p.t.Helper()
	select {
	case <-p.exited:
	case <-time.After(patience):
		require.Fail(p.t, "the broker does not end", p.stderr.tail(4000))
	}
	return p.cmd.ProcessState.ExitCode()
}

// output collects what a process writes. Safe for several goroutines.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer // guarded by mu
}

func newOutput() *output { return &output{} }

// Write adds to the output. It cannot fail.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

// String is everything so far.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// lines gives the whole lines so far.
func (o *output) lines() []string {
	var out []string
	text := o.String()
	scan := bufio.NewScanner(strings.NewReader(text[:strings.LastIndexByte(text, '\n')+1]))
	for scan.Scan() {
		out = append(out, scan.Text())
	}
	return out
}

// tail is the end of what was written, n bytes at most.
func (o *output) tail(n int) string {
	text := o.String()
	return text[max(0, len(text)-n):]
}

// waitFor polls until a condition holds, and fails the test when patience is
// over.
func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !done(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			require.Fail(t, "waited in vain for "+what)
		}
	}
}
