package vectors_test

import (
	"encoding/base64"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/auth/authtest"
)

// scoped is a user of a signing key whose scope has these options.
func scoped(opts ...authtest.Option) client {
	return plain.accountOf(authtest.Scope("clerk", opts...)).userOf(authtest.SignedBy("clerk"))
}

// stranger signs the nonce with a key that is not the user's.
func (c client) stranger() client {
	return c.with(func(s *scene) {
		s.Client.Signature = authtest.SignNonce(authtest.Key(nkeys.PrefixByteUser, "stranger"), challenge)
	})
}

// bare sets nothing of a grant.
func bare() authtest.Option {
	return authtest.Edit(func(c *jwt.UserClaims) { c.UserPermissionLimits = jwt.UserPermissionLimits{} })
}

// possessionRows are about the signature over the nonce: architecture's step 2.
func possessionRows() []row {
	listed := plain.accountOf(authtest.SigningKey("sk")).userOf(authtest.SignedBy("sk"))
	padded := plain.with(func(s *scene) { s.Client.Signature = restd(s.Client.Signature) })
	ownAccount := plain.userOf(bare(), authtest.Edit(func(c *jwt.UserClaims) { c.IssuerAccount = accountKey("O/A") }))
	none := func(file, rule, title, twin string, c client, s auth.Step) row {
		return refuses(file, rule, title, twin, c.unsigned(), auth.SignatureMissing, s)
	}
	wrong := func(file, rule, title, twin string, c client, s auth.Step) row {
		return refuses(file, rule, title, twin, c.stranger(), auth.SignatureWrong, s)
	}
	return []row{
		none("signature_missing", "B7 F044", "no signature: refused before anybody is asked", "plain", plain, auth.StepPossession),
		wrong("signature_of_other", "B7 F044", "another key's signature: refused before anybody is asked", "plain", plain, auth.StepPossession),
		refuses("signature_over_other", "F044", "a signature over another nonce", "plain",
			plain.with(func(s *scene) { s.Client.Nonce = "c2VzYW1lIG9wZW4" }), auth.SignatureWrong, auth.StepPossession),
		refuses("signature_garbage", "F044", "a signature that is no base64", "plain",
			plain.signature("!signed!"), auth.SignatureMalformed, auth.StepPossession),
		refuses("signature_short", "F044", "a signature of 63 bytes", "plain", plain.with(func(s *scene) {
			raw, err := base64.RawURLEncoding.DecodeString(s.Client.Signature)
			if err != nil {
				panic(err)
			}
			s.Client.Signature = base64.RawURLEncoding.EncodeToString(raw[:63])
		}), auth.SignatureMalformed, auth.StepPossession),
		admits("signature_padded", "F020", "the signature in padded base64", padded),
		refuses("signature_padded_url", "F020", "padding behind the alphabet of URLs", "signature_padded",
			padded.with(func(s *scene) { s.Client.Signature = authtest.SignNonce(s.u.Key(), challenge) + "==" }),
			auth.SignatureMalformed, auth.StepPossession),
		refuses("nonce_missing", "F019", "a broker that gave no nonce", "plain",
			plain.with(func(s *scene) { s.Client.Nonce = "" }), auth.NonceMissing, auth.StepPossession),
		refuses("nonce_short", "F019", "a nonce of 14 characters", "plain",
			plain.with(func(s *scene) { s.Client.Nonce = challenge[:14] }), auth.NonceMissing, auth.StepPossession),
		admits("nonce_long", "F019", "a nonce of 16 characters", plain.with(func(s *scene) {
			s.Client = s.u.Credentials(challenge + "x")
		})),

		admits("bearer", "F021", "a bearer signs nothing", plain.userOf(authtest.Bearer()).unsigned()),
		none("bearer_not", "F021", "the same without the bearer's mark", "bearer", plain, auth.StepPossession),
		admits("bearer_stranger", "F021", "a bearer's signature is not looked at", plain.userOf(authtest.Bearer()).stranger()),
		admits("bearer_without_nonce", "F021", "a bearer needs no nonce",
			plain.userOf(authtest.Bearer()).unsigned().with(func(s *scene) { s.Client.Nonce = "" })),

		admits("scope_bearer", "B7 F021", "the scope makes the user a bearer: known after the look-up", scoped(authtest.Bearer()).unsigned()),
		none("scope_bearer_not", "B7", "the scope does not: refused once that is known", "scope_bearer", scoped(), auth.StepSignature),
		admits("scope_bearer_stranger", "B7", "the scope makes the user a bearer, whose signature is not looked at", scoped(authtest.Bearer()).stranger()),
		wrong("scope_stranger", "B7", "another key's signature, under a scope without bearers", "scope_bearer_stranger", scoped(), auth.StepSignature),
		admits("scope_signed", "B7", "a user of a scope signs the nonce", scoped(), from("account defaults")),
		none("scope_unsigned", "B7", "a user of a scope signs nothing", "scope_signed", scoped(), auth.StepSignature),
		refuses("scope_signature_garbage", "B7", "a user of a scope signs something unreadable", "scope_signed",
			scoped().signature("!signed!"), auth.SignatureMalformed, auth.StepSignature),

		admits("own_account_signed", "B7", "issuer_account is iss, and nothing is granted by the token itself", ownAccount, limits(0, 0)),
		none("own_account_unsigned", "B7", "issuer_account is iss: no scope can excuse it, and nobody is asked", "own_account_signed",
			ownAccount, auth.StepPossession),
		wrong("own_account_stranger", "B7", "issuer_account is iss, and another key signs", "own_account_signed",
			ownAccount, auth.StepPossession),
		admits("signing_key_signed", "B7 F033", "a user of a signing key without a scope", listed),
		none("signing_key_unsigned", "B7", "the token has limits of its own: no scope can excuse it, and nobody is asked", "signing_key_signed",
			listed, auth.StepPossession),
		wrong("signing_key_stranger", "B7", "the same, and another key signs", "signing_key_signed", listed, auth.StepPossession),
		none("bare_unsigned", "B7", "a token without issuer_account and without a grant signs nothing", "bare_signed",
			plain.userOf(bare()), auth.StepPossession),
		admits("bare_signed", "F003", "a token without a grant: no subscriptions, no payload", plain.userOf(bare()), limits(0, 0)),
		none("bare_signing_key_unsigned", "B7", "no grant, and the signing key has no scope that could excuse it", "bare_signing_key_signed",
			listed.userOf(bare()), auth.StepSignature),
		admits("bare_signing_key_signed", "F003", "no grant, and a signing key without a scope", listed.userOf(bare()), limits(0, 0)),
	}
}

