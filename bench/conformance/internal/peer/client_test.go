package peer_test

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/bench/conformance/internal/peer"
)

// server listens, sends INFO and then what each line that it reads is answered
// with; a line without an answer ends the connection.
func server(t *testing.T, answers map[string]string) *peer.Server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serve(conn, answers)
		}
	}()
	return peer.At(l.Addr().String())
}

func serve(conn net.Conn, answers map[string]string) {
	defer conn.Close()
	_, _ = fmt.Fprint(conn, "INFO {\"nonce\":\"abc\",\"max_payload\":7}\r\n")
	lines := bufio.NewScanner(conn)
	for lines.Scan() {
		answer, ok := answers[strings.Fields(lines.Text())[0]]
		if !ok {
			return
		}
		_, _ = fmt.Fprint(conn, answer)
	}
}

// TestTranscript has what differs between two runs left out, and all else kept.
func TestTranscript(t *testing.T) {
	for _, c := range []struct {
		name, answer string
		want         []string
		open         bool
	}{
		{"nothing", "PONG\r\n", nil, true},
		{"a refusal", "-ERR 'no'\r\nPONG\r\n", []string{"-ERR 'no'"}, true},
		{"INFO and PING", "INFO {\"max_payload\":9}\r\nPING\r\n+OK\r\nPONG\r\n", []string{"+OK"}, true},
		{"a message", "MSG a 1 5\r\nPONG\n\r\nPONG\r\n", []string{`MSG a 1 5 "PONG\n"`}, true},
		{"a message with a header", "HMSG a 1 r 2 4\r\n\r\nxy\r\nPONG\r\n", []string{`HMSG a 1 r 2 4 "\r\nxy"`}, true},
		{"a message without a size", "MSG a 1 x\r\nPONG\r\n", nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			client, err := server(t, map[string]string{"PING": c.answer, "PONG": ""}).Dial()
			require.NoError(t, err)
			defer client.Close()
			lines, open := client.Flush()
			require.Equal(t, c.want, lines)
			require.Equal(t, c.open, open)
		})
	}
}

// TestEnd tells a server that ends from one that says nothing.
func TestEnd(t *testing.T) {
	s := server(t, map[string]string{"QUIET": ""})
	client, err := s.Dial()
	require.NoError(t, err)
	require.EqualValues(t, 7, client.Info().MaxPayload)
	_, open := client.Flush()
	require.False(t, open)
	client, err = s.Dial()
	require.NoError(t, err)
	client.Patience(20 * time.Millisecond)
	require.Equal(t, []string{"(silence)"}, client.Rest())
}

// TestUserInfo leaves out of the answer what is the server's own, whether it comes
// before the PONG or behind it.
func TestUserInfo(t *testing.T) {
	text := `{"server":{"id":"N"},"data":{"user":"U","expires":3599000000000,"permissions":{"publish":{"allow":["b","a","a"]}}}}`
	for name, answers := range map[string]map[string]string{
		"behind": {"SUB": "", "PUB": "", "PING": fmt.Sprintf("PONG\r\nMSG conformance.userinfo userinfo %d\r\n%s\r\n", len(text), text)},
		"before": {"SUB": "", "PUB": fmt.Sprintf("MSG conformance.userinfo userinfo %d\r\n%s\r\n", len(text), text), "PING": "PONG\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, op := range []string{"", "SUB", "PUB"} {
				if _, ok := answers[op]; !ok {
					answers[op] = ""
				}
			}
			talk := skipBlank(t, answers).Talk()
			defer talk.Close()
			c, err := talk.Dial()
			require.NoError(t, err)
			require.True(t, talk.UserInfo(c))
			require.Contains(t, talk.Lines(), `userinfo: MSG conformance.userinfo userinfo {"data":{"expires":"6 tens of minutes",`+
				`"permissions":{"publish":{"allow":["a","b"]}},"user":"U"},"error":null,"server":true}`)
		})
	}
}

// skipBlank is a server that does not mind the empty line of an empty payload.
func skipBlank(t *testing.T, answers map[string]string) *peer.Server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		_, _ = fmt.Fprint(conn, "INFO {}\r\n")
		for lines := bufio.NewScanner(conn); lines.Scan(); {
			if words := strings.Fields(lines.Text()); len(words) > 0 {
				_, _ = fmt.Fprint(conn, answers[words[0]])
			}
		}
	}()
	return peer.At(l.Addr().String())
}
