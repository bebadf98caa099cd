package world

import (
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/natsauth/natsauth/bench/conformance/internal/peer"
)

// said is what a finished client has to say.
type said struct {
	*draft
	user peer.User
}

// options are the CONNECT options of the client on a connection.
func (s *said) connectOptions(c *peer.Client) (map[string]any, error) {
	o, err := c.Options(s.user)
	if err != nil {
		return nil, err
	}
	if s.draft.sign != nil {
		sig, err := s.draft.sign(c, s.user)
		if err != nil {
			return nil, err
		}
		o["sig"] = sig
	}
	if !s.signed {
		delete(o, "sig")
	}
	for _, f := range s.draft.options {
		f(c, o)
	}
	return o, nil
}

// login sends CONNECT as the client does, and says whether it was admitted.
func (s *said) login(t *peer.Talk, c *peer.Client) (bool, error) {
	o, err := s.connectOptions(c)
	if err != nil {
		return false, err
	}
	if s.before != "" {
		if err := c.Send(s.before); err != nil || !t.Flush("before", c) {
			return false, err
		}
	}
	if err := c.Connect(o); err != nil {
		return false, err
	}
	return t.Admitted(c), nil
}

// usual connects, and probes what the connection may do if it is admitted.
func usual(t *peer.Talk, s *said) error {
	c, err := s.dial(t)
	if err != nil {
		return err
	}
	if in, err := s.login(t, c); err != nil || !in {
		return err
	}
	return probe(t, c)
}

// dial connects; where the signature has to be of some kind, until the nonce gives
// one.
func (s *said) dial(t *peer.Talk) (*peer.Client, error) {
	for s.wanted != nil {
		c, err := t.Try()
		if err != nil {
			return nil, err
		}
		sig, err := s.user.Signature(c.Info().Nonce)
		if err != nil {
			return nil, err
		}
		if s.wanted(base64.StdEncoding.EncodeToString(sig)) {
			t.Keep(c)
			return c, nil
		}
		c.Close()
	}
	return t.Dial()
}

// probe publishes, subscribes, is answered, and asks who it is.
func probe(t *peer.Talk, c *peer.Client) error {
	ops := "SUB probe.echo 1\r\nPUB probe.echo 5\r\nhello\r\n" +
		"SUB probe.queue workers 2\r\nPUB probe.queue reply.to 2\r\nhi\r\n" +
		"HPUB probe.echo 12 14\r\nNATS/1.0\r\n\r\nok\r\nUNSUB 1\r\nPUB probe.echo 3\r\nnot\r\n"
	if err := c.Send(ops); err != nil {
		return err
	}
	if t.Flush("probe", c) {
		t.UserInfo(c)
	}
	return nil
}

// pub is a PUB line with a payload of n bytes.
func pub(subject string, n int) string {
	return fmt.Sprintf("PUB %s %d\r\n%s\r\n", subject, n, strings.Repeat("x", n))
}
