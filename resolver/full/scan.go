package full

import (
	"context"
	"errors"
	"fmt"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/natsauth/natsauth/resolver"
)

// settleTime is how old a file has to be for its time to say that nobody has written to it since.
const settleTime = 2 * time.Second

// found is what a look at the whole directory has found.
type found struct {
	entries   []entry // in order
	changed   []rawKey
	touched   []entry // that say what they said, at another time
	faults    map[string]error
	leftovers []string
}

// scan looks at every file. What is known of one is believed where size and time are the same; then the file is not
// read. It holds no lock.
func (s *Store) scan(ctx context.Context, known []entry) (*found, error) {
	out := &found{faults: make(map[string]error)}
	seen, err := s.files(out)
	if err != nil {
		return nil, outage(err)
	}
	if err := s.lookAll(ctx, known, seen); err != nil {
		return nil, err
	}
	out.entries = make([]entry, 0, len(seen))
	for i := range seen {
		l := &seen[i]
		if l.err != nil {
			out.faults[l.name] = l.err
		}
		if l.changed || l.err != nil {
			out.changed = append(out.changed, l.key)
		}
		if l.touched {
			out.touched = append(out.touched, l.entry)
		}
		if l.there {
			out.entries = append(out.entries, l.entry)
		}
	}
	sortEntries(out.entries)
	for i := range known {
		if find(out.entries, known[i].key) == nil && out.faults[s.options.file(known[i].key)] == nil {
			out.changed = append(out.changed, known[i].key)
		}
	}
	return out, nil
}

// files lists the files of tokens, in the directory and its folders, to be looked at. What else ends in .jwt is a fault.
func (s *Store) files(out *found) ([]look, error) {
	var files []look
	folders := []string{"."}
	for len(folders) > 0 {
		folder := folders[0]
		folders = folders[1:]
		list, err := s.disk.list(folder)
		if err != nil && folder == "." {
			return nil, err
		}
		if err != nil {
			out.faults[folder] = err
		}
		files = slices.Grow(files, len(list))
		for _, name := range list {
			name = path.Join(folder, name)
			k, ours := s.options.account(name)
			switch {
			case ours:
				files = append(files, look{name: name, entry: entry{key: k}})
			case s.options.isTemporary(name):
				out.leftovers = append(out.leftovers, name)
			case strings.HasPrefix(name, "."):
			case folder == "." && s.isFolder(name):
				folders = append(folders, name)
			case strings.HasSuffix(name, extension):
				out.faults[name] = fmt.Errorf("%w: this is not where an account's token is", ErrFault)
			}
		}
	}
	return files, nil
}

func (s *Store) isFolder(name string) bool {
	info, err := s.disk.stat(name)
	return err == nil && info.IsDir()
}

// look is what was seen of one file.
type look struct {
	entry
	name    string
	there   bool
	changed bool // it is not as it is known
	touched bool // it is, and not by its time or size
	err     error
}

// lookAll looks at the files, as many at a time as there are processors.
func (s *Store) lookAll(ctx context.Context, known []entry, files []look) error {
	var next atomic.Int64
	var looking sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		looking.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(files) {
					return
				}
				s.look(&files[i], find(known, files[i].key))
			}
		})
	}
	looking.Wait()
	if err := ctx.Err(); err != nil {
		return outage(err)
	}
	return nil
}

// look looks at one file.
func (s *Store) look(l *look, known *entry) {
	if known != nil && known.changed != 0 {
		info, err := s.disk.stat(l.name)
		if err == nil && info.Mode().IsRegular() && info.Size() == known.size && info.ModTime().UnixNano() == known.changed {
			l.entry, l.there = *known, true
			return
		}
	}
	f, err := s.inspect(l.key, known)
	switch {
	case err != nil:
		l.err = err
	case f != nil:
		l.entry, l.there = f.entry, true
	}
	l.changed = known == nil && l.there || known != nil && (!l.there || l.sum != known.sum)
	l.touched = known != nil && l.there && !l.changed && l.entry != *known
}

