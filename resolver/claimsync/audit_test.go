package claimsync_test

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/natsauth/natsauth/auth"
	"github.com/natsauth/natsauth/resolver/resolvertest"
)

// TestAudit: who reads the audit sees by which request an account has changed.
func TestAudit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRealm(t)
		bus := new(resolvertest.Bus)
		var by []string
		n := r.node(t, bus, func(s setup) {
			s.auth.Audit = func(a auth.AuditRecord) { by = append(by, a.By) }
		})
		subject := "$SYS.REQ.ACCOUNT." + r.a.PublicKey() + ".CLAIMS.UPDATE"
		n.one(subject, r.a.Token())
		require.Equal(t, []string{subject}, by)
	})
}
