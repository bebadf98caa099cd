package vectors_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/auth/authtest"
)

// challenge is the nonce of every vector: 15 characters, as nonce.New makes them.
const challenge = "b3BlbiBzZXNhbWU"

// at is a number of seconds after noon, which is the time of every vector that
// does not say otherwise.
func at(seconds int) time.Time { return authtest.Now().Add(time.Duration(seconds) * time.Second) }

// client is a chain and what its user does. It does not change: every method
// gives another one.
type client struct {
	operator, account, user []authtest.Option
	edits                   []func(*scene)
}

// scene is a vector while it is made, with the chain behind it.
type scene struct {
	*authtest.Vector
	t *testing.T
	o *authtest.Operator
	a *authtest.Account
	u *authtest.User
}

func (c client) operatorOf(opts ...authtest.Option) client {
	c.operator = slices.Concat(c.operator, opts)
	return c
}

func (c client) accountOf(opts ...authtest.Option) client {
	c.account = slices.Concat(c.account, opts)
	return c
}

func (c client) userOf(opts ...authtest.Option) client {
	c.user = slices.Concat(c.user, opts)
	return c
}

// with changes the finished vector.
func (c client) with(edit func(*scene)) client {
	c.edits = append(slices.Clone(c.edits), edit)
	return c
}

func (c client) now(t time.Time) client { return c.with(func(s *scene) { s.Now = t }) }

func (c client) unsigned() client { return c.signature("") }

func (c client) signature(sig string) client {
	return c.with(func(s *scene) { s.Client.Signature = sig })
}

func (c client) kind(k auth.ConnectionType) client {
	return c.with(func(s *scene) { s.Client.ConnectionType = k })
}

func (c client) jwt(token string) client { return c.with(func(s *scene) { s.Client.JWT = token }) }

// others are open already.
func (c client) others(k auth.ConnectionType, n int) client {
	return c.with(func(s *scene) { s.Connected = append(s.Connected, authtest.Connected{Type: k, N: n}) })
}

func (c client) then(do string) client { return c.with(func(s *scene) { s.Then.Do = do }) }

func (c client) sweep(t time.Time) client {
	return c.with(func(s *scene) { s.Then = authtest.Action{Do: authtest.ActionSweep, At: t} })
}

// row is one file.
type row struct {
	file, rule, title, twin string
	client
	want []want
}

// want is one thing about the outcome.
type want func(*authtest.Vector)

// admits is a row of a client that is let in.
func admits(file, rule, title string, c client, w ...want) row {
	return row{file: file, rule: rule, title: title, client: c, want: w}
}

// refuses is a row of a client that is not, and the file of its twin that is.
func refuses(file, rule, title, twin string, c client, r auth.Reason, s auth.Step, w ...want) row {
	first := func(v *authtest.Vector) { v.Reason, v.Step, v.Wire = r, s.String(), "Authorization Violation" }
	return row{file: file, rule: rule, title: title, twin: twin, client: c, want: append([]want{first}, w...)}
}

// ends is a row of a client that is let in and does not stay.
func ends(file, rule, title, twin string, c client, r auth.Reason, wire string) row {
	w := func(v *authtest.Vector) { v.Ended, v.EndedWire = r, wire }
	return row{file: file, rule: rule, title: title, twin: twin, client: c, want: []want{w}}
}

func wire(text string) want { return func(v *authtest.Vector) { v.Wire = text } }

func from(source string) want { return func(v *authtest.Vector) { v.PermissionsFrom = source } }

func expires(t time.Time) want { return func(v *authtest.Vector) { v.Expires = t } }

func publishes(subjects ...string) want {
	return func(v *authtest.Vector) { v.Allowed.Publish = append(v.Allowed.Publish, subjects...) }
}

func publishesNot(subjects ...string) want {
	return func(v *authtest.Vector) { v.Refused.Publish = append(v.Refused.Publish, subjects...) }
}

func subscribes(subjects ...string) want {
	return func(v *authtest.Vector) { v.Allowed.Subscribe = append(v.Allowed.Subscribe, subjects...) }
}

func subscribesNot(subjects ...string) want {
	return func(v *authtest.Vector) { v.Refused.Subscribe = append(v.Refused.Subscribe, subjects...) }
}

func receives(subjects ...string) want {
	return func(v *authtest.Vector) { v.Allowed.Receive = append(v.Allowed.Receive, subjects...) }
}

func receivesNot(subjects ...string) want {
	return func(v *authtest.Vector) { v.Refused.Receive = append(v.Refused.Receive, subjects...) }
}

func delivered(replies ...string) want {
	return func(v *authtest.Vector) { v.Delivered = append(v.Delivered, replies...) }
}

func limits(subscriptions, payload int64) want {
	return func(v *authtest.Vector) { v.Subscriptions, v.Payload = &subscriptions, &payload }
}

// beforeLookup are the steps that must not ask for the account (B7).
var beforeLookup = []string{"proxy", "token", "validity", "pinned", "possession"}

// vector makes the file of a row, all but what its twin tells.
func (r row) vector(t *testing.T) *authtest.Vector {
	o := authtest.NewOperator(t, r.operator...)
	a := o.Account("A", r.account...)
	u := a.User("u", r.user...)
	v := &authtest.Vector{
		File: r.file + ".txt", Title: r.title, Rules: strings.Fields(r.rule),
		Now: authtest.Now(), Trust: auth.Trust{Operators: []string{o.Token()}},
		Accounts: []authtest.Answer{{Key: a.PublicKey(), Token: a.Token()}},
		Client:   u.Credentials(challenge),
		User:     u.PublicKey(), InAccount: a.PublicKey(),
	}
	for _, edit := range r.edits {
		edit(&scene{v, t, o, a, u})
	}
	for _, w := range r.want {
		w(v)
	}
	if v.Reason != auth.ReasonNone {
		v.User, v.InAccount = "", ""
	}
	if len(v.Connected) == 0 {
		v.Asked = asked(v)
	}
	return v
}

// asked says whether store or resolver may be asked, which follows from the step
// that refuses: not before the account's, and not where there is no room for one
// more look-up.
func asked(v *authtest.Vector) string {
	if slices.Contains(beforeLookup, v.Step) || v.Reason == auth.AccountBusy {
		return "no"
	}
	return "yes"
}

// table makes every file.
func table(t *testing.T) []*authtest.Vector {
	rows := slices.Concat(tokenRows(), contentRows(), possessionRows(), choiceRows(), proxyRows(), windowRows(), trustRows(), accountRows(),
		signerRows(), scopeRows(), conflictRows(), templateRows(), restrictionRows(), revocationRows(), sourceRows(), hourRows(),
		permissionRows(), limitRows(), liveRows())
	out := make([]*authtest.Vector, len(rows))
	byName := make(map[string]*authtest.Vector)
	for i, r := range rows {
		out[i] = r.vector(t)
		require.NotContains(t, byName, r.file, "two rows of one name")
		byName[r.file] = out[i]
	}
	for i, r := range rows {
		if r.twin == "" {
			continue
		}
		require.Contains(t, byName, r.twin, "the twin of %s", r.file)
		differs := out[i].Diff(byName[r.twin])
		require.Len(t, differs, 1, "what %s and its twin differ in", r.file)
		out[i].Twin, out[i].Differs = r.twin+".txt", differs[0]
	}
	return out
}
