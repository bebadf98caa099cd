package claims_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/claims"
)

// An activation that is used by another account, for another subject, kind or exporter: each refuses.
func TestActivationInImport(t *testing.T) {
	for _, row := range []struct {
		name, activation, change string
		want                     error
	}{
		{"as it was given", `{}`, `{}`, nil},
		{"part of what was given", `{}`, `{"subject":"orders.eu"}`, nil},
		{"by a signing key of the exporter", `{"iss":"@A2","nats":{"issuer_account":"@A1"}}`, `{}`, nil},
		{"by an operator for the exporter", `{"iss":"@O1","nats":{"issuer_account":"@A1"}}`, `{}`, nil},
		{"from another exporter", `{"iss":"@A2"}`, `{}`, claims.ErrInvalid},
		{"of another exporter's signing key", `{"iss":"@A2","nats":{"issuer_account":"@A3"}}`, `{}`, claims.ErrInvalid},
		{"for another importer", `{"sub":"@A2"}`, `{}`, claims.ErrInvalid},
		{"of another kind", `{"nats":{"kind":"service"}}`, `{}`, claims.ErrInvalid},
		{"for a narrower subject", `{"nats":{"subject":"orders.*"}}`, `{"subject":"orders.eu.x"}`, claims.ErrInvalid},
		{"for another subject", `{"nats":{"subject":"bills.>"}}`, `{}`, claims.ErrInvalid},
		{"service by the name at the exporter", `{"nats":{"kind":"service"}}`, `{"type":"service","subject":"o.>","to":"orders.>"}`, nil},
		{"service by its name here", `{"nats":{"kind":"service"}}`, `{"type":"service","subject":"orders.x","to":"o"}`, claims.ErrInvalid},
		{"out of time is for later to say", `{"exp":1,"nbf":9999999999}`, `{}`, nil},
		{"that is no good itself", `{"nats":{"subject":"orders.>\n"}}`, `{}`, claims.ErrInvalid},
	} {
		t.Run(row.name, func(t *testing.T) {
			token := mint(t, "account", importing(t, mint(t, "activation", row.activation), row.change))
			a, err := claims.ParseAccount(token)
			require.ErrorIs(t, err, row.want)
			if err == nil {
				require.NotNil(t, a.Imports[0].Activation)
				require.NoError(t, reference("account", token))
			}
		})
	}
}

func importing(t *testing.T, token, change string) string {
	t.Helper()
	in := patch(t, fmt.Sprintf(`{"account":"@A1","type":"stream","subject":"orders.>","token":%q}`, token), change)
	return `{"nats":{"imports":[` + in + `]}}`
}

func TestActivationTokenInImport(t *testing.T) {
	for _, row := range []struct{ name, token string }{
		{"garbage", "x"},
		{"a user's", mint(t, "user", "")},
		{"with a wrong signature", mint(t, "activation", "")[:200] + mint(t, "activation", "")[201:]},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := parsers["account"](t, mint(t, "account", importing(t, row.token, "{}")))
			require.ErrorIs(t, err, claims.ErrInvalid)
			require.NotContains(t, err.Error(), "eyJ")
		})
	}
	old := mint1(t, "activation", "")
	a, err := claims.ParseAccount(mint(t, "account", importing(t, old, "{}")))
	require.NoError(t, err)
	require.Equal(t, 1, a.Imports[0].Activation.Version)
}

