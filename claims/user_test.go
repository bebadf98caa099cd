package claims_test

import (
	"strings"
	"testing"

	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/claims"
)

func TestUserFields(t *testing.T) {
	u := user(t, `{"name":"ann","nats":{"issuer_account":"@A1","pub":{"allow":["p"],"deny":["q"]},"sub":{"allow":["r s"],"deny":["t"]},
		"resp":{"max":0,"ttl":0},"subs":1,"data":2,"payload":3,"src":["10.1.2.3/8"],"times":[{"start":"01:02:03","end":"4:05:06.7"}],
		"times_location":"Europe/Berlin","bearer_token":true,"proxy_required":true,"allowed_connection_types":["mqtt","X"]}}`)
	require.Equal(t, keys()["@A1"], u.Account())
	require.False(t, u.Bare)
	g := u.Grant
	require.Equal(t, claims.Permissions{
		Publish:   claims.Rules{Allow: []string{"p"}, Deny: []string{"q"}},
		Subscribe: claims.Rules{Allow: []string{"r s"}, Deny: []string{"t"}},
		Responses: &claims.Responses{},
	}, g.Permissions)
	require.Equal(t, claims.Limits{Subscriptions: 1, Data: 2, Payload: 3}, g.Limits)
	require.Equal(t, "10.0.0.0/8", g.Sources[0].String())
	require.Equal(t, []claims.TimeRange{{Start: claims.Clock{Hour: 1, Minute: 2, Second: 3}, End: claims.Clock{Hour: 4, Minute: 5, Second: 6}}}, g.Times)
	require.Equal(t, "Europe/Berlin", g.Location.String())
	require.Equal(t, []string{"mqtt", "X"}, g.ConnectionTypes, "as written")
	require.True(t, g.Bearer)
	require.True(t, g.ProxyRequired)
	require.Equal(t, keys()["@A0"], user(t, "").Account(), "without issuer_account it is the issuer's")
}

// F003: what a token of version 2 leaves out is zero, and zero is a limit.
func TestAbsentLimitsAreZero(t *testing.T) {
	require.Zero(t, user(t, `{"nats":{"subs":null,"data":null,"payload":null}}`).Grant.Limits)
	require.Zero(t, user(t, `{"nats":{"subs":0,"data":0,"payload":0}}`).Grant.Limits)
	require.Equal(t, claims.Limits{Subscriptions: -1}, user(t, `{"nats":{"data":null,"payload":null}}`).Grant.Limits)
	require.Equal(t, claims.AccountLimits{}, account(t, `{"nats":{"limits":null}}`).Limits)
}

// A scoped signing key wants users that set nothing; every single thing is something.
func TestBare(t *testing.T) {
	const bare = `"subs":null,"data":null,"payload":null`
	for _, row := range []struct {
		change string
		want   bool
	}{
		{`{"nats":{` + bare + `}}`, true},
		{`{"name":"n","exp":1,"nats":{` + bare + `,"tags":["t"],"issuer_account":"@A1"}}`, true},
		{`{"nats":{` + bare + `,"pub":{},"sub":{}}}`, true},
		{`{}`, false},
		{`{"nats":{` + bare + `,"subs":1}}`, false},
		{`{"nats":{` + bare + `,"data":-1}}`, false},
		{`{"nats":{` + bare + `,"payload":1}}`, false},
		{`{"nats":{` + bare + `,"pub":{"allow":[]}}}`, false},
		{`{"nats":{` + bare + `,"sub":{"deny":["a"]}}}`, false},
		{`{"nats":{` + bare + `,"resp":{}}}`, false},
		{`{"nats":{` + bare + `,"src":[]}}`, false},
		{`{"nats":{` + bare + `,"times":[]}}`, false},
		{`{"nats":{` + bare + `,"times_location":"UTC"}}`, false},
		{`{"nats":{` + bare + `,"bearer_token":true}}`, false},
		{`{"nats":{` + bare + `,"proxy_required":true}}`, false},
		{`{"nats":{` + bare + `,"allowed_connection_types":[]}}`, false},
	} {
		require.Equal(t, row.want, user(t, row.change).Bare, row.change)
	}
}

