package claims_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/claims"
)

// refusals are the classes of Activate.
var refusals = []error{
	claims.ErrExporter, claims.ErrNotExported, claims.ErrPosition, claims.ErrNoActivation,
	claims.ErrActivationIssuer, claims.ErrActivationIdentity, claims.ErrActivationImporter, claims.ErrActivationKind,
	claims.ErrActivationSubject, claims.ErrActivationEarly, claims.ErrActivationExpired, claims.ErrActivationRevoked,
}

// leave is what Activate is asked.
type leave struct {
	in       claims.Import
	act      *claims.Activation // of in, to change
	importer string
	exporter *claims.Account
	strict   bool
	now      time.Time
}

func (l *leave) ask() (time.Time, error) {
	return claims.Activate(&l.in, l.importer, l.exporter, l.strict, l.now)
}

// leaveFor reads real tokens: @A0 imports from @A1, whose signing key is @A2.
func leaveFor(t testing.TB, exports, in, activation string) *leave {
	t.Helper()
	r := keys()
	if activation != "" {
		in = patch(t, in, fmt.Sprintf(`{"token":%q}`, mint(t, "activation", activation)))
	}
	exporter := account(t, `{"sub":"@A1","nats":{"signing_keys":["@A2"],"exports":[`+exports+`]}}`)
	importer := account(t, `{"nats":{"imports":[`+patch(t, `{"account":"@A1"}`, in)+`]}}`)
	l := &leave{in: importer.Imports[0], importer: r["@A0"], exporter: exporter, now: time.Unix(5000, 0)}
	l.act = l.in.Activation
	return l
}

const (
	private = `{"subject":"orders.>","type":"stream","token_req":true}`
	orders  = `{"subject":"orders.eu","type":"stream"}`
)

