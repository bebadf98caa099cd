package broker

import (
	"crypto/rand"
	"encoding/json"
	"strings"
	"time"

	"github.com/natsauth/natsauth/auth"
)

// Advisories tell the system account what happens. Their fields are named as in
// nats-server v2.15 server/events.go; auth_reason and auth_step are our own, and
// say which rule decided. No token, seed or signature is in any of them (B8).
const (
	connectType    = "io.nats.server.advisory.v1.client_connect"
	disconnectType = "io.nats.server.advisory.v1.client_disconnect"
	countsType     = "io.nats.server.advisory.v1.account_connections"
)

// serverInfo is who tells.
type serverInfo struct {
	Name      string    `json:"name"`
	Host      string    `json:"host"`
	ID        string    `json:"id"`
	Cluster   string    `json:"cluster,omitempty"`
	Version   string    `json:"ver"`
	JetStream bool      `json:"jetstream"`
	Flags     uint64    `json:"flags"`
	Seq       uint64    `json:"seq"`
	Time      time.Time `json:"time"`
}

// clientInfo is whom it is about.
type clientInfo struct {
	Start     *time.Time `json:"start,omitempty"`
	Host      string     `json:"host,omitempty"`
	ID        uint64     `json:"id,omitempty"`
	Account   string     `json:"acc,omitempty"`
	User      string     `json:"user,omitempty"`
	Name      string     `json:"name,omitempty"`
	Lang      string     `json:"lang,omitempty"`
	Version   string     `json:"ver,omitempty"`
	Stop      *time.Time `json:"stop,omitempty"`
	IssuerKey string     `json:"issuer_key,omitempty"`
	NameTag   string     `json:"name_tag,omitempty"`
	Tags      []string   `json:"tags,omitempty"`
	Kind      string     `json:"kind,omitempty"`
	Type      string     `json:"client_type,omitempty"`
}

// counts is how much went one way.
type counts struct {
	Messages int64 `json:"msgs"`
	Bytes    int64 `json:"bytes"`
}

// event is the head of every advisory.
type event struct {
	Type string    `json:"type"`
	ID   string    `json:"id"`
	Time time.Time `json:"timestamp"`
}

type connectEvent struct {
	event
	Server serverInfo `json:"server"`
	Client clientInfo `json:"client"`
}

type disconnectEvent struct {
	event
	Server     serverInfo   `json:"server"`
	Client     clientInfo   `json:"client"`
	Sent       counts       `json:"sent"`
	Received   counts       `json:"received"`
	Reason     string       `json:"reason"`
	AuthReason *auth.Reason `json:"auth_reason,omitempty"`
	AuthStep   *auth.Step   `json:"auth_step,omitempty"`
}

type countsEvent struct {
	event
	Server      serverInfo `json:"server"`
	Account     string     `json:"acc"`
	Name        string     `json:"name"`
	Conns       int64      `json:"conns"` // leaf nodes not included
	LeafNodes   int64      `json:"leafnodes"`
	TotalConns  int64      `json:"total_conns"`
	Subs        int        `json:"num_subscriptions"`
	Sent        counts     `json:"sent"`
	Received    counts     `json:"received"`
	SlowClients int64      `json:"slow_consumers"`
}

// tellConnect tells that somebody is in an account now.
func (s *Server) tellConnect(c *conn) {
	session := c.current()
	if session == nil {
		return
	}
	who := session.User()
	s.toSystem("$SYS.ACCOUNT."+who.Account+".CONNECT", connectEvent{
		event: newEvent(connectType), Server: s.about(), Client: c.about(who, session.Client()),
	})
	s.tellCounts(who.Account, who.AccountName)
}

// tellDisconnect tells that somebody is not in an account any more.
func (s *Server) tellDisconnect(c *conn, was past, who auth.Identity, reason string) {
	e := disconnectEvent{
		event: newEvent(disconnectType), Server: s.about(), Client: c.about(who, was.session.Client()), Reason: reason,
		Sent: counts{was.sent.messages, was.sent.bytes}, Received: counts{was.taken.messages, was.taken.bytes},
	}
	e.Client.Stop = &e.Time
	if why, ok := was.session.Err().(*auth.Error); ok && why.Reason != auth.SessionClosed { //nolint:errorlint // documented to be one
		e.AuthReason, e.AuthStep = &why.Reason, &why.Step
	}
	s.toSystem("$SYS.ACCOUNT."+who.Account+".DISCONNECT", e)
	s.tellCounts(who.Account, who.AccountName)
}

