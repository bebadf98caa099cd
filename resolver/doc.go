// Package resolver says where account tokens come from and where they are kept. It decides which of two tokens for one
// account a store holds; whether a token deserves any trust is decided by those who ask, package auth above all.
//
// # Asking
//
// A [Resolver] gives the token of an account, by its public key. [Func] makes one of a function, [Chain] asks several
// in turn. There are two ways of not getting a token and they are never confused: [ErrNotFound] is the answer of
// somebody who knows that there is none, and every other error means that nobody knows; [ErrUnavailable] marks the
// outages. The first ends an account's sessions, the second does not.
//
// # Keeping
//
// A [Store] is a Resolver that can also be written, listed and hashed. [Memory] is one, and
// github.com/natsauth/natsauth/resolver/full keeps a directory of files. What a Save does when the account has a token
// already is the rule of a [Mode], the same in every store: [Mode.Admits]. Whoever writes a store reads what is saved with
// [ReadToken], compares its Mark with that of what is held, with that of a deletion or with [NoMark], keeps the Text, and holds
// it to resolvertest.Run and resolvertest.Remembers. Tokens are kept in the spelling of
// [claims.Canonical], so that stores which hold the same tokens have the same hash. [ListerOf] gives all that a store holds.
//
// # Hearing of changes
//
// A [Watcher] tells that an account may have changed. What it says is a hint, which may come late, twice and in any
// order; it leads to a look-up, and the look-up decides.
//
// # Layers
//
// What wraps a Resolver is one, and adds one thing: a Chain the next source, a cache time. What was found is kept by the Store of
// auth.Config. What can be done besides is passed on: [Watcher], [SystemBound], [Forgetter]. The layers example of
// github.com/natsauth/natsauth/auth puts them all together.
//
// # Talking to other nodes
//
// A [Bus] carries messages: a broker's own, or a connection to another. The packages that keep nodes alike use it.
//
// # Contexts
//
// Whatever may wait takes a context, and gives up when that ends, with an error that wraps [ErrUnavailable] and the
// context's own.
package resolver
