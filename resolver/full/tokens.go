package full

import (
	"context"
	"errors"
	"iter"
	"runtime"
	"sync"

	"github.com/natsauth/natsauth/resolver"
)

// batch is how many files are read at a time.
const batch = 256

// Tokens gives every account's token in canonical spelling, of the accounts as they are when a loop begins and in their
// order. It is what asking for each of them comes to, and faster. An account that has lost its token since is left out, as is one whose file is
// at fault. No lock is held while the loop's body runs. Another error ends the loop, with an empty token.
func (s *Store) Tokens(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		keys, err := s.keys(ctx)
		if err != nil {
			yield("", err)
			return
		}
		for len(keys) > 0 {
			n := min(batch, len(keys))
			tokens, err := s.readBatch(ctx, keys[:n])
			if err != nil {
				yield("", err)
				return
			}
			for _, token := range tokens {
				if token != "" && !yield(token, nil) {
					return
				}
			}
			keys = keys[n:]
		}
	}
}

// readBatch reads the tokens of some accounts; empty: there is none. It is no use of them.
func (s *Store) readBatch(ctx context.Context, keys []string) ([]string, error) {
	if err := s.usable(ctx); err != nil {
		return nil, err
	}
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
	for _, err := range errs {
		if err != nil && !errors.Is(err, resolver.ErrNotFound) && !errors.Is(err, ErrFault) {
			return nil, err
		}
	}
	return tokens, nil
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
