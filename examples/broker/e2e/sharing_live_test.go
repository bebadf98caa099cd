package e2e_test

import (
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth/authtest"
)

// lease is an exchange whose imports need leave, with a client on either side that stays
// connected through every change.
type lease struct {
	*exchange
	sell, buy *nats.Conn
	news      *nats.Subscription
	lost      chan error
}

// newLease gives APP leave for both kinds.
func newLease(t *testing.T, opts ...authtest.Option) *lease {
	t.Helper()
	x := newExchange(t, leased(), func(w *world) []authtest.Option { return activated(w, opts...) })
	l := &lease{exchange: x, lost: make(chan error, 10)}
	stays := nats.DisconnectErrHandler(func(_ *nats.Conn, err error) { l.lost <- err })
	l.sell, l.buy = x.seller(stays), x.buyer(stays)
	serves(t, l.sell, "ask", func(m *nats.Msg) { m.Respond(nil) })
	l.news = listens(t, l.buy, "shop.>")
	return l
}

// leased are exports that need leave, with edits.
func leased(edits ...func(*jwt.Export)) []authtest.Option {
	edits = append(edits, func(e *jwt.Export) { e.TokenReq = true })
	return []authtest.Option{authtest.StreamExport("news.>", edits...), authtest.ServiceExport("ask", edits...)}
}

// activated are imports with SHOP's leave.
func activated(w *world, opts ...authtest.Option) []authtest.Option {
	shop, app := w.shop, w.app.PublicKey()
	return []authtest.Option{
		authtest.StreamImport(shop.PublicKey(), "news.>", "shop.>",
			authtest.Activated(shop.ActivationFor(app, jwt.Stream, "news.>", opts...))),
		authtest.ServiceImport(shop.PublicKey(), "ask", "",
			authtest.Activated(shop.ActivationFor(app, jwt.Service, "ask", opts...))),
	}
}

// works says whether a message arrives, and whether a request is answered.
func (l *lease) works() (bool, bool) {
	l.t.Helper()
	publish(l.t, l.sell, "news.x", "")
	_, asked := l.buy.Request("ask", nil, patience)
	if asked != nil {
		require.ErrorIs(l.t, asked, nats.ErrNoResponders)
	}
	require.NoError(l.t, l.buy.Flush())
	came, _, err := l.news.Pending()
	require.NoError(l.t, err)
	require.LessOrEqual(l.t, came, 1)
	for range came {
		next(l.t, l.news)
	}
	return came == 1, asked == nil
}

// wantBoth waits until both are so, or neither is.
func (l *lease) wantBoth(want bool) {
	l.t.Helper()
	waitFor(l.t, "what is shared to change", func() bool {
		message, answer := l.works()
		return message == want && answer == want
	})
	require.Empty(l.t, l.lost, "a client had to connect again")
}

// shares has the accounts be what the options say, as of a time.
func (l *lease) shares(shop, app []authtest.Option, at time.Time) {
	l.t.Helper()
	if shop != nil {
		l.shop = l.operator.Account("SHOP", append(shop, authtest.IssuedAt(at))...)
	}
	if app != nil {
		l.app = l.operator.Account("APP", append(app, authtest.IssuedAt(at))...)
	}
	l.s.reload(l.config())
}

// TestActivationExpires: an activation ends at its time, while everybody stays connected,
// and a new one takes its place.
func TestActivationExpires(t *testing.T) {
	l := newLease(t, authtest.Expires(time.Now().Add(3*time.Second)))
	l.wantBoth(true)
	l.wantBoth(false)
	differs(t, "an import that comes back to life reaches the subscriptions that are there")
	l.shares(nil, activated(l.world), time.Now())
	l.wantBoth(true)
}

// TestActivationRevoked: an exporter takes leave back, and gives it anew.
func TestActivationRevoked(t *testing.T) {
	l := newLease(t)
	l.wantBoth(true)
	revoked := time.Now().Add(-time.Minute)
	revokes := leased(func(e *jwt.Export) { e.RevokeAt(l.app.PublicKey(), revoked) })
	l.shares(revokes, nil, revoked)
	l.wantBoth(false)
	l.shares(nil, activated(l.world, authtest.IssuedAt(revoked)), revoked)
	l.wantBoth(false) // it counts at the second of the revocation
	l.shares(nil, activated(l.world, authtest.IssuedAt(revoked.Add(time.Second))), time.Now())
	l.wantBoth(true)
}

// TestExportWithdrawn: an exporter stops exporting, and begins again.
func TestExportWithdrawn(t *testing.T) {
	l := newLease(t)
	l.wantBoth(true)
	at := time.Now().Add(-time.Minute)
	l.shares([]authtest.Option{authtest.StreamExport("other")}, nil, at)
	l.wantBoth(false)
	l.shares(leased(), nil, at.Add(time.Second))
	l.wantBoth(true)
	l.shares(nil, []authtest.Option{authtest.StreamExport("other")}, at.Add(2*time.Second))
	l.wantBoth(false) // the importer does not import any more
	l.shares(nil, activated(l.world), at.Add(3*time.Second))
	l.wantBoth(true)
}
