package config

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// value is one value of a file, and where it stands.
type value struct {
	of       any
	line     int
	file     string
	variable bool // it is used by name elsewhere in the file
}

// read takes a value out of the token in which the parser of the file keeps it.
func read(raw any) value {
	t, ok := raw.(interface {
		Value() any
		Line() int
		IsUsedVariable() bool
		SourceFile() string
	})
	if !ok {
		return value{of: raw}
	}
	return value{t.Value(), t.Line(), t.SourceFile(), t.IsUsedVariable()}
}

func (v value) text() (string, error) {
	s, ok := v.of.(string)
	if !ok {
		return "", errors.New("text is expected")
	}
	return s, nil
}

func (v value) flag() (bool, error) {
	b, ok := v.of.(bool)
	if !ok {
		return false, errors.New("true or false is expected")
	}
	return b, nil
}

// number reads a number that fits into 32 bits, as the reference does for all but
// max_pending.
func (v value) number() (int, error) {
	n, ok := v.of.(int64)
	if !ok {
		return 0, errors.New("a number is expected")
	}
	if n > math.MaxInt32 || n < math.MinInt32 {
		return 0, fmt.Errorf("%d is too large", n)
	}
	return int(n), nil
}

// span reads a duration: text as "2s", or a number of seconds.
func (v value) span() (time.Duration, error) {
	switch of := v.of.(type) {
	case string:
		return time.ParseDuration(of)
	case int64:
		return time.Duration(of) * time.Second, nil
	case float64:
		return time.Duration(of * float64(time.Second)), nil
	}
	return 0, errors.New("a duration is expected")
}

// texts reads one text or a list of them.
func (v value) texts() ([]string, error) {
	list, ok := v.of.([]any)
	if !ok {
		one, err := v.text()
		return []string{one}, err
	}
	var out []string
	for _, raw := range list {
		s, err := read(raw).text()
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// block reads a map.
func (v value) block() (map[string]any, error) {
	m, ok := v.of.(map[string]any)
	if !ok {
		return nil, errors.New("a block in braces is expected")
	}
	return m, nil
}
