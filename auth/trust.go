package auth

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/natsauth/natsauth/claims"
	"github.com/natsauth/natsauth/nonce"
)

// Trust is whom an Authorizer believes. It is a value: it is copied when it is
// used, and changing it afterwards changes nothing. The zero Trust trusts
// nobody, and [New] refuses it.
type Trust struct {
	// Operators are operator tokens, bare or as a decorated file holds them.
	// Their signing keys, and their identity key unless they are strict, sign
	// accounts.
	Operators []string
	// Keys are public operator keys (O...) that sign accounts, in place of
	// Operators: not both.
	Keys []string
	// SystemAccount is the public key of the system account. Empty: the one that
	// a single operator names. If operators name any, it must be one of theirs.
	SystemAccount string
	// PinnedAccounts, if not empty, are the only accounts that may connect.
	// Beside Operators the system account is always one of them.
	PinnedAccounts []string
	// Sentinel is a user token that stands in where a client shows none. It must
	// be a bearer, or look like a user of a scoped signing key. It needs
	// Operators.
	Sentinel string
	// Proxies are public keys of proxies that may vouch for a connection by
	// signing its nonce.
	Proxies []string
}

// operator is one trust anchor: an operator's token, or a bare key.
type operator struct {
	key    string
	claims *claims.Operator // nil for a bare key
	told   endState         // guarded by calendar.mu; what was logged of its end
}

func (o *operator) window() claims.Window {
	if o.claims == nil {
		return claims.Window{}
	}
	return o.claims.Window
}

// signer is a key that may sign accounts.
type signer struct {
	operator *operator
	strict   bool // accounts signed by it use strict signing keys
	use      *use
}

// trust is a Trust that was checked, ready for use. It does not change.
type trust struct {
	operators []*operator
	signers   map[string]signer
	system    string
	pinned    map[string]struct{} // nil: all
	sentinel  string
	proxies   []string
}