// tellRefused tells that somebody was refused: the system account, and the
// account that the client named if the account has issued its token, so that a
// stranger makes no noise there. Why is nil where there was nothing to decide.
func (s *Server) tellRefused(c *conn, why *auth.Error) {
	e := disconnectEvent{
		event: newEvent(disconnectType), Server: s.about(), Reason: refusedBy(why),
		Client: c.about(auth.Identity{Account: "N/A"}, c.client.info()),
	}
	e.Client.Stop = &e.Time
	if why != nil {
		e.AuthReason, e.AuthStep = &why.Reason, &why.Step
		e.Client.User, e.Client.IssuerKey = why.User, why.Issuer
		if why.Account != "" {
			e.Client.Account = why.Account
		}
	}
	s.toSystem("$SYS.SERVER."+s.id+".CLIENT.AUTH.ERR", e)
	if why != nil && why.Step > auth.StepSigner && why.Account != "" {
		s.toAccount(why.Account, "$SYS.ACCOUNT.CLIENT.AUTH.ERR", e)
	}
}

// tellCounts tells other servers how many connections of an account are here
// (F051).
func (s *Server) tellCounts(key, name string) {
	e := countsEvent{event: newEvent(countsType), Server: s.about(), Account: key, Name: short(name)}
	if a := s.accounts.find(key); a != nil {
		e.Subs = a.table.Len()
	}
	n := s.options.Authorizer.Counts(key)
	e.TotalConns, e.LeafNodes, e.Conns = n.Connections, n.LeafNodes, n.Connections-n.LeafNodes
	s.toSystem("$SYS.SERVER.ACCOUNT."+key+".CONNS", e)
	s.toSystem("$SYS.ACCOUNT."+key+".SERVER.CONNS", e)
}

// maxText is how much of a text from a token an advisory tells, in bytes: an account
// may have a name of any length.
const maxText = 256

func short(text string) string {
	if len(text) <= maxText {
		return text
	}
	return strings.ToValidUTF8(text[:maxText], "") + "..."
}

// shortened gives the first tags, each short.
func shortened(tags []string) []string {
	const most = 32
	out := make([]string, 0, min(len(tags), most))
	for _, t := range tags[:min(len(tags), most)] {
		out = append(out, short(t))
	}
	return out
}

func newEvent(kind string) event {
	return event{Type: kind, ID: rand.Text(), Time: time.Now().UTC()}
}

// about is the server in an advisory.
func (s *Server) about() serverInfo {
	return serverInfo{
		Name: s.options.Name, Host: s.info.Host, ID: s.id, Cluster: s.options.Cluster, Version: Version,
		Seq: s.events.Add(1), Time: time.Now().UTC(),
	}
}

// about is the connection in an advisory, of somebody.
func (c *conn) about(who auth.Identity, said auth.ClientInfo) clientInfo {
	host := ""
	if c.source.IsValid() {
		host = c.source.String()
	}
	return clientInfo{
		Start: &c.start, Host: host, ID: c.id, Account: who.Account, User: who.Key,
		Name: said.Name, Lang: said.Lang, Version: said.Version,
		IssuerKey: who.Issuer, NameTag: short(who.AccountName), Tags: shortened(who.Tags), Kind: "Client", Type: "nats",
	}
}

// system says whether it is the system account.
func (s *Server) system(in where) bool { return in.view.Key() == s.options.SystemAccount }

// toSystem publishes into the system account, if there is one.
func (s *Server) toSystem(subject string, body any) {
	if s.options.SystemAccount != "" {
		s.toAccount(s.options.SystemAccount, subject, body)
	}
}

// toAccount publishes into an account that somebody is in, or listens to. Nobody else
// could hear it.
func (s *Server) toAccount(key, subject string, body any) {
	if a := s.accounts.find(key); a != nil && !a.table.Match(subject).Empty() {
		s.say(where{account: a}, subject, body)
	}
}

// say publishes something of the broker's own.
func (s *Server) say(in where, subject string, body any) {
	data, err := json.Marshal(body)
	if err != nil {
		s.log.Error("advisory", "subject", subject, "err", err)
		return
	}
	s.publish(nil, in, &message{subject: subject, body: data})
}
