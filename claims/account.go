package claims

import (
	"cmp"
	"maps"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"github.com/natsauth/natsauth/internal/subject"
)

// Account is an account token that was parsed, and not trusted by anybody yet.
// Its maps and slices are shared by all who hold it: read them only.
type Account struct {
	Header
	Description, InfoURL string
	SigningKeys          map[string]*Scope // A-key -> its scope, nil for an unscoped key
	Limits               AccountLimits
	Revocations          map[string]int64 // user key or "*" -> seconds since 1970: what was issued then or before is revoked
	DefaultPermissions   Permissions      // for users that have none of their own
	Exports              []Export
	Imports              []Import
	Mappings             map[string][]Mapping // source subject -> destinations
	JetStream            JetStreamLimits
	Tiers                map[string]JetStreamLimits // replica tier -> limits; then JetStream is zero
	Callout              Callout
	Trace                *Trace
	ClusterTraffic       string // "", "system" or "owner"
}

// AccountLimits bound an account as a whole. [Unlimited] is -1; the zero value
// allows nothing.
type AccountLimits struct {
	Limits                       // of each connection of the account
	Connections, LeafNodes int64 // at the same time; leaf nodes count as connections too
	Imports, Exports       int64
	WildcardExports        bool
	DisallowBearer         bool
}

// Scope is the role of a scoped signing key: its users carry no grant of their
// own and get the template's.
type Scope struct {
	Key         string // the A-key that signs for this role
	Role        string
	Description string
	Template    Template
}

// Template is a grant whose permissions may hold placeholders, see [Expand].
type Template struct {
	Grant
	fault error // an entry that cannot be read; who uses the template is refused
}

// JetStreamLimits are those of github.com/nats-io/jwt/v2: carried for brokers
// that have a use for them.
type JetStreamLimits = jwt.JetStreamLimits

// Callout is an account's wish for external authorization.
type Callout struct {
	Users    []string // U-keys of the authorization service itself
	Accounts []string // A-keys that the service may place users in, or "*"
	XKey     string   // curve key to seal requests to; or empty
}

// Trace is where message traces of the account go.
type Trace struct {
	Destination string
	Sampling    int // percent, 1 to 100
}

// Mapping is one destination of a subject mapping.
type Mapping struct {
	Subject string
	Weight  int    // percent, 1 to 100
	Cluster string // only in this cluster; empty: everywhere else
}

// Export offers a subject to other accounts.
type Export struct {
	Name, Subject        string
	Kind                 Kind
	TokenRequired        bool             // importers show an activation
	AccountTokenPosition int              // 1-based token that must be the importer's key; 0: none
	Revocations          map[string]int64 // importer's key or "*" -> seconds since 1970
	ResponseType         string           // services: "", "Singleton", "Stream" or "Chunked"
	ResponseThreshold    time.Duration    // services: how long an answer may take; 0: default
	Latency              *Latency         // services: measure it
	Advertise            bool
	AllowTrace           bool
	Description, InfoURL string
}

// Latency is where measurements of a service go.
type Latency struct {
	Sampling int // percent, 1 to 100; 0: where the request's headers ask for it
	Results  string
}

// Import takes what another account exports.
type Import struct {
	Name, Subject, Account string
	To, LocalSubject       string // the old and the new way to name it here
	Kind                   Kind
	Share                  bool // services: the exporter may see who asks
	AllowTrace             bool
	Activation             *Activation // or nil
}

// ParseAccount reads an account token: shape, own signature and content, all of
// it, the imports' activation tokens included. It says nothing of trust or time,
// nor of the exporters. The error is an [*Error]; then the Account is nil.
func ParseAccount(token string) (*Account, error) {
	var doc struct {
		jwt.AccountClaims
		Type jwt.ClaimType `json:"type"`
	}
	c, digest, err := open(token, target{
		kind: jwt.AccountClaim, doc: &doc, claims: &doc.AccountClaims,
		nats: &doc.AccountClaims.GenericFields, typ: &doc.Type,
	})
	if err != nil {
		return nil, err
	}
	return newAccount(c.(*jwt.AccountClaims), digest)
}

