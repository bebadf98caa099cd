package authtest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"testing"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"
)

// header is that of every token of version 2.
const header = `{"typ":"JWT","alg":"ed25519-nkey"}`

// draft is a token, or a part of one, while its options are applied.
type draft struct {
	tb   testing.TB
	what string // for complaints
	path string // the keys are made from it

	claims jwt.Claims                // of a token; nil for a part
	grant  *jwt.UserPermissionLimits // of a user, a scope, or default permissions

	by       string        // name of the signing key that signs; empty: the identity key does
	stranger nkeys.KeyPair // signs in place of both

	keys signers // that this token lists
	raw  []func(map[string]any)
}

// signers are the keys that sign for an operator or account.
type signers map[string]signer

type signer struct {
	pair   nkeys.KeyPair
	scoped bool
}

// newDraft applies the options that decide which keys are used; the claims can
// be made then.
func newDraft(tb testing.TB, what, path string, opts []Option) *draft {
	d := &draft{tb: tb, what: what, path: path, keys: make(signers)}
	d.take(opts, true)
	return d
}

// finish applies the other options.
func (d *draft) finish(opts []Option) { d.take(opts, false) }

func (d *draft) take(opts []Option, early bool) {
	for _, o := range opts {
		if o.apply != nil && o.early == early {
			o.apply(d)
		}
	}
}

// signer gives who signs: the identity key, a signing key that the issuer lists,
// or a stranger.
func (d *draft) signer(identity nkeys.KeyPair, listed signers) signer {
	if d.stranger != nil {
		return signer{pair: d.stranger}
	}
	if d.by == "" {
		return signer{pair: identity}
	}
	s, ok := listed[d.by]
	if !ok {
		d.tb.Fatalf("authtest: %s is to be signed by %q, which its issuer does not list", d.what, d.by)
	}
	return s
}

// token writes and signs the claims.
func (d *draft) token(by nkeys.KeyPair) string {
	d.claims.Claims().Issuer = public(by)
	body, err := json.Marshal(d.claims)
	if err != nil {
		d.tb.Fatalf("authtest: %s: %v", d.what, err)
	}
	return Sign(by, header, d.edit(body))
}

// edit hands the JSON to the Raw options.
func (d *draft) edit(body []byte) string {
	if len(d.raw) == 0 {
		return string(body)
	}
	var fields map[string]any
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	if err := decoder.Decode(&fields); err != nil {
		d.tb.Fatalf("authtest: %s: %v", d.what, err)
	}
	for _, f := range d.raw {
		f(fields)
	}
	body, err := json.Marshal(fields)
	if err != nil {
		d.tb.Fatalf("authtest: %s: %v", d.what, err)
	}
	return string(body)
}

// Sign makes a token of any header and body, for those that no tool would write.
// Neither has to be JSON. It panics if the pair has no private key.
func Sign(by nkeys.KeyPair, header, body string) string {
	text := encode([]byte(header)) + "." + encode([]byte(body))
	sig, err := by.Sign([]byte(text))
	if err != nil {
		panic("authtest: cannot sign: " + err.Error())
	}
	return text + "." + encode(sig)
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
