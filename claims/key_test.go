package claims_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/claims"
)

// TestB19KeysOfEveryLength puts keys of 0 to 40 bytes, with the right kind and the right checksum, everywhere that a
// token holds a key: one length is a key.
func TestB19KeysOfEveryLength(t *testing.T) {
	for _, row := range []struct {
		kind, letter, place string
		want                error // nil where the text is free
	}{
		{"operator", "O", `{"iss":"%s"}`, claims.ErrIssuer},
		{"operator", "O", `{"sub":"%s"}`, claims.ErrInvalid},
		{"operator", "O", `{"nats":{"signing_keys":["%s"]}}`, claims.ErrInvalid},
		{"operator", "A", `{"nats":{"system_account":"%s"}}`, claims.ErrInvalid},
		{"account", "O", `{"iss":"%s"}`, claims.ErrIssuer},
		{"account", "A", `{"iss":"%s"}`, claims.ErrIssuer},
		{"account", "A", `{"sub":"%s"}`, claims.ErrInvalid},
		{"account", "A", `{"nats":{"signing_keys":["%s"]}}`, claims.ErrInvalid},
		{"account", "A", `{"nats":{"signing_keys":[{"kind":"user_scope","key":"%s"}]}}`, claims.ErrInvalid},
		{"account", "U", `{"nats":{"authorization":{"auth_users":["%s"]}}}`, claims.ErrInvalid},
		{"account", "A", `{"nats":{"authorization":{"auth_users":["@U1"],"allowed_accounts":["%s"]}}}`, claims.ErrInvalid},
		{"account", "X", `{"nats":{"authorization":{"auth_users":["@U1"],"xkey":"%s"}}}`, claims.ErrInvalid},
		{"account", "A", `{"nats":{"imports":[{"account":"%s","subject":"a","type":"stream"}]}}`, nil}, // finds no exporter, as in the reference
		{"account", "U", `{"nats":{"revocations":{"%s":1}}}`, nil},
		{"account", "A", `{"nats":{"exports":[{"type":"stream","subject":"a","revocations":{"%s":1}}]}}`, nil},
		{"user", "A", `{"iss":"%s"}`, claims.ErrIssuer},
		{"user", "U", `{"sub":"%s"}`, claims.ErrInvalid},
		{"user", "A", `{"nats":{"issuer_account":"%s"}}`, claims.ErrInvalid},
		{"activation", "A", `{"iss":"%s"}`, claims.ErrIssuer},
		{"activation", "O", `{"iss":"%s"}`, claims.ErrIssuer},
		{"activation", "A", `{"sub":"%s"}`, claims.ErrInvalid},
		{"activation", "A", `{"nats":{"issuer_account":"%s"}}`, claims.ErrInvalid},
	} {
		t.Run(row.kind+" "+fmt.Sprintf(row.place, row.letter), func(t *testing.T) {
			raw, err := nkeys.Decode(kinds[row.letter], []byte(public(kinds[row.letter], 2)))
			require.NoError(t, err)
			for n := range 41 {
				key := encodeKey(t, kinds[row.letter], append(raw, raw...)[:n])
				token := mint(t, row.kind, fmt.Sprintf(row.place, key))
				want := row.want
				if n == 32 {
					want = nil
				}
				_, err = parsers[row.kind](t, token)
				require.ErrorIs(t, err, want, "%d bytes", n)
			}
		})
	}
}

func encodeKey(t testing.TB, kind nkeys.PrefixByte, raw []byte) string {
	t.Helper()
	key, err := nkeys.Encode(kind, raw)
	require.NoError(t, err)
	return string(key)
}

// An import from a key of the wrong length stays, but no activation vouches for it.
func TestActivationFromKeyOfWrongLength(t *testing.T) {
	act := mint(t, "activation", `{}`)
	for n := range 41 {
		raw, err := nkeys.Decode(kinds["A"], []byte(public(kinds["A"], 1)))
		require.NoError(t, err)
		key := encodeKey(t, kinds["A"], append(raw, raw...)[:n])
		token := mint(t, "account", fmt.Sprintf(`{"nats":{"imports":[{"account":%q,"subject":"orders.>","type":"stream","token":%q}]}}`, key, act))
		want := claims.ErrInvalid
		if n == 32 {
			want = nil
		}
		_, err = parsers["account"](t, token)
		require.ErrorIs(t, err, want, "%d bytes", n)
	}
}

func TestKeyKinds(t *testing.T) {
	for name, is := range map[string]func(string) bool{"O": claims.IsOperatorKey, "A": claims.IsAccountKey, "U": claims.IsUserKey} {
		for letter, kind := range kinds {
			key := public(kind, 1)
			require.Equal(t, letter == name, is(key), "%s as %s", letter, name)
		}
		key := public(kinds[name], 1)
		for _, bad := range []string{
			"", key[:55], key + "A", key + "=", key + "\n", "\n" + key, key[:20] + "\r\n" + key[20:], key[:20] + "\n" + key[20:55],
			strings.ToLower(key), " " + key, key[:55] + "\x00", key[1:] + key[:1],
		} {
			require.False(t, is(bad), "%q", bad)
		}
		require.False(t, is(encodeKey(t, kinds[name], make([]byte, 32))), "a point of small order")
	}
}
