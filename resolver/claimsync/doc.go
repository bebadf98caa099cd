// Package claimsync keeps account tokens alike on all nodes, by the protocol that nats-server speaks in its system account:
// tools push, list, pull and delete accounts by it, and servers ask one another for what they lack. The package decides
// which requests are heeded; whether a token is trusted, and what it changes, is decided by package auth.
//
// # Serving
//
// A [Service] answers over a [resolver.Bus]. It is made of a [Config], and works from [Service.Start] to [Service.Close]:
//
//   - CLAIMS.UPDATE puts a token in force. It is verified, saved and applied before it is acknowledged, and the answer has
//     the report of what is in force now, beside what nats-server would say (F114, B5).
//   - CLAIMS.LOOKUP gives an account's token, or an empty answer where there is none (F115).
//   - CLAIMS.PACK gives all tokens to whoever has another hash. Of all nodes one answers (F116).
//   - CLAIMS.LIST gives the keys of all accounts (F117).
//   - CLAIMS.DELETE takes accounts out of force and out of the store, at the signed request of somebody who
//     [Authorizer] says administers; the request is fresh, and counts once (F118, B23).
//
// A node whose accounts come from elsewhere takes updates of accounts in force, and nothing more
// ([Config.UpdatesOnly], F105).
//
// Who may publish on these subjects is for the broker to say: users of the system account, by their permissions.
//
// # Asking
//
// A [Resolver] asks the other nodes for an account that is not here (F119). It is the Resolver of an Authorizer, and is made
// first; the Service is told of it, so as not to answer its own node's questions.
//
// At every [Config.Interval] a Service has itself sent what another node has. What comes is trusted no more than what is
// pushed: untrusted, older and malformed tokens stop here and do not spread.
//
// # Bounds
//
// The Bus is never kept waiting. Requests wait in queues of bounded length and size ([Bounds]): what has no room is refused
// with an answer where it would have changed something, and dropped where it would have read. [Service.Stats] and
// [Resolver.Stats] count both.
//
// Behaviour: nats-server v2.15 server/accounts.go DirAccResolver.Start and CacheDirAccResolver.Start;
// server/events.go accountClaimUpdate.
package claimsync
