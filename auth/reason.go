package auth

import "strconv"

// Reason says why a connection was refused or ended. The zero Reason is none. The
// names do not change between versions; the numbers may, so that reasons stand
// with their like. Each has a vector in testdata/vectors, and a test fails for one
// that has not.
type Reason uint8

// The reasons. The steps that find them are listed in auth.go.
const (
	ReasonNone Reason = iota

	// The token that the client showed.
	TokenMissing   // no token, and no sentinel to stand in
	TokenTooLarge  // larger than Bounds.TokenBytes
	TokenMalformed // not three base64url chunks of a JWT of a known version
	TokenKind      // a good token, of another kind than user
	TokenSignature // not signed by the key in iss, or that is no account key
	TokenInvalid   // its content breaks a rule: keys, subjects, addresses, times
	UserNotYet     // before nbf
	UserExpired    // at exp or later; also the end of a live session

	// Possession of the user's key.
	NonceMissing       // the broker gave no nonce, and the user is no bearer
	SignatureMissing   // the client gave no signature, and the user is no bearer
	SignatureMalformed // neither raw base64url nor padded base64 of 64 bytes
	SignatureWrong     // not of the user's key over this nonce

	// The account that the user names.
	AccountNotPinned   // not among Trust.PinnedAccounts
	AccountNotFound    // no store and no resolver knows it
	AccountUnavailable // nobody knows it who could be asked; others could not answer
	AccountBusy        // too many look-ups under way (Bounds.Lookups)
	AccountInvalid     // what was found cannot be read, or is over a bound
	AccountMismatch    // what was found is another account's token
	AccountRollback    // what was found is older than what is stored (B4)
	AccountAhead       // its iat lies more than Config.MaxSkew ahead (B4)
	AccountUntrusted   // not signed by a key of the trust set
	AccountNotYet      // before nbf
	AccountExpired     // at exp or later; also the end of a live session
	OperatorNotYet     // the operator's token is not valid yet (B12)
	OperatorExpired    // the operator's token has expired (B12)

	// The account vouching for the user.
	SignerUnknown  // iss is no key of the account
	SignerIdentity // iss is the account's own key, under strict signing keys (B13)
	ScopeConflict  // a scoped key signed it, and the token sets a grant of its own
	ScopeTemplate  // the scope's template cannot be filled in for this user
	ScopeValue     // a value for the template is not literal text (B2)

	// Restrictions.
	ProxyUntrusted      // a proxy signature that no trusted proxy made
	ProxyRequired       // only through a trusted proxy
	BearerDisallowed    // the account takes no bearer tokens
	TypeDisallowed      // the user may not connect in this way, or the broker did not say which
	UserRevoked         // by key or by "*"
	SourceDisallowed    // the address is in none of the user's ranges
	OutsideTimes        // not at this hour; also the end of a live session
	ExternalRequired    // the account leaves the decision to a service, and there is none
	ConnectionsExceeded // the account has as many connections as it may
	LeafNodesExceeded   // the account has as many leaf nodes as it may

	// The broker's doing.
	SessionClosed    // Session.Close
	AuthorizerClosed // Authorizer.Close, or an Authorizer that New did not make

	// Changes while sessions live.
	AccountRemoved // it was taken out of force
	AccountStale   // nobody could confirm it for longer than Config.MaxStale
	ScopeChanged   // of the signing key, and Config.KeepOnScopeChange is not set
	UserMismatch   // the token for a renewal is another user's
	TrustInvalid   // a trust set that New would refuse
	reasonEnd
)

// The protocol texts of behaviour that clients know (nats-server v2.15
// server/errors.go and client.go).
const (
	wireViolation      = "Authorization Violation"
	wireUserExpired    = "User Authentication Expired"
	wireAccountExpired = "Account Authentication Expired"
	wireRevoked        = "User Authentication Revoked"
	wireConnections    = "maximum account active connections exceeded"
)

