package broker

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/claims"
	"github.com/natsauth/natsauth/examples/broker/internal/route"
)

// userInfo answers whoever asks who it is and what it may do (F069). The question comes to
// the system account, by a service that every account imports (F092); where it leads
// nowhere, without a system account in force, it is answered where it is asked.
//
// Behaviour: nats-server v2.15 server/events.go userInfoReq.
type userInfo struct{ server *Server }

const userInfoSubject = "$SYS.REQ.USER.INFO"

// user is the answer.
type user struct {
	Key         string        `json:"user"`
	Account     string        `json:"account"`
	AccountName string        `json:"account_name,omitempty"`
	Name        string        `json:"user_name,omitempty"`
	Permissions *permissions  `json:"permissions,omitempty"`
	Expires     time.Duration `json:"expires,omitempty"` // from now, in whole seconds
}

type permissions struct {
	Publish   rules             `json:"publish"`
	Subscribe rules             `json:"subscribe"`
	Responses *claims.Responses `json:"responses,omitempty"`
}

type rules struct {
	Allow []string `json:"allow,omitempty"`
	Deny  []string `json:"deny,omitempty"`
}

type answer struct {
	Server serverInfo `json:"server"`
	Data   any        `json:"data,omitempty"`
}

func (u userInfo) take(from *conn, in where, m *message) bool {
	if from == nil || !u.asked(in, m.subject) || !u.direct(in, m) {
		return false
	}
	session := from.current()
	if session == nil {
		return false
	}
	if m.reply != "" {
		u.server.say(in, m.reply, answer{u.server.about(), about(session, from.client.JWT)})
	}
	return true
}

// asked says whether a subject is the question.
func (u userInfo) asked(in where, subject string) bool {
	if u.server.system(in) {
		t := strings.Split(subject, ".")
		return len(t) == 5 && t[0] == "$SYS" && t[1] == "REQ" && t[2] == "USER" && t[4] == "INFO"
	}
	return subject == userInfoSubject && len(in.view.Services(nil, subject)) == 0
}

// direct says whether a question has come straight from who asks: an account that passes a
// service on does not learn by it who uses it (B8).
func (u userInfo) direct(in where, m *message) bool {
	return !m.foreign || u.server.system(in) && len(m.path.services) == 1
}

func about(session *auth.Session, token string) user {
	who := session.User()
	u := user{
		Key: who.Key, Account: who.Account, AccountName: who.AccountName, Name: who.Name,
		Permissions: public(session.Permissions()),
	}
	if at := userEnd(session, token); !at.IsZero() {
		u.Expires = time.Until(at).Truncate(time.Second)
	}
	return u
}

// userEnd is when the user's own token and hours end the session. Where the
// account's token ends it before, the user's own is told all the same: that is
// what the reference tells.
func userEnd(session *auth.Session, token string) time.Time {
	end := session.Expires()
	if end.IsZero() || end.Unix() != session.Account().Claims().Expires {
		return end
	}
	user, err := claims.ParseUser(token)
	if err != nil || user.Expires == 0 {
		return time.Time{}
	}
	return time.Unix(user.Expires, 0)
}

// public gives the permissions as they are told; nil: there are none, and
// everything is allowed.
func public(p claims.Permissions) *permissions {
	out := &permissions{Publish: inForce(p.Publish), Subscribe: inForce(p.Subscribe)}
	if p.Responses != nil {
		r := p.Responses.WithDefaults()
		out.Responses = &r
	}
	if out.Responses == nil && len(p.Publish.Allow)+len(p.Publish.Deny)+len(p.Subscribe.Allow)+len(p.Subscribe.Deny) == 0 {
		return nil
	}
	return out
}

// inForce leaves out entries that match nothing, because they are no subjects.
func inForce(r claims.Rules) rules {
	idle := func(entry string) bool {
		subject, _, _ := strings.Cut(entry, " ")
		return !route.Valid(subject)
	}
	return rules{slices.DeleteFunc(slices.Clone(r.Allow), idle), slices.DeleteFunc(slices.Clone(r.Deny), idle)}
}

// remoteCounts hears from other servers how many connections of an account they
// have, so that the account's limit holds for all of them together (F051). Only
// the system account is listened to.
//
// Behaviour: nats-server v2.15 server/events.go remoteConnsUpdate.
type remoteCounts struct{ server *Server }

func (r remoteCounts) take(from *conn, in where, m *message) bool {
	if from == nil || m.foreign || !r.server.system(in) || !isCounts(m.subject) {
		return false
	}
	var e countsEvent
	if err := json.Unmarshal(m.body, &e); err != nil || e.Server.ID == "" || e.Server.ID == r.server.id {
		return false
	}
	a := r.server.options.Authorizer
	// An account that nobody here uses has no limit to keep, but a node that has none
	// of it left is heard: what it told before must not stay.
	if _, ok := a.InForce(e.Account); ok || e.Conns <= 0 && e.LeafNodes <= 0 {
		// The reference counts another server's leaf nodes as such only.
		a.SetRemote(e.Server.ID, e.Account, auth.Counts{Connections: e.Conns, LeafNodes: e.LeafNodes})
	}
	return true
}

// isCounts says whether a subject is one on which servers tell their counts: the
// old one has the account last but one, the new one has it third.
func isCounts(subject string) bool {
	t := strings.Split(subject, ".")
	return len(t) == 5 && t[0] == "$SYS" &&
		(t[1] == "SERVER" && t[2] == "ACCOUNT" && t[4] == "CONNS" ||
			t[1] == "ACCOUNT" && t[3] == "SERVER" && t[4] == "CONNS")
}
