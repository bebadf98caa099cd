package vectors_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/auth/authtest"
)

// plain is the client of most rows: signed by its account, restricted by nothing.
var plain client

// header is that of the tokens of the kit.
const header = `{"typ":"JWT","alg":"ed25519-nkey"}`

// body gives the JSON of a token's claims.
func body(token string) string {
	text, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		panic(err)
	}
	return string(text)
}

// respell changes the text of the client's token.
func respell(f func(token string) string) client {
	return plain.with(func(s *scene) { s.Client.JWT = f(s.Client.JWT) })
}

// headed gives the client's token another header.
func headed(h string) client {
	return plain.with(func(s *scene) { s.Client.JWT = authtest.Sign(s.a.Key(), h, body(s.Client.JWT)) })
}

// renamed changes a claim of a token and leaves the signature as it was.
func renamed(token string) string {
	parts := strings.Split(token, ".")
	text := strings.Replace(body(token), `"name":"u"`, `"name":"root"`, 1)
	return parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(text)) + "." + parts[2]
}

// tampered turns one bit of the signature.
func tampered(token string) string {
	dot := strings.LastIndexByte(token, '.')
	sig, err := base64.RawURLEncoding.DecodeString(token[dot+1:])
	if err != nil {
		panic(err)
	}
	sig[0] ^= 1
	return token[:dot+1] + base64.RawURLEncoding.EncodeToString(sig)
}

// nats changes a field of the token's own part.
func nats(field string, value any) authtest.Option {
	return authtest.Raw(func(c map[string]any) { c["nats"].(map[string]any)[field] = value })
}

// claim changes a field of what all tokens have.
func claim(field string, value any) authtest.Option {
	return authtest.Raw(func(c map[string]any) { c[field] = value })
}

// short is a public key of 31 bytes with a right checksum.
func short(kind nkeys.PrefixByte) string {
	text, err := nkeys.Encode(kind, make([]byte, 31))
	if err != nil {
		panic(err)
	}
	return string(text)
}

// public is the text of a public key.
func public(pair nkeys.KeyPair) string {
	key, err := pair.PublicKey()
	if err != nil {
		panic(err)
	}
	return key
}

// accountKey is the public key of an account that is not in the chain.
func accountKey(path string) string { return public(authtest.Key(nkeys.PrefixByteAccount, path)) }

// bytesOf bounds tokens by the size of the user's, which is longer than the
// account's.
func bytesOf(n func(*scene) int) client {
	return plain.userOf(authtest.Tags(strings.Repeat("long", 100))).with(func(s *scene) { s.TokenBytes = n(s) })
}