// Signer says whether key may sign users and activations for the account, and
// under which scope: nil for none. Under strict signing keys the account's own
// key signs nothing, listed or not (B13).
func (a *Account) Signer(key string, strict bool) (*Scope, bool) {
	if key == a.Key {
		return nil, !strict
	}
	scope, ok := a.SigningKeys[key]
	return scope, ok
}

// Revoked says whether a user token for key, issued at iat, is revoked, by its
// own key or by "*"; at is the time of the revocation. A revocation holds for
// what was issued in its own second or before (jwt/v2 RevocationList); a token
// without iat counts as issued before everything.
func (a *Account) Revoked(key string, iat int64) (at int64, revoked bool) {
	_, at, revoked = revokedIn(a.Revocations, key, iat)
	return at, revoked
}

// JetStreamByTier gives the JetStream limits as a server goes by them: for each replica
// tier, or under "" for the account as a whole; nil where the account has no storage at
// all, and with it no JetStream. What bounds the bytes of one stream or the messages
// without an acknowledgement is [Unlimited] unless it is above 0. The result is the
// caller's (nats-server v2.15 server/accounts.go updateAccountClaimsWithRefresh).
func (a *Account) JetStreamByTier() map[string]JetStreamLimits {
	out := maps.Clone(a.Tiers)
	if len(out) == 0 {
		out = map[string]JetStreamLimits{"": a.JetStream}
	}
	on := false
	for tier, l := range out {
		on = on || l.MemoryStorage != 0 || l.DiskStorage != 0
		for _, bound := range []*int64{&l.MemoryMaxStreamBytes, &l.DiskMaxStreamBytes, &l.MaxAckPending} {
			if *bound <= 0 {
				*bound = Unlimited
			}
		}
		out[tier] = l
	}
	if !on {
		return nil
	}
	return out
}

// revokedIn is the rule about a list of revocations: of users, or of activations. by is
// the entry that revokes.
func revokedIn(list map[string]int64, key string, iat int64) (by string, at int64, revoked bool) {
	for _, k := range [...]string{key, jwt.All} {
		if t, ok := list[k]; ok && t >= iat {
			return k, t, true
		}
	}
	return "", 0, false
}

func newAccount(c *jwt.AccountClaims, d Digest) (*Account, error) {
	if !IsAccountKey(c.Subject) {
		return nil, fault(ErrInvalid, "sub is not the public key of an account: %q", c.Subject)
	}
	if err := checkAccount(c); err != nil {
		return nil, err
	}
	a := &Account{
		Header:      newHeader(&c.ClaimsData, &c.GenericFields, d),
		Description: c.Description, InfoURL: c.InfoURL,
		SigningKeys: newScopes(c.SigningKeys), Revocations: c.Revocations,
		Limits: newAccountLimits(&c.Limits), DefaultPermissions: newPermissions(&c.DefaultPermissions),
		Mappings: newMappings(c.Mappings), Tiers: c.Limits.JetStreamTieredLimits, JetStream: c.Limits.JetStreamLimits,
		Callout:        Callout{Users: c.Authorization.AuthUsers, Accounts: c.Authorization.AllowedAccounts, XKey: c.Authorization.XKey},
		ClusterTraffic: string(c.ClusterTraffic),
	}
	if len(a.Tiers) > 0 {
		a.JetStream = JetStreamLimits{} // as jwt/v2 decoder_account.go
	}
	if c.Trace != nil {
		a.Trace = &Trace{Destination: string(c.Trace.Destination), Sampling: c.Trace.Sampling}
	}
	for _, e := range c.Exports {
		a.Exports = append(a.Exports, newExport(e))
	}
	for _, i := range c.Imports {
		in, err := newImport(i)
		if err != nil {
			return nil, err
		}
		a.Imports = append(a.Imports, in)
	}
	if err := checkEntries(a.DefaultPermissions); err != nil {
		return nil, fault(ErrInvalid, "%v", err)
	}
	if err := a.check(); err != nil {
		return nil, err
	}
	return a, nil
}