// Each row changes one thing of an import that may use what it names.
func TestActivate(t *testing.T) {
	r := keys()
	for _, row := range []struct {
		name   string
		change func(*leave)
		want   error
	}{
		{"as it was given", func(*leave) {}, nil},

		{"another exporter", func(l *leave) { l.in.Account = r["@A3"] }, claims.ErrExporter},
		{"a signing key of the exporter for its account", func(l *leave) { l.in.Account = r["@A2"] }, claims.ErrExporter},
		{"no exporter", func(l *leave) { l.exporter = nil }, claims.ErrExporter},
		{"accounts without a name", func(l *leave) { l.in.Account, l.exporter.Key = "", "" }, claims.ErrExporter},

		{"nothing exported", func(l *leave) { l.exporter.Exports = nil }, claims.ErrNotExported},
		{"exported as a service", func(l *leave) { l.exporter.Exports[0].Kind = claims.Service }, claims.ErrNotExported},
		{"exported is another subject", func(l *leave) { l.exporter.Exports[0].Subject = "bills.>" }, claims.ErrNotExported},
		{"exported is that very subject", func(l *leave) { l.exporter.Exports[0].Subject = "orders.eu" }, nil},
		{"all that is exported", func(l *leave) { l.in.Subject, l.act.Subject = "orders.>", ">" }, nil},
		{"more than is exported", func(l *leave) { l.in.Subject, l.act.Subject = ">", ">" }, claims.ErrNotExported},
		{"a tail is more than a star", func(l *leave) { l.in.Subject, l.exporter.Exports[0].Subject = "orders.>", "orders.*" }, claims.ErrNotExported},
		{"the subject is none", func(l *leave) { l.in.Subject, l.act.Subject = "orders..eu", ">" }, claims.ErrNotExported},
		{"of no kind", func(l *leave) { l.in.Kind, l.act.Kind, l.exporter.Exports[0].Kind = 0, 0, 0 }, claims.ErrNotExported},
		{"of a kind that is none", func(l *leave) { l.in.Kind, l.act.Kind, l.exporter.Exports[0].Kind = 3, 3, 3 }, claims.ErrNotExported},

		{"no activation", func(l *leave) { l.in.Activation = nil }, claims.ErrNoActivation},

		{"issued by another account", func(l *leave) { l.act.Issuer = r["@A3"] }, claims.ErrActivationIssuer},
		{"issued by another account in the exporter's name", func(l *leave) { l.act.Issuer, l.act.IssuerAccount = r["@A3"], r["@A1"] }, claims.ErrActivationIssuer},
		{"issued by the exporter in its own name", func(l *leave) { l.act.IssuerAccount = r["@A1"] }, nil},
		{"issued by the exporter in another's name", func(l *leave) { l.act.IssuerAccount = r["@A3"] }, claims.ErrActivationIssuer},
		{"issued by a signing key", func(l *leave) { l.act.Issuer, l.act.IssuerAccount = r["@A2"], r["@A1"] }, nil},
		{"issued by a signing key in no name", func(l *leave) { l.act.Issuer = r["@A2"] }, claims.ErrActivationIssuer},
		{"issued by a signing key in another's name", func(l *leave) { l.act.Issuer, l.act.IssuerAccount = r["@A2"], r["@A3"] }, claims.ErrActivationIssuer},
		{"issued by a signing key that was withdrawn", func(l *leave) {
			l.act.Issuer, l.act.IssuerAccount = r["@A2"], r["@A1"]
			l.exporter.SigningKeys = nil
		}, claims.ErrActivationIssuer},
		{"issued by a scoped signing key", func(l *leave) {
			l.act.Issuer, l.act.IssuerAccount = r["@A2"], r["@A1"]
			l.exporter.SigningKeys = map[string]*claims.Scope{r["@A2"]: {Key: r["@A2"]}}
		}, nil},
		{"issued by an operator", func(l *leave) { l.act.Issuer, l.act.IssuerAccount = r["@O1"], r["@A1"] }, claims.ErrActivationIssuer},
		{"issued by the importer itself", func(l *leave) { l.act.Issuer, l.act.IssuerAccount = r["@A0"], r["@A1"] }, claims.ErrActivationIssuer},

		{"for another importer", func(l *leave) { l.act.Key = r["@A3"] }, claims.ErrActivationImporter},
		{"used by another importer", func(l *leave) { l.importer = r["@A3"] }, claims.ErrActivationImporter},
		{"of another kind", func(l *leave) { l.act.Kind = claims.Service }, claims.ErrActivationKind},
		{"for that very subject", func(l *leave) { l.act.Subject = "orders.eu" }, nil},
		{"for another subject", func(l *leave) { l.act.Subject = "orders.us" }, claims.ErrActivationSubject},
		{"for less than imported", func(l *leave) { l.in.Subject, l.act.Subject = "orders.*", "orders.eu" }, claims.ErrActivationSubject},
		{"for a star where a tail is imported", func(l *leave) { l.in.Subject, l.act.Subject = "orders.>", "orders.*" }, claims.ErrActivationSubject},
		{"for more than exported", func(l *leave) { l.act.Subject = ">" }, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			l := leaveFor(t, private, orders, `{}`)
			row.change(l)
			verdict(t, l, row.want)
		})
	}
}

// verdict asks, and holds the answer to what is promised of every answer.
func verdict(t testing.TB, l *leave, want error) {
	t.Helper()
	until, err := l.ask()
	require.ErrorIs(t, err, want)
	if want == nil {
		return
	}
	require.IsType(t, (*claims.ActivationError)(nil), err)
	require.Zero(t, until)
	for _, other := range refusals {
		if !errors.Is(other, want) {
			require.NotErrorIs(t, err, other)
		}
	}
}

func TestActivateRefusesNothing(t *testing.T) {
	for _, row := range []struct {
		name     string
		in       *claims.Import
		exporter *claims.Account
	}{
		{"no import", nil, &claims.Account{}},
		{"nothing at all", nil, nil},
		{"zero values", &claims.Import{}, &claims.Account{}},
		{"zero values of zero exports", &claims.Import{}, &claims.Account{Exports: make([]claims.Export, 1)}},
	} {
		until, err := claims.Activate(row.in, "", row.exporter, false, time.Time{})
		require.ErrorIs(t, err, claims.ErrExporter, row.name)
		require.Zero(t, until, row.name)
	}
}

