package accountsrv

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/natsauth/natsauth/claims"
)

// document is a token as it is served.
type document struct {
	key    string // whose it is
	token  string // canonical
	etag   string
	window claims.Window
}

func accountDocument(token string) (*document, error) {
	a, err := claims.ParseAccount(token)
	if err != nil {
		return nil, err
	}
	return newDocument(token, &a.Header)
}

func operatorDocument(token string) (*document, error) {
	o, err := claims.ParseOperator(token)
	if err != nil {
		return nil, err
	}
	return newDocument(token, &o.Header)
}

// newDocument spells a token that was read as all stores do: one ETag, one text.
func newDocument(token string, h *claims.Header) (*document, error) {
	canonical, err := claims.Canonical(token)
	if err != nil {
		return nil, err
	}
	return &document{key: h.Key, token: canonical, etag: `"` + h.Digest.String() + `"`, window: h.Window}, nil
}

// serve answers with a token, in the form that the query asks for.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, d *document, q query) *problem {
	h := w.Header()
	h.Set("ETag", d.etag)
	h.Set("Cache-Control", d.cacheControl(s.c.Clock()))
	switch {
	case matches(r.Header.Values("If-None-Match"), d.etag):
		w.WriteHeader(http.StatusNotModified)
	case q.is("text"):
		text(w, r, http.StatusOK, d.token)
	case q.is("decode"):
		decoded, err := d.decoded()
		if err != nil {
			return outage(err)
		}
		text(w, r, http.StatusOK, decoded)
	default:
		write(w, r, http.StatusOK, "application/jwt", d.token)
	}
	return nil
}

// maxAge is the longest time that caches are told, in seconds: 68 years (RFC 9111, section 1.2.2).
const maxAge = 1 << 31

// cacheControl lets a token be kept until its end, if that is still to come (nats-account-server handlers_accounts.go).
func (d *document) cacheControl(now time.Time) string {
	t := now.Unix()
	if d.window.Expires <= t {
		return "no-cache"
	}
	return fmt.Sprintf("max-age=%d, stale-while-revalidate=3600, stale-if-error=3600", min(d.window.Expires, t+maxAge)-t)
}

// matches says whether a client has a representation already, by the tags of If-None-Match in weak comparison (RFC 9110,
// sections 8.8.3.2 and 13.1.2). What is no list of tags matches nothing.
func matches(fields []string, etag string) bool {
	list := strings.Trim(strings.Join(fields, ","), " \t")
	if list == "*" {
		return true
	}
	for {
		list = strings.TrimLeft(list, " \t,")
		tag, ok := strings.CutPrefix(strings.TrimPrefix(list, "W/"), `"`)
		inner, rest, ends := strings.Cut(tag, `"`)
		switch {
		case !ok || !ends:
			return false
		case `"`+inner+`"` == etag:
			return true
		}
		list = rest
	}
}

// decoded shows header and claims as JSON, and the signature.
func (d *document) decoded() (string, error) {
	var b bytes.Buffer
	chunks := strings.Split(d.token, ".")
	for _, chunk := range chunks[:2] {
		text, err := base64.RawURLEncoding.DecodeString(chunk)
		if err != nil {
			return "", errors.New("accountsrv: a token that cannot be decoded")
		}
		if err := json.Indent(&b, text, "", indent(text)); err != nil {
			return "", errors.New("accountsrv: a token without JSON in it")
		}
		b.WriteString("\n")
	}
	b.WriteString(chunks[2] + "\n")
	return b.String(), nil
}

// maxDepth is how deep an object may be nested so as to be indented: a token that is deeper than any tool makes it could
// else grow to gigabytes. It bounds the text to some twenty times the token.
const maxDepth = 16

// indent gives the indentation for a JSON text.
func indent(text []byte) string {
	depth, deepest, quoted := 0, 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && quoted:
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{', c == '[':
			depth++
			deepest = max(deepest, depth)
		case c == '}', c == ']':
			depth--
		}
	}
	if deepest > maxDepth {
		return ""
	}
	return " "
}
