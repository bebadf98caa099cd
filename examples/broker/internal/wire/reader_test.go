package wire_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/examples/broker/internal/wire"
)

var limits = wire.Limits{Line: 64, Payload: 16, Headers: true}

// read reads operations until the first error, the payloads among them.
func read(in io.Reader, l wire.Limits) ([]wire.Op, []string, error) {
	r := wire.NewReader(in, l)
	var ops []wire.Op
	var payloads []string
	for {
		op, err := r.Next()
		if err != nil {
			return ops, payloads, err
		}
		ops = append(ops, op)
		if _, ok := op.(wire.Pub); !ok {
			continue
		}
		data, err := r.Payload()
		if err != nil {
			return ops, payloads, err
		}
		payloads = append(payloads, string(data))
	}
}

// TestReader: each text alone, and byte by byte as a slow network brings it.
func TestReader(t *testing.T) {
	many := strings.Repeat("x", limits.Line)
	tests := []struct {
		name    string
		text    string
		want    wire.Op // nil: none
		payload string
		err     error // nil: the end of the text
	}{
		{name: "connect", text: "CONNECT {}\r\n", want: wire.Connect{JSON: []byte("{}")}},
		{name: "connect in small letters", text: "connect {}\r\n", want: wire.Connect{JSON: []byte("{}")}},
		{name: "connect without a blank", text: "CONNECT{}\n", want: wire.Connect{JSON: []byte("{}")}},
		{name: "connect of nothing", text: "CONNECT\r\n", want: wire.Connect{}},
		{name: "no connect", text: "CONNECTION", want: nil, err: io.EOF},
		{name: "info", text: "INFO {}\r\n", want: wire.Info{JSON: []byte("{}")}},
		{name: "ping", text: "PING\r\n", want: wire.Ping{}},
		{name: "ping with more", text: "piNG and so on\n", want: wire.Ping{}},
		{name: "pong", text: "PONG\r\n", want: wire.Pong{}},
		{name: "ok", text: "+OK\r\n", want: wire.OK{}},
		{name: "err", text: "-ERR 'why'\r\n", want: wire.Err{Text: "'why'"}},
		{name: "err of nothing", text: "-ERR\r\n", err: wire.ErrOperation},
		{name: "unknown", text: "XING\r\n", err: wire.ErrOperation},
		{name: "half a name", text: "PIXG\r\n", err: wire.ErrOperation},
		{name: "message to a client", text: "MSG a 1 0\r\n\r\n", err: wire.ErrOperation},

		{name: "sub", text: "SUB a.b 1\r\n", want: wire.Sub{Subject: "a.b", SID: "1"}},
		{name: "sub with a queue", text: "sub a.b q 1\r\n", want: wire.Sub{Subject: "a.b", Queue: "q", SID: "1"}},
		{name: "sub with tabs", text: "SUB\t a\t\t1 \r\n", want: wire.Sub{Subject: "a", SID: "1"}},
		{name: "sub without a sid", text: "SUB a\r\n", err: wire.ErrArguments},
		{name: "sub of too much", text: "SUB a b c d\r\n", err: wire.ErrArguments},
		{name: "sub of far too much", text: "SUB a b c d e f g\r\n", err: wire.ErrArguments},
		{name: "sub of nothing", text: "SUB \r\n", err: wire.ErrArguments},
		{name: "sub without a blank", text: "SUB\r\n", err: wire.ErrOperation},
		{name: "a carriage return inside", text: "SUB a\r1\r\n", err: wire.ErrOperation},

		{name: "unsub", text: "UNSUB 1\r\n", want: wire.Unsub{SID: "1"}},
		{name: "unsub after", text: "UNSUB 1 5\r\n", want: wire.Unsub{SID: "1", Max: 5}},
		{name: "unsub after no number", text: "UNSUB 1 x\r\n", want: wire.Unsub{SID: "1"}},
		{name: "unsub of nothing", text: "UNSUB \r\n", err: wire.ErrArguments},
		{name: "unsub of too much", text: "UNSUB 1 2 3\r\n", err: wire.ErrArguments},

		{name: "pub", text: "PUB a 2\r\nhi\r\n", want: wire.Pub{Subject: "a", Header: -1, Size: 2}, payload: "hi"},
		{name: "pub with a reply", text: "PUB a r 2\r\nhi\r\n", want: wire.Pub{Subject: "a", Reply: "r", Header: -1, Size: 2}, payload: "hi"},
		{name: "pub of nothing", text: "PUB a 0\r\n\r\n", want: wire.Pub{Subject: "a", Header: -1}},
		{name: "pub of line ends", text: "PUB a 4\r\n\r\n\r\n\r\n", want: wire.Pub{Subject: "a", Header: -1, Size: 4}, payload: "\r\n\r\n"},
		{name: "pub of less", text: "PUB a 3\r\nhi\r\n", want: wire.Pub{Subject: "a", Header: -1, Size: 3}, err: wire.ErrOperation},
		{name: "pub of more", text: "PUB a 1\r\nhi\r\n", want: wire.Pub{Subject: "a", Header: -1, Size: 1}, err: wire.ErrOperation},
		{name: "pub with a bare end", text: "PUB a 2\r\nhi\n", want: wire.Pub{Subject: "a", Header: -1, Size: 2}, err: wire.ErrOperation},
		{name: "pub below its bound", text: "PUB a 15\r\n" + many[:15] + "\r\n", want: wire.Pub{Subject: "a", Header: -1, Size: 15}, payload: many[:15]},
		{name: "pub at its bound", text: "PUB a 16\r\n" + many[:16] + "\r\n", want: wire.Pub{Subject: "a", Header: -1, Size: 16}, payload: many[:16]},
		{name: "pub over its bound", text: "PUB a 17\r\n", err: wire.ErrPayload},
		{name: "pub of the largest number", text: "PUB a 999999999\r\n", err: wire.ErrPayload},
		{name: "pub of too large a number", text: "PUB a 1000000000\r\n", err: wire.ErrArguments},
		{name: "pub of a negative number", text: "PUB a -1\r\n", err: wire.ErrArguments},
		{name: "pub without a size", text: "PUB a\r\n", err: wire.ErrArguments},
		{name: "pub of too much", text: "PUB a b c 1\r\n", err: wire.ErrArguments},

		{name: "hpub", text: "HPUB a 2 4\r\nhhhi\r\n", want: wire.Pub{Subject: "a", Header: 2, Size: 4}, payload: "hhhi"},
		{name: "hpub with a reply", text: "HPUB a r 2 4\r\nhhhi\r\n", want: wire.Pub{Subject: "a", Reply: "r", Header: 2, Size: 4}, payload: "hhhi"},
		{name: "hpub of headers alone", text: "HPUB a 2 2\r\nhh\r\n", want: wire.Pub{Subject: "a", Header: 2, Size: 2}, payload: "hh"},
		{name: "hpub of more headers", text: "HPUB a 3 2\r\n", err: wire.ErrArguments},
		{name: "hpub without a size", text: "HPUB a 2\r\n", err: wire.ErrArguments},
		{name: "hpub of no number", text: "HPUB a x 2\r\n", err: wire.ErrArguments},
		{name: "hpub over its bound", text: "HPUB a 2 17\r\n", err: wire.ErrPayload},

		{name: "a line below its bound", text: "SUB " + many[:61] + " 1\r\n", want: wire.Sub{Subject: many[:61], SID: "1"}},
		{name: "a line at its bound", text: "SUB " + many[:62] + " 1\r\n", want: wire.Sub{Subject: many[:62], SID: "1"}},
		{name: "a line over its bound", text: "SUB " + many[:63] + " 1\r\n", err: wire.ErrLine},
		{name: "a line that never ends", text: "SUB " + many + "x", err: wire.ErrLine},
		{name: "an end that never comes", text: "SUB " + many, err: io.EOF},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for name, in := range map[string]io.Reader{
				"whole": strings.NewReader(tt.text), "in bytes": iotest.OneByteReader(strings.NewReader(tt.text)),
			} {
				ops, payloads, err := read(in, limits)
				want := tt.err
				if want == nil {
					want = io.EOF
				}
				if tt.name == "no connect" {
					require.Empty(t, ops)
					return // its JSON never ends
				}
				require.ErrorIs(t, err, want, name)
				if tt.want == nil {
					require.Empty(t, ops, name)
					continue
				}
				require.Equal(t, []wire.Op{tt.want}, ops, name)
				require.Equal(t, tt.payload, strings.Join(payloads, ""), name)
			}
		})
	}
}

