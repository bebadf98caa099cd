package broker

import (
	"errors"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/claims"
)

// renew is a later CONNECT of the same user in the same account: the decision is
// made anew and takes the place of the old, and subscriptions stay while they are
// allowed (B16). A refused renewal leaves everything as it was. It says whether
// the CONNECT was one, and whether to go on.
func (c *conn) renew(before clientOptions) (bool, bool) {
	session := c.same()
	if session == nil {
		return false, true
	}
	if c.client.AccountNew || c.client.Account != "" {
		c.refuse(nil) // as the first time (F026)
		return true, false
	}
	if err := session.Renew(lookup(), c.client.JWT, c.client.Sig); err != nil {
		c.client = before
		c.notRenewed(err)
		return true, !c.isClosed()
	}
	c.prune()
	return true, c.agree()
}

// same gives the session if the client's token is of the user and the account
// that it is of; nil otherwise.
func (c *conn) same() *auth.Session {
	session := c.current()
	if session == nil {
		return nil
	}
	user, err := claims.ParseUser(c.client.JWT)
	if err != nil {
		return nil
	}
	was := session.User()
	if user.Key != was.Key || accountOf(user) != was.Account {
		return nil
	}
	return session
}

// accountOf is the account that a user's token names.
func accountOf(u *claims.User) string {
	if u.IssuerAccount != "" {
		return u.IssuerAccount
	}
	return u.Issuer
}

// notRenewed tells the client and the advisories that what was stays.
func (c *conn) notRenewed(err error) {
	var why *auth.Error
	if !errors.As(err, &why) {
		c.tell(violation)
		return
	}
	c.server.log.Debug("not renewed", "client", c.id, "why", why)
	c.server.tellRefused(c, why)
	c.tell(why.Wire())
}
