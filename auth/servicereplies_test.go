package auth_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/auth/authtest"
)

// desk is an exporter E of three services, two importers, and the replies of a broker.
type desk struct {
	a       *auth.Authorizer
	clock   *clock
	e, i, j *auth.Account
	*auth.Replies
}

func newDesk(t *testing.T, most int) *desk {
	t.Helper()
	d := &desk{clock: &clock{now: authtest.Now()}}
	op := authtest.NewOperator(t)
	e := op.Account("E",
		authtest.ServiceExport("one", func(e *jwt.Export) { e.ResponseThreshold = time.Minute }),
		authtest.ServiceExport("many", func(e *jwt.Export) { e.ResponseType, e.ResponseThreshold = jwt.ResponseTypeStream, time.Minute }),
		authtest.ServiceExport("parts", func(e *jwt.Export) { e.ResponseType = jwt.ResponseTypeChunked }),
	)
	importer := func(name string) *authtest.Account {
		return op.Account(name, authtest.ServiceImport(e.PublicKey(), "one", ""), authtest.ServiceImport(e.PublicKey(), "many", ""), authtest.ServiceImport(e.PublicKey(), "parts", ""))
	}
	accounts := []*authtest.Account{e, importer("I"), importer("J")}
	d.a = authtest.Authorizer(t, op, accounts, d.clock.use)
	for n, view := range []**auth.Account{&d.e, &d.i, &d.j} {
		var err error
		*view, err = d.a.Account(t.Context(), accounts[n].PublicKey())
		require.NoError(t, err)
	}
	d.Replies = auth.NewReplies(d.a, most)
	return d
}

// ask opens a reply for a request to a service.
func (d *desk) ask(t require.TestingT, from *auth.Account, service, reply string) string {
	routes := from.Services(nil, service)
	require.Len(t, routes, 1)
	subject, ok := d.Open(routes[0], from, reply, reply)
	require.True(t, ok)
	require.True(t, strings.HasPrefix(subject, d.Prefix()) && strings.HasPrefix(subject, "_R_."))
	return subject
}

// TestF078HowOftenAnAnswerComes: once, or until an empty one.
func TestF078HowOftenAnAnswerComes(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		service string
		empty   []bool // of the answers in turn
		want    []bool // that arrive
	}{
		{"one", []bool{false, false}, []bool{true, false}},
		{"one", []bool{true, false}, []bool{true, false}},
		{"many", []bool{false, false, true, false}, []bool{true, true, true, false}},
		{"parts", []bool{false, false, true, true}, []bool{true, true, true, false}},
	} {
		t.Run(fmt.Sprint(row.service, row.empty), func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, 0)
			s := d.ask(t, d.i, row.service, "inbox")
			for n, empty := range row.empty {
				got, ok := d.Take(d.e, s, empty)
				require.Equal(t, row.want[n], ok, "answer %d", n+1)
				if ok {
					require.Same(t, d.i, got.Requestor)
					require.Equal(t, "inbox", got.Subject)
					require.Equal(t, "inbox", got.Note)
					require.Equal(t, row.service, got.Service.Subject)
				}
			}
			require.Zero(t, d.Len())
		})
	}
}

// TestF079HowLongAnAnswerMayTake: from the request on, and from answer to answer.
func TestF079HowLongAnAnswerMayTake(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name    string
		service string
		waits   []time.Duration
		want    []bool
	}{
		{"just in time", "one", []time.Duration{time.Minute - 1}, []bool{true}},
		{"too late", "one", []time.Duration{time.Minute}, []bool{false}},
		{"each in time", "many", []time.Duration{time.Minute - 1, time.Minute - 1, time.Minute - 1}, []bool{true, true, true}},
		{"the second too late", "many", []time.Duration{time.Second, time.Minute, 0}, []bool{true, false, false}},
		{"by default two minutes", "parts", []time.Duration{auth.DefaultThreshold - 1, auth.DefaultThreshold}, []bool{true, false}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, 0)
			s := d.ask(t, d.i, row.service, "inbox")
			for n, wait := range row.waits {
				d.clock.advance(wait)
				_, ok := d.Take(d.e, s, false)
				require.Equal(t, row.want[n], ok, "answer %d", n+1)
			}
		})
	}
}

