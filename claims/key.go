package claims

import "github.com/nats-io/nkeys"

// keyTextSize is the length of every public key as text: base32 of a prefix
// byte, 32 bytes of key and two of checksum.
const keyTextSize = 56

// isKey says whether s is a public key of one of the kinds, in its one
// spelling. nkeys judges alphabet, checksum, prefix and point; the length is
// ours to check, because base32 decoding skips line breaks and one key would
// have many texts.
func isKey(s string, kinds ...nkeys.PrefixByte) bool {
	if len(s) != keyTextSize {
		return false
	}
	for _, k := range kinds {
		if validKey(s, k) {
			return true
		}
	}
	return false
}

// ofKind is isKey for a text that nkeys has decoded as a public key: what is left
// to ask is its length, and its first letter, which stands for the kind.
func ofKind(public string, kinds ...nkeys.PrefixByte) bool {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567" // of base32, five bits each
	if len(public) != keyTextSize {
		return false
	}
	for _, k := range kinds {
		if public[0] == letters[k>>3] {
			return true
		}
	}
	return false
}

func validKey(s string, kind nkeys.PrefixByte) bool {
	switch kind {
	case nkeys.PrefixByteOperator:
		return nkeys.IsValidPublicOperatorKey(s)
	case nkeys.PrefixByteAccount:
		return nkeys.IsValidPublicAccountKey(s)
	case nkeys.PrefixByteUser:
		return nkeys.IsValidPublicUserKey(s)
	case nkeys.PrefixByteCurve:
		return nkeys.IsValidPublicCurveKey(s)
	default:
		return false
	}
}

// IsOperatorKey says whether s is the public key of an operator (O...), in its
// one spelling: right length, alphabet, checksum and a usable point.
func IsOperatorKey(s string) bool { return isKey(s, nkeys.PrefixByteOperator) }

// IsAccountKey is [IsOperatorKey] for accounts (A...).
func IsAccountKey(s string) bool { return isKey(s, nkeys.PrefixByteAccount) }

// IsUserKey is [IsOperatorKey] for users (U...).
func IsUserKey(s string) bool { return isKey(s, nkeys.PrefixByteUser) }