// checkAccount asks jwt/v2 about every part that it judges without the clock,
// and about exports and imports one by one: where it compares every pair, we do
// not.
func checkAccount(c *jwt.AccountClaims) error {
	var vr jwt.ValidationResults
	rest := c.Account
	rest.Exports, rest.Imports = nil, nil
	if len(rest.Limits.JetStreamTieredLimits) > 0 {
		rest.Limits.JetStreamLimits = jwt.JetStreamLimits{}
	}
	rest.Validate(c, &vr)
	for _, e := range c.Exports {
		e.Validate(&vr)
	}
	for _, i := range c.Imports {
		i.Validate(c.Subject, &vr)
	}
	if err := blocking(&vr); err != nil {
		return err
	}
	return cmp.Or(checkKeys(c), checkTexts(c), checkCounts(c), checkOverlaps(c))
}

// checkKeys wants every key of the account itself in its one spelling. Keys of
// other accounts are theirs to be known by: an import from something that is no
// account stays, and finds no exporter.
func checkKeys(c *jwt.AccountClaims) error {
	for k := range c.SigningKeys {
		if !IsAccountKey(k) {
			return fault(ErrInvalid, "signing key is not the public key of an account: %q", k)
		}
	}
	for _, k := range c.Authorization.AuthUsers {
		if !IsUserKey(k) {
			return fault(ErrInvalid, "auth user is not the public key of a user: %q", k)
		}
	}
	for _, k := range c.Authorization.AllowedAccounts {
		if k != jwt.AnyAccount && !IsAccountKey(k) {
			return fault(ErrInvalid, "allowed account is not the public key of an account: %q", k)
		}
	}
	if k := c.Authorization.XKey; k != "" && !isKey(k, nkeys.PrefixByteCurve) {
		return fault(ErrInvalid, "xkey is not a public curve key: %q", k)
	}
	return nil
}

// checkTexts refuses control bytes in what becomes a subject, a key to look up
// or part of an event.
func checkTexts(c *jwt.AccountClaims) error {
	var texts []string
	for _, e := range c.Exports {
		texts = append(texts, e.Name, string(e.Subject))
		if e.Latency != nil {
			texts = append(texts, string(e.Latency.Results))
		}
	}
	for _, i := range c.Imports {
		texts = append(texts, i.Name, i.Account, string(i.Subject), i.GetTo(), string(i.LocalSubject))
	}
	for from, list := range c.Mappings {
		texts = append(texts, string(from))
		for _, to := range list {
			texts = append(texts, string(to.Subject), to.Cluster)
		}
	}
	if c.Trace != nil {
		texts = append(texts, string(c.Trace.Destination))
	}
	return checkPlain(texts...)
}

func checkCounts(c *jwt.AccountClaims) error {
	l := c.Limits
	if l.Imports != Unlimited && int64(len(c.Imports)) > l.Imports {
		return fault(ErrInvalid, "%d imports, the operator allows %d", len(c.Imports), l.Imports)
	}
	if l.Exports == Unlimited {
		return nil
	}
	if int64(len(c.Exports)) > l.Exports {
		return fault(ErrInvalid, "%d exports, the operator allows %d", len(c.Exports), l.Exports)
	}
	for _, e := range c.Exports {
		if !l.WildcardExports && e.Subject.HasWildCards() {
			return fault(ErrInvalid, "export %q has a wildcard, the operator allows none", e.Subject)
		}
	}
	return nil
}

