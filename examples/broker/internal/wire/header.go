package wire

import (
	"bufio"
	"bytes"
	"net/textproto"
	"strings"
)

// headerLine begins every block of headers.
const headerLine = "NATS/1.0"

// Headers reads a block of headers, whose names get the usual capitals. A block that is
// none, or whose end is missing, gives those that could be read.
func Headers(block []byte) textproto.MIMEHeader {
	in := textproto.NewReader(bufio.NewReader(bytes.NewReader(block)))
	if first, err := in.ReadLine(); err != nil || !strings.HasPrefix(first, headerLine) {
		return nil
	}
	h, _ := in.ReadMIMEHeader() // what was read counts
	return h
}

// SetHeader gives a block of headers in which the name stands once, as the first, with the
// value. However the block writes that name, it is not there any more: what stands behind
// it is for others to believe. The block stays as it is; one that is none is replaced. Name
// and value have no line ends.
func SetHeader(block []byte, name, value string) []byte {
	out := make([]byte, 0, len(block)+len(headerLine)+len(name)+len(value)+len("\r\n: \r\n\r\n"))
	first, rest := headerLine+"\r\n", []byte("\r\n")
	if line, others, ok := bytes.Cut(block, []byte("\n")); ok && bytes.HasPrefix(line, []byte(headerLine)) {
		first, rest = string(line)+"\n", others
	}
	out = append(out, first...)
	out = append(out, name+": "+value+"\r\n"...)
	return appendOthers(out, rest, name)
}

// appendOthers appends the lines that do not begin with the name, and are not the
// continuation of one that does, or of ours.
func appendOthers(dst, lines []byte, name string) []byte {
	dropped := true
	for line := range bytes.Lines(lines) {
		continued := line[0] == ' ' || line[0] == '\t'
		dropped = continued && dropped || !continued && named(line, name)
		if !dropped {
			dst = append(dst, line...)
		}
	}
	return dst
}

// named says whether a line is a header of a name.
func named(line []byte, name string) bool {
	key, _, ok := bytes.Cut(line, []byte(":"))
	return ok && strings.EqualFold(string(bytes.TrimSpace(key)), name)
}
