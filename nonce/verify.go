package nonce

import (
	"crypto/ed25519"
	"encoding/base64"
)

// paddedSize is the number of characters of 64 bytes with padding. The number tells the spelling: without padding they
// are 86, which are never whole groups of four, and 88 characters without padding are 66 bytes. Trying the unpadded form
// first and the padded form on error, as nats-server does, comes to the same.
const paddedSize = 88

// Verify takes the text that was sent to a connection, a public user key (U...) and the signature that came back, and
// gives nil if that key made that signature over that text. It checks, in this order, the text ([ErrNonce]), that there
// is a signature ([ErrNoSignature]), its spelling and length ([ErrEncoding]), the key ([ErrKey]) and the match
// ([ErrMismatch]). Empty arguments are refused.
//
// The spellings of a signature are those of the package documentation. Verify does not know whether the text was used
// for another connection: that is the broker's to prevent.
//
// Behaviour: nats-server v2.15 server/auth.go processClientOrLeafAuthentication.
func Verify(nonce, userKey, sig string) error {
	raw, err := signature(nonce, sig)
	if err != nil {
		return err
	}
	key, err := Key(userKey)
	if err != nil {
		return err
	}
	return match(nonce, key, &raw)
}

// VerifyKey is [Verify] for a key that [Key] gave before. It allocates nothing when it accepts a signature over a text
// of [New]. A key that is not 32 bytes long is [ErrKey]; nothing else about the key is checked again.
func VerifyKey(nonce string, key ed25519.PublicKey, sig string) error {
	raw, err := signature(nonce, sig)
	if err != nil {
		return err
	}
	if len(key) != ed25519.PublicKeySize {
		return ErrKey
	}
	return match(nonce, key, &raw)
}

// VerifyProxy is [Verify] for the signature of a proxy that the broker trusts. The key may be a public key of any kind,
// and the signature is unpadded base64 in the URL alphabet, nothing else. Whether the key is one of those that are
// trusted is the caller's question.
//
// Behaviour: nats-server v2.15 server/auth.go proxyCheck and validateProxies. A key of small order is refused whatever
// its kind.
func VerifyProxy(nonce, proxy, sig string) error {
	raw, err := proxySignature(nonce, sig)
	if err != nil {
		return err
	}
	key, err := ProxyKey(proxy)
	if err != nil {
		return err
	}
	return match(nonce, key, &raw)
}

// match expects a key of the right length: ed25519 panics on any other.
func match(nonce string, key ed25519.PublicKey, sig *[ed25519.SignatureSize]byte) error {
	if !ed25519.Verify(key, []byte(nonce), sig[:]) {
		return ErrMismatch
	}
	return nil
}

// signature decodes either spelling.
func signature(nonce, sig string) ([ed25519.SignatureSize]byte, error) {
	text, size, err := characters(nonce, sig)
	if err != nil {
		return [ed25519.SignatureSize]byte{}, err
	}
	if size == paddedSize {
		return decodeSignature(base64.StdEncoding, text[:size])
	}
	return decodeSignature(base64.RawURLEncoding, text[:size])
}

// proxySignature decodes the unpadded spelling.
func proxySignature(nonce, sig string) ([ed25519.SignatureSize]byte, error) {
	text, size, err := characters(nonce, sig)
	if err != nil {
		return [ed25519.SignatureSize]byte{}, err
	}
	return decodeSignature(base64.RawURLEncoding, text[:size])
}

// characters is the first half of every check: the text, that there is a signature, and that it is not longer than one
// can be. It gives the signature's characters and their number without CR and LF, which base64 skips, so that no
// argument, however long, needs more room than a signature does.
func characters(nonce, sig string) ([paddedSize]byte, int, error) {
	var text [paddedSize]byte
	if len(nonce) < textSize {
		return text, 0, ErrNonce
	}
	if sig == "" {
		return text, 0, ErrNoSignature
	}
	size := 0
	for i := range len(sig) {
		if sig[i] == '\r' || sig[i] == '\n' {
			continue
		}
		if size == paddedSize {
			return text, 0, ErrEncoding
		}
		text[size] = sig[i]
		size++
	}
	return text, size, nil
}

// decodeSignature decodes at most paddedSize characters. The room is what base64 may write for that many, whether they
// turn out to be a signature or not.
func decodeSignature(e *base64.Encoding, text []byte) ([ed25519.SignatureSize]byte, error) {
	var room [paddedSize / 4 * 3]byte
	n, err := e.Decode(room[:], text)
	if err != nil || n != ed25519.SignatureSize {
		return [ed25519.SignatureSize]byte{}, ErrEncoding
	}
	return [ed25519.SignatureSize]byte(room[:n]), nil
}