// restd spells a signature in padded base64 of the standard alphabet.
func restd(sig string) string {
	raw, err := base64.RawURLEncoding.DecodeString(sig)
	if err != nil {
		panic(err)
	}
	return base64.StdEncoding.EncodeToString(raw)
}

// choiceRows are about which of several tokens counts.
func choiceRows() []row {
	bearer := plain.userOf(authtest.Bearer()).unsigned()
	inPassword := bearer.with(func(s *scene) { s.Client.Password, s.Client.JWT = s.Client.JWT, "" })
	mqtt := inPassword.kind(auth.MQTT)
	guest := func(s *scene, opts ...authtest.Option) *authtest.User { return s.a.User("guest", opts...) }
	// sentinel stands in; the guest is then who is connected.
	sentinel := func(c client) client {
		return c.with(func(s *scene) {
			g := guest(s, authtest.Bearer())
			s.Trust.Sentinel, s.User = g.Token(), g.PublicKey()
		})
	}
	// scopedSentinel is one that the scope has the last word on.
	scopedSentinel := func(opts ...authtest.Option) client {
		return plain.accountOf(authtest.Scope("clerk", opts...)).jwt("").unsigned().with(func(s *scene) {
			g := guest(s, authtest.SignedBy("clerk"))
			s.Trust.Sentinel, s.User = g.Token(), g.PublicKey()
		})
	}
	secret := "correct horse battery staple"
	return []row{
		admits("mqtt_password", "F028", "an MQTT client's token is its password", mqtt),
		admits("mqtt_password_websocket", "F028", "over WebSocket too", inPassword.kind(auth.MQTTWS)),
		refuses("password_elsewhere", "F028 secret-shown", "other clients' passwords are not looked at", "mqtt_password",
			inPassword.kind(auth.Standard), auth.TokenMissing, auth.StepToken),
		refuses("mqtt_password_secret", "F028 secret-shown", "a password that is no token, and is not shown", "mqtt_password",
			mqtt.with(func(s *scene) { s.Client.Password = secret }), auth.TokenMalformed, auth.StepToken),
		admits("mqtt_both", "F028 same-value", "an MQTT client shows two tokens: the password counts", mqtt.with(func(s *scene) {
			s.Client.JWT = guest(s, authtest.Bearer()).Token()
		})),
		admits("mqtt_password_opaque", "F028", "an MQTT client's password is no token: what CONNECT carries counts",
			bearer.kind(auth.MQTT).with(func(s *scene) { s.Client.Password = secret })),
		refuses("mqtt_password_invalid", "F028", "an MQTT client's password is a token that breaks a rule: nothing stands in", "mqtt_password_beside",
			bearer.kind(auth.MQTT).with(func(s *scene) {
				s.Client.Password = s.a.User("u", authtest.Bearer(), authtest.Name("u\n")).Token()
			}), auth.TokenInvalid, auth.StepToken),
		admits("mqtt_password_beside", "F028", "an MQTT client's token, twice",
			bearer.kind(auth.MQTT).with(func(s *scene) { s.Client.Password = s.Client.JWT })),
		admits("password_beside_token", "F028 chosen-account", "a password that is another user's token counts for nothing",
			plain.with(func(s *scene) { s.Client.Password = guest(s, authtest.Bearer()).Token() })),

		admits("sentinel_garbage", "F010 F028", "the sentinel stands in for what is no token", sentinel(plain.jwt("letmein").unsigned())),
		refuses("sentinel_none", "F010 F028", "nothing stands in", "sentinel_garbage",
			plain.jwt("letmein").unsigned(), auth.TokenMalformed, auth.StepToken),
		admits("sentinel_missing", "F010 F028", "the sentinel stands in for no token", sentinel(plain.jwt("").unsigned())),
		refuses("sentinel_none_missing", "F010 no-default-identity", "no token and no sentinel", "sentinel_missing",
			plain.jwt("").unsigned(), auth.TokenMissing, auth.StepToken),
		admits("sentinel_mqtt", "F010 F028", "the sentinel stands in for an opaque MQTT password",
			sentinel(plain.jwt("").unsigned().kind(auth.MQTT).with(func(s *scene) { s.Client.Password = secret }))),
		admits("sentinel_not_needed", "F010 F028", "the sentinel keeps out of the way of a token",
			sentinel(plain).with(func(s *scene) { s.User = s.u.PublicKey() })),
		refuses("sentinel_token_invalid", "F028", "a token that breaks a rule does not become the sentinel", "sentinel_not_needed",
			sentinel(plain.userOf(authtest.Name("u\n"))), auth.TokenInvalid, auth.StepToken),
		refuses("sentinel_token_expired", "F028", "a token that has expired does not become the sentinel", "sentinel_not_needed",
			sentinel(plain.userOf(authtest.Expires(at(0)))), auth.UserExpired, auth.StepValidity),
		refuses("sentinel_unsigned", "F028", "a user that signs nothing does not become the sentinel", "sentinel_not_needed",
			sentinel(plain).unsigned(), auth.SignatureMissing, auth.StepPossession),
		admits("sentinel_scope_bearer", "F010", "a sentinel that its scope makes a bearer", scopedSentinel(authtest.Bearer())),
		refuses("sentinel_scope_no_bearer", "F010", "a sentinel whose scope does not", "sentinel_scope_bearer",
			scopedSentinel(), auth.SignatureMissing, auth.StepSignature),

		admits("client_info", "chosen-account", "what a client says of itself changes nothing", plain.with(func(s *scene) {
			s.Client.Client = auth.ClientInfo{ID: "1", Name: accountKey("O/B"), Lang: "$SYS", Version: s.o.PublicKey()}
		})),
	}
}

