// Package authtest makes the operators, accounts and users that tests of brokers
// need, and reads the vectors of decisions.
//
// # The chain
//
// A test reads as the chain that it builds:
//
//	u := authtest.NewOperator(t).
//		Account("A", authtest.SigningKey("sk")).
//		User("u", authtest.SignedBy("sk"), authtest.PubAllow("orders.>"))
//
// Everything inside the chain is named, never written as a key: keys are made
// from the names, so that the same chain has the same tokens in every run, to the
// last byte. [Random] makes others. What an [Option] cannot say, [Edit] and [Raw]
// can, down to claims that no tool would write: nothing is checked here, for that
// is the business of whoever is tested.
//
// Tokens are issued an hour before [Now], which [Authorizer] takes for the time.
// They have no jti, so that two tokens differ exactly where their options do.
//
// # The vectors
//
// [LoadVectors] reads files that each hold one CONNECT and what must come of it;
// a [Vector] gives the configuration, the credentials and the outcome. The format
// is described beside the files, in auth/testdata/vectors.
//
// The keys are made from public names: no secret here is one.
package authtest
