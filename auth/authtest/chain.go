package authtest

import (
	"context"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/resolver"
)

// Operator is an operator with its token. Make one with [NewOperator].
type Operator struct {
	tb    testing.TB
	path  string
	pair  nkeys.KeyPair
	keys  signers
	token string
}

// NewOperator makes an operator. What is wrong with the options ends the test.
func NewOperator(tb testing.TB, opts ...Option) *Operator {
	tb.Helper()
	d := newDraft(tb, "an operator", "O", opts)
	pair := Key(nkeys.PrefixByteOperator, d.path)
	c := jwt.NewOperatorClaims(public(pair))
	c.Type, c.Version, c.Name, c.IssuedAt = jwt.OperatorClaim, 2, "O", issued().Unix()
	d.claims = c
	d.finish(opts)
	return &Operator{tb: tb, path: d.path, pair: pair, keys: d.keys, token: d.token(d.signer(pair, d.keys).pair)}
}

// Token is the operator's token.
func (o *Operator) Token() string { return o.token }

// Key is the operator's identity key.
func (o *Operator) Key() nkeys.KeyPair { return o.pair }

// PublicKey is the text of the public part of [Operator.Key].
func (o *Operator) PublicKey() string { return public(o.pair) }

// Account is an account with its token. Make one with [Operator.Account].
type Account struct {
	operator *Operator
	name     string
	opts     []Option
	path     string
	pair     nkeys.KeyPair
	keys     signers
	issued   time.Time
	token    string
}

// Account makes an account that is signed by the operator. It has no limits but
// those that the options set. The same name gives the same account.
func (o *Operator) Account(name string, opts ...Option) *Account {
	o.tb.Helper()
	d := newDraft(o.tb, "the account "+name, o.path+"/"+name, opts)
	pair := Key(nkeys.PrefixByteAccount, d.path)
	c := jwt.NewAccountClaims(public(pair))
	c.Type, c.Version, c.Name, c.IssuedAt = jwt.AccountClaim, 2, name, issued().Unix()
	d.claims = c
	d.finish(opts)
	return &Account{
		operator: o, name: name, opts: opts, path: d.path, pair: pair, keys: d.keys,
		issued: time.Unix(c.IssuedAt, 0), token: d.token(d.signer(o.pair, o.keys).pair),
	}
}

// Renew makes a newer token of the same account: issued a second later, with the
// options that it has and more.
func (a *Account) Renew(opts ...Option) *Account {
	a.operator.tb.Helper()
	all := slices.Concat(a.opts, []Option{From(a.path), IssuedAt(a.issued.Add(time.Second))}, opts)
	return a.operator.Account(a.name, all...)
}

// Operator is whose account it is.
func (a *Account) Operator() *Operator { return a.operator }

// Token is the account's token.
func (a *Account) Token() string { return a.token }

// Key is the account's identity key.
func (a *Account) Key() nkeys.KeyPair { return a.pair }

// PublicKey is the text of the public part of [Account.Key].
func (a *Account) PublicKey() string { return public(a.pair) }

// User is a user with its token. Make one with [Account.User].
type User struct {
	account *Account
	pair    nkeys.KeyPair
	token   string
}

// User makes a user that is signed by the account. It may do everything that no
// option restricts. The same name gives the same user.
func (a *Account) User(name string, opts ...Option) *User {
	tb := a.operator.tb
	tb.Helper()
	d := newDraft(tb, "the user "+name, a.path+"/"+name, opts)
	by := d.signer(a.pair, a.keys)
	pair := Key(nkeys.PrefixByteUser, d.path)
	c := jwt.NewUserClaims(public(pair))
	c.Type, c.Version, c.Name, c.IssuedAt = jwt.UserClaim, 2, name, issued().Unix()
	c.SetScoped(by.scoped)
	if d.by != "" && d.stranger == nil {
		c.IssuerAccount = a.PublicKey()
	}
	d.claims, d.grant = c, &c.UserPermissionLimits
	d.finish(opts)
	return &User{account: a, pair: pair, token: d.token(by.pair)}
}

// Account is whose user it is.
func (u *User) Account() *Account { return u.account }

// Token is the user's token.
func (u *User) Token() string { return u.token }

// Key is the user's key.
func (u *User) Key() nkeys.KeyPair { return u.pair }

// PublicKey is the text of the public part of [User.Key].
func (u *User) PublicKey() string { return public(u.pair) }

// Credentials are what a broker knows of the user when it answers a nonce well:
// over [auth.Standard], from 127.0.0.1.
func (u *User) Credentials(nonce string) auth.Credentials {
	return auth.Credentials{
		JWT: u.token, Nonce: nonce, Signature: SignNonce(u.pair, nonce),
		ConnectionType: auth.Standard, Source: netip.MustParseAddr("127.0.0.1"),
	}
}

// SignNonce signs a nonce of any length by any key, a proxy's too.
func SignNonce(pair nkeys.KeyPair, nonce string) string {
	sig, err := pair.Sign([]byte(nonce))
	if err != nil {
		panic("authtest: cannot sign: " + err.Error())
	}
	return encode(sig)
}

// Resolver knows the tokens of these accounts, whatever is in them. Of several
// tokens of one account it gives the last.
func Resolver(accounts ...*Account) resolver.Resolver {
	tokens := make(map[string]string, len(accounts))
	for _, a := range accounts {
		tokens[a.PublicKey()] = a.token
	}
	return resolver.Func(func(_ context.Context, key string) (string, error) {
		if token, ok := tokens[key]; ok {
			return token, nil
		}
		return "", resolver.ErrNotFound
	})
}

// Authorizer makes an Authorizer that trusts the operator, knows the accounts,
// and takes [Now] for the time; edits have the last word on its configuration. It
// is closed when the test ends. A configuration that is refused ends the test.
func Authorizer(tb testing.TB, o *Operator, accounts []*Account, edits ...func(*auth.Config)) *auth.Authorizer {
	tb.Helper()
	c := auth.Config{
		Trust: auth.Trust{Operators: []string{o.token}}, Resolver: Resolver(accounts...),
		Clock: Now, Location: time.UTC,
	}
	for _, edit := range edits {
		edit(&c)
	}
	a, err := auth.New(c)
	if err != nil {
		tb.Fatalf("authtest: %v", err)
	}
	tb.Cleanup(func() {
		if err := a.Close(); err != nil {
			tb.Errorf("authtest: %v", err)
		}
	})
	return a
}
