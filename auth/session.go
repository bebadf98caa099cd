package auth

import (
	"math"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/natsauth/natsauth/claims"
	"github.com/natsauth/natsauth/internal/subject"
)

// Limits are what one connection may use, see [claims.Limits].
type Limits = claims.Limits

// Session is one live connection and what it may do. It may be used by several
// goroutines. CanPublish, CanSubscribe and CanDeliver do no I/O and do not
// allocate, and take no lock but where response permissions have the say. A session
// that has ended answers no, and so does one whose time is over, even before
// anybody has noticed. The zero Session answers no.
//
// What it may do follows its account: when the account's token changes, the session
// goes by the new one from one moment to the next, or has ended by then (B6).
type Session struct {
	place    *place                   // of its account; nil for the zero Session
	standing atomic.Pointer[standing] // what it was given, replaced as a whole
	admitted standing                 // the first one
	ended    atomic.Pointer[Error]    // nil while it lives

	nonce    string // what it signed, for Renew
	source   netip.Addr
	client   *ClientInfo // or nil, for a broker that does not say
	proxy    *string     // the key of the proxy in between, or nil
	kind     ConnectionType
	internal bool
	proven   bool // it holds the user's key; a bearer need not
	sentinel bool // it showed no token of its own; guarded by place.mu, as proven is

	warned bool  // guarded by its calendar page
	seen   uint8 // guarded by mu; bits of kinds of events that happened
	slot   int32 // as warned; -1: not in it
	mu     sync.Mutex
	extra  *extra // guarded by mu; nil until somebody asks

	serial            uint64   // guarded by place.mu; the order in which they came
	previous, next    *Session // likewise; of those with the same issuer
	homonym, namesake *Session // likewise; before and after it in a slot of the index by user
}

// extra is what only some sessions need.
type extra struct {
	done    chan struct{}
	watch   []*watcher
	replies owedReplies
}

// more gives the extra part, made when it is first needed. s.mu is held.
func (s *Session) more() *extra {
	if s.extra == nil {
		s.extra = &extra{}
	}
	return s.extra
}

// newSession makes the session of a decision. It is nowhere yet.
func newSession(d *decision) *Session {
	c := &d.credentials
	s := &Session{
		place: d.account.place, admitted: d.standing(),
		nonce: c.Nonce, source: c.Source,
		kind: c.ConnectionType, internal: c.Internal, proven: d.proven, sentinel: d.sentinel,
		slot: -1,
	}
	if c.Client != (ClientInfo{}) {
		client := c.Client
		s.client = &client
	}
	if d.proxy != "" {
		proxy := d.proxy // not a pointer into the decision, which would keep all of it
		s.proxy = &proxy
	}
	s.standing.Store(&s.admitted)
	return s
}

// authorizer is whose decision the session is.
func (s *Session) authorizer() *Authorizer { return s.place.authorizer }

// live gives the rights, or nil where the session may do nothing any more.
func (s *Session) live() *Rights {
	g, ok := s.given()
	if !ok {
		return nil
	}
	if at := g.end().at; at != 0 && s.authorizer().config.Clock().UnixNano() >= at {
		return nil
	}
	return g.rights()
}

// CanPublish says whether the connection may publish to a subject, which is taken
// token by token as it is. It keeps no argument. Where the rules say no and the
// subject is a reply that the connection owes, it spends one of the responses
// that its permissions grant.
func (s *Session) CanPublish(subject string) bool {
	r := s.live()
	if r == nil {
		return false
	}
	return r.set.Publish(subject) || r.responses != nil && s.spend(subject, r.responses)
}

// CanSubscribe says whether the connection may subscribe to a subject, in a queue
// group or, with an empty queue, alone: whether everything that the subscription
// can match is allowed (B3). It keeps no argument.
func (s *Session) CanSubscribe(subject, queue string) bool {
	r := s.live()
	return r != nil && r.set.Subscribe(subject, queue)
}

