package resolvertest

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"github.com/natsauth/natsauth/claims"
	"github.com/natsauth/natsauth/resolver"
)

// keeps is Open for stores.
type keeps func(t *testing.T, tokens ...string) resolver.Store

func runStore(t *testing.T, open keeps) {
	t.Run("Save", func(t *testing.T) { saves(t, open) })
	t.Run("SaveNewAccounts", func(t *testing.T) { savesNew(t, open) })
	t.Run("SaveNoToken", func(t *testing.T) { savesNoToken(t, open) })
	t.Run("Override", func(t *testing.T) { overrides(t, open) })
	t.Run("Delete", func(t *testing.T) { deletes(t, open) })
	t.Run("Accounts", func(t *testing.T) { lists(t, open) })
	t.Run("Tokens", func(t *testing.T) { tokens(t, open) })
	t.Run("Hash", func(t *testing.T) { hashes(t, open) })
	t.Run("EndedStore", func(t *testing.T) { endedStore(t, open) })
	t.Run("Concurrently", func(t *testing.T) { concurrently(t, open) })
}

// Holds asserts that a store holds exactly the tokens, whichever way it is asked: in canonical spelling, listed in order,
// and with their hash.
func Holds(t testing.TB, s resolver.Store, tokens ...string) {
	t.Helper()
	var want [sha256.Size]byte
	keys := []string{}
	for _, token := range tokens {
		canonical, err := claims.Canonical(token)
		if err != nil {
			t.Fatal(err)
		}
		key := parse(t, token).Key
		if got, err := s.Resolve(t.Context(), key); err != nil || got != canonical {
			t.Fatalf("Resolve gave %v, the canonical spelling: %t", err, got == canonical)
		}
		keys = append(keys, key)
		for i, b := range sha256.Sum256([]byte(canonical)) {
			want[i] ^= b
		}
	}
	slices.Sort(keys)
	if got := Accounts(t, s); !slices.Equal(got, keys) {
		t.Fatalf("Accounts gave %q, want %q", got, keys)
	}
	listed := []string{}
	for held, err := range resolver.ListerOf(s).Tokens(t.Context()) {
		if got, failed := s.Resolve(t.Context(), held.Account); err != nil || failed != nil || got != held.Token {
			t.Fatalf("Tokens gave %.80q, %v, and another token than Resolve: %t", held.Account, err, got != held.Token)
		}
		listed = append(listed, held.Account)
	}
	if !slices.Equal(listed, keys) {
		t.Fatalf("Tokens gave %q, want %q", listed, keys)
	}
	if got, err := s.Hash(t.Context()); err != nil || got != want {
		t.Fatalf("Hash gave %x, %v, want %x", got, err, want)
	}
}

// Accounts gives what a store lists.
func Accounts(t testing.TB, s resolver.Store) []string {
	t.Helper()
	var keys []string
	for key, err := range s.Accounts(t.Context()) {
		if err != nil {
			t.Fatalf("Accounts gave %v", err)
		}
		keys = append(keys, key)
	}
	return keys
}

// save is one row of what Save does.
type save struct {
	name    string
	held    string
	mode    resolver.Mode
	next    string
	changed bool
	err     error
}

// errAny stands for an error that has no name.
var errAny = errors.New("any error")

func (r save) does(t *testing.T, s resolver.Store) {
	t.Helper()
	changed, err := s.Save(t.Context(), r.next, r.mode)
	if changed != r.changed || !r.fails(err) {
		t.Fatalf("Save gave %t, %v, want %t, %v", changed, err, r.changed, r.err)
	}
}

func (r save) fails(err error) bool {
	if r.err == nil || err == nil {
		return r.err == nil && err == nil
	}
	return r.err == errAny || errors.Is(err, r.err) //nolint:errorlint // it is compared with itself
}

// unknown is none of the modes.
const unknown = resolver.Override + 1

