package accountsrv

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/resolver"
)

// push has a token judged, saved and put in force, and says what has come of it (B5).
func (s *Server) push(w http.ResponseWriter, r *http.Request, key string) *problem {
	if p := s.authorized(r); p != nil {
		return p
	}
	if r.ContentLength > int64(s.c.MaxBody) {
		return tooLarge(errors.New("accountsrv: a push over Config.MaxBody"))
	}
	done, err := s.turn(r.Context(), s.pushes)
	if err != nil {
		return outage(err)
	}
	defer done()
	d, p := s.pushed(w, r, key)
	if p != nil {
		return p
	}
	report, p := s.apply(r, d)
	if p != nil {
		return p
	}
	if s.c.Bus != nil {
		if err := s.publish(r.Context(), d); err != nil {
			return &problem{http.StatusServiceUnavailable, "the token was taken, but could not be published: push it again", err}
		}
	}
	s.c.Logger.Info("account server: pushed",
		"account", key, "state", report.State, "digest", report.New.Digest, "client", r.RemoteAddr)
	w.Header().Set("Cache-Control", "no-store")
	text(w, r, http.StatusOK, told(report))
	return nil
}

// turn waits for one, no longer than is allowed.
func (s *Server) turn(ctx context.Context, t turns) (func(), error) {
	ctx, cancel := context.WithTimeout(ctx, s.c.Timeout)
	defer cancel()
	return t.take(ctx)
}

// pushed reads the token that a body has, which must be the one that the path names.
func (s *Server) pushed(w http.ResponseWriter, r *http.Request, key string) (*document, *problem) {
	body, p := s.body(w, r)
	if p != nil {
		return nil, p
	}
	d, err := accountDocument(strings.TrimSpace(string(body)))
	switch {
	case err != nil:
		return nil, unread(err)
	case d.key != key:
		return nil, bad("the token is of " + d.key + ", which is not the account in the path")
	}
	return d, nil
}

// body reads a body, which must be there in time. Where the connection knows no deadlines the http.Server has to see to that.
func (s *Server) body(w http.ResponseWriter, r *http.Request) ([]byte, *problem) {
	deadline := time.Now().Add(s.c.Timeout)                 //nolint:forbidigo // a connection goes by the real time
	http.NewResponseController(w).SetReadDeadline(deadline) //nolint:errcheck // see above
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(s.c.MaxBody)))
	var over *http.MaxBytesError
	switch {
	case errors.As(err, &over):
		return nil, tooLarge(err)
	case err != nil:
		return nil, &problem{http.StatusBadRequest, "the token did not arrive whole, or not in time", err}
	}
	return body, nil
}

// apply hands a token to the Authorizer.
func (s *Server) apply(r *http.Request, d *document) (auth.Report, *problem) {
	ctx, cancel := context.WithTimeout(auth.By(r.Context(), r.RemoteAddr), s.c.Timeout)
	defer cancel()
	report, err := s.c.Authorizer.Apply(ctx, d.token, resolver.Push)
	if err != nil {
		return auth.Report{}, judged(err)
	}
	return report, nil
}

// maxTold is how many imports are listed that are not in force.
const maxTold = 10

// told is what has come of a push, for people.
func told(r auth.Report) string {
	var b strings.Builder
	fmt.Fprintf(&b, "account %s is %v, by the token %v\n", r.Account, r.State, r.New.Digest)
	if r.State == auth.InForce && r.Old == r.New {
		b.WriteString("nothing has changed\n")
	}
	if r.ClosedCount+r.ChangedCount > 0 {
		fmt.Fprintf(&b, "%d sessions were closed, %d have changed\n", r.ClosedCount, r.ChangedCount)
	}
	listed := 0
	for _, i := range r.Imports {
		if i.State != auth.ImportInForce && listed < maxTold {
			fmt.Fprintf(&b, "import of %.256q from %s is %v: %.256s\n", i.Subject, i.Exporter, i.State, i.Why)
			listed++
		}
	}
	if more := r.ImportCounts.Pending + r.ImportCounts.Dead - listed; more > 0 {
		fmt.Fprintf(&b, "%d more imports are not in force\n", more)
	}
	return b.String()
}