// TestF087WhoMayAnswer: somebody in the exporter's account, who has the subject to the letter.
func TestF087WhoMayAnswer(t *testing.T) {
	t.Parallel()
	d := newDesk(t, 0)
	s := d.ask(t, d.i, "one", "inbox")
	for name, take := range map[string]func() (auth.Answer, bool){
		"the requestor":       func() (auth.Answer, bool) { return d.Take(d.i, s, false) },
		"a stranger":          func() (auth.Answer, bool) { return d.Take(d.j, s, false) },
		"nobody":              func() (auth.Answer, bool) { return d.Take(nil, s, false) },
		"another subject":     func() (auth.Answer, bool) { return d.Take(d.e, s+"x", false) },
		"the prefix":          func() (auth.Answer, bool) { return d.Take(d.e, d.Prefix(), false) },
		"the requestor's own": func() (auth.Answer, bool) { return d.Take(d.e, "inbox", false) },
	} {
		got, ok := take()
		require.False(t, ok, name)
		require.Zero(t, got, name)
	}
	_, ok := d.Take(d.e, s, false)
	require.True(t, ok)
}

// TestRepliesOfAnswers: an answer that wants an answer gets it the other way round.
func TestRepliesOfAnswers(t *testing.T) {
	t.Parallel()
	d := newDesk(t, 0)
	first, ok := d.Take(d.e, d.ask(t, d.i, "many", "inbox"), false)
	require.True(t, ok)
	back, ok := d.Open(auth.ServiceRoute{Exporter: first.Requestor, Service: first.Service}, d.e, "ack.me", nil)
	require.True(t, ok)
	got, ok := d.Take(d.i, back, false)
	require.True(t, ok)
	require.Same(t, d.e, got.Requestor)
	require.Equal(t, "ack.me", got.Subject)
}

// TestRepliesThatAreNone: what cannot be answered, and what stays as it is.
func TestRepliesThatAreNone(t *testing.T) {
	t.Parallel()
	d := newDesk(t, 0)
	route := d.i.Services(nil, "one")[0]
	for _, reply := range []string{"", strings.Repeat("x", 4097)} {
		_, ok := d.Open(route, d.i, reply, nil)
		require.False(t, ok)
	}
	_, ok := d.Open(route, d.i, strings.Repeat("x", 4096), nil)
	require.True(t, ok)
	ack, ok := d.Open(route, d.i, "$JS.ACK.a.b", nil)
	require.True(t, ok)
	require.Equal(t, "$JS.ACK.a.b", ack)
	require.Equal(t, 1, d.Len())
	_, ok = d.Open(auth.ServiceRoute{}, d.i, "x", nil)
	require.False(t, ok)
	_, ok = d.Open(route, nil, "x", nil)
	require.False(t, ok)
	var none *auth.Replies
	closed := newDesk(t, 0)
	require.NoError(t, closed.a.Close())
	for _, r := range []*auth.Replies{none, {}, auth.NewReplies(nil, 0), auth.NewReplies(new(auth.Authorizer), 0), closed.Replies} {
		subject, ok := r.Open(route, d.i, "x", nil)
		require.False(t, ok)
		require.Empty(t, subject)
		require.NotPanics(t, func() { r.Prefix() })
		_, ok = r.Take(d.e, "x", false)
		require.False(t, ok)
		r.Forget("x")
		require.Empty(t, r.Abandon(d.i.Key(), "x"))
		require.Zero(t, r.Len())
	}
}

