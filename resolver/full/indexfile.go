package full

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"slices"
)

// The index on disk: a line that says what it is, when it was written, how many entries follow, the entries in the order of their
// keys, and a checksum of all that. It is a cache: whatever is wrong with it, the directory is read instead.
const (
	indexFile  = own + "index"
	indexMagic = "natsauth full 1\n"
	headSize   = len(indexMagic) + 8
	entrySize  = keySize + sha256.Size + 8 + 8 + 8
	maxIndex   = 1 << 32 // bytes; 47 million accounts
)

var errIndex = errors.New("the index is damaged")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// encodeIndex writes entries, which are in order.
func encodeIndex(entries []entry) []byte {
	out := make([]byte, 0, headSize+len(entries)*entrySize+crc32.Size)
	out = append(out, indexMagic...)
	out = binary.LittleEndian.AppendUint64(out, uint64(len(entries)))
	for i := range entries {
		e := &entries[i]
		out = append(out, e.key[:]...)
		out = append(out, e.sum[:]...)
		for _, n := range [...]int64{e.expires, e.size, e.changed} {
			out = binary.LittleEndian.AppendUint64(out, uint64(n)) //nolint:gosec // G115: the bits of a number
		}
	}
	return binary.LittleEndian.AppendUint32(out, crc32.Checksum(out, castagnoli))
}

// decodeIndex reads what encodeIndex has written.
func decodeIndex(data []byte) ([]entry, error) {
	if len(data) < headSize+crc32.Size || !bytes.HasPrefix(data, []byte(indexMagic)) {
		return nil, errIndex
	}
	body, check := data[:len(data)-crc32.Size], data[len(data)-crc32.Size:]
	count := binary.LittleEndian.Uint64(data[len(indexMagic):])
	rest := body[headSize:]
	if uint64(len(rest)) != count*uint64(entrySize) || count > maxIndex/uint64(entrySize) ||
		binary.LittleEndian.Uint32(check) != crc32.Checksum(body, castagnoli) {
		return nil, errIndex
	}
	out := make([]entry, count)
	for i := range out {
		e := &out[i]
		rest = rest[copy(e.key[:], rest):]
		rest = rest[copy(e.sum[:], rest):]
		for _, n := range [...]*int64{&e.expires, &e.size, &e.changed} {
			*n = int64(binary.LittleEndian.Uint64(rest)) //nolint:gosec // G115: the bits of a number
			rest = rest[8:]
		}
	}
	if !slices.IsSortedFunc(out, func(a, b entry) int { return bytes.Compare(a.key[:], b.key[:]) }) {
		return nil, errIndex
	}
	return out, nil
}
