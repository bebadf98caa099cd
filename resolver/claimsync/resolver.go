package claimsync

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/natsauth/natsauth/claims"
	"github.com/natsauth/natsauth/resolver"
)

// defaultTimeout is nats-server v2.15 server/accounts.go DEFAULT_ACCOUNT_FETCH_TIMEOUT.
const defaultTimeout = 1900 * time.Millisecond

var (
	errTimeout = errors.New("claimsync: not all nodes answered in time")
	errBad     = errors.New("claimsync: a node answered with what is not a token of the account")
	errNobody  = errors.New("claimsync: nobody answers")
)

// Options are what a [Resolver] is made of. Bus is needed; the zero value of everything else does what its comment says.
type Options struct {
	Bus resolver.Bus
	// Peers says how many other nodes will answer, as of now: when so many have no token, there is none, and where it is
	// zero there is none without asking. Negative: that is not known. It may be called by several goroutines. nil: it is
	// never known.
	Peers func() int
	// Vouch judges a token before it counts as an answer: that of [auth.Authorizer.Vouch] keeps a node that answers first,
	// with a token of nobody who is trusted, from being all that is heard. nil: [claims.ParseAccount], which trusts whoever
	// signed. Whoever asks the Resolver judges what it gives in any case.
	Vouch func(token string) (*claims.Account, error)

	// Timeout is how long a look-up waits for answers; 0: 1.9 seconds (F119).
	Timeout time.Duration
	// Lookups is how many look-ups are under way at the same time, each with an inbox of its own; one more is refused with
	// [ErrBusy]; default 64.
	Lookups int
	// Answers is how many tokens are taken for one look-up until one is good, of which twice MessageBytes may wait; default
	// 32.
	Answers int
	// MessageBytes is the largest answer that is read; default and most [claims.MaxTokenSize], 1 MiB.
	MessageBytes int
}

// Resolver asks other nodes for accounts, by CLAIMS.LOOKUP. The nil Resolver answers [resolver.ErrUnavailable]. It may be
// used by several goroutines, and runs none of its own.
type Resolver struct {
	options Options
	prefix  string // of all its inboxes
	room    chan struct{}

	mu    sync.Mutex
	stats ResolverStats // guarded by mu
}

// ResolverStats is what a [Resolver] has done since [NewResolver].
type ResolverStats struct {
	Lookups                      uint64 // questions that were sent
	Found, NotFound, Unavailable uint64 // how they ended
	Bad                          uint64 // answers that were no token of the account, or of nobody who is vouched for
	Busy                         uint64 // questions that had no room
}

// NewResolver makes a Resolver. The error says what is wrong with o.
func NewResolver(o Options) (*Resolver, error) {
	if o.Bus == nil {
		return nil, errors.New("claimsync: Options needs a Bus")
	}
	for _, f := range []struct {
		name     string
		value    *int
		standard int
	}{
		{"Lookups", &o.Lookups, 64},
		{"Answers", &o.Answers, 32},
		{"MessageBytes", &o.MessageBytes, claims.MaxTokenSize},
	} {
		if err := fill("Options."+f.name, f.value, f.standard); err != nil {
			return nil, err
		}
	}
	if err := fill("Options.Timeout", &o.Timeout, defaultTimeout); err != nil {
		return nil, err
	}
	if o.MessageBytes > claims.MaxTokenSize {
		return nil, fmt.Errorf("claimsync: Options.MessageBytes is over %d", claims.MaxTokenSize)
	}
	if o.Peers == nil {
		o.Peers = func() int { return -1 }
	}
	if o.Vouch == nil {
		o.Vouch = claims.ParseAccount
	}
	return &Resolver{options: o, prefix: newInbox() + ".", room: make(chan struct{}, o.Lookups)}, nil
}

// SystemBound is true: the nodes talk in the system account.
func (r *Resolver) SystemBound() bool { return true }

