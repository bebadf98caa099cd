// Package sharing generates graphs of accounts that export and import, and has clients in
// all of them publish, ask and answer. What is known of a case before a server is asked
// comes from the graph alone: reach.go follows every import, whether it is good or not, by
// the matchers of nats-server.
package sharing
