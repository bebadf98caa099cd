package claims_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/claims"
)

// allocated is how many bytes f asks for, whether it gives them back or not.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// large repeats a text, with a comma between, until a payload of it makes a token of nearly the largest size.
func large(text string) string {
	n := (claims.MaxTokenSize*3/4 - 2048) / (len(text) + 1)
	return strings.TrimSuffix(strings.Repeat(text+",", n), ",")
}

func numbered(format string) string {
	var b strings.Builder
	for n := 0; b.Len() < claims.MaxTokenSize*3/4-4096; n++ {
		fmt.Fprintf(&b, format+",", n)
	}
	return strings.TrimSuffix(b.String(), ",")
}

// TestB19Memory parses the largest tokens of awkward content: what they cost stays within a fixed multiple of their size.
func TestB19Memory(t *testing.T) {
	const limit = 256 << 20
	deep := strings.TrimSuffix(strings.Repeat("a.", 390_000), ".")
	for _, row := range []struct {
		name, kind, change string
		want               error
	}{
		{"lists in lists", "account", `{"x":` + strings.Repeat("[", 9_000) + strings.Repeat("]", 9_000) + `}`, nil},
		{"lists in lists, too deep for JSON", "account", `{"x":` + strings.Repeat("[", 390_000) + strings.Repeat("]", 390_000) + `}`, claims.ErrMalformed},
		{"maps in maps of a signing key", "account", `{"nats":{"signing_keys":[{"kind":"user_scope","key":"@A1","template":` + strings.Repeat(`{"a":`, 9_000) + "1" + strings.Repeat("}", 9_000) + `}]}}`, nil},
		{"null exports", "account", `{"nats":{"exports":[` + large("null") + `]}}`, claims.ErrInvalid},
		{"null imports", "account", `{"nats":{"imports":[` + large("null") + `]}}`, claims.ErrInvalid},
		{"signing keys that are no keys", "account", `{"nats":{"signing_keys":[` + large("[]") + `]}}`, nil},
		{"empty scopes", "account", `{"nats":{"signing_keys":[` + large(`{"kind":"user_scope"}`) + `]}}`, claims.ErrInvalid},
		{"one subject of many tokens", "account", `{"nats":{"exports":[{"type":"stream","subject":"` + deep + `"}]}}`, nil},
		{"many exports", "account", `{"nats":{"exports":[` + numbered(`{"type":"stream","subject":"a.b.%d"}`) + `]}}`, nil},
		{"many services of one exporter", "account", `{"nats":{"imports":[` + numbered(`{"type":"service","account":"e","subject":"*.%d"}`) + `]}}`, nil},
		{"many mappings", "account", `{"nats":{"mappings":{` + numbered(`"a%d":[]`) + `}}}`, nil},
		{"many tiers", "account", `{"nats":{"limits":{"tiered_limits":{` + numbered(`"a%d":{}`) + `}}}}`, nil},
		{"many revocations", "account", `{"nats":{"revocations":{` + numbered(`"a%d":1`) + `}}}`, nil},
		{"many tags", "user", `{"nats":{"tags":[` + large(`"a"`) + `]}}`, nil},
		{"many times", "user", `{"nats":{"times":[` + large(`{"start":"1:00:00","end":"2:00:00"}`) + `]}}`, nil},
		{"many empty times", "user", `{"nats":{"times":[` + large(`{}`) + `]}}`, claims.ErrInvalid},
		{"many sources", "user", `{"nats":{"src":[` + large(`"::/0"`) + `]}}`, nil},
		{"many bad sources", "user", `{"nats":{"src":[` + large(`""`) + `]}}`, claims.ErrInvalid},
		{"many permissions", "user", `{"nats":{"pub":{"allow":[` + large(`"a"`) + `]}}}`, nil},
		{"many bad permissions", "user", `{"nats":{"pub":{"allow":[` + large(`""`) + `]}}}`, claims.ErrInvalid},
		{"a key of a million letters", "user", `{"sub":"` + strings.Repeat("U", 780_000) + `"}`, claims.ErrInvalid},
		{"a time zone of a million letters", "user", `{"nats":{"times_location":"` + strings.Repeat("Z", 780_000) + `"}}`, claims.ErrInvalid},
		{"many signing keys of an operator", "operator", `{"nats":{"signing_keys":[` + large(`"`+keys()["@O1"]+`"`) + `]}}`, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			token := rawMint(t, row.kind, row.change)
			var err error
			spent := allocated(func() { _, err = parsers[row.kind](t, token) })
			require.ErrorIs(t, err, row.want)
			if err != nil {
				require.Less(t, len(err.Error()), 1024)
			}
			require.Less(t, spent, uint64(limit))
			t.Logf("%d bytes of token, %d allocated", len(token), spent)
		})
	}
}

// rawMint is mint by text, for documents that are deeper than a decoder reads, or long: what comes later in a document
// counts.
func rawMint(t *testing.T, kind, change string) string {
	t.Helper()
	return sign2(t, header2, keys().fill(strings.TrimSuffix(base[kind], "}")+","+change[1:]))
}
