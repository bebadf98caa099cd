package subject

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// verb is what becomes of a piece of a destination.
type verb uint8

const (
	verbatim  verb = iota // it is text
	remainder             // what the `>` of the source matched
	wildcard
	partition
	splitFromLeft
	splitFromRight
	sliceFromLeft
	sliceFromRight
	right
	left
	split
	random
)

// functions are looked for in this order, as nats-server v2.15
// server/subject_transform.go indexPlaceHolders does. A capital letter of a name
// may be small.
var functions = [...]struct {
	name string
	verb verb
	read func(args []string) (function, bool)
}{
	{"Wildcard", wildcard, readIndex},
	{"Partition", partition, readPartition},
	{"SplitFromLeft", splitFromLeft, readCut},
	{"SplitFromRight", splitFromRight, readCut},
	{"SliceFromLeft", sliceFromLeft, readCut},
	{"SliceFromRight", sliceFromRight, readCut},
	{"Right", right, readCut},
	{"Left", left, readCut},
	{"Split", split, readSplit},
	{"Random", random, readRandom},
}

// function is a function in a destination, as it is written.
type function struct {
	verb      verb
	indexes   []int  // of wildcards
	n         uint32 // buckets, length or position
	delimiter string
}

// readFunction reads one token of a destination; it is [verbatim] where it has
// not the looks of a function.
func readFunction(token string) (function, error) {
	if digits, ok := strings.CutPrefix(token, "$"); ok {
		index, err := strconv.Atoi(digits)
		if err != nil {
			return function{}, nil // as the $ of `$SYS`
		}
		return function{verb: wildcard, indexes: []int{index}}, nil
	}
	if len(token) <= len("{{}}") || !strings.HasPrefix(token, "{{") || !strings.HasSuffix(token, "}}") {
		return function{}, nil
	}
	for _, known := range functions {
		args, ok := arguments(token, known.name)
		if !ok {
			continue
		}
		f, ok := known.read(args)
		if !ok {
			return function{}, fmt.Errorf("%w: %q", ErrArguments, token)
		}
		f.verb = known.verb
		return f, nil
	}
	return function{}, fmt.Errorf("%w: %q", ErrFunction, token)
}

// arguments gives what stands between the parentheses of the first function of
// that name: from `{{ name (` to the last `) }}`.
func arguments(token, name string) ([]string, bool) {
	end := closing(token)
	for at := 0; ; at++ {
		i := strings.Index(token[at:], "{{")
		if i < 0 {
			return nil, false
		}
		at += i
		rest, ok := cutName(strings.TrimLeft(token[at+len("{{"):], " "), name)
		if !ok {
			continue
		}
		rest, ok = strings.CutPrefix(strings.TrimLeft(rest, " "), "(")
		if !ok {
			continue
		}
		begin := len(token) - len(rest)
		if begin > end {
			return nil, false
		}
		return cutArguments(token[begin:end]), true
	}
}

// closing is where the last `)` stands that `}}` follows, or -1.
func closing(token string) int {
	for end := strings.LastIndexByte(token, ')'); end >= 0; end = strings.LastIndexByte(token[:end], ')') {
		if strings.HasPrefix(strings.TrimLeft(token[end+1:], " "), "}}") {
			return end
		}
	}
	return -1
}

// cutName takes the name from the beginning of text.
func cutName(text, name string) (string, bool) {
	if len(text) < len(name) {
		return "", false
	}
	for i := range len(name) {
		c := name[i]
		if text[i] != c && (c > 'Z' || text[i] != c+('a'-'A')) {
			return "", false
		}
	}
	return text[len(name):], true
}

func cutArguments(text string) []string {
	args := strings.Split(text, ",")
	for i := range args[1:] {
		args[i+1] = strings.TrimLeft(args[i+1], " ")
	}
	return args
}

// number reads an argument; beyond 32 bits there is nothing to index or to cut.
func number(arg string) (int, bool) {
	n, err := strconv.Atoi(strings.Trim(arg, " "))
	return n, err == nil
}

// readIndex reads (N).
func readIndex(args []string) (function, bool) {
	if len(args) != 1 {
		return function{}, false
	}
	index, ok := number(args[0])
	return function{indexes: []int{index}}, ok
}

// readPartition reads (n,N,...).
func readPartition(args []string) (function, bool) {
	n, ok := number(args[0])
	if !ok || n > math.MaxInt32 {
		return function{}, false
	}
	f := function{n: uint32(n), indexes: make([]int, len(args)-1)} // below 0 by its bits, as nats-server has it
	for i, arg := range args[1:] {
		if f.indexes[i], ok = number(arg); !ok {
			return function{}, false
		}
	}
	return f, true
}

// readRandom reads (n).
func readRandom(args []string) (function, bool) {
	n, ok := number(args[0])
	if !ok || len(args) != 1 || n > math.MaxInt32 {
		return function{}, false
	}
	return function{n: uint32(max(int64(int32(n)), -int64(int32(n))))}, true // the sign does not matter, as nats-server has it
}

// readCut reads (N,n). A cut below 0 is none.
func readCut(args []string) (function, bool) {
	if len(args) != 2 {
		return function{}, false
	}
	index, ok := number(args[0])
	n, err := strconv.ParseInt(strings.Trim(args[1], " "), 10, 32)
	return function{indexes: []int{index}, n: uint32(max(n, 0))}, ok && err == nil
}

// readSplit reads (N,delimiter). A delimiter with a dot would be in two tokens.
func readSplit(args []string) (function, bool) {
	if len(args) != 2 || strings.Contains(args[1], " ") {
		return function{}, false
	}
	index, ok := number(args[0])
	return function{indexes: []int{index}, delimiter: args[1]}, ok
}