// TestRepliesOfAnyService: routes that a caller has made of what it has are as good.
func TestRepliesOfAnyService(t *testing.T) {
	t.Parallel()
	for _, s := range []*auth.Service{nil, {}, {Threshold: -1}, {Threshold: time.Minute}} {
		d := newDesk(t, 0)
		subject, ok := d.Open(auth.ServiceRoute{Exporter: d.e, Service: s}, d.i, "inbox", nil)
		require.True(t, ok)
		d.clock.advance(time.Minute - 1)
		_, ok = d.Take(d.e, subject, false)
		require.True(t, ok, "%+v", s)
	}
}

// TestRepliesWithoutRoom: what cannot be kept is not opened.
func TestRepliesWithoutRoom(t *testing.T) {
	t.Parallel()
	d := newDesk(t, 1)
	for length, want := range map[int]bool{255: true, 256: true, 257: false, 4000: false} {
		subject, ok := d.Open(d.i.Services(nil, "one")[0], d.i, strings.Repeat("x", length), nil)
		require.Equal(t, want, ok, length)
		require.Equal(t, want, subject != "")
	}
}

// TestRepliesAreForgotten: one, or all of a subject that nobody listens to any more.
func TestRepliesAreForgotten(t *testing.T) {
	t.Parallel()
	d := newDesk(t, 0)
	a, b, c := d.ask(t, d.i, "one", "inbox"), d.ask(t, d.i, "many", "inbox"), d.ask(t, d.j, "one", "inbox")
	other := d.ask(t, d.i, "one", "other")
	d.Forget(a)
	d.Forget(a)
	_, ok := d.Take(d.e, a, false)
	require.False(t, ok)
	require.Equal(t, []any{"inbox"}, d.Abandon(d.i.Key(), "inbox"))
	require.Empty(t, d.Abandon(d.i.Key(), "inbox"))
	require.Empty(t, d.Abandon("nobody", "inbox"))
	_, ok = d.Take(d.e, b, false)
	require.False(t, ok)
	for _, s := range []string{c, other} {
		_, ok = d.Take(d.e, s, false)
		require.True(t, ok)
	}
	require.Zero(t, d.Len())
}

// TestRepliesEndWithTheRequestor's account.
func TestRepliesEndWithTheRequestor(t *testing.T) {
	t.Parallel()
	d := newDesk(t, 0)
	s := d.ask(t, d.i, "one", "inbox")
	_, err := d.a.Remove(t.Context(), d.i.Key())
	require.NoError(t, err)
	_, ok := d.Take(d.e, s, false)
	require.False(t, ok)
}

// TestB18RepliesAreBounded, and fairly: who has the most loses its oldest, and a flood of
// one account costs the other nothing.
func TestB18RepliesAreBounded(t *testing.T) {
	t.Parallel()
	const most = 10
	d := newDesk(t, most)
	mine := []string{d.ask(t, d.j, "many", "a"), d.ask(t, d.j, "many", "b"), d.ask(t, d.j, "many", "c")}
	var theirs []string
	for n := range 100 {
		theirs = append(theirs, d.ask(t, d.i, "many", fmt.Sprint("inbox", n)))
		require.LessOrEqual(t, d.Len(), most)
	}
	for _, s := range mine {
		_, ok := d.Take(d.e, s, false)
		require.True(t, ok)
	}
	for n, s := range theirs {
		_, ok := d.Take(d.e, s, false)
		require.Equal(t, n >= 100-(most-len(mine)), ok, "request %d", n)
	}
	long := newDesk(t, most)
	for range most {
		long.ask(t, long.i, "many", strings.Repeat("x", 1000))
	}
	require.Equal(t, 2, long.Len(), "long subjects are fewer")
}