// owns says whether an inbox is one of the Resolver's.
func (r *Resolver) owns(inbox string) bool { return r != nil && strings.HasPrefix(inbox, r.prefix) }

// Stats gives the counts, as of one instant. Those of the nil Resolver are zero.
func (r *Resolver) Stats() ResolverStats {
	if r == nil {
		return ResolverStats{}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stats
}

// Resolve gives the first token of the account that another node answers with. The error is [resolver.ErrNotFound] where
// as many nodes as there are have said that they have none, and each said that. Where their number is not known, where not
// all have answered in time, or some with nonsense, nobody knows: that is [resolver.ErrUnavailable], and so is a context that
// has ended.
func (r *Resolver) Resolve(ctx context.Context, account string) (string, error) {
	switch {
	case r == nil:
		return "", fmt.Errorf("%w: nil Resolver", resolver.ErrUnavailable)
	case ctx.Err() != nil:
		return "", fmt.Errorf("%w: %w", resolver.ErrUnavailable, ctx.Err())
	case !claims.IsAccountKey(account):
		return "", resolver.ErrNotFound
	}
	peers := r.options.Peers()
	if peers == 0 {
		return "", resolver.ErrNotFound
	}
	select {
	case r.room <- struct{}{}:
		defer func() { <-r.room }()
	default:
		r.count(func(s *ResolverStats) { s.Busy++ })
		return "", fmt.Errorf("%w: %w", resolver.ErrUnavailable, ErrBusy)
	}
	token, err := r.ask(ctx, account, peers)
	r.count(func(s *ResolverStats) {
		s.Lookups++
		switch {
		case err == nil:
			s.Found++
		case resolver.IsNotFound(err):
			s.NotFound++
		default:
			s.Unavailable++
		}
	})
	return token, err
}

func (r *Resolver) count(f func(*ResolverStats)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f(&r.stats)
}

// ask puts the question, and waits.
func (r *Resolver) ask(ctx context.Context, account string, peers int) (string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, r.options.Timeout, errTimeout)
	defer cancel()
	o := r.options
	q := newQuestion(r.prefix+newInbox()[len(inboxes):], o.Answers, 2*o.MessageBytes, o.MessageBytes)
	stop, err := o.Bus.Subscribe(q.inbox, "", q.hear)
	if err != nil {
		return "", fmt.Errorf("%w: %w", resolver.ErrUnavailable, err)
	}
	defer stop() //nolint:errcheck // nothing is heard any more, whatever it says
	subject := strings.Replace(subjectLookup, "*", account, 1)
	if err := o.Bus.Publish(ctx, resolver.Msg{Subject: subject, Reply: q.inbox}); err != nil {
		return "", fmt.Errorf("%w: %w", resolver.ErrUnavailable, err)
	}
	return r.wait(ctx, q, account, peers)
}

// wait gives the first good answer, or says why there is none.
func (r *Resolver) wait(ctx context.Context, q *question, account string, peers int) (string, error) {
	empty, bad := 0, 0
	for {
		select {
		case <-q.news:
		case <-ctx.Done():
			return "", fmt.Errorf("%w: %w", resolver.ErrUnavailable, context.Cause(ctx))
		}
		h := q.take()
		for _, message := range h.messages {
			if r.good(string(message), account) {
				return string(message), nil
			}
			bad++
		}
		bad += h.large + h.lost
		empty += h.empty
		switch {
		case h.nobody:
			return "", fmt.Errorf("%w: %w", resolver.ErrUnavailable, errNobody)
		case peers < 0 || empty+bad < peers:
		case bad > 0:
			return "", fmt.Errorf("%w: %w", resolver.ErrUnavailable, errBad)
		default:
			return "", resolver.ErrNotFound
		}
	}
}

// good says whether an answer counts.
func (r *Resolver) good(token, account string) bool {
	a, err := r.options.Vouch(token)
	if err == nil && a != nil && a.Key == account {
		return true
	}
	r.count(func(s *ResolverStats) { s.Bad++ })
	return false
}