func saves(t *testing.T, open keeps) {
	lesser, greater := Twins(t, 1, 100)
	before, after := Token(t, 1, 99), Token(t, 1, 101)
	for _, row := range []save{
		{"push, a second before", lesser, resolver.Push, before, false, resolver.ErrRollback},
		{"push, same second, greater digest", lesser, resolver.Push, greater, true, nil},
		{"push, same second, lesser digest", greater, resolver.Push, lesser, true, nil},
		{"push, same token", lesser, resolver.Push, lesser, false, nil},
		{"push, same token respelt", lesser, resolver.Push, Respelt(lesser), false, nil},
		{"push, a second after", lesser, resolver.Push, after, true, nil},
		{"merge, a second before", lesser, resolver.Merge, before, false, resolver.ErrRollback},
		{"merge, same second, greater digest", lesser, resolver.Merge, greater, true, nil},
		{"merge, same second, lesser digest", greater, resolver.Merge, lesser, false, nil},
		{"merge, same token", lesser, resolver.Merge, Respelt(lesser), false, nil},
		{"merge, a second after", lesser, resolver.Merge, after, true, nil},
		{"override, a second before", lesser, resolver.Override, before, true, nil},
		{"override, same second, greater digest", lesser, resolver.Override, greater, true, nil},
		{"override, same second, lesser digest", greater, resolver.Override, lesser, true, nil},
		{"override, same token", lesser, resolver.Override, Respelt(lesser), false, nil},
		{"override, a second after", lesser, resolver.Override, after, true, nil},
		{"unknown mode", lesser, unknown, after, false, errAny},
	} {
		t.Run(row.name, func(t *testing.T) {
			other := Token(t, 2, 1)
			s := open(t, row.held, other)
			row.does(t, s)
			want := row.held
			if row.changed {
				want = row.next
			}
			Holds(t, s, want, other)
		})
	}
}

func savesNew(t *testing.T, open keeps) {
	for _, mode := range []resolver.Mode{resolver.Push, resolver.Merge, resolver.Override} {
		for _, iat := range []int64{-1, 0, 1} {
			s := open(t)
			token := Token(t, 1, iat)
			save{next: token, mode: mode, changed: true}.does(t, s)
			Holds(t, s, token)
		}
	}
	s := open(t)
	save{next: Token(t, 1, 1), mode: unknown, err: errAny}.does(t, s)
	Holds(t, s)
}

func savesNoToken(t *testing.T, open keeps) {
	good, other := Token(t, 1, 100), Token(t, 1, 101)
	user := jwt.NewUserClaims(public(t, Pair(t, nkeys.PrefixByteUser, 1)))
	user.Issuer, user.Type, user.Version = Account(t, 1), jwt.UserClaim, 2
	foreign := jwt.NewAccountClaims(public(t, Pair(t, nkeys.PrefixByteUser, 1)))
	foreign.Issuer, foreign.Type, foreign.Version = Operator(t), jwt.AccountClaim, 2
	cut := strings.LastIndexByte(other, '.')
	for name, token := range map[string]string{
		"nothing":                          "",
		"no token":                         "not a token",
		"signature of another token":       other[:cut] + good[strings.LastIndexByte(good, '.'):],
		"no signature":                     other[:cut+1],
		"user token":                       Sign(t, Pair(t, nkeys.PrefixByteAccount, 1), user),
		"account token about a user's key": Sign(t, Pair(t, nkeys.PrefixByteOperator, 0), foreign),
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, good)
			changed, err := s.Save(t.Context(), token, resolver.Override)
			if changed || !errors.Is(err, resolver.ErrToken) {
				t.Fatalf("Save gave %t, %v", changed, err)
			}
			if token != "" && strings.Contains(err.Error(), token) {
				t.Fatal("the error tells the token")
			}
			Holds(t, s, good)
		})
	}
}

// What an Override puts back is the new line: what was held before it does not count any more.
func overrides(t *testing.T, open keeps) {
	s := open(t, Token(t, 1, 100))
	for _, row := range []save{
		{mode: resolver.Push, next: Token(t, 1, 50), err: resolver.ErrRollback},
		{mode: resolver.Override, next: Token(t, 1, 50), changed: true},
		{mode: resolver.Push, next: Token(t, 1, 49), err: resolver.ErrRollback},
		{mode: resolver.Push, next: Token(t, 1, 51), changed: true},
	} {
		row.does(t, s)
	}
	Holds(t, s, Token(t, 1, 51))
}

