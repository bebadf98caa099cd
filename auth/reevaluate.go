package auth

import (
	"cmp"
	"context"
	"iter"
	"reflect"
	"slices"
	"time"

	"github.com/natsauth/natsauth/claims"
	"github.com/natsauth/natsauth/nonce"
)

// This file judges live sessions again when their account, or the trust in it,
// changes: which sessions a change touches, and what becomes of each. The judgement
// is that of Connect, by the same steps (B1).

// change is what becomes of one session.
type change struct {
	session        *Session
	err            *Error    // it ends
	standing       *standing // it goes on with this; nil: with what it had
	rights, limits bool      // that have changed, its own or the account's
}

// judge takes the steps for a live session as if it connected now, under the next
// view of its account. What the session has shown counts as shown.
func (s *Session) judge(next *Account, now time.Time) (*decision, *Error) {
	st := s.standing.Load()
	d := &decision{
		authorizer: s.authorizer(), trust: next.trust, now: now, path: pathReevaluate, live: s,
		credentials: s.credentials(), user: st.user, account: next,
	}
	return d, d.take(context.Background())
}

// credentials are what the session connected with, as far as it is kept.
func (s *Session) credentials() Credentials {
	return Credentials{Nonce: s.nonce, ConnectionType: s.kind, Source: s.source, Internal: s.internal, Client: s.Client()}
}

// changes are what the next view of the account does to its sessions; nil means
// that the account is out of force, and why. It only looks. p.mu is held.
func (p *place) changes(next *Account, why *Error) []change {
	var out []change
	if next == nil {
		for s := range p.each() {
			out = append(out, change{session: s, err: why})
		}
		return out
	}
	old := p.current.Load()
	if old == nil || p.serial == 0 {
		return nil
	}
	now := p.authorizer.config.Clock()
	diff := compare(old, next)
	for s := range diff.sessions(p) {
		if c := diff.change(s, now); c.err != nil || c.standing != nil || c.rights || c.limits {
			out = append(out, c)
		}
	}
	return p.overflow(out, next.claims.Limits)
}

// overflow adds those who no longer find room, the newest first (nats-server v2.15
// server/accounts.go UpdateAccountClaims): leaf nodes among them, whose own limit only
// SetRemote holds them to. p.mu is held.
func (p *place) overflow(out []change, l claims.AccountLimits) []change {
	if l.Connections == claims.Unlimited {
		return out
	}
	over := p.connections + p.remote.Connections - l.Connections
	return p.evict(out, over, exceeded(ConnectionsExceeded, l).at(StepLive), func(*Session) bool { return true })
}

// evict adds the newest of those who are counted, until as many end as are over.
// Internal ones stay. p.mu is held.
func (p *place) evict(out []change, over int64, full *Error, counted func(*Session) bool) []change {
	held := func(s *Session) bool { return !s.internal && counted(s) }
	for _, c := range out {
		if c.err != nil && held(c.session) {
			over--
		}
	}
	if over <= 0 {
		return out
	}
	at := make(map[*Session]int, len(out))
	for i, c := range out {
		at[c.session] = i
	}
	for _, s := range p.newest() {
		i, known := at[s]
		switch {
		case over <= 0:
			return out
		case !held(s), known && out[i].err != nil:
			continue
		case known:
			out[i] = change{session: s, err: full}
		default:
			out = append(out, change{session: s, err: full})
		}
		over--
	}
	return out
}

// each gives all sessions. p.mu is held.
func (p *place) each() iter.Seq[*Session] {
	return func(yield func(*Session) bool) {
		for _, g := range p.groups {
			for s := range g.each() {
				if !yield(s) {
					return
				}
			}
		}
	}
}

// newest gives all sessions, the newest first. p.mu is held.
func (p *place) newest() []*Session {
	return slices.SortedFunc(p.each(), func(a, b *Session) int { return cmp.Compare(b.serial, a.serial) })
}

// difference is what distinguishes two views of an account, as far as it concerns
// its sessions.
type difference struct {
	old, next *Account
	all       bool                  // every session has to be judged again
	shared    bool                  // limits or default permissions: all may notice, nobody is judged for it
	everyone  bool                  // sessions whose user was issued before a time have to be
	before    int64                 // the time, in seconds since 1970; then or before
	users     map[[32]byte]struct{} // these users have to be
	issuers   map[string]struct{}   // users of these keys have to be
	closing   map[string]struct{}   // and of these keys the scope has changed
}

