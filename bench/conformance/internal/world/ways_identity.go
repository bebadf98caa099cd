package world

import (
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"github.com/natsauth/natsauth/bench/conformance/internal/peer"
)

func itoa(i int) string { return strconv.Itoa(i) }

var (
	f019 = []string{"F019", "F020"}
	f020 = []string{"F020"}
	f021 = []string{"F021"}
	f023 = []string{"F023", "F024"}
	f025 = []string{"F025"}
	f027 = []string{"F027"}
	f028 = []string{"F028", "F010"}
	f029 = []string{"F029"}
	f030 = []string{"F030"}
	f031 = []string{"F031"}
	f044 = []string{"F044"}
)

func nothing(*draft) {}

// plainWays are clients about whom nothing is special.
var plainWays = []way{
	{"user", f019, nothing},
	{"tags", f020, func(d *draft) { d.user.Tags = jwt.TagList{"Team:Red", "site:north"} }},
	{"no name", f020, func(d *draft) { d.user.Name = "" }},
	{"unknown fields", f020, func(d *draft) { d.change(func(m map[string]any) { m["more"] = map[string]any{"x": 1} }) }},
}

// proxySign adds a signature over a text by a key, as a proxy does.
func (d *draft) proxySign(by Key, text func(nonce string) string, enc *base64.Encoding) {
	d.options = append(d.options, func(c *peer.Client, o map[string]any) {
		o["proxy_sig"] = enc.EncodeToString(by.Sign([]byte(text(c.Info().Nonce))))
	})
}

func same(text string) string    { return text }
func another(text string) string { return "not " + text }

// proxyWays are clients behind a proxy, or that should be.
var proxyWays = []way{
	{"trusted", f027, func(d *draft) { d.proxySign(d.proxy, same, base64.RawURLEncoding) }},
	{"trusted and required", f027, func(d *draft) {
		d.user.ProxyRequired = true
		d.proxySign(d.proxy, same, base64.RawURLEncoding)
	}},
	{"required", f027, func(d *draft) { d.user.ProxyRequired = true }},
	{"required by scope", f027, func(d *draft) {
		d.issueBy(d.account.Role(func(s *jwt.UserScope) { s.Template.ProxyRequired = true }))
	}},
	{"required by scope and trusted", f027, func(d *draft) {
		d.issueBy(d.account.Role(func(s *jwt.UserScope) { s.Template.ProxyRequired = true }))
		d.proxySign(d.proxy, same, base64.RawURLEncoding)
	}},
	{"unknown key", f027, func(d *draft) { d.proxySign(d.NewKey(nkeys.PrefixByteServer), same, base64.RawURLEncoding) }},
	{"other text", f027, func(d *draft) { d.proxySign(d.proxy, another, base64.RawURLEncoding) }},
	{"padded", f027, func(d *draft) { d.proxySign(d.proxy, same, base64.StdEncoding) }},
	{"garbage", f027, func(d *draft) {
		d.options = append(d.options, func(_ *peer.Client, o map[string]any) { o["proxy_sig"] = "%%%" })
	}},
}

// raw replaces the whole token.
func raw(make func(d *draft) string) func(*draft) {
	return func(d *draft) { d.token = func() string { return make(d) } }
}

