package auth

import (
	"cmp"
	"slices"
	"sync/atomic"
	"time"
)

// use is how often, and when last, a key of the trust set has vouched for a
// connection.
type use struct {
	connects atomic.Uint64
	last     atomic.Int64 // seconds since 1970
}

func (u *use) note(now time.Time) {
	u.connects.Add(1)
	if at := now.Unix(); u.last.Load() != at {
		u.last.Store(at)
	}
}

// KeyUse tells what a key of the trust set is good for: whether it can go.
type KeyUse struct {
	Key      string    `json:"key"`      // a public operator key
	Operator string    `json:"operator"` // whose it is
	Accounts int       `json:"accounts"` // in force that it has signed
	Connects uint64    `json:"connects"` // that it has vouched for, since it is in the trust set
	Last     time.Time `json:"last,omitzero"`
}

// KeyUse gives the keys that sign accounts, sorted, and the use that was made of each.
func (a *Authorizer) KeyUse() []KeyUse {
	t := a.trust.Load()
	if t == nil {
		return nil
	}
	signed := make(map[string]int)
	for view := range a.directory.views() {
		signed[view.claims.Issuer]++
	}
	out := make([]KeyUse, 0, len(t.signers))
	for key, s := range t.signers {
		u := KeyUse{Key: key, Operator: s.operator.key, Accounts: signed[key], Connects: s.use.connects.Load()}
		if at := s.use.last.Load(); at != 0 {
			u.Last = time.Unix(at, 0)
		}
		out = append(out, u)
	}
	slices.SortFunc(out, func(x, y KeyUse) int { return cmp.Compare(x.Key, y.Key) })
	return out
}