// observe reads an account's file and has the index say what it says: nil is that there is no token, or that its time is
// over. The error is [ErrFault], or the file could not be read and the index is as it was. s.mu is held.
func (s *Store) observe(k rawKey) (*file, error) {
	name := s.options.file(k)
	r, held := s.index.get(k)
	f, err := s.inspect(k, nil)
	switch {
	case errors.Is(err, ErrFault):
		s.fault(name, err)
		f = nil
	case err != nil:
		return nil, outage(err)
	default:
		delete(s.faults, name)
	}
	switch {
	case f == nil && held:
		s.lose(k)
	case f != nil && !held:
		s.index.put(f.entry, nil)
		delete(s.marks.byKey, k) // who can put it there need not ask
		s.changed(k)
	case f != nil && !r.is(f.sum):
		s.lose(k)
		s.index.put(f.entry, nil)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", resolver.ErrUnavailable, err)
	}
	if f != nil && s.overdue(f) {
		if err := s.end(f); err != nil {
			return nil, outage(err)
		}
		return nil, nil
	}
	return f, nil
}

// end removes what is over, as Delete would. Nobody has deleted it: where the clock was wrong the token itself may come back,
// as one that was evicted.
func (s *Store) end(f *file) error {
	return s.drop(f, mark{issuedAt: f.mark.IssuedAt, evicted: true}, s.options.Delete == DeleteRename)
}

func (s *Store) overdue(f *file) bool {
	r := f.record()
	return r.due(s.options.Clock().Unix())
}

// lose takes an account out of the index whose file was changed by somebody else: what it was, nobody knows any more.
func (s *Store) lose(k rawKey) {
	s.index.lose(k)
	s.unsure = true
	s.changed(k)
}

func (s *Store) fault(name string, err error) {
	if s.faults[name] == nil {
		s.options.Logger.Warn("full: set aside", "file", name, "error", err)
	}
	s.faults[name] = err
}

// Fault is a file that is set aside, and why.
type Fault struct {
	File string // its name in the directory
	Err  error
}

// Faults gives the files that are set aside, by name. They were seen when the directory was read, or the account was asked
// for.
func (s *Store) Faults() []Fault {
	if s == nil {
		return nil
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := make([]Fault, 0, len(s.faults))
	for name, err := range s.faults {
		out = append(out, Fault{name, err})
	}
	sortFaults(out)
	return out
}

// Reload looks at the whole directory and takes over what others have done there. It gives the accounts that have changed,
// those of which the file is at fault now included. Only one Reload runs at a time.
func (s *Store) Reload(ctx context.Context) ([]string, error) {
	if err := s.usable(ctx); err != nil {
		return nil, err
	}
	s.loading.Lock()
	defer s.loading.Unlock()
	s.mu.Lock()
	known := s.entries()
	s.mu.Unlock()
	seen, err := s.scan(ctx, known)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, k := range seen.changed {
		if s.reobserve(k) {
			out = append(out, k.String())
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errClosed
	}
	for _, e := range seen.touched {
		s.index.touch(e)
	}
	s.refault(seen.faults)
	s.checkpoint()
	return out, nil
}

// reobserve is observe of what a scan found suspicious. It says whether it was right.
func (s *Store) reobserve(k rawKey) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	before, had := s.index.get(k)
	wrong := s.faults[s.options.file(k)] != nil
	if _, err := s.observe(k); err != nil && !errors.Is(err, ErrFault) {
		s.fault(s.options.file(k), err)
	}
	after, has := s.index.get(k)
	return had != has || before != after || wrong != (s.faults[s.options.file(k)] != nil)
}

// refault has the faults of files that are no account's be those that a scan has found.
func (s *Store) refault(seen map[string]error) {
	for name := range s.faults {
		if _, ours := s.options.account(name); !ours && seen[name] == nil {
			delete(s.faults, name)
		}
	}
	for name, err := range seen {
		if _, ours := s.options.account(name); !ours {
			s.fault(name, err)
		}
	}
}