func deletes(t *testing.T, open keeps) {
	one, two := Token(t, 1, 100), Token(t, 2, 100)
	s := open(t, one, two)
	for _, account := range append(Strangers(t), Account(t, 3)) {
		if err := s.Delete(t.Context(), account); err != nil {
			t.Errorf("Delete(%.80q) gave %v", account, err)
		}
	}
	Holds(t, s, one, two)
	for range 2 {
		if err := s.Delete(t.Context(), Account(t, 1)); err != nil {
			t.Fatal(err)
		}
		Holds(t, s, two)
	}
	if token, err := s.Resolve(t.Context(), Account(t, 1)); token != "" || !resolver.IsNotFound(err) {
		t.Fatalf("Resolve gave %q, %v", token, err)
	}
	if err := s.Delete(t.Context(), Account(t, 2)); err != nil {
		t.Fatal(err)
	}
	Holds(t, s)
	save{next: Token(t, 1, 101), mode: resolver.Merge, changed: true}.does(t, s)
	Holds(t, s, Token(t, 1, 101))
}

// The body of a loop may write to the store, and sees the accounts as they were.
func lists(t *testing.T, open keeps) {
	s := open(t, Token(t, 1, 1), Token(t, 2, 1), Token(t, 3, 1))
	want := Accounts(t, s)
	seq := s.Accounts(t.Context())
	var got []string
	for key, err := range seq {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, key)
		if err := s.Delete(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		save{next: Token(t, 10+len(got), 1), changed: true}.does(t, s)
	}
	if !slices.Equal(got, want) || len(want) != 3 {
		t.Fatalf("the loop saw %q, want %q", got, want)
	}
	for key, err := range seq { // once more, as of now, and ended by the body
		if err != nil || slices.Contains(want, key) {
			t.Fatalf("a second loop gave %v, or what there was in the first", err)
		}
		break
	}
	Holds(t, s, Token(t, 11, 1), Token(t, 12, 1), Token(t, 13, 1))

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var errs []error
	for _, err := range s.Accounts(ctx) {
		errs = append(errs, err)
		cancel()
	}
	if len(errs) != 2 || errs[0] != nil || !isOutage(errs[1], context.Canceled) {
		t.Fatalf("a context that ended in the loop gave %v", errs)
	}
}

// The body of a loop may write to the store. It sees the accounts as they were, each with a token that was its own, and not
// what has come since.
func tokens(t *testing.T, open keeps) {
	s := open(t, Token(t, 1, 1), Token(t, 2, 1), Token(t, 3, 1))
	want := Accounts(t, s)
	seq := resolver.ListerOf(s).Tokens(t.Context())
	var got []string
	for held, err := range seq {
		if err != nil {
			t.Fatal(err)
		}
		if a := parse(t, held.Token); a.Key != held.Account {
			t.Fatalf("the loop gave %q the token of %q", held.Account, a.Key)
		}
		got = append(got, held.Account)
		if err := s.Delete(t.Context(), held.Account); err != nil {
			t.Fatal(err)
		}
		save{next: Token(t, 10+len(got), 1), changed: true}.does(t, s)
	}
	if !slices.Equal(got, want) || len(want) != 3 {
		t.Fatalf("the loop saw %q, want %q", got, want)
	}
	for held, err := range seq { // once more, as of now, and ended by the body
		if err != nil || slices.Contains(want, held.Account) {
			t.Fatalf("a second loop gave %v, or what there was in the first", err)
		}
		break
	}
	Holds(t, s, Token(t, 11, 1), Token(t, 12, 1), Token(t, 13, 1))

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var errs []error
	var last resolver.Held
	for held, err := range resolver.ListerOf(s).Tokens(ctx) {
		errs, last = append(errs, err), held
		cancel()
	}
	if len(errs) != 2 || errs[0] != nil || !isOutage(errs[1], context.Canceled) || last != (resolver.Held{}) {
		t.Fatalf("a context that ended in the loop gave %v", errs)
	}
}

