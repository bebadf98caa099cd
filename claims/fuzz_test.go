package claims_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/claims"
	"github.com/natsauth/natsauth/internal/subject"
)

// agree holds one text to what is promised of every text, as each kind: a result or an error; what we read the
// reference reads; what it reads and we do not breaks a rule of content; one digest for the canonical spelling too;
// and no part of the text in the error. It reports what the text was accepted as.
func agree(t testing.TB, token string) string {
	t.Helper()
	canonical, shape := claims.Canonical(token)
	require.Equal(t, shape != nil, canonical == "")
	accepted := ""
	each(func(kind string) {
		h, err := parsers[kind](t, token)
		if err == nil {
			accepted = kind
			require.NoError(t, reference(kind, token))
			again, err := parsers[kind](t, canonical)
			require.NoError(t, err)
			require.Equal(t, h, again)
			return
		}
		hidden(t, token, err)
		switch c, refused := decode[kind](token); {
		case refused != nil:
			require.NotErrorIs(t, err, claims.ErrInvalid)
		case strings.ContainsAny(c.Claims().Issuer, "\r\n"):
			require.ErrorIs(t, err, claims.ErrIssuer) // a key has one spelling
		default:
			require.ErrorIs(t, err, claims.ErrInvalid)
		}
	})
	if shape != nil {
		hidden(t, token, shape)
		return accepted
	}
	again, err := claims.Canonical(canonical)
	require.NoError(t, err)
	require.Equal(t, canonical, again)
	return accepted
}

// hidden looks for 20 characters of a token in the text of an error.
func hidden(t testing.TB, token string, err error) {
	t.Helper()
	text := err.Error()
	require.LessOrEqual(t, len(text), 600)
	for i := 0; i+20 <= len(text); i++ {
		require.NotContains(t, token, text[i:i+20])
	}
}

func FuzzParse(f *testing.F) {
	for _, token := range fixtures(f) {
		f.Add(token)
	}
	each(func(kind string) {
		for version, token := range []string{mint1(f, kind, ""), mint(f, kind, "")} {
			for _, text := range spellings(token, version+1) {
				f.Add(text)
			}
		}
	})
	for _, text := range []string{"", ".", "..", "...", b64(header2) + ".bnVsbA." + strings.Repeat("A", 86)} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, token string) { agree(t, token) })
}

// signedSeeds are what stands beside iss and sub, and what stands in nats: nulls and holes above all.
func signedSeeds() [][3]string {
	var seeds [][3]string
	each(func(kind string) {
		id := fmt.Sprintf(`"type":%q,"version":2`, kind)
		for _, nats := range []string{
			`null`, `{}`, `[]`, `""`, `{` + id + `}`, `{` + id + `,"tags":null}`, `{` + id + `,"tags":[null]}`, `{"version":1,"type":"` + kind + `"}`,
		} {
			seeds = append(seeds, [3]string{kind, ``, nats}, [3]string{kind, fmt.Sprintf(`"type":%q,`, kind), nats})
		}
	})
	for kind, list := range map[string][]string{
		"account": {
			`"exports":[null]`, `"exports":null`, `"imports":[null]`, `"imports":[{}]`, `"exports":[{}]`, `"limits":null`, `"limits":{"tiered_limits":null}`,
			`"exports":[null],"limits":{"exports":1}`, `"exports":[{"subject":"a","type":"service","service_latency":null}]`,
			`"signing_keys":null`, `"signing_keys":[null]`, `"signing_keys":[{"kind":"user_scope","template":null}]`, `"mappings":{"a":null}`, `"mappings":{"a":[{}]}`,
			`"authorization":null`, `"trace":{}`, `"default_permissions":{"pub":null,"resp":null}`, `"revocations":null`, `"revocations":{"*":null}`,
			`"imports":[{"account":"@A1","subject":"*.*","local_subject":"$2.$1","type":"stream"}]`,
		},
		"user": {
			`"pub":null,"sub":null,"resp":null`, `"src":null`, `"src":""`, `"src":[null]`, `"times":[null]`, `"times":null`, `"resp":{"max":null}`,
			`"pub":{"allow":[null]}`, `"allowed_connection_types":[null]`, `"sub":{"allow":["a q"]},"src":"10.0.0.0/8","times":[{"start":"1:00:00","end":"2:00:00"}]`,
		},
		"activation": {`"subject":"a","kind":"stream"`, `"subject":null,"kind":"service"`, `"issuer_account":null`},
		"operator":   {`"signing_keys":[null]`, `"signing_keys":["@O1"]`, `"operator_service_urls":[null,""]`, `"system_account":null`, `"account_server_url":":"`},
	} {
		for _, nats := range list {
			seeds = append(seeds, [3]string{kind, ``, fmt.Sprintf(`{"type":%q,"version":2,`, kind) + nats + `}`})
		}
	}
	for kind, rows := range contents {
		for _, row := range rows {
			for _, change := range []string{row.bad, row.good} {
				if len(change) < 1000 {
					seeds = append(seeds, [3]string{kind, ``, inner(kind, change)})
				}
			}
		}
	}
	return seeds
}