// tokenWays are what may stand in CONNECT.jwt.
var tokenWays = []way{
	{"none", f028, raw(func(*draft) string { return "" })},
	{"garbage", f028, raw(func(*draft) string { return "garbage" })},
	{"three chunks", f028, raw(func(*draft) string { return "a.b.c" })},
	{"empty chunks", f028, raw(func(*draft) string { return ".." })},
	{"account token", f028, raw(func(d *draft) string { return Mint(d.account.Claims, d.account.By, d.Now) })},
	{"operator token", f028, raw(func(d *draft) string { return d.OperatorToken() })},
	{"activation token", f028, raw(activation)},
	{"truncated", f028, mangled(func(t string) string { return t[:len(t)-4] })},
	{"padded", f028, mangled(func(t string) string { return t + "=" })},
	{"white space", f028, mangled(func(t string) string { return " " + t })},
	{"line end", f028, mangled(func(t string) string { return t + "\n" })},
	{"line break", f028, mangled(func(t string) string { return t[:80] + "\r\n" + t[80:] })},
	{"four chunks", f028, mangled(func(t string) string { return t + ".x" })},
	{"changed content", f028, mangled(func(t string) string {
		parts := strings.Split(t, ".")
		return parts[0] + "." + encode([]byte(Content(t)+" ")) + "." + parts[2]
	})},
	{"lower case type", f028, func(d *draft) { d.header = `{"typ":"jwt","alg":"ed25519-nkey"}` }},
	{"upper case algorithm", f028, func(d *draft) { d.header = `{"typ":"JWT","alg":"ED25519-NKEY"}` }},
	{"old algorithm", f028, func(d *draft) { d.header = headerV1 }},
	{"no algorithm", f028, func(d *draft) { d.header = `{"typ":"JWT","alg":"none"}` }},
	{"no type", f028, func(d *draft) { d.header = `{"alg":"ed25519-nkey"}` }},
	{"newer version", f028, nats("version", 3)},
	{"no version", f028, func(d *draft) { d.change(func(m map[string]any) { delete(field(m, "nats"), "version") }) }},
	{"version null", f028, nats("version", nil)},
	{"type unknown", f028, nats("type", "guest")},
	{"type missing", f028, func(d *draft) { d.change(func(m map[string]any) { delete(field(m, "nats"), "type") }) }},
	{"nats null", f028, func(d *draft) { d.change(func(m map[string]any) { m["nats"] = nil }) }},
	{"subject missing", f028, func(d *draft) { d.change(func(m map[string]any) { delete(m, "sub") }) }},
	{"subject an account", f044, func(d *draft) { d.user.Subject = d.account.Key.Public }},
	{"subject an account, bearer", f021, func(d *draft) { d.user.Subject, d.user.BearerToken = d.account.Key.Public, true }},
	{"issuer an operator", f028, func(d *draft) { d.by = d.Identity }},
	{"issuer a user", f028, func(d *draft) { d.by = d.key }},
	{"first version", f028, raw(firstVersion)},
	{"long", f028, func(d *draft) {
		for i := range 150 {
			d.user.Pub.Allow.Add("probe.long." + strings.Repeat("x", 20) + itoa(i))
		}
	}},
}

func mangled(f func(string) string) func(*draft) { return func(d *draft) { d.mangle = f } }

// nats sets a field of the part of the claims that is called nats.
func nats(key string, value any) func(*draft) {
	return func(d *draft) { d.change(func(m map[string]any) { field(m, "nats")[key] = value }) }
}

func field(m map[string]any, key string) map[string]any {
	out, _ := m[key].(map[string]any)
	return out
}

func activation(d *draft) string {
	c := jwt.NewActivationClaims(d.account.Key.Public)
	c.Type, c.Version, c.ImportSubject, c.ImportType = jwt.ActivationClaim, 2, "probe", jwt.Stream
	return Mint(c, d.by, d.Now)
}

// firstVersion is a user token as tools of the first version wrote them.
func firstVersion(d *draft) string {
	return SealV1(must(json.Marshal(map[string]any{
		"jti": "x", "iat": d.issued.Unix(), "iss": d.by.Public, "sub": d.key.Public, "name": d.user.Name,
		"type": "user", "issuer_account": d.user.IssuerAccount,
		"nats": map[string]any{"pub": map[string]any{"allow": []string{"probe.>", "$SYS.REQ.USER.INFO"}}, "sub": map[string]any{}},
	})), d.by)
}

