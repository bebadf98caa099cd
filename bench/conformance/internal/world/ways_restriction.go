package world

import (
	"time"

	"github.com/nats-io/jwt/v2"
)

var (
	f043 = []string{"F043"}
	f045 = []string{"F045"}
	f046 = []string{"F046"}
	f047 = []string{"F047"}
)

func types(names ...string) func(*draft) {
	return func(d *draft) { d.user.AllowedConnectionTypes.Add(names...) }
}

// typeWays are the ways in which a user may connect.
var typeWays = []way{
	{"standard", f043, types("STANDARD")},
	{"lower case", f043, types("standard")},
	{"among others", f043, types("MQTT", "STANDARD")},
	{"unknown and standard", f043, types("CARRIER_PIGEON", "STANDARD")},
	{"websocket", f043, types("WEBSOCKET")},
	{"others", f043, types("MQTT", "MQTT_WS", "LEAFNODE", "LEAFNODE_WS", "IN_PROCESS", "WEBSOCKET")},
	{"unknown", f043, types("CARRIER_PIGEON")},
	{"unknown and websocket", f043, types("CARRIER_PIGEON", "WEBSOCKET")},
	{"empty name", f043, types("")},
}

// revoked revokes a key, or all, as of some time after the user's token was
// issued.
func revoked(all bool, after time.Duration) func(*draft) {
	return func(d *draft) {
		d.account.Claims.Revocations = jwt.RevocationList{}
		key := d.key.Public
		if all {
			key = jwt.All
		}
		d.account.Claims.Revocations[key] = d.issued.Add(after).Unix()
	}
}

// revocationWays are revocations before, at and after the token was issued.
var revocationWays = []way{
	{"key, before", f045, revoked(false, -time.Second)},
	{"key, at", f045, revoked(false, 0)},
	{"key, after", f045, revoked(false, time.Second)},
	{"all, before", f045, revoked(true, -time.Second)},
	{"all, at", f045, revoked(true, 0)},
	{"all, after", f045, revoked(true, time.Second)},
	{"both", f045, func(d *draft) {
		revoked(true, time.Second)(d)
		d.account.Claims.Revocations[d.key.Public] = d.issued.Add(-time.Second).Unix()
	}},
	{"another key", f045, func(d *draft) {
		d.account.Claims.Revocations = jwt.RevocationList{d.account.Key.Public: d.Now.Unix()}
	}},
	{"bearer", f045, func(d *draft) { d.user.BearerToken = true; revoked(false, time.Second)(d) }},
	{"issued at zero", f045, func(d *draft) { d.issued = time.Unix(0, 0); revoked(false, 0)(d) }},
}

func sources(ranges ...string) func(*draft) {
	return func(d *draft) { d.user.Src = append(d.user.Src, ranges...) }
}

// sourceWays are ranges of addresses, of which the client's is 127.0.0.1.
var sourceWays = []way{
	{"exactly", f046, sources("127.0.0.1/32")},
	{"around", f046, sources("127.0.0.0/8")},
	{"everywhere", f046, sources("0.0.0.0/0")},
	{"second", f046, sources("10.0.0.0/8", "127.0.0.0/8")},
	{"beside", f046, sources("127.0.0.2/32")},
	{"elsewhere", f046, sources("10.0.0.0/8", "192.168.0.0/16")},
	{"longer", f046, sources("::1/128")},
	{"longer, everywhere", f046, sources("::/0")},
	{"longer, mapped", f046, sources("::ffff:127.0.0.0/104")},
	{"invalid", f046, sources("127.0.0.1/33")},
	{"host bits", f046, sources("127.0.0.1/8")},
	{"empty", f046, sources("")},
}

// hours is a window that begins and ends some time from now, by the clock of a
// place.
func hours(d *draft, zone string, from, to time.Duration) []jwt.TimeRange {
	at := func(in time.Duration) string {
		return d.Now.In(must(time.LoadLocation(zone))).Add(in).Format(time.TimeOnly)
	}
	return []jwt.TimeRange{{Start: at(from), End: at(to)}}
}

// within gives the user hours by the clock of a zone; an empty zone is that of the
// server.
func within(zone string, from, to time.Duration) func(*draft) {
	return func(d *draft) {
		d.user.Locale = zone
		place := zone
		if zone == "" {
			place = "Local"
		}
		d.user.Times = append(d.user.Times, hours(d, place, from, to)...)
	}
}

const far = 11 * time.Hour // so that a window is sure to span midnight for some

// timesWays are hours that it is within, and hours that it is not.
var timesWays = []way{
	{"now", f047, within("UTC", -time.Hour, time.Hour)},
	{"now, elsewhere", f047, within("Asia/Tokyo", -time.Hour, time.Hour)},
	{"now, here", f047, within("", -time.Hour, time.Hour)},
	{"all around", f047, within("UTC", -far, far)},
	{"all around, elsewhere", f047, within("America/Phoenix", -far, far)},
	{"begun just now", f047, within("UTC", -10*time.Second, time.Hour)},
	{"later", f047, within("UTC", time.Hour, 2*time.Hour)},
	{"later, elsewhere", f047, within("Asia/Kolkata", time.Hour, 2*time.Hour)},
	{"earlier", f047, within("UTC", -2*time.Hour, -time.Hour)},
	{"earlier, around", f047, within("UTC", time.Hour, -time.Hour)},
	{"never", f047, within("UTC", 0, 0)},
	{"other clock", f047, func(d *draft) { within("UTC", -time.Hour, time.Hour)(d); d.user.Locale = "Asia/Tokyo" }},
	{"second window", f047, func(d *draft) {
		within("UTC", 2*time.Hour, 3*time.Hour)(d)
		within("UTC", -time.Hour, time.Hour)(d)
	}},
	{"two windows, none now", f047, func(d *draft) {
		within("UTC", 2*time.Hour, 3*time.Hour)(d)
		within("UTC", 4*time.Hour, 5*time.Hour)(d)
	}},
	{"ends before the window", f047, func(d *draft) { within("UTC", -time.Hour, 2*time.Hour)(d); ends(time.Hour)(d) }},
	{"zone alone", f047, func(d *draft) { d.user.Locale = "Europe/Berlin" }},
}