// inner is what a changed document has in nats.
func inner(kind, change string) string {
	var doc struct{ Nats json.RawMessage }
	if err := json.Unmarshal([]byte(changed(base[kind], change)), &doc); err != nil {
		panic(err)
	}
	return string(doc.Nats)
}

// FuzzSigned changes documents and signs them, in the way of either version, so that what is behind the signature is
// reached. Keys go by their names here: "@A1".
func FuzzSigned(f *testing.F) {
	ids := map[string]string{
		"operator": `"iss":"@O0","sub":"@O0",`, "account": `"iss":"@O0","sub":"@A0",`,
		"user": `"iss":"@A0","sub":"@U0",`, "activation": `"iss":"@A1","sub":"@A0",`,
	}
	seeds := signedSeeds()
	accepted := 0
	for _, s := range seeds {
		f.Add(s[0], s[1], s[2])
		if agree(f, sign2(f, header2, keys().fill(`{`+ids[s[0]]+s[1]+`"nats":`+s[2]+`}`))) != "" {
			accepted++
		}
	}
	require.Greater(f, len(seeds), 200)
	require.Greater(f, accepted, 50)
	f.Fuzz(func(t *testing.T, kind, top, nats string) {
		payload := keys().fill(`{` + ids[kind] + top + `"nats":` + nats + `}`)
		agree(t, sign2(t, header2, payload))
		agree(t, sign1(t, header1, payload))
	})
}

// FuzzExpand holds every template and every value to the promises of B2: no panic, no part of permissions with an
// error, entries that are entries, and no wildcard that the template has not.
func FuzzExpand(f *testing.F) {
	for _, entry := range []string{
		"{{name()}}", "a.{{tag(x)}}.>", "a.{{TAG(X)}}*", "{{account-tag(x)}} q", "a {{tag(x)}}", "{{{name()}}}", "{{tag()}}", "{{}}", "{{name()", "{{ subject() }}",
	} {
		for _, value := range []string{"v", "", "*", "a.b", "é", "a b", "{{name()}}"} {
			f.Add(entry, value, "x:"+value, false, true)
			f.Add(entry, value, "x:"+value, true, false)
		}
	}
	f.Fuzz(func(t *testing.T, entry, name, tag string, deny, dotted bool) {
		u := &claims.User{Header: claims.Header{Name: name, Key: name, Tags: []string{tag, tag + "2"}}}
		a := &claims.Account{Header: u.Header}
		rules := claims.Rules{Allow: []string{"{{subject()}}", entry}}
		if deny {
			rules = claims.Rules{Deny: rules.Allow}
		}
		p, err := claims.Expand(template(claims.Permissions{Publish: rules, Subscribe: rules}), u, a, claims.ExpandOptions{AllowDotted: dotted})
		if err != nil {
			require.Equal(t, claims.Permissions{}, p)
			require.NotZero(t, problemOf(t, err))
			return
		}
		known := []string{wildTokens(anyPlaceholder.ReplaceAllLiteralString(entry, "word")), ""}
		for i, list := range [][]string{p.Publish.Allow, p.Publish.Deny, p.Subscribe.Allow, p.Subscribe.Deny} {
			for _, e := range list {
				s, queue, ok := subject.SplitEntry(e)
				require.True(t, ok || subject.Valid(e) && i < 2, "%q", e)
				require.True(t, queue == "" || i >= 2 || subject.Valid(e), "%q", e)
				require.True(t, i < 2 || e == strings.TrimSpace(s+" "+queue), "%q", e)
				require.True(t, i%2 == 1 && !deny && e == ">" || slices.Contains(known, wildTokens(e)), "%q", e)
			}
		}
	})
}

var anyPlaceholder = regexp.MustCompile(`\{\{[^}]+\}\}`)
