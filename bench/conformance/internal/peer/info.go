package peer

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Info is what a server says of itself in an INFO line, as far as tests look at
// it. ID, ClientID and Nonce differ between any two connections.
type Info struct {
	ServerID     string `json:"server_id"`
	ServerName   string `json:"server_name"`
	Version      string `json:"version"`
	Go           string `json:"go"`
	Host         string `json:"host"`
	Port         int    `json:"port"`
	Proto        int    `json:"proto"`
	Headers      bool   `json:"headers"`
	AuthRequired bool   `json:"auth_required"`
	TLSRequired  bool   `json:"tls_required"`
	MaxPayload   int64  `json:"max_payload"`
	ClientID     uint64 `json:"client_id"`
	ClientIP     string `json:"client_ip"`
	Nonce        string `json:"nonce"`
	JetStream    bool   `json:"jetstream"`
}

// Lasting gives what two servers with one configuration agree on, as a line of a
// transcript: no identities, and of the nonce only its length.
func (i Info) Lasting() string {
	return fmt.Sprintf("INFO proto=%d headers=%v auth_required=%v tls_required=%v max_payload=%d client_ip=%s nonce=%d client_id=%v server_id=%d",
		i.Proto, i.Headers, i.AuthRequired, i.TLSRequired, i.MaxPayload, i.ClientIP, len(i.Nonce), i.ClientID != 0, len(i.ServerID))
}

// read takes an INFO line. Fields that it does not have keep their value.
func (i *Info) read(line string) error {
	text, ok := strings.CutPrefix(line, "INFO ")
	if !ok {
		return fmt.Errorf("peer: %q is no INFO", line)
	}
	return json.Unmarshal([]byte(text), i)
}
