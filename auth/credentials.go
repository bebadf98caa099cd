package auth

import (
	"encoding/json"
	"log/slog"
	"net/netip"
	"strings"
)

// Credentials are what a broker knows of a client that wants to connect. The
// zero value is refused. They print redacted: which fields are set, not what is
// in them.
type Credentials struct {
	JWT            string // CONNECT.jwt, or a WebSocket cookie
	Password       string // CONNECT.pass; where MQTT clients put their token
	Nonce          string // what the broker sent in INFO; see package nonce
	Signature      string // CONNECT.sig: over the nonce, by the user's key
	ProxySignature string // CONNECT.proxy_sig: over the nonce, by a proxy's key
	ConnectionType ConnectionType
	Source         netip.Addr // where the client connects from; the zero Addr for in-process
	Internal       bool       // the broker's own: not counted, and not held to connection limits
	Client         ClientInfo
}

// ClientInfo is what a client says about itself. Nothing is decided by it.
type ClientInfo struct{ ID, Name, Lang, Version string }

// ConnectionType is the way in which a client connects. The zero value is
// refused: a broker must say.
type ConnectionType uint8

// The connection types, as user tokens list them.
const (
	Unknown ConnectionType = iota
	Standard
	WebSocket
	LeafNode
	LeafNodeWS
	MQTT
	MQTTWS
	InProcess
	connectionTypeEnd
)

var connectionTypes = [connectionTypeEnd]string{
	Unknown: "UNKNOWN", Standard: "STANDARD", WebSocket: "WEBSOCKET", LeafNode: "LEAFNODE", LeafNodeWS: "LEAFNODE_WS",
	MQTT: "MQTT", MQTTWS: "MQTT_WS", InProcess: "IN_PROCESS",
}

// ParseConnectionType reads a name in any case; what it does not know is
// [Unknown].
func ParseConnectionType(name string) ConnectionType {
	upper := strings.ToUpper(name) // as nats-server does; folding would take more letters for one
	for t := Standard; t < connectionTypeEnd; t++ {
		if upper == connectionTypes[t] {
			return t
		}
	}
	return Unknown
}

// String gives the name that tokens use.
func (t ConnectionType) String() string {
	if t >= connectionTypeEnd {
		return connectionTypes[Unknown]
	}
	return connectionTypes[t]
}

// MarshalText gives the name that tokens use.
func (t ConnectionType) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// leaf says whether the connection counts as a leaf node.
func (t ConnectionType) leaf() bool { return t == LeafNode || t == LeafNodeWS }

// mqtt says whether the token comes in the password.
func (t ConnectionType) mqtt() bool { return t == MQTT || t == MQTTWS }

// types are the connection types that a grant lists, as bits.
type types struct {
	known   uint16
	foreign bool // names that we do not know
}

// allow says whether a connection type is among them. Names that nobody knows
// allow nothing, and do not turn a list into no list (nats-server v2.15
// server/auth.go, convertAllowedConnectionTypes).
func (t types) allow(c ConnectionType) bool {
	if c == Unknown || c >= connectionTypeEnd {
		return false
	}
	return t.known&(1<<c) != 0 || t.known == 0 && !t.foreign
}

func newTypes(names []string) types {
	var t types
	for _, n := range names {
		if c := ParseConnectionType(n); c != Unknown {
			t.known |= 1 << c
		} else {
			t.foreign = true
		}
	}
	return t
}

// redacted tells which secrets are there.
func (c Credentials) redacted() []slog.Attr {
	set := func(name, secret string) slog.Attr { return slog.Bool(name, secret != "") }
	return []slog.Attr{
		set("jwt", c.JWT), set("password", c.Password), set("nonce", c.Nonce), set("signature", c.Signature),
		set("proxy_signature", c.ProxySignature), slog.String("type", c.ConnectionType.String()),
		slog.String("source", c.Source.String()), slog.Bool("internal", c.Internal),
	}
}

// String tells which fields are set.
func (c Credentials) String() string {
	var parts []string
	for _, a := range c.redacted() {
		parts = append(parts, a.String())
	}
	return "auth.Credentials{" + strings.Join(parts, " ") + "}"
}

// GoString is [Credentials.String].
func (c Credentials) GoString() string { return c.String() }

// LogValue tells which fields are set.
func (c Credentials) LogValue() slog.Value { return slog.GroupValue(c.redacted()...) }

// MarshalJSON tells which fields are set.
func (c Credentials) MarshalJSON() ([]byte, error) { return json.Marshal(c.String()) }
