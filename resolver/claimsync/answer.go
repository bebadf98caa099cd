package claimsync

import (
	"context"
	"encoding/json"
	"fmt"

	"time"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/resolver"
)

// The codes of answers.
const (
	codeOK    = 200
	codeError = 500
)

// answer is what a tool reads: the server, and data or an error (nats-server v2.15 server/accounts.go
// ServerAPIClaimUpdateResponse). What is ours is in fields that others leave out.
type answer struct {
	Server server   `json:"server"`
	Data   any      `json:"data,omitempty"`
	Error  *failure `json:"error,omitempty"`
}

type server struct {
	ServerInfo
	Seq  uint64    `json:"seq"`
	Time time.Time `json:"time"`
}

// status is what a change has come to.
type status struct {
	Account  string       `json:"account,omitempty"`
	Code     int          `json:"code,omitempty"`
	Message  string       `json:"message,omitempty"`
	Report   *auth.Report `json:"report,omitempty"`   // ours: what is in force after an update (B5)
	Accounts []deleted    `json:"accounts,omitempty"` // ours: what became of each (B21)
}

// failure is why there was no change, or not all of it.
type failure struct {
	Account     string    `json:"account,omitempty"`
	Code        int       `json:"code"`
	Description string    `json:"description,omitempty"`
	Accounts    []deleted `json:"accounts,omitempty"` // ours, as in status
}

// deleted is where an account stands after a request to delete it.
type deleted struct {
	Account string     `json:"account"`
	State   auth.State `json:"state"` // none where it could not be deleted
	Closed  int        `json:"closed_count"`
	Error   string     `json:"error,omitempty"`
}

// brief is the data or the failure without its lists. A list of accounts that is too large is an error: part of it would be
// taken for all there are.
func (a answer) brief() answer {
	if keys, ok := a.Data.([]string); ok {
		message := fmt.Sprintf("list accounts failed - %v: %d accounts", errLargeList, len(keys))
		return answer{Server: a.Server, Error: &failure{Code: codeError, Description: message}}
	}
	if s, ok := a.Data.(status); ok {
		s.Accounts = nil
		if s.Report != nil {
			r := *s.Report
			r.Imports, r.Importers, r.Closed, r.Changed = nil, nil, nil, nil
			s.Report = &r
		}
		a.Data = s
	}
	if a.Error != nil {
		f := *a.Error
		f.Accounts = nil
		a.Error = &f
	}
	return a
}

// fail answers with an error.
func (s *Service) fail(ctx context.Context, reply string, f failure, message string, err error) {
	f.Code, f.Description = codeError, fmt.Sprintf("%s - %v", message, err)
	s.answer(ctx, reply, answer{Error: &f})
}

// answer sends an answer, if anybody waits for one, and says whether all of it was sent.
func (s *Service) answer(ctx context.Context, reply string, a answer) bool {
	if reply == "" {
		return false
	}
	a.Server = server{s.config.Server, s.seq.Add(1), s.config.Clock().UTC()}
	text, err := json.Marshal(a)
	whole := len(text) <= s.config.Bounds.MessageBytes
	if err == nil && !whole {
		s.config.Logger.Warn("claims protocol: an answer is too large", "bytes", len(text), "most", s.config.Bounds.MessageBytes)
		text, err = json.Marshal(a.brief())
	}
	if err != nil {
		s.unanswered(err)
		return false
	}
	return s.send(ctx, reply, text) && whole
}

// send publishes an answer. It reports whether the Bus took it.
func (s *Service) send(ctx context.Context, reply string, data []byte) bool {
	err := s.config.Bus.Publish(ctx, resolver.Msg{Subject: reply, Data: data})
	if err != nil {
		s.unanswered(err)
	}
	return err == nil
}

func (s *Service) unanswered(err error) {
	s.tally.add(func(c *Stats) { c.Unanswered++ })
	s.config.Logger.Debug("claims protocol: an answer was not sent", "cause", err)
}
