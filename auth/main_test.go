package auth_test

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain wants every goroutine gone when the tests are: look-ups, timers and
// receivers of events leave none behind.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
