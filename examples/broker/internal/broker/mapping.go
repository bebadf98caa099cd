package broker

import "github.com/natsauth/natsauth/auth"

// mapped gives the subject that the account maps a published one to. A mapping by
// weight may lose the message: its subject is then none, which matches nothing.
func mapped(a *auth.Account, subject string) string {
	to, deliver := a.Map(subject)
	if !deliver {
		return ""
	}
	return to
}
