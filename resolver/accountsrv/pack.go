package accountsrv

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
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
	keys, more, err := s.keys(r.Context(), most)
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
	switch err := s.stream(ctx, out, keys); {
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

// keys lists so many accounts, and says whether there are more.
func (s *Server) keys(ctx context.Context, most int) (keys []string, more bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.c.Timeout)
	defer cancel()
	for key, err := range s.store.Accounts(ctx) {
		switch {
		case err != nil:
			return nil, false, err
		case len(keys) == most:
			return keys, true, nil
		}
		keys = append(keys, key)
	}
	return keys, false, nil
}

// stream writes line by line, so that no more than one token is in memory. It is an error if not all of it arrives.
func (s *Server) stream(ctx context.Context, w io.Writer, keys []string) error {
	out := bufio.NewWriter(w)
	left := s.c.MaxPackBytes
	for _, key := range keys {
		line, err := s.line(ctx, key)
		if err != nil {
			return err
		}
		if left -= len(line); left < 0 {
			return errors.New("accountsrv: it is over Config.MaxPackBytes")
		}
		if _, err := out.WriteString(line); err != nil {
			return err
		}
	}
	return out.Flush()
}

// line is what a pack has of an account: nothing if the account was deleted meanwhile, or its token has ended (nats-server
// v2.15 server/dirstore.go Pack).
func (s *Server) line(ctx context.Context, key string) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	token, err := s.resolve(ctx, key)
	if err != nil {
		if resolver.IsNotFound(err) {
			return "", nil
		}
		return "", err
	}
	token, err = claims.Canonical(token)
	if err == nil && s.over(token) {
		return "", nil
	}
	return key + "|" + token + "\n", err
}

// over says whether a token has ended. Nobody goes by it: it saves those who merge a pack what they would throw away.
func (s *Server) over(token string) bool {
	_, rest, _ := strings.Cut(token, ".")
	body, _, _ := strings.Cut(rest, ".")
	var c struct {
		Expires int64 `json:"exp"`
	}
	text, err := base64.RawURLEncoding.DecodeString(body)
	return err == nil && json.Unmarshal(text, &c) == nil &&
		claims.Window{Expires: c.Expires}.At(s.c.Clock()) == claims.Closed
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
