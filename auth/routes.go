package auth

import (
	"math"
	"slices"
	"strings"

	"github.com/natsauth/natsauth/claims"
	"github.com/natsauth/natsauth/internal/subject"
)

// This file answers where messages go that leave an account, and where a subscription has
// to be made for those that come to it.

// ServiceRoute is where a message goes that is published to the name of an imported
// service: to another account, under another subject. The zero ServiceRoute leads nowhere.
type ServiceRoute struct {
	Exporter *Account // its view of now; map Subject by [Account.Map] before it is delivered
	Subject  string   // in the exporter's account
	Service  *Service // what holds for the request
	Share    bool     // the importer lets the exporter see who asks
}

// StreamRoute is where a subscription has to be made, too, so that what an imported stream
// brings arrives. The zero StreamRoute brings nothing.
type StreamRoute struct {
	Exporter *Account // its view of now
	Subject  string   // to subscribe to in the exporter's account; may have wildcards
	Trace    bool     // message traces go on in the importer's account

	permit *permit
}

// Services appends where a message goes that is published in the account, besides those
// who are subscribed to it there: map the subject ([Account.Map]), and ask
// [Session.CanPublish] about what has come of it, before. Of several imports whose names match, the one with the most specific name counts,
// as in [Account.Map], and keeps the message from the others even if it is not in force; a
// name that imports from several accounts have leads to all of those (B10).
//
// The subject's tokens are taken as they are written. Nothing is allocated, but for dst
// where it is too short, and the text of a subject that wildcards make another one. Any
// number of goroutines may call it. A view that is not in force any more answers by what it
// imported, as far as that is there still: take [Session.Account] for each message, and ask
// again for the next one, for a route says what is so now.
//
// The account that a route leads to may import the name from others in turn: ask its
// Services, too, with the subject that its mappings have made of the route's. Bound how
// often one message may go on: a name may lead to many accounts, and theirs likewise.
//
// Rules: nats-server v2.15 server/accounts.go addServiceImport, F084, F085; for the system
// account's services (F092) server/events.go registerSystemImports.
func (a *Account) Services(dst []ServiceRoute, subject string) []ServiceRoute {
	if a.place == nil {
		return dst
	}
	now := reading{clock: a.place.authorizer.config.Clock}
	implied := a.implied(subject)
	if implied {
		dst = a.systemService(dst, subject, &now)
	}
	if a.names == nil {
		return dst
	}
	n, ok := a.names.services.Find(subject)
	if !ok {
		return dst
	}
	for _, i := range a.names.serving[n] {
		is, exporter := a.imports[i].open(&now)
		switch {
		case is == nil:
			continue
		case implied && (exporter.system || is.link.renaming.To() != subject): // that name is taken, or more specific
			continue
		}
		if there, ok := is.link.renaming.Back(subject); ok {
			dst = append(dst, ServiceRoute{Exporter: exporter, Subject: there, Service: is.service, Share: is.share})
		}
	}
	return dst
}

// Streams appends where a subscription of the account leads: a subscription to each
// Subject in the Exporter's account brings the messages of one import. Deliver one under
// the name that [StreamRoute.Local] gives it; of several routes from one exporter that
// give a message the same name, the first that is appended counts (B10). The subscription
// is one that [Session.CanSubscribe] allows, and each delivery is asked about by its local
// name ([Session.CanDeliver]).
//
// What an account imports it does not export again: only what is published in the Exporter's
// account by its own clients is for those who import, not what came to it by a service.
//
// An import is met where its names are all that is subscribed to, or more, or less, or
// only partly that: Subject is what both have in common (F083; nats-server v2.15
// server/client.go addShadowSubscriptions). Where imports stand or lead changes, the next
// view says so ([AccountEvent.Imports]): call it again for each subscription of the account,
// under the lock under which subscriptions are made; what is [StreamRoute.Same] stays.
func (a *Account) Streams(dst []StreamRoute, subscription string) []StreamRoute {
	if a.place == nil || a.names == nil {
		return dst
	}
	now := reading{clock: a.place.authorizer.config.Clock}
	from := len(dst)
	at, _ := a.names.overlapping(nil, claims.Stream, subscription, math.MaxInt)
	for _, i := range at {
		is, exporter := a.imports[i].open(&now)
		if is == nil {
			continue
		}
		both, ok := subject.Meet(subscription, is.link.renaming.To())
		if !ok {
			continue
		}
		if there, ok := is.link.renaming.Back(both); ok {
			dst = append(dst, StreamRoute{Exporter: exporter, Subject: there, Trace: is.trace, permit: is})
		}
	}
	slices.SortStableFunc(dst[from:], func(x, y StreamRoute) int {
		return subject.Compare(x.permit.link.there, y.permit.link.there)
	})
	return dst
}

// Local gives the name that a message, published in the exporter's account, has in the
// importer's; false if the route does not bring it, or not any more: when it is delivered
// it is asked again. It takes no lock.
func (r StreamRoute) Local(delivered string) (string, bool) {
	if r.permit == nil {
		return "", false
	}
	now := reading{clock: r.permit.link.importer.authorizer.config.Clock}
	if is, _ := r.permit.open(&now); is == nil {
		return "", false
	}
	return r.permit.link.renaming.There(delivered)
}

// StreamID identifies a route: two with one StreamID bring the same messages under the same
// names, so that a subscription that was made for the one serves the other. Go on with the
// newer route: an older one passes through all that has changed since. The zero StreamID is
// that of the zero route. It may be compared, and be the key of a map.
type StreamID struct {
	link    *link
	subject string
}

// ID gives what identifies the route while the account imports the stream.
func (r StreamRoute) ID() StreamID {
	if r.permit == nil {
		return StreamID{}
	}
	return StreamID{r.permit.link, r.Subject}
}

// The services of the system account that every other account imports (F092).
const (
	pingAccountConnz = "$SYS.REQ.ACCOUNT.PING.CONNZ"
	pingAccountStatz = "$SYS.REQ.ACCOUNT.PING.STATZ"
	pingServerConnz  = "$SYS.REQ.SERVER.PING.CONNZ"
	askUser          = "$SYS.REQ.USER.INFO"
)

// implied says whether a subject is the name of one of them. The system account has what
// asks for users only: the others it answers itself.
func (a *Account) implied(s string) bool {
	if a.trust.system == "" {
		return false
	}
	switch s {
	case askUser:
		return true
	case pingAccountConnz, pingAccountStatz, pingServerConnz:
		return !a.system
	default:
		return false
	}
}

// systemService appends the way of one of them. It needs no export and no leave.
func (a *Account) systemService(dst []ServiceRoute, s string, now *reading) []ServiceRoute {
	system := a.place.authorizer.directory.inForce(a.trust.system)
	if system == nil || now.past(system.end.at) {
		return dst
	}
	pattern := accountConnz
	switch s {
	case askUser:
		pattern = userInfo
	case pingAccountStatz:
		pattern = accountStatz
	}
	there := strings.Replace(pattern, "*", a.Key(), 1)
	x := system.exports.open()
	r := ServiceRoute{Exporter: system, Subject: there, Share: s == askUser}
	if e := x.offers.Find(&claims.Import{Kind: claims.Service, Subject: there}); e != nil {
		r.Service = x.services[e]
	}
	return append(dst, r)
}