// tokenRows are about what the client shows, before anything is believed of it.
func tokenRows() []row {
	ownSize := func(s *scene) int { return len(s.Client.JWT) }
	long := func(n int) client {
		return plain.jwt(strings.Repeat("x", n)).with(func(s *scene) { s.TokenBytes = 1000 })
	}
	return []row{
		admits("plain", "F001 F020 F029 F030", "a user signed by its account signs the nonce", plain,
			from("account defaults"), limits(-1, -1), publishes("orders.new"), subscribes("orders.>", "orders.> workers")),
		refuses("token_missing", "F028 no-default-identity", "no token: nobody is connected by default", "plain",
			plain.jwt(""), auth.TokenMissing, auth.StepToken),

		admits("token_bytes_before", "B18", "a byte less than allowed",
			bytesOf(func(s *scene) int { return ownSize(s) + 1 })),
		admits("token_bytes_at", "B18", "as many bytes as allowed", bytesOf(ownSize)),
		refuses("token_bytes_over", "B18", "a byte more than allowed", "token_bytes_at",
			bytesOf(func(s *scene) int { return ownSize(s) - 1 }), auth.TokenTooLarge, auth.StepToken),
		refuses("token_size_first", "B18 size-first", "what is too large is not even taken apart", "token_size_first_twin",
			long(1001), auth.TokenTooLarge, auth.StepToken),
		admits("token_size_first_twin", "B18", "a token within the same bound", plain.with(func(s *scene) { s.TokenBytes = 1000 })),

		refuses("token_garbage", "F001", "a word for a token", "plain", plain.jwt("letmein"), auth.TokenMalformed, auth.StepToken),
		refuses("token_seed", "F001 B8", "a seed where the token belongs", "plain",
			plain.with(func(s *scene) { s.Client.JWT = seed(s.u.Key()) }), auth.TokenMalformed, auth.StepToken),
		refuses("token_two_chunks", "F001", "a token without its signature chunk", "plain",
			respell(func(t string) string { return t[:strings.LastIndexByte(t, '.')] }), auth.TokenMalformed, auth.StepToken),
		refuses("token_four_chunks", "F001", "a token with a chunk too many", "plain",
			respell(func(t string) string { return t + ".e30" }), auth.TokenMalformed, auth.StepToken),
		refuses("token_padded", "F001", "a signature in padded base64", "plain",
			respell(func(t string) string { return t + "==" }), auth.TokenMalformed, auth.StepToken),
		refuses("token_decorated", "F001", "a creds file in place of its token", "plain",
			respell(func(t string) string { return "-----BEGIN NATS USER JWT-----" + t + "------END NATS USER JWT------" }),
			auth.TokenMalformed, auth.StepToken),
		refuses("token_alg_none", "F001", "a header that wants no signature", "plain",
			headed(`{"typ":"JWT","alg":"none"}`), auth.TokenMalformed, auth.StepToken),
		refuses("token_alg_other", "F001", "a header of another algorithm", "plain",
			headed(`{"typ":"JWT","alg":"HS256"}`), auth.TokenMalformed, auth.StepToken),
		refuses("token_typ_other", "F001", "a header of another type", "plain",
			headed(`{"typ":"JWS","alg":"ed25519-nkey"}`), auth.TokenMalformed, auth.StepToken),
		admits("token_header_case", "F001", "the header in other letters", headed(`{"alg":"ED25519-NKEY","typ":"jwt"}`)),
		admits("token_alg_old", "F001", "the older name of the algorithm", headed(`{"typ":"JWT","alg":"ed25519"}`)),
		refuses("token_version_3", "F001", "a version of the format that is not known yet", "plain",
			plain.userOf(nats("version", 3)), auth.TokenMalformed, auth.StepToken),
		refuses("token_wrong_type", "F001 null-objects", "a number where a list belongs", "plain",
			plain.userOf(nats("tags", 7)), auth.TokenMalformed, auth.StepToken),
		refuses("token_nats_null", "F001 null-objects", "null where the user's own claims belong", "plain",
			plain.userOf(claim("nats", nil)), auth.TokenKind, auth.StepToken),
		admits("token_pub_null", "F001 null-objects", "null where permissions belong: none are set", plain.userOf(nats("pub", nil)),
			publishes("orders.new")),
		admits("version_1", "F002", "a token of version 1, which has no limits where it names none", versionOne(),
			limits(-1, -1)),
		refuses("version_1_signature", "F002", "version 1, signed as version 2 is", "version_1",
			versionOne().with(func(s *scene) { s.Client.JWT = authtest.Sign(s.a.Key(), headerOne, body(s.Client.JWT)) }),
			auth.TokenSignature, auth.StepToken),

		refuses("token_of_account", "F001", "a token that says it is an account's", "plain",
			plain.userOf(nats("type", "account")), auth.TokenKind, auth.StepToken),
		refuses("token_of_operator", "F001", "a token that says it is an operator's", "plain",
			plain.userOf(nats("type", "operator")), auth.TokenKind, auth.StepToken),
		refuses("token_of_activation", "F001", "a token that says it is an activation", "plain",
			plain.userOf(nats("type", "activation")), auth.TokenKind, auth.StepToken),
		refuses("token_of_nothing", "F001", "a token that says it is something else", "plain",
			plain.userOf(nats("type", "cluster")), auth.TokenKind, auth.StepToken),

		refuses("token_signature_tampered", "F001", "a bit of the token's signature turned", "plain",
			respell(tampered), auth.TokenSignature, auth.StepToken),
		refuses("token_body_tampered", "F001", "another name under the same signature", "plain",
			respell(renamed), auth.TokenSignature, auth.StepToken),
		refuses("token_signature_empty", "F001", "no signature", "plain",
			respell(func(t string) string { return t[:strings.LastIndexByte(t, '.')+1] }), auth.TokenSignature, auth.StepToken),
		refuses("token_signature_of_other", "F001", "signed by another key than the one in iss", "plain",
			plain.with(func(s *scene) { s.Client.JWT = authtest.Sign(s.o.Key(), header, body(s.Client.JWT)) }),
			auth.TokenSignature, auth.StepToken),
		refuses("token_issuer_operator", "F004", "issued by the operator itself", "plain",
			plain.with(func(s *scene) {
				s.Client.JWT = s.a.User("u", authtest.SignedByKey(s.o.Key())).Token()
			}), auth.TokenSignature, auth.StepToken),
		refuses("token_issuer_user", "F004", "issued by the user itself", "plain",
			plain.with(func(s *scene) {
				s.Client.JWT = s.a.User("u", authtest.SignedByKey(s.u.Key())).Token()
			}), auth.TokenSignature, auth.StepToken),
		refuses("token_issuer_short", "F004 B19 key-length", "an issuer of 31 bytes with a right checksum", "plain",
			plain.userOf(claim("iss", short(nkeys.PrefixByteAccount))), auth.TokenSignature, auth.StepToken),
	}
}

