package cache_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/natsauth/natsauth/resolver"
	"github.com/natsauth/natsauth/resolver/cache"
	"github.com/natsauth/natsauth/resolver/resolvertest"
)

// kept is what the model keeps of an account. Times are seconds.
type kept struct {
	token         string
	loaded, pause int // pause: until then upstream is not asked
	exp           int
}

// model says what a Cache answers: the ages of a token in a few lines, with nothing at the same time as anything else.
type model struct {
	ttl, ahead, stale, retry int
	now                      int
	up                       bool
	has                      map[int]kept // upstream, by account
	held                     map[int]kept
	asked                    int
}

// resolve is what the account's question is answered with: a token, or an error.
func (m *model) resolve(n int) (string, error) {
	k, ok := m.held[n]
	age := m.now - k.loaded
	over := !ok || m.now >= k.exp
	switch {
	case !over && age < m.ttl:
		if age >= m.ttl-m.ahead && m.now >= k.pause {
			m.ask(n)
		}
		return k.token, nil
	case !over && age < m.ttl+m.stale && m.now < k.pause:
		return k.token, nil
	}
	switch next, err := m.ask(n); {
	case err == nil || err == resolver.ErrNotFound: //nolint:errorlint // it is the model's own
		return next, err
	case !over && age < m.ttl+m.stale:
		return k.token, nil
	default:
		return "", err
	}
}

// ask asks upstream, and keeps what it says.
func (m *model) ask(n int) (string, error) {
	m.asked++
	if !m.up {
		if k, ok := m.held[n]; ok {
			k.pause = m.now + m.retry
			m.held[n] = k
		}
		return "", resolver.ErrUnavailable
	}
	delete(m.held, n)
	next, ok := m.has[n]
	if !ok {
		return "", resolver.ErrNotFound
	}
	if m.now < next.exp {
		m.held[n] = kept{token: next.token, loaded: m.now, exp: next.exp}
	}
	return next.token, nil
}

// event is one step of a history. Which number it takes and what it does with it depends on what it is.
type event struct {
	what            string
	account, number int
}

// world is a Cache with its upstream, beside their model.
type world struct {
	*model
	keys   []string
	tokens [][]kept // by account
	u      *upstream
	c      *cache.Cache
}

// does has an event happen on both sides, and says where they differ.
func (w *world) does(e event) error {
	n := e.account
	switch e.what {
	case "resolve":
		want, wrong := w.resolve(n)
		got, err := w.c.Resolve(context.Background(), w.keys[n])
		if got != want || (err == nil) != (wrong == nil) || !errors.Is(err, wrong) {
			return fmt.Errorf("Resolve gave %s, want %s; another token: %t", fmt.Sprint(err), fmt.Sprint(wrong), got != want)
		}
	case "sleep":
		w.now += e.number
		time.Sleep(time.Duration(e.number) * time.Second)
	case "change":
		w.has[n] = w.tokens[n][e.number]
		w.u.gives(w.keys[n], w.has[n].token)
	case "vanish":
		delete(w.has, n)
		w.u.forgets(w.keys[n])
	case "turn":
		w.up = !w.up
		w.u.fails(map[bool]error{false: errDial}[w.up])
	case "forget":
		delete(w.held, n)
		w.c.Forget(w.keys[n])
	case "forget all":
		clear(w.held)
		w.c.Forget("")
	}
	synctest.Wait()
	if asked := w.u.questions(); asked != w.asked {
		return fmt.Errorf("upstream was asked %d times, want %d", asked, w.asked)
	}
	return nil
}

// TestCacheAgreesWithTheModel: whole histories of questions, outages, changes and time.
func TestCacheAgreesWithTheModel(t *testing.T) {
	const accounts, versions, never = 2, 4, 1 << 30
	var keys []string
	tokens := make([][]kept, accounts)                          // with and without an end
	start := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Unix() // of every bubble
	for n := range accounts {
		keys = append(keys, resolvertest.Account(t, n))
		for i := range versions {
			exp := 15 * (i + 1)
			ends := resolvertest.Expires(start + int64(exp))
			tokens[n] = append(tokens[n],
				kept{token: resolvertest.Token(t, n, int64(i)), exp: never},
				kept{token: resolvertest.Token(t, n, int64(i), ends), exp: exp})
		}
	}
	kinds := []string{
		"resolve", "resolve", "resolve", "resolve", "sleep", "sleep", "turn", "change", "vanish", "forget", "forget all",
	}
	rapid.Check(t, func(rt *rapid.T) {
		between := func(from, to int, name string) int { return rapid.IntRange(from, to).Draw(rt, name) }
		m := &model{
			ttl: between(2, 20, "ttl"), stale: between(0, 10, "stale"), retry: between(1, 5, "retry"),
			up: true, has: make(map[int]kept), held: make(map[int]kept),
		}
		m.ahead = between(0, m.ttl-1, "ahead")
		var history []event
		for range between(1, 150, "steps") {
			history = append(history, event{
				rapid.SampledFrom(kinds).Draw(rt, "what"), between(0, accounts-1, "account"), between(0, 2*versions-1, "number"),
			})
		}
		o := cache.Options{
			TTL: time.Duration(m.ttl) * time.Second, RefreshAhead: time.Duration(m.ahead) * time.Second,
			MaxStale: time.Duration(m.stale) * time.Second, Retry: time.Duration(m.retry) * time.Second,
		}
		if m.ahead == 0 {
			o.RefreshAhead = -1
		}
		var differs error
		synctest.Test(t, func(t *testing.T) {
			u := serves(t)
			w := &world{m, keys, tokens, u, before(t, u, o)}
			for i, e := range history {
				if differs = w.does(e); differs != nil {
					differs = fmt.Errorf("step %d, %s: %w", i, e.what, differs)
					return
				}
			}
		})
		if differs != nil { // out of the bubble, so that rapid can look for a shorter history
			rt.Fatal(differs)
		}
	})
}