// An allow list that is written and empty, beside a deny list, closes publishing (behaviour: nats-server v2.15
// server/accounts.go buildPermissionsFromJwt, server/client.go setPermissions). Alone it says nothing, and for
// subscribing it never does.
func TestWrittenEmptyAllowList(t *testing.T) {
	for _, row := range []struct {
		name, nats         string
		publish, subscribe claims.Rules
	}{
		{"publish, with a deny", `{"pub":{"allow":[],"deny":["a"]}}`, claims.Rules{Allow: []string{}, Deny: []string{"a", ">"}}, claims.Rules{}},
		{"publish, with an empty deny", `{"pub":{"allow":[],"deny":[]}}`, claims.Rules{Allow: []string{}, Deny: []string{}}, claims.Rules{}},
		{"publish, alone", `{"pub":{"allow":[]}}`, claims.Rules{Allow: []string{}}, claims.Rules{}},
		{"publish, not written", `{"pub":{"deny":["a"]}}`, claims.Rules{Deny: []string{"a"}}, claims.Rules{}},
		{"publish, null", `{"pub":{"allow":null,"deny":["a"]}}`, claims.Rules{Deny: []string{"a"}}, claims.Rules{}},
		{"subscribe, with a deny", `{"sub":{"allow":[],"deny":["a"]}}`, claims.Rules{}, claims.Rules{Allow: []string{}, Deny: []string{"a"}}},
	} {
		t.Run(row.name, func(t *testing.T) {
			payload := strings.Replace(keys().fill(base["user"]), `"type":"user"`, `"type":"user",`+row.nats[1:len(row.nats)-1], 1)
			u, err := claims.ParseUser(sign2(t, header2, payload))
			require.NoError(t, err)
			require.Equal(t, row.publish, u.Grant.Permissions.Publish)
			require.Equal(t, row.subscribe, u.Grant.Permissions.Subscribe)
		})
	}
}

func TestPermissionsEmpty(t *testing.T) {
	require.True(t, claims.Permissions{}.Empty())
	require.True(t, claims.Permissions{Publish: claims.Rules{Allow: []string{}}}.Empty())
	require.False(t, claims.Permissions{Publish: claims.Rules{Deny: []string{"a"}}}.Empty())
	require.False(t, claims.Permissions{Subscribe: claims.Rules{Allow: []string{"a"}}}.Empty())
	require.False(t, claims.Permissions{Responses: &claims.Responses{}}.Empty())
}

func TestLimitsMin(t *testing.T) {
	for _, row := range []struct {
		name       string
		a, b, want int64
	}{
		{"both unlimited", -1, -1, -1},
		{"one unlimited", -1, 5, 5},
		{"the other unlimited", 5, -1, 5},
		{"the lesser", 5, 4, 4},
		{"zero beats all but what is negative", 0, 5, 0},
		{"unlimited and zero", -1, 0, 0},
		{"another negative is less than all", -2, 0, -2},
		{"another negative and unlimited", -1, -2, -2},
	} {
		t.Run(row.name, func(t *testing.T) {
			all := func(n int64) claims.Limits { return claims.Limits{Subscriptions: n, Payload: n, Data: n} }
			require.Equal(t, all(row.want), all(row.a).Min(all(row.b)))
			require.Equal(t, all(row.want), all(row.b).Min(all(row.a)))
		})
	}
	mixed := claims.Limits{Subscriptions: 1, Payload: -1, Data: 3}.Min(claims.Limits{Subscriptions: -1, Payload: 2, Data: 4})
	require.Equal(t, claims.Limits{Subscriptions: 1, Payload: 2, Data: 3}, mixed)
}