// proxyRows are about proxies in between.
func proxyRows() []row {
	trusted := func(c client) client {
		return c.with(func(s *scene) { s.Trust.Proxies = []string{public(proxyKey("near"))} })
	}
	via := func(name string, c client) client {
		return c.with(func(s *scene) { s.Client.ProxySignature = authtest.SignNonce(proxyKey(name), challenge) })
	}
	must, scopeMust := plain.userOf(authtest.ProxyRequired()), scoped(authtest.ProxyRequired())
	return []row{
		admits("proxy", "F027", "through a trusted proxy", trusted(via("near", plain))),
		refuses("proxy_untrusted", "F027", "through a proxy that nobody trusts", "proxy",
			trusted(via("far", plain)), auth.ProxyUntrusted, auth.StepProxy),
		refuses("proxy_garbage", "F027", "a proxy signature that is no base64", "proxy",
			trusted(plain.with(func(s *scene) { s.Client.ProxySignature = "!signed!" })), auth.ProxyUntrusted, auth.StepProxy),
		refuses("proxy_padded", "F027", "a proxy signature in padded base64", "proxy",
			trusted(via("near", plain)).with(func(s *scene) { s.Client.ProxySignature = restd(s.Client.ProxySignature) }),
			auth.ProxyUntrusted, auth.StepProxy),
		admits("proxy_not_looked_at", "F027", "no proxy is trusted: the signature decides nothing", via("far", plain)),
		admits("proxy_required", "F027", "the user must come through a proxy, and does", trusted(via("near", must))),
		refuses("proxy_required_none", "F027", "the user must come through a proxy, and does not", "proxy_required",
			trusted(must), auth.ProxyRequired, auth.StepProxyRequired),
		refuses("proxy_required_untrusted", "F027", "no proxy is trusted, so none is good enough", "proxy_required",
			via("near", must), auth.ProxyRequired, auth.StepProxyRequired),
		admits("scope_proxy_required", "B1 F027", "the scope wants a proxy, and there is one", trusted(via("near", scopeMust))),
		refuses("scope_proxy_required_none", "B1 F027", "the scope wants a proxy, and there is none", "scope_proxy_required",
			trusted(scopeMust), auth.ProxyRequired, auth.StepProxyRequired),
	}
}

func proxyKey(name string) nkeys.KeyPair { return authtest.Key(nkeys.PrefixByteUser, "proxy "+name) }
