// Package auth decides, from NATS JWTs alone, who may connect to a broker and
// what they may do. The broker keeps its sockets, its routing and its storage; it
// asks here.
//
// # Once
//
// A [Trust] names the operators that are believed. A [Config] adds where account
// tokens come from: a [resolver.Store] of the broker's own, an upstream
// [resolver.Resolver], or both. [New] checks it all and gives an [Authorizer].
//
// # For every client
//
// The broker sends a nonce (package nonce) and collects what the client answers
// in [Credentials]. [Authorizer.Connect] takes the steps listed in auth.go: it
// reads the user's token, checks that the client holds the user's key, finds the
// account, checks that a trusted operator vouches for the account and the account
// for the user, fills in the template of a scoped signing key, and holds every
// restriction against the result. It gives a [Session], or an [*Error] with a
// [Reason]: the log gets the Error, the client gets [Error.Wire].
//
// # For every message
//
// [Session.CanPublish], [Session.CanSubscribe] and [Session.CanDeliver] answer
// without I/O or allocation; [Session.Delivered] grants the responses that
// permissions allow. [Session.WhyPublish] and its sisters tell which rule decided.
//
// # While the session lives
//
// It ends by itself when the first token of its chain expires, or the hours of
// the user are over: [Session.Notify] tells, [Session.Done] and [Session.Err] are
// there for whoever prefers to wait. The broker calls [Session.Close] when the
// client is gone.
//
// # When an account changes
//
// [Authorizer.Apply] takes an account's new token, [Authorizer.Remove] takes an
// account out of force, [Authorizer.SetTrust] changes whom the broker believes: the
// sessions that are touched are judged again, and go on with what they may do now or
// are closed. The [Report] says which; the previews change nothing. Where nobody
// pushes, [Config.Refresh] and [Config.Watch] bring what is new. [Session.Renew] is
// for a client that shows a new token on the connection that it has.
//
// # What accounts share
//
// An account that is in force has an [Account], its view: what its token says and how its
// imports stand, at one moment. [Session.Account] gives the view of now.
//
//	published   Account.Map -> Session.CanPublish -> subscriptions of the account
//	                                              -> Account.Services, for each route:
//	                                                 Exporter.Map -> Replies.Open -> published there
//	an answer   begins with Replies.Prefix: Replies.Take -> Requestor.Map -> published there
//	subscribed  Session.CanSubscribe -> the account's subscriptions
//	                                 -> Account.Streams, for each route: those of its Exporter
//	delivered   StreamRoute.Local for what a stream brings -> Session.CanDeliver -> Session.Delivered
//
// Where imports stand or lead changes, [Config.OnAccount] tells, and [Account.Imports] says
// why; [Authorizer.Graph] draws them. What names like B10 and F083 stand for is in
// doc/rules.md.
//
// # When somebody asks why
//
// [Authorizer.Explain] takes the same steps, admits nobody, and tells the outcome
// of each.
//
// What is not done here: no user database, no private keys, no file or network
// access. An Authorizer sees only the tokens that its Store and Resolver hand it.
package auth