// validityWays are clients within their time and outside.
var validityWays = []way{
	{"ends in an hour", f029, ends(time.Hour)},
	{"ends in a minute", f029, ends(time.Minute)},
	{"ended an hour ago", f029, ends(-time.Hour)},
	{"ended just now", f029, ends(-3 * time.Second)},
	{"began an hour ago", f029, begins(-time.Hour)},
	{"begins in an hour", f029, begins(time.Hour)},
	{"began and ends", f029, func(d *draft) { begins(-time.Hour)(d); ends(time.Hour)(d) }},
	{"end negative", f029, func(d *draft) {
		d.user.Expires, d.script = -1, linger
		d.facts.EndNegative = true
	}},
	{"begin negative", f029, func(d *draft) { d.user.NotBefore = -1 }},
	{"issued ahead", f029, func(d *draft) { d.issued = d.Now.Add(time.Hour) }},
	{"issued at zero", f029, func(d *draft) { d.issued = time.Unix(0, 0) }},
}

func ends(in time.Duration) func(*draft) {
	return func(d *draft) { d.user.Expires = d.Now.Add(in).Unix() }
}

func begins(in time.Duration) func(*draft) {
	return func(d *draft) { d.user.NotBefore = d.Now.Add(in).Unix() }
}

// claimsWays are users whose claims break a rule, or nearly.
var claimsWays = []way{
	{"empty subject", f029, func(d *draft) { d.user.Pub.Allow.Add("") }},
	{"leading dot", f029, func(d *draft) { d.user.Pub.Allow.Add(".a") }},
	{"empty token", f029, func(d *draft) { d.user.Sub.Deny.Add("a..b") }},
	{"queue to publish", f029, func(d *draft) { d.user.Pub.Allow.Add("a q") }},
	{"queue to subscribe", f029, func(d *draft) { d.user.Sub.Allow.Add("probe.queue workers", "conformance.>") }},
	{"two spaces", f029, func(d *draft) { d.user.Sub.Allow.Add("a q r") }},
	{"bad address", f029, func(d *draft) { d.user.Src.Add("127.0.0.1") }},
	{"bad hour", f029, func(d *draft) { d.user.Times = []jwt.TimeRange{{Start: "25:00:00", End: "26:00:00"}} }},
	{"half an hour", f029, func(d *draft) { d.user.Times = []jwt.TimeRange{{Start: "10:00:00"}} }},
	{"bad zone", f029, func(d *draft) { d.user.Locale = "Nowhere/Land" }},
	{"account id no key", f029, func(d *draft) { d.user.IssuerAccount = "nobody" }},
	{"account id a user", f029, func(d *draft) { d.user.IssuerAccount = d.key.Public }},
	{"wildcard inside", f029, func(d *draft) { d.user.Pub.Allow.Add("probe.>", "a.>.b", "$SYS.REQ.USER.INFO") }},
}

// pinnedWays are clients of accounts that are pinned or not, and of accounts that
// are named in one way or the other.
var pinnedWays = []way{
	{"pinned", []string{"F015", "F030"}, nothing},
	{"not pinned", []string{"F015"}, func(d *draft) { d.unpin = true }},
	{"own key and named", f030, func(d *draft) { d.issueBy(d.account.Key); d.user.IssuerAccount = d.account.Key.Public }},
	{"signing key unnamed", f030, func(d *draft) { d.issueBy(d.account.SigningKey()); d.user.IssuerAccount = "" }},
	{"another account named", f030, func(d *draft) {
		other := d.Account("NAMED" + itoa(len(d.Clients)))
		d.pins = append(d.pins, other.Key.Public)
		d.user.IssuerAccount = other.Key.Public
	}},
}

