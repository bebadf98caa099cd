package world

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"github.com/natsauth/natsauth/bench/conformance/internal/peer"
	"github.com/natsauth/natsauth/bench/conformance/internal/verdict"
)

// draft is a client that is being made: an account, a user, and what the user
// says. Features change it; what they leave is a client that is admitted.
type draft struct {
	*Universe
	name    string
	rows    []string
	facts   verdict.Facts
	account *Account
	listed  bool   // the account is in the configuration
	as      string // under which key; empty is its own
	unpin   bool   // where accounts are pinned, this one is not

	user   *jwt.UserClaims
	key    Key // of the user
	by     Key // signs the user
	issued time.Time

	token   func() string // writes the user's token; nil is the usual way
	edit    []func(map[string]any)
	header  string
	mangle  func(token string) string
	options []func(*peer.Client, map[string]any)
	sign    func(*peer.Client, peer.User) (string, error) // nil is the usual way
	signed  bool                                          // send a signature at all
	wanted  func(sig string) bool                         // connect again until the signature is such a one
	before  string                                        // sent ahead of CONNECT
	script  func(*peer.Talk, *said) error                 // nil is the usual one
	tokens  []string
}

// alone are the features that go with no other: they have a script of their own,
// or a second CONNECT, at which nats-server counts the subscriptions of a scoped
// user against its token's empty limits for a moment.
var alone = map[string]bool{"limits": true, "again": true, "early": true}

// draft makes a client that tries one feature, or rarely three at a time: then no
// row counts it, for it is not known which feature decides.
func (u *Universe) draft(i int) *draft {
	d := u.blank(fmt.Sprintf("%02d", i))
	n := 1
	if chance(u.Rand, 12) {
		n = 3
	}
	for range n {
		c := u.choose()
		for n > 1 && alone[c.name] {
			c = u.choose()
		}
		c.apply(d)
	}
	if n > 1 {
		d.rows = nil
	}
	return d
}

// blank is a client without any feature: its user is signed by the account or by a
// signing key of it.
func (u *Universe) blank(name string) *draft {
	a := u.NewAccount("ACC" + name)
	a.By = u.AccountSigner()
	d := &draft{Universe: u, name: name, account: a, listed: true, signed: true, issued: u.Now.Add(-time.Minute)}
	by := a.Key
	if u.strict || chance(u.Rand, 50) {
		by = a.SigningKey()
	}
	d.issueBy(by)
	return d
}

// issueBy has another key sign the user, who is made anew.
func (d *draft) issueBy(by Key) {
	d.by = by
	d.user, d.key = d.account.NewUser("user"+d.name, by)
}

// hit names the rows that decide the client, and says what it tries.
func (d *draft) hit(what string, rows ...string) {
	d.name += " " + what
	d.rows = append(d.rows, rows...)
}

// change edits the JSON of the user's token just before it is signed.
func (d *draft) change(f func(map[string]any)) { d.edit = append(d.edit, f) }

// mint writes the user's token.
func (d *draft) mint() string {
	if d.token != nil {
		return d.token()
	}
	head := header
	if d.header != "" {
		head = d.header
	}
	token := Seal(head, d.content(), d.by)
	if d.mangle != nil {
		token = d.mangle(token)
	}
	return token
}

// content is the user's claims as JSON.
func (d *draft) content() []byte {
	d.user.Issuer, d.user.IssuedAt = d.by.Public, d.issued.Unix()
	text := must(json.Marshal(d.user))
	if len(d.edit) == 0 {
		return text
	}
	var fields map[string]any
	if err := json.Unmarshal(text, &fields); err != nil {
		panic(err)
	}
	for _, f := range d.edit {
		f(fields)
	}
	return must(json.Marshal(fields))
}

// add puts a client's account into the configuration and the client into the
// universe.
func (u *Universe) add(d *draft) {
	if d.listed {
		d.account.Admit()
		if d.as != "" {
			delete(u.preload, d.account.Key.Public)
			u.Preload(d.as, d.account.Token)
		}
	}
	if !d.unpin {
		u.pins = append(u.pins, d.account.Key.Public)
	}
	s := &said{draft: d, user: peer.User{JWT: d.mint(), Seed: d.key.Seed()}}
	d.facts.OperatorExpired, d.facts.SubjectNoUser = u.expired, d.bearer() && !nkeys.IsValidPublicUserKey(subject(s.user.JWT))
	script := d.script
	if script == nil {
		script = usual
	}
	u.Clients = append(u.Clients, Client{
		Name: d.name, Rows: d.rows, Facts: d.facts, tokens: append(d.tokens, d.account.Token, s.user.JWT),
		Script: func(t *peer.Talk) error { return script(t, s) },
	})
}

// bearer says that the user needs no proof, by its own token or by its scope's
// template.
func (d *draft) bearer() bool {
	if s, ok := d.account.Claims.SigningKeys[d.by.Public].(*jwt.UserScope); ok {
		return s.Template.BearerToken
	}
	return d.user.BearerToken
}

// subject is whom a token is about.
func subject(token string) string {
	var c struct{ Sub string }
	_ = json.Unmarshal([]byte(Content(token)), &c)
	return c.Sub
}

// sister makes another user of the same account, signed by the same key.
func (d *draft) sister() peer.User {
	c, k := d.account.NewUser("sister"+d.name, d.by)
	token := Mint(c, d.by, d.issued)
	d.tokens = append(d.tokens, token)
	return peer.User{JWT: token, Seed: k.Seed()}
}

// stranger makes a user of another account, which is admitted.
func (d *draft) stranger() peer.User {
	a := d.NewAccount("OTHER" + d.name)
	a.By = d.AccountSigner()
	by := a.SigningKey()
	a.Admit()
	d.pins = append(d.pins, a.Key.Public)
	c, k := a.NewUser("stranger"+d.name, by)
	token := Mint(c, by, d.issued)
	d.tokens = append(d.tokens, a.Token, token)
	return peer.User{JWT: token, Seed: k.Seed()}
}

// foreign is an operator key that nobody trusts.
func (u *Universe) foreign() Key { return u.NewKey(nkeys.PrefixByteOperator) }
