package resolver

import (
	"context"
	"errors"
	"fmt"
	"iter"
)

var (
	// ErrNotFound says that there is no token for the account. It is an answer: whoever gives it has looked. No error
	// wraps both ErrNotFound and [ErrUnavailable].
	ErrNotFound = errors.New("resolver: account not found")

	// ErrUnavailable says that the question could not be put or was not answered, which leaves open whether there is a
	// token.
	ErrUnavailable = errors.New("resolver: unavailable")

	// ErrRollback says that the token is older than the one that is held, or that was held when the account was
	// deleted, so that taking it would undo a later decision (B4).
	ErrRollback = errors.New("resolver: token is older than the one held")

	// ErrFull says that a store has no room for one more account. A token for an account that it holds is not refused
	// with it.
	ErrFull = errors.New("resolver: store is full")

	// ErrToken says that what was to be saved is not an account token. The error that wraps it says why, and never
	// holds the token.
	ErrToken = errors.New("resolver: not an account token")

	// ErrNoChanges says that a [Watcher] will never tell anything, because what it passes on tells of no changes. It is of
	// ours alone: no error of a system or of a connection is taken for it.
	ErrNoChanges = errors.New("resolver: it tells of no changes")
)

// IsNotFound says whether an error is a clear no: one that wraps both [ErrNotFound] and [ErrUnavailable], which none should,
// is an outage, and so is every other.
func IsNotFound(err error) bool {
	return errors.Is(err, ErrNotFound) && !errors.Is(err, ErrUnavailable)
}

// Resolver gives account tokens.
//
// Resolve takes the public key of an account (A...) and gives its token, in any spelling. The error is [ErrNotFound] if
// there is none, and any other if that is not known; then the token is empty. Text that is no such key is ErrNotFound.
// Resolve changes nothing that a caller could see, may be asked as often as one likes, and by several goroutines at once.
// A Resolver may be wrong: its caller verifies the token, and that it is for the account asked for.
type Resolver interface {
	Resolve(ctx context.Context, account string) (token string, err error)
}

// Store is a Resolver that keeps tokens. It trusts nobody, and leaves trust to its caller, who has verified what it
// saves. Its methods may be called by several goroutines at once, and each takes effect at one instant: of two tokens
// that are saved at the same time, both are judged, one after the other.
//
// Save keeps an account's token in place of the one that is held, if [Mode.Admits] says so, and reports whether what is
// held has changed. A token that is held already, in any spelling, is no change and no error, so that a Save may be
// repeated. The error is [ErrToken], [ErrRollback], [ErrFull] or one of the store's own, and then nothing has changed.
//
// Delete forgets an account's token. An account that has none is no error, so that a Delete may be repeated. What the
// store remembers of the account is its mark: an older token is a rollback after Delete too, as far as the store says.
//
// Accounts gives the keys of the accounts that have a token, in ascending order, as of one instant after the loop has
// begun. No lock is held while the loop's body runs: it may call the store. An error ends the loop, with an empty key.
//
// Hash gives the XOR of the SHA-256 of every token that is held, in canonical spelling, and 32 zero bytes for none. Two
// stores with the same tokens have the same hash. Behaviour: nats-server v2.15 server/dirstore.go DirJWTStore.Hash.
type Store interface {
	Resolver
	Save(ctx context.Context, token string, m Mode) (changed bool, err error)
	Delete(ctx context.Context, account string) error
	Accounts(ctx context.Context) iter.Seq2[string, error]
	Hash(ctx context.Context) ([32]byte, error)
}

// Watcher tells of changes.
//
// Watch calls changed with the key of each account whose token may have changed, and with "" when any may have: look at
// all. It calls from one goroutine at a time. A call is a hint and no more: it may come late, twice, in any order and
// for nothing, so the callee looks the account up and believes what it finds. It returns soon, because the next hint
// waits for it. What changes while nobody watches is not told later; a Watcher that cannot know what it missed begins
// with "". Whether it tells of what is saved through it is its own to say.
//
// Watch blocks until ctx has ended or it can see no more changes, and returns an error that says which; changed is not
// called after that. Its caller may call it again, unless the error wraps [ErrNoChanges]: it comes at once from
// what passes on what another tells, when that tells of no changes.
type Watcher interface {
	Watch(ctx context.Context, changed func(account string)) error
}

// SystemBound is implemented by a Resolver or Store that exchanges tokens through the system account, such as a directory
// that syncs over NATS. Where SystemBound gives true, package auth refuses a configuration that names no system account.
//
// Behaviour: nats-server v2.15 server/jwt.go validateTrustedOperators.
type SystemBound interface{ SystemBound() bool }

// Forgetter is implemented by a Resolver or Store that remembers what it was told, such as a cache. When Forget has
// returned, the next question about the account is put to whoever knows; "" is every account. What passes questions on
// passes this on. Package auth calls it of an account whose token it does not believe, so that a wrong answer does not last
// as long as a right one, and of one that a [Watcher] names, before it looks that up.
type Forgetter interface{ Forget(account string) }

// Forget has r forget, if it remembers anything.
func Forget(r Resolver, account string) {
	if f, ok := r.(Forgetter); ok {
		f.Forget(account)
	}
}

// Func makes a [Resolver] of a function, which then has to keep a Resolver's promises. The nil Func answers
// [ErrUnavailable].
type Func func(ctx context.Context, account string) (string, error)

// Resolve calls f.
func (f Func) Resolve(ctx context.Context, account string) (string, error) {
	if f == nil {
		return "", fmt.Errorf("%w: nil Func", ErrUnavailable)
	}
	return f(ctx, account)
}

// ended gives an error when ctx has ended.
func ended(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return nil
}
