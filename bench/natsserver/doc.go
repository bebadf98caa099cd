// Package natsserver compares this library with an embedded nats-server, in one
// process and one run: the same tokens, the same work, and, in the tests, the
// same answers. README.md in the folder above has the commands and the figures.
//
// # How the reference is measured
//
// A chunk of in-process connections is made, their INFO read and their nonces
// signed, all outside the measurement. What is measured, in CPU time of the
// process, is CONNECT and PING on each until PONG has come. Reading and parsing
// the line and waking up for it is not the decision: a second server, which asks
// for no authentication, reads the same lines in the same rounds, and is taken
// off. What is left is the decision about one CONNECT with token and nonce. The
// end of a connection, for which the server reads the token once more, is not
// counted. The reference remembers nothing of a user, so a first connect and a
// reconnect are the same to it.
//
// Ours is Connect and Close, a fresh nonce each, every client in a goroutine of
// its own as a server's are, less what such a goroutine costs with nothing in it.
// The third side, the embedder, is what a careful author writes by hand with jwt
// and nkeys, reading the token once.
//
// The sides take turns with one another and with ed25519.Verify, see
// bench/internal/measure. All of it runs on one core, since threads that look
// for work would count as work; two cores are measured apart, by the wall.
package natsserver
