package auth

import "strconv"

// Step names a step of the decision. The steps are taken in the order of the
// table in auth.go.
type Step uint8

// The steps.
const (
	StepNone Step = iota

	// Who is it.
	StepProxy      // the proxy's signature, if there is one
	StepToken      // choose the token and read it
	StepValidity   // nbf and exp of the user
	StepPinned     // is the account one of the pinned
	StepPossession // the signature over the nonce, before any I/O

	// Who vouches for it.
	StepAccount // the account in force, or a look-up: the only I/O
	StepTrust   // does a trusted operator vouch for the account, now
	StepSigner  // did the account issue the user
	StepScope   // the effective user: the scope's template filled in

	// May it connect: restrictions on the effective user.
	StepProxyRequired
	StepBearer
	StepConnectionType
	StepSignature // a failure that was held until the scope was known
	StepRevocation
	StepSource
	StepTimes
	StepExternal

	// What may it do.
	StepPermissions // compile, or take the account's defaults
	StepLimits      // the strictest of user, scope and account
	StepConnections // check and add

	StepLive // not a step of the decision: a session that ended
	stepEnd
)

var stepNames = [stepEnd]string{
	StepNone: "none", StepProxy: "proxy", StepToken: "token", StepValidity: "validity", StepPinned: "pinned",
	StepPossession: "possession", StepAccount: "account", StepTrust: "trust", StepSigner: "signer", StepScope: "scope",
	StepProxyRequired: "proxy_required", StepBearer: "bearer", StepConnectionType: "connection_type",
	StepSignature: "signature", StepRevocation: "revocation", StepSource: "source", StepTimes: "times", StepExternal: "external",
	StepPermissions: "permissions", StepLimits: "limits", StepConnections: "connections", StepLive: "live",
}

// String gives the step's name.
func (s Step) String() string {
	if s >= stepEnd {
		return "step(" + strconv.Itoa(int(s)) + ")"
	}
	return stepNames[s]
}

// MarshalText gives the step's name.
func (s Step) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