// TestHeaders: HPUB is for those who asked for headers.
func TestHeaders(t *testing.T) {
	_, _, err := read(strings.NewReader("HPUB a 2 4\r\nhhhi\r\n"), wire.Limits{Line: 64, Payload: 16})
	require.ErrorIs(t, err, wire.ErrHeaders)
}

// TestSkippedPayload: a payload that nobody asked for is passed over.
func TestSkippedPayload(t *testing.T) {
	r := wire.NewReader(strings.NewReader("PUB a 2\r\nhi\r\nPING\r\n"), limits)
	_, err := r.Next()
	require.NoError(t, err)
	op, err := r.Next()
	require.NoError(t, err)
	require.Equal(t, wire.Ping{}, op)
}

// TestDeclaredSize: a size costs nothing before its bytes come.
func TestDeclaredSize(t *testing.T) {
	r := wire.NewReader(strings.NewReader("PUB a 900000000\r\nhi"), wire.Limits{Line: 64, Payload: -1})
	_, err := r.Next()
	require.NoError(t, err)
	_, err = r.Payload()
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.LessOrEqual(t, r.Held(), 1<<20)
}

// TestErrors: what a client is told, and that it is no text of the client's.
func TestErrors(t *testing.T) {
	for _, tt := range []struct {
		err  *wire.Error
		want string
	}{
		{wire.ErrOperation, "Unknown Protocol Operation"},
		{wire.ErrLine, "maximum control line exceeded"},
		{wire.ErrPayload, "Maximum Payload Violation"},
		{wire.ErrArguments, ""},
		{wire.ErrHeaders, ""},
	} {
		require.Equal(t, tt.want, tt.err.Wire())
		require.True(t, strings.HasPrefix(tt.err.Error(), "wire: "))
	}
}

