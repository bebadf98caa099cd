package auth

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/natsauth/natsauth/claims"
)

// StateHash is a hash over the trust set and the accounts in force: equal on nodes
// that agree on both.
func (a *Authorizer) StateHash() [32]byte {
	t := a.trust.Load()
	if t == nil {
		return [32]byte{}
	}
	w := &digestWriter{}
	w.text(t.fingerprint())
	var accounts []string
	for view := range a.directory.views() {
		accounts = append(accounts, view.Key()+string(view.claims.Digest[:]))
	}
	slices.Sort(accounts)
	for _, text := range accounts {
		w.text(text)
	}
	return sha256.Sum256(w.buf)
}

// fingerprint is the trust set's content, in one order.
func (t *trust) fingerprint() string {
	var lines []string
	add := func(kind, what string) { lines = append(lines, fmt.Sprintf("%s %d %s", kind, len(what), what)) }
	for _, o := range t.operators {
		add("operator", string(o.claims.Digest[:]))
	}
	for key, s := range t.signers {
		add("signer", fmt.Sprint(key, s.operator.key, s.strict))
	}
	for key := range t.pinned {
		add("pinned", key)
	}
	for _, key := range t.proxies {
		add("proxy", key)
	}
	add("system", t.system)
	if u, err := claims.ParseUser(t.sentinel); err == nil {
		add("sentinel", string(u.Digest[:]))
	}
	slices.Sort(lines)
	lines = slices.Compact(lines) // what is named twice is there once
	w := binary.BigEndian.AppendUint64(nil, uint64(len(lines)))
	for _, l := range lines {
		w = append(append(w, l...), '\n')
	}
	return string(w)
}