// TestB18RepliesOfPassedOnRequests: what an account passes on counts for the one that asked
// it, and does not cost it the answers to its own requests.
func TestB18RepliesOfPassedOnRequests(t *testing.T) {
	t.Parallel()
	const most = 10
	d := newDesk(t, most)
	mine := d.ask(t, d.j, "many", "mine")
	var last string
	for n := range 100 {
		asked := d.ask(t, d.i, "many", fmt.Sprint("inbox", n))
		last = d.ask(t, d.j, "many", asked) // passed on
		require.LessOrEqual(t, d.Len(), most)
	}
	_, ok := d.Take(d.e, mine, false)
	require.True(t, ok)
	got, ok := d.Take(d.e, last, false)
	require.True(t, ok)
	require.Same(t, d.j, got.Requestor)
	got, ok = d.Take(d.e, got.Subject, false)
	require.True(t, ok)
	require.Same(t, d.i, got.Requestor)
	require.Equal(t, "inbox99", got.Subject)
	d.Abandon(d.j.Key(), "mine")
	_, ok = d.Take(d.e, mine, false)
	require.False(t, ok)
}

// TestRepliesThatAreOverMakeRoom without anybody asking for them.
func TestRepliesThatAreOverMakeRoom(t *testing.T) {
	t.Parallel()
	d := newDesk(t, 0)
	for range 50 {
		d.ask(t, d.i, "one", "inbox")
	}
	d.clock.advance(time.Minute)
	for range 50 {
		d.ask(t, d.i, "one", "inbox")
	}
	require.LessOrEqual(t, d.Len(), 51)
}

// TestRepliesAgreeWithABook draws histories and compares them with a naive book.
func TestRepliesAgreeWithABook(t *testing.T) {
	d := newDesk(t, 0)
	type entry struct {
		from, exporter *auth.Account
		reply, service string
		since          time.Time
	}
	threshold := map[string]time.Duration{"one": time.Minute, "many": time.Minute, "parts": auth.DefaultThreshold}
	rapid.Check(t, func(rt *rapid.T) {
		d.Replies = auth.NewReplies(d.a, 0)
		book := map[string]entry{}
		var subjects []string
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			switch rapid.IntRange(0, 5).Draw(rt, "step") {
			case 0, 1:
				from := rapid.SampledFrom([]*auth.Account{d.i, d.j}).Draw(rt, "from")
				service := rapid.SampledFrom([]string{"one", "many", "parts"}).Draw(rt, "service")
				reply := rapid.SampledFrom([]string{"a", "b"}).Draw(rt, "reply")
				s := d.ask(rt, from, service, reply)
				subjects = append(subjects, s)
				book[s] = entry{from, d.e, reply, service, d.clock.read()}
			case 2:
				d.clock.advance(time.Duration(rapid.IntRange(0, 50).Draw(rt, "seconds")) * time.Second)
			case 3:
				from := rapid.SampledFrom([]*auth.Account{d.i, d.j}).Draw(rt, "from")
				d.Abandon(from.Key(), "a")
				for s, e := range book {
					if e.from == from && e.reply == "a" {
						delete(book, s)
					}
				}
			default:
				if len(subjects) == 0 {
					continue
				}
				s, empty := rapid.SampledFrom(subjects).Draw(rt, "subject"), rapid.Bool().Draw(rt, "empty")
				e, ok := book[s]
				if ok = ok && d.clock.read().Sub(e.since) < threshold[e.service]; !ok || empty || e.service == "one" {
					delete(book, s)
				} else {
					e.since = d.clock.read()
					book[s] = e
				}
				got, taken := d.Take(d.e, s, empty)
				require.Equal(rt, ok, taken)
				require.True(rt, !ok || got.Requestor == e.from && got.Subject == e.reply)
			}
		}
	})
}

// TestRepliesOfManyGoroutines, for the race detector.
func TestRepliesOfManyGoroutines(t *testing.T) {
	t.Parallel()
	d := newDesk(t, 100)
	var g sync.WaitGroup
	for n := range 8 {
		g.Go(func() {
			from := []*auth.Account{d.i, d.j}[n%2]
			for m := range 300 {
				s := d.ask(t, from, "many", fmt.Sprint("inbox", m%7))
				_, _ = d.Take(d.e, s, m%3 == 0)
				d.Abandon(from.Key(), fmt.Sprint("inbox", m%5))
				d.Forget(s)
			}
		})
	}
	g.Wait()
	require.LessOrEqual(t, d.Len(), 100)
}
