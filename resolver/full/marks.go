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

	"github.com/natsauth/natsauth/resolver"
)

// maxMarks is how many deleted accounts are remembered: 65,536, those deleted last, as by resolver.Memory.
const maxMarks = 1 << 16

const marksFile = own + "marks"

// marks remember when the tokens of accounts were issued that were deleted or evicted, or whose time was over. A line of the
// file is a key, the time in seconds since 1970, a word unless the account was deleted, and a checksum: a last line that was
// not written to its end is no line, and the next one is on a line of its own.
type marks struct {
	byKey   map[rawKey]mark
	lines   int  // in the file
	torn    bool // the last one may not be whole
	settled bool // the file's name is on the disk, as far as we have seen to it
}

// mark is one of them, and its age among them.
type mark struct {
	issuedAt int64
	serial   int
	evicted  bool // or over, and not deleted
}

// mark is what the rule about rollbacks needs to know.
func (m mark) mark() resolver.Mark {
	if m.evicted {
		return resolver.Mark{IssuedAt: m.issuedAt, Digest: evictedDigest}
	}
	return resolver.Mark{IssuedAt: m.issuedAt}
}

const (
	markLine    = "%s %d"
	evictedWord = " evicted"
)

// line is a line of the file, without its checksum.
func (m mark) line(k rawKey) string {
	text := fmt.Sprintf(markLine, k, m.issuedAt)
	if m.evicted {
		text += evictedWord
	}
	return text
}

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
		if k, is, ok := parseMark(strings.TrimSuffix(line, "\n")); ok {
			m.add(k, is)
		}
	}
	if m.lines > 2*maxMarks {
		return m, m.compact(d)
	}
	return m, nil
}

func parseMark(line string) (k rawKey, m mark, ok bool) {
	text, check := cut(line)
	if check != checksum(text) {
		return k, m, false
	}
	text, m.evicted = strings.CutSuffix(text, evictedWord)
	var name string
	if n, err := fmt.Sscanf(text, markLine, &name, &m.issuedAt); err != nil || n != 2 {
		return k, m, false
	}
	k, ok = parseKey(name)
	return k, m, ok
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

func (m *marks) add(k rawKey, is mark) {
	is.serial = m.lines
	m.byKey[k] = is
	if len(m.byKey) > maxMarks+maxMarks/8 {
		for _, k := range m.inOrder()[:len(m.byKey)-maxMarks] {
			delete(m.byKey, k)
		}
	}
}

// inOrder gives the keys, those deleted first in front, and those evicted before them: who evicts much forgets nothing that
// was deleted.
func (m *marks) inOrder() []rawKey {
	return slices.SortedFunc(maps.Keys(m.byKey), func(a, b rawKey) int {
		x, y := m.byKey[a], m.byKey[b]
		if x.evicted != y.evicted {
			if x.evicted {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(x.serial, y.serial), bytes.Compare(a[:], b[:]))
	})
}

// write remembers a key, on the disk, too.
func (m *marks) write(d disk, k rawKey, is mark) error {
	if was, ok := m.byKey[k]; ok && was.issuedAt == is.issuedAt && was.evicted == is.evicted {
		return nil
	}
	text := is.line(k)
	line := text + " " + checksum(text) + "\n"
	if m.torn {
		line = "\n" + line
	}
	m.torn = true
	if err := d.extend(marksFile, []byte(line)); err != nil {
		return err
	}
	m.torn = false
	if !m.settled {
		if err := d.settle("."); err != nil {
			return err
		}
		m.settled = true
	}
	m.lines++
	if m.add(k, is); m.lines > 2*maxMarks {
		return m.compact(d)
	}
	return nil
}

// compact writes the file anew, without what is forgotten.
func (m *marks) compact(d disk) error {
	var b bytes.Buffer
	keys := m.inOrder()
	for i, k := range keys {
		is := m.byKey[k]
		is.serial = i
		m.byKey[k] = is
		text := is.line(k)
		fmt.Fprintln(&b, text, checksum(text))
	}
	if err := d.replace(marksFile, b.Bytes()); err != nil {
		return fmt.Errorf("full: marks of deleted accounts: %w", err)
	}
	m.lines, m.torn, m.settled = len(keys), false, false
	return nil
}
