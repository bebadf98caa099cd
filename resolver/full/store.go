package full

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"slices"
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
	return resolver.NoMark
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
