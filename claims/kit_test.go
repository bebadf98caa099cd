package claims_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/claims"
)

// pair makes key pair n of a kind, the same in every run.
func pair(kind nkeys.PrefixByte, n int) nkeys.KeyPair {
	seed := make([]byte, ed25519.SeedSize)
	copy(seed, []byte{byte(kind), byte(n), byte(n >> 8), 1})
	p, err := nkeys.FromRawSeed(kind, seed)
	if err != nil {
		panic(err)
	}
	return p
}

func public(kind nkeys.PrefixByte, n int) string {
	text, err := pair(kind, n).PublicKey()
	if err != nil {
		panic(err)
	}
	return text
}

var kinds = map[string]nkeys.PrefixByte{
	"O": nkeys.PrefixByteOperator, "A": nkeys.PrefixByteAccount, "U": nkeys.PrefixByteUser,
	"N": nkeys.PrefixByteServer, "C": nkeys.PrefixByteCluster, "X": nkeys.PrefixByteCurve,
}

// ring holds public keys, by the letter and the number that the documents name them by: "@O1".
type ring map[string]string

var keys = sync.OnceValue(func() ring {
	r := ring{}
	for letter, kind := range kinds {
		for n := range 4 {
			r[fmt.Sprintf("@%s%d", letter, n)] = public(kind, n)
		}
	}
	return r
})

