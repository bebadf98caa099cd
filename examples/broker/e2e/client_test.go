package e2e_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"
)

// day is what a user of nsc does on an ordinary day, as its token allows. An
// empty subject is a thing that it cannot do.
type day struct {
	creds        string
	pub, sub     string // subjects that it may use; sub with a queue group behind a space must use it
	inbox        string // prefix of subjects at which it may be answered
	noPub, noSub string // what it may not; empty: it may everything
	peer         string // whom it talks to; empty: itself, on the same connection
	subs         int    // its limit, or 0
	payload      int    // its limit, or 0
}

// days has a row for each creds file that the reference lets in.
func days(t *testing.T) []day {
	dev1 := subject(t, "SCOPED.dev1")
	notag := subject(t, "SCOPED.dev_notag")
	return []day{
		{creds: "APP.admin", pub: "a", sub: "b", inbox: "_INBOX", peer: "APP.admin"},
		{creds: "APP.bearer", pub: "web.a", sub: "web.b", inbox: "web._in", noPub: "a", noSub: "_INBOX.x", peer: "APP.admin"},
		{creds: "APP.cidr_ok", pub: "a", sub: "b", inbox: "_INBOX", peer: "APP.admin"},
		{creds: "APP.conn_std", pub: "a", sub: "b", inbox: "_INBOX", peer: "APP.admin"},
		{creds: "APP.limits", pub: "a", sub: "b", inbox: "_INBOX", peer: "APP.admin", subs: 2, payload: 64},
		{creds: "APP.pub_only", pub: "a.b.c", sub: "z", inbox: "_INBOX", noPub: "a.secret", peer: "APP.admin"},
		{creds: "APP.pubsub", pub: "chat.a", sub: "chat.b", inbox: "chat._in", noPub: "chat.admin.x", noSub: "chat.admin.x", peer: "APP.admin"},
		{creds: "APP.responder", sub: "svc.a", inbox: "", noPub: "svc.a", noSub: "b", peer: "APP.admin"},
		{creds: "APP.sub_only", pub: "b", sub: "q.work workers", inbox: "a._in", noSub: "a.secret", peer: "APP.admin"},
		{creds: "APP.times", pub: "a", sub: "b", inbox: "_INBOX", peer: "APP.admin"},
		{creds: "APP.viask", pub: "a", sub: "b", inbox: "_INBOX", peer: "APP.admin"},
		{creds: "CALLOUT.authsvc", pub: "a", sub: "b", inbox: "_INBOX", peer: "CALLOUT.authsvc"},
		{creds: "DEFPERM.own", pub: "own.a", sub: "own.b", inbox: "own._in", noPub: "d.a", peer: "DEFPERM.own"},
		{creds: "DEFPERM.u", pub: "d.a", sub: "d.b", inbox: "d._in", noPub: "own.a", noSub: "x.b", peer: "DEFPERM.u"},
		{creds: "IMP.u", pub: "a", sub: "b", inbox: "_INBOX", peer: "IMP.u"},
		{creds: "LIMITED.u", pub: "a", sub: "b", inbox: "_INBOX", subs: 3, payload: 128},
		{creds: "NOBEARER.nb", pub: "a", sub: "b", inbox: "_INBOX", peer: "NOBEARER.nb"},
		{creds: "OPSK.u", pub: "a", sub: "b", inbox: "_INBOX", peer: "OPSK.u"},
		{creds: "REVIMP.u", pub: "a", sub: "b", inbox: "_INBOX", peer: "REVIMP.u"},
		{creds: "SCOPED.dev1", pub: "sensors.dev1.a", sub: "cmd." + dev1, inbox: "reg.eu", noPub: "sensors.dev2.a", noSub: "cmd." + notag, peer: "SCOPED.plain", subs: 5, payload: 1024},
		{creds: "SCOPED.dev_notag", pub: "acct.SCOPED.a", sub: "cmd." + notag, noPub: "acct.APP.a", noSub: "reg.eu.a", peer: "SCOPED.plain", subs: 5, payload: 1024},
		{creds: "SCOPED.plain", pub: "a", sub: "b", inbox: "_INBOX", peer: "SCOPED.plain"},
		{creds: "SCOPED.web1", pub: "web.a", sub: "web.b", inbox: "web._in", noPub: "a", noSub: "_INBOX.x", peer: "SCOPED.plain"},
		{creds: "SYS.sys", pub: "a", sub: "b", inbox: "_INBOX", peer: "SYS.sysadmin"},
		{creds: "SYS.sysadmin", pub: "a", sub: "b", inbox: "_INBOX", peer: "SYS.sys"},
	}
}

// subject is the key of a creds file's user.
func subject(t *testing.T, creds string) string {
	t.Helper()
	c, err := jwt.DecodeUserClaims(readCreds(t, credsFile(creds)).token)
	require.NoError(t, err)
	return c.Subject
}

// TestDays covers every client that the reference lets in.
func TestDays(t *testing.T) {
	have := map[string]bool{}
	for _, d := range days(t) {
		have["user."+d.creds] = true
	}
	for name, answer := range oracle(t) {
		if answer == "OK" && name[:5] == "user." {
			require.True(t, have[name], name)
			delete(have, name)
		}
	}
	require.Empty(t, have)
}

