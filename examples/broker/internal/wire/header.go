package wire

import (
	"bufio"
	"bytes"
	"maps"
	"net/textproto"
	"slices"
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

// Block gives the block of headers, in the order of their names; nothing for none. Line ends in names and values
// become blanks.
func Block(h map[string][]string) []byte {
	if len(h) == 0 {
		return nil
	}
	plain := strings.NewReplacer("\r", " ", "\n", " ")
	out := []byte(headerLine + "\r\n")
	for _, name := range slices.Sorted(maps.Keys(h)) {
		for _, value := range h[name] {
			out = append(out, plain.Replace(name)+": "+plain.Replace(value)+"\r\n"...)
		}
	}
	return append(out, "\r\n"...)
}

// SetHeader gives a block of headers in which the name stands once, as the first, with the
// value. However the block writes that name, it is not there any more: what stands behind
// it is for others to believe. Nor are lines that are no headers, for which a reader might
// give up: the first empty line ends the block. Name and value have no line ends.
func SetHeader(block []byte, name, value string) []byte {
	out := make([]byte, 0, len(block)+len(headerLine)+len(name)+len(value)+len("\r\n: \r\n\r\n"))
	first, rest, _ := bytes.Cut(block, []byte("\n"))
	if first = bytes.TrimSuffix(first, []byte("\r")); !isFirst(first) {
		first, rest = []byte(headerLine), nil
	}
	out = append(append(out, first...), "\r\n"...)
	out = append(out, name+": "+value+"\r\n"...)
	return append(appendOthers(out, rest, name), "\r\n"...)
}

// isFirst says whether a line begins a block, perhaps with a status.
func isFirst(line []byte) bool {
	status, ok := bytes.CutPrefix(line, []byte(headerLine))
	return ok && (len(status) == 0 || status[0] == ' ') && bytes.IndexByte(status, '\r') < 0
}

// appendOthers appends the headers of other names, with the lines that continue them.
func appendOthers(dst, lines []byte, name string) []byte {
	dropped := true
	for line := range bytes.Lines(lines) {
		text := bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
		if len(text) == 0 {
			break
		}
		continued := text[0] == ' ' || text[0] == '\t'
		dropped = continued && dropped || !continued && !isOther(text, name) || bytes.IndexByte(text, '\r') >= 0
		if !dropped {
			dst = append(append(dst, text...), "\r\n"...)
		}
	}
	return dst
}

// isOther says whether a line is a header of another name.
func isOther(line []byte, name string) bool {
	key, _, ok := bytes.Cut(line, []byte(":"))
	blank := func(r rune) bool { return r <= ' ' || r == 0x7f }
	return ok && len(key) > 0 && bytes.IndexFunc(key, blank) < 0 && !strings.EqualFold(string(key), name)
}
