// Package nonce decides whether a client holds the private key of the user it claims to be. Who that user is, and
// what it may do, is decided elsewhere: this package knows keys and signatures and no claims.
//
// # The broker
//
// Make one text for each connection with [New], send it in the INFO message, and keep it for as long as the
// connection lives: a client may send CONNECT again, and signs the same text then. A text is never used for a second
// connection. Whoever has seen a signature over it could otherwise present that signature again, so a text that is
// shared, or derived from anything but [New], proves nothing.
//
// When CONNECT arrives, [Verify] takes the text that was sent, the user's public key and the signature that came
// back. A broker that meets the same key often decodes it once with [Key] and calls [VerifyKey], which leaves no
// garbage behind. [VerifyProxy] does the same for the signature of a trusted proxy.
//
// # The client
//
// [Sign] makes the signature, from the text as it was received: it signs the characters, not the bytes they encode.
//
// # Refusals
//
// Each refusal is one of [ErrNonce], [ErrNoSignature], [ErrEncoding], [ErrKey] and [ErrMismatch], to be told apart
// with errors.Is. The checks run in that order and the first to fail is the answer. An error never holds the text, the
// signature or the key, so it may be logged; it is for the broker's log, not for the client.
//
// # Spelling of signatures
//
// A user's signature is base64 in the URL alphabet without padding, as clients send it, or in the standard alphabet
// with padding. CR and LF are skipped wherever they stand, and the unused low bits of the last character are ignored.
// One signature therefore has many spellings: compare none of them, and take none of them for an identity. A proxy's
// signature has the first of the two forms only. A spelling is accepted exactly where nats-server v2.15 accepts it
// (server/auth.go processClientOrLeafAuthentication and proxyCheck).
//
// Every function may be called by several goroutines at once.
package nonce