// B13: the exporter's own key issues no activation under strict signing keys, whichever way it signs.
func TestB13ActivationByTheIdentityKey(t *testing.T) {
	r := keys()
	for _, row := range []struct {
		name, activation string
		lenient, strict  error
	}{
		{"own key", `{}`, nil, claims.ErrActivationIdentity},
		{"own key in its own name", `{"nats":{"issuer_account":"@A1"}}`, nil, claims.ErrActivationIdentity},
		{"signing key", `{"iss":"@A2","nats":{"issuer_account":"@A1"}}`, nil, nil},
		{"another's key", `{"iss":"@A3","nats":{"issuer_account":"@A1"}}`, claims.ErrActivationIssuer, claims.ErrActivationIssuer},
	} {
		t.Run(row.name, func(t *testing.T) {
			l := leaveFor(t, private, orders, row.activation)
			verdict(t, l, row.lenient)
			l.strict = true
			verdict(t, l, row.strict)
			l.exporter.SigningKeys[r["@A1"]] = nil // listed or not
			verdict(t, l, row.strict)
		})
	}
}

// F073: position goes before token_req, and asks for the importer's key.
func TestF073AccountTokenPosition(t *testing.T) {
	r := keys()
	for _, row := range []struct {
		name, export, subject string
		want                  error
	}{
		{"own key", `{"subject":"t.*.x","account_token_position":2}`, "t.@A0.x", nil},
		{"another's key", `{"subject":"t.*.x","account_token_position":2}`, "t.@A3.x", claims.ErrPosition},
		{"a wildcard", `{"subject":"t.*.x","account_token_position":2}`, "t.*.x", claims.ErrPosition},
		{"own key elsewhere", `{"subject":"*.*","account_token_position":2}`, "@A0.x", claims.ErrPosition},
		{"own key first", `{"subject":"*.*","account_token_position":1}`, "@A0.x", nil},
		{"own key, the rest open", `{"subject":"*.>","account_token_position":1}`, "@A0.>", nil},
		{"a token that only ends in the key", `{"subject":"*.*","account_token_position":1}`, "a@A0.x", claims.ErrPosition},
		{"own key, and an activation asked for", `{"subject":"t.*.x","account_token_position":2,"token_req":true}`, "t.@A0.x", nil},
		{"a wildcard, and an activation asked for", `{"subject":"t.*.x","account_token_position":2,"token_req":true}`, "t.*.x", claims.ErrPosition},
	} {
		for _, kind := range []string{"stream", "service"} {
			t.Run(row.name+", "+kind, func(t *testing.T) {
				typed := fmt.Sprintf(`{"type":%q}`, kind)
				l := leaveFor(t, patch(t, row.export, typed), patch(t, fmt.Sprintf(`{"subject":%q}`, row.subject), typed), "")
				verdict(t, l, row.want)
			})
		}
	}
	for _, row := range []struct {
		name, subject, importer string
		position                int
		want                    error
	}{
		{"the last token", "t.A.x", "x", 3, nil},
		{"beyond the last token", "t.A.x", "x", 4, claims.ErrPosition},
		{"before the first token", "t.A.x", "t", -1, claims.ErrPosition},
		{"an importer without a key", "t.A.x", "", 4, claims.ErrPosition},
		{"an importer that is a star", "t.*.x", "*", 2, claims.ErrPosition},
		{"an importer that is a tail", "t.>", ">", 2, claims.ErrPosition},
	} {
		t.Run(row.name, func(t *testing.T) {
			e := claims.Export{Kind: claims.Stream, Subject: ">", AccountTokenPosition: row.position}
			in := claims.Import{Kind: claims.Stream, Subject: row.subject, Account: r["@A1"]}
			exporter := &claims.Account{Header: claims.Header{Key: r["@A1"]}, Exports: []claims.Export{e}}
			verdict(t, &leave{in: in, importer: row.importer, exporter: exporter}, row.want)
		})
	}
}

// An activation that nobody asks for gives no leave and takes none.
func TestActivateWithoutNeed(t *testing.T) {
	spent := `{"exp":1,"nbf":9999999999,"nats":{"subject":"orders.eu"}}`
	l := leaveFor(t, `{"subject":"orders.>","type":"stream"}`, orders, spent)
	until, err := l.ask()
	require.NoError(t, err)
	require.Zero(t, until)
	l.exporter.Exports[0].TokenRequired = true
	verdict(t, l, claims.ErrActivationEarly)
}

