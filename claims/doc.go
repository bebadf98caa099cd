// Package claims turns the bytes of a NATS JWT into typed, self-consistent
// claims. It decides whether a token is well formed and carries a true
// signature of the key that it names as its issuer; whether anybody should
// trust that key, and whether the time is right, is for package auth to say.
//
// # Reading a token
//
// [ParseOperator], [ParseAccount], [ParseUser] and [ParseActivation] check, in
// this order: the size ([MaxTokenSize]), the shape (three base64url chunks and
// a known header), the kind, the signature over the signed bytes by the key in
// `iss`, the kind of that key, and the content. The first thing that is wrong
// is the error; errors.Is tells which class it belongs to. Versions 1 and 2 of
// the format are read, as github.com/nats-io/jwt/v2 reads them. [ParseDeletion]
// does the same for requests to delete accounts, which are generic claims.
//
// # Naming a token
//
// One token has many spellings: base64 ignores line breaks and spare bits, and
// version 1 does not sign its header. [Digest] identifies what was signed,
// [Canonical] is the one spelling that stores keep and hash.
//
// # Using what was read
//
// [Window.At] is the one rule about time, [Activate] the one about what an
// import may use of what its exporter exports, [Expand] turns a scope's permission
// template into one user's permissions, [Grant.OpenAt] judges the hours of the
// day and [Grant.Covers] the source address.
//
// The package reads no clock, does no I/O but for loading a time zone by name,
// and keeps no state. What a parser returns is not written to again: it may be
// used by several goroutines as long as none of them writes to it.
package claims
