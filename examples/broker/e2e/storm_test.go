package e2e_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth/authtest"
)

// The bounds of a storm: what the broker may have more at its end than after its
// first tenth. A round leaves nothing behind: with 1 KiB or one goroutine kept of
// each connection a long run is far beyond them, and with a whole connection kept
// the run for every day is, too.
const (
	stormRounds     = 300     // of the run for every day
	stormConnection = 4       // connections of a round
	moreMemory      = 7 << 10 // KiB of resident memory; not looked at with the race detector, which keeps more
	moreFiles       = 8       // open files, so connections
	moreGoroutines  = 8       // beside those of a broker that has just begun
)

// TestProtocolStorm throws sessions at the broker that were valid before somebody
// touched their bytes, some of known users, some of strangers. The broker lives,
// serves those it knows, and keeps nothing of it.
func TestProtocolStorm(t *testing.T) {
	w := newWorld(t, authtest.Revoke("revoked", time.Now()), authtest.Scope("role", authtest.SubAllow("a.{{name()}}.>"), authtest.Limits(10, 100)))
	s := w.with("authorization { timeout: 600 }").serve(t)
	st := newStorm(t, s, w)
	known := newRegular(t, s, w.admin())
	known.served()
	begin, end := st.rage(known)
	known.served()
	st.compare(begin, end)
	st.compareGoroutines(known)
}

// storm is the weather and those who make it.
type storm struct {
	t     *testing.T
	s     *server
	rand  *rand.Rand
	users []user
	until func(round int) float64 // how much of the storm is over, 0 to 1
}

func newStorm(t *testing.T, s *server, w *world) *storm {
	t.Helper()
	stranger := authtest.NewOperator(t, authtest.From("elsewhere")).Account("X").User("u")
	st := &storm{t: t, s: s, users: []user{
		w.admin(), of(w.app.User("revoked")), of(w.app.User("r", authtest.SignedBy("role"))), of(stranger), {token: w.admin().token}, {},
		of(w.app.User("narrow", authtest.PubAllow("a.>"), authtest.SubAllow("a.>", "b q"), authtest.SubDeny("a.b"), authtest.Responses(2, time.Minute))),
	}}
	seed := uint64(1)
	began := time.Now()
	long, err := time.ParseDuration(os.Getenv("NATSAUTH_STORM"))
	if err == nil {
		seed = uint64(began.UnixNano())
		st.until = func(int) float64 { return float64(time.Since(began)) / float64(long) }
	} else {
		require.Empty(t, os.Getenv("NATSAUTH_STORM"), "a duration is expected: %v", err)
		st.until = func(round int) float64 { return float64(round) / stormRounds }
	}
	t.Logf("seed %d; %d rounds of %d connections every day; for long: NATSAUTH_STORM=10m go test ./e2e -run TestProtocolStorm -timeout 20m -v", seed, stormRounds, stormConnection)
	st.rand = rand.New(rand.NewPCG(seed, 0))
	return st
}

// rage is the storm. It gives what the broker used after its first tenth, and
// what at the end.
func (st *storm) rage(known *regular) (begin, end usage) {
	st.t.Helper()
	rounds := 0
	for st.until(rounds) < 1 {
		for range stormConnection {
			st.connection()
		}
		if rounds++; rounds%50 == 0 {
			known.served()
		}
		if begin == (usage{}) && st.until(rounds) >= 0.1 {
			begin = st.s.usage(known)
		}
	}
	st.t.Logf("%d rounds", rounds)
	return begin, st.s.usage(known)
}

// connection sends one spoilt session, in pieces, and goes away: before the
// broker ends it or after.
func (st *storm) connection() {
	st.t.Helper()
	c := dial(st.t, st.s)
	defer c.conn.Close()
	text := st.spoil(st.session(c))
	done := make(chan struct{})
	go func() { // what it says does not matter, that it says something does
		defer close(done)
		io.Copy(io.Discard, c.in)
	}()
	c.conn.SetDeadline(time.Now().Add(patience))
	for len(text) > 0 {
		n := 1 + st.rand.IntN(len(text))
		if _, err := c.conn.Write(text[:n]); err != nil {
			break // the broker had enough
		}
		text = text[n:]
	}
	if st.rand.IntN(2) == 0 {
		c.conn.(*net.TCPConn).CloseWrite()
		<-done
	}
	c.conn.Close()
	<-done
}

// session is what a good client of one of the users sends.
func (st *storm) session(c *raw) []byte {
	u := st.users[st.rand.IntN(len(st.users))]
	var b bytes.Buffer
	fmt.Fprintf(&b, "CONNECT %s\r\n", c.connectJSON(u, field{"verbose", st.rand.IntN(2) == 0}, field{"pedantic", st.rand.IntN(2) == 0},
		field{"no_responders", st.rand.IntN(2) == 0}, field{"protocol", st.rand.IntN(2)}, field{"echo", st.rand.IntN(2) == 0}))
	for range 1 + st.rand.IntN(20) {
		b.WriteString(st.operation(c, u))
	}
	return b.Bytes()
}

