package authtest

import (
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"
)

// Option changes one thing about a token that is being made. One that does not
// fit, Bearer for an account say, ends the test. They are applied in order; those
// that decide about keys, [From], [Random], [SignedBy] and [SignedByKey], first.
// The zero Option changes nothing.
type Option struct {
	early bool
	apply func(*draft)
}

// From makes the keys from another path than that of the names: a second
// operator needs one. What is below follows.
func From(path string) Option {
	return Option{early: true, apply: func(d *draft) { d.path = path }}
}

// Random makes keys that nobody has seen before, for this token and all below.
func Random() Option {
	return Option{early: true, apply: func(d *draft) { d.path = randomPath() }}
}

// SignedBy has the token signed by a signing key of its issuer, by name, in place
// of the identity key: an operator's own, the operator's for an account, the
// account's for a user. The user then names its account in issuer_account, and
// begins without any grant if the key is scoped.
func SignedBy(name string) Option {
	return Option{early: true, apply: func(d *draft) { d.by = name }}
}

// SignedByKey has the token signed by any key, which becomes its iss; a user's
// issuer_account stays empty.
func SignedByKey(pair nkeys.KeyPair) Option {
	return Option{early: true, apply: func(d *draft) { d.stranger = pair }}
}

// Expires sets exp.
func Expires(at time.Time) Option {
	return onHeader("Expires", func(c *jwt.ClaimsData) { c.Expires = at.Unix() })
}

// NotBefore sets nbf.
func NotBefore(at time.Time) Option {
	return onHeader("NotBefore", func(c *jwt.ClaimsData) { c.NotBefore = at.Unix() })
}

// IssuedAt sets iat, which is an hour before [Now] otherwise.
func IssuedAt(at time.Time) Option {
	return onHeader("IssuedAt", func(c *jwt.ClaimsData) { c.IssuedAt = at.Unix() })
}

// Name sets the name in the token, and leaves the keys as they are.
func Name(name string) Option {
	return onHeader("Name", func(c *jwt.ClaimsData) { c.Name = name })
}

// Tags adds tags, in the letters that are given.
func Tags(tags ...string) Option {
	return Option{apply: func(d *draft) {
		switch c := d.claims.(type) {
		case *jwt.OperatorClaims:
			c.Tags = append(c.Tags, tags...)
		case *jwt.AccountClaims:
			c.Tags = append(c.Tags, tags...)
		case *jwt.UserClaims:
			c.User.Tags = append(c.User.Tags, tags...)
		default:
			d.misfit("Tags")
		}
	}}
}

// Edit changes the claims as jwt/v2 has them: a pointer to its OperatorClaims,
// AccountClaims or UserClaims.
func Edit[C jwt.OperatorClaims | jwt.AccountClaims | jwt.UserClaims](f func(*C)) Option {
	return Option{apply: func(d *draft) {
		c, ok := any(d.claims).(*C)
		if !ok {
			d.misfit("Edit")
			return
		}
		f(c)
	}}
}

// Raw changes the JSON of the claims, after everything else and before it is
// signed. Numbers are json.Number.
func Raw(f func(claims map[string]any)) Option {
	return Option{apply: func(d *draft) {
		if d.claims == nil {
			d.misfit("Raw")
			return
		}
		d.raw = append(d.raw, f)
	}}
}

// PubAllow adds to what may be published; for users, scopes and default
// permissions, as the four options below.
func PubAllow(subjects ...string) Option {
	return onGrant("PubAllow", func(g *jwt.UserPermissionLimits) { g.Pub.Allow = append(g.Pub.Allow, subjects...) })
}

// PubDeny adds to what may not be published.
func PubDeny(subjects ...string) Option {
	return onGrant("PubDeny", func(g *jwt.UserPermissionLimits) { g.Pub.Deny = append(g.Pub.Deny, subjects...) })
}

// SubAllow adds to what may be subscribed to: subjects, or a subject and a queue
// group with a space between.
func SubAllow(subjects ...string) Option {
	return onGrant("SubAllow", func(g *jwt.UserPermissionLimits) { g.Sub.Allow = append(g.Sub.Allow, subjects...) })
}

