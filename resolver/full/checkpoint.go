package full

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
)

func sortFaults(list []Fault) {
	slices.SortFunc(list, func(a, b Fault) int { return strings.Compare(a.File, b.File) })
}

// readIndex gives what the index on the disk says; nothing where there is none, or it is damaged.
func (s *Store) readIndex() []entry {
	data, _, err := s.disk.read(indexFile, maxIndex)
	var entries []entry
	if err == nil {
		entries, err = decodeIndex(data)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.options.Logger.Warn("full: the index is made anew", "error", err)
	}
	return entries
}

// entries gives all that the store knows of its files, in order. Where the index on the disk is not what it was, the
// directory is read instead. s.mu is held.
func (s *Store) entries() []entry {
	disk := s.readIndex()
	if s.index.matches(disk) {
		return s.index.merged(disk)
	}
	seen, err := s.scan(context.Background(), nil)
	if err != nil {
		s.options.Logger.Warn("full: the directory cannot be read", "error", err)
		return nil
	}
	return seen.entries
}

// checkpoint writes the index anew, and with it all that is kept in memory since the last time. Where that is not
// possible it stays in memory. s.mu is held.
func (s *Store) checkpoint() {
	entries := s.entries()
	if entries == nil && s.index.count > 0 {
		return
	}
	s.write(entries)
	s.unsure = false
}

// write has the index be what the entries say, on the disk if possible.
func (s *Store) write(entries []entry) {
	if err := s.disk.replace(indexFile, encodeIndex(entries)); err != nil {
		s.options.Logger.Warn("full: the index was not written", "error", err)
		s.index = s.index.unwritten(entries)
		return
	}
	s.index = newIndex(entries)
}

// unwritten is the index where the entries could not be written: what is on the disk stays what it is, and it is tried again
// when twice as much has changed.
func (x *index) unwritten(entries []entry) *index {
	next := newIndex(nil)
	next.base = x.base
	for k, e := range x.recent {
		next.recent[k] = e // those that are gone, too
	}
	for _, e := range entries {
		if r, ok := next.get(e.key); !ok || !r.is(e.sum) {
			next.recent[e.key] = &e
		}
		next.mix(e.sum)
		next.count++
		r := e.record()
		next.await(&r)
	}
	next.room = 2 * len(next.recent)
	return next
}
