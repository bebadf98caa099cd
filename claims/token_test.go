package claims_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/claims"
)

// outcome holds one token to its class and to what the reference says of it: nil is a token that both read.
func outcome(t *testing.T, kind, token string, want error) {
	t.Helper()
	h, err := parsers[kind](t, token)
	if want == nil {
		require.NoError(t, err)
		require.NotZero(t, h.Digest)
		require.NoError(t, reference(kind, token))
		return
	}
	require.ErrorIs(t, err, want)
	require.Error(t, reference(kind, token))
	require.NotContains(t, err.Error(), "eyJ")
}

// sized is a user token of n bytes. Not every n can be had: base64 has no text of length 1 modulo 4.
func sized(t *testing.T, n int) string {
	t.Helper()
	bare := mint(t, "user", `{"name":""}`)
	rest := len(bare) - len(strings.Split(bare, ".")[1])
	payload := base64.RawURLEncoding.DecodedLen(n - rest)
	was := base64.RawURLEncoding.DecodedLen(len(bare) - rest)
	token := mint(t, "user", fmt.Sprintf(`{"name":"%s"}`, strings.Repeat("n", payload-was)))
	require.Len(t, token, n)
	return token
}

func TestSize(t *testing.T) {
	for _, row := range []struct {
		name  string
		token string
		want  error
	}{
		{"a little under", sized(t, claims.MaxTokenSize-3), nil},
		{"at the limit", sized(t, claims.MaxTokenSize), nil},
		{"one byte over", sized(t, claims.MaxTokenSize+1), claims.ErrSize},
		{"over, and a token but for the padding", sized(t, claims.MaxTokenSize) + "\n", claims.ErrSize},
		{"garbage at the limit", strings.Repeat("*", claims.MaxTokenSize), claims.ErrMalformed},
		{"garbage over the limit", strings.Repeat("*", claims.MaxTokenSize+1), claims.ErrSize},
	} {
		t.Run(row.name, func(t *testing.T) {
			outcome(t, "user", row.token, row.want)
			_, err := claims.Canonical(row.token)
			require.ErrorIs(t, err, row.want)
		})
	}
}

// What is too large is not decoded: the refusal costs a small part of what decoding would.
func TestSizeBeforeDecoding(t *testing.T) {
	token := sized(t, claims.MaxTokenSize) + strings.Repeat("A", 1<<20)
	spent := allocated(func() { _, _ = claims.ParseUser(token) })
	require.Less(t, spent, uint64(256<<10))
}

