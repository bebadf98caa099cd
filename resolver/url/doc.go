// Package url gives account tokens that an account server has: a [resolver.Resolver] that asks over HTTP. It decides whether
// an answer is the token of the account that was asked for; whether anybody vouches for it, and whether its time is right,
// is decided by those who ask, package auth above all.
//
// # Asking
//
// [New] takes the server's base URL and [Options], whose zero value serves. [Resolver.Resolve] gets base and the account's
// key, and sends [Options.Header] along, which may hold credentials. Nothing is sent before the first Resolve:
// [Resolver.Probe] tells whether the server is there, and whoever starts a broker decides what to make of that.
//
// # Answers
//
// There are two ways of not getting a token. [resolver.ErrNotFound] is the answer 404 or 410, and takes the account out of
// force; let what stands before a server that is down answer 502 or 503. Everything else leaves open whether there is a
// token, and wraps [resolver.ErrUnavailable] and one of this package's own:
//
//   - [ErrNoAnswer]: no connection, a certificate that nobody vouches for, something that is not HTTP, or not in time
//   - [*StatusError]: any other status
//   - [ErrTooLarge]: a body over [Options.MaxBody]
//   - [ErrRedirect]: a redirect that is not followed
//   - [ErrToken]: a body that is not a token of this account
//   - [ErrNotModified]: "not modified" where nothing is kept that could be
//
// A connection that fails, a 5xx and a 429 are tried again, up to [Options.Attempts]. A pause ends with the context's time:
// what could not be asked again within it is told at once.
//
// # Asking for changes only
//
// A token that came with an ETag is kept, within bounds, and the next request asks whether there is another (RFC 9110,
// section 13.1.2). This is all that is kept for, unless two options say more. By [Options.MaxAge] an answer may be given
// again without asking, as long as Cache-Control allows and no longer than that: a revocation waits so long. By
// [Options.StaleIfError] it may be given while the server is down (RFC 5861), which hides the outage from package auth and
// from its MaxStale. Without them every Resolve asks, and every outage shows.
//
// What else caches do, and looks further ahead, is there for any resolver in
// github.com/natsauth/natsauth/resolver/cache. A directory belongs into the Store of auth.Config,
// and not before this in a [resolver.Chain]: a chain ends at whoever has a token, so that nobody would hear what the server has
// changed.
package url
