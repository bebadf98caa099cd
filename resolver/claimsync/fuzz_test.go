package claimsync_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth/authtest"
	"github.com/natsauth/natsauth/claims"
	"github.com/natsauth/natsauth/resolver/resolvertest"
)

// vouched asserts that a store holds nothing that nobody vouches for, and still the system account.
func (n *node) vouched(r realm) {
	n.t.Helper()
	keys := resolvertest.Accounts(n.t, n.store)
	require.Contains(n.t, keys, r.system.PublicKey())
	for _, key := range keys {
		token, err := n.store.Resolve(n.t.Context(), key)
		require.NoError(n.t, err)
		_, err = n.authorizer.Vouch(token)
		require.NoError(n.t, err)
	}
}

// FuzzUpdate: whatever is pushed is answered once, without a token in the answer, and changes the store only if somebody
// vouches for it.
func FuzzUpdate(f *testing.F) {
	r := newRealm(f)
	newer := r.a.Renew()
	for _, text := range []string{
		newer.Token(), r.b.Token(), resolvertest.Respelt(newer.Token()), r.stranger.Token(), r.a.User("u").Token(), r.operator.Token(),
		newer.Token()[:100], "", "..", "\x00", "A|" + r.a.Token(),
	} {
		f.Add(text, true)
		f.Add(text, false)
	}
	f.Fuzz(func(t *testing.T, text string, named bool) {
		synctest.Test(t, func(t *testing.T) {
			n := r.node(t, new(resolvertest.Bus))
			n.hold(r.a)
			to := updates
			if named {
				to = update(r.a)
			}
			got := n.one(to, text)
			a, err := n.authorizer.Vouch(text)
			if err != nil || named && a.Key != r.a.PublicKey() {
				requireHidden(t, got.description(t))
				n.holds(r.system, r.a)
				return
			}
			n.vouched(r)
		})
	})
}

// FuzzPack: whatever another node sends, the exchange ends well, and the store holds nothing that nobody vouches for and
// nothing older than before.
func FuzzPack(f *testing.F) {
	r := newRealm(f)
	newer := r.a.Renew()
	for _, text := range []string{
		line(newer), line(r.a), line(newer) + "\n" + line(r.b), "\n\n" + line(r.b) + "\n", line(r.stranger), r.b.PublicKey() + "|" + newer.Token(),
		"", "|", "||", "\n|\n", newer.PublicKey() + "|", line(newer) + "|", "A|..", line(newer)[:200],
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		synctest.Test(t, func(t *testing.T) {
			bus := new(resolvertest.Bus)
			n := r.node(t, bus)
			n.hold(r.a, r.c)
			peer(t, bus, text, "")
			got, err := n.Exchange(t.Context())
			require.NoError(t, err)
			n.vouched(r)
			if got.Changed == 0 {
				n.holds(r.system, r.a, r.c)
			}
			if !strings.Contains(text, "|") {
				require.Zero(t, got.Changed+got.Same+got.Older+got.Refused)
			}
			requireHidden(t, n.log.String())
		})
	})
}

// FuzzDelete: whatever is sent, and whatever the operator signs, is answered once; what is deleted is what a request asks
// that is good by its text alone, and never the system account.
func FuzzDelete(f *testing.F) {
	r := newRealm(f)
	good := deletion(f, r.operator.Key(), []string{r.a.PublicKey()})
	const body = `{"iss":"@O","sub":"@O","iat":1767614400,"nats":{"accounts":["@A"]}}`
	for _, payload := range []string{
		body, `{}`, `null`, `{"nats":null}`, `{"iss":"@O","sub":"@O","nats":{"accounts":null}}`, strings.Replace(body, "@A", "@S", 1),
		strings.Replace(body, `"@A"`, `null`, 1), strings.Replace(body, `"iat"`, `"exp"`, 1), strings.Replace(body, "1767614400", "-9223372036854775808", 1),
	} {
		f.Add(good, payload)
		f.Add("x", payload)
	}
	keys := strings.NewReplacer("@O", r.operator.PublicKey(), "@A", r.a.PublicKey(), "@S", r.system.PublicKey())
	f.Fuzz(func(t *testing.T, text, payload string) {
		synctest.Test(t, func(t *testing.T) {
			for _, request := range []string{text, authtest.Sign(r.operator.Key(), `{"typ":"JWT","alg":"ed25519-nkey"}`, keys.Replace(payload))} {
				n := r.node(t, new(resolvertest.Bus))
				n.hold(r.a, r.b)
				got := n.one(deletes, request)
				n.vouched(r)
				if got.Error != nil {
					requireHidden(t, got.description(t))
					n.holds(r.system, r.a, r.b)
					continue
				}
				d, err := claims.ParseDeletion(request)
				require.NoError(t, err)
				require.True(t, d.SelfSigned())
				require.True(t, n.authorizer.Administers(d.Issuer))
				for _, key := range d.Accounts {
					require.NotContains(t, resolvertest.Accounts(t, n.store), key)
				}
			}
		})
	})
}
