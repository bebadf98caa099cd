package subject

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// work is one subject that a [Transform] is applied to. What is written is not in
// it, so that the memory of both can be the caller's.
type work struct {
	subject string
	starts  []int   // where its tokens begin
	tokens  []int32 // those that pieces refer to
	hashed  int     // bytes
}

// tokenStarts appends where the first tokens of s begin, as many as depth.
func tokenStarts(starts []int, s string, depth int) []int {
	for at := 0; len(starts) < depth; at = tokenEnd(s, at) + 1 {
		starts = append(starts, at)
	}
	return starts
}

// token is a token of the subject.
func (w *work) token(i int32) string {
	start := w.starts[i]
	return w.subject[start:tokenEnd(w.subject, start)]
}

// write appends what comes of a piece; it is false where nothing can.
func (w *work) write(out []byte, p *piece, number func(n uint32) uint32) ([]byte, bool) {
	switch p.verb {
	case verbatim:
		out = append(out, p.text...)
	case remainder:
		out = append(out, w.subject[w.starts[p.n]:]...)
	case partition:
		out = appendNumber(out, bucket(w.hash(w.tokens[p.from:p.to]), p.n))
	case random:
		if number == nil {
			return nil, false
		}
		out = appendNumber(out, draw(number, p.n))
	default:
		out = appendToken(out, p, w.token(w.tokens[p.from]))
	}
	return out, len(out)+w.hashed <= MaxTransformed
}

func appendNumber(out []byte, n uint32) []byte { return strconv.AppendUint(out, uint64(n), 10) }

// hash is the 32 bit FNV-1a hash of the tokens one after the other, or of the
// whole subject where there are none.
func (w *work) hash(tokens []int32) uint32 {
	sum := uint32(2166136261)
	if len(tokens) == 0 {
		return w.mix(sum, w.subject)
	}
	for _, token := range tokens {
		if sum = w.mix(sum, w.token(token)); w.hashed > MaxTransformed {
			return 0 // and write ends the work
		}
	}
	return sum
}

func (w *work) mix(sum uint32, text string) uint32 {
	for i := range len(text) {
		sum = (sum ^ uint32(text[i])) * 16777619
	}
	w.hashed += len(text)
	return sum
}

// bucket is which of n buckets a hash falls into.
func bucket(sum, n uint32) uint32 {
	if n == 0 {
		return 0
	}
	return sum % n
}

func draw(number func(n uint32) uint32, n uint32) uint32 {
	if n == 0 {
		return 0
	}
	return number(n)
}

// appendToken appends a token of the subject, cut as the piece wants it.
func appendToken(out []byte, p *piece, token string) []byte {
	if p.verb == split {
		return appendSplit(out, token, p.text)
	}
	n, size := int(p.n), len(token)
	if p.verb == wildcard || n == 0 || n >= size {
		return append(out, token...)
	}
	switch p.verb {
	case splitFromLeft:
		return appendSlices(out, token, n, size)
	case splitFromRight:
		return appendSlices(out, token, size-n, size)
	case sliceFromLeft:
		return appendSlices(out, token, n, n)
	case sliceFromRight:
		return appendSlices(out, token, size%n, n)
	case left:
		return append(out, token[:n]...)
	default: // right
		return append(out, token[size-n:]...)
	}
}

// appendSlices appends the first bytes of a token, if there are to be any, and
// then the rest in slices of the same size, with dots between them.
func appendSlices(out []byte, token string, first, size int) []byte {
	if first > 0 {
		out = append(append(out, token[:first]...), '.')
	}
	for ; first+size < len(token); first += size {
		out = append(append(out, token[first:first+size]...), '.')
	}
	return append(out, token[first:]...)
}

// appendSplit appends what stands between the delimiters, with dots. The first
// part may be empty without leaving a dot behind; two at the beginning do leave
// one, and no subject (nats-server v2.15 server/subject_transform.go
// TransformTokenizedSubject).
func appendSplit(out []byte, token, delimiter string) []byte {
	begin, parts := len(out), 0
	for more := true; more; parts++ {
		var part string
		part, token, more = cutPart(token, delimiter)
		if part != "" && parts > 0 && (parts > 1 || len(out) > begin) {
			out = append(out, '.')
		}
		out = append(out, part...)
	}
	return out
}

// cutPart cuts a token at the first delimiter; the empty one stands between any
// two characters.
func cutPart(token, delimiter string) (string, string, bool) {
	if delimiter != "" {
		return strings.Cut(token, delimiter)
	}
	_, size := utf8.DecodeRuneInString(token)
	return token[:size], token[size:], size < len(token)
}
