package wire_test

import (
	"net/textproto"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/examples/broker/internal/wire"
)

// TestSetHeader: whatever a client writes, the name stands once, with our value.
func TestSetHeader(t *testing.T) {
	const ours = "NATS/1.0\r\nInfo: ours\r\n"
	tests := []struct{ name, block, want string }{
		{"no block", "", ours + "\r\n"},
		{"an empty one", "NATS/1.0\r\n\r\n", ours + "\r\n"},
		{"others", "NATS/1.0\r\nA: b\r\nA: c\r\n\r\n", ours + "A: b\r\nA: c\r\n\r\n"},
		{"a status", "NATS/1.0 503 No\r\nA: b\r\n\r\n", "NATS/1.0 503 No\r\nInfo: ours\r\nA: b\r\n\r\n"},
		{"the name", "NATS/1.0\r\nInfo: theirs\r\nA: b\r\n\r\n", ours + "A: b\r\n\r\n"},
		{"the name, often", "NATS/1.0\r\nInfo: one\r\nA: b\r\nInfo: two\r\n\r\n", ours + "A: b\r\n\r\n"},
		{"in other letters", "NATS/1.0\r\niNFO:theirs\r\n\r\n", ours + "\r\n"},
		{"with blanks", "NATS/1.0\r\nInfo : theirs\r\n\r\n", ours + "\r\n"},
		{"over several lines", "NATS/1.0\r\nInfo: a\r\n  b\r\n\tc\r\nA: b\r\n d\r\n\r\n", ours + "A: b\r\n d\r\n\r\n"},
		{"over several lines, from the start", "NATS/1.0\r\n a\r\nA: b\r\n\r\n", ours + "A: b\r\n\r\n"},
		{"behind a bare line end", "NATS/1.0\r\nA: b\nInfo: theirs\r\n\r\n", ours + "A: b\r\n\r\n"},
		{"behind the end", "NATS/1.0\r\nA: b\r\n\r\nInfo: theirs\r\nC: d\r\n\r\n", ours + "A: b\r\n\r\n"},
		{"without an end", "NATS/1.0\r\nA: b", ours + "A: b\r\n\r\n"},
		{"a line that is no header", "NATS/1.0\r\nno colon here\r\n more\r\nA: b\r\n\r\n", ours + "A: b\r\n\r\n"},
		{"no name", "NATS/1.0\r\n: b\r\nA : b\r\nA b: c\r\n\r\n", ours + "\r\n"},
		{"half a line end", "NATS/1.0\r\nA: b\rInfo: theirs\r\n c\r\n\r\n", ours + "\r\n"},
		{"half a line end in the status", "NATS/1.0 5\r03\r\nA: b\r\n\r\n", ours + "\r\n"},
		{"another version", "NATS/1.05\r\nA: b\r\n\r\n", ours + "\r\n"},
		{"in a value", "NATS/1.0\r\nA: Info: x\r\n\r\n", ours + "A: Info: x\r\n\r\n"},
		{"as the start of another", "NATS/1.0\r\nInfos: x\r\n\r\n", ours + "Infos: x\r\n\r\n"},
		{"no line end", "NATS/1.0", ours + "\r\n"},
		{"something else", "HTTP/1.1\r\nInfo: theirs\r\n\r\n", ours + "\r\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			block := []byte(tt.block)
			require.Equal(t, tt.want, string(wire.SetHeader(block, "Info", "ours")))
			require.Equal(t, tt.block, string(block))
		})
	}
}

func TestHeadersRead(t *testing.T) {
	require.Nil(t, wire.Headers(nil))
	require.Nil(t, wire.Headers([]byte("HTTP/1.1\r\nA: b\r\n\r\n")))
	require.Equal(t, textproto.MIMEHeader{"A": {"b", "c"}, "Uber-Trace-Id": {"x"}},
		wire.Headers([]byte("NATS/1.0\r\na: b\r\nuber-trace-id: x\r\nA: c\r\n\r\n")))
	require.Equal(t, textproto.MIMEHeader{"A": {"b"}}, wire.Headers([]byte("NATS/1.0\r\nA: b\r\n")))
}

// FuzzSetHeader: whoever reads the block finds our value and no other.
func FuzzSetHeader(f *testing.F) {
	for _, s := range []string{"", "NATS/1.0\r\n\r\n", "NATS/1.0\r\nInfo: x\r\n y\r\n\r\n", "NATS/1.0 1\r\ninfo : x\nINFO:y\r\r\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, block []byte) {
		set := wire.SetHeader(block, "Info", "ours")
		got := wire.Headers(set)
		if v := got["Info"]; len(v) != 1 || v[0] != "ours" {
			t.Fatalf("%q reads as %q", set, got)
		}
		body, ended := strings.CutSuffix(string(set), "\r\n\r\n")
		for i, line := range strings.Split(body, "\r\n") {
			name, _, ok := strings.Cut(line, ":")
			if !ended || strings.ContainsAny(line, "\r\n") || i > 0 && line[0] != ' ' && line[0] != '\t' && (!ok || name == "" || strings.ContainsAny(name, " \t")) {
				t.Fatalf("%q has line %q", set, line)
			}
		}
		for line := range strings.Lines(string(set)) {
			if name, _, ok := strings.Cut(line, ":"); ok && strings.EqualFold(strings.TrimSpace(name), "info") && line != "Info: ours\r\n" {
				t.Fatalf("%q has %q", set, line)
			}
		}
	})
}
