package claims_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/natsauth/natsauth/claims"
)

// from is a scope's template with sources: the only place where an entry that cannot be read comes as far as Covers.
func from(t testing.TB, src string) *claims.Grant {
	t.Helper()
	a := account(t, fmt.Sprintf(`{"nats":{"signing_keys":[{"kind":"user_scope","key":"@A1","template":{"src":%s}}]}}`, src))
	return &a.SigningKeys[keys()["@A1"]].Template.Grant
}

func TestCovers(t *testing.T) {
	for _, row := range []struct {
		name, src string
		addr      string // empty: the zero Addr
		want      bool
	}{
		{"no restriction", `[]`, "10.0.0.1", true},
		{"no restriction, no address", `null`, "", true},
		{"no restriction, an address with a zone", `null`, "fe80::1%eth0", true},
		{"any IPv4, no address", `["0.0.0.0/0"]`, "", false},
		{"any address, no address", `["0.0.0.0/0","::/0"]`, "", false},

		{"first of the range", `["10.1.0.0/16"]`, "10.1.0.0", true},
		{"last of the range", `["10.1.0.0/16"]`, "10.1.255.255", true},
		{"before the range", `["10.1.0.0/16"]`, "10.0.255.255", false},
		{"after the range", `["10.1.0.0/16"]`, "10.2.0.0", false},
		{"a range named by an address inside", `["10.1.2.3/16"]`, "10.1.255.255", true},
		{"one address", `["10.1.2.3/32"]`, "10.1.2.3", true},
		{"one address, the next", `["10.1.2.3/32"]`, "10.1.2.4", false},
		{"second range", `["10.0.0.0/8","192.168.0.0/16"]`, "192.168.1.1", true},
		{"no range", `["10.0.0.0/8","192.168.0.0/16"]`, "172.16.0.1", false},
		{"a text with commas", `"10.0.0.0/8, 192.168.0.0/16 ,,"`, "192.168.1.1", true},
		{"an empty text", `""`, "192.168.1.1", true},

		{"IPv6 inside", `["2001:db8::/32"]`, "2001:db8:ffff::1", true},
		{"IPv6 outside", `["2001:db8::/32"]`, "2001:db9::", false},
		{"IPv6 in capitals", `["2001:DB8::/32"]`, "2001:db8::1", true},
		{"IPv4 in any IPv6", `["::/0"]`, "10.0.0.1", false},
		{"IPv6 in any IPv4", `["0.0.0.0/0"]`, "::1", false},

		{"IPv4 inside IPv6, by an IPv4 range", `["10.0.0.0/8"]`, "::ffff:10.0.0.1", true},
		{"IPv4 inside IPv6, outside of it", `["10.0.0.0/8"]`, "::ffff:11.0.0.1", false},
		{"IPv4 inside IPv6, by any IPv6", `["::/0"]`, "::ffff:10.0.0.1", false},
		{"IPv4 by a mapped range", `["::ffff:10.0.0.0/104"]`, "10.0.0.1", true},
		{"IPv4 outside a mapped range", `["::ffff:10.0.0.0/104"]`, "11.0.0.1", false},
		{"mapped by a mapped range", `["::ffff:10.0.0.0/104"]`, "::ffff:10.255.0.1", true},
		{"all that is mapped", `["::ffff:0:0/96"]`, "10.0.0.1", true},
		{"a range around all that is mapped", `["::ffff:0:0/95"]`, "10.0.0.1", false},
		{"a mapped range so wide that it is none", `["::ffff:10.0.0.0/8"]`, "10.0.0.1", false},

		{"an address with a zone", `["fe80::/10"]`, "fe80::1%eth0", false},
		{"the same without it", `["fe80::/10"]`, "fe80::1", true},

		{"what cannot be read comes after", `["10.0.0.0/8","x"]`, "10.0.0.1", true},
		{"what cannot be read comes before", `["x","10.0.0.0/8"]`, "10.0.0.1", false},
		{"what cannot be read comes between", `["10.0.0.0/8","10.0.0.0/33","192.168.0.0/16"]`, "192.168.1.1", false},
		{"only what cannot be read", `["10.0.0.1"]`, "10.0.0.1", false},
		{"an empty entry", `["","10.0.0.0/8"]`, "10.0.0.1", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			var addr netip.Addr
			if row.addr != "" {
				addr = netip.MustParseAddr(row.addr)
			}
			require.Equal(t, row.want, from(t, row.src).Covers(addr))
			var list jsonList
			require.NoError(t, json.Unmarshal([]byte(row.src), &list))
			require.Equal(t, row.want, validSource(list, row.addr), "the reference's rule, restated")
		})
	}
}

// A zone is not lost on the way from IPv6 to IPv4.
func TestCoversMappedWithZone(t *testing.T) {
	mapped := netip.AddrFrom16(netip.MustParseAddr("10.0.0.1").As16())
	require.True(t, from(t, `["10.0.0.0/8"]`).Covers(mapped))
	require.False(t, from(t, `["10.0.0.0/8"]`).Covers(mapped.WithZone("eth0")))
}

// jsonList reads a list, or a text with commas: tokens have both.
type jsonList []string

func (l *jsonList) UnmarshalJSON(raw []byte) error {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		*l = strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
		return nil
	}
	return json.Unmarshal(raw, (*[]string)(l))
}

// validSource restates nats-server v2.15 server/jwt.go validateSrc on what the token says: text in, package net inside.
func validSource(list []string, host string) bool {
	if len(list) == 0 {
		return true
	}
	ip := net.ParseIP(host)
	if ip == nil {
		return false
	}
	for _, text := range list {
		_, n, err := net.ParseCIDR(text)
		if err != nil {
			return false
		}
		if n.Contains(ip) {
			return true
		}
	}
	return false
}

func TestCoversAgainstNet(t *testing.T) {
	addr := rapid.Custom(func(r *rapid.T) netip.Addr {
		b := rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 10, 127, 192, 255}), 16, 16).Draw(r, "bytes")
		six := netip.AddrFrom16([16]byte(b))
		four := netip.AddrFrom4([4]byte(b[12:]))
		return rapid.SampledFrom([]netip.Addr{six, four, netip.AddrFrom16(four.As16())}).Draw(r, "form")
	})
	rapid.Check(t, func(r *rapid.T) {
		var list []string
		for range rapid.IntRange(1, 3).Draw(r, "entries") {
			a := addr.Draw(r, "range")
			list = append(list, fmt.Sprintf("%s/%d", a, rapid.IntRange(0, a.BitLen()+1).Draw(r, "length")))
		}
		src, err := json.Marshal(list)
		require.NoError(r, err)
		a := addr.Draw(r, "address")
		require.Equal(r, validSource(list, a.String()), from(t, string(src)).Covers(a), "%v in %v", a, list)
	})
}
