package nonce

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/nats-io/nkeys"
)

const (
	rawSize  = 11 // random bytes in a text: nats-server v2.15 server/nkey.go nonceRawLen
	textSize = 15 // characters that they become: nonceLen there
)

var (
	// ErrNonce says that the text to be signed is empty or shorter than the 15 characters of [New]: too short to be
	// unique, and so no proof of anything.
	ErrNonce = errors.New("nonce: text is empty or too short")

	// ErrNoSignature says that there is no signature at all.
	ErrNoSignature = errors.New("nonce: signature is missing")

	// ErrEncoding says that the signature is not 64 bytes in an accepted spelling of base64.
	ErrEncoding = errors.New("nonce: signature is not base64 of 64 bytes")

	// ErrKey says that the key is not a public key of the kind that was asked for.
	ErrKey = errors.New("nonce: key is not valid here")

	// ErrMismatch says that the key did not make the signature over the text.
	ErrMismatch = errors.New("nonce: signature does not match")
)

// New gives the text that one connection's client has to sign: 11 bytes of crypto/rand as 15 characters of unpadded
// base64 in the URL alphabet. A text must never be reused for another connection; the broker keeps it for the life of
// the connection it was made for.
//
// Behaviour: nats-server v2.15 server/nkey.go generateNonce.
func New() string {
	var raw [rawSize]byte
	rand.Read(raw[:]) // never fails: crypto/rand ends the program rather than return an error
	return base64.RawURLEncoding.EncodeToString(raw[:])
}

// Sign signs the text of a connection for a client. It takes the text as it stood in INFO and the user's key pair, and
// gives the signature in unpadded base64 in the URL alphabet, ready for CONNECT. It signs the characters of the text,
// not the bytes they encode.
//
// A text that [Verify] would refuse is [ErrNonce]. A nil key pair, one of another kind than user, and one that holds no
// private key are [ErrKey].
func Sign(nonce string, user nkeys.KeyPair) (string, error) {
	if len(nonce) < textSize {
		return "", ErrNonce
	}
	if err := isUser(user); err != nil {
		return "", err
	}
	sig, err := user.Sign([]byte(nonce))
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrKey, err)
	}
	return base64.RawURLEncoding.EncodeToString(sig), nil
}

func isUser(pair nkeys.KeyPair) error {
	if pair == nil {
		return ErrKey
	}
	public, err := pair.PublicKey()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrKey, err)
	}
	_, err = Key(public)
	return err
}
