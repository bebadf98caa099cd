// Package world makes what two servers are compared on: an operator, accounts and
// users with their tokens, and the configuration that names them. All keys and
// choices come from a seed; times are relative to the moment of making. What
// cannot be made is a bug of the test, and panics.
//
// [World] is made step by step by tests that know what they want. [Generate] makes
// a [Universe]: a world with many clients, each of which tries something.
package world
