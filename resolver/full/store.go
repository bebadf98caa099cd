package full

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"math"
	"os"
	"path"
	"slices"
	"strconv"
	"sync"

	"github.com/natsauth/natsauth/resolver"
)

// Store is a directory of account tokens. It may be used by several goroutines; the zero and the nil Store answer
// resolver.ErrUnavailable. Close it when it is not needed any more.
//
// What others write into the directory is seen when the account is asked for, by Reload and by Watch. A file that is put
// there counts as it is: who can write there needs no rule about rollbacks.
type Store struct {
	options Options
	disk    disk
	lock    io.Closer

	mu       sync.RWMutex // guards what follows
	index    *index
	marks    marks
	faults   map[string]error // by the file's name
	watchers map[*watcher]struct{}
	folders  map[string]struct{} // whose names are on the disk
	unsure   bool                // the index's hash has to be made anew
	closed   bool
	loading  sync.Mutex // held by one Reload
	used     recency    // of Options.Evict
}

// Open opens a directory, and makes it if there is none. It reads what it does not know by its index. The error says
// which part of the options is wrong, is [ErrInUse], or one of the file system's; a file that is no token is no error.
func Open(dir string, o Options) (*Store, error) {
	o, err := o.checked()
	if err != nil {
		return nil, err
	}
	d, err := openDirectory(dir)
	if err != nil {
		return nil, err
	}
	lock, err := d.lock(own + "lock")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("full: %s: %w", dir, err), d.close())
	}
	s, err := open(d, o)
	if err != nil {
		return nil, errors.Join(err, lock.Close(), d.close())
	}
	s.lock = lock
	return s, nil
}

// open is Open of a disk.
func open(d disk, o Options) (*Store, error) {
	m, err := loadMarks(d)
	if err != nil {
		return nil, err
	}
	s := &Store{
		options: o, disk: d, index: newIndex(nil), marks: m,
		faults: make(map[string]error), watchers: make(map[*watcher]struct{}), folders: make(map[string]struct{}),
	}
	known := s.readIndex()
	found, err := s.scan(context.Background(), known)
	if err != nil {
		return nil, err
	}
	for _, name := range found.leftovers {
		if err := d.remove(name); err != nil {
			s.fault(name, err)
		}
	}
	for name, err := range found.faults {
		s.fault(name, err)
	}
	if slices.Equal(known, found.entries) {
		s.index = newIndex(known)
	} else {
		s.write(found.entries)
	}
	if o.Evict {
		s.used.begin(found.entries)
	}
	return s, nil
}

// Resolve gives the account's token in canonical spelling, or resolver.ErrNotFound. Where the file is not the account's
// token the error is [ErrFault].
func (s *Store) Resolve(ctx context.Context, account string) (string, error) {
	if err := s.usable(ctx); err != nil {
		return "", err
	}
	k, ok := parseKey(account)
	if !ok {
		return "", resolver.ErrNotFound
	}
	token, err := s.find(k)
	if err == nil {
		s.use(k)
	}
	return token, err
}

// find is Resolve of a key, and no use of the account.
func (s *Store) find(k rawKey) (string, error) {
	now := s.expire()
	s.mu.RLock()
	r, ok := s.index.get(k)
	s.mu.RUnlock()
	if !ok {
		if _, err := s.disk.stat(s.options.file(k)); errors.Is(err, fs.ErrNotExist) {
			return "", resolver.ErrNotFound
		}
	} else if !r.due(now) {
		if token, ok := s.quick(r, make([]byte, roomy)); ok {
			return token, nil
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return "", errClosed
	}
	held, err := s.observe(k)
	if err != nil {
		return "", err
	}
	if held == nil {
		return "", resolver.ErrNotFound
	}
	return held.token, nil
}

// roomy is what most tokens have room in.
const roomy = 8 << 10

// quick reads the token that the index knows, and nothing else. The buffer is not empty.
func (s *Store) quick(r record, buf []byte) (string, bool) {
	data, err := s.disk.peek(s.options.file(r.key), buf)
	if err != nil || !r.is(sum(data)) {
		return "", false
	}
	return string(data), true
}

// Save keeps a token as resolver.Store says: what Save has acknowledged is on the disk. Where it gives an error the
// account's token is the one that was held before.
func (s *Store) Save(ctx context.Context, token string, m resolver.Mode) (bool, error) {
	if err := s.usable(ctx); err != nil {
		return false, err
	}
	now := s.expire()
	if k, ok := s.keeps(token, now); ok && m <= resolver.Override {
		s.use(k)
		return false, nil
	}
	next, err := parse(token)
	if err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false, errClosed
	}
	held, err := s.observe(next.key)
	if err != nil && !errors.Is(err, ErrFault) {
		return false, err
	}
	switch ok, err := m.Admits(s.mark(next.key, held), next.mark); {
	case err != nil:
		return false, err
	case !ok:
		s.use(next.key)
		return false, nil
	}
	if held == nil {
		if err := s.makeRoom(next.key); err != nil {
			return false, err
		}
	}
	if err := s.put(next, held); err != nil {
		return false, err
	}
	s.use(next.key)
	return true, nil
}

