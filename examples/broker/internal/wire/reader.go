// Package wire reads and writes the client protocol of NATS: lines of text, some
// with a payload behind them. It knows nothing of accounts or permissions.
//
// Behaviour: nats-server v2.15 server/parser.go, with one line of our own: a
// carriage return stands at the end of a line and nowhere else.
package wire

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// Limits bound what one client can make a [Reader] hold.
type Limits struct {
	Line    int   // bytes of arguments on one line
	Payload int64 // bytes of one payload; -1: no bound
	Headers bool  // HPUB may be used
}

// Reader reads operations from a client. It holds one line and one payload at a
// time, and allocates for a payload only as its bytes arrive. It is for one
// goroutine.
type Reader struct {
	limits  Limits
	in      *bufio.Reader
	line    []byte
	payload []byte
	owed    int // bytes of payload that were announced; -1: none
}

// readBuffer is how much is asked of the connection at a time.
const readBuffer = 4 << 10

// NewReader makes a Reader of a connection.
func NewReader(in io.Reader, limits Limits) *Reader {
	return &Reader{limits: limits, in: bufio.NewReaderSize(in, readBuffer), owed: -1}
}

// SetLimits changes the bounds for what comes next.
func (r *Reader) SetLimits(l Limits) { r.limits = l }

// Held is how many bytes the Reader has made room for: the buffer, one line and
// one payload.
func (r *Reader) Held() int { return r.in.Size() + cap(r.line) + cap(r.payload) }

// First gives the first byte of the next operation, and leaves it there.
func (r *Reader) First() (byte, error) {
	b, err := r.in.Peek(1)
	if err != nil {
		return 0, err
	}
	return b[0], nil
}

// Next reads one operation. After a [Pub] the payload has to be read before Next
// is called again. What the operation holds is the caller's. The error is an
// *Error or the connection's.
func (r *Reader) Next() (Op, error) {
	if r.owed >= 0 {
		if _, err := r.Payload(); err != nil {
			return nil, err
		}
	}
	b, err := r.in.ReadByte()
	if err != nil {
		return nil, err
	}
	switch b | 0x20 {
	case 'c':
		return r.connect()
	case 'p':
		return r.p()
	case 'h':
		return r.hpub()
	case 's':
		return r.sub()
	case 'u':
		return r.unsub()
	case 'i':
		return r.info()
	}
	switch b {
	case '+':
		return r.ok()
	case '-':
		return r.err()
	}
	return nil, ErrOperation
}

// Payload reads what the last [Pub] announced, and the end of its line. The bytes
// are good until the next call of the Reader.
func (r *Reader) Payload() ([]byte, error) {
	n := r.owed
	r.owed = -1
	if err := r.fill(n); err != nil {
		return nil, err
	}
	var end [2]byte
	for i, want := range []byte("\r\n") {
		b, err := r.in.ReadByte()
		if err != nil {
			return nil, err
		}
		if end[i] = b; b != want {
			return nil, ErrOperation
		}
	}
	return r.payload, nil
}

// payloadStep is how much is allocated ahead of a payload's bytes, and how much
// is kept between two payloads.
const payloadStep = 64 << 10

// fill reads n bytes into r.payload, and never has more than twice of what has
// arrived, or one step.
func (r *Reader) fill(n int) error {
	if cap(r.payload) > payloadStep {
		r.payload = nil
	}
	r.payload = r.payload[:0]
	for len(r.payload) < n {
		have := len(r.payload)
		step := min(n-have, max(payloadStep, have))
		r.payload = append(r.payload, make([]byte, step)...)
		if _, err := io.ReadFull(r.in, r.payload[have:]); err != nil {
			return err
		}
	}
	return nil
}

// word reads the rest of an operation's name, in any case.
func (r *Reader) word(rest string) error {
	for i := range len(rest) {
		b, err := r.in.ReadByte()
		if err != nil {
			return err
		}
		if b|0x20 != rest[i] {
			return ErrOperation
		}
	}
	return nil
}

// blank reads the blank that has to follow a name.
func (r *Reader) blank() error {
	b, err := r.in.ReadByte()
	if err == nil && !isBlank(b) {
		return ErrOperation
	}
	return err
}

// rest reads to the end of the line and looks at nothing.
func (r *Reader) rest() error {
	for {
		_, err := r.in.ReadSlice('\n')
		if !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
}

// args reads the rest of the line, without the blanks at its start and the end
// of the line. The bytes are good until the next line.
func (r *Reader) args() ([]byte, error) {
	if err := r.skipBlanks(); err != nil {
		return nil, err
	}
	r.line = r.line[:0]
	for {
		whole, err := r.more()
		if err != nil {
			return nil, err
		}
		text := bytes.TrimSuffix(r.line, []byte{'\r'})
		if len(text) > r.limits.Line {
			return nil, ErrLine
		}
		if bytes.IndexByte(text, '\r') >= 0 {
			return nil, ErrOperation
		}
		if whole {
			return text, nil
		}
	}
}

func (r *Reader) skipBlanks() error {
	for {
		b, err := r.First()
		if err != nil || !isBlank(b) {
			return err
		}
		if _, err = r.in.Discard(1); err != nil {
			return err
		}
	}
}

// more takes what has arrived of the line, and says whether its end has. It does
// not wait for more than one byte, so that a line that is too long is noticed as
// it comes.
func (r *Reader) more() (bool, error) {
	if _, err := r.in.Peek(1); err != nil {
		return false, err
	}
	arrived, err := r.in.Peek(r.in.Buffered())
	if err != nil {
		return false, err
	}
	n := bytes.IndexByte(arrived, '\n')
	if n < 0 {
		r.line = append(r.line, arrived...)
		_, err = r.in.Discard(len(arrived))
		return false, err
	}
	r.line = append(r.line, arrived[:n]...)
	_, err = r.in.Discard(n + 1)
	return true, err
}

func isBlank(b byte) bool { return b == ' ' || b == '\t' }
