package vectors_test

import (
	"net/netip"
	"time"

	"github.com/nats-io/nkeys"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/auth/authtest"
)

func userKey(path string) string { return public(authtest.Key(nkeys.PrefixByteUser, path)) }

// restrictionRows are about bearers, connection types and external services.
func restrictionRows() []row {
	bearers := plain.userOf(authtest.Bearer()).unsigned()
	scopeBearers := scoped(authtest.Bearer()).unsigned()
	kinds := func(names ...string) client { return plain.userOf(authtest.ConnectionTypes(names...)) }
	scopeKinds := func(names ...string) client { return scoped(authtest.ConnectionTypes(names...)) }
	wrongKind := func(file, rule, title, twin string, c client) row {
		return refuses(file, rule, title, twin, c, auth.TypeDisallowed, auth.StepConnectionType)
	}
	external := func(users ...string) client { return plain.accountOf(authtest.CalloutUsers(users...)) }
	rows := []row{
		refuses("bearer_disallowed", "F042", "the account takes no bearers", "bearer",
			bearers.accountOf(authtest.DisallowBearer()), auth.BearerDisallowed, auth.StepBearer),
		refuses("scope_bearer_disallowed", "B1 F042", "the account takes no bearers, not by a scope either", "scope_bearer",
			scopeBearers.accountOf(authtest.DisallowBearer()), auth.BearerDisallowed, auth.StepBearer),
		admits("bearer_disallowed_signed", "F042", "the account takes no bearers, and the user is none",
			plain.accountOf(authtest.DisallowBearer())),

		admits("type_allowed", "F043", "one of the connection types that the user may have", kinds("MQTT", "STANDARD")),
		wrongKind("type_other", "F043", "not one of the connection types that the user may have", "type_allowed", kinds("MQTT", "WEBSOCKET")),
		admits("type_letters", "F043", "connection types in small letters", kinds("standard")),
		admits("type_unknown_beside", "F043", "a connection type that nobody knows beside one that is allowed", kinds("CARRIER_PIGEON", "STANDARD")),
		wrongKind("type_unknown_beside_other", "F043", "the same, and another way to connect", "type_unknown_beside",
			kinds("CARRIER_PIGEON", "STANDARD").kind(auth.WebSocket)),
		wrongKind("type_unknown_only", "F043", "connection types that nobody knows allow nothing", "type_letters", kinds("CARRIER_PIGEON")),
		wrongKind("type_not_said", "F043", "a broker that does not say how the client connects", "plain", plain.kind(auth.Unknown)),
		admits("scope_type_allowed", "B1 F043", "the scope's connection types", scopeKinds("STANDARD")),
		wrongKind("scope_type_other", "B1 F043", "not one of the scope's connection types", "scope_type_allowed", scopeKinds("MQTT")),

		admits("external_user", "B14", "a user of the external service itself", external("u")),
		refuses("external_required", "B14", "the account leaves the decision to a service, and there is none", "external_user",
			external("service"), auth.ExternalRequired, auth.StepExternal),
	}
	for _, k := range []auth.ConnectionType{
		auth.WebSocket, auth.LeafNode, auth.LeafNodeWS, auth.MQTT, auth.MQTTWS, auth.InProcess,
	} {
		rows = append(rows,
			admits("type_"+lower(k), "F043", "a client over "+k.String(), kinds(k.String()).kind(k)),
			wrongKind("type_"+lower(k)+"_not", "F043", "only "+k.String()+" is allowed, and the client comes otherwise", "type_"+lower(k), kinds(k.String())))
	}
	return rows
}

