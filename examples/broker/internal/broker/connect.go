package broker

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/examples/broker/internal/wire"
)

// clientOptions are what a client says in CONNECT. A second CONNECT changes what
// it names and leaves the rest.
type clientOptions struct {
	Echo         bool   `json:"echo"`
	Verbose      bool   `json:"verbose"`
	Pedantic     bool   `json:"pedantic"`
	JWT          string `json:"jwt"`
	Sig          string `json:"sig"`
	ProxySig     string `json:"proxy_sig"`
	Name         string `json:"name"`
	Lang         string `json:"lang"`
	Version      string `json:"version"`
	Protocol     int    `json:"protocol"`
	Account      string `json:"account"`
	AccountNew   bool   `json:"new_account"`
	Headers      bool   `json:"headers"`
	NoResponders bool   `json:"no_responders"`
}

// defaultClient is a client that says nothing; nats-server v2.15 server/client.go
// defaultOpts.
func defaultClient() clientOptions {
	return clientOptions{Echo: true, Verbose: true, Pedantic: true}
}

// info is what the client says about itself.
func (o clientOptions) info() auth.ClientInfo {
	return auth.ClientInfo{Name: o.Name, Lang: o.Lang, Version: o.Version}
}

// connect is CONNECT: the first decides whether there will be a connection, a
// later one changes who is connected. It says whether to go on reading.
//
// Behaviour: nats-server v2.15 server/client.go processConnect.
func (c *conn) connect(o wire.Connect) bool {
	before := c.client
	if !c.begin() {
		return false
	}
	if err := json.Unmarshal(o.JSON, &c.client); err != nil {
		c.close("", "Protocol Violation") // the client is told nothing
		return false
	}
	if again, goOn := c.renew(before); again {
		return goOn
	}
	c.dropSession("Client Closed")
	session, err := c.authenticate()
	if err != nil {
		c.refuse(err)
		return false
	}
	return c.enter(session)
}

// begin stops the time for CONNECT, unless it is over.
func (c *conn) begin() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.authTimer.Stop()
	if !c.began {
		c.rtt = time.Since(c.start)
	}
	c.began = true
	c.heard = time.Now()
	return true
}

// authTimeout ends a connection that did not get to CONNECT in time.
func (c *conn) authTimeout() {
	if !c.connected() {
		c.close("Authentication Timeout", "Authentication Timeout")
	}
}

// authenticate asks the authorizer. It is the only question that may wait for an
// account to be looked up.
func (c *conn) authenticate() (*auth.Session, error) {
	return c.server.options.Authorizer.Connect(lookup(), auth.Credentials{
		JWT:            c.client.JWT,
		Nonce:          c.nonce,
		Signature:      c.client.Sig,
		ProxySignature: c.client.ProxySig,
		ConnectionType: auth.Standard,
		Source:         c.source,
		Client:         c.client.info(),
	})
}

// enter takes the session for the connection's own, tells the client and the
// world, and says whether to go on.
func (c *conn) enter(session *auth.Session) bool {
	if c.client.AccountNew || c.client.Account != "" {
		session.Close() // clients do not choose accounts (F026)
		c.refuse(nil)
		return false
	}
	if !c.adopt(session) {
		return false
	}
	c.server.connected(c)
	c.server.tellConnect(c)
	return c.agree()
}

// adopt makes the session the connection's own, unless it was closed meanwhile.
func (c *conn) adopt(session *auth.Session) bool {
	a := c.server.accounts.enter(session.Account().Key(), c)
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		session.Close()
		c.server.accounts.leave(a, c)
		return false
	}
	c.session, c.account = session, a
	c.stop = session.Notify(func(e auth.Event) { c.news(e) })
	c.mu.Unlock()
	return true
}

// agree settles what the client and the server make of each other.
func (c *conn) agree() bool {
	c.mu.Lock()
	c.echo, c.headers = c.client.Echo, c.client.Headers
	c.mu.Unlock()
	c.settle()
	switch {
	case c.client.Protocol < 0 || c.client.Protocol > 1:
		c.close("invalid client protocol", "Bad Client Protocol Version")
		return false
	case c.client.NoResponders && !c.client.Headers:
		c.close("no responders requires headers support", "No Responders Requires Headers")
		return false
	}
	c.ok()
	return true
}

