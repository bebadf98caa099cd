package auth

import (
	"crypto/sha256"
	"encoding/binary"
	"runtime"
	"sync"
	"weak"

	"github.com/natsauth/natsauth/claims"
	"github.com/natsauth/natsauth/internal/subject"
)

// Rights are compiled permissions: one immutable set, shared by all sessions
// whose permissions list the same entries, in whatever order. Compare them by
// pointer: take a session's Rights, insert the subscription, take them again; if
// they are another set meanwhile, ask again. They may be used by several
// goroutines. The zero Rights allow nothing.
type Rights struct {
	set         *subject.Set
	permissions claims.Permissions
	responses   *claims.Responses // with the defaults in place, or nil
}

// Permissions gives the lists, sorted and without duplicates. They are shared:
// read them only.
func (r *Rights) Permissions() claims.Permissions { return r.permissions }

func newRights(p claims.Permissions) *Rights {
	set := subject.Compile(spec(p))
	s := set.Spec()
	r := &Rights{set: set, permissions: claims.Permissions{
		Publish:   claims.Rules{Allow: s.Publish.Allow, Deny: s.Publish.Deny, Closed: p.Publish.Closed},
		Subscribe: claims.Rules{Allow: s.Subscribe.Allow, Deny: s.Subscribe.Deny, Closed: p.Subscribe.Closed},
		Responses: p.Responses,
	}}
	if p.Responses != nil {
		d := p.Responses.WithDefaults()
		r.responses = &d
	}
	return r
}

func spec(p claims.Permissions) subject.Spec {
	return subject.Spec{
		Publish:   subject.Rules{Allow: p.Publish.Allow, Deny: p.Publish.Deny},
		Subscribe: subject.Rules{Allow: p.Subscribe.Allow, Deny: p.Subscribe.Deny},
		Closed:    p.Responses != nil || p.Publish.Closed,
	}
}

// compiled is what one user is given in the end: its own token's grant, or its
// scope's with the template filled in. Equal grants are one grant, so that a
// hundred thousand sessions of one role hold one.
type compiled struct {
	claims.Grant
	rights *Rights // nil: the account's default permissions
}

// pool finds the one grant and the one set of rights for a given content. It
// keeps neither alive: they go with the last session or cache entry that holds
// them.
type pool struct {
	grants weakTable[compiled]
	rights weakTable[Rights]
}

// grant gives the one grant equal to g, which is not written to again.
func (p *pool) grant(g *claims.Grant) *compiled {
	return p.grants.get(digestGrant(g), func() *compiled {
		out := &compiled{Grant: *g}
		if !g.Permissions.Empty() {
			out.rights = p.right(g.Permissions)
			out.Permissions = out.rights.permissions
		}
		return out
	})
}

// right gives the one set of rights for these permissions.
func (p *pool) right(perm claims.Permissions) *Rights {
	return p.rights.get(digestPermissions(perm), func() *Rights { return newRights(perm) })
}

func digestPermissions(p claims.Permissions) [32]byte {
	w := &digestWriter{}
	d := spec(p).Digest()
	w.text(string(d[:]))
	w.flag(p.Publish.Closed)
	w.flag(p.Subscribe.Closed)
	if p.Responses != nil {
		w.number(int64(p.Responses.Max))
		w.number(int64(p.Responses.TTL))
	}
	return sha256.Sum256(w.buf)
}

// digestGrant covers every field of a grant; TestGrantDigest holds it to that.
func digestGrant(g *claims.Grant) [32]byte {
	w := &digestWriter{}
	if w.flag(!g.Permissions.Empty()); !g.Permissions.Empty() {
		d := digestPermissions(g.Permissions)
		w.text(string(d[:]))
	}
	w.number(g.Limits.Subscriptions)
	w.number(g.Limits.Payload)
	w.number(g.Limits.Data)
	w.number(int64(len(g.Sources)))
	for _, p := range g.Sources {
		w.text(p.String())
	}
	w.number(int64(len(g.Times)))
	for _, r := range g.Times {
		w.number(int64(r.Start.Seconds()))
		w.number(int64(r.End.Seconds()))
	}
	w.flag(g.Location != nil)
	if g.Location != nil {
		w.text(g.Location.String())
	}
	w.number(int64(len(g.ConnectionTypes)))
	for _, t := range g.ConnectionTypes {
		w.text(t)
	}
	w.flag(g.Bearer)
	w.flag(g.ProxyRequired)
	return sha256.Sum256(w.buf)
}

// digestWriter writes fields so that no two contents are written alike.
type digestWriter struct{ buf []byte }

func (w *digestWriter) number(n int64) { w.buf = binary.BigEndian.AppendUint64(w.buf, uint64(n)) }

func (w *digestWriter) text(s string) {
	w.number(int64(len(s)))
	w.buf = append(w.buf, s...)
}

func (w *digestWriter) flag(b bool) {
	if b {
		w.number(1)
	} else {
		w.number(0)
	}
}

// weakTable gives one value for equal keys for as long as anybody holds it. The
// zero value is ready; it may be used by several goroutines.
type weakTable[V any] struct {
	mu   sync.Mutex
	held map[[32]byte]weak.Pointer[V] // guarded by mu
}

func (s *weakTable[V]) get(key [32]byte, build func() *V) *V {
	if v := s.find(key); v != nil {
		return v
	}
	made := build() // outside the lock: a large set takes a while
	s.mu.Lock()
	defer s.mu.Unlock()
	if v := s.held[key].Value(); v != nil {
		return v
	}
	if s.held == nil {
		s.held = make(map[[32]byte]weak.Pointer[V])
	}
	s.held[key] = weak.Make(made)
	runtime.AddCleanup(made, s.drop, key)
	return made
}

func (s *weakTable[V]) find(key [32]byte) *V {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.held[key].Value()
}

// drop forgets a key whose value nobody holds, unless a new value has come in
// its place.
func (s *weakTable[V]) drop(key [32]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held[key].Value() == nil {
		delete(s.held, key)
	}
}

// size is how many values are held, for tests and counters.
func (s *weakTable[V]) size() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.held)
}
