// Package peer runs the two servers that are compared and speaks the NATS
// protocol to them by hand. [Reference] is nats-server inside this process,
// [Ours] is the example broker as a process of its own; both take the text of a
// configuration. A [Client] sends what it is told to and gives what came back as
// lines, without that which differs between two runs of the same server.
package peer
