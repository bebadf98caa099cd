package full

import (
	"encoding/base32"
	"path"
	"strings"

	"github.com/natsauth/natsauth/claims"
)

// keySize is the length of a public key: 32 bytes, and the two of its checksum.
const keySize = 34

// textSize is the length of a public key's text.
const textSize = (1 + keySize) * 8 / 5

// rawKey is an account's public key without its first byte, which is the same for all.
type rawKey [keySize]byte

var base32Key = base32.StdEncoding.WithPadding(base32.NoPadding)

// parseKey reads an account key, and nothing else: what it refuses reaches no file.
func parseKey(text string) (rawKey, bool) {
	if !claims.IsAccountKey(text) {
		return rawKey{}, false
	}
	return decodeKey(text)
}

// decodeKey is parseKey of what is a key.
func decodeKey(text string) (rawKey, bool) {
	var k rawKey
	var bytes [1 + keySize]byte
	if n, err := base32Key.Decode(bytes[:], []byte(text)); err != nil || n != len(bytes) {
		return k, false
	}
	copy(k[:], bytes[1:])
	return k, true
}

// String gives the key as text.
func (k rawKey) String() string {
	var bytes [1 + keySize]byte
	var text [textSize]byte
	copy(bytes[1:], k[:])
	base32Key.Encode(text[:], bytes[:])
	return string(text[:])
}

// What the names of files end in, and what ours begin with.
const (
	extension = ".jwt"
	deleted   = ".deleted"
	aside     = ".aside"
	own       = ".natsauth."
)

// file is where an account's token is, in the directory.
func (o Options) file(k rawKey) string {
	text := k.String()
	if o.Sharded {
		return o.folder(text) + "/" + text + extension
	}
	return text + extension
}

// folder is that of a key's file; ".": the directory itself.
func (o Options) folder(key string) string {
	if o.Sharded {
		return key[len(key)-2:]
	}
	return "."
}

// account gives the account that a path names, if it is where the account's file is.
func (o Options) account(file string) (rawKey, bool) {
	key, ok := strings.CutSuffix(path.Base(file), extension)
	if !ok {
		return rawKey{}, false
	}
	k, ok := parseKey(key)
	return k, ok && path.Dir(file) == o.folder(key)
}

// isTemporary says whether a file is what a write that did not come to its end has left behind: a dot, the name of what
// was to be written, and digits, in the directory or in the folder of what was to be written. Nothing else that is hidden is
// ours.
func (o Options) isTemporary(file string) bool {
	name, hidden := strings.CutPrefix(path.Base(file), ".")
	of := strings.TrimRight(name, "0123456789")
	if !hidden || of == name {
		return false
	}
	folder := path.Dir(file)
	if of == indexFile || of == marksFile {
		return folder == "."
	}
	key, ok := strings.CutSuffix(of, extension)
	if _, isKey := parseKey(key); !ok || !isKey {
		return false
	}
	return folder == "." || folder == o.folder(key)
}