func TestShape(t *testing.T) {
	good := mint(t, "user", "")
	part := strings.Split(good, ".")
	for _, row := range []struct {
		name  string
		token string
		want  error
	}{
		{"a token", good, nil},
		{"nothing", "", claims.ErrMalformed},
		{"one chunk", part[0], claims.ErrMalformed},
		{"two chunks", part[0] + "." + part[1], claims.ErrMalformed},
		{"four chunks", good + ".", claims.ErrMalformed},
		{"four chunks, the first one empty", "." + good, claims.ErrMalformed},
		{"dots only", "..", claims.ErrMalformed},
		{"no header", "." + part[1] + "." + part[2], claims.ErrMalformed},
		{"no claims", part[0] + ".." + part[2], claims.ErrMalformed},
		{"no signature", part[0] + "." + part[1] + ".", claims.ErrSignature},
		{"padded header", part[0] + "==." + part[1] + "." + part[2], claims.ErrMalformed},
		{"padded claims", part[0] + "." + part[1] + "=." + part[2], claims.ErrMalformed},
		{"padded signature", good + "==", claims.ErrMalformed},
		{"standard base64 in the claims", part[0] + ".+/" + part[1][2:] + "." + part[2], claims.ErrMalformed},
		{"space in front", " " + good, claims.ErrMalformed},
		{"space behind", good + " ", claims.ErrMalformed},
		{"line break behind", good + "\r\n", nil},
		{"claims are no JSON", sign2(t, header2, `{"iss":`), claims.ErrMalformed},
		{"claims are a list", sign2(t, header2, `[]`), claims.ErrMalformed},
		{"claims are a number", sign2(t, header2, `1`), claims.ErrMalformed},
		{"claims are null", sign2(t, header2, `null`), claims.ErrKind},
		{"claims are empty", sign2(t, header2, `{}`), claims.ErrKind},
		{"two documents in the claims", sign2(t, header2, patch(t, keys().fill(base["user"]), "")+"{}"), claims.ErrMalformed},
		{"iss of the wrong type", mint(t, "user", `{"iss":1}`), claims.ErrMalformed},
		{"exp of the wrong type", mint(t, "user", `{"exp":"soon"}`), claims.ErrMalformed},
		{"exp is a fraction", mint(t, "user", `{"exp":1.5}`), claims.ErrMalformed},
		{"a limit of the wrong type", mint(t, "user", `{"nats":{"subs":"many"}}`), claims.ErrMalformed},
		{"version of the wrong type", mint(t, "user", `{"nats":{"version":"2"}}`), claims.ErrMalformed},
		{"type of the wrong type", mint(t, "user", `{"nats":{"type":2}}`), claims.ErrMalformed},
		{"top-level type of the wrong type", mint(t, "user", `{"type":2}`), claims.ErrMalformed},
		{"fields that nobody knows", mint(t, "user", `{"x":{"y":[1]},"nats":{"z":null}}`), nil},
	} {
		t.Run(row.name, func(t *testing.T) { outcome(t, "user", row.token, row.want) })
	}
}

func TestHeader(t *testing.T) {
	payload := keys().fill(base["user"])
	for _, row := range []struct {
		header string
		want   error
	}{
		{`{"typ":"JWT","alg":"ed25519-nkey"}`, nil},
		{`{"alg":"ed25519-nkey","typ":"JWT"}`, nil},
		{`{"typ":"jwt","alg":"ed25519-nkey"}`, nil},
		{`{"typ":"Jwt","alg":"ED25519-NKEY"}`, nil},
		{`{"typ":"JWT","alg":"ed25519"}`, nil}, // the algorithm says nothing of the version
		{`{"typ":"JWT","alg":"Ed25519"}`, nil},
		{`{"TYP":"JWT","Alg":"ed25519-nkey"}`, nil},
		{`{"typ":"JWT","alg":"ed25519-nkey","kid":"1","crit":["kid"]}`, nil},
		{`{"typ":"JWT","alg":"none"}`, claims.ErrMalformed},
		{`{"typ":"JWT","alg":"None"}`, claims.ErrMalformed},
		{`{"typ":"JWT","alg":""}`, claims.ErrMalformed},
		{`{"typ":"JWT"}`, claims.ErrMalformed},
		{`{"typ":"JWT","alg":null}`, claims.ErrMalformed},
		{`{"typ":"JWT","alg":"HS256"}`, claims.ErrMalformed},
		{`{"typ":"JWT","alg":"EdDSA"}`, claims.ErrMalformed},
		{`{"typ":"JWT","alg":"ed25519-nkeys"}`, claims.ErrMalformed},
		{`{"typ":"JWT","alg":"ed25519-"}`, claims.ErrMalformed},
		{`{"typ":"JWT","alg":" ed25519-nkey"}`, claims.ErrMalformed},
		{`{"typ":"JWT","alg":["ed25519-nkey"]}`, claims.ErrMalformed},
		{`{"typ":"JWS","alg":"ed25519-nkey"}`, claims.ErrMalformed},
		{`{"typ":"","alg":"ed25519-nkey"}`, claims.ErrMalformed},
		{`{"alg":"ed25519-nkey"}`, claims.ErrMalformed},
		{`{"typ":1,"alg":"ed25519-nkey"}`, claims.ErrMalformed},
		{`{}`, claims.ErrMalformed},
		{`null`, claims.ErrMalformed},
		{`[]`, claims.ErrMalformed},
		{`"JWT"`, claims.ErrMalformed},
		{``, claims.ErrMalformed},
		{`{"typ":"JWT","alg":"ed25519-nkey"`, claims.ErrMalformed},
	} {
		t.Run(row.header, func(t *testing.T) { outcome(t, "user", sign2(t, row.header, payload), row.want) })
	}
}