// fill puts public keys in the place of their names.
func (r ring) fill(text string) string {
	var pairs []string
	for name, key := range r {
		pairs = append(pairs, name, key)
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// signer finds the key pair of a public key, or one that is nobody's.
func (r ring) signer(key string) nkeys.KeyPair {
	for name, k := range r {
		if k == key && name[1] != 'X' {
			return pair(kinds[name[1:2]], int(name[2]-'0'))
		}
	}
	return pair(nkeys.PrefixByteAccount, 99)
}

// base is a good document of each kind.
var base = map[string]string{
	"operator": `{"iss":"@O0","sub":"@O0","iat":1000,"nats":{"type":"operator","version":2}}`,
	"account": `{"iss":"@O0","sub":"@A0","iat":1000,"nats":{"type":"account","version":2,
		"limits":{"subs":-1,"data":-1,"payload":-1,"imports":-1,"exports":-1,"wildcards":true,"conn":-1,"leaf":-1}}}`,
	"user": `{"iss":"@A0","sub":"@U0","iat":1000,"nats":{"type":"user","version":2,"subs":-1,"data":-1,"payload":-1}}`,
	"activation": `{"iss":"@A1","sub":"@A0","iat":1000,"nats":{"type":"activation","version":2,
		"subject":"orders.>","kind":"stream"}}`,
}

// base1 is the same in version 1.
var base1 = map[string]string{
	"operator":   `{"iss":"@O0","sub":"@O0","iat":1000,"type":"operator","nats":{}}`,
	"account":    `{"iss":"@O0","sub":"@A0","iat":1000,"type":"account","nats":{"limits":{"imports":-1,"exports":-1,"wildcards":true}}}`,
	"user":       `{"iss":"@A0","sub":"@U0","iat":1000,"type":"user","nats":{}}`,
	"activation": `{"iss":"@A1","sub":"@A0","iat":1000,"type":"activation","nats":{"subject":"orders.>","type":"stream"}}`,
}

// patch applies a JSON merge patch (RFC 7396).
func patch(t testing.TB, doc, change string) string {
	t.Helper()
	require.True(t, json.Valid([]byte(change)) || change == "", change)
	return changed(doc, change)
}

func changed(doc, change string) string {
	if change == "" {
		return doc
	}
	var d, c map[string]any
	if err := errors.Join(json.Unmarshal([]byte(doc), &d), json.Unmarshal([]byte(change), &c)); err != nil {
		panic(err)
	}
	merge(d, c)
	out, err := json.Marshal(d)
	if err != nil {
		panic(err)
	}
	return string(out)
}

func merge(doc, change map[string]any) {
	for k, v := range change {
		inner, isMap := v.(map[string]any)
		outer, wasMap := doc[k].(map[string]any)
		switch {
		case v == nil:
			delete(doc, k)
		case isMap && wasMap:
			merge(outer, inner)
		default:
			doc[k] = v
		}
	}
}

const (
	header1 = `{"typ":"jwt","alg":"ed25519"}`
	header2 = `{"typ":"JWT","alg":"ed25519-nkey"}`
)

func b64(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// sign2 makes a token of version 2, signed by the key in iss if it is one of ours: over header and payload.
func sign2(t testing.TB, header, payload string) string {
	t.Helper()
	text := b64(header) + "." + b64(payload)
	return text + "." + signature(t, text, payload)
}

// sign1 makes a token of version 1: signed over the payload alone.
func sign1(t testing.TB, header, payload string) string {
	t.Helper()
	return b64(header) + "." + b64(payload) + "." + signature(t, b64(payload), payload)
}

func signature(t testing.TB, text, payload string) string {
	t.Helper()
	var doc struct{ Iss any }
	_ = json.Unmarshal([]byte(payload), &doc)
	iss, _ := doc.Iss.(string)
	sig, err := keys().signer(iss).Sign([]byte(text))
	require.NoError(t, err)
	return base64.RawURLEncoding.EncodeToString(sig)
}

// mint makes a token of version 2 of the good document with a change.
func mint(t testing.TB, kind, change string) string {
	t.Helper()
	r := keys()
	return sign2(t, header2, patch(t, r.fill(base[kind]), r.fill(change)))
}

// mint1 is mint for version 1.
func mint1(t testing.TB, kind, change string) string {
	t.Helper()
	r := keys()
	return sign1(t, header1, patch(t, r.fill(base1[kind]), r.fill(change)))
}

// parsers are the four parsers; read holds what they have in common to the promise that a result comes without an
// error and an error without a result.
var parsers = map[string]func(t testing.TB, token string) (*claims.Header, error){
	"operator": func(t testing.TB, token string) (*claims.Header, error) {
		o, err := claims.ParseOperator(token)
		return read(t, o, err, func() *claims.Header { return &o.Header })
	},
	"account": func(t testing.TB, token string) (*claims.Header, error) {
		a, err := claims.ParseAccount(token)
		return read(t, a, err, func() *claims.Header { return &a.Header })
	},
	"user": func(t testing.TB, token string) (*claims.Header, error) {
		u, err := claims.ParseUser(token)
		return read(t, u, err, func() *claims.Header { return &u.Header })
	},
	"activation": func(t testing.TB, token string) (*claims.Header, error) {
		a, err := claims.ParseActivation(token)
		return read(t, a, err, func() *claims.Header { return &a.Header })
	},
}

func read[T any](t testing.TB, p *T, err error, header func() *claims.Header) (*claims.Header, error) {
	t.Helper()
	require.Equal(t, err != nil, p == nil, "a result or an error: %v", err)
	if err != nil {
		require.IsType(t, (*claims.Error)(nil), err)
		return nil, err
	}
	return header(), nil
}

// reference is what github.com/nats-io/jwt/v2 says of a token, its clock left out. What it cannot judge is no good:
// hence the named result, which a recover needs.
func reference(kind, token string) (verdict error) {
	c, err := decode[kind](token)
	if err != nil {
		return err
	}
	defer func() {
		if r := recover(); r != nil {
			verdict = fmt.Errorf("%v", r)
		}
	}()
	var vr jwt.ValidationResults
	c.Validate(&vr)
	for _, i := range vr.Issues {
		if i.Blocking {
			return i
		}
	}
	return nil
}

// decode is the reference's decoder alone.
var decode = map[string]func(token string) (jwt.Claims, error){
	"operator":   func(token string) (jwt.Claims, error) { return jwt.DecodeOperatorClaims(token) },
	"account":    func(token string) (jwt.Claims, error) { return jwt.DecodeAccountClaims(token) },
	"user":       func(token string) (jwt.Claims, error) { return jwt.DecodeUserClaims(token) },
	"activation": func(token string) (jwt.Claims, error) { return jwt.DecodeActivationClaims(token) },
}

// each calls f for every kind, in an order that is always the same.
func each(f func(kind string)) {
	for _, kind := range []string{"operator", "account", "user", "activation"} {
		f(kind)
	}
}

func user(t testing.TB, change string) *claims.User {
	t.Helper()
	u, err := claims.ParseUser(mint(t, "user", change))
	require.NoError(t, err)
	return u
}

func account(t testing.TB, change string) *claims.Account {
	t.Helper()
	a, err := claims.ParseAccount(mint(t, "account", change))
	require.NoError(t, err)
	return a
}

// The kit is only worth something if what it makes is good.
func TestKitMakesGoodTokens(t *testing.T) {
	each(func(kind string) {
		for version, token := range []string{mint1(t, kind, ""), mint(t, kind, "")} {
			require.NoError(t, reference(kind, token), kind)
			h, err := parsers[kind](t, token)
			require.NoError(t, err, kind)
			require.Equal(t, version+1, h.Version, kind)
		}
	})
	require.Equal(t, `{"a":{"c":2},"d":[]}`, patch(t, `{"a":{"b":1},"d":1}`, `{"a":{"b":null,"c":2},"d":[]}`))
	require.Len(t, keys(), 24)
}
