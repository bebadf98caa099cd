package full

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/natsauth/natsauth/claims"
	"github.com/natsauth/natsauth/resolver"
)

// file is an account's token, read.
type file struct {
	entry
	mark  resolver.Mark
	token string // canonical
}

func sum(token []byte) [sha256.Size]byte { return sha256.Sum256(token) }

// parse reads a token, with the signature of whoever has issued it.
func parse(token string) (*file, error) {
	t, err := resolver.ReadToken(token)
	if err != nil {
		return nil, err
	}
	k, ok := parseKey(t.Account)
	if !ok {
		return nil, errors.New("it is about no account")
	}
	return &file{entry: entry{key: k, sum: sum([]byte(t.Text)), expires: t.Expires}, mark: t.Mark, token: t.Text}, nil
}

// subject guesses whose token a text is, without reading it: whoever asks compares the text with what is held. It is there
// for speed; one who writes sub with spaces or escapes is read as everybody else.
func subject(token string) (rawKey, bool) {
	_, rest, _ := strings.Cut(token, ".")
	body, _, ok := strings.Cut(rest, ".")
	if !ok || len(token) > claims.MaxTokenSize {
		return rawKey{}, false
	}
	text, err := base64.RawURLEncoding.DecodeString(body)
	if err != nil {
		return rawKey{}, false
	}
	_, after, ok := bytes.Cut(text, []byte(`"sub":"`))
	key, _, closed := bytes.Cut(after, []byte{'"'})
	if !ok || !closed {
		return rawKey{}, false
	}
	return decodeKey(string(key))
}

// inspect reads the file of an account. Nil is that there is none. Where it is as known says, by its sum, its signature
// is not checked again, and there is no mark. The error is [ErrFault], or the file could not be read.
func (s *Store) inspect(k rawKey, known *entry) (*file, error) {
	name := s.options.file(k)
	data, info, err := s.disk.read(name, claims.MaxTokenSize)
	switch {
	case err != nil && (info != nil || s.isNoFile(name)): // what is there is no file of a token
		return nil, fmt.Errorf("%w: %w", ErrFault, err)
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	}
	token := strings.TrimSpace(string(data))
	if known != nil && known.sum == sum([]byte(token)) {
		f := &file{entry: *known, token: token}
		f.size, f.changed = info.Size(), s.settled(info)
		return f, nil
	}
	f, err := parse(token)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFault, err)
	}
	if f.key != k {
		return nil, fmt.Errorf("%w: it is the token of %v", ErrFault, f.key)
	}
	f.size, f.changed = info.Size(), s.settled(info)
	return f, nil
}

// isNoFile says whether something else has the name, such as a link that leads out of the directory, or nowhere.
func (s *Store) isNoFile(name string) bool {
	info, err := s.disk.stat(name)
	return err == nil && !info.Mode().IsRegular()
}

// settled is a file's time, unless that is so near that somebody may write to it still, in the same instant.
func (s *Store) settled(info fs.FileInfo) int64 {
	at := info.ModTime()
	if s.options.Clock().Sub(at) < settleTime {
		return 0
	}
	return at.UnixNano()
}
