package natskv

import (
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/natsauth/natsauth/claims"
	"github.com/natsauth/natsauth/resolver"
)

// entry is what the bucket has under an account's key. The zero entry is nothing.
type entry struct {
	account  string
	epoch    int    // of the index when it was asked for
	revision uint64 // 0: there is none
	value    string // empty: there is none, or somebody has deleted the key by hand
}

// entryOf is that of the bucket's own. A marker that the key was deleted has no value, whatever it carries.
func entryOf(e jetstream.KeyValueEntry, epoch int) entry {
	out := entry{account: e.Key(), epoch: epoch, revision: e.Revision()}
	if e.Operation() == jetstream.KeyValuePut {
		out.value = string(e.Value())
	}
	return out
}

// tombstone is the value of an account that was deleted: when its last token was issued, in seconds since 1970.
const tombstone = "deleted %d"

// deleted reads a tombstone.
func (e entry) deleted() (issuedAt int64, ok bool) {
	n, err := fmt.Sscanf(e.value, tombstone, &issuedAt)
	return issuedAt, err == nil && n == 1 && e.value == fmt.Sprintf(tombstone, issuedAt)
}

// token gives the account's token in canonical spelling, or none where there is none. Its signature is not looked at: who
// saved it has verified it, and who asks for it does. The error is [ErrFault].
func (e entry) token() (string, error) {
	if _, deleted := e.deleted(); deleted || e.value == "" {
		return "", nil
	}
	said, err := claims.Peek(e.value)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrFault, err)
	}
	if said.Subject != e.account || !claims.IsAccountKey(e.account) {
		return "", fmt.Errorf("%w: it is about another", ErrFault)
	}
	text, err := claims.Canonical(e.value)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrFault, err)
	}
	return text, nil
}

// mark is the account's mark. One whose entry is at fault was never seen.
func (e entry) mark() resolver.Mark {
	if issuedAt, ok := e.deleted(); ok {
		return resolver.Mark{IssuedAt: issuedAt}
	}
	if t, err := resolver.ReadToken(e.value); err == nil && t.Account == e.account {
		return t.Mark
	}
	return resolver.NoMark
}
