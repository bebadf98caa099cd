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
type Session struct {
	authorizer *Authorizer
	user       *user
	compiled   *compiled
	account    atomic.Pointer[Account]
	rights     atomic.Pointer[Rights] // nil once the session has ended
	ended      atomic.Pointer[Error]  // nil while it lives
	expires    atomic.Int64           // ns since 1970; 0: never

	source   netip.Addr
	client   ClientInfo
	proxy    string
	hours    int64 // when the times of the grant end it; 0: never
	kind     ConnectionType
	internal bool

	previous, next *Session // guarded by place.mu
	slot           int32    // guarded by its calendar page; -1: not in it
	warned         bool     // likewise

	mu    sync.Mutex
	seen  uint8  // guarded by mu; bits of kinds of events that happened
	extra *extra // guarded by mu; nil until somebody asks
}

// extra is what only some sessions need.
type extra struct {
	done    chan struct{}
	watch   []*watcher
	replies replies
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
		authorizer: d.authorizer, user: d.user, compiled: d.compiled,
		source: c.Source, client: c.Client, proxy: d.proxy, hours: d.hours,
		kind: c.ConnectionType, internal: c.Internal,
		slot: -1,
	}
	s.account.Store(d.account)
	s.rights.Store(d.rights)
	s.expires.Store(s.deadline().at)
	return s
}

// live gives the rights, or nil where the session may do nothing any more.
func (s *Session) live() *Rights {
	r := s.rights.Load()
	if r == nil {
		return nil
	}
	if at := s.expires.Load(); at != 0 && s.authorizer.config.Clock().UnixNano() >= at {
		return nil
	}
	return r
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
func (s *Session) Rights() *Rights { return s.rights.Load() }

// Account gives the view of the account by which the session lives.
func (s *Session) Account() *Account { return s.account.Load() }

// Limits are the strictest of the user's, its scope's and the account's; -1 is
// unlimited. The zero Session has none of anything.
func (s *Session) Limits() Limits {
	a := s.account.Load()
	if a == nil {
		return Limits{}
	}
	return limitsOf(s.compiled, a)
}

// limitsOf are the strictest of the effective user's and the account's.
func limitsOf(g *compiled, a *Account) Limits { return g.Limits.Min(a.claims.Limits.Limits) }

// Permissions are the effective ones, sorted and without duplicates; empty, and
// meaning nothing, once the session has ended. They are shared: read them only.
func (s *Session) Permissions() claims.Permissions {
	r := s.rights.Load()
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
	at := s.expires.Load()
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
	a := s.account.Load()
	if a == nil {
		return Identity{}
	}
	return identify(s.user, a, s.compiled, s.kind, s.proxy)
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
func (s *Session) Client() ClientInfo { return s.client }

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
	c := &s.user.claims
	e.User, e.Account, e.Issuer = c.Key, c.Account(), c.Issuer
	return &e
}

// Close ends the session: the client is gone. Closing again does nothing.
func (s *Session) Close() {
	if s.authorizer != nil {
		s.end(closedByBroker)
	}
}

// end ends the session once. Afterwards it answers no, its place is free, and
// those who asked are told, in that order.
func (s *Session) end(why *Error) {
	if why != closedByBroker {
		why = s.attribute(*why)
	}
	if !s.ended.CompareAndSwap(nil, why) {
		return
	}
	s.rights.Store(nil)
	s.account.Load().place.remove(s)
	s.authorizer.calendar.remove(s)
	s.authorizer.counters.ended.add(s.user.key[0])
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

func (d *deadline) earlier(at int64, by endedBy) {
	if at != 0 && (d.at == 0 || at < d.at) {
		d.at, d.by = at, by
	}
}

// deadline is the earliest end of the chain by which the session was admitted. A
// newer token of the account does not move it: nobody has judged the session by
// that one.
func (s *Session) deadline() deadline {
	return chainEnd(&s.user.claims, s.hours, s.account.Load(), s.authorizer.config.OperatorExpiryCloses)
}

func chainEnd(u *claims.User, hours int64, a *Account, operatorCloses bool) deadline {
	var d deadline
	d.earlier(nanos(u.Expires), byUser)
	d.earlier(hours, byTimes)
	d.earlier(nanos(a.claims.Expires), byAccount)
	if operatorCloses {
		d.earlier(nanos(a.operator.window().Expires), byOperator)
	}
	return d
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