// keeps says whether the token is the one that is held, and is there, and of which account: its file has the size and the
// time that the index knows, or is read. Whose it is it says itself; that it is right was seen when it came.
func (s *Store) keeps(token string, now int64) (rawKey, bool) {
	k, ok := subject(token)
	if !ok {
		return k, false
	}
	s.mu.RLock()
	r, ok := s.index.get(k)
	s.mu.RUnlock()
	if !ok || r.due(now) || !r.is(sum([]byte(token))) {
		return k, false
	}
	info, err := s.disk.stat(s.options.file(k))
	if err != nil || !info.Mode().IsRegular() || info.Size() != int64(len(token)) {
		return k, false
	}
	if at := s.settled(info); at != 0 && at == r.at() {
		return k, true
	}
	there, ok := s.quick(r, make([]byte, len(token)+1))
	return k, ok && there == token
}

// mark is the account's mark. One that was never seen has one that no token is older than.
func (s *Store) mark(k rawKey, held *file) resolver.Mark {
	if held != nil {
		return held.mark
	}
	if m, ok := s.marks.byKey[k]; ok {
		return m.mark()
	}
	return resolver.Mark{IssuedAt: math.MinInt64}
}

// hasRoom says whether an account that has no token may have one. Whose file is at fault keeps its place.
func (s *Store) hasRoom(k rawKey) bool {
	left := s.options.Limit - s.index.count
	if s.options.Limit == 0 || left > len(s.faults) {
		return true
	}
	for name := range s.faults {
		other, ok := s.options.account(name)
		if _, held := s.index.get(other); ok && !held && other != k {
			left--
		}
	}
	return left > 0
}

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
	case held == nil && there == nil && (err == nil || errors.Is(err, ErrFault)), there != nil && held != nil && there.sum == held.sum:
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

// Delete forgets the account's token as [Options].Delete says, and keeps its mark.
func (s *Store) Delete(ctx context.Context, account string) error {
	if err := s.usable(ctx); err != nil {
		return err
	}
	if s.options.Delete == DeleteOff {
		return ErrDelete
	}
	k, ok := parseKey(account)
	if !ok {
		return nil
	}
	s.expire()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errClosed
	}
	held, err := s.observe(k)
	switch {
	case errors.Is(err, ErrFault):
		if _, err = s.setAside(s.options.file(k), s.disk.rename); err == nil {
			delete(s.faults, s.options.file(k))
		}
	case held != nil:
		err = s.take(held)
	case s.marks.byKey[k].evicted:
		err = s.marks.write(s.disk, k, mark{issuedAt: s.marks.byKey[k].issuedAt})
	}
	if err != nil {
		return outage(err)
	}
	return nil
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

const (
	// retryTime is after how many seconds what could not be removed is tried again.
	retryTime = 60
	// maxExpired is how many tokens whose time is over one call removes: each is a mark and a change of a folder that have to
	// get to the disk, and everybody waits for the lock meanwhile. The next call goes on.
	maxExpired = 16
)

// expire removes tokens whose time is over, and gives the time. One that it leaves is nobody's token either.
func (s *Store) expire() int64 {
	now := s.options.Clock().Unix()
	s.mu.RLock()
	due := s.index.due(now)
	s.mu.RUnlock()
	if !due {
		return now
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return now
	}
	for _, k := range s.index.over(now, maxExpired) {
		if _, err := s.observe(k); err != nil {
			s.index.next = now + retryTime
			s.options.Logger.Warn("full: a token whose time is over was not removed", "account", k.String(), "error", err)
		}
	}
	return now
}

// Accounts gives the keys of the accounts as they are when a loop begins.
func (s *Store) Accounts(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		keys, err := s.keys(ctx)
		if err != nil {
			yield("", err)
			return
		}
		for _, key := range keys {
			if err := s.usable(ctx); err != nil {
				yield("", err)
				return
			}
			if !yield(key, nil) {
				return
			}
		}
	}
}

func (s *Store) keys(ctx context.Context) ([]string, error) {
	if err := s.usable(ctx); err != nil {
		return nil, err
	}
	now := s.expire()
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.index.keys(now), nil
}

// Hash gives the hash of what is held. It is kept up to date with each change, and costs nothing to ask for. Where very many
// tokens end at once, those that are still to be removed are in it.
func (s *Store) Hash(ctx context.Context) ([32]byte, error) {
	if err := s.usable(ctx); err != nil {
		return [32]byte{}, err
	}
	s.expire()
	s.mu.RLock()
	hash, unsure := s.index.hash, s.unsure
	s.mu.RUnlock()
	if !unsure {
		return hash, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return [32]byte{}, errClosed
	}
	if s.checkpoint(); s.unsure {
		return [32]byte{}, outage(errors.New("the directory cannot be read"))
	}
	return s.index.hash, nil
}

// SystemBound is true: what a directory holds is exchanged through the system account.
func (s *Store) SystemBound() bool { return true }

// Close writes the index and lets the directory go. What comes afterwards gets [ErrClosed]. Closing again does nothing.
func (s *Store) Close() error {
	if s == nil || s.disk == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	if len(s.index.recent) > 0 {
		s.checkpoint()
	}
	s.closed = true
	for w := range s.watchers {
		w.poke()
	}
	err := s.disk.close()
	if s.lock != nil {
		err = errors.Join(err, s.lock.Close())
	}
	return err
}

var errClosed = fmt.Errorf("%w: %w", resolver.ErrUnavailable, ErrClosed)

func (s *Store) usable(ctx context.Context) error {
	if s == nil || s.disk == nil {
		return fmt.Errorf("%w: zero Store", resolver.ErrUnavailable)
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%w: %w", resolver.ErrUnavailable, err)
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return errClosed
	}
	return nil
}

// outage marks an error of the file system.
func outage(err error) error { return fmt.Errorf("full: %w: %w", resolver.ErrUnavailable, err) }
