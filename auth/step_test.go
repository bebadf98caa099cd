package auth_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth"
)

// TestStepOrder: the steps are taken in the order of their constants, and every
// one of them has a name. An explanation tells them all.
func TestStepOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t, noAccount)
	x := w.authorizer.Explain(context.Background(), w.client(noUser))
	require.NoError(t, errOf(x))
	require.Len(t, x.Steps, int(auth.StepLive)-1)
	names := make(map[string]bool)
	for i, s := range x.Steps {
		require.Equal(t, auth.Step(i+1), s.Step, "row %d of the table", i)
	}
	for s := auth.StepNone; s <= auth.StepLive; s++ {
		require.NotEmpty(t, s.String(), "step %d has no name", s)
		require.False(t, names[s.String()], "%s is the name of two steps", s)
		names[s.String()] = true
	}
	require.Equal(t, "step(200)", auth.Step(200).String())
}

func errOf(x auth.Explanation) error {
	if x.Err == nil {
		return nil
	}
	return x.Err
}

// TestReasonNames: every reason has a name and a sentence of its own.
func TestReasonNames(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	for _, r := range auth.Reasons() {
		sentence := (&auth.Error{Reason: r}).Error()
		require.NotEmpty(t, r.String())
		require.Greater(t, len(sentence), len("auth: ")+10, "%v", r)
		require.False(t, seen[r.String()] || seen[sentence], "%v stands twice", r)
		seen[r.String()], seen[sentence] = true, true
	}
	require.Equal(t, "reason(200)", auth.Reason(200).String())
	require.Equal(t, "Authorization Violation", (&auth.Error{Reason: 200}).Wire())
}

// TestExplanationPrints: for people a table that ends in what it comes to, and
// for nothing at all, nothing decided.
func TestExplanationPrints(t *testing.T) {
	t.Parallel()
	w := newWorld(t, noAccount)
	c := w.client(noUser)
	require.Contains(t, w.authorizer.Explain(t.Context(), c).String(), "\nadmitted: permissions from account defaults, payload unlimited")
	c.Signature = ""
	text := w.authorizer.Explain(t.Context(), c).String()
	require.Contains(t, text, "\npossession  refused  the client did not sign the nonce")
	require.Contains(t, text, "\nnot reached: account, trust, ")
	require.Contains(t, text, `the client is told "Authorization Violation"`)
	require.Equal(t, "nothing was decided\n", fmt.Sprint(auth.Explanation{}))
}

// TestRetry: what may be accepted later without anybody changing a token.
func TestRetry(t *testing.T) {
	t.Parallel()
	retry := map[auth.Reason]bool{
		auth.AccountNotFound: true, auth.AccountUnavailable: true, auth.AccountBusy: true, auth.AccountAhead: true,
		auth.UserNotYet: true, auth.AccountNotYet: true, auth.OperatorNotYet: true, auth.OutsideTimes: true,
		auth.ConnectionsExceeded: true, auth.LeafNodesExceeded: true, auth.AccountStale: true,
	}
	for _, r := range auth.Reasons() {
		require.Equal(t, retry[r], (&auth.Error{Reason: r}).Retry(), "%v", r)
	}
}