func hashes(t *testing.T, open keeps) {
	var tokens []string
	for n := range 8 {
		tokens = append(tokens, Token(t, n, 100))
	}
	first := open(t, tokens...)
	slices.Reverse(tokens)
	second := open(t, append(slices.Clone(tokens), Token(t, 9, 1))...)
	if err := second.Delete(t.Context(), Account(t, 9)); err != nil {
		t.Fatal(err)
	}
	a, err := first.Hash(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if b, err := second.Hash(t.Context()); err != nil || a != b || a == [32]byte{} {
		t.Fatalf("hashes %x and %x, %v", a, b, err)
	}
	Holds(t, second, tokens...)
	Holds(t, open(t))
}

func endedStore(t *testing.T, open keeps) {
	s := open(t, Token(t, 1, 100))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	changed, saving := s.Save(ctx, Token(t, 1, 200), resolver.Override)
	hash, hashing := s.Hash(ctx)
	errs := []error{saving, hashing, s.Delete(ctx, Account(t, 1))}
	for key, err := range s.Accounts(ctx) {
		if key != "" {
			t.Errorf("Accounts gave %q", key)
		}
		errs = append(errs, err)
	}
	for held, err := range resolver.ListerOf(s).Tokens(ctx) {
		if held != (resolver.Held{}) {
			t.Errorf("Tokens gave %q", held.Account)
		}
		errs = append(errs, err)
	}
	if changed || hash != [32]byte{} || len(errs) != 5 {
		t.Errorf("Save gave %t, Hash %x, and Accounts and Tokens %d errors", changed, hash, len(errs)-3)
	}
	for _, err := range errs {
		if !isOutage(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
	}
	Holds(t, s, Token(t, 1, 100))
}

// Several goroutines push, merge and delete in any order while others read: the newest remains.
func concurrently(t *testing.T, open keeps) {
	const shared, last, writers = 4, 12, 4
	var tokens, want []string
	for n := range shared {
		for iat := range last {
			tokens = append(tokens, Token(t, n, int64(iat+1)))
		}
		want = append(want, tokens[len(tokens)-1])
	}
	s := open(t)
	list := resolver.ListerOf(s)
	var writing, reading sync.WaitGroup
	var done atomic.Bool
	for _, read := range []func(){
		func() { s.Hash(t.Context()) },                   //nolint:errcheck // it runs beside the others
		func() { s.Resolve(t.Context(), Account(t, 0)) }, //nolint:errcheck // likewise
		func() {
			for key, err := range s.Accounts(t.Context()) {
				if key == "" || err != nil {
					t.Errorf("Accounts gave %q, %v", key, err)
				}
			}
		},
		func() {
			for held, err := range list.Tokens(t.Context()) {
				if err != nil || held.Token == "" {
					t.Errorf("Tokens gave %q, %v", held.Account, err)
				}
			}
		},
	} {
		reading.Go(func() {
			for !done.Load() {
				read()
			}
		})
	}
	for w := range writers {
		own := Token(t, 20+w, 1)
		key := parse(t, own).Key
		writing.Go(func() {
			for i := range tokens {
				next := tokens[(i*(2*w+1)+w)%len(tokens)]
				if _, err := s.Save(t.Context(), next, resolver.Mode(w%2)); err != nil && !errors.Is(err, resolver.ErrRollback) { //nolint:gosec // G115: 0 or 1
					t.Errorf("Save gave %v", err)
				}
				if _, err := s.Save(t.Context(), own, resolver.Push); err != nil {
					t.Errorf("Save gave %v", err)
				}
				if err := s.Delete(t.Context(), key); err != nil {
					t.Errorf("Delete gave %v", err)
				}
			}
		})
	}
	writing.Wait()
	done.Store(true)
	reading.Wait()
	Holds(t, s, want...)
}

// Remembers holds a store to keeping the mark of an account that was deleted, so that an older token is a rollback
// afterwards too (B4). again gives the same store as whoever opens it next finds it.
func Remembers(t *testing.T, open Open, again func(t *testing.T, s resolver.Store) resolver.Store) {
	lesser, greater := Twins(t, 1, 100)
	before, after := Token(t, 1, 99), Token(t, 1, 101)
	for _, row := range []save{
		{"push, a second before", greater, resolver.Push, before, false, resolver.ErrRollback},
		{"push, the token that was deleted", greater, resolver.Push, greater, true, nil},
		{"push, a second after", greater, resolver.Push, after, true, nil},
		{"merge, a second before", greater, resolver.Merge, before, false, resolver.ErrRollback},
		{"merge, the token that was deleted", greater, resolver.Merge, greater, false, resolver.ErrRollback},
		{"merge, same second, lesser digest", greater, resolver.Merge, lesser, false, resolver.ErrRollback},
		{"merge, a second after", greater, resolver.Merge, after, true, nil},
		{"override, a second before", greater, resolver.Override, before, true, nil},
		{"unknown mode", greater, unknown, after, false, errAny},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := open(t, row.held).(resolver.Store)
			for range 2 { // again: the mark stays
				if err := s.Delete(t.Context(), Account(t, 1)); err != nil {
					t.Fatal(err)
				}
				s = again(t, s)
			}
			Holds(t, s)
			row.does(t, s)
			s = again(t, s)
			if row.changed {
				Holds(t, s, row.next)
			} else {
				Holds(t, s)
			}
		})
	}
}
