package accountsrv

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/natsauth/natsauth/auth"
)

// problem is why a request is not answered. The client is told text, the log err, where there is one.
type problem struct {
	status int
	text   string
	err    error
}

// outage is for what may be better soon. What it was is the log's.
func outage(err error) *problem {
	return &problem{http.StatusServiceUnavailable, "account tokens cannot be had now, try again", err}
}

func bad(text string) *problem { return &problem{status: http.StatusBadRequest, text: text} }

// refuse tells a client what is wrong. Nobody keeps that.
func refuse(w http.ResponseWriter, r *http.Request, p *problem) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	if p.status == http.StatusServiceUnavailable {
		h.Set("Retry-After", "1") // seconds
	}
	body := p.text
	if body != "" {
		body += "\n"
	}
	text(w, r, p.status, body)
}

// log tells what has an error: pushes that were refused, and outages. Other requests can be repeated by anybody as often as
// they like.
func (s *Server) log(r *http.Request, p *problem) {
	switch {
	case p.err == nil, r.Context().Err() != nil: // or the client is gone
	case p.status >= http.StatusInternalServerError:
		s.c.Logger.Warn("account server: "+p.text, "error", p.err, "client", r.RemoteAddr)
	default:
		s.c.Logger.Info("account server: refused", "error", p.err, "client", r.RemoteAddr)
	}
}

// judged is what an Authorizer has against a token.
func judged(err error) *problem {
	var e *auth.Error
	if !errors.As(err, &e) {
		return &problem{http.StatusInternalServerError, "the token could not be judged", err}
	}
	switch e.Reason {
	case auth.AccountUnavailable, auth.AccountBusy, auth.AuthorizerClosed:
		return outage(err)
	case auth.AccountRollback:
		return &problem{http.StatusConflict, sentence(e, nil), err}
	default:
		return &problem{http.StatusBadRequest, sentence(e, e.Err), err}
	}
}

// sentence is what the client is told of a refusal, with the cause where that is the token's own.
func sentence(e *auth.Error, cause error) string {
	told := *e
	told.Err = cause
	return strings.TrimPrefix(told.Error(), "auth: ")
}

// unread is what is wrong with a text that is not an account token.
func unread(err error) *problem {
	return &problem{http.StatusBadRequest, "not an account token: " + strings.TrimPrefix(err.Error(), "claims: "), err}
}

func tooLarge(err error) *problem {
	return &problem{http.StatusRequestEntityTooLarge, "the token is larger than is taken here", err}
}

// authorized asks the caller's hook.
func (s *Server) authorized(r *http.Request) *problem {
	if s.c.Authorize == nil {
		return nil
	}
	if err := s.c.Authorize(r); err != nil {
		return &problem{http.StatusForbidden, "you may not do this", err}
	}
	return nil
}

// turns are how many may do a thing at the same time.
type turns chan struct{}

// take waits for a turn and gives what ends it.
func (t turns) take(ctx context.Context) (func(), error) {
	select {
	case t <- struct{}{}:
		return func() { <-t }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
