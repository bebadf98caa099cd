package natskv

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/natsauth/natsauth/claims"
	"github.com/natsauth/natsauth/resolver"
)

// Store is a bucket of account tokens. It may be used by several goroutines, and by as many brokers as there are; the
// zero and the nil Store answer resolver.ErrUnavailable. It holds nothing that has to be closed.
//
// A request to the bucket takes as long as its context says, and 5 seconds where that does not say anything. Where the
// answer to a write does not come, Save and Delete look what has become of it; where they cannot, the write may still
// happen, unless somebody else writes before. Doing it again does no harm.
type Store struct {
	js        jetstream.JetStream
	options   Options
	bootstrap *resolver.Memory
	seeded    atomic.Bool   // what is in bootstrap is in the bucket
	lives     atomic.Uint64 // of the connection, when the bucket was asked last
	doubtful  atomic.Bool   // since then it was lost, or the bucket did not answer: when it does, it may have gone back
	index     index
	catching  chan struct{} // taken by whoever catches up
	resumed   atomic.Int64
	current   atomic.Pointer[time.Time]

	mu     sync.Mutex
	bucket jetstream.KeyValue // guarded by mu; nil: not reached yet
}

// New makes a Store of a bucket, and asks for nothing yet. The error says which part of the options is wrong.
func New(js jetstream.JetStream, o Options) (*Store, error) {
	if js == nil || js.Conn() == nil {
		return nil, errors.New("natskv: there is no connection")
	}
	o, err := o.checked()
	if err != nil {
		return nil, err
	}
	bootstrap, err := resolver.NewMemory(o.Bootstrap...)
	if err != nil {
		return nil, fmt.Errorf("natskv: Options.Bootstrap: %w", err)
	}
	return &Store{js: js, options: o, bootstrap: bootstrap, catching: make(chan struct{}, 1)}, nil
}

// Resolve gives the account's token in canonical spelling, or resolver.ErrNotFound; where the bucket cannot be asked, that
// of [Options].Bootstrap. Where the entry is not the account's token the error is [ErrFault].
func (s *Store) Resolve(ctx context.Context, account string) (string, error) {
	if err := s.usable(ctx); err != nil {
		return "", err
	}
	if !claims.IsAccountKey(account) {
		return "", resolver.ErrNotFound
	}
	e, err := s.read(ctx, account)
	token := ""
	if err == nil {
		token, err = e.token()
	}
	switch {
	case token != "":
		return token, nil
	case err == nil && e.revision != 0:
		return "", resolver.ErrNotFound // somebody has deleted it
	}
	if _, known := s.index.known(account); known.revision == 0 { // it never gives way to what began
		if token, none := s.bootstrap.Resolve(context.WithoutCancel(ctx), account); none == nil {
			return token, nil
		}
	}
	if err == nil {
		return "", resolver.ErrNotFound
	}
	return "", outage(err)
}

// read asks the bucket for what a key has. An answer of a server that knows less than what was seen here is none.
func (s *Store) read(ctx context.Context, account string) (entry, error) {
	bucket, err := s.bind(ctx)
	if err != nil {
		return entry{}, err
	}
	for range 3 {
		epoch, _ := s.index.known(account)
		e, err := get(ctx, bucket, account, epoch)
		if err != nil {
			return entry{}, err
		}
		now, known := s.index.known(account)
		if now != epoch {
			continue // everything was forgotten: what it would be held to is not known yet
		}
		if known.agrees(e) {
			s.learn(e)
			return e, nil
		}
		if err := s.catchUp(ctx); err != nil { // unless it is another bucket now
			return entry{}, err
		}
	}
	return entry{}, errStale
}

// get asks the bucket. A key that somebody has deleted by hand is one that was never there.
func get(ctx context.Context, bucket jetstream.KeyValue, account string, epoch int) (entry, error) {
	e, err := bucket.Get(ctx, account)
	switch {
	case errors.Is(err, jetstream.ErrKeyNotFound):
		return entry{account: account, epoch: epoch}, nil
	case err != nil:
		return entry{}, err
	}
	return entryOf(e, epoch), nil
}

