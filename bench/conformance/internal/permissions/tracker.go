package permissions

import (
	"time"

	"github.com/nats-io/jwt/v2"
)

// tracker says what response permissions allow, as an [Oracle] does for the lists
// (F064, F066; nats-server v2.15 server/client.go responseAllowed and deliverMsg).
type tracker struct {
	most int  // answers to one reply subject; below 0 any number
	over bool // the time to answer has passed before anybody can
	used map[string]int
}

// newTracker makes the tracker of permissions that end at once or not within a test.
func newTracker(r *jwt.ResponsePermission) *tracker {
	t := &tracker{most: r.MaxMsgs, over: r.Expires == time.Nanosecond, used: map[string]int{}}
	if t.most == 0 {
		t.most = 1
	}
	return t
}

// delivered takes note of a request. That its reply subject is looked up spends an
// answer where it was known already.
func (t *tracker) delivered(reply string) {
	if !t.answer(reply) {
		t.used[reply] = 0
	}
}

// answer spends an answer, if there is one left.
func (t *tracker) answer(reply string) bool {
	n, ok := t.used[reply]
	if !ok {
		return false
	}
	t.used[reply] = n + 1
	if t.most > 0 && n+1 > t.most || t.over {
		delete(t.used, reply)
		return false
	}
	return true
}