// settle takes over how much the session allows.
func (c *conn) settle() {
	c.mu.Lock()
	session, over := c.session, c.over() && !c.leaving
	c.leaving = c.leaving || over
	c.mu.Unlock()
	if session == nil {
		return
	}
	c.payloadLimit.Store(least(session.Limits().Payload, c.server.options.MaxPayload))
	if over {
		c.overSubscribed()
	}
}

// overSubscribed ends a connection that has more subscriptions than it may have,
// or may have none. It is told at once and has a moment to hear of it,
// as by nats-server v2.15 server/client.go applyAccountLimits.
func (c *conn) overSubscribed() {
	c.tell(tooManySubs)
	time.AfterFunc(overSubscribedTime, func() { c.close("", "Maximum Subscriptions Exceeded") })
}

const overSubscribedTime = 20 * time.Millisecond

// violation is the one sentence for who may not connect.
const violation = "Authorization Violation"

// refuse ends the connection for want of a session. The client learns the one
// sentence that the error has for it, the advisories learn the reason (B8).
func (c *conn) refuse(err error) {
	var why *auth.Error
	text := violation
	if errors.As(err, &why) {
		text = why.Wire()
	}
	c.server.log.Debug("refused", "client", c.id, "source", c.source.String(), "why", why)
	c.server.tellRefused(c, why)
	c.close(text, refusedBy(why))
}

// refusedBy names the refusal as nats-server v2.15 server/monitor.go ClosedState
// does.
func refusedBy(why *auth.Error) string {
	if why == nil {
		return "Authentication Failure"
	}
	switch why.Reason {
	case auth.ProxyUntrusted:
		return "Proxy Not Trusted"
	case auth.ProxyRequired:
		return "Proxy Required"
	case auth.ConnectionsExceeded:
		return "Maximum Account Connections Exceeded"
	default:
		return "Authentication Failure"
	}
}

// news takes what the session tells of itself. What comes of a session that is
// not the connection's any more is old.
func (c *conn) news(e auth.Event) {
	c.mu.Lock()
	current := c.session == e.Session
	c.mu.Unlock()
	if !current {
		return
	}
	switch e.Kind {
	case auth.RightsChanged:
		c.prune()
	case auth.LimitsChanged:
		c.settle()
	case auth.Closed:
		c.close(e.Err.Wire(), endedBy(e.Err))
	case auth.Expiring:
		c.server.log.Info("session expiring", "client", c.id, "at", e.Session.Expires())
	}
}

// endedBy names the end of a session likewise.
func endedBy(why *auth.Error) string {
	switch why.Reason {
	case auth.UserExpired, auth.OutsideTimes, auth.AccountExpired, auth.AccountRemoved, auth.AccountStale, auth.OperatorExpired:
		return "Authentication Expired"
	case auth.UserRevoked:
		return "Credentials Revoked"
	case auth.ConnectionsExceeded:
		return "Maximum Account Connections Exceeded"
	default:
		return "Authentication Failure"
	}
}

// dropSession ends what an earlier CONNECT began: subscriptions and session.
func (c *conn) dropSession(reason string) {
	c.mu.Lock()
	was := c.detach()
	c.mu.Unlock()
	c.leave(was, reason)
}

// past is what a connection leaves behind.
type past struct {
	session *auth.Session
	account *account
	stop    func()
	subs    map[string]*subscription
	sent    traffic
	taken   traffic
}

// detach takes session and subscriptions off the connection. c.mu is held.
func (c *conn) detach() past {
	was := past{c.session, c.account, c.stop, c.subs, c.sent, c.taken}
	for _, s := range c.subs {
		s.gone = true
	}
	c.session, c.account, c.stop = nil, nil, nil
	c.subs = make(map[string]*subscription)
	return was
}

// leave ends what was detached.
func (c *conn) leave(was past, reason string) {
	if was.session == nil {
		return
	}
	was.stop()
	for _, s := range was.subs {
		c.server.end(s)
	}
	identity := was.session.User()
	was.session.Close()
	c.server.accounts.leave(was.account, c)
	c.server.tellDisconnect(c, was, identity, reason)
}

// isObject says whether the text is a JSON object.
func isObject(text []byte) error {
	var o map[string]json.RawMessage
	return json.Unmarshal(text, &o)
}

// least is the stricter of two bounds of which -1 is none.
func least(a, b int64) int64 {
	switch {
	case a == -1:
		return b
	case b == -1:
		return a
	default:
		return min(a, b)
	}
}