func TestAccountFields(t *testing.T) {
	a := account(t, `{"name":"APP","jti":"J","aud":"W","nbf":5,"exp":9,"nats":{
		"tags":["Env:test"],"description":"d","info_url":"https://i",
		"signing_keys":["@A1",{"kind":"user_scope","key":"@A2","role":"r","description":"rd","template":{"pub":{"allow":["p"]},"subs":7,"bearer_token":true}}],
		"limits":{"subs":1,"data":2,"payload":3,"conn":4,"leaf":5,"imports":6,"exports":7,"wildcards":false,"disallow_bearer":true,"mem_storage":8},
		"revocations":{"@U1":10,"*":5},
		"default_permissions":{"pub":{"allow":["a"],"deny":["b"]},"sub":{"allow":["c q"],"deny":["d"]},"resp":{"max":3,"ttl":4}},
		"exports":[{"name":"e","subject":"x","type":"service","token_req":true,"response_type":"Stream","response_threshold":5,
			"service_latency":{"sampling":"headers","results":"lat"},"advertise":true,"allow_trace":true,"description":"ed","info_url":"https://e","revocations":{"@A3":6}}],
		"imports":[{"name":"i","subject":"y.*","account":"@A3","local_subject":"z.$1","type":"service","share":true}],
		"mappings":{"m":[{"subject":"n","weight":20},{"subject":"o","cluster":"c"}]},
		"authorization":{"auth_users":["@U1"],"allowed_accounts":["*"],"xkey":"@X1"},
		"trace":{"dest":"t"},"cluster_traffic":"owner"}}`)
	r := keys()
	require.Equal(t, r["@A0"], a.Key)
	require.Equal(t, r["@O0"], a.Issuer)
	require.Equal(t, []any{"APP", "J", "W", int64(1000), 2}, []any{a.Name, a.ID, a.Audience, a.IssuedAt, a.Version})
	require.Equal(t, claims.Window{NotBefore: 5, Expires: 9}, a.Window)
	require.Equal(t, []string{"Env:test"}, a.Tags)
	require.Equal(t, []string{"d", "https://i", "owner"}, []string{a.Description, a.InfoURL, a.ClusterTraffic})
	require.Equal(t, claims.AccountLimits{
		Limits: claims.Limits{Subscriptions: 1, Data: 2, Payload: 3}, Connections: 4, LeafNodes: 5, Imports: 6, Exports: 7, DisallowBearer: true,
	}, a.Limits)
	require.Equal(t, int64(8), a.JetStream.MemoryStorage)
	require.Equal(t, map[string]int64{r["@U1"]: 10, "*": 5}, a.Revocations)
	require.Equal(t, claims.Permissions{
		Publish:   claims.Rules{Allow: []string{"a"}, Deny: []string{"b"}},
		Subscribe: claims.Rules{Allow: []string{"c q"}, Deny: []string{"d"}},
		Responses: &claims.Responses{Max: 3, TTL: 4},
	}, a.DefaultPermissions)
	require.Equal(t, []claims.Export{{
		Name: "e", Subject: "x", Kind: claims.Service, TokenRequired: true, ResponseType: "Stream", ResponseThreshold: 5,
		Latency: &claims.Latency{Results: "lat"}, Advertise: true, AllowTrace: true, Description: "ed", InfoURL: "https://e",
		Revocations: map[string]int64{r["@A3"]: 6},
	}}, a.Exports)
	require.Equal(t, []claims.Import{{Name: "i", Subject: "y.*", Account: r["@A3"], LocalSubject: "z.$1", Kind: claims.Service, Share: true}}, a.Imports)
	require.Equal(t, map[string][]claims.Mapping{"m": {{Subject: "n", Weight: 20}, {Subject: "o", Weight: 100, Cluster: "c"}}}, a.Mappings)
	require.Equal(t, claims.Callout{Users: []string{r["@U1"]}, Accounts: []string{"*"}, XKey: r["@X1"]}, a.Callout)
	require.Equal(t, &claims.Trace{Destination: "t", Sampling: 100}, a.Trace)

	require.Len(t, a.SigningKeys, 2)
	require.Nil(t, a.SigningKeys[r["@A1"]])
	s := a.SigningKeys[r["@A2"]]
	require.Equal(t, []string{r["@A2"], "r", "rd"}, []string{s.Key, s.Role, s.Description})
	require.Equal(t, []string{"p"}, s.Template.Permissions.Publish.Allow)
	require.True(t, s.Template.Bearer)
	require.Equal(t, claims.Limits{Subscriptions: 7, Payload: -1, Data: -1}, s.Template.Limits, "what a template leaves out is unlimited")
}

func TestSigner(t *testing.T) {
	a := account(t, `{"nats":{"signing_keys":["@A0","@A1",{"kind":"user_scope","key":"@A2","role":"r"}]}}`)
	for _, row := range []struct {
		name, key            string
		lax, strict, hasRole bool
	}{
		{"the account's own key, listed or not (B13)", "@A0", true, false, false},
		{"a signing key", "@A1", true, true, false},
		{"a scoped signing key", "@A2", true, true, true},
		{"another account", "@A3", false, false, false},
		{"nobody", "", false, false, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			key := keys().fill(row.key)
			scope, ok := a.Signer(key, false)
			require.Equal(t, row.lax, ok)
			require.Equal(t, row.hasRole, scope != nil)
			scope, ok = a.Signer(key, true)
			require.Equal(t, row.strict, ok)
			require.Equal(t, row.hasRole, scope != nil)
		})
	}
}

