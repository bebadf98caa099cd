package claims

import (
	"strings"

	"github.com/nats-io/jwt/v2"
)

// Undecorate takes the token out of the text of a file as tools write it, with
// a line of dashes above and below. Any other text is taken for a bare token and
// comes back without the white space around it; the parsers say what is wrong
// with it.
func Undecorate(text string) string {
	token, err := jwt.ParseDecoratedJWT([]byte(text))
	if err != nil {
		token = text
	}
	return strings.TrimSpace(token)
}