// SubDeny adds to what may not be subscribed to.
func SubDeny(subjects ...string) Option {
	return onGrant("SubDeny", func(g *jwt.UserPermissionLimits) { g.Sub.Deny = append(g.Sub.Deny, subjects...) })
}

// Responses lets the user answer what is delivered to it.
func Responses(most int, ttl time.Duration) Option {
	return onGrant("Responses", func(g *jwt.UserPermissionLimits) {
		g.Resp = &jwt.ResponsePermission{MaxMsgs: most, Expires: ttl}
	})
}

// Limits sets how many subscriptions and how many bytes of payload are allowed;
// for users, scopes and accounts. -1 is no limit, as without the option.
func Limits(subs, payload int64) Option {
	return Option{apply: func(d *draft) {
		if c, ok := d.claims.(*jwt.AccountClaims); ok {
			c.Limits.Subs, c.Limits.Payload = subs, payload
		} else if d.grant != nil {
			d.grant.Subs, d.grant.Payload = subs, payload
		} else {
			d.misfit("Limits")
		}
	}}
}

// Sources adds address ranges to connect from; for users and scopes, as the five
// options below.
func Sources(ranges ...string) Option {
	return onGrant("Sources", func(g *jwt.UserPermissionLimits) { g.Src = append(g.Src, ranges...) })
}

// Times adds a daily span, "08:00:00" to "17:00:00" say.
func Times(start, end string) Option {
	return onGrant("Times", func(g *jwt.UserPermissionLimits) {
		g.Times = append(g.Times, jwt.TimeRange{Start: start, End: end})
	})
}

// Locale sets the time zone of the spans.
func Locale(zone string) Option {
	return onGrant("Locale", func(g *jwt.UserPermissionLimits) { g.Locale = zone })
}

// ConnectionTypes adds ways in which the user may connect, as text.
func ConnectionTypes(names ...string) Option {
	return onGrant("ConnectionTypes", func(g *jwt.UserPermissionLimits) {
		g.AllowedConnectionTypes = append(g.AllowedConnectionTypes, names...)
	})
}

// Bearer lets the user connect without a signature.
func Bearer() Option {
	return onGrant("Bearer", func(g *jwt.UserPermissionLimits) { g.BearerToken = true })
}

// ProxyRequired wants a trusted proxy in between.
func ProxyRequired() Option {
	return onGrant("ProxyRequired", func(g *jwt.UserPermissionLimits) { g.ProxyRequired = true })
}

// SigningKey adds a signing key without a scope to an account.
func SigningKey(name string) Option {
	return onAccount("SigningKey", func(d *draft, c *jwt.AccountClaims) {
		pair := d.list(name, nkeys.PrefixByteAccount, false)
		c.SigningKeys.Add(public(pair))
	})
}

// Scope adds a scoped signing key to an account. The options make the template;
// it has no limits but those that they set.
func Scope(role string, opts ...Option) Option {
	return onAccount("Scope", func(d *draft, c *jwt.AccountClaims) {
		s := jwt.NewUserScope()
		s.Role, s.Key = role, public(d.list(role, nkeys.PrefixByteAccount, true))
		d.part("the scope "+role, &s.Template, opts)
		c.SigningKeys.AddScopedSigner(s)
	})
}

// DefaultPermissions sets what users of the account may do that have no
// permissions of their own. Options for permissions make it.
func DefaultPermissions(opts ...Option) Option {
	return onAccount("DefaultPermissions", func(d *draft, c *jwt.AccountClaims) {
		var g jwt.UserPermissionLimits
		d.part("default permissions", &g, opts)
		c.DefaultPermissions = g.Permissions
	})
}

// DisallowBearer keeps bearers out of the account.
func DisallowBearer() Option {
	return onAccount("DisallowBearer", func(_ *draft, c *jwt.AccountClaims) { c.Limits.DisallowBearer = true })
}

// MaxConnections bounds the connections of the account.
func MaxConnections(n int64) Option {
	return onAccount("MaxConnections", func(_ *draft, c *jwt.AccountClaims) { c.Limits.Conn = n })
}