// accountWays are accounts that are in force, or not.
var accountWays = []way{
	{"unknown", f031, func(d *draft) { d.listed = false }},
	{"ends later", f031, func(d *draft) { d.account.Claims.Expires = d.Now.Add(time.Hour).Unix() }},
	{"ended", []string{"F031", "F041"}, func(d *draft) { d.account.Claims.Expires = d.Now.Add(-time.Hour).Unix() }},
	{"began", f031, func(d *draft) { d.account.Claims.NotBefore = d.Now.Add(-time.Hour).Unix() }},
	{"begins later", f031, func(d *draft) {
		d.account.Claims.NotBefore = d.Now.Add(time.Hour).Unix()
		d.facts.AccountNotYet = true
	}},
	{"issued ahead", f031, func(d *draft) {
		d.account.Issued = d.Now.Add(time.Hour)
		d.facts.AccountAhead = time.Hour
	}},
	{"issued a little ahead", f031, func(d *draft) { d.account.Issued = d.Now.Add(time.Minute) }},
	{"foreign", f031, func(d *draft) { d.account.By = d.foreign() }},
	{"self-signed", f031, func(d *draft) { d.account.By = d.account.Key }},
	{"by the identity", []string{"F031", "F013"}, func(d *draft) { d.account.By = d.Identity }},
	{"by a signing key", []string{"F031", "F013"}, func(d *draft) { d.account.By = d.Signers[0] }},
	{"by the second operator", f031, func(d *draft) {
		if d.second {
			d.account.By = d.more
		}
	}},
	{"under another key", f031, func(d *draft) {
		d.as = d.NewKey(nkeys.PrefixByteAccount).Public
		d.user.IssuerAccount = d.as
		d.pins = append(d.pins, d.as)
	}},
	{"invalid import", f031, func(d *draft) { d.account.Claims.Imports = jwt.Imports{{Subject: "a..b", Type: jwt.Stream}} }},
	{"invalid mapping", f031, func(d *draft) {
		d.account.Claims.Mappings = jwt.Mapping{"a": {{Subject: "b", Weight: 80}, {Subject: "c", Weight: 80}}}
	}},
	{"no limits at all", []string{"F031", "F049"}, func(d *draft) { d.account.Claims.Limits = jwt.OperatorLimits{} }},
}

// signerWays are users signed by one key or another.
var signerWays = []way{
	{"account key", []string{"F033", "F014"}, func(d *draft) { d.issueBy(d.account.Key) }},
	{"account key and named", []string{"F033", "F014"}, func(d *draft) { d.issueBy(d.account.Key); d.user.IssuerAccount = d.account.Key.Public }},
	{"signing key", []string{"F033", "F014"}, func(d *draft) { d.issueBy(d.account.SigningKey()) }},
	{"third signing key", []string{"F033"}, func(d *draft) {
		d.account.SigningKey()
		d.account.SigningKey()
		d.issueBy(d.account.SigningKey())
	}},
	{"foreign key", []string{"F033"}, func(d *draft) {
		by := d.NewKey(nkeys.PrefixByteAccount)
		d.issueBy(by)
		d.user.IssuerAccount = d.account.Key.Public
	}},
	{"key of another account", []string{"F033"}, func(d *draft) {
		other := d.Account("SIGNER" + itoa(len(d.Clients)))
		d.issueBy(other.Key)
		d.user.IssuerAccount = d.account.Key.Public
	}},
	{"removed signing key", []string{"F033"}, func(d *draft) {
		by := d.account.SigningKey()
		d.issueBy(by)
		d.account.Claims.SigningKeys.Remove(by.Public)
		d.account.SigningKey()
	}},
	{"role", []string{"F033", "F034"}, func(d *draft) { d.issueBy(d.account.Role()) }},
}

