package nonce

import (
	"crypto/ed25519"

	"github.com/nats-io/nkeys"
)

// publicSize is the length of every public key's text: kind, 32 bytes and checksum are 35 bytes, 56 characters of
// base32 with no bit to spare. Holding to it leaves each key one spelling, since base32 skips CR and LF.
const publicSize = 56

// Key decodes the text of a public user key (U...) for [VerifyKey]. The kind, the length and the checksum have to be
// right and the point must not be one of small order, under which anyone can sign; all else is [ErrKey]. A key has one
// spelling: line breaks inside it are refused. The result belongs to the caller.
//
// Behaviour: nkeys v0.4 IsValidPublicUserKey, and the length of the text besides.
func Key(userKey string) (ed25519.PublicKey, error) {
	if len(userKey) != publicSize || !nkeys.IsValidPublicUserKey(userKey) {
		return nil, ErrKey
	}
	return decode(nkeys.PrefixByteUser, userKey)
}

// ProxyKey decodes the text of a proxy's public key, of any kind that nkeys knows: nats-server v2.15 server/auth.go
// validateProxies asks for no particular one. Length, checksum and point are judged as by [Key]; what is wrong is
// [ErrKey]. The result belongs to the caller.
func ProxyKey(text string) (ed25519.PublicKey, error) {
	if len(text) != publicSize || !nkeys.IsValidPublicKey(text) {
		return nil, ErrKey
	}
	key, err := decode(nkeys.Prefix(text), text)
	if err != nil || smallOrder(key) {
		return nil, ErrKey
	}
	return key, nil
}

func decode(kind nkeys.PrefixByte, text string) (ed25519.PublicKey, error) {
	raw, err := nkeys.Decode(kind, []byte(text))
	if err != nil || len(raw) != ed25519.PublicKeySize {
		return nil, ErrKey
	}
	return raw, nil
}

// smallOrder reports a point under which anyone can sign. nkeys refuses those for all kinds but curve keys, so the
// question is asked for another kind.
func smallOrder(key ed25519.PublicKey) bool {
	text, err := nkeys.Encode(nkeys.PrefixByteServer, key)
	return err != nil || !nkeys.IsValidPublicServerKey(string(text))
}