// Save keeps a token as resolver.Store says: what Save has acknowledged is on most of the bucket's servers.
func (s *Store) Save(ctx context.Context, token string, m resolver.Mode) (bool, error) {
	if err := s.usable(ctx); err != nil {
		return false, err
	}
	next, err := resolver.ReadToken(token)
	if err != nil {
		return false, err
	}
	return s.change(ctx, next.Account, func(held entry) (string, error) {
		ok, err := m.Admits(held.mark(), next.Mark)
		if err != nil || !ok {
			return "", err
		}
		return next.Text, nil
	})
}

// Delete forgets the account's token and keeps its mark.
func (s *Store) Delete(ctx context.Context, account string) error {
	if err := s.usable(ctx); err != nil {
		return err
	}
	if !claims.IsAccountKey(account) {
		return nil
	}
	_, err := s.change(ctx, account, func(held entry) (string, error) {
		if _, deleted := held.deleted(); deleted || held.value == "" {
			return "", nil
		}
		return fmt.Sprintf(tombstone, held.mark().IssuedAt), nil
	})
	return err
}

// maxTries is how often a change is tried where others are faster each time.
const maxTries = 100

// change writes what decide makes of what is held, if that is anything, and only in place of it: where somebody else has
// written meanwhile it decides anew. It reports whether the write has happened, also of one whose answer was lost.
func (s *Store) change(ctx context.Context, account string, decide func(held entry) (string, error)) (bool, error) {
	lost := ""
	for range maxTries {
		held, err := s.read(ctx, account)
		if err != nil {
			return false, outage(err)
		}
		if lost != "" && held.value == lost {
			return true, nil
		}
		value, err := decide(held)
		if err != nil || value == "" {
			return false, err
		}
		err = s.write(ctx, held, value)
		switch {
		case err == nil:
			return true, nil
		case errors.Is(err, jetstream.ErrKeyExists), errors.Is(err, jetstream.ErrKeyRevisionMismatch):
			continue // somebody else was faster
		case isFull(err) && held.revision == 0:
			return false, fmt.Errorf("%w: %w", resolver.ErrFull, err)
		case isAnswer(err) || lost != "" || ctx.Err() != nil:
			return false, outage(err)
		}
		lost = value
	}
	return false, outage(errors.New("others write there all the time"))
}

// write puts a value in the place of what is held.
func (s *Store) write(ctx context.Context, held entry, value string) error {
	bucket, err := s.bind(ctx)
	if err != nil {
		return err
	}
	var revision uint64
	if held.revision == 0 {
		revision, err = bucket.Create(ctx, held.account, []byte(value))
	} else {
		revision, err = bucket.Update(ctx, held.account, []byte(value), held.revision)
	}
	if err != nil {
		return err
	}
	s.learn(entry{account: held.account, epoch: held.epoch, revision: revision, value: value})
	return nil
}

// learn takes in what an entry says.
func (s *Store) learn(e entry) {
	if e.revision == 0 {
		return
	}
	if err := s.index.learn(e); err != nil {
		s.options.Logger.Warn("natskv: an entry is not its account's token", "bucket", s.options.Bucket, "key", e.account, "error", err)
	}
}

// Accounts gives the keys of the accounts as they are when a loop begins.
func (s *Store) Accounts(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		err := s.usable(ctx)
		if err == nil {
			err = s.catchUp(ctx)
		}
		if err != nil {
			yield("", outage(err))
			return
		}
		for _, key := range s.index.accounts() {
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

// Hash gives the hash of what is held, once everything is known that the bucket has when it is asked.
func (s *Store) Hash(ctx context.Context) ([32]byte, error) {
	err := s.usable(ctx)
	if err == nil {
		err = s.catchUp(ctx)
	}
	if err != nil {
		return [32]byte{}, outage(err)
	}
	return s.index.sum(), nil
}

func (s *Store) usable(ctx context.Context) error {
	if s == nil || s.js == nil {
		return fmt.Errorf("%w: zero Store", resolver.ErrUnavailable)
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%w: %w", resolver.ErrUnavailable, err)
	}
	return nil
}

// outage marks an error of NATS.
func outage(err error) error {
	if errors.Is(err, resolver.ErrUnavailable) {
		return err
	}
	return fmt.Errorf("%w: natskv: %w", resolver.ErrUnavailable, err)
}
