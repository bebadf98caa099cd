// Package world makes what the benchmarks measure with: an operator, an account
// and users, with tokens as the usual tools write them. What cannot be made is a
// bug here, and panics.
package world

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/nonce"
	"github.com/natsauth/natsauth/resolver"
)

// World is one operator with one account. The account has a scoped signing key.
// It may be used by several goroutines.
type World struct {
	OperatorToken, AccountToken string
	AccountKey                  string
	operator, account, role     nkeys.KeyPair
}

// New makes a world.
func New() *World {
	operator, account, role := must(nkeys.CreateOperator()), must(nkeys.CreateAccount()), must(nkeys.CreateAccount())
	w := &World{AccountKey: must(account.PublicKey()), operator: operator, account: account, role: role}
	oc := jwt.NewOperatorClaims(must(operator.PublicKey()))
	oc.Name = "bench"
	w.OperatorToken = must(oc.Encode(operator))
	w.AccountToken = w.Account(func(*jwt.AccountClaims) {})
	return w
}

// Account makes a token of the account.
func (w *World) Account(change func(*jwt.AccountClaims)) string {
	ac := jwt.NewAccountClaims(w.AccountKey)
	ac.Name = "BENCH"
	ac.SigningKeys.AddScopedSigner(scope(must(w.role.PublicKey())))
	change(ac)
	return must(ac.Encode(w.operator))
}

// scope is a role with a template of four functions and six entries.
func scope(key string) *jwt.UserScope {
	s := jwt.NewUserScope()
	s.Key, s.Role = key, "sensor"
	s.Template.Pub.Allow.Add("readings.{{name()}}.>", "status.{{tag(site)}}.{{name()}}", "audit.{{account-name()}}.*")
	s.Template.Sub.Allow.Add("commands.{{subject()}}.>", "_INBOX.{{subject()}}.>", "site.{{tag(site)}}.>")
	return s
}

// Authorizer decides for the world; cached is Bounds.CachedBytes.
func (w *World) Authorizer(cached int) *auth.Authorizer {
	return must(auth.New(auth.Config{
		Trust:    auth.Trust{Operators: []string{w.OperatorToken}},
		Resolver: must(resolver.NewMemory(w.AccountToken)),
		Bounds:   auth.Bounds{CachedBytes: cached},
	}))
}

// User is a client: its token, and the key that it signs with.
type User struct {
	Token, Key string
	private    ed25519.PrivateKey
}

// Option changes a user's claims before they are signed.
type Option func(*jwt.UserClaims)

// Bearer makes a user who needs no signature over a nonce.
func Bearer(c *jwt.UserClaims) { c.BearerToken = true }

// Subjects gives a user n permission subjects, half of them to publish to and
// half to subscribe to, in a different order for every user.
func Subjects(n int) Option {
	publish, subscribe := Rules((n+1)/2), Rules(n/2)
	return func(c *jwt.UserClaims) {
		c.Pub.Allow = shuffled(publish)
		c.Sub.Allow = shuffled(subscribe)
	}
}

func shuffled(list []string) []string {
	out := make([]string, len(list))
	for i, j := range rand.Perm(len(list)) {
		out[i] = list[j]
	}
	return out
}

// Expires gives a user's token an end, in seconds since 1970.
func Expires(at int64) Option { return func(c *jwt.UserClaims) { c.Expires = at } }

// User makes a user that the account's own key signed. Without options it has no
// permissions of its own.
func (w *World) User(options ...Option) User {
	return w.issue(w.account, func(c *jwt.UserClaims) {
		for _, o := range options {
			o(c)
		}
	})
}

// Scoped makes a user of the role.
func (w *World) Scoped() User {
	return w.issue(w.role, func(c *jwt.UserClaims) {
		c.IssuerAccount = w.AccountKey
		c.SetScoped(true)
		c.Tags.Add("site:north")
	})
}

func (w *World) issue(by nkeys.KeyPair, change func(*jwt.UserClaims)) User {
	public, private, err := ed25519.GenerateKey(nil)
	key := string(must(nkeys.Encode(nkeys.PrefixByteUser, must(public, err))))
	c := jwt.NewUserClaims(key)
	c.Name = "client-" + key[1:9]
	change(c)
	return User{Token: must(c.Encode(by)), Key: key, private: private}
}

// Sign signs a nonce as the client does.
func (u User) Sign(text string) string {
	return base64.RawURLEncoding.EncodeToString(ed25519.Sign(u.private, []byte(text)))
}

// Credentials are the user's for one connection: a fresh nonce, signed.
func (u User) Credentials() auth.Credentials {
	text := nonce.New()
	c := u.Unproven()
	c.Nonce, c.Signature = text, u.Sign(text)
	return c
}

// Unproven are credentials without a signature, as bearers have them. The token is
// a text of its own every time, as it is when it comes from a connection: equal
// texts in one place would compare too fast.
func (u User) Unproven() auth.Credentials {
	return auth.Credentials{JWT: strings.Clone(u.Token), ConnectionType: auth.Standard, Source: netip.AddrFrom4([4]byte{127, 0, 0, 1})}
}

// Rules are n permission entries: literal, with `*` and with `>` in turn.
func Rules(n int) []string {
	out := make([]string, n)
	for i := range out {
		switch i % 3 {
		case 0:
			out[i] = fmt.Sprintf("app.%d.orders.created", i)
		case 1:
			out[i] = fmt.Sprintf("app.%d.orders.*", i)
		default:
			out[i] = fmt.Sprintf("app.%d.>", i)
		}
	}
	return out
}

// Rotation is how many subjects the checks go through.
const Rotation = 1 << 16

// Messages are Rotation subjects, of which about four in ten match one of n
// [Rules]; the others differ from them in the second token or in the last.
func Messages(n int) []string {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	out := make([]string, Rotation)
	for i := range out {
		out[i] = fmt.Sprintf("app.%d.orders.%s", r.IntN(2*n), [...]string{"created", "deleted"}[r.IntN(2)])
	}
	return out
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