// operation is one thing that a client says.
func (st *storm) operation(c *raw, u user) string {
	subject, sid, size := st.subject(), st.rand.IntN(8), st.rand.IntN(300)
	payload := strings.Repeat("x", size)
	switch st.rand.IntN(10) {
	case 0:
		return fmt.Sprintf("SUB %s %d\r\n", subject, sid)
	case 1:
		return fmt.Sprintf("SUB %s q %d\r\n", subject, sid)
	case 2:
		return fmt.Sprintf("UNSUB %d\r\n", sid)
	case 3:
		return fmt.Sprintf("UNSUB %d %d\r\n", sid, st.rand.IntN(4))
	case 4, 5:
		return fmt.Sprintf("PUB %s %d\r\n%s\r\n", subject, size, payload)
	case 6:
		return fmt.Sprintf("PUB %s %s %d\r\n%s\r\n", subject, st.subject(), size, payload)
	case 7:
		return fmt.Sprintf("HPUB %s %s 18 %d\r\nNATS/1.0\r\nA: b\r\n\r\n%s\r\n", subject, st.subject(), 18+size, payload)
	case 8:
		return fmt.Sprintf("CONNECT %s\r\n", c.connectJSON(u))
	default:
		return "PING\r\nPONG\r\n"
	}
}

func (st *storm) subject() string {
	tokens := []string{"a", "b", "*", ">", "_INBOX", "$SYS", "REQ", "USER", "INFO", "_R_", "$JS.ACK", "$NRG", "\xff", ""}
	var out []string
	for range 1 + st.rand.IntN(4) {
		out = append(out, tokens[st.rand.IntN(len(tokens))])
	}
	return strings.Join(out, ".")
}

// spoil changes bytes in a few places; one session in eight is left as it is.
func (st *storm) spoil(b []byte) []byte {
	for n := st.rand.IntN(8); n > 0 && len(b) > 0; n-- {
		b = st.spoilOnce(b, st.rand.IntN(len(b)))
	}
	return b
}

func (st *storm) spoilOnce(b []byte, at int) []byte {
	end := min(len(b), at+1+st.rand.IntN(64))
	put := func(text string) []byte { return append(append(bytes.Clone(b[:at]), text...), b[at:]...) }
	switch st.rand.IntN(9) {
	case 0:
		b[at] ^= 1 << st.rand.IntN(8)
		return b
	case 1:
		return b[:at]
	case 2:
		return append(bytes.Clone(b[:at]), b[end:]...)
	case 3:
		return put(string(b[at:end]))
	case 4:
		return put([]string{"\r\n", "\n", "\r", " ", "\t", "\x00", "\"", "{", "}", "[", "{{name()}}", "\\u0000"}[st.rand.IntN(12)])
	case 5:
		return put([]string{"-1", "0", "99999999999", "9223372036854775807", "18446744073709551616", "2147483648", "1e9", "0x7f"}[st.rand.IntN(8)])
	case 6:
		return put([]string{"PUB a 10\r\n", "SUB > 1\r\n", "CONNECT {}\r\n", "INFO {}\r\n", "MSG a 1 2\r\nhi\r\n", "-ERR 'x'\r\n", "+OK\r\n", "PING\r\n"}[st.rand.IntN(8)])
	case 7:
		return put(strings.Repeat("A", 1<<st.rand.IntN(14)))
	default:
		return binary.LittleEndian.AppendUint64(bytes.Clone(b[:at]), st.rand.Uint64())
	}
}

// usage is what a process has. It is zero where nobody tells, and for the
// reference, which has no process of its own.
type usage struct {
	memory int // KiB, resident
	files  int // open
}

// usage waits for the end of what has been going on: the connections of the
// storm are gone, those of the regular are there.
func (s *server) usage(known *regular) usage {
	s.t.Helper()
	known.served()
	if s.pid == 0 || runtime.GOOS != "linux" {
		return usage{}
	}
	folder := fmt.Sprintf("/proc/%d", s.pid)
	count := func() int {
		files, err := filepath.Glob(folder + "/fd/*")
		require.NoError(s.t, err)
		return len(files)
	}
	files := count()
	waitFor(s.t, "connections to be closed", func() bool {
		before := files
		time.Sleep(50 * time.Millisecond)
		files = count()
		return files == before
	})
	m := regexp.MustCompile(`VmRSS:\s+(\d+) kB`).FindStringSubmatch(readText(s.t, folder+"/status"))
	require.NotNil(s.t, m)
	memory, err := strconv.Atoi(m[1])
	require.NoError(s.t, err)
	return usage{memory, files}
}

func (st *storm) compare(begin, end usage) {
	st.t.Helper()
	st.t.Logf("after the first tenth: %d KiB, %d files; at the end: %d KiB, %d files", begin.memory, begin.files, end.memory, end.files)
	require.LessOrEqual(st.t, end.files, begin.files+moreFiles)
	if !raced {
		require.LessOrEqual(st.t, end.memory, begin.memory+moreMemory)
	}
}

// compareGoroutines has the broker tell its goroutines, which ends it, and those
// of a broker that has seen nothing but the regular.
func (st *storm) compareGoroutines(known *regular) {
	st.t.Helper()
	if reference() || runtime.GOOS == "windows" {
		return
	}
	twin := serve(st.t, readText(st.t, st.s.config))
	calm := newRegular(st.t, twin, known.u)
	calm.served()
	before, after := twin.goroutines(), st.s.goroutines()
	st.t.Logf("goroutines: %d of a broker that has just begun, %d after the storm", before, after)
	require.NotZero(st.t, before)
	require.LessOrEqual(st.t, after, before+moreGoroutines)
}

// goroutines ends the process with the signal that has it print every goroutine,
// and counts them.
func (s *server) goroutines() int {
	s.t.Helper()
	s.end = nil
	require.NoError(s.t, s.process.cmd.Process.Signal(syscall.SIGQUIT))
	require.Equal(s.t, 2, s.process.exitCode())
	return len(regexp.MustCompile(`(?m)^goroutine \d+ `).FindAllString(s.log.String(), -1))
}
