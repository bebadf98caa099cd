package accountsrv_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/resolver"
	"github.com/natsauth/natsauth/resolver/accountsrv"
)

// TestF132NSC answers what nsc was heard to send, see testdata/nsc/README.md.
func TestF132NSC(t *testing.T) {
	operator := recorded(t, "operator.jwt")
	then := func() time.Time { return time.Date(2026, time.November, 28, 12, 0, 0, 0, time.UTC) }
	store := new(resolver.Memory)
	a, err := auth.New(auth.Config{Trust: auth.Trust{Operators: []string{string(operator)}}, Store: store, Clock: then})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, a.Close()) })
	base := serve(t, server(t, accountsrv.Config{Accounts: store, Authorizer: a, Operator: string(operator), Clock: then}))

	pushed := exchange(t, base, "1-push-all.http")
	require.Equal(t, []int{200, 200, 200}, statuses(pushed))
	pulled := exchange(t, base, "2-pull-all.http")
	require.Equal(t, []int{200, 200, 200, 200}, statuses(pulled))
	require.Equal(t, strings.TrimSpace(string(operator)), pulled[0].answer.body)
	for i, p := range pushed {
		require.Equal(t, canonical(t, p.sent), pulled[i+1].answer.body, "what is pulled is what was pushed")
	}
	revoked := exchange(t, base, "3-push-revocation.http")
	require.Equal(t, []int{200}, statuses(revoked))
	require.Equal(t, canonical(t, revoked[0].sent), exchange(t, base, "4-pull.http")[0].answer.body)
	older := exchange(t, base, "5-push-older.http")
	require.Equal(t, []int{409}, statuses(older))
	require.Equal(t, pushed[0].sent, older[0].sent, "the token of the first push")
	require.Contains(t, older[0].answer.body, "the account token is older than one that was seen before")
	stranger := exchange(t, base, "6-push-stranger.http")
	require.Equal(t, []int{400}, statuses(stranger))
	require.Contains(t, stranger[0].answer.body, "no trusted operator signed the account")
	require.Equal(t, canonical(t, revoked[0].sent), exchange(t, base, "4-pull.http")[0].answer.body)
}

// exchanged is a request's body, and what came of it.
type exchanged struct {
	sent   string
	answer answer
}

func statuses(all []exchanged) []int {
	var codes []int
	for _, e := range all {
		codes = append(codes, e.answer.status)
	}
	return codes
}

// exchange sends the bytes of a file, one request after the other, and reads the answers.
func exchange(t *testing.T, base, file string) []exchanged {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
	require.NoError(t, err)
	defer conn.Close()
	answers := bufio.NewReader(conn)
	requests := bufio.NewReader(io.TeeReader(bytes.NewReader(recorded(t, file)), conn))
	var all []exchanged
	for {
		r, err := http.ReadRequest(requests)
		if errors.Is(err, io.EOF) {
			require.NotEmpty(t, all)
			return all
		}
		require.NoError(t, err)
		sent, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		resp, err := http.ReadResponse(answers, r)
		require.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		all = append(all, exchanged{string(sent), answer{resp.StatusCode, resp.Header, string(body)}})
	}
}

func recorded(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "nsc", file))
	require.NoError(t, err)
	return data
}