// B11: before, at and after each end. exp at now is over, nbf at now has begun.
func TestB11ActivationTime(t *testing.T) {
	for _, row := range []struct {
		name string
		w    claims.Window
		want error
	}{
		{"no bounds", claims.Window{}, nil},
		{"ended a second ago", claims.Window{Expires: 4999}, claims.ErrActivationExpired},
		{"ends now", claims.Window{Expires: 5000}, claims.ErrActivationExpired},
		{"ends in a second", claims.Window{Expires: 5001}, nil},
		{"began a second ago", claims.Window{NotBefore: 4999}, nil},
		{"begins now", claims.Window{NotBefore: 5000}, nil},
		{"begins in a second", claims.Window{NotBefore: 5001}, claims.ErrActivationEarly},
		{"now and no longer", claims.Window{NotBefore: 5000, Expires: 5001}, nil},
		{"ends before it begins", claims.Window{NotBefore: 5000, Expires: 5000}, claims.ErrActivationExpired},
		{"ended before 1970", claims.Window{Expires: -1}, claims.ErrActivationExpired},
		{"begins before 1970", claims.Window{NotBefore: -1}, nil},
		{"ends when no clock does", claims.Window{Expires: 1<<63 - 1}, nil},
	} {
		for _, nanos := range []int64{0, 999_999_999} {
			l := leaveFor(t, private, orders, `{}`)
			l.act.Window, l.now = row.w, time.Unix(5000, nanos)
			verdict(t, l, row.want)
		}
	}
}

func TestB11ActivationEnd(t *testing.T) {
	l := leaveFor(t, private, orders, `{"exp":5001}`)
	until, err := l.ask()
	require.NoError(t, err)
	require.Equal(t, time.Unix(5001, 0).UTC(), until)

	// Whatever subject the activation names, it is this import that ends.
	l.act.Subject = ">"
	wider, err := l.ask()
	require.NoError(t, err)
	require.Equal(t, until, wider)

	l.now = until.Add(-time.Nanosecond)
	verdict(t, l, nil)
	l.now = until
	verdict(t, l, claims.ErrActivationExpired)

	l.act.Expires = 0
	until, err = l.ask()
	require.NoError(t, err)
	require.Zero(t, until)

	l.act.Expires = 1<<63 - 1
	until, err = l.ask()
	require.NoError(t, err)
	require.True(t, until.After(l.now), until)
}

// F077: iat before, at and after the revocation, by key and by "*".
func TestF077ActivationRevocation(t *testing.T) {
	r := keys()
	for _, row := range []struct {
		name        string
		issued      int64
		revocations map[string]int64
		want        error
	}{
		{"none", 1000, nil, nil},
		{"key: issued before", 999, map[string]int64{r["@A0"]: 1000}, claims.ErrActivationRevoked},
		{"key: issued in that second", 1000, map[string]int64{r["@A0"]: 1000}, claims.ErrActivationRevoked},
		{"key: issued after", 1001, map[string]int64{r["@A0"]: 1000}, nil},
		{"*: issued before", 999, map[string]int64{"*": 1000}, claims.ErrActivationRevoked},
		{"*: issued in that second", 1000, map[string]int64{"*": 1000}, claims.ErrActivationRevoked},
		{"*: issued after", 1001, map[string]int64{"*": 1000}, nil},
		{"* after the key", 1001, map[string]int64{r["@A0"]: 1000, "*": 1001}, claims.ErrActivationRevoked},
		{"key after *", 1001, map[string]int64{r["@A0"]: 1001, "*": 1000}, claims.ErrActivationRevoked},
		{"another importer's", 999, map[string]int64{r["@A3"]: 1000}, nil},
		{"the exporter's", 999, map[string]int64{r["@A1"]: 1000}, nil},
		{"issued at no time", 0, map[string]int64{"*": 0}, claims.ErrActivationRevoked},
		{"revoked ahead of now", 5001, map[string]int64{"*": 9000}, claims.ErrActivationRevoked},
	} {
		t.Run(row.name, func(t *testing.T) {
			l := leaveFor(t, private, orders, `{}`)
			l.act.IssuedAt, l.exporter.Exports[0].Revocations = row.issued, row.revocations
			verdict(t, l, row.want)
		})
	}
	l := leaveFor(t, private, orders, `{}`)
	l.exporter.Revocations = map[string]int64{"*": 9000} // of users
	verdict(t, l, nil)
	l.exporter.Exports = append(l.exporter.Exports, claims.Export{Subject: "bills.>", Kind: claims.Stream, Revocations: map[string]int64{"*": 9000}})
	verdict(t, l, nil)
}

