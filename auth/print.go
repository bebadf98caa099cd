package auth

import "log/slog"

// This file keeps secrets out of what is printed by accident: a bearer token in
// the cache is as good as a password, and so is a sentinel (B8).

// String names the type and shows nothing of what the Authorizer holds.
func (a *Authorizer) String() string { return "auth.Authorizer" }

// GoString is [Authorizer.String].
func (a *Authorizer) GoString() string { return a.String() }

// LogValue is [Authorizer.String].
func (a *Authorizer) LogValue() slog.Value { return slog.StringValue(a.String()) }

// String names the user and the account.
func (s *Session) String() string {
	if s.place == nil {
		return "auth.Session{}"
	}
	u := &s.standing.Load().user.claims
	return "auth.Session{user " + u.Key + " account " + u.Account() + "}"
}

// GoString is [Session.String].
func (s *Session) GoString() string { return s.String() }

// LogValue is [Session.String].
func (s *Session) LogValue() slog.Value { return slog.StringValue(s.String()) }

// String names the type and shows nothing: a sentinel is a secret.
func (t Trust) String() string { return "auth.Trust" }

// GoString is [Trust.String].
func (t Trust) GoString() string { return t.String() }

// String names the type and shows nothing, see [Trust.String].
func (c Config) String() string { return "auth.Config" }

// GoString is [Config.String].
func (c Config) GoString() string { return c.String() }
