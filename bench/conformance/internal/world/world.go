package world

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"github.com/natsauth/natsauth/bench/conformance/internal/peer"
)

// World is an operator with a system account, and what was added to it. It is for
// one goroutine.
type World struct {
	Rand *rand.Rand
	Now  time.Time // whole seconds; the moment of making

	Operator *jwt.OperatorClaims
	Identity Key   // of the operator
	Signers  []Key // that sign accounts, beside or, under strict signing keys, in place of Identity
	System   *Account

	// Lines are added to the configuration as they are.
	Lines []string
	// Trusted, if set, names the keys that sign accounts in place of the operator's
	// token.
	Trusted bool

	preload map[string]string
	others  []string // further operators' tokens
}

// New makes a world. The operator's claims are changed by the options before
// anything is signed.
func New(seed uint64, options ...func(*jwt.OperatorClaims)) *World {
	r := rand.New(rand.NewPCG(seed, 0x6e61747361757468))
	w := &World{Rand: r, Now: time.Now().Truncate(time.Second), preload: map[string]string{}}
	w.Identity = newKey(r, nkeys.PrefixByteOperator)
	w.Signers = []Key{newKey(r, nkeys.PrefixByteOperator)}
	w.Operator = jwt.NewOperatorClaims(w.Identity.Public)
	w.Operator.Name, w.Operator.Type, w.Operator.Version = "conformance", jwt.OperatorClaim, 2
	w.Operator.SigningKeys = jwt.StringList{w.Signers[0].Public}
	w.System = w.NewAccount("SYS")
	w.Operator.SystemAccount = w.System.Key.Public
	for _, o := range options {
		o(w.Operator)
	}
	w.System.By = w.AccountSigner()
	w.System.Admit()
	return w
}

// AccountSigner is a key of the operator that may sign accounts.
func (w *World) AccountSigner() Key {
	if w.Operator.StrictSigningKeyUsage || w.Rand.IntN(2) == 0 {
		return w.Signers[w.Rand.IntN(len(w.Signers))]
	}
	return w.Identity
}

// NewKey derives the next key of a kind.
func (w *World) NewKey(kind nkeys.PrefixByte) Key { return newKey(w.Rand, kind) }

// Trust adds another operator.
func (w *World) Trust(token string) { w.others = append(w.others, token) }

// Preload puts a token into the configuration's resolver_preload, under a key that
// need not be the token's.
func (w *World) Preload(key, token string) { w.preload[key] = token }

// OperatorToken is the operator's token.
func (w *World) OperatorToken() string { return Mint(w.Operator, w.Identity, w.Now.Add(-time.Hour)) }

// Config is the text of the configuration, with the accounts in memory.
func (w *World) Config() string {
	var b strings.Builder
	w.anchors(&b)
	fmt.Fprintf(&b, "system_account: %s\nresolver: MEMORY\nresolver_preload {\n", w.System.Key)
	for _, key := range slices.Sorted(maps.Keys(w.preload)) {
		fmt.Fprintf(&b, "  %s: %s\n", key, w.preload[key])
	}
	b.WriteString("}\n")
	for _, l := range w.Lines {
		b.WriteString(l + "\n")
	}
	return b.String()
}

// anchors writes whom the server trusts.
func (w *World) anchors(b *strings.Builder) {
	if w.Trusted {
		fmt.Fprintf(b, "trusted_keys: [%s, %s]\n", w.Identity, w.Signers[0])
		return
	}
	fmt.Fprintf(b, "operator: [%s]\n", strings.Join(append([]string{w.OperatorToken()}, w.others...), ", "))
}

// Account is an account that is being made: change its claims, then [Account.Admit]
// it.
type Account struct {
	World  *World
	Key    Key
	By     Key // the operator's key that signs it
	Claims *jwt.AccountClaims
	Issued time.Time
	Token  string // set by Admit
}

// NewAccount makes an account that is not in the configuration yet.
func (w *World) NewAccount(name string) *Account {
	k := newKey(w.Rand, nkeys.PrefixByteAccount)
	c := jwt.NewAccountClaims(k.Public)
	c.Name, c.Type, c.Version = name, jwt.AccountClaim, 2
	return &Account{World: w, Key: k, Claims: c, By: w.Identity, Issued: w.Now.Add(-time.Hour)}
}

// Account makes an account and puts it into the configuration.
func (w *World) Account(name string, options ...func(*jwt.AccountClaims)) *Account {
	a := w.NewAccount(name)
	a.By = w.AccountSigner()
	for _, o := range options {
		o(a.Claims)
	}
	a.Admit()
	return a
}

// Admit signs the account and puts it into the configuration, in place of what was
// there of it.
func (a *Account) Admit() {
	a.Token = Mint(a.Claims, a.By, a.Issued)
	a.World.Preload(a.Key.Public, a.Token)
}

// SigningKey adds a signing key without a scope. Admit the account afterwards.
func (a *Account) SigningKey() Key {
	k := newKey(a.World.Rand, nkeys.PrefixByteAccount)
	a.Claims.SigningKeys.Add(k.Public)
	return k
}

// Role adds a scoped signing key. Admit the account afterwards.
func (a *Account) Role(options ...func(*jwt.UserScope)) Key {
	k := newKey(a.World.Rand, nkeys.PrefixByteAccount)
	s := jwt.NewUserScope()
	s.Key, s.Role = k.Public, "role"
	for _, o := range options {
		o(s)
	}
	a.Claims.SigningKeys.AddScopedSigner(s)
	return k
}

// NewUser gives claims for a user of the account and its key. A user of a signing
// key names the account; one of a scoped key has no grants.
func (a *Account) NewUser(name string, by Key) (*jwt.UserClaims, Key) {
	k := newKey(a.World.Rand, nkeys.PrefixByteUser)
	c := jwt.NewUserClaims(k.Public)
	c.Name, c.Type, c.Version = name, jwt.UserClaim, 2
	if by.Public != a.Key.Public {
		c.IssuerAccount = a.Key.Public
	}
	if scope, _ := a.Claims.SigningKeys.GetScope(by.Public); scope != nil {
		c.SetScoped(true)
	}
	return c, k
}

// User makes a user that a key of the account signs.
func (a *Account) User(name string, by Key, options ...func(*jwt.UserClaims)) peer.User {
	c, k := a.NewUser(name, by)
	for _, o := range options {
		o(c)
	}
	return peer.User{JWT: Mint(c, by, a.World.Now.Add(-time.Minute)), Seed: k.Seed()}
}

// Anchored is the text of a configuration with another resolver; only the system
// account is preloaded.
func (w *World) Anchored(resolver string) string {
	var b strings.Builder
	w.anchors(&b)
	fmt.Fprintf(&b, "system_account: %s\n%s\nresolver_preload { %s: %s }\n", w.System.Key, resolver, w.System.Key, w.System.Token)
	b.WriteString(strings.Join(w.Lines, "\n") + "\n")
	return b.String()
}

// Tokens are the account tokens of the configuration.
func (w *World) Tokens() []string { return slices.Collect(maps.Values(w.preload)) }