// revocationRows are about the second in which a token was issued, and the one
// in which it was revoked.
func revocationRows() []row {
	var out []row
	for _, r := range []struct{ name, user, title string }{{"user", "u", "by its key"}, {"all", "*", "with all others"}} {
		issued := func(second int) client {
			return plain.accountOf(authtest.Revoke(r.user, at(-60))).userOf(authtest.IssuedAt(at(-60 + second)))
		}
		revoked := func(file, title string, c client) row {
			return refuses("revoked_"+r.name+"_"+file, "F045 revocation-time", title, "revoked_"+r.name+"_after",
				c, auth.UserRevoked, auth.StepRevocation)
		}
		out = append(out,
			revoked("before", "issued a second before the user was revoked "+r.title, issued(-1)),
			revoked("at", "issued in the second in which the user was revoked "+r.title, issued(0)),
			admits("revoked_"+r.name+"_after", "F045 revocation-time", "issued a second after the user was revoked "+r.title, issued(1)),
			revoked("undated", "a token that does not say when it was issued, revoked "+r.title, issued(1).userOf(claim("iat", nil))),
		)
	}
	scopeRevoked := func(name string) client { return scoped().accountOf(authtest.Revoke(name, at(0))) }
	bearerRevoked := func(name string) client {
		return plain.userOf(authtest.Bearer()).unsigned().accountOf(authtest.Revoke(name, at(0)))
	}
	return append(out,
		admits("revoked_other", "F045", "another user is revoked", plain.accountOf(authtest.Revoke("other", at(0)))),
		refuses("revoked_later", "F045", "a user that is revoked after another", "revoked_other",
			plain.accountOf(authtest.Revoke("other", at(0)), authtest.Revoke("u", at(0))), auth.UserRevoked, auth.StepRevocation),
		admits("scope_revoked_other", "B1 F045", "another user of a scope is revoked", scopeRevoked("other")),
		refuses("scope_revoked", "B1 F045", "a user of a scope is revoked with all others", "scope_signed",
			scopeRevoked("*"), auth.UserRevoked, auth.StepRevocation),
		refuses("bearer_revoked", "B1 F045", "a bearer is revoked", "bearer", bearerRevoked("u"), auth.UserRevoked, auth.StepRevocation),
	)
}

// sourceRows are about where a client connects from.
func sourceRows() []row {
	addr := func(c client, a string) client {
		return c.with(func(s *scene) { s.Client.Source = netip.MustParseAddr(a) })
	}
	local := plain.userOf(authtest.Sources("127.0.0.0/8"))
	lan := plain.userOf(authtest.Sources("192.0.2.0/30", "2001:db8::/64"))
	mapped := plain.userOf(authtest.Sources("::ffff:192.0.2.0/126"))
	outside := func(file, rule, title, twin string, c client) row {
		return refuses(file, rule, title, twin, c, auth.SourceDisallowed, auth.StepSource)
	}
	nowhere := func(c client) client { return c.with(func(s *scene) { s.Client.Source = netip.Addr{} }) }
	unreadable := func(ranges ...string) client { return scoped(authtest.Sources(ranges...)) }
	return []row{
		admits("source_inside", "F046", "from an address of the range", local),
		outside("source_outside", "F046", "from an address outside the range", "source_inside", addr(local, "128.0.0.0")),
		outside("source_before", "F046", "from the address before the range", "source_first", addr(lan, "192.0.1.255")),
		admits("source_first", "F046", "from the first address of the range", addr(lan, "192.0.2.0")),
		admits("source_last", "F046", "from the last address of the range", addr(lan, "192.0.2.3")),
		outside("source_after", "F046", "from the address after the range", "source_last", addr(lan, "192.0.2.4")),
		admits("source_v4_in_v6", "F046", "from an IPv4 address inside IPv6", addr(lan, "::ffff:192.0.2.3")),
		outside("source_v4_in_v6_outside", "F046", "from an IPv4 address inside IPv6, outside the range", "source_v4_in_v6",
			addr(lan, "::ffff:192.0.2.4")),
		admits("source_range_v4_in_v6", "F046", "a range of IPv4 inside IPv6", addr(mapped, "192.0.2.3")),
		outside("source_range_v4_in_v6_outside", "F046", "outside a range of IPv4 inside IPv6", "source_range_v4_in_v6", addr(mapped, "192.0.2.4")),
		admits("source_v6", "F046", "from an IPv6 address of the second range", addr(lan, "2001:db8::1")),
		outside("source_v6_outside", "F046", "from an IPv6 address outside the ranges", "source_v6", addr(lan, "2001:db8:0:1::1")),
		outside("source_zone", "F046", "from an address with a zone", "source_v6", addr(lan, "2001:db8::1%eth0")),
		outside("source_none", "F046", "from no address at all", "source_inside", nowhere(local)),
		admits("source_none_free", "F046", "from no address, where none is wanted", nowhere(plain)),
		admits("scope_source", "B1 F046", "from an address of the scope's range", unreadable("127.0.0.0/8")),
		outside("scope_source_outside", "B1 F046", "from an address outside the scope's range", "scope_source", unreadable("192.0.2.0/30")),
		outside("scope_source_unreadable", "F046", "a range that cannot be read ends the search", "scope_source_unreadable_last",
			unreadable("anywhere", "127.0.0.0/8")),
		admits("scope_source_unreadable_last", "F046", "a range that cannot be read, after the one that counts",
			unreadable("127.0.0.0/8", "anywhere")),
	}
}

