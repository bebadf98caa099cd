package claims

import (
	"time"

	"github.com/nats-io/jwt/v2"
)

// Header is what tokens of all kinds carry.
type Header struct {
	Key      string // sub: the public key that the token is about
	Issuer   string // iss: the public key that signed it
	Name     string // name; not unique, not verified
	ID       string // jti, as written; not verified
	Audience string // aud
	IssuedAt int64  // iat, seconds since 1970; 0 when the token does not say
	Window
	Tags    []string // in the letters of the token: decoding does not fold case
	Version int      // 1 or 2
	Digest  Digest
}

// Window is the time in which a token is valid, in seconds since 1970. A zero
// bound is no bound, a negative one is before 1970; the zero Window is always
// open.
type Window struct {
	NotBefore int64 // nbf: first valid second
	Expires   int64 // exp: first second that is no longer valid
}

// WindowState is what [Window.At] answers.
type WindowState uint8

// The states of a window.
const (
	Open   WindowState = iota // NotBefore <= now < Expires
	Early                     // now < NotBefore
	Closed                    // Expires <= now
)

// At says whether the window is open at now. It is the one rule about time for
// users, accounts, activations and operators (B11): valid while
// nbf <= now < exp, to the second.
func (w Window) At(now time.Time) WindowState {
	t := now.Unix()
	switch {
	case w.NotBefore != 0 && t < w.NotBefore:
		return Early
	case w.Expires != 0 && t >= w.Expires:
		return Closed
	default:
		return Open
	}
}

func newHeader(c *jwt.ClaimsData, g *jwt.GenericFields, d Digest) Header {
	return Header{
		Key: c.Subject, Issuer: c.Issuer, Name: c.Name, ID: c.ID, Audience: c.Audience,
		IssuedAt: c.IssuedAt,
		Window:   Window{NotBefore: c.NotBefore, Expires: c.Expires},
		Tags:     g.Tags, Version: g.Version, Digest: d,
	}
}

// check refuses line breaks in the texts that events, logs and templates use.
func (h *Header) check() error {
	if err := checkLine("name", h.Name); err != nil {
		return err
	}
	for _, t := range h.Tags {
		if err := checkLine("tag", t); err != nil {
			return err
		}
	}
	return nil
}