// TestNATS: a client of nats.go publishes, subscribes, shares work, asks and is
// answered, with headers, and drains: each with every creds file, as far as its
// token allows, and no further.
func TestNATS(t *testing.T) {
	s := serve(t, nscConfig(t))
	for _, d := range days(t) {
		t.Run(d.creds, func(t *testing.T) {
			p := d.begin(t, s)
			p.publishes()
			p.receives()
			p.shares()
			p.asks()
			p.violates()
			p.drains()
		})
	}
}

// pair is a user at its day, and whom it talks to.
type pair struct {
	day
	t    *testing.T
	me   *nats.Conn
	them *nats.Conn
	errs chan error // what nats.go tells of me
}

func (d day) begin(t *testing.T, s *server) *pair {
	t.Helper()
	p := &pair{day: d, t: t, errs: make(chan error, 16)}
	opts := []nats.Option{nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { p.errs <- err })}
	if d.inbox != "" {
		opts = append(opts, nats.CustomInboxPrefix(d.inbox))
	}
	p.me = connectCreds(t, s, d.creds, opts...)
	p.them = p.me
	if d.peer != "" {
		p.them = connectCreds(t, s, d.peer)
	}
	return p
}

// subscribe has a subscription known to the broker before it returns.
func (p *pair) subscribe(nc *nats.Conn, subject string) *nats.Subscription {
	p.t.Helper()
	var s, q string
	fmt.Sscan(subject, &s, &q)
	sub, err := nc.QueueSubscribeSync(s, q)
	require.NoError(p.t, err)
	require.NoError(p.t, nc.Flush())
	return sub
}

// drop ends a subscription, so that others have room.
func (p *pair) drop(subs ...*nats.Subscription) {
	p.t.Helper()
	for _, sub := range subs {
		require.NoError(p.t, sub.Unsubscribe())
	}
	require.NoError(p.t, p.me.Flush())
}

// publishes: what it says reaches its peer, headers too where they fit.
func (p *pair) publishes() {
	p.t.Helper()
	if p.pub == "" {
		return
	}
	p.reaches(p.subscribe(p.them, p.pub), p.me)
}

// receives: what it subscribes to reaches it.
func (p *pair) receives() {
	p.t.Helper()
	if p.sub == "" {
		return
	}
	p.reaches(p.subscribe(p.me, p.sub), p.them)
}

// reaches asserts that a subscription gets what somebody says, headers too, and ends it.
func (p *pair) reaches(sub *nats.Subscription, from *nats.Conn) {
	p.t.Helper()
	m := nats.NewMsg(sub.Subject)
	m.Data = []byte("hi")
	m.Header.Set("Kind", "test")
	require.NoError(p.t, from.PublishMsg(m))
	got, err := sub.NextMsg(patience)
	require.NoError(p.t, err)
	require.Equal(p.t, "hi", string(got.Data))
	require.Equal(p.t, "test", got.Header.Get("Kind"))
	p.drop(sub)
}

// shares: two subscriptions of one queue group get each message once.
func (p *pair) shares() {
	p.t.Helper()
	if p.sub == "" {
		return
	}
	var s, q string
	if n, _ := fmt.Sscan(p.sub, &s, &q); n == 1 {
		q = "any"
	}
	got := make(chan *nats.Msg, 100)
	var subs []*nats.Subscription
	for range 2 {
		sub, err := p.me.ChanQueueSubscribe(s, q, got)
		require.NoError(p.t, err)
		subs = append(subs, sub)
	}
	require.NoError(p.t, p.me.Flush())
	for range 10 {
		require.NoError(p.t, p.them.Publish(s, nil))
	}
	require.NoError(p.t, p.them.Flush())
	require.NoError(p.t, p.me.Flush())
	require.Len(p.t, got, 10)
	p.drop(subs...)
}

// asks: it asks and is answered, where it may be answered at all.
func (p *pair) asks() {
	p.t.Helper()
	if p.inbox == "" || p.pub == "" {
		return
	}
	sub, err := p.them.Subscribe(p.pub, func(m *nats.Msg) { m.Respond(append([]byte("re:"), m.Data...)) })
	require.NoError(p.t, err)
	require.NoError(p.t, p.them.Flush())
	m, err := p.me.Request(p.pub, []byte("hi"), patience)
	require.NoError(p.t, err)
	require.Equal(p.t, "re:hi", string(m.Data))
	require.NoError(p.t, sub.Unsubscribe())
	require.NoError(p.t, p.them.Flush())
	_, err = p.me.Request(p.pub, []byte("hi"), patience)
	require.ErrorIs(p.t, err, nats.ErrNoResponders)
}

// violates: it is told what it may not, and the connection goes on.
func (p *pair) violates() {
	p.t.Helper()
	require.Empty(p.t, p.errs)
	if p.noPub != "" {
		require.NoError(p.t, p.me.Publish(p.noPub, nil))
		wantViolation(p.t, p.errs, fmt.Sprintf("Permissions Violation for Publish to %q", p.noPub))
	}
	if p.noSub != "" {
		_, err := p.me.SubscribeSync(p.noSub)
		require.NoError(p.t, err)
		wantViolation(p.t, p.errs, fmt.Sprintf("Permissions Violation for Subscription to %q", p.noSub))
	}
	require.NoError(p.t, p.me.Flush())
	require.Empty(p.t, p.errs)
}

