package wire

import "strconv"

// Op is one protocol operation of a client: a [Connect], [Ping], [Pong], [Pub],
// [Sub], [Unsub], [Info], [OK] or [Err].
type Op interface {
	// Append writes the operation as a client would, without a payload.
	Append(dst []byte) []byte
}

// Connect is CONNECT with its JSON, which is not looked at here.
type Connect struct{ JSON []byte }

// Info is INFO with its JSON. A client has no need to send one.
type Info struct{ JSON []byte }

// Err is -ERR with its text. A client that sends one is leaving.
type Err struct{ Text string }

// Ping is PING.
type Ping struct{}

// Pong is PONG.
type Pong struct{}

// OK is +OK, which a client has no need to send.
type OK struct{}

// Pub is PUB, or HPUB if Header is not negative. The payload comes after it: see
// [Reader.Payload].
type Pub struct {
	Subject string
	Reply   string // empty: none
	Header  int    // how many of the bytes are headers; -1: PUB, which has none
	Size    int    // bytes of payload, headers included
}

// Sub is SUB.
type Sub struct {
	Subject string
	Queue   string // empty: none
	SID     string
}

// Unsub is UNSUB.
type Unsub struct {
	SID string
	Max int // after how many messages; 0 or less: at once
}

// Append writes CONNECT.
func (o Connect) Append(dst []byte) []byte { return line(append(dst, "CONNECT "...), string(o.JSON)) }

// Append writes INFO.
func (o Info) Append(dst []byte) []byte { return line(append(dst, "INFO "...), string(o.JSON)) }

// Append writes -ERR.
func (o Err) Append(dst []byte) []byte { return line(append(dst, "-ERR "...), o.Text) }

// Append writes PING.
func (Ping) Append(dst []byte) []byte { return line(dst, "PING") }

// Append writes PONG.
func (Pong) Append(dst []byte) []byte { return line(dst, "PONG") }

// Append writes +OK.
func (OK) Append(dst []byte) []byte { return line(dst, "+OK") }

// Append writes the line of PUB or HPUB.
func (o Pub) Append(dst []byte) []byte {
	if o.Header < 0 {
		return line(dst, words("PUB", o.Subject, o.Reply, strconv.Itoa(o.Size)))
	}
	return line(dst, words("HPUB", o.Subject, o.Reply, strconv.Itoa(o.Header), strconv.Itoa(o.Size)))
}

// Append writes SUB.
func (o Sub) Append(dst []byte) []byte { return line(dst, words("SUB", o.Subject, o.Queue, o.SID)) }

// Append writes UNSUB.
func (o Unsub) Append(dst []byte) []byte {
	most := ""
	if o.Max > 0 {
		most = strconv.Itoa(o.Max)
	}
	return line(dst, words("UNSUB", o.SID, most))
}

func line(dst []byte, text string) []byte {
	dst = append(dst, text...)
	return append(dst, '\r', '\n')
}

// words joins what is not empty with blanks.
func words(first string, rest ...string) string {
	for _, w := range rest {
		if w != "" {
			first += " " + w
		}
	}
	return first
}
