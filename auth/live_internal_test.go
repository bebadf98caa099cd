package auth

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/bits"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/natsauth/natsauth/nonce"
	"github.com/natsauth/natsauth/resolver"
)

// These tests are inside the package because nobody outside can see the indexes.

// TestUserIndex holds the index against a map.
func TestUserIndex(t *testing.T) { rapid.Check(t, playUserIndex) }

func FuzzUserIndex(f *testing.F) {
	seed := make([]byte, 1<<14)
	for i := range seed {
		seed[i] = byte(i * i >> 3)
	}
	f.Add(seed)
	f.Fuzz(rapid.MakeFuzz(playUserIndex))
}

// playUserIndex adds sessions of users whose keys fall into few slots, takes them out
// in any order, and asks for them all the while.
func playUserIndex(t *rapid.T) {
	var x userIndex
	var all []*Session
	byKey := make(map[[32]byte][]*Session)
	key := func() [32]byte {
		var k [32]byte
		binary.LittleEndian.PutUint64(k[:], rapid.SampledFrom([]uint64{0, 1, 4, 8, 1 << 20, 1<<64 - 1}).Draw(t, "slot"))
		k[31] = byte(rapid.IntRange(0, 3).Draw(t, "user"))
		return k
	}
	for range rapid.IntRange(0, 20).Draw(t, "bursts") {
		n := rapid.IntRange(1, 40).Draw(t, "how many")
		if rapid.Bool().Draw(t, "come") {
			for range n {
				s := &Session{}
				s.admitted.user = &user{key: key()}
				s.standing.Store(&s.admitted)
				x.add(s)
				all = append(all, s)
				byKey[*keyOf(s)] = append(byKey[*keyOf(s)], s)
			}
		} else {
			for range min(n, len(all)) {
				at := rapid.IntRange(0, len(all)-1).Draw(t, "who")
				s := all[at]
				x.remove(s)
				require.Nil(t, s.namesake, "it holds nobody any more")
				require.Nil(t, s.homonym)
				all = slices.Delete(all, at, at+1)
				k := *keyOf(s)
				byKey[k] = slices.DeleteFunc(byKey[k], func(o *Session) bool { return o == s })
			}
		}
		require.Equal(t, len(all), x.count)
		require.LessOrEqual(t, x.count, len(x.slots))
		require.LessOrEqual(t, len(x.slots), max(4, 8*x.count), "it shrinks")
		require.LessOrEqual(t, bits.OnesCount(uint(len(x.slots))), 1)
		for k, want := range byKey {
			require.ElementsMatch(t, want, x.of(&k))
		}
		stranger := [32]byte{31: 9}
		require.Empty(t, x.of(&stranger))
	}
}

// crew is an operator with accounts that have users of several kinds.
type crew struct {
	t          *testing.T
	operator   nkeys.KeyPair
	trust      Trust
	accounts   []nkeys.KeyPair
	signing    nkeys.KeyPair
	clock      time.Time
	issued     int64
	authorizer *Authorizer
	mu         sync.Mutex // guards clock
}

func (c *crew) key(pair nkeys.KeyPair, err error) (nkeys.KeyPair, string) {
	require.NoError(c.t, err)
	key, err := pair.PublicKey()
	require.NoError(c.t, err)
	return pair, key
}

func newCrew(t *testing.T, accounts int) *crew {
	c := &crew{t: t, clock: time.Now()}
	c.issued = c.clock.Unix() - 1000
	pair, key := c.key(nkeys.CreateOperator())
	c.operator, c.trust = pair, Trust{Keys: []string{key}}
	c.signing, _ = c.key(nkeys.CreateAccount())
	store := &resolver.Memory{}
	for range accounts {
		pair, _ := c.key(nkeys.CreateAccount())
		c.accounts = append(c.accounts, pair)
	}
	var err error
	c.authorizer, err = New(Config{
		Trust: c.trust, Store: store, KeepOnScopeChange: true, Warn: time.Minute, Refresh: time.Hour, MaxStale: time.Hour,
		Bounds: Bounds{CachedBytes: -1},
		Clock: func() time.Time {
			c.mu.Lock()
			defer c.mu.Unlock()
			return c.clock
		},
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.authorizer.Close() })
	for i := range c.accounts {
		c.apply(i, func(*jwt.AccountClaims) {})
	}
	return c
}

func (c *crew) advance(d time.Duration) {
	c.mu.Lock()
	c.clock = c.clock.Add(d)
	c.mu.Unlock()
	c.authorizer.Sweep()
}

