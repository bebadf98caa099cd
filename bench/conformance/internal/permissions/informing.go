package permissions

import (
	"strings"

	"github.com/natsauth/natsauth/bench/conformance/internal/peer"
)

// Informing is a Script in which a user asks the server who it is.
type Informing struct{ User peer.User }

// Decisions implements [Script].
func (*Informing) Decisions() []Decision {
	return []Decision{{Kind: Other, What: "user info", Rows: []string{"F069"}}}
}

// Play implements [Script].
func (i *Informing) Play(s *peer.Server) ([]Answer, error) {
	t := s.Talk()
	defer t.Close()
	c, err := t.Dial()
	if err != nil {
		return nil, err
	}
	if _, err := t.Login(c, i.User); err != nil {
		return nil, err
	}
	t.UserInfo(c)
	return []Answer{{Text: strings.Join(t.Lines(), "\n"), Yes: true}}, nil
}