// B10: of several exports the most specific decides, in any order.
func TestB10TheMostSpecificExportDecides(t *testing.T) {
	for _, row := range []struct {
		subject, opens string
		asks           []string
	}{
		{"a.b", "a.b", []string{"a.*", "*.b", ">", "a.>"}},
		{"a.b", "a.*", []string{"*.b", "*.*", "a.>", ">"}},
		{"a.b", "*.b", []string{"*.*", "*.>", ">", "b.*"}},
		{"a.b", "*.*", []string{"*.>", ">", "*"}},
		{"a.b", "a.>", []string{"*.b", "*.*", ">"}},
		{"a.*", "a.*", []string{"*.*", "a.>", "a.b"}},
		{"a.>", "a.>", []string{">", "*.>", "a.*"}},
	} {
		for place := range len(row.asks) + 1 {
			in := claims.Import{Account: "AX", Subject: row.subject, Kind: claims.Service}
			exporter := &claims.Account{Header: claims.Header{Key: "AX"}}
			for _, s := range row.asks {
				exporter.Exports = append(exporter.Exports, claims.Export{Subject: s, Kind: claims.Service, TokenRequired: true})
			}
			open := claims.Export{Subject: row.opens, Kind: claims.Service}
			exporter.Exports = append(exporter.Exports[:place:place], append([]claims.Export{open}, exporter.Exports[place:]...)...)
			l := &leave{in: in, exporter: exporter}
			verdict(t, l, nil)
			for n := range exporter.Exports {
				exporter.Exports[n].TokenRequired = !exporter.Exports[n].TokenRequired
			}
			verdict(t, l, claims.ErrNoActivation)
		}
	}
	twice := []claims.Export{{Subject: "a", Kind: claims.Stream}, {Subject: "a", Kind: claims.Stream, TokenRequired: true}}
	l := &leave{in: claims.Import{Account: "AX", Subject: "a", Kind: claims.Stream}, exporter: &claims.Account{Header: claims.Header{Key: "AX"}, Exports: twice}}
	verdict(t, l, nil)
	twice[0], twice[1] = twice[1], twice[0]
	verdict(t, l, claims.ErrNoActivation)
}

// A service that is imported the old way is judged by the subject at the exporter.
func TestActivateJudgesTheExportedSubject(t *testing.T) {
	for _, row := range []struct {
		name, in, subject string
		want              error
	}{
		{"service", `{"type":"service","subject":"orders.eu"}`, "orders.eu", nil},
		{"service, renamed", `{"type":"service","subject":"orders.eu","local_subject":"bills"}`, "orders.eu", nil},
		{"service, renamed the old way", `{"type":"service","subject":"bills","to":"orders.eu"}`, "orders.eu", nil},
		{"service, renamed the old way to what is not exported", `{"type":"service","subject":"orders.eu","to":"bills"}`, "bills", claims.ErrNotExported},
		{"stream, under a prefix", `{"type":"stream","subject":"orders.eu","to":"bills"}`, "orders.eu", nil},
		{"stream of what is not exported, under a prefix", `{"type":"stream","subject":"bills","to":"orders"}`, "bills", claims.ErrNotExported},
	} {
		for _, asks := range []string{"", `{}`} {
			export := `{"subject":"orders.>","type":"` + kindOf(row.in) + `"}`
			if asks != "" {
				export = patch(t, export, `{"token_req":true}`)
				asks = fmt.Sprintf(`{"nats":{"kind":%q,"subject":%q}}`, kindOf(row.in), row.subject)
			}
			l := leaveFor(t, export, row.in, asks)
			require.Equal(t, row.subject, l.in.ExportedSubject(), row.name)
			verdict(t, l, row.want)
		}
	}
	positional := leaveFor(t, `{"subject":"t.*","type":"service","account_token_position":2}`, `{"type":"service","subject":"mine","to":"t.@A0"}`, "")
	verdict(t, positional, nil)
	positional.in.Subject, positional.in.To = positional.in.To, "t.mine"
	verdict(t, positional, claims.ErrPosition)

	private := leaveFor(t, `{"subject":"orders.>","type":"service","token_req":true}`, `{"type":"service","subject":"bills","to":"orders.eu"}`, `{"nats":{"kind":"service","subject":"orders.eu"}}`)
	verdict(t, private, nil)
	private.in.Subject, private.in.To = private.in.To, "orders.us"
	verdict(t, private, claims.ErrActivationSubject)

	both := claims.Import{Kind: claims.Service, Subject: "a", To: "b", LocalSubject: "c"}
	require.Equal(t, "a", both.ExportedSubject(), "the new way goes before the old")
}

