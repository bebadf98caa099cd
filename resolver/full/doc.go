// Package full keeps account tokens in a directory, one file <KEY>.jwt each, as nats-server's full resolver does: a
// directory that one has written opens in the other (F108, F110 to F113).
//
// [Open] gives a [Store], which is a resolver.Store and a resolver.Watcher. What it adds to the files is its own, begins
// with ".natsauth." and may be deleted while the store is closed:
//
//   - an index, with which an unchanged directory opens without a token being read; it is believed only where size and
//     time of the file say so, and made anew where it is missing or damaged;
//   - the marks of accounts that were deleted or evicted, or whose token was over, so that an older token is a rollback
//     afterwards, too (B4);
//   - a lock: one process has a directory at a time.
//
// # What is lost, and when
//
// Nothing that was acknowledged. A token is written beside the old one, synced, renamed over it, and the directory is
// synced, before Save returns; whoever reads sees the one or the other. A process that is killed at any moment leaves
// what it had acknowledged, and at most a temporary file, which the next Open removes.
//
// # What is not a token
//
// A file that ends in .jwt and is not what its name says is set aside: it stays where it is, [Store.Faults] tells it by
// name, and the account has no token that can be had, which is an outage and not a "not found". A Save of that account gives
// it the name <KEY>.jwt.aside, and puts the token in its place without a moment in between; where a file can have no second
// name there is one.
package full
