// Package natskv keeps account tokens in a JetStream key-value bucket: a [Store] for many brokers that share one, without
// a directory on each. What one of them has pushed all have, and [Store.Watch] tells them. [Bus] is a resolver.Bus over a
// connection to NATS, for package claimsync. The package verifies no trust: that is its caller's, before it saves.
//
// In the order of use:
//
//	js, err := jetstream.New(nc)                                        // nats.MaxReconnects(-1)
//	store, err := natskv.New(js, natskv.Options{Bucket: "accounts", Replicas: 3})
//	a, err := auth.New(auth.Config{Store: store, Watch: []resolver.Watcher{store}, ...})
//
// An entry's key is the account's, its value the token in canonical spelling. Of an account that was deleted the entry
// says when its last token was issued, so that an older one is a rollback on every broker (B4). Each write names the
// revision that it has read, and happens only if that is the newest still: of two brokers that write at once both are
// judged, one after the other. Reads ask the leader of the bucket's stream, so that what was acknowledged is seen by
// all: a bucket of which copies answer is [ErrBucket].
//
// What a watch tells is taken by revision, each once. Beside it the bucket is asked every [Options].Poll for its last
// revision, and a watch that is behind is begun anew where it stopped. After a connection was lost, or a question stayed
// without an answer, the last revision that was seen is looked for: where it is not there, everything is read anew. [Stats]
// has the time up to which nothing is missing.
//
// While the bucket cannot be reached the store is unavailable. Accounts in force go on by the rules of package auth, and
// package cache remembers others. The tokens of the accounts without which the bucket cannot be reached at all, such as
// that of its own account where the servers take their accounts from here, are [Options].Bootstrap. A Store is no
// resolver.Lister: a pack asks it for one account after the other.
//
// Who writes into the bucket past this package is not held to the rule about rollbacks here; package auth refuses older
// tokens itself.
package natskv
