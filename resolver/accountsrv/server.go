package accountsrv

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/natsauth/natsauth/claims"
	"github.com/natsauth/natsauth/resolver"
)

// Server is the handler, see the package. Make one with [New]; the nil and the zero Server answer 503. It may be used by
// several goroutines, and must not be copied.
//
// Behaviour: nats-account-server jwthandler.go and handlers_accounts.go, F132.
type Server struct {
	c                *Config // nil for the zero Server
	store            resolver.Store
	lister           resolver.Lister // of store
	operator, system *document
	pushes, packs    turns
}

// New makes a Server. The error says which part of the configuration is wrong, and holds no token. Nothing is looked up yet.
func New(c Config) (*Server, error) {
	c, err := c.filled()
	if err != nil {
		return nil, err
	}
	s := &Server{c: &c, pushes: make(turns, c.MaxPushes), packs: make(turns, c.MaxPacks)}
	if store, ok := c.Accounts.(resolver.Store); ok {
		s.store, s.lister = store, resolver.ListerOf(store)
	}
	if c.Operator != "" {
		if s.operator, err = operatorDocument(claims.Undecorate(c.Operator)); err != nil {
			return nil, fmt.Errorf("accountsrv: Config.Operator: %w", err)
		}
	}
	if c.SystemAccount != "" {
		if s.system, err = accountDocument(claims.Undecorate(c.SystemAccount)); err != nil {
			return nil, fmt.Errorf("accountsrv: Config.SystemAccount: %w", err)
		}
	}
	return s, nil
}

// endpoint is what is at a path.
type endpoint struct {
	allow string // methods
	serve func(http.ResponseWriter, *http.Request) *problem
	push  func(http.ResponseWriter, *http.Request) *problem // nil: nothing can be pushed
}

const (
	reads  = "GET, HEAD, OPTIONS"
	pushes = "GET, HEAD, OPTIONS, POST"
)

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	open(w.Header())
	if s == nil || s.c == nil {
		refuse(w, r, outage(errors.New("accountsrv: Server without New")))
		return
	}
	if p := s.answer(w, r); p != nil {
		s.log(r, p)
		refuse(w, r, p)
	}
}

// open lets any web page read the answer, and no browser take it for something else.
func open(h http.Header) {
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Expose-Headers", "ETag, Retry-After")
	h.Set("X-Content-Type-Options", "nosniff")
}

func (s *Server) answer(w http.ResponseWriter, r *http.Request) *problem {
	e := s.find(r.URL)
	if e == nil {
		return &problem{status: http.StatusNotFound, text: "there is nothing here; see /jwt/v1/help"}
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		return e.serve(w, r)
	case http.MethodPost:
		if e.push != nil {
			return e.push(w, r)
		}
	case http.MethodOptions:
		preflight(w.Header(), e.allow)
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	w.Header().Set("Allow", e.allow)
	return &problem{status: http.StatusMethodNotAllowed, text: "only " + e.allow}
}

func preflight(h http.Header, allow string) {
	h.Set("Allow", allow)
	h.Set("Access-Control-Allow-Methods", allow)
	h.Set("Access-Control-Allow-Headers", "*, Authorization, Content-Type, If-None-Match") // what * leaves out, or old browsers
	h.Set("Access-Control-Max-Age", "3600")
}

// find gives what is at a path as it was written, or nil. Neither our names nor keys have anything that needs escaping.
func (s *Server) find(u *url.URL) *endpoint {
	path := u.EscapedPath()
	if path == "/healthz" {
		return &endpoint{allow: reads, serve: s.health}
	}
	name, ok := strings.CutPrefix(path, "/jwt/v1/")
	if !ok {
		name, ok = strings.CutPrefix(path, "/jwt/v2/")
	}
	key, isKey := strings.CutPrefix(name, "accounts/")
	switch {
	case !ok:
		return nil
	case isKey && key != "":
		return s.account(key)
	case isKey, name == "accounts":
		return &endpoint{allow: reads, serve: probe}
	case name == "help":
		return &endpoint{allow: reads, serve: help}
	case name == "operator" && s.operator != nil:
		return &endpoint{allow: reads, serve: s.showOperator}
	case name == "pack" && s.store != nil:
		return &endpoint{allow: reads, serve: s.pack}
	default:
		return nil
	}
}

func (s *Server) account(key string) *endpoint {
	e := &endpoint{allow: reads, serve: func(w http.ResponseWriter, r *http.Request) *problem { return s.show(w, r, key) }}
	if s.c.Authorizer != nil {
		e.allow = pushes
		e.push = func(w http.ResponseWriter, r *http.Request) *problem { return s.push(w, r, key) }
	}
	return e
}

const helpText = `Account tokens, as nats-account-server serves them. The paths begin with /jwt/v1/ or /jwt/v2/.

GET  /jwt/v1/help             this text
GET  /jwt/v1/operator         the operator's token, if there is one: text=true, decode=true
GET  /jwt/v1/accounts/        200
GET  /jwt/v1/accounts/<key>   the account's token: check=true, text=true, decode=true, notify=true
POST /jwt/v1/accounts/<key>   a newer token of the account, unless tokens can only be read
GET  /jwt/v1/pack?max=N       at most N accounts, a line of <key>|<token> each, if they can be listed; -1: all
GET  /healthz                 200 if tokens can be read

check   404 if the token has ended
text    as text/plain
decode  as JSON, for people
notify  publish the token to NATS
`

func help(w http.ResponseWriter, r *http.Request) *problem {
	w.Header().Set("Cache-Control", "no-cache")
	text(w, r, http.StatusOK, helpText)
	return nil
}

// probe is what nats-server asks for when it starts.
func probe(w http.ResponseWriter, r *http.Request) *problem {
	w.Header().Set("Cache-Control", "no-cache")
	text(w, r, http.StatusOK, "")
	return nil
}

// nobody is the key of an account that has no token.
const nobody = "ABGFYEJPPRUAOL5ZID3EHVJ76DX73ZFT2L3GVAF5UM2NF4I7YYFZZ6RL"

// health looks an account up. That there is none is a good answer.
func (s *Server) health(w http.ResponseWriter, r *http.Request) *problem {
	if _, err := s.resolve(r.Context(), nobody); err != nil && !resolver.IsNotFound(err) {
		return outage(err)
	}
	w.Header().Set("Cache-Control", "no-store")
	text(w, r, http.StatusOK, "ok\n")
	return nil
}

// text answers with plain text.
func text(w http.ResponseWriter, r *http.Request, status int, body string) {
	write(w, r, status, "text/plain; charset=utf-8", body)
}

// write answers. Whoever is gone does not mind.
func write(w http.ResponseWriter, r *http.Request, status int, kind, body string) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		strings.NewReader(body).WriteTo(w) //nolint:errcheck // see above
	}
}
