package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/examples/broker/internal/config"
	"github.com/natsauth/natsauth/resolver"
)

// demo is an operator with accounts and users that live as long as the program.
// The keys of operator and accounts are not kept: nobody can sign anything more.
type demo struct {
	config *config.Config
	folder string   // of the creds files
	lines  []string // to paste; each with %s for the address
}

// demoUsers are the accounts of the demo and what a user of each might try.
var demoUsers = []struct{ account, user, try string }{
	{"orders", "clerk", "sub '>'"},
	{"billing", "auditor", "sub '>'"},
	{"system", "admin", "sub '$SYS.>'"},
}

func newDemo() (*demo, error) {
	folder, err := os.MkdirTemp("", "natsauth-broker-")
	if err != nil {
		return nil, err
	}
	d := &demo{folder: folder}
	if err := d.issue(); err != nil {
		d.remove()
		return nil, err
	}
	return d, nil
}

// remove takes the creds files away.
func (d *demo) remove() {
	os.RemoveAll(d.folder) //nolint:errcheck // it is a temporary folder
}

// issue signs what nsc would: each party's token by the one above it.
func (d *demo) issue() error {
	operator, operatorKey, err := newKey(nkeys.CreateOperator)
	if err != nil {
		return err
	}
	claims := jwt.NewOperatorClaims(operatorKey)
	claims.Name = "demo"
	var tokens []string
	for _, u := range demoUsers {
		key, token, err := d.account(operator, u.account, u.user)
		if err != nil {
			return err
		}
		if u.account == "system" {
			claims.SystemAccount = key
		}
		tokens = append(tokens, token)
		d.lines = append(d.lines, fmt.Sprintf("nats --server %%[1]s --creds %s %s", d.creds(u.account, u.user), u.try))
	}
	token, err := claims.Encode(operator)
	if err != nil {
		return err
	}
	return d.configure(token, claims.SystemAccount, tokens)
}

// account makes an account, one user in it, and that user's creds file.
func (d *demo) account(operator nkeys.KeyPair, name, user string) (string, string, error) {
	account, key, err := newKey(nkeys.CreateAccount)
	if err != nil {
		return "", "", err
	}
	claims := jwt.NewAccountClaims(key)
	claims.Name = name
	token, err := claims.Encode(operator)
	if err != nil {
		return "", "", err
	}
	return key, token, d.user(account, name, user)
}

func (d *demo) user(account nkeys.KeyPair, accountName, name string) error {
	pair, key, err := newKey(nkeys.CreateUser)
	if err != nil {
		return err
	}
	claims := jwt.NewUserClaims(key)
	claims.Name = name
	token, err := claims.Encode(account)
	if err != nil {
		return err
	}
	seed, err := pair.Seed()
	if err != nil {
		return err
	}
	creds, err := jwt.FormatUserConfig(token, seed)
	if err != nil {
		return err
	}
	return os.WriteFile(d.creds(accountName, name), creds, 0o600)
}

// creds is where a user's file is.
func (d *demo) creds(account, user string) string {
	return filepath.Join(d.folder, account+"."+user+".creds")
}

func (d *demo) configure(operator, system string, accounts []string) error {
	store, err := resolver.NewMemory(accounts...)
	d.config = &config.Config{
		Trust:    auth.Trust{Operators: []string{operator}, SystemAccount: system},
		Accounts: config.Accounts{Memory: store},
	}
	return err
}

func newKey(create func() (nkeys.KeyPair, error)) (nkeys.KeyPair, string, error) {
	pair, err := create()
	if err != nil {
		return nil, "", err
	}
	key, err := pair.PublicKey()
	return pair, key, err
}