func kindOf(in string) string {
	if strings.Contains(in, `"service"`) {
		return "service"
	}
	return "stream"
}

// Version 1 tokens give leave like others.
func TestActivateOldToken(t *testing.T) {
	l := leaveFor(t, private, orders, `{}`)
	old, err := claims.ParseActivation(mint1(t, "activation", `{"exp":6000}`))
	require.NoError(t, err)
	l.in.Activation = old
	until, err := l.ask()
	require.NoError(t, err)
	require.Equal(t, int64(6000), until.Unix())
	l.now = until
	verdict(t, l, claims.ErrActivationExpired)
}

// What is refused says so in one line, and shows no secret.
func TestActivationErrorText(t *testing.T) {
	l := leaveFor(t, private, orders, `{"exp":5000}`)
	_, err := l.ask()
	require.EqualError(t, err, "claims: activation is expired: exp is 5000, now is 5000")

	seed, err := pair(kinds["A"], 1).Seed()
	require.NoError(t, err)
	for _, secret := range []string{string(seed), mint(t, "activation", "")} {
		l.in.Subject = secret
		_, err := l.ask()
		require.ErrorIs(t, err, claims.ErrNotExported)
		hidden(t, secret, err)
		l.in.Account = secret
		_, err = l.ask()
		require.ErrorIs(t, err, claims.ErrExporter)
		hidden(t, secret, err)
		l = leaveFor(t, private, orders, `{}`)
	}
}

// The accounts that nsc made: what IMP imports is good, what REVIMP imports was revoked in the second of its issue.
func TestActivateFixtures(t *testing.T) {
	app, imp, rev := fixture(t, "APP"), fixture(t, "IMP"), fixture(t, "REVIMP")
	now := time.Unix(rev.IssuedAt+1, 0)
	asked := map[string]error{}
	for _, a := range []*claims.Account{imp, rev} {
		for n := range a.Imports {
			until, err := claims.Activate(&a.Imports[n], a.Key, app, false, now)
			require.Zero(t, until)
			asked[a.Name+" "+a.Imports[n].Name] = err
		}
	}
	require.Len(t, asked, 6)
	require.ErrorIs(t, asked["REVIMP imp-orders"], claims.ErrActivationRevoked)
	delete(asked, "REVIMP imp-orders")
	for name, err := range asked {
		require.NoError(t, err, name)
	}

	// Under strict signing keys nothing that nsc signed with APP's own key holds.
	for n, in := range imp.Imports {
		_, err := claims.Activate(&imp.Imports[n], imp.Key, app, true, now)
		if in.Activation == nil {
			require.NoError(t, err, in.Name)
			continue
		}
		require.ErrorIs(t, err, claims.ErrActivationIdentity, in.Name)
	}

	// The twins: IMP's imports used by REVIMP, and the revocation a second earlier.
	want := map[string]error{
		"imp-billing": claims.ErrActivationImporter, "imp-orders": claims.ErrActivationImporter,
		"imp-tenant": claims.ErrPosition, "imp-metrics": nil, "imp-time": nil,
	}
	for n, in := range imp.Imports {
		_, err := claims.Activate(&imp.Imports[n], rev.Key, app, false, now)
		require.ErrorIs(t, err, want[in.Name], in.Name)
	}
	for n := range app.Exports {
		revocations := maps.Clone(app.Exports[n].Revocations)
		for key := range revocations {
			revocations[key]--
		}
		app.Exports[n].Revocations = revocations
	}
	_, err := claims.Activate(&rev.Imports[0], rev.Key, app, false, now)
	require.NoError(t, err)
}

func fixture(t testing.TB, name string) *claims.Account {
	t.Helper()
	text, err := os.ReadFile("../auth/testdata/nsc/jwt/account." + name + ".jwt")
	require.NoError(t, err)
	a, err := claims.ParseAccount(strings.TrimSpace(string(text)))
	require.NoError(t, err)
	return a
}
