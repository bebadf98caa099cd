package accountsrv

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/natsauth/natsauth/claims"
	"github.com/natsauth/natsauth/resolver"
)

// query is what a request asks for besides the path.
type query struct{ url.Values }

// queryOf refuses a query that cannot be read: what it was to say might matter. Of two values of one name the first counts.
func queryOf(r *http.Request) (query, *problem) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return query{}, bad("the query is malformed")
	}
	return query{values}, nil
}

// is says whether a switch is on.
func (q query) is(name string) bool { return strings.EqualFold(q.Get(name), "true") }

func (s *Server) showOperator(w http.ResponseWriter, r *http.Request) *problem {
	q, p := queryOf(r)
	if p != nil {
		return p
	}
	return s.serve(w, r, s.operator, q)
}

// show answers with an account's token.
func (s *Server) show(w http.ResponseWriter, r *http.Request, key string) *problem {
	q, p := queryOf(r)
	switch {
	case p != nil:
		return p
	case q.Get("jti") != "":
		return &problem{status: http.StatusNotImplemented, text: "tokens are not kept by their jti"}
	}
	d, err := s.document(r.Context(), key)
	switch {
	case err != nil && resolver.IsNotFound(err):
		return &problem{status: http.StatusNotFound, text: "no matching account JWT"}
	case err != nil:
		return outage(err)
	case q.is("check") && d.window.At(s.c.Clock()) == claims.Closed:
		return &problem{status: http.StatusNotFound}
	}
	if q.is("notify") && r.Method == http.MethodGet {
		if p := s.notify(r, d); p != nil {
			return p
		}
	}
	return s.serve(w, r, d, q)
}

// document gives the token that is served for a key. What is no key is asked of nobody.
func (s *Server) document(ctx context.Context, key string) (*document, error) {
	if !claims.IsAccountKey(key) {
		return nil, resolver.ErrNotFound
	}
	token, err := s.resolve(ctx, key)
	switch {
	case err != nil && resolver.IsNotFound(err) && s.system != nil && s.system.key == key:
		return s.system, nil
	case err != nil:
		return nil, err
	}
	d, err := accountDocument(token)
	switch {
	case err != nil:
		return nil, fmt.Errorf("accountsrv: what is kept for %s: %w", key, err)
	case d.key != key:
		return nil, fmt.Errorf("accountsrv: what is kept for %s is of %s", key, d.key)
	}
	return d, nil
}

// resolve waits no longer than is allowed.
func (s *Server) resolve(ctx context.Context, key string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, s.c.Timeout)
	defer cancel()
	return s.c.Accounts.Resolve(ctx, key)
}

// notify publishes a token that is there, for whoever may push. Where there is nobody to tell it does nothing
// (nats-account-server nats.go sendAccountNotification).
func (s *Server) notify(r *http.Request, d *document) *problem {
	if s.c.Bus == nil {
		return nil
	}
	if p := s.authorized(r); p != nil {
		return p
	}
	if err := s.publish(r.Context(), d); err != nil {
		return &problem{http.StatusServiceUnavailable, "the token could not be published, try again", err}
	}
	return nil
}

// publish tells those who listen on NATS: nats-server with a resolver that does not hear of updates itself (nats-server
// v2.15 server/events.go accountClaimUpdate).
func (s *Server) publish(ctx context.Context, d *document) error {
	ctx, cancel := context.WithTimeout(ctx, s.c.Timeout)
	defer cancel()
	return s.c.Bus.Publish(ctx, resolver.Msg{Subject: "$SYS.ACCOUNT." + d.key + ".CLAIMS.UPDATE", Data: []byte(d.token)})
}
