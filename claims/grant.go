package claims

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/nats-io/jwt/v2"
)

// Grant is what a token gives to a user: permissions, limits and the
// circumstances under which it may connect. A user token carries its own, or,
// if a scoped signing key signed it, none: then the scope's template is the
// grant. The zero Grant restricts no subject and allows no subscription and no
// payload.
type Grant struct {
	Permissions     Permissions
	Limits          Limits
	Sources         []netip.Prefix // empty: from anywhere
	Times           []TimeRange    // empty: at any hour
	Location        *time.Location // of Times; nil: the caller's
	ConnectionTypes []string       // empty: any; as written
	Bearer          bool           // needs no signature over the nonce
	ProxyRequired   bool           // only through a trusted proxy
}

// Covers says whether the grant lets addr connect. An IPv4 address inside IPv6
// is taken as IPv4. The zero Addr, an in-process connection say, and an address
// with a zone are covered only where there is no restriction. An entry that is
// not an address range ends the search: what comes after it does not count. The
// rule is that of nats-server v2.15 server/jwt.go validateSrc.
func (g *Grant) Covers(addr netip.Addr) bool {
	if len(g.Sources) == 0 {
		return true
	}
	if addr.Zone() != "" {
		return false
	}
	addr = addr.Unmap()
	for _, p := range g.Sources {
		if !p.IsValid() {
			return false
		}
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// grantFaults are what could not be read of a grant. A user token with any of
// them is refused; a scope's template is not judged before it is used, and then
// only on what it restricts.
type grantFaults struct{ entries, sources, hours error }

func (f grantFaults) first() error {
	return cmp.Or(f.entries, f.sources, f.hours)
}

// newGrant types the limits of a user or of a scope's template.
func newGrant(l *jwt.UserPermissionLimits) (*Grant, grantFaults) {
	g := &Grant{
		Permissions:     newPermissions(&l.Permissions),
		Limits:          newLimits(l.NatsLimits),
		ConnectionTypes: l.AllowedConnectionTypes,
		Bearer:          l.BearerToken,
		ProxyRequired:   l.ProxyRequired,
	}
	f := grantFaults{entries: cmp.Or(checkEntries(g.Permissions), broken("connection type ", g.ConnectionTypes))}
	var clock, zone error
	g.Sources, f.sources = newSources(l.Src)
	g.Times, clock = newTimes(l.Times)
	g.Location, zone = newLocation(l.Locale)
	f.hours = cmp.Or(clock, zone)
	return g, f
}

// newSources keeps an invalid prefix in the place of what cannot be read, for
// [Grant.Covers] to stop at.
func newSources(list jwt.CIDRList) ([]netip.Prefix, error) {
	var out []netip.Prefix
	var bad error
	for _, text := range list {
		p, err := parseCIDR(text)
		if err != nil && bad == nil {
			bad = err
		}
		out = append(out, p)
	}
	return out, bad
}

// parseCIDR reads what net.ParseCIDR reads, which is what tools and servers of
// this format use; netip.ParsePrefix is stricter about zeros.
func parseCIDR(text string) (netip.Prefix, error) {
	_, n, err := net.ParseCIDR(text)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is not an address range", text)
	}
	addr, _ := netip.AddrFromSlice(n.IP)
	ones, bits := n.Mask.Size()
	if addr.Is4In6() && bits == 128 && ones >= 96 {
		addr, ones = addr.Unmap(), ones-96
	}
	return netip.PrefixFrom(addr, ones), nil
}
