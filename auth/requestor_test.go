package auth_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/auth/authtest"
	"github.com/natsauth/natsauth/claims"
	"github.com/natsauth/natsauth/nonce"
)

// TestF088Requestor: the account of a service learns which account asks, and the rest where
// the importer shares it; never a token (B8), and nothing that does not end.
func TestF088Requestor(t *testing.T) {
	t.Parallel()
	op := authtest.NewOperator(t)
	account := op.Account("A", authtest.SigningKey("sk"))
	a := authtest.Authorizer(t, op, []*authtest.Account{account})
	parsed, err := claims.ParseAccount(account.Token())
	require.NoError(t, err)
	many := make([]string, 40)
	for i := range many {
		many[i] = fmt.Sprint("tag", i)
	}
	long := strings.Repeat("x", 1000)
	tests := []struct {
		name   string
		user   *authtest.User
		client auth.ClientInfo
		source netip.Addr
		want   func(*auth.Requestor)
	}{
		{"plain", account.User("u"), auth.ClientInfo{}, netip.Addr{}, func(*auth.Requestor) {}},
		{"all there is", account.User("v", authtest.Tags("a", "b"), authtest.SignedBy("sk")), auth.ClientInfo{Name: "till", Lang: "go", Version: "1"}, netip.MustParseAddr("192.0.2.7"), func(r *auth.Requestor) {
			r.Name, r.Lang, r.Version, r.Host, r.Tags = "till", "go", "1", "192.0.2.7", []string{"a", "b"}
			r.Issuer = slices.Collect(maps.Keys(parsed.SigningKeys))[0]
		}},
		{"as many tags as are told", account.User("w", authtest.Tags(many[:32]...)), auth.ClientInfo{}, netip.Addr{}, func(r *auth.Requestor) { r.Tags = many[:32] }},
		{"one tag more", account.User("x", authtest.Tags(many[:33]...)), auth.ClientInfo{}, netip.Addr{}, func(r *auth.Requestor) { r.Tags = many[:32] }},
		{"long names, and lines", account.User("y"), auth.ClientInfo{Name: long, Lang: "a\r\nb", Version: "\x00"}, netip.Addr{}, func(r *auth.Requestor) {
			r.Name, r.Lang, r.Version = long[:256]+"...", `"a\r\nb"`, `"\x00"`
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			creds := tt.user.Credentials(nonce.New())
			creds.Client, creds.Source = tt.client, tt.source
			s, err := a.Connect(t.Context(), creds)
			require.NoError(t, err)
			defer s.Close()
			require.Equal(t, auth.Requestor{Account: account.PublicKey()}, s.Requestor(false))
			want := auth.Requestor{Account: account.PublicKey(), User: tt.user.PublicKey(), Issuer: account.PublicKey(), NameTag: s.User().Name}
			tt.want(&want)
			require.Equal(t, want, s.Requestor(true))
			text, err := json.Marshal(s.Requestor(true))
			require.NoError(t, err)
			require.NotContains(t, string(text), "eyJ")
			require.NotContains(t, string(text), creds.Signature)
		})
	}
	require.Zero(t, new(auth.Session).Requestor(true))
	require.Zero(t, new(auth.Session).Requestor(false))
}