// A version decides what is signed: a token has to be signed in the way of the version that it says it is.
func TestVersion(t *testing.T) {
	type signing func(t testing.TB, header, payload string) string
	ways := map[string]signing{"v1": sign1, "v2": sign2}
	for _, row := range []struct {
		name   string
		change string
		want   map[string]error
	}{
		{"version 2", `{}`, map[string]error{"v1": claims.ErrSignature}},
		{"no version", `{"nats":{"version":null}}`, map[string]error{"v1": claims.ErrMalformed, "v2": claims.ErrMalformed}},
		{"version 0", `{"nats":{"version":0}}`, map[string]error{"v1": claims.ErrMalformed, "v2": claims.ErrMalformed}},
		{"version -1", `{"nats":{"version":-1}}`, map[string]error{"v1": claims.ErrMalformed, "v2": claims.ErrMalformed}},
		{"version 1 where version 2 keeps it", `{"nats":{"version":1}}`, map[string]error{"v2": claims.ErrSignature}},
		{"version 3", `{"nats":{"version":3}}`, map[string]error{"v1": claims.ErrMalformed, "v2": claims.ErrMalformed}},
		{"version 3 of another kind", `{"nats":{"version":3,"type":"x"}}`, map[string]error{"v1": claims.ErrMalformed, "v2": claims.ErrMalformed}},
		{"top-level type", `{"type":"user"}`, map[string]error{"v2": claims.ErrSignature}},
		{"top-level type, version 3", `{"type":"user","nats":{"version":3}}`, map[string]error{"v2": claims.ErrSignature}},
		{"top-level type, written in capitals", `{"TYPE":"user"}`, map[string]error{"v2": claims.ErrSignature}},
		{"top-level type, empty", `{"type":""}`, map[string]error{"v1": claims.ErrSignature}},
		{"top-level type of another kind", `{"type":"account"}`, map[string]error{"v1": claims.ErrKind, "v2": claims.ErrKind}},
	} {
		for way, sign := range ways {
			t.Run(row.name+", signed as "+way, func(t *testing.T) {
				token := sign(t, header2, patch(t, keys().fill(base["user"]), row.change))
				outcome(t, "user", token, row.want[way])
			})
		}
	}
}

func TestKind(t *testing.T) {
	each(func(is string) {
		each(func(wanted string) {
			want := claims.ErrKind
			if is == wanted {
				want = nil
			}
			t.Run(is+" as "+wanted, func(t *testing.T) {
				outcome(t, wanted, mint(t, is, ""), want)
				outcome(t, wanted, mint1(t, is, ""), want)
			})
		})
		for _, other := range []string{"", "generic", "User", "server", "cluster", "authorization_request", "authorization_response"} {
			t.Run(fmt.Sprintf("%q as %s", other, is), func(t *testing.T) {
				outcome(t, is, mint(t, is, fmt.Sprintf(`{"nats":{"type":%q}}`, other)), claims.ErrKind)
				if other != "" {
					outcome(t, is, mint1(t, is, fmt.Sprintf(`{"type":%q}`, other)), claims.ErrKind)
				}
			})
		}
	})
}

