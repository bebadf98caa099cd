package vectors_test

import (
	"strings"
	"time"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/auth/authtest"
)

func lower(k auth.ConnectionType) string { return strings.ToLower(k.String()) }

// permissionRows are about what a session may do.
func permissionRows() []row {
	defaults := authtest.DefaultPermissions(authtest.PubAllow("news"), authtest.SubDeny("payroll"))
	return []row{
		admits("default_permissions", "F052", "a user without permissions has the account's", plain.accountOf(defaults),
			from("account defaults"), publishes("news"), publishesNot("orders.new"), subscribes("orders.>"), subscribesNot("payroll")),
		admits("default_permissions_not", "F052", "a user with permissions has none of the account's",
			plain.accountOf(defaults).userOf(authtest.PubAllow("orders.>")),
			from("token"), publishes("orders.new"), publishesNot("news"), subscribes("payroll")),
		admits("default_permissions_responses", "F052 F064", "permission to respond is a permission",
			plain.accountOf(defaults).userOf(authtest.Responses(1, time.Minute)),
			from("token"), publishesNot("news", "orders.new"), subscribes("payroll")),
		admits("permission_deny", "F056", "a deny rule always wins", plain.userOf(authtest.PubAllow("orders.>"), authtest.PubDeny("orders.old.*")),
			publishes("orders.new", "orders.old"), publishesNot("orders.old.1")),
		admits("permission_prefix", "no-exemption", "rules are compared token by token", plain.userOf(authtest.PubAllow("orders.>")),
			publishesNot("orders", "ordersx.new", "order.s")),
		admits("permission_namespaces", "no-exemption F068", "no namespace is exempt",
			plain.userOf(authtest.PubAllow("orders.>"), authtest.SubAllow("orders.>")).kind(auth.MQTT),
			publishesNot("$MQTT.sub.x", "$SYS.REQ.USER.INFO", "_INBOX.x", "$JS.API.INFO"), subscribesNot("$MQTT.sub.x", "_INBOX.>", "$SYS.>")),
		admits("permission_wildcard_literal", "F057", "a wildcard that is published to is a token like any other",
			plain.userOf(authtest.PubAllow("orders.*")), publishes("orders.>"), publishesNot("orders.a.b")),
		admits("permission_cover", "B3", "a subscription passes if all that it can match is allowed",
			plain.userOf(authtest.SubAllow("*", "*.>")), subscribes(">", "orders.>", "orders")),
		admits("permission_cover_not", "B3", "a subscription does not pass if it can match more",
			plain.userOf(authtest.SubAllow("orders.*")), subscribes("orders.*", "orders.new"), subscribesNot(">", "orders.>", "*.new")),
		admits("permission_deny_overlap", "B3 deny-overlap", "a deny rule inside a subscription filters what is delivered",
			plain.userOf(authtest.SubDeny("orders.secret")), subscribes("orders.*"), subscribesNot("orders.secret"),
			receives("orders.new"), receivesNot("orders.secret")),
		admits("permission_deny_queue", "B3 deny-overlap", "a deny rule holds for queue groups too",
			plain.userOf(authtest.SubDeny("orders.secret")), subscribesNot("orders.secret workers"), receivesNot("orders.secret workers")),
		admits("responses", "F064 F065 F066", "one answer to what was delivered, and nothing else",
			plain.userOf(authtest.Responses(1, time.Minute)), delivered("reply.1"), publishes("reply.1"), publishesNot("reply.1", "reply.2")),
	}
}

