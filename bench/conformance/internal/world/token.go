package world

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"
)

// The two headers of tokens.
const (
	header   = `{"typ":"JWT","alg":"ed25519-nkey"}`
	headerV1 = `{"typ":"JWT","alg":"ed25519"}`
)

// Mint writes a token of the second version. The caller has set the type; issuer
// and time of issue are set here.
func Mint(c jwt.Claims, by Key, issued time.Time) string {
	data := c.Claims()
	data.Issuer, data.IssuedAt = by.Public, issued.Unix()
	return Seal(header, must(json.Marshal(c)), by)
}

// Seal writes a token with the header and the content that it is told, signed
// over both.
func Seal(header string, content []byte, by Key) string {
	text := encode([]byte(header)) + "." + encode(content)
	return text + "." + encode(by.Sign([]byte(text)))
}

// SealV1 writes a token as those of the first version are signed: over the
// content alone.
func SealV1(content []byte, by Key) string {
	text := encode(content)
	return encode([]byte(headerV1)) + "." + text + "." + encode(by.Sign([]byte(text)))
}

// Content is what stands in a token, to be read in a report; empty for what is no
// token.
func Content(token string) string {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return ""
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return ""
	}
	return string(text)
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// userKind is what keys of users are.
const userKind = nkeys.PrefixByteUser

func jsonText(v any) ([]byte, error) { return json.Marshal(v) }