func TestSignature(t *testing.T) {
	each(func(kind string) {
		for version, token := range []string{mint1(t, kind, ""), mint(t, kind, "")} {
			part := strings.Split(token, ".")
			body, sig := decoded(t, part[1]), decoded(t, part[2])
			spell := func(header, body, sig string) string { return b64(header) + "." + b64(body) + "." + b64(sig) }
			header := decoded(t, part[0])
			otherHeader := []error{nil, claims.ErrSignature}[version]
			for _, row := range []struct {
				name  string
				token string
				want  error
			}{
				{"as it was made", token, nil},
				{"body changed", spell(header, strings.Replace(body, "1000", "1001", 1), sig), claims.ErrSignature},
				{"body with a space more", spell(header, body+" ", sig), claims.ErrSignature},
				{"body spelled with a line break", part[0] + ".\n" + part[1] + "." + part[2], claims.ErrSignature},
				{"another header that is fine", spell(`{"typ":"JWT","alg":"ed25519" }`, body, sig), otherHeader},
				{"header spelled with a line break", part[0] + "\n." + part[1] + "." + part[2], otherHeader},
				{"first bit of the signature", spell(header, body, flip(sig, 0)), claims.ErrSignature},
				{"last bit of the signature", spell(header, body, flip(sig, len(sig)-1)), claims.ErrSignature},
				{"signature of another token", spell(header, body, decoded(t, strings.Split(mint(t, kind, `{"iat":1}`), ".")[2])), claims.ErrSignature},
				{"signature of zeros", spell(header, body, strings.Repeat("\x00", 64)), claims.ErrSignature},
				{"signature one byte short", spell(header, body, sig[:63]), claims.ErrSignature},
				{"signature one byte long", spell(header, body, sig+"\x00"), claims.ErrSignature},
				{"signature twice", spell(header, body, sig+sig), claims.ErrSignature},
				{"no signature", spell(header, body, ""), claims.ErrSignature},
			} {
				t.Run(fmt.Sprintf("%s, version %d, %s", kind, version+1, row.name), func(t *testing.T) {
					outcome(t, kind, row.token, row.want)
				})
			}
		}
	})
}

// flip changes one bit of the byte at i.
func flip(s string, i int) string {
	return s[:i] + string([]byte{s[i] ^ 1}) + s[i+1:]
}

func decoded(t *testing.T, chunk string) string {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(chunk)
	require.NoError(t, err)
	return string(raw)
}

// Each kind has its issuers, whatever good signature another key makes.
func TestIssuer(t *testing.T) {
	allowed := map[string]string{"operator": "O", "account": "OA", "user": "A", "activation": "OA"}
	each(func(kind string) {
		for letter := range kinds {
			want := error(nil)
			switch {
			case letter == "X": // no key of ours signs with it
				want = claims.ErrSignature
			case !strings.Contains(allowed[kind], letter):
				want = claims.ErrIssuer
			}
			t.Run(kind+" of "+letter, func(t *testing.T) {
				change := fmt.Sprintf(`{"iss":"@%s2"}`, letter)
				outcome(t, kind, mint(t, kind, change), want)
				outcome(t, kind, mint1(t, kind, change), want)
			})
		}
		for name, iss := range map[string]string{
			"missing": `null`, "empty": `""`, "a word": `"me"`, "a seed": `"SUAPTAQ2PPNNWC34T32LB22LR5DUL2ZW6T3XI45INNDQLCZ25AGEHSU4FQ"`,
			"in small letters": `"` + strings.ToLower(keys()["@A0"]) + `"`,
		} {
			t.Run(kind+" of an issuer that is "+name, func(t *testing.T) {
				outcome(t, kind, mint(t, kind, `{"iss":`+iss+`}`), claims.ErrIssuer)
			})
		}
	})
}

// A key has one spelling. The reference reads line breaks inside of it; to us it is another text, and nobody's.
func TestIssuerSpelledOtherwise(t *testing.T) {
	r := keys()
	payload := r.fill(strings.Replace(base["user"], `"@A0"`, `"\n@A0"`, 1))
	text := b64(header2) + "." + b64(payload)
	sig, err := pair(kinds["A"], 0).Sign([]byte(text))
	require.NoError(t, err)
	token := text + "." + b64(string(sig))

	require.NoError(t, reference("user", token))
	_, err = parsers["user"](t, token)
	require.ErrorIs(t, err, claims.ErrIssuer)
}
