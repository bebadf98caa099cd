package e2e_test

import (
	"crypto/ed25519"
	"fmt"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth/authtest"
)

// crowdSize is how many clients TestCrowd has: NATSAUTH_CROWD, or a few. Each takes a
// file descriptor here and one in the broker.
func crowdSize(t *testing.T) int {
	t.Helper()
	text := os.Getenv("NATSAUTH_CROWD")
	if text == "" {
		return 200
	}
	n, err := strconv.Atoi(text)
	require.NoError(t, err)
	return n
}

// TestCrowd: an update reaches every socket that it is about, and no other: with none,
// one and all of a crowd revoked. How long it took from the signal to reload until the
// last of them was closed is printed, in Ed25519 verifications and in time; nothing is asserted
// of it.
func TestCrowd(t *testing.T) {
	if reference() {
		t.Skip("the broker alone")
	}
	n := crowdSize(t)
	t.Logf("%d clients every day; for long: NATSAUTH_CROWD=10000 go test ./e2e -run TestCrowd -v", n)
	for _, row := range []struct {
		name    string
		revoked int
		change  authtest.Option
	}{
		{"none revoked", 0, authtest.Edit(func(c *jwt.AccountClaims) { c.Description = "the same for everybody" })},
		{"one revoked", 1, authtest.Revoke("u0", authtest.Now())},
		{"all revoked", n, authtest.Revoke("*", authtest.Now())},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t)
			s := w.serve(t)
			crowd := make([]*raw, n)
			for i := range crowd {
				crowd[i] = enter(t, s, of(w.app.User(fmt.Sprint("u", i), authtest.IssuedAt(authtest.Now()))))
			}
			w.app = w.app.Renew(row.change)
			s.rewrite(w.config())
			ends := listenAll(crowd[:row.revoked])
			before, began := len(s.reloads()), time.Now()
			require.NoError(t, s.again())
			ends.Wait()
			took := time.Since(began)
			waitFor(t, "a line about the reload", func() bool { return len(s.reloads()) > before })
			u := verification()
			if row.revoked > 0 {
				t.Logf("%s of %d, from the signal until the last socket was closed: %v, %.0f u", row.name, n, took.Round(10*time.Microsecond), float64(took)/float64(u))
			}
			for _, c := range crowd[row.revoked:] {
				c.sync()
			}
		})
	}
}

// listenAll has each client wait for its end, which has to be by revocation.
func listenAll(clients []*raw) *sync.WaitGroup {
	var all sync.WaitGroup
	for _, c := range clients {
		all.Go(func() {
			line, err := c.read()
			if err != nil || line != "-ERR 'User Authentication Revoked'" {
				c.t.Errorf("told %q, %v", line, err)
			}
			if line, err = c.read(); err == nil || timedOut(err) {
				c.t.Errorf("not closed: %q, %v", line, err)
			}
		})
	}
	return &all
}

// verification is how long one Ed25519 verification takes here, now.
func verification() time.Duration {
	public, private, _ := ed25519.GenerateKey(nil)
	message := make([]byte, 15)
	sig := ed25519.Sign(private, message)
	const rounds = 200
	began := time.Now()
	for range rounds {
		ed25519.Verify(public, message, sig)
	}
	return time.Since(began) / rounds
}
