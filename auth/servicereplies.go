package auth

import (
	"container/heap"
	"container/list"
	"strings"
	"sync"
	"time"

	"github.com/natsauth/natsauth/nonce"
)

// Replies are the reply subjects under which requests arrive at services of other
// accounts: whoever answers there does not learn the requestor's own subject, and what is
// published to one is led back. Make them with [NewReplies]; the zero Replies and nil open
// none. They may be used by several goroutines, and take a lock of their own.
//
// Rules: F078, F079, F087; nats-server v2.15 server/accounts.go addRespServiceImport and
// server/client.go processServiceImport.
type Replies struct {
	authorizer *Authorizer
	prefix     string
	max        int

	mu     sync.Mutex
	open   map[string]*openReply // guarded by mu, as what follows; by subject
	askers askers                // accounts, those that pay for the most open replies first
	byKey  map[string]*asker
	bytes  int
}

// openReply is one of them.
type openReply struct {
	subject  string
	exporter string // the account whose clients may answer
	asker    *asker // whom the answer goes to
	payer    *asker // who asked first: another account, where that one passed the request on
	reply    string // the requestor's own subject
	service  *Service
	note     any
	since    time.Time // of the request, or of the answer that came last
	at       *list.Element

	before, after *openReply // that have the same reply
}

// asker is an account that has asked.
type asker struct {
	key     string
	order   list.List             // of the *openReply that it pays for, the oldest first
	byReply map[string]*openReply // the last one that goes to it, by its own subject
	at      int                   // in the heap
}

// DefaultReplies is how many replies are open at the most where NewReplies is not told.
const DefaultReplies = 65_536

// NewReplies makes the bookkeeping of a broker's reply subjects, at most max at a time, or
// [DefaultReplies] for 0 and less, with 256 bytes of a requestor's own subject each, on the
// average: over that, the account with the most open replies loses its oldest (B18). What
// an account passes on counts for the one that asked it. They are remembered by this broker only: Prefix tells other nodes whose they are.
func NewReplies(a *Authorizer, max int) *Replies {
	if max <= 0 {
		max = DefaultReplies
	}
	return &Replies{
		authorizer: a, prefix: servicePrefix + nonce.New() + ".", max: max,
		open: make(map[string]*openReply), byKey: make(map[string]*asker),
	}
}

// servicePrefix begins every reply subject.
const servicePrefix = "_R_."

// ackPrefix begins replies that stay as they are: they say where an acknowledgement goes.
const ackPrefix = "$JS.ACK."

// Prefix begins every subject that Open gives: what is published to one is to be taken.
// It ends with a dot, and begins with "_R_.": the broker refuses what clients publish with
// a reply that begins so (F059). Empty: nothing is ever opened.
func (r *Replies) Prefix() string {
	if r == nil {
		return ""
	}
	return r.prefix
}

// Open gives the subject that a request along the route carries as its reply, for a
// requestor's own. Nobody can guess it. It is good for one answer of a [Singleton] service,
// and for any number of others', up to an empty one; not for longer than the service's
// threshold after the request, or after the last answer. Note is what the caller wants to
// have back with the answers. Tell a session that the request is delivered to of the subject
// ([Session.Delivered]), and Forget it if nobody took the request.
//
// subject is empty and ok false where there is nothing to answer to, or no room: reply is
// empty or longer than 4 KiB, or the account's other replies are as many as there may be. A
// reply that begins with `$JS.ACK.` stays what it is.
//
// An answer that carries a reply itself is answered likewise: the route back is
// ServiceRoute{Exporter: answer.Requestor, Service: answer.Service}, the requestor of it the
// account that answers.
func (r *Replies) Open(route ServiceRoute, requestor *Account, reply string, note any) (subject string, ok bool) {
	switch {
	case !r.usable() || route.Exporter == nil || requestor == nil, reply == "", len(reply) > maxReply:
		return "", false
	case strings.HasPrefix(reply, ackPrefix):
		return reply, true
	}
	o := &openReply{
		subject: r.prefix + nonce.New(), exporter: route.Exporter.Key(),
		reply: strings.Clone(reply), service: route.Service, note: note, since: r.authorizer.config.Clock(),
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.add(o, requestor.Key())
	for len(r.open) > r.max || r.bytes > r.max*replyBytes {
		r.drop(r.askers[0].order.Front().Value.(*openReply)) // who pays for the most pays for one
	}
	if _, kept := r.open[o.subject]; !kept {
		return "", false
	}
	return o.subject, true
}

// usable says whether there is an Authorizer, and it is not closed.
func (r *Replies) usable() bool { return r != nil && r.authorizer != nil && r.authorizer.open() }

// Answer is where an answer goes.
type Answer struct {
	Requestor *Account // its view of now
	Subject   string   // in the requestor's account; not mapped yet
	Service   *Service
	Note      any // that Open was given
}

// Take gives where an answer goes that somebody in an account has published, and counts it.
// The account is the one in which the request was delivered: from any other there is no
// way. empty says that the message has neither headers nor payload, which ends an answer of
// several messages. ok is false where nobody waits for it, or not any more.
//
// The answer is published in the requestor's account, whose mappings apply. Where that
// account passed a request on, the subject there begins with Prefix as well: Take it again.
// Forget the subject if nobody took the answer.
func (r *Replies) Take(in *Account, subject string, empty bool) (answer Answer, ok bool) {
	if !r.usable() || in == nil {
		return Answer{}, false
	}
	o := r.take(in.Key(), subject, empty)
	if o == nil {
		return Answer{}, false
	}
	requestor := r.authorizer.directory.inForce(o.asker.key)
	if requestor == nil || requestor.ended(r.authorizer.config.Clock().UnixNano()) {
		return Answer{}, false
	}
	return Answer{Requestor: requestor, Subject: o.reply, Service: o.service, Note: o.note}, true
}

func (r *Replies) take(account, subject string, empty bool) *openReply {
	now := r.authorizer.config.Clock()
	r.mu.Lock()
	defer r.mu.Unlock()
	o := r.open[subject]
	switch {
	case o == nil || o.exporter != account:
		return nil
	case o.over(now):
		r.drop(o)
		return nil
	case o.last(empty):
		r.drop(o)
	default:
		o.since = now
		o.payer.order.MoveToBack(o.at)
	}
	return o
}

// threshold is how long an answer may take.
func (o *openReply) threshold() time.Duration {
	if o.service == nil || o.service.Threshold <= 0 {
		return DefaultThreshold
	}
	return o.service.Threshold
}

// over says whether its time is over.
func (o *openReply) over(now time.Time) bool { return now.Sub(o.since) >= o.threshold() }

// last says whether the answer is the last one.
func (o *openReply) last(empty bool) bool {
	return empty || o.service == nil || o.service.Response == Singleton
}

// Forget closes a subject that Open gave: the request, or an answer to it, came to nobody.
func (r *Replies) Forget(subject string) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if o := r.open[subject]; o != nil {
		r.drop(o)
	}
}