func TestWriter(t *testing.T) {
	require.Equal(t, "-ERR 'x'\r\n", string(wire.AppendErr(nil, "x")))
	require.Equal(t, "MSG a 1 2\r\n", string(wire.AppendMsg(nil, "a", "1", "", 2)))
	require.Equal(t, "MSG a 1 r 2\r\n", string(wire.AppendMsg(nil, "a", "1", "r", 2)))
	require.Equal(t, "HMSG a 1 r 2 4\r\n", string(wire.AppendHMsg(nil, "a", "1", "r", 2, 4)))
	require.Equal(t, `INFO {"server_id":"N","server_name":"n","version":"1","proto":1,"go":"g","host":"h","port":2,`+
		`"headers":true,"auth_required":true,"max_payload":3,"nonce":"x"} `+"\r\n",
		string(wire.AppendInfo(nil, wire.ServerInfo{
			ID: "N", Name: "n", Version: "1", Proto: 1, Go: "g", Host: "h", Port: 2, Headers: true, AuthRequired: true, MaxPayload: 3, Nonce: "x",
		})))
}

// seeds are texts to begin with; there have to be some.
var seeds = []string{
	"CONNECT {\"verbose\":false}\r\nPING\r\n", "PUB a b 3\r\nabc\r\n", "HPUB a b 3 6\r\nabcdef\r\n",
	"SUB a.* q 1\r\nUNSUB 1 2\r\n", "sub >\t1\r\n+OK\r\n-ERR 'x'\r\nINFO {}\r\n", "PONG\r\nPUB a 0\r\n\r\n",
}

// FuzzReader: no text is a panic, none makes the reader hold more than its
// bounds, and operations that are written again are read as the same.
func FuzzReader(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		l := wire.Limits{Line: 128, Payload: 64, Headers: true}
		r := wire.NewReader(strings.NewReader(string(text)), l)
		for {
			op, err := r.Next()
			if err != nil {
				var bad *wire.Error
				if !errors.As(err, &bad) && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Fatalf("another error: %v", err)
				}
				return
			}
			again(t, op, l)
			if r.Held() > 128+2+readAhead+64<<10 {
				t.Fatalf("%d bytes are held", r.Held())
			}
		}
	})
}

// readAhead is what a Reader may take from the connection at a time.
const readAhead = 8 << 10

func again(t *testing.T, op wire.Op, l wire.Limits) {
	t.Helper()
	l.Line *= 2 // blanks are written anew
	text := op.Append(nil)
	got, err := wire.NewReader(strings.NewReader(string(text)), l).Next()
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	require.Equal(t, op, got)
}