// checkOverlaps refuses exports of one kind that contain one another, and
// imported services of one exporter whose subjects here do.
func checkOverlaps(c *jwt.AccountClaims) error {
	groups := make(map[string][]string)
	for _, e := range c.Exports {
		what := "exported " + newKind(e.Type).String()
		groups[what] = append(groups[what], string(e.Subject))
	}
	for _, i := range c.Imports {
		if i.Type == jwt.Service {
			what := "service imported from " + i.Account
			groups[what] = append(groups[what], serviceSubject(i))
		}
	}
	for what, list := range groups {
		inner, outer, ok := subject.Nested(list)
		if !ok {
			return fault(ErrInvalid, "%s: too many wildcards to tell whether one overlaps another", what)
		}
		if outer != "" {
			return fault(ErrInvalid, "%s %q overlaps %q", what, inner, outer)
		}
	}
	return nil
}

// serviceSubject is the subject that jwt/v2 imports.go compares among the
// services imported from one account.
func serviceSubject(i *jwt.Import) string {
	if to := i.GetTo(); to != "" {
		return to
	}
	if local := i.LocalSubject.ToSubject(); local != "" {
		return string(local)
	}
	return string(i.Subject)
}

func newAccountLimits(l *jwt.OperatorLimits) AccountLimits {
	return AccountLimits{
		Limits:      newLimits(l.NatsLimits),
		Connections: l.Conn, LeafNodes: l.LeafNodeConn,
		Imports: l.Imports, Exports: l.Exports,
		WildcardExports: l.WildcardExports, DisallowBearer: l.DisallowBearer,
	}
}

func newScopes(keys jwt.SigningKeys) map[string]*Scope {
	out := make(map[string]*Scope, len(keys))
	for k, s := range keys {
		out[k] = nil
		if us, ok := s.(*jwt.UserScope); ok && us != nil {
			out[k] = &Scope{Key: us.Key, Role: us.Role, Description: us.Description, Template: newTemplate(&us.Template)}
		}
	}
	return out
}

// newTemplate keeps what cannot be read as a fault: it refuses the users of the
// scope, not the whole account. A time zone without hours restricts nothing.
func newTemplate(l *jwt.UserPermissionLimits) Template {
	g, faults := newGrant(l)
	t := Template{Grant: *g, fault: faults.entries}
	if t.fault == nil && len(l.Times) > 0 {
		t.fault = faults.hours
	}
	return t
}

func newMappings(m jwt.Mapping) map[string][]Mapping {
	out := make(map[string][]Mapping, len(m))
	for from, to := range m {
		list := make([]Mapping, 0, len(to)) // an empty one stands too: it keeps wider sources away
		for _, w := range to {
			list = append(list, Mapping{Subject: string(w.Subject), Weight: int(w.GetWeight()), Cluster: w.Cluster})
		}
		out[string(from)] = list
	}
	return out
}

func newExport(e *jwt.Export) Export {
	out := Export{
		Name: e.Name, Subject: string(e.Subject), Kind: newKind(e.Type),
		TokenRequired: e.TokenReq, AccountTokenPosition: int(e.AccountTokenPosition), Revocations: e.Revocations,
		ResponseType: string(e.ResponseType), ResponseThreshold: e.ResponseThreshold,
		Advertise: e.Advertise, AllowTrace: e.AllowTrace, Description: e.Description, InfoURL: e.InfoURL,
	}
	if e.Latency != nil {
		out.Latency = &Latency{Sampling: int(e.Latency.Sampling), Results: string(e.Latency.Results)}
	}
	return out
}

func newImport(i *jwt.Import) (Import, error) {
	out := Import{
		Name: i.Name, Subject: string(i.Subject), Account: i.Account,
		To: i.GetTo(), LocalSubject: string(i.LocalSubject),
		Kind: newKind(i.Type), Share: i.Share, AllowTrace: i.AllowTrace,
	}
	if i.Token == "" {
		return out, nil
	}
	act, err := ParseActivation(i.Token)
	if err != nil {
		return Import{}, fault(ErrInvalid, "the activation token of import %q: %v", i.Subject, err)
	}
	out.Activation = act
	return out, nil
}
