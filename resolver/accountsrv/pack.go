package accountsrv

import (
	"bufio"
	"context"
	"errors"
	"io"
	"iter"
	"net/http"
	"strconv"
	"time"

	"github.com/natsauth/natsauth/claims"
	"github.com/natsauth/natsauth/resolver"
)

// pack answers with the tokens of many accounts, in the order of their keys.
func (s *Server) pack(w http.ResponseWriter, r *http.Request) *problem {
	if p := s.authorized(r); p != nil {
		return p
	}
	most, all, p := s.wanted(r)
	if p != nil {
		return p
	}
	done, err := s.turn(r.Context(), s.packs)
	if err != nil {
		return outage(err)
	}
	defer done()
	more, err := s.exceeds(r.Context(), most)
	switch {
	case err != nil:
		return outage(err)
	case more && all:
		return bad("there are more than " + strconv.Itoa(most) + " accounts; ask for some of them with max")
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if r.Method == http.MethodHead {
		return nil
	}
	end := time.Now().Add(s.c.PackTime) //nolint:forbidigo // a connection goes by the real time
	ctx, cancel := context.WithDeadline(r.Context(), end)
	defer cancel()
	out := &timely{w: w, control: http.NewResponseController(w), timeout: s.c.Timeout, end: end}
	switch err := s.stream(ctx, out, most, all); {
	case err == nil:
		return nil
	case !out.begun:
		return outage(err)
	default:
		s.c.Logger.Warn("account server: a pack breaks off", "error", err, "client", r.RemoteAddr)
		panic(http.ErrAbortHandler) // ends the connection: the one way to say that this was not all
	}
}

// wanted is how many tokens there may be, and whether the client wants all there are, by naming no number or one below
// zero.
func (s *Server) wanted(r *http.Request) (most int, all bool, p *problem) {
	q, p := queryOf(r)
	if p != nil || q.Get("max") == "" {
		return s.c.MaxPack, true, p
	}
	most, err := strconv.Atoi(q.Get("max"))
	switch {
	case err != nil || most > s.c.MaxPack:
		return 0, false, bad("max is not a number up to " + strconv.Itoa(s.c.MaxPack))
	case most < 0:
		return s.c.MaxPack, true, nil
	}
	return most, false, nil
}

// exceeds says whether there are more accounts than so many.
func (s *Server) exceeds(ctx context.Context, most int) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, s.c.Timeout)
	defer cancel()
	n := 0
	for _, err := range s.store.Accounts(ctx) {
		if err != nil {
			return false, err
		}
		if n++; n > most {
			return true, nil
		}
	}
	return false, nil
}

// stream writes so many tokens, line by line, so that what is in memory is what the store reads at a time. It is an error if
// not all that it was to write arrives.
func (s *Server) stream(ctx context.Context, w io.Writer, most int, all bool) error {
	out := bufio.NewWriter(w)
	left := s.c.MaxPackBytes
	for t, err := range s.tokens(ctx) {
		switch {
		case err != nil:
			return err
		case s.over(t.Token):
			continue
		case most == 0 && all:
			return errors.New("accountsrv: there are more accounts now than when they were counted")
		case most == 0:
			return out.Flush()
		}
		most--
		token, err := claims.Canonical(t.Token)
		if err != nil {
			return err
		}
		line := t.Account + "|" + token + "\n"
		if left -= len(line); left < 0 {
			return errors.New("accountsrv: it is over Config.MaxPackBytes")
		}
		if _, err := out.WriteString(line); err != nil {
			return err
		}
	}
	return out.Flush()
}

// tokens are those of the store, which has so long to give the next.
func (s *Server) tokens(ctx context.Context) iter.Seq2[resolver.Held, error] {
	return func(yield func(resolver.Held, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		waiting := time.AfterFunc(s.c.Timeout, cancel)
		defer waiting.Stop()
		for t, err := range s.lister.Tokens(ctx) {
			waiting.Stop()
			if err == nil {
				err = ctx.Err()
			}
			if !yield(t, err) || err != nil {
				return
			}
			waiting.Reset(s.c.Timeout)
		}
	}
}

// over says whether a token has ended. Nobody goes by it: it saves those who merge a pack what they would throw away
// (nats-server v2.15 server/dirstore.go Pack).
func (s *Server) over(token string) bool {
	said, err := claims.Peek(token)
	return err == nil && claims.Window{Expires: said.Expires}.At(s.c.Clock()) == claims.Closed
}

// timely writes to a client that has so long to take each part, and until its end to take all.
type timely struct {
	w       io.Writer
	control *http.ResponseController
	timeout time.Duration
	end     time.Time
	begun   bool
}

func (t *timely) Write(b []byte) (int, error) {
	t.begun = true
	deadline := time.Now().Add(t.timeout) //nolint:forbidigo // a connection goes by the real time
	if deadline.After(t.end) {
		deadline = t.end
	}
	t.control.SetWriteDeadline(deadline) //nolint:errcheck // where there are none, the http.Server's own have to do
	return t.w.Write(b)
}