// headerOne is that of tokens of version 1.
const headerOne = `{"typ":"jwt","alg":"ed25519"}`

// versionOne signs the claims alone.
func versionOne() client {
	return plain.with(func(s *scene) {
		text, err := json.Marshal(map[string]any{
			"iat": at(-3600).Unix(), "iss": s.a.PublicKey(), "sub": s.u.PublicKey(), "name": "u", "type": "user",
			"nats": map[string]any{},
		})
		if err != nil {
			panic(err)
		}
		chunk := base64.RawURLEncoding.EncodeToString(text)
		sig, err := s.a.Key().Sign([]byte(chunk))
		if err != nil {
			panic(err)
		}
		encode := base64.RawURLEncoding.EncodeToString
		s.Client.JWT = encode([]byte(headerOne)) + "." + chunk + "." + encode(sig)
	})
}

func seed(pair nkeys.KeyPair) string {
	text, err := pair.Seed()
	if err != nil {
		panic(err)
	}
	return string(text)
}

// contentRows are about tokens that can be read and break a rule.
func contentRows() []row {
	invalid := func(file, rule, title, twin string, opts ...authtest.Option) row {
		return refuses(file, rule, title, twin, plain.userOf(opts...), auth.TokenInvalid, auth.StepToken)
	}
	signed := plain.accountOf(authtest.SigningKey("sk")).userOf(authtest.SignedBy("sk"))
	return []row{
		invalid("sub_account", "F029", "sub is an account", "plain", claim("sub", accountKey("O/A"))),
		invalid("sub_missing", "F029 null-objects", "sub is not there", "plain", claim("sub", nil)),
		invalid("sub_short", "F029 B19 key-length", "sub is a key of 31 bytes with a right checksum", "plain", claim("sub", short(nkeys.PrefixByteUser))),
		invalid("sub_small_order", "F029 B19", "sub is a point under which anybody can sign", "plain", claim("sub", smallOrder(nkeys.PrefixByteUser))),
		admits("issuer_account", "F030 F033", "signed by a signing key, for the account that lists it", signed),
		refuses("issuer_account_short", "F030 B19 key-length", "issuer_account is a key of 31 bytes", "issuer_account",
			signed.userOf(nats("issuer_account", short(nkeys.PrefixByteAccount))), auth.TokenInvalid, auth.StepToken),
		refuses("issuer_account_user", "F030", "issuer_account is a user", "issuer_account",
			signed.with(func(s *scene) {
				s.Client.JWT = s.a.User("u", authtest.SignedBy("sk"), nats("issuer_account", s.u.PublicKey())).Token()
			}), auth.TokenInvalid, auth.StepToken),

		invalid("name_line_break", "line-breaks", "a line break in the name", "plain", authtest.Name("u\r\nu")),
		admits("tags", "F029", "tags", plain.userOf(authtest.Tags("team:a"))),
		invalid("tag_line_break", "line-breaks", "a line break in a tag", "tags", authtest.Tags("team:a\nteam:b")),

		admits("permission", "F056", "one subject to publish to", plain.userOf(authtest.PubAllow("orders.new")),
			from("token"), publishes("orders.new"), publishesNot("orders", "orders.old", "orders.new.x")),
		invalid("permission_line_break", "line-breaks", "a line break in a permission", "permission", authtest.PubAllow("orders.new\r\nPUB x 0")),
		invalid("permission_empty_token", "F029 F055", "an empty token in a permission", "permission", authtest.PubAllow("orders..new")),
		invalid("permission_publish_queue", "F029", "a queue group where one publishes", "permission", authtest.PubAllow("orders.new workers")),
		admits("permission_queue", "F062", "a queue group where one subscribes", plain.userOf(authtest.SubAllow("orders.new workers")),
			subscribes("orders.new workers"), subscribesNot("orders.new", "orders.new others")),
		invalid("permission_two_queues", "F029", "two queue groups in one permission", "permission_queue", authtest.SubAllow("orders.new workers others")),

		invalid("sources_unreadable", "F029", "an address range that is none", "source_inside", authtest.Sources("127.0.0.0/33")),
		invalid("times_unreadable", "F029", "an hour that is none", "hours_inside", authtest.Times("08:00:00", "24:00:00")),
		invalid("times_half", "F029 null-objects", "a span without an end", "hours_inside", authtest.Times("08:00:00", "")),
		invalid("locale_unknown", "F029", "a time zone that nobody knows", "hours_locale",
			authtest.Times("08:00:00", "17:00:00"), authtest.Locale("Mars/Olympus_Mons")),
		admits("hours_locale", "F047", "hours in a time zone of their own",
			plain.userOf(authtest.Times("08:00:00", "17:00:00"), authtest.Locale("Europe/Berlin")), expires(at(4*3600))),

		admits("limits_absent", "F003", "no limits named: nothing is allowed", plain.userOf(authtest.Edit(func(c *jwt.UserClaims) {
			c.Limits = jwt.Limits{}
		}), authtest.PubAllow("orders.new")), limits(0, 0), from("token")),

		admits("sub_twice", "same-value", "sub stands twice: the later one is checked, and used", subTwice()),
		refuses("sub_twice_first", "same-value", "sub stands twice, and the first one signs", "sub_twice",
			subTwice().with(func(s *scene) {
				s.Client.Signature = authtest.SignNonce(s.a.User("first").Key(), challenge)
			}), auth.SignatureWrong, auth.StepPossession),
	}
}

// subTwice names another user before the one that counts.
func subTwice() client {
	return plain.with(func(s *scene) {
		text := `{"sub":"` + s.a.User("first").PublicKey() + `",` + body(s.Client.JWT)[1:]
		s.Client.JWT = authtest.Sign(s.a.Key(), header, text)
	})
}

// smallOrder is the public key that is the neutral point.
func smallOrder(kind nkeys.PrefixByte) string {
	point := make([]byte, 32)
	point[0] = 1
	text, err := nkeys.Encode(kind, point)
	if err != nil {
		panic(err)
	}
	return string(text)
}