// drains: what was on its way is handled, and then the connection is closed.
func (p *pair) drains() {
	p.t.Helper()
	closed := make(chan struct{})
	p.me.SetClosedHandler(func(*nats.Conn) { close(closed) })
	got := make(chan *nats.Msg, 10)
	if p.sub != "" {
		sub := p.subscribe(p.me, p.sub)
		p.drop(sub)
		var s, q string
		fmt.Sscan(p.sub, &s, &q)
		_, err := p.me.QueueSubscribe(s, q, func(m *nats.Msg) { got <- m })
		require.NoError(p.t, err)
		require.NoError(p.t, p.me.Flush())
		for range 5 {
			require.NoError(p.t, p.them.Publish(s, nil))
		}
		require.NoError(p.t, p.them.Flush())
	}
	require.NoError(p.t, p.me.Drain())
	select {
	case <-closed:
	case <-time.After(patience):
		require.Fail(p.t, "does not drain")
	}
	require.Empty(p.t, p.errs)
	if p.sub != "" {
		require.Len(p.t, got, 5)
	}
}

// TestLimitsInNATS: nats.go hears of the limits of a user: its payload with the
// first PONG, its subscriptions when it has too many.
func TestLimitsInNATS(t *testing.T) {
	s := serve(t, nscConfig(t))
	for _, d := range days(t) {
		if d.subs == 0 {
			continue
		}
		t.Run(d.creds, func(t *testing.T) {
			p := d.begin(t, s)
			require.NoError(t, p.me.Flush())
			waitFor(t, "the INFO with the limit", func() bool { return p.me.MaxPayload() == int64(d.payload) })
			require.NoError(t, p.me.Publish(d.pub, make([]byte, d.payload)))
			require.ErrorIs(t, p.me.Publish(d.pub, make([]byte, d.payload+1)), nats.ErrMaxPayload)
			for range d.subs {
				p.subscribe(p.me, d.sub)
			}
			require.Empty(t, p.errs)
			p.subscribe(p.me, d.sub)
			require.ErrorIs(t, <-p.errs, nats.ErrMaxSubscriptionsExceeded)
		})
	}
}

// TestResponderInNATS: who may only answer does so, three times a question.
func TestResponderInNATS(t *testing.T) {
	s := serve(t, nscConfig(t))
	errs := make(chan error, 4)
	nc := connectCreds(t, s, "APP.responder", nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { errs <- err }))
	_, err := nc.Subscribe("svc.>", func(m *nats.Msg) {
		for range 4 {
			m.Respond([]byte("here"))
		}
	})
	require.NoError(t, err)
	require.NoError(t, nc.Flush())
	asks := connectCreds(t, s, "APP.admin")
	answers, err := asks.SubscribeSync("re")
	require.NoError(t, err)
	require.NoError(t, asks.PublishRequest("svc.a", "re", nil))
	for range 3 {
		_, err := answers.NextMsg(patience)
		require.NoError(t, err)
	}
	wantViolation(t, errs, `Permissions Violation for Publish to "re"`)
	require.NoError(t, asks.Flush())
	pending, _, err := answers.Pending()
	require.NoError(t, err)
	require.Zero(t, pending)
}

// TestReconnect: every client comes back to a broker that was started again at
// its address, with its subscriptions, and who was never let in stays out.
func TestReconnect(t *testing.T) {
	t.Parallel()
	s := serve(t, nscConfig(t))
	type back struct {
		day
		nc  *nats.Conn
		sub *nats.Subscription
	}
	var all []back
	again := make(chan string, 100)
	for _, d := range days(t) {
		nc := connectCreds(t, s, d.creds, nats.ReconnectWait(10*time.Millisecond), nats.ReconnectJitter(0, 0), nats.MaxReconnects(-1),
			nats.ReconnectHandler(func(*nats.Conn) { again <- d.creds }))
		b := back{d, nc, nil}
		if d.sub != "" {
			b.sub = (&pair{t: t}).subscribe(nc, d.sub)
		}
		all = append(all, b)
	}
	s.restart()
	for range all {
		select {
		case <-again:
		case <-time.After(patience):
			require.Fail(t, "a client does not come back")
		}
	}
	for _, b := range all {
		if b.sub == nil || b.peer == "" {
			continue
		}
		require.NoError(t, b.nc.Flush())
		them := b.nc
		if b.peer != "" {
			them = connectCreds(t, s, b.peer)
		}
		require.NoError(t, them.Publish(b.sub.Subject, []byte(b.creds)))
	}
	for _, b := range all {
		if b.sub == nil || b.peer == "" {
			continue
		}
		_, err := b.sub.NextMsg(patience)
		require.NoError(t, err, b.creds)
	}
	require.EqualError(t, refuseNATS(t, s, nscClients(t)["user.APP.revoked"]), violation)
}