// limitRows are about limits.
func limitRows() []row {
	const full = "maximum account active connections exceeded"
	two := plain.accountOf(authtest.MaxConnections(2))
	leaves := plain.accountOf(authtest.MaxLeafNodes(2)).kind(auth.LeafNode)
	tooMany := func(file, title, twin string, c client) row {
		return refuses(file, "F049 B22", title, twin, c, auth.ConnectionsExceeded, auth.StepConnections, wire(full))
	}
	tooManyLeaves := func(file, title, twin string, c client) row {
		return refuses(file, "F050 B22", title, twin, c, auth.LeafNodesExceeded, auth.StepConnections, wire(full))
	}
	internal := func(c client) client { return c.with(func(s *scene) { s.Client.Internal = true }) }
	return []row{
		admits("limits_of_user", "F053", "the user's limits are the stricter ones",
			plain.userOf(authtest.Limits(5, 100)).accountOf(authtest.Limits(10, 200)), limits(5, 100)),
		admits("limits_of_account", "F053", "the account's limits are the stricter ones",
			plain.userOf(authtest.Limits(-1, 300)).accountOf(authtest.Limits(10, 200)), limits(10, 200)),
		admits("limits_of_both", "F053", "each limit by itself",
			plain.userOf(authtest.Limits(5, -1)).accountOf(authtest.Limits(-1, 200)), limits(5, 200)),
		admits("limits_zero", "F053", "zero is a limit like any other",
			plain.userOf(authtest.Limits(0, 100)).accountOf(authtest.Limits(10, 0)), limits(0, 0)),

		admits("connections_before", "F049 B22", "the last connection that the account may have", two.others(auth.Standard, 1)),
		tooMany("connections_at", "as many connections as the account may have", "connections_before", two.others(auth.Standard, 2)),
		tooMany("connections_zero", "an account that may have no connection", "plain", plain.accountOf(authtest.MaxConnections(0))),
		tooMany("connections_leaf_counts", "leaf nodes count as connections", "connections_leaf_before",
			two.others(auth.Standard, 1).others(auth.LeafNode, 1)),
		admits("connections_leaf_before", "F049", "one leaf node, and room for a connection", two.others(auth.LeafNode, 1)),
		admits("connections_internal", "F049", "the broker's own connections are not held to the limit", internal(two.others(auth.Standard, 2))),

		admits("leaf_nodes_before", "F050 B22", "the last leaf node that the account may have", leaves.others(auth.LeafNode, 1)),
		tooManyLeaves("leaf_nodes_at", "as many leaf nodes as the account may have", "leaf_nodes_before", leaves.others(auth.LeafNode, 2)),
		tooManyLeaves("leaf_nodes_websocket", "leaf nodes over WebSocket count with the others", "leaf_nodes_before",
			leaves.others(auth.LeafNode, 1).others(auth.LeafNodeWS, 1)),
		admits("leaf_nodes_beside", "F050", "other connections do not count as leaf nodes", leaves.others(auth.Standard, 2)),
		admits("leaf_nodes_own_limit", "F050", "leaf nodes are held to their own limit only",
			two.kind(auth.LeafNode).others(auth.Standard, 2)),
	}
}

// liveRows are about sessions that end.
func liveRows() []row {
	const expired, accountExpired, violation = "User Authentication Expired", "Account Authentication Expired", "Authorization Violation"
	expiring := plain.userOf(authtest.Expires(at(60)))
	hours := plain.userOf(authtest.Times("08:00:00", "12:01:00"))
	account := plain.accountOf(authtest.Expires(at(60)))
	operator := plain.operatorOf(authtest.Expires(at(60))).sweep(at(60))
	closes := func(c client) client { return c.with(func(s *scene) { s.OperatorExpiryCloses = true }) }
	return []row{
		admits("live_user_before", "F048", "a second before its token expires a session lives", expiring.sweep(at(59)), expires(at(60))),
		ends("live_user_at", "F048 B15", "a session ends when its token expires", "live_user_before", expiring.sweep(at(60)), auth.UserExpired, expired),
		ends("live_user_after", "F048", "a second later too", "live_user_before", expiring.sweep(at(61)), auth.UserExpired, expired),
		admits("live_hours_before", "F048", "a second before its hours end a session lives", hours.sweep(at(59)), expires(at(60))),
		ends("live_hours_at", "F048", "a session ends with its hours", "live_hours_before", hours.sweep(at(60)), auth.OutsideTimes, expired),
		admits("live_account_before", "B11", "a second before the account's token expires a session lives", account.sweep(at(59)), expires(at(60))),
		ends("live_account_at", "B11", "a session ends when the account's token expires", "live_account_before",
			account.sweep(at(60)), auth.AccountExpired, accountExpired),
		admits("live_operator", "B12", "a session lives on when the operator's token expires", operator),
		ends("live_operator_closes", "B12", "a session ends when the operator's token expires, where that is wanted", "live_operator",
			closes(operator), auth.OperatorExpired, accountExpired),
		ends("live_closed", "B15", "the broker closes the session", "plain", plain.then(authtest.ActionClose), auth.SessionClosed, violation),
		ends("live_authorizer_closed", "B15", "the broker closes the authorizer", "plain", plain.then(authtest.ActionCloseAll), auth.AuthorizerClosed, violation),
	}
}
