package full

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"maps"
	"slices"
	"strings"
)

// maxMarks is how many deleted accounts are remembered: 65,536, those deleted last, as by resolver.Memory.
const maxMarks = 1 << 16

const marksFile = own + "marks"

// marks remember when the tokens of deleted accounts were issued. A line of the file is a key, the time in seconds since
// 1970, and a checksum: a last line that was not written to its end is no line, and the next one is on a line of its own.
type marks struct {
	byKey map[rawKey]mark
	lines int  // in the file
	torn  bool // the last one may not be whole
}

// mark is one of them, and its age among them.
type mark struct {
	issuedAt int64
	serial   int
}

const markLine = "%s %d"

// loadMarks reads the file, if there is one.
func loadMarks(d disk) (marks, error) {
	m := marks{byKey: make(map[rawKey]mark)}
	data, _, err := d.read(marksFile, maxIndex)
	if errors.Is(err, fs.ErrNotExist) {
		return m, nil
	}
	if err != nil {
		return m, fmt.Errorf("full: marks of deleted accounts: %w", err)
	}
	m.torn = len(data) > 0 && data[len(data)-1] != '\n'
	for line := range strings.Lines(string(data)) {
		m.lines++
		if k, issuedAt, ok := parseMark(strings.TrimSuffix(line, "\n")); ok {
			m.add(k, issuedAt)
		}
	}
	if m.lines > 2*maxMarks {
		return m, m.compact(d)
	}
	return m, nil
}

func parseMark(line string) (k rawKey, issuedAt int64, ok bool) {
	text, check := cut(line)
	var name string
	if n, err := fmt.Sscanf(text, markLine, &name, &issuedAt); err != nil || n != 2 || check != checksum(text) {
		return k, 0, false
	}
	k, ok = parseKey(name)
	return k, issuedAt, ok
}

// cut separates the checksum.
func cut(line string) (text, check string) {
	i := strings.LastIndexByte(line, ' ')
	if i < 0 {
		return line, ""
	}
	return line[:i], line[i+1:]
}

func checksum(text string) string {
	return fmt.Sprintf("%08x", crc32.Checksum([]byte(text), castagnoli))
}

func (m *marks) add(k rawKey, issuedAt int64) {
	m.byKey[k] = mark{issuedAt, m.lines}
	if len(m.byKey) > maxMarks+maxMarks/8 {
		for _, k := range m.inOrder()[:len(m.byKey)-maxMarks] {
			delete(m.byKey, k)
		}
	}
}

// inOrder gives the keys, those deleted first in front.
func (m *marks) inOrder() []rawKey {
	return slices.SortedFunc(maps.Keys(m.byKey), func(a, b rawKey) int {
		return cmp.Or(cmp.Compare(m.byKey[a].serial, m.byKey[b].serial), bytes.Compare(a[:], b[:]))
	})
}

// write remembers a key, on the disk, too.
func (m *marks) write(d disk, k rawKey, issuedAt int64) error {
	if is, ok := m.byKey[k]; ok && is.issuedAt == issuedAt {
		return nil
	}
	text := fmt.Sprintf(markLine, k, issuedAt)
	line := text + " " + checksum(text) + "\n"
	if m.torn {
		line = "\n" + line
	}
	m.torn = true
	if err := d.extend(marksFile, []byte(line)); err != nil {
		return err
	}
	m.torn = false
	m.lines++
	if m.add(k, issuedAt); m.lines > 2*maxMarks {
		return m.compact(d)
	}
	return nil
}

// compact writes the file anew, without what is forgotten.
func (m *marks) compact(d disk) error {
	var b bytes.Buffer
	keys := m.inOrder()
	for i, k := range keys {
		m.byKey[k] = mark{m.byKey[k].issuedAt, i}
		text := fmt.Sprintf(markLine, k, m.byKey[k].issuedAt)
		fmt.Fprintln(&b, text, checksum(text))
	}
	if err := d.replace(marksFile, b.Bytes()); err != nil {
		return fmt.Errorf("full: marks of deleted accounts: %w", err)
	}
	m.lines, m.torn = len(keys), false
	return nil
}
