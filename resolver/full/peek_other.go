//go:build !linux

package full

import (
	"os"

	"github.com/natsauth/natsauth/claims"
)

// short is nothing here: there is one way to the files.
type short struct{}

func newShort(*os.Root) (short, error) { return short{}, nil }

func (short) close() error { return nil }

// peek is read.
func (d directory) peek(name string, _ []byte) ([]byte, error) {
	data, _, err := d.read(name, claims.MaxTokenSize)
	return data, err
}
