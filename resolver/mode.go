package resolver

import (
	"bytes"
	"fmt"
	"math"

	"github.com/natsauth/natsauth/claims"
)

// Mode says what becomes of a token when the store holds another for the account. Whatever the mode, a token that was
// issued later takes the place of an earlier one, and the token that is held changes nothing.
type Mode uint8

const (
	// Push is for a token that an administrator sends, and is the zero Mode. An older token is [ErrRollback]. Of two
	// tokens of the same second the later push wins.
	Push Mode = iota

	// Merge is for a token that another store had. An older token is [ErrRollback]. Of two tokens of the same second
	// the one with the greater digest wins, so that stores which merge from each other in any order hold the same. An
	// account that was deleted comes back with a later token only: who has not heard of it still offers the last one.
	Merge

	// Override is for going back to an older token on purpose. It always wins.
	Override
)

// String gives the name in lower case, for logs.
func (m Mode) String() string {
	switch m {
	case Push:
		return "push"
	case Merge:
		return "merge"
	case Override:
		return "override"
	default:
		return fmt.Sprintf("mode(%d)", uint8(m))
	}
}

// Mark is what the rule of a [Mode] needs to know of an account's token: when it was issued, in seconds since 1970, and
// what it says. The zero Digest is that of no token: with it, a Mark stands for an account that was deleted, or, if it is
// [NoMark], never seen.
type Mark struct {
	IssuedAt int64
	Digest   claims.Digest
}

// NoMark is that of an account that was never seen: no token is older.
var NoMark = Mark{IssuedAt: math.MinInt64}

// Admits says whether next takes the place of held. The error is [ErrRollback] if next was issued earlier, and m does
// not allow that. A Mode that is none of the three admits nothing, with an error. It is a pure function, and the one
// place where the rule is (B4): stores call it.
func (m Mode) Admits(held, next Mark) (bool, error) {
	switch {
	case m > Override:
		return false, fmt.Errorf("resolver: unknown %v", m)
	case next.Digest == held.Digest:
		return false, nil
	case m == Override || next.IssuedAt > held.IssuedAt:
		return true, nil
	case next.IssuedAt < held.IssuedAt, m == Merge && held.Digest == (claims.Digest{}):
		return false, ErrRollback
	default:
		return m == Push || bytes.Compare(next.Digest[:], held.Digest[:]) > 0, nil
	}
}