// everyone stands for every user in a list of revocations, as in tokens.
const everyone = "*"

// compare lists what a session may notice. Whatever a step reads of the account is
// here; CONTRIBUTING tells how to add a field. TestSessionsEqualFreshConnects holds the
// fields that it draws to that.
func compare(old, next *Account) *difference {
	o, n := old.claims, next.claims
	d := &difference{
		old: old, next: next,
		all: old.trust != next.trust || old.operator != next.operator || old.strict != next.strict ||
			!o.Limits.DisallowBearer && n.Limits.DisallowBearer ||
			!reflect.DeepEqual(o.Callout, n.Callout),
		shared: old.defaults != next.defaults || o.Limits.Limits != n.Limits.Limits,
	}
	d.compareRevocations(o.Revocations, n.Revocations)
	d.compareSigners(o, n)
	return d
}

func (d *difference) compareRevocations(old, next map[string]int64) {
	d.users = make(map[[32]byte]struct{})
	for key, at := range next {
		if was, ok := old[key]; ok && was >= at {
			continue
		}
		if key == everyone {
			d.everyone, d.before = true, at
			continue
		}
		if raw, err := nonce.Key(key); err == nil { // what is no key is nobody's
			d.users[[32]byte(raw)] = struct{}{}
		}
	}
}

func (d *difference) compareSigners(o, n *claims.Account) {
	d.issuers, d.closing = make(map[string]struct{}), make(map[string]struct{})
	renamed := o.Name != n.Name || !slices.Equal(o.Tags, n.Tags)
	for key, was := range o.SigningKeys {
		is, ok := n.SigningKeys[key]
		switch {
		case !ok:
			d.issuers[key] = struct{}{}
		case !sameScope(was, is):
			d.issuers[key], d.closing[key] = struct{}{}, struct{}{}
		case is != nil && renamed: // its template may name the account and its tags
			d.issuers[key] = struct{}{}
		}
	}
}

// sameScope says whether two scopes give the same: their texts for people do not
// count (B15).
func sameScope(a, b *claims.Scope) bool {
	if a == nil || b == nil {
		return a == b
	}
	x, y := *a, *b
	x.Role, x.Description, y.Role, y.Description = "", "", "", ""
	return reflect.DeepEqual(x, y)
}

// sessions gives those that the difference may concern, each once.
func (d *difference) sessions(p *place) iter.Seq[*Session] {
	if d.all || d.shared || d.everyone {
		return p.each()
	}
	return func(yield func(*Session) bool) {
		for key := range d.issuers {
			for s := range p.groups[key].each() {
				if !yield(s) {
					return
				}
			}
		}
		for key := range d.users {
			for _, s := range p.users.of(&key) {
				if _, done := d.issuers[issuerOf(s)]; !done && !yield(s) {
					return
				}
			}
		}
	}
}

func issuerOf(s *Session) string { return s.standing.Load().user.claims.Issuer }

// concerns says whether a session has to be judged again.
func (d *difference) concerns(s *Session) bool {
	u := s.standing.Load().user
	_, issuer := d.issuers[u.claims.Issuer]
	_, user := d.users[u.key]
	return d.all || issuer || user || d.everyone && u.claims.IssuedAt <= d.before
}

// change is what becomes of one session.
func (d *difference) change(s *Session, now time.Time) change {
	c := change{session: s}
	st := s.standing.Load()
	after := given{st, d.next}
	if d.concerns(s) {
		judged, err := s.judge(d.next, now)
		if c.err = d.ends(st, err, s.authorizer().config.KeepOnScopeChange); c.err != nil {
			return c
		}
		if judged.compiled != st.compiled || judged.hours != st.hours {
			made := judged.standing()
			c.standing, after.standing = &made, &made
		}
	}
	before := given{st, d.old}
	c.rights = before.rights() != after.rights()
	c.limits = before.limits() != after.limits()
	return c
}

// ends is why a session ends after it was judged again; nil: it does not.
func (d *difference) ends(st *standing, refused *Error, keep bool) *Error {
	if refused != nil {
		return ended(refused)
	}
	if _, changed := d.closing[st.user.claims.Issuer]; changed && !keep {
		return &Error{Reason: ScopeChanged, Step: StepLive}
	}
	return nil
}

// ended makes the end of a live session of a refusal.
func ended(refused *Error) *Error {
	e := *refused
	e.Evidence = append(slices.Clip(e.Evidence), Fact{"step", e.Step.String()})
	e.Step = StepLive
	return &e
}