// reasons gives each Reason its name, for logs and vectors, a sentence for
// people, and the protocol text where that is not the one constant sentence:
// refused at connect, ended while live.
var reasons = [reasonEnd]struct{ name, text, refused, ended string }{
	ReasonNone:          {name: "none", text: "nothing is wrong"},
	TokenMissing:        {name: "token_missing", text: "the client showed no user token"},
	TokenTooLarge:       {name: "token_too_large", text: "the token is larger than allowed"},
	TokenMalformed:      {name: "token_malformed", text: "what the client showed is not a token"},
	TokenKind:           {name: "token_kind", text: "the token is not a user's"},
	TokenSignature:      {name: "token_signature", text: "the token is not signed by the account key that it names"},
	TokenInvalid:        {name: "token_invalid", text: "the content of the token breaks a rule"},
	UserNotYet:          {name: "user_not_yet", text: "the user token is not valid yet"},
	UserExpired:         {name: "user_expired", text: "the user token has expired", ended: wireUserExpired},
	NonceMissing:        {name: "nonce_missing", text: "there is no nonce that the user could have signed"},
	SignatureMissing:    {name: "signature_missing", text: "the client did not sign the nonce"},
	SignatureMalformed:  {name: "signature_malformed", text: "the signature over the nonce cannot be read"},
	SignatureWrong:      {name: "signature_wrong", text: "the signature is not the user's over this nonce"},
	AccountNotPinned:    {name: "account_not_pinned", text: "the account is not among the pinned ones"},
	AccountNotFound:     {name: "account_not_found", text: "nobody knows the account"},
	AccountUnavailable:  {name: "account_unavailable", text: "the account could not be looked up"},
	AccountBusy:         {name: "account_busy", text: "too many accounts are being looked up"},
	AccountInvalid:      {name: "account_invalid", text: "the account token breaks a rule"},
	AccountMismatch:     {name: "account_mismatch", text: "the token that was found is another account's"},
	AccountRollback:     {name: "account_rollback", text: "the account token is older than one that was seen before"},
	AccountAhead:        {name: "account_ahead", text: "the account token was issued in the future"},
	AccountUntrusted:    {name: "account_untrusted", text: "no trusted operator signed the account"},
	AccountNotYet:       {name: "account_not_yet", text: "the account token is not valid yet"},
	AccountExpired:      {name: "account_expired", text: "the account token has expired", ended: wireAccountExpired},
	OperatorNotYet:      {name: "operator_not_yet", text: "the operator token is not valid yet"},
	OperatorExpired:     {name: "operator_expired", text: "the operator token has expired", ended: wireAccountExpired},
	SignerUnknown:       {name: "signer_unknown", text: "the key that signed the user is not one of the account's"},
	SignerIdentity:      {name: "signer_identity", text: "the account's own key signs no users here, only its signing keys do"},
	ScopeConflict:       {name: "scope_conflict", text: "a user of a scoped signing key sets permissions or limits of its own"},
	ScopeTemplate:       {name: "scope_template", text: "the template of the scope cannot be filled in for this user"},
	ScopeValue:          {name: "scope_value", text: "a value for the template of the scope is not literal text inside one token"},
	ProxyUntrusted:      {name: "proxy_untrusted", text: "the proxy is not a trusted one"},
	ProxyRequired:       {name: "proxy_required", text: "the user may connect only through a trusted proxy"},
	BearerDisallowed:    {name: "bearer_disallowed", text: "the account takes no bearer tokens"},
	TypeDisallowed:      {name: "type_disallowed", text: "the user may not connect in this way"},
	UserRevoked:         {name: "user_revoked", text: "the user token is revoked", ended: wireRevoked},
	SourceDisallowed:    {name: "source_disallowed", text: "the user may not connect from this address"},
	OutsideTimes:        {name: "outside_times", text: "the user may not be connected at this hour", ended: wireUserExpired},
	ExternalRequired:    {name: "external_required", text: "the account wants an external service to decide, and none is configured"},
	ConnectionsExceeded: {name: "connections_exceeded", text: "the account has as many connections as it may", refused: wireConnections, ended: wireConnections},
	LeafNodesExceeded:   {name: "leaf_nodes_exceeded", text: "the account has as many leaf nodes as it may", refused: wireConnections, ended: wireConnections},
	SessionClosed:       {name: "session_closed", text: "the broker closed the session"},
	AuthorizerClosed:    {name: "authorizer_closed", text: "the authorizer is closed"},
	AccountRemoved:      {name: "account_removed", text: "the account was removed", ended: wireAccountExpired},
	AccountStale:        {name: "account_stale", text: "the account could not be confirmed for too long", ended: wireAccountExpired},
	ScopeChanged:        {name: "scope_changed", text: "the scope of the signing key has changed"},
	UserMismatch:        {name: "user_mismatch", text: "the token is not one of the session's user and account"},
	TrustInvalid:        {name: "trust_invalid", text: "the trust set breaks a rule"},
}

// Reasons lists every Reason but the zero one, in order.
func Reasons() []Reason {
	var out []Reason
	for r := ReasonNone + 1; r < reasonEnd; r++ {
		out = append(out, r)
	}
	return out
}

// String gives the reason's name, "user_revoked" say; it does not change between
// versions.
func (r Reason) String() string {
	if r >= reasonEnd {
		return "reason(" + strconv.Itoa(int(r)) + ")"
	}
	return reasons[r].name
}

// MarshalText gives the reason's name.
func (r Reason) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// distrusts says whether an account was found and may not be believed.
func (r Reason) distrusts() bool {
	switch r {
	case AccountUntrusted, AccountRollback, AccountAhead, AccountNotYet, AccountExpired, OperatorNotYet, OperatorExpired:
		return true
	default:
		return false
	}
}

// sentence is for people.
func (r Reason) sentence() string {
	if r >= reasonEnd {
		return r.String()
	}
	return reasons[r].text
}
