package full

import (
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestPeekWaitsForNobody: a pipe that nobody writes to is no token, and keeps nobody waiting.
func TestPeekWaitsForNobody(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, syscall.Mkfifo(filepath.Join(dir, "x"), fileMode))
	d := newScene(t, dir)
	defer d.close()
	data, err := d.peek("x", make([]byte, 64))
	require.True(t, err != nil || len(data) == 0)
}