// revocation-time: before, at and after, by key and by all.
func TestRevoked(t *testing.T) {
	a := account(t, `{"nats":{"revocations":{"@U1":100,"*":50}}}`)
	for _, row := range []struct {
		name, key string
		iat, at   int64
		want      bool
	}{
		{"issued before the revocation of its key", "@U1", 99, 100, true},
		{"issued at the revocation of its key", "@U1", 100, 100, true},
		{"issued after the revocation of its key", "@U1", 101, 0, false},
		{"issued before the revocation of all", "@U2", 49, 50, true},
		{"issued at the revocation of all", "@U2", 50, 50, true},
		{"issued after the revocation of all", "@U2", 51, 0, false},
		{"issued at no time", "@U2", 0, 50, true},
		{"nobody, issued before the revocation of all", "", 1, 50, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			at, revoked := a.Revoked(keys().fill(row.key), row.iat)
			require.Equal(t, row.want, revoked)
			require.Equal(t, row.at, at)
		})
	}
	_, revoked := account(t, "").Revoked("", 0)
	require.False(t, revoked, "an account that revokes nothing")
}

// A tier replaces the flat limits (behaviour: jwt/v2 decoder_account.go).
func TestTiersReplaceFlatLimits(t *testing.T) {
	flat := account(t, `{"nats":{"limits":{"mem_storage":1,"disk_storage":2}}}`)
	require.Equal(t, claims.JetStreamLimits{MemoryStorage: 1, DiskStorage: 2}, flat.JetStream)
	tiered := account(t, `{"nats":{"limits":{"mem_storage":1,"disk_storage":2,"tiered_limits":{"R3":{"streams":4}}}}}`)
	require.Zero(t, tiered.JetStream)
	require.Equal(t, map[string]claims.JetStreamLimits{"R3": {Streams: 4}}, tiered.Tiers)
	empty := account(t, `{"nats":{"limits":{"mem_storage":1,"tiered_limits":{}}}}`)
	require.Equal(t, int64(1), empty.JetStream.MemoryStorage, "no tier replaces nothing")
}

// JetStream limits as a server goes by them (F095).
func TestF095JetStreamByTier(t *testing.T) {
	const free, all = `"mem_max_stream_bytes":0,"disk_max_stream_bytes":-1,"max_ack_pending":-7`, `"mem_max_stream_bytes":5,"disk_max_stream_bytes":6,"max_ack_pending":7`
	unbound := claims.JetStreamLimits{DiskStorage: 2, MemoryMaxStreamBytes: -1, DiskMaxStreamBytes: -1, MaxAckPending: -1}
	for _, row := range []struct {
		name, limits string
		want         map[string]claims.JetStreamLimits
	}{
		{"no storage", `"streams":4`, nil},
		{"storage for all", `"disk_storage":2,` + free, map[string]claims.JetStreamLimits{"": unbound}},
		{"unlimited memory", `"mem_storage":-1,` + all, map[string]claims.JetStreamLimits{
			"": {MemoryStorage: -1, MemoryMaxStreamBytes: 5, DiskMaxStreamBytes: 6, MaxAckPending: 7},
		}},
		{"tiers without storage", `"tiered_limits":{"R1":{"streams":4},"R3":{}}`, nil},
		{"one tier has it", `"tiered_limits":{"R1":{"disk_storage":2,` + free + `},"R3":{` + all + `}}`, map[string]claims.JetStreamLimits{
			"R1": unbound, "R3": {MemoryMaxStreamBytes: 5, DiskMaxStreamBytes: 6, MaxAckPending: 7},
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			a := account(t, `{"nats":{"limits":{`+row.limits+`}}}`)
			got := a.JetStreamByTier()
			require.Equal(t, row.want, got)
			for tier := range got {
				delete(got, tier)
			}
			require.Equal(t, row.want, a.JetStreamByTier(), "the result is the caller's")
		})
	}
}