// hourRows are about hours: both ends of a span are outside of it.
func hourRows() []row {
	const day = 24 * 3600
	// Noon in UTC is 13:00 in Berlin, in winter.
	night := plain.userOf(authtest.Times("22:00:00", "02:00:00"), authtest.Locale("Europe/Berlin"))
	opens, midnight, closes := at(9*3600), at(11*3600), at(13*3600)
	from12 := plain.userOf(authtest.Times("12:00:00", "17:00:00"))
	to12 := plain.userOf(authtest.Times("08:00:00", "12:00:00"))
	outside := func(file, rule, title, twin string, c client) row {
		return refuses(file, rule, title, twin, c, auth.OutsideTimes, auth.StepTimes)
	}
	inNewYork := func(c client) client { return c.with(func(s *scene) { s.Location = "America/New_York" }) }
	office := plain.userOf(authtest.Times("08:00:00", "17:00:00"))
	return []row{
		admits("hours_inside", "F047 F048", "within the hours", office, expires(at(5*3600))),
		outside("hours_start_before", "F047", "a second before the hours begin", "hours_start_after", from12.now(at(-1))),
		outside("hours_start_at", "F047", "the second in which the hours begin", "hours_start_after", from12),
		admits("hours_start_after", "F047", "a second after the hours have begun", from12.now(at(1)), expires(at(5*3600))),
		admits("hours_start_just_after", "F047", "a millisecond after the hours have begun", from12.now(at(0).Add(time.Millisecond))),
		admits("hours_end_before", "F047", "a second before the hours end", to12.now(at(-1)), expires(at(0))),
		outside("hours_end_at", "F047", "the second in which the hours end", "hours_end_before", to12),
		outside("hours_end_after", "F047", "a second after the hours have ended", "hours_end_before", to12.now(at(1))),

		outside("hours_night_before", "F047", "over midnight, in Berlin: a second before the hours begin", "hours_night_after", night.now(opens.Add(-time.Second))),
		outside("hours_night_at", "F047", "over midnight, in Berlin: the second in which the hours begin", "hours_night_after", night.now(opens)),
		admits("hours_night_after", "F047", "over midnight, in Berlin: a second after the hours have begun", night.now(opens.Add(time.Second)), expires(closes)),
		admits("hours_midnight_before", "F047", "a second before midnight in Berlin", night.now(midnight.Add(-time.Second)), expires(closes)),
		admits("hours_midnight_at", "F047", "midnight in Berlin", night.now(midnight), expires(closes)),
		admits("hours_midnight_after", "F047", "a second after midnight in Berlin", night.now(midnight.Add(time.Second)), expires(closes)),
		admits("hours_night_end_before", "F047", "over midnight, in Berlin: a second before the hours end", night.now(closes.Add(-time.Second)), expires(closes)),
		outside("hours_night_end_at", "F047", "over midnight, in Berlin: the second in which the hours end", "hours_night_end_before", night.now(closes)),
		outside("hours_night_end_after", "F047", "over midnight, in Berlin: a second after the hours have ended", "hours_night_end_before",
			night.now(closes.Add(time.Second))),
		admits("hours_next_day", "F047", "the hours come every day", office.now(at(day)), expires(at(day+5*3600))),

		admits("hours_longest", "F047", "of several spans the one that ends last",
			plain.userOf(authtest.Times("08:00:00", "13:00:00"), authtest.Times("10:00:00", "15:00:00")), expires(at(3*3600))),
		outside("hours_never", "F047", "a span that begins where it ends is never", "hours_inside",
			plain.userOf(authtest.Times("08:00:00", "08:00:00"))),
		outside("hours_location", "F047", "hours without a time zone are the broker's", "hours_inside", inNewYork(office)),
		admits("scope_hours", "B1 F047", "within the scope's hours", scoped(authtest.Times("08:00:00", "17:00:00")), expires(at(5*3600))),
		outside("scope_hours_outside", "B1 F047", "outside the scope's hours", "scope_hours", scoped(authtest.Times("13:00:00", "17:00:00"))),
		admits("expires_first", "F048", "the token expires before the hours end",
			office.userOf(authtest.Expires(at(60))), expires(at(60))),
		admits("expires_last", "F048", "the hours end before the token expires",
			office.userOf(authtest.Expires(at(day))), expires(at(5*3600))),
		admits("expires_account", "F048", "the account's token expires first",
			office.accountOf(authtest.Expires(at(30))), expires(at(30))),
		admits("expires_operator", "B12", "an operator that expires ends no session, unless that is wanted",
			office.operatorOf(authtest.Expires(at(30))), expires(at(5*3600))),
		admits("expires_operator_closes", "B12", "an operator that expires ends the session",
			office.operatorOf(authtest.Expires(at(30))).with(func(s *scene) { s.OperatorExpiryCloses = true }), expires(at(30))),
	}
}