// bearerWays are users that need no proof, or claim so.
var bearerWays = []way{
	{"no signature", f021, func(d *draft) { d.user.BearerToken, d.signed = true, false }},
	{"any signature", f021, func(d *draft) { d.user.BearerToken = true; d.signWith(func(string) string { return "garbage" }) }},
	{"not allowed", []string{"F042"}, func(d *draft) { d.user.BearerToken = true; d.account.Claims.Limits.DisallowBearer = true }},
	{"not allowed, signed", []string{"F042"}, func(d *draft) { d.account.Claims.Limits.DisallowBearer = true }},
	{"scope", f021, func(d *draft) {
		d.issueBy(d.account.Role(func(s *jwt.UserScope) { s.Template.BearerToken = true }))
		d.signed = false
	}},
	{"scope, wrong signature", f021, func(d *draft) {
		d.issueBy(d.account.Role(func(s *jwt.UserScope) { s.Template.BearerToken = true }))
		d.signWith(func(string) string { return "garbage" })
	}},
	{"scope, not allowed", []string{"F042"}, func(d *draft) {
		d.issueBy(d.account.Role(func(s *jwt.UserScope) { s.Template.BearerToken = true }))
		d.account.Claims.Limits.DisallowBearer = true
	}},
	{"scope of none", []string{"F021", "F044"}, func(d *draft) { d.issueBy(d.account.Role()); d.signed = false }},
}

// signWith has the client send a text in place of its signature.
func (d *draft) signWith(f func(good string) string) {
	d.sign = func(c *peer.Client, u peer.User) (string, error) {
		good, err := u.Sign(c.Info().Nonce)
		return f(good), err
	}
}

// encoded has the client write its signature in another alphabet.
func (d *draft) encoded(enc *base64.Encoding) {
	d.sign = func(c *peer.Client, u peer.User) (string, error) {
		sig, err := u.Signature(c.Info().Nonce)
		return enc.EncodeToString(sig), err
	}
}

// telling signatures show which alphabet they are written in; neutral ones read
// the same in both.
func telling(sig string) bool { return strings.ContainsAny(sig, "+/") }
func neutral(sig string) bool { return !telling(sig) }

// over has the client sign another text.
func (d *draft) over(f func(nonce string) string) {
	d.sign = func(c *peer.Client, u peer.User) (string, error) { return u.Sign(f(c.Info().Nonce)) }
}

// signatureWays are the ways in which a nonce is signed.
var signatureWays = []way{
	{"base64url", f020, func(d *draft) { d.encoded(base64.RawURLEncoding) }},
	{"base64 padded", f020, func(d *draft) { d.encoded(base64.StdEncoding) }},
	{"base64url padded", f020, func(d *draft) { d.encoded(base64.URLEncoding); d.wanted = telling }},
	{"base64 raw", f020, func(d *draft) { d.encoded(base64.RawStdEncoding); d.wanted = telling }},
	{"base64 padded, telling", f020, func(d *draft) { d.encoded(base64.StdEncoding); d.wanted = telling }},
	{"base64url padded, either alphabet", f020, func(d *draft) { d.encoded(base64.URLEncoding); d.wanted = neutral }},
	{"base64 raw, either alphabet", f020, func(d *draft) { d.encoded(base64.RawStdEncoding); d.wanted = neutral }},
	{"hexadecimal", f044, func(d *draft) { d.signWith(func(string) string { return strings.Repeat("ab", 64) }) }},
	{"line break", f020, func(d *draft) { d.signWith(func(good string) string { return good[:40] + "\r\n" + good[40:] }) }},
	{"white space", f044, func(d *draft) { d.signWith(func(good string) string { return good + " " }) }},
	{"missing", f044, func(d *draft) { d.signed = false }},
	{"empty", f044, func(d *draft) { d.signWith(func(string) string { return "" }) }},
	{"garbage", f044, func(d *draft) { d.signWith(func(string) string { return "%%" }) }},
	{"short", f044, func(d *draft) { d.signWith(func(good string) string { return good[:40] }) }},
	{"another key", f044, func(d *draft) { d.key = d.NewKey(nkeys.PrefixByteUser) }},
	{"another nonce", f044, func(d *draft) { d.over(another) }},
	{"decoded nonce", f044, func(d *draft) {
		d.over(func(n string) string {
			text, _ := base64.RawURLEncoding.DecodeString(n)
			return string(text)
		})
	}},
}