// The two names of an import (F084): the old ways to rename, and the new one.
func TestF084NamesOfAnImport(t *testing.T) {
	for _, row := range []struct{ name, in, here, there string }{
		{"a stream as it is", `"subject":"a.>","type":"stream"`, "a.>", "a.>"},
		{"a stream with a prefix", `"subject":"a.>","to":"p.q","type":"stream"`, "p.q.a.>", "a.>"},
		{"a stream with another name", `"subject":"a.*","local_subject":"b.$1","type":"stream"`, "b.$1", "a.*"},
		{"a service as it is", `"subject":"a","type":"service"`, "a", "a"},
		{"a service by the old way: subject is ours", `"subject":"a","to":"b","type":"service"`, "a", "b"},
		{"a service with another name: subject is theirs", `"subject":"a","local_subject":"b","type":"service"`, "b", "a"},
	} {
		t.Run(row.name, func(t *testing.T) {
			a := account(t, `{"nats":{"imports":[{"account":"@A1",`+row.in+`}]}}`)
			require.Equal(t, row.here, a.Imports[0].Here())
			require.Equal(t, row.there, a.Imports[0].ExportedSubject())
		})
	}
}

func TestOperatorFields(t *testing.T) {
	o, err := claims.ParseOperator(mint(t, "operator", `{"iss":"@O1","name":"OP","nats":{"signing_keys":["@O1","@O2"],"strict_signing_key_usage":true,
		"system_account":"@A0","assert_server_version":"2.15.0","account_server_url":"https://h","operator_service_urls":["nats://h"]}}`))
	require.NoError(t, err)
	r := keys()
	require.Equal(t, []string{r["@O1"], r["@O2"]}, o.SigningKeys)
	require.Equal(t, []string{r["@A0"], "2.15.0", "https://h", "OP"}, []string{o.SystemAccount, o.AssertServerVersion, o.AccountServerURL, o.Name})
	require.Equal(t, []string{"nats://h"}, o.ServiceURLs)
	require.Equal(t, []string{r["@O1"], r["@O2"]}, o.Signers(), "a strict operator's identity key signs nothing")
	o.Signers()[0] = "changed"
	require.Equal(t, r["@O1"], o.SigningKeys[0], "the list is a copy")

	lax, err := claims.ParseOperator(mint(t, "operator", `{"nats":{"signing_keys":["@O1"]}}`))
	require.NoError(t, err)
	require.Equal(t, []string{r["@O0"], r["@O1"]}, lax.Signers())
}

func TestB12SelfSigned(t *testing.T) {
	for _, row := range []struct {
		name, change string
		want         bool
	}{
		{"by its identity key", `{}`, true},
		{"by its identity key, strict", `{"nats":{"strict_signing_key_usage":true}}`, true},
		{"by a signing key that it lists", `{"iss":"@O2","nats":{"signing_keys":["@O1","@O2"]}}`, true},
		{"by a signing key that it does not list", `{"iss":"@O2","nats":{"signing_keys":["@O1"]}}`, false},
		{"by another operator", `{"iss":"@O2"}`, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			o, err := claims.ParseOperator(mint(t, "operator", row.change))
			require.NoError(t, err)
			require.Equal(t, row.want, o.SelfSigned())
		})
	}
}

