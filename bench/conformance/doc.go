// Package conformance compares natsauth with nats-server. There is nothing to
// import: its tests run nats-server and the example broker with the same
// configuration, let the same clients speak to both, and hold what came back
// line by line against each other. README.md tells how to run it and how to read
// a failure.
package conformance
