// Package bench holds the benchmarks of the core: first connect and reconnect,
// bearer and scoped users, permission lists of every size, the three checks, two
// cores, and memory a session. README.md has the commands and the figures.
//
// The unit is u: one ed25519.Verify of a 15-byte message. It is measured in turns
// with the work, in chunks of some milliseconds of process CPU time, and what is
// given is the median of the rounds' ratios. A round is one iteration of the
// benchmark, so that -benchtime 5s and -benchtime 100x say how many there are.
// Bare times are not printed: they say more of the machine than of the work.
//
// Nothing here fails for being slow.
package bench
