package url

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// policy is what Cache-Control says of an answer, as far as a private cache that keeps tokens needs it (RFC 9111, section
// 5.2.2; RFC 5861). The zero policy is: keep it, and ask before it is used. stale-while-revalidate is a permission that is
// not used, and so are Expires and s-maxage.
type policy struct {
	noStore bool
	fresh   time.Duration // max-age, less the age with which it came
	stale   time.Duration // stale-if-error
}

// policyOf reads the header of an answer. What it says in two ways, in a wrong way, or in a number that makes no sense,
// allows nothing.
func policyOf(h http.Header) policy {
	said, ok := directives(strings.Join(h.Values("Cache-Control"), ","))
	if !ok {
		return policy{}
	}
	fresh, _ := seconds(said["max-age"])
	stale, _ := seconds(said["stale-if-error"])
	age, ok := seconds(strings.TrimSpace(h.Get("Age")))
	if !ok && h.Get("Age") != "" {
		fresh = 0
	}
	p := policy{fresh: max(0, fresh-age), stale: stale}
	_, p.noStore = said["no-store"]
	if _, noCache := said["no-cache"]; noCache || p.noStore {
		p.fresh, p.stale = 0, 0
	}
	if _, must := said["must-revalidate"]; must {
		p.stale = 0
	}
	return p
}

// directives gives the values of the directives by their names in lower case; one that has two values has none. It is not
// ok when a quoted value does not end.
func directives(text string) (map[string]string, bool) {
	said := make(map[string]string)
	for text != "" {
		n, ok := comma(text)
		if !ok {
			return nil, false
		}
		name, value, _ := strings.Cut(text[:n], "=")
		name, value = strings.ToLower(strings.TrimSpace(name)), unquoted(strings.TrimSpace(value))
		if before, twice := said[name]; twice && before != value {
			value = ""
		}
		said[name] = value
		text = text[min(n+1, len(text)):]
	}
	return said, true
}

// comma finds the first comma that is not in quotes, or the end.
func comma(text string) (int, bool) {
	quoted := false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			quoted = !quoted
		case c == '\\' && quoted:
			i++
		case c == ',' && !quoted:
			return i, true
		}
	}
	return len(text), !quoted
}

func unquoted(value string) string {
	if n := len(value); n >= 2 && value[0] == '"' && value[n-1] == '"' {
		return value[1 : n-1]
	}
	return value
}

// maxSeconds is the longest time that is believed: 2^31 seconds, 68 years (RFC 9111, section 1.2.2).
const maxSeconds = 1 << 31

// seconds reads a number of seconds, from 0 to maxSeconds.
func seconds(text string) (time.Duration, bool) {
	n, err := strconv.ParseUint(text, 10, 64) // no sign, and no underscore in base 10
	if err != nil || n > maxSeconds {
		return 0, false
	}
	return time.Duration(n) * time.Second, true
}

// maxETag is the longest ETag that is kept, in bytes: it is sent with each request.
const maxETag = 256

// etag gives the ETag of an answer if it is one (RFC 9110, section 8.8.3), or nothing.
func etag(h http.Header) string {
	tag := h.Get("ETag")
	inner := opaque(tag)
	if n := len(inner); n < 2 || len(tag) > maxETag || inner[0] != '"' || inner[n-1] != '"' {
		return ""
	}
	for _, c := range []byte(inner[1 : len(inner)-1]) {
		if c <= ' ' || c == '"' || c == 0x7f {
			return ""
		}
	}
	return strings.Clone(tag)
}

// opaque is what two tags are compared by, weak ones too (RFC 9110, section 8.8.3.2).
func opaque(tag string) string { return strings.TrimPrefix(tag, "W/") }
