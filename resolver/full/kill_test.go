package full_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/resolver"
	"github.com/natsauth/natsauth/resolver/full"
	"github.com/natsauth/natsauth/resolver/resolvertest"
)

const (
	killsEnv = "NATSAUTH_KILLS"     // how many
	childEnv = "NATSAUTH_KILL_DIR"  // where a child writes
	fromEnv  = "NATSAUTH_KILL_FROM" // which operation it begins with
)

// deed is one operation of a child: the same for whoever asks for the same number.
type deed struct {
	account int
	iat     int64 // 0: it is deleted
}

func deedOf(n int) deed {
	r := rand.New(rand.NewPCG(uint64(n), 1))
	d := deed{account: r.IntN(6), iat: int64(n + 1)}
	if r.IntN(4) == 0 {
		d.iat = 0
	}
	return d
}

// TestKilledChild writes until it is killed. TestKills runs it.
func TestKilledChild(t *testing.T) {
	dir := os.Getenv(childEnv)
	if dir == "" {
		return
	}
	n, err := strconv.Atoi(os.Getenv(fromEnv))
	require.NoError(t, err)
	s, err := full.Open(dir, full.Options{Delete: full.DeleteHard})
	require.NoError(t, err)
	for ; ; n++ {
		d := deedOf(n)
		if d.iat == 0 {
			err = s.Delete(context.Background(), resolvertest.Account(t, d.account))
		} else {
			_, err = s.Save(context.Background(), resolvertest.Token(t, d.account, d.iat), resolver.Push)
		}
		require.NoError(t, err)
		fmt.Println(n)
		if n%50 == 0 {
			_, err := s.Reload(context.Background()) // the index is written, too
			require.NoError(t, err)
		}
	}
}

// TestKills kills a process that writes, again and again: what it has acknowledged is there, what it had begun is there or
// not, and nothing is between. NATSAUTH_KILLS says how often.
func TestKills(t *testing.T) {
	kills := 20
	if text := os.Getenv(killsEnv); text != "" {
		var err error
		kills, err = strconv.Atoi(text)
		require.NoError(t, err)
	}
	dir := t.TempDir()
	held, deleted := make(map[int]int64), make(map[int]int64)
	next, begun := 0, 0
	for range kills {
		last := killed(t, dir, next)
		for ; next <= last; next++ {
			done(deedOf(next), held, deleted)
		}
		if caught(t, dir, deedOf(next), held, deleted) {
			begun++
			done(deedOf(next), held, deleted)
			next++
		}
	}
	t.Logf("killed %d times (%s=200 for more), %d operations, %d of them not acknowledged and there", kills, killsEnv, next, begun)
	require.Positive(t, next)
}

func done(d deed, held, deleted map[int]int64) {
	switch was, ok := held[d.account]; {
	case d.iat != 0:
		held[d.account] = d.iat
		delete(deleted, d.account)
	case ok:
		delete(held, d.account)
		deleted[d.account] = was
	}
}

// killed has a child write, kills it, and gives the last operation that it has acknowledged.
func killed(t *testing.T, dir string, from int) int {
	t.Helper()
	c := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilledChild$")
	c.Env = append(os.Environ(), childEnv+"="+dir, fromEnv+"="+strconv.Itoa(from))
	out, err := c.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	last := from - 1
	first := make(chan struct{})
	lines := bufio.NewScanner(out)
	go func() {
		<-first
		time.Sleep(time.Duration(rand.IntN(20_000)) * time.Microsecond)
		c.Process.Kill()
	}()
	for lines.Scan() {
		n, err := strconv.Atoi(strings.TrimSpace(lines.Text()))
		if err != nil {
			t.Error(lines.Text())
			continue
		}
		if n == from {
			close(first)
		}
		last = n
	}
	var ended *exec.ExitError
	require.ErrorAs(t, c.Wait(), &ended)
	require.GreaterOrEqual(t, last, from)
	return last
}

// caught opens what a killed process has left, and says whether the operation that it had begun is done.
func caught(t *testing.T, dir string, d deed, held, deleted map[int]int64) bool {
	t.Helper()
	s, err := full.Open(dir, full.Options{Delete: full.DeleteHard})
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	require.Empty(t, s.Faults())
	left, err := filepath.Glob(filepath.Join(dir, ".[A-Z]*"))
	require.NoError(t, err)
	require.Empty(t, left)
	var tokens []string
	begun := false
	for account := range 6 {
		was, has := held[account]
		token, err := s.Resolve(t.Context(), resolvertest.Account(t, account))
		if account == d.account {
			switch {
			case d.iat != 0 && err == nil && token == resolvertest.Token(t, account, d.iat):
				begun, was, has = true, d.iat, true
			case d.iat == 0 && has && errors.Is(err, resolver.ErrNotFound):
				begun, has = true, false
			}
		}
		if has {
			tokens = append(tokens, resolvertest.Token(t, account, was))
		}
	}
	resolvertest.Holds(t, s, tokens...)
	for account, iat := range deleted {
		if account == d.account {
			continue
		}
		_, err := s.Save(t.Context(), resolvertest.Token(t, account, iat-1), resolver.Push)
		require.ErrorIs(t, err, resolver.ErrRollback)
	}
	return begun
}