// What version 1 carries, and what it cannot (behaviour: jwt/v2 decoder_*.go).
func TestVersion1(t *testing.T) {
	r := keys()
	t.Run("user", func(t *testing.T) {
		u, err := claims.ParseUser(mint1(t, "user", `{"tags":["T:1"],"issuer_account":"@A1","nats":{
			"pub":{"allow":["p"]},"src":"10.0.0.0/8","payload":5,"max":3,"bearer_token":true,"allowed_connection_types":["MQTT"]}}`))
		require.NoError(t, err)
		require.Equal(t, r["@A1"], u.IssuerAccount)
		require.Equal(t, []string{"T:1"}, u.Tags)
		require.Equal(t, claims.Limits{Subscriptions: -1, Data: -1, Payload: 5}, u.Grant.Limits, "what is absent is unlimited")
		require.True(t, u.Grant.Bearer)
		require.Empty(t, u.Grant.ConnectionTypes, "version 1 has none")
		require.Equal(t, "10.0.0.0/8", u.Grant.Sources[0].String())
		require.False(t, u.Bare)
	})
	t.Run("user with nothing", func(t *testing.T) {
		u, err := claims.ParseUser(mint1(t, "user", ""))
		require.NoError(t, err)
		require.Equal(t, claims.Limits{Subscriptions: -1, Data: -1, Payload: -1}, u.Grant.Limits)
		require.False(t, u.Bare, "unlimited is something")
	})
	t.Run("user whose version stands where version 2 keeps it", func(t *testing.T) {
		u, err := claims.ParseUser(sign1(t, header2, r.fill(`{"iss":"@A0","sub":"@U0","nats":{"type":"user","version":1}}`)))
		require.NoError(t, err)
		require.Equal(t, 1, u.Version)
		require.Equal(t, int64(-1), u.Grant.Limits.Subscriptions)
	})
	t.Run("account", func(t *testing.T) {
		a, err := claims.ParseAccount(mint1(t, "account", `{"tags":["t"],"nats":{"signing_keys":["@A1"],"revocations":{"*":1},
			"limits":{"conn":5,"mem_storage":9,"tiered_limits":{"R1":{}}},"mappings":{"a":[]},"default_permissions":{"pub":{"deny":["x"]}},
			"exports":[{"type":"stream","subject":"e"}],"imports":[{"type":"stream","subject":"i","account":"@A2"}]}}`))
		require.NoError(t, err)
		require.Equal(t, map[string]*claims.Scope{r["@A1"]: nil}, a.SigningKeys)
		require.Equal(t, map[string]int64{"*": 1}, a.Revocations)
		require.Equal(t, int64(5), a.Limits.Connections)
		require.Zero(t, a.Limits.LeafNodes, "what an account leaves out is none")
		require.Zero(t, a.JetStream)
		require.Empty(t, a.Tiers)
		require.Empty(t, a.Mappings)
		require.True(t, a.DefaultPermissions.Empty())
		require.Len(t, a.Exports, 1)
		require.Len(t, a.Imports, 1)
	})
	t.Run("account with a scope", func(t *testing.T) {
		_, err := parsers["account"](t, mint1(t, "account", `{"nats":{"signing_keys":[{"kind":"user_scope","key":"@A1"}]}}`))
		require.ErrorIs(t, err, claims.ErrMalformed)
	})
	t.Run("operator", func(t *testing.T) {
		o, err := claims.ParseOperator(mint1(t, "operator", `{"nats":{"signing_keys":["@O1"],"system_account":"@A0","strict_signing_key_usage":true,"assert_server_version":"9.9.9"}}`))
		require.NoError(t, err)
		require.False(t, o.Strict)
		require.Empty(t, o.AssertServerVersion)
		require.Equal(t, r["@A0"], o.SystemAccount)
		require.Equal(t, []string{r["@O0"], r["@O1"]}, o.Signers())
	})
	t.Run("activation", func(t *testing.T) {
		a, err := claims.ParseActivation(mint1(t, "activation", `{"issuer_account":"@A2","tags":["t"]}`))
		require.NoError(t, err)
		require.Equal(t, []any{claims.Stream, "orders.>", r["@A2"]}, []any{a.Kind, a.Subject, a.IssuerAccount})
		require.Equal(t, []string{"t"}, a.Tags)
	})
}

func TestActivationFields(t *testing.T) {
	a, err := claims.ParseActivation(mint(t, "activation", `{"nats":{"issuer_account":"@A2","kind":"service","subject":"s"}}`))
	require.NoError(t, err)
	r := keys()
	require.Equal(t, []any{claims.Service, "s", r["@A2"], r["@A0"], r["@A1"]}, []any{a.Kind, a.Subject, a.IssuerAccount, a.Key, a.Issuer})
}

func TestKindText(t *testing.T) {
	require.Equal(t, []string{"unknown", "stream", "service"}, []string{claims.Kind(0).String(), claims.Stream.String(), claims.Service.String()})
}

func TestResponsesWithDefaults(t *testing.T) {
	require.Equal(t, claims.Responses{Max: 1, TTL: 2 * time.Minute}, claims.Responses{}.WithDefaults())
	require.Equal(t, claims.Responses{Max: -1, TTL: -1}, claims.Responses{Max: -1, TTL: -1}.WithDefaults())
	require.Equal(t, claims.Responses{Max: 2, TTL: time.Second}, claims.Responses{Max: 2, TTL: time.Second}.WithDefaults())
}
