// Package cache remembers account tokens for a while, so that whoever keeps them is asked less often and may be out of
// reach for a moment. It decides how long an answer counts; whether a token deserves trust is decided by those who ask.
//
// # Asking
//
// [New] puts a [Cache] before a resolver.Resolver, and [NewStore] a [Store] before a resolver.Store. Each is what it
// wraps: what a question finds in memory is the answer, and what it does not find is asked for once, however many ask at
// the same time. Whoever gives up waiting leaves the others what they wait for.
//
// Tokens are kept as they came, never errors: neither that there is no account, which package auth remembers for the
// short time that it needs, nor that nobody knows.
//
// # Growing old
//
// A token goes through three ages. Until [Options.TTL] has passed since upstream was asked for it, it is the answer; near
// the end of that time ([Options.RefreshAhead]) the first question has upstream asked again in the background. After that
// it is the answer only if upstream is asked and is unavailable, and for [Options.MaxStale] at the most. Then it is gone.
// A token's own end comes first, whatever the options say. When upstream has no token any more, what was kept of it goes
// at once.
//
// # Forgetting
//
// [Cache.Forget] makes the next question go upstream, as package auth wants for a token that it does not believe. What was
// asked for before is not kept, even if it comes later.
// [Cache.Watch] forgets what a watcher names before it says so, and a Store what is saved and deleted through it.
//
// # Bounds
//
// What is kept is bounded by number and by size, what is under way by number and by time; [Cache.Stats] counts. See
// [Options].
package cache