// Abandon closes what was opened for a reply subject of a requestor, an account's public
// key, for nobody listens there any more. It gives the notes of what it closes.
func (r *Replies) Abandon(requestor, reply string) []any {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	a := r.byKey[requestor]
	if a == nil {
		return nil
	}
	var notes []any
	for o := a.byReply[reply]; o != nil; o = a.byReply[reply] {
		notes = append(notes, o.note)
		r.drop(o)
	}
	return notes
}

// Len is how many are open, those whose time is over included until they are looked at.
func (r *Replies) Len() int {
	if r == nil {
		return 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.open)
}

// add takes one in, and what its account has that is over goes. r.mu is held.
func (r *Replies) add(o *openReply, account string) {
	o.asker = r.asker(account)
	o.payer = o.asker
	if passed := r.open[o.reply]; passed != nil {
		o.payer = passed.payer
	}
	o.at = o.payer.order.PushBack(o)
	if o.before = o.asker.byReply[o.reply]; o.before != nil {
		o.before.after = o
	}
	o.asker.byReply[o.reply] = o
	heap.Fix(&r.askers, o.payer.at)
	r.open[o.subject] = o
	r.bytes += len(o.reply)
	for range 2 { // each addition looks at two, so that the work is spread evenly
		if first := o.payer.order.Front().Value.(*openReply); first.over(o.since) {
			r.drop(first)
		}
	}
}

// asker gives what is kept of an account, from now on. r.mu is held.
func (r *Replies) asker(account string) *asker {
	a := r.byKey[account]
	if a == nil {
		a = &asker{key: account, byReply: make(map[string]*openReply)}
		r.byKey[account] = a
		heap.Push(&r.askers, a)
	}
	return a
}

// drop takes one out. r.mu is held.
func (r *Replies) drop(o *openReply) {
	delete(r.open, o.subject)
	r.bytes -= len(o.reply)
	o.payer.order.Remove(o.at)
	if o.before != nil {
		o.before.after = o.after
	}
	switch {
	case o.after != nil:
		o.after.before = o.before
	case o.before != nil:
		o.asker.byReply[o.reply] = o.before
	default:
		delete(o.asker.byReply, o.reply)
	}
	heap.Fix(&r.askers, o.payer.at)
	r.release(o.payer)
	r.release(o.asker)
}

// release forgets an account for which nothing is kept. r.mu is held.
func (r *Replies) release(a *asker) {
	if a.order.Len() == 0 && len(a.byReply) == 0 && r.byKey[a.key] == a {
		heap.Remove(&r.askers, a.at)
		delete(r.byKey, a.key)
	}
}

// askers are a heap of accounts by their open replies, the most first.
type askers []*asker

func (h askers) Len() int           { return len(h) }
func (h askers) Less(i, j int) bool { return h[i].order.Len() > h[j].order.Len() }
func (h askers) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].at, h[j].at = i, j
}

func (h *askers) Push(x any) {
	a := x.(*asker)
	a.at = len(*h)
	*h = append(*h, a)
}

func (h *askers) Pop() any {
	last := len(*h) - 1
	a := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return a
}
