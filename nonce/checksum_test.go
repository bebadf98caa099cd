package nonce_test

import (
	"encoding/base32"
	"testing"

	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"
)

// crc16 is the checksum of a key: CRC-16/XMODEM, polynomial 0x1021, starting at zero.
func crc16(data []byte) uint16 {
	sum := uint16(0)
	for _, b := range data {
		sum ^= uint16(b) << 8
		for range 8 {
			carry := sum&0x8000 != 0
			sum <<= 1
			if carry {
				sum ^= 0x1021
			}
		}
	}
	return sum
}

func base32NoPad(raw []byte) string {
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(raw)
}

// The tables rely on keys whose checksum is right and whose kind is not, so the checksum itself is held to nkeys'.
func TestChecksumIsThatOfKeys(t *testing.T) {
	raw, err := nkeys.Decode(nkeys.PrefixByteUser, []byte(public(t, pair(t, nkeys.PrefixByteUser))))
	require.NoError(t, err)
	body := append([]byte{byte(nkeys.PrefixByteUser)}, raw...)
	sum := crc16(body)
	require.Equal(t, encodeKey(t, nkeys.PrefixByteUser, raw), base32NoPad(append(body, byte(sum), byte(sum>>8))))

	// nkeys.Decode alone takes the odd kind for a user's: the row about it is not empty.
	_, err = nkeys.Decode(nkeys.PrefixByteUser, []byte(oddKind(raw)))
	require.NoError(t, err)
}
