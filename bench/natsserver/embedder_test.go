package natsserver_test

import (
	"encoding/base64"
	"errors"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/bench/internal/measure"
	"github.com/natsauth/natsauth/bench/internal/world"
)

// embedder is what a careful author writes by hand: the account's token was read
// and trusted before, the user's is read once, and permissions are not compiled.
// It knows no scopes, source addresses or hours.
type embedder struct{ account *jwt.AccountClaims }

var errRefused = errors.New("refused")

func (e embedder) decide(c auth.Credentials) error {
	user, err := jwt.DecodeUserClaims(c.JWT)
	if err != nil {
		return err
	}
	var results jwt.ValidationResults
	user.Validate(&results)
	switch {
	case results.IsBlocking(true),
		!e.issued(user),
		user.BearerToken && e.account.Limits.DisallowBearer,
		e.account.IsClaimRevoked(user):
		return errRefused
	case user.BearerToken:
		return nil
	}
	sig, err := base64.RawURLEncoding.DecodeString(c.Signature)
	if err != nil {
		return err
	}
	key, err := nkeys.FromPublicKey(user.Subject)
	if err != nil {
		return err
	}
	return key.Verify([]byte(c.Nonce), sig)
}

func (e embedder) issued(u *jwt.UserClaims) bool {
	if u.IssuerAccount == "" {
		return u.Issuer == e.account.Subject
	}
	return u.IssuerAccount == e.account.Subject && e.account.SigningKeys.Contains(u.Issuer)
}

// side decides about users in turn, a fresh nonce each.
func (e embedder) side(users []world.User) measure.Side {
	var ready []auth.Credentials
	return measure.Side{
		Name: "embedder",
		Prepare: func(n int) {
			ready = ready[:0]
			for i := range n {
				ready = append(ready, users[i%len(users)].Credentials())
			}
		},
		Run: func(n int) {
			for i := range n {
				alone(func() {
					if err := e.decide(ready[i]); err != nil {
						panic(err) // a world's users are good
					}
				})
			}
		},
	}
}
