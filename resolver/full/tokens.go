package full

import (
	"context"
	"errors"
	"iter"
	"runtime"
	"slices"
	"sync"

	"github.com/natsauth/natsauth/resolver"
)

const (
	// batch is how many files are read at a time: their tokens are in memory together, up to claims.MaxTokenSize each. It is
	// twice maxUnread at least, so that the files that may be unreadable are no outage when they come first.
	batch = 2 * maxUnread
	// maxUnread is how many files of a directory may be unreadable before that is the directory's fault: so many a bad
	// place on a disk, or somebody's chmod, may have hit.
	maxUnread = 16
)

// Tokens gives every account's token, as resolver.Lister says. It is what asking for each of them comes to, and faster. An
// account that has lost its token since is left out, as is one whose file is at fault, or cannot be read: the Logger is told.
// If more than 16 files cannot be read, or more than were read, that is an outage, and ends the loop.
func (s *Store) Tokens(ctx context.Context) iter.Seq2[resolver.Held, error] {
	return func(yield func(resolver.Held, error) bool) {
		keys, err := s.keys(ctx)
		if err != nil {
			yield(resolver.Held{}, err)
			return
		}
		r := reading{store: s}
		for some := range slices.Chunk(keys, batch) {
			tokens, err := r.read(ctx, some)
			if err != nil {
				yield(resolver.Held{}, err)
				return
			}
			for i, token := range tokens {
				if err := s.usable(ctx); err != nil {
					yield(resolver.Held{}, err)
					return
				}
				if token != "" && !yield(resolver.Held{Account: some[i], Token: token}, nil) {
					return
				}
			}
		}
	}
}

// reading is one loop of Tokens.
type reading struct {
	store        *Store
	done, unread int // files
}

// read reads the tokens of some accounts; empty: there is none, or it is left out.
func (r *reading) read(ctx context.Context, keys []string) ([]string, error) {
	tokens, errs := r.store.ask(ctx, keys)
	if err := r.store.usable(ctx); err != nil {
		return nil, err
	}
	var last error
	for i, err := range errs {
		switch {
		case err == nil:
			r.done++
		case !errors.Is(err, resolver.ErrNotFound) && !errors.Is(err, ErrFault):
			r.unread++
			last = err
			r.store.options.Logger.Warn("full: a token was not read", "account", keys[i], "error", err)
		}
	}
	if r.unread > min(r.done, maxUnread) {
		return nil, last
	}
	return tokens, nil
}

// ask asks for accounts, as many at a time as there are processors.
func (s *Store) ask(ctx context.Context, keys []string) ([]string, []error) {
	known := s.records(keys)
	tokens, errs := make([]string, len(keys)), make([]error, len(keys))
	var reading sync.WaitGroup
	workers := runtime.GOMAXPROCS(0)
	for w := range workers {
		reading.Go(func() {
			buf := make([]byte, roomy)
			for i := w; i < len(keys); i += workers {
				var ok bool
				if tokens[i], ok = s.quick(known[i], buf); ok {
					continue
				}
				if k, ok := decodeKey(keys[i]); ok {
					tokens[i], errs[i] = s.find(k)
				}
			}
		})
	}
	reading.Wait()
	return tokens, errs
}

// records gives what the index knows of accounts; of one that it does not know, what is no file's.
func (s *Store) records(keys []string) []record {
	out := make([]record, len(keys))
	s.mu.RLock()
	defer s.mu.RUnlock()
	for i, key := range keys {
		k, _ := decodeKey(key)
		out[i], _ = s.index.get(k)
	}
	return out
}
