package auth

import (
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/claims"
)

// TestGrantDigest is inside the package because the digest is: two grants that
// differ in any field must never be taken for one. A field that is added to
// claims.Grant fails here until it has its rows.
func TestGrantDigest(t *testing.T) {
	t.Parallel()
	prefix := netip.MustParsePrefix
	rules := func(allow, deny string) claims.Rules {
		return claims.Rules{Allow: []string{allow}, Deny: []string{deny}}
	}
	responses := func(n int, ttl time.Duration) *claims.Responses { return &claims.Responses{Max: n, TTL: ttl} }
	hours := func(start, end int) []claims.TimeRange {
		return []claims.TimeRange{{Start: claims.Clock{Hour: start}, End: claims.Clock{Hour: end}}}
	}
	rows := map[string][]claims.Grant{
		"Permissions": {
			{Permissions: claims.Permissions{Publish: rules("a", "b")}},
			{Permissions: claims.Permissions{Publish: rules("b", "a")}},
			{Permissions: claims.Permissions{Subscribe: rules("a", "b")}},
			{Permissions: claims.Permissions{Responses: responses(0, 0)}},
			{Permissions: claims.Permissions{Responses: responses(1, 0)}},
			{Permissions: claims.Permissions{Responses: responses(0, 1)}},
		},
		"Limits": {
			{Limits: claims.Limits{Subscriptions: 1}}, {Limits: claims.Limits{Payload: 1}}, {Limits: claims.Limits{Data: 1}},
		},
		"Sources": {
			{Sources: []netip.Prefix{prefix("10.0.0.0/8")}}, {Sources: []netip.Prefix{prefix("10.0.0.0/9")}},
			{Sources: []netip.Prefix{prefix("10.0.0.0/8"), prefix("10.0.0.0/9")}}, {Sources: []netip.Prefix{{}}},
		},
		"Times":           {{Times: hours(1, 2)}, {Times: hours(2, 1)}, {Times: append(hours(1, 2), hours(2, 1)...)}},
		"Location":        {{Location: time.UTC}, {Location: time.FixedZone("X", 3600)}},
		"ConnectionTypes": {{ConnectionTypes: []string{"A"}}, {ConnectionTypes: []string{"A", "B"}}, {ConnectionTypes: []string{"AB"}}},
		"Bearer":          {{Bearer: true}},
		"ProxyRequired":   {{ProxyRequired: true}},
	}
	seen := map[[32]byte]string{digestGrant(&claims.Grant{}): "zero"}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[claims.Grant]()) {
		require.NotEmpty(t, rows[field.Name], "claims.Grant.%s has no row", field.Name)
		for _, g := range rows[field.Name] {
			d := digestGrant(&g)
			require.Empty(t, seen[d], "%s is taken for another", field.Name)
			seen[d] = field.Name
		}
	}
	one := claims.Grant{Permissions: claims.Permissions{Publish: claims.Rules{Allow: []string{"a", "b"}}}}
	two := claims.Grant{Permissions: claims.Permissions{Publish: claims.Rules{Allow: []string{"b", "a", "b"}}}}
	require.Equal(t, digestGrant(&one), digestGrant(&two), "the order of entries makes no difference")
}