// newTrust checks a Trust, in the order of nats-server v2.15 server/jwt.go
// validateTrustedOperators, and judges operator tokens too (B12).
func newTrust(t Trust, serverVersion string) (*trust, error) {
	out := &trust{signers: make(map[string]signer), system: t.SystemAccount}
	checks := []func(Trust, *trust) error{
		checkAnchors, checkSentinel, checkOperators,
		func(t Trust, out *trust) error { return checkVersions(out, serverVersion) },
		checkSystem, checkPinned, checkProxies,
	}
	for _, check := range checks {
		if err := check(t, out); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// checkAnchors wants operators or bare keys.
func checkAnchors(t Trust, out *trust) error {
	switch {
	case len(t.Operators) == 0 && len(t.Keys) == 0:
		return errors.New("auth: nobody is trusted: Trust needs Operators or Keys")
	case len(t.Operators) > 0 && len(t.Keys) > 0:
		return errors.New("auth: Trust has both Operators and Keys")
	}
	for i, k := range t.Keys {
		if !claims.IsOperatorKey(k) {
			return fmt.Errorf("auth: Trust.Keys[%d] is not the public key of an operator", i)
		}
		out.signers[k] = signer{operator: &operator{key: k}, use: &use{}}
	}
	return nil
}

// checkSentinel wants a token that nobody has to sign a nonce for, or that a
// scope may still turn into one.
func checkSentinel(t Trust, out *trust) error {
	if t.Sentinel == "" {
		return nil
	}
	if len(t.Operators) == 0 {
		return errors.New("auth: Trust.Sentinel needs Operators")
	}
	text := claims.Undecorate(t.Sentinel)
	u, err := claims.ParseUser(text)
	if err != nil {
		return fmt.Errorf("auth: Trust.Sentinel: %w", err)
	}
	if !u.Grant.Bearer && !scopeMayExcuse(u) {
		return errors.New("auth: Trust.Sentinel is neither a bearer nor a user of a scoped signing key")
	}
	out.sentinel = text
	return nil
}

// checkOperators reads the operators' tokens. Whether their time has come is
// judged with every decision, not here: an operator that has expired refuses
// connections, it does not stop a broker from starting.
func checkOperators(t Trust, out *trust) error {
	for i, token := range t.Operators {
		o, err := claims.ParseOperator(claims.Undecorate(token))
		if err != nil {
			return fmt.Errorf("auth: Trust.Operators[%d]: %w", i, err)
		}
		if !o.SelfSigned() {
			return fmt.Errorf("auth: operator %q is signed neither by itself nor by a signing key that it lists", o.Key)
		}
		out.add(o)
	}
	return nil
}

func (t *trust) add(o *claims.Operator) {
	anchor := &operator{key: o.Key, claims: o}
	t.operators = append(t.operators, anchor)
	for _, k := range o.Signers() {
		known, ok := t.signers[k]
		if !ok {
			known.operator, known.use = anchor, &use{}
		}
		known.strict = known.strict || o.Strict
		t.signers[k] = known
	}
}

// checkVersions holds assert_server_version against the version that the broker
// gave. A broker that gives none cannot satisfy an assertion.
func checkVersions(out *trust, have string) error {
	ours, err := parseVersion(have)
	if err != nil {
		return fmt.Errorf("auth: Config.ServerVersion: %w", err)
	}
	for _, o := range out.operators {
		want, err := parseVersion(o.claims.AssertServerVersion)
		if err != nil {
			return fmt.Errorf("auth: operator %q asserts a server version: %w", o.key, err)
		}
		for i := range want {
			if want[i] > ours[i] {
				return fmt.Errorf("auth: operator %q asserts server version %s, this is %q", o.key, o.claims.AssertServerVersion, have)
			}
			if want[i] < ours[i] {
				break
			}
		}
	}
	return nil
}

// parseVersion reads major.minor.patch; the empty version is 0.0.0.
func parseVersion(text string) ([3]int, error) {
	var v [3]int
	if text == "" {
		return v, nil
	}
	parts := strings.Split(text, ".")
	if len(parts) != len(v) {
		return v, fmt.Errorf("version %q is not of the form major.minor.patch", text)
	}
	for i, p := range parts {
		n, err := strconv.Atoi(p)
		if err != nil || n < 0 {
			return v, fmt.Errorf("version %q is not of the form major.minor.patch", text)
		}
		v[i] = n
	}
	return v, nil
}

// checkSystem wants one system account: the configured one, agreeing with the
// operators if they name any, or else a single operator's.
func checkSystem(t Trust, out *trust) error {
	if t.SystemAccount == "" {
		if len(out.operators) == 1 {
			out.system = out.operators[0].claims.SystemAccount
		}
		return nil
	}
	if !claims.IsAccountKey(t.SystemAccount) {
		return errors.New("auth: Trust.SystemAccount is not the public key of an account")
	}
	named := false
	for _, o := range out.operators {
		if o.claims.SystemAccount == t.SystemAccount {
			return nil
		}
		named = named || o.claims.SystemAccount != ""
	}
	if named {
		return fmt.Errorf("auth: system account %q is not the one that the operators name", t.SystemAccount)
	}
	return nil
}

func checkPinned(t Trust, out *trust) error {
	if len(t.PinnedAccounts) == 0 {
		return nil
	}
	out.pinned = make(map[string]struct{}, len(t.PinnedAccounts)+1)
	for i, k := range t.PinnedAccounts {
		if !claims.IsAccountKey(k) {
			return fmt.Errorf("auth: Trust.PinnedAccounts[%d] is not the public key of an account", i)
		}
		out.pinned[k] = struct{}{}
	}
	if len(t.Operators) > 0 && out.system != "" {
		out.pinned[out.system] = struct{}{}
	}
	return nil
}

func checkProxies(t Trust, out *trust) error {
	for i, k := range t.Proxies {
		if _, err := nonce.ProxyKey(k); err != nil {
			return fmt.Errorf("auth: Trust.Proxies[%d] is not a public key", i)
		}
		out.proxies = append(out.proxies, k)
	}
	return nil
}

// isPinned says whether users of the account may connect at all.
func (t *trust) isPinned(account string) bool {
	if t.pinned == nil {
		return true
	}
	_, ok := t.pinned[account]
	return ok
}