// MaxLeafNodes bounds the leaf nodes of the account.
func MaxLeafNodes(n int64) Option {
	return onAccount("MaxLeafNodes", func(_ *draft, c *jwt.AccountClaims) { c.Limits.LeafNodeConn = n })
}

// Revoke revokes what was issued at that second or before to a user of the
// account, by name, or to "*", all of them.
func Revoke(user string, at time.Time) Option {
	return onAccount("Revoke", func(d *draft, c *jwt.AccountClaims) {
		if c.Revocations == nil {
			c.Revocations = make(jwt.RevocationList)
		}
		key := user // an option may be used again, for another account
		if key != jwt.All {
			key = public(Key(nkeys.PrefixByteUser, d.path+"/"+user))
		}
		c.Revocations[key] = at.Unix()
	})
}

// CalloutUsers leaves decisions about the account to an external service, whose
// users are these, by name.
func CalloutUsers(names ...string) Option {
	return onAccount("CalloutUsers", func(d *draft, c *jwt.AccountClaims) {
		for _, n := range names {
			c.Authorization.AuthUsers.Add(public(Key(nkeys.PrefixByteUser, d.path+"/"+n)))
		}
	})
}

// SigningKeys adds signing keys to an operator.
func SigningKeys(names ...string) Option {
	return onOperator("SigningKeys", func(d *draft, c *jwt.OperatorClaims) {
		for _, n := range names {
			c.SigningKeys = append(c.SigningKeys, public(d.list(n, nkeys.PrefixByteOperator, false)))
		}
	})
}

// Strict wants signing keys in place of identity keys, the operator's and those
// of its accounts.
func Strict() Option {
	return onOperator("Strict", func(_ *draft, c *jwt.OperatorClaims) { c.StrictSigningKeyUsage = true })
}

// SystemAccount names one of the operator's accounts as the system account.
func SystemAccount(name string) Option {
	return onOperator("SystemAccount", func(d *draft, c *jwt.OperatorClaims) {
		c.SystemAccount = public(Key(nkeys.PrefixByteAccount, d.path+"/"+name))
	})
}

// AssertServerVersion sets the oldest server that may use the operator.
func AssertServerVersion(version string) Option {
	return onOperator("AssertServerVersion", func(_ *draft, c *jwt.OperatorClaims) { c.AssertServerVersion = version })
}

// misfit ends the test for an option that is not for this kind of token.
func (d *draft) misfit(option string) {
	d.tb.Helper()
	d.tb.Fatalf("authtest: %s is not for %s", option, d.what)
}

// part applies the options of a part of the token.
func (d *draft) part(what string, g *jwt.UserPermissionLimits, opts []Option) {
	p := newDraft(d.tb, what+" of "+d.what, d.path, nil)
	p.grant = g
	p.finish(opts)
}

// list makes a signing key of the token.
func (d *draft) list(name string, kind nkeys.PrefixByte, scoped bool) nkeys.KeyPair {
	pair := Key(kind, d.path+"#"+name)
	d.keys[name] = signer{pair: pair, scoped: scoped}
	return pair
}

func onHeader(option string, f func(*jwt.ClaimsData)) Option {
	return Option{apply: func(d *draft) {
		if d.claims == nil {
			d.misfit(option)
			return
		}
		f(d.claims.Claims())
	}}
}

func onGrant(option string, f func(*jwt.UserPermissionLimits)) Option {
	return Option{apply: func(d *draft) {
		if d.grant == nil {
			d.misfit(option)
			return
		}
		f(d.grant)
	}}
}

func onAccount(option string, f func(*draft, *jwt.AccountClaims)) Option {
	return Option{apply: func(d *draft) {
		c, ok := d.claims.(*jwt.AccountClaims)
		if !ok {
			d.misfit(option)
			return
		}
		f(d, c)
	}}
}

func onOperator(option string, f func(*draft, *jwt.OperatorClaims)) Option {
	return Option{apply: func(d *draft) {
		c, ok := d.claims.(*jwt.OperatorClaims)
		if !ok {
			d.misfit(option)
			return
		}
		f(d, c)
	}}
}
