package resolver

import (
	"context"
	"fmt"
	"iter"
)

// Held is an account's key, and the token that a store holds for it, as its Resolve gives it.
type Held struct{ Account, Token string }

// Lister is implemented by a [Store] that gives all its tokens for less than asking for each of them costs. [ListerOf] makes
// one of any Store.
//
// Tokens gives the accounts that have a token, in ascending order of their keys, as of one instant after the loop has begun,
// and with each a token that it has had at some time since then. An account that has lost its token meanwhile is left out. So is
// one whose token the store has and cannot give, where it knows that this concerns no other: a single fault keeps back
// nobody else's token. Any other error ends the loop, with the zero Held. No lock is held while the loop's body runs: it may
// call the store.
type Lister interface {
	Tokens(ctx context.Context) iter.Seq2[Held, error]
}

// ListerOf gives the Lister that a store is, or else one that asks the store for one account after the other; there whatever
// is not a clear no ends the loop, for nobody can tell whom it concerns. That of a nil Store gives [ErrUnavailable].
func ListerOf(s Store) Lister {
	if l, ok := s.(Lister); ok {
		return l
	}
	return oneByOne{s}
}

type oneByOne struct{ store Store }

func (o oneByOne) Tokens(ctx context.Context) iter.Seq2[Held, error] {
	return func(yield func(Held, error) bool) {
		if o.store == nil {
			yield(Held{}, fmt.Errorf("%w: nil Store", ErrUnavailable))
			return
		}
		for account, err := range o.store.Accounts(ctx) {
			var token string
			if err == nil {
				token, err = o.store.Resolve(ctx, account)
			}
			switch {
			case err != nil && IsNotFound(err): // it was deleted meanwhile
			case err != nil:
				yield(Held{}, err)
				return
			case !yield(Held{account, token}, nil):
				return
			}
		}
	}
}