// CanDeliver says whether a message on a subject, as the connection will see it,
// may be delivered to a subscription of the connection in that queue group. Ask
// it for every delivery: a subscription may be wider than a deny rule, and older
// than the rules. It keeps no argument.
func (s *Session) CanDeliver(subject, queue string) bool {
	r := s.live()
	return r != nil && r.set.Deliver(subject, queue)
}

// Delivered notes that a message with a reply subject was delivered, which
// grants responses to it if the permissions say so and do not allow the subject
// anyway. Call it after each such delivery; a reply that is no literal subject, or
// longer than 4 KiB, is nothing. Where the
// reply is owed already, the delivery spends one of its responses in place of
// granting new ones, as in nats-server v2.15 server/client.go deliverMsg.
func (s *Session) Delivered(reply string) {
	r := s.live()
	if r == nil || r.responses == nil || len(reply) > maxReply || !subject.Literal(reply) || s.CanPublish(reply) {
		return
	}
	s.owe(reply, r.responses)
}

// Rights gives the permissions as one set, to be compared by pointer; nil once
// the session has ended.
func (s *Session) Rights() *Rights {
	if g, ok := s.given(); ok {
		return g.rights()
	}
	return nil
}

// Account gives the view of the account by which the session lives, or lived last.
// The zero Session has none.
func (s *Session) Account() *Account {
	if s.place == nil {
		return nil
	}
	if a := s.place.current.Load(); a != nil {
		return a
	}
	return s.place.last.Load()
}

// Limits are the strictest of the user's, its scope's and the account's; -1 is
// unlimited. The zero Session has none of anything.
func (s *Session) Limits() Limits {
	if s.place == nil {
		return Limits{}
	}
	return s.known().limits()
}

// limitsOf are the strictest of the effective user's and the account's.
func limitsOf(g *compiled, a *Account) Limits { return g.Limits.Min(a.claims.Limits.Limits) }

// Permissions are the effective ones, sorted and without duplicates; empty, and
// meaning nothing, once the session has ended. They are shared: read them only.
func (s *Session) Permissions() claims.Permissions {
	r := s.Rights()
	if r == nil {
		return claims.Permissions{}
	}
	return r.permissions
}

// Expires is when the session ends by itself: the earliest of the user's token,
// its hours, the account's token, and the operator's where
// [Config.OperatorExpiryCloses] is set. The zero Time is never; others are in the
// local time zone.
func (s *Session) Expires() time.Time {
	if s.place == nil {
		return time.Time{}
	}
	at := s.known().end().at
	if at == 0 {
		return time.Time{}
	}
	return time.Unix(0, at)
}

// Identity is who is connected.
type Identity struct {
	Key            string         `json:"key"`                    // the user's public key
	Name           string         `json:"name,omitempty"`         // what the token calls the user; not unique
	Account        string         `json:"account"`                // the account's public key
	AccountName    string         `json:"account_name,omitempty"` // what its token calls it
	Issuer         string         `json:"issuer"`                 // the key of the account that signed the user
	Role           string         `json:"role,omitempty"`         // of the scoped signing key, if one signed
	Tags           []string       `json:"tags,omitempty"`
	IssuedAt       int64          `json:"issued_at"` // seconds since 1970
	Digest         claims.Digest  `json:"digest"`
	Data           int64          `json:"data"` // the data limit, carried for brokers that count (B22)
	ConnectionType ConnectionType `json:"connection_type"`
	Bearer         bool           `json:"bearer,omitempty"` // needed no proof of possession
	Proxy          string         `json:"proxy,omitempty"`  // the key of the trusted proxy in between
}

// User tells who is connected.
func (s *Session) User() Identity {
	if s.place == nil {
		return Identity{}
	}
	g := s.known()
	proxy := s.through()
	if len(g.account.trust.proxies) == 0 { // where none is trusted, none counts
		proxy = ""
	}
	return identify(g.user, g.account, g.compiled, s.kind, proxy)
}

// through is the key of the proxy in between, or empty.
func (s *Session) through() string {
	if s.proxy == nil {
		return ""
	}
	return *s.proxy
}