// What a token has for content may be a secret that somebody put in the wrong place, and may be long. The text of the
// error shows neither.
func TestErrorTextIsSafe(t *testing.T) {
	seed := "SUAPTAQ2PPNNWC34T32LB22LR5DUL2ZW6T3XI45INNDQLCZ25AGEHSU4FQ"
	token := mint(t, "user", "")
	for _, row := range []struct{ name, kind, change, never string }{
		{"seed as the subject", "user", `{"sub":"` + seed + `"}`, seed[:20]},
		{"seed as the issuer account", "user", `{"nats":{"issuer_account":"` + seed + `"}}`, seed[:20]},
		{"seed as a signing key", "account", `{"nats":{"signing_keys":["` + seed + `"]}}`, seed[:20]},
		{"seed as a scope's key", "account", `{"nats":{"signing_keys":[{"kind":"user_scope","key":"` + seed + `"}]}}`, seed[:20]},
		{"seed as a subject to publish to", "user", `{"nats":{"pub":{"allow":["` + seed + `."]}}}`, seed[:20]},
		{"seed behind a long text", "user", `{"nats":{"pub":{"allow":["` + strings.Repeat("a ", 4070) + seed + `"]}}}`, seed[:20]},
		{"token as the subject", "user", `{"sub":"` + token + `"}`, token[:20]},
		{"token as the subject, its end", "user", `{"sub":"` + token + `"}`, token[len(token)-20:]},
		{"token as a key of an operator", "operator", `{"nats":{"signing_keys":["` + token + `"]}}`, token[60:80]},
		{"long name", "user", `{"name":"\n` + strings.Repeat("n", 5000) + `"}`, strings.Repeat("n", 600)},
		{"long word", "user", `{"sub":"` + strings.Repeat("é", 9000) + `"}`, strings.Repeat("é", 300)},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := parsers[row.kind](t, mint(t, row.kind, row.change))
			require.ErrorIs(t, err, claims.ErrInvalid)
			require.NotContains(t, err.Error(), row.never)
			require.Less(t, len(err.Error()), 600)
		})
	}
	for n := 8050; n < 8200; n += 5 { // wherever the text is cut, no half of a seed is left
		_, err := claims.ParseUser(mint(t, "user", `{"sub":"eyJ`+strings.Repeat("x", n)+` `+seed+`"}`))
		require.NotContains(t, err.Error(), seed[:5], n)
	}
	_, err := claims.ParseUser(mint(t, "user", `{"sub":"@A1"}`))
	require.ErrorContains(t, err, keys()["@A1"], "a public key is shown")
}

func TestUndecorate(t *testing.T) {
	for _, row := range []struct{ name, text, want string }{
		{"bare", "a.b.c", "a.b.c"},
		{"bare, with white space around", "\n a.b.c\r\n", "a.b.c"},
		{"decorated", "-----BEGIN NATS USER JWT-----\na.b.c\n------END NATS USER JWT------\n", "a.b.c"},
		{"decorated, with other line ends", "-----BEGIN NATS USER JWT-----\r\na.b.c\r\n------END NATS USER JWT------\r\n", "a.b.c"},
		{"the first of two", "-----BEGIN NATS USER JWT-----\na.b.c\n------END NATS USER JWT------\n\n-----BEGIN USER NKEY SEED-----\nx\n------END USER NKEY SEED------\n", "a.b.c"},
		{"no token at all", " ", ""},
	} {
		require.Equal(t, row.want, claims.Undecorate(row.text), row.name)
	}
}

// TestPublicKey: the bytes of a key that was read, and none of one that was not.
func TestPublicKey(t *testing.T) {
	pair, err := nkeys.CreateUser()
	require.NoError(t, err)
	text, err := pair.PublicKey()
	require.NoError(t, err)
	raw, err := (&claims.User{Header: claims.Header{Key: text}}).PublicKey()
	require.NoError(t, err)
	again, err := nkeys.Encode(nkeys.PrefixByteUser, raw)
	require.NoError(t, err)
	require.Equal(t, text, string(again))
	for _, key := range []string{"", text[:55], "A" + text[1:]} {
		raw, err := (&claims.User{Header: claims.Header{Key: key}}).PublicKey()
		require.ErrorIs(t, err, claims.ErrInvalid)
		require.Nil(t, raw)
	}
}
