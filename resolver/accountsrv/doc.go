// Package accountsrv serves account tokens over HTTP, as nats-account-server does, to whoever looks them up there:
// nats-server with a URL resolver, nsc, and github.com/natsauth/natsauth/resolver/url (F132). It decides what is said
// about a token that is there; whether a token that somebody pushes may come in is decided by an Authorizer of package
// auth.
//
// # Serving
//
// [New] takes a [Config] and gives a [Server], which is an http.Handler. It answers these paths, and all of them under
// /jwt/v2/ too, where nsc looks first:
//
//	/jwt/v1/help             what there is
//	/jwt/v1/operator         the operator's token (Config.Operator)
//	/jwt/v1/accounts/        nothing, with 200: somebody is here
//	/jwt/v1/accounts/<key>   the account's token; POST pushes one (Config.Authorizer)
//	/jwt/v1/pack?max=N       a line of <key>|<token> for each account (Config.Accounts that is a resolver.Store)
//	/healthz                 whether tokens can be read
//
// Everything but the push is GET, or HEAD for the header alone. Paths are taken as they are written: no percent sign, dot
// or double slash leads anywhere. Use http.StripPrefix to serve under another path.
//
// # Reading
//
// A token comes in canonical spelling, as application/jwt. The query text=true makes that text/plain, otherwise decode=true
// shows what is in it, and check=true answers 404 without a body if it has ended. There are two ways of not getting a token,
// and they are never confused: 404 says that there is none, and 503, with Retry-After, that nobody knows.
//
// The ETag is the token's digest, so that it names what the issuer signed (B20); nats-account-server has the jti, which
// the issuer may choose. If-None-Match is compared with it for GET and HEAD (RFC 9110, section 13.1.2), and no other
// condition is looked at. Cache-Control allows an answer to be used until the token's end, and an hour longer while it is
// asked for again or cannot be, as nats-account-server does. A token without an end, or after it, is to be asked for each
// time (no-cache): else no cache would ever let a revocation through. Give tokens an end that you can live with, or put
// no cache in between.
//
// # Pushing
//
// POST takes the token of the account in the path, in any spelling, with white space around it, whatever its
// Content-Type. It goes through [auth.Authorizer.Apply]: verified, saved, in force, and only then acknowledged, with what
// has come of it (B5). What no operator signed never reaches the store, and is refused with the one reason:
//
//	400  not a token, not this account's, not signed by a trusted operator, or not of this time
//	403  Config.Authorize says no
//	405  nothing can be pushed here
//	409  older than the token that is held, or was held: a rollback (B4)
//	413  over Config.MaxBody
//	503  the store could not save it, its turn did not come, or it could not be published: push it again
//
// Pushing a token again changes nothing and is no error. With [Config.Bus] a push is published on
// $SYS.ACCOUNT.<key>.CLAIMS.UPDATE, too, and the query notify=true of a GET publishes what is there.
//
// # Everybody
//
// Whoever can connect can read; account tokens are not secret, but they tell who talks to whom. Every origin is allowed, as
// by nats-account-server, so that web pages ask with their visitors' browsers: let [Config.Authorize] go by a header,
// not by a cookie or an address. It judges pushes, packs and notifications; wrap the handler to judge more, or to answer
// 401. What is bounded here are bodies, packs, time and how many pushes and packs there are at once. The rest is the
// http.Server's: set its ReadHeaderTimeout, IdleTimeout and MaxHeaderBytes, and bound its connections.
//
// What is not done: no request is signed in an operator's place (nats-account-server SignRequestSubject), there are no
// activation tokens (nor does nats-account-server have paths for them), and the server looks nowhere but in
// Config.Accounts.
//
// # What else differs
//
// From nats-account-server of March 2026, whose clients need none of it:
//
//   - A path has one spelling: it is neither decoded, nor does another, with a slash at the end or in capitals, lead there.
//   - HEAD is answered. A query that cannot be read is 400; there it counts as far as it can be read.
//   - A token has ended at the second that it names (B11), not after it, and check=true counts for text=true, too.
//   - If-None-Match counts for the operator, for text=true and for decode=true as well, and a * in it for every token. What
//     notify=true asks for is done also where the answer is 304, or text.
//   - decode=true shows the claims as they are: no dates beside the seconds, and no activation is decoded.
//   - What is wrong with the store or the bus is 503 and not 500, so that whoever asks tries again; /healthz asks the store.
//     An older token is 409, and one that is too large 413. A push is answered with a text for people.
//   - A pack is in the order of the keys and ends with a line feed. Whoever asks for all accounts gets all or is refused.
package accountsrv
