//go:build !race

package e2e_test

// raced tells whether these tests run with the race detector: the broker is
// then built with it too.
const raced = false
