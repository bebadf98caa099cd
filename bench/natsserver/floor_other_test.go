//go:build !linux

package natsserver_test

import "errors"

func bare(int, string, []byte) (int, error) { return 0, errors.ErrUnsupported }
