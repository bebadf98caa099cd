package full

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strconv"
)

// put writes a token in place of what is held. s.mu is held.
func (s *Store) put(next, held *file) error {
	name := s.options.file(next.key)
	aside, err := s.prepare(name)
	if err == nil {
		err = s.store(name, next.token)
	}
	switch {
	case err != nil && aside != "":
		return outage(errors.Join(err, s.putBack(aside, name)))
	case err != nil:
		return outage(errors.Join(err, s.restore(next.key, name, held)))
	}
	delete(s.faults, name)
	s.enter(next, held)
	delete(s.marks.byKey, next.key)
	return nil
}

// prepare makes room for a file: its folder, and what is in its place and no token gets a second name, so that at no moment
// nothing is there: no token is another answer than none that can be had. It gives that name; empty: there was nothing.
func (s *Store) prepare(name string) (string, error) {
	if err := s.ready(path.Dir(name)); err != nil {
		return "", err
	}
	if s.faults[name] == nil {
		return "", nil
	}
	return s.setAside(name, s.linkOrRename)
}

// ready makes a folder, and sees to it that its name is on the disk: if it was there already, once, for whoever made it may
// not have come so far.
func (s *Store) ready(folder string) error {
	if folder == "." {
		return nil
	}
	made, err := s.disk.folder(folder)
	if err != nil {
		return err
	}
	if _, ok := s.folders[folder]; ok && !made {
		return nil
	}
	delete(s.folders, folder)
	if err := s.disk.settle(path.Dir(folder)); err != nil {
		return err
	}
	s.folders[folder] = struct{}{}
	return nil
}

// setAside gives what is no token the name under which it stays, and gives that; empty: there was nothing.
func (s *Store) setAside(name string, rename func(from, to string) error) (string, error) {
	to, err := s.free(name + aside)
	if err != nil {
		return "", err
	}
	switch err := rename(name, to); {
	case errors.Is(err, fs.ErrNotExist):
		return "", nil
	case err != nil:
		return "", err
	}
	return to, s.disk.settle(path.Dir(name))
}

func (s *Store) linkOrRename(from, to string) error {
	err := s.disk.link(from, to)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return s.disk.rename(from, to)
}

// maxAside is how many files of one account may be aside.
const maxAside = 1000

// free gives a name that nothing has yet: this one, or one with a number.
func (s *Store) free(name string) (string, error) {
	for n := range maxAside {
		to := name
		if n > 0 {
			to += "." + strconv.Itoa(n)
		}
		if _, err := s.disk.stat(to); errors.Is(err, fs.ErrNotExist) {
			return to, nil
		} else if err != nil {
			return "", err
		}
	}
	return "", fmt.Errorf("%d files are set aside there", maxAside)
}

// putBack undoes prepare, and what came in the file's place: the account has no token that can be had still, and not none.
func (s *Store) putBack(aside, name string) error {
	was, err := s.disk.stat(aside)
	if err != nil {
		return err
	}
	if there, failed := s.disk.stat(name); failed == nil && os.SameFile(there, was) {
		err = s.disk.remove(aside)
	} else {
		err = s.disk.rename(aside, name)
	}
	return errors.Join(err, s.disk.settle(path.Dir(name)))
}

func (s *Store) store(name, token string) error {
	if err := s.disk.replace(name, []byte(token)); err != nil {
		return err
	}
	return s.disk.settle(path.Dir(name))
}

// restore undoes a change of which nobody knows whether it will last, and sees what is there.
func (s *Store) restore(k rawKey, name string, held *file) error {
	there, err := s.inspect(k, nil)
	switch {
	case held == nil && there == nil && (err == nil || errors.Is(err, ErrFault)),
		held != nil && there != nil && there.sum == held.sum:
		return nil // it was not changed
	case held == nil:
		err = s.disk.remove(name)
	default:
		err = s.disk.replace(name, []byte(held.token))
	}
	err = errors.Join(err, s.disk.settle(path.Dir(name)))
	if _, seen := s.observe(k); seen != nil && !errors.Is(seen, ErrFault) {
		err = errors.Join(err, seen)
	}
	return err
}

// enter takes what is on the disk now into the index.
func (s *Store) enter(next, held *file) {
	e := next.entry
	if info, err := s.disk.stat(s.options.file(e.key)); err == nil {
		e.size, e.changed = info.Size(), info.ModTime().UnixNano()
	}
	var was *[32]byte
	if held != nil {
		was = &held.sum
	}
	s.index.put(e, was)
	if s.index.full() {
		s.checkpoint()
	}
}

// take deletes what is held.
func (s *Store) take(held *file) error {
	return s.drop(held, mark{issuedAt: held.mark.IssuedAt}, s.options.Delete == DeleteRename)
}

// drop removes what is held. The mark comes first: it may be there with the token, never without.
func (s *Store) drop(held *file, m mark, rename bool) error {
	if err := s.marks.write(s.disk, held.key, m); err != nil {
		return err
	}
	name := s.options.file(held.key)
	var err error
	if rename {
		err = s.disk.rename(name, name+deleted)
	} else {
		err = s.disk.remove(name)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := s.disk.settle(path.Dir(name)); err != nil {
		return errors.Join(err, s.restore(held.key, name, held))
	}
	s.index.drop(held.key, &held.sum)
	return nil
}