func identify(u *user, a *Account, g *compiled, kind ConnectionType, proxy string) Identity {
	c := &u.claims
	id := Identity{
		Key: c.Key, Name: c.Name, Account: a.Key(), AccountName: a.Name(), Issuer: c.Issuer,
		Tags: slices.Clone(c.Tags), IssuedAt: c.IssuedAt, Digest: c.Digest, Data: g.Limits.Data,
		ConnectionType: kind, Bearer: g.Bearer, Proxy: proxy,
	}
	if scope, ok := a.claims.Signer(c.Issuer, a.strict); ok && scope != nil {
		id.Role = scope.Role
	}
	return id
}

// Client is what the client said about itself.
func (s *Session) Client() ClientInfo {
	if s.client == nil {
		return ClientInfo{}
	}
	return *s.client
}

// Source is where the client connected from.
func (s *Session) Source() netip.Addr { return s.source }

// Err tells why the session ended; nil while it lives, and for the zero Session,
// which never did. Otherwise it is an [*Error].
func (s *Session) Err() error {
	if e := s.cause(); e != nil {
		return e
	}
	return nil
}

// closedByBroker is the end of every session that its broker closed.
var closedByBroker = &Error{Reason: SessionClosed, Step: StepLive}

// cause is why the session ended; nil while it lives. The usual end, Close, is
// one that nobody asks about: it costs an Error of its own only if somebody does.
func (s *Session) cause() *Error {
	e := s.ended.Load()
	if e != closedByBroker {
		return e
	}
	s.ended.CompareAndSwap(closedByBroker, s.attribute(*e))
	return s.ended.Load()
}

// attribute writes in whose end it was.
func (s *Session) attribute(e Error) *Error {
	c := &s.standing.Load().user.claims
	e.User, e.Account, e.Issuer = c.Key, c.Account(), c.Issuer
	return &e
}

// Close ends the session: the client is gone. Closing again does nothing.
func (s *Session) Close() {
	if s.place != nil {
		s.end(closedByBroker)
	}
}

// end ends the session once. Afterwards it answers no, its place is free, and
// those who asked are told, in that order. It reports false if it had ended before.
func (s *Session) end(why *Error) bool {
	if !s.halt(why) {
		return false
	}
	s.place.remove(s)
	s.leave()
	return true
}

// halt makes the session answer no. Whoever has it return true takes the session
// out of its place and calls leave.
func (s *Session) halt(why *Error) bool {
	if why != closedByBroker {
		why = s.attribute(*why)
	}
	return s.ended.CompareAndSwap(nil, why)
}

// leave is the rest of an end, once the session is out of its place.
func (s *Session) leave() {
	a := s.authorizer()
	a.calendar.remove(s)
	a.counters.ended.add(s.standing.Load().user.key[0])
	s.announce(Closed)
}

// endedBy names what ends a session.
type endedBy uint8

const (
	byNothing endedBy = iota
	byUser
	byTimes
	byAccount
	byOperator
)

var endings = [...]struct {
	name   string
	reason Reason
}{
	byNothing:  {"nothing", ReasonNone},
	byUser:     {"user token", UserExpired},
	byTimes:    {"times", OutsideTimes},
	byAccount:  {"account token", AccountExpired},
	byOperator: {"operator token", OperatorExpired},
}

// deadline is when something ends, in nanoseconds since 1970, and by what; 0 is
// never.
type deadline struct {
	at int64
	by endedBy
}

// passed is the end of a session whose time is over.
func (d deadline) passed() *Error {
	return &Error{Reason: endings[d.by].reason, Step: StepLive, Evidence: []Fact{{"ended", stamp(d.at / int64(time.Second))}}}
}

func (d *deadline) earlier(at int64, by endedBy) {
	if at != 0 && (d.at == 0 || at < d.at) {
		d.at, d.by = at, by
	}
}

// nanos turns a token's time into nanoseconds; what lies beyond their range, in
// the year 2262, is never. What lies before 1970 has been over for every session
// that lives, so no session has such an end.
func nanos(seconds int64) int64 {
	if seconds <= 0 || seconds > math.MaxInt64/int64(time.Second) {
		return 0
	}
	return seconds * int64(time.Second)
}