// apply puts a new token of an account in force, with a scope for the signing key.
func (c *crew) apply(i int, edit func(*jwt.AccountClaims)) {
	_, key := c.key(c.accounts[i], nil)
	_, signing := c.key(c.signing, nil)
	a := jwt.NewAccountClaims(key)
	s := jwt.NewUserScope()
	s.Key, s.Template.Pub.Allow = signing, jwt.StringList{fmt.Sprintf("at.%d.{{subject()}}", c.issued)}
	a.SigningKeys.AddScopedSigner(s)
	a.DefaultPermissions.Sub.Allow = jwt.StringList{fmt.Sprintf("default.%d", c.issued)}
	edit(a)
	c.issued++
	_, err := c.authorizer.Apply(context.Background(), c.sign(a, c.operator), resolver.Push)
	require.NoError(c.t, err)
}

// sign makes a token that was issued at a time of ours.
func (c *crew) sign(claims jwt.Claims, by nkeys.KeyPair) string {
	claims.Claims().IssuedAt = c.issued
	token, err := claims.Encode(by)
	require.NoError(c.t, err)
	return token
}

// connect connects a user of account i whose kind goes by n.
func (c *crew) connect(i, n int) *Session {
	_, account := c.key(c.accounts[i], nil)
	pair, key := c.key(nkeys.CreateUser())
	u, by := jwt.NewUserClaims(key), c.accounts[i]
	switch n % 5 {
	case 1:
		u.Pub.Allow.Add(fmt.Sprint("own.", n))
	case 2:
		u.Expires = c.clock.Unix() + [...]int64{600, 7200}[n/5%2]
	case 3:
		u.IssuerAccount, by = account, c.signing
		u.SetScoped(true)
	case 4:
		u.BearerToken = true
	}
	text := nonce.New()
	sig, err := nonce.Sign(text, pair)
	require.NoError(c.t, err)
	s, err := c.authorizer.Connect(context.Background(), Credentials{
		JWT: c.sign(u, by), Nonce: text, Signature: sig, Internal: n%7 == 6, Source: netip.MustParseAddr("192.0.2.1"),
		ConnectionType: [...]ConnectionType{Standard, LeafNode}[n/5%2],
	})
	require.NoError(c.t, err)
	return s
}

// TestNothingIsLeft ends sessions in every way, and wants nothing of them in any
// index afterwards; the accounts go when they have been idle, and what is left of them
// is the marks of their tokens.
func TestNothingIsLeft(t *testing.T) {
	const accounts, each = 4, 30
	c := newCrew(t, accounts)
	a := c.authorizer
	var sessions []*Session
	for i := range accounts {
		for n := range each {
			s := c.connect(i, n)
			s.Notify(func(Event) {})
			sessions = append(sessions, s)
		}
	}
	for i := range c.accounts { // standings are replaced
		c.apply(i, func(a *jwt.AccountClaims) { a.Limits.Payload = 1000 })
	}
	_, first := c.key(c.accounts[0], nil)
	_, second := c.key(c.accounts[1], nil)
	require.Equal(t, 1, a.CloseSessions(Filter{User: sessions[each*3].User().Key}, "one"))
	a.SetRemote("node", first, Counts{Connections: 1})
	c.apply(0, func(a *jwt.AccountClaims) { a.Limits.Conn = 5 }) // the newest go
	c.apply(0, func(a *jwt.AccountClaims) { a.Revoke(jwt.All) }) // the others
	_, err := a.Remove(t.Context(), second)                      // all of the second
	require.NoError(t, err)
	c.apply(2, func(a *jwt.AccountClaims) { clear(a.SigningKeys) }) // those of a signing key
	for _, s := range sessions[each*2 : each*2+10] {
		s.Close()
	}
	c.advance(11 * time.Minute) // those that expire
	a.CloseSessions(Filter{}, "the rest")
	for _, s := range sessions {
		require.Error(t, s.Err())
		require.EqualValues(t, -1, s.slot)
		require.Nil(t, s.next)
		require.Nil(t, s.previous)
		require.Nil(t, s.namesake)
		require.Nil(t, s.homonym)
	}
	for i := range a.calendar.pages {
		require.Empty(t, a.calendar.pages[i].sessions)
	}
	for _, p := range a.directory.all() {
		require.Empty(t, p.groups)
		require.Zero(t, p.users.count)
		require.LessOrEqual(t, len(p.users.slots), 4)
		for _, s := range p.users.slots {
			require.Nil(t, s)
		}
		require.Zero(t, p.connections)
		require.Zero(t, p.leafNodes)
	}
	require.Equal(t, uint64(len(sessions)), a.Stats().Ended)
	a.DropRemote("node")
	require.Empty(t, a.directory.remotes.nodes)
	require.Empty(t, a.directory.remotes.sums)
	require.Empty(t, a.directory.turns.held)
	for range 3 { // seen to be idle, and idle for long enough
		c.advance(11 * time.Minute)
	}
	require.Empty(t, a.directory.all())
	require.Empty(t, a.agenda.places)
	require.Equal(t, accounts, a.directory.marks.count())
	require.Equal(t, accounts, a.directory.marks.order.Len())
	a.directory.mu.Lock()
	require.Empty(t, a.directory.flights)
	a.directory.mu.Unlock()
}
